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
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// A tierRule is a rule of the strict tier: what it matches is left to the NetworkPolicies, or denied. Its peers are pods or
// ranges, never both. No ports are all ports.
type tierRule struct {
	name  string
	deny  bool
	pods  []podPeer
	cidrs []netip.Prefix
	ports []v1alpha1.Port
}

// podPeer is all pods of namespaces or, if pods isn't nil, some of them.
type podPeer struct {
	namespaces, pods *metav1.LabelSelector
}

// directions are the rules of both directions, in the order in which they are judged.
type directions struct {
	ingress, egress []tierRule
}

// everyPod is all pods of the cluster.
func everyPod() []podPeer { return []podPeer{{namespaces: &metav1.LabelSelector{}}} }

// tierRules are the rules for a namespace, or (empty) for those that have none of their own.
//
// Ranges can't be peers of ingress: who isn't a pod is judged by the NetworkPolicies alone. In egress, a range matches pods
// with such an address too: that is why all other pods are denied before ranges are looked at.
func tierRules(kind tierKind, f feature.TenantFacts, policy v1alpha1.PolicyBlocks, namespace string) directions {
	var spec v1alpha1.Network
	if policy.Network != nil {
		spec = *policy.Network
	}
	own := tierRule{name: "own-namespaces", pods: named(v1alpha1.LabelTenant, f.Tenant, nil)}
	if boundaryOf(policy) == v1alpha1.BoundaryNamespace {
		own = tierRule{name: "own-namespace", pods: named(corev1.LabelMetadataName, namespace, nil)}
	}
	in, out := []tierRule{own}, []tierRule{own}
	out = append(out, dnsRule(f.Cluster, spec)...)
	if spec.APIServer == v1alpha1.Allow {
		out = append(out, apiServerRules(f.Cluster)...)
	}
	var ranges []tierRule
	for _, o := range slices.SortedFunc(slices.Values(spec.Allow), func(a, b v1alpha1.Opening) int { return cmp.Compare(a.Name, b.Name) }) {
		pods, cidrs := openingRules(o)
		if o.Direction == v1alpha1.Ingress {
			in = append(in, pods...)
			continue
		}
		out, ranges = append(out, pods...), append(ranges, cidrs...)
	}
	in = append(in, controllerRules(policy.Ingress)...)
	others := tierRule{name: "other-pods", deny: true, pods: everyPod()}
	named, wide := egressRules(policy.Egress)
	all := directions{ingress: append(in, others), egress: slices.Concat(out, []tierRule{others}, ranges, named)}
	if len(wide) > 0 {
		all.egress = slices.Concat(all.egress, []tierRule{{name: "special-ranges", deny: true, cidrs: special()}}, wide)
	}
	all.egress = append(all.egress, tierRule{name: "everything-else", deny: true, cidrs: everything()})
	if !kind.networks {
		all.egress = slices.DeleteFunc(all.egress, func(r tierRule) bool { return len(r.cidrs) > 0 })
	}
	return all
}

// named is the pods of the namespaces that have a label. An empty selector of pods is all of them.
func named(key, value string, pods *metav1.LabelSelector) []podPeer {
	if pods != nil && len(pods.MatchLabels)+len(pods.MatchExpressions) == 0 {
		pods = nil
	}
	peer := podPeer{namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}
	if pods != nil {
		peer.pods = feature.CanonicalSelector(pods)
	}
	return []podPeer{peer}
}

// dnsRule is about the cluster's DNS, as far as allowDNS opens it.
func dnsRule(cluster feature.ClusterFacts, spec v1alpha1.Network) []tierRule {
	dns := cluster.DNS
	if spec.DNS == v1alpha1.DNSNone || dns.Namespace == "" || len(dns.PodLabels) == 0 || len(dns.Ports) == 0 {
		return nil
	}
	return []tierRule{{
		name:  "dns",
		pods:  named(corev1.LabelMetadataName, dns.Namespace, &metav1.LabelSelector{MatchLabels: dns.PodLabels}),
		ports: feature.CanonicalPorts(dnsPorts(dns)),
	}}
}

// apiServerRules are about the API server's addresses, one for each port. They come before other pods are denied: an API
// server may run in one.
func apiServerRules(cluster feature.ClusterFacts) []tierRule {
	byPort := apiServerRanges(cluster)
	var rules []tierRule
	for _, port := range sortedKeys(byPort) {
		rules = append(rules, tierRule{
			name: "api-server", cidrs: uniquePrefixes(byPort[port]),
			ports: []v1alpha1.Port{{Protocol: corev1.ProtocolTCP, Port: int32(port)}},
		})
	}
	return rules
}

// openingRules are about an opening that is known to be valid: to pods, and to ranges.
func openingRules(o v1alpha1.Opening) (pods, ranges []tierRule) {
	p := tierRule{name: "allow-" + o.Name, ports: feature.CanonicalPorts(o.Ports)}
	r := p
	for _, peer := range o.Peers {
		switch {
		case peer.CIDR != "":
			r.cidrs = append(r.cidrs, without(peer)...)
		case peer.Tenant != "":
			p.pods = append(p.pods, named(v1alpha1.LabelTenant, peer.Tenant, nil)...)
		default:
			some := podPeer{namespaces: feature.CanonicalSelector(peer.Namespaces)}
			if peer.Pods != nil {
				some.pods = feature.CanonicalSelector(peer.Pods)
			}
			p.pods = append(p.pods, some)
		}
	}
	if len(p.pods) > 0 {
		slices.SortFunc(p.pods, podPeer.compare)
		p.pods = slices.CompactFunc(p.pods, func(a, b podPeer) bool { return a.compare(b) == 0 })
		pods = []tierRule{p}
	}
	if r.cidrs = feature.OutermostPrefixes(r.cidrs); len(r.cidrs) > 0 {
		ranges = []tierRule{r}
	}
	return pods, ranges
}

func (p podPeer) compare(other podPeer) int {
	return cmp.Compare(p.key(), other.key())
}

// key is equal exactly for equal peers.
func (p podPeer) key() string {
	_, key := renderSelector(p.namespaces)
	if p.pods != nil {
		_, pods := renderSelector(p.pods)
		key += " pods " + pods
	}
	return key
}

// controllerRules are about the tenant's ingress controllers. What is wrong with one the room ingress says, and doesn't
// open it either.
func controllerRules(ingress *v1alpha1.IngressPolicy) []tierRule {
	if ingress == nil {
		return nil
	}
	var rules []tierRule
	for _, c := range slices.SortedFunc(slices.Values(ingress.Controllers), func(a, b v1alpha1.IngressController) int {
		return cmp.Compare(a.Name, b.Name)
	}) {
		wrong := validation.ValidateLabelSelector(c.Pods, validation.LabelSelectorValidationOptions{}, nil)
		if c.Namespace == "" || len(wrong)+len(feature.ValidatePorts(c.Ports, nil)) > 0 {
			continue
		}
		rules = append(rules, tierRule{
			name: "controller-" + c.Name, pods: named(corev1.LabelMetadataName, string(c.Namespace), c.Pods),
			ports: feature.CanonicalPorts(c.Ports),
		})
	}
	return rules
}

// egressRules are about what spec.egress opens: ranges that name what they open, and wide ones, of which special ranges
// aren't part. What is wrong with one the room egress says, and doesn't open it either. Where names lead nobody knows
// beforehand: any public address.
func egressRules(egress *v1alpha1.EgressPolicy) (narrow, wide []tierRule) {
	if egress == nil {
		return nil, nil
	}
	for _, d := range slices.SortedFunc(slices.Values(egress.Destinations), func(a, b v1alpha1.EgressDestination) int {
		return cmp.Compare(a.Name, b.Name)
	}) {
		if len(feature.ValidatePorts(d.Ports, nil)) > 0 {
			continue
		}
		n := tierRule{name: "egress-" + d.Name, ports: feature.CanonicalPorts(d.Ports)}
		w := n
		for _, cidr := range d.CIDRs {
			prefix, err := feature.ParseCIDR(cidr, nil)
			switch {
			case err != nil:
			case containsSpecial(prefix):
				w.cidrs = append(w.cidrs, prefix)
			default:
				n.cidrs = append(n.cidrs, prefix)
			}
		}
		if len(d.FQDNs) > 0 {
			w.cidrs = everything()
		}
		if n.cidrs = feature.OutermostPrefixes(n.cidrs); len(n.cidrs) > 0 {
			narrow = append(narrow, n)
		}
		if w.cidrs = feature.OutermostPrefixes(w.cidrs); len(w.cidrs) > 0 {
			wide = append(wide, w)
		}
	}
	if egress.Internet == v1alpha1.Allow {
		wide = append(wide, tierRule{name: "internet", cidrs: everything()})
	}
	return narrow, wide
}
