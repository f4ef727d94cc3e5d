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
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const podSecurityPrefix = "pod-security.kubernetes.io/"

// closedPrefixes are, on a Namespace, those of labels and annotations of which only the intent may have any.
var closedPrefixes = []string{podSecurityPrefix, v1alpha1.Prefix, v1alpha1.GuardPrefix, "resource.kubernetes.io/"}

// ours knows what of an object counts, by the contract of drift.Comparer.
type ours struct {
	namespace           bool
	labels, annotations map[string]any
}

func newOurs(kind *Kind, intent map[string]any) *ours {
	o := &ours{namespace: kind.GVK.GroupKind() == schema.GroupKind{Kind: "Namespace"}}
	metadata, _ := intent["metadata"].(map[string]any)
	o.labels, _ = metadata["labels"].(map[string]any)
	o.annotations, _ = metadata["annotations"].(map[string]any)
	return o
}

// counts reports whether what is at a path can be drift.
func (o *ours) counts(path Path) bool {
	switch {
	case path.starts("metadata", "labels"), path.starts("metadata", "annotations"):
		return len(path) < 3 || o.key(path[1].Key, path[2].Key)
	case path.starts("metadata", "ownerReferences"):
		return !o.namespace
	case path.starts("metadata"), path.starts("status"):
		return false
	default:
		return !o.namespace
	}
}

func (o *ours) key(field, key string) bool {
	in := o.labels
	if field == "annotations" {
		in = o.annotations
	}
	if _, asked := in[key]; asked {
		return true
	}
	if key == v1alpha1.AnnotationLastChangedBy || key == v1alpha1.AnnotationLastChangedFrom {
		return false // the API server writes these
	}
	return o.namespace && slices.ContainsFunc(closedPrefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// A Finding is one difference that must be found.
type Finding struct {
	// Path is where it must be recorded.
	Path string
	Type v1alpha1.DriftType
}

// Differences are all differences that must be found in a live object, sorted, and no others may. It goes by the
// contract alone, and by other means than drift.Comparer does: where both agree they are hardly both wrong.
func Differences(kind *Kind, intent, live map[string]any) ([]Finding, error) {
	want, err := kind.Content(intent)
	if err != nil {
		return nil, fmt.Errorf("reading the intent: %w", err)
	}
	have, err := kind.Content(live)
	if err != nil {
		return nil, fmt.Errorf("reading the live object: %w", err)
	}
	j := &judge{kind: kind, ours: newOurs(kind, intent)}
	for _, f := range fieldsOf(kind.goType) {
		if f.name != "kind" && f.name != "apiVersion" {
			j.field(f, want, have, nil)
		}
	}
	slices.SortFunc(j.found, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Type, b.Type)) })
	return j.found, nil
}

type judge struct {
	kind  *Kind
	ours  *ours
	found []Finding
}

func (j *judge) note(path Path, driftType v1alpha1.DriftType) {
	j.found = append(j.found, Finding{path.String(), driftType})
}

// place is a place in both objects.
type place struct {
	want, have           any
	hasWanted, hasActual bool
	goType               reflect.Type
}

func (j *judge) field(f field, want, have map[string]any, path Path) {
	p := place{goType: f.goType}
	p.want, p.hasWanted = want[f.name]
	p.have, p.hasActual = have[f.name]
	j.value(p, path.field(f.name))
}

func (j *judge) value(p place, path Path) {
	p.goType = deref(p.goType)
	p.hasWanted, p.hasActual = p.hasWanted && !isUnset(p.want), p.hasActual && !isUnset(p.have)
	want, isMap := p.want.(map[string]any)
	have, areMaps := p.have.(map[string]any)
	areMaps = areMaps && isMap && !scalars[p.goType]
	switch {
	case path.shared(): // others have something in it, too
		j.inside(p.goType, content(want), content(have), path)
	case !p.hasWanted && !p.hasActual, !j.ours.counts(path):
	case !p.hasWanted:
		j.note(path, v1alpha1.DriftFieldInjected)
	case !p.hasActual:
		j.note(path, v1alpha1.DriftFieldRemoved)
	case areMaps && j.kind.granular(path):
		j.inside(p.goType, want, have, path)
	case canonical(p.goType, p.want) != canonical(p.goType, p.have):
		j.note(path, v1alpha1.DriftFieldModified)
	}
}

// shared reports whether a path is a map in which others have keys, too.
func (p Path) shared() bool {
	return p.starts("metadata") && (len(p) == 1 || len(p) == 2 && (p[1].Key == "labels" || p[1].Key == "annotations"))
}

// inside looks at each key of two maps.
func (j *judge) inside(t reflect.Type, want, have map[string]any, path Path) {
	if t.Kind() == reflect.Struct {
		for _, f := range fieldsOf(t) {
			j.field(f, want, have, path)
		}
		return
	}
	all := content(want)
	maps.Copy(all, have)
	for key := range all {
		p := place{goType: t.Elem()}
		p.want, p.hasWanted = want[key]
		p.have, p.hasActual = have[key]
		j.value(p, path.key(key))
	}
}

// canonical writes a value such that two values that mean the same are written alike: no list of these kinds has a
// meaning in its order, and a quantity is an amount.
func canonical(t reflect.Type, value any) string {
	t = deref(t)
	switch here := value.(type) {
	case map[string]any:
		if scalars[t] {
			return compact(here)
		}
		var parts []string
		for key, value := range here {
			if !isUnset(value) {
				parts = append(parts, key+":"+canonical(typeAt(t, key), value))
			}
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, item := range here {
			parts = append(parts, canonical(t.Elem(), item))
		}
		slices.Sort(parts)
		return "[" + strings.Join(parts, ",") + "]"
	}
	if t == quantityType {
		if r, ok := amount(value); ok {
			return decimal(r)
		}
	}
	return compact(value)
}

func typeAt(t reflect.Type, key string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	fields := fieldsOf(t)
	if i := slices.IndexFunc(fields, func(f field) bool { return f.name == key }); i >= 0 {
		return fields[i].goType
	}
	return reflect.TypeFor[any]()
}

// Unstructured is the content of an object that a client has read.
func Unstructured(object runtime.Object) (map[string]any, error) {
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}
