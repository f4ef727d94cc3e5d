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
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// rbacRecord is what is in testdata/bootstrap-rbac.yaml: the RBAC of a new cluster.
type rbacRecord struct {
	ClusterRoles        []rbacv1.ClusterRole        `json:"clusterRoles"`
	ClusterRoleBindings []rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
	RoleBindings        []rbacv1.RoleBinding        `json:"roleBindings"`
}

var readRBAC = sync.OnceValues(func() (rbacRecord, error) {
	var b rbacRecord
	raw, err := os.ReadFile("testdata/bootstrap-rbac.yaml")
	if err != nil {
		return b, err
	}
	return b, yaml.UnmarshalStrict(raw, &b)
})

func rbacBootstrap(tb testing.TB) rbacRecord {
	tb.Helper()
	b, err := readRBAC()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// rbacRules parses rules, one a line, such as "get,list pods,secrets" or "* * apps" (verbs, resources, groups; no group is
// the core group) with "named=a,b" at the end for resourceNames and "" for an empty element.
func rbacRules(tb testing.TB, lines ...string) []rbacv1.PolicyRule {
	tb.Helper()
	list := func(s string) []string { return strings.Split(strings.ReplaceAll(s, `""`, ""), ",") }
	out := []rbacv1.PolicyRule{}
	for _, line := range lines {
		var r rbacv1.PolicyRule
		fields := strings.Fields(line)
		if names, ok := strings.CutPrefix(fields[len(fields)-1], "named="); ok {
			r.ResourceNames, fields = list(names), fields[:len(fields)-1]
		}
		switch len(fields) {
		case 2:
			fields = append(fields, `""`)
		case 3:
		default:
			tb.Fatalf("%q is no rule", line)
		}
		r.Verbs, r.Resources, r.APIGroups = list(fields[0]), list(fields[1]), list(fields[2])
		out = append(out, r)
	}
	return out
}

// rbacSubject parses "User name", "Group name", "ServiceAccount ns/name" and "ServiceAccount name".
func rbacSubject(tb testing.TB, s string) rbacv1.Subject {
	tb.Helper()
	kind, name, ok := strings.Cut(s, " ")
	if !ok {
		tb.Fatalf("%q is no subject", s)
	}
	out := rbacv1.Subject{Kind: kind, APIGroup: rbacv1.GroupName, Name: name}
	if kind == rbacv1.ServiceAccountKind {
		out.APIGroup = ""
		if namespace, account, ok := strings.Cut(name, "/"); ok {
			out.Namespace, out.Name = namespace, account
		}
	}
	return out
}

func rbacSubjects(tb testing.TB, all ...string) []rbacv1.Subject {
	tb.Helper()
	var out []rbacv1.Subject
	for _, s := range all {
		out = append(out, rbacSubject(tb, s))
	}
	return out
}

// rbacRole parses "ClusterRole name" and "Role name".
func rbacRole(tb testing.TB, s string) rbacv1.RoleRef {
	tb.Helper()
	kind, name, ok := strings.Cut(s, " ")
	if !ok {
		tb.Fatalf("%q is no role", s)
	}
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func rbacBinding(tb testing.TB, name, ref string, who ...string) *rbacv1.RoleBinding {
	tb.Helper()
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "acme-prod"}, RoleRef: rbacRole(tb, ref), Subjects: rbacSubjects(tb, who...),
	}
}

func rbacClusterBinding(tb testing.TB, name, ref string, who ...string) *rbacv1.ClusterRoleBinding {
	tb.Helper()
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacRole(tb, ref), Subjects: rbacSubjects(tb, who...),
	}
}

func rbacMember(tb testing.TB, name, clusterRole string, who ...string) v1alpha1.Member {
	tb.Helper()
	m := v1alpha1.Member{Name: name, Subjects: rbacSubjects(tb, who...)}
	for _, known := range []v1alpha1.Role{v1alpha1.RoleAdmin, v1alpha1.RoleEdit, v1alpha1.RoleView} {
		if (&v1alpha1.Member{Role: known}).ClusterRole() == clusterRole {
			m.Role = known
			return m
		}
	}
	m.ClusterRoleName = clusterRole
	return m
}

// rbacTenants are acme, whose namespaces are acme-dev and acme-prod, and globex, whose namespace is globex-prod.
func rbacTenants(tb testing.TB) *Subjects {
	tb.Helper()
	s := NewSubjects()
	s.Put("acme", rbacAcmeMembers(tb), []string{"acme-dev", "acme-prod"})
	s.Put("globex", []v1alpha1.Member{
		rbacMember(tb, "devs", "edit", "Group globex-devs", "User shared"),
		rbacMember(tb, "ci", "edit", "ServiceAccount ci/globex", "ServiceAccount kube-system/deployer"),
	}, []string{"globex-prod"})
	return s
}

func rbacAcmeMembers(tb testing.TB) []v1alpha1.Member {
	tb.Helper()
	restricted := rbacMember(tb, "devs-dev-only", "edit", "User rick")
	restricted.Namespaces = []string{"acme-dev"}
	return []v1alpha1.Member{
		rbacMember(tb, "owners", "admin", "Group acme-admins", "User shared"),
		rbacMember(tb, "devs", "edit", "Group acme-devs"),
		rbacMember(tb, "guests", "view", "User vera", "Group system:serviceaccounts:vendor", "ServiceAccount acme-dev/robot"),
		rbacMember(tb, "ci", "edit", "ServiceAccount ci/acme"),
		rbacMember(tb, "auditors", "acme-audit", "User ada"),
		restricted,
	}
}

// rbacAcmeProd is what the spec of acme asks for in acme-prod.
func rbacAcmeProd(tb testing.TB) []*rbacv1.RoleBinding {
	tb.Helper()
	var out []*rbacv1.RoleBinding
	for _, m := range rbacAcmeMembers(tb) {
		if len(m.Namespaces) == 0 || slices.Contains(m.Namespaces, "acme-prod") {
			out = append(out, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "bulkhead-" + m.Name, Namespace: "acme-prod"},
				RoleRef:    rbacRole(tb, "ClusterRole "+m.ClusterRole()), Subjects: m.Subjects,
			})
		}
	}
	return out
}

// rbacClusterRoles are those of a new cluster, and some that platform teams make.
func rbacClusterRoles(tb testing.TB) func(string) *rbacv1.ClusterRole {
	tb.Helper()
	all := map[string]*rbacv1.ClusterRole{}
	roles := rbacBootstrap(tb).ClusterRoles
	for name, lines := range map[string][]string{
		"acme-audit":      {"get,list,watch pods,configmaps"},
		"pod-reader":      {"get,list,watch pods"},
		"pod-killer":      {"delete pods"},
		"secret-reader":   {"get,list,watch secrets"},
		"one-secret":      {"get secrets named=db"},
		"exec":            {"create pods/exec"},
		"any-exec":        {"get */exec"},
		"scaler":          {"update,patch */scale apps"},
		"apps-owner":      {"* * apps"},
		"core-reader":     {"get,list,watch * *"},
		"namespace-sight": {"get,list,watch namespaces"},
		"own-namespace":   {"get namespaces named=acme-dev,acme-prod", "get tenants tenancy.bulkhead.dev named=acme"},
		"relabel":         {"patch namespaces"},
		"quota-writer":    {"update resourcequotas/status"},
		"binder":          {"bind clusterroles rbac.authorization.k8s.io named=admin"},
		"impersonator":    {"impersonate users,groups"},
		"node-reader":     {"get,list,watch nodes", "get,list,watch storageclasses storage.k8s.io"},
		"node-proxy":      {"get nodes/proxy"},
		"monitor":         {"* servicemonitors,prometheusrules monitoring.coreos.com"},
		"sar":             {"create subjectaccessreviews authorization.k8s.io", "create tokenreviews authentication.k8s.io"},
		"empty":           {},
	} {
		roles = append(roles, rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rbacRules(tb, lines...)})
	}
	for i := range roles {
		all[roles[i].Name] = &roles[i]
	}
	return func(name string) *rbacv1.ClusterRole { return all[name] }
}
