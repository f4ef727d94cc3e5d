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
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

var kindFirewall = schema.GroupVersionKind{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressFirewall"}

const (
	// firewallName is the only name that an EgressFirewall may have.
	firewallName = "default"
	// maxFirewallRules is how many rules OVN-Kubernetes takes. With more it drops all traffic to the outside.
	// https://docs.redhat.com/en/documentation/openshift_container_platform/4.20/html/network_security/egress-firewall
	maxFirewallRules = 8000
	// maxFirewallPorts is to how many single ports the ports of a destination are spelled out.
	maxFirewallPorts = 128

	allow = "Allow"
	deny  = "Deny"
)

// What of an EgressFirewall is rendered. The first rule that matches decides.
// https://ovn-kubernetes.io/features/network-security-controls/egress-firewall/
type (
	firewallSpec struct {
		Egress []firewallRule `json:"egress"`
	}
	firewallRule struct {
		Type  string         `json:"type"`
		To    firewallPeer   `json:"to"`
		Ports []firewallPort `json:"ports,omitempty"`
	}
	firewallPeer struct {
		CIDRSelector string `json:"cidrSelector,omitempty"`
		DNSName      string `json:"dnsName,omitempty"`
	}
	firewallPort struct {
		Protocol corev1.Protocol `json:"protocol"`
		Port     int32           `json:"port"`
	}
)

// firewall returns the EgressFirewall that lets names pass, and all ranges that the namespace's policies open, and
// nothing else out of the cluster. It is rendered where names need it, and with provider OVNKubernetes for destinations of
// any kind; nil if it isn't.
func (w *waysOut) firewall(result *feature.Result, names opener) feature.Object {
	wished := w.provider == v1alpha1.EgressOVNKubernetes && w.Cluster.Serves(kindFirewall) && len(w.destinations) > 0
	if names != byFirewall && !wished || w.network().Boundary == v1alpha1.BoundaryCluster {
		return nil
	}
	rules := append(w.nameRules(), rangeRules(w.openings())...)
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		rules = append(rules, firewallRule{Type: deny, To: firewallPeer{CIDRSelector: all}})
	}
	if len(rules) > maxFirewallRules {
		result.Findings = append(result.Findings, feature.Finding{Reason: v1alpha1.ReasonInvalidPolicy, Message: fmt.Sprintf(
			"egress.destinations and network.allow make %d rules of an EgressFirewall, and OVN-Kubernetes takes %d: name fewer ranges",
			len(rules), maxFirewallRules)})
		for i := range w.destinations {
			w.destinations[i].openNames = false
		}
		return nil
	}
	return feature.NewCustom(kindFirewall, w.Namespace, firewallName, firewallSpec{rules})
}

// nameRules returns one rule for each name, sorted, with the ports of all destinations that have it.
func (w *waysOut) nameRules() []firewallRule {
	ports := map[string][]opening{}
	var names []string
	for _, d := range w.destinations {
		for _, fqdn := range d.fqdns {
			if d.openNames {
				names, ports[fqdn] = append(names, fqdn), append(ports[fqdn], opening{ports: d.ports})
			}
		}
	}
	slices.Sort(names)
	var rules []firewallRule
	for _, name := range slices.Compact(names) {
		rules = append(rules, firewallRule{Type: allow, To: firewallPeer{DNSName: name}, Ports: jointPorts(ports[name])})
	}
	return rules
}

// rangeRules returns the rules for what is open by addresses. A range stands before those around it, and says what holds
// there if that isn't what holds around it.
func rangeRules(openings []opening) []firewallRule {
	all := regions(openings)
	verdicts := make([][]firewallRule, len(all))
	order := make([]int, len(all))
	for i, r := range all {
		order[i] = i
		rule := firewallRule{Type: deny}
		if len(r.open) > 0 {
			rule = firewallRule{Type: allow, Ports: jointPorts(r.open)}
		}
		verdicts[i] = []firewallRule{rule}
		if len(rule.Ports) > 0 {
			verdicts[i] = append(verdicts[i], firewallRule{Type: deny})
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(all[b].cidr.Bits(), all[a].cidr.Bits()), netip.Prefix.Compare(all[a].cidr, all[b].cidr))
	})
	var rules []firewallRule
	for _, i := range order {
		around := []firewallRule{{Type: deny}}
		if all[i].parent >= 0 {
			around = verdicts[all[i].parent]
		}
		if equal(verdicts[i], around) {
			continue
		}
		here := verdicts[i]
		if len(here) > 1 && equal(here[1:], around) {
			here = here[:1]
		}
		for _, rule := range here {
			rule.To.CIDRSelector = all[i].cidr.String()
			rules = append(rules, rule)
		}
	}
	return rules
}

func equal(a, b []firewallRule) bool {
	return slices.EqualFunc(a, b, func(a, b firewallRule) bool { return a.Type == b.Type && slices.Equal(a.Ports, b.Ports) })
}

// jointPorts returns the ports of all the openings. None are all ports: those of one of them, or one that can't be said.
func jointPorts(openings []opening) []firewallPort {
	var out []firewallPort
	for _, o := range openings {
		ports, sayable := firewallPorts(o.ports)
		if len(ports) == 0 || !sayable {
			return nil
		}
		out = append(out, ports...)
	}
	slices.SortFunc(out, func(a, b firewallPort) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(out)
}

// firewallPorts spells the ports out, and reports whether that is possible. No ports are all ports.
func firewallPorts(ports []v1alpha1.Port) ([]firewallPort, bool) {
	var out []firewallPort
	for _, p := range ports {
		last := max(p.Port, p.EndPort)
		if p.Port == 0 || int(last-p.Port)+len(out) >= maxFirewallPorts {
			return nil, false
		}
		for port := p.Port; port <= last; port++ {
			out = append(out, firewallPort{p.Protocol, port})
		}
	}
	return out, true
}

// observeFirewall tells what OVN-Kubernetes says of the rules. Until they are applied on all nodes it says nothing good.
func observeFirewall(u *unstructured.Unstructured) feature.Observation {
	const applied = "EgressFirewall Rules applied"
	status, _, err := unstructured.NestedString(u.Object, "status", "status")
	if err != nil || status == "" {
		return notProgrammed("EgressFirewall %s/%s isn't in force: OVN-Kubernetes hasn't reported that it applied the rules",
			u.GetNamespace(), u.GetName())
	}
	if status == applied {
		return feature.Observation{}
	}
	messages, _, err := unstructured.NestedStringSlice(u.Object, "status", "messages")
	if err == nil {
		messages = slices.DeleteFunc(messages, func(m string) bool { return strings.HasSuffix(m, applied) })
		slices.Sort(messages)
		// All nodes may say the same.
		status = strings.Join(append([]string{status}, messages[:min(len(messages), 3)]...), "; ")
	}
	return notProgrammed("EgressFirewall %s/%s isn't in force, as OVN-Kubernetes says: %s",
		u.GetNamespace(), u.GetName(), feature.OneLine(status))
}
