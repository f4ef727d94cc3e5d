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

package quota_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/quota"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// rail is the guard-rail of the room.
func rail(t *testing.T) guard.Rail {
	t.Helper()
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, rail := range rails {
		if rail.Name() == "bulkhead-quota-ready" {
			return rail
		}
	}
	t.Fatal("there is no guard-rail bulkhead-quota-ready")
	return guard.Rail{}
}

// TestGuarded checks that the namespaces for which the guard-rail wants a quota in force are those that get one: one
// that waited for a quota that nobody renders would never run a pod.
func TestGuarded(t *testing.T) {
	t.Parallel()
	policy := rail(t).Policy.Spec.MatchConstraints
	selector, err := metav1.LabelSelectorAsSelector(policy.NamespaceSelector)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		quota string
		want  bool
	}{
		"nothing":      {},
		"empty":        {quota: `{}`},
		"no resources": {quota: `{perNamespace: {}}`},
		"a budget":     {quota: `{perNamespace: {pods: 10}}`, want: true},
		"of nothing":   {quota: `{perNamespace: {pods: 0}}`, want: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := feature.Facts{Tenant: "acme", Namespace: "acme-prod"}
			if err := yaml.UnmarshalStrict([]byte(tc.quota), &facts.Policy.Quota); err != nil {
				t.Fatal(err)
			}
			got, err := (quota.Room{}).Render(facts)
			if err != nil {
				t.Fatal(err)
			}
			if rendered := len(got.Walls) > 0; rendered != tc.want {
				t.Errorf("a quota is rendered: %t, want %t", rendered, tc.want)
			}
			namespace := labels.Set{v1alpha1.LabelTenant: "acme"}
			if selector.Matches(namespace) {
				t.Error("a namespace is guarded whatever the room says")
			}
			if guarded := selector.Matches(labels.Merge(namespace, got.Labels)); guarded != tc.want {
				t.Errorf("the namespace is guarded: %t, want %t", guarded, tc.want)
			}
			// Without the tenant it isn't ours to guard.
			if selector.Matches(labels.Set(got.Labels)) {
				t.Error("a namespace of no tenant is guarded")
			}
			if len(got.Annotations) != 0 {
				t.Errorf("annotations %v, want none", got.Annotations)
			}
		})
	}
}

// TestGuardWaitsForOurs checks that the guard-rail waits for the very object that the room renders.
func TestGuardWaitsForOurs(t *testing.T) {
	t.Parallel()
	facts := feature.Facts{Tenant: "acme", Namespace: "acme-prod"}
	if err := yaml.UnmarshalStrict([]byte(`{perNamespace: {pods: 10}}`), &facts.Policy.Quota); err != nil {
		t.Fatal(err)
	}
	got, err := (quota.Room{}).Render(facts)
	if err != nil {
		t.Fatal(err)
	}
	rendered, rail := got.Walls[0], rail(t)
	kind := &admissionregistrationv1.ParamKind{APIVersion: *rendered.GetAPIVersion(), Kind: *rendered.GetKind()}
	if diff := cmp.Diff(kind, rail.Policy.Spec.ParamKind); diff != "" {
		t.Errorf("kind of the parameter (-rendered +guarded):\n%s", diff)
	}
	// No namespace is that of the request.
	ref := &admissionregistrationv1.ParamRef{Name: *rendered.GetName(), ParameterNotFoundAction: new(admissionregistrationv1.DenyAction)}
	if diff := cmp.Diff(ref, rail.Binding.Spec.ParamRef); diff != "" {
		t.Errorf("the parameter (-rendered +guarded):\n%s", diff)
	}
	if want := corev1.SchemeGroupVersion.WithKind("ResourceQuota"); kind.APIVersion != want.Version || kind.Kind != want.Kind {
		t.Errorf("the room renders a %v, want a %s", kind, want.Kind)
	}
}
