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
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// A rule is an ingress or egress rule: the two differ in names only.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

// rulesOf returns the rules of one direction, and whether the policy speaks of that direction at all. Rules of a
// direction that isn't among the types have no effect. Types that are missing are those that the API server fills in.
func rulesOf(p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) ([]rule, bool) {
	types := p.Spec.PolicyTypes
	if len(types) == 0 {
		types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(p.Spec.Egress) > 0 {
			types = append(types, networkingv1.PolicyTypeEgress)
		}
	}
	if !slices.Contains(types, direction) {
		return nil, false
	}
	var out []rule
	if direction == networkingv1.PolicyTypeIngress {
		for i := range p.Spec.Ingress {
			out = append(out, rule{p.Spec.Ingress[i].From, p.Spec.Ingress[i].Ports})
		}
		return out, true
	}
	for i := range p.Spec.Egress {
		out = append(out, rule{p.Spec.Egress[i].To, p.Spec.Egress[i].Ports})
	}
	return out, true
}

// An opening is what one rule opens to peers of one kind: addresses, or pods that have the same labels.
type opening struct {
	// outside are addresses; nil for pods.
	outside addresses
	// own says that pods of the policy's own namespace are peers, selectors where others are. The empty selector is
	// all namespaces.
	own       bool
	selectors []labelBox
	pods      labelBox
	ports     []region

	// What follows is of rules of cluster policies. Who says who the peers are, where that isn't in their addresses or
	// labels. Behind says that pods that have one of the addresses are peers too; of the opening that these pods are,
	// among are the addresses.
	who    string
	behind bool
	among  addresses
}

// everybody is what a rule without peers and ports opens, and what is open where no policy is.
func everybody(ports []region) []opening {
	return []opening{
		{selectors: []labelBox{nil}, ports: ports},
		{outside: allAddresses(), ports: ports},
	}
}

// openings returns what the rule opens. Peers of the same kind are joined, so that a long list stays one opening.
func (r rule) openings() []opening {
	ports := parsePorts(r.ports)
	if len(ports) == 0 {
		return nil
	}
	if len(r.peers) == 0 {
		return everybody(ports)
	}
	var pods []opening
	byLabels := map[string]int{}
	var blocks addresses
	for i := range r.peers {
		peer := &r.peers[i]
		if peer.IPBlock != nil {
			blocks = append(blocks, blockAddresses(peer.IPBlock)...)
			continue
		}
		selects, ok := peerPods(peer)
		if !ok {
			continue
		}
		words := selects.words()
		at, known := byLabels[words]
		if !known {
			at = len(pods)
			byLabels[words] = at
			pods = append(pods, opening{pods: selects, ports: ports})
		}
		if peer.NamespaceSelector == nil {
			pods[at].own = true
		} else if selector, ok := parseSelector(peer.NamespaceSelector); ok {
			pods[at].selectors = append(pods[at].selectors, selector)
		}
	}
	if outside := newSpans(blocks...); len(outside) > 0 {
		pods = append(pods, opening{outside: outside, ports: ports})
	}
	return pods
}

// peerPods returns the labels of the peer's pods. It is false for a peer without any selector: the API server refuses
// it, and it selects nothing.
func peerPods(peer *networkingv1.NetworkPolicyPeer) (labelBox, bool) {
	if peer.PodSelector == nil {
		return nil, peer.NamespaceSelector != nil
	}
	return parseSelector(peer.PodSelector)
}

// isolates returns the pods that the policy selects; false if it selects none.
func isolates(p *networkingv1.NetworkPolicy) (labelBox, bool) {
	return parseSelector(&p.Spec.PodSelector)
}

// boxes returns the opening's boxes, for these pods of the namespace. Namespaces are ignored for addresses.
func (o *opening) boxes(target labelBox, namespaces coset[int32]) []box {
	if o.outside == nil && namespaces.empty() {
		return nil
	}
	out := make([]box, 0, len(o.ports))
	for _, p := range o.ports {
		b := box{target: target, outside: o.outside, ports: p}
		if o.outside == nil {
			b.namespaces, b.pods = namespaces, o.pods
		}
		out = append(out, b)
	}
	return out
}

// everywhere says whether the opening is to all namespaces.
func (o *opening) everywhere() bool {
	return slices.ContainsFunc(o.selectors, func(s labelBox) bool { return len(s) == 0 })
}
