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
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A World is the NetworkPolicies of a cluster and the labels of its namespaces.
type World struct {
	// Namespaces are the labels of namespaces, by name. A namespace that isn't there has none but its name.
	Namespaces map[string]map[string]string
	// Policies are the policies by namespace.
	Policies map[string][]*networkingv1.NetworkPolicy
}

// An Endpoint is a pod, or an address outside of the cluster.
type Endpoint struct {
	// Namespace is the pod's namespace; empty for what isn't a pod.
	Namespace string
	// Labels are the pod's labels.
	Labels map[string]string
	// IP is the address. A pod may do without: ranges then never match it. Where it has one, they do, as with the
	// network plugins that don't tell pods from other addresses.
	IP netip.Addr
}

// Traffic is a connection, or a packet that starts one.
type Traffic struct {
	From, To Endpoint
	// Protocol is TCP, UDP or SCTP.
	Protocol corev1.Protocol
	// Port is the destination's port, after all translation, 1 to 65535.
	Port int32
	// PortName is the name that the destination gives to that port and protocol; empty if none.
	PortName string
}

// Allows says whether the policies let the traffic pass: what leaves the source, and what enters the destination. What
// isn't a pod is never held up. It looks at one packet, as a network plugin would, and knows nothing of boxes.
func Allows(w World, t Traffic) bool {
	return AllowsDirection(w, t, networkingv1.PolicyTypeEgress) && AllowsDirection(w, t, networkingv1.PolicyTypeIngress)
}

// AllowsDirection is Allows for the source's egress, or the destination's ingress, alone.
func AllowsDirection(w World, t Traffic, direction networkingv1.PolicyType) bool {
	target, peer := &t.To, &t.From
	if direction == networkingv1.PolicyTypeEgress {
		target, peer = peer, target
	}
	if target.Namespace == "" {
		return true
	}
	isolated := false
	for _, p := range w.Policies[target.Namespace] {
		rules, speaks := rulesOf(p, direction)
		if !speaks || !selects(&p.Spec.PodSelector, target.Labels) {
			continue
		}
		isolated = true
		for _, r := range rules {
			if r.allowsPort(&t) && r.allowsPeer(w, target.Namespace, peer) {
				return true
			}
		}
	}
	return !isolated
}

func (r rule) allowsPort(t *Traffic) bool {
	if len(r.ports) == 0 {
		return true
	}
	for _, p := range r.ports {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		switch {
		case protocol != t.Protocol:
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.String:
			if p.Port.StrVal != "" && p.Port.StrVal == t.PortName {
				return true
			}
		case p.EndPort != nil:
			if *p.EndPort <= 65535 && p.Port.IntVal >= 1 && p.Port.IntVal <= t.Port && t.Port <= *p.EndPort {
				return true
			}
		case p.Port.IntVal == t.Port:
			return true
		}
	}
	return false
}

func (r rule) allowsPeer(w World, namespace string, e *Endpoint) bool {
	if len(r.peers) == 0 {
		return true
	}
	for i := range r.peers {
		peer := &r.peers[i]
		switch {
		case peer.IPBlock != nil:
			if inBlock(peer.IPBlock, e.IP) {
				return true
			}
		case e.Namespace == "" || (peer.NamespaceSelector == nil && peer.PodSelector == nil):
		case peer.NamespaceSelector == nil && e.Namespace != namespace:
		case peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, w.labels(e.Namespace)):
		case peer.PodSelector == nil || selects(peer.PodSelector, e.Labels):
			return true
		}
	}
	return false
}

// labels returns the labels of the namespace, with its name among them.
func (w World) labels(namespace string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, w.Namespaces[namespace])
	out[corev1.LabelMetadataName] = namespace
	return out
}

func selects(s *metav1.LabelSelector, set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set))
}

func inBlock(b *networkingv1.IPBlock, ip netip.Addr) bool {
	ip = ip.Unmap()
	block, ok := parsePrefix(b.CIDR)
	if !ok || !block.Contains(ip) {
		return false
	}
	for _, e := range b.Except {
		if except, ok := parsePrefix(e); ok && except.Contains(ip) {
			return false
		}
	}
	return true
}
