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
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/network"
)

// theDNS is what is said of the DNS that facts returns.
const theDNS = "kube-system,k8s-app=kube-dns,:53"

func TestGuardData(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec string
		want map[string]string
	}{
		"nothing":            {"", map[string]string{v1alpha1.GuardDNS: theDNS}},
		"the tenant's wall":  {`{boundary: Tenant, dns: ClusterDNS, apiServer: Allow}`, map[string]string{v1alpha1.GuardDNS: theDNS}},
		"a narrower wall":    {`{boundary: Namespace, dns: None}`, map[string]string{v1alpha1.GuardBoundary: "Namespace"}},
		"no wall":            {`{boundary: Cluster, dns: None}`, map[string]string{v1alpha1.GuardBoundary: "Cluster"}},
		"no DNS":             {`{dns: None}`, nil},
		"ports can't be had": {`{dns: None, allow: [{name: x, direction: Egress, peers: [{tenant: a}, {cidr: 10.0.0.0/8}], ports: [{protocol: TCP}]}]}`, nil},
		"nor can what is left out": {`{dns: None, allow: [{name: x, direction: Egress, peers: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidr: 192.0.2.0/24}]}]}`,
			map[string]string{v1alpha1.GuardEgressCIDRs: "192.0.2.0/24"}},
		"nor namespaces by any label": {`{dns: None, allow: [{name: x, direction: Ingress, peers: [{namespaces: {}}, {namespaces: {matchLabels: {a: b}}, pods: {}}]}]}`, nil},
		"each direction has its own": {`
allow:
- {name: a, direction: Ingress, peers: [{tenant: shared}, {cidr: 10.0.0.0/8}]}
- {name: b, direction: Egress, peers: [{tenant: vault}, {cidr: "2001:db8::/32"}]}`,
			map[string]string{
				v1alpha1.GuardIngressTenants: "shared", v1alpha1.GuardIngressCIDRs: "10.0.0.0/8",
				v1alpha1.GuardEgressTenants: "vault", v1alpha1.GuardEgressCIDRs: "2001:db8::/32", v1alpha1.GuardDNS: theDNS,
			}},
		"sorted, masked, each once, none in another": {`
dns: None
allow:
- {name: b, direction: Ingress, peers: [{tenant: b}, {cidr: 10.20.30.40/16}, {cidr: 10.20.0.0/24}, {cidr: "2001:DB8:0::/32"}, {cidr: 192.0.2.1/32}, {cidr: "2001:db8:ffff::/48"}]}
- {name: a, direction: Ingress, peers: [{tenant: a}, {tenant: b}, {cidr: 10.20.0.0/16}, {cidr: 10.21.0.0/16}, {cidr: 9.0.0.0/8}]}`,
			map[string]string{
				v1alpha1.GuardIngressTenants: "a,b", v1alpha1.GuardIngressCIDRs: "9.0.0.0/8,10.20.0.0/16,10.21.0.0/16,192.0.2.1/32,2001:db8::/32",
			}},
		"all of IPv4, and nothing of IPv6": {`{dns: None, allow: [{name: a, direction: Egress, peers: [{cidr: 0.0.0.0/0}, {cidr: 10.0.0.0/8}, {cidr: "fd00::/8"}]}]}`,
			map[string]string{v1alpha1.GuardEgressCIDRs: "0.0.0.0/0,fd00::/8"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := render(t, facts(t, "acme", "acme-dev", tc.spec))
			if diff := cmp.Diff(tc.want, got.Annotations, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGuardDataDNS(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"k8s-app": "kube-dns"}
	tests := map[string]struct {
		dns  feature.DNS
		want string
	}{
		"several":                {feature.DNS{Namespace: "dns", PodLabels: map[string]string{"tier": "", "app.example.com/name": "core"}, Ports: []int32{5353, 53, 53}}, "dns,app.example.com/name=core,tier=,:53,:5353"},
		"nothing":                {feature.DNS{}, ""},
		"no namespace":           {feature.DNS{PodLabels: labels, Ports: []int32{53}}, ""},
		"no labels":              {feature.DNS{Namespace: "dns", Ports: []int32{53}}, ""},
		"no ports":               {feature.DNS{Namespace: "dns", PodLabels: labels}, ""},
		"two namespaces":         {feature.DNS{Namespace: "dns,:1", PodLabels: labels, Ports: []int32{53}}, ""},
		"two labels in the key":  {feature.DNS{Namespace: "dns", PodLabels: map[string]string{"a=b,c": "d"}, Ports: []int32{53}}, ""},
		"a port in the value":    {feature.DNS{Namespace: "dns", PodLabels: map[string]string{"a": "b,:1"}, Ports: []int32{53}}, ""},
		"more than can be named": {feature.DNS{Namespace: "dns", PodLabels: many(64), Ports: []int32{53}}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, "acme", "acme-dev", "")
			f.Cluster.DNS = tc.dns
			if got := render(t, f).Annotations[v1alpha1.GuardDNS]; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func many(n int) map[string]string {
	labels := map[string]string{}
	for i := range n {
		labels[fmt.Sprintf("label-%d", i)] = "x"
	}
	return labels
}

// TestGuardDataIsBounded checks that what a Tenant lists beyond what is compared is left out, and opened nevertheless.
func TestGuardDataIsBounded(t *testing.T) {
	t.Parallel()
	f := facts(t, "acme", "acme-dev", "{}")
	o := v1alpha1.Opening{Name: "x", Direction: v1alpha1.Ingress}
	for i := range 100 {
		o.Peers = append(o.Peers, v1alpha1.Peer{CIDR: v1alpha1.CIDR(fmt.Sprintf("10.%d.0.0/16", i))}, v1alpha1.Peer{Tenant: fmt.Sprintf("tenant-%d", i)})
	}
	f.Policy.Network.Allow = []v1alpha1.Opening{o}
	got := render(t, f)
	for _, key := range []string{v1alpha1.GuardIngressCIDRs, v1alpha1.GuardIngressTenants} {
		if n := strings.Count(got.Annotations[key], ",") + 1; n != 64 {
			t.Errorf("%s has %d entries, want 64", key, n)
		}
	}
	rendered := marshal(t, got.Walls)
	for _, want := range []string{"10.99.0.0/16", "tenant-99"} {
		if !strings.Contains(rendered, want) {
			t.Errorf("%s isn't opened", want)
		}
	}
}

func TestGuardDataRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string][2]string{
		"two tenants": {`"a,beta"`, `network.allow[x].peers[1].tenant: Invalid value: "a,beta": a lowercase RFC 1123 label must consist of`},
		"no name":     {`ACME`, `network.allow[x].peers[1].tenant: Invalid value: "ACME": a lowercase RFC 1123 label must consist of`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := network.Room{}.Render(facts(t, "acme", "acme-dev", opening(`{tenant: a}, {tenant: `+tc[0]+`}`)))
			if err == nil || !strings.HasPrefix(err.Error(), tc[1]) {
				t.Errorf("error %v, want %s…", err, tc[1])
			}
			if diff := cmp.Diff(feature.Result{}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}
