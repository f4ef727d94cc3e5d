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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// maxManagerLength bounds the name of a field manager, in characters, as the API server does.
const maxManagerLength = 128

// An Attribution says who last wrote what differs, as the client declared it: anyone may choose the name of their
// field manager, so that this is never an identity; for that there is the Stamp. The zero value says that nothing tells.
type Attribution struct {
	// Manager is the field manager; printable, at most 128 characters.
	Manager string
	// Operation is Apply or Update.
	Operation string
	// Subresource is the subresource through which was written; empty for the object itself.
	Subresource string
	// Time is when the manager last wrote any field of this object, which may be later than the change; with the
	// precision of a second. Nil if it isn't known.
	Time *metav1.Time
}

// Attribute returns who, other than ownManager, last wrote one of the fields that differ. It must be asked before the
// difference is corrected: a forced apply erases the traces.
//
// A removed field leaves no trace: its owner just stops to own it. Nor does a change under our own manager's name.
func Attribute(live metav1.Object, d Difference, ownManager string) Attribution {
	var paths []fieldpath.Path
	for _, change := range d.Changes {
		if change.Type != v1alpha1.DriftFieldRemoved {
			paths = append(paths, change.Field)
		}
	}
	if len(paths) == 0 {
		return Attribution{}
	}

	var latest *metav1.ManagedFieldsEntry
	entries := live.GetManagedFields()
	for i := range entries {
		entry := &entries[i]
		if entry.Manager == ownManager || (latest != nil && before(entry.Time, latest.Time)) {
			continue
		}
		if touchesAny(fieldsOf(entry), paths) {
			latest = entry
		}
	}
	return attributionOf(latest)
}

// LastWriter says who last wrote any field of an object, other than the given manager: of an object that isn't ours at
// all, that is who made it what it is. It is empty if nothing tells.
func LastWriter(live metav1.Object, ownManager string) Attribution {
	var latest *metav1.ManagedFieldsEntry
	entries := live.GetManagedFields()
	for i := range entries {
		entry := &entries[i]
		if entry.Manager != ownManager && entry.Subresource == "" && (latest == nil || !before(entry.Time, latest.Time)) {
			latest = entry
		}
	}
	return attributionOf(latest)
}

func attributionOf(entry *metav1.ManagedFieldsEntry) Attribution {
	if entry == nil {
		return Attribution{}
	}
	return Attribution{
		Manager:     clean(entry.Manager, maxManagerLength),
		Operation:   clean(string(entry.Operation), maxManagerLength),
		Subresource: clean(entry.Subresource, maxManagerLength),
		Time:        entry.Time.DeepCopy(),
	}
}

// OwnsPath reports whether the manager owns the field by server-side apply. A label of ours that we don't own was
// written by someone else, and an intent annotation that we don't own was tampered with.
func OwnsPath(live metav1.Object, manager string, path fieldpath.Path) bool {
	entries := live.GetManagedFields()
	for i := range entries {
		entry := &entries[i]
		if entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" &&
			fieldsOf(entry).Has(path) {
			return true
		}
	}
	return false
}

// LabelPath is the path of a label.
func LabelPath(key string) fieldpath.Path { return fieldpath.MakePathOrDie("metadata", "labels", key) }

// AnnotationPath is the path of an annotation.
func AnnotationPath(key string) fieldpath.Path {
	return fieldpath.MakePathOrDie("metadata", "annotations", key)
}

// before reports whether a is before b. An unknown time is before every other.
func before(a, b *metav1.Time) bool {
	if a == nil || b == nil {
		return a == nil && b != nil
	}
	return a.Time.Before(b.Time)
}

// fieldsOf decodes the fields of an entry. They are empty if they can't be read: whoever may update the object may
// also have edited the entry.
func fieldsOf(entry *metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := fieldpath.NewSet()
	if entry.FieldsV1 == nil {
		return set
	}
	// Not .Raw: it isn't there in a build with the tag fieldsv1string.
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return fieldpath.NewSet()
	}
	return set
}

func touchesAny(set *fieldpath.Set, paths []fieldpath.Path) bool {
	for _, path := range paths {
		if touches(set, path) {
			return true
		}
	}
	return false
}

// touches reports whether a set has the path, something below it, or something above it that is a leaf of the set.
// Above it a mere member doesn't count: who added one label may well own "metadata.labels" itself, too.
func touches(set *fieldpath.Set, path fieldpath.Path) bool {
	for i, element := range path {
		below, hasBelow := set.Children.Get(element)
		hasBelow = hasBelow && !below.Empty()
		isMember := set.Members.Has(element)
		if i == len(path)-1 {
			return isMember || hasBelow
		}
		if !hasBelow {
			return isMember
		}
		set = below
	}
	return false
}

// clean makes a text that a client chose fit to be shown, with at most limit characters.
func clean(text string, limit int) string { return redact.Name(text, limit) }
