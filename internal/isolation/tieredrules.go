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
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Who peers are that aren't pods or addresses.
const (
	whoNodes   = "nodes of the cluster"
	whoDomains = "whatever domain names resolve to"
	whoUnknown = "peers that can't be told"
)

// rules reads the rules of one direction.
func (r *tierReader) rules(v any, path, peers string) []tierRule {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		r.doubt(path, "is no list")
		return []tierRule{{action: accept, may: unknownPeers([]region{allPorts()})}}
	}
	var out []tierRule
	for i, item := range list {
		out = append(out, r.rule(item, fmt.Sprintf("%s[%d]", path, i), peers))
	}
	return out
}

// rule reads a rule.
//
//   - An action that isn't known may be any: it counts as an Accept that closes nothing.
//   - A field that isn't known may limit what the rule matches: it must match nothing then.
//   - A peer without any field is how an implementation sees one that it doesn't know. The API says what that means: such
//     an Accept matches no traffic, such a Deny or Pass denies everybody. What its other peers may be accepted is still
//     counted, and what it denies are its own ports only: implementations may differ there.
func (r *tierReader) rule(v any, path, peersKey string) tierRule {
	m, ok := v.(map[string]any)
	if !ok {
		r.doubt(path, "is no rule")
		return tierRule{action: accept, may: unknownPeers([]region{allPorts()})}
	}
	exact := r.onlyKeys(m, path, "name", "action", peersKey, r.ports)
	out := tierRule{}
	switch word, _ := m["action"].(string); {
	case word == r.accept:
	case word == "Deny":
		out.action = deny
	case word == "Pass" && r.kind != "BaselineAdminNetworkPolicy":
		out.action = pass
	default:
		r.doubt(path+".action", "is unknown")
		exact = false
	}
	ports := r.portList(m[r.ports], path+"."+r.ports)
	peers := r.peerList(m[peersKey], path+"."+peersKey, peersKey == "to")
	switch {
	case !peers.empty:
		out.may, out.must = peers.may.openings(ports.may), peers.must.openings(ports.must)
	case out.action == accept:
		out.may = peers.may.openings(ports.may)
	default:
		out.action = deny
		out.may, out.must = everybody(ports.may), everybody(ports.must)
	}
	if !exact {
		out.must = nil
	}
	return out
}

// peerSets are the peers of a rule, and whether one of them has no field.
type peerSets struct {
	may, must tierPeers
	empty     bool
}

// tierPeers are the peers that a rule may, or must, match.
type tierPeers struct {
	pods    []opening
	outside addresses
	// special are those whose addresses aren't known.
	special []opening
}

func unknownPeers(ports []region) []opening {
	if len(ports) == 0 {
		return nil
	}
	return []opening{
		{selectors: []labelBox{nil}, ports: ports, who: whoUnknown},
		{outside: allAddresses(), ports: ports, who: whoUnknown},
	}
}

// openings returns what the peers are let do on these ports. Pods that have an address in a range are matched by it too.
func (p *tierPeers) openings(ports []region) []opening {
	if len(ports) == 0 {
		return nil
	}
	out := slices.Concat(p.pods, p.special)
	if len(p.outside) > 0 {
		out = append(out, opening{outside: p.outside, behind: hitsPods(p.outside)})
	}
	for i := range out {
		out[i].ports = ports
	}
	return out
}

func (p *tierPeers) add(o *tierPeers) {
	p.outside = p.outside.union(o.outside)
	p.special = append(p.special, o.special...)
	for _, n := range o.pods {
		i := slices.IndexFunc(p.pods, func(have opening) bool { return have.pods.words() == n.pods.words() })
		if i < 0 {
			p.pods = append(p.pods, n)
			continue
		}
		p.pods[i].selectors = append(p.pods[i].selectors, n.selectors...)
	}
}

// peerList reads peers. A list that is missing or empty is none that the API knows: it may be everybody.
func (r *tierReader) peerList(v any, path string, egress bool) peerSets {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		r.doubt(path, "is no list of peers")
		return peerSets{may: tierPeers{special: unknownPeers([]region{allPorts()})}}
	}
	var out peerSets
	for i, item := range list {
		one := r.peer(item, fmt.Sprintf("%s[%d]", path, i), egress)
		out.may.add(&one.may)
		out.must.add(&one.must)
		out.empty = out.empty || one.empty
	}
	// Ranges that are all addresses of both families are all pods.
	if slices.Equal(out.must.outside, allAddresses()) {
		out.must.add(&tierPeers{pods: []opening{{selectors: []labelBox{nil}}}})
	}
	return out
}

// peer reads one peer. A field that isn't known here may be known to the implementation: the peer may be anybody then.
// Of two fields at once it may be the peers of either.
func (r *tierReader) peer(v any, path string, egress bool) peerSets {
	anybody := peerSets{may: tierPeers{special: unknownPeers([]region{allPorts()})}}
	m, ok := v.(map[string]any)
	if !ok {
		r.doubt(path, "is no peer")
		return anybody
	}
	keys := []string{"namespaces", "pods"}
	if egress {
		keys = append(keys, "networks", "nodes", "domainNames")
	}
	if !r.onlyKeys(m, path, keys...) {
		return anybody
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return m[key] == nil })
	var out peerSets
	for _, key := range keys {
		one := r.peerField(key, m[key], path+"."+key)
		out.may.add(&one.may)
		out.must.add(&one.must)
	}
	switch len(keys) {
	case 0:
		out.empty = true
	case 1:
	default:
		r.doubt(path, "has more than one field")
		out.must = tierPeers{}
	}
	return out
}

// peerField reads what one field of a peer selects.
//
//   - Nodes have addresses that aren't known here: any that a node can have may be one, none must be. Pods on the host's
//     network are behind them.
//   - Domain names may resolve to any address, a pod's among them, and must not resolve to any.
func (r *tierReader) peerField(key string, v any, path string) peerSets {
	var out peerSets
	anybody := peerSets{may: tierPeers{special: unknownPeers([]region{allPorts()})}}
	switch key {
	case "namespaces", "pods":
		var namespaces, pods labelBox
		var some, ok bool
		if key == "pods" {
			namespaces, pods, some, ok = r.podSelectors(v, path)
		} else {
			namespaces, some, ok = r.selector(v, path)
		}
		if !ok {
			return anybody
		}
		if some {
			out.may.pods = []opening{{selectors: []labelBox{namespaces}, pods: pods}}
			out.must.pods = []opening{{selectors: []labelBox{namespaces}, pods: pods}}
		}
	case "networks":
		list, ok := texts(v)
		if !ok || len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { _, ok := parsePrefix(s); return !ok }) {
			r.doubt(path, "isn't a list of ranges")
			return anybody
		}
		out.may.outside = prefixes(list...)
		out.must.outside = out.may.outside
	case "nodes":
		out.may.special = []opening{{outside: allAddresses().minus(hostless()).minus(metadata()), who: whoNodes}}
	case "domainNames":
		out.may.special = []opening{{outside: allAddresses(), who: whoDomains, behind: true}}
	}
	return out
}

// portSets are the ports of a rule.
type portSets struct{ may, must []region }

// portCollector gathers ports to join them.
type portCollector struct {
	numbers map[protocols][]span[port]
	names   map[string]protocols
}

func (c *portCollector) add(p protocols, s span[port]) {
	for _, one := range []protocols{tcp, udp, sctp} {
		if p&one != 0 {
			c.numbers[one] = append(c.numbers[one], s)
		}
	}
}

func (c *portCollector) regions() []region {
	return slices.Concat(numberRegions(c.numbers), nameRegions(c.names))
}

// portList reads ports. Missing they are all; what can't be read may be all, and must be none.
func (r *tierReader) portList(v any, path string) portSets {
	all := []region{allPorts()}
	if v == nil {
		return portSets{all, all}
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		r.doubt(path, "is no list of ports")
		return portSets{may: all}
	}
	c := &portCollector{numbers: map[protocols][]span[port]{}, names: map[string]protocols{}}
	exact := true
	for i, item := range list {
		m, _ := item.(map[string]any)
		if !c.read(m, r.ports == "protocols") {
			r.doubt(fmt.Sprintf("%s[%d]", path, i), "is no port")
			exact = false
		}
	}
	out := portSets{may: c.regions(), must: c.regions()}
	if !exact {
		out.may = all
	}
	return out
}

// read reads one port, which has exactly one field, as ClusterNetworkPolicies write it, or as the older kinds do. A port
// by name is of any protocol.
func (c *portCollector) read(m map[string]any, newer bool) bool {
	var fields []string
	for key, v := range m {
		if v != nil {
			fields = append(fields, key)
		}
	}
	if len(fields) != 1 {
		return false
	}
	value := m[fields[0]]
	inner, _ := value.(map[string]any)
	byProtocol := map[string]protocols{"tcp": tcp, "udp": udp, "sctp": sctp}
	switch field := fields[0]; {
	case newer && byProtocol[field] != 0:
		return c.protocol(byProtocol[field], inner)
	case newer && field == "destinationNamedPort", !newer && field == "namedPort":
		return c.named(value)
	case !newer && field == "portNumber":
		return c.older(inner, "port", "port")
	case !newer && field == "portRange":
		return c.older(inner, "start", "end")
	default:
		return false
	}
}

func (c *portCollector) named(v any) bool {
	name, _ := v.(string)
	if name != "" {
		c.names[name] |= allProtocols
	}
	return name != ""
}

// older reads {protocol, port} or {protocol, start, end}. Without a protocol it is TCP.
func (c *portCollector) older(m map[string]any, first, last string) bool {
	protocol := tcp
	if m["protocol"] != nil {
		text, _ := m["protocol"].(string)
		protocol = protocolOf(corev1.Protocol(text))
	}
	rest := maps.Clone(m)
	delete(rest, "protocol")
	return protocol != 0 && c.span(protocol, rest, first, last)
}

// protocol reads {destinationPort: {number}} or {destinationPort: {range: {start, end}}}.
func (c *portCollector) protocol(p protocols, m map[string]any) bool {
	destination, ok := m["destinationPort"].(map[string]any)
	if !ok || len(m) != 1 {
		return false
	}
	if inner, ok := destination["range"].(map[string]any); ok && len(destination) == 1 {
		return c.span(p, inner, "start", "end")
	}
	return c.span(p, destination, "number", "number")
}

// span reads the first and the last port, from an object that has nothing else.
func (c *portCollector) span(p protocols, m map[string]any, first, last string) bool {
	fields := 2
	if first == last {
		fields = 1
	}
	from, ok := wholeNumber(m[first])
	to, alsoOK := wholeNumber(m[last])
	if !ok || !alsoOK || len(m) != fields || from < 1 || to < from || to > int64(lastPort) {
		return false
	}
	c.add(p, span[port]{port(from), port(to)}) //nolint:gosec // Both are between 1 and 65535.
	return true
}
