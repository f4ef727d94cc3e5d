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
	"math/rand/v2"
	"slices"

	"golang.org/x/sync/errgroup"
)

// spendings makes so many requests of each kind in each cluster, and has the API servers tell what they cost: batches of one
// kind, in one cluster after the other.
func spendings(ctx context.Context, worlds []*guardedWorld, results []*guarded, requests int) error {
	for left := requests; left > 0; left -= guardBatch {
		for kind, r := range results {
			for n, w := range worlds {
				spent, err := w.spend(ctx, kind, min(guardBatch, left))
				if err != nil {
					return fmt.Errorf("%s: %w", r.Name, err)
				}
				r.all()[n].spend(min(guardBatch, left), spent)
			}
		}
	}
	return nil
}

// spend makes so many requests of a kind, and returns what they cost.
func (g *guardedWorld) spend(ctx context.Context, kind, requests int) (spending, error) {
	if err := g.sure(ctx, kind); err != nil {
		return spending{}, err
	}
	before, err := g.spent(ctx)
	if err != nil {
		return spending{}, err
	}
	for range requests {
		if _, err := g.request(ctx, kind); err != nil {
			return spending{}, err
		}
	}
	after, err := g.spent(ctx)
	if err != nil {
		return spending{}, err
	}
	if err := g.clean(ctx); err != nil {
		return spending{}, err
	}
	return spending{policies: after.policies - before.policies, cpu: after.cpu - before.cpu}, g.sure(ctx, kind)
}

// mixed times so many requests of each of some kinds in each cluster: one after another, each with an answer before the next. The
// kinds are mixed at random, in the same order in each cluster, so that none of them always comes when the garbage is
// collected; and the clusters take turns, another one first each time.
func mixed(ctx context.Context, worlds []*guardedWorld, results []*guarded, kinds []int, requests int) error {
	random := rand.New(rand.NewPCG(1, 2))
	for left := requests; left > 0; left -= guardBatch {
		if err := atOnce(ctx, worlds, len(results)); err != nil {
			return err
		}
		if err := pause(ctx, nil, settled); err != nil {
			return err
		}
		turns := turnsOf(random, kinds, min(guardBatch, left))
		for i, turn := range turns {
			for n := range worlds {
				at := (i + n) % len(worlds)
				for _, kind := range turn {
					took, err := worlds[at].request(ctx, kind)
					if err != nil {
						return fmt.Errorf("%s: %w", results[kind].Name, err)
					}
					side := results[kind].all()[at]
					side.times = append(side.times, took)
				}
			}
		}
	}
	return atOnce(ctx, worlds, len(results))
}

// turnsOf are so many requests of each kind, in random order, in turns of guardTurn.
func turnsOf(random *rand.Rand, kinds []int, each int) [][]int {
	order := make([]int, 0, len(kinds)*each)
	for _, kind := range kinds {
		for range each {
			order = append(order, kind)
		}
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return slices.Collect(slices.Chunk(order, guardTurn))
}

// atOnce cleans up all clusters, and makes sure that requests of each kind are judged where they are to be, and nowhere else.
func atOnce(ctx context.Context, worlds []*guardedWorld, kinds int) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range worlds {
		group.Go(func() error {
			if err := w.clean(ctx); err != nil {
				return err
			}
			for kind := range kinds {
				if err := w.sure(ctx, kind); err != nil {
					return fmt.Errorf("%s: %w", w.kinds[kind].name, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}
