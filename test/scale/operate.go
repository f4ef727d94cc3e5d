// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// quiet is how long nothing must happen until the operator counts as idle.
	quiet = 3 * time.Second
	// settle is how long every measurement waits between the first tenant and the others, so that what a control plane
	// does after its start is over.
	settle = 5 * time.Second
)

// operation is what was measured of the operator in one world.
type operation struct {
	Size    size `json:"size"`
	Objects int  `json:"objects"`
	// There is the time from the first Tenant until every object existed, Ready until every Tenant was Ready.
	There time.Duration `json:"thereNanoseconds"`
	Ready time.Duration `json:"readyNanoseconds"`
	// Requests are those from the first Tenant until the operator was idle.
	Requests tally `json:"requests"`
	// NamespacePasses and TenantPasses are how often the controllers looked at something until then.
	NamespacePasses int `json:"namespacePasses"`
	TenantPasses    int `json:"tenantPasses"`
	// StatusBytes is the size of the largest status.
	StatusBytes int       `json:"statusBytes"`
	Steady      *watched  `json:"steady,omitempty"`
	Restart     *restart  `json:"restart,omitempty"`
	Drift       *drifting `json:"drift,omitempty"`
}

// watched is what was done while nothing changed.
type watched struct {
	For      time.Duration `json:"forNanoseconds"`
	Requests tally         `json:"requests"`
}

// restart is what was done by a new operator where there was nothing to do.
type restart struct {
	// Judged is the time from the start until every namespace had been judged and the queues were empty.
	Judged   time.Duration `json:"judgedNanoseconds"`
	Requests tally         `json:"requests"`
}

// operate measures provisioning and, if asked, all that follows.
func (b *bench) operate(ctx context.Context, w *world, all bool) (*operation, error) {
	rec := &recorder{}
	o, err := w.operator(ctx, rec)
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Stop() }() // the one that runs by then
	run, err := b.provision(ctx, w, rec)
	if err != nil || !all {
		return run, err
	}
	if run.Steady, err = b.watch(ctx, rec, b.steady); err != nil {
		return nil, err
	}
	if o, err = b.restart(ctx, w, o, run); err != nil {
		return nil, err
	}
	return run, rec.save(b.requests)
}

// operator starts an operator in this process whose requests are recorded. It ends with the context at the latest.
func (w *world) operator(ctx context.Context, rec *recorder) (*env.RunningOperator, error) {
	o, err := w.StartOperator(rec.wrap) //nolint:contextcheck // it takes none, see below
	if err == nil {
		context.AfterFunc(ctx, func() { _ = o.Stop() })
	}
	return o, err
}

// operateWide measures provisioning and drift for one wide tenant.
func (b *bench) operateWide(ctx context.Context, w *world) (*operation, error) {
	rec := &recorder{}
	o, err := w.operator(ctx, rec)
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Stop() }()
	run, err := b.provision(ctx, w, rec)
	if err != nil {
		return nil, err
	}
	run.Drift, err = b.drift(ctx, w, rec)
	return run, err
}

// provision measures provisioning, and counts requests until the operator is idle again.
func (b *bench) provision(ctx context.Context, w *world, rec *recorder) (*operation, error) {
	run := &operation{Size: w.size, Objects: len(w.intents)}
	if _, _, err := w.first.provisioned(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, nil, settle); err != nil {
		return nil, err
	}
	mark := rec.mark()
	before, err := passes()
	if err != nil {
		return nil, err
	}
	stop, err := profile(b.profile)
	if err != nil {
		return nil, err
	}
	run.There, run.Ready, err = w.provisioned(ctx)
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	b.say("%s: all objects after %s, all Tenants Ready after %s", w.size, run.There.Round(time.Millisecond), run.Ready.Round(time.Millisecond))
	if _, err := idle(ctx, rec, 0); err != nil {
		return nil, err
	}
	run.Requests = sum(rec.since(mark))
	after, err := passes()
	if err != nil {
		return nil, err
	}
	run.NamespacePasses, run.TenantPasses = after.namespaces-before.namespaces, after.tenants-before.tenants
	run.StatusBytes, err = w.largestStatus(ctx)
	return run, err
}

// provisioned creates the Tenants and says after which times an operator that runs already had made every object, and
// every Tenant was Ready.
func (w *world) provisioned(ctx context.Context) (there, ready time.Duration, err error) {
	eyes, err := w.open(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer eyes.close()
	start := time.Now()
	if err := w.createTenants(ctx); err != nil {
		return 0, 0, fmt.Errorf("creating the Tenants: %w", err)
	}
	last, err := eyes.until(ctx, eyes.there)
	if err != nil {
		return 0, 0, err
	}
	there = last.Sub(start)
	if last, err = eyes.until(ctx, eyes.ready); err != nil {
		return 0, 0, err
	}
	return there, last.Sub(start), nil
}

func (w *world) largestStatus(ctx context.Context) (int, error) {
	list := &v1alpha1.TenantList{}
	if err := w.Admin.List(ctx, list); err != nil {
		return 0, fmt.Errorf("listing Tenants: %w", err)
	}
	largest := 0
	for i := range list.Items {
		raw, err := json.Marshal(&list.Items[i].Status)
		if err != nil {
			return 0, fmt.Errorf("encoding a status: %w", err)
		}
		largest = max(largest, len(raw))
	}
	return largest, nil
}

// watch counts what is done while nothing changes.
func (b *bench) watch(ctx context.Context, rec *recorder, period time.Duration) (*watched, error) {
	b.say("watching for %s while nothing changes", period)
	mark := rec.mark()
	if err := pause(ctx, nil, period); err != nil {
		return nil, err
	}
	return &watched{For: period, Requests: sum(rec.since(mark))}, nil
}

// restart stops the operator and starts another one, which finds nothing to do; then it measures drift, because an
// operator that just restarted has nothing in its memory that could make it look better.
func (b *bench) restart(ctx context.Context, w *world, o *env.RunningOperator, run *operation) (*env.RunningOperator, error) {
	if err := o.Stop(); err != nil {
		return o, fmt.Errorf("stopping the operator: %w", err)
	}
	b.say("%s: restarting the operator", w.size)
	before, err := passes()
	if err != nil {
		return o, err
	}
	rec := &recorder{}
	start := time.Now()
	next, err := w.operator(ctx, rec)
	if err != nil {
		return o, err
	}
	o = next
	end, err := idle(ctx, rec, before.namespaces+w.size.Tenants*w.size.Namespaces)
	if err != nil {
		return o, err
	}
	run.Restart = &restart{Judged: end.Sub(start)}
	if _, err := b.watch(ctx, rec, b.patience); err != nil {
		return o, err
	}
	run.Restart.Requests = sum(rec.since(0))
	run.Drift, err = b.drift(ctx, w, rec)
	return o, err
}
