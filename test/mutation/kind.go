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

package mutation

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/applyconfigurations"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// A Kind is what is known of a kind: its Go type, and its schema as the API server has it.
type Kind struct {
	GVK    schema.GroupVersionKind
	scheme *runtime.Scheme
	goType reflect.Type
	schema *smdschema.Schema
	root   smdschema.TypeRef
}

// NewKind looks a kind up.
func NewKind(scheme *runtime.Scheme, gvk schema.GroupVersionKind) (*Kind, error) {
	object, err := scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(gvk)
	typed, err := applyconfigurations.NewTypeConverter(scheme).ObjectToTyped(object)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of %s: %w", gvk.Kind, err)
	}
	return &Kind{GVK: gvk, scheme: scheme, goType: reflect.TypeOf(object).Elem(), schema: typed.Schema(), root: typed.TypeRef()}, nil
}

// Typed reads content as the kind's Go type.
func (k *Kind) Typed(content map[string]any) (runtime.Object, error) {
	object, err := k.scheme.New(k.GVK)
	if err != nil {
		return nil, err
	}
	return object, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(content, object, true)
}

// Content is content as the Go type writes it, which is how the API server would: quantities spelled in one way, and
// without what the type leaves out when it is empty.
func (k *Kind) Content(content map[string]any) (map[string]any, error) {
	object, err := k.Typed(content)
	if err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(k.GVK)
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}

// recorded is the place at which a difference at a path is recorded: the path, or the first list or map above it that
// the API server takes as one value.
func (k *Kind) recorded(path Path) Path {
	ref := k.root
	for i, step := range path {
		atom, _ := k.schema.Resolve(ref)
		switch {
		case atom.Map != nil && atom.Map.ElementRelationship != smdschema.Atomic:
			ref = atom.Map.ElementType
			if field, ok := atom.Map.FindField(step.Key); ok {
				ref = field.Type
			}
		case atom.List != nil && atom.List.ElementRelationship != smdschema.Atomic:
			ref = atom.List.ElementType
		default:
			return path[:i]
		}
	}
	return path
}

// granular reports whether what is at a path is a map of which each key is a value of its own.
func (k *Kind) granular(path Path) bool { return len(k.recorded(path.field("any"))) > len(path) }

// Fields are the generic paths of all fields that the schema of the kind has, and of what is in its lists and maps.
func (k *Kind) Fields() map[string]bool {
	fields := map[string]bool{}
	k.collect(k.root, nil, fields)
	return fields
}

func (k *Kind) collect(ref smdschema.TypeRef, path Path, into map[string]bool) {
	if len(path) > 0 {
		into[path.Generic()] = true
	}
	atom, _ := k.schema.Resolve(ref)
	switch {
	case atom.Scalar != nil: // or anything, which the schema doesn't look into
	case atom.Map != nil:
		for _, field := range atom.Map.Fields {
			k.collect(field.Type, path.field(field.Name), into)
		}
		if len(atom.Map.Fields) == 0 {
			k.collect(atom.Map.ElementType, path.key("*"), into)
		}
	case atom.List != nil:
		k.collect(atom.List.ElementType, path.index(0), into)
	}
}

type field struct {
	name   string
	goType reflect.Type
}

// fieldsOf are the fields of a struct by their names in JSON, those of embedded structs included.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous:
			all = append(all, fieldsOf(f.Type)...)
		case name != "" && name != "-":
			all = append(all, field{name, f.Type})
		}
	}
	return all
}

var (
	quantityType    = reflect.TypeFor[resource.Quantity]()
	intOrStringType = reflect.TypeFor[intstr.IntOrString]()
)

// scalars are the structs that JSON writes as one value.
var scalars = map[reflect.Type]bool{
	quantityType: true, intOrStringType: true,
	reflect.TypeFor[metav1.Time](): true, reflect.TypeFor[metav1.FieldsV1](): true,
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// isUnset reports whether a value says nothing where an absent one would say the same.
func isUnset(value any) bool {
	list, isList := value.([]any)
	return value == nil || isList && len(list) == 0
}
