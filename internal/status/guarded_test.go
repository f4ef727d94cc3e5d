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
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// said is what a condition says.
type said struct {
	Status          metav1.ConditionStatus
	Reason, Message string
}

func guardedOf(s *v1alpha1.TenantStatus) *said {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionGuarded)
	if c == nil {
		return nil
	}
	return &said{c.Status, c.Reason, c.Message}
}

func verdict(policy string, state guard.State, message string, when ...string) guard.Verdict {
	return guard.Verdict{Policy: policy, State: state, Message: message, When: when}
}

var (
	provenRail  = verdict("a", guard.Proven, "")
	pendingRail = guard.Verdict{Policy: "b", State: guard.Unknown, Pending: true, Message: "no answer yet"}
	missing     = verdict("c", guard.NotInstalled, "its policy is not installed")
	edited      = verdict("d", guard.Edited, "its binding is not what this version of Bulkhead ships: spec")
	passes      = verdict("e", guard.NotEffective, "API server x lets pass what it must refuse")
	unknown     = verdict("f", guard.Unknown, "it could not be found out whether it is in force: no rights")
)

func TestGuarded(t *testing.T) {
	t.Parallel()
	proven := &said{metav1.ConditionTrue, v1alpha1.ReasonProven, ""}
	const lost = "guard-rail c: its policy is not installed"
	progressing := &said{metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "guard-rails are not proven yet"}
	before := &metav1.Condition{Type: v1alpha1.ConditionGuarded, Status: metav1.ConditionFalse, Reason: "Before", Message: "as before"}
	stands := &said{metav1.ConditionFalse, "Before", "as before"}
	const remark = "API server y could not be asked"
	cases := map[string]struct {
		rails      []guard.Verdict
		keys       []string
		before     *metav1.Condition
		incomplete bool
		want       *said
	}{
		"nobody looks":              {before: before},
		"proven":                    {rails: []guard.Verdict{provenRail, verdict("z", guard.NotApplicable, "")}, want: proven},
		"proven, whatever was":      {rails: []guard.Verdict{provenRail}, before: before, want: proven},
		"with remarks, each once":   {rails: []guard.Verdict{verdict("a", guard.Proven, remark), verdict("b", guard.Proven, remark)}, want: &said{metav1.ConditionTrue, v1alpha1.ReasonProven, remark}},
		"pending":                   {rails: []guard.Verdict{provenRail, pendingRail}, want: progressing},
		"pending after a restart":   {rails: []guard.Verdict{provenRail, pendingRail}, before: before, want: stands},
		"missing, whatever pending": {rails: []guard.Verdict{pendingRail, missing}, before: before, want: &said{metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, lost}},
		"missing before ineffective": {rails: []guard.Verdict{passes, missing, edited},
			want: &said{metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, lost + "; guard-rail d: its binding is not what this version of Bulkhead ships: spec"}},
		"ineffective": {rails: []guard.Verdict{provenRail, passes, unknown}, want: &said{metav1.ConditionFalse, v1alpha1.ReasonNotEffective, "guard-rail e: API server x lets pass what it must refuse"}},
		"can't be found out": {rails: []guard.Verdict{provenRail, unknown}, before: before,
			want: &said{metav1.ConditionUnknown, v1alpha1.ReasonCheckFailed, "guard-rail f: it could not be found out whether it is in force: no rights"}},
		"many": {rails: []guard.Verdict{missing, missing, missing, missing, missing},
			want: &said{metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, lost + "; " + lost + "; " + lost + "; and 2 more guard-rails"}},
		"not relied on":              {rails: []guard.Verdict{provenRail, verdict("c", guard.NotInstalled, "its policy is not installed", "guard.bulkhead.dev/x")}, keys: []string{"guard.bulkhead.dev/y"}, want: proven},
		"relied on":                  {rails: []guard.Verdict{provenRail, verdict("c", guard.NotInstalled, "its policy is not installed", "guard.bulkhead.dev/x")}, keys: []string{"guard.bulkhead.dev/x"}, want: &said{metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, lost}},
		"pending, not relied on":     {rails: []guard.Verdict{provenRail, {Policy: "b", Pending: true, State: guard.Unknown, When: []string{"x"}}}, want: proven},
		"not all looked at":          {rails: []guard.Verdict{provenRail}, incomplete: true, want: &said{metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "not all namespaces have been looked at yet"}},
		"not all looked at, as once": {rails: []guard.Verdict{provenRail}, incomplete: true, before: before, want: stands},
		"not all looked at, missing": {rails: []guard.Verdict{missing}, incomplete: true, before: before, want: &said{metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, lost}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rollup("one", "two")
			r.Rails = tc.rails
			r.Snapshot.Reports["two"].Outcome.GuardKeys = tc.keys
			if tc.before != nil {
				r.Previous.Conditions = []metav1.Condition{*tc.before}
			}
			if tc.incomplete {
				delete(r.Snapshot.Reports, "one")
			}
			got := status.Compute(r)
			if diff := cmp.Diff(tc.want, guardedOf(&got)); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
			if !tc.incomplete && !meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionReady) {
				t.Error("it isn't Ready")
			}
		})
	}
}

func TestGuardTransitions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		before, after []guard.Verdict
		lost          []string
		restored      bool
	}{
		"proven":           {[]guard.Verdict{provenRail}, []guard.Verdict{provenRail}, nil, false},
		"lost":             {[]guard.Verdict{provenRail}, []guard.Verdict{missing, passes, edited}, []string{"c", "d"}, false},
		"no longer works":  {[]guard.Verdict{provenRail}, []guard.Verdict{passes}, []string{"e"}, false},
		"lost still":       {[]guard.Verdict{missing}, []guard.Verdict{edited}, nil, false},
		"never there":      {nil, []guard.Verdict{missing}, []string{"c"}, false},
		"restored":         {[]guard.Verdict{missing}, []guard.Verdict{provenRail}, nil, true},
		"proven at last":   {[]guard.Verdict{unknown}, []guard.Verdict{provenRail}, nil, false},
		"not known":        {[]guard.Verdict{provenRail}, []guard.Verdict{unknown}, nil, false},
		"lost when it was": {[]guard.Verdict{unknown}, []guard.Verdict{missing}, []string{"c"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rollup("one")
			r.Rails = tc.before
			r.Previous = status.Compute(r)
			r.Rails = tc.after
			next := status.Compute(r)
			var lost []string
			for _, v := range status.LostGuards(r, &r.Previous, &next) {
				lost = append(lost, v.Policy)
			}
			if diff := cmp.Diff(tc.lost, lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			if got := status.GuardRestored(&r.Previous, &next); got != tc.restored {
				t.Errorf("restored is %v, want %v", got, tc.restored)
			}
		})
	}
}
