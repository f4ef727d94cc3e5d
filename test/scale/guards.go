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
	"context"
	"time"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

const (
	// mostGuarded is what a request may take with the guard-rails, as a multiple of what it takes without.
	mostGuarded = 1.15
	// guardBatch is how many requests of a kind are made in each cluster before what they left is deleted.
	guardBatch = 100
	// guardTurn is how many requests one cluster gets before it is the next one's turn. The garbage collection that some
	// request sets off slows down several after it: they are of the same cluster, and not of those that it is compared with.
	guardTurn = 20
	// settled is how long nothing is measured before each batch, because of what was done just before: objects were deleted.
	settled = 500 * time.Millisecond
	// spendingEvery is how many requests are timed for one whose cost is read from the API server's own metrics. That takes
	// batches of a single kind, and reading metrics is work itself, so those aren't timed. spendingMost are enough for a mean.
	spendingEvery, spendingMost = 5, 600
	// defaultsEvery is how many requests are timed for one that gets defaults: less is promised of it.
	defaultsEvery = 3
)

// level is what of the guard-rails is in force: nothing, the rules, or the defaults too, which not every API server has.
type level int

const (
	without level = iota
	withRules
	withDefaults
)

// levels are what is in force in the clusters that are compared. The first one is compared with the second, in which
// nothing else is in force: how far the two are apart says what the other figures are good for.
var levels = []level{without, without, withRules, withDefaults}

func (l level) String() string { return [...]string{"none", "rules", "rules and defaults"}[l] }

// guarding is what was measured of requests with the guard-rails in force and without them.
type guarding struct {
	Size size `json:"size"`
	// Rules and Defaults are how many there are, whatever they are about. No defaults: the API server doesn't serve them.
	Rules    int        `json:"rules"`
	Defaults int        `json:"defaults"`
	Requests []*guarded `json:"requests"`
}

// guarded is what was measured of one kind of request.
type guarded struct {
	Name string `json:"name"`
	// Judged is whether it was made sure, around each batch, that such a request can be refused.
	Judged bool `json:"judged"`
	// Filled is whether it was made where pods get defaults.
	Filled bool `json:"filled"`
	// Rules and Defaults are those that looked at each of these requests.
	Rules    []string `json:"rules"`
	Defaults []string `json:"defaults,omitempty"`
	// Again is a second cluster without.
	Again *latency `json:"again"`
	// Sides are without, with the rules and, if there are any, with the defaults too.
	Sides []*latency `json:"sides"`
}

// all are the sides in the order of levels.
func (g *guarded) all() []*latency { return append([]*latency{g.Again}, g.Sides...) }

// latency is of one kind of request, on one side.
type latency struct {
	Samples int           `json:"samples"`
	P50     time.Duration `json:"p50Nanoseconds"`
	P99     time.Duration `json:"p99Nanoseconds"`
	// Policies is the mean time that the API server spent in its admission plugins for policies, by its own clock.
	Policies time.Duration `json:"policiesNanoseconds"`
	// CPU is the mean CPU time of the API server for one request, with whatever else it did meanwhile.
	CPU time.Duration `json:"cpuNanoseconds"`

	times    []time.Duration
	requests int
	spent    spending
}

// spend adds what so many requests cost the API server.
func (l *latency) spend(requests int, spent spending) {
	l.requests += requests
	l.spent.policies += spent.policies
	l.spent.cpu += spent.cpu
}

func (l *latency) sum() {
	if l.Samples = len(l.times); l.Samples > 0 {
		l.P50, l.P99 = percentile(l.times, 0.5), percentile(l.times, 0.99)
	}
	if l.requests > 0 {
		l.Policies, l.CPU = l.spent.policies/time.Duration(l.requests), l.spent.cpu/time.Duration(l.requests)
	}
}

// guarded measures requests in clusters of so many tenants of one namespace each: two without guard-rails, one with the
// rules, and one with the defaults too. All run at the same time, and take turns, so that whatever else slows the machine
// down slows all of them down. Here etcd waits for the disk, as it does in every cluster: what a request takes is to be
// compared with what it takes there, and not with a test's.
func (b *bench) guarded(ctx context.Context, tenants int) (result *guarding, err error) {
	err = b.guardedWorlds(ctx, size{tenants, 1}, nil, func(ctx context.Context, worlds []*guardedWorld) error {
		result, err = b.compare(ctx, worlds)
		return err
	})
	return result, err
}

// guardedWorlds starts a cluster for each level that there are guard-rails for.
func (b *bench) guardedWorlds(ctx context.Context, s size, worlds []*guardedWorld, measure func(context.Context, []*guardedWorld) error) error {
	if len(worlds) == len(levels) {
		return measure(ctx, worlds)
	}
	next := levels[len(worlds)]
	return b.on(ctx, controlplane.Options{Durable: true}, s, "guard-rails: "+next.String(), func(ctx context.Context, w *world) error {
		g, err := w.guarded(ctx, next)
		if err != nil {
			return err
		}
		if next == withDefaults && len(g.mutators) == 0 {
			return measure(ctx, worlds)
		}
		return b.guardedWorlds(ctx, s, append(worlds, g), measure)
	})
}

// compare makes the requests: first those whose cost the API servers tell, by which each has done what it does only once,
// and then those that are timed.
func (b *bench) compare(ctx context.Context, worlds []*guardedWorld) (*guarding, error) {
	last := worlds[len(worlds)-1]
	result := &guarding{Size: last.size, Rules: len(last.rails)}
	if last.level == withDefaults {
		result.Defaults = len(last.mutators)
	}
	for _, k := range last.kinds {
		r := &guarded{Name: k.name, Judged: k.twin != nil, Filled: k.filled, Again: &latency{}}
		for range worlds[1:] {
			r.Sides = append(r.Sides, &latency{})
		}
		var err error
		if r.Rules, r.Defaults, err = last.about(k.reach); err != nil {
			return nil, err
		}
		result.Requests = append(result.Requests, r)
	}
	b.say("%s: %d requests of each kind, fewer that get defaults: with %d rules, with %d defaults too, and without", result.Size, b.guardSamples, result.Rules, result.Defaults)
	if err := spendings(ctx, worlds, result.Requests, max(min(b.guardSamples/spendingEvery, spendingMost), 1)); err != nil {
		return nil, err
	}
	// What sets something is a service, and is not to set off the garbage collections by which the price of the rules is judged.
	kinds := map[bool][]int{}
	for kind, r := range result.Requests {
		kinds[r.Filled] = append(kinds[r.Filled], kind)
	}
	if err := mixed(ctx, worlds, result.Requests, kinds[false], b.guardSamples); err != nil {
		return nil, err
	}
	if err := mixed(ctx, worlds, result.Requests, kinds[true], max(b.guardSamples/defaultsEvery, 1)); err != nil {
		return nil, err
	}
	for _, r := range result.Requests {
		for _, side := range r.all() {
			side.sum()
		}
	}
	return result, nil
}
