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
	"maps"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// CanonicalSelector returns a copy of the selector with its expressions and their values sorted, each once. Nil is the
// empty selector, which selects everything.
func CanonicalSelector(s *metav1.LabelSelector) *metav1.LabelSelector {
	out := &metav1.LabelSelector{}
	if s == nil {
		return out
	}
	if len(s.MatchLabels) > 0 {
		out.MatchLabels = maps.Clone(s.MatchLabels)
	}
	for _, e := range s.MatchExpressions {
		e.Values = slices.Compact(slices.Sorted(slices.Values(e.Values)))
		out.MatchExpressions = append(out.MatchExpressions, e)
	}
	compare := func(a, b metav1.LabelSelectorRequirement) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Operator, b.Operator), slices.Compare(a.Values, b.Values))
	}
	slices.SortFunc(out.MatchExpressions, compare)
	out.MatchExpressions = slices.CompactFunc(out.MatchExpressions, func(a, b metav1.LabelSelectorRequirement) bool {
		return compare(a, b) == 0
	})
	return out
}

// SelectorConfig returns the selector in canonical form, to be applied.
func SelectorConfig(s *metav1.LabelSelector) *metav1ac.LabelSelectorApplyConfiguration {
	canonical := CanonicalSelector(s)
	selector := metav1ac.LabelSelector().WithMatchLabels(canonical.MatchLabels)
	for _, e := range canonical.MatchExpressions {
		selector.WithMatchExpressions(metav1ac.LabelSelectorRequirement().
			WithKey(e.Key).WithOperator(e.Operator).WithValues(e.Values...))
	}
	return selector
}

// ParseCIDR returns the range with the bits behind the prefix cleared. The API server would refuse such bits, and
// refuses IPv4 addresses written as IPv6, which network plugins read in different ways:
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/4858-ip-cidr-validation
func ParseCIDR(c v1alpha1.CIDR, at *field.Path) (netip.Prefix, *field.Error) {
	const allowed = `must be a range of IPv4 or IPv6 addresses, as "10.20.0.0/16" or "2001:db8::/32"`
	prefix, err := netip.ParsePrefix(string(c))
	if err != nil {
		return netip.Prefix{}, field.Invalid(at, c, allowed)
	}
	if prefix.Addr().Is4In6() {
		return netip.Prefix{}, field.Invalid(at, c, allowed+"; an IPv4 range must be written as IPv4")
	}
	return prefix.Masked(), nil
}
