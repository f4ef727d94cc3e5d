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

package privilege

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// passedOn are rights of which no request tells: Kubernetes lets nobody grant what he doesn't have himself, or may
// bind, so the operator must hold what its members get.
var passedOn = []string{
	"bind clusterroles.rbac.authorization.k8s.io",
	"get namespaces",
	"get tenants.tenancy.bulkhead.dev",
}

// rbac are roles and bindings of both scopes. What is cluster-scoped has no namespace.
type rbac struct {
	roles    map[string]rbacv1.Role
	bindings []rbacv1.RoleBinding
}

func roleKey(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

func (r *rbac) addRole(kind string, meta metav1.ObjectMeta, rules []rbacv1.PolicyRule) {
	if r.roles == nil {
		r.roles = map[string]rbacv1.Role{}
	}
	r.roles[roleKey(kind, meta.Namespace, meta.Name)] = rbacv1.Role{ObjectMeta: meta, Rules: rules}
}

// granted are the rights that the operator's ServiceAccount is given by name, each once and sorted.
func (r *rbac) granted() ([]env.Right, error) {
	var rights []env.Right
	for i := range r.bindings {
		binding := &r.bindings[i]
		if !bindsOperator(binding.Subjects) {
			continue
		}
		namespace := ""
		if binding.RoleRef.Kind == "Role" {
			namespace = binding.Namespace
		}
		role, found := r.roles[roleKey(binding.RoleRef.Kind, namespace, binding.RoleRef.Name)]
		if !found {
			return nil, fmt.Errorf("binding %s/%s: there is no %s %s", binding.Namespace, binding.Name, binding.RoleRef.Kind, binding.RoleRef.Name)
		}
		rights = append(rights, expand(role.Rules, binding.Namespace)...)
	}
	slices.SortFunc(rights, func(a, b env.Right) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(rights), nil
}

func bindsOperator(subjects []rbacv1.Subject) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == v1alpha1.DefaultOperatorNamespace && s.Name == "bulkhead"
	})
}

func expand(rules []rbacv1.PolicyRule, namespace string) []env.Right {
	var rights []env.Right
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					rights = append(rights, env.Right{Verb: verb, Group: group, Resource: resource, Namespace: namespace})
				}
			}
			for _, url := range rule.NonResourceURLs {
				rights = append(rights, env.Right{Verb: verb, Resource: url, Namespace: namespace})
			}
		}
	}
	return rights
}

// unused names the rights that are granted and of which no use was made.
func unused(granted []env.Right, uses map[env.Right]bool) []string {
	var rest []string
	for _, right := range granted {
		made := false
		for use := range uses {
			made = made || right.Allows(use)
		}
		if !made {
			rest = append(rest, right.String())
		}
	}
	return rest
}

// grantedHere are the rights that the cluster's roles give to the operator.
func grantedHere(ctx context.Context) []env.Right {
	GinkgoHelper()
	found := &rbac{}
	clusterRoles, clusterBindings := &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}
	roles, bindings := &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}
	Expect(world.Admin.List(ctx, clusterRoles)).To(Succeed())
	Expect(world.Admin.List(ctx, clusterBindings)).To(Succeed())
	Expect(world.Admin.List(ctx, roles)).To(Succeed())
	Expect(world.Admin.List(ctx, bindings)).To(Succeed())
	for i := range clusterRoles.Items {
		found.addRole("ClusterRole", clusterRoles.Items[i].ObjectMeta, clusterRoles.Items[i].Rules)
	}
	for i := range roles.Items {
		found.addRole("Role", roles.Items[i].ObjectMeta, roles.Items[i].Rules)
	}
	for _, b := range clusterBindings.Items {
		found.bindings = append(found.bindings, rbacv1.RoleBinding{ObjectMeta: b.ObjectMeta, Subjects: b.Subjects, RoleRef: b.RoleRef})
	}
	found.bindings = append(found.bindings, bindings.Items...)
	granted, err := found.granted()
	Expect(err).NotTo(HaveOccurred())
	return granted
}

// requests are the operator's requests so far.
func requests() []env.Request {
	GinkgoHelper()
	var found []env.Request
	Expect(world.Requests(func(r *env.Request) { found = append(found, *r) })).To(Succeed())
	return found
}

// used are the rights of which requests made use: those, too, that a guard-rail refused, which is asked after RBAC.
func used(requests []env.Request) map[env.Right]bool {
	rights := map[env.Right]bool{}
	for _, r := range requests {
		if r.Refused() && !probing(r) {
			continue
		}
		for _, right := range r.Rights() {
			rights[right] = true
		}
	}
	return rights
}

// elsewhere are rights with env.Elsewhere in the place of the namespaces of the probes, as uses have it.
func elsewhere(granted []env.Right) []env.Right {
	for i := range granted {
		if v1alpha1.IsGuardProbeNamespace(granted[i].Namespace) {
			granted[i].Namespace = env.Elsewhere
		}
	}
	return granted
}

// probing reports whether a request was a probe of a guard-rail, which is to be refused. By what it was refused is for the
// prober to judge: a rail that can't be proven turns Guarded, and that is tested elsewhere.
func probing(r env.Request) bool {
	at := r.ObjectRef
	there := v1alpha1.IsGuardProbeNamespace(at.Namespace) || at.Resource == "namespaces" && v1alpha1.IsGuardProbeNamespace(at.Name)
	return there && r.Refused() && strings.HasSuffix(r.UserAgent, guard.UserAgent)
}
