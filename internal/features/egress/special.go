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

import "net/netip"

// A special range is one that a larger range doesn't open.
type special struct {
	// cidr is the range.
	cidr string
	// local says that it answers each node with what is that node's own: through another node it would answer with what
	// is that one's.
	local bool
	// source says where it is written.
	source string
}

const (
	iana4 = "https://www.iana.org/assignments/iana-ipv4-special-registry/: "
	iana6 = "https://www.iana.org/assignments/iana-ipv6-special-registry/: "
)

// specials are the special ranges. What IANA's registries call globally reachable is not among them. Ranges that are
// inside another of the table matter where the other one is named.
var specials = []special{
	{cidr: "0.0.0.0/8", source: iana4 + "RFC 791, this network"},
	{cidr: "10.0.0.0/8", source: iana4 + "RFC 1918, private use"},
	{cidr: "100.64.0.0/10", source: iana4 + "RFC 6598, shared address space"},
	{cidr: "127.0.0.0/8", source: iana4 + "RFC 1122, loopback"},
	{cidr: "169.254.0.0/16", local: true, source: iana4 + "RFC 3927, link-local"},
	{cidr: "172.16.0.0/12", source: iana4 + "RFC 1918, private use"},
	{cidr: "192.0.0.0/24", source: iana4 + "RFC 6890, IETF protocol assignments"},
	{cidr: "192.0.2.0/24", source: iana4 + "RFC 5737, documentation"},
	{cidr: "192.88.99.0/24", source: iana4 + "RFC 7526, 6to4 relays, deprecated"},
	{cidr: "192.168.0.0/16", source: iana4 + "RFC 1918, private use"},
	{cidr: "198.18.0.0/15", source: iana4 + "RFC 2544, benchmarks"},
	{cidr: "198.51.100.0/24", source: iana4 + "RFC 5737, documentation"},
	{cidr: "203.0.113.0/24", source: iana4 + "RFC 5737, documentation"},
	{cidr: "224.0.0.0/4", source: "https://www.rfc-editor.org/rfc/rfc5771: multicast"},
	{cidr: "240.0.0.0/4", source: iana4 + "RFC 1112, reserved; RFC 919, broadcast"},

	{cidr: "::/32", source: "https://www.rfc-editor.org/rfc/rfc4291#section-2: unspecified, loopback, IPv4 in IPv6"},
	{cidr: "64:ff9b:1::/48", source: iana6 + "RFC 8215, translation to IPv4 of a network's own"},
	{cidr: "100::/64", source: iana6 + "RFC 6666, discard"},
	{cidr: "100:0:0:1::/64", source: iana6 + "RFC 9780, dummy"},
	{cidr: "2001::/23", source: iana6 + "RFC 2928, IETF protocol assignments, Teredo"},
	{cidr: "2001:db8::/32", source: iana6 + "RFC 3849, documentation"},
	{cidr: "2002::/16", source: iana6 + "RFC 3056, 6to4, which has IPv4 addresses in it"},
	{cidr: "3fff::/20", source: iana6 + "RFC 9637, documentation"},
	{cidr: "5f00::/16", source: iana6 + "RFC 9602, segment identifiers"},
	{cidr: "fc00::/7", source: iana6 + "RFC 4193, unique local"},
	{cidr: "fe80::/10", local: true, source: iana6 + "RFC 4291, link-local"},
	{cidr: "fec0::/10", source: "https://www.rfc-editor.org/rfc/rfc3879: site-local, deprecated"},
	{cidr: "ff00::/8", source: "https://www.rfc-editor.org/rfc/rfc4291#section-2.7: multicast"},

	{cidr: "169.254.169.254/32", local: true, source: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html; Azure, Google, OpenStack, Oracle and others use it, too"},
	{cidr: "169.254.170.2/32", local: true, source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html"},
	{cidr: "169.254.170.23/32", local: true, source: "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html"},
	{cidr: "169.254.0.23/32", local: true, source: "https://www.tencentcloud.com/document/product/213/4934"},
	{cidr: "100.100.100.200/32", local: true, source: "https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata"},
	{cidr: "168.63.129.16/32", local: true, source: "https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16: a public address"},
	{cidr: "fd00:ec2::254/128", local: true, source: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html"},
	{cidr: "fd00:ec2::23/128", local: true, source: "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html"},
	{cidr: "fd20:ce::254/128", local: true, source: "https://cloud.google.com/compute/docs/metadata/querying-metadata"},
	{cidr: "fd00:c1::a9fe:a9fe/128", local: true, source: "https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm"},
	{cidr: "fe80::a9fe:a9fe/128", local: true, source: "https://docs.openstack.org/nova/latest/user/metadata.html"},
}

// nat64 is where IPv4 addresses are in IPv6: what is sent there is sent on to the IPv4 address at its end.
// https://www.rfc-editor.org/rfc/rfc6052#section-2.1
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// publicRanges are what is public but for special ranges: all of IPv4, the one range of global unicast that IANA hands
// out of IPv6 (https://www.iana.org/assignments/ipv6-address-space/), and IPv4 by NAT64.
var publicRanges = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("2000::/3"), nat64}

// prefixes returns the special ranges of the table for which keep says so, those of IPv4 also by NAT64, and more.
func prefixes(keep func(special) bool, more ...netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range specials {
		if keep(s) {
			more = append(more, netip.MustParsePrefix(s.cidr))
		}
	}
	for _, p := range more {
		out = append(out, p)
		if p.Addr().Is4() {
			out = append(out, mapped(p))
		}
	}
	return out
}

// mapped returns where a range of IPv4 is in nat64.
func mapped(p netip.Prefix) netip.Prefix {
	address, in4 := nat64.Addr().As16(), p.Addr().As4()
	copy(address[12:], in4[:])
	return netip.PrefixFrom(netip.AddrFrom16(address), nat64.Bits()+p.Bits())
}
