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
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func TestClusterBinding(t *testing.T) {
	t.Parallel()
	const (
		other = "members or ServiceAccounts of another tenant "
		own   = "members or ServiceAccounts of this tenant "
		edit  = `ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more`
		view  = `ClusterRole "view": they may read objects`
	)
	tests := map[string]struct {
		role string
		who  []string
		// The findings of acme, of globex, and of a tenant that neither has to do with: severity and sentence without
		// what all of them say.
		acme, globex, third string
	}{
		"a group of one tenant that edits":      {role: "ClusterRole edit", who: []string{"Group acme-devs"}, globex: "Critical " + other + edit, third: "Critical " + other + edit},
		"a viewer who edits":                    {role: "ClusterRole edit", who: []string{"User vera"}, acme: "High " + own + edit, globex: "Critical " + other + edit, third: "Critical " + other + edit},
		"a viewer who views":                    {role: "ClusterRole view", who: []string{"User vera"}, globex: "High " + other + view, third: "High " + other + view},
		"a member of one namespace who views":   {role: "ClusterRole view", who: []string{"User rick"}, acme: "Medium " + own + view, globex: "High " + other + view, third: "High " + other + view},
		"a member of two tenants":               {role: "ClusterRole edit", who: []string{"User shared"}, third: "Critical " + other + edit},
		"members of two tenants":                {role: "ClusterRole view", who: []string{"Group acme-devs", "Group globex-devs"}, acme: "High " + other + view, globex: "High " + other + view, third: "High " + other + view},
		"a member of two and one of one":        {role: "ClusterRole view", who: []string{"User shared", "Group acme-devs"}, globex: "High " + other + view, third: "High " + other + view},
		"a ServiceAccount":                      {role: "ClusterRole view", who: []string{"ServiceAccount acme-dev/x"}, globex: "High " + other + view, third: "High " + other + view},
		"a ServiceAccount as user":              {role: "ClusterRole view", who: []string{"User system:serviceaccount:globex-prod:x"}, acme: "High " + other + view, third: "High " + other + view},
		"all ServiceAccounts of a namespace":    {role: "ClusterRole view", who: []string{"Group system:serviceaccounts:globex-prod"}, acme: "High " + other + view, third: "High " + other + view},
		"a ServiceAccount of a group of a spec": {role: "ClusterRole view", who: []string{"ServiceAccount vendor/x"}, globex: "High " + other + view, third: "High " + other + view},
		"a custom role": {
			role: "ClusterRole secret-reader", who: []string{"Group acme-admins"},
			globex: "Critical " + other + `ClusterRole "secret-reader": they may read secrets`, third: "Critical " + other + `ClusterRole "secret-reader": they may read secrets`,
		},
		"cluster-admin exposes also its own tenant": {
			role: "ClusterRole cluster-admin", who: []string{"Group acme-admins"}, acme: "High " + own + `ClusterRole "cluster-admin": they may do everything`,
			globex: "Critical " + other + `ClusterRole "cluster-admin": they may do everything`, third: "Critical " + other + `ClusterRole "cluster-admin": they may do everything`,
		},
		"a workload as cluster-admin": {
			role: "ClusterRole cluster-admin", who: []string{"ServiceAccount acme-dev/operator"}, acme: "High " + own + `ClusterRole "cluster-admin": they may do everything`,
			globex: "Critical " + other + `ClusterRole "cluster-admin": they may do everything`, third: "Critical " + other + `ClusterRole "cluster-admin": they may do everything`,
		},
		"impersonation of users": {
			role: "ClusterRole impersonator", who: []string{"Group globex-devs"}, acme: "Critical " + other + `ClusterRole "impersonator": they may act as other users`,
			globex: "High " + own + `ClusterRole "impersonator": they may act as other users`, third: "Critical " + other + `ClusterRole "impersonator": they may act as other users`,
		},
		"the kubelets' API": {
			role: "ClusterRole node-proxy", who: []string{"Group globex-devs"}, acme: "Critical " + other + `ClusterRole "node-proxy": they may run commands in every pod of a node`,
			globex: "High " + own + `ClusterRole "node-proxy": they may run commands in every pod of a node`,
			third:  "Critical " + other + `ClusterRole "node-proxy": they may run commands in every pod of a node`,
		},
		"names of namespaces": {
			role: "ClusterRole namespace-sight", who: []string{"User rick"},
			globex: "Medium " + other + `ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
			third:  "Medium " + other + `ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
		},
		"one's own namespaces":                {role: "ClusterRole own-namespace", who: []string{"Group acme-devs"}},
		"what the cluster has for all":        {role: "ClusterRole node-reader", who: []string{"Group acme-devs", "Group system:authenticated"}},
		"rights that look up access":          {role: "ClusterRole sar", who: []string{"ServiceAccount acme-dev/vault"}},
		"a role that isn't there":             {role: "ClusterRole gone", who: []string{"Group acme-devs"}, globex: "High " + other + `whatever ClusterRole "gone" allows`, third: "High " + other + `whatever ClusterRole "gone" allows`},
		"a role that isn't there, for guests": {role: "ClusterRole gone", who: []string{"User vera"}, acme: "Medium " + own + `whatever ClusterRole "gone" allows`, globex: "High " + other + `whatever ClusterRole "gone" allows`, third: "High " + other + `whatever ClusterRole "gone" allows`},
		"a Role can't be bound cluster-wide":  {role: "Role edit", who: []string{"Group acme-devs"}},
		"everybody reads":                     {role: "ClusterRole view", who: []string{"Group system:authenticated"}, acme: `Critical Group "system:authenticated" (everybody who can log in) ` + view, globex: `Critical Group "system:authenticated" (everybody who can log in) ` + view, third: `Critical Group "system:authenticated" (everybody who can log in) ` + view},
		"everybody sees namespaces": {
			role: "ClusterRole namespace-sight", who: []string{"Group system:serviceaccounts"},
			acme:   `Medium Group "system:serviceaccounts" (every ServiceAccount of the cluster) ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
			globex: `Medium Group "system:serviceaccounts" (every ServiceAccount of the cluster) ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
			third:  `Medium Group "system:serviceaccounts" (every ServiceAccount of the cluster) ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
		},
		"everybody, and members who don't matter beside": {
			role: "ClusterRole view", who: []string{"Group system:unauthenticated", "User system:anonymous", "Group acme-devs", "User eve"},
			acme:   `Critical User "system:anonymous" (anybody without login) and Group "system:unauthenticated" (anybody without login) ` + view,
			globex: `Critical User "system:anonymous" (anybody without login) and Group "system:unauthenticated" (anybody without login) ` + view,
			third:  `Critical User "system:anonymous" (anybody without login) and Group "system:unauthenticated" (anybody without login) ` + view,
		},
		"the platform's people":        {role: "ClusterRole cluster-admin", who: []string{"User eve", "Group platform", "ServiceAccount monitoring/prometheus"}},
		"Kubernetes itself":            {role: "ClusterRole cluster-admin", who: []string{"Group system:masters", "Group system:nodes", "User system:kube-scheduler", "ServiceAccount kube-system/x", "User system:node:x"}},
		"Kubernetes itself, in a spec": {role: "ClusterRole cluster-admin", who: []string{"ServiceAccount kube-system/deployer"}},
		"nobody":                       {role: "ClusterRole cluster-admin"},
		"subjects that match not":      {role: "ClusterRole cluster-admin", who: []string{"Robot acme-devs", "ServiceAccount x"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := rbacClusterBinding(t, "extra", tc.role, tc.who...)
			before := b.DeepCopy()
			exposure, exposed := ClusterBinding(rbacTenants(t), b, rbacClusterRoles(t)(b.RoleRef.Name))
			if want := tc.acme+tc.globex+tc.third != ""; exposed != want {
				t.Errorf("exposed is %v", exposed)
			}
			for tenant, want := range map[string]string{"acme": tc.acme, "globex": tc.globex, "third": tc.third} {
				got := ""
				if f, ok := exposure.For(tenant); ok {
					got = strings.Replace(findingLines([]v1alpha1.IsolationFinding{f})[0], `ClusterRoleBinding "extra" gives `, "", 1)
					got = strings.TrimSuffix(got, " in every namespace, beyond the spec")
					full := v1alpha1.IsolationFinding{
						Type: v1alpha1.FindingAccessExposure, Severity: f.Severity, Message: f.Message,
						Object: v1alpha1.ObjectReference{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding", Name: "extra"},
					}
					if diff := cmp.Diff(full, f); diff != "" {
						t.Errorf("finding (-want +got):\n%s", diff)
					}
				}
				if got != want {
					t.Errorf("%s: got\n%s\nwant\n%s", tenant, got, want)
				}
			}
			if diff := cmp.Diff(before, b); diff != "" {
				t.Errorf("the binding was changed:\n%s", diff)
			}
		})
	}
}

func TestClusterExposureSaysWhoAndWhat(t *testing.T) {
	t.Parallel()
	b := rbacClusterBinding(t, "b", "ClusterRole edit", "User vera", "Group platform", "Group globex-devs", "Group system:authenticated", "User vera", "User shared")
	got := ClusterAccess(rbacTenants(t), []*rbacv1.ClusterRoleBinding{
		nil, b, rbacClusterBinding(t, "a", "ClusterRole view", "ServiceAccount acme-dev/x"), rbacClusterBinding(t, "c", "ClusterRole view", "User eve"),
	}, rbacClusterRoles(t))
	if len(got) != 2 || got[0].Binding != "a" || got[1].Binding != "b" {
		t.Fatalf("exposures: %v", got)
	}
	e := got[1]
	if e.Power != PowerAdmin || e.Role != b.RoleRef || !e.Everybody || got[0].Everybody {
		t.Errorf("power %s, role %v, everybody %v and %v", e.Power, e.Role, e.Everybody, got[0].Everybody)
	}
	if diff := cmp.Diff([]string{"acme", "globex"}, e.Tenants); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rbacSubjects(t, "Group globex-devs", "Group system:authenticated", "User shared", "User vera"), e.Subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	// Without roles all is unknown, and nil knows nobody but everybody.
	if got := ClusterAccess(nil, []*rbacv1.ClusterRoleBinding{b}, nil); len(got) != 1 || got[0].Power != PowerUnknown || len(got[0].Subjects) != 1 {
		t.Errorf("without roles: %v", got)
	}
	if _, ok := ClusterBinding(nil, nil, nil); ok {
		t.Error("no binding is an exposure")
	}
	if _, ok := (ClusterExposure{}).For("acme"); ok {
		t.Error("no exposure exposes")
	}
}

// What the spec gives everybody is no exposure of that tenant, also not by a binding to somebody in particular.
func TestClusterBindingSparesTenantsThatAreOpenToAll(t *testing.T) {
	t.Parallel()
	s := rbacTenants(t)
	s.Put("library", []v1alpha1.Member{rbacMember(t, "readers", "view", "Group system:authenticated")}, []string{"books"})
	for name, tc := range map[string]struct {
		role, who string
		exposed   bool
	}{
		"everybody reads":                {"ClusterRole view", "Group system:authenticated", false},
		"somebody of a tenant reads":     {"ClusterRole view", "Group acme-devs", false},
		"all ServiceAccounts read":       {"ClusterRole view", "Group system:serviceaccounts", false},
		"a tenant's ServiceAccount":      {"ClusterRole view", "ServiceAccount acme-dev/x", false},
		"everybody edits":                {"ClusterRole edit", "Group system:authenticated", true},
		"somebody of a tenant edits":     {"ClusterRole edit", "Group acme-devs", true},
		"those who don't log in, either": {"ClusterRole view", "Group system:unauthenticated", true},
	} {
		b := rbacClusterBinding(t, "b", tc.role, tc.who)
		exposure, ok := ClusterBinding(s, b, rbacClusterRoles(t)(b.RoleRef.Name))
		if !ok {
			t.Errorf("%s: no exposure at all", name)
		}
		if _, got := exposure.For("library"); got != tc.exposed {
			t.Errorf("%s: exposed is %v", name, got)
		}
		if _, got := exposure.For("third"); !got {
			t.Errorf("%s: another tenant isn't exposed", name)
		}
	}
}

// A sentence for one tenant must not tell who is a member of another.
func TestClusterExposureNamesNobody(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"User vera", "Group acme-devs", "ServiceAccount acme-dev/x", "User system:serviceaccount:ci:acme"} {
		exposure, ok := ClusterBinding(rbacTenants(t), rbacClusterBinding(t, "b", "ClusterRole cluster-admin", who), rbacClusterRoles(t)("cluster-admin"))
		finding, found := exposure.For("globex")
		if !ok || !found {
			t.Fatalf("%s: no finding", who)
		}
		for _, secret := range []string{"acme", "vera", "devs"} {
			if strings.Contains(finding.Message, secret) {
				t.Errorf("%s: the message names %s: %s", who, secret, finding.Message)
			}
		}
	}
}

// A new cluster opens nothing to anybody, whoever its tenants are; and each of its bindings would be an exposure if it
// bound cluster-admin.
func TestNewClusterHasNoExposure(t *testing.T) {
	t.Parallel()
	s := rbacTenants(t)
	s.Put("homely", []v1alpha1.Member{rbacMember(t, "all", "view", "Group system:authenticated", "Group system:serviceaccounts", "Group system:unauthenticated")}, nil)
	b := rbacBootstrap(t)
	if len(b.ClusterRoleBindings) < 50 || len(b.ClusterRoles) < 60 || len(b.RoleBindings) < 5 {
		t.Fatalf("only %d bindings and %d roles were recorded", len(b.ClusterRoleBindings), len(b.ClusterRoles))
	}
	var bindings []*rbacv1.ClusterRoleBinding
	open := 0
	for i := range b.ClusterRoleBindings {
		bindings = append(bindings, &b.ClusterRoleBindings[i])
		worse := b.ClusterRoleBindings[i].DeepCopy()
		worse.RoleRef.Name = "cluster-admin"
		if exposure, ok := ClusterBinding(s, worse, rbacClusterRoles(t)("cluster-admin")); ok && exposure.Everybody {
			open++
		}
	}
	for _, e := range ClusterAccess(s, bindings, rbacClusterRoles(t)) {
		t.Errorf("%s: power %s for %v", e.Binding, e.Power, e.Subjects)
	}
	// system:basic-user, system:discovery, system:public-info-viewer and the like.
	if open < 4 {
		t.Errorf("only %d bindings are for everybody", open)
	}
	for i := range b.RoleBindings {
		live := []*rbacv1.RoleBinding{&b.RoleBindings[i]}
		got := Access(s, AccessInput{Tenant: "acme", Namespace: b.RoleBindings[i].Namespace, Live: live, ClusterRole: rbacClusterRoles(t)})
		if len(got) != 0 {
			t.Errorf("%s: %v", b.RoleBindings[i].Name, findingLines(got))
		}
	}
}

// Another subject never makes an exposure go away, and the order of subjects doesn't matter.
func TestClusterBindingIsMonotoneAndDeterministic(t *testing.T) {
	t.Parallel()
	everyone := []string{
		"Group acme-admins", "Group acme-devs", "User vera", "User rick", "User shared", "User eve", "Group globex-devs",
		"ServiceAccount acme-dev/robot", "ServiceAccount globex-prod/x", "ServiceAccount x/y", "Group system:serviceaccounts:vendor",
		"Group system:authenticated", "User system:anonymous", "User system:kube-scheduler",
	}
	refs := []string{"admin", "edit", "view", "cluster-admin", "gone", "secret-reader", "node-reader", "namespace-sight", "impersonator"}
	s, roles := rbacTenants(t), rbacClusterRoles(t)
	s.Put("library", []v1alpha1.Member{rbacMember(t, "readers", "view", "Group system:authenticated")}, []string{"books"})
	found := 0
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		b := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: refs[rng.IntN(len(refs))]}}
		for range rng.IntN(5) {
			b.Subjects = append(b.Subjects, rbacSubject(t, everyone[rng.IntN(len(everyone))]))
		}
		role := roles(b.RoleRef.Name)
		first, _ := ClusterBinding(s, b, role)
		shuffled := b.DeepCopy()
		rng.Shuffle(len(b.Subjects), func(i, j int) {
			shuffled.Subjects[i], shuffled.Subjects[j] = shuffled.Subjects[j], shuffled.Subjects[i]
		})
		second, _ := ClusterBinding(s, shuffled, role)
		grown := b.DeepCopy()
		grown.Subjects = slices.Insert(grown.Subjects, rng.IntN(len(grown.Subjects)+1), rbacSubject(t, everyone[rng.IntN(len(everyone))]))
		third, _ := ClusterBinding(s, grown, role)
		for _, tenant := range []string{"acme", "globex", "library", "third"} {
			f, ok := first.For(tenant)
			if again, _ := second.For(tenant); !cmp.Equal(f, again) {
				t.Fatalf("seed %d, %s: another order, another answer:\n%s", seed, tenant, cmp.Diff(f, again))
			}
			if !ok {
				continue
			}
			found++
			if g, still := third.For(tenant); !still || g.Severity.Compare(f.Severity) > 0 {
				t.Fatalf("seed %d, %s: lost %s", seed, tenant, f.Message)
			}
		}
	}
	if found < 3000 {
		t.Errorf("%d findings in all: the law was hardly tried", found)
	}
}
