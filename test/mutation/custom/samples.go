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
	"maps"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

type props = apiextensionsv1.JSONSchemaProps

// deepest is how many levels of an absent field are filled with what isn't required.
const deepest = 3

// texts are what a string may be, the first that the schema admits.
var texts = []string{
	"mutant", "other", "198.51.100.0/24", "198.51.100.7", "2001:db8:77::/48", "80", "443", "Mutant", "/mutant", "example.com/mutant",
	"gateway.networking.k8s.io", "00:00:5e:00:53:01", "6d757461-6e74-6d75-7461-6e746d757461", "10s", "default", "TCP", "0", "Allow", "",
}

// samplesOf are values that a schema admits, as far as that can be told from the schema alone: the least one first, and
// then such that each field down to the deepest level is in one of them.
func samplesOf(s *props, depth int) []any {
	least := leastOf(s)
	all := []any{least}
	if depth == 0 {
		return all
	}
	switch s.Type {
	case "object":
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			child := s.Properties[name]
			for _, value := range samplesOf(&child, depth-1) {
				whole := maps.Clone(asMap(least))
				whole[name] = value
				all = append(all, whole)
			}
		}
	case "array":
		for _, item := range samplesOf(s.Items.Schema, depth-1) {
			all = append(all, []any{item})
		}
	}
	return all
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

// leastOf is a value with nothing that the schema doesn't ask for.
func leastOf(s *props) any {
	if s.XIntOrString {
		return int64(8081)
	}
	switch s.Type {
	case "object":
		return leastObject(s)
	case "array":
		return []any{leastOf(s.Items.Schema)}
	default:
		return othersOf(s, nil)[0]
	}
}

func leastObject(s *props) map[string]any {
	made := map[string]any{}
	required := slices.Clone(s.Required)
	for _, choices := range [][]props{s.OneOf, s.AnyOf} {
		if len(choices) > 0 {
			required = append(required, choices[0].Required...)
		}
	}
	if s.MinProperties != nil && len(required) == 0 && len(s.Properties) > 0 {
		required = slices.Sorted(maps.Keys(s.Properties))[:1]
	}
	for _, name := range required {
		child := s.Properties[name]
		made[name] = leastOf(&child)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil && len(s.Properties) == 0 {
		made["example.com/mutant"] = leastOf(s.AdditionalProperties.Schema)
	}
	return made
}

// othersOf are values of a scalar other than the present one: at least one.
func othersOf(s *props, present any) []any {
	var all []any
	switch {
	case s.XIntOrString:
		all = []any{int64(8081), "mutant"}
	case len(s.Enum) > 0:
		for _, raw := range s.Enum {
			all = append(all, strings.Trim(string(raw.Raw), `"`))
		}
	case s.Type == "boolean":
		all = []any{true, false}
	case s.Type == "integer" || s.Type == "number":
		all = []any{int64(7), int64(70)}
		if n, ok := present.(int64); ok {
			all = []any{n + 1, n - 1}
		}
	case s.Type == "string":
		all = textsOf(s, present)
	default: // of any form
		all = []any{map[string]any{"mutant": "mutant"}}
	}
	return slices.DeleteFunc(all, func(v any) bool { _, isMap := v.(map[string]any); return !isMap && v == present })
}

func textsOf(s *props, present any) []any {
	patterns := []string{s.Pattern}
	for _, choices := range [][]props{s.AllOf, s.AnyOf, s.OneOf} {
		for i := range choices {
			patterns = append(patterns, choices[i].Pattern)
		}
	}
	var all []any
	for _, text := range texts {
		fits := (s.MinLength == nil || int64(len(text)) >= *s.MinLength) && (s.MaxLength == nil || int64(len(text)) <= *s.MaxLength)
		for _, pattern := range patterns {
			form, err := regexp.Compile(pattern)
			fits = fits && (err != nil || form.MatchString(text))
		}
		if fits && text != present && len(all) < 3 {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		all = []any{"mutant", "mutant-too"}
	}
	return all
}
