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
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// maxPathLength bounds the path of a change, in characters, as the API bounds it in a DriftItem.
const maxPathLength = 256

// A Change is one field that differs from intent.
type Change struct {
	// Path names the field for people: spec.ingress, spec.hard[pods], metadata.labels[tenancy.bulkhead.dev/tenant].
	// Printable, at most 256 characters. Clients choose the keys in it.
	Path string
	// Field is the same path for machines.
	Field fieldpath.Path
	// Type is FieldModified, FieldRemoved or FieldInjected; or OwnershipLost, which isn't a difference of values.
	Type v1alpha1.DriftType

	// pointer is the JSON pointer of an injected field in the live object.
	pointer string
	// values are what the field must be and what it is, if they may be shown.
	values values
}

// A Difference is what of a live object differs from intent. The zero value is no difference.
type Difference struct {
	// Changes are the fields that differ, sorted by path. Of a subtree that is gone as a whole, or injected as a whole,
	// only the root is here.
	Changes []Change
}

// Empty reports that nothing differs.
func (d Difference) Empty() bool { return len(d.Changes) == 0 }

// Types returns the types of the changes, sorted, each once.
func (d Difference) Types() []v1alpha1.DriftType {
	var types []v1alpha1.DriftType
	for _, change := range d.Changes {
		types = append(types, change.Type)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Paths returns the paths of the changes, sorted.
func (d Difference) Paths() []string {
	var paths []string
	for _, change := range d.Changes {
		paths = append(paths, change.Path)
	}
	return paths
}

// InjectedPointers returns the JSON pointers of what was injected, for the remove operations of a JSON patch of the
// live object that was compared, and of no later version. None lies inside of another, and they stand in an order in
// which no removal moves what a later one points to.
func (d Difference) InjectedPointers() []string {
	var pointers []string
	for _, change := range d.Changes {
		if change.Type == v1alpha1.DriftFieldInjected {
			pointers = append(pointers, change.pointer)
		}
	}
	slices.SortFunc(pointers, compareRemovals)
	return slices.Compact(pointers)
}

// compareRemovals orders JSON pointers so that of two items of a list the later one comes first.
func compareRemovals(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		if as[i] == bs[i] {
			continue
		}
		an, aErr := strconv.Atoi(as[i])
		bn, bErr := strconv.Atoi(bs[i])
		if aErr == nil && bErr == nil {
			return cmp.Compare(bn, an)
		}
		return cmp.Compare(as[i], bs[i])
	}
	return cmp.Compare(len(as), len(bs))
}

// newDifference turns a comparison, which isn't empty, into changes.
func newDifference(c *typed.Comparison, by *typed.TypedValue, want, have map[string]any) Difference {
	var d Difference
	kind := kindOf(want)
	seen := map[string]bool{}
	add := func(paths iter.Seq[fieldpath.Path], driftType v1alpha1.DriftType, other map[string]any) {
		for path := range paths {
			if other != nil {
				path = outermostAbsent(path, other)
			}
			// The set reuses the memory of its paths.
			change := Change{Field: path.Copy(), Type: driftType}
			id := string(driftType) + path.String()
			if seen[id] {
				continue
			}
			seen[id] = true
			change.Path = clean(pathString(path, by.Schema(), by.TypeRef()), maxPathLength)
			if driftType == v1alpha1.DriftFieldInjected {
				change.pointer = pointer(path, have)
			}
			change.values = valuesAt(kind, path, want, have)
			d.Changes = append(d.Changes, change)
		}
	}
	add(c.Modified.Leaves().All(), v1alpha1.DriftFieldModified, nil)
	add(c.Removed.Leaves().All(), v1alpha1.DriftFieldRemoved, have)
	add(c.Added.Leaves().All(), v1alpha1.DriftFieldInjected, want)
	sortChanges(d.Changes)
	return d
}

func sortChanges(changes []Change) {
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Type, b.Type), a.Field.Compare(b.Field))
	})
}

// outermostAbsent returns the shortest beginning of the path that the object doesn't have; the path itself if it has
// them all.
func outermostAbsent(path fieldpath.Path, object map[string]any) fieldpath.Path {
	var at any = object
	for i, element := range path {
		var ok bool
		if at, _, ok = step(at, element); !ok {
			return path[:i+1]
		}
	}
	return path
}

// step goes down one element of a path. For an item of a list it returns its index, else -1.
func step(at any, element fieldpath.PathElement) (child any, index int, ok bool) {
	switch at := at.(type) {
	case map[string]any:
		if element.FieldName == nil {
			return nil, -1, false
		}
		child, ok = at[*element.FieldName]
		return child, -1, ok
	case []any:
		for i, item := range at {
			if selects(element, i, item) {
				return item, i, true
			}
		}
	}
	return nil, -1, false
}

// selects reports whether a path element means this item of a list.
func selects(element fieldpath.PathElement, i int, item any) bool {
	switch {
	case element.Index != nil:
		return *element.Index == i
	case element.Value != nil:
		return value.Equals(*element.Value, value.NewValueInterface(item))
	case element.Key != nil:
		fields, ok := item.(map[string]any)
		if !ok {
			return false
		}
		for _, key := range *element.Key {
			got, ok := fields[key.Name]
			if !ok || !value.Equals(key.Value, value.NewValueInterface(got)) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// pointer returns the JSON pointer (RFC 6901) of a path that the object has. Lists of items that a path can tell apart
// are never reordered by the canonical form, so that the index is the one in the live object.
func pointer(path fieldpath.Path, object map[string]any) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var out strings.Builder
	var at any = object
	for _, element := range path {
		child, index, _ := step(at, element)
		at = child
		out.WriteByte('/')
		if element.FieldName != nil {
			out.WriteString(escape.Replace(*element.FieldName))
		} else {
			out.WriteString(strconv.Itoa(index))
		}
	}
	return out.String()
}

// pathString writes a path for people: fields with dots, keys of maps and lists in brackets.
func pathString(path fieldpath.Path, sc *smdschema.Schema, ref smdschema.TypeRef) string {
	var out strings.Builder
	for i, element := range path {
		atom, _ := sc.Resolve(ref)
		switch {
		case element.FieldName != nil:
			name, isField := *element.FieldName, false
			if atom.Map != nil {
				var field smdschema.StructField
				field, isField = atom.Map.FindField(name)
				ref = atom.Map.ElementType
				if isField {
					ref = field.Type
				}
			}
			switch {
			case !isField && !deducedField(sc, path[:i], name):
				fmt.Fprintf(&out, "[%s]", name)
			case out.Len() == 0:
				out.WriteString(name)
			default:
				out.WriteString("." + name)
			}
		default:
			out.WriteString("[" + strings.Trim(element.String(), "[]") + "]")
			if atom.List != nil {
				ref = atom.List.ElementType
			}
		}
	}
	return out.String()
}
