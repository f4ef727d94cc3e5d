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

package feature

import (
	"cmp"
	"net/netip"
	"slices"
)

// OutermostPrefixes returns the ranges sorted, without those that are inside another. They must be masked.
func OutermostPrefixes(ranges []netip.Prefix) []netip.Prefix {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	// Two ranges are one inside the other, or have nothing in common, and the larger of two comes first.
	var out []netip.Prefix
	for _, r := range sorted {
		if len(out) == 0 || !out[len(out)-1].Contains(r.Addr()) {
			out = append(out, r)
		}
	}
	return out
}

// InsidePrefix reports whether a range is inside another and smaller than it. They must be masked.
func InsidePrefix(inner, outer netip.Prefix) bool {
	return inner.Bits() > outer.Bits() && outer.Contains(inner.Addr())
}
