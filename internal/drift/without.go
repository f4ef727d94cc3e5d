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
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Without returns a copy of the intent that says nothing about the fields of a difference: applying it leaves them as
// they are, because someone else owns what we don't name. The intent itself isn't changed.
func Without(intent *unstructured.Unstructured, d Difference) *unstructured.Unstructured {
	left := intent.DeepCopy()
	for _, change := range d.Changes {
		remove(left.Object, change.Field)
	}
	return left
}

// remove takes the field at a path out of an object, if it is there.
func remove(object map[string]any, path fieldpath.Path) {
	if len(path) == 0 {
		return
	}
	var at any = object
	for i, element := range path[:len(path)-1] {
		child, index, ok := step(at, element)
		if !ok {
			return
		}
		last := path[len(path)-1]
		if list, isList := child.([]any); isList && i == len(path)-2 {
			removeItem(at, element, index, list, last)
			return
		}
		at = child
	}
	if last := path[len(path)-1]; last.FieldName != nil {
		if fields, ok := at.(map[string]any); ok {
			delete(fields, *last.FieldName)
		}
	}
}

// removeItem takes an item out of a list, which is the value of an element of its parent.
func removeItem(parent any, element fieldpath.PathElement, index int, list []any, item fieldpath.PathElement) {
	_, at, ok := step(list, item)
	if !ok {
		return
	}
	shorter := slices.Delete(slices.Clone(list), at, at+1)
	switch parent := parent.(type) {
	case map[string]any:
		parent[*element.FieldName] = shorter
	case []any:
		parent[index] = shorter
	}
}
