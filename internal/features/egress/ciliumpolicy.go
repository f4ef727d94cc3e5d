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
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

var kindCiliumPolicy = schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}

// What of a CiliumNetworkPolicy is rendered.
// https://github.com/cilium/cilium/blob/v1.20.2/pkg/policy/api/egress.go
type (
	ciliumPolicySpec struct {
		EndpointSelector metav1.LabelSelector `json:"endpointSelector"`
		Egress           []ciliumRule         `json:"egress"`
		EgressDeny       []ciliumDeny         `json:"egressDeny,omitempty"`
	}
	ciliumRule struct {
		ToEndpoints []metav1.LabelSelector `json:"toEndpoints,omitempty"`
		ToFQDNs     []ciliumName           `json:"toFQDNs,omitempty"`
		ToPorts     []ciliumPorts          `json:"toPorts,omitempty"`
	}
	ciliumDeny struct {
		ToCIDRSet []ciliumBlock `json:"toCIDRSet"`
	}
	ciliumBlock struct {
		CIDR   string   `json:"cidr"`
		Except []string `json:"except,omitempty"`
	}
	ciliumName struct {
		MatchName    string `json:"matchName,omitempty"`
		MatchPattern string `json:"matchPattern,omitempty"`
	}
	ciliumPorts struct {
		Ports []ciliumPort       `json:"ports"`
		Rules *ciliumLayer7Rules `json:"rules,omitempty"`
	}
	ciliumPort struct {
		Port     string          `json:"port"`
		EndPort  int32           `json:"endPort,omitempty"`
		Protocol corev1.Protocol `json:"protocol"`
	}
	ciliumLayer7Rules struct {
		DNS []ciliumName `json:"dns"`
	}
)

// maxCiliumPorts is how many ports one entry of toPorts may have.
const maxCiliumPorts = 40

// ciliumPolicy opens a destination by its names. That needs a rule that has the DNS answers go through Cilium's proxy,
// where it learns the addresses; the rule lets all names pass, as NetworkPolicy bulkhead-allow-dns does. A name may
// have any address, so that some are denied.
// https://docs.cilium.io/en/v1.20/security/policy/language/#dns-based
func (w *waysOut) ciliumPolicy(d destination, denied []ciliumBlock) feature.Object {
	var names []ciliumName
	for _, fqdn := range d.fqdns {
		if strings.HasPrefix(fqdn, wildcard) {
			names = append(names, ciliumName{MatchPattern: fqdn})
			continue
		}
		names = append(names, ciliumName{MatchName: fqdn})
	}
	spec := ciliumPolicySpec{Egress: []ciliumRule{{ToFQDNs: names, ToPorts: newCiliumPorts(d.ports, nil)}, w.throughProxy()}}
	if len(denied) > 0 {
		spec.EgressDeny = []ciliumDeny{{ToCIDRSet: denied}}
	}
	return feature.NewCustom(kindCiliumPolicy, w.Namespace, prefixEgress+d.name, spec)
}

// denied returns the closed ranges that the spec opens nowhere, unless there is no wall at all.
func (w *waysOut) denied() []ciliumBlock {
	if w.network().Boundary == v1alpha1.BoundaryCluster {
		return nil
	}
	var out []ciliumBlock
	for _, b := range unopened(w.openings(), w.closed) {
		out = append(out, ciliumBlock{b.cidr.String(), texts(b.except)})
	}
	return out
}

// throughProxy returns the rule that has Cilium see the DNS answers.
func (w *waysOut) throughProxy() ciliumRule {
	dns := w.Cluster.DNS
	labels := map[string]string{"k8s:io.kubernetes.pod.namespace": dns.Namespace}
	for key, value := range dns.PodLabels {
		labels["k8s:"+key] = value
	}
	var ports []v1alpha1.Port
	for _, port := range dns.Ports {
		ports = append(ports, v1alpha1.Port{Protocol: corev1.ProtocolTCP, Port: port},
			v1alpha1.Port{Protocol: corev1.ProtocolUDP, Port: port})
	}
	return ciliumRule{
		ToEndpoints: []metav1.LabelSelector{{MatchLabels: labels}},
		ToPorts:     newCiliumPorts(ports, &ciliumLayer7Rules{DNS: []ciliumName{{MatchPattern: "*"}}}),
	}
}

// newCiliumPorts returns the ports in canonical form. All ports of a protocol are port 0.
func newCiliumPorts(ports []v1alpha1.Port, rules *ciliumLayer7Rules) []ciliumPorts {
	var all []ciliumPort
	for _, p := range feature.CanonicalPorts(ports) {
		all = append(all, ciliumPort{Port: strconv.Itoa(int(p.Port)), EndPort: p.EndPort, Protocol: p.Protocol})
	}
	var out []ciliumPorts
	for some := range slices.Chunk(all, maxCiliumPorts) {
		out = append(out, ciliumPorts{Ports: some, Rules: rules})
	}
	return out
}

// observeCiliumPolicy tells what Cilium finds wrong with the policy, if it does: it says no more.
func observeCiliumPolicy(u *unstructured.Unstructured) feature.Observation {
	status, _ := feature.ReadStatus(u)
	for _, c := range status.Conditions {
		if c.Type == "Valid" && c.Status == metav1.ConditionFalse {
			return notProgrammed("CiliumNetworkPolicy %s/%s isn't in force, as Cilium says: %s",
				u.GetNamespace(), u.GetName(), cmp.Or(feature.OneLine(c.Message), "no reason given"))
		}
	}
	return feature.Observation{}
}

func notProgrammed(format string, args ...any) feature.Observation {
	return feature.Observation{Problem: &feature.Finding{Reason: v1alpha1.ReasonNotProgrammed, Message: fmt.Sprintf(format, args...)}}
}
