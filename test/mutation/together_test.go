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
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// TestMutationsTogether makes up to four random mutations of one object at once: they are found together, and the JSON
// pointers of what was injected remove just that.
func TestMutationsTogether(t *testing.T) {
	t.Parallel()
	l := &lab{kinds: allKinds(t), comparer: comparer(t)}
	for _, c := range tenants(t) {
		t.Run(strings.ReplaceAll(c.Name, "/", ":"), func(t *testing.T) {
			t.Parallel()
			plans, err := mutation.Plans(c)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(3, 4))
			for _, plan := range plans {
				for _, intent := range plan.Objects() {
					l.together(t, intent, random)
				}
			}
		})
	}
}

func (l *lab) together(t *testing.T, intent *engine.Intent, random *rand.Rand) {
	t.Helper()
	kind := l.kinds[intent.GVK]
	all, err := mutation.Mutations(kind, intent.Object.Object)
	if err != nil {
		t.Fatalf("%s: %v", intent, err)
	}
	for range 30 {
		live, err := kind.Content(intent.Object.Object)
		if err != nil {
			t.Fatal(err)
		}
		var done []string
		for range 1 + random.IntN(4) {
			m := all[random.IntN(len(all))]
			changed, err := m.Apply(live)
			if err != nil {
				continue // there is nothing left that it could change
			}
			live = changed
			done = append(done, m.String())
		}
		want, err := mutation.Differences(kind, intent.Object.Object, live)
		if err != nil {
			t.Fatalf("%s: %v: %v", intent, done, err)
		}
		difference, err := l.comparer.Compare(intent.Object, &unstructured.Unstructured{Object: live})
		if err != nil {
			t.Fatalf("%s: %v: %v", intent, done, err)
		}
		if diff := cmp.Diff(want, findings(difference)); diff != "" {
			t.Errorf("%s: %v: differences (-want +got):\n%s", intent, done, diff)
		}
		l.remove(t, intent, live, difference)
	}
}

// remove removes what was injected, one pointer after the other, as the API server does.
func (l *lab) remove(t *testing.T, intent *engine.Intent, live map[string]any, difference drift.Difference) {
	t.Helper()
	kind := l.kinds[intent.GVK]
	content, err := kind.Content(live)
	if err != nil {
		t.Fatal(err)
	}
	left := any(content)
	for _, pointer := range difference.InjectedPointers() {
		var there bool
		if left, there = without(left, strings.Split(pointer, "/")[1:]); !there {
			t.Errorf("%s: there is nothing at %s", intent, pointer)
		}
	}
	rest, ok := left.(map[string]any)
	if !ok {
		t.Fatalf("%s: nothing is left", intent)
	}
	got, err := mutation.Differences(kind, intent.Object.Object, rest)
	if err != nil {
		t.Fatal(err)
	}
	var want []mutation.Finding
	for _, f := range findings(difference) {
		if f.Type != v1alpha1.DriftFieldInjected {
			want = append(want, f)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, without %v: differences (-want +got):\n%s", intent, difference.InjectedPointers(), diff)
	}
}

// without is a value without what a JSON pointer points to, and whether there was anything.
func without(value any, pointer []string) (any, bool) {
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer[0])
	switch here := value.(type) {
	case map[string]any:
		child, there := here[key]
		if !there {
			return here, false
		}
		out := maps.Clone(here)
		if len(pointer) == 1 {
			delete(out, key)
			return out, true
		}
		out[key], there = without(child, pointer[1:])
		return out, there
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i >= len(here) {
			return here, false
		}
		out := append([]any{}, here...)
		if len(pointer) == 1 {
			return append(out[:i], out[i+1:]...), true
		}
		var there bool
		out[i], there = without(here[i], pointer[1:])
		return out, there
	default:
		return value, false
	}
}
