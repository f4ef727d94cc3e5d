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

package survey

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// withheld stands for a value that isn't shown.
const withheld = "(withheld)"

// Whole is all that Bulkhead has to say of one object. A value that isn't known to hold nothing secret is withheld.
type Whole struct{ content map[string]any }

// YAML is the object as YAML, in which every character can be seen.
func (w *Whole) YAML() (string, error) {
	raw, err := sigsyaml.Marshal(w.content)
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	visible := func(r rune) rune {
		if r != '\n' && !redact.Visible(r) {
			return '?'
		}
		return r
	}
	return strings.Map(visible, string(raw)), nil
}

// intended is all of an intent.
func (s *Survey) intended(intent *unstructured.Unstructured) (*Whole, error) {
	none, err := s.scheme.New(intent.GroupVersionKind())
	if err != nil {
		return nil, fmt.Errorf("making a %s: %w", intent.GetKind(), err)
	}
	object, ok := none.(metav1.Object)
	if !ok {
		return nil, fmt.Errorf("making a %s: %T has no metadata", intent.GetKind(), none)
	}
	object.SetNamespace(intent.GetNamespace())
	object.SetName(intent.GetName())
	difference, err := s.comparer.Compare(intent, none)
	if err != nil {
		return nil, fmt.Errorf("reading the intent for %s %s: %w", intent.GetKind(), intent.GetName(), err)
	}
	return newWhole(intent, difference), nil
}

// surplus is all of a live object that an intent could have, but for labels and annotations.
func (s *Survey) surplus(live *unstructured.Unstructured) (*Whole, error) {
	none := &unstructured.Unstructured{Object: map[string]any{}}
	none.SetGroupVersionKind(live.GroupVersionKind())
	none.SetNamespace(live.GetNamespace())
	none.SetName(live.GetName())
	difference, err := s.comparer.Compare(none, live)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", live.GetKind(), live.GetName(), err)
	}
	return newWhole(live, difference), nil
}

// newWhole takes of an object what differs from one that has nothing, in the object's own spelling. Whether a value may
// be shown is for package drift to say.
func newWhole(object *unstructured.Unstructured, difference drift.Difference) *Whole {
	gvk := object.GroupVersionKind()
	metadata := map[string]any{"name": object.GetName()}
	if object.GetNamespace() != "" {
		metadata["namespace"] = object.GetNamespace()
	}
	w := &Whole{content: map[string]any{"apiVersion": object.GetAPIVersion(), "kind": gvk.Kind, "metadata": metadata}}
	for _, change := range difference.Changes {
		w.take(object.Object, change, gvk.GroupKind())
	}
	return w
}

// take puts one field into the content. Of a list, only all of it can be told.
func (w *Whole) take(from map[string]any, change drift.Change, kind schema.GroupKind) {
	into := w.content
	for i, element := range change.Field {
		if element.FieldName == nil {
			return
		}
		name := *element.FieldName
		value, there := from[name]
		if !there {
			return
		}
		deeper, isMap := value.(map[string]any)
		if i == len(change.Field)-1 || !isMap || listNext(change.Field, i) {
			if !shows(change, kind) {
				value = withheld
			}
			into[name] = value
			return
		}
		next, ok := into[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			into[name] = next
		}
		from, into = deeper, next
	}
}

func listNext(path fieldpath.Path, i int) bool { return i+1 < len(path) && path[i+1].FieldName == nil }

func shows(change drift.Change, kind schema.GroupKind) bool {
	fields := drift.Difference{Changes: []drift.Change{change}}.Fields(kind)
	return len(fields) == 1 && !fields[0].Redacted
}

func seen(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
