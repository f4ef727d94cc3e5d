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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package server_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

// broken is a room that can't render.
type broken struct{ feature.Feature }

func (broken) Render(feature.Facts) (feature.Result, error) {
	return feature.Result{}, errors.New("the input makes no sense")
}

// TestFailedRoomIsLeftAlone breaks one room after the other: its objects and its labels stay, and its siblings are
// applied.
func TestFailedRoomIsLeftAlone(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, c corpus.Case) {
		if c.Sample {
			return // the corpus proper holds all that the samples do
		}
		for _, s := range subjects(t, c, "fr") {
			if s.tenant != nil {
				continue
			}
			full := s.plan(t, features.All())
			start(t, features.All()).mustSettle(t, full)
			for i, room := range features.All() {
				rooms := slices.Clone(features.All())
				rooms[i] = broken{room}
				p := start(t, rooms)
				plan := s.plan(t, rooms)
				outcome, _ := p.pass(t, plan, true)
				for _, other := range rooms {
					want := "True " + v1alpha1.ReasonApplied
					if other.Name() == room.Name() {
						want = "False " + v1alpha1.ReasonInvalidPolicy
					}
					// What lives must come to life first, in its own time, and nobody is here who brings optional kinds to life.
					got := condition(outcome, other.Condition())
					if got != want && got != "False "+v1alpha1.ReasonPending && got != "False "+v1alpha1.ReasonNotProgrammed {
						t.Errorf("with %s broken, %s is %s, want %s", room.Name(), other.Condition(), got, want)
					}
				}
				if outcome.Err != nil || len(outcome.Withdrawn)+len(outcome.Corrected)+len(outcome.Open) != 0 {
					t.Errorf("with %s broken: withdrawn %v, corrected %v, open %v, %v", room.Name(), outcome.Withdrawn, outcome.Corrected, outcome.Open, outcome.Err)
				}
				for _, intent := range full.Objects() {
					live := stored(t, intent)
					if live == nil {
						t.Errorf("with %s broken, %s is gone", room.Name(), intent)
						continue
					}
					for key, value := range intent.Object.GetLabels() {
						if live.GetLabels()[key] != value {
							t.Errorf("with %s broken, label %s of %s is %q", room.Name(), key, intent, live.GetLabels()[key])
						}
					}
				}
				catchUp(t, full.Objects()...)
			}
		}
	})
}
