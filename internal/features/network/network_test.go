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
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/network"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

const everything = `
apiServer: Allow
allow:
- name: ranges
  direction: Egress
  peers:
  - {cidr: 10.20.30.40/16, except: [10.20.9.0/24, 10.20.1.1/24, 10.20.1.0/24]}
  - {cidr: "2001:DB8:0::/32"}
  - {cidr: 10.20.0.0/16, except: [10.20.1.0/24, 10.20.9.0/24]}
  ports:
  - {port: 443}
  - {protocol: UDP}
  - {protocol: TCP, port: 443}
  - {port: 80, endPort: 90}
- name: mixed
  direction: Ingress
  peers:
  - {tenant: shared}
  - namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: shared}}
  - namespaces: {}
    pods: {}
  - namespaces:
      matchExpressions:
      - {key: zone, operator: In, values: [c, a, b, a]}
      - {key: env, operator: DoesNotExist}
    pods: {matchLabels: {app: web, tier: front}}`

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		facts        feature.Facts
		wantFindings []feature.Finding
		wantOpen     int
	}{
		"01-starter": {facts: facts(t, "acme", "acme-dev", "")},
		"02-payments-api": {facts: facts(t, "payments", "payments-api", `
allow:
- name: metrics
  direction: Ingress
  peers: [{tenant: observability}]
  ports: [{protocol: TCP, port: 9090}]`)},
		"02-payments-vault": {facts: facts(t, "payments", "payments-vault", `
boundary: Namespace
allow:
- name: metrics
  direction: Ingress
  peers: [{tenant: observability}]
  ports: [{protocol: TCP, port: 9090}]
- name: from-api
  direction: Ingress
  peers:
  - namespaces: {matchLabels: {kubernetes.io/metadata.name: payments-api}}
    pods: {matchLabels: {app: api}}
  ports: [{protocol: TCP, port: 8200}]`)},
		"03-observability": {facts: facts(t, "observability", "observability", `
apiServer: Allow
allow:
- name: scrape-payments
  direction: Egress
  peers: [{tenant: payments}]
  ports: [{protocol: TCP, port: 9090}]
- name: scrape-everyone-else
  direction: Egress
  peers: [{namespaces: {matchExpressions: [{key: metrics.example.com/scrape, operator: Exists}]}}]
  ports: [{protocol: TCP, port: 9090, endPort: 9099}]`)},
		"no-wall":    {facts: facts(t, "acme", "acme-dev", `{boundary: Cluster, dns: None, apiServer: Deny}`), wantOpen: 1},
		"everything": {facts: facts(t, "acme", "acme-dev", everything)},
		"nothing-known": {
			facts: func() feature.Facts {
				f := facts(t, "acme", "acme-dev", `{apiServer: Allow}`)
				f.Cluster = feature.ClusterFacts{DNS: feature.DNS{Namespace: "kube-system", Ports: []int32{53}}}
				return f
			}(),
			wantFindings: []feature.Finding{{
				Reason: v1alpha1.ReasonPending,
				Message: "network.dns is ClusterDNS, but the operator doesn't know where the cluster's DNS runs: " +
					"set its flags --dns-namespace, --dns-pod-labels and --dns-ports, or network.dns: None",
			}, {
				Reason: v1alpha1.ReasonPending,
				Message: "network.apiServer is Allow, but the operator knows no address of the API server: " +
					"set the operator's flag --api-server-addresses",
			}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := copyFacts(tc.facts)
			for range 2 { // Rendering again renders the same.
				got := render(t, tc.facts)
				golden.YAML(t, name, got.Walls...)
				if diff := cmp.Diff(tc.wantFindings, got.Findings); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				if len(got.Doors) != 0 || len(got.OpenBySpec) != tc.wantOpen {
					t.Errorf("%d doors, OpenBySpec %q; want no doors, %d sentences", len(got.Doors), got.OpenBySpec, tc.wantOpen)
				}
			}
			if !reflect.DeepEqual(before, tc.facts) {
				t.Errorf("the facts were changed: %v, were %v", tc.facts, before)
			}
		})
	}
}

// TestRenderIgnoresOrder also shows that duplicates don't matter: some seeds repeat entries.
func TestRenderIgnoresOrder(t *testing.T) {
	t.Parallel()
	original := facts(t, "acme", "acme-dev", everything)
	want := marshal(t, render(t, original))
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := copyFacts(original)
		f.Cluster.APIServer = shuffle(rng, f.Cluster.APIServer)
		f.Cluster.DNS.Ports = shuffle(rng, f.Cluster.DNS.Ports)
		allow := f.Policy.Network.Allow
		rng.Shuffle(len(allow), func(i, j int) { allow[i], allow[j] = allow[j], allow[i] })
		for i := range allow {
			allow[i].Ports = shuffle(rng, allow[i].Ports)
			for j, p := range allow[i].Peers {
				allow[i].Peers[j].Except = shuffle(rng, p.Except)
				if p.Namespaces != nil {
					p.Namespaces.MatchExpressions = shuffle(rng, p.Namespaces.MatchExpressions)
					for k, e := range p.Namespaces.MatchExpressions {
						p.Namespaces.MatchExpressions[k].Values = shuffle(rng, e.Values)
					}
				}
			}
			allow[i].Peers = shuffle(rng, allow[i].Peers)
		}
		if diff := cmp.Diff(want, marshal(t, render(t, f))); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// shuffle returns the list in another order, now and then with one entry twice.
func shuffle[T any](rng *rand.Rand, list []T) []T {
	if len(list) == 0 {
		return nil
	}
	out := append([]T(nil), list...)
	if rng.IntN(3) == 0 {
		out = append(out, out[rng.IntN(len(out))])
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func facts(t *testing.T, tenant, namespace, spec string) feature.Facts {
	t.Helper()
	f := feature.Facts{Tenant: tenant, Namespace: namespace, Cluster: feature.ClusterFacts{
		DNS: feature.DNS{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53}},
		APIServer: []netip.AddrPort{
			netip.MustParseAddrPort("10.0.0.1:6443"), netip.MustParseAddrPort("10.0.0.2:6443"),
			netip.MustParseAddrPort("[::ffff:10.0.0.1]:6443"), netip.MustParseAddrPort("[fd00::1]:443"), {},
		},
	}}
	if err := yaml.UnmarshalStrict([]byte(spec), &f.Policy.Network); err != nil {
		t.Fatal(err)
	}
	return f
}

func copyFacts(f feature.Facts) feature.Facts {
	f.Policy = *f.Policy.DeepCopy()
	f.Cluster.DNS.PodLabels = maps.Clone(f.Cluster.DNS.PodLabels)
	f.Cluster.DNS.Ports = append([]int32(nil), f.Cluster.DNS.Ports...)
	f.Cluster.APIServer = append([]netip.AddrPort(nil), f.Cluster.APIServer...)
	return f
}

func render(t *testing.T, f feature.Facts) feature.Result {
	t.Helper()
	got, err := network.Room{}.Render(f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
