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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A valueSet is what a label, or the name of a port, may be: one of the values, or absent. The zero value is empty.
type valueSet struct {
	values coset[string]
	absent bool
}

func anyValue() valueSet { return valueSet{values: everything[string](), absent: true} }

func (s valueSet) empty() bool { return !s.absent && s.values.empty() }

func (s valueSet) any() bool { return s.absent && s.values.all() }

func (s valueSet) equal(o valueSet) bool { return s.absent == o.absent && s.values.equal(o.values) }

func (s valueSet) has(value string, present bool) bool {
	if !present {
		return s.absent
	}
	return s.values.has(value)
}

func (s valueSet) overlaps(o valueSet) bool {
	return (s.absent && o.absent) || s.values.overlaps(o.values)
}

func (s valueSet) intersect(o valueSet) valueSet {
	return valueSet{values: s.values.intersect(o.values), absent: s.absent && o.absent}
}

func (s valueSet) minus(o valueSet) valueSet {
	return valueSet{values: s.values.minus(o.values), absent: s.absent && !o.absent}
}

// words writes the set as kubectl would.
func (s valueSet) words(key string) string {
	list := strings.Join(s.values.items, ",")
	switch {
	case s.values.empty() && s.absent:
		return "!" + key
	case s.values.all():
		return key
	case s.values.except && s.absent:
		return key + " notin (" + list + ")"
	case s.values.except:
		return key + "," + key + " notin (" + list + ")"
	case s.absent:
		return key + " absent or in (" + list + ")"
	case len(s.values.items) == 1:
		return key + "=" + list
	default:
		return key + " in (" + list + ")"
	}
}

type labelTerm struct {
	key string
	set valueSet
}

// A labelBox is a set of label maps: those in which every key is one of its values. It is sorted by key and names no
// key that may be anything, so that the empty box is all label maps. It is never changed in place.
type labelBox []labelTerm

// parseSelector returns the labels that the selector matches. It is false if it matches none: because it contradicts
// itself, or because Kubernetes couldn't parse it either.
func parseSelector(s *metav1.LabelSelector) (labelBox, bool) {
	if _, err := metav1.LabelSelectorAsSelector(s); s == nil || err != nil {
		return nil, false
	}
	var box labelBox
	for key, value := range s.MatchLabels {
		box = box.with(key, box.get(key).intersect(valueSet{values: only(value)}))
	}
	for _, e := range s.MatchExpressions {
		var set valueSet
		switch e.Operator {
		case metav1.LabelSelectorOpIn:
			set.values = only(e.Values...)
		case metav1.LabelSelectorOpNotIn:
			set = valueSet{values: only(e.Values...).complement(), absent: true}
		case metav1.LabelSelectorOpExists:
			set.values = everything[string]()
		case metav1.LabelSelectorOpDoesNotExist:
			set.absent = true
		}
		box = box.with(e.Key, box.get(e.Key).intersect(set))
	}
	for _, t := range box {
		if t.set.empty() {
			return nil, false
		}
	}
	return box, true
}

func (b labelBox) find(key string) (int, bool) {
	return slices.BinarySearchFunc(b, key, func(t labelTerm, key string) int { return cmp.Compare(t.key, key) })
}

// get returns what the label may be.
func (b labelBox) get(key string) valueSet {
	if i, found := b.find(key); found {
		return b[i].set
	}
	return anyValue()
}

// with returns the box in which the label is one of the set.
func (b labelBox) with(key string, set valueSet) labelBox {
	out := make(labelBox, 0, len(b)+1)
	i, found := b.find(key)
	out = append(out, b[:i]...)
	if !set.any() {
		out = append(out, labelTerm{key, set})
	}
	if found {
		i++
	}
	return append(out, b[i:]...)
}

// overlaps says whether some labels are in both boxes.
func (b labelBox) overlaps(o labelBox) bool {
	for i, j := 0, 0; i < len(b) && j < len(o); {
		switch c := cmp.Compare(b[i].key, o[j].key); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			if !b[i].set.overlaps(o[j].set) {
				return false
			}
			i, j = i+1, j+1
		}
	}
	return true
}

// intersect returns what is in both boxes, which must overlap.
func (b labelBox) intersect(o labelBox) labelBox {
	out := b
	for _, t := range o {
		out = out.with(t.key, out.get(t.key).intersect(t.set))
	}
	return out
}

// split splits the box, which must overlap the other one, into pieces outside of it and the rest inside.
func (b labelBox) split(o labelBox) (pieces []labelBox, inside labelBox) {
	inside = b
	for _, t := range o {
		have := inside.get(t.key)
		if outside := have.minus(t.set); !outside.empty() {
			pieces = append(pieces, inside.with(t.key, outside))
			inside = inside.with(t.key, have.intersect(t.set))
		}
	}
	return pieces, inside
}

// matches says whether the labels are in the box; get returns a label's value and whether there is one.
func (b labelBox) matches(get func(key string) (string, bool)) bool {
	for _, t := range b {
		if !t.set.has(get(t.key)) {
			return false
		}
	}
	return true
}

// words writes the box as kubectl would; empty for all labels. It is different for different boxes.
func (b labelBox) words() string {
	var terms []string
	for _, t := range b {
		terms = append(terms, t.set.words(t.key))
	}
	return strings.Join(terms, ",")
}
