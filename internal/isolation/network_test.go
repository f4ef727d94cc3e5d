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

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openedBy(spec string) map[string]string { return map[string]string{"open": spec} }

// TestNetworkPeers is about who is let in or out.
func TestNetworkPeers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		netScene
		want []string
	}{
		"as the spec says": {},
		"an empty rule is everybody": {
			netScene{foreign: openedBy(`{ingress: [{}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster and any address reach all pods of shop-dev on all ports",
			},
		},
		"an empty list of peers is everybody": {
			netScene{foreign: openedBy(`{ingress: [{from: []}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster and any address reach all pods of shop-dev on all ports",
			},
		},
		"an empty rule outwards is everybody and the cloud's metadata": {
			netScene{foreign: openedBy(`{policyTypes: [Egress], egress: [{}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach every pod in the cluster and any address (the cloud metadata address included) on all ports",
			},
		},
		"no rules let nobody in": {
			netScene{foreign: openedBy(`{ingress: []}`)}, nil,
		},
		"an empty namespace selector is every pod, but no address": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"an empty pod selector is the namespace itself": {
			netScene{foreign: openedBy(`{ingress: [{from: [{podSelector: {}}]}]}`)}, nil,
		},
		"a tenant's own narrower policy": {
			netScene{foreign: openedBy(`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}`)}, nil,
		},
		"the tenant's other namespaces are inside the boundary": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop-prod}}}]}]}`)}, nil,
		},
		"the tenant's other namespaces are outside of boundary Namespace": {
			netScene{spec: `{boundary: Namespace}`, foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}}]}]}`)},
			[]string{
				"Medium NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespace shop-prod reach all pods of shop-dev on all ports",
			},
		},
		"everything is inside of boundary Cluster": {
			netScene{spec: `{boundary: Cluster}`, foreign: openedBy(`{policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}`)}, nil,
		},
		"another tenant": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"another tenant outwards": {
			netScene{foreign: openedBy(`{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], ports: [{port: 443}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach all pods of 2 namespaces of another tenant on TCP 443",
			},
		},
		"namespaces by name, of everybody": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [bank-dev, kube-system, monitoring, shop-prod, wares-dev]}]}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespaces kube-system, monitoring and of 2 namespaces of 2 other tenants reach all pods of shop-dev on all ports",
			},
		},
		"every tenant by the label's existence": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of 3 namespaces of 2 other tenants reach all pods of shop-dev on all ports",
			},
		},
		"all but the tenant itself is every namespace of tomorrow": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [shop]}]}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod of all namespaces that match tenancy.bulkhead.dev/tenant notin (shop) reach all pods of shop-dev on all ports",
			},
		},
		"a label that hardly any namespace lacks": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: nonsense, operator: DoesNotExist}]}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod of all namespaces that match !nonsense reach all pods of shop-dev on all ports",
			},
		},
		"a selector that contradicts itself": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}]}]}`)}, nil,
		},
		"a namespace that doesn't exist": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: tomorrow}}}]}]}`)}, nil,
		},
		"a namespace of nobody": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {access: monitoring}}}], ports: [{port: 9090}]}]}`)},
			[]string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespace monitoring reach all pods of shop-dev on TCP 9090",
			},
		},
		"both selectors in one peer are and": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}, podSelector: {matchLabels: {app: web}}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods app=web of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"in two peers they are or": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}}, {podSelector: {matchLabels: {app: web}}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"pods of every namespace that say who they are": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: prometheus}}}], ports: [{port: 9090}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod app=prometheus in the cluster reach all pods of shop-dev on TCP 9090",
			},
		},
		"only some pods are open": {
			netScene{foreign: openedBy(`{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}, {key: canary, operator: DoesNotExist}]}, ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of 2 namespaces of another tenant reach pods app in (api,web),!canary of shop-dev on all ports",
			},
		},
		"what the spec opens by name": {
			netScene{
				spec:    `{allow: [{name: bank, direction: Ingress, peers: [{tenant: bank}]}]}`,
				foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank-dev}}, podSelector: {matchLabels: {app: web}}}]}]}`),
			}, nil,
		},
		"what the spec opens for some pods only": {
			netScene{
				spec:    `{allow: [{name: bank, direction: Ingress, peers: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}, pods: {matchLabels: {app: web}}}]}]}`,
				foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`),
			},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of 2 namespaces of another tenant reach all pods of shop-dev on all ports",
			},
		},
		"two openings of the spec that together are one": {
			netScene{
				spec: `{allow: [{name: a, direction: Ingress, peers: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: bank-dev}}}]},
					{name: b, direction: Ingress, peers: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: bank-prod}}}]}]}`,
				foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`),
			}, nil,
		},
		"a peer without anything": {
			netScene{foreign: openedBy(`{ingress: [{from: [{}]}]}`)}, nil,
		},
		"several rules": {
			netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]},
				{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], ports: [{port: 80}]}, {ports: [{port: 443}]}]}`)},
			[]string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespace kube-system reach all pods of shop-dev on all ports; all pods of 2 namespaces of another tenant on TCP 80; every pod in the cluster and any address on TCP 443",
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, netLines(Network(tc.directory(), tc.input(t)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
