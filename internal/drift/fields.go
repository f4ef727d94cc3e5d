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
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Fields describes the changes of an object of this kind for a report: at most MaxReportFields of them, the gravest
// first, what is in the metadata last, and then by path. How many there are is the length of Changes.
//
// Values are told where they are known to hold nothing secret, as compact JSON of at most MaxFieldValue characters, in
// the form in which they were compared: lists without an order sorted, quantities spelled by their value (8589934592 for
// 8Gi). Of all other fields nothing is told but the path, in which labels, annotations and resources are named by
// their keys.
//
// A change of type OwnershipLost isn't there: no value differs.
func (d Difference) Fields(kind schema.GroupKind) []v1alpha1.FieldDrift {
	changes := slices.DeleteFunc(slices.Clone(d.Changes), func(change Change) bool {
		_, ok := fieldChange(change.Type)
		return !ok
	})
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(
			changeSeverity(kind, a.Field).Compare(changeSeverity(kind, b.Field)),
			cmp.Compare(metadataRank(a), metadataRank(b)),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Type, b.Type),
			a.Field.Compare(b.Field),
		)
	})
	var fields []v1alpha1.FieldDrift
	for _, change := range changes[:min(len(changes), v1alpha1.MaxReportFields)] {
		what, _ := fieldChange(change.Type)
		fields = append(fields, v1alpha1.FieldDrift{
			Path:     clean(change.Path, maxPathLength),
			Change:   what,
			Expected: change.values.expected,
			Actual:   change.values.actual,
			Redacted: !change.values.shown,
		})
	}
	return fields
}

// fieldChange says what became of the field of a change. It isn't ok if nothing did.
func fieldChange(driftType v1alpha1.DriftType) (what v1alpha1.FieldChange, ok bool) {
	switch driftType {
	case v1alpha1.DriftFieldModified:
		return v1alpha1.FieldChangeModified, true
	case v1alpha1.DriftFieldRemoved:
		return v1alpha1.FieldChangeRemoved, true
	case v1alpha1.DriftFieldInjected:
		return v1alpha1.FieldChangeInjected, true
	default:
		return "", false
	}
}

func metadataRank(change Change) int {
	if name(change.Field, 0) == "metadata" {
		return 1
	}
	return 0
}
