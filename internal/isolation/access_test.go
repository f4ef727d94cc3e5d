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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// findingLines returns the findings as lines: severity, then message.
func findingLines(findings []v1alpha1.IsolationFinding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, string(f.Severity)+" "+f.Message)
	}
	return out
}

func TestAccess(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role string
		who  []string
		// want is the severity and the sentence, without what all of them say; empty if there is nothing to be found.
		want string
	}{
		// Inside.
		"a member with what the spec says":      {role: "ClusterRole edit", who: []string{"Group acme-devs"}},
		"a member with less than the spec says": {role: "ClusterRole view", who: []string{"Group acme-devs"}},
		"a member with a part of it":            {role: "ClusterRole pod-reader", who: []string{"User vera"}},
		"a member with more": {
			role: "ClusterRole edit", who: []string{"User vera"},
			want: `High User "vera" (a member with less in the spec) ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more`,
		},
		"an editor who becomes admin": {
			role: "ClusterRole admin", who: []string{"Group acme-devs"},
			want: `High Group "acme-devs" (a member with less in the spec) ClusterRole "admin": they may give others access`,
		},
		"an admin who becomes cluster-admin here": {
			role: "ClusterRole cluster-admin", who: []string{"Group acme-admins"},
			want: `High Group "acme-admins" (a member with less in the spec) ClusterRole "cluster-admin": they may do everything`,
		},
		"a viewer who may kill pods": {
			role: "ClusterRole pod-killer", who: []string{"User vera"},
			want: `Medium User "vera" (a member with less in the spec) ClusterRole "pod-killer": they may change objects`,
		},
		"a viewer who may read one secret": {
			role: "ClusterRole one-secret", who: []string{"User vera"},
			want: `High User "vera" (a member with less in the spec) ClusterRole "one-secret": they may read secrets`,
		},
		"a viewer who may read custom resources": {
			role: "ClusterRole core-reader", who: []string{"User vera"},
			want: `High User "vera" (a member with less in the spec) ClusterRole "core-reader": they may read secrets, run commands in pods and connect to pods past the network walls`,
		},
		"a member of another namespace only": {
			role: "ClusterRole view", who: []string{"User rick"},
			want: `Medium User "rick" (a member with less in the spec) ClusterRole "view": they may read objects`,
		},
		"a member sees its namespace anyhow": {role: "ClusterRole namespace-sight", who: []string{"User ada"}},
		"a member with its custom role":      {role: "ClusterRole acme-audit", who: []string{"User ada"}},
		"a member with a custom role and more": {
			role: "ClusterRole view", who: []string{"User ada"},
			want: `Medium User "ada" (a member with less in the spec) ClusterRole "view": they may read objects`,
		},
		"a member of two tenants":                  {role: "ClusterRole admin", who: []string{"User shared"}},
		"a member's ServiceAccount of elsewhere":   {role: "ClusterRole edit", who: []string{"ServiceAccount ci/acme"}},
		"the same, spelled as the user that it is": {role: "ClusterRole edit", who: []string{"User system:serviceaccount:ci:acme"}},
		"the same with more": {
			role: "ClusterRole admin", who: []string{"User system:serviceaccount:ci:acme"},
			want: `High User "system:serviceaccount:ci:acme" (a member with less in the spec) ClusterRole "admin": they may give others access`,
		},
		"one of a group of ServiceAccounts in the spec": {role: "ClusterRole view", who: []string{"ServiceAccount vendor/x"}},
		"one of a group of ServiceAccounts that gets more": {
			role: "ClusterRole edit", who: []string{"ServiceAccount vendor/x"},
			want: `High ServiceAccount "vendor/x" (a member with less in the spec) ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more`,
		},
		"an admin with a Role":  {role: "Role whatever", who: []string{"Group acme-admins"}},
		"an editor with a Role": {role: "Role whatever", who: []string{"Group acme-devs"}},
		"a viewer with a Role": {
			role: "Role whatever", who: []string{"User vera"},
			want: `Medium User "vera" (a member with less in the spec) whatever Role "whatever" allows`,
		},
		"a viewer with a ClusterRole that isn't there": {
			role: "ClusterRole gone", who: []string{"User vera"},
			want: `Medium User "vera" (a member with less in the spec) whatever ClusterRole "gone" allows`,
		},
		"a member whose role only reviews": {role: "ClusterRole sar", who: []string{"User vera"}},
		"a viewer who may bind admin": {
			role: "ClusterRole binder", who: []string{"User vera"},
			want: `High User "vera" (a member with less in the spec) ClusterRole "binder": they may grant powers that they don't hold`,
		},
		"an admin who may relabel the namespace": {
			role: "ClusterRole relabel", who: []string{"Group acme-admins"},
			want: `High Group "acme-admins" (a member with less in the spec) ClusterRole "relabel": they may relabel or delete namespaces`,
		},
		"an admin who may lift the quota through its status": {
			role: "ClusterRole quota-writer", who: []string{"Group acme-admins"},
			want: `High Group "acme-admins" (a member with less in the spec) ClusterRole "quota-writer": they may lift quotas and limits`,
		},

		// The tenant's workloads.
		"an own ServiceAccount that edits":                   {role: "ClusterRole edit", who: []string{"ServiceAccount acme-prod/app"}},
		"an own ServiceAccount that is admin":                {role: "ClusterRole admin", who: []string{"ServiceAccount acme-dev/app"}},
		"an own ServiceAccount without a namespace":          {role: "ClusterRole admin", who: []string{"ServiceAccount app"}},
		"all own ServiceAccounts of a namespace":             {role: "ClusterRole admin", who: []string{"Group system:serviceaccounts:acme-dev"}},
		"an own ServiceAccount as user":                      {role: "ClusterRole admin", who: []string{"User system:serviceaccount:acme-dev:app"}},
		"an own ServiceAccount that the spec makes a guest":  {role: "ClusterRole edit", who: []string{"ServiceAccount acme-dev/robot"}},
		"an own ServiceAccount with custom resources":        {role: "ClusterRole monitor", who: []string{"ServiceAccount acme-dev/app"}},
		"an own ServiceAccount with a Role":                  {role: "Role app", who: []string{"ServiceAccount app"}},
		"an own ServiceAccount with a role that isn't there": {role: "ClusterRole gone", who: []string{"ServiceAccount app"}},
		"an own ServiceAccount as cluster-admin": {
			role: "ClusterRole cluster-admin", who: []string{"ServiceAccount app"},
			want: `High ServiceAccount "acme-prod/app" (of this tenant) ClusterRole "cluster-admin": they may do everything`,
		},
		"all own ServiceAccounts as cluster-admin": {
			role: "ClusterRole cluster-admin", who: []string{"Group system:serviceaccounts:acme-prod"},
			want: `High Group "system:serviceaccounts:acme-prod" (of this tenant) ClusterRole "cluster-admin": they may do everything`,
		},
		"an own ServiceAccount as cluster-admin, as user": {
			role: "ClusterRole cluster-admin", who: []string{"User system:serviceaccount:acme-prod:app"},
			want: `High User "system:serviceaccount:acme-prod:app" (of this tenant) ClusterRole "cluster-admin": they may do everything`,
		},
		"an own ServiceAccount that may relabel": {
			role: "ClusterRole relabel", who: []string{"ServiceAccount app"},
			want: `High ServiceAccount "acme-prod/app" (of this tenant) ClusterRole "relabel": they may relabel or delete namespaces`,
		},
		"an own ServiceAccount that may lift the quota": {
			role: "ClusterRole quota-writer", who: []string{"ServiceAccount app"},
			want: `High ServiceAccount "acme-prod/app" (of this tenant) ClusterRole "quota-writer": they may lift quotas and limits`,
		},
		"an own ServiceAccount that may bind what admins may": {
			role: "ClusterRole binder", who: []string{"ServiceAccount app"},
			want: `High ServiceAccount "acme-prod/app" (of this tenant) ClusterRole "binder": they may grant powers that they don't hold`,
		},

		// Another tenant.
		"another tenant reads": {
			role: "ClusterRole view", who: []string{"Group globex-devs"},
			want: `High Group "globex-devs" (of another tenant) ClusterRole "view": they may read objects`,
		},
		"another tenant edits": {
			role: "ClusterRole edit", who: []string{"Group globex-devs"},
			want: `Critical Group "globex-devs" (of another tenant) ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more`,
		},
		"another tenant's own ServiceAccount": {
			role: "ClusterRole pod-reader", who: []string{"ServiceAccount globex-prod/app"},
			want: `High ServiceAccount "globex-prod/app" (of another tenant) ClusterRole "pod-reader": they may read objects`,
		},
		"another tenant's ServiceAccount as user": {
			role: "ClusterRole pod-reader", who: []string{"User system:serviceaccount:globex-prod:app"},
			want: `High User "system:serviceaccount:globex-prod:app" (of another tenant) ClusterRole "pod-reader": they may read objects`,
		},
		"another tenant's ServiceAccounts as group": {
			role: "ClusterRole pod-reader", who: []string{"Group system:serviceaccounts:globex-prod"},
			want: `High Group "system:serviceaccounts:globex-prod" (of another tenant) ClusterRole "pod-reader": they may read objects`,
		},
		"another tenant's ServiceAccount that is in": {
			role: "ClusterRole pod-reader", who: []string{"ServiceAccount ci/globex"},
			want: `High ServiceAccount "ci/globex" (of another tenant) ClusterRole "pod-reader": they may read objects`,
		},
		"another tenant with a Role": {
			role: "Role whatever", who: []string{"Group globex-devs"},
			want: `High Group "globex-devs" (of another tenant) whatever Role "whatever" allows`,
		},
		"another tenant with a role that isn't there": {
			role: "ClusterRole gone", who: []string{"Group globex-devs"},
			want: `High Group "globex-devs" (of another tenant) whatever ClusterRole "gone" allows`,
		},
		"another tenant sees the namespace": {
			role: "ClusterRole namespace-sight", who: []string{"Group globex-devs"},
			want: `Medium Group "globex-devs" (of another tenant) ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
		},
		"another tenant gets nothing":                                         {role: "ClusterRole empty", who: []string{"Group globex-devs"}},
		"another tenant gets what is for clusters":                            {role: "ClusterRole node-proxy", who: []string{"Group globex-devs"}},
		"another tenant impersonates users, which takes a ClusterRoleBinding": {role: "ClusterRole impersonator", who: []string{"Group globex-devs"}},
		"a role of an unknown kind":                                           {role: "SuperRole edit", who: []string{"Group globex-devs"}},

		// Somebody.
		"somebody reads": {
			role: "ClusterRole view", who: []string{"User eve"},
			want: `High User "eve" (not in the spec) ClusterRole "view": they may read objects`,
		},
		"somebody reads secrets": {
			role: "ClusterRole secret-reader", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "secret-reader": they may read secrets`,
		},
		"somebody reads one secret": {
			role: "ClusterRole one-secret", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "one-secret": they may read secrets`,
		},
		"somebody runs commands": {
			role: "ClusterRole exec", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "exec": they may run commands in pods`,
		},
		"somebody runs commands by a wildcard": {
			role: "ClusterRole any-exec", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "any-exec": they may run commands in pods`,
		},
		"somebody scales": {
			role: "ClusterRole scaler", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "scaler": they may change objects`,
		},
		"somebody owns deployments": {
			role: "ClusterRole apps-owner", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "apps-owner": they may run pods that use any secret`,
		},
		"somebody reads everything": {
			role: "ClusterRole core-reader", who: []string{"User eve"},
			want: `Critical User "eve" (not in the spec) ClusterRole "core-reader": they may read secrets, run commands in pods and connect to pods past the network walls`,
		},
		"a ServiceAccount of nobody's": {
			role: "ClusterRole view", who: []string{"ServiceAccount monitoring/prometheus"},
			want: `High ServiceAccount "monitoring/prometheus" (not in the spec) ClusterRole "view": they may read objects`,
		},
		"all ServiceAccounts of nobody's": {
			role: "ClusterRole view", who: []string{"Group system:serviceaccounts:monitoring"},
			want: `High Group "system:serviceaccounts:monitoring" (not in the spec) ClusterRole "view": they may read objects`,
		},
		"somebody called like a member's group": {
			role: "ClusterRole view", who: []string{"User acme-devs"},
			want: `High User "acme-devs" (not in the spec) ClusterRole "view": they may read objects`,
		},
		"a subject of a kind that isn't": {role: "ClusterRole admin", who: []string{"Robot r2d2"}},

		// Everybody.
		"everybody reads": {
			role: "ClusterRole pod-reader", who: []string{"Group system:authenticated"},
			want: `Critical Group "system:authenticated" (everybody who can log in) ClusterRole "pod-reader": they may read objects`,
		},
		"everybody of a distribution's": {
			role: "ClusterRole pod-reader", who: []string{"Group system:authenticated:oauth"},
			want: `Critical Group "system:authenticated:oauth" (everybody who can log in) ClusterRole "pod-reader": they may read objects`,
		},
		"everybody without login": {
			role: "ClusterRole pod-reader", who: []string{"Group system:unauthenticated"},
			want: `Critical Group "system:unauthenticated" (anybody without login) ClusterRole "pod-reader": they may read objects`,
		},
		"the anonymous user": {
			role: "ClusterRole pod-reader", who: []string{"User system:anonymous"},
			want: `Critical User "system:anonymous" (anybody without login) ClusterRole "pod-reader": they may read objects`,
		},
		"all ServiceAccounts": {
			role: "ClusterRole pod-reader", who: []string{"Group system:serviceaccounts"},
			want: `Critical Group "system:serviceaccounts" (every ServiceAccount of the cluster) ClusterRole "pod-reader": they may read objects`,
		},
		"everybody with a Role": {
			role: "Role whatever", who: []string{"Group system:authenticated"},
			want: `Critical Group "system:authenticated" (everybody who can log in) whatever Role "whatever" allows`,
		},
		"everybody sees the namespace": {
			role: "ClusterRole namespace-sight", who: []string{"Group system:authenticated"},
			want: `Medium Group "system:authenticated" (everybody who can log in) ClusterRole "namespace-sight": they may see the names and labels of namespaces`,
		},
		"everybody gets discovery":                   {role: "ClusterRole system:discovery", who: []string{"Group system:unauthenticated"}},
		"everybody gets what concerns themselves":    {role: "ClusterRole system:basic-user", who: []string{"Group system:authenticated"}},
		"everybody gets what is of no namespace":     {role: "ClusterRole node-reader", who: []string{"Group system:authenticated"}},
		"everybody gets the right to look up access": {role: "ClusterRole sar", who: []string{"Group system:authenticated"}},

		// Kubernetes itself.
		"the garbage collector": {role: "ClusterRole admin", who: []string{"ServiceAccount kube-system/generic-garbage-collector"}},
		"all of kube-system":    {role: "ClusterRole admin", who: []string{"Group system:serviceaccounts:kube-system"}},
		"its components":        {role: "ClusterRole admin", who: []string{"User system:kube-scheduler", "Group system:masters"}},
		"nodes":                 {role: "ClusterRole view", who: []string{"User system:node:n1", "Group system:nodes"}},
		"what only looks like a part of Kubernetes": {
			role: "ClusterRole view", who: []string{"User kube-scheduler"},
			want: `High User "kube-scheduler" (not in the spec) ClusterRole "view": they may read objects`,
		},

		// Several.
		"of several the outsiders are named": {role: "ClusterRole edit", who: []string{
			"Group acme-devs", "User eve", "ServiceAccount app", "Group globex-devs", "User vera", "User system:kube-scheduler",
		}, want: `Critical Group "globex-devs" (of another tenant), User "eve" (not in the spec) and User "vera" (a member with less in the spec) ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more`},
		"the gravest first, and not more than three": {role: "ClusterRole edit", who: []string{
			"User vera", "User z", "User y", "User x", "Group system:authenticated", "User x", "User rick",
		}, want: `Critical Group "system:authenticated" (everybody who can log in), User "x" (not in the spec), User "y" (not in the spec) and 3 more ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := append(rbacAcmeProd(t), rbacBinding(t, "extra", tc.role, tc.who...))
			got := Access(rbacTenants(t), AccessInput{
				Tenant: "acme", Namespace: "acme-prod", Spec: rbacAcmeProd(t), Live: live, ClusterRole: rbacClusterRoles(t),
			})
			// Every sentence begins and ends alike.
			text := strings.Join(findingLines(got), "\n")
			text = strings.Replace(text, `RoleBinding "extra" gives `, "", 1)
			text = strings.TrimSuffix(text, " in namespace acme-prod, beyond the spec")
			if text != tc.want {
				t.Errorf("got\n%s\nwant\n%s", text, tc.want)
			}
			for _, f := range got {
				want := v1alpha1.ObjectReference{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding", Namespace: "acme-prod", Name: "extra"}
				if diff := cmp.Diff(want, f.Object); diff != "" {
					t.Errorf("object (-want +got):\n%s", diff)
				}
				if f.Type != v1alpha1.FindingAccessExposure || f.Namespace != "acme-prod" || !f.Since.IsZero() {
					t.Errorf("type %s, namespace %q, since %s", f.Type, f.Namespace, f.Since)
				}
			}
		})
	}
}
