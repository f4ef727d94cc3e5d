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

package controllers

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// emitter is a recorder with a budget, a clock that only moves when told, and what came out of it.
type emitter struct {
	*Events
	out   *recorder
	clock time.Time
}

func newEmitter() *emitter {
	e := &emitter{out: &recorder{}, clock: time.Unix(1000, 0)}
	e.Events = NewEvents(e.out)
	e.now = func() time.Time { return e.clock }
	return e
}

// emit emits so many events about a tenant and returns how many came out.
func (e *emitter) emit(tenant, reason string, n int) int {
	before := len(e.out.events)
	for i := range n {
		e.Eventf(named(&v1alpha1.Tenant{}, tenant), nil, corev1.EventTypeWarning, reason, "Compare", "event %d", i)
	}
	return len(e.out.events) - before
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	const plenty = 1000
	e := newEmitter()
	steps := []struct {
		name   string
		after  time.Duration
		tenant string
		reason string
		want   int
	}{
		{"at once", 0, "acme", v1alpha1.EventDriftDetected, eventsAtOnce - reserved},
		{"no more", 0, "acme", v1alpha1.EventDriftCorrected, 0},
		{"alarms have a reserve", 0, "acme", v1alpha1.EventIsolationLost, reserved},
		{"which ends, too", 0, "acme", v1alpha1.EventDriftContested, 0},
		{"the reserve comes first", 10 * time.Second, "acme", v1alpha1.EventDriftDetected, 0},
		{"one a second", 5 * time.Second, "acme", v1alpha1.EventDriftDetected, 5},
		{"another tenant has a budget of its own", 0, "umbrella", v1alpha1.EventDriftDetected, eventsAtOnce - reserved},
		{"never more than at first", time.Hour, "acme", v1alpha1.EventDriftDetected, eventsAtOnce - reserved},
	}
	for _, step := range steps {
		e.clock = e.clock.Add(step.after)
		if got := e.emit(step.tenant, step.reason, plenty); got != step.want {
			t.Errorf("%s: %d events of %d, want %d", step.name, got, plenty, step.want)
		}
	}
}

func TestEventsSayWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	e := newEmitter()
	e.emit("acme", v1alpha1.EventDriftDetected, eventsAtOnce-reserved+7)
	e.clock = e.clock.Add(2 * time.Second)
	e.out.events = nil
	e.emit("acme", v1alpha1.EventDriftDetected, 2)
	want := []string{
		"Warning DriftDetected -: event 0 (7 more events were left out; status.drift and DriftReports have them)",
		"Warning DriftDetected -: event 1",
	}
	if diff := cmp.Diff(want, e.out.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEventsAreFitToBeShown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"as it is":             {"ResourceQuota a/b: FieldModified", "ResourceQuota a/b: FieldModified"},
		"lines and escapes":    {"a\nb\x1b[31mc", "a b?[31mc"},
		"a percent sign":       {"100%d", "100%d"},
		"too long":             {strings.Repeat("x", 2000), strings.Repeat("x", maxNote-3) + "…"},
		"too long, in bytes":   {strings.Repeat("é", 1000), strings.Repeat("é", 510) + "…"},
		"nothing can be seen":  {"\u200b", "?"},
		"direction of writing": {"a\u202eb", "a?b"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEmitter()
			e.Eventf(named(&v1alpha1.Tenant{}, "acme"), nil, corev1.EventTypeNormal, "R", "A", "%s", tc.text)
			if diff := cmp.Diff([]string{"Normal R -: " + tc.want}, e.out.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	e := newEmitter()
	e.emit("acme", "R", eventsAtOnce)
	e.clock = e.clock.Add(time.Minute)
	e.out.events = nil
	e.Eventf(named(&v1alpha1.Tenant{}, "acme"), nil, corev1.EventTypeNormal, "R", "A", "%s", strings.Repeat("é", 1000))
	note := strings.TrimPrefix(e.out.events[0], "Normal R -: ")
	if len(note) > maxNote || !strings.Contains(note, "… (10 more events were left out") {
		t.Errorf("a long one after some that were left out has %d bytes: %s", len(note), note)
	}
}

func TestEventsForget(t *testing.T) {
	t.Parallel()
	e := newEmitter()
	e.emit("acme", "R", 1000)
	e.Forget("acme")
	if got := e.emit("acme", "R", 1000); got != eventsAtOnce-reserved {
		t.Errorf("a new tenant of the same name has %d events, want %d", got, eventsAtOnce-reserved)
	}
	e.Eventf(nil, nil, corev1.EventTypeNormal, "R", "A", "about nothing")
	e.Eventf(&metav1.Status{}, nil, corev1.EventTypeNormal, "R", "A", "about something without a name")

	// Budgets of tenants that nobody forgets don't pile up.
	for i := range 3 * manyBudgets {
		e.emit(fmt.Sprintf("gone-%d", i), "R", 1)
		e.clock = e.clock.Add(time.Second)
	}
	if len(e.budgets) > manyBudgets {
		t.Errorf("%d budgets are kept", len(e.budgets))
	}
	if _, kept := e.budgets["acme"]; !kept {
		t.Error("the budget that still owes a word about what was left out is gone")
	}
}

// locked is a recorder for several goroutines.
type locked struct {
	mu sync.Mutex
	recorder
}

//nolint:revive // the signature is client-go's
func (l *locked) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recorder.Eventf(regarding, related, eventType, reason, action, note, args...)
}

func TestEventsConcurrently(t *testing.T) {
	t.Parallel()
	out := &locked{}
	e := NewEvents(out)
	stopped := time.Unix(1000, 0)
	e.now = func() time.Time { return stopped }
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				e.Eventf(named(&v1alpha1.Tenant{}, "acme"), nil, corev1.EventTypeNormal, v1alpha1.EventIsolationLost, "A", "x")
				e.Eventf(named(&v1alpha1.Tenant{}, "umbrella"), nil, corev1.EventTypeNormal, "R", "A", "x")
			}
			e.Forget("nobody")
		})
	}
	group.Wait()
	if got := len(out.events); got != 2*eventsAtOnce-reserved {
		t.Errorf("%d events, want %d", got, 2*eventsAtOnce-reserved)
	}
}
