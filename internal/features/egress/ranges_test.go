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
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

func TestSpecials(t *testing.T) {
	t.Parallel()
	seen := map[netip.Prefix]bool{}
	for _, s := range specials {
		p, err := netip.ParsePrefix(s.cidr)
		if err != nil || p != p.Masked() || p.String() != s.cidr || seen[p] {
			t.Errorf("%s: %v, %s; want it masked, in canonical form and once", s.cidr, err, p)
		}
		seen[p] = true
		if !strings.HasPrefix(s.source, "https://") {
			t.Errorf("%s has no source", s.cidr)
		}
	}
	// The API server refuses IPv4 in IPv6, so that nothing may be rendered that way.
	for _, p := range prefixes(func(special) bool { return true }) {
		if p.Addr().Is4In6() || p != p.Masked() {
			t.Errorf("%s can't be rendered", p)
		}
	}
}

// TestInternetIsPublic asks for single addresses.
func TestInternetIsPublic(t *testing.T) {
	t.Parallel()
	api := netip.MustParsePrefix("8.8.4.4/32")
	public := open(publicRanges, prefixes(func(special) bool { return true }, api))
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "8.8.4.4": false, "172.15.255.255": true, "172.32.0.0": true, "192.0.1.1": true,
		"192.31.196.1": true, "223.255.255.255": true, "168.63.129.17": true, "100.128.0.0": true, "198.20.0.0": true,
		"10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "127.0.0.1": false, "169.254.169.254": false,
		"100.100.100.200": false, "168.63.129.16": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false,
		"198.18.0.1": false, "192.0.0.192": false, "203.0.113.1": false,
		"2606:4700::1": true, "2a00::1": true, "64:ff9b::8.8.8.8": true, "2001:4860::1": true,
		"64:ff9b::10.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b::168.63.129.16": false, "64:ff9b::8.8.4.4": false,
		"::1": false, "::": false, "::ffff:10.0.0.1": false, "64:ff9b:1::1": false, "2001::1": false, "2001:db8::1": false,
		"2002:a00:1::": false, "3fff::1": false, "4000::1": false, "fd00:ec2::254": false, "fe80::1": false, "ff02::1": false,
		"100::1": false, "5f00::1": false, "fec0::1": false,
	} {
		if got := anyHas(public, netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is open: %t, want %t", address, got, want)
		}
	}
}

// TestRanges checks, with random ranges, what is open address by address.
func TestRanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 0))
		named, closed := random(rng, 6), random(rng, 8)
		blocks := open(named, closed)
		openings := []opening{}
		for i, b := range blocks {
			openings = append(openings, opening{block: b})
			if i%2 == 0 {
				openings[i].ports = []v1alpha1.Port{{Protocol: corev1.ProtocolTCP, Port: int32(1 + i)}}
			}
			checkBlock(t, seed, b)
		}
		denied, rules := unopened(openings, closed), rangeRules(openings)
		for i := range 64 {
			a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			wantOpen := isOpen(named, closed, a)
			if got := anyHas(blocks, a); got != wantOpen {
				t.Fatalf("seed %d: of %v without %v, %s is open: %t", seed, named, closed, a, got)
			}
			wantDenied := !wantOpen && slices.ContainsFunc(closed, func(c netip.Prefix) bool { return c.Contains(a) })
			if got := anyHas(denied, a); got != wantDenied {
				t.Fatalf("seed %d: of %v beside %v, %s is denied: %t", seed, closed, named, a, got)
			}
			for port := range int32(8) {
				want := slices.ContainsFunc(openings, func(o opening) bool {
					return anyHas([]block{o.block}, a) && (o.ports == nil || o.ports[0].Port == port)
				})
				if got := passes(t, rules, a, port); got != want {
					t.Fatalf("seed %d: %v: %s port %d passes: %t; the rules are %v", seed, openings, a, port, got, rules)
				}
			}
		}
	}
}

// checkBlock checks that exceptions are inside, sorted, and not inside each other.
func checkBlock(t *testing.T, seed uint64, b block) {
	t.Helper()
	for i, e := range b.except {
		if !feature.InsidePrefix(e, b.cidr) || i > 0 && (b.except[i-1].Overlaps(e) || b.except[i-1].Addr().Compare(e.Addr()) > 0) {
			t.Fatalf("seed %d: %v", seed, b)
		}
	}
}

// isOpen says it another way: the smallest of the ranges around an address that is named, or closed, decides; a closed one
// that is inside no range that is named more closely closes.
func isOpen(named, closed []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(named, func(n netip.Prefix) bool {
		return n.Contains(a) && !slices.ContainsFunc(closed, func(c netip.Prefix) bool { return c.Contains(a) && c.Bits() > n.Bits() })
	})
}

func anyHas(blocks []block, a netip.Addr) bool {
	return slices.ContainsFunc(blocks, func(b block) bool {
		return b.cidr.Contains(a) && !slices.ContainsFunc(b.except, func(e netip.Prefix) bool { return e.Contains(a) })
	})
}

// passes plays the firewall: the first rule that matches decides, and what none matches is denied at the end.
func passes(t *testing.T, rules []firewallRule, a netip.Addr, port int32) bool {
	t.Helper()
	for _, r := range rules {
		if !netip.MustParsePrefix(r.To.CIDRSelector).Contains(a) {
			continue
		}
		if len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p firewallPort) bool { return p.Port == port }) {
			return r.Type == allow
		}
	}
	return false
}

// random returns up to n ranges inside 10.0.0.0/26.
func random(rng *rand.Rand, n int) []netip.Prefix {
	var out []netip.Prefix
	for range rng.IntN(n + 1) {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(64))}), 26+rng.IntN(7))
		out = append(out, p.Masked())
	}
	return out
}
