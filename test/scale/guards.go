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
)

const (
	// mostGuarded is what a request may take with the guard-rails, as a multiple of what it takes without.
	mostGuarded = 1.15
	// guardBlock is how many requests are made before the guard-rails are put in force or taken out again. What is noise
	// comes in bursts, which then hit all sides.
	guardBlock = 200
	// settled is how long nothing is measured after that: the API server has compiled policies, and collects garbage.
	settled = 2 * time.Second
	// unsettled is how many requests of each block don't count, because of what was done just before: the metrics were
	// read, and objects deleted.
	unsettled = 20
	// warmUp is how many requests of each kind are made before the first that counts.
	warmUp = 100
)

// level is what of the guard-rails is in force: nothing, the rules, or the defaults too, which not every API server has.
type level int

const (
	without level = iota
	withRules
	withDefaults
)

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
	// Judged is whether it was made sure, around each block, that such a request can be refused.
	Judged bool `json:"judged"`
	// Rules and Defaults are those that looked at each of these requests.
	Rules    []string `json:"rules"`
	Defaults []string `json:"defaults,omitempty"`
	// Sides are without, with the rules and, if there are any, with the defaults too.
	Sides []*latency `json:"sides"`
	// Noise is what percentiles differ by where nothing differs: those of every other block without guard-rails,
	// divided by those of the rest.
	NoiseP50 float64 `json:"noiseP50"`
	NoiseP99 float64 `json:"noiseP99"`

	halves [2]latency
}

// latency is of one kind of request, on one side.
type latency struct {
	Samples int           `json:"samples"`
	P50     time.Duration `json:"p50Nanoseconds"`
	P99     time.Duration `json:"p99Nanoseconds"`
	// Policies is the mean time that the API server spent in its admission plugins for policies, by its own clock.
	Policies time.Duration `json:"policiesNanoseconds"`

	times    []time.Duration
	requests int
	policies time.Duration
}

// block is one kind of request, made again and again while nothing else changed. requests is how many there were, those
// that don't count included; policies is the time that the API server spent on all of them in plugins for policies.
type block struct {
	times    []time.Duration
	requests int
	policies time.Duration
}

func (l *latency) add(made block) {
	l.times = append(l.times, made.times...)
	l.requests += made.requests
	l.policies += made.policies
}

func (l *latency) sum() {
	if l.Samples = len(l.times); l.Samples > 0 {
		l.P50, l.P99 = percentile(l.times, 0.5), percentile(l.times, 0.99)
		l.Policies = l.policies / time.Duration(l.requests)
	}
}

// sum makes figures of all blocks.
func (r *guarded) sum() {
	for _, side := range r.Sides {
		side.sum()
	}
	r.halves[0].sum()
	r.halves[1].sum()
	r.NoiseP50, r.NoiseP99 = ratio(r.halves[1].P50, r.halves[0].P50), ratio(r.halves[1].P99, r.halves[0].P99)
}

// turns are what is in force in each block: each level as often, there and back again, so that what changes steadily (a
// growing database, say) is on all sides too.
func turns(levels, blocks int) []level {
	var all []level
	for i := range blocks {
		for k := range levels {
			if i%2 == 0 {
				all = append(all, level(k))
			} else {
				all = append(all, level(levels-1-k))
			}
		}
	}
	return all
}

// guarded measures requests in a cluster of so many tenants of one namespace each.
func (b *bench) guarded(ctx context.Context, tenants int) (result *guarding, err error) {
	err = b.in(ctx, size{tenants, 1}, "guard-rails", func(ctx context.Context, w *world) error {
		g, err := b.inhabited(ctx, w)
		if err != nil {
			return err
		}
		result, err = g.measure(ctx, b)
		return err
	})
	return result, err
}

// measure makes the requests: one after another, each with an answer before the next, in turns with the guard-rails
// and without.
func (g *guardedWorld) measure(ctx context.Context, b *bench) (*guarding, error) {
	result := &guarding{Size: g.size, Rules: len(g.rails), Defaults: len(g.mutators)}
	levels := 2
	if len(g.mutators) > 0 {
		levels = 3
	}
	for _, k := range g.kinds {
		r := &guarded{Name: k.name, Judged: k.twin != nil, Sides: make([]*latency, levels)}
		for i := range r.Sides {
			r.Sides[i] = &latency{}
		}
		var err error
		if r.Rules, r.Defaults, err = g.about(k.reach); err != nil {
			return nil, err
		}
		result.Requests = append(result.Requests, r)
	}
	blocks := max(b.guardSamples/guardBlock, 2)
	each := (b.guardSamples + blocks - 1) / blocks
	b.say("%s: %d requests of each kind with %d rules, with %d defaults too, and without", g.size, blocks*each, result.Rules, result.Defaults)
	for _, k := range g.kinds {
		if _, err := g.block(ctx, k, min(warmUp, b.guardSamples)); err != nil {
			return nil, fmt.Errorf("warming up, %s: %w", k.name, err)
		}
	}
	for turn, now := range turns(levels, blocks) {
		if err := g.put(ctx, now); err != nil {
			return nil, err
		}
		for i, r := range result.Requests {
			made, err := g.block(ctx, g.kinds[i], each)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Name, err)
			}
			r.Sides[now].add(made)
			if now == without {
				r.halves[turn/levels%2].add(made)
			}
		}
	}
	for _, r := range result.Requests {
		r.sum()
	}
	return result, nil
}
