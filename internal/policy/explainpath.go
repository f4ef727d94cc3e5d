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
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// itemElement is the path element of an item of a keyed list or, without keys, of a set.
func itemElement(keys []string, item any) fieldpath.PathElement {
	fields, ok := item.(map[string]any)
	if len(keys) == 0 || !ok {
		return fieldpath.ValueElement(value.NewValueInterface(item))
	}
	list := make([]value.Field, 0, len(keys))
	for _, key := range keys {
		list = append(list, value.Field{Name: key, Value: value.NewValueInterface(fields[key])})
	}
	return fieldpath.KeyElement(list...)
}

// itemText is how an item of a list is written in a path.
func itemText(element fieldpath.PathElement) string {
	switch {
	case element.Value != nil:
		return fmt.Sprint((*element.Value).Unstructured())
	case element.Index != nil:
		return fmt.Sprint(*element.Index)
	case element.Key != nil:
		texts := make([]string, 0, len(*element.Key))
		for _, key := range *element.Key {
			texts = append(texts, fmt.Sprint(key.Value.Unstructured()))
		}
		return strings.Join(texts, ",")
	default:
		return ""
	}
}

// find finds what is at a path; nothing, and null, is not found.
func find(in any, path fieldpath.Path) (found any, ok bool) {
	for _, element := range path {
		if in = step(in, element); in == nil {
			return nil, false
		}
	}
	return in, in != nil
}

// step goes down one element; nil if there is nothing.
func step(in any, element fieldpath.PathElement) any {
	switch in := in.(type) {
	case map[string]any:
		if element.FieldName != nil {
			return in[*element.FieldName]
		}
	case []any:
		if element.Index != nil && *element.Index >= 0 && *element.Index < len(in) {
			return in[*element.Index]
		}
		for _, item := range in {
			if isItem(item, element) {
				return item
			}
		}
	}
	return nil
}

// isItem reports whether an item of a list is the one that an element names.
func isItem(item any, element fieldpath.PathElement) bool {
	switch {
	case element.Value != nil:
		return value.Equals(value.NewValueInterface(item), *element.Value)
	case element.Key != nil:
		fields, ok := item.(map[string]any)
		for _, key := range *element.Key {
			ok = ok && value.Equals(value.NewValueInterface(fields[key.Name]), key.Value)
		}
		return ok
	default:
		return false
	}
}
