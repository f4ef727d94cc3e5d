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
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

const (
	// eventsPerSecond and eventsAtOnce bound the events about one tenant: a thousand namespaces that drift at once must
	// not cost a thousand writes. Status, reports and metrics count what is left out.
	eventsPerSecond, eventsAtOnce = 1, 50
	// maxNote is the longest note that the API server takes, in bytes.
	maxNote = 1024
)

// Events emits events about tenants: one line each, without control characters, and not too many. It is safe for
// concurrent use.
type Events struct {
	inner events.EventRecorder

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
	return &Events{inner: inner, budgets: map[string]*budget{}}
}

// Eventf implements events.EventRecorder. The budget is that of the regarded object's name.
func (e *Events) Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any) { //nolint:revive // the interface is client-go's
	text := fmt.Sprintf(note, args...)
	omitted, ok := e.spend(regarding)
	if !ok {
		return
	}
	if omitted > 0 {
		text = redact.Text(text, maxNote-100) + fmt.Sprintf(" (%d more events were left out; status.drift and DriftReports have them)", omitted)
	}
	e.inner.Eventf(regarding, related, eventtype, reason, action, "%s", redact.Text(text, maxNote))
}

// spend takes one event from a tenant's budget. It returns how many were left out before.
func (e *Events) spend(regarding runtime.Object) (int, bool) {
	object, err := meta.Accessor(regarding)
	if err != nil {
		return 0, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b, ok := e.budgets[object.GetName()]
	if !ok {
		b = &budget{limiter: rate.NewLimiter(eventsPerSecond, eventsAtOnce)}
		e.budgets[object.GetName()] = b
	}
	if !b.limiter.Allow() {
		b.omitted++
		return 0, false
	}
	omitted := b.omitted
	b.omitted = 0
	return omitted, true
}

// Forget drops the budget of a tenant that is gone.
func (e *Events) Forget(tenant string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.budgets, tenant)
}
