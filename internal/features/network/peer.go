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
	"fmt"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// A rendered peer has a key that is equal exactly for equal peers, and sorts them.
type renderedPeer struct {
	key  string
	peer *peerConfig
}

// renderPeers returns the peers sorted, each once. No peers are an error: a rule without peers would open the
// namespace to everybody.
func renderPeers(peers []v1alpha1.Peer, at *field.Path) ([]*peerConfig, field.ErrorList) {
	if len(peers) == 0 {
		return nil, field.ErrorList{field.Required(at, "must have at least one entry")}
	}
	var all []renderedPeer
	var errs field.ErrorList
	for i, p := range peers {
		r, invalid := renderPeer(p, at.Index(i))
		if len(invalid) > 0 {
			errs = append(errs, invalid...)
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b renderedPeer) int { return cmp.Compare(a.key, b.key) })
	var out []*peerConfig
	for _, r := range slices.CompactFunc(all, func(a, b renderedPeer) bool { return a.key == b.key }) {
		out = append(out, r.peer)
	}
	return out, errs
}

func renderPeer(p v1alpha1.Peer, at *field.Path) (renderedPeer, field.ErrorList) {
	kinds := 0
	for _, set := range []bool{p.Tenant != "", p.Namespaces != nil, p.CIDR != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return renderedPeer{}, field.ErrorList{field.Forbidden(at, "must say exactly one of tenant, namespaces, cidr")}
	case p.Pods != nil && p.Namespaces == nil:
		return renderedPeer{}, field.ErrorList{field.Forbidden(at.Child("pods"), "goes with namespaces only")}
	case len(p.Except) > 0 && p.CIDR == "":
		return renderedPeer{}, field.ErrorList{field.Forbidden(at.Child("except"), "goes with cidr only")}
	case p.CIDR != "":
		return renderBlock(p, at)
	case p.Tenant != "":
		return renderSelectors(&metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: p.Tenant}}, nil), nil
	default:
		opts := validation.LabelSelectorValidationOptions{}
		errs := validation.ValidateLabelSelector(p.Namespaces, opts, at.Child("namespaces"))
		errs = append(errs, validation.ValidateLabelSelector(p.Pods, opts, at.Child("pods"))...)
		return renderSelectors(p.Namespaces, p.Pods), errs
	}
}

// renderSelectors returns the peer of all pods (nil) or some pods of the namespaces.
func renderSelectors(namespaces, pods *metav1.LabelSelector) renderedPeer {
	peer := networkingv1ac.NetworkPolicyPeer()
	selector, key := renderSelector(namespaces)
	peer.WithNamespaceSelector(selector)
	key = "namespaces " + key
	if pods != nil {
		selector, podKey := renderSelector(pods)
		peer.WithPodSelector(selector)
		key += " pods " + podKey
	}
	return renderedPeer{key: key, peer: peer}
}

// renderSelector returns the selector in canonical form, and a key that is equal exactly for equal selectors.
func renderSelector(s *metav1.LabelSelector) (*metav1ac.LabelSelectorApplyConfiguration, string) {
	canonical := feature.CanonicalSelector(s)
	// fmt prints maps sorted by key.
	return feature.SelectorConfig(s), fmt.Sprintf("%q %q", canonical.MatchLabels, canonical.MatchExpressions)
}

// renderBlock returns the peer of a range of addresses, in canonical form.
func renderBlock(p v1alpha1.Peer, at *field.Path) (renderedPeer, field.ErrorList) {
	var errs field.ErrorList
	cidr, err := feature.ParseCIDR(p.CIDR, at.Child("cidr"))
	if err != nil {
		return renderedPeer{}, field.ErrorList{err}
	}
	var except []netip.Prefix
	for i, e := range p.Except {
		here := at.Child("except").Index(i)
		inner, err := feature.ParseCIDR(e, here)
		switch {
		case err != nil:
			errs = append(errs, err)
		// Also false when one is IPv4 and the other IPv6.
		case !cidr.Contains(inner.Addr()) || inner.Bits() <= cidr.Bits():
			errs = append(errs, field.Invalid(here, e, fmt.Sprintf("must be a range inside cidr %s, and smaller than it", cidr)))
		default:
			except = append(except, inner)
		}
	}
	except = uniquePrefixes(except)
	block := networkingv1ac.IPBlock().WithCIDR(cidr.String())
	for _, e := range except {
		block.WithExcept(e.String())
	}
	return renderedPeer{key: fmt.Sprintf("cidr %s %s", cidr, except), peer: networkingv1ac.NetworkPolicyPeer().WithIPBlock(block)}, errs
}
