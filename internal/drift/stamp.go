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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// maxUserLength bounds the name of a user, in characters, as the API bounds it in an Attribution.
const maxUserLength = 256

// stamps are the annotations that the API server itself writes, on every change, whoever makes it: no intent has them,
// and they are never a difference.
var stamps = []string{v1alpha1.AnnotationLastChangedBy, v1alpha1.AnnotationLastChangedFrom}

// A Stamp is what the API server noted of the request that last changed an object.
type Stamp struct {
	// User is who made it, as the API server authenticated the request; printable, at most 256 characters.
	User string
	// From is the resource version to which it was made; empty if it created the object.
	From string
}

// StampOf returns the stamp of an object. It isn't ok if there is none, or half of one. Whether it may be believed is
// another question: where no policy writes it, anyone may have, who may write the object.
func StampOf(live metav1.Object) (stamp Stamp, ok bool) {
	annotations := live.GetAnnotations()
	from, hasFrom := annotations[v1alpha1.AnnotationLastChangedFrom]
	stamp = Stamp{User: clean(annotations[v1alpha1.AnnotationLastChangedBy], maxUserLength), From: from}
	if stamp.User == "" || !hasFrom {
		return Stamp{}, false
	}
	return stamp, true
}

// isStamp reports whether an annotation is part of the stamp.
func isStamp(field, key string) bool { return field == "annotations" && slices.Contains(stamps, key) }
