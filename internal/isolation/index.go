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

package isolation

import (
	"cmp"
	"slices"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
)

// A label is a key and a value that all namespaces with this label share.
type label struct{ key, value unique.Handle[string] }

// newLabels returns the labels sorted by key, with the tenant label as given. The label with the namespace's name is
// left out: the API server sets it on every namespace, and it never changes.
func newLabels(labels map[string]string, override ...label) []label {
	out := make([]label, 0, len(labels)+len(override))
	for k, v := range labels {
		key := unique.Make(k)
		if k == corev1.LabelMetadataName || slices.ContainsFunc(override, func(l label) bool { return l.key == key }) {
			continue
		}
		out = append(out, label{key, unique.Make(v)})
	}
	for _, l := range override {
		if l.value.Value() != "" {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b label) int { return strings.Compare(a.key.Value(), b.key.Value()) })
	return slices.Clip(out)
}

// lookup returns the value of a label of the namespace.
func lookup(labels []label, name, key string) (string, bool) {
	if key == corev1.LabelMetadataName {
		return name, name != ""
	}
	for _, l := range labels {
		if l.key.Value() == key {
			return l.value.Value(), true
		}
	}
	return "", false
}

// An index finds namespaces by label. Namespaces are small numbers here.
type index map[string]*keyIndex

type keyIndex struct {
	all    []int32
	values map[string][]int32
}

func (x index) add(id int32, labels []label) {
	for _, l := range labels {
		key, value := l.key.Value(), l.value.Value()
		k := x[key]
		if k == nil {
			k = &keyIndex{values: map[string][]int32{}}
			x[key] = k
		}
		k.all = insert(k.all, id)
		k.values[value] = insert(k.values[value], id)
	}
}

func (x index) remove(id int32, labels []label) {
	for _, l := range labels {
		key, value := l.key.Value(), l.value.Value()
		k := x[key]
		k.all = drop(k.all, id)
		if k.values[value] = drop(k.values[value], id); len(k.values[value]) == 0 {
			delete(k.values, value)
		}
		if len(k.all) == 0 {
			delete(x, key)
		}
	}
}

func insert[T cmp.Ordered](ids []T, id T) []T {
	i, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(ids, i, id)
}

func drop(ids []int32, id int32) []int32 {
	i, found := slices.BinarySearch(ids, id)
	if !found {
		return ids
	}
	return slices.Delete(ids, i, i+1)
}

// with returns the namespaces whose label is one of the set. A namespace that doesn't exist has no labels.
func (k *keyIndex) with(set valueSet) coset[int32] {
	if k == nil {
		return coset[int32]{except: set.absent}
	}
	var listed coset[int32]
	for _, v := range set.values.items {
		listed = listed.union(coset[int32]{items: k.values[v]})
	}
	// listed are those of k.all that are in the set if it is finite, and those that are not if it isn't.
	carriers := coset[int32]{items: k.all}
	switch {
	case set.values.except && set.absent:
		return listed.complement()
	case set.values.except:
		return carriers.minus(listed)
	case set.absent:
		return carriers.minus(listed).complement()
	default:
		return listed
	}
}
