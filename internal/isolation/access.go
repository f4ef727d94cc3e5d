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

// AccessInput is what is known of the access to one namespace. It is shared with caches and never changed.
type AccessInput struct {
	// Tenant holds the namespace.
	Tenant string
	// Namespace is the namespace's name.
	Namespace string
	// Spec are the RoleBindings that the tenant's spec asks for in the namespace.
	Spec []*rbacv1.RoleBinding
	// Live are all RoleBindings that there are in the namespace.
	Live []*rbacv1.RoleBinding
	// ClusterRole looks up a ClusterRole; nil for one that isn't known. A nil function knows none. It is asked for the
	// roles of all bindings, and for admin.
	ClusterRole func(name string) *rbacv1.ClusterRole
}

// Access compares who has access to a namespace with whom the spec gives access, and returns one finding for each
// RoleBinding that gives someone more. It goes by effect: what the spec gives a subject is the union of the roles of
// all bindings of the spec that name it, in any spelling, and only rules that none of these cover count.
//
// A finding is
//   - any access of someone outside the tenant: everybody (system:authenticated and the like), who belongs to another
//     tenant, and who belongs to none;
//   - more access of a member than the spec gives;
//   - a ServiceAccount of the tenant's own namespaces with more than the ClusterRole admin allows, if that reaches the
//     walls or beyond the namespace. Whatever else a tenant gives its own workloads is its own business.
//
// Parts of Kubernetes itself are trusted: ServiceAccounts of kube-system, users system:kube-* and system:node:*, groups
// system:masters and system:nodes.
//
// Roles aren't looked up. What one allows is unknown, but not more than an admin of the namespace holds who wrote it:
// it counts as a little more than reading, and as nothing new for a subject that the spec makes an admin or editor. So
// does a ClusterRole that isn't known.
//
// Severities: Critical for everybody with any access, and for others outside the tenant who can change objects, reach
// secrets or more. High for others outside who can read or whose role is unknown, and for members and ServiceAccounts
// of the tenant who reach secrets, walls or more beyond the spec. Medium for the rest: members beyond the spec with
// less, and outsiders who see no more than the namespace's name and labels.
//
// The gravest findings come first. Since is left zero.
func Access(subjects *Subjects, in AccessInput) []v1alpha1.IsolationFinding {
	judge := newAccessJudge(subjects, in)
	var findings []v1alpha1.IsolationFinding
	for _, binding := range in.Live {
		if binding == nil {
			continue
		}
		if finding, ok := judge.binding(binding); ok {
			findings = append(findings, finding)
		}
	}
	slices.SortStableFunc(findings, func(a, b v1alpha1.IsolationFinding) int {
		return cmp.Or(a.Severity.Compare(b.Severity),
			cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Message, b.Message))
	})
	return findings
}

// accessJudge judges the bindings of one namespace.
type accessJudge struct {
	subjects *Subjects
	in       AccessInput
	// granted are the roles that the spec gives to a subject, sorted.
	granted map[subjectKey][]rbacv1.RoleRef
	// excess remembers what a role gives beyond others: most subjects of a binding have the same.
	excess map[string]accessReach
}

// accessOffender is a subject with access that the spec doesn't give it.
type accessOffender struct {
	subject  rbacv1.Subject
	severity v1alpha1.Severity
	reach    accessReach
	// who says in what relation the subject is to the tenant.
	who string
}

func newAccessJudge(subjects *Subjects, in AccessInput) *accessJudge {
	j := &accessJudge{subjects: subjects, in: in, granted: map[subjectKey][]rbacv1.RoleRef{}, excess: map[string]accessReach{}}
	for _, binding := range in.Spec {
		if binding == nil {
			continue
		}
		for _, subject := range binding.Subjects {
			if key, ok := keyOf(subject, in.Namespace); ok {
				j.granted[key] = accessRefs(j.granted[key], binding.RoleRef)
			}
		}
	}
	return j
}

// accessRefs adds references to a list that stays sorted and holds each once. The list is replaced, not changed.
func accessRefs(list []rbacv1.RoleRef, more ...rbacv1.RoleRef) []rbacv1.RoleRef {
	all := slices.Concat(list, more)
	for i := range all {
		// Roles are of one group only; a reference that doesn't say it means the same.
		all[i].APIGroup = ""
	}
	slices.SortFunc(all, func(a, b rbacv1.RoleRef) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return slices.Compact(all)
}

func (j *accessJudge) binding(binding *rbacv1.RoleBinding) (v1alpha1.IsolationFinding, bool) {
	var offenders []accessOffender
	for _, subject := range binding.Subjects {
		if offender, ok := j.subject(binding.RoleRef, subject); ok {
			offenders = append(offenders, offender)
		}
	}
	if len(offenders) == 0 {
		return v1alpha1.IsolationFinding{}, false
	}
	slices.SortFunc(offenders, func(a, b accessOffender) int {
		return cmp.Or(a.severity.Compare(b.severity), accessCompare(a.subject, b.subject))
	})
	offenders = slices.CompactFunc(offenders, func(a, b accessOffender) bool { return accessCompare(a.subject, b.subject) == 0 })
	return v1alpha1.IsolationFinding{
		Type:      v1alpha1.FindingAccessExposure,
		Severity:  offenders[0].severity,
		Object:    accessObject(accessKindRoleBinding, j.in.Namespace, binding.Name),
		Namespace: j.in.Namespace,
		Message:   accessFit(func(longest int) string { return j.sentence(binding, offenders, longest) }),
	}, true
}

// accessCompare orders subjects, whatever API group they are given.
func accessCompare(a, b rbacv1.Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// sentence says who got what, such as: RoleBinding "ops" gives Group "devs" (of another tenant) ClusterRole "view": they
// may read objects in namespace "shop", beyond the spec.
func (j *accessJudge) sentence(binding *rbacv1.RoleBinding, offenders []accessOffender, longest int) string {
	var who []string
	var reach accessReach
	for _, o := range offenders {
		reach = reach.join(o.reach)
		if len(who) <= accessMaxListed {
			who = append(who, accessSubject(o.subject, j.in.Namespace, longest)+" ("+o.who+")")
		}
	}
	// What is counted needn't be spelled out.
	who = append(who, make([]string, len(offenders)-len(who))...)
	return strings.Join([]string{
		accessKindRoleBinding, accessQuote(binding.Name, longest), "gives", accessList(who, accessMore),
		accessMay(binding.RoleRef, reach, longest), "in namespace", j.in.Namespace + ", beyond the spec",
	}, " ")
}

// subject says what a role gives to a subject beyond the spec; ok is false if that is nothing of note.
func (j *accessJudge) subject(ref rbacv1.RoleRef, subject rbacv1.Subject) (offender accessOffender, ok bool) {
	key, ok := keyOf(subject, j.in.Namespace)
	if !ok || key.trusted() {
		return accessOffender{}, false
	}
	offender.subject = subject
	if j.workload(key) {
		offender.reach, ok = j.beyondAdmin(ref, key)
		offender.who, offender.severity = "of this tenant", v1alpha1.SeverityHigh
		return offender, ok
	}
	offender.reach = j.beyond(ref, j.grants(key))
	who, insider := j.relation(key)
	if offender.who = who; insider {
		offender.severity = accessMemberSeverity(offender.reach.power)
		return offender, offender.reach.power > PowerNames
	}
	offender.severity = accessOutsiderSeverity(offender.reach.power, key.everybody())
	return offender, offender.reach.power > PowerNone
}

// relation says who a subject is to the tenant, and whether it is one of its members.
func (j *accessJudge) relation(key subjectKey) (who string, member bool) {
	places := j.subjects.memberships(key)
	belongs := slices.ContainsFunc(places, func(m subjectMembership) bool { return m.tenant == j.in.Tenant })
	switch {
	case key.everybody():
		// Also if the spec gives everybody something: what is beyond it is open to all.
		return accessEverybody(key), false
	case belongs, len(j.granted[key]) > 0:
		return "a member with less in the spec", true
	case len(places) > 0:
		return "of another tenant", false
	default:
		return "not in the spec", false
	}
}

func accessOutsiderSeverity(power Power, everybody bool) v1alpha1.Severity {
	switch {
	case power <= PowerNames:
		return v1alpha1.SeverityMedium
	case everybody || power >= PowerWrite:
		return v1alpha1.SeverityCritical
	default:
		return v1alpha1.SeverityHigh
	}
}

func accessMemberSeverity(power Power) v1alpha1.Severity {
	if power >= PowerSecrets {
		return v1alpha1.SeverityHigh
	}
	return v1alpha1.SeverityMedium
}

// workload says whether the subject is a ServiceAccount of the tenant's own namespaces, or all of one of them.
func (j *accessJudge) workload(key subjectKey) bool {
	namespace, ok := key.accountNamespace()
	return ok && (namespace == j.in.Namespace || j.subjects.holds(j.in.Tenant, namespace))
}

// beyondAdmin says what a role gives to a ServiceAccount of the tenant beyond what its admins have.
func (j *accessJudge) beyondAdmin(ref rbacv1.RoleRef, key subjectKey) (reach accessReach, ok bool) {
	if ref.Kind != accessKindClusterRole || j.clusterRole(ref.Name) == nil {
		// What isn't known doesn't count here: nearly every workload has a Role of its own.
		return accessReach{}, false
	}
	admin := rbacv1.RoleRef{Kind: accessKindClusterRole, Name: (&v1alpha1.Member{Role: v1alpha1.RoleAdmin}).ClusterRole()}
	reach = j.beyond(ref, accessRefs(j.grants(key), admin))
	if j.clusterRole(admin.Name) == nil {
		return reach, reach.power >= PowerEscalate
	}
	return reach, reach.power >= PowerAdmin
}

// grants returns the roles that the spec gives to a subject, under its own name or as one of a group that Kubernetes
// itself puts it into.
func (j *accessJudge) grants(key subjectKey) []rbacv1.RoleRef {
	refs := j.granted[key]
	for _, group := range key.wider() {
		if more := j.granted[group]; len(more) > 0 {
			refs = accessRefs(refs, more...)
		}
	}
	return refs
}

// beyond says what a role gives in the namespace that the granted roles don't.
func (j *accessJudge) beyond(ref rbacv1.RoleRef, granted []rbacv1.RoleRef) accessReach {
	ref.APIGroup = ""
	if slices.Contains(granted, ref) {
		return accessReach{}
	}
	var id strings.Builder
	for _, r := range append([]rbacv1.RoleRef{ref}, granted...) {
		// Neither a kind nor the name of a role has a slash in it.
		id.WriteString(r.Kind + "/" + r.Name + "/")
	}
	reach, known := j.excess[id.String()]
	if !known {
		reach = j.compare(ref, granted)
		j.excess[id.String()] = reach
	}
	return reach
}

func (j *accessJudge) compare(ref rbacv1.RoleRef, granted []rbacv1.RoleRef) accessReach {
	var owner []rbacv1.PolicyRule
	for _, r := range granted {
		if r.Kind == accessKindClusterRole {
			if role := j.clusterRole(r.Name); role != nil {
				owner = append(owner, role.Rules...)
			}
		}
	}
	if ref.Kind == accessKindClusterRole {
		if role := j.clusterRole(ref.Name); role != nil {
			return accessReachOf(accessUncovered(owner, role.Rules), false)
		}
	} else if ref.Kind != "Role" {
		// The authorizer knows no other kind.
		return accessReach{}
	}
	if NamespacePower(owner) >= PowerAdmin {
		return accessReach{}
	}
	return accessUnknown()
}

func (j *accessJudge) clusterRole(name string) *rbacv1.ClusterRole {
	if j.in.ClusterRole == nil {
		return nil
	}
	return j.in.ClusterRole(name)
}
