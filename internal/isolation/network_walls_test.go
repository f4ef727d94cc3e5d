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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNetworkAddresses is about ranges of addresses.
func TestNetworkAddresses(t *testing.T) {
	t.Parallel()
	const (
		in  = `{ingress: [{from: [{ipBlock: `
		out = `{policyTypes: [Egress], egress: [{to: [{ipBlock: `
		end = `}]}]}`
		// allowed is an opening of the spec.
		allowed = `{allow: [{name: db, direction: Egress, peers: [{cidr: 10.20.0.0/16, except: [10.20.9.0/24]}], ports: [{port: 5432, endPort: 5433}]}]}`
	)
	tests := map[string]struct {
		netScene
		want []string
	}{
		"the internet may come in": {
			netScene{foreign: openedBy(in + `{cidr: 0.0.0.0/0}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets any IPv4 address reach all pods of shop-dev on all ports",
			},
		},
		"the internet over IPv6 may come in": {
			netScene{foreign: openedBy(in + `{cidr: "::/0"}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets any IPv6 address reach all pods of shop-dev on all ports",
			},
		},
		"the internet in two halves": {
			netScene{foreign: openedBy(in + `{cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}, {ipBlock: {cidr: "::/0"}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets any address reach all pods of shop-dev on all ports",
			},
		},
		"one public address may come in": {
			netScene{foreign: openedBy(in + `{cidr: 203.0.113.7/32}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets address 203.0.113.7 reach all pods of shop-dev on all ports",
			},
		},
		"a private range may come in": {
			netScene{foreign: openedBy(in + `{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets addresses 10.0.0.0/8 except 10.1.0.0/16 reach all pods of shop-dev on all ports",
			},
		},
		"unique local addresses of IPv6 may come in": {
			netScene{foreign: openedBy(in + `{cidr: "fd12:3456::/32"}` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets addresses fd12:3456::/32 reach all pods of shop-dev on all ports",
			},
		},
		"the internet without private ranges and metadata": {
			netScene{foreign: openedBy(out + `{cidr: 0.0.0.0/0, except: [10.0.0.0/8, 100.64.0.0/10, 168.63.129.16/32, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]}` + end)},
			[]string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 0.0.0.0/0 except 10.0.0.0/8, 100.64.0.0/10, 168.63.129.16/32, 169.254.0.0/16 and 2 more ranges on all ports",
			},
		},
		"the internet and with it the cloud's metadata": {
			netScene{foreign: openedBy(out + `{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 0.0.0.0/0 except 10.0.0.0/8 (the cloud metadata address included) on all ports",
			},
		},
		"the cloud's metadata alone": {
			netScene{foreign: openedBy(out + `{cidr: 169.254.169.254/32}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach address 169.254.169.254 (the cloud metadata address) on all ports",
			},
		},
		"the cloud's metadata over IPv6": {
			netScene{foreign: openedBy(out + `{cidr: "fd00:ec2::/32"}` + end)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses fd00:ec2::/32 (the cloud metadata address included) on all ports",
			},
		},
		"the internet over IPv6 without what is local": {
			netScene{foreign: openedBy(out + `{cidr: "2000::/3"}` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 2000::/3 on all ports",
			},
		},
		"exceptions that leave nothing": {
			netScene{foreign: openedBy(out + `{cidr: 10.0.0.0/8, except: [10.0.0.0/9, 10.128.0.0/9]}` + end)}, nil,
		},
		"inside what the spec opens": {
			netScene{spec: allowed, foreign: openedBy(out + `{cidr: 10.20.1.0/24}}], ports: [{port: 5433` + end)}, nil,
		},
		"more ports than the spec opens": {
			netScene{spec: allowed, foreign: openedBy(out + `{cidr: 10.20.1.0/24}}], ports: [{port: 5433, endPort: 5434` + end)}, []string{
				"Medium NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.20.1.0/24 on TCP 5433-5434",
			},
		},
		"another protocol than the spec opens": {
			netScene{spec: allowed, foreign: openedBy(out + `{cidr: 10.20.1.0/24}}], ports: [{protocol: UDP, port: 5432` + end)}, []string{
				"Medium NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.20.1.0/24 on UDP 5432",
			},
		},
		"what the spec excepts": {
			netScene{spec: allowed, foreign: openedBy(out + `{cidr: 10.20.9.128/25}}], ports: [{port: 5432` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.20.9.128/25 on TCP 5432",
			},
		},
		"a wider range than the spec's": {
			netScene{spec: allowed, foreign: openedBy(out + `{cidr: 10.20.0.0/15}}], ports: [{port: 5432` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.20.0.0/15 on TCP 5432",
			},
		},
		"the API server's own address as the spec says": {
			netScene{spec: `{apiServer: Allow}`, foreign: openedBy(out + `{cidr: 10.0.0.1/32}}], ports: [{port: 6443` + end)}, nil,
		},
		"the API server without the spec saying so": {
			netScene{foreign: openedBy(out + `{cidr: 10.0.0.1/32}}], ports: [{port: 6443` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach address 10.0.0.1 on TCP 6443",
			},
		},
		"IPv4 written as IPv6 is IPv4": {
			netScene{spec: allowed, foreign: openedBy(out + `{cidr: "::ffff:10.20.1.0/120"}}], ports: [{port: 5432` + end)}, nil,
		},
		"leading zeros and bits behind the prefix, as in old objects": {
			netScene{foreign: openedBy(out + `{cidr: 010.020.000.001/016}` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.20.0.0/16 on all ports",
			},
		},
		"what isn't a range": {
			netScene{foreign: openedBy(out + `{cidr: nonsense}` + end)}, nil,
		},
		"an exception that can't be read excepts nothing": {
			netScene{foreign: openedBy(out + `{cidr: 10.0.0.0/8, except: [nonsense]}` + end)}, []string{
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach addresses 10.0.0.0/8 on all ports",
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

// TestNetworkPorts is about ports of what the spec opens to tenant bank on TCP 8080 to 8090.
func TestNetworkPorts(t *testing.T) {
	t.Parallel()
	const (
		allowed = `{allow: [{name: web, direction: Ingress, peers: [{tenant: bank}], ports: [{port: 8080, endPort: 8084}, {port: 8085, endPort: 8090}]}]}`
		start   = `{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}], ports: `
	)
	tests := map[string]struct {
		spec, ports, want string
	}{
		"one of them":                      {allowed, `[{port: 8080}]`, ""},
		"a range across two of the spec's": {allowed, `[{port: 8083, endPort: 8087}]`, ""},
		"one port further":                 {allowed, `[{port: 8080, endPort: 8091}]`, "High on TCP 8080-8091"},
		"another protocol":                 {allowed, `[{protocol: SCTP, port: 8080}]`, "High on SCTP 8080"},
		"no port is all of the protocol":   {allowed, `[{protocol: TCP}]`, "High on all TCP ports"},
		"no list is all ports":             {allowed, `[]`, "High on all ports"},
		"a name is any number":             {allowed, `[{port: http}]`, "High on TCP ports named http"},
		"a name among all ports":           {`{allow: [{name: web, direction: Ingress, peers: [{tenant: bank}]}]}`, `[{port: http}]`, ""},
		"many":                             {`{}`, `[{port: 53}, {protocol: UDP, port: 53}, {port: 80}, {port: 81}, {port: 90, endPort: 99}, {port: http}, {port: grpc}]`, "Critical on TCP 53, 80-81, 90-99, UDP 53 and TCP ports named grpc, http"},
		"what no port is":                  {`{}`, `[{port: 0}, {port: 70000}, {protocol: ICMP, port: 1}, {port: 9, endPort: 8}, {port: ""}]`, ""},
		"an end without a beginning":       {`{}`, `[{protocol: UDP, endPort: 9}]`, "Critical on all UDP ports"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := netScene{spec: tc.spec, foreign: openedBy(start + tc.ports + `}]}`)}
			var want []string
			if severity, ports, found := strings.Cut(tc.want, " "); found {
				want = append(want, severity+" NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of 2 namespaces of another tenant "+
					"reach all pods of shop-dev "+ports)
			}
			if diff := cmp.Diff(want, netLines(Network(s.directory(), s.input(t)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNetworkWalls is about managed policies that are gone or otherwise, and about types.
func TestNetworkWalls(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		netScene
		want []string
	}{
		"without default-deny, the other policies isolate as well": {
			netScene{drop: []string{"bulkhead-default-deny"}}, nil,
		},
		"an opening less": {
			netScene{drop: []string{"bulkhead-allow-dns", "bulkhead-allow-boundary"}}, nil,
		},
		"no policy at all": {
			netScene{drop: []string{"*"}}, []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Egress: all pods of shop-dev can reach every pod in the cluster and any address (the cloud metadata address included) on all ports",
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: every pod in the cluster and any address can reach all pods of shop-dev on all ports",
			},
		},
		"only an egress policy": {
			netScene{drop: []string{"bulkhead-default-deny", "bulkhead-allow-boundary"}}, []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Ingress: every pod in the cluster and any address can reach all pods of shop-dev on all ports",
			},
		},
		"walls for some pods only": {
			netScene{
				drop: []string{"*"},
				foreign: map[string]string{
					"web": `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}`,
					"db":  `{podSelector: {matchExpressions: [{key: app, operator: In, values: [db]}]}, policyTypes: [Ingress, Egress]}`,
				},
			},
			[]string{
				"Critical Namespace shop-dev: no NetworkPolicy selects all pods of shop-dev for Egress: pods app notin (db,web) of shop-dev can reach every pod in the cluster and any address (the cloud metadata address included) on all ports",
				"Critical Namespace shop-dev: no NetworkPolicy selects all pods of shop-dev for Ingress: every pod in the cluster and any address can reach pods app notin (db,web) of shop-dev on all ports",
			},
		},
		"walls that together are for all pods": {
			netScene{
				drop: []string{"*"},
				foreign: map[string]string{
					"web":   `{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}`,
					"other": `{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}, policyTypes: [Ingress, Egress]}`,
				},
			}, nil,
		},
		"a managed policy that was edited": {
			netScene{edit: map[string]string{"bulkhead-allow-boundary": `{policyTypes: [Ingress, Egress], ingress: [{}]}`}}, []string{
				"Critical NetworkPolicy bulkhead-allow-boundary: NetworkPolicy shop-dev/bulkhead-allow-boundary lets every pod in the cluster and any address reach all pods of shop-dev on all ports",
			},
		},
		"a managed policy that was narrowed": {
			netScene{edit: map[string]string{"bulkhead-allow-boundary": `{policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}`}}, nil,
		},
		"more than DNS at the DNS": {
			netScene{edit: map[string]string{"bulkhead-allow-dns": `{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]}]}`}}, []string{
				"Medium NetworkPolicy bulkhead-allow-dns: NetworkPolicy shop-dev/bulkhead-allow-dns lets all pods of shop-dev reach all pods k8s-app=kube-dns of namespace kube-system on all ports",
			},
		},
		"more than DNS in its namespace": {
			netScene{edit: map[string]string{"bulkhead-allow-dns": `{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]}`}}, []string{
				"High NetworkPolicy bulkhead-allow-dns: NetworkPolicy shop-dev/bulkhead-allow-dns lets all pods of shop-dev reach all pods of namespace kube-system on all ports",
			},
		},
		"egress rules without the type have no effect": {
			netScene{foreign: openedBy(`{policyTypes: [Ingress], egress: [{}]}`)}, nil,
		},
		"ingress rules without the type have no effect": {
			netScene{foreign: openedBy(`{policyTypes: [Egress], ingress: [{}]}`)}, nil,
		},
		"egress rules make up for missing types": {
			netScene{foreign: openedBy(`{egress: [{}]}`)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach every pod in the cluster and any address (the cloud metadata address included) on all ports",
			},
		},
		"both directions are two findings": {
			netScene{foreign: openedBy(`{policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}`)}, []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of shop-dev reach every pod in the cluster and any address (the cloud metadata address included) on all ports",
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster and any address reach all pods of shop-dev on all ports",
			},
		},
		"a pod selector that Kubernetes can't read selects nothing": {
			netScene{foreign: openedBy(`{podSelector: {matchExpressions: [{key: app, operator: Equals, values: [web]}]}, ingress: [{}]}`)}, nil,
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

// TestNetworkLabels is about labels of namespaces that let them pass.
func TestNetworkLabels(t *testing.T) {
	t.Parallel()
	const (
		scraped = `{allow: [{name: metrics, direction: Ingress, peers: [{namespaces: {matchLabels: {access: monitoring}}, pods: {matchLabels: {app: prometheus}}}], ports: [{port: 9090}]}]}`
		healthy = `{allow: [{name: healthy, direction: Egress, peers: [{namespaces: {matchExpressions: [{key: quarantine, operator: DoesNotExist}]}}], ports: [{port: 443}]}]}`
	)
	tests := map[string]struct {
		netScene
		want []string
	}{
		"a label by hand": {
			netScene{spec: scraped, put: []Namespace{nsOf("bank-dev", "bank").with("access", "monitoring")}}, []string{
				"Critical Namespace bank-dev: label access=monitoring on namespace bank-dev of another tenant, which no spec sets, lets its pods app=prometheus reach all pods of shop-dev on TCP 9090",
			},
		},
		"a label that the other tenant's spec asks for": {
			netScene{spec: scraped, put: []Namespace{nsOf("bank-dev", "bank").with("access", "monitoring").meant("access", "monitoring")}}, nil,
		},
		"a label that is meant to be there and isn't": {
			netScene{spec: scraped, put: []Namespace{nsOf("bank-dev", "bank").meant("access", "monitoring")}}, nil,
		},
		"a label by hand on a namespace of nobody is trusted": {
			netScene{spec: scraped, put: []Namespace{Namespace{Name: "kube-system"}.with("access", "monitoring")}}, nil,
		},
		"a label by hand on the tenant's own namespace opens nothing": {
			netScene{spec: scraped, put: []Namespace{nsOf("shop-prod", "shop").with("access", "monitoring")}}, nil,
		},
		"a label that keeps off is removed": {
			netScene{spec: healthy, put: []Namespace{nsOf("bank-dev", "bank").meant("quarantine", "yes")}}, []string{
				"Critical Namespace bank-dev: namespace bank-dev of another tenant lacks the label quarantine that it is meant to have, which lets its pods be reached by all pods of shop-dev on TCP 443",
			},
		},
		"a forged tenant label on a namespace of nobody": {
			netScene{put: []Namespace{{Name: "kube-system", Labels: map[string]string{"tenancy.bulkhead.dev/tenant": "shop"}}}}, []string{
				"Critical Namespace kube-system: forged label tenancy.bulkhead.dev/tenant=shop on namespace kube-system of no tenant lets its pods reach all pods of shop-dev on all ports and its pods be reached by all pods of shop-dev on all ports",
			},
		},
		"a forged tenant label on another tenant's namespace": {
			netScene{put: []Namespace{nsOf("bank-dev", "bank").with("tenancy.bulkhead.dev/tenant", "shop")}}, []string{
				"Critical Namespace bank-dev: forged label tenancy.bulkhead.dev/tenant=shop on namespace bank-dev of another tenant lets its pods reach all pods of shop-dev on all ports and its pods be reached by all pods of shop-dev on all ports",
			},
		},
		"a forged label of a tenant that is let in": {
			netScene{
				spec: `{allow: [{name: bank, direction: Ingress, peers: [{tenant: bank}], ports: [{port: 443}]}]}`,
				put:  []Namespace{{Name: "monitoring", Labels: map[string]string{"tenancy.bulkhead.dev/tenant": "bank"}}},
			},
			[]string{
				"Critical Namespace monitoring: forged label tenancy.bulkhead.dev/tenant=bank on namespace monitoring of no tenant lets its pods reach all pods of shop-dev on TCP 443",
			},
		},
		"a foreign policy and a label by hand": {
			netScene{
				foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {access: monitoring}}}]}]}`),
				put:     []Namespace{nsOf("bank-dev", "bank").with("access", "monitoring")},
			},
			[]string{
				"Critical Namespace bank-dev: label access=monitoring on namespace bank-dev of another tenant, which no spec sets, lets its pods reach all pods of shop-dev on all ports",
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespace monitoring reach all pods of shop-dev on all ports",
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
