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
	"net/netip"
	"slices"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// A block is a range of addresses without some ranges inside it.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

func (b block) has(p netip.Prefix) bool {
	return within(p, b.cidr) && !slices.ContainsFunc(b.except, func(e netip.Prefix) bool { return within(p, e) })
}

// within reports whether a range is another one, or inside it.
func within(p, outer netip.Prefix) bool { return p == outer || feature.InsidePrefix(p, outer) }

// An opening is a block with the ports that are open there, in canonical form. No ports are all ports.
type opening struct {
	block
	ports []v1alpha1.Port
}

// open returns the blocks that the ranges open, sorted: each range without the closed ones inside it. A range that is a
// closed one itself, or is inside one, names it, so that it is open. What another range opens already is left out.
func open(ranges, closed []netip.Prefix) []block {
	ranges = slices.Compact(slices.SortedFunc(slices.Values(ranges), netip.Prefix.Compare))
	var out []block
	for _, r := range ranges {
		if slices.ContainsFunc(ranges, func(outer netip.Prefix) bool { return opens(outer, r, closed) }) {
			continue
		}
		var except []netip.Prefix
		for _, c := range closed {
			if feature.InsidePrefix(c, r) {
				except = append(except, c)
			}
		}
		out = append(out, block{r, feature.OutermostPrefixes(except)})
	}
	return out
}

// opens reports whether a range opens all of what another range inside it does.
func opens(outer, inner netip.Prefix, closed []netip.Prefix) bool {
	return feature.InsidePrefix(inner, outer) && !slices.ContainsFunc(closed, func(c netip.Prefix) bool {
		return within(inner, c) && feature.InsidePrefix(c, outer)
	})
}

// A region is a range, but for the regions inside it, of which all addresses are in the same openings.
type region struct {
	cidr netip.Prefix
	// parent is the index of the smallest region around it, or less than 0.
	parent int
	open   []opening
}

// regions parts the openings and the ranges into regions, the larger before those inside.
func regions(openings []opening, ranges ...netip.Prefix) []region {
	startsAt := map[netip.Prefix][]opening{}
	for _, o := range openings {
		ranges = append(append(ranges, o.cidr), o.except...)
		startsAt[o.cidr] = append(startsAt[o.cidr], o)
	}
	ranges = slices.Compact(slices.SortedFunc(slices.Values(ranges), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	}))
	out := make([]region, len(ranges))
	for i, r := range ranges {
		parent := i - 1
		for parent >= 0 && !feature.InsidePrefix(r, ranges[parent]) {
			parent = out[parent].parent
		}
		out[i] = region{cidr: r, parent: parent}
		candidates := startsAt[r]
		if parent >= 0 {
			candidates = slices.Concat(out[parent].open, candidates)
		}
		for _, o := range candidates {
			if o.has(r) {
				out[i].open = append(out[i].open, o)
			}
		}
	}
	return out
}

// unopened returns the blocks of the closed ranges that none of the openings opens.
func unopened(openings []opening, closed []netip.Prefix) []block {
	isClosed := func(r region) bool {
		return len(r.open) == 0 && slices.ContainsFunc(closed, func(c netip.Prefix) bool { return within(r.cidr, c) })
	}
	all := regions(openings, closed...)
	var out []block
	for i, r := range all {
		if !isClosed(r) || r.parent >= 0 && isClosed(all[r.parent]) {
			continue
		}
		var except []netip.Prefix
		for _, inner := range all[i+1:] {
			if !feature.InsidePrefix(inner.cidr, r.cidr) {
				break
			}
			if len(inner.open) > 0 {
				except = append(except, inner.cidr)
			}
		}
		out = append(out, block{r.cidr, feature.OutermostPrefixes(except)})
	}
	return out
}
