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

package storm

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// reportInterval and statusInterval are the least times between two writes of one report, and of one status.
	reportInterval, statusInterval = 15 * time.Second, 2 * time.Second
	// slack is by how much two writes may come closer than they were made: each may wait for a while on its way.
	slack = time.Second
	// settles is how long nothing may happen for the world to count as quiet: longer than any write may be put off.
	settles = reportInterval + 5*time.Second
	// gather is how long news of a tenant are collected before they are summed up.
	gather = 100 * time.Millisecond
	// maxBytes bounds a status, and the content of a report, as JSON.
	maxBytes = 32 * 1024
	// eventsAtOnce and eventsPerSecond bound the events of a tenant.
	eventsAtOnce, eventsPerSecond = 50, 1
)

// tally is what the operator asked of the API server from some time on.
type tally struct {
	began, last time.Time
	// managed are writes of managed objects, by resource, and refused how many of them were not accepted.
	managed map[string]int
	refused int
	// status are the times of the writes of the tenant's status, and reports those of DriftReports, by namespace.
	status  []time.Time
	reports map[string][]time.Time
	events  int
	// others are all other requests but watches, by what they are.
	others map[string]int
}

// count reads the audit log.
func (s *storm) count(t *testing.T, began time.Time) *tally {
	t.Helper()
	c := &tally{began: began, last: began, managed: map[string]int{}, reports: map[string][]time.Time{}, others: map[string]int{}}
	if err := s.Requests(c.add); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *tally) add(r *env.Request) {
	if r.RequestReceivedTimestamp.Before(c.began) || r.Verb == "watch" {
		return
	}
	if r.RequestReceivedTimestamp.After(c.last) {
		c.last = r.RequestReceivedTimestamp
	}
	o := r.ObjectRef
	write := r.Verb != "get" && r.Verb != "list"
	switch {
	case write && o.APIGroup == v1alpha1.GroupVersion.Group && o.Resource == "tenants" && o.Subresource == "status":
		c.status = append(c.status, r.RequestReceivedTimestamp)
	case write && o.Resource == "driftreports":
		c.reports[o.Namespace] = append(c.reports[o.Namespace], r.RequestReceivedTimestamp)
	case write && o.Resource == "events":
		c.events++
	case write && slices.Contains([]string{"namespaces", "networkpolicies", "resourcequotas", "limitranges", "rolebindings"}, o.Resource):
		c.managed[o.Resource]++
		if r.ResponseStatus.Code >= 300 {
			c.refused++
		}
	default:
		c.others[fmt.Sprintf("%s %s.%s", r.Verb, o.Resource, o.APIGroup)]++
	}
}

// corrections is the number of all writes of managed objects.
func (c *tally) corrections() int {
	n := 0
	for _, writes := range c.managed {
		n += writes
	}
	return n
}

// took is from the beginning to the last request.
func (c *tally) took() time.Duration { return c.last.Sub(c.began) }

// check holds the writes to their bounds. It logs what they were.
func (c *tally) check(t *testing.T, phase string) {
	t.Helper()
	most, total := 0, 0
	for namespace, times := range c.reports {
		total += len(times)
		most = max(most, len(times))
		slices.SortFunc(times, time.Time.Compare)
		for i := 1; i < len(times); i++ {
			if gap := times[i].Sub(times[i-1]); gap < reportInterval-slack {
				t.Errorf("%s: the report of %s was written again after %s", phase, namespace, gap)
			}
		}
	}
	t.Logf("%s: within %s %d writes of managed objects %v, %d of them refused; %d of status, %d of reports (%d of one at most), %d of events; others %v",
		phase, c.took().Round(time.Millisecond), c.corrections(), c.managed, c.refused, len(c.status), total, most, c.events, c.others)
	if limit := 1 + int(c.took()/statusInterval); len(c.status) == 0 || len(c.status) > limit {
		t.Errorf("%s: %d writes of status, want 1 to %d", phase, len(c.status), limit)
	}
	if limit := eventsAtOnce + 1 + int(c.took().Seconds())*eventsPerSecond; c.events == 0 || c.events > limit {
		t.Errorf("%s: %d writes of events, want 1 to %d", phase, c.events, limit)
	}
	if total == 0 {
		t.Errorf("%s: no report was written", phase)
	}
	for what, n := range c.others {
		// That what was written last is in force is proven whenever there is news to be summed up.
		if what != "create subjectaccessreviews.authorization.k8s.io" || n > 1+int(c.took()/gather) {
			t.Errorf("%s: %d times %s", phase, n, what)
		}
	}
}

// quiet waits until the operator asks for nothing for a while, and then counts.
func (s *storm) quiet(t *testing.T, began time.Time) *tally {
	t.Helper()
	var c *tally
	s.eventually(t, func() string {
		if c = s.count(t, began); time.Since(c.last) < settles {
			return fmt.Sprintf("the last request was at %s", c.last)
		}
		return ""
	})
	return c
}

// sightings are the greatest things that were seen in any status of the tenant.
type sightings struct {
	mu                           sync.Mutex
	bytes, top, recent, findings int
	open                         int32
	problems                     []string
}

// watchStatus looks at every status of the tenant from now on.
func watchStatus(t *testing.T, world *env.Env) *sightings {
	t.Helper()
	w, err := world.Admin.Watch(t.Context(), &v1alpha1.TenantList{})
	if err != nil {
		t.Fatal(err)
	}
	s := &sightings{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if tenant, ok := event.Object.(*v1alpha1.Tenant); ok {
				s.look(&tenant.Status)
			}
		}
	}()
	t.Cleanup(func() { w.Stop(); <-done })
	return s
}

func (s *sightings) look(status *v1alpha1.TenantStatus) {
	raw, err := json.Marshal(status)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.problems = append(s.problems, err.Error())
	}
	s.bytes = max(s.bytes, len(raw))
	s.top, s.recent = max(s.top, len(status.Drift.Top)), max(s.recent, len(status.Drift.Recent))
	s.findings, s.open = max(s.findings, len(status.Isolation.Findings)), max(s.open, status.Drift.Open)
}

// check holds what was seen to its bounds.
func (s *sightings) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Logf("the largest status had %d bytes; at most %d open, %d of them named, %d recent, %d findings", s.bytes, s.open, s.top, s.recent, s.findings)
	if len(s.problems) > 0 || s.bytes > maxBytes || s.top > v1alpha1.MaxDriftTop || s.recent > v1alpha1.MaxDriftRecent || s.findings > v1alpha1.MaxIsolationFindings {
		t.Errorf("out of bounds: %v", s.problems)
	}
}
