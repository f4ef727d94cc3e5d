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

// TestTiersOtherKinds is about the older kinds, and how kinds stand to each other.
func TestTiersOtherKinds(t *testing.T) {
	t.Parallel()
	runTiers(t, map[string]tierCase{
		"an AdminNetworkPolicy's Allow is an Accept": {
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical AdminNetworkPolicy a: AdminNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an AdminNetworkPolicy's Deny takes away what a tenant's policy opens": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"an AdminNetworkPolicy's Pass before its Deny": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an older port by number, TCP if nothing is said": {
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], ports: [{portNumber: {port: 80}}]}]}`},
			},
			want: []string{
				"Critical AdminNetworkPolicy a: AdminNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on TCP 80",
			},
		},
		"an older range of ports": {
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], ports: [{portRange: {protocol: UDP, start: 80, end: 90}}]}]}`},
			},
			want: []string{
				"Critical AdminNetworkPolicy a: AdminNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on UDP 80-90",
			},
		},
		"an older port by name": {
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], ports: [{namedPort: http}]}]}`},
			},
			want: []string{
				"Critical AdminNetworkPolicy a: AdminNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on ports named http",
			},
		},
		"priorities of different kinds say nothing about each other": {
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy b: ClusterNetworkPolicy b lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a Deny of either kind denies": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
		},
		"the default BaselineAdminNetworkPolicy has no say where a NetworkPolicy selects the pods": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"BaselineAdminNetworkPolicy", "default", `{subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"the default BaselineAdminNetworkPolicy closes what no policy selects": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"BaselineAdminNetworkPolicy", "default", `{subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
		"a BaselineAdminNetworkPolicy of another name isn't one that the API allows, and closes nothing": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"BaselineAdminNetworkPolicy", "other", `{subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Egress: all pods of shop-dev can reach every pod in the cluster and any address (the cloud metadata address included) on all ports",
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: every pod in the cluster and any address can reach all pods of shop-dev on all ports",
			},
		},
		"a BaselineAdminNetworkPolicy's Allow before its Deny opens what no policy selects": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"BaselineAdminNetworkPolicy", "default", `{subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}, {action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical BaselineAdminNetworkPolicy default: BaselineAdminNetworkPolicy default lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
	})
}

// TestTiersUnknown is about what isn't understood: it counts as open.
func TestTiersUnknown(t *testing.T) {
	t.Parallel()
	runTiers(t, map[string]tierCase{
		"a peer's unknown field may be anybody in an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{serviceAccounts: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets peers that can't be told reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0].from[0] has the unknown field \"serviceAccounts\")",
			},
		},
		"a peer's unknown field closes nothing in a Deny": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{serviceAccounts: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a peer's unknown field may pass anybody in a Pass": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{serviceAccounts: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 11, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"what a Deny names beside a peer that it doesn't know is still denied": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{serviceAccounts: {}}, {namespaces: {}}]}]}`},
			},
		},
		"a peer without any field matches nothing in an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{}]}]}`},
			},
		},
		"a peer without any field makes a Deny deny everybody": {
			netScene: netScene{foreign: openedBy(`{ingress: [{}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{}]}]}`},
			},
		},
		"a peer without any field makes a Pass deny everybody": {
			netScene: netScene{foreign: openedBy(`{ingress: [{}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{}]}]}`},
			},
		},
		"a peer with two fields may be the peers of either": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, pods: {podSelector: {matchLabels: {app: web}}}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of namespace kube-system and every pod app=web in the cluster reach all pods of shop-dev on TCP 80 (taken as open, since it can't be read: spec.ingress[0].from[0] has more than one field)",
			},
		},
		"a peer with two fields closes nothing": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}, pods: {podSelector: {}}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a rule's unknown field may limit a Deny to nothing": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], http: {}}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a rule's unknown field doesn't limit an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}], http: {}}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0] has the unknown field \"http\")",
			},
		},
		"an unknown action may be an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Audit, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0].action is unknown)",
			},
		},
		"an unknown tier may be Admin": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Platform, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.tier is unknown)",
			},
		},
		"an unknown tier closes nothing": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Platform, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an unknown tier may pass by any Deny": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Platform, priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"without a priority an Accept may be the first": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: null, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
				{"ClusterNetworkPolicy", "b", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.priority is unknown)",
			},
		},
		"without a priority a Deny may be the last": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: null, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a priority that the API doesn't allow is none": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 1001, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an unknown subject may be everybody": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {serviceAccounts: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets every pod in the cluster reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.subject has the unknown field \"serviceAccounts\", spec.subject isn't one of namespaces and pods)",
			},
		},
		"an unknown subject may be nobody": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an unknown field of the spec closes nothing": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, schedule: night, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"a port that can't be read may be any in an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {icmp: {}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0].protocols[1] is no port)",
			},
		},
		"a port that can't be read is none in a Deny": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 443}]}]}`)},
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {icmp: {}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on TCP 443",
			},
		},
		"a selector that can't be read may be anybody in an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchExpressions: [{key: a, operator: Like, values: [b]}]}}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets peers that can't be told reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0].from[0].namespaces is no label selector)",
			},
		},
		"a range that can't be read may be any in an Accept": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [10.0.0.0/33]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets all pods of shop-dev reach peers that can't be told and peers that can't be told (the cloud metadata address included) on all ports (taken as open, since it can't be read: spec.egress[0].to[0].networks isn't a list of ranges)",
			},
		},
		"networks of ingress aren't known to the API": {
			tiers: []tierText{
				{"ClusterNetworkPolicy", "a", `{tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{networks: [10.0.0.0/8]}]}]}`},
			},
			want: []string{
				"Critical ClusterNetworkPolicy a: ClusterNetworkPolicy a lets peers that can't be told reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0].from[0] has the unknown field \"networks\")",
			},
		},
		"the sameLabels of the first releases are unknown": {
			netScene: netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			tiers: []tierText{
				{"AdminNetworkPolicy", "a", `{priority: 10, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {sameLabels: [a]}}]}]}`},
			},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an Accept in a BaselineAdminNetworkPolicy is a word of another kind, and may be one": {
			netScene: netScene{drop: []string{"*"}},
			tiers: []tierText{
				{"BaselineAdminNetworkPolicy", "default", `{subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}, {action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]}`},
			},
			want: []string{
				"Critical BaselineAdminNetworkPolicy default: BaselineAdminNetworkPolicy default lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports (taken as open, since it can't be read: spec.ingress[0].action is unknown)",
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: any address can reach all pods of shop-dev on all ports",
			},
		},
	})
}
