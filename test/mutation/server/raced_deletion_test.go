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
	"slices"
	"sync/atomic"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// frozen is a cache that shows one NetworkPolicy as it was, as long as there is one.
type frozen struct {
	client.Reader
	as atomic.Pointer[networkingv1.NetworkPolicy]
}

// List lists what the cache holds, and in place of what the policy is now, what it was.
func (f *frozen) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := f.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	policies, ok := list.(*networkingv1.NetworkPolicyList)
	if as := f.as.Load(); ok && as != nil {
		policies.Items = slices.DeleteFunc(slices.Clone(policies.Items), func(p networkingv1.NetworkPolicy) bool {
			return p.Namespace == as.Namespace && p.Name == as.Name
		})
		policies.Items = append(policies.Items, *as.DeepCopy())
	}
	return nil
}

// TestADeletionDuringACorrectionIsRecorded lets somebody delete an object, or replace it, while the engine corrects
// somebody else's change of it. It is there again afterwards, and that it was gone is on record.
func TestADeletionDuringACorrectionIsRecorded(t *testing.T) {
	tests := map[string]struct {
		replace bool
		want    v1alpha1.DriftType
	}{
		"raced-deletion":    {want: v1alpha1.DriftObjectMissing},
		"raced-replacement": {replace: true, want: v1alpha1.DriftOwnershipLost},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			plans, err := mutation.Plans(corpus.Case{Name: name, Tenant: mutation.Rich(name, 0)})
			if err != nil {
				t.Fatal(err)
			}
			plan, clients := plans[0], bench.newClients(t)
			cache := &frozen{Reader: bench.watched}
			clients.options.Reader = cache
			started := clients.start(t)
			bench.hear(t, func() *process { return started })
			if outcome := started.run(t, plan, false); outcome.Err != nil {
				t.Fatal(outcome.Err)
			}
			bench.catchUp(t, plan.Objects()...)
			policy := &networkingv1.NetworkPolicy{}
			policy.Namespace, policy.Name = name, "bulkhead-default-deny"
			patch := patchOf(`{"metadata":{"labels":{"tenancy.bulkhead.dev/feature":"x"}}}`)
			if err := bench.Admin.Patch(t.Context(), policy, patch, ofManager("first")); err != nil {
				t.Fatal(err)
			}
			bench.catchUp(t, plan.Objects()...)
			older := &networkingv1.NetworkPolicy{}
			if err := bench.watched.Get(t.Context(), client.ObjectKeyFromObject(policy), older); err != nil {
				t.Fatal(err)
			}
			cache.as.Store(older)
			if err := bench.Admin.Delete(t.Context(), policy); err != nil {
				t.Fatal(err)
			}
			bench.catchUp(t, plan.Objects()...)
			if tc.replace {
				made := older.DeepCopy()
				made.ResourceVersion, made.UID, made.ManagedFields = "", "", nil
				made.Labels["tenancy.bulkhead.dev/feature"] = "network"
				if err := bench.Admin.Create(t.Context(), made, ofManager("second")); err != nil {
					t.Fatal(err)
				}
			}

			types := map[v1alpha1.DriftType]bool{}
			record := func(outcome *engine.Outcome) {
				for _, item := range outcome.Details {
					if item.Action == v1alpha1.DriftCorrected {
						types[item.Type] = true
					}
				}
			}
			record(started.run(t, plan, false))
			cache.as.Store(nil)
			for range 3 {
				bench.catchUp(t, plan.Objects()...)
				record(started.run(t, plan, false))
			}
			for _, intent := range plan.Objects() {
				if live := bench.stored(t, intent); live == nil || !comparedEqual(intent, live) {
					t.Errorf("%s isn't corrected", intent)
				}
			}
			if !types[tc.want] {
				t.Errorf("on record are %v, want %s, too", types, tc.want)
			}
		})
	}
}
