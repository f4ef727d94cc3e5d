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
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

func newScheme(tb testing.TB) *runtime.Scheme {
	tb.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, networkingv1.AddToScheme, rbacv1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	return scheme
}

func newComparer(tb testing.TB) *Comparer {
	tb.Helper()
	c, err := NewComparer(newScheme(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func object(tb testing.TB, text string) *unstructured.Unstructured {
	tb.Helper()
	json, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	// Not yaml.Unmarshal: numbers of an unstructured object are int64.
	if err := out.UnmarshalJSON(json); err != nil {
		tb.Fatal(err)
	}
	return out
}

// live returns a typed object as the cache holds it, with the metadata that the server adds.
func live(tb testing.TB, text string) runtime.Object {
	tb.Helper()
	u := object(tb, text)
	out, err := newScheme(tb).New(u.GroupVersionKind())
	if err != nil {
		tb.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, out, true); err != nil {
		tb.Fatal(err)
	}
	accessor, err := meta.Accessor(out)
	if err != nil {
		tb.Fatal(err)
	}
	accessor.SetUID("5d4ed4a4")
	accessor.SetResourceVersion("42")
	accessor.SetGeneration(3)
	accessor.SetCreationTimestamp(metav1.Unix(1700000000, 0))
	accessor.SetFinalizers([]string{"example.com/x"})
	accessor.SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: "bulkhead", Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:tenancy.bulkhead.dev/tenant":{}}},"f:spec":{}}`),
	}})
	return out
}

// Intents as the rooms render them, one of each kind.
const (
	intentDeny = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: bulkhead-default-deny
  namespace: acme-prod
  labels: {tenancy.bulkhead.dev/tenant: acme, app.kubernetes.io/managed-by: bulkhead}
  annotations: {tenancy.bulkhead.dev/intent: "v1:abc"}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
`
	intentAllow = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: bulkhead-allow-x
  namespace: acme-prod
  labels: {tenancy.bulkhead.dev/tenant: acme}
spec:
  podSelector: {matchExpressions: [{key: a, operator: In, values: [x, w, z]}, {key: b, operator: Exists}]}
  policyTypes: [Ingress]
  ingress:
  - from:
    - {namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: shared}}, podSelector: {matchExpressions: [{key: c, operator: NotIn, values: [u, v]}]}}
    - {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}}
    ports: [{protocol: TCP, port: 443}, {protocol: UDP, port: 53}, {protocol: TCP, port: http}]
  - from: [{podSelector: {}}]
`
	intentBinding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: bulkhead-owners
  namespace: acme-prod
  labels: {tenancy.bulkhead.dev/tenant: acme}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: owners}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}
- {kind: ServiceAccount, name: ci, namespace: acme-prod}
`
	intentRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: bulkhead-acme
  labels: {tenancy.bulkhead.dev/tenant: acme}
rules:
- {apiGroups: [""], resources: [namespaces, events], resourceNames: [a, b], verbs: [get, list, watch]}
- {apiGroups: [apps, ""], resources: [deployments], verbs: [get]}
`
	intentQuota = `
apiVersion: v1
kind: ResourceQuota
metadata:
  name: bulkhead
  namespace: acme-prod
  labels: {tenancy.bulkhead.dev/tenant: acme}
spec:
  hard: {pods: "50", requests.cpu: "4", requests.memory: 8Gi}
`
	intentLimits = `
apiVersion: v1
kind: LimitRange
metadata:
  name: bulkhead
  namespace: acme-prod
  labels: {tenancy.bulkhead.dev/tenant: acme}
spec:
  limits:
  - {type: Container, max: {cpu: "2", memory: 1Gi}, default: {cpu: "2", memory: 1Gi}, defaultRequest: {cpu: 50m, memory: 1Gi}}
  - {type: Pod, max: {cpu: "4"}}
`
	intentNamespace = `
apiVersion: v1
kind: Namespace
metadata:
  name: acme-prod
  labels: {tenancy.bulkhead.dev/tenant: acme, pod-security.kubernetes.io/enforce: restricted}
  annotations: {guard.bulkhead.dev/x: w}
`
)

// intents are all of them, by a name for the test.
var intents = map[string]string{
	"deny": intentDeny, "allow": intentAllow, "binding": intentBinding, "role": intentRole,
	"quota": intentQuota, "limits": intentLimits, "namespace": intentNamespace,
}
