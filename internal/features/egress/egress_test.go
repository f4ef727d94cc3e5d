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
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/egress"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
	"github.com/bulkhead-dev/bulkhead/test/testkit/stored"
)

var (
	ciliumPolicy  = schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}
	ciliumGateway = schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumEgressGatewayPolicy"}
	firewall      = schema.GroupVersionKind{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressFirewall"}
	egressIP      = schema.GroupVersionKind{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressIP"}
	antreaEgress  = schema.GroupVersionKind{Group: "crd.antrea.io", Version: "v1beta1", Kind: "Egress"}

	projects = map[string]string{"cilium.io": crds.Cilium, "k8s.ovn.org": crds.OVNKubernetes, "crd.antrea.io": crds.Antrea}
)

// everything has both kinds of destination, overlaps, repetitions and spellings that aren't canonical.
const everything = `
network:
  apiServer: Allow
  allow:
  - {name: db, direction: Egress, peers: [{cidr: 10.20.0.0/16, except: [10.20.9.0/24]}, {tenant: shared}], ports: [{port: 5432}]}
  - {name: all, direction: Egress, peers: [{cidr: 172.16.5.0/24}]}
  - {name: in, direction: Ingress, peers: [{cidr: 10.99.0.0/16}]}
egress:
  internet: Deny
  destinations:
  - name: both
    cidrs: [203.0.113.7/24, "2001:DB8:42::/48", 203.0.113.0/24, 203.0.113.128/25]
    fqdns: [api.example.com, "*.cdn.example.com"]
    ports: [{port: 443}, {protocol: TCP, port: 443}, {protocol: UDP, port: 443}]
  - name: names
    fqdns: [api.example.com, mail.example.com]
    ports: [{port: 25}, {port: 587, endPort: 588}]
  - name: ranges
    cidrs: [8.8.0.0/16]
    ports: [{protocol: SCTP}, {port: 1000, endPort: 2000}]`

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec   string
		served []schema.GroupVersionKind
		want   []string
	}{
		"nothing":         {spec: `{}`},
		"nothing-is-open": {spec: `{egress: {internet: Deny}}`},
		"02-payments-api": {spec: `
egress:
  internet: Deny
  destinations:
  - name: acquirer
    cidrs: [203.0.113.0/24, "2001:db8:42::/48"]
    ports: [{protocol: TCP, port: 443}]
  gateway: {provider: Cilium, addresses: [198.51.100.10], nodes: {matchLabels: {node-role.example.com/egress: payments}}}`},
		"03-observability": {spec: `{network: {apiServer: Allow}, egress: {internet: Allow}}`},
		"private":          {spec: `{egress: {destinations: [{name: office, cidrs: [10.0.0.0/8, 10.1.0.0/16, 169.254.0.0/16, "fd00::/8"]}]}}`},
		"all-addresses":    {spec: `{egress: {destinations: [{name: all, cidrs: [0.0.0.0/0, "::/0", 10.1.0.0/16, 8.8.8.8/32, 169.254.169.254/32]}]}}`},
		"cilium":           {spec: everything, served: []schema.GroupVersionKind{ciliumPolicy, firewall}},
		"cilium-no-wall": {
			spec:   `{network: {boundary: Cluster}, egress: {destinations: [{name: x, fqdns: [example.com]}]}}`,
			served: []schema.GroupVersionKind{ciliumPolicy},
		},
		"ovn-kubernetes":         {spec: everything, served: []schema.GroupVersionKind{firewall}},
		"ovn-kubernetes-by-wish": {spec: strings.Replace(everything, "internet: Deny", "internet: Allow\n  gateway: {provider: OVNKubernetes}", 1), served: []schema.GroupVersionKind{ciliumPolicy, firewall}},
		"ovn-kubernetes-ranges": {
			spec:   `{egress: {destinations: [{name: x, cidrs: [10.0.0.0/8, 10.0.0.0/30]}], gateway: {provider: OVNKubernetes}}}`,
			served: []schema.GroupVersionKind{firewall},
		},
		"ovn-kubernetes-no-wall": {
			spec:   `{network: {boundary: Cluster}, egress: {destinations: [{name: x, cidrs: [8.8.8.8/32], fqdns: [example.com]}]}}`,
			served: []schema.GroupVersionKind{firewall},
		},
		"ovn-kubernetes-ports": {
			spec: `{egress: {destinations: [{name: a, cidrs: [8.8.8.8/32], fqdns: [a.example.com], ports: [{protocol: UDP}]},
			  {name: b, fqdns: [b.example.com], ports: [{port: 1000, endPort: 1128}]}, {name: c, fqdns: [c.example.com], ports: [{port: 1000, endPort: 1127}]}]}}`,
			served: []schema.GroupVersionKind{firewall},
			want: []string{
				"InvalidPolicy: egress.destinations[a].ports: the EgressFirewall that opens its fqdns says single ports only, at most 128: name them, or unset ports to open all",
				"InvalidPolicy: egress.destinations[b].ports: the EgressFirewall that opens its fqdns says single ports only, at most 128: name them, or unset ports to open all",
			},
		},
		"missing": {spec: everything, want: []string{
			"MissingAPI: egress.destinations[both,names].fqdns needs CiliumNetworkPolicy (cilium.io/v2) or EgressFirewall (k8s.ovn.org/v1), " +
				"which the cluster doesn't serve: install Cilium or OVN-Kubernetes, or name cidrs",
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, tc.spec, tc.served...)
			before := copyFacts(f)
			for range 2 { // Rendering again renders the same.
				got := render(t, f)
				golden.YAML(t, name, slices.Concat(got.Walls, got.Doors)...)
				checkStored(t, got.Walls)
				checkDoors(t, got)
				if diff := cmp.Diff(tc.want, sentences(got.Findings)); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				if len(got.OpenBySpec)+len(got.Annotations)+len(got.Labels) != 0 {
					t.Errorf("beside walls and findings there is %+v", got)
				}
			}
			if !reflect.DeepEqual(before, f) {
				t.Errorf("the facts were changed: %v, were %v", f, before)
			}
		})
	}
}

func TestNamesInTheWay(t *testing.T) {
	t.Parallel()
	all := []schema.GroupVersionKind{ciliumPolicy, firewall}
	const who = "egress.destinations[x].fqdns"
	tests := map[string]struct {
		more   string
		served []schema.GroupVersionKind
		dns    *feature.DNS
		want   string
	}{
		"Antrea": {more: "gateway: {provider: Antrea}", served: all,
			want: "InvalidPolicy: " + who + ": with provider Antrea, names aren't supported: name cidrs, or use Cilium or OVN-Kubernetes"},
		"Cilium is wished": {more: "gateway: {provider: Cilium}", served: []schema.GroupVersionKind{firewall},
			want: "MissingAPI: " + who + " needs CiliumNetworkPolicy (cilium.io/v2), which the cluster doesn't serve: install Cilium, or name cidrs"},
		"OVN-Kubernetes is wished": {more: "gateway: {provider: OVNKubernetes}", served: []schema.GroupVersionKind{ciliumPolicy},
			want: "MissingAPI: " + who + " needs EgressFirewall (k8s.ovn.org/v1), which the cluster doesn't serve: turn on OVN-Kubernetes' egress firewall, or name cidrs"},
		"no DNS": {more: "}, network: {dns: None", served: all,
			want: "InvalidPolicy: " + who + ": network.dns is None, so that pods can't ask for names: set network.dns to ClusterDNS, or name cidrs"},
		"DNS isn't known": {served: all, dns: &feature.DNS{Namespace: "kube-system", Ports: []int32{53}},
			want: "Pending: " + who + ": Cilium learns the addresses of names from the cluster's DNS, and the operator doesn't know where " +
				"that runs: set its flags --dns-namespace, --dns-pod-labels and --dns-ports"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := strings.TrimPrefix(", "+tc.more, ", }")
			if strings.HasPrefix(tc.more, "}") {
				more = tc.more
			}
			f := facts(t, `{egress: {destinations: [{name: x, cidrs: [8.8.8.8/32], fqdns: [example.com]}]`+more+`}}`, tc.served...)
			if tc.dns != nil {
				f.Cluster.DNS = *tc.dns
			}
			got := render(t, f)
			if diff := cmp.Diff([]string{tc.want}, sentences(got.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			var policies []string
			for _, wall := range slices.Concat(got.Walls, got.Doors) {
				if *wall.GetKind() == "NetworkPolicy" {
					policies = append(policies, *wall.GetName()+" "+fmt.Sprint(strings.Count(marshal(t, wall), `"cidr"`)))
				}
			}
			if diff := cmp.Diff([]string{"bulkhead-egress-x 1"}, policies); diff != "" {
				t.Errorf("NetworkPolicies, with the number of their ranges (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFirewallIsBounded checks that more rules than OVN-Kubernetes takes are none, and open no names.
func TestFirewallIsBounded(t *testing.T) {
	t.Parallel()
	f := facts(t, `{egress: {destinations: [{name: x, fqdns: [example.com]}]}}`, firewall)
	f.Policy.Network = &v1alpha1.Network{}
	o := v1alpha1.Opening{Name: "x", Direction: v1alpha1.Egress}
	for i := range 8001 {
		o.Peers = append(o.Peers, v1alpha1.Peer{CIDR: v1alpha1.CIDR(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))})
	}
	f.Policy.Network.Allow = []v1alpha1.Opening{o}
	got := render(t, f)
	if len(got.Walls) != 0 {
		t.Errorf("%d walls, want none", len(got.Walls))
	}
	want := []string{"InvalidPolicy: egress.destinations and network.allow make 8004 rules of an EgressFirewall, and OVN-Kubernetes takes 8000: name fewer ranges"}
	if diff := cmp.Diff(want, sentences(got.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestRenderIgnoresOrder also shows that duplicates don't matter: some seeds repeat entries.
func TestRenderIgnoresOrder(t *testing.T) {
	t.Parallel()
	for _, served := range []schema.GroupVersionKind{ciliumPolicy, firewall} {
		original := facts(t, everything, served)
		want := marshal(t, render(t, original))
		for seed := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, 0))
			f := copyFacts(original)
			f.Cluster.APIServer, f.Cluster.DNS.Ports = shuffle(rng, f.Cluster.APIServer), shuffle(rng, f.Cluster.DNS.Ports)
			f.Policy.Network.Allow = shuffle(rng, f.Policy.Network.Allow)
			for i, o := range f.Policy.Network.Allow {
				f.Policy.Network.Allow[i].Peers, f.Policy.Network.Allow[i].Ports = shuffle(rng, o.Peers), shuffle(rng, o.Ports)
			}
			destinations := f.Policy.Egress.Destinations
			rng.Shuffle(len(destinations), func(i, j int) { destinations[i], destinations[j] = destinations[j], destinations[i] })
			for i, d := range destinations {
				destinations[i].CIDRs, destinations[i].FQDNs, destinations[i].Ports =
					shuffle(rng, d.CIDRs), shuffle(rng, d.FQDNs), shuffle(rng, d.Ports)
			}
			if diff := cmp.Diff(want, marshal(t, render(t, f))); diff != "" {
				t.Fatalf("%s, seed %d (-want +got):\n%s", served.Kind, seed, diff)
			}
		}
	}
}

// shuffle returns the list in another order, now and then with one entry twice.
func shuffle[T any](rng *rand.Rand, list []T) []T {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	if rng.IntN(3) == 0 {
		out = append(out, out[rng.IntN(len(out))])
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func facts(t *testing.T, policy string, served ...schema.GroupVersionKind) feature.Facts {
	t.Helper()
	return feature.Facts{Tenant: "acme", Namespace: "acme-dev", Policy: parse(t, policy), Cluster: cluster(served...)}
}

func parse(t *testing.T, policy string) v1alpha1.PolicyBlocks {
	t.Helper()
	var out v1alpha1.PolicyBlocks
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(policy, "\t", " ")), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func cluster(served ...schema.GroupVersionKind) feature.ClusterFacts {
	return feature.ClusterFacts{
		APIs: served,
		DNS:  feature.DNS{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53}},
		APIServer: []netip.AddrPort{
			netip.MustParseAddrPort("10.0.0.1:6443"), netip.MustParseAddrPort("[::ffff:10.0.0.1]:6443"),
			netip.MustParseAddrPort("8.8.4.4:443"), netip.MustParseAddrPort("[2a00::1]:443"), {},
		},
	}
}

func copyFacts(f feature.Facts) feature.Facts {
	f.Policy = *f.Policy.DeepCopy()
	f.Cluster.DNS.PodLabels = maps.Clone(f.Cluster.DNS.PodLabels)
	f.Cluster.DNS.Ports = slices.Clone(f.Cluster.DNS.Ports)
	f.Cluster.APIServer = slices.Clone(f.Cluster.APIServer)
	f.Cluster.APIs = slices.Clone(f.Cluster.APIs)
	return f
}

func render(t *testing.T, f feature.Facts) feature.Result {
	t.Helper()
	got, err := egress.Room{}.Render(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func sentences(findings []feature.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Reason+": "+f.Message)
	}
	return out
}

// checkDoors checks that exactly the policies that an EgressFirewall narrows wait for it.
func checkDoors(t *testing.T, r feature.Result) {
	t.Helper()
	narrowed := slices.ContainsFunc(r.Walls, func(o feature.Object) bool {
		return *o.GetKind() == firewall.Kind && strings.Contains(marshal(t, o), "dnsName")
	})
	if narrowed != (len(r.Doors) > 0) {
		t.Errorf("%d doors; a firewall narrows names: %t", len(r.Doors), narrowed)
	}
	for _, o := range r.Doors {
		if text := marshal(t, o); *o.GetKind() != "NetworkPolicy" || !strings.Contains(text, `"0.0.0.0/0"`) {
			t.Errorf("a door is %s", text)
		}
	}
}

// checkStored checks that the API server would store what is rendered as it is.
func checkStored(t *testing.T, objects []feature.Object) {
	t.Helper()
	for _, o := range objects {
		group, _, _ := strings.Cut(*o.GetAPIVersion(), "/")
		if project := projects[group]; project != "" {
			var content map[string]any
			if err := json.Unmarshal([]byte(marshal(t, o)), &content); err != nil {
				t.Fatal(err)
			}
			// Fields that older releases don't know, and that package drift takes for unset.
			if spec, ok := content["spec"].(map[string]any); ok && *o.GetKind() == ciliumGateway.Kind {
				spec["egressGateways"] = []any{}
			} else if ok && *o.GetKind() == "EgressIP" {
				spec["egressNodeSelector"] = map[string]any{"matchExpressions": []any{
					map[string]any{"key": "k8s.ovn.org/egress-assignable", "operator": "Exists"},
				}}
			}
			stored.As(t, project, content)
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
