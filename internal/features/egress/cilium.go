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

package egress

import (
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// cilium renders a CiliumEgressGatewayPolicy for each address.
type cilium struct{}

// suffixIPv6 ends the name of the policy of the IPv6 address. Namespaces have no dots in their names, so that it is no
// namespace's.
const suffixIPv6 = ".ip.v6"

// What of a CiliumEgressGatewayPolicy is rendered. The API server adds an empty egressGateways, which is the same as none.
// https://github.com/cilium/cilium/blob/v1.20.2/pkg/k8s/apis/cilium.io/v2/cegp_types.go
type (
	ciliumGatewaySpec struct {
		Selectors        []ciliumGatewaySelector `json:"selectors"`
		DestinationCIDRs []string                `json:"destinationCIDRs"`
		ExcludedCIDRs    []string                `json:"excludedCIDRs"`
		EgressGateway    ciliumGateway           `json:"egressGateway"`
	}
	ciliumGatewaySelector struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	}
	ciliumGateway struct {
		NodeSelector *metav1.LabelSelector `json:"nodeSelector"`
		EgressIP     string                `json:"egressIP"`
	}
)

func (cilium) name() v1alpha1.EgressProvider { return v1alpha1.EgressCilium }

func (cilium) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumEgressGatewayPolicy"}
}

func (cilium) install() string {
	return "install Cilium with its egress gateway, or set another provider"
}

func (cilium) validate(g *gateway, at *field.Path) field.ErrorList {
	errs := onePerFamily(g, at)
	if g.nodes == nil || len(g.nodes.MatchLabels) == 0 && len(g.nodes.MatchExpressions) == 0 {
		errs = append(errs, field.Required(at.Child("nodes"),
			"must select, by their labels, the nodes that have the addresses, here or in the TenantClass"))
	}
	return errs
}

func (c cilium) render(g *gateway) []feature.Object {
	var out []feature.Object
	for _, a := range g.addresses {
		name, all := g.objectName(), netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if a.Is6() {
			name, all = name+suffixIPv6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		out = append(out, feature.NewCustom(c.kind(), "", name, ciliumGatewaySpec{
			Selectors:        []ciliumGatewaySelector{{g.selector()}},
			DestinationCIDRs: []string{all.String()},
			ExcludedCIDRs:    texts(localRanges(all)),
			EgressGateway:    ciliumGateway{g.nodes, a.String()},
		}))
	}
	return out
}

// localRanges returns the ranges of a family that answer each node with what is its own: the metadata of the gateway's
// node is nobody's business.
func localRanges(family netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range prefixes(func(s special) bool { return s.local }) {
		if feature.InsidePrefix(p, family) {
			out = append(out, p)
		}
	}
	return feature.OutermostPrefixes(out)
}

// observe can't tell: the kind has no status.
func (c cilium) observe(live *unstructured.Unstructured) feature.Observation {
	return feature.Observation{Report: c.kind().Kind + " " + live.GetName() + ": Programmed: Unknown (Cilium doesn't report it)"}
}
