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
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/egress"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

var gatewayKinds = []schema.GroupVersionKind{ciliumGateway, egressIP, antreaEgress}

const (
	oneCilium = `provider: Cilium, addresses: [198.51.100.10], nodes: {matchLabels: {node-role.example.com/egress: payments}}`
	twoCilium = `provider: Cilium, addresses: ["2001:DB8:0::10", 198.51.100.10, "2001:db8::10"], nodes: {matchExpressions: [{key: zone, operator: In, values: [b, a, b]}]}`
	anOVN     = `provider: OVNKubernetes, addresses: [198.51.100.10, "2001:db8::10", 198.51.100.9]`
	anAntrea  = `provider: Antrea, addresses: [198.51.100.10]`
	moreOVN   = `provider: OVNKubernetes, addresses: [198.51.100.10, "2001:db8::10", 198.51.100.9, 198.51.100.20]`
)

func TestRenderTenant(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		gateway   string
		overrides map[string]string
		taken     map[string]string
		served    []schema.GroupVersionKind
		want      []string
	}{
		"none":            {},
		"cilium":          {gateway: oneCilium},
		"cilium-dual":     {gateway: twoCilium},
		"cilium-ipv6":     {gateway: strings.Replace(twoCilium, "198.51.100.10, ", "", 1)},
		"ovn":             {gateway: anOVN},
		"antrea":          {gateway: anAntrea},
		"same-everywhere": {gateway: anOVN, overrides: map[string]string{"acme-dev": `provider: OVNKubernetes, addresses: ["2001:db8:0::10", 198.51.100.9, 198.51.100.10]`}},
		"one-of-its-own":  {gateway: anOVN, overrides: map[string]string{"acme-dev": moreOVN}},
		"one-has-none":    {gateway: anAntrea, overrides: map[string]string{"acme-dev": ""}},
		"cilium-of-its-own": {gateway: twoCilium, overrides: map[string]string{"acme-dev": strings.Replace(twoCilium, "198.51.100.10",
			`198.51.100.10, 198.51.100.20, "2001:db8::20"`, 1)}},
		"all-of-their-own": {gateway: anOVN, overrides: map[string]string{
			"acme-dev": moreOVN, "acme-prod": `provider: OVNKubernetes, addresses: [198.51.100.30]`}},
		"only-one-namespace": {overrides: map[string]string{"acme-dev": anAntrea, "acme-prod": ""}},
		"only-a-part": {gateway: `provider: Antrea`, overrides: map[string]string{
			"acme-dev": anAntrea, "acme-prod": `provider: Antrea, addresses: [198.51.100.30]`}},
		"two-namespaces-the-same": {
			overrides: map[string]string{"acme-prod": anOVN, "acme-dev": `provider: OVNKubernetes, addresses: [198.51.100.9]`},
			want: []string{`AddressConflict: namespaces[acme-prod].policy.egress.gateway.addresses: 198.51.100.9 is namespace "acme-dev"'s: ` +
				`list an address that nobody else has, or remove it there`},
		},
		"taken": {gateway: anOVN, taken: map[string]string{"198.51.100.10": "zeta", "2001:DB8::10": "yota", "none": "x"}, want: []string{
			`AddressConflict: egress.gateway.addresses: 198.51.100.10 is tenant "zeta"'s, which is older: list an address that nobody else has, or remove it there`,
			`AddressConflict: egress.gateway.addresses: 2001:db8::10 is tenant "yota"'s, which is older: list an address that nobody else has, or remove it there`,
		}},
		"all-taken": {gateway: oneCilium, taken: map[string]string{"198.51.100.10": "zeta"}, want: []string{
			`AddressConflict: egress.gateway.addresses: 198.51.100.10 is tenant "zeta"'s, which is older: list an address that nobody else has, or remove it there`,
		}},
		"missing-cilium": {gateway: oneCilium, served: []schema.GroupVersionKind{ciliumPolicy}, want: []string{
			"MissingAPI: egress.gateway needs CiliumEgressGatewayPolicy (cilium.io/v2), which the cluster doesn't serve: " +
				"install Cilium with its egress gateway, or set another provider"}},
		"missing-ovn": {gateway: anOVN, served: []schema.GroupVersionKind{firewall}, want: []string{
			"MissingAPI: egress.gateway needs EgressIP (k8s.ovn.org/v1), which the cluster doesn't serve: " +
				"turn on OVN-Kubernetes' egress IPs, or set another provider"}},
		"missing-antrea": {gateway: anAntrea, served: []schema.GroupVersionKind{firewall}, want: []string{
			"MissingAPI: egress.gateway needs Egress (crd.antrea.io/v1beta1), which the cluster doesn't serve: " +
				"install Antrea, or set another provider"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := tenantFacts(t, tc.gateway, tc.overrides)
			f.Taken.Addresses = tc.taken
			if tc.served != nil {
				f.Cluster.APIs = tc.served
			}
			before := copyTenantFacts(f)
			for range 2 { // Rendering again renders the same.
				got := renderTenant(t, f)
				golden.YAML(t, "tenant-"+name, got.Walls...)
				checkStored(t, got.Walls)
				if diff := cmp.Diff(tc.want, sentences(got.Findings)); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				for _, o := range got.Walls {
					if feature.TenantOf("", *o.GetName()) != "acme" {
						t.Errorf("%s isn't found again by its name", *o.GetName())
					}
				}
			}
			if !reflect.DeepEqual(before, f) {
				t.Errorf("the facts were changed: %v, were %v", f, before)
			}
		})
	}
}

// TestNoAddressTwice is the scenario in which two tenants claim the same source address: who had it first keeps it.
func TestNoAddressTwice(t *testing.T) {
	t.Parallel()
	older, younger := tenantFacts(t, anAntrea, nil), tenantFacts(t, anAntrea, nil)
	younger.Tenant, younger.Taken.Addresses = "beta", map[string]string{"198.51.100.10": "acme"}
	if got := renderTenant(t, older); len(got.Walls) != 1 || len(got.Findings) != 0 {
		t.Errorf("the older tenant has %d gateways and %v, want 1 and nothing to say", len(got.Walls), got.Findings)
	}
	if got := renderTenant(t, younger); len(got.Walls) != 0 || len(got.Findings) != 1 {
		t.Errorf("the younger tenant has %d gateways and %v, want none and a finding", len(got.Walls), got.Findings)
	}
}

func TestRenderTenantRefuses(t *testing.T) {
	t.Parallel()
	const (
		notAnAddress = `: must be an IPv4 or IPv6 address, as "198.51.100.10" or "2001:db8::1"`
		noSource     = `: must be an address that traffic can come from: not a loopback, link-local, multicast or unspecified one`
		oneEach      = `: must have at most one IPv4 and one IPv6 address with provider Cilium`
		needsNodes   = `.nodes: Required value: must select, by their labels, the nodes that have the addresses, here or in the TenantClass`
		own          = `namespaces[acme-dev].policy.egress.gateway`
	)
	tests := map[string]struct {
		gateway   string
		overrides map[string]string
		want      string
	}{
		"no provider":      {gateway: `addresses: [198.51.100.10]`, want: `egress.gateway.provider: Required value: must be set here or in the TenantClass: Cilium, OVNKubernetes or Antrea`},
		"unknown provider": {gateway: `provider: Calico, addresses: [198.51.100.10]`, want: `egress.gateway.provider: Unsupported value: "Calico": supported values: "Cilium", "OVNKubernetes", "Antrea"`},
		"no addresses":     {gateway: `provider: Antrea`, want: `egress.gateway.addresses: Required value: must have at least one entry`},
		"not an address":   {gateway: `provider: Antrea, addresses: [198.51.100]`, want: `egress.gateway.addresses[0]: Invalid value: "198.51.100"` + notAnAddress},
		"IPv4 as IPv6":     {gateway: `provider: Antrea, addresses: ["::ffff:1:2"]`, want: `egress.gateway.addresses[0]: Invalid value: "::ffff:1:2"` + notAnAddress},
		"zone":             {gateway: `provider: Antrea, addresses: ["2001:db8::1%x"]`, want: `egress.gateway.addresses[0]: Invalid value: "2001:db8::1%x"` + notAnAddress},
		"link-local":       {gateway: `provider: Antrea, addresses: [169.254.1.1]`, want: `egress.gateway.addresses[0]: Invalid value: "169.254.1.1"` + noSource},
		"unspecified":      {gateway: `provider: Antrea, addresses: ["::"]`, want: `egress.gateway.addresses[0]: Invalid value: "::"` + noSource},
		"selector": {gateway: `provider: Cilium, addresses: [198.51.100.10], nodes: {matchExpressions: [{key: a, operator: Equals}]}`,
			want: `egress.gateway.nodes.matchExpressions[0].operator: Invalid value: "Equals": not a valid selector operator`},
		"two of a family": {gateway: strings.Replace(oneCilium, "10]", "10, 198.51.100.11]", 1), want: `egress.gateway.addresses: Invalid value: "[198.51.100.10 198.51.100.11]"` + oneEach},
		"two of IPv6":     {gateway: strings.Replace(oneCilium, "198.51.100.10", `"2001:db8::1", "2001:db8::2"`, 1), want: `egress.gateway.addresses: Invalid value: "[2001:db8::1 2001:db8::2]"` + oneEach},
		"no nodes":        {gateway: `provider: Cilium, addresses: [198.51.100.10]`, want: `egress.gateway` + needsNodes},
		"all nodes":       {gateway: `provider: Cilium, addresses: [198.51.100.10], nodes: {}`, want: `egress.gateway` + needsNodes},
		"nodes of OVN-Kubernetes": {gateway: anOVN + `, nodes: {}`, want: `egress.gateway.nodes: Forbidden: is not for provider OVNKubernetes: ` +
			`label the nodes with k8s.ovn.org/egress-assignable, and leave it out`},
		"nodes of Antrea": {gateway: anAntrea + `, nodes: {matchLabels: {a: b}}`, want: `egress.gateway.nodes: Forbidden: is not for provider Antrea: ` +
			`add the address to a network interface of a node (no ExternalIPPool is asked), and leave it out`},
		"two of Antrea": {gateway: `provider: Antrea, addresses: [198.51.100.10, "2001:db8::1"]`, want: `egress.gateway.addresses: Too many: 2: must have at most 1 item`},
		"too many": {gateway: `provider: OVNKubernetes, addresses: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9]`,
			want: `egress.gateway.addresses: Too many: 9: must have at most 8 items`},
		"of a namespace": {overrides: map[string]string{"acme-dev": `provider: Cilium, addresses: [198.51.100.10]`}, want: own + needsNodes},
		"of a namespace, beside the tenant's": {gateway: anAntrea, overrides: map[string]string{"acme-dev": `provider: Antrea, addresses: [198.51.100.10, x]`},
			want: own + `.addresses[1]: Invalid value: "x"` + notAnAddress},
		"said once": {gateway: `provider: Antrea`, overrides: map[string]string{"acme-dev": `provider: Antrea`},
			want: `egress.gateway.addresses: Required value: must have at least one entry`},
		"only other nodes": {gateway: oneCilium, overrides: map[string]string{"acme-dev": strings.Replace(oneCilium, "payments", "vault", 1)},
			want: own + `.addresses: Required value: must list an address that the tenant's gateway doesn't have: this one isn't the same`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := egress.Room{}.RenderTenant(tenantFacts(t, tc.gateway, tc.overrides))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(feature.Result{}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}

// TestPolicyIsNotKnown checks that nothing is rendered, or pruned, by a policy that isn't known.
func TestPolicyIsNotKnown(t *testing.T) {
	t.Parallel()
	f := tenantFacts(t, "", nil)
	f.PolicyError = errors.New("no class")
	if _, err := (egress.Room{}).RenderTenant(f); !errors.Is(err, f.PolicyError) {
		t.Errorf("error %v, want %v", err, f.PolicyError)
	}
}

func TestRenderTenantIgnoresOrder(t *testing.T) {
	t.Parallel()
	original := tenantFacts(t, twoCilium, map[string]string{
		"acme-dev": moreOVN, "acme-prod": `provider: Antrea, addresses: [198.51.100.40]`})
	want := marshal(t, renderTenant(t, original))
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := copyTenantFacts(original)
		f.Namespaces, f.Cluster.APIs = shuffle(rng, f.Namespaces), shuffle(rng, f.Cluster.APIs)
		for _, policy := range []v1alpha1.PolicyBlocks{f.Policy, f.Overrides["acme-dev"], f.Overrides["acme-prod"]} {
			g := policy.Egress.Gateway
			g.Addresses = shuffle(rng, g.Addresses)
			if g.Nodes != nil {
				g.Nodes.MatchExpressions = shuffle(rng, g.Nodes.MatchExpressions)
				g.Nodes.MatchExpressions[0].Values = shuffle(rng, g.Nodes.MatchExpressions[0].Values)
			}
		}
		if diff := cmp.Diff(want, marshal(t, renderTenant(t, f))); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// tenantFacts are those of a tenant with two namespaces and a gateway, if it isn't empty.
func tenantFacts(t *testing.T, gateway string, overrides map[string]string) feature.TenantFacts {
	t.Helper()
	policy := func(gateway string) v1alpha1.PolicyBlocks {
		if gateway == "" {
			return parse(t, `{egress: {internet: Allow}}`)
		}
		return parse(t, `{egress: {gateway: {`+gateway+`}}}`)
	}
	f := feature.TenantFacts{
		Tenant: "acme", Namespaces: []string{"acme-dev", "acme-prod"}, Policy: policy(gateway), Cluster: cluster(gatewayKinds...),
	}
	for namespace, gateway := range overrides {
		if f.Overrides == nil {
			f.Overrides = map[string]v1alpha1.PolicyBlocks{}
		}
		f.Overrides[namespace] = policy(gateway)
	}
	return f
}

func copyTenantFacts(f feature.TenantFacts) feature.TenantFacts {
	f.Policy = *f.Policy.DeepCopy()
	f.Namespaces = append([]string(nil), f.Namespaces...)
	if f.Overrides != nil {
		overrides := map[string]v1alpha1.PolicyBlocks{}
		for namespace, policy := range f.Overrides {
			overrides[namespace] = *policy.DeepCopy()
		}
		f.Overrides = overrides
	}
	f.Cluster.APIs = append([]schema.GroupVersionKind(nil), f.Cluster.APIs...)
	return f
}

func renderTenant(t *testing.T, f feature.TenantFacts) feature.Result {
	t.Helper()
	got, err := egress.Room{}.RenderTenant(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
