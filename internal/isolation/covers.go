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
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// accessUncovered returns what of the rules the owner's rules don't cover, in the rules' order; what is left of a rule
// that is covered in part is broken down to one group, one resource and one name each. It judges as Kubernetes does when
// somebody grants a role: each tuple must be covered by one rule of the owner, and a wildcard only by a wildcard. URLs
// that aren't resources are left out; they give no power over a tenant. A rule of more than accessMaxTuples tuples is
// covered as a whole or not at all.
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go
func accessUncovered(owner, rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var left []rbacv1.PolicyRule
	for i := range rules {
		rule := rbacv1.PolicyRule{
			Verbs: rules[i].Verbs, APIGroups: rules[i].APIGroups, Resources: rules[i].Resources, ResourceNames: rules[i].ResourceNames,
		}
		tuples := accessTuples(&rule)
		if tuples == 0 || accessCoveredBy(owner, &rule) {
			continue
		}
		if tuples > accessMaxTuples || len(owner) == 0 {
			left = append(left, rule)
			continue
		}
		left = append(left, accessBreakDown(owner, &rule)...)
	}
	return left
}

// accessTuples is the number of tuples of a rule, or some number above accessMaxTuples.
func accessTuples(rule *rbacv1.PolicyRule) int {
	n := 1
	for _, list := range []int{len(rule.Verbs), len(rule.APIGroups), len(rule.Resources), max(1, len(rule.ResourceNames))} {
		// Lists are far shorter than what overflows here.
		n = min(n*list, accessMaxTuples+1)
	}
	return n
}

// accessBreakDown returns one rule, with the verbs that aren't covered, for each group, resource and name.
func accessBreakDown(owner []rbacv1.PolicyRule, rule *rbacv1.PolicyRule) []rbacv1.PolicyRule {
	// Without names there is one round, for all names.
	names := [][]string{nil}
	if len(rule.ResourceNames) > 0 {
		names = slices.Collect(slices.Chunk(rule.ResourceNames, 1))
	}
	var left []rbacv1.PolicyRule
	for group := range slices.Chunk(rule.APIGroups, 1) {
		for resource := range slices.Chunk(rule.Resources, 1) {
			for _, name := range names {
				tuple := rbacv1.PolicyRule{APIGroups: group, Resources: resource, ResourceNames: name, Verbs: rule.Verbs}
				if accessCoveredBy(owner, &tuple) {
					continue
				}
				tuple.Verbs = nil
				for verb := range slices.Chunk(rule.Verbs, 1) {
					one := tuple
					one.Verbs = verb
					if !accessCoveredBy(owner, &one) {
						tuple.Verbs = append(tuple.Verbs, verb[0])
					}
				}
				if len(tuple.Verbs) > 0 {
					left = append(left, tuple)
				}
			}
		}
	}
	return left
}

// accessCoveredBy says whether one of the owner's rules covers all of the rule.
func accessCoveredBy(owner []rbacv1.PolicyRule, rule *rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(owner, func(o rbacv1.PolicyRule) bool {
		return accessHasAll(o.Verbs, rule.Verbs) && accessHasAll(o.APIGroups, rule.APIGroups) &&
			accessResourcesCover(o.Resources, rule.Resources) && accessNamesCover(o.ResourceNames, rule.ResourceNames)
	})
}

// accessHasAll says whether the set has a wildcard or every one of the wanted.
func accessHasAll(set, wanted []string) bool {
	return slices.Contains(set, "*") || accessMissing(set, wanted) == nil
}

func accessNamesCover(set, wanted []string) bool {
	// No names are all names.
	return len(set) == 0 || len(wanted) > 0 && accessMissing(set, wanted) == nil
}

func accessResourcesCover(set, wanted []string) bool {
	if slices.Contains(set, rbacv1.ResourceAll) {
		return true
	}
	var subresources []string
	for _, resource := range accessMissing(set, wanted) {
		_, subresource, ok := strings.Cut(resource, "/")
		if !ok {
			return false
		}
		subresources = append(subresources, "*/"+subresource)
	}
	return accessMissing(set, subresources) == nil
}

// accessMissing returns the wanted that aren't in the set, nil if all are.
func accessMissing(set, wanted []string) []string {
	has := func(s string) bool { return slices.Contains(set, s) }
	// Roles may be as large as the API server takes them; what is compared with what must not grow with the square.
	if len(set) > 64 && len(wanted) > 1 {
		index := make(map[string]struct{}, len(set))
		for _, s := range set {
			index[s] = struct{}{}
		}
		has = func(s string) bool { _, ok := index[s]; return ok }
	}
	var missing []string
	for _, s := range wanted {
		if !has(s) {
			missing = append(missing, s)
		}
	}
	return missing
}
