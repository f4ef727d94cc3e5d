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
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

// A tierSource makes up cluster policies. With ranges they name addresses, which pods may have too; of a loose one also
// what can't be told at all, and in an order that is left open.
type tierSource struct {
	netstates.Source
	ranges, loose bool
}

func (s tierSource) podSelector() metav1.LabelSelector {
	return s.Policy("", "").Spec.PodSelector
}

func (s tierSource) namespaceSelector() metav1.LabelSelector {
	in := func(key string, op metav1.LabelSelectorOperator, values ...string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: op, Values: values}}}
	}
	return netstates.Pick(s.Source,
		metav1.LabelSelector{}, metav1.LabelSelector{},
		metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: netstates.Pick(s.Source, netstates.Namespaces()...)}},
		metav1.LabelSelector{MatchLabels: map[string]string{"env": netstates.Pick(s.Source, "dev", "prod", "")}},
		metav1.LabelSelector{MatchLabels: map[string]string{"tenancy.bulkhead.dev/tenant": netstates.Pick(s.Source, "shop", "bank")}},
		in("tenancy.bulkhead.dev/tenant", metav1.LabelSelectorOpNotIn, "shop"),
		in("team", metav1.LabelSelectorOpExists),
		in("team", metav1.LabelSelectorOpDoesNotExist),
		in("env", metav1.LabelSelectorOpIn, "dev", "prod"),
	)
}

func (s tierSource) pods() *oraclePods {
	return &oraclePods{NamespaceSelector: s.namespaceSelector(), PodSelector: s.podSelector()}
}

func (s tierSource) peer(egress bool) oraclePeer {
	switch kind := s.IntN(10); {
	case kind < 3 && egress && s.ranges:
		return oraclePeer{Networks: s.networks()}
	case kind == 3 && s.loose:
		return netstates.Pick(s.Source, oraclePeer{}, oraclePeer{Strange: []string{"x"}})
	case kind == 4 && egress && s.loose:
		return netstates.Pick(s.Source, oraclePeer{Nodes: &metav1.LabelSelector{}}, oraclePeer{DomainNames: []string{"*.example.com"}})
	case kind < 7:
		selector := s.namespaceSelector()
		return oraclePeer{Namespaces: &selector}
	default:
		return oraclePeer{Pods: s.pods()}
	}
}

func (s tierSource) networks() []string {
	return netstates.Pick(s.Source,
		[]string{"0.0.0.0/0"}, []string{"0.0.0.0/0", "::/0"}, []string{"10.0.0.0/8", "fd00::/8"}, []string{"10.1.0.0/16"},
		[]string{"10.1.2.3/32"}, []string{"::/0"}, []string{"2001:db8::/32"}, []string{"169.254.0.0/16"})
}

func (s tierSource) ports(old bool) []oraclePort {
	var out []oraclePort
	for range s.IntN(3) {
		from := netstates.Pick[int32](s.Source, 1, 53, 80, 85)
		to := netstates.Pick[int32](s.Source, 90, 443, 65535)
		name := netstates.Pick(s.Source, "http", "dns")
		protocol := string(s.Protocol())
		var p oraclePort
		switch kind := s.IntN(4); {
		case kind == 0 && old:
			p.NamedPort = name
		case kind == 0:
			p.NewName = name
		case kind == 1 && old:
			p.Range = &oracleOldRange{netstates.Pick(s.Source, "", protocol), from, to}
		case old:
			p.Number = &oracleNumber{protocol, from}
		default:
			d := &oracleDestination{}
			d.DestinationPort.Number = from
			if kind == 1 {
				d.DestinationPort.Number, d.DestinationPort.Range = 0, &oracleRange{from, to}
			}
			switch protocol {
			case "UDP":
				p.UDP = d
			case "SCTP":
				p.SCTP = d
			default:
				p.TCP = d
			}
		}
		out = append(out, p)
	}
	return out
}

func (s tierSource) rules(kind string, egress bool) []oracleRule {
	var out []oracleRule
	for range s.IntN(4) {
		r := oracleRule{Action: netstates.Pick(s.Source, "Accept", "Deny", "Pass")}
		old := kind != "ClusterNetworkPolicy"
		if old && r.Action == "Accept" || kind == "BaselineAdminNetworkPolicy" && r.Action == "Pass" {
			r.Action = "Allow"
		}
		var peers []oraclePeer
		for range 1 + s.IntN(2) {
			peers = append(peers, s.peer(egress))
		}
		if r.From = peers; egress {
			r.From, r.To = nil, peers
		}
		if r.Protocols = s.ports(old); old {
			r.Protocols, r.Ports = nil, r.Protocols
		}
		out = append(out, r)
	}
	return out
}

// policy returns a policy of some kind. Not all of them have a priority of their own.
func (s tierSource) policy(i int, kinds ...string) oraclePolicy {
	p := oraclePolicy{Kind: netstates.Pick(s.Source, kinds...), Metadata: map[string]string{"name": fmt.Sprint("policy-", i)}}
	p.APIVersion = "policy.networking.k8s.io/v1alpha1"
	priority := i
	if s.loose {
		priority = s.IntN(3)
	}
	p.Spec.Priority = &priority
	switch p.Kind {
	case "ClusterNetworkPolicy":
		p.APIVersion = "policy.networking.k8s.io/v1alpha2"
		p.Spec.Tier = netstates.Pick(s.Source, "Admin", "Admin", "Baseline")
	case "BaselineAdminNetworkPolicy":
		p.Metadata["name"], p.Spec.Priority = "default", nil
	}
	if s.One(2) {
		selector := s.namespaceSelector()
		p.Spec.Subject.Namespaces = &selector
	} else {
		p.Spec.Subject.Pods = s.pods()
	}
	p.Spec.Ingress, p.Spec.Egress = s.rules(p.Kind, false), s.rules(p.Kind, true)
	return p
}

func (p *oraclePolicy) object(tb testing.TB) *unstructured.Unstructured {
	tb.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(text); err != nil {
		tb.Fatal(err)
	}
	return u
}

// newTierCluster returns a netCluster with cluster policies, and the oracle about it.
func newTierCluster(tb testing.TB, s tierSource) (netCluster, *oracle) {
	tb.Helper()
	c := newNetCluster(s.Source)
	o := &oracle{World: c.live, knowsStrange: s.One(2), strange: []string{"bank-dev", judged}}
	for range 3 {
		o.nodes, o.resolved = append(o.nodes, s.node()), append(o.resolved, s.Address())
	}
	kinds := []string{netstates.Pick(s.Source, "ClusterNetworkPolicy", "AdminNetworkPolicy")}
	if s.loose {
		kinds = []string{"ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"}
	}
	for i := range 1 + s.IntN(4) {
		p := s.policy(i, kinds...)
		o.policies = slices.DeleteFunc(o.policies, func(have oraclePolicy) bool {
			return have.Kind == p.Kind && have.Metadata["name"] == p.Metadata["name"]
		})
		o.policies = append(o.policies, p)
	}
	for i := range o.policies {
		u := o.policies[i].object(tb)
		if doubts, err := ClusterPolicyDoubts(u); err != nil || (!s.loose && len(doubts) > 0) {
			tb.Fatalf("%v, %v", doubts, err)
		}
		if _, err := c.dir.PutClusterPolicy(u); err != nil {
			tb.Fatal(err)
		}
	}
	return c, o
}

// node returns an address that a node may have.
func (s tierSource) node() netip.Addr {
	for {
		if a := s.Address(); !metadata().has(a) {
			return a
		}
	}
}

// tierTraffic is netTraffic between pods that have addresses.
func tierTraffic(s tierSource, d networkingv1.PolicyType) Traffic {
	t := netTraffic(s.Source, d)
	for _, e := range []*Endpoint{&t.From, &t.To} {
		if s.ranges && e.Namespace != "" {
			e.IP = s.node()
		}
	}
	return t
}

// TestTiersAreExact: where the policies leave nothing open to interpretation, a packet is in what the analysis calls
// exposed if and only if the oracle lets it pass and the spec wouldn't. Where they do, every such packet is in it.
func TestTiersAreExact(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]tierSource{
		"pods": {}, "ranges": {ranges: true}, "loose": {ranges: true, loose: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exposed, blocked, granted := 0, 0, 0
			for seed := range uint64(200) {
				s := kind
				s.Source = netstates.New(seed)
				c, o := newTierCluster(t, s)
				a := analyse(c.dir, c.in)
				view := newView(c.dir, c.in.Tenant, judged)
				for _, d := range directions() {
					rest, open := a.everyRest(d), view.open(c.in.Live, d)
					for range 30 {
						packet := tierTraffic(s, d)
						passes := o.allows(packet, d)
						pods := packet.From.Namespace != "" && packet.To.Namespace != ""
						exact := !s.loose && (!s.ranges || !pods)
						in := func(b box) bool { return b.contains(c.dir, packet, d) }
						if got := slices.ContainsFunc(open, in); got != passes && (passes || exact) {
							t.Fatalf("seed %d, %s: reachable is %v, should be %v: %+v\n%+v", seed, d, got, passes, packet, o.policies)
						}
						want := passes && !AllowsDirection(c.spec, packet, d)
						if got := slices.ContainsFunc(rest, in); got != want && (want || exact) {
							t.Fatalf("seed %d, %s: exposed is %v, should be %v: %+v\n%+v", seed, d, got, want, packet, o.policies)
						}
						plain := packet
						plain.From.IP, plain.To.IP = labelled(packet.From), labelled(packet.To)
						byWalls := AllowsDirection(c.live, plain, d)
						count(&exposed, want)
						count(&blocked, byWalls && !passes)
						count(&granted, passes && !byWalls)
					}
				}
			}
			t.Logf("%d exposed packets, %d that only tiers block, %d that only tiers let pass", exposed, blocked, granted)
			if exposed < 800 || blocked < 200 || granted < 100 {
				t.Error("the states are too tame to prove anything")
			}
		})
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}
