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

package network_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/network"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
	"github.com/bulkhead-dev/bulkhead/test/testkit/stored"
)

var (
	clusterPolicy = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"}
	adminPolicy   = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "AdminNetworkPolicy"}
)

// tenantFacts are those of a Tenant as YAML, as the operator makes them.
func tenantFacts(t *testing.T, text string, apis ...schema.GroupVersionKind) feature.TenantFacts {
	t.Helper()
	var tenant v1alpha1.Tenant
	if err := yaml.UnmarshalStrict([]byte(text), &tenant); err != nil {
		t.Fatal(err)
	}
	f := feature.TenantFacts{
		Tenant: tenant.Name, Overrides: map[string]v1alpha1.PolicyBlocks{}, Cluster: facts(t, "", "", "").Cluster,
	}
	f.Cluster.APIs = apis
	effective := func(layers ...*v1alpha1.PolicyBlocks) v1alpha1.PolicyBlocks {
		merged, err := policy.Effective(tenant.Name, layers...)
		if err != nil {
			t.Fatal(err)
		}
		return merged
	}
	f.Policy = effective(nil, &tenant.Spec.PolicyBlocks)
	for _, n := range tenant.Spec.Namespaces {
		f.Namespaces = append(f.Namespaces, n.Name)
		if n.Policy != nil {
			f.Overrides[n.Name] = effective(nil, &tenant.Spec.PolicyBlocks, n.Policy)
		}
	}
	return f
}

func copyTenantFacts(f feature.TenantFacts) feature.TenantFacts {
	f.Policy = *f.Policy.DeepCopy()
	overrides := map[string]v1alpha1.PolicyBlocks{}
	for name, blocks := range f.Overrides {
		overrides[name] = *blocks.DeepCopy()
	}
	f.Overrides = overrides
	f.Namespaces = append([]string(nil), f.Namespaces...)
	c := copyFacts(feature.Facts{Cluster: f.Cluster}).Cluster
	f.Cluster.DNS, f.Cluster.APIServer = c.DNS, c.APIServer
	return f
}

func renderTier(t *testing.T, f feature.TenantFacts) feature.Result {
	t.Helper()
	got, err := network.Room{}.RenderTenant(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// asStored checks what was rendered against the real CRDs.
func asStored(t *testing.T, objects []feature.Object) {
	t.Helper()
	for _, o := range objects {
		project := crds.ClusterNetworkPolicy
		if *o.GetKind() == adminPolicy.Kind {
			project = crds.AdminNetworkPolicy
		}
		stored.As(t, project, o)
	}
}

// payments is the second of the examples that all of the project shares, as far as it matters here.
const payments = `
metadata: {name: payments}
spec:
  namespaces:
  - name: payments-api
  - name: payments-vault
    policy:
      network:
        boundary: Namespace
        allow:
        - name: from-api
          direction: Ingress
          peers:
          - namespaces: {matchLabels: {kubernetes.io/metadata.name: payments-api}}
            pods: {matchLabels: {app: api}}
          ports: [{protocol: TCP, port: 8200}]
  network:
    allow:
    - name: metrics
      direction: Ingress
      peers: [{tenant: observability}]
      ports: [{protocol: TCP, port: 9090}]
  ingress:
    controllers:
    - name: edge
      namespace: payments-edge
      pods: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}
      ports: [{protocol: TCP, port: 8443}]
  egress:
    internet: Deny
    destinations:
    - name: acquirer
      cidrs: [203.0.113.0/24, "2001:db8:42::/48"]
      ports: [{protocol: TCP, port: 443}]`

// wideOpen has every form of a peer, of a port and of a way out.
const wideOpen = `
metadata: {name: acme}
spec:
  namespaces: [{name: acme-b}, {name: acme-a}, {name: acme-shut, policy: {network: {dns: None}}}, {name: acme-open, policy: {network: {boundary: Cluster}}},
    {name: acme-same, policy: {network: {boundary: Tenant}}}]
  network:
    apiServer: Allow
    allow:
    - {name: z-in, direction: Ingress, peers: [{cidr: 192.0.2.0/24}]}
    - name: b-in
      direction: Ingress
      peers:
      - {tenant: shared}
      - {namespaces: {}, pods: {}}
      - {namespaces: {matchExpressions: [{key: env, operator: In, values: [b, a, a]}]}, pods: {matchLabels: {app: web}}}
      ports: [{port: 80}, {protocol: UDP}, {protocol: SCTP, port: 5000, endPort: 5010}, {port: 81, endPort: 81}]
    - name: out
      direction: Egress
      peers: [{tenant: shared}, {cidr: 10.20.0.0/16, except: [10.20.1.0/24, 10.20.9.0/24]}, {cidr: "2001:db8::/32"}]
  ingress:
    controllers:
    - {name: b, namespace: edge}
    - {name: a, namespace: edge, pods: {}}
  egress:
    internet: Allow
    destinations:
    - {name: office, cidrs: [10.1.0.0/16, 172.0.0.0/8, 10.1.2.0/24], ports: [{port: 443}]}
    - {name: api, fqdns: [api.example.com], ports: [{port: 443}]}`

func TestRenderTenant(t *testing.T) {
	t.Parallel()
	both := []schema.GroupVersionKind{adminPolicy, clusterPolicy}
	namespaces := `metadata: {name: acme}
spec: {namespaces: [{name: acme-a}, {name: acme-b}], network: {boundary: %s}}`
	tests := map[string]feature.TenantFacts{
		"tier-02-payments":       tenantFacts(t, payments, both...),
		"tier-02-payments-admin": tenantFacts(t, payments, adminPolicy),
		"tier-everything":        tenantFacts(t, wideOpen, clusterPolicy),
		"tier-everything-admin":  tenantFacts(t, wideOpen, adminPolicy),
		"tier-namespace":         tenantFacts(t, fmt.Sprintf(namespaces, "Namespace"), clusterPolicy),
		"tier-no-wall":           tenantFacts(t, fmt.Sprintf(namespaces, "Cluster"), clusterPolicy),
		"tier-one-wall": tenantFacts(t, `metadata: {name: acme}
spec: {namespaces: [{name: acme-a}, {name: acme-b, policy: {network: {boundary: Tenant, dns: None}}}], network: {boundary: Cluster}}`, clusterPolicy),
		"tier-no-namespaces": tenantFacts(t, `metadata: {name: acme}`, clusterPolicy),
		"tier-no-api":        tenantFacts(t, payments, schema.GroupVersionKind{Group: "crd.antrea.io", Version: "v1beta1", Kind: "ClusterNetworkPolicy"}),
		"tier-invalid-elsewhere": tenantFacts(t, `metadata: {name: acme}
spec:
  namespaces: [{name: acme-a}]
  ingress: {controllers: [{name: a, namespace: edge, ports: [{port: -1}]}, {name: b, namespace: edge, pods: {matchExpressions: [{key: a, operator: Eh}]}}, {name: c}]}
  egress: {destinations: [{name: a, cidrs: [x]}, {name: b, cidrs: [10.0.0.0/8], ports: [{port: -1}]}]}`, clusterPolicy),
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := copyTenantFacts(f)
			got := renderTier(t, f)
			golden.YAML(t, name, got.Walls...)
			asStored(t, got.Walls)
			if diff := cmp.Diff(feature.Result{Walls: got.Walls}, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Errorf("more than walls:\n%s", diff)
			}
			if !reflect.DeepEqual(before, copyTenantFacts(f)) {
				t.Errorf("the facts were changed: %v, were %v", f, before)
			}
		})
	}
}

// TestRenderTenantExample renders what an auditor reads of the example that all of the project shares.
func TestRenderTenantExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "examples", "02-payments-pci.yaml"))
	if err != nil {
		t.Skipf("the example isn't here: %v", err)
	}
	got := renderTier(t, tenantFacts(t, string(text), clusterPolicy))
	golden.YAML(t, "tier-02-payments", got.Walls...)
}

func TestRenderTenantIgnoresOrder(t *testing.T) {
	t.Parallel()
	original := tenantFacts(t, wideOpen, clusterPolicy)
	want := marshal(t, renderTier(t, original))
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := copyTenantFacts(original)
		f.Namespaces = shuffle(rng, f.Namespaces)
		f.Cluster.APIServer = shuffle(rng, f.Cluster.APIServer)
		f.Cluster.DNS.Ports = shuffle(rng, f.Cluster.DNS.Ports)
		blocks := []v1alpha1.PolicyBlocks{f.Policy}
		for _, b := range f.Overrides {
			blocks = append(blocks, b)
		}
		for _, b := range blocks {
			rng.Shuffle(len(b.Network.Allow), reflect.Swapper(b.Network.Allow))
			rng.Shuffle(len(b.Ingress.Controllers), reflect.Swapper(b.Ingress.Controllers))
			rng.Shuffle(len(b.Egress.Destinations), reflect.Swapper(b.Egress.Destinations))
			for i := range b.Network.Allow {
				b.Network.Allow[i].Peers = shuffle(rng, b.Network.Allow[i].Peers)
				b.Network.Allow[i].Ports = shuffle(rng, b.Network.Allow[i].Ports)
			}
			for i := range b.Egress.Destinations {
				b.Egress.Destinations[i].CIDRs = shuffle(rng, b.Egress.Destinations[i].CIDRs)
			}
		}
		if diff := cmp.Diff(want, marshal(t, renderTier(t, f))); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// TestRenderTenantManyRules checks that rules which don't fit are in more policies, in the same order.
func TestRenderTenantManyRules(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	many.WriteString("metadata: {name: acme}\nspec:\n  namespaces: [{name: rules}, {name: acme-a}]\n  network:\n    allow:\n")
	for i := range 60 {
		fmt.Fprintf(&many, "    - {name: o%02d, direction: Egress, peers: [{cidr: 10.%d.0.0/16}, {tenant: t%d}]}\n", i, i, i)
		fmt.Fprintf(&many, "    - {name: i%02d, direction: Ingress, peers: [{tenant: t%d}]}\n", i, i)
	}
	for kind, limit := range map[schema.GroupVersionKind]int{clusterPolicy: 25, adminPolicy: 100} {
		f := tenantFacts(t, many.String(), kind)
		f.Overrides["rules"] = func() v1alpha1.PolicyBlocks {
			p := *f.Policy.DeepCopy()
			p.Network.DNS = v1alpha1.DNSNone
			return p
		}()
		got := renderTier(t, f)
		asStored(t, got.Walls)
		rules, names := map[string][]string{}, map[string]bool{}
		for _, o := range got.Walls {
			var object struct {
				Spec struct {
					Priority int
					Subject  struct {
						Namespaces struct{ MatchLabels map[string]string }
					}
					Egress []struct{ Name, Action string }
				}
			}
			if err := yaml.Unmarshal([]byte(marshal(t, o)), &object); err != nil {
				t.Fatal(err)
			}
			subject := object.Spec.Subject.Namespaces.MatchLabels["kubernetes.io/metadata.name"]
			if want := 50 + len(rules[subject])/limit; object.Spec.Priority != want || names[*o.GetName()] {
				t.Errorf("%s has priority %d, want %d and a name of its own", *o.GetName(), object.Spec.Priority, want)
			}
			names[*o.GetName()] = true
			if tenant := feature.TenantOf("", *o.GetName()); tenant != "acme" {
				t.Errorf("%s is of tenant %q", *o.GetName(), tenant)
			}
			for _, r := range object.Spec.Egress {
				rules[subject] = append(rules[subject], r.Action+" "+r.Name)
			}
		}
		want := []string{"Pass own-namespaces", "Pass dns"}
		for i := range 60 {
			want = append(want, fmt.Sprintf("Pass allow-o%02d", i))
		}
		want = append(want, "Deny other-pods")
		if kind == clusterPolicy {
			for i := range 60 {
				want = append(want, fmt.Sprintf("Pass allow-o%02d", i))
			}
			want = append(want, "Deny everything-else")
		}
		if diff := cmp.Diff(want, rules[""]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind.Kind, diff)
		}
		if len(rules["rules"]) != len(want)-1 {
			t.Errorf("the namespace of its own has %d rules, want %d", len(rules["rules"]), len(want)-1)
		}
	}
}

// TestRenderTenantLongLists checks lists that are longer than a rule takes.
func TestRenderTenantLongLists(t *testing.T) {
	t.Parallel()
	f := tenantFacts(t, wideOpen, clusterPolicy)
	f.Overrides = nil
	for i := range 60 {
		o := &f.Policy.Network.Allow[1]
		o.Peers = append(o.Peers, v1alpha1.Peer{Tenant: fmt.Sprintf("t%d", i)})
		o.Ports = append(o.Ports, v1alpha1.Port{Port: int32(1000 + i)})
		d := &f.Policy.Egress.Destinations[0]
		for j := range 30 {
			d.CIDRs = append(d.CIDRs, v1alpha1.CIDR(fmt.Sprintf("203.0.%d.%d/32", i, 2*j)))
		}
		f.Cluster.APIServer = append(f.Cluster.APIServer, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 6443))
	}
	for _, kind := range []schema.GroupVersionKind{clusterPolicy, adminPolicy} {
		f.Cluster.APIs = []schema.GroupVersionKind{kind}
		got := renderTier(t, f)
		if len(got.Walls) == 0 {
			t.Error("nothing was rendered")
		}
		asStored(t, got.Walls)
	}
}

func TestRenderTenantRefuses(t *testing.T) {
	t.Parallel()
	const bad = `metadata: {name: acme}
spec: {namespaces: [{name: a, policy: {network: {allow: [{name: w, direction: Egress, peers: [{cidr: bad}]}]}}}]%s}`
	tests := map[string]struct{ spec, want string }{
		"in the tenant": {
			fmt.Sprintf(bad, `, network: {boundary: X, allow: [{name: x, direction: Egress, peers: [{cidr: x}]}]}`),
			`[network.boundary: Unsupported value: "X": supported values: "Tenant", "Namespace", "Cluster", network.allow[x].peers[0].cidr: Invalid value: "x": ` + allowedCIDR + `]`,
		},
		"in a namespace": {
			fmt.Sprintf(bad, ``), `namespaces[a].policy.network.allow[w].peers[0].cidr: Invalid value: "bad": ` + allowedCIDR,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := tenantFacts(t, tc.spec, clusterPolicy)
			got, err := network.Room{}.RenderTenant(f)
			if err == nil || err.Error() != tc.want || !reflect.ValueOf(got).IsZero() {
				t.Errorf("got %v, %v, want the error %s", got, err, tc.want)
			}
			f.PolicyError = os.ErrInvalid
			if got, err := (network.Room{}).RenderTenant(f); !errors.Is(err, os.ErrInvalid) || !reflect.ValueOf(got).IsZero() {
				t.Errorf("got %v, %v for a policy that isn't known", got, err)
			}
			f.Cluster.APIs = nil
			if got, err := (network.Room{}).RenderTenant(f); err != nil || !reflect.ValueOf(got).IsZero() {
				t.Errorf("got %v, %v without an API", got, err)
			}
		})
	}
}
