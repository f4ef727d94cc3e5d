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

package isolation

import "testing"

// TestTiersOrder is about which rule has the last word.
func TestTiersOrder(t *testing.T) {
	t.Parallel()
	runTiers(t, map[string]tierCase{
		"an Admin Accept opens through default-deny": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an Admin Accept outwards opens through default-deny": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach every pod in the cluster on all ports",
			},
		},
		"an Admin Accept of what the spec opens anyway opens nothing": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}}]}]}`},
			},
		},
		"a policy without rules for a direction does nothing in it": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: []}`},
			},
		},
		"an Admin Deny of what the spec wants open is no exposure": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{namespaces: {}}]}]}`},
			},
		},
		"an Admin Deny takes away what a tenant's policy opens": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"an Admin Deny outwards takes nothing away inwards": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an Admin Deny for one port leaves the others": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 443}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on TCP 443",
			},
		},
		"an Admin Deny for one tenant leaves the others": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of a namespace of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"an Admin Accept is to blame for what it decides, and not the policy that it makes irrelevant": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"the lower priority value comes first: Deny": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 9, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"the lower priority value comes first: Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 9, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"priority 0 comes before priority 1000": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 1000, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"in one policy the first rule comes first: Deny": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}, {action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"in one policy the first rule comes first: Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"of two policies with one priority either may come first, so it is open": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"two Denies with one priority deny whichever comes first": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"a Pass before a Deny leaves it to NetworkPolicies": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a Pass after a Deny is too late": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"a Pass and a Deny with one priority: the Pass may come first": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a Pass before an Accept takes what it matches past it": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"a Pass of some leaves the Accept of the rest": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets all pods of a namespace of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"a Pass of some leaves the Deny of the rest": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespace kube-system reach all pods of shop-dev on all ports",
			},
		},
		"a Pass of one port leaves the Deny of the others": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}], protocols: [{udp: {destinationPort: {number: 53}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on UDP 53",
			},
		},
		"a Baseline Accept has no say where a NetworkPolicy selects the pods": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"a Baseline Deny has no say where a NetworkPolicy selects the pods": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a Baseline Deny closes to pods what no policy selects, and not to addresses": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
		"a Baseline Accept before a Deny opens what no policy selects": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Baseline, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
		"an Admin Deny comes before a Baseline Accept": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 1000, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
		"a Pass in the Baseline tier leaves what is open by default": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Baseline, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Baseline, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: all pods of 2 namespaces of another tenant and any address can reach all pods of shop-dev on all ports",
			},
		},
		"an Admin Pass leaves the Baseline tier to decide": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Baseline, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
	})
}
