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

package engine

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// shelf is a cache of NetworkPolicies.
type shelf []*networkingv1.NetworkPolicy

func (s shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for _, policy := range s {
		if target, ok := into.(*networkingv1.NetworkPolicy); ok && client.ObjectKeyFromObject(policy) == key {
			policy.DeepCopyInto(target)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (s shelf) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestStuck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	object := v1alpha1.ObjectReference{Kind: "Namespace", Name: "acme-dev"}
	deleted := func(ago time.Duration) *metav1.Time {
		at := metav1.NewTime(now.Add(-ago))
		return &at
	}
	tests := map[string]struct {
		deleted *metav1.Time
		since   time.Time
		again   time.Duration
	}{
		"not being deleted":          {},
		"has time left":              {deleted: deleted(stuckAfter - time.Minute), again: time.Minute},
		"its time is up":             {deleted: deleted(stuckAfter), since: now},
		"its time is up for an hour": {deleted: deleted(stuckAfter + time.Hour), since: now.Add(-time.Hour)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, again := Stuck(object, tc.deleted, now)
			if again != tc.again || (found != nil) != !tc.since.IsZero() {
				t.Fatalf("found %v, look again in %s", found, again)
			}
			if found != nil && (found.Type != v1alpha1.DriftObjectStuck || found.Object != object || !found.FirstSeen.Time.Equal(tc.since)) {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// TestAddForeign adds what others made, once, and never what the plan itself asks for.
func TestAddForeign(t *testing.T) {
	t.Parallel()
	plan := mustPlan(t, quotaRoom("quota", quotaConfig("q", "acme-dev", "10")))
	policy := v1alpha1.ObjectReference{Group: "networking.k8s.io", Kind: "NetworkPolicy", Namespace: "acme-dev", Name: "open"}
	finding := func(object v1alpha1.ObjectReference, message string) v1alpha1.IsolationFinding {
		return v1alpha1.IsolationFinding{Type: v1alpha1.FindingNetworkExposure, Severity: v1alpha1.SeverityCritical, Object: object, Message: message}
	}
	o := &Outcome{}
	e := newEngine(t)
	e.reader = shelf{&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "acme-dev", Name: "open", ManagedFields: []metav1.ManagedFieldsEntry{
		{Manager: "helm", Operation: metav1.ManagedFieldsOperationApply, Time: &metav1.Time{Time: time.Unix(2, 0)}},
		{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, Time: &metav1.Time{Time: time.Unix(1, 0)}},
	}}}}
	e.AddForeign(t.Context(), plan, o, []v1alpha1.IsolationFinding{
		finding(policy, "lets all in"), finding(policy, "lets all out"),
		finding(plan.Walls[0].reference(), "ours, and edited"),
		finding(v1alpha1.ObjectReference{Kind: "Namespace", Name: "acme-dev"}, "no wall"),
	})
	want := []v1alpha1.DriftItem{{
		Object: policy, Type: v1alpha1.DriftObjectForeign, Severity: v1alpha1.SeverityCritical, Action: v1alpha1.DriftReported,
		Manager: "helm",
	}}
	if diff := cmp.Diff(want, o.Open); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
	if len(o.Details) != 1 || o.Details[0].Hint != "lets all in" {
		t.Errorf("details %+v", o.Details)
	}
}
