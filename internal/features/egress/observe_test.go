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

package egress_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/egress"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	const each = `: each needs a node of its own that is labelled k8s.ovn.org/egress-assignable and has a network with the address`
	tests := map[string]struct {
		kind            schema.GroupVersionKind
		live            string
		report, problem string
	}{
		"Cilium": {kind: ciliumGateway, report: "CiliumEgressGatewayPolicy bulkhead.acme: Programmed: Unknown (Cilium doesn't report it)"},
		"EgressIP, on a node": {kind: egressIP, live: `{spec: {egressIPs: [198.51.100.10]}, status: {items: [{node: n1, egressIP: 198.51.100.10}]}}`,
			report: "198.51.100.10 on node n1 (EgressIP bulkhead.acme)"},
		"EgressIP, spelled another way": {kind: egressIP, live: `{spec: {egressIPs: ["2001:db8::1"]}, status: {items: [{node: n1, egressIP: "2001:DB8:0::1"}]}}`,
			report: "2001:db8::1 on node n1 (EgressIP bulkhead.acme)"},
		"EgressIP, in part": {
			kind: egressIP, live: `{spec: {egressIPs: [198.51.100.10, 198.51.100.12, 198.51.100.11]}, status: {items: [{node: n1, egressIP: 198.51.100.10}]}}`,
			report:  "198.51.100.10 on node n1 (EgressIP bulkhead.acme)",
			problem: "198.51.100.11, 198.51.100.12: on no node (EgressIP bulkhead.acme)" + each},
		"EgressIP, of old": {kind: egressIP, live: `{spec: {egressIPs: [198.51.100.11]}, status: {items: [{node: n1, egressIP: 198.51.100.10}]}}`,
			problem: "198.51.100.11: on no node (EgressIP bulkhead.acme)" + each},
		"EgressIP, new":     {kind: egressIP, live: `{spec: {egressIPs: [198.51.100.11]}}`, problem: "198.51.100.11: on no node (EgressIP bulkhead.acme)" + each},
		"EgressIP, no node": {kind: egressIP, live: `{spec: {egressIPs: [198.51.100.11]}, status: {items: [x, {egressIP: 198.51.100.11}]}}`, problem: "198.51.100.11: on no node (EgressIP bulkhead.acme)" + each},
		"EgressIP, broken":  {kind: egressIP, live: `{spec: {egressIPs: x}, status: {items: x}}`},
		"Egress, on a node": {kind: antreaEgress, live: `{spec: {egressIP: 198.51.100.10}, status: {egressIP: 198.51.100.10, egressNode: n1}}`,
			report: "198.51.100.10 on node n1 (Egress bulkhead.acme)"},
		"Egress, of an older release": {kind: antreaEgress, live: `{spec: {egressIP: 198.51.100.10}, status: {egressNode: n1, conditions: [{type: IPAssigned, status: "True"}]}}`,
			report: "198.51.100.10 on node n1 (Egress bulkhead.acme)"},
		"Egress, another address": {kind: antreaEgress, live: `{spec: {egressIP: 198.51.100.10}, status: {egressIP: 198.51.100.11, egressNode: n1}}`,
			problem: "198.51.100.10: on no node (Egress bulkhead.acme): a node must have the address"},
		"Egress, new": {kind: antreaEgress, live: `{spec: {egressIP: 198.51.100.10}}`,
			problem: "198.51.100.10: on no node (Egress bulkhead.acme): a node must have the address"},
		"Egress, not assigned": {
			kind: antreaEgress, live: `{spec: {egressIP: 198.51.100.10}, status: {conditions: [{type: IPAssigned, status: "False", reason: AssignmentError, message: no Node}, {type: X, status: "False"}]}}`,
			problem: "198.51.100.10: on no node (Egress bulkhead.acme): IPAssigned: AssignmentError no Node; X"},
		"Egress, broken": {kind: antreaEgress, live: `{spec: x, status: {egressIP: 1}}`, problem: ": on no node (Egress bulkhead.acme): a node must have the address"},
		"EgressFirewall": {kind: firewall, live: `{status: {status: EgressFirewall Rules applied, messages: ["n1: EgressFirewall Rules applied"]}}`},
		"EgressFirewall, new": {kind: firewall, live: `{}`,
			problem: "EgressFirewall /bulkhead.acme isn't in force: OVN-Kubernetes hasn't reported that it applied the rules"},
		"EgressFirewall, not applied": {
			kind: firewall, live: `{status: {status: EgressFirewall Rules not correctly applied, messages: ["n3: c", "n2: b", "n1: EgressFirewall Rules applied", "n5: e", "n4: d"]}}`,
			problem: "EgressFirewall /bulkhead.acme isn't in force, as OVN-Kubernetes says: EgressFirewall Rules not correctly applied; n2: b; n3: c; n4: d"},
		"EgressFirewall, broken": {kind: firewall, live: `{status: {status: not applied, messages: x}}`,
			problem: "EgressFirewall /bulkhead.acme isn't in force, as OVN-Kubernetes says: not applied"},
		"CiliumNetworkPolicy":        {kind: ciliumPolicy, live: `{status: {conditions: [{type: Valid, status: "True", message: ok}]}}`},
		"CiliumNetworkPolicy, older": {kind: ciliumPolicy, live: `{}`},
		"CiliumNetworkPolicy, not valid": {kind: ciliumPolicy, live: `{status: {conditions: [{type: Valid, status: "False", message: bad port}]}}`,
			problem: "CiliumNetworkPolicy /bulkhead.acme isn't in force, as Cilium says: bad port"},
		"CiliumNetworkPolicy, no reason": {kind: ciliumPolicy, live: `{status: {conditions: [1, {type: Valid, status: "False"}]}}`,
			problem: "CiliumNetworkPolicy /bulkhead.acme isn't in force, as Cilium says: no reason given"},
		"another kind": {kind: schema.GroupVersionKind{Kind: "X"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &unstructured.Unstructured{Object: map[string]any{}}
			if err := yaml.Unmarshal([]byte(tc.live), &u.Object); err != nil {
				t.Fatal(err)
			}
			u.SetGroupVersionKind(tc.kind)
			u.SetName("bulkhead.acme")
			if len(tc.report)+len(tc.problem) > 0 && !slices.Contains(egress.Room{}.Observes(), tc.kind) {
				t.Errorf("%s isn't observed", tc.kind)
			}
			got := egress.Room{}.Observe(u)
			if got.Report != tc.report {
				t.Errorf("report %q, want %q", got.Report, tc.report)
			}
			var want []string
			if tc.problem != "" {
				want = []string{"NotProgrammed: " + tc.problem}
			}
			var problems []feature.Finding
			if got.Problem != nil {
				problems = append(problems, *got.Problem)
			}
			if diff := cmp.Diff(want, sentences(problems)); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
	if got := (egress.Room{}).Observe(&networkingv1.NetworkPolicy{}); got != (feature.Observation{}) {
		t.Errorf("of a NetworkPolicy there is %+v", got)
	}
}
