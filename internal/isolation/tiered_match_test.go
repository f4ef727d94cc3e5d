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

// TestTiersMatch is about which pods, addresses and ports a rule is for.
func TestTiersMatch(t *testing.T) {
	t.Parallel()
	runTiers(t, map[string]tierCase{
		"a subject of another namespace": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: bank-dev}}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"a subject by a label that the namespace has": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a subject by a label that the namespace lacks": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [shop]}]}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"a subject of pods is those pods only": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach pods app=web of shop-dev on all ports",
			},
		},
		"a subject of pods in other namespaces": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {pods: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank-dev}}, podSelector: {}}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"a Deny for some pods leaves the others open": {
			netScene: netScene{foreign: openedBy(`{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {tier: front}}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach pods app=web of shop-dev on all ports",
			},
		},
		"overlapping subjects: the earlier Deny takes its pods out of the later Accept, and all of them are covered": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {pods: {namespaceSelector: {}, podSelector: {matchExpressions: [{key: app, operator: Exists}]}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
		},
		"overlapping subjects: the Deny is for fewer pods": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {tier: front}}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"a peer of pods is both selectors": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{pods: {namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}, podSelector: {matchLabels: {app: web}}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods app=web of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"a peer of pods without a namespace selector is pods of all namespaces": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{pods: {podSelector: {matchLabels: {app: web}}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod app=web in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a selector that contradicts itself is nobody": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: DoesNotExist}]}}]}]}`},
			},
		},
		"a port by number": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on TCP 80",
			},
		},
		"a range of ports": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{sctp: {destinationPort: {range: {start: 80, end: 90}}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on SCTP 80-90",
			},
		},
		"a port by name, of any protocol": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{destinationNamedPort: http}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on ports named http",
			},
		},
		"ports of two protocols": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{tcp: {destinationPort: {number: 53}}}, {udp: {destinationPort: {number: 53}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on TCP/UDP 53",
			},
		},
		"a Deny of a part of a range of ports": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 85}}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 90}}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on TCP 86-90",
			},
		},
		"a Deny of a port's name doesn't close the port's number": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: http}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on TCP 80 unless named http",
			},
		},
		"a public range, and pods that have such an address": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [203.0.113.0/24]}]}]}`},
			},
			want: []string{
				"High ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach addresses 203.0.113.0/24 and every pod in the cluster with such an address on all ports",
			},
		},
		"a private block is where pods are": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [10.0.0.0/8]}], protocols: [{tcp: {destinationPort: {number: 443}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach addresses 10.0.0.0/8 and every pod in the cluster with such an address on TCP 443",
			},
		},
		"all addresses, the cloud's metadata among them": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [0.0.0.0/0]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach any IPv4 address (the cloud metadata address included) and every pod in the cluster with such an address on all ports",
			},
		},
		"no pod has a link-local address": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [169.254.169.254/32]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach address 169.254.169.254 (the cloud metadata address) on all ports",
			},
		},
		"a range of IPv6": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: ["2001:db8::/32"]}]}]}`},
			},
			want: []string{
				"High ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach addresses 2001:db8::/32 and every pod in the cluster with such an address on all ports",
			},
		},
		"a range that the spec opens is no more for pods in it": {
			netScene: netScene{spec: `{allow: [{name: db, direction: Egress, peers: [{cidr: 10.20.0.0/16}], ports: [{port: 5432}]}]}`},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [10.20.7.0/24]}], protocols: [{tcp: {destinationPort: {number: 5432}}}]}]}`},
			},
		},
		"what an earlier Deny takes from a range isn't left of the pods in it": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [10.1.0.0/16]}]}]}`},
			},
		},
		"a Deny of the metadata before an Accept of everything": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [168.63.129.16/32, 169.254.0.0/16, 100.100.100.200/32]}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [0.0.0.0/0]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets all pods of shop-dev reach addresses 0.0.0.0/0 except 100.100.100.200/32, 168.63.129.16/32, 169.254.0.0/16 and every pod in the cluster with such an address on all ports",
			},
		},
		"what an earlier Deny of pods takes isn't left of the pods in a range": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [203.0.113.0/24]}]}]}`},
			},
			want: []string{
				"High ClusterNetworkPolicy b: ClusterNetworkPolicy b lets all pods of shop-dev reach addresses 203.0.113.0/24 on all ports",
			},
		},
		"a Deny of all addresses of one family doesn't close pods, which may have the other": {
			netScene: netScene{foreign: openedBy(`{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach all pods of 2 namespaces of another tenant on all ports",
			},
		},
		"a Deny of all addresses of both families closes pods too": {
			netScene: netScene{foreign: openedBy(`{policyTypes: [Egress], egress: [{}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}, {networks: ["::/0"]}]}]}`},
			},
		},
		"a Pass of a range may pass any pod": {
			netScene: netScene{foreign: openedBy(`{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Pass, to: [{networks: [10.0.0.0/8]}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach all pods of 2 namespaces of another tenant on all ports",
			},
		},
		"nodes are addresses that aren't known": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{nodes: {}}], protocols: [{tcp: {destinationPort: {number: 10250}}}]}]}`},
			},
			want: []string{
				"High ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach nodes of the cluster on TCP 10250",
			},
		},
		"a Deny of nodes closes no address for certain": {
			netScene: netScene{foreign: openedBy(`{policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.9.0.0/16}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {}}]}]}`},
			},
			want: []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.9.0.0/16 on all ports",
			},
		},
		"domain names may resolve to anything": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: ["*.example.com"]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach whatever domain names resolve to (the cloud metadata address included) and every pod in the cluster with such an address on all ports",
			},
		},
		"a namespace whose label lies is let in by its label": {
			netScene: netScene{put: []Namespace{Namespace{Name: "stowaway"}.with("tenancy.bulkhead.dev/tenant", "shop")}},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}`},
			},
			want: []string{
				"Critical Namespace stowaway: forged label tenancy.bulkhead.dev/tenant=shop on namespace stowaway of no tenant lets its pods reach all pods of shop-dev on all ports, its pods reach all pods of shop-dev on TCP 80 and its pods be reached by all pods of shop-dev on all ports",
			},
		},
	})
}
