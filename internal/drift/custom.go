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
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// Schemas of structured-merge-diff for the kinds of optional APIs that Bulkhead renders. Only what makes a difference to
// server-side apply is in them: lists that it merges by a key. What isn't is deduced from the value, as the API server
// does with fields of which it has no schema: maps by key, lists as a whole.
// https://github.com/kubernetes-sigs/structured-merge-diff/blob/v6.4.0/typed/parser.go
const (
	deducedType   = "__untyped_deduced_"
	customMarker  = "__bulkhead_custom_"
	customSchemas = `types:
- name: __bulkhead_custom_
  scalar: untyped
- name: __untyped_atomic_
  scalar: untyped
  list:
    elementType: {namedType: __untyped_atomic_}
    elementRelationship: atomic
  map:
    elementType: {namedType: __untyped_atomic_}
    elementRelationship: atomic
- name: __untyped_deduced_
  scalar: untyped
  list:
    elementType: {namedType: __untyped_atomic_}
    elementRelationship: atomic
  map:
    elementType: {namedType: __untyped_deduced_}
    elementRelationship: separable
- name: Gateway.gateway.networking.k8s.io
  map:
    fields:
    - name: spec
      type:
        map:
          fields:
          - name: listeners
            type:
              list:
                elementType: {namedType: __untyped_deduced_}
                elementRelationship: associative
                keys: [name]
          elementType: {namedType: __untyped_deduced_}
    elementType: {namedType: __untyped_deduced_}
`
)

// customConverter reads objects of kinds that the scheme doesn't know by customSchemas.
type customConverter struct{ parser *typed.Parser }

func newCustomConverter() (*customConverter, error) {
	parser, err := typed.NewParser(customSchemas)
	if err != nil {
		return nil, fmt.Errorf("reading the schemas of optional APIs: %w", err)
	}
	return &customConverter{parser}, nil
}

// ObjectToTyped implements managedfields.TypeConverter. It fails if the object isn't unstructured.
func (c *customConverter) ObjectToTyped(object runtime.Object, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is not unstructured", object)
	}
	kind := u.GroupVersionKind().GroupKind().String()
	known := slices.ContainsFunc(c.parser.Schema.Types, func(t smdschema.TypeDef) bool { return t.Name == kind })
	if !known {
		kind = deducedType
	}
	return c.parser.Type(kind).FromUnstructured(u.Object, options...)
}

// TypedToObject implements managedfields.TypeConverter.
func (c *customConverter) TypedToObject(value *typed.TypedValue) (runtime.Object, error) {
	content, ok := value.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the value is no object")
	}
	return &unstructured.Unstructured{Object: content}, nil
}

// customContent returns a copy of an object of a kind without a Go type, with its numbers as an API object has them, and
// without customDefaults.
func customContent(in map[string]any, kind schema.GroupKind) (map[string]any, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := utiljson.Unmarshal(raw, &content); err != nil {
		return nil, err
	}
	withoutDefaults(kind, content)
	return content, nil
}

// customDefaults are fields of spec that only some releases of an API have, and fill in: an intent that names them would be
// refused by the others. In these releases the same value means the same as none.
var customDefaults = map[schema.GroupKind]map[string]any{
	// https://github.com/ovn-kubernetes/ovn-kubernetes/blob/master/go-controller/pkg/crd/egressip/v1/types.go
	{Group: "k8s.ovn.org", Kind: "EgressIP"}: {
		"egressNodeSelector": map[string]any{"matchExpressions": []any{
			map[string]any{"key": "k8s.ovn.org/egress-assignable", "operator": "Exists"},
		}},
	},
}

// withoutDefaults leaves out of an object, in place, what the API server filled in.
func withoutDefaults(kind schema.GroupKind, object map[string]any) {
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return
	}
	for field, value := range customDefaults[kind] {
		if reflect.DeepEqual(spec[field], value) {
			delete(spec, field)
		}
	}
}

// withoutCovered leaves out of lost what is owned in another shape than customSchemas tell: the whole that a field is a
// part of, as with a selector that the CRD calls atomic, or all the parts of it.
func withoutCovered(lost, owned *fieldpath.Set) *fieldpath.Set {
	left := fieldpath.NewSet()
	for path := range lost.Leaves().All() {
		if !covers(owned, path) {
			left.Insert(path.Copy())
		}
	}
	return left
}

// covers reports whether a set has a part of a field, or something that it is a part of other than the object itself.
func covers(set *fieldpath.Set, path fieldpath.Path) bool {
	for i := 2; i < len(path) && name(path, 0) != "metadata"; i++ { // of labels and annotations each counts
		if set.Has(path[:i]) {
			return true
		}
	}
	for _, element := range path {
		if set = set.Children.Descend(element); set == nil {
			return false
		}
	}
	return !set.Empty()
}

// fieldName is what the name of a field looks like.
var fieldName = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)

// deducedField reports whether a key of a map is the field of a struct, where customSchemas don't tell the one from the
// other. parent is the path of the map.
func deducedField(sc *smdschema.Schema, parent fieldpath.Path, key string) bool {
	if _, custom := sc.FindNamedType(customMarker); !custom {
		return false
	}
	if len(parent) > 0 && slices.Contains([]string{"labels", "annotations", "matchLabels"}, name(parent, len(parent)-1)) {
		return false
	}
	return fieldName.MatchString(key)
}
