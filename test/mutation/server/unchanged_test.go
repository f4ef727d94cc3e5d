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

package server_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// TestNothingIsFoundRightAfterAnApply applies what is rendered for tenants that builders made, in all combinations of
// two choices, and for the whole corpus: first as it is rendered, then in another order and spelling. Nothing ever
// differs, and a process that finds it writes nothing.
func TestNothingIsFoundRightAfterAnApply(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	cases = append(cases, mutation.Pairwise("built", random)...)
	for turn := range 2 {
		name := fmt.Sprintf("applied-%d", turn)
		cases = append(cases, corpus.Case{Name: name, Tenant: mutation.Rich(name, turn)})
	}
	const workers = 4
	t.Run("tenants", func(t *testing.T) {
		for worker := range workers {
			random := rand.New(rand.NewPCG(23, uint64(worker)))
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				clients := bench.newClients(t)
				for i := worker; i < len(cases); i += workers {
					plans, err := mutation.Plans(cases[i])
					if err != nil {
						t.Fatal(err)
					}
					for _, plan := range plans {
						bench.applyPlan(t, plan, random, i%disguised == 0)
					}
					if i/workers%4 == 0 { // making a process takes longer than everything else
						mustStay(t, clients, plans)
					}
				}
			})
		}
	})
	t.Logf("%d tenants applied", len(cases))
}

// disguised is of how many tenants one is applied in another order and spelling, too.
const disguised = 3

// applyPlan applies all objects of a plan and compares what is stored with what was applied.
func (s *site) applyPlan(t *testing.T, plan *engine.Plan, random *rand.Rand, disguise bool) {
	t.Helper()
	for _, intent := range plan.Objects() {
		if err := s.apply(t, intent); err != nil {
			t.Fatalf("%s: %v", intent, err)
		}
		s.mustEqual(t, intent, "as it was rendered")
		if !disguise {
			continue
		}
		content, err := mutation.Disguised(kinds[intent.GVK], intent.Object.Object, random)
		if err != nil {
			t.Fatal(err)
		}
		other := *intent
		other.Object = &unstructured.Unstructured{Object: content}
		bare(other.Object)
		if err := s.apply(t, &other); err != nil {
			t.Fatalf("%s: %v", intent, err)
		}
		s.mustEqual(t, intent, "in another order and spelling")
	}
}

// mustEqual compares what is stored of an intent, as a typed and as an unstructured object, with the intent.
func (s *site) mustEqual(t *testing.T, intent *engine.Intent, how string) {
	t.Helper()
	raw := s.stored(t, intent)
	typed, err := kinds[intent.GVK].Typed(raw.Object)
	if err != nil {
		t.Fatal(err)
	}
	for _, live := range []runtime.Object{raw, typed} {
		difference, err := comparer.Compare(intent.Object, live)
		if err != nil || !difference.Empty() {
			t.Errorf("%s, applied %s, as %T: differs in %v, %v\nintent %v\nstored %v", intent, how, live, difference.Paths(), err, intent.Object, raw)
		}
	}
	if lost, err := comparer.Unowned(intent.Object, raw, "bulkhead"); err != nil || len(lost) > 0 {
		t.Errorf("%s, applied %s: not owned: %v, %v", intent, how, lost, err)
	}
}

// mustStay runs plans with a process that has just started, and fails if it finds or writes anything.
func mustStay(t *testing.T, clients *clients, plans []*engine.Plan) {
	t.Helper()
	process := clients.start(t)
	for _, plan := range plans {
		bench.catchUp(t, plan.Objects()...)
		before := clients.writes.Load()
		outcome := process.run(t, plan, true)
		if n := clients.writes.Load() - before; n != 0 || len(outcome.Details) != 0 || outcome.Err != nil {
			t.Errorf("%s: %d writes, found %+v, %v", plan.Name, n, outcome.Details, outcome.Err)
		}
	}
}
