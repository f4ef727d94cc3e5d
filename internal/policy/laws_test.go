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

package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A filler fills a policy, whatever its fields are: by reflection, so that it knows fields that don't exist yet.
// Strings come from a small alphabet, so that keys collide often.
type filler struct {
	rnd *rand.Rand
	// full leaves no field unset.
	full bool
}

func newFiller(seed uint64, full bool) *filler {
	return &filler{rnd: rand.New(rand.NewPCG(seed, 7)), full: full}
}

func (f *filler) skip() bool { return !f.full && f.rnd.IntN(3) == 0 }

func (f *filler) fill(v reflect.Value) {
	if v.Type() == quantityType {
		// What the API server hands out is parsed, so that its spelling is canonical.
		v.Set(reflect.ValueOf(resource.MustParse(fmt.Sprint(1+f.rnd.IntN(9), []string{"", "m", "Mi", "Gi", "k"}[f.rnd.IntN(5)]))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString([]string{"a", "b", "c", "d", "e-$(tenant)"}[f.rnd.IntN(5)])
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(1 + f.rnd.IntN(5)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() && !f.skip() {
				f.fill(field)
			}
		}
	case reflect.Slice:
		f.fillSlice(v)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.rnd.IntN(4) + 1 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	default:
		panic("a filler doesn't know " + v.Kind().String())
	}
}

// fillSlice leaves out what the schema refuses: items of the same key, and the same value twice.
func (f *filler) fillSlice(v reflect.Value) {
	seen := map[string]bool{}
	for range f.rnd.IntN(5) + 1 {
		item := reflect.New(v.Type().Elem()).Elem()
		f.fill(item)
		id := fmt.Sprint(item.Interface())
		for _, key := range []string{"Name", "Type"} {
			if item.Kind() == reflect.Struct && item.FieldByName(key).IsValid() {
				if item.FieldByName(key).IsZero() {
					f.fill(item.FieldByName(key))
				}
				id = item.FieldByName(key).String()
			}
		}
		if !seen[id] {
			seen[id] = true
			v.Set(reflect.Append(v, item))
		}
	}
}

func must(t *testing.T, tenant string, layers ...*v1alpha1.PolicyBlocks) *v1alpha1.PolicyBlocks {
	t.Helper()
	out, err := Effective(tenant, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return &out
}

// checkLaws checks, for any three layers: merging is associative, an empty layer changes nothing, the last layer's
// keys and the union of keys survive, and the result shares no memory with the layers.
func checkLaws(t *testing.T, seed uint64) {
	t.Helper()
	f := newFiller(seed, false)
	layers := [3]*v1alpha1.PolicyBlocks{}
	before := [3]*v1alpha1.PolicyBlocks{}
	for i := range layers {
		layers[i] = &v1alpha1.PolicyBlocks{}
		f.fill(reflect.ValueOf(layers[i]).Elem())
		before[i] = layers[i].DeepCopy()
	}
	a, b, c := layers[0], layers[1], layers[2]

	all := must(t, "", a, b, c)
	for name, got := range map[string]*v1alpha1.PolicyBlocks{
		"(a ← b) ← c":           must(t, "", must(t, "", a, b), c),
		"a ← (b ← c)":           must(t, "", a, must(t, "", b, c)),
		"empty layers amid":     must(t, "", nil, a, &v1alpha1.PolicyBlocks{}, b, nil, c, &v1alpha1.PolicyBlocks{}),
		"the same layers twice": must(t, "", a, b, c, all),
	} {
		if diff := cmp.Diff(all, got, sameMeaning); diff != "" {
			t.Errorf("seed %d: %s: -want +got:\n%s", seed, name, diff)
		}
	}
	if diff := cmp.Diff(a, must(t, "", a, a), sameMeaning); diff != "" {
		t.Errorf("seed %d: a ← a: -want +got:\n%s", seed, diff)
	}
	checkKeys(t, seed, all, layers[:])

	for _, result := range []*v1alpha1.PolicyBlocks{all, must(t, "acme", a), must(t, "acme", a, b)} {
		scribble(reflect.ValueOf(result).Elem())
	}
	if diff := cmp.Diff(before, layers); diff != "" {
		t.Errorf("seed %d: layers changed with the result: -before +after:\n%s", seed, diff)
	}
}

// checkKeys checks that no key got lost, whatever the order of the lists.
func checkKeys(t *testing.T, seed uint64, got *v1alpha1.PolicyBlocks, layers []*v1alpha1.PolicyBlocks) {
	t.Helper()
	keys := func(blocks ...*v1alpha1.PolicyBlocks) map[string]bool {
		out := map[string]bool{}
		for _, p := range blocks {
			for _, limit := range p.Limits {
				out["limit "+string(limit.Type)] = true
			}
			if p.Network != nil {
				for _, opening := range p.Network.Allow {
					out["opening "+opening.Name] = true
				}
			}
			if p.Quota != nil {
				for name := range p.Quota.PerNamespace {
					out["quota "+string(name)] = true
				}
			}
		}
		return out
	}
	if diff := cmp.Diff(keys(layers...), keys(got)); diff != "" {
		t.Errorf("seed %d: keys: -want +got:\n%s", seed, diff)
	}
}

// scribble changes everything that can be reached.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("scribbled")
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
		}
	case reflect.Map:
		v.Clear()
	case reflect.Struct:
		if q, ok := v.Addr().Interface().(*resource.Quantity); ok {
			q.Add(*q)
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				scribble(v.Field(i))
			}
		}
	default:
	}
}

func TestEffectiveLaws(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		checkLaws(t, seed)
	}
}

func FuzzEffectiveLaws(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(checkLaws)
}
