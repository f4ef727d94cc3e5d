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
	"fmt"
	"time"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

const (
	// mostGuarded is what a request may take with the guard-rails, as a multiple of what it takes without.
	mostGuarded = 1.15
	// guardBatch is how many requests of a kind are made in each cluster before the next kind's turn.
	guardBatch = 100
	// settled is how long nothing is measured before each batch, and unsettled how many requests of it don't count, because
	// of what was done just before: the metrics were read, and objects deleted.
	settled   = 500 * time.Millisecond
	unsettled = 10
)

// level is what of the guard-rails is in force: nothing, the rules, or the defaults too, which not every API server has.
type level int

const (
	without level = iota
	withRules
	withDefaults
)

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
	// Sides are without, with the rules and, if there are any, with the defaults too.
	Sides []*latency `json:"sides"`
}

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

// batch is requests of one kind in one cluster. requests is how many there were, those that don't count included; spent is
// what the API server spent on all of them.
type batch struct {
	times    []time.Duration
	requests int
	spent    spending
}

func (l *latency) add(made batch) {
	l.times = append(l.times, made.times...)
	l.requests += made.requests
	l.spent.policies += made.spent.policies
	l.spent.cpu += made.spent.cpu
}

func (l *latency) sum() {
	if l.Samples = len(l.times); l.Samples > 0 {
		l.P50, l.P99 = percentile(l.times, 0.5), percentile(l.times, 0.99)
		l.Policies, l.CPU = l.spent.policies/time.Duration(l.requests), l.spent.cpu/time.Duration(l.requests)
	}
}

// guarded measures requests in clusters of so many tenants of one namespace each: one without guard-rails, one with the
// rules, and one with the defaults too. All run at the same time, and each request is made in one after the other, so
// that whatever else slows the machine down slows all of them down. Here etcd waits for the disk, as it does in every cluster:
// what a request takes is to be compared with what it takes there, and not with a test's.
func (b *bench) guarded(ctx context.Context, tenants int) (result *guarding, err error) {
	err = b.guardedWorlds(ctx, size{tenants, 1}, nil, func(ctx context.Context, worlds []*guardedWorld) error {
		result, err = b.compare(ctx, worlds)
		return err
	})
	return result, err
}

// guardedWorlds starts a cluster for each level that there are guard-rails for.
func (b *bench) guardedWorlds(ctx context.Context, s size, worlds []*guardedWorld, measure func(context.Context, []*guardedWorld) error) error {
	next := level(len(worlds))
	if next > withDefaults {
		return measure(ctx, worlds)
	}
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

// compare makes the requests.
func (b *bench) compare(ctx context.Context, worlds []*guardedWorld) (*guarding, error) {
	last := worlds[len(worlds)-1]
	result := &guarding{Size: last.size, Rules: len(last.rails)}
	if last.level == withDefaults {
		result.Defaults = len(last.mutators)
	}
	for i, k := range last.kinds {
		r := &guarded{Name: k.name, Judged: k.twin != nil, Filled: k.filled}
		for range worlds {
			r.Sides = append(r.Sides, &latency{})
		}
		var err error
		if r.Rules, r.Defaults, err = last.about(k.reach); err != nil {
			return nil, err
		}
		result.Requests = append(result.Requests, r)
		// What an API server does only once is in no time.
		if _, err := paired(ctx, worlds, i, min(guardBatch, b.guardSamples)); err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	b.say("%s: %d requests of each kind: with %d rules, with %d defaults too, and without", result.Size, b.guardSamples, result.Rules, result.Defaults)
	for left := b.guardSamples; left > 0; left -= guardBatch {
		for i, r := range result.Requests {
			made, err := paired(ctx, worlds, i, min(guardBatch, left))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Name, err)
			}
			for n := range worlds {
				r.Sides[n].add(made[n])
			}
		}
	}
	for _, r := range result.Requests {
		for _, side := range r.Sides {
			side.sum()
		}
	}
	return result, nil
}

// paired makes so many requests of a kind in each cluster, and a few more that don't count: one after another, each with
// an answer before the next. It begins with another cluster each time.
func paired(ctx context.Context, worlds []*guardedWorld, kind, requests int) ([]batch, error) {
	made := make([]batch, len(worlds))
	before := make([]spending, len(worlds))
	first := make([]int, len(worlds))
	for n, w := range worlds {
		var err error
		if before[n], err = w.prepare(ctx, kind); err != nil {
			return nil, err
		}
		first[n] = w.serial
	}
	if err := pause(ctx, nil, settled); err != nil {
		return nil, err
	}
	for i := range requests + unsettled {
		for n := range worlds {
			at := (i + n) % len(worlds)
			took, err := worlds[at].request(ctx, kind)
			if err != nil {
				return nil, err
			}
			if made[at].requests++; i >= unsettled {
				made[at].times = append(made[at].times, took)
			}
		}
	}
	for n, w := range worlds {
		spent, err := w.finish(ctx, kind, first[n])
		if err != nil {
			return nil, err
		}
		made[n].spent = spending{policies: spent.policies - before[n].policies, cpu: spent.cpu - before[n].cpu}
	}
	return made, nil
}
