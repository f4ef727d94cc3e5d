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
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What follows judges one connection by walking the policies as their API says it, and knows nothing of boxes. The types
// are the API's.

type oraclePolicy struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       oracleSpec        `json:"spec"`
}

type oracleSpec struct {
	Tier     string        `json:"tier,omitempty"`
	Priority *int          `json:"priority,omitempty"`
	Subject  oracleSubject `json:"subject"`
	Ingress  []oracleRule  `json:"ingress,omitempty"`
	Egress   []oracleRule  `json:"egress,omitempty"`
}

type oracleSubject struct {
	Namespaces *metav1.LabelSelector `json:"namespaces,omitempty"`
	Pods       *oraclePods           `json:"pods,omitempty"`
}

type oraclePods struct {
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	PodSelector       metav1.LabelSelector `json:"podSelector"`
}

type oracleRule struct {
	Action    string       `json:"action"`
	From      []oraclePeer `json:"from,omitempty"`
	To        []oraclePeer `json:"to,omitempty"`
	Protocols []oraclePort `json:"protocols,omitempty"`
	Ports     []oraclePort `json:"ports,omitempty"`
}

type oraclePeer struct {
	Namespaces  *metav1.LabelSelector `json:"namespaces,omitempty"`
	Pods        *oraclePods           `json:"pods,omitempty"`
	Networks    []string              `json:"networks,omitempty"`
	Nodes       *metav1.LabelSelector `json:"nodes,omitempty"`
	DomainNames []string              `json:"domainNames,omitempty"`
	// Strange is a field that the API will only have tomorrow.
	Strange []string `json:"strange,omitempty"`
}

type oraclePort struct {
	TCP       *oracleDestination `json:"tcp,omitempty"`
	UDP       *oracleDestination `json:"udp,omitempty"`
	SCTP      *oracleDestination `json:"sctp,omitempty"`
	NewName   string             `json:"destinationNamedPort,omitempty"`
	Number    *oracleNumber      `json:"portNumber,omitempty"`
	Range     *oracleOldRange    `json:"portRange,omitempty"`
	NamedPort string             `json:"namedPort,omitempty"`
}

type oracleDestination struct {
	DestinationPort struct {
		Number int32        `json:"number,omitempty"`
		Range  *oracleRange `json:"range,omitempty"`
	} `json:"destinationPort"`
}

type oracleRange struct {
	Start int32 `json:"start"`
	End   int32 `json:"end"`
}

type oracleNumber struct {
	Protocol string `json:"protocol,omitempty"`
	Port     int32  `json:"port"`
}

type oracleOldRange struct {
	Protocol string `json:"protocol,omitempty"`
	Start    int32  `json:"start"`
	End      int32  `json:"end"`
}

// An oracle is a World with cluster policies, and what of it the policies don't say.
type oracle struct {
	World

	policies []oraclePolicy
	// nodes are the nodes' addresses, resolved what domain names resolve to.
	nodes, resolved []netip.Addr
	// strange are the namespaces that the strange field selects, if the implementation knows it.
	strange      []string
	knowsStrange bool
}

// allows says whether some order of the policies lets the traffic pass in one direction. NetworkPolicies know pods by
// their labels only, cluster policies by their addresses too.
func (o *oracle) allows(t Traffic, d networkingv1.PolicyType) bool {
	return o.anyOrder(o.policies, nil, func(order []oraclePolicy) bool { return o.allowsIn(order, t, d) })
}

// anyOrder tries the orders that the priorities leave open. Those of different kinds say nothing about each other.
func (o *oracle) anyOrder(left, order []oraclePolicy, try func([]oraclePolicy) bool) bool {
	if len(left) == 0 {
		return try(order)
	}
	for i, p := range left {
		first := !slices.ContainsFunc(left, func(q oraclePolicy) bool { return q.Kind == p.Kind && q.priority() < p.priority() })
		if !first {
			continue
		}
		rest := slices.Delete(slices.Clone(left), i, i+1)
		if o.anyOrder(rest, append(slices.Clone(order), p), try) {
			return true
		}
	}
	return false
}

func (p *oraclePolicy) priority() int {
	if p.Spec.Priority == nil {
		return 0
	}
	return *p.Spec.Priority
}

func (p *oraclePolicy) tier() string {
	switch p.Kind {
	case "AdminNetworkPolicy":
		return "Admin"
	case "BaselineAdminNetworkPolicy":
		return "Baseline"
	default:
		return p.Spec.Tier
	}
}

func (o *oracle) allowsIn(order []oraclePolicy, t Traffic, d networkingv1.PolicyType) bool {
	switch o.tier(order, "Admin", t, d) {
	case "Accept", "Allow":
		return true
	case "Deny":
		return false
	}
	target := t.To
	if d == networkingv1.PolicyTypeEgress {
		target = t.From
	}
	for _, p := range o.Policies[target.Namespace] {
		if _, speaks := rulesOf(p, d); speaks && selects(&p.Spec.PodSelector, target.Labels) {
			plain := t
			plain.From.IP, plain.To.IP = labelled(t.From), labelled(t.To)
			return AllowsDirection(o.World, plain, d)
		}
	}
	return o.tier(order, "Baseline", t, d) != "Deny"
}

// labelled returns the address of what isn't a pod.
func labelled(e Endpoint) netip.Addr {
	if e.Namespace != "" {
		return netip.Addr{}
	}
	return e.IP
}

// tier returns the action of the first rule that matches; Pass if none does.
func (o *oracle) tier(order []oraclePolicy, tier string, t Traffic, d networkingv1.PolicyType) string {
	own, peer := t.To, t.From
	if d == networkingv1.PolicyTypeEgress {
		own, peer = peer, own
	}
	for i := range order {
		p := &order[i]
		if p.tier() != tier || !o.inPods(p.Spec.Subject.Namespaces, p.Spec.Subject.Pods, own) {
			continue
		}
		rules := p.Spec.Ingress
		if d == networkingv1.PolicyTypeEgress {
			rules = p.Spec.Egress
		}
		for j := range rules {
			if action := o.rule(&rules[j], peer, t); action != "" {
				return action
			}
		}
	}
	return "Pass"
}

// rule returns what the rule does with the traffic; empty if it doesn't match.
func (o *oracle) rule(r *oracleRule, peer Endpoint, t Traffic) string {
	matches := false
	for _, p := range slices.Concat(r.From, r.To) {
		known := p.Namespaces != nil || p.Pods != nil || p.Networks != nil || p.Nodes != nil || p.DomainNames != nil
		if !known && (p.Strange == nil || !o.knowsStrange) {
			// An implementation that sees no field fails closed.
			if r.Action == "Accept" || r.Action == "Allow" {
				return ""
			}
			return "Deny"
		}
		matches = matches || o.inPods(p.Namespaces, p.Pods, peer) || o.at(p.Networks, peer.IP) ||
			(p.Nodes != nil && peer.Namespace == "" && slices.Contains(o.nodes, peer.IP)) ||
			(p.DomainNames != nil && slices.Contains(o.resolved, peer.IP)) ||
			(p.Strange != nil && slices.Contains(o.strange, peer.Namespace))
	}
	ports := slices.Concat(r.Protocols, r.Ports)
	if !matches || (len(ports) > 0 && !slices.ContainsFunc(ports, func(p oraclePort) bool { return p.has(t) })) {
		return ""
	}
	return r.Action
}

func (o *oracle) inPods(namespaces *metav1.LabelSelector, pods *oraclePods, e Endpoint) bool {
	if e.Namespace == "" {
		return false
	}
	if namespaces != nil {
		return selects(namespaces, o.labels(e.Namespace))
	}
	return pods != nil && selects(&pods.NamespaceSelector, o.labels(e.Namespace)) && selects(&pods.PodSelector, e.Labels)
}

func (o *oracle) at(networks []string, ip netip.Addr) bool {
	return ip.IsValid() && slices.ContainsFunc(networks, func(n string) bool { return netip.MustParsePrefix(n).Contains(ip) })
}

func (p *oraclePort) has(t Traffic) bool {
	within := func(protocol string, from, to int32) bool {
		if protocol == "" {
			protocol = "TCP"
		}
		return protocol == string(t.Protocol) && from <= t.Port && t.Port <= to
	}
	for protocol, d := range map[string]*oracleDestination{"TCP": p.TCP, "UDP": p.UDP, "SCTP": p.SCTP} {
		if d == nil {
			continue
		}
		if r := d.DestinationPort.Range; r != nil {
			return within(protocol, r.Start, r.End)
		}
		return within(protocol, d.DestinationPort.Number, d.DestinationPort.Number)
	}
	switch {
	case p.Number != nil:
		return within(p.Number.Protocol, p.Number.Port, p.Number.Port)
	case p.Range != nil:
		return within(p.Range.Protocol, p.Range.Start, p.Range.End)
	default:
		return t.PortName != "" && (t.PortName == p.NewName || t.PortName == p.NamedPort)
	}
}
