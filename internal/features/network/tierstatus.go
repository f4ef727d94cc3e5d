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

package network

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Observes implements feature.Observer.
func (r Room) Observes() []schema.GroupVersionKind { return r.OwnsCluster() }

// Observe implements feature.Observer: it says which tier is in force. The API leaves the conditions to the implementation,
// and without one there is none: what isn't known to mean a refusal isn't one.
func (Room) Observe(live runtime.Object) feature.Observation {
	seen, ok := feature.ReadStatus(live)
	if !ok {
		return feature.Observation{}
	}
	for _, c := range seen.Conditions {
		if c.Status == metav1.ConditionFalse && saysItIsInForce(c.Type) {
			return feature.Observation{Problem: &feature.Finding{
				Reason: v1alpha1.ReasonNotProgrammed,
				Message: fmt.Sprintf("%s %s isn't in force, says the network plugin (%s is False): %s: %s",
					seen.Kind, seen.Name, c.Type, c.Reason, feature.OneLine(c.Message)),
			}}
		}
	}
	report := fmt.Sprintf("strict tier: %s %s", seen.Kind, seen.Name)
	if tenant := feature.TenantOf("", seen.Name); seen.Name != feature.ClusterName(tenant, "") {
		// One sentence for all that are for single namespaces, or for rules that didn't fit.
		report = fmt.Sprintf("strict tier: %s %s.*", seen.Kind, feature.ClusterName(tenant, ""))
	}
	if seen.Kind == adminNetworkPolicy.gvk.Kind {
		report += " (between pods; ways out of the cluster are held by NetworkPolicies alone)"
	}
	return feature.Observation{Report: report}
}

// saysItIsInForce reports whether a type of condition is one by which an implementation says that it took over a policy.
// OVN-Kubernetes has one for each zone:
// https://github.com/ovn-kubernetes/ovn-kubernetes/blob/master/go-controller/pkg/ovn/controller/admin_network_policy/status.go
func saysItIsInForce(conditionType string) bool {
	switch conditionType {
	case "Accepted", "Programmed", "Ready":
		return true
	}
	return strings.HasPrefix(conditionType, "Ready-In-Zone-")
}
