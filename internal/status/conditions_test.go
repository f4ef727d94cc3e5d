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

package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// brief is a condition in one line: "Type=Status Reason: message".
func brief(s v1alpha1.TenantStatus, conditionType string) string {
	c := meta.FindStatusCondition(s.Conditions, conditionType)
	if c == nil {
		return ""
	}
	text := c.Type + "=" + string(c.Status) + " " + c.Reason
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}

// states are the states that a tenant can be in, from first to last.
func states() map[string]struct {
	change func(*status.Rollup)
	// want are the conditions that must be as said; not are those that must not be there.
	want []string
	not  []string
} {
	conflict := func(r *status.Rollup) {
		r.Held, r.Conflicts["b"] = []string{"a"}, "is held by tenant zeta"
		delete(r.Snapshot.Reports, "b")
	}
	invalid := func(r *status.Rollup) {
		r.Snapshot.Reports["a"].Outcome.Conditions[1] = failed(v1alpha1.ReasonInvalidPolicy, "network.allow[x]: wrong")
	}
	refused := func(r *status.Rollup) {
		r.Snapshot.Reports["b"].Outcome.Conditions[1] = failed(v1alpha1.ReasonApplyFailed, "refused")
	}
	return map[string]struct {
		change    func(*status.Rollup)
		want, not []string
	}{
		"done": {
			change: func(*status.Rollup) {},
			want: []string{
				"Ready=True Reconciled", "InSync=True NoDrift", "NamespacesReady=True Applied", "NetworkReady=True Applied",
				"Isolated=True NoExposure",
			},
			not: []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled},
		},
		"just created": {
			change: func(r *status.Rollup) { r.Snapshot.Cluster, r.Snapshot.Reports = nil, nil },
			want: []string{
				"Ready=False Progressing: NamespacesReady: namespace a is not done yet; namespace b is not done yet",
				"Reconciling=True Progressing: NamespacesReady: namespace a is not done yet; namespace b is not done yet",
				"InSync=Unknown Progressing: not all namespaces have been looked at yet",
				"NamespacesReady=False Pending: namespace a is not done yet; namespace b is not done yet",
			},
			not: []string{v1alpha1.ConditionStalled},
		},
		"a tenant without namespaces, before its first pass": {
			change: func(r *status.Rollup) { r.Held, r.Snapshot.Cluster, r.Snapshot.Reports = nil, nil, nil },
			want: []string{
				"Ready=False Progressing: not all namespaces are done yet", "Reconciling=True Progressing: not all namespaces are done yet",
			},
			not: []string{v1alpha1.ConditionStalled},
		},
		"a newer spec": {
			change: func(r *status.Rollup) { r.Tenant.Generation = 3 },
			want:   []string{"Ready=False Progressing: NamespacesReady: namespace a is not done yet; namespace b is not done yet"},
			not:    []string{v1alpha1.ConditionStalled},
		},
		"a conflict needs a human": {
			change: conflict,
			want: []string{
				"Ready=False NamespaceConflict: NamespacesReady: namespace b is held by tenant zeta",
				"Stalled=True NamespaceConflict: NamespacesReady: namespace b is held by tenant zeta",
				"InSync=True NoDrift",
			},
			not: []string{v1alpha1.ConditionReconciling},
		},
		"what can't be rendered needs a human": {
			change: invalid,
			want:   []string{"Stalled=True InvalidPolicy: NetworkReady: namespace a: network.allow[x]: wrong"},
			not:    []string{v1alpha1.ConditionReconciling},
		},
		"a refused object is tried again": {
			change: refused,
			want:   []string{"Ready=False ApplyFailed: NetworkReady: namespace b: refused", "NetworkReady=False ApplyFailed: namespace b: refused"},
			not:    []string{v1alpha1.ConditionStalled},
		},
		"what a human must solve speaks first, and work that goes on is no standstill": {
			change: func(r *status.Rollup) { invalid(r); refused(r) },
			want: []string{
				"NetworkReady=False InvalidPolicy: namespace a: network.allow[x]: wrong; namespace b: refused",
			},
		},
		"a conflict beside a refused object is no standstill": {
			change: func(r *status.Rollup) {
				conflict(r)
				r.Snapshot.Reports["a"].Outcome.Conditions[1] = failed(v1alpha1.ReasonApplyFailed, "refused")
			},
			want: []string{"Reconciling=True NamespaceConflict: NamespacesReady: namespace b is held by tenant zeta"},
			not:  []string{v1alpha1.ConditionStalled},
		},
		"access that isn't proven yet": {
			change: func(r *status.Rollup) { r.Unproven = "access of Group g to namespace a is not in force yet" },
			want: []string{
				"AccessReady=False Pending: access of Group g to namespace a is not in force yet",
				"Ready=False Progressing: AccessReady: access of Group g to namespace a is not in force yet",
			},
			not: []string{v1alpha1.ConditionStalled},
		},
		"a namespace that waits for its own deletion": {
			change: func(r *status.Rollup) {
				r.Snapshot.Reports["b"] = status.Report{Generation: 2, State: status.Terminating, Reason: v1alpha1.ReasonTerminating, Message: "is being deleted"}
			},
			want: []string{"NamespacesReady=False Terminating: namespace b is being deleted", "Ready=False Terminating: NamespacesReady: namespace b is being deleted"},
			not:  []string{v1alpha1.ConditionStalled},
		},
		"a class that doesn't exist": {
			change: func(r *status.Rollup) {
				r.Snapshot.Reports["b"] = status.Report{Generation: 2, State: status.Unplanned, Reason: v1alpha1.ReasonClassNotFound, Message: "can't be planned: no class"}
			},
			want: []string{"Stalled=True ClassNotFound: NamespacesReady: namespace b can't be planned: no class"},
			not:  []string{v1alpha1.ConditionReconciling},
		},
		"observed drift is no failure": {
			change: func(r *status.Rollup) {
				r.Tenant.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
				r.Snapshot.Reports["a"].Outcome.Conditions[1] = engine.Condition{Type: v1alpha1.ConditionNetworkReady,
					Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonObserved, Message: "1 objects differ and are left as they are"}
				open(r, "a", item("a", "q", 0))
			},
			want: []string{
				"Ready=True Observed: drift mode is Observe: nothing is written, status.drift lists what Enforce would change",
				"InSync=False DriftDetected: 1 differ from intent: ResourceQuota a/q FieldModified (spec.hard[pods])",
				"NetworkReady=Unknown Observed: namespace a: 1 objects differ and are left as they are",
			},
			not: []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled},
		},
		"a comparison that failed": {
			change: func(r *status.Rollup) { r.Snapshot.Reports["b"].Outcome.CheckFailed = "no such kind" },
			want:   []string{"InSync=Unknown CheckFailed: no such kind"},
		},
		"a wall that the spec turns off": {
			change: func(r *status.Rollup) {
				r.Snapshot.Reports["a"].Outcome.OpenBySpec = []string{"network.boundary is Cluster"}
				r.Snapshot.Reports["b"].Outcome.OpenBySpec = []string{"network.boundary is Cluster"}
			},
			want: []string{"Isolated=False OpenBySpec: network.boundary is Cluster (namespaces a, b)", "Ready=True Reconciled"},
		},
		"a namespace whose isolation wasn't judged yet": {
			change: func(r *status.Rollup) {
				report := r.Snapshot.Reports["b"]
				report.Findings = nil
				r.Snapshot.Reports["b"] = report
			},
			want: []string{"Isolated=Unknown Progressing: not all namespaces have been looked at yet", "Ready=True Reconciled"},
		},
		"opened by others, and by the spec": {
			change: func(r *status.Rollup) {
				r.Snapshot.Reports["a"].Outcome.OpenBySpec = []string{"network.boundary is Cluster"}
				found(r, "b", v1alpha1.FindingAccessExposure, v1alpha1.SeverityHigh, "RoleBinding b/x gives eve access")
				found(r, "a", v1alpha1.FindingNetworkExposure, v1alpha1.SeverityCritical, "NetworkPolicy a/open lets all in")
			},
			want: []string{
				"Isolated=False NetworkExposure: NetworkPolicy a/open lets all in; RoleBinding b/x gives eve access", "Ready=True Reconciled",
			},
		},
		"opened by others in every namespace": {
			change: func(r *status.Rollup) {
				r.Snapshot.Shared = []v1alpha1.IsolationFinding{{Type: v1alpha1.FindingAccessExposure, Message: "ClusterRoleBinding all gives everybody edit"}}
			},
			want: []string{"Isolated=False AccessExposure: ClusterRoleBinding all gives everybody edit"},
		},
		"isolated as far as is known": {
			change: func(r *status.Rollup) { r.NotConsidered = []string{"ciliumnetworkpolicies.cilium.io"} },
			want:   []string{"Isolated=True NoExposure: not weighed, though this cluster serves them: ciliumnetworkpolicies.cilium.io"},
		},
		"a fight": {
			change: func(r *status.Rollup) {
				contested := item("a", "q", 0)
				contested.Type, contested.Action = v1alpha1.DriftContested, v1alpha1.DriftBackoff
				open(r, "a", contested)
				r.Snapshot.Reports["a"].Outcome.Conditions[1] = failed(v1alpha1.ReasonDriftContested, "ResourceQuota a/q is changed again and again")
			},
			want: []string{
				"Ready=False DriftContested: NetworkReady: ResourceQuota a/q is changed again and again",
				"InSync=False DriftContested: 1 differ from intent: ResourceQuota a/q Contested (spec.hard[pods])",
				"Reconciling=True DriftContested: NetworkReady: ResourceQuota a/q is changed again and again",
			},
			not: []string{v1alpha1.ConditionStalled},
		},
		"a pause of corrections": {
			change: func(r *status.Rollup) {
				end := at(6000)
				r.Tenant.Spec.Drift = &v1alpha1.DriftSpec{ObserveUntil: &end}
			},
			want: []string{"Ready=True Observed: drift mode is Observe until " + at(6000).UTC().Format(time.RFC3339) +
				": nothing is written, status.drift lists what Enforce would change"},
		},
		"a pause of corrections that has ended": {
			change: func(r *status.Rollup) {
				r.Tenant.Spec.Drift = &v1alpha1.DriftSpec{ObserveUntil: new(metav1.NewTime(now.Add(-time.Second)))}
			},
			want: []string{"Ready=True Reconciled"},
		},
		"being deleted": {
			change: func(r *status.Rollup) {
				deleted := at(0)
				r.Tenant.DeletionTimestamp = &deleted
			},
			want: []string{"Ready=False Terminating: waits for nothing", "Reconciling=True Terminating: waits for nothing"},
			not:  []string{v1alpha1.ConditionStalled},
		},
		"being deleted, and waiting for a namespace": {
			change: func(r *status.Rollup) {
				deleted := at(0)
				r.Tenant.DeletionTimestamp = &deleted
				conflict(r)
				r.Snapshot.Reports["c"] = status.Report{Generation: 2, State: status.Terminating, Reason: v1alpha1.ReasonTerminating, Message: "is being deleted: a finalizer"}
			},
			not: []string{v1alpha1.ConditionStalled},
		},
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for name, tc := range states() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rollup("a", "b")
			tc.change(&r)
			got := status.Compute(r)
			for _, want := range tc.want {
				conditionType, _, _ := strings.Cut(want, "=")
				if line := brief(got, conditionType); line != want {
					t.Errorf("condition is\n%s, want\n%s", line, want)
				}
			}
			for _, unwanted := range tc.not {
				if line := brief(got, unwanted); line != "" {
					t.Errorf("condition is there: %s", line)
				}
			}
			checkLaws(t, got)
		})
	}
}

// checkLaws holds for every status.
func checkLaws(t *testing.T, s v1alpha1.TenantStatus) {
	t.Helper()
	abnormal := 0
	for _, c := range s.Conditions {
		if c.Reason == "" || c.LastTransitionTime.IsZero() || c.ObservedGeneration != s.ObservedGeneration {
			t.Errorf("condition %s lacks a reason, a time or its generation: %+v", c.Type, c)
		}
		if c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled {
			abnormal++
			if c.Status != metav1.ConditionTrue {
				t.Errorf("%s is %s: it must be there only while True", c.Type, c.Status)
			}
		}
	}
	ready := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady)
	if ready && abnormal != 0 || !ready && abnormal != 1 {
		t.Errorf("Ready is %v, and %d of Reconciling and Stalled are there; want none if ready, else exactly one", ready, abnormal)
	}
	if s.Conditions[0].Type != v1alpha1.ConditionReady {
		t.Errorf("the first condition is %s, want Ready", s.Conditions[0].Type)
	}
}

// TestStatesFollowEachOther looks at every pair of states: what a condition says must not depend on what it said
// before, but for the time of its last transition.
func TestStatesFollowEachOther(t *testing.T) {
	t.Parallel()
	all := states()
	for before := range all {
		for after := range all {
			r := rollup("a", "b")
			all[before].change(&r)
			previous := status.Compute(r)
			r = rollup("a", "b")
			all[after].change(&r)
			want := status.Compute(r)
			r.Previous.Conditions, r.Now = previous.Conditions, r.Now.Add(time.Hour)
			got := status.Compute(r)
			checkLaws(t, got)
			for i, c := range got.Conditions {
				old := meta.FindStatusCondition(previous.Conditions, c.Type)
				moved := old == nil || old.Status != c.Status
				if moved != c.LastTransitionTime.Equal(&metav1.Time{Time: r.Now}) {
					t.Errorf("%q, then %q: %s moved: %v, but its transition time is %s", before, after, c.Type, moved, c.LastTransitionTime)
				}
				got.Conditions[i].LastTransitionTime = want.Conditions[i].LastTransitionTime
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q, then %q (-want +got):\n%s", before, after, diff)
			}
		}
	}
}

func TestMessageIsCut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message string
		want    int
		cut     bool
	}{
		"short":        {message: "墙", want: 1},
		"just fits":    {message: strings.Repeat("墙", 1024), want: 1024},
		"one too many": {message: strings.Repeat("墙", 1025), want: 1024, cut: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rollup("a")
			r.Snapshot.Reports["a"].Outcome.CheckFailed = tc.message
			got := []rune(meta.FindStatusCondition(status.Compute(r).Conditions, v1alpha1.ConditionInSync).Message)
			if len(got) != tc.want || (got[len(got)-1] == '…') != tc.cut {
				t.Errorf("%d characters, the last is %q; want %d, cut: %v", len(got), got[len(got)-1], tc.want, tc.cut)
			}
		})
	}
}

// TestMany names three namespaces and counts the rest.
func TestMany(t *testing.T) {
	t.Parallel()
	r := rollup("a", "b", "c", "d", "e")
	for name := range r.Snapshot.Reports {
		r.Snapshot.Reports[name].Outcome.Conditions[1] = failed(v1alpha1.ReasonApplyFailed, "refused")
	}
	want := "NetworkReady=False ApplyFailed: namespace a: refused; namespace b: refused; namespace c: refused; and 2 more namespaces"
	if got := brief(status.Compute(r), v1alpha1.ConditionNetworkReady); got != want {
		t.Errorf("condition is\n%s, want\n%s", got, want)
	}
}
