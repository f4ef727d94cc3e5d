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
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// AppliedBy reports whether a field manager has server-side applied the object. Unlike a label, nobody who merely
// edits the object puts that there by accident.
func AppliedBy(live metav1.Object, manager string) bool {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			return true
		}
	}
	return false
}

// OwnsLabel reports whether a field manager owns a label by having applied it.
func OwnsLabel(live metav1.Object, manager, key string) bool {
	return OwnsPath(live, manager, LabelPath(key))
}

// OwnsAnnotation reports whether a field manager owns an annotation by having applied it.
func OwnsAnnotation(live metav1.Object, manager, key string) bool {
	return OwnsPath(live, manager, AnnotationPath(key))
}

// Type is the one type that speaks for the whole difference: a changed field says more than an added one, and
// that more than a removed one.
func (d Difference) Type() v1alpha1.DriftType {
	types := map[v1alpha1.DriftType]bool{}
	for _, t := range d.Types() {
		types[t] = true
	}
	order := []v1alpha1.DriftType{v1alpha1.DriftFieldModified, v1alpha1.DriftFieldInjected, v1alpha1.DriftOwnershipLost}
	for _, t := range order {
		if types[t] {
			return t
		}
	}
	return v1alpha1.DriftFieldRemoved
}

// OnlyInjected reports whether nothing of the intent itself was changed or removed.
func (d Difference) OnlyInjected() bool {
	for _, t := range d.Types() {
		if t != v1alpha1.DriftFieldInjected {
			return false
		}
	}
	return true
}

// notOwned are the fields that an apply names and that the API server doesn't note as owned by anyone.
var notOwned = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"), fieldpath.MakePathOrDie("metadata", "namespace"),
)

// Unowned returns the fields of the intent that the manager's apply of the live object no longer covers, as changes
// of type OwnershipLost, sorted by path. It is for a live object that doesn't differ: who owns a field decides what is
// pruned when the intent no longer has it, so equal values alone aren't enough. Managed fields get lost when someone
// clears them, and when an object is restored from a backup.
//
// An error means that the intent doesn't fit the schema of its kind.
func (c *Comparer) Unowned(intent *unstructured.Unstructured, live metav1.Object, manager string) ([]Change, error) {
	gvk := intent.GroupVersionKind()
	typedIntent, err := c.typesOf(gvk).ObjectToTyped(intent)
	if err != nil {
		return nil, fmt.Errorf("reading the intent by its schema: %w", err)
	}
	want, err := typedIntent.ToFieldSet()
	if err != nil {
		return nil, fmt.Errorf("listing the fields of the intent: %w", err)
	}
	lost := want.Difference(notOwned)
	entries := live.GetManagedFields()
	for i := range entries {
		entry := &entries[i]
		if entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			owned := fieldsOf(entry)
			lost = lost.Difference(owned)
			if !c.scheme.Recognizes(gvk) {
				lost = withoutCovered(lost, owned)
			}
		}
	}
	if lost.Empty() {
		return nil, nil
	}
	var changes []Change
	for path := range lost.Leaves().All() {
		field := path.Copy() // the set reuses the memory of its paths
		text := clean(pathString(field, typedIntent.Schema(), typedIntent.TypeRef()), maxPathLength)
		changes = append(changes, Change{Path: text, Field: field, Type: v1alpha1.DriftOwnershipLost})
	}
	sortChanges(changes)
	return changes, nil
}
