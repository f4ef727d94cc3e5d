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

package controllers

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

// accessReview asks whether the first subject of a binding may get pods in its namespace, and says in words what
// it asks for. It is nil if there is nothing that could be asked.
func accessReview(grant *engine.Grant) (*authorizationv1.SubjectAccessReview, string) {
	subjects, _, _ := unstructured.NestedSlice(grant.Binding.Object, "subjects")
	if len(subjects) == 0 {
		return nil, ""
	}
	subject, _ := subjects[0].(map[string]any)
	kind, _, _ := unstructured.NestedString(subject, "kind")
	name, _, _ := unstructured.NestedString(subject, "name")
	spec := authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: grant.Namespace, Verb: "get", Version: "v1", Resource: "pods"},
	}
	switch kind {
	case "User":
		spec.User = name
	case "Group":
		spec.Groups = []string{name}
	case "ServiceAccount":
		namespace, _, _ := unstructured.NestedString(subject, "namespace")
		spec.User = fmt.Sprintf("system:serviceaccount:%s:%s", namespace, name)
	default:
		return nil, ""
	}
	return &authorizationv1.SubjectAccessReview{Spec: spec},
		fmt.Sprintf("access of %s %s to namespace %s", kind, name, grant.Namespace)
}
