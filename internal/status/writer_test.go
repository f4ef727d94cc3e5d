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

package status

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

// clocked is a writer whose time stands still but for what the test adds, and a rollup of a new tenant.
func clocked() (*Writer, *time.Time, *Rollup) {
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := NewWriter(nil)
	w.now = func() time.Time { return clock }
	r := &Rollup{
		Tenant: &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "1", Generation: 1, ResourceVersion: "5"}},
		Held:   []string{"a"},
	}
	r.Previous.ObservedGeneration = -1
	return w, &clock, r
}

func complete(r *Rollup) {
	r.Snapshot.Cluster, r.Snapshot.Shared = &engine.Outcome{}, []v1alpha1.IsolationFinding{}
	r.Snapshot.Reports = map[string]Report{"a": {
		Generation: r.Tenant.Generation, State: Applied, Outcome: &engine.Outcome{}, Findings: []v1alpha1.IsolationFinding{},
	}}
}

func computed(r *Rollup) *v1alpha1.TenantStatus {
	s := Compute(*r)
	return &s
}

func TestDue(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Rollup)
		// last is how long ago the last status was written; zero for never.
		last time.Duration
		// since is how long the tenant has been under way.
		since time.Duration
		want  time.Duration
	}{
		"a tenant that is done at once is told of at once": {change: complete},
		"one that is under way gets a moment":              {want: settle},
		"the moment passes":                                {since: settle / 2, want: settle / 2},
		"then the status says that it is under way":        {since: settle},
		"one that is being deleted gets no moment": {
			change: func(r *Rollup) { r.Tenant.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} },
		},
		"one whose isolation wasn't judged yet gets a moment": {
			change: func(r *Rollup) { complete(r); r.Snapshot.Shared = nil }, want: settle,
		},
		"writes keep their distance":                  {change: complete, last: interval / 4, want: interval - interval/4},
		"after the interval the next may be written":  {change: complete, last: interval},
		"under way and lately written: the later one": {last: interval / 2, since: settle, want: interval / 2},
		"after a restart a complete status is left as it is": {
			change: func(r *Rollup) { r.Previous.ObservedGeneration = 1 }, since: settle, want: patience - settle,
		},
		"but not for ever": {
			change: func(r *Rollup) { r.Previous.ObservedGeneration = 1 }, since: patience,
		},
		"nor once all has been looked at": {
			change: func(r *Rollup) { complete(r); r.Previous.ObservedGeneration = 1 },
		},
		"nor for a newer spec": {
			change: func(r *Rollup) { r.Previous.ObservedGeneration, r.Tenant.Generation = 1, 2 }, since: settle,
		},
		"nor by a process that has written itself": {
			change: func(r *Rollup) { r.Previous.ObservedGeneration = 1 }, last: time.Hour, since: settle,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, clock, r := clocked()
			if tc.change != nil {
				tc.change(r)
			}
			e := w.entry(r.Tenant)
			if tc.last > 0 {
				e.last = clock.Add(-tc.last)
			}
			if tc.since > 0 {
				e.since = clock.Add(-tc.since)
			}
			if got := max(w.due(e, r, computed(r)), 0); got != tc.want {
				t.Errorf("due in %s, want %s", got, tc.want)
			}
		})
	}
}

// TestDueStarts counts from when the tenant was first seen under way, not from each look.
func TestDueStarts(t *testing.T) {
	t.Parallel()
	w, clock, r := clocked()
	for _, want := range []time.Duration{settle, settle - time.Second, settle - 2*time.Second} {
		if got := max(w.due(w.entry(r.Tenant), r, computed(r)), 0); got != want {
			t.Errorf("due in %s, want %s", got, want)
		}
		*clock = clock.Add(time.Second)
	}
}

func TestPrevious(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		version string
		uid     types.UID
		want    string
	}{
		"the cache lags behind our write": {version: "5", uid: "1", want: "ours"},
		"the cache shows our write":       {version: "7", uid: "1", want: "theirs"},
		"someone wrote after us":          {version: "8", uid: "1", want: "theirs"},
		"another Tenant of the same name": {version: "5", uid: "2", want: "theirs"},
		"versions that can't be compared": {version: "x", uid: "1", want: "theirs"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, r := clocked()
			e := w.entry(r.Tenant)
			e.version, e.status = "7", v1alpha1.TenantStatus{ClassName: "ours"}
			r.Tenant.ResourceVersion, r.Tenant.UID, r.Tenant.Status.ClassName = tc.version, tc.uid, "theirs"
			if got := w.Previous(r.Tenant).ClassName; got != tc.want {
				t.Errorf("the previous status is %s, want %s", got, tc.want)
			}
		})
	}
}

// TestWriteSilent writes nothing, and so needs no client, when the status is the previous one.
func TestWriteSilent(t *testing.T) {
	t.Parallel()
	w, clock, r := clocked()
	complete(r)
	r.Previous = Compute(*r)
	r.Now = clock.Add(time.Hour)
	wait, finished, err := w.Write(t.Context(), *r)
	if wait != 0 || !finished || err != nil {
		t.Errorf("got %s, %v, %v; want nothing to do", wait, finished, err)
	}
	r.Tenant.Generation = 2
	if wait, finished, err = w.Write(t.Context(), *r); wait != settle || finished || err != nil {
		t.Errorf("got %s, %v, %v; want to be asked again in %s", wait, finished, err, settle)
	}
	w.Forget("acme")
	if e := w.entry(r.Tenant); !e.since.IsZero() {
		t.Error("a forgotten tenant is remembered")
	}
}
