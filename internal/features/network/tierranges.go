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
	"net/netip"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// everything is all addresses.
func everything() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

// special are ranges that "the internet", names, and ranges around them don't mean. It is a part of what room egress keeps
// closed, namely what networks of clusters and clouds have: the strict tier must not deny more than that room does.
func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),       // RFC 1918: private
		netip.MustParsePrefix("100.64.0.0/10"),    // RFC 6598: shared by a provider's customers; metadata of Alibaba Cloud
		netip.MustParsePrefix("127.0.0.0/8"),      // RFC 1122: loopback
		netip.MustParsePrefix("168.63.129.16/32"), // Azure's own services on every host
		netip.MustParsePrefix("169.254.0.0/16"),   // RFC 3927: link-local; metadata of most clouds
		netip.MustParsePrefix("172.16.0.0/12"),    // RFC 1918: private
		netip.MustParsePrefix("192.168.0.0/16"),   // RFC 1918: private
		netip.MustParsePrefix("fc00::/7"),         // RFC 4193: unique local; metadata of AWS and GCP
		netip.MustParsePrefix("fe80::/10"),        // RFC 4291: link-local
	}
}

// containsSpecial reports whether a special range is strictly inside of the range.
func containsSpecial(r netip.Prefix) bool {
	for _, s := range special() {
		if feature.InsidePrefix(s, r) {
			return true
		}
	}
	return false
}

// without returns the range of a valid peer without its exceptions, as ranges.
func without(p v1alpha1.Peer) []netip.Prefix {
	cidr, err := feature.ParseCIDR(p.CIDR, nil)
	if err != nil {
		return nil
	}
	left := []netip.Prefix{cidr}
	for _, e := range p.Except {
		except, err := feature.ParseCIDR(e, nil)
		if err != nil {
			return nil
		}
		var rest []netip.Prefix
		for _, r := range left {
			rest = append(rest, minus(r, except)...)
		}
		left = rest
	}
	return left
}

// minus returns a range without another, as at most 128 ranges: halves of halves, each next to the one that is left out.
func minus(r, out netip.Prefix) []netip.Prefix {
	if !r.Overlaps(out) {
		return []netip.Prefix{r}
	}
	var rest []netip.Prefix
	for r.Bits() < out.Bits() {
		low := netip.PrefixFrom(r.Addr(), r.Bits()+1)
		high := netip.PrefixFrom(withBit(r.Addr(), r.Bits()), r.Bits()+1)
		if low.Overlaps(out) {
			r, rest = low, append(rest, high)
		} else {
			r, rest = high, append(rest, low)
		}
	}
	return rest
}

// withBit sets a bit of an address, counted from the left.
func withBit(a netip.Addr, bit int) netip.Addr {
	bytes := a.AsSlice()
	bytes[bit/8] |= 1 << (7 - bit%8)
	set, _ := netip.AddrFromSlice(bytes)
	return set
}
