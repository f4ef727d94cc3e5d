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

// Package netstates makes up small clusters at random: namespaces, NetworkPolicies and packets that often meet, odd but
// valid spellings among them. The same seed makes the same cluster.
package netstates

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A Source makes up things. It isn't safe for concurrent use.
type Source struct{ *rand.Rand }

// New returns the source of this seed.
func New(seed uint64) Source { return Source{rand.New(rand.NewPCG(seed, 0xb01d))} }

// A vocabulary is what labels may be.
type vocabulary map[string][]string

func namespaceWords() vocabulary {
	return vocabulary{
		"env":                         {"dev", "prod", ""},
		"team":                        {"a", "b"},
		"tenancy.bulkhead.dev/tenant": {"shop", "bank"},
	}
}

func podWords() vocabulary { return vocabulary{"app": {"web", "db", ""}, "tier": {"front", "back"}} }

// sortedKeys are listed: a map's order would make the same seed different clusters.
func (v vocabulary) sortedKeys() []string {
	if _, ok := v["app"]; ok {
		return []string{"app", "tier"}
	}
	return []string{"env", "team", "tenancy.bulkhead.dev/tenant"}
}

// Namespaces are the names of the namespaces that states are about.
func Namespaces() []string {
	return []string{"shop-dev", "shop-prod", "bank-dev", "kube-system", "tools"}
}

// Pick returns one of the items.
func Pick[T any](s Source, items ...T) T { return items[s.IntN(len(items))] }

// One says yes once in n times.
func (s Source) One(n int) bool { return s.IntN(n) == 0 }

func (s Source) labels(v vocabulary) map[string]string {
	out := map[string]string{}
	for _, key := range v.sortedKeys() {
		if !s.One(3) {
			out[key] = Pick(s, v[key]...)
		}
	}
	return out
}

// NamespaceLabels returns labels of a namespace.
func (s Source) NamespaceLabels() map[string]string { return s.labels(namespaceWords()) }

// PodLabels returns labels of a pod.
func (s Source) PodLabels() map[string]string { return s.labels(podWords()) }

func (s Source) selector(v vocabulary) *metav1.LabelSelector {
	out := &metav1.LabelSelector{}
	if s.One(4) {
		return out
	}
	for range 1 + s.IntN(2) {
		key := Pick(s, v.sortedKeys()...)
		switch s.IntN(6) {
		case 0, 1:
			if out.MatchLabels == nil {
				out.MatchLabels = map[string]string{}
			}
			out.MatchLabels[key] = Pick(s, v[key]...)
		case 2:
			s.expression(out, key, metav1.LabelSelectorOpIn, v[key]...)
		case 3:
			s.expression(out, key, metav1.LabelSelectorOpNotIn, v[key]...)
		case 4:
			s.expression(out, key, metav1.LabelSelectorOpExists)
		default:
			s.expression(out, key, metav1.LabelSelectorOpDoesNotExist)
		}
	}
	return out
}

func (s Source) expression(to *metav1.LabelSelector, key string, op metav1.LabelSelectorOperator, values ...string) {
	e := metav1.LabelSelectorRequirement{Key: key, Operator: op}
	if len(values) > 0 {
		for range 1 + s.IntN(2) {
			e.Values = append(e.Values, Pick(s, values...))
		}
	}
	to.MatchExpressions = append(to.MatchExpressions, e)
}

func (s Source) namespaceSelector() *metav1.LabelSelector {
	if s.One(4) {
		return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: Pick(s, Namespaces()...)}}
	}
	return s.selector(namespaceWords())
}

func (s Source) block() *networkingv1.IPBlock {
	block := Pick(s,
		networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.0.0.0/8", "169.254.0.0/16"}},
		networkingv1.IPBlock{CIDR: "0.0.0.0/0"},
		networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}},
		networkingv1.IPBlock{CIDR: "10.1.0.0/16", Except: []string{"10.1.2.0/24", "10.1.2.3/32"}},
		networkingv1.IPBlock{CIDR: "10.1.2.3/32"},
		networkingv1.IPBlock{CIDR: "::/0", Except: []string{"fd00::/8"}},
		networkingv1.IPBlock{CIDR: "::/0"},
		networkingv1.IPBlock{CIDR: "2001:db8::/32", Except: []string{"2001:db8:1::/48"}},
		networkingv1.IPBlock{CIDR: "fd00::1/128"},
	)
	return &block
}

// Address returns an address that may be in one of the ranges.
func (s Source) Address() netip.Addr {
	return netip.MustParseAddr(Pick(s, "10.0.0.1", "10.1.0.1", "10.1.2.3", "10.1.2.4", "192.168.1.1", "203.0.113.7",
		"169.254.169.254", "2001:db8::1", "2001:db8:1::1", "fd00::1", "fd00:ec2::254"))
}

func (s Source) peers() []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for range s.IntN(4) {
		peer := networkingv1.NetworkPolicyPeer{}
		switch s.IntN(4) {
		case 0:
			peer.IPBlock = s.block()
		case 1:
			peer.PodSelector = s.selector(podWords())
		case 2:
			peer.NamespaceSelector = s.namespaceSelector()
		default:
			peer.NamespaceSelector, peer.PodSelector = s.namespaceSelector(), s.selector(podWords())
		}
		out = append(out, peer)
	}
	return out
}

// Protocol returns a protocol.
func (s Source) Protocol() corev1.Protocol {
	return Pick(s, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
}

// Port returns a port's number and, sometimes, its name.
func (s Source) Port() (int32, string) {
	return Pick[int32](s, 1, 53, 79, 80, 81, 85, 90, 91, 443, 65535), Pick(s, "", "", "http", "dns")
}

func (s Source) ports() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for range s.IntN(4) {
		p := networkingv1.NetworkPolicyPort{}
		if !s.One(4) {
			p.Protocol = new(s.Protocol())
		}
		switch s.IntN(6) {
		case 0:
		case 1, 2:
			p.Port = new(intstr.FromString(Pick(s, "http", "dns")))
		case 3:
			from := Pick[int32](s, 1, 53, 80, 85)
			p.Port = new(intstr.FromInt32(from))
			p.EndPort = new(Pick(s, from, 90, 65535))
		default:
			p.Port = new(intstr.FromInt32(Pick[int32](s, 1, 53, 80, 443, 65535)))
		}
		out = append(out, p)
	}
	return out
}

// Policy returns a policy as the API server stores it, or, where it would fill in the types, as a client writes it.
func (s Source) Policy(namespace, name string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if !s.One(3) {
		p.Spec.PodSelector = *s.selector(podWords())
	}
	p.Spec.PolicyTypes = Pick(s,
		nil,
		[]networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		[]networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		[]networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress},
	)
	for range s.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: s.peers(), Ports: s.ports()})
	}
	for range s.IntN(3) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: s.peers(), Ports: s.ports()})
	}
	return p
}

// Policies returns up to so many policies of the namespace.
func (s Source) Policies(namespace string, most int) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for i := range s.IntN(most + 1) {
		out = append(out, s.Policy(namespace, fmt.Sprintf("policy-%d", i)))
	}
	return out
}
