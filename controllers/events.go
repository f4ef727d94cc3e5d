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
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

const (
	// eventsPerSecond and eventsAtOnce bound the events about one tenant: a thousand namespaces that drift at once must
	// not cost a thousand writes. Status, reports and metrics count what is left out.
	eventsPerSecond, eventsAtOnce = 1, 50
	// reserved is how many of them only alarms may take: the one event that matters must not be lost among the others.
	reserved = 10
	// manyBudgets is from how many budgets on those that are full again, and so like new ones, are dropped.
	manyBudgets = 1024
	// maxNote is the longest note that the API server takes, in bytes.
	maxNote = 1024
)

// Events emits events about tenants: one line each, without control characters, and not too many. It is safe for
// concurrent use.
type Events struct {
	inner events.EventRecorder
	now   func() time.Time

	mu      sync.Mutex
	budgets map[string]*budget
}

// budget is what one tenant has left.
type budget struct {
	limiter *rate.Limiter
	// omitted is how many events were left out since the last one that was emitted.
	omitted int
}

// NewEvents makes a recorder that writes through another one.
func NewEvents(inner events.EventRecorder) *Events {
	return &Events{inner: inner, now: time.Now, budgets: map[string]*budget{}}
}

// Eventf implements events.EventRecorder. The budget is that of the regarded object's name.
func (e *Events) Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any) { //nolint:revive // the interface is client-go's
	text := fmt.Sprintf(note, args...)
	omitted, ok := e.spend(regarding, isAlarm(reason))
	if !ok {
		return
	}
	if omitted > 0 {
		text = redact.Text(text, maxNote-100) + fmt.Sprintf(" (%d more events were left out; status.drift and DriftReports have them)", omitted)
	}
	e.inner.Eventf(regarding, related, eventtype, reason, action, "%s", redact.Text(text, maxNote))
}

// isAlarm reports whether an event may not be left out for others. Alarms come with the transitions of a status, and so
// can't come often.
func isAlarm(reason string) bool {
	return slices.Contains([]string{
		v1alpha1.EventIsolationLost, v1alpha1.EventIsolationRestored, v1alpha1.EventDriftContested, v1alpha1.EventGuardLost, v1alpha1.EventGuardRestored,
	}, reason)
}

// spend takes one event from a tenant's budget. It returns how many were left out before.
func (e *Events) spend(regarding runtime.Object, alarm bool) (int, bool) {
	object, err := meta.Accessor(regarding)
	if err != nil {
		return 0, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	b := e.budget(object.GetName(), now)
	if (!alarm && b.limiter.TokensAt(now) < reserved+1) || !b.limiter.AllowN(now, 1) {
		b.omitted++
		return 0, false
	}
	omitted := b.omitted
	b.omitted = 0
	return omitted, true
}

// budget is the budget of a tenant. An event may come after the tenant was forgotten, so that not all budgets are of
// tenants that there are.
func (e *Events) budget(tenant string, now time.Time) *budget {
	b, ok := e.budgets[tenant]
	if !ok {
		if len(e.budgets) >= manyBudgets {
			maps.DeleteFunc(e.budgets, func(_ string, b *budget) bool {
				return b.omitted == 0 && b.limiter.TokensAt(now) >= eventsAtOnce
			})
		}
		b = &budget{limiter: rate.NewLimiter(eventsPerSecond, eventsAtOnce)}
		e.budgets[tenant] = b
	}
	return b
}

// Forget drops the budget of a tenant that is gone.
func (e *Events) Forget(tenant string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.budgets, tenant)
}
