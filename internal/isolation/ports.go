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
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// protocols is a set of transport protocols, one bit each.
type protocols uint8

const (
	tcp protocols = 1 << iota
	udp
	sctp
	allProtocols = tcp | udp | sctp
)

// protocolOf returns the protocol; none if it is unknown.
func protocolOf(p corev1.Protocol) protocols {
	switch p {
	case corev1.ProtocolTCP:
		return tcp
	case corev1.ProtocolUDP:
		return udp
	case corev1.ProtocolSCTP:
		return sctp
	default:
		return 0
	}
}

func (p protocols) words() string {
	var names []string
	for _, one := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
		if p&protocolOf(one) != 0 {
			names = append(names, string(one))
		}
	}
	return strings.Join(names, "/")
}

// A port is a port's number, 1 to 65535.
type port uint16

// Compare implements point.
func (p port) Compare(o port) int { return cmp.Compare(p, o) }

// Next implements point.
func (p port) Next() port { return p + 1 }

// Prev implements point.
func (p port) Prev() port { return p - 1 }

const lastPort port = 65535

func allNumbers() spans[port] { return spans[port]{{1, lastPort}} }

// A region is a product of protocols, port numbers and the names that the destination gives the port. A numeric port
// in a policy is that number under any name or none; a named port is any number under that name.
type region struct {
	protocols protocols
	numbers   spans[port]
	names     valueSet
}

func allPorts() region {
	return region{protocols: allProtocols, numbers: allNumbers(), names: anyValue()}
}

func (r region) all() bool {
	return r.protocols == allProtocols && r.everyNumber() && r.names.any()
}

func (r region) everyNumber() bool {
	return len(r.numbers) == 1 && r.numbers[0] == span[port]{1, lastPort}
}

// parsePorts returns the regions that the list opens. No ports are all ports of all protocols. What the API server
// would have refused opens nothing, but an endPort without a port: that is read as no port.
func parsePorts(ports []networkingv1.NetworkPolicyPort) []region {
	if len(ports) == 0 {
		return []region{allPorts()}
	}
	numbers := map[protocols][]span[port]{}
	names := map[string]protocols{}
	for _, p := range ports {
		protocol := tcp
		if p.Protocol != nil {
			protocol = protocolOf(*p.Protocol)
		}
		switch {
		case protocol == 0:
		case p.Port == nil:
			numbers[protocol] = append(numbers[protocol], span[port]{1, lastPort})
		case p.Port.Type == intstr.String && p.Port.StrVal != "":
			names[p.Port.StrVal] |= protocol
		case p.Port.Type == intstr.Int:
			if s, ok := numericSpan(p.Port.IntVal, p.EndPort); ok {
				numbers[protocol] = append(numbers[protocol], s)
			}
		}
	}
	return slices.Concat(numberRegions(numbers), nameRegions(names))
}

func numericSpan(from int32, end *int32) (span[port], bool) {
	to := from
	if end != nil {
		to = *end
	}
	if from < 1 || from > int32(lastPort) || to < from || to > int32(lastPort) {
		return span[port]{}, false
	}
	return span[port]{port(from), port(to)}, true
}

// numberRegions joins the protocols that have the same numbers: TCP and UDP 53 are one region.
func numberRegions(numbers map[protocols][]span[port]) []region {
	var out []region
	for _, protocol := range []protocols{tcp, udp, sctp} {
		set := newSpans(numbers[protocol]...)
		if len(set) == 0 {
			continue
		}
		same := slices.IndexFunc(out, func(r region) bool { return slices.Equal(r.numbers, set) })
		if same >= 0 {
			out[same].protocols |= protocol
			continue
		}
		out = append(out, region{protocols: protocol, numbers: set, names: anyValue()})
	}
	return out
}

// nameRegions joins the names that the same protocols have.
func nameRegions(names map[string]protocols) []region {
	byProtocols := map[protocols][]string{}
	for name, p := range names {
		byProtocols[p] = append(byProtocols[p], name)
	}
	var out []region
	for p := range allProtocols + 1 {
		if len(byProtocols[p]) > 0 {
			out = append(out, region{protocols: p, numbers: allNumbers(), names: valueSet{values: only(byProtocols[p]...)}})
		}
	}
	return out
}

// words says what the region is: "all ports", "TCP 80,443", "all UDP ports", "TCP port named http".
func (r region) words() string {
	if r.all() {
		return "all ports"
	}
	kind := r.protocols.words()
	if r.protocols == allProtocols {
		kind = ""
	}
	number := strings.TrimSpace(kind + " " + numberWords(r.numbers))
	if r.everyNumber() {
		number = strings.Join(strings.Fields("all "+kind+" ports"), " ")
	}
	switch {
	case r.names.any():
		return number
	case !r.names.values.except && !r.names.absent:
		named := shortList(r.names.values.items, "names")
		if r.everyNumber() {
			return strings.TrimSpace(kind+" ports named ") + " " + named
		}
		return number + " if named " + named
	default:
		return number + " unless named " + shortList(r.names.values.items, "names")
	}
}

func numberWords(numbers spans[port]) string {
	var list []string
	for _, s := range numbers {
		if s.from == s.to {
			list = append(list, fmt.Sprint(s.from))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", s.from, s.to))
		}
	}
	return shortList(list, "ranges")
}

// regionWords joins what is said of the regions, each once.
func regionWords(regions []region) string {
	var list []string
	for _, r := range regions {
		if r.all() {
			return r.words()
		}
		if w := r.words(); !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return and(list)
}

// joinRegions returns the same ports in fewer regions: numbers under any name are joined, and what else there is is kept
// once.
func joinRegions(regions []region) []region {
	numbers := map[protocols][]span[port]{}
	var named []region
	for _, r := range regions {
		if !r.names.any() {
			same := func(o region) bool {
				return o.protocols == r.protocols && slices.Equal(o.numbers, r.numbers) && o.names.equal(r.names)
			}
			if !slices.ContainsFunc(named, same) {
				named = append(named, r)
			}
			continue
		}
		for _, p := range []protocols{tcp, udp, sctp} {
			if r.protocols&p != 0 {
				numbers[p] = append(numbers[p], r.numbers...)
			}
		}
	}
	return append(numberRegions(numbers), named...)
}
