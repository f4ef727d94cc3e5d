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

package mutation_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// tenants are the whole corpus, the samples among it, and the rich ones.
func tenants(t *testing.T) []corpus.Case {
	t.Helper()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for turn := range 2 {
		name := fmt.Sprintf("rich-%d", turn)
		cases = append(cases, corpus.Case{Name: name, Tenant: mutation.Rich(name, turn)})
	}
	return cases
}

func comparer(t *testing.T) *drift.Comparer {
	t.Helper()
	c, err := drift.NewComparer(clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// one mutation of so many is tried on a tenant that isn't rich, unless BULKHEAD_MUTATION is "all": rich ones have
// every field that any has.
const every = 5

// unstructuredToo is of how many mutations one is compared as an unstructured object, too.
const unstructuredToo = 5

// lab is what mutations are tried with.
type lab struct {
	kinds    kinds
	comparer *drift.Comparer

	turn  atomic.Int64
	mu    sync.Mutex
	tally *mutation.Tally
	tried map[string]map[string]bool
}

// TestEveryMutation tries all mutations of all objects of rich tenants, and some of the others, by chance: what is found must be what was changed, no more
// and no less, at the right path and of the right type.
func TestEveryMutation(t *testing.T) {
	t.Parallel()
	l := &lab{kinds: allKinds(t), comparer: comparer(t), tried: map[string]map[string]bool{},
		tally: mutation.NewTally("mutations", "harmless", "drift", "detected")}
	offset := rand.IntN(every)
	t.Run("tenants", func(t *testing.T) {
		for _, c := range tenants(t) {
			whole := strings.HasPrefix(c.Name, "rich-") || os.Getenv("BULKHEAD_MUTATION") == "all"
			t.Run(strings.ReplaceAll(c.Name, "/", ":"), func(t *testing.T) {
				t.Parallel()
				plans, err := mutation.Plans(c)
				if err != nil {
					t.Fatal(err)
				}
				for _, plan := range plans {
					for _, intent := range plan.Objects() {
						l.try(t, intent, func(i int) bool { return whole || i%every == offset })
					}
				}
			})
		}
	})
	t.Logf("what became of the mutations in memory:\n%s", l.tally)
	l.complete(t)
}

// try tries those mutations of an intent that are to be tried, by their number.
func (l *lab) try(t *testing.T, intent *engine.Intent, asked func(int) bool) {
	t.Helper()
	kind := l.kinds[intent.GVK]
	all, err := mutation.Mutations(kind, intent.Object.Object)
	if err != nil {
		t.Fatalf("%s: %v", intent, err)
	}
	number := -1
	all = slices.DeleteFunc(all, func(mutation.Mutation) bool {
		number++
		return !asked(number)
	})
	live, err := kind.Content(intent.Object.Object)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]int{}
	for _, m := range all {
		changed, err := m.Apply(live)
		if err != nil {
			t.Fatalf("%s: %s: %v", intent, m, err)
		}
		want, err := mutation.Differences(kind, intent.Object.Object, changed)
		if err != nil {
			t.Fatalf("%s: %s: %v", intent, m, err)
		}
		columns["mutations"]++
		if m.Harmless {
			columns["harmless"]++
		} else {
			columns["drift"]++
		}
		if m.Harmless != (len(want) == 0) {
			t.Errorf("%s: %s: harmless is %v, and it differs in %v", intent, m, m.Harmless, want)
		}
		if l.compare(t, intent, m, changed, want) && !m.Harmless {
			columns["detected"]++
		}
	}
	l.note(intent, all, columns)
}

// compare compares a changed object, as a typed one as in the cache and now and then as an unstructured one, and reports
// whether what is found is what is wanted.
func (l *lab) compare(t *testing.T, intent *engine.Intent, m mutation.Mutation, changed map[string]any, want []mutation.Finding) bool {
	t.Helper()
	typed, err := l.kinds[intent.GVK].Typed(changed)
	if err != nil {
		t.Fatal(err)
	}
	objects := []runtime.Object{typed}
	if l.turn.Add(1)%unstructuredToo == 0 {
		objects = append(objects, &unstructured.Unstructured{Object: changed})
	}
	right := true
	for _, object := range objects {
		before := object.DeepCopyObject()
		difference, err := l.comparer.Compare(intent.Object, object)
		if err != nil {
			t.Errorf("%s: %s: %v", intent, m, err)
			return false
		}
		if diff := cmp.Diff(want, findings(difference)); diff != "" {
			t.Errorf("%s, as %T: %s: differences (-want +got):\n%s", intent, object, m, diff)
			right = false
		}
		if !reflect.DeepEqual(before, object) {
			t.Errorf("%s, as %T: %s: the comparison changed the object from %s to %s", intent, object, m, marshal(t, before), marshal(t, object))
		}
		if !related(m, difference) {
			t.Errorf("%s, as %T: %s: recorded only at %v", intent, object, m, difference.Paths())
			right = false
		}
	}
	return right
}

// related reports whether something of a difference is where the mutation was made: there, above it, or below it.
func related(m mutation.Mutation, difference drift.Difference) bool {
	if m.Harmless {
		return difference.Empty()
	}
	path := m.Path.String()
	for _, found := range difference.Paths() {
		if strings.HasPrefix(path, found) || strings.HasPrefix(found, path) {
			return true
		}
	}
	return false
}

func (l *lab) note(intent *engine.Intent, all []mutation.Mutation, columns map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := intent.GVK.Kind
	for column, n := range columns {
		for range n {
			l.tally.Add(kind, column)
		}
	}
	if l.tried[kind] == nil {
		l.tried[kind] = map[string]bool{}
	}
	for _, m := range all {
		for i := range m.About {
			l.tried[kind][m.About[:i+1].Generic()] = true
		}
	}
}

func findings(difference drift.Difference) []mutation.Finding {
	var all []mutation.Finding
	for _, change := range difference.Changes {
		all = append(all, mutation.Finding{Path: change.Path, Type: change.Type})
	}
	return all
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
