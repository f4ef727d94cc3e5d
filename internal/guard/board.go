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

package guard

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

// A State is what is known of a guard-rail.
type State string

const (
	// Proven says that it is installed and unedited, and refused what it must on every API server that could be asked. One
	// that refuses nothing is only compared.
	Proven State = "Proven"
	// NotInstalled says that the policy or the binding is missing.
	NotInstalled State = "NotInstalled"
	// Edited says that the policy or the binding isn't what this version of Bulkhead ships.
	Edited State = "Edited"
	// NotEffective says that it is installed, unedited, and let pass what it must refuse.
	NotEffective State = "NotEffective"
	// NotApplicable says that the cluster doesn't serve what it is about.
	NotApplicable State = "NotApplicable"
	// Unknown says that it is installed and unedited, and that it isn't proven that it is in force.
	Unknown State = "Unknown"
)

// States are all states.
func States() []State {
	return []State{Proven, NotInstalled, Edited, NotEffective, NotApplicable, Unknown}
}

// Holds reports whether nothing is wrong with a guard-rail of this state.
func (s State) Holds() bool { return s == Proven || s == NotApplicable }

// A Verdict is what is to be said of one guard-rail.
type Verdict struct {
	// Policy is its name.
	Policy string
	// State is what is known of it.
	State State
	// Pending says that the first proof of this process is under way: what was known before stands.
	Pending bool
	// Message says in a sentence, without the name, what is wrong; of one that holds, which API servers couldn't be asked.
	Message string
	// When are the keys of guard-rail data with which a tenant relies on it; nil if all tenants do.
	When []string
}

// ReliesOn reports whether a tenant whose namespaces have these keys relies on the guard-rail.
func (v *Verdict) ReliesOn(keys []string) bool {
	return len(v.When) == 0 || slices.ContainsFunc(v.When, func(key string) bool { return slices.Contains(keys, key) })
}

func sameVerdict(a, b Verdict) bool {
	return a.Policy == b.Policy && a.State == b.State && a.Pending == b.Pending && a.Message == b.Message
}

// Board is where it stands what is known of the guard-rails. A nil Board knows of none. It is safe for concurrent use.
type Board struct {
	mu       sync.RWMutex
	verdicts []Verdict
}

// NewBoard makes a board on which the proof of all guard-rails is still pending.
func NewBoard(rails []Rail) *Board {
	b := &Board{}
	for _, rail := range rails {
		b.verdicts = append(b.verdicts, pending(rail))
	}
	return b
}

func pending(rail Rail) Verdict {
	return Verdict{Policy: rail.Name(), State: Unknown, Pending: true, When: rail.When()}
}

// Verdicts are the latest, sorted by policy. They are shared: don't change them.
func (b *Board) Verdicts() []Verdict {
	if b == nil {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.verdicts
}

// Publish takes the verdicts on all guard-rails of the board, sorted by policy. It returns those that are news, each with what was
// known before.
func (b *Board) Publish(verdicts []Verdict) []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	var changes []Change
	for _, verdict := range verdicts {
		at := slices.IndexFunc(b.verdicts, func(v Verdict) bool { return v.Policy == verdict.Policy })
		if at >= 0 && !sameVerdict(b.verdicts[at], verdict) {
			changes = append(changes, Change{Before: b.verdicts[at], Now: verdict})
		}
		state(verdict)
	}
	if len(changes) > 0 {
		b.verdicts = slices.Clone(verdicts)
	}
	return changes
}

// A Change is a verdict that is news.
type Change struct{ Before, Now Verdict }

// state sets the metrics of a guard-rail.
func state(verdict Verdict) {
	for _, s := range States() {
		metrics.GuardRail(verdict.Policy, string(s), s == verdict.State)
	}
}

// Ready says which guard-rails don't hold; nil if all do.
func (b *Board) Ready() error {
	verdicts := b.Verdicts()
	var faults []string
	for _, verdict := range verdicts {
		if verdict.State.Holds() {
			continue
		}
		fault := verdict.Policy + ": " + string(verdict.State)
		if verdict.Message != "" {
			fault += ": " + verdict.Message
		}
		faults = append(faults, fault)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d guard-rails are not proven: %s", len(faults), len(verdicts), strings.Join(faults, "; "))
}
