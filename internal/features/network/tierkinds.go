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

package network

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// tierPriority is the priority of a tenant's first policy; lower ones win. The platform's own policies may be before and
// behind it. OVN-Kubernetes takes 0 to 99 only. All tenants have the same, because none of their subjects overlap.
const tierPriority = 50

// A tierKind is an API of the Admin tier.
type tierKind struct {
	gvk schema.GroupVersionKind
	// limit is how many rules a direction has at most, and how many peers, networks and ports a rule.
	limit int
	// networks says whether ranges can be peers of egress, wherever the API is served.
	networks bool
	// tier is the field tier, where there is one.
	tier string
	// ports renders ports.
	ports func([]v1alpha1.Port) (protocols []tierProtocol, ports []tierPort)
}

var (
	// clusterNetworkPolicy is the API since v0.2.0.
	clusterNetworkPolicy = tierKind{
		gvk:   schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"},
		limit: 25, networks: true, tier: "Admin",
		ports: func(ports []v1alpha1.Port) ([]tierProtocol, []tierPort) { return protocols(ports), nil },
	}
	// adminNetworkPolicy is the API before. Its standard channel has no ranges, and which channel is installed discovery
	// doesn't tell. It takes 100 of most things, but 25 networks; 25 of each are enough.
	adminNetworkPolicy = tierKind{
		gvk:   schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "AdminNetworkPolicy"},
		limit: 100,
		ports: func(ports []v1alpha1.Port) ([]tierProtocol, []tierPort) { return nil, portNumbers(ports) },
	}
)

// tierInForce is the newest API of the Admin tier that the cluster serves.
func tierInForce(cluster feature.ClusterFacts) (tierKind, bool) {
	for _, kind := range []tierKind{clusterNetworkPolicy, adminNetworkPolicy} {
		if cluster.Serves(kind.gvk) {
			return kind, true
		}
	}
	return tierKind{}, false
}

// What the API server stores. The APIs have no defaults but the protocol of a port of an AdminNetworkPolicy.
type (
	tierSpec struct {
		Tier     string            `json:"tier,omitempty"`
		Priority int32             `json:"priority"`
		Subject  tierPeer          `json:"subject"`
		Ingress  []tierIngressRule `json:"ingress,omitempty"`
		Egress   []tierEgressRule  `json:"egress,omitempty"`
	}
	tierIngressRule struct {
		Name      string         `json:"name"`
		Action    string         `json:"action"`
		From      []tierPeer     `json:"from"`
		Protocols []tierProtocol `json:"protocols,omitempty"`
		Ports     []tierPort     `json:"ports,omitempty"`
	}
	tierEgressRule struct {
		Name      string         `json:"name"`
		Action    string         `json:"action"`
		To        []tierPeer     `json:"to"`
		Protocols []tierProtocol `json:"protocols,omitempty"`
		Ports     []tierPort     `json:"ports,omitempty"`
	}
	tierPeer struct {
		Namespaces *metav1.LabelSelector `json:"namespaces,omitempty"`
		Pods       *tierPods             `json:"pods,omitempty"`
		Networks   []string              `json:"networks,omitempty"`
	}
	tierPods struct {
		NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
		PodSelector       *metav1.LabelSelector `json:"podSelector"`
	}
	tierProtocol struct {
		TCP  *tierDestination `json:"tcp,omitempty"`
		UDP  *tierDestination `json:"udp,omitempty"`
		SCTP *tierDestination `json:"sctp,omitempty"`
	}
	tierDestination struct {
		DestinationPort tierPortMatch `json:"destinationPort"`
	}
	tierPortMatch struct {
		Number int32          `json:"number,omitempty"`
		Range  *tierPortRange `json:"range,omitempty"`
	}
	tierPort struct {
		PortNumber *tierPortNumber `json:"portNumber,omitempty"`
		PortRange  *tierPortRange  `json:"portRange,omitempty"`
	}
	tierPortNumber struct {
		Protocol corev1.Protocol `json:"protocol"`
		Port     int32           `json:"port"`
	}
	tierPortRange struct {
		Protocol corev1.Protocol `json:"protocol,omitempty"`
		Start    int32           `json:"start"`
		End      int32           `json:"end"`
	}
)

// render returns the rules as policies: nearly always one. Rules that don't fit are in more of them, each with the next
// priority, so that all are judged in the same order as if they were in one.
func (k tierKind) render(tenant, namespace string, subject *metav1.LabelSelector, rules directions) []feature.Object {
	var ingress []tierIngressRule
	for _, r := range k.split(rules.ingress) {
		protocols, ports := k.ports(r.ports)
		ingress = append(ingress, tierIngressRule{Name: r.name, Action: r.action(), From: k.peers(r), Protocols: protocols, Ports: ports})
	}
	var egress []tierEgressRule
	for _, r := range k.split(rules.egress) {
		protocols, ports := k.ports(r.ports)
		egress = append(egress, tierEgressRule{Name: r.name, Action: r.action(), To: k.peers(r), Protocols: protocols, Ports: ports})
	}
	var out []feature.Object
	for i := 0; len(ingress)+len(egress) > 0; i++ {
		spec := tierSpec{Tier: k.tier, Priority: int32(tierPriority + i), Subject: tierPeer{Namespaces: subject}}
		spec.Ingress, ingress = cut(ingress, k.limit)
		spec.Egress, egress = cut(egress, k.limit)
		name := feature.ClusterName(tenant, namespace)
		if i > 0 {
			// Two more parts: the name of no namespace gives the same.
			name = fmt.Sprintf("%s.rules.%d", name, i+1)
		}
		out = append(out, feature.NewCustom(k.gvk, "", name, spec))
	}
	return out
}

// cut returns at most so many entries, and the rest.
func cut[T any](list []T, limit int) (first, rest []T) {
	n := min(len(list), limit)
	return list[:n:n], list[n:]
}

// split returns the rules with no more ports and pods than one may have: a rule may become several that are the same but for
// that. Ranges are put together as peers.
func (k tierKind) split(rules []tierRule) []tierRule {
	var out []tierRule
	for _, r := range rules {
		for _, ports := range chunks(r.ports, k.limit) {
			for _, pods := range chunks(r.pods, k.limit) {
				for _, cidrs := range chunks(r.cidrs, k.limit*maxNetworks) {
					part := r
					part.ports, part.pods, part.cidrs = ports, pods, cidrs
					out = append(out, part)
				}
			}
		}
	}
	return out
}

// chunks is slices.Chunk, but nothing is one empty chunk.
func chunks[T any](list []T, size int) [][]T {
	if len(list) == 0 {
		return [][]T{nil}
	}
	return slices.Collect(slices.Chunk(list, size))
}

// maxNetworks is how many ranges one peer has at most.
const maxNetworks = 25

func (k tierKind) peers(r tierRule) []tierPeer {
	var peers []tierPeer
	for _, p := range r.pods {
		if p.pods == nil {
			peers = append(peers, tierPeer{Namespaces: p.namespaces})
			continue
		}
		peers = append(peers, tierPeer{Pods: &tierPods{NamespaceSelector: p.namespaces, PodSelector: p.pods}})
	}
	for cidrs := range slices.Chunk(r.cidrs, maxNetworks) {
		var networks []string
		for _, cidr := range cidrs {
			networks = append(networks, cidr.String())
		}
		peers = append(peers, tierPeer{Networks: networks})
	}
	return peers
}

func (r tierRule) action() string {
	if r.deny {
		return "Deny"
	}
	return "Pass"
}

// portRange is a port as a range: all ports of the protocol, if it says none.
func portRange(p v1alpha1.Port) (first, last int32) {
	if p.Port == 0 {
		return 1, 65535
	}
	return p.Port, max(p.Port, p.EndPort)
}

func protocols(ports []v1alpha1.Port) []tierProtocol {
	var out []tierProtocol
	for _, p := range ports {
		var match tierPortMatch
		if first, last := portRange(p); first == last {
			match.Number = first
		} else {
			match.Range = &tierPortRange{Start: first, End: last}
		}
		destination := &tierDestination{DestinationPort: match}
		switch p.Protocol {
		case corev1.ProtocolUDP:
			out = append(out, tierProtocol{UDP: destination})
		case corev1.ProtocolSCTP:
			out = append(out, tierProtocol{SCTP: destination})
		default:
			out = append(out, tierProtocol{TCP: destination})
		}
	}
	return out
}

func portNumbers(ports []v1alpha1.Port) []tierPort {
	var out []tierPort
	for _, p := range ports {
		if first, last := portRange(p); first == last {
			out = append(out, tierPort{PortNumber: &tierPortNumber{Protocol: p.Protocol, Port: first}})
		} else {
			out = append(out, tierPort{PortRange: &tierPortRange{Protocol: p.Protocol, Start: first, End: last}})
		}
	}
	return out
}
