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
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
)

func TestUncovered(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		owner, rules, want []string
	}{
		"nothing of nothing":                 {},
		"nothing covers":                     {rules: []string{"get pods"}, want: []string{"get pods"}},
		"the same":                           {owner: []string{"get,list pods apps"}, rules: []string{"get,list pods apps"}},
		"in another order":                   {owner: []string{"list,get pods,nodes"}, rules: []string{"get,list nodes,pods"}},
		"a verb is missing":                  {owner: []string{"get pods"}, rules: []string{"get,list,watch pods"}, want: []string{"list,watch pods"}},
		"another group":                      {owner: []string{"get pods"}, rules: []string{"get pods apps"}, want: []string{"get pods apps"}},
		"a resource is missing":              {owner: []string{"get pods"}, rules: []string{"get pods,secrets"}, want: []string{"get secrets"}},
		"from several rules":                 {owner: []string{"get pods", "list pods", "get secrets"}, rules: []string{"get pods,secrets", "list pods"}},
		"a tuple of each":                    {owner: []string{"get pods", "list secrets"}, rules: []string{"get,list pods,secrets"}, want: []string{"list pods", "get secrets"}},
		"any verb":                           {owner: []string{"* pods"}, rules: []string{"get,frobnicate pods"}},
		"any verb isn't all of them":         {owner: []string{"get,list,watch,create,update,patch,delete,deletecollection pods"}, rules: []string{"* pods"}, want: []string{"* pods"}},
		"any group":                          {owner: []string{"get pods *"}, rules: []string{"get pods apps"}},
		"any resource":                       {owner: []string{"get *"}, rules: []string{"get pods,pods/log"}},
		"any resource of one group":          {owner: []string{"get *"}, rules: []string{"get pods apps"}, want: []string{"get pods apps"}},
		"all resources need all":             {owner: []string{"get pods"}, rules: []string{"get *"}, want: []string{"get *"}},
		"a subresource isn't its resource":   {owner: []string{"get pods"}, rules: []string{"get pods/log"}, want: []string{"get pods/log"}},
		"a resource isn't its subresource":   {owner: []string{"get pods/log"}, rules: []string{"get pods"}, want: []string{"get pods"}},
		"any resource's subresource":         {owner: []string{"get */scale apps"}, rules: []string{"get deployments/scale,replicasets/scale apps"}},
		"another subresource":                {owner: []string{"get */scale apps"}, rules: []string{"get deployments/status apps"}, want: []string{"get deployments/status apps"}},
		"a subresource's part":               {owner: []string{"get */scale"}, rules: []string{"get a/b/scale"}, want: []string{"get a/b/scale"}},
		"pods/* is no wildcard":              {owner: []string{"get pods/*"}, rules: []string{"get pods/log"}, want: []string{"get pods/log"}},
		"a name of all":                      {owner: []string{"get secrets"}, rules: []string{"get secrets named=a"}},
		"a name of some":                     {owner: []string{"get secrets named=a,b"}, rules: []string{"get secrets named=b,c"}, want: []string{"get secrets named=c"}},
		"names of two rules":                 {owner: []string{"get secrets named=a", "get secrets named=b"}, rules: []string{"get secrets named=a,b"}},
		"all of a name":                      {owner: []string{"get secrets named=a"}, rules: []string{"get secrets"}, want: []string{"get secrets"}},
		"a star is a name like any other":    {owner: []string{"get secrets named=*"}, rules: []string{"get secrets named=a"}, want: []string{"get secrets named=a"}},
		"nothing isn't covered, it is not":   {owner: []string{"get pods"}, rules: []string{}},
		"everything":                         {owner: []string{"* * *"}, rules: []string{"get pods", "* * apps", "bind clusterroles rbac.authorization.k8s.io named=x"}},
		"everything but the core group":      {owner: []string{"* * apps"}, rules: []string{"* * *"}, want: []string{"* * *"}},
		"verbs of one tuple from two owners": {owner: []string{"get pods", "list pods *"}, rules: []string{"get,list pods"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner, all := rbacRules(t, tc.owner...), rbacRules(t, tc.rules...)
			got := accessUncovered(owner, all)
			if diff := cmp.Diff(rbacRules(t, tc.want...), got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("uncovered (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(rbacRules(t, tc.rules...), all, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the rules were changed (-want +got):\n%s", diff)
			}
		})
	}
}

// view ⊂ edit ⊂ admin ⊂ cluster-admin, on what Kubernetes really ships.
func TestUncoveredOfUserFacingRoles(t *testing.T) {
	t.Parallel()
	chain := []string{"view", "edit", "admin", "cluster-admin"}
	get := rbacClusterRoles(t)
	for i, small := range chain {
		for j, large := range chain {
			left := accessUncovered(get(large).Rules, get(small).Rules)
			if covered := len(left) == 0; covered != (i <= j) {
				t.Errorf("%s covers %s: %v", large, small, covered)
			}
		}
	}
	want := rbacRules(t,
		"create localsubjectaccessreviews authorization.k8s.io",
		"create,delete,deletecollection,get,list,patch,update,watch rolebindings rbac.authorization.k8s.io",
		"create,delete,deletecollection,get,list,patch,update,watch roles rbac.authorization.k8s.io")
	if diff := cmp.Diff(want, accessUncovered(get("edit").Rules, get("admin").Rules), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what admin has beyond edit (-want +got):\n%s", diff)
	}
	if got := accessUncovered(nil, []rbacv1.PolicyRule{{NonResourceURLs: []string{"*"}, Verbs: []string{"get"}}}); len(got) != 0 {
		t.Errorf("a URL isn't a tenant's: %v", got)
	}
}
