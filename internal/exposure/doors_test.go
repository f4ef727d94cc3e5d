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

package exposure

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// TestPolicyBehindWalls: a NetworkPolicy that the spec renders as a door, because it waits for the EgressFirewall that
// narrows it, is the spec's as much as the walls are.
func TestPolicyBehindWalls(t *testing.T) {
	t.Parallel()
	tenant := builders.MakeTenant("acme").Namespaces("acme-dev").Spec(func(spec *v1alpha1.TenantSpec) {
		spec.Egress = &v1alpha1.EgressPolicy{Destinations: []v1alpha1.EgressDestination{{Name: "partner", FQDNs: []v1alpha1.FQDN{"api.example.com"}}}}
	}).Obj()
	plan := planIn(t, facts.Options{
		DNS:  feature.DNS{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53}},
		APIs: []schema.GroupVersionKind{{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressFirewall"}},
	}, tenant)
	w := builtBy(t)
	w.tenants = append(w.tenants, *tenant)
	w.namespaces = append(w.namespaces, *liveOf(plan))
	doors, err := intents[networkingv1.NetworkPolicy](plan.Doors, "NetworkPolicy")
	if err != nil || len(doors) != 1 {
		t.Fatalf("%d doors are NetworkPolicies, %v; want one", len(doors), err)
	}
	walls, err := intents[networkingv1.NetworkPolicy](plan.Walls, "NetworkPolicy")
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range append(walls, doors...) {
		w.policies = append(w.policies, *policy)
	}
	got, err := judgeOf(w).Judge(t.Context(), plan, liveOf(plan))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]told{}, brief(t, got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
