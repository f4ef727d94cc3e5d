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
	"hash/fnv"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

const (
	// rigs are how many tenants share the mutations: two that limit one thing, and two that limit another.
	rigs = 4
	// one mutation of so many is tried by default, and of kinds of which there are few.
	every, everyOfFew = 20, 6
)

// least is how many mutations of a kind must at least have changed a value, of all.
var least = map[string]int{
	"ClusterRole": 130, "ClusterRoleBinding": 80, "LimitRange": 80, "Namespace": 40, "NetworkPolicy": 900,
	"ResourceQuota": 45, "RoleBinding": 120,
}

// TestEveryMutation does everything to every object of tenants that use every room: all that isn't refused is detected,
// attributed, corrected, and recorded at the right path. By default it does only some things, by chance; with
// BULKHEAD_MUTATION=all, all of them.
func TestEveryMutation(t *testing.T) {
	b := newBook()
	all := os.Getenv("BULKHEAD_MUTATION") == "all"
	chosen := chance(seed(t))
	t.Run("rigs", func(t *testing.T) {
		for i := range rigs {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, fmt.Sprintf("mutated-%d", i), i, b, func(intent *engine.Intent, deeds []deed) []deed {
					var mine []deed
					for j, d := range deeds {
						if j/2%(rigs/2) == i/2 && (all || chosen(intent, j/rigs)) {
							mine = append(mine, d)
						}
					}
					return mine
				})
				r.run()
				r.aggregate()
			})
		}
	})
	t.Logf("what became of the mutations:\n%s", b.tally)
	b.explained(t, all)
	for _, kind := range kinds {
		name := kind.GVK.Kind
		want := least[name]
		if !all {
			want = min(want, 1) // how many are among those chosen is up to chance
		}
		if n := b.tally.Count(name, "values"); n < want || want == 0 {
			t.Errorf("%s: %d mutations changed a value, want at least %d", name, n, want)
		}
		for _, column := range []string{"detected", "corrected"} {
			if n, want := b.tally.Count(name, column), b.tally.Count(name, "effective"); n != want {
				t.Errorf("%s: %d %s, want %d", name, n, column, want)
			}
		}
	}
}

// chance chooses which of the deeds to do, by their number: not those of the same numbers for all objects, as many have
// the same fields in the same order.
func chance(seed uint64) func(intent *engine.Intent, number int) bool {
	return func(intent *engine.Intent, number int) bool {
		of := everyOfFew
		if intent.GVK.Kind == "NetworkPolicy" {
			of = every
		}
		hash := fnv.New64a()
		_, _ = fmt.Fprint(hash, intent, seed) // a hash takes everything
		return number%of == int(hash.Sum64()%uint64(of))
	}
}

// explained fails if something was refused, or did nothing, that isn't known to be so; and, if everything was tried, if
// a field was never changed.
func (b *book) explained(t *testing.T, all bool) {
	t.Helper()
	used := make([]bool, len(refusals))
	for _, class := range slices.Sorted(maps.Keys(b.refused)) {
		for _, answer := range b.refused[class] {
			i := slices.IndexFunc(refusals, func(r refusal) bool { return r.is(class, answer) })
			if i < 0 {
				t.Errorf("refused, and not in the list of refusals: %s: %s", class, answer)
				continue
			}
			used[i] = true
		}
		t.Logf("refused: %s, such as %s", class, b.refused[class][0])
	}
	for _, class := range slices.Sorted(maps.Keys(b.void)) {
		known := false
		for _, r := range voids {
			known = known || r.MatchString(class)
		}
		if !known {
			t.Errorf("accepted, and nothing was done: %s: %s", class, b.void[class][0])
		}
	}
	if !all {
		return
	}
	for i, r := range refusals {
		if !used[i] {
			t.Errorf("in the list of refusals, and never refused: %s: %s", r.class, r.says)
		}
	}
	b.reached(t)
}

// reached fails if there is a field that counts, and no mutation of it changed a value.
func (b *book) reached(t *testing.T) {
	t.Helper()
	changed := map[string]bool{}
	for class := range b.effective {
		kind, rest, _ := strings.Cut(class, ": ")
		_, path, _ := strings.Cut(rest, " ")
		for i := range path {
			if path[i] == '.' || path[i] == '[' {
				changed[kind+": "+path[:i]] = true
			}
		}
		changed[kind+": "+path] = true
		changed[kind+": "+strings.TrimSuffix(strings.TrimSuffix(path, "[]"), "[*]")] = true
	}
	for _, kind := range kinds {
		for field := range kind.Fields() {
			name := kind.GVK.Kind + ": " + field
			counts := !strings.HasPrefix(field, "metadata") && !strings.HasPrefix(field, "status") && field != "kind" && field != "apiVersion" ||
				strings.HasPrefix(field, "metadata.ownerReferences[]") || field == "metadata.labels[*]" || field == "metadata.annotations[*]"
			if kind.GVK.Kind == "Namespace" {
				counts = field == "metadata.labels[*]" || field == "metadata.annotations[*]"
			}
			if _, never := unreachable[name]; counts && changed[name] == never {
				t.Errorf("%s: changed is %v, and it is %q in the list of what is unreachable", name, changed[name], unreachable[name])
			}
		}
	}
}
