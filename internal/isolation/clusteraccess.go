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
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// ClusterExposure is a ClusterRoleBinding that gives everybody, or someone who belongs to a tenant, power over the
// namespaces of tenants. It is immutable.
type ClusterExposure struct {
	// Binding is the name of the ClusterRoleBinding.
	Binding string
	// Role is the ClusterRole that it binds.
	Role rbacv1.RoleRef
	// Power is what it gives in every namespace.
	Power Power
	// Subjects are those that it gives it to and that belong to a tenant or stand for everybody, sorted.
	Subjects []rbacv1.Subject
	// Tenants are those that the subjects belong to, sorted.
	Tenants []string
	// Everybody says that one of the subjects stands for everybody: all who log in, all ServiceAccounts, or whoever
	// doesn't log in at all.
	Everybody bool

	reach accessReach
	// everybody has what is to be said of every subject that stands for everybody, with the tenants that it doesn't
	// expose because their spec gives everybody as much.
	everybody []clusterGroup
	// members says that there are subjects that belong to a tenant; inside are the tenants that all of these belong to
	// or are given as much by, sorted: no outsider of these tenants is among them.
	members bool
	inside  []string
	// beyond are the tenants of which a member, or a ServiceAccount, gets more than their own spec gives it, sorted.
	beyond []string
}

// clusterGroup is a subject that stands for everybody.
type clusterGroup struct {
	key    subjectKey
	spared []string
}

// ClusterAccess returns the exposures of all the bindings, sorted by name: ClusterBinding for each of them.
func ClusterAccess(
	subjects *Subjects, bindings []*rbacv1.ClusterRoleBinding, clusterRole func(name string) *rbacv1.ClusterRole,
) []ClusterExposure {
	var exposures []ClusterExposure
	for _, binding := range bindings {
		if binding == nil {
			continue
		}
		var role *rbacv1.ClusterRole
		if clusterRole != nil {
			role = clusterRole(binding.RoleRef.Name)
		}
		if exposure, ok := ClusterBinding(subjects, binding, role); ok {
			exposures = append(exposures, exposure)
		}
	}
	slices.SortStableFunc(exposures, func(a, b ClusterExposure) int { return cmp.Compare(a.Binding, b.Binding) })
	return exposures
}

// ClusterBinding judges one ClusterRoleBinding. The role is the ClusterRole that it refers to; nil if that isn't known,
// and then its power is PowerUnknown. ok is false if the binding exposes no tenant, whichever tenants there are. The
// result holds until the binding, the role or the index changes.
//
// Only subjects that stand for everybody, or that belong to a tenant, count. Who is no tenant's member and is bound
// cluster-wide is the platform's business: platform teams, controllers, what runs in kube-system, and nodes. So is what
// the cluster lets everybody do with nothing of a tenant's, see PowerNone: a new cluster has no exposure.
//
// A subject of one tenant exposes every other tenant. It exposes its own tenant, too, if it gets more there than the
// spec gives it; since only names of roles are known of the spec, this is judged by power: a viewer may read, an editor,
// an admin and a member with another ClusterRole may have what PowerAdmin means, as may the tenant's ServiceAccounts. A
// subject that stands for everybody exposes all tenants, but for those whose spec gives everybody as much.
func ClusterBinding(subjects *Subjects, binding *rbacv1.ClusterRoleBinding, role *rbacv1.ClusterRole) (ClusterExposure, bool) {
	if binding == nil || binding.RoleRef.Kind != accessKindClusterRole {
		// The authorizer looks for no other kind here.
		return ClusterExposure{}, false
	}
	reach := accessUnknown()
	if role != nil {
		reach = accessReachOf(role.Rules, true)
	}
	if reach.power == PowerNone {
		return ClusterExposure{}, false
	}
	e := ClusterExposure{Binding: binding.Name, Role: binding.RoleRef, Power: reach.power, reach: reach}
	for _, subject := range binding.Subjects {
		e.add(subjects, subject)
	}
	if len(e.Subjects) == 0 {
		return ClusterExposure{}, false
	}
	slices.SortFunc(e.Subjects, accessCompare)
	e.Subjects = slices.CompactFunc(e.Subjects, func(a, b rbacv1.Subject) bool { return accessCompare(a, b) == 0 })
	slices.SortFunc(e.everybody, func(a, b clusterGroup) int { return cmp.Compare(a.key.name, b.key.name) })
	e.Tenants, e.beyond = clusterSet(e.Tenants), clusterSet(e.beyond)
	return e, true
}

// add takes one subject of the binding into account.
func (e *ClusterExposure) add(subjects *Subjects, subject rbacv1.Subject) {
	key, ok := keyOf(subject, "")
	if !ok || key.trusted() {
		return
	}
	places := subjects.memberships(key)
	if len(places) == 0 && !key.everybody() {
		return
	}
	e.Subjects = append(e.Subjects, subject)
	var spared []string
	for _, place := range slices.Concat(places, subjects.shared(key)) {
		if place.power >= e.Power {
			spared = append(spared, place.tenant)
		}
	}
	for _, place := range places {
		e.Tenants = append(e.Tenants, place.tenant)
	}
	if key.everybody() {
		e.Everybody = true
		e.everybody = append(e.everybody, clusterGroup{key: key, spared: clusterSet(spared)})
		return
	}
	inside := slices.Clone(spared)
	for _, place := range places {
		inside = append(inside, place.tenant)
		if e.Power > PowerNames && !slices.Contains(spared, place.tenant) {
			e.beyond = append(e.beyond, place.tenant)
		}
	}
	if inside = clusterSet(inside); e.members {
		inside = slices.DeleteFunc(inside, func(tenant string) bool {
			_, found := slices.BinarySearch(e.inside, tenant)
			return !found
		})
	}
	e.members, e.inside = true, inside
}

// clusterSet sorts the names and leaves each in once.
func clusterSet(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// For returns the finding of one tenant, with Namespace empty: it is about all its namespaces. ok is false if the
// binding doesn't expose that tenant.
//
// Severities are those of Access: Critical for everybody, and for others outside the tenant with more than reading. High
// for others outside who can read, or whose role isn't known, and for the tenant's own with secrets or more. Medium for
// the tenant's own with less, and for everyone who sees no more than names and labels.
//
// A tenant's members can read its status. So the sentence names the binding and the role, but neither the tenant nor the
// subjects that the power was given to, unless they stand for everybody.
func (e ClusterExposure) For(tenant string) (finding v1alpha1.IsolationFinding, ok bool) {
	has := func(names []string) bool {
		_, found := slices.BinarySearch(names, tenant)
		return found
	}
	open := slices.DeleteFunc(slices.Clone(e.everybody), func(group clusterGroup) bool { return has(group.spared) })
	var who string
	var severity v1alpha1.Severity
	switch {
	case len(open) > 0:
		severity = accessOutsiderSeverity(e.Power, true)
	case e.members && !has(e.inside):
		who, severity = "members or ServiceAccounts of another tenant", accessOutsiderSeverity(e.Power, false)
	case has(e.beyond):
		who, severity = "members or ServiceAccounts of this tenant", accessMemberSeverity(e.Power)
	default:
		return v1alpha1.IsolationFinding{}, false
	}
	return v1alpha1.IsolationFinding{
		Type:     v1alpha1.FindingAccessExposure,
		Severity: severity,
		Object:   accessObject(accessKindClusterRoleBinding, "", e.Binding),
		Message:  accessFit(func(longest int) string { return e.sentence(who, open, longest) }),
	}, true
}

// sentence says who got what, such as: ClusterRoleBinding "ops" gives members or ServiceAccounts of another tenant
// ClusterRole "view": they may read objects in every namespace, beyond the spec.
func (e ClusterExposure) sentence(who string, open []clusterGroup, longest int) string {
	if len(open) > 0 {
		var all []string
		for _, group := range open {
			all = append(all, group.key.kind+" "+accessQuote(group.key.name, longest)+" ("+accessEverybody(group.key)+")")
		}
		who = accessList(all, accessMore)
	}
	return strings.Join([]string{
		accessKindClusterRoleBinding, accessQuote(e.Binding, longest), "gives", who,
		accessMay(e.Role, e.reach, longest), "in every namespace, beyond the spec",
	}, " ")
}
