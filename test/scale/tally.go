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
	"cmp"
	"net/http"
	"slices"
)

// count is how often a verb was used on a resource.
type count struct {
	Verb     string `json:"verb"`
	Resource string `json:"resource"`
	Requests int    `json:"requests"`
	// Failed are those that were answered with an error.
	Failed int `json:"failed,omitempty"`
}

// tally sums up requests.
type tally struct {
	// Writes change something; Reviews ask what someone may do; Reads are get, list and watch; Discovery is the rest.
	Writes    int `json:"writes"`
	Reviews   int `json:"reviews"`
	Reads     int `json:"reads"`
	Discovery int `json:"discovery"`
	// Failed are those that were answered with an error, and Throttled those of them that were told to wait.
	Failed    int `json:"failed"`
	Throttled int `json:"throttled"`
	// Rewritten are the writes to an object after its first one, by the same verb and with success: 0 if nothing is
	// done twice. Events are not objects that are kept.
	Rewritten int     `json:"rewritten"`
	Counts    []count `json:"counts"`
}

// all is the number of all requests but reads and discovery: what is done about objects.
func (t *tally) all() int { return t.Writes + t.Reviews }

// lists are the lists of each resource.
func (t *tally) lists() map[string]int {
	lists := map[string]int{}
	for _, c := range t.Counts {
		if (target{Verb: c.Verb}).list() {
			lists[c.Resource] += c.Requests
		}
	}
	return lists
}

// managed are the writes of the objects that tenants are given.
func (t *tally) managed() int {
	sum := 0
	for _, c := range t.Counts {
		if managedResource(c.Resource) && (target{Verb: c.Verb, Resource: c.Resource}).write() {
			sum += c.Requests
		}
	}
	return sum
}

// managedResource says whether the operator writes objects of a resource for tenants.
func managedResource(resource string) bool {
	return !slices.Contains([]string{"tenants.tenancy.bulkhead.dev", "tenants.tenancy.bulkhead.dev/status", "driftreports.tenancy.bulkhead.dev",
		"events.events.k8s.io", "events", "leases.coordination.k8s.io"}, resource)
}

// lease says whether a request is about leader election, which goes on for ever.
func lease(r request) bool { return r.Resource == "leases.coordination.k8s.io" }

// sum sums up requests; those of leases are left out.
func sum(requests []request) tally {
	var t tally
	counts := map[[2]string]*count{}
	written := map[target]int{}
	for _, r := range requests {
		if lease(r) {
			continue
		}
		key := [2]string{r.Verb, r.Resource}
		if counts[key] == nil {
			counts[key] = &count{Verb: r.Verb, Resource: r.Resource}
		}
		counts[key].Requests++
		switch {
		case r.review():
			t.Reviews++
		case r.write():
			t.Writes++
		case r.read():
			t.Reads++
		default:
			t.Discovery++
		}
		switch {
		case r.Code == 0 || r.Code >= http.StatusBadRequest:
			counts[key].Failed++
			t.Failed++
			if r.Code == http.StatusTooManyRequests {
				t.Throttled++
			}
		case r.write() && r.Name != "":
			if written[r.target]++; written[r.target] > 1 {
				t.Rewritten++
			}
		}
	}
	for _, c := range counts {
		t.Counts = append(t.Counts, *c)
	}
	slices.SortFunc(t.Counts, func(a, b count) int {
		return cmp.Or(-cmp.Compare(a.Requests, b.Requests), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Resource, b.Resource))
	})
	return t
}
