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

package custom

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A Mutant is one change of one object.
type Mutant struct {
	// Op is modify, remove, inject, append or supplant.
	Op string
	// Path are names of fields, keys, and positions in lists.
	Path []any
	// Value is the new value, if the operation has one.
	Value any
}

// String tells the mutant from all others of the object.
func (m Mutant) String() string {
	raw, err := json.Marshal(m.Value)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %v %.300s", m.Op, m.Path, raw)
}

// Apply returns a changed copy of an object.
func (m Mutant) Apply(object map[string]any) map[string]any {
	return asMap(edited(object, m.Path, m))
}

func edited(at any, path []any, m Mutant) any {
	if len(path) == 0 {
		switch list, _ := at.([]any); m.Op {
		case "append":
			return append(slices.Clone(list), m.Value)
		case "supplant":
			return []any{m.Value}
		default:
			return m.Value
		}
	}
	switch step := path[0].(type) {
	case string:
		out := maps.Clone(asMap(at))
		if out == nil {
			out = map[string]any{}
		}
		if m.Op == "remove" && len(path) == 1 {
			delete(out, step)
			return out
		}
		out[step] = edited(out[step], path[1:], m)
		return out
	case int:
		list, _ := at.([]any)
		out := slices.Clone(list)
		if m.Op == "remove" && len(path) == 1 {
			return slices.Delete(out, step, step+1)
		}
		out[step] = edited(out[step], path[1:], m)
		return out
	default:
		return at
	}
}

// Mutants are all changes of an object's spec that a schema of the spec knows, and those of its metadata that clients may
// make.
func Mutants(spec *props, object map[string]any) []Mutant {
	g := &generator{}
	g.value(spec, object["spec"], []any{"spec"})
	metadata := asMap(object["metadata"])
	for _, field := range []string{"labels", "annotations"} {
		for _, key := range slices.Sorted(maps.Keys(asMap(metadata[field]))) {
			g.add("remove", []any{"metadata", field, key}, nil)
			g.add("modify", []any{"metadata", field, key}, "mutant")
		}
		g.add("inject", []any{"metadata", field, "example.com/mutant"}, "mutant")
	}
	g.add("inject", []any{"metadata", "ownerReferences"}, []any{map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "6d757461-6e74-6d75-7461-6e746d757461",
	}})
	return g.all
}

type generator struct{ all []Mutant }

func (g *generator) add(op string, path []any, value any) {
	g.all = append(g.all, Mutant{Op: op, Path: path, Value: value})
}

func (g *generator) value(s *props, value any, path []any) {
	below := func(step any) []any { return append(slices.Clip(path), step) }
	switch here := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(here)) {
			g.add("remove", below(key), nil)
			if child := childOf(s, key); child != nil {
				g.value(child, here[key], below(key))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if _, there := here[name]; !there {
				child := s.Properties[name]
				for _, sample := range samplesOf(&child, deepest) {
					g.add("inject", below(name), sample)
				}
			}
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
			g.add("inject", below("example.com/mutant"), leastOf(s.AdditionalProperties.Schema))
		}
	case []any:
		for i, item := range here {
			g.add("remove", below(i), nil)
			g.value(s.Items.Schema, item, below(i))
		}
		for _, sample := range samplesOf(s.Items.Schema, 1) {
			g.add("append", path, sample)
		}
		if len(here) > 0 {
			g.add("supplant", path, leastOf(s.Items.Schema))
		}
	default:
		for _, other := range othersOf(s, value) {
			g.add("modify", path, other)
		}
	}
}

func childOf(s *props, key string) *props {
	if child, ok := s.Properties[key]; ok {
		return &child
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Schema
	}
	return nil
}

// Alike reports whether an object is, in all that counts, what the intent says: its spec in each detail, our labels and
// annotations, and that nobody owns it. It shares nothing with drift.Comparer.
func Alike(intent, live map[string]any) bool {
	for _, object := range []map[string]any{intent, live} {
		for field := range object {
			if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec", "status"}, field) {
				return false
			}
		}
	}
	want, have := asMap(intent["metadata"]), asMap(live["metadata"])
	for _, field := range []string{"labels", "annotations"} {
		for key, value := range asMap(want[field]) {
			if asMap(have[field])[key] != value {
				return false
			}
		}
	}
	return have["ownerReferences"] == nil && reflect.DeepEqual(withoutEmpty(intent["spec"]), withoutEmpty(live["spec"]))
}

// filledIn is what the newest CRD of EgressIP fills in where nothing is said.
var filledIn = map[string]any{"matchExpressions": []any{map[string]any{"key": "k8s.ovn.org/egress-assignable", "operator": "Exists"}}}

func isFilledIn(key string, value any) bool {
	return key == "egressNodeSelector" && reflect.DeepEqual(value, filledIn)
}

// withoutEmpty leaves out what some CRDs fill in: empty lists that are fields, and one selector.
func withoutEmpty(value any) any {
	switch here := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, child := range here {
			if list, ok := child.([]any); (!ok || len(list) > 0) && !isFilledIn(key, child) {
				out[key] = withoutEmpty(child)
			}
		}
		return out
	case []any:
		var out []any
		for _, item := range here {
			out = append(out, withoutEmpty(item))
		}
		return out
	default:
		return value
	}
}

// A Finding is one difference that must be recorded.
type Finding struct {
	Path string
	Type v1alpha1.DriftType
}

// Finding is what must be recorded of a mutant of an object, in an API with these lists that have a key.
func (m Mutant) Finding(object map[string]any, keyed map[string]string) Finding {
	found := Finding{Type: map[string]v1alpha1.DriftType{
		"remove": v1alpha1.DriftFieldRemoved, "inject": v1alpha1.DriftFieldInjected,
	}[m.Op]}
	if found.Type == "" {
		found.Type = v1alpha1.DriftFieldModified
	}
	var at any = object
	for i, step := range m.Path {
		switch step := step.(type) {
		case string:
			found.Path += named(m.Path[:i], step)
			at = asMap(at)[step]
		case int:
			key := keyed[strings.TrimPrefix(found.Path, ".")]
			list, ok := at.([]any)
			if !ok || step >= len(list) {
				return found // of another object
			}
			if key == "" {
				return wholeList(found.Path, m, i, list)
			}
			at = list[step]
			found.Path += "[" + key + "=" + strconv.Quote(fmt.Sprint(asMap(at)[key])) + "]"
			if last, ok := m.Path[len(m.Path)-1].(string); ok && i == len(m.Path)-2 && last == key && m.Op != "inject" {
				return Finding{strings.TrimPrefix(found.Path, "."), v1alpha1.DriftFieldRemoved} // and another item is injected
			}
		}
	}
	found.Path = strings.TrimPrefix(found.Path, ".")
	if key := keyed[found.Path]; key != "" && (m.Op == "append" || m.Op == "supplant") {
		return Finding{found.Path + "[" + key + "=" + strconv.Quote(fmt.Sprint(asMap(m.Value)[key])) + "]", v1alpha1.DriftFieldInjected}
	}
	return found
}

// wholeList is what must be recorded of a change inside of a list that counts as a whole.
func wholeList(path string, m Mutant, depth int, list []any) Finding {
	found := Finding{strings.TrimPrefix(path, "."), v1alpha1.DriftFieldModified}
	if m.Op == "remove" && depth == len(m.Path)-1 && len(list) == 1 {
		found.Type = v1alpha1.DriftFieldRemoved // nothing of it is left
	}
	return found
}

var isField = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)

func named(parent []any, name string) string {
	free := len(parent) > 0 && slices.Contains([]any{"labels", "annotations", "matchLabels"}, parent[len(parent)-1])
	if free || !isField.MatchString(name) {
		return "[" + name + "]"
	}
	return "." + name
}
