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

package crd

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestSchema breaks each bound, pattern, format, enum, required field and list key of the CRDs, one at a time, in an
// object that is otherwise accepted. The API server must refuse it and name the field, the value and what is allowed.
// A bound that the object of testdata doesn't reach fails the test, so that no new one goes untested.
func TestSchema(t *testing.T) {
	t.Parallel()
	for _, crd := range crds(t) {
		t.Run(crd.Name, func(t *testing.T) {
			t.Parallel()
			schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
			full := everyField(t, crd.Spec.Names.Kind)
			stored := full.DeepCopy()
			stored.SetName("schema-" + strings.ToLower(crd.Spec.Names.Kind))
			if err := create(t, stored); err != nil {
				t.Fatalf("The object that every case breaks is refused: %v", err)
			}
			if _, ok := stored.Object["status"]; ok {
				var err error
				if stored, err = updateStatus(t, stored); err != nil {
					t.Fatalf("The status that every case breaks is refused: %v", err)
				}
			}

			var want, got []string
			walkSchema(schema, "", func(s *apiextensionsv1.JSONSchemaProps, path string) {
				for _, b := range bounds(s) {
					want = append(want, path+" "+b.name)
				}
			})
			b := &breaker{done: map[string]bool{}}
			b.walk(schema, "", nil, full.Object)
			for _, br := range b.breaches {
				got = append(got, br.name)
				t.Run(br.name, func(t *testing.T) {
					t.Parallel()
					object, send := edit(full, br.at, br.value), dryRun
					if br.at[0] == "status" {
						object, send = edit(stored, br.at, br.value), dryRunStatus
					}
					refused(t, send(t, object), br.want...)
				})
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Bounds of the schema that nothing breaks; add the field to testdata (-want +got):\n%s", diff)
			}
		})
	}
}

// bound is a bound of a schema, with what breaks it and what the refusal must say.
type bound struct {
	name string
	// broken makes a refused value of an accepted one.
	broken func(accepted any) any
	// want is what the refusal says beside the path.
	want []string
}

// nonsense matches no pattern, no format and no enum, and is not too long for any.
const nonsense = "not/valid!"

// bounds are the bounds of one schema node. Those of its parents and children are theirs.
func bounds(s *apiextensionsv1.JSONSchemaProps) []bound {
	return slices.Concat(textBounds(s), numberBounds(s), listBounds(s), mapBounds(s))
}

func textBounds(s *apiextensionsv1.JSONSchemaProps) []bound {
	var out []bound
	instead := func(v any) func(any) any { return func(any) any { return v } }
	if len(s.Enum) > 0 {
		want := []string{`Unsupported value: "` + nonsense + `"`}
		for _, e := range s.Enum {
			want = append(want, string(e.Raw))
		}
		out = append(out, bound{"enum", instead(nonsense), want})
	}
	if s.Pattern != "" {
		out = append(out, bound{"pattern", instead(nonsense), []string{`Invalid value: "` + nonsense + `"`, s.Pattern}})
	}
	if s.Format == "cidr" || s.Format == "date-time" {
		out = append(out, bound{"format", instead(nonsense), []string{`Invalid value: "` + nonsense + `"`, s.Format}})
	}
	if s.MaxLength != nil {
		long := strings.Repeat("a", int(*s.MaxLength)+1)
		out = append(out, bound{"maxLength", instead(long), []string{fmt.Sprintf("may not be more than %d", *s.MaxLength)}})
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		out = append(out, bound{"minLength", instead(""), []string{fmt.Sprintf("at least %d char", *s.MinLength)}})
	}
	return out
}

func numberBounds(s *apiextensionsv1.JSONSchemaProps) []bound {
	var out []bound
	if s.Minimum != nil {
		value := int64(*s.Minimum) - 1
		out = append(out, bound{"minimum", func(any) any { return value }, []string{
			fmt.Sprintf("Invalid value: %d", value), fmt.Sprintf("greater than or equal to %d", value+1),
		}})
	}
	if s.Maximum != nil {
		value := int64(*s.Maximum) + 1
		out = append(out, bound{"maximum", func(any) any { return value }, []string{
			fmt.Sprintf("Invalid value: %d", value), fmt.Sprintf("less than or equal to %d", value-1),
		}})
	}
	return out
}

func listBounds(s *apiextensionsv1.JSONSchemaProps) []bound {
	var out []bound
	if s.MaxItems != nil {
		n := int(*s.MaxItems)
		out = append(out, bound{"maxItems", func(v any) any { return slices.Repeat(list(v)[:1], n+1) }, []string{
			fmt.Sprintf("Too many: %d", n+1), fmt.Sprintf("at most %d item", n),
		}})
	}
	if s.MinItems != nil {
		out = append(out, bound{"minItems", func(any) any { return []any{} }, []string{
			fmt.Sprintf("at least %d item", *s.MinItems),
		}})
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		out = append(out, bound{"listType", func(v any) any {
			return append(slices.Clone(list(v)), list(v)[0])
		}, []string{"Duplicate value: "}})
	}
	return out
}

func mapBounds(s *apiextensionsv1.JSONSchemaProps) []bound {
	var out []bound
	if s.MaxProperties != nil {
		n := int(*s.MaxProperties)
		out = append(out, bound{"maxProperties", func(v any) any {
			wide := maps.Clone(mapping(v))
			for _, value := range mapping(v) {
				for i := 0; len(wide) <= n; i++ {
					wide["key-"+strconv.Itoa(i)] = value
				}
			}
			return wide
		}, []string{fmt.Sprintf("Too many: %d", n+1), fmt.Sprintf("at most %d item", n)}})
	}
	if s.MinProperties != nil {
		out = append(out, bound{"minProperties", func(any) any { return map[string]any{} }, []string{
			fmt.Sprintf("at least %d propert", *s.MinProperties),
		}})
	}
	for _, name := range s.Required {
		out = append(out, bound{"required " + name, func(v any) any {
			without := maps.Clone(mapping(v))
			delete(without, name)
			return without
		}, []string{"." + name + ": Required value"}})
	}
	return out
}

// breach is one broken bound.
type breach struct {
	name  string
	at    []any
	value any
	want  []string
}

type breaker struct {
	breaches []breach
	done     map[string]bool
}

// walk goes down a schema beside an object, and breaks each bound where the object first reaches it. At the schema's
// path the steps of lists and maps have no index; at is the path in the object.
func (b *breaker) walk(s *apiextensionsv1.JSONSchemaProps, path string, at []any, value any) {
	for _, bd := range bounds(s) {
		name := path + " " + bd.name
		if b.done[name] {
			continue
		}
		b.done[name] = true
		want := append([]string{field(at)}, bd.want...)
		b.breaches = append(b.breaches, breach{name, slices.Clone(at), bd.broken(value), want})
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if child, ok := s.Properties[key]; ok {
				b.walk(&child, path+"."+key, append(slices.Clone(at), key), v[key])
			} else if s.AdditionalProperties != nil {
				b.walk(s.AdditionalProperties.Schema, path+"{}", append(slices.Clone(at), key), v[key])
			}
		}
	case []any:
		for i, item := range v {
			b.walk(s.Items.Schema, path+"[]", append(slices.Clone(at), i), item)
		}
	}
}

// walkSchema visits every node of a schema, with the same paths as breaker.
func walkSchema(s *apiextensionsv1.JSONSchemaProps, path string, visit func(*apiextensionsv1.JSONSchemaProps, string)) {
	visit(s, path)
	for name, child := range s.Properties {
		walkSchema(&child, path+"."+name, visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walkSchema(s.AdditionalProperties.Schema, path+"{}", visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walkSchema(s.Items.Schema, path+"[]", visit)
	}
}

// field is how the API server writes a path.
func field(at []any) string {
	var out strings.Builder
	for _, step := range at {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&out, "[%d]", s)
		case string:
			if out.Len() > 0 {
				out.WriteByte('.')
			}
			out.WriteString(s)
		}
	}
	return out.String()
}

// edit returns a copy of an object with another value at one place.
func edit(object *unstructured.Unstructured, at []any, value any) *unstructured.Unstructured {
	out := object.DeepCopy()
	out.Object = mapping(set(out.Object, at, runtime.DeepCopyJSONValue(value)))
	return out
}

func set(in any, at []any, value any) any {
	if len(at) == 0 {
		return value
	}
	switch step := at[0].(type) {
	case int:
		list(in)[step] = set(list(in)[step], at[1:], value)
	case string:
		mapping(in)[step] = set(mapping(in)[step], at[1:], value)
	}
	return in
}

func mapping(v any) map[string]any {
	out, _ := v.(map[string]any)
	return out
}

func list(v any) []any {
	out, _ := v.([]any)
	return out
}
