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
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

func matrixLines(m Matrix) []string {
	var out []string
	for _, r := range m.Rows {
		out = append(out, fmt.Sprintf("%s%s %v -> %s%s %v: %s on %s [%s]",
			r.From.Kind, r.From.Tenant, r.FromNamespaces, r.To.Kind, r.To.Tenant, r.ToNamespaces, r.Pods, r.Ports, r.Addresses))
	}
	return out
}

func TestReachability(t *testing.T) {
	t.Parallel()
	// Three tenants as the spec says, of which only shop opens something by name.
	setUp := func(t *testing.T) (*Directory, map[string][]*networkingv1.NetworkPolicy) {
		t.Helper()
		return netScene{}.directory(), map[string][]*networkingv1.NetworkPolicy{
			"shop-dev":  renderedWalls(t, "shop", "shop-dev", `{apiServer: Allow, allow: [{name: in, direction: Ingress, peers: [{tenant: bank}], ports: [{port: 80, endPort: 90}, {protocol: UDP, port: 53}]}]}`),
			"shop-prod": renderedWalls(t, "shop", "shop-prod", `{}`),
			"bank-dev":  renderedWalls(t, "bank", "bank-dev", `{dns: None}`),
			"bank-prod": renderedWalls(t, "bank", "bank-prod", `{dns: None}`),
			"wares-dev": renderedWalls(t, "wares", "wares-dev", `{dns: None}`),
		}
	}
	const (
		apiServer = "Tenantshop [shop-dev] -> Addresses []: Some on TCP 6443 [address 10.0.0.1]"
		dns       = "Tenantshop [shop-dev shop-prod] -> Unowned [kube-system]: Some on TCP/UDP 53 []"
	)
	tests := map[string]struct {
		change  func(map[string][]*networkingv1.NetworkPolicy)
		tenants []string
		want    []string
	}{
		"as the specs say": {
			change: func(map[string][]*networkingv1.NetworkPolicy) {},
			want:   []string{dns, apiServer},
		},
		"an opening takes both ends": {
			change: func(live map[string][]*networkingv1.NetworkPolicy) {
				live["bank-dev"] = append(live["bank-dev"], netpol("bank-dev", "out",
					`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}}], ports: [{port: 85, endPort: 95}]}]}`))
			},
			want: []string{"Tenantbank [bank-dev] -> Tenantshop [shop-dev]: Some on TCP 85-90 []", dns, apiServer},
		},
		"both ends must mean the same pods": {
			change: func(live map[string][]*networkingv1.NetworkPolicy) {
				live["bank-dev"] = append(live["bank-dev"], netpol("bank-dev", "out",
					`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: wares}}}]}]}`))
				live["wares-dev"] = append(live["wares-dev"], netpol("wares-dev", "in",
					`{ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: other}}}]}]}`))
			},
			tenants: []string{"bank"},
		},
		"a tenant without walls reaches who lets it in, and everybody reaches it": {
			change: func(live map[string][]*networkingv1.NetworkPolicy) {
				delete(live, "bank-dev")
				delete(live, "bank-prod")
			},
			tenants: []string{"bank"},
			want: []string{
				"Tenantbank [bank-dev bank-prod] -> Tenantshop [shop-dev]: Some on TCP 80-90 and UDP 53 []",
				"Tenantbank [bank-dev bank-prod] -> Unowned [kube-system monitoring]: All on all ports []",
				"Tenantbank [bank-dev bank-prod] -> Addresses []: All on all ports [any address]",
				"Unowned [kube-system monitoring] -> Tenantbank [bank-dev bank-prod]: All on all ports []",
				"Addresses [] -> Tenantbank [bank-dev bank-prod]: All on all ports [any address]",
			},
		},
		"all pods on one port": {
			change: func(live map[string][]*networkingv1.NetworkPolicy) {
				for _, name := range []string{"bank-dev", "bank-prod"} {
					live[name] = append(live[name], netpol(name, "out",
						`{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: wares-dev}}}]}]}`))
				}
				live["wares-dev"] = append(live["wares-dev"],
					netpol("wares-dev", "in-a", `{podSelector: {matchLabels: {a: b}}, ingress: [{ports: [{port: http}]}]}`),
					netpol("wares-dev", "in-not-a", `{podSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, {protocol: UDP, port: 80}]}]}`))
			},
			tenants: []string{"wares"},
			want: []string{
				"Tenantbank [bank-dev bank-prod] -> Tenantwares [wares-dev]: All on TCP/UDP 80 and TCP ports named http []",
				"Unowned [kube-system monitoring] -> Tenantwares [wares-dev]: All on TCP/UDP 80 and TCP ports named http []",
				"Addresses [] -> Tenantwares [wares-dev]: Some on TCP ports named http [any address]",
			},
		},
		"an unknown tenant": {
			change:  func(map[string][]*networkingv1.NetworkPolicy) {},
			tenants: []string{"nobody"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, live := setUp(t)
			tc.change(live)
			if diff := cmp.Diff(tc.want, matrixLines(Reachability(dir, live, tc.tenants))); diff != "" {
				t.Errorf("matrix (-want +got):\n%s", diff)
			}
		})
	}
}

// canReach says whether the pods can connect on any port that random policies are about.
func canReach(w World, t Traffic) bool {
	for _, t.Protocol = range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
		for _, t.Port = range []int32{1, 53, 80, 85, 90, 91, 443, 65535} {
			for _, t.PortName = range []string{"", "http", "dns"} {
				if Allows(w, t) {
					return true
				}
			}
		}
	}
	return false
}

// somePod says whether any pods of the namespaces can connect.
func somePod(w World, from, to string) bool {
	var pods []map[string]string
	for _, app := range []string{"-", "web", "db", "", "other"} {
		for _, tier := range []string{"-", "front", "back", "other"} {
			pods = append(pods, map[string]string{"app": app, "tier": tier})
			maps.DeleteFunc(pods[len(pods)-1], func(_, v string) bool { return v == "-" })
		}
	}
	for _, a := range pods {
		for _, b := range pods {
			if canReach(w, Traffic{From: Endpoint{Namespace: from, Labels: a}, To: Endpoint{Namespace: to, Labels: b}}) {
				return true
			}
		}
	}
	return false
}

func randomWorld(s netstates.Source) (World, map[string]string, Matrix) {
	dir, tenants := NewDirectory(), map[string]string{}
	w := World{Namespaces: map[string]map[string]string{}, Policies: map[string][]*networkingv1.NetworkPolicy{}}
	for _, name := range netstates.Namespaces() {
		tenants[name] = netstates.Pick(s, "a", "b", "c", "")
		w.Namespaces[name] = s.NamespaceLabels()
		w.Policies[name] = s.Policies(name, 2)
		dir.Put(Namespace{Name: name, Tenant: tenants[name], Labels: w.Namespaces[name]})
	}
	return w, tenants, Reachability(dir, w.Policies, nil)
}

// TestReachabilityAgreesWithPoints: who isn't listed can't connect, and where all are said to, every two pods can.
func TestReachabilityAgreesWithPoints(t *testing.T) {
	t.Parallel()
	all, none, some := 0, 0, 0
	for seed := range uint64(200) {
		s := netstates.New(seed)
		w, tenants, m := randomWorld(s)
		for range 30 {
			from, to := netstates.Pick(s, netstates.Namespaces()...), netstates.Pick(s, netstates.Namespaces()...)
			if tenants[from] == tenants[to] {
				continue
			}
			i := slices.IndexFunc(m.Rows, func(r Reach) bool {
				return r.From.Tenant == tenants[from] && r.To.Tenant == tenants[to] &&
					slices.Contains(r.FromNamespaces, from) && slices.Contains(r.ToNamespaces, to)
			})
			got := canReach(w, Traffic{From: Endpoint{Namespace: from, Labels: s.PodLabels()}, To: Endpoint{Namespace: to, Labels: s.PodLabels()}})
			switch {
			case got && i < 0:
				t.Fatalf("seed %d: %s can reach %s, but isn't in %v", seed, from, to, matrixLines(m))
			case !got && i >= 0 && m.Rows[i].Pods == ExtentAll:
				t.Fatalf("seed %d: not all of %s can reach %s: %v", seed, from, to, matrixLines(m))
			case i < 0:
				none++
			case m.Rows[i].Pods == ExtentAll:
				all++
			default:
				some++
			}
		}
	}
	t.Logf("%d pairs of pods that can't connect, %d of parties that all can, %d others", none, all, some)
	if min(all, none, some) < 50 {
		t.Error("the states are too tame to prove anything")
	}
}

// TestReachabilityHasWitnesses: where a namespace is listed, some pod of it can reach some pod of the other party.
func TestReachabilityHasWitnesses(t *testing.T) {
	t.Parallel()
	rows := 0
	for seed := range uint64(40) {
		w, _, m := randomWorld(netstates.New(seed))
		for _, r := range m.Rows {
			if r.From.Kind == PartyAddresses || r.To.Kind == PartyAddresses {
				continue
			}
			rows++
			for _, from := range r.FromNamespaces {
				if !slices.ContainsFunc(r.ToNamespaces, func(to string) bool { return somePod(w, from, to) }) {
					t.Fatalf("seed %d: no pod of %s can reach any of %v", seed, from, r)
				}
			}
		}
	}
	if rows < 100 {
		t.Errorf("%d rows: the states are too tame to prove anything", rows)
	}
}

// TestReachabilityTooComplex: gaps between too many policies count as open.
func TestReachabilityTooComplex(t *testing.T) {
	t.Parallel()
	live := map[string][]*networkingv1.NetworkPolicy{"shop-prod": {netpol("shop-prod", "deny", `{policyTypes: [Ingress, Egress]}`)}}
	for i := range 30 {
		live["shop-dev"] = append(live["shop-dev"], netpol("shop-dev", fmt.Sprintf("fence-%d", i),
			fmt.Sprintf(`{podSelector: {matchLabels: {a%d: x, b%d: x, c%d: x}}, policyTypes: [Ingress, Egress]}`, i, i, i)))
	}
	live["bank-dev"], live["bank-prod"], live["wares-dev"] = live["shop-prod"], live["shop-prod"], live["shop-prod"]
	want := []string{
		"Tenantshop [shop-dev] -> Unowned [kube-system monitoring]: Some on all ports []",
		"Tenantshop [shop-dev] -> Addresses []: Some on all ports [any address]",
		"Unowned [kube-system monitoring] -> Tenantshop [shop-dev]: Some on all ports []",
		"Addresses [] -> Tenantshop [shop-dev]: Some on all ports [any address]",
	}
	if diff := cmp.Diff(want, matrixLines(Reachability(netScene{}.directory(), live, []string{"shop"}))); diff != "" {
		t.Errorf("matrix (-want +got):\n%s", diff)
	}
}
