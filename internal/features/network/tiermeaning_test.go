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
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// The types are those of the API, as far as the room uses it, and written anew: what is read here is what is stored.
type (
	judgedSpec struct {
		Priority int
		Subject  struct{ Namespaces metav1.LabelSelector }
		Ingress  []judgedRule
		Egress   []judgedRule
	}
	judgedRule struct {
		Name, Action string
		From, To     []judgedPeer
		Protocols    []map[string]struct{ DestinationPort judgedPort }
	}
	judgedPeer struct {
		Namespaces *metav1.LabelSelector
		Pods       *struct{ NamespaceSelector, PodSelector metav1.LabelSelector }
		Networks   []netip.Prefix
	}
	judgedPort struct {
		Number int
		Range  *struct{ Start, End int }
	}
)

// An end is a pod, by its labels and those of its namespace, or (without a namespace) what has the address.
type end struct {
	namespace, pod labels.Set
	address        string
}

func (p judgedPeer) is(t *testing.T, e end) bool {
	t.Helper()
	selects := func(s *metav1.LabelSelector, set labels.Set) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		return selector.Matches(set)
	}
	switch {
	case p.Namespaces != nil:
		return e.namespace != nil && selects(p.Namespaces, e.namespace)
	case p.Pods != nil:
		return e.namespace != nil && selects(&p.Pods.NamespaceSelector, e.namespace) && selects(&p.Pods.PodSelector, e.pod)
	default:
		return slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(netip.MustParseAddr(e.address)) })
	}
}

func (r judgedRule) has(protocol string, port int) bool {
	if len(r.Protocols) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Protocols, func(p map[string]struct{ DestinationPort judgedPort }) bool {
		match, ok := p[protocol]
		if !ok {
			return false
		}
		if r := match.DestinationPort.Range; r != nil {
			return r.Start <= port && port <= r.End
		}
		return match.DestinationPort.Number == port
	})
}

// A connection is one between pods of a namespace, and another end: to them if it is in.
type connection struct {
	subject  labels.Set
	in       bool
	other    end
	protocol string
	port     int
}

// judge is what the tier says of a connection: "Pass rule", "Deny rule", or nothing.
func judge(t *testing.T, objects []feature.Object, c connection) string {
	t.Helper()
	var specs []judgedSpec
	for _, o := range objects {
		var read struct{ Spec judgedSpec }
		if err := json.Unmarshal([]byte(marshal(t, o)), &read); err != nil {
			t.Fatal(err)
		}
		if (judgedPeer{Namespaces: &read.Spec.Subject.Namespaces}).is(t, end{namespace: c.subject}) {
			specs = append(specs, read.Spec)
		}
	}
	slices.SortFunc(specs, func(a, b judgedSpec) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, spec := range specs {
		rules := spec.Ingress
		if !c.in {
			rules = spec.Egress
		}
		for _, r := range rules {
			if r.has(c.protocol, c.port) && slices.ContainsFunc(append(r.From, r.To...), func(p judgedPeer) bool { return p.is(t, c.other) }) {
				return r.Action + " " + r.Name
			}
		}
	}
	return ""
}

func inTenant(tenant, namespace string) labels.Set {
	set := labels.Set{"kubernetes.io/metadata.name": namespace}
	if tenant != "" {
		set["tenancy.bulkhead.dev/tenant"] = tenant
	}
	return set
}

// TestTierMeans checks by hand-made cases what the strict tier lets NetworkPolicies decide, and what it denies whatever they
// say.
func TestTierMeans(t *testing.T) {
	t.Parallel()
	pod := func(tenant, namespace string, more ...string) end {
		e := end{namespace: inTenant(tenant, namespace), pod: labels.Set{}, address: "10.244.1.7"}
		for i := 0; i < len(more); i += 2 {
			e.pod[more[i]] = more[i+1]
		}
		return e
	}
	at := func(address string) end { return end{address: address} }
	dns := pod("", "kube-system", "k8s-app", "kube-dns")
	tests := map[string]struct {
		tenant, namespace string
		in                bool
		other             end
		protocol          string
		port              int
		want              string
	}{
		"payments: its own":                    {tenant: payments, namespace: "payments-api", other: pod("payments", "payments-api"), port: 80, want: "Pass own-namespaces"},
		"payments: to the vault":               {tenant: payments, namespace: "payments-api", other: pod("payments", "payments-vault"), port: 8200, want: "Pass own-namespaces"},
		"payments: another's":                  {tenant: payments, namespace: "payments-api", other: pod("acme", "acme-prod"), port: 80, want: "Deny other-pods"},
		"payments: nobody's":                   {tenant: payments, namespace: "payments-api", other: pod("", "default"), port: 80, want: "Deny other-pods"},
		"payments: DNS":                        {tenant: payments, namespace: "payments-api", other: dns, protocol: "udp", port: 53, want: "Pass dns"},
		"payments: DNS on another port":        {tenant: payments, namespace: "payments-api", other: dns, port: 9153, want: "Deny other-pods"},
		"payments: beside DNS":                 {tenant: payments, namespace: "payments-api", other: pod("", "kube-system"), protocol: "udp", port: 53, want: "Deny other-pods"},
		"payments: the acquirer":               {tenant: payments, namespace: "payments-api", other: at("203.0.113.9"), port: 443, want: "Pass egress-acquirer"},
		"payments: the acquirer by IPv6":       {tenant: payments, namespace: "payments-vault", other: at("2001:db8:42::1"), port: 443, want: "Pass egress-acquirer"},
		"payments: the acquirer in clear":      {tenant: payments, namespace: "payments-api", other: at("203.0.113.9"), port: 80, want: "Deny everything-else"},
		"payments: metadata":                   {tenant: payments, namespace: "payments-api", other: at("169.254.169.254"), port: 80, want: "Deny everything-else"},
		"payments: the API server":             {tenant: payments, namespace: "payments-api", other: at("10.0.0.1"), port: 6443, want: "Deny everything-else"},
		"payments: metrics":                    {tenant: payments, namespace: "payments-api", in: true, other: pod("observability", "any"), port: 9090, want: "Pass allow-metrics"},
		"payments: metrics, another port":      {tenant: payments, namespace: "payments-api", in: true, other: pod("observability", "any"), port: 9091, want: "Deny other-pods"},
		"payments: metrics, another protocol":  {tenant: payments, namespace: "payments-api", in: true, other: pod("observability", "any"), protocol: "udp", port: 9090, want: "Deny other-pods"},
		"payments: the edge":                   {tenant: payments, namespace: "payments-vault", in: true, other: pod("", "payments-edge", "app.kubernetes.io/name", "ingress-nginx"), port: 8443, want: "Pass controller-edge"},
		"payments: beside the edge":            {tenant: payments, namespace: "payments-api", in: true, other: pod("", "payments-edge"), port: 8443, want: "Deny other-pods"},
		"payments: another's edge":             {tenant: payments, namespace: "payments-api", in: true, other: pod("", "ingress-nginx", "app.kubernetes.io/name", "ingress-nginx"), port: 8443, want: "Deny other-pods"},
		"payments: from a node":                {tenant: payments, namespace: "payments-api", in: true, other: at("192.0.2.1"), port: 8443},
		"vault: its own":                       {tenant: payments, namespace: "payments-vault", in: true, other: pod("payments", "payments-vault"), port: 1, want: "Pass own-namespace"},
		"vault: from the API":                  {tenant: payments, namespace: "payments-vault", in: true, other: pod("payments", "payments-api", "app", "api"), port: 8200, want: "Pass allow-from-api"},
		"vault: from beside the API":           {tenant: payments, namespace: "payments-vault", in: true, other: pod("payments", "payments-api", "app", "job"), port: 8200, want: "Deny other-pods"},
		"vault: to the API":                    {tenant: payments, namespace: "payments-vault", other: pod("payments", "payments-api"), port: 80, want: "Deny other-pods"},
		"acme: the API server":                 {tenant: wideOpen, namespace: "acme-a", other: at("10.0.0.1"), port: 6443, want: "Pass api-server"},
		"acme: beside the API server":          {tenant: wideOpen, namespace: "acme-a", other: at("10.0.0.1"), port: 22, want: "Deny special-ranges"},
		"acme: a range":                        {tenant: wideOpen, namespace: "acme-a", other: at("10.20.3.4"), port: 22, want: "Pass allow-out"},
		"acme: an exception":                   {tenant: wideOpen, namespace: "acme-a", other: at("10.20.1.4"), port: 22, want: "Deny special-ranges"},
		"acme: a private destination":          {tenant: wideOpen, namespace: "acme-a", other: at("10.1.2.3"), port: 443, want: "Pass egress-office"},
		"acme: a pod in that range":            {tenant: wideOpen, namespace: "acme-a", other: end{namespace: inTenant("", "x"), address: "10.1.2.3"}, port: 443, want: "Deny other-pods"},
		"acme: around a private range":         {tenant: wideOpen, namespace: "acme-a", other: at("172.15.0.1"), port: 22, want: "Pass internet"},
		"acme: a private range inside":         {tenant: wideOpen, namespace: "acme-a", other: at("172.16.0.1"), port: 443, want: "Deny special-ranges"},
		"acme: the internet":                   {tenant: wideOpen, namespace: "acme-shut", other: at("198.51.100.1"), port: 25, want: "Pass internet"},
		"acme: metadata":                       {tenant: wideOpen, namespace: "acme-a", other: at("169.254.169.254"), port: 80, want: "Deny special-ranges"},
		"acme: metadata by IPv6":               {tenant: wideOpen, namespace: "acme-a", other: at("fd00:ec2::254"), port: 80, want: "Deny special-ranges"},
		"acme: a tenant":                       {tenant: wideOpen, namespace: "acme-same", other: pod("shared", "x"), port: 1, want: "Pass allow-out"},
		"acme: DNS where it is shut":           {tenant: wideOpen, namespace: "acme-shut", other: dns, protocol: "udp", port: 53, want: "Deny other-pods"},
		"acme: any pod, a port":                {tenant: wideOpen, namespace: "acme-a", in: true, other: pod("", "x"), port: 80, want: "Pass allow-b-in"},
		"acme: any pod, UDP":                   {tenant: wideOpen, namespace: "acme-a", in: true, other: pod("", "x"), protocol: "udp", port: 65535, want: "Pass allow-b-in"},
		"acme: any pod, SCTP":                  {tenant: wideOpen, namespace: "acme-a", in: true, other: pod("", "x"), protocol: "sctp", port: 5005, want: "Pass allow-b-in"},
		"acme: any pod, another port":          {tenant: wideOpen, namespace: "acme-a", in: true, other: pod("", "x"), port: 82, want: "Deny other-pods"},
		"acme: without a wall":                 {tenant: wideOpen, namespace: "acme-open", in: true, other: pod("", "x"), port: 82},
		"acme: without a wall, out":            {tenant: wideOpen, namespace: "acme-open", other: at("169.254.169.254"), port: 80},
		"another tenant isn't its business":    {tenant: wideOpen, namespace: "", in: true, other: pod("acme", "acme-a"), port: 82},
		"a namespace that lost its own policy": {tenant: payments, namespace: "payments-new", in: true, other: pod("acme", "acme-a"), port: 82, want: "Deny other-pods"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := tenantFacts(t, tc.tenant, clusterPolicy)
			subject := inTenant(f.Tenant, tc.namespace)
			if tc.namespace == "" {
				subject = inTenant("other", "other-prod")
			}
			if got := judge(t, renderTier(t, f).Walls, connection{subject, tc.in, tc.other, cmp.Or(tc.protocol, "tcp"), tc.port}); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestTierLeavesTheAPIServer checks each address of the API server.
func TestTierLeavesTheAPIServer(t *testing.T) {
	t.Parallel()
	f := tenantFacts(t, wideOpen, clusterPolicy)
	objects := renderTier(t, f).Walls
	for _, a := range f.Cluster.APIServer {
		if !a.IsValid() {
			continue
		}
		got := judge(t, objects, connection{inTenant("acme", "acme-a"), false, end{address: a.Addr().Unmap().String()}, "tcp", int(a.Port())})
		if got != "Pass api-server" {
			t.Errorf("the API server at %s: %q", a, got)
		}
	}
}
