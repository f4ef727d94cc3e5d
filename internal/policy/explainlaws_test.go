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
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// checkOrigins checks, for any three layers, that each leaf's value is what the named layer has at that path, that no less
// general layer sets it, and that the leaves by themselves make the policy in force again.
func checkOrigins(t *testing.T, seed uint64) {
	t.Helper()
	f := newFiller(seed, false)
	var layers []Layer
	var policies []*v1alpha1.PolicyBlocks
	contents := map[string]any{}
	for _, name := range []string{"class", "tenant", "namespace"} {
		policy := &v1alpha1.PolicyBlocks{}
		f.fill(reflect.ValueOf(policy).Elem())
		policies, layers = append(policies, policy), append(layers, Layer{name, policy})
		value, err := content(policy)
		if err != nil {
			t.Fatal(err)
		}
		contents[name] = value
	}
	before := must(t, "", policies...)
	leaves, err := Explain("acme", layers...)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		if leaf.Unset {
			if value, ok := find(mustContent(t, before), leaf.at); ok {
				t.Errorf("seed %d: %s is said to be unset, and is %v", seed, leaf.Path, value)
			}
			continue
		}
		written := leaf.Value
		if leaf.Raw != nil {
			written = leaf.Raw
		}
		if value, _ := find(contents[leaf.Origin], leaf.at); !reflect.DeepEqual(value, written) {
			t.Errorf("seed %d: %s is %v, and %v in its origin %q", seed, leaf.Path, written, value, leaf.Origin)
		}
		order := []string{leaf.Origin}
		for _, o := range leaf.Overrides {
			order = append(order, o.Origin)
			if value, _ := find(contents[o.Origin], leaf.held); !reflect.DeepEqual(value, o.Value) {
				t.Errorf("seed %d: %s overrides %v, and %q has %v", seed, leaf.Path, o.Value, o.Origin, value)
			}
		}
		var setBy []string
		for _, name := range []string{"namespace", "tenant", "class"} {
			if _, ok := find(contents[name], leaf.held); ok {
				setBy = append(setBy, name)
			}
		}
		if diff := cmp.Diff(setBy, order); diff != "" {
			t.Errorf("seed %d: %s: set by -want +got:\n%s", seed, leaf.Path, diff)
		}
	}
	for tenant, full := range map[string]bool{"": false, "acme": true} {
		want := sorted(mustContent(t, must(t, tenant, policies...)))
		if diff := cmp.Diff(want, sorted(rebuilt(leaves, full))); diff != "" {
			t.Errorf("seed %d: the policy in force, and that of the leaves: -want +got:\n%s", seed, diff)
		}
	}
}

func mustContent(t *testing.T, policy *v1alpha1.PolicyBlocks) any {
	t.Helper()
	value, err := content(policy)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestExplainOrigins(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		checkOrigins(t, seed)
	}
}

func FuzzExplainOrigins(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(checkOrigins)
}

// rebuilt makes a policy of leaves: as it is written or, in full, with $(tenant) replaced.
func rebuilt(leaves []Leaf, full bool) any {
	var root any
	for _, leaf := range leaves {
		if leaf.Unset {
			continue
		}
		value := leaf.Value
		if leaf.Raw != nil && !full {
			value = leaf.Raw
		}
		root = put(root, leaf.at, value)
	}
	if full {
		expandKeys(root)
	}
	return root
}

// put sets a value at a path, and makes what is on the way.
func put(in any, path fieldpath.Path, value any) any {
	if len(path) == 0 {
		return value
	}
	element := path[0]
	if element.FieldName != nil {
		object, ok := in.(map[string]any)
		if !ok {
			object = map[string]any{}
		}
		object[*element.FieldName] = put(object[*element.FieldName], path[1:], value)
		return object
	}
	list, _ := in.([]any)
	if element.Key == nil {
		return append(list, value)
	}
	for i := range list {
		if isItem(list[i], element) {
			list[i] = put(list[i], path[1:], value)
			return list
		}
	}
	item := map[string]any{}
	for _, key := range *element.Key {
		item[key.Name] = key.Value.Unstructured()
	}
	return append(list, put(item, path[1:], value))
}

// expandKeys replaces $(tenant) in the keys of items, which the API doesn't accept there.
func expandKeys(in any) {
	switch in := in.(type) {
	case map[string]any:
		for field, value := range in {
			if key, ok := value.(string); ok && (field == "name" || field == "type") {
				in[field] = strings.ReplaceAll(key, tenantToken, "acme")
			}
			expandKeys(value)
		}
	case []any:
		for _, item := range in {
			expandKeys(item)
		}
	}
}

// sorted is a value without what is empty, and with all lists sorted: nothing else tells sets from other lists.
func sorted(in any) any {
	switch in := in.(type) {
	case map[string]any:
		out := map[string]any{}
		for field, value := range in {
			if value = sorted(value); value != nil {
				out[field] = value
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		var out []any
		for _, item := range in {
			out = append(out, sorted(item))
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(text(a), text(b)) })
		if len(out) > 0 {
			return out
		}
		return nil
	default:
		return in
	}
}
