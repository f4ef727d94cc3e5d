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

package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// shuffle shuffles every list without an order; in these kinds that is every list, at any depth.
func shuffle(rnd *rand.Rand, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			shuffle(rnd, value)
		}
	case []any:
		for _, value := range v {
			shuffle(rnd, value)
		}
		rnd.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
	}
}

func typedFrom(t *testing.T, scheme *runtime.Scheme, u *unstructured.Unstructured) runtime.Object {
	t.Helper()
	out, err := scheme.New(u.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// However the lists of a live object are ordered, it doesn't differ; and the hash of an intent is the same.
func TestPermutationsAreNoDrift(t *testing.T) {
	t.Parallel()
	comparer, scheme := newComparer(t), newScheme(t)
	for name, text := range intents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, 2))
			intent := object(t, text)
			hash := IntentHash(intent)
			for i := range 1000 {
				permuted := intent.DeepCopy()
				shuffle(rnd, permuted.Object)
				if got := IntentHash(permuted); got != hash {
					t.Fatalf("permutation %d: hash %s, want %s, of %v", i, got, hash, permuted.Object)
				}
				got, err := comparer.Compare(intent, typedFrom(t, scheme, permuted))
				if err != nil {
					t.Fatal(err)
				}
				if !got.Empty() {
					t.Fatalf("permutation %d: %v differs in %v", i, permuted.Object, got.Paths())
				}
			}
		})
	}
}

// mutate calls visit once for each place below v that can be changed, while it is changed: a text or number that is
// another one, a field left out, an item of a list doubled or left out.
func mutate(v any, put func(any), visit func(what string)) {
	try := func(what string, other any) {
		put(other)
		visit(what)
		put(v)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			mutate(value, func(other any) { v[key] = other }, func(what string) { visit(key + "." + what) })
			if m, ok := value.(map[string]any); ok && len(m) == 0 {
				try(key+": not empty", map[string]any{"matchLabels": map[string]any{"a": "b"}})
				continue
			}
			delete(v, key)
			visit(key + ": left out")
			v[key] = value
		}
	case []any:
		try("one doubled", append(slices.Clip(v), v[0]))
		try("one left out", v[1:])
		for i, value := range v {
			mutate(value, func(other any) { v[i] = other }, func(what string) { visit(fmt.Sprint(i, ".", what)) })
		}
	case string:
		// Digits, so that a quantity stays one; in front, for its unit is at the end.
		try("other text", "1"+v)
	case int64:
		try("other number", v+1)
	}
}

// Whatever is changed in what we manage, it is found: by the comparison and by the hash.
func TestEveryMutationIsDrift(t *testing.T) {
	t.Parallel()
	comparer, scheme := newComparer(t), newScheme(t)
	for name, text := range intents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intent, mutant := object(t, text), object(t, text)
			hash, n := IntentHash(intent), 0
			check := func(what string) {
				n++
				got, err := comparer.Compare(intent, typedFrom(t, scheme, mutant))
				if err != nil {
					t.Errorf("%s: %v", what, err)
				} else if got.Empty() {
					t.Errorf("%s: not found", what)
				}
				if IntentHash(mutant) == hash && what != "annotations.tenancy.bulkhead.dev/intent.other text" &&
					what != "annotations: left out" && what != "annotations.tenancy.bulkhead.dev/intent: left out" {
					t.Errorf("%s: same hash", what)
				}
			}
			for root, value := range mutant.Object {
				if root == "apiVersion" || root == "kind" || root == "metadata" {
					continue
				}
				mutate(value, func(other any) { mutant.Object[root] = other }, check)
			}
			metadata, ok := mutant.Object["metadata"].(map[string]any)
			if !ok {
				t.Fatal("no metadata")
			}
			delete(metadata, "name")
			delete(metadata, "namespace")
			mutate(metadata, func(any) {}, func(what string) {
				metadata["name"], metadata["namespace"] = intent.GetName(), intent.GetNamespace()
				check(what)
				delete(metadata, "name")
				delete(metadata, "namespace")
			})
			if n == 0 {
				t.Error("nothing was mutated")
			}
		})
	}
}

func TestQuantity(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   []any
		want any
	}{
		"one":        {in: []any{"1", "1000m", "1.0", int64(1), float64(1), "1e0", "1000000u"}, want: "1"},
		"half":       {in: []any{"0.5", "500m", 0.5, "5e-1", "0.5"}, want: "500m"},
		"a gibibyte": {in: []any{"1Gi", "1024Mi", "1073741824", int64(1073741824)}, want: "1073741824"},
		"fractions":  {in: []any{"1.5Gi", "1536Mi", "1610612736"}, want: "1610612736"},
		"a thousand": {in: []any{"1k", "1000", "1e3", "1E3"}, want: "1k"},
		"zero":       {in: []any{"0", "0m", "0Gi", int64(0)}, want: "0"},
		"large":      {in: []any{"1E", "1000P"}, want: "1E"},
		// The API server can't hold more either: ParseQuantity cuts off there.
		"more than an int64": {in: []any{"16Ei", "16384Pi"}, want: "9223372036854775807"},
		"no quantity":        {in: []any{"many"}, want: "many"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, in := range tt.in {
				if got := quantity(in); got != tt.want {
					t.Errorf("%v: got %v, want %v", in, got, tt.want)
				}
			}
		})
	}
}

func TestIntOrString(t *testing.T) {
	t.Parallel()
	for in, want := range map[any]any{"80": int64(80), "http": "http", int64(80): int64(80), "": "", "99999999999": "99999999999"} {
		if got := intOrString(in); got != want {
			t.Errorf("%v: got %v, want %v", in, got, want)
		}
	}
}
