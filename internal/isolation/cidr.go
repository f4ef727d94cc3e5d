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
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// addresses is a set of IP addresses. An IPv4 address written as IPv6 is the IPv4 address.
type addresses = spans[netip.Addr]

// metadata is where clouds tell whoever asks what the node is and which credentials it has: the link-local range (AWS,
// Azure, Google Cloud, Oracle Cloud, OpenStack and others), then AWS and Google Cloud over IPv6, Alibaba Cloud, and
// Azure's WireServer.
func metadata() addresses {
	return prefixes("169.254.0.0/16", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32")
}

// private is every range that isn't routed on the internet, or where no host is.
func private() addresses {
	return prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8")
}

func allAddresses() addresses { return prefixes("0.0.0.0/0", "::/0") }

// prefixes returns the union of what can be read.
func prefixes(list ...string) addresses {
	var in []span[netip.Addr]
	for _, text := range list {
		if p, ok := parsePrefix(text); ok {
			in = append(in, spanOf(p))
		}
	}
	return newSpans(in...)
}

// blockAddresses returns the addresses of the block; none if its range can't be read. An exception that can't be read
// excepts nothing.
func blockAddresses(b *networkingv1.IPBlock) addresses {
	return prefixes(b.CIDR).minus(prefixes(b.Except...))
}

// parsePrefix reads a range as the API server does that stored it: leading zeros and bits behind the prefix are
// allowed in objects that are older than their ban, and an IPv4 range may be written as IPv6.
func parsePrefix(text string) (netip.Prefix, bool) {
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 {
		return netip.Prefix{}, false
	}
	addr, err := netip.ParseAddr(trimZeros(text[:slash]))
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits, err := strconv.ParseUint(text[slash+1:], 10, 8)
	if err != nil || int(bits) > addr.BitLen() {
		return netip.Prefix{}, false
	}
	if addr.Is4In6() && bits >= 96 {
		addr, bits = addr.Unmap(), bits-96
	}
	return netip.PrefixFrom(addr, int(bits)).Masked(), true
}

// trimZeros removes the leading zeros of the decimal parts of an address.
func trimZeros(addr string) string {
	if !strings.Contains(addr, ".") {
		return addr
	}
	head, tail := "", addr
	if colon := strings.LastIndexByte(addr, ':'); colon >= 0 {
		head, tail = addr[:colon+1], addr[colon+1:]
	}
	parts := strings.Split(tail, ".")
	for i, part := range parts {
		if trimmed := strings.TrimLeft(part, "0"); trimmed != "" {
			parts[i] = trimmed
		} else if part != "" {
			parts[i] = "0"
		}
	}
	return head + strings.Join(parts, ".")
}

func spanOf(p netip.Prefix) span[netip.Addr] { return span[netip.Addr]{p.Addr(), lastOf(p)} }

// lastOf returns the last address of the range.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		host := max(0, min(8, (i+1)*8-p.Bits()))
		b[i] |= byte(1<<host - 1)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// cover returns the ranges that make up the span, in order.
func cover(s span[netip.Addr]) []netip.Prefix {
	var out []netip.Prefix
	for from := s.from; from.IsValid() && from.Compare(s.to) <= 0; {
		p := largest(from, s.to)
		out = append(out, p)
		from = lastOf(p).Next()
	}
	return out
}

// largest returns the largest range that starts at from and doesn't go beyond to.
func largest(from, to netip.Addr) netip.Prefix {
	for bits := range from.BitLen() {
		if p := netip.PrefixFrom(from, bits); p.Masked().Addr() == from && lastOf(p).Compare(to) <= 0 {
			return p
		}
	}
	return netip.PrefixFrom(from, from.BitLen())
}

// addressWords says what the addresses are: as ranges, or as one range for each family and its exceptions, whichever is
// shorter.
func addressWords(a addresses) string {
	if slices.Equal(a, allAddresses()) {
		return "any address"
	}
	if len(a) == 1 && a[0].from == a[0].to {
		return "address " + a[0].from.String()
	}
	var list []string
	for family, all := range map[string]string{"IPv4": "0.0.0.0/0", "IPv6": "::/0"} {
		part := a.intersect(prefixes(all))
		switch {
		case len(part) == 0:
		case slices.Equal(part, prefixes(all)):
			list = append(list, "any "+family+" address")
		default:
			list = append(list, "addresses "+rangeWords(part))
		}
	}
	slices.Sort(list)
	return and(list)
}

func rangeWords(part addresses) string {
	whole := around(part[0].from, part[len(part)-1].to)
	plain := prefixStrings(part)
	except := prefixStrings(addresses{spanOf(whole)}.minus(part))
	if len(except) > 0 && len(except)+1 < len(plain) {
		return whole.String() + " except " + shortList(except, "ranges")
	}
	return shortList(plain, "ranges")
}

// around returns the smallest range that has both addresses.
func around(from, to netip.Addr) netip.Prefix {
	bits := from.BitLen()
	for bits > 0 && !netip.PrefixFrom(from, bits).Contains(to) {
		bits--
	}
	return netip.PrefixFrom(from, bits).Masked()
}

func prefixStrings(a addresses) []string {
	var out []string
	for _, s := range a {
		for _, p := range cover(s) {
			out = append(out, p.String())
		}
	}
	return out
}
