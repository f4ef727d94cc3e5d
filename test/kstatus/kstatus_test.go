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

// Package kstatus_test reads the status of a Tenant as GitOps tools do, with their own library.
package kstatus_test

import (
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	bulkhead "github.com/bulkhead-dev/bulkhead/internal/status"
)

// TestTenant says what a wait for a Tenant sees in each of its states.
func TestTenant(t *testing.T) {
	t.Parallel()
	type report = bulkhead.Report
	outcome := func(status metav1.ConditionStatus, reason string) *engine.Outcome {
		return &engine.Outcome{Namespace: "a", Conditions: []engine.Condition{
			{Type: v1alpha1.ConditionNetworkReady, Status: status, Reason: reason, Message: "why"},
		}}
	}
	tests := map[string]struct {
		change func(*bulkhead.Rollup)
		want   status.Status
	}{
		"all is done":                    {want: status.CurrentStatus},
		"nothing has been looked at yet": {func(r *bulkhead.Rollup) { r.Snapshot = bulkhead.Snapshot{} }, status.InProgressStatus},
		"the spec is newer": {
			func(r *bulkhead.Rollup) { r.Tenant.Generation = 2 }, status.InProgressStatus,
		},
		"a conflict": {
			func(r *bulkhead.Rollup) { r.Held, r.Conflicts = nil, map[string]string{"a": "is held by tenant zeta"} }, status.FailedStatus,
		},
		"a policy that can't be rendered": {
			func(r *bulkhead.Rollup) {
				r.Snapshot.Reports["a"] = report{Generation: 1, State: bulkhead.Applied, Outcome: outcome(metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy)}
			}, status.FailedStatus,
		},
		"an object that was refused": {
			func(r *bulkhead.Rollup) {
				r.Snapshot.Reports["a"] = report{Generation: 1, State: bulkhead.Applied, Outcome: outcome(metav1.ConditionFalse, v1alpha1.ReasonApplyFailed)}
			}, status.InProgressStatus,
		},
		"a feature that waits": {
			func(r *bulkhead.Rollup) {
				r.Snapshot.Reports["a"] = report{Generation: 1, State: bulkhead.Applied, Outcome: outcome(metav1.ConditionFalse, v1alpha1.ReasonPending)}
			}, status.InProgressStatus,
		},
		"access that isn't proven": {func(r *bulkhead.Rollup) { r.Unproven = "access is not in force yet" }, status.InProgressStatus},
		"drift that is only observed": {
			func(r *bulkhead.Rollup) {
				r.Tenant.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
				o := outcome(metav1.ConditionUnknown, v1alpha1.ReasonObserved)
				o.Open = []v1alpha1.DriftItem{{Type: v1alpha1.DriftObjectMissing}}
				r.Snapshot.Reports["a"] = report{Generation: 1, State: bulkhead.Applied, Outcome: o}
			}, status.CurrentStatus,
		},
		"a wall that the spec turns off": {
			func(r *bulkhead.Rollup) { r.Snapshot.Reports["a"].Outcome.OpenBySpec = []string{"no wall"} }, status.CurrentStatus,
		},
		"being deleted": {
			func(r *bulkhead.Rollup) { r.Tenant.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, status.TerminatingStatus,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bulkhead.Rollup{
				Tenant: &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", Generation: 1}},
				Held:   []string{"a"}, Now: time.Unix(1000, 0),
				Snapshot: bulkhead.Snapshot{
					Cluster: &engine.Outcome{},
					Reports: map[string]report{"a": {Generation: 1, State: bulkhead.Applied, Outcome: outcome(metav1.ConditionTrue, v1alpha1.ReasonApplied)}},
				},
			}
			if tc.change != nil {
				tc.change(&r)
			}
			r.Tenant.Status = bulkhead.Compute(r)
			check(t, r.Tenant, tc.want)
		})
	}
}

// TestBeforeTheOperator looks at a Tenant that nobody has looked at: only the default of its status is there, or a
// status of an older spec.
func TestBeforeTheOperator(t *testing.T) {
	t.Parallel()
	for name, generation := range map[string]int64{"default": -1, "older": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", Generation: 2}}
			tenant.Status.ObservedGeneration = generation
			check(t, tenant, status.InProgressStatus)
		})
	}
}

func check(t *testing.T, tenant *v1alpha1.Tenant, want status.Status) {
	t.Helper()
	tenant.APIVersion, tenant.Kind = v1alpha1.GroupVersion.String(), "Tenant"
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(tenant)
	if err != nil {
		t.Fatal(err)
	}
	got, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != want {
		t.Errorf("kstatus reads %s (%s), want %s; conditions: %+v", got.Status, got.Message, want, tenant.Status.Conditions)
	}
}
