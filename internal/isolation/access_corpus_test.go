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
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

// accessOutput is what all rooms render for one namespace, or for a tenant.
type accessOutput struct {
	labels       map[string]string
	roleBindings []*rbacv1.RoleBinding
	roles        map[string]*rbacv1.ClusterRole
	bindings     []*rbacv1.ClusterRoleBinding
}

// add takes over what concerns access.
func (r *accessOutput) add(t *testing.T, result feature.Result, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.labels, result.Labels)
	for _, object := range append(result.Walls, result.Doors...) {
		var into any
		switch *object.GetKind() {
		case "RoleBinding":
			b := &rbacv1.RoleBinding{}
			r.roleBindings, into = append(r.roleBindings, b), b
		case "ClusterRole":
			role := &rbacv1.ClusterRole{}
			r.roles[*object.GetName()], into = role, role
		case "ClusterRoleBinding":
			b := &rbacv1.ClusterRoleBinding{}
			r.bindings, into = append(r.bindings, b), b
		default:
			continue
		}
		raw, err := json.Marshal(object)
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newAccessOutput() *accessOutput {
	return &accessOutput{labels: map[string]string{}, roles: map[string]*rbacv1.ClusterRole{}}
}

// What the rooms render for real Tenants is what the spec says: nothing of it is a finding, all tenants side by side.
func TestRenderedAccessIsNoFinding(t *testing.T) {
	t.Parallel()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	subjects, cluster := NewSubjects(), newAccessOutput()
	type namespace struct {
		tenant, name string
		*accessOutput
	}
	var namespaces []namespace
	for i, c := range cases {
		// Names of tenants aren't unique in the corpus.
		tenant := c.TenantFacts()
		tenant.Tenant = fmt.Sprintf("%s-%d", tenant.Tenant, i)
		subjects.Put(tenant.Tenant, tenant.Members, tenant.Namespaces)
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			f.Tenant = tenant.Tenant
			ns := namespace{f.Tenant, f.Namespace, newAccessOutput()}
			for _, room := range features.All() {
				result, err := room.Render(f)
				ns.add(t, result, err)
			}
			namespaces = append(namespaces, ns)
		}
		for _, room := range features.All() {
			if scoped, ok := room.(feature.ClusterScoped); ok {
				result, err := scoped.RenderTenant(tenant)
				cluster.add(t, result, err)
			}
		}
	}
	known := rbacClusterRoles(t)
	roles := func(name string) *rbacv1.ClusterRole {
		if role := cluster.roles[name]; role != nil {
			return role
		}
		return known(name)
	}
	open, weak := 0, 0
	for _, ns := range namespaces {
		in := AccessInput{Tenant: ns.tenant, Namespace: ns.name, Spec: ns.roleBindings, Live: ns.roleBindings, ClusterRole: roles}
		if got := Access(subjects, in); len(got) != 0 {
			t.Errorf("%s/%s: %v", ns.tenant, ns.name, findingLines(got))
		}
		if got := PodSecurity(ns.tenant, ns.name, ns.labels, ns.labels); len(got) != 0 {
			t.Errorf("%s/%s: %v", ns.tenant, ns.name, findingLines(got))
		}
		// The law isn't empty: without the spec the same is found.
		in.Spec = nil
		open += len(Access(subjects, in))
		weak += len(PodSecurity(ns.tenant, ns.name, ns.labels, nil))
	}
	if open < 10 || weak < 10 {
		t.Errorf("only %d bindings and %d labels were tried", open, weak)
	}
	for _, e := range ClusterAccess(subjects, cluster.bindings, roles) {
		t.Errorf("%s: power %s", e.Binding, e.Power)
	}
	for _, b := range cluster.bindings {
		if _, ok := ClusterBinding(subjects, b, known("view")); !ok {
			t.Errorf("%s binds nobody of a tenant", b.Name)
		}
	}
	if len(cluster.bindings) < 5 {
		t.Errorf("only %d ClusterRoleBindings were tried", len(cluster.bindings))
	}
}
