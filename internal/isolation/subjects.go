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
	"maps"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	// accessSystemNamespace is where Kubernetes runs its own components.
	accessSystemNamespace = "kube-system"

	subjectAccountUser  = "system:serviceaccount:"
	subjectAccountGroup = "system:serviceaccounts:"

	subjectAuthenticated   = "system:authenticated"
	subjectUnauthenticated = "system:unauthenticated"
	subjectAllAccounts     = "system:serviceaccounts"
	subjectAnonymous       = "system:anonymous"
)

// subjectKey is a subject in one spelling: a ServiceAccount is the user that it authenticates as.
type subjectKey struct {
	// kind is User or Group.
	kind, name string
}

// subjectMembership is a subject's place in a tenant.
type subjectMembership struct {
	tenant string
	// power is what the tenant's spec gives the subject in all of the tenant's namespaces.
	power Power
}

// Subjects is an index of who belongs to which tenant. To a tenant belong the subjects of its members, and all
// ServiceAccounts of its namespaces, in every spelling: as ServiceAccount, as User system:serviceaccount:<ns>:<name>,
// and as Group system:serviceaccounts:<ns>. A subject may belong to several tenants. It takes memory in proportion to
// the members' subjects and the namespaces, and is safe for concurrent use. The zero value is empty, a nil index is one
// that can't be filled.
type Subjects struct {
	mu      sync.RWMutex
	tenants map[string]subjectEntry
	// members and holders are sorted by tenant.
	members map[subjectKey][]subjectMembership
	holders map[string][]string
}

// subjectEntry is what one tenant contributes.
type subjectEntry struct {
	members    map[subjectKey]Power
	namespaces []string
}

// NewSubjects returns an empty index.
func NewSubjects() *Subjects { return &Subjects{} }

// Put replaces what is known of a tenant: its members, and the namespaces that it holds. Who isn't among the members
// given is an outsider, so it is for the caller to leave out those whose time is over. It says whether anything
// changed; if not, whatever was computed from the index still holds.
func (s *Subjects) Put(tenant string, members []v1alpha1.Member, namespaces []string) bool {
	next := subjectEntry{
		members:    memberSubjects(members),
		namespaces: slices.Compact(slices.Sorted(slices.Values(namespaces))),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.tenants[tenant]; known && maps.Equal(last.members, next.members) &&
		slices.Equal(last.namespaces, next.namespaces) {
		return false
	}
	s.remove(tenant)
	if s.tenants == nil {
		s.tenants, s.members, s.holders = map[string]subjectEntry{}, map[subjectKey][]subjectMembership{}, map[string][]string{}
	}
	s.tenants[tenant] = next
	for key, power := range next.members {
		list := s.members[key]
		i, _ := slices.BinarySearchFunc(list, tenant, subjectMembership.compare)
		s.members[key] = slices.Insert(list, i, subjectMembership{tenant: tenant, power: power})
	}
	for _, namespace := range next.namespaces {
		list := s.holders[namespace]
		i, _ := slices.BinarySearch(list, tenant)
		s.holders[namespace] = slices.Insert(list, i, tenant)
	}
	return true
}

// Delete forgets a tenant. It says whether it was known.
func (s *Subjects) Delete(tenant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.tenants[tenant]
	s.remove(tenant)
	return known
}

func (s *Subjects) remove(tenant string) {
	last := s.tenants[tenant]
	delete(s.tenants, tenant)
	for key := range last.members {
		list := slices.DeleteFunc(s.members[key], func(m subjectMembership) bool { return m.tenant == tenant })
		if s.members[key] = list; len(list) == 0 {
			delete(s.members, key)
		}
	}
	for _, namespace := range last.namespaces {
		list := slices.DeleteFunc(s.holders[namespace], func(holder string) bool { return holder == tenant })
		if s.holders[namespace] = list; len(list) == 0 {
			delete(s.holders, namespace)
		}
	}
}

func (m subjectMembership) compare(tenant string) int { return cmp.Compare(m.tenant, tenant) }

// memberSubjects returns the members' subjects with what the spec gives each of them in all namespaces. A member that
// is restricted to some namespaces has nothing in all of them.
func memberSubjects(members []v1alpha1.Member) map[subjectKey]Power {
	out := map[subjectKey]Power{}
	for i := range members {
		m := &members[i]
		power := PowerNone
		if len(m.Namespaces) == 0 {
			power = memberPower(m.ClusterRole())
		}
		for _, subject := range m.Subjects {
			if key, ok := keyOf(subject, ""); ok {
				out[key] = max(out[key], power)
			}
		}
	}
	return out
}

// memberPower is the power of the ClusterRoles that Kubernetes ships for users. What another ClusterRole allows isn't
// known here; the platform team lets it be bound, and it is taken for an admin's.
func memberPower(clusterRole string) Power {
	if clusterRole == (&v1alpha1.Member{Role: v1alpha1.RoleView}).ClusterRole() {
		return PowerRead
	}
	return PowerAdmin
}

// memberships returns the tenants that a subject belongs to, sorted. A tenant's own ServiceAccounts may have what its
// admins have.
func (s *Subjects) memberships(key subjectKey) []subjectMembership {
	if s == nil {
		return nil
	}
	namespace, account := key.accountNamespace()
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := slices.Clone(s.members[key])
	if account {
		if group := (subjectKey{rbacv1.GroupKind, subjectAccountGroup + namespace}); group != key {
			all = append(all, s.members[group]...)
		}
		for _, tenant := range s.holders[namespace] {
			all = append(all, subjectMembership{tenant: tenant, power: PowerAdmin})
		}
	}
	slices.SortFunc(all, func(a, b subjectMembership) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), -cmp.Compare(a.power, b.power))
	})
	return slices.CompactFunc(all, func(a, b subjectMembership) bool { return a.tenant == b.tenant })
}

// shared returns the tenants whose spec gives something to everybody, this subject among them, sorted.
func (s *Subjects) shared(key subjectKey) []subjectMembership {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []subjectMembership
	for _, group := range key.wider() {
		if group.everybody() {
			all = append(all, s.members[group]...)
		}
	}
	return all
}

// holds says whether a tenant holds a namespace.
func (s *Subjects) holds(tenant, namespace string) bool {
	if s == nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Contains(s.holders[namespace], tenant)
}

// keyOf returns a subject in its one spelling, as the authorizer takes it; ok is false for a subject that matches
// nobody. A ServiceAccount without a namespace is one of the binding's.
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/registry/rbac/validation/rule.go#L281-L304
func keyOf(subject rbacv1.Subject, bindingNamespace string) (key subjectKey, ok bool) {
	switch subject.Kind {
	case rbacv1.UserKind, rbacv1.GroupKind:
		return subjectKey{subject.Kind, subject.Name}, subject.Name != ""
	case rbacv1.ServiceAccountKind:
		namespace := cmp.Or(subject.Namespace, bindingNamespace)
		return subjectKey{rbacv1.UserKind, subjectAccountUser + namespace + ":" + subject.Name}, namespace != "" && subject.Name != ""
	default:
		return subjectKey{}, false
	}
}

// accountNamespace returns the namespace of a ServiceAccount, or of a group of all ServiceAccounts of one namespace.
func (k subjectKey) accountNamespace() (namespace string, ok bool) {
	if k.kind == rbacv1.GroupKind {
		return strings.CutPrefix(k.name, subjectAccountGroup)
	}
	rest, ok := strings.CutPrefix(k.name, subjectAccountUser)
	if !ok {
		return "", false
	}
	namespace, _, ok = strings.Cut(rest, ":")
	return namespace, ok
}

// wider returns the groups that everyone whom the key means is in, by what Kubernetes itself says; of other groups
// only whoever authenticates users knows.
func (k subjectKey) wider() []subjectKey {
	namespace, account := k.accountNamespace()
	group := func(name string) subjectKey { return subjectKey{rbacv1.GroupKind, name} }
	switch {
	case k == group(subjectAuthenticated), k == group(subjectUnauthenticated):
		return nil
	case k == (subjectKey{rbacv1.UserKind, subjectAnonymous}):
		return []subjectKey{group(subjectUnauthenticated)}
	case account && k.kind == rbacv1.UserKind:
		return []subjectKey{group(subjectAccountGroup + namespace), group(subjectAllAccounts), group(subjectAuthenticated)}
	case account:
		return []subjectKey{group(subjectAllAccounts), group(subjectAuthenticated)}
	default:
		return []subjectKey{group(subjectAuthenticated)}
	}
}

// everybody says whether the subject stands for everybody: all who log in, all ServiceAccounts, or whoever doesn't
// log in at all.
func (k subjectKey) everybody() bool {
	if k.kind == rbacv1.UserKind {
		return k.name == subjectAnonymous
	}
	return k.name == subjectAuthenticated || k.name == subjectUnauthenticated || k.name == subjectAllAccounts ||
		// Some distributions divide the authenticated by how they logged in.
		strings.HasPrefix(k.name, subjectAuthenticated+":")
}

// trusted says whether the subject is a part of Kubernetes itself, which nothing in a cluster can be guarded against:
// ServiceAccounts of kube-system, users system:kube-* (scheduler, controller manager, proxy), the group system:masters
// that RBAC doesn't bind at all, and nodes, which the Node authorizer keeps to the pods that run on them.
func (k subjectKey) trusted() bool {
	if namespace, ok := k.accountNamespace(); ok {
		return namespace == accessSystemNamespace
	}
	if k.kind == rbacv1.GroupKind {
		return k.name == "system:masters" || k.name == "system:nodes"
	}
	return strings.HasPrefix(k.name, "system:kube-") || strings.HasPrefix(k.name, "system:node:")
}
