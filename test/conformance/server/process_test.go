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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package server_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// process is what an operator remembers while it runs: an engine with its journal.
type process struct {
	*engine.Engine
	writes atomic.Int64
	// heard are the uids of which a watch said that they are gone.
	heard sync.Map
	// ahead is by how much its clock is, in nanoseconds.
	ahead atomic.Int64
}

// start starts a process with these rooms. It hears of deletions until the test ends.
func start(t *testing.T, rooms []feature.Feature) *process {
	t.Helper()
	p := &process{}
	cfg := rest.CopyConfig(world.Operator)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return counter{next, &p.writes} })
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(cfg, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := metadata.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	p.Engine, err = engine.New(engine.Options{
		Reader: watched, Metadata: writer, Mapper: mapper, Scheme: world.Scheme, Features: rooms, Journal: engine.NewJournal(), Serves: optional,
		Now: func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, gvk := range kinds() {
		p.listen(t, gvk)
	}
	return p
}

func (p *process) listen(t *testing.T, gvk schema.GroupVersionKind) {
	t.Helper()
	informer, err := informerOf(t.Context(), gvk)
	if err != nil {
		t.Fatal(err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
		if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
			o = gone.Obj
		}
		if object, ok := o.(client.Object); ok {
			p.Gone(gvk, object)
			p.heard.Store(object.GetUID(), true)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := informer.RemoveEventHandler(registration); err != nil {
			t.Error(err)
		}
	})
}

// pass runs a plan and returns what became of it, and how many requests that took.
func (p *process) pass(t *testing.T, plan *engine.Plan, known bool) (*engine.Outcome, int64) {
	t.Helper()
	pass := engine.Pass{Mode: v1alpha1.DriftEnforce, Known: known}
	if plan.Name != "" {
		live := &corev1.Namespace{}
		err := watched.Get(t.Context(), client.ObjectKey{Name: plan.Name}, live)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if err == nil {
			pass.Live = live
		}
	}
	before := p.writes.Load()
	outcome := p.Run(t.Context(), plan, pass)
	return outcome, p.writes.Load() - before
}

// mustSettle runs a plan until it is applied, and waits until the cache shows that.
func (p *process) mustSettle(t *testing.T, plan *engine.Plan) *engine.Outcome {
	t.Helper()
	outcome, _ := p.pass(t, plan, false)
	if outcome.Err != nil || outcome.Refused {
		t.Fatalf("applying: %v; %+v", outcome.Err, outcome.Conditions)
	}
	catchUp(t, plan.Objects()...)
	return outcome
}

// mustStay runs a plan and fails if that writes or finds anything.
func (p *process) mustStay(t *testing.T, when string, plan *engine.Plan, known bool) {
	t.Helper()
	outcome, writes := p.pass(t, plan, known)
	if writes != 0 || len(outcome.Corrected)+len(outcome.Open)+len(outcome.Withdrawn) != 0 || outcome.Err != nil {
		t.Errorf("%s: %d writes, corrected %v, open %v, withdrawn %v, error %v; want nothing",
			when, writes, outcome.Corrected, outcome.Open, outcome.Withdrawn, outcome.Err)
	}
}

// hears waits until a watch has told the process that an object is gone, which is when an operator looks at it again.
func (p *process) hears(t *testing.T, gone client.Object) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, soon, true, func(context.Context) (bool, error) {
		_, ok := p.heard.Load(gone.GetUID())
		return ok, nil
	})
	if err != nil {
		t.Fatalf("no watch told that %s is gone: %v", gone.GetName(), err)
	}
}
