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
	"fmt"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// rbacManyTenants are so many tenants with ten groups and three namespaces each.
func rbacManyTenants(b *testing.B, n int) *Subjects {
	b.Helper()
	s := NewSubjects()
	for i := range n {
		var members []v1alpha1.Member
		for j := range 10 {
			members = append(members, rbacMember(b, fmt.Sprintf("m%d", j), "edit", fmt.Sprintf("Group t%d-g%d", i, j)))
		}
		s.Put(fmt.Sprintf("t%d", i), members, []string{fmt.Sprintf("t%d-a", i), fmt.Sprintf("t%d-b", i), fmt.Sprintf("t%d-c", i)})
	}
	return s
}

// BenchmarkAccess is one namespace with ten members: as the spec says, with the bindings that charts bring along, and
// with foreign bindings to compare rule by rule.
func BenchmarkAccess(b *testing.B) {
	subjects, roles := rbacManyTenants(b, 1000), rbacClusterRoles(b)
	in := AccessInput{Tenant: "t7", Namespace: "t7-a", ClusterRole: roles}
	for j := range 10 {
		in.Spec = append(in.Spec, rbacBinding(b, fmt.Sprintf("m%d", j), "ClusterRole edit", fmt.Sprintf("Group t7-g%d", j)))
	}
	in.Live = in.Spec
	charts, foreign := in, in
	for j := range 20 {
		charts.Live = append(charts.Live, rbacBinding(b, fmt.Sprintf("chart%d", j), "Role app", fmt.Sprintf("ServiceAccount app%d", j)))
	}
	foreign.Live = append(slices.Clip(charts.Live),
		rbacBinding(b, "x", "ClusterRole admin", "Group t7-g1", "Group t8-g1", "User eve"),
		rbacBinding(b, "y", "ClusterRole cluster-admin", "ServiceAccount app"),
		rbacBinding(b, "z", "ClusterRole view", "Group system:authenticated"))
	for _, bc := range []struct {
		name     string
		in       AccessInput
		findings int
	}{{"spec", in, 0}, {"charts", charts, 0}, {"foreign", foreign, 3}} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Access(subjects, bc.in); len(got) != bc.findings {
					b.Fatalf("%d findings", len(got))
				}
			}
		})
	}
}

// BenchmarkClusterBinding is one ClusterRoleBinding among a thousand tenants, and what it means to one of them.
func BenchmarkClusterBinding(b *testing.B) {
	subjects, roles := rbacManyTenants(b, 1000), rbacClusterRoles(b)
	for _, bc := range []struct {
		name    string
		binding *rbacv1.ClusterRoleBinding
		exposed bool
	}{
		{"platform", rbacClusterBinding(b, "x", "ClusterRole cluster-admin", "Group platform"), false},
		{"tenant", rbacClusterBinding(b, "x", "ClusterRole edit", "Group t7-g1"), true},
		{"everybody", rbacClusterBinding(b, "x", "ClusterRole view", "Group system:authenticated"), true},
	} {
		role := roles(bc.binding.RoleRef.Name)
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				exposure, ok := ClusterBinding(subjects, bc.binding, role)
				if ok != bc.exposed {
					b.Fatalf("exposed is %v", ok)
				}
				if _, ok := exposure.For("t8"); ok != bc.exposed {
					b.Fatalf("exposed is %v", ok)
				}
			}
		})
	}
}

// BenchmarkSubjectsPut is one tenant among a thousand that didn't change.
func BenchmarkSubjectsPut(b *testing.B) {
	subjects := rbacManyTenants(b, 1000)
	members := rbacAcmeMembers(b)
	subjects.Put("acme", members, []string{"acme-dev", "acme-prod"})
	b.ReportAllocs()
	for b.Loop() {
		if subjects.Put("acme", members, []string{"acme-dev", "acme-prod"}) {
			b.Fatal("nothing changed")
		}
	}
}
