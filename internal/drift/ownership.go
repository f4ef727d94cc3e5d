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
	for _, t := range []v1alpha1.DriftType{v1alpha1.DriftFieldModified, v1alpha1.DriftFieldInjected} {
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
