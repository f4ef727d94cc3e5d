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
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// told counts by tenant how often the ledger had something new to say.
func told(l *status.Ledger) map[string]int {
	counts := map[string]int{}
	l.Notify(func(tenant string) { counts[tenant]++ })
	return counts
}

func applied(outcome *engine.Outcome) status.Report {
	return status.Report{Generation: 1, State: status.Applied, Outcome: outcome}
}

func TestLedgerSpeaksOfNewsOnly(t *testing.T) {
	t.Parallel()
	grant := &engine.Grant{Namespace: "a", Name: "bulkhead-owners", Binding: &unstructured.Unstructured{
		Object: map[string]any{"roleRef": map[string]any{"name": "admin"}},
	}}
	with := func(change func(*engine.Outcome)) status.Report {
		o := done("a")
		change(o)
		return applied(o)
	}
	tests := map[string]struct {
		before, after status.Report
		want          bool
	}{
		"the same again": {applied(done("a")), applied(done("a")), false},
		"a newer generation": {
			applied(done("a")), status.Report{Generation: 2, State: status.Applied, Outcome: done("a")}, true,
		},
		"another state":          {applied(done("a")), status.Report{Generation: 1, State: status.Terminating}, true},
		"another message":        {status.Report{State: status.Terminating, Message: "x"}, status.Report{State: status.Terminating, Message: "y"}, true},
		"the same message again": {status.Report{State: status.Terminating, Message: "x"}, status.Report{State: status.Terminating, Message: "x"}, false},
		"a condition that changed": {
			applied(done("a")), applied(done("a", failed(v1alpha1.ReasonApplyFailed, "refused"))), true,
		},
		"a new difference": {
			applied(done("a")), with(func(o *engine.Outcome) { o.Open = []v1alpha1.DriftItem{item("a", "q", 0)} }), true,
		},
		"the same difference, found again later": {
			with(func(o *engine.Outcome) { o.Open = []v1alpha1.DriftItem{item("a", "q", 0)} }),
			with(func(o *engine.Outcome) { o.Open = []v1alpha1.DriftItem{item("a", "q", 7)} }),
			false,
		},
		"a difference that is gone": {
			with(func(o *engine.Outcome) { o.Open = []v1alpha1.DriftItem{item("a", "q", 0)} }), applied(done("a")), true,
		},
		"an opening of the spec": {
			applied(done("a")), with(func(o *engine.Outcome) { o.OpenBySpec = []string{"x"} }), true,
		},
		"a correction": {
			applied(done("a")), with(func(o *engine.Outcome) { o.Corrected = []v1alpha1.DriftItem{item("a", "q", 0)} }), true,
		},
		"a namespace that was created": {applied(done("a")), with(func(o *engine.Outcome) { o.Created = true }), true},
		"a binding that was written":   {applied(done("a")), with(func(o *engine.Outcome) { o.Grant = grant }), true},
		"after a correction, nothing": {
			with(func(o *engine.Outcome) { o.Corrected = []v1alpha1.DriftItem{item("a", "q", 0)} }), applied(done("a")), false,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := status.NewLedger()
			counts := told(l)
			l.Record("acme", "a", tc.before)
			if counts["acme"] != 1 {
				t.Errorf("the first report: told %d times, want once", counts["acme"])
			}
			l.Record("acme", "a", tc.after)
			if got := counts["acme"] == 2; got != tc.want {
				t.Errorf("the second report is news: %v, want %v", got, tc.want)
			}
		})
	}
}

// TestLedgerKeepsFirstSeen says since when a difference is open, however often it is found.
func TestLedgerKeepsFirstSeen(t *testing.T) {
	t.Parallel()
	l := status.NewLedger()
	for minute := range 3 {
		o := done("a")
		o.Open = []v1alpha1.DriftItem{item("a", "q", minute)}
		l.Record("acme", "a", applied(o))
		cluster := done("")
		cluster.Open = []v1alpha1.DriftItem{item("", "r", minute)}
		l.RecordCluster("acme", cluster)
	}
	s := l.Snapshot("acme")
	want := at(0)
	for _, got := range append(s.Cluster.Open, s.Reports["a"].Outcome.Open...) {
		if !got.FirstSeen.Equal(&want) {
			t.Errorf("%s: first seen %s, want %s", got.Object.Name, got.FirstSeen, want)
		}
	}
}

func TestLedgerRetain(t *testing.T) {
	t.Parallel()
	l := status.NewLedger()
	for _, tenant := range []string{"acme", "beta", "zeta"} {
		l.Record(tenant, "a", applied(done("a")))
		l.Record(tenant, "b", applied(done("b")))
	}
	counts := told(l)
	l.Retain("a", "", "acme")
	l.Retain("a", "acme")
	if diff := cmp.Diff(map[string]int{"beta": 1, "zeta": 1}, counts); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	for tenant, want := range map[string]bool{"acme": true, "beta": false, "nobody": false} {
		if got := l.Seen(tenant, "a"); got != want {
			t.Errorf("a report of tenant %s on namespace a: %v, want %v", tenant, got, want)
		}
	}
	if !l.Seen("beta", "b") {
		t.Error("the report on another namespace is gone")
	}
	l.Retain("a")
	if l.Seen("acme", "a") {
		t.Error("a released namespace is still reported")
	}
}

// TestLedgerPublished drops what was said, and not what came in meanwhile.
func TestLedgerPublished(t *testing.T) {
	t.Parallel()
	l := status.NewLedger()
	record := func(namespace string) {
		o := done(namespace)
		o.Corrected, o.Created = []v1alpha1.DriftItem{item(namespace, "q", 0)}, true
		l.Record("acme", namespace, applied(o))
	}
	record("a")
	record("b")
	said := l.Snapshot("acme")
	record("c")
	l.Published("acme", len(said.Corrected), len(said.Created))
	rest := l.Snapshot("acme")
	if len(said.Created) != 2 || len(rest.Created) != 1 || rest.Created[0] != "c" {
		t.Errorf("created %v, of which are left %v; want a and b, and c", said.Created, rest.Created)
	}
	if len(rest.Corrected) != 1 || rest.Corrected[0].Object.Namespace != "c" {
		t.Errorf("corrections left: %v, want that of c", rest.Corrected)
	}
	l.Published("acme", 9, 9)
	if rest = l.Snapshot("acme"); len(rest.Corrected)+len(rest.Created) != 0 {
		t.Errorf("left: %+v, want nothing", rest)
	}
	if len(said.Corrected) != 2 || said.Corrected[0].Object.Namespace != "a" {
		t.Errorf("the snapshot changed: %v", said.Corrected)
	}
}

func TestLedgerGrant(t *testing.T) {
	t.Parallel()
	l := status.NewLedger()
	record := func(name, version string) *engine.Grant {
		o := done("a")
		o.Grant = &engine.Grant{Namespace: "a", Name: name, Version: version, Binding: &unstructured.Unstructured{
			Object: map[string]any{"roleRef": map[string]any{"name": "view"}},
		}}
		l.Record("acme", "a", applied(o))
		return o.Grant
	}
	first, second := record("first", "7"), record("second", "9")
	record("older, reported late", "8")
	l.GrantVerified("acme", first)
	if got := l.Snapshot("acme").Grant; got != second {
		t.Errorf("the grant that waits is %v, want the newer one", got)
	}
	l.Record("acme", "a", applied(done("a")))
	if got := l.Snapshot("acme").Grant; got != second {
		t.Errorf("the grant that waits is %v: a pass that grants nothing proves nothing", got)
	}
	l.GrantVerified("acme", second)
	if got := l.Snapshot("acme").Grant; got != nil {
		t.Errorf("the grant that waits is %v, want none", got)
	}
}

func TestLedgerForget(t *testing.T) {
	t.Parallel()
	l := status.NewLedger()
	l.Record("acme", "a", applied(done("a")))
	l.RecordCluster("acme", done(""))
	l.Forget("acme")
	if s := l.Snapshot("acme"); len(s.Reports) != 0 || s.Cluster != nil {
		t.Errorf("left: %+v, want nothing", s)
	}
}

// TestLedgerConcurrently is for the race detector: what a snapshot holds is the caller's own.
func TestLedgerConcurrently(t *testing.T) {
	t.Parallel()
	l := status.NewLedger()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 50 {
				namespace := fmt.Sprint(i, "-", j%5)
				o := done(namespace)
				o.Corrected = []v1alpha1.DriftItem{item(namespace, "q", j)}
				l.Record("acme", namespace, applied(o))
				s := l.Snapshot("acme")
				delete(s.Reports, namespace)
				r := rollup(namespace)
				r.Snapshot = s
				status.Compute(r)
				l.Published("acme", 1, 0)
			}
		})
	}
	all.Wait()
}
