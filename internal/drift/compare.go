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

// Package drift finds what differs between intent and a live object, says who last wrote it, and how much it opens.
// It is pure: it reads what it is given, changes none of it, and does no I/O.
package drift

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A Comparer compares intent with live objects of the kinds that Kubernetes ships, and with those of optional APIs. It is
// safe for concurrent use.
type Comparer struct {
	scheme    *runtime.Scheme
	converter managedfields.TypeConverter
	// custom reads the kinds that the scheme doesn't know.
	custom managedfields.TypeConverter
}

// NewComparer returns a Comparer for the kinds in the scheme that Kubernetes ships. Their schema is parsed here, once
// in the life of the process.
func NewComparer(scheme *runtime.Scheme) (*Comparer, error) {
	if scheme == nil {
		return nil, errors.New("a comparer needs a scheme")
	}
	custom, err := newCustomConverter()
	if err != nil {
		return nil, err
	}
	return &Comparer{scheme: scheme, converter: applyconfigurations.NewTypeConverter(scheme), custom: custom}, nil
}

// Compare returns in what fields the live object differs from the intent for it. Neither is changed, and nothing of
// them is kept.
//
// The intent is fully defaulted, as the API server would default it (which includes that it rounds quantities up to
// milli-units), and has the labels and annotations of ours only.
// The live object is a typed one, as from the cache, or unstructured. What counts is:
//   - of labels and annotations, the keys that the intent has;
//   - of a Namespace, nothing else but the keys that Bulkhead or Pod Security obey: of those, the intent's are all, but for
//     the stamp that the API server sets;
//   - of all other kinds, the owner references and every field outside of metadata and status. That is a closed
//     world: what the intent doesn't have there is injected. Server-side apply alone would neither see it nor remove it.
//
// Order, spelling of quantities, and unset against empty are no difference where they mean nothing.
//
// Of a kind that the scheme doesn't know there is no more schema than customSchemas has: other lists are compared as a
// whole. What the API server fills in there counts as unset, see customDefaults.
//
// An error means that no comparison could be made, which says nothing about drift: the two aren't of one kind and name, or
// the intent has a field that the kind doesn't have.
func (c *Comparer) Compare(intent *unstructured.Unstructured, live runtime.Object) (Difference, error) {
	gvk := intent.GroupVersionKind()
	if err := c.match(intent, gvk, live); err != nil {
		return Difference{}, err
	}
	want, err := c.throughType(intent.Object, gvk, true)
	if err != nil {
		return Difference{}, fmt.Errorf("reading the intent for %s %q: %w", gvk.Kind, intent.GetName(), err)
	}
	have, err := c.content(live, gvk)
	if err != nil {
		return Difference{}, fmt.Errorf("reading the live %s %q: %w", gvk.Kind, intent.GetName(), err)
	}

	wantMeta, haveMeta := reduce(want, gvk.GroupKind()), reduce(have, gvk.GroupKind())
	for _, field := range []string{"labels", "annotations"} {
		keepKeysOf(wantMeta, haveMeta, field, closedKeys[gvk.GroupKind()])
	}
	c.canonical(gvk, want, have)
	if reflect.DeepEqual(want, have) {
		// Nearly always; it spares the far dearer comparison by schema, which wouldn't find anything either.
		return Difference{}, nil
	}
	return c.compare(want, have)
}

// canonical brings objects of a kind into canonical form, in place.
func (c *Comparer) canonical(gvk schema.GroupVersionKind, objects ...map[string]any) {
	for _, object := range objects {
		forms[gvk.GroupKind()].canonical(object)
	}
}

// typesOf reads objects of a kind by its schema.
func (c *Comparer) typesOf(gvk schema.GroupVersionKind) managedfields.TypeConverter {
	if c.scheme.Recognizes(gvk) {
		return c.converter
	}
	return c.custom
}

// compare compares what was brought into canonical form.
func (c *Comparer) compare(want, have map[string]any) (Difference, error) {
	intent := &unstructured.Unstructured{Object: want}
	types := c.typesOf(intent.GroupVersionKind())
	typedWant, err := types.ObjectToTyped(intent)
	if err != nil {
		return Difference{}, fmt.Errorf("reading the intent by its schema: %w", err)
	}
	// The API server, too, reads live objects so: old ones may have duplicates that it would refuse today.
	typedHave, err := types.ObjectToTyped(&unstructured.Unstructured{Object: have}, typed.AllowDuplicates)
	if err != nil {
		return Difference{}, fmt.Errorf("reading the live object by its schema: %w", err)
	}
	comparison, err := typedWant.Compare(typedHave)
	if err != nil {
		return Difference{}, fmt.Errorf("comparing: %w", err)
	}
	if comparison.IsSame() {
		return Difference{}, nil
	}
	return newDifference(comparison, typedWant, want, have), nil
}

// match checks that intent and live object are about the same thing.
func (c *Comparer) match(intent *unstructured.Unstructured, gvk schema.GroupVersionKind, live runtime.Object) error {
	var liveKind schema.GroupVersionKind
	if _, ok := live.(*unstructured.Unstructured); ok {
		liveKind = live.GetObjectKind().GroupVersionKind()
	} else {
		// Not what the object says of itself: a typed object may have an empty TypeMeta.
		kinds, _, err := c.scheme.ObjectKinds(live)
		if err != nil {
			return fmt.Errorf("finding the kind of the live object: %w", err)
		}
		liveKind = kinds[0]
	}
	object, err := meta.Accessor(live)
	if err != nil {
		return fmt.Errorf("reading the live object: %w", err)
	}
	if liveKind != gvk || object.GetName() != intent.GetName() || object.GetNamespace() != intent.GetNamespace() {
		return fmt.Errorf("comparing %s %s/%s with %s %s/%s: not the same object", gvk, intent.GetNamespace(),
			intent.GetName(), liveKind, object.GetNamespace(), object.GetName())
	}
	return nil
}

// throughType returns a copy of an unstructured object as the Go type has it. It is what makes intent and live object
// look alike before they are compared: quantities parsed, numbers of one type, empty what the API server keeps empty.
// A strict reading refuses fields that the type doesn't have, which would be lost without a word.
func (c *Comparer) throughType(in map[string]any, gvk schema.GroupVersionKind, strict bool) (map[string]any, error) {
	if !c.scheme.Recognizes(gvk) {
		return customContent(in, gvk.GroupKind())
	}
	object, err := c.scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(in, object, strict); err != nil {
		return nil, err
	}
	return c.content(object, gvk)
}

// content returns a live object's content as a map of its own.
func (c *Comparer) content(live runtime.Object, gvk schema.GroupVersionKind) (map[string]any, error) {
	if u, ok := live.(*unstructured.Unstructured); ok {
		return c.throughType(u.Object, gvk, false)
	}
	// A shallow copy is enough to leave out the two things that cost the most to convert and that don't count.
	from := reflect.ValueOf(live)
	if from.Kind() != reflect.Pointer || from.IsNil() {
		return nil, fmt.Errorf("%T is no object", live)
	}
	copied := reflect.New(from.Type().Elem())
	copied.Elem().Set(from.Elem())
	if status := copied.Elem().FieldByName("Status"); status.IsValid() {
		status.SetZero()
	}
	object, ok := copied.Interface().(metav1.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", live)
	}
	object.SetManagedFields(nil)

	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(copied.Interface())
	if err != nil {
		return nil, err
	}
	content["apiVersion"], content["kind"] = gvk.ToAPIVersionAndKind()
	return content, nil
}

// reduce leaves out what doesn't count, in place, and returns the metadata: never nil, and always part of the object.
func reduce(object map[string]any, kind schema.GroupKind) map[string]any {
	metadata := map[string]any{}
	if all, ok := object["metadata"].(map[string]any); ok {
		for _, field := range []string{"labels", "annotations", "ownerReferences"} {
			if value, ok := all[field]; ok {
				metadata[field] = value
			}
		}
	}
	object["metadata"] = metadata
	delete(object, "status")
	if kind == (schema.GroupKind{Kind: "Namespace"}) {
		delete(object, "spec")
		delete(metadata, "ownerReferences")
	}
	return metadata
}

// closedKeys are, by kind, the prefixes of the label and annotation keys of which only the intent may have any: a key
// that someone adds there lowers Pod Security, moves the namespace into a wall, or widens a guard-rail.
var closedKeys = map[schema.GroupKind][]string{
	{Kind: "Namespace"}: {podSecurityPrefix, v1alpha1.Prefix, v1alpha1.GuardPrefix, "resource.kubernetes.io/"},
}

// keepKeysOf leaves out of have what want doesn't have in a map of metadata, but for the keys with a closed prefix. If
// either has something left, both get a map, even an empty one: so that each key is a difference of its own, and never
// the map as a whole, in which others have keys, too.
func keepKeysOf(want, have map[string]any, field string, closed []string) {
	ours, _ := want[field].(map[string]any)
	kept := make(map[string]any, len(ours))
	theirs, _ := have[field].(map[string]any)
	for key, value := range theirs {
		_, asked := ours[key]
		if asked || !isStamp(field, key) && slices.ContainsFunc(closed, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			kept[key] = value
		}
	}
	if len(ours)+len(kept) == 0 {
		delete(want, field)
		delete(have, field)
		return
	}
	if ours == nil {
		want[field] = map[string]any{}
	}
	have[field] = kept
}
