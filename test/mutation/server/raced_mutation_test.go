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

package server_test

import (
	"context"
	"sync/atomic"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// late is a cache that shows an older version of a NetworkPolicy, as long as there is one.
type late struct {
	client.Reader
	older atomic.Pointer[networkingv1.NetworkPolicy]
}

// List lists what the cache holds, and the older version of the policy.
func (l *late) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := l.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	if policies, ok := list.(*networkingv1.NetworkPolicyList); ok {
		for i := range policies.Items {
			if older := l.older.Load(); older != nil && older.UID == policies.Items[i].UID {
				policies.Items[i] = *older.DeepCopy()
			}
		}
	}
	return nil
}

// TestTwoChangesAtOnceAreBothRecorded lets somebody change an object while the engine corrects somebody else's change of
// it: after the judgement, and before the correction, which undoes both. The second change must be on record, too.
func TestTwoChangesAtOnceAreBothRecorded(t *testing.T) {
	plans, err := mutation.Plans(corpus.Case{Name: "raced", Tenant: mutation.Rich("raced", 0)})
	if err != nil {
		t.Fatal(err)
	}
	plan, clients := plans[0], bench.newClients(t)
	cache := &late{Reader: bench.watched}
	clients.options.Reader = cache
	process := clients.start(t)
	if outcome := process.run(t, plan, false); outcome.Err != nil {
		t.Fatal(outcome.Err)
	}
	bench.catchUp(t, plan.Objects()...)
	change := func(manager, patch string) {
		t.Helper()
		policy := &networkingv1.NetworkPolicy{}
		policy.Namespace, policy.Name = "raced", "bulkhead-default-deny"
		if err := bench.Admin.Patch(t.Context(), policy, patchOf(patch), ofManager(manager)); err != nil {
			t.Fatal(err)
		}
		bench.catchUp(t, plan.Objects()...)
	}

	change("first", `{"metadata":{"labels":{"tenancy.bulkhead.dev/feature":"x"}}}`)
	older := &networkingv1.NetworkPolicy{}
	if err := bench.watched.Get(t.Context(), client.ObjectKey{Namespace: "raced", Name: "bulkhead-default-deny"}, older); err != nil {
		t.Fatal(err)
	}
	cache.older.Store(older)
	change("second", `{"spec":{"podSelector":{"matchLabels":{"a":"b"}}}}`)

	recorded := map[string]string{}
	record := func(outcome *engine.Outcome) {
		for _, item := range outcome.Details {
			for _, field := range item.Fields {
				if item.Action == v1alpha1.DriftCorrected {
					recorded[field.Path] = item.Attribution.Manager
				}
			}
		}
	}
	record(process.run(t, plan, false))
	cache.older.Store(nil)
	for range 3 {
		bench.catchUp(t, plan.Objects()...)
		record(process.run(t, plan, false))
	}
	for _, intent := range plan.Objects() {
		if !comparedEqual(intent, bench.stored(t, intent)) {
			t.Errorf("%s isn't corrected", intent)
		}
	}
	if recorded["spec.podSelector"] != "second" {
		t.Errorf("on record are %v, want the change of spec.podSelector by second, too", recorded)
	}
}
