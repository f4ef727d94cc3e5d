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
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a time so many minutes after now.
func at(minutes int) metav1.Time {
	return metav1.NewTime(now.Add(time.Duration(minutes) * time.Minute))
}

// done is the outcome of a pass in which everything went well, or of one with these conditions.
func done(namespace string, conditions ...engine.Condition) *engine.Outcome {
	if conditions == nil {
		conditions = []engine.Condition{
			{Type: v1alpha1.ConditionNamespacesReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied},
			{Type: v1alpha1.ConditionNetworkReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied},
		}
	}
	return &engine.Outcome{Tenant: "acme", Namespace: namespace, Conditions: conditions}
}

func failed(reason, message string) engine.Condition {
	return engine.Condition{Type: v1alpha1.ConditionNetworkReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// rollup is that of a tenant of generation 2 whose namespaces are all applied.
func rollup(namespaces ...string) status.Rollup {
	r := status.Rollup{
		Tenant:    &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", Generation: 2}},
		Held:      slices.Sorted(slices.Values(namespaces)),
		Conflicts: map[string]string{},
		Snapshot:  status.Snapshot{Reports: map[string]status.Report{}, Cluster: done(""), Shared: []v1alpha1.IsolationFinding{}},
		Now:       now,
	}
	for _, name := range namespaces {
		r.Tenant.Spec.Namespaces = append(r.Tenant.Spec.Namespaces, v1alpha1.TenantNamespace{Name: name})
		r.Snapshot.Reports[name] = status.Report{
			Generation: 2, State: status.Applied, Outcome: done(name), Findings: []v1alpha1.IsolationFinding{},
		}
	}
	return r
}

func item(namespace, name string, minute int) v1alpha1.DriftItem {
	return v1alpha1.DriftItem{
		Object:   v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: namespace, Name: name},
		Type:     v1alpha1.DriftFieldModified,
		Severity: v1alpha1.SeverityHigh, Paths: []string{"spec.hard[pods]"}, PathCount: 1,
		Manager: "kubectl-edit", Action: v1alpha1.DriftReported, FirstSeen: at(minute),
	}
}

func open(r *status.Rollup, namespace string, items ...v1alpha1.DriftItem) {
	r.Snapshot.Reports[namespace].Outcome.Open = append(r.Snapshot.Reports[namespace].Outcome.Open, items...)
}

func TestCounts(t *testing.T) {
	t.Parallel()
	r := rollup("done", "failing", "old", "gone", "taken", "unseen")
	r.Held = []string{"done", "failing", "gone", "old", "unseen"}
	r.Conflicts["taken"] = "exists and is not held by the tenant"
	r.Snapshot.Reports["failing"] = status.Report{Generation: 2, State: status.Applied, Outcome: done("failing", failed(v1alpha1.ReasonApplyFailed, "no"))}
	r.Snapshot.Reports["old"] = status.Report{Generation: 1, State: status.Applied, Outcome: done("old")}
	r.Snapshot.Reports["gone"] = status.Report{Generation: 2, State: status.Terminating, Reason: v1alpha1.ReasonTerminating, Message: "is being deleted"}
	r.Snapshot.Reports["taken"] = status.Report{Generation: 2, State: status.Conflicting}
	r.Snapshot.Reports["leaving"] = status.Report{Generation: 2, State: status.Leaving}
	delete(r.Snapshot.Reports, "unseen")
	want := v1alpha1.NamespaceCounts{Desired: 6, Ready: 1, Terminating: 1, Conflicting: 1}
	got := status.Compute(r)
	if diff := cmp.Diff(want, got.Namespaces); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if got.ObservedGeneration != 2 {
		t.Errorf("observed generation is %d, want 2", got.ObservedGeneration)
	}
}

func TestDriftTop(t *testing.T) {
	t.Parallel()
	r := rollup("a", "b")
	for i := range 30 {
		open(&r, "a", item("a", fmt.Sprintf("q%02d", i), i))
	}
	critical := item("b", "wall", 60)
	critical.Severity = v1alpha1.SeverityCritical
	open(&r, "b", critical)
	got := status.Compute(r).Drift
	if got.Open != 31 || got.Truncated != 11 || len(got.Top) != v1alpha1.MaxDriftTop {
		t.Errorf("open %d, truncated %d, top %d; want 31, 11, 20", got.Open, got.Truncated, len(got.Top))
	}
	if got.Top[0].Object.Name != "wall" {
		t.Errorf("the first item is %s, want the critical one", got.Top[0].Object.Name)
	}
	if first := at(0); !got.OldestOpen.Equal(&first) {
		t.Errorf("oldest open is %s, want %s, although top has no room for it", got.OldestOpen, first)
	}
	if want := map[v1alpha1.Severity]int{v1alpha1.SeverityCritical: 1, v1alpha1.SeverityHigh: 30}; !cmp.Equal(want, r.OpenBySeverity()) {
		t.Errorf("by severity: %s", cmp.Diff(want, r.OpenBySeverity()))
	}
}

// TestFirstSeenStays looks at a restart: the ledger is empty, the differences are found anew.
func TestFirstSeenStays(t *testing.T) {
	t.Parallel()
	r := rollup("a")
	open(&r, "a", item("a", "q", 0), item("a", "r", 5))
	r.Previous = status.Compute(r)
	r.Snapshot.Reports["a"].Outcome.Open[0].FirstSeen = at(100)
	r.Snapshot.Reports["a"].Outcome.Open[1].FirstSeen = at(100)
	r.Now = now.Add(100 * time.Minute)
	if diff := cmp.Diff(r.Previous, status.Compute(r)); diff != "" {
		t.Errorf("status changed although only the operator started anew (-before +after):\n%s", diff)
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	corrected := func(name string, minute int) v1alpha1.DriftItem {
		i := item("a", name, minute)
		i.Action = v1alpha1.DriftCorrected
		return i
	}
	counted := func(i v1alpha1.DriftItem, count int32) v1alpha1.DriftItem {
		i.Count = count
		return i
	}
	other := corrected("q", 9)
	other.Manager = "someone-else"
	tests := map[string]struct {
		top, recent, corrected, open []v1alpha1.DriftItem
		incomplete                   bool
		want                         []v1alpha1.DriftItem
	}{
		"what was corrected is counted once": {
			corrected: []v1alpha1.DriftItem{corrected("q", 1)},
			want:      []v1alpha1.DriftItem{counted(corrected("q", 1), 1)},
		},
		"the latest comes first": {
			recent:    []v1alpha1.DriftItem{counted(corrected("q", 1), 1)},
			corrected: []v1alpha1.DriftItem{corrected("r", 2), corrected("s", 3)},
			want: []v1alpha1.DriftItem{
				counted(corrected("s", 3), 1), counted(corrected("r", 2), 1), counted(corrected("q", 1), 1),
			},
		},
		"the same difference again is counted and keeps when it was first seen": {
			recent:    []v1alpha1.DriftItem{counted(corrected("r", 0), 1), counted(corrected("q", 1), 4)},
			corrected: []v1alpha1.DriftItem{corrected("q", 7)},
			want:      []v1alpha1.DriftItem{counted(corrected("q", 1), 5), counted(corrected("r", 0), 1)},
		},
		"by another manager it is another difference": {
			recent:    []v1alpha1.DriftItem{counted(corrected("q", 1), 4)},
			corrected: []v1alpha1.DriftItem{other},
			want:      []v1alpha1.DriftItem{counted(other, 1), counted(corrected("q", 1), 4)},
		},
		"what went away by itself is remembered": {
			top:  []v1alpha1.DriftItem{item("a", "q", 1)},
			want: []v1alpha1.DriftItem{counted(item("a", "q", 1), 1)},
		},
		"what is still open isn't": {
			top: []v1alpha1.DriftItem{item("a", "q", 1)}, open: []v1alpha1.DriftItem{item("a", "q", 8)},
		},
		"nothing went away as long as not all has been looked at": {
			top: []v1alpha1.DriftItem{item("a", "q", 1)}, incomplete: true,
		},
		"what was open and then corrected is one difference": {
			top:       []v1alpha1.DriftItem{item("a", "q", 1)},
			corrected: []v1alpha1.DriftItem{corrected("q", 5)},
			want:      []v1alpha1.DriftItem{counted(corrected("q", 1), 1)},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rollup("a")
			r.Previous.Drift.Top, r.Previous.Drift.Recent = tc.top, tc.recent
			r.Snapshot.Corrected = tc.corrected
			open(&r, "a", tc.open...)
			if tc.incomplete {
				r.Snapshot.Cluster = nil
			}
			if diff := cmp.Diff(tc.want, status.Compute(r).Drift.Recent); diff != "" {
				t.Errorf("recent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecentIsBounded(t *testing.T) {
	t.Parallel()
	r := rollup("a")
	for i := range 25 {
		r.Snapshot.Corrected = append(r.Snapshot.Corrected, item("a", fmt.Sprint("q", i), i))
	}
	got := status.Compute(r).Drift.Recent
	if len(got) != v1alpha1.MaxDriftRecent || got[0].Object.Name != "q24" {
		t.Errorf("%d items, the first is %s; want 10 and q24", len(got), got[0].Object.Name)
	}
}

// worst is a tenant of a thousand namespaces in which all that can fail has failed, under names as long as they may be.
func worst(text string) status.Rollup {
	long := func(i, length int) string {
		return fmt.Sprintf("%04d", i) + strings.Repeat("x", length-4)
	}
	var names []string
	for i := range 1000 {
		names = append(names, long(i, 63))
	}
	r := rollup(names...)
	r.Tenant.Name, r.Class = long(0, 63), long(0, 63)
	r.Unproven = strings.Repeat(text, 200)
	fill := func(o *engine.Outcome) {
		o.Conditions = nil
		for _, c := range []string{"NamespacesReady", "AccessReady", "NetworkReady", "QuotaReady", "LimitsReady", "PodSecurityReady"} {
			o.Conditions = append(o.Conditions, engine.Condition{Type: c, Status: metav1.ConditionFalse,
				Reason: v1alpha1.ReasonApplyFailed, Message: strings.Repeat(text, 1024)})
		}
		for i := range 10 {
			drift := item(o.Namespace, long(i, 253), i)
			drift.Object.Group = long(0, 253)
			drift.Severity, drift.Manager, drift.PathCount = v1alpha1.SeverityCritical, long(0, 128), 200
			drift.Paths = nil
			for path := range v1alpha1.MaxDriftPaths {
				drift.Paths = append(drift.Paths, long(path, 256))
			}
			o.Open = append(o.Open, drift)
			o.Corrected = append(o.Corrected, drift)
		}
		o.OpenBySpec = []string{strings.Repeat(text, 600), strings.Repeat(text, 700)}
		r.Snapshot.Corrected = append(r.Snapshot.Corrected, o.Corrected...)
	}
	fill(r.Snapshot.Cluster)
	for i, name := range names {
		if i%3 == 0 {
			r.Conflicts[name] = strings.Repeat(text, 300)
			continue
		}
		fill(r.Snapshot.Reports[name].Outcome)
	}
	return r
}

func TestBounded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text string }{
		"in English":                       {"x"},
		"in letters of three bytes":        {"墙"},
		"in what JSON writes as six bytes": {"<"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := worst(tc.text)
			first := status.Compute(r)
			r.Previous = first
			for _, s := range []v1alpha1.TenantStatus{first, status.Compute(r)} {
				raw, err := json.Marshal(s)
				if err != nil {
					t.Fatal(err)
				}
				if len(raw) > status.MaxBytes {
					t.Errorf("%d bytes, want at most %d", len(raw), status.MaxBytes)
				}
				if int(s.Drift.Open) != len(s.Drift.Top)+int(s.Drift.Truncated) {
					t.Errorf("%d open, but %d in top and %d truncated", s.Drift.Open, len(s.Drift.Top), s.Drift.Truncated)
				}
				if len(s.Drift.Recent) > 0 && len(s.Drift.Top) < v1alpha1.MaxDriftTop {
					t.Errorf("%d open differences made room for %d closed ones", len(s.Drift.Top), len(s.Drift.Recent))
				}
				for _, c := range s.Conditions {
					if n := len([]rune(c.Message)); n > v1alpha1.MaxMessageLength {
						t.Errorf("%s: a message of %d characters", c.Type, n)
					}
				}
			}
		})
	}
}

// TestShrinkOrder says what is given up first: the latest of what is over, then the least grave of what is open.
func TestShrinkOrder(t *testing.T) {
	t.Parallel()
	r := rollup("a")
	for i := range 25 {
		drift := item("a", fmt.Sprintf("%02d%s", i, strings.Repeat("x", 200)), i)
		for range 4 {
			drift.Paths = append(drift.Paths, strings.Repeat("p", 256))
		}
		r.Snapshot.Corrected = append(r.Snapshot.Corrected, drift)
		open(&r, "a", drift)
	}
	got := status.Compute(r).Drift
	if len(got.Top) != v1alpha1.MaxDriftTop || len(got.Recent) == 0 || len(got.Recent) == v1alpha1.MaxDriftRecent {
		t.Errorf("%d in top, %d in recent; want 20, and some but not 10", len(got.Top), len(got.Recent))
	}
	if !strings.HasPrefix(got.Recent[0].Object.Name, "24") {
		t.Errorf("the first of recent is %s, want the latest", got.Recent[0].Object.Name)
	}
}

// TestDeterministic lists the same in another order, and computes the same twice.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for name, r := range map[string]status.Rollup{"small": mixed(), "worst": worst("x")} {
		want := marshal(t, status.Compute(r))
		for range 5 {
			reports := map[string]status.Report{}
			for ns, report := range r.Snapshot.Reports {
				if report.Outcome != nil {
					o := *report.Outcome
					o.Conditions, o.Open = slices.Clone(o.Conditions), slices.Clone(o.Open)
					random.Shuffle(len(o.Conditions), func(i, j int) { o.Conditions[i], o.Conditions[j] = o.Conditions[j], o.Conditions[i] })
					random.Shuffle(len(o.Open), func(i, j int) { o.Open[i], o.Open[j] = o.Open[j], o.Open[i] })
					report.Outcome = &o
				}
				reports[ns] = report
			}
			r.Snapshot.Reports = reports
			if got := marshal(t, status.Compute(r)); got != want {
				t.Errorf("%s: another status of the same input:\n%s", name, cmp.Diff(want, got))
			}
		}
	}
}

// mixed is a tenant in which about everything happens at once.
func mixed() status.Rollup {
	r := rollup("a", "b", "c", "d", "e")
	r.Held = []string{"a", "b", "c", "d"}
	r.Conflicts["e"] = "is held by tenant zeta"
	open(&r, "a", item("a", "q", 1), item("a", "r", 2))
	open(&r, "b", item("b", "q", 1), item("b", "r", 2))
	r.Snapshot.Reports["c"].Outcome.Conditions[1] = failed(v1alpha1.ReasonApplyFailed, "the API server refused it")
	r.Snapshot.Reports["d"].Outcome.Conditions[1] = failed(v1alpha1.ReasonInvalidPolicy, "network.allow[x] is wrong")
	r.Snapshot.Corrected = []v1alpha1.DriftItem{item("c", "q", 3)}
	return r
}

func marshal(t *testing.T, s v1alpha1.TenantStatus) string {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
