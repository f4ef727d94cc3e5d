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

package guard

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func probe(policy string) *Probe {
	return &Probe{Policy: policy, Method: Create, Resource: "pods", Refusal: "rule images: Pod", Object: unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "bulkhead-guard-probe", "namespace": "bulkhead-guard-probe"},
	}}}
}

func status(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message}}
}

// TestRead has what API servers answer, word by word.
func TestRead(t *testing.T) {
	t.Parallel()
	pods := schema.GroupResource{Resource: "pods"}
	const forbidden = `pods "bulkhead-guard-probe" is forbidden: `
	cases := map[string]struct {
		err  error
		want Answer
	}{
		"success": {nil, Answer{Result: Passed}},
		"refused": {status(403, forbidden+`ValidatingAdmissionPolicy 'bulkhead-images' with binding 'bulkhead-images' denied request: tenant "", `+
			`rule images: Pod "bulkhead-guard-probe" must not use the image`), Answer{Result: Refused}},
		"refused by another binding of the policy": {status(403, forbidden+`ValidatingAdmissionPolicy 'bulkhead-images' with binding 'mine' denied request: tenant "", `+
			`rule images: Pod "bulkhead-guard-probe" must not use the image`), Answer{Result: Refused}},
		"a policy that fails": {status(422, forbidden+`ValidatingAdmissionPolicy 'bulkhead-images' with binding 'bulkhead-images' denied request: `+
			`expression 'x' resulted in error: no such key`), Answer{Result: Inconclusive, Why: "it refuses everything, because it fails"}},
		"a policy whose name is longer": {status(403, forbidden+`ValidatingAdmissionPolicy 'bulkhead-images-of-mine' with binding 'b' denied request: rule images: Pod`),
			Answer{Result: Inconclusive, Why: "policy bulkhead-images-of-mine refuses the probe too"}},
		"another policy": {status(403, forbidden+`ValidatingAdmissionPolicy 'other' with binding 'other' denied request: rule images: Pod`),
			Answer{Result: Inconclusive, Why: "policy other refuses the probe too"}},
		"exists":    {apierrors.NewAlreadyExists(pods, "bulkhead-guard-probe"), Answer{Result: Passed}},
		"the quota": {status(403, forbidden+"exceeded quota: bulkhead-guard-probe, requested: pods=1, used: pods=0, limited: pods=0"), Answer{Result: Passed}},
		"RBAC": {apierrors.NewForbidden(pods, "bulkhead-guard-probe", errors.New(`User "x" cannot create resource "pods" in API group "" in the namespace "bulkhead-guard-probe"`)),
			Answer{Result: Inconclusive, Why: `pods "bulkhead-guard-probe" is forbidden: User "x" cannot create resource "pods" in API group "" in the namespace "bulkhead-guard-probe"`}},
		"invalid": {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "bulkhead-guard-probe", nil),
			Answer{Result: Inconclusive, Why: `Pod "bulkhead-guard-probe" is invalid`}},
		"a webhook that knows no dry-run": {apierrors.NewBadRequest("admission webhook \"x\" does not support dry run"),
			Answer{Result: Inconclusive, Why: `admission webhook "x" does not support dry run`}},
		"no such API": {apierrors.NewGenericServerResponse(404, "POST", schema.GroupResource{}, "", "404 page not found", 0, true), Answer{Result: NotServed}},
		"no such resource": {&apierrors.StatusError{ErrStatus: metav1.Status{Code: 404, Reason: metav1.StatusReasonNotFound, Details: &metav1.StatusDetails{},
			Message: "the server could not find the requested resource"}}, Answer{Result: NotServed}},
		"no details": {&apierrors.StatusError{ErrStatus: metav1.Status{Code: 404, Reason: metav1.StatusReasonNotFound}}, Answer{Result: NotServed}},
		"no namespace": {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "bulkhead-guard-probe"),
			Answer{Result: Inconclusive, Why: "namespace bulkhead-guard-probe is missing"}},
		"no object to bind": {apierrors.NewNotFound(pods, "bulkhead-guard-probe"), Answer{Result: Passed}},
		"who is that":       {apierrors.NewUnauthorized("no"), Answer{Result: Unreachable, Why: "it answers with code 401"}},
		"busy":              {apierrors.NewTooManyRequests("no", 1), Answer{Result: Unreachable, Why: "it answers with code 429"}},
		"starting":          {apierrors.NewServiceUnavailable("no"), Answer{Result: Unreachable, Why: "it answers with code 503"}},
		"broken":            {apierrors.NewInternalError(errors.New("no")), Answer{Result: Unreachable, Why: "it answers with code 500"}},
		"no connection":     {fmt.Errorf("dialling: %w", errors.New("refused")), Answer{Result: Unreachable, Why: "no answer"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, read(probe("bulkhead-images"), tc.err)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
