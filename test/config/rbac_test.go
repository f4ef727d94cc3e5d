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

package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	operatorRole  = "bulkhead"
	bindableRoles = "bulkhead-bindable-roles"
)

// excess says what a rule grants that nothing here may grant: wildcards, Secrets, tokens and shells, escalate and
// impersonate, and a bind that isn't for ClusterRoles by name.
func excess(rule rbacv1.PolicyRule) []string {
	var found []string
	for field, values := range map[string][]string{
		"apiGroups": rule.APIGroups, "resources": rule.Resources, "verbs": rule.Verbs,
		"resourceNames": rule.ResourceNames, "nonResourceURLs": rule.NonResourceURLs,
	} {
		for _, value := range values {
			if strings.Contains(value, "*") {
				found = append(found, fmt.Sprintf("wildcard %q in %s", value, field))
			}
		}
	}
	for _, resource := range rule.Resources {
		switch name, _, _ := strings.Cut(resource, "/"); {
		case name == "secrets", name == "nodes",
			resource == "serviceaccounts/token", resource == "pods/exec", resource == "pods/attach",
			resource == "pods/portforward", resource == "pods/ephemeralcontainers":
			found = append(found, "resource "+resource)
		}
	}
	for _, verb := range rule.Verbs {
		switch verb {
		case "escalate", "impersonate":
			found = append(found, "verb "+verb)
		case "bind":
			if len(rule.ResourceNames) == 0 || !slices.Equal(rule.Resources, []string{"clusterroles"}) ||
				!slices.Equal(rule.Verbs, []string{"bind"}) || slices.Contains(rule.ResourceNames, "cluster-admin") {
				found = append(found, "bind on something else than harmless ClusterRoles by name")
			}
		}
	}
	slices.Sort(found)
	return found
}

// TestExcess shows that the check below can fail.
func TestExcess(t *testing.T) {
	group := []string{rbacv1.GroupName}
	cases := map[string]struct {
		rule rbacv1.PolicyRule
		want []string
	}{
		"enumerated": {
			rule: rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "list"}},
		},
		"wildcards": {
			rule: rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*/status"}, Verbs: []string{"*"}},
			want: []string{`wildcard "*" in apiGroups`, `wildcard "*" in verbs`, `wildcard "*/status" in resources`},
		},
		"wildcard of a URL": {
			rule: rbacv1.PolicyRule{NonResourceURLs: []string{"/metrics/*"}, Verbs: []string{"get"}},
			want: []string{`wildcard "/metrics/*" in nonResourceURLs`},
		},
		"secrets": {
			rule: rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}},
			want: []string{"resource secrets"},
		},
		"tokens and shells": {
			rule: rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"serviceaccounts/token", "pods/exec", "nodes/proxy"}, Verbs: []string{"create"}},
			want: []string{"resource nodes/proxy", "resource pods/exec", "resource serviceaccounts/token"},
		},
		"escalate and impersonate": {
			rule: rbacv1.PolicyRule{APIGroups: group, Resources: []string{"clusterroles", "users"}, Verbs: []string{"escalate", "impersonate"}},
			want: []string{"verb escalate", "verb impersonate"},
		},
		"bind by name": {
			rule: rbacv1.PolicyRule{APIGroups: group, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}, ResourceNames: []string{"view"}},
		},
		"bind of anything": {
			rule: rbacv1.PolicyRule{APIGroups: group, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}},
			want: []string{"bind on something else than harmless ClusterRoles by name"},
		},
		"bind of cluster-admin": {
			rule: rbacv1.PolicyRule{APIGroups: group, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}, ResourceNames: []string{"cluster-admin"}},
			want: []string{"bind on something else than harmless ClusterRoles by name"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, excess(tc.rule)); diff != "" {
				t.Errorf("excess (-want +got):\n%s", diff)
			}
		})
	}
}

// roles are the committed Roles and ClusterRoles, by kind/namespace/name.
func roles(t *testing.T) map[string]rbacv1.ClusterRole {
	t.Helper()
	all := map[string]rbacv1.ClusterRole{}
	for _, m := range committed(t) {
		if m.Kind == "Role" || m.Kind == "ClusterRole" {
			var role rbacv1.ClusterRole
			m.decode(t, &role)
			all[m.Kind+"/"+m.Namespace+"/"+m.Name] = role
		}
	}
	return all
}

func TestRolesAreEnumerated(t *testing.T) {
	all := roles(t)
	for _, name := range []string{operatorRole, bindableRoles} {
		if len(all["ClusterRole//"+name].Rules) == 0 {
			t.Errorf("there is no ClusterRole %s with rules", name)
		}
	}
	for id, role := range all {
		if role.AggregationRule != nil {
			t.Errorf("%s aggregates others: what it grants would not stand in it", id)
		}
		for i, rule := range role.Rules {
			for _, what := range excess(rule) {
				t.Errorf("%s, rule %d: %s", id, i, what)
			}
			if slices.Contains(rule.Verbs, "bind") && role.Name != bindableRoles {
				t.Errorf("%s, rule %d: bind belongs into %s, which the platform team edits", id, i, bindableRoles)
			}
		}
		for label := range role.Labels {
			// Reports are namespaced, and those who may view a namespace may read its report.
			reader := label == "rbac.authorization.k8s.io/aggregate-to-view" && onlyReads(role, "driftreports")
			if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") && !reader {
				t.Errorf("%s is aggregated (%s): tenants are cluster-scoped, a namespace's users must not read them", id, label)
			}
		}
	}
}

// onlyReads reports whether a role allows nothing but reading one resource of ours.
func onlyReads(role rbacv1.ClusterRole, resource string) bool {
	return len(role.Rules) == 1 && slices.Equal(role.Rules[0].Resources, []string{resource}) &&
		slices.Equal(role.Rules[0].APIGroups, []string{v1alpha1.GroupVersion.Group}) &&
		slices.Equal(role.Rules[0].Verbs, []string{"get", "list", "watch"})
}

// TestBindableRoles checks that each role of a member can be bound as Bulkhead is installed.
func TestBindableRoles(t *testing.T) {
	var names []string
	for _, rule := range roles(t)["ClusterRole//"+bindableRoles].Rules {
		names = append(names, rule.ResourceNames...)
	}
	var want []string
	for _, role := range []v1alpha1.Role{v1alpha1.RoleAdmin, v1alpha1.RoleEdit, v1alpha1.RoleView} {
		member := v1alpha1.Member{Role: role}
		want = append(want, member.ClusterRole())
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("bindable roles (-want +got):\n%s", diff)
	}
}

// TestBindings checks that roles go to the operator's service account only, and that they exist.
func TestBindings(t *testing.T) {
	all := roles(t)
	want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: operatorRole, Namespace: v1alpha1.DefaultOperatorNamespace}}
	found := 0
	for _, m := range committed(t) {
		if m.Kind != "RoleBinding" && m.Kind != "ClusterRoleBinding" {
			continue
		}
		found++
		var binding rbacv1.RoleBinding
		m.decode(t, &binding)
		if diff := cmp.Diff(want, binding.Subjects); diff != "" {
			t.Errorf("%s: subjects (-want +got):\n%s", m.origin, diff)
		}
		namespace := ""
		if binding.RoleRef.Kind == "Role" {
			namespace = binding.Namespace
		}
		if _, ok := all[binding.RoleRef.Kind+"/"+namespace+"/"+binding.RoleRef.Name]; !ok {
			t.Errorf("%s: there is no %s %s", m.origin, binding.RoleRef.Kind, binding.RoleRef.Name)
		}
	}
	if found == 0 {
		t.Error("no bindings found")
	}
}
