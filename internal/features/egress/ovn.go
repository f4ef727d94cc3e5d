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
	"fmt"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// ovnKubernetes renders an EgressIP.
type ovnKubernetes struct{}

// assignable is the label of the nodes that may have the addresses of EgressIPs.
const assignable = "k8s.ovn.org/egress-assignable"

// What of an EgressIP is rendered. Newer releases have spec.egressNodeSelector, too, and fill in what older ones do anyway:
// the nodes with the label above.
// https://ovn-kubernetes.io/features/cluster-egress-controls/egress-ip/
type egressIPSpec struct {
	EgressIPs         []string             `json:"egressIPs"`
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
}

func (ovnKubernetes) name() v1alpha1.EgressProvider { return v1alpha1.EgressOVNKubernetes }

func (ovnKubernetes) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressIP"}
}

func (ovnKubernetes) install() string {
	return "turn on OVN-Kubernetes' egress IPs, or set another provider"
}

func (ovnKubernetes) validate(g *gateway, at *field.Path) field.ErrorList {
	return noNodes(g, at, "label the nodes with "+assignable+", and leave it out")
}

func (p ovnKubernetes) render(g *gateway) []feature.Object {
	var addresses []string
	for _, a := range g.addresses {
		addresses = append(addresses, a.String())
	}
	return []feature.Object{feature.NewCustom(p.kind(), "", g.objectName(), egressIPSpec{
		EgressIPs: addresses, NamespaceSelector: g.selector(),
	})}
}

// observe reads the addresses of spec.egressIPs that are on nodes from status.items.
func (p ovnKubernetes) observe(live *unstructured.Unstructured) feature.Observation {
	nodes := map[netip.Addr]string{}
	items, _, err := unstructured.NestedFieldNoCopy(live.Object, "status", "items")
	if list, ok := items.([]any); ok && err == nil {
		for _, item := range list {
			if a, node := assignment(item); node != "" {
				nodes[a] = node
			}
		}
	}
	wanted, _, err := unstructured.NestedStringSlice(live.Object, "spec", "egressIPs")
	if err != nil {
		return feature.Observation{}
	}
	var there, not []string
	for _, text := range wanted {
		a, err := netip.ParseAddr(text)
		if node := nodes[a]; err == nil && node != "" {
			there = append(there, fmt.Sprintf("%s on node %s", a, node))
			continue
		}
		not = append(not, text)
	}
	slices.Sort(not)
	var out feature.Observation
	if len(not) > 0 {
		out = notProgrammed("%s: on no node (%s %s): each needs a node of its own that is labelled %s and has a network with the address",
			strings.Join(not, ", "), p.kind().Kind, live.GetName(), assignable)
	}
	if len(there) > 0 {
		out.Report = fmt.Sprintf("%s (%s %s)", strings.Join(there, ", "), p.kind().Kind, live.GetName())
	}
	return out
}

// assignment returns the address and the node of an item of the status. Without both, there is no node.
func assignment(item any) (netip.Addr, string) {
	fields, ok := item.(map[string]any)
	if !ok {
		return netip.Addr{}, ""
	}
	text, isText := fields["egressIP"].(string)
	node, isNode := fields["node"].(string)
	a, err := netip.ParseAddr(text)
	if !isText || !isNode || err != nil {
		return netip.Addr{}, ""
	}
	return a, feature.OneLine(node)
}
