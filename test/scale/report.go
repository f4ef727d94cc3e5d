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

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// What is to be reached. Times are printed beside their bound and never judged: they depend on the machine.
const (
	mostPerObject = 1.15
	// mostPerTenant is judged in place of mostPerObject, which says little of tenants of few objects: beside its objects a
	// tenant needs a finalizer, a review, a status and an event, now and then a second one, and mostPerInterval more
	// for every time that the operator may write a status while the tenant isn't Ready yet.
	mostPerTenant   = 4.5
	mostPerInterval = 2
	statusInterval  = 2 * time.Second
	mostTimes       = 1.2
	mostP50         = 20 * time.Millisecond
	mostP99         = 100 * time.Millisecond
	mostStatus      = 32 << 10
)

// report is all figures of a run.
type report struct {
	Size    size `json:"size"`
	CPUs    int  `json:"cpus"`
	Repeat  int  `json:"repeat"`
	Writers int  `json:"writers"`
	// RawCreate, RawApply, There and Ready are medians; Runs holds every time.
	RawCreate time.Duration              `json:"rawCreateNanoseconds"`
	RawApply  time.Duration              `json:"rawApplyNanoseconds"`
	There     time.Duration              `json:"thereNanoseconds"`
	Ready     time.Duration              `json:"readyNanoseconds"`
	Runs      map[string][]time.Duration `json:"runsNanoseconds"`
	// Operator is the last run, Wide that of one wide tenant, and Process that of a process of its own.
	Operator *operation `json:"operator"`
	Wide     *operation `json:"wide,omitempty"`
	// Drifts are corrections in other sizes, Judging what isolation costs.
	Drifts  []*operation `json:"drifts,omitempty"`
	Judging *judging     `json:"judging,omitempty"`
	Process *process     `json:"process,omitempty"`
	// Guards are what the guard-rails cost, for each number of tenants.
	Guards []*guarding `json:"guards,omitempty"`
}

func (r *report) note(name string, took time.Duration) {
	if r.Runs == nil {
		r.Runs = map[string][]time.Duration{}
	}
	r.Runs[name] = append(r.Runs[name], took)
}

func (r *report) operator(run *operation) {
	if run == nil {
		return
	}
	r.note("there", run.There)
	r.note("ready", run.Ready)
	r.Operator = run
}

// perTenant is how many requests were made for each tenant beside those that write its objects.
func (o *operation) perTenant() float64 {
	return ratio(o.Requests.all()-o.Requests.managed(), o.Size.Tenants)
}

func (r *report) sum() {
	r.RawCreate, r.RawApply = median(r.Runs[rawCreate]), median(r.Runs[rawApply])
	r.There, r.Ready = median(r.Runs["there"]), median(r.Runs["ready"])
}

// save writes the report as JSON; "" is nowhere.
func (r *report) save(path string) error {
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing --json: %w", err)
	}
	return nil
}

// problems are the counts that are more than they have to be. They don't depend on the machine.
func (r *report) problems() []string {
	var problems []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	for _, run := range append([]*operation{r.Operator, r.Wide}, r.Drifts...) {
		if run == nil {
			continue
		}
		add(run.Requests.managed() != run.Objects, "%s: %d writes of %d managed objects", run.Size, run.Requests.managed(), run.Objects)
		most := mostPerTenant + mostPerInterval*float64(run.Ready/statusInterval)
		add(run.perTenant() > most, "%s: %.2f other requests per tenant, more than %.1f", run.Size, run.perTenant(), most)
		add(run.StatusBytes > mostStatus, "%s: a status of %d bytes, more than %d", run.Size, run.StatusBytes, mostStatus)
		if run.Steady != nil {
			n := run.Steady.Requests.all() + run.Steady.Requests.Reads + run.Steady.Requests.Discovery
			add(n > 0, "%s: %d requests while nothing changed: %v", run.Size, n, run.Steady.Requests.Counts)
		}
		if run.Restart != nil {
			add(run.Restart.Requests.Writes > 0, "%s: %d writes after a restart: %v", run.Size, run.Restart.Requests.Writes, run.Restart.Requests.Counts)
			for resource, lists := range run.Restart.Requests.lists() {
				add(lists > 1, "%s: %d lists of %s at a restart", run.Size, lists, resource)
			}
		}
		if d := run.Drift; d != nil {
			add(d.Requests.managed() != d.Corrections, "%s: %d writes of managed objects for %d corrections", run.Size, d.Requests.managed(), d.Corrections)
		}
	}
	for _, g := range r.Guards {
		for _, request := range g.Requests {
			add(len(request.Rules) == 0 && request.Judged, "%s: no rule is about requests to %s", g.Size, request.Name)
		}
	}
	return problems
}
