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

// Power says how much a set of RBAC rules lets its holder do to a tenant, by effect: a rule counts for the worst that
// someone who wants to can make of it. Powers are ordered; a greater one is worse.
type Power int

const (
	// PowerNone touches nothing of a tenant's: discovery, URLs that aren't resources, reviews of one's own rights,
	// requests for certificates that somebody must approve, and what the cluster offers to all (nodes, storage classes,
	// API definitions) when it is only read.
	PowerNone Power = iota
	// PowerNames sees that namespaces and volumes exist, and their labels, but nothing in them.
	PowerNames
	// PowerRead reads objects, but no secrets.
	PowerRead
	// PowerUnknown is what a role allows that can't be looked up. It counts as more than reading.
	PowerUnknown
	// PowerWrite changes objects.
	PowerWrite
	// PowerSecrets reads secrets, or runs code as the namespace's workloads, which comes to the same.
	PowerSecrets
	// PowerAdmin changes the walls or who has access. The ClusterRoles edit (it writes NetworkPolicies) and admin have it.
	PowerAdmin
	// PowerEscalate gets its holder powers that a namespace's admin doesn't have: everything, bind, escalate,
	// impersonation of users, the namespace's own labels, a node, admission, the API definitions.
	PowerEscalate
)

// String returns the power's name in one lower-case word.
func (p Power) String() string {
	names := [...]string{"none", "names", "read", "unknown", "write", "secrets", "admin", "escalate"}
	if p < 0 || int(p) >= len(names) {
		return "invalid"
	}
	return names[p]
}

// NamespacePower is what the rules allow in a namespace to whom a RoleBinding there gives them. Rules about
// cluster-scoped objects have no effect there, the namespace itself excepted:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go#L191-L194
func NamespacePower(rules []rbacv1.PolicyRule) Power { return accessReachOf(rules, false).power }

// ClusterPower is what the rules allow in every namespace to whom a ClusterRoleBinding gives them.
func ClusterPower(rules []rbacv1.PolicyRule) Power { return accessReachOf(rules, true).power }

// accessMaxTuples bounds how many combinations of group, resource, verb and name are looked at for one rule. The largest
// rule that Kubernetes ships has some hundred. What is beyond it is taken for the worst that it could be.
const accessMaxTuples = 10_000

// accessReach is what a set of rules reaches.
type accessReach struct {
	// power is the greatest.
	power Power
	// can has the bit of every capability that the rules reach, see accessCapabilities.
	can uint64
}

// join returns what both together reach.
func (r accessReach) join(other accessReach) accessReach {
	return accessReach{power: max(r.power, other.power), can: r.can | other.can}
}

// accessUnknown is the reach of a role that can't be looked up.
func accessUnknown() accessReach { return accessReach{power: PowerUnknown} }

// accessReachOf tells what the rules reach, in every namespace if cluster is set, else in one.
func accessReachOf(rules []rbacv1.PolicyRule, cluster bool) accessReach {
	var reach accessReach
	floor := PowerNone
	for i := range rules {
		rule := &rules[i]
		found := false
		for bit := range accessCapabilities {
			if c := &accessCapabilities[bit]; (cluster || !c.cluster) && c.in(rule) {
				reach, found = reach.join(accessReach{power: c.power, can: 1 << bit}), true
			}
		}
		if !found {
			// Every capability is at least as much as a floor.
			floor = max(floor, accessFloor(rule, cluster))
		}
	}
	if bit, ok := accessFloorBit(floor); ok {
		reach = reach.join(accessReach{power: floor, can: 1 << bit})
	}
	return reach
}

// in says whether a rule reaches the capability. It asks as the authorizer does, but a rule that is limited to names
// counts as one that isn't: which objects there will be under a name is not known.
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/rbac/v1/evaluation_helpers.go
func (c *accessCapability) in(rule *rbacv1.PolicyRule) bool {
	if c.everything {
		return slices.Contains(rule.Verbs, rbacv1.VerbAll) && slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) &&
			slices.Contains(rule.Resources, rbacv1.ResourceAll) && len(rule.ResourceNames) == 0
	}
	return accessAllowsVerb(rule.Verbs, c.verbs) && accessAllowsGroup(rule.APIGroups, c.groups) &&
		accessAllowsResource(rule.Resources, c.resources)
}

func accessAllowsVerb(have, wanted []string) bool {
	return slices.ContainsFunc(have, func(verb string) bool {
		if verb == rbacv1.VerbAll || slices.Contains(wanted, rbacv1.VerbAll) || slices.Contains(wanted, verb) {
			return true
		}
		// Constrained impersonation has the verbs impersonate:user-info, impersonate:serviceaccount and so on:
		// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation/mode.go#L247-L258
		general, _, constrained := strings.Cut(verb, ":")
		return constrained && slices.Contains(wanted, general)
	})
}

func accessAllowsGroup(have, wanted []string) bool {
	return slices.ContainsFunc(have, func(group string) bool {
		return group == rbacv1.APIGroupAll || slices.Contains(wanted, group)
	})
}

func accessAllowsResource(have, wanted []string) bool {
	return slices.ContainsFunc(have, func(resource string) bool {
		if resource == rbacv1.ResourceAll || slices.Contains(wanted, resource) {
			return true
		}
		subresource, ok := strings.CutPrefix(resource, "*/")
		return ok && slices.ContainsFunc(wanted, func(want string) bool {
			_, sub, has := strings.Cut(want, "/")
			return has && sub == subresource
		})
	})
}

// accessFloor is the power of a rule whatever its resources are good for: reading is PowerRead, every other verb is
// PowerWrite, what is harmless is less. It is found out tuple by tuple.
func accessFloor(rule *rbacv1.PolicyRule, cluster bool) Power {
	ceiling := PowerRead
	if slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !accessReads(verb) }) {
		ceiling = PowerWrite
	}
	// An empty name stands for requests without a name, such as a list of everything.
	named := len(rule.ResourceNames) > 0 && !slices.Contains(rule.ResourceNames, "")
	floor, budget := PowerNone, accessMaxTuples
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				if budget--; budget < 0 {
					return ceiling
				}
				floor = max(floor, accessTuple(accessResource{group, resource}, verb, named, cluster))
				if floor == ceiling {
					return floor
				}
			}
		}
	}
	return floor
}

// accessTuple is the power of one verb on one resource.
func accessTuple(resource accessResource, verb string, named, cluster bool) Power {
	if slices.Contains(accessHarmless[resource], verb) || slices.Contains(accessHarmless[resource], rbacv1.VerbAll) {
		return PowerNone
	}
	base, _, _ := strings.Cut(resource.resource, "/")
	_, clusterScoped := accessClusterScoped[accessResource{resource.group, base}]
	reading, known := accessClusterScoped[resource]
	switch {
	case clusterScoped && !cluster:
		return PowerNone
	case !accessReads(verb):
		return PowerWrite
	case named && accessOwnNames[resource]:
		return PowerNone
	case known:
		return reading
	case resource == accessResource{"", "namespaces"}:
		return PowerNames
	default:
		return PowerRead
	}
}

func accessReads(verb string) bool { return verb == "get" || verb == "list" || verb == "watch" }
