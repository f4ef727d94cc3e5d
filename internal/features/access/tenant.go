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

package access

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// clusterPrefix is before the tenant's name in the names of cluster-scoped objects.
const clusterPrefix = "bulkhead:tenant:"

// OwnsCluster implements feature.ClusterScoped.
func (Room) OwnsCluster() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		rbacv1.SchemeGroupVersion.WithKind(kindClusterRole),
		rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"),
	}
}

// RenderTenant returns what lets members get their own Tenant and their own namespaces by name: one pair of
// ClusterRole and ClusterRoleBinding that the members of all namespaces share, and one pair for each member
// that is restricted to some. A restriction to a namespace that isn't the tenant's grants nothing there, and is
// a finding.
func (Room) RenderTenant(f feature.TenantFacts) (feature.Result, error) {
	var result feature.Result
	var errs field.ErrorList
	var everywhere []v1alpha1.Member
	for _, m := range sorted(f.Members) {
		if len(m.Namespaces) == 0 {
			everywhere = append(everywhere, m)
		}
	}
	errs = append(errs, grant(&result, f.Tenant, clusterPrefix+f.Tenant, f.Namespaces, everywhere...)...)
	for _, m := range sorted(f.Members) {
		if len(m.Namespaces) == 0 {
			continue
		}
		var own []string
		for _, ns := range unique(m.Namespaces) {
			if slices.Contains(f.Namespaces, ns) {
				own = append(own, ns)
				continue
			}
			result.Findings = append(result.Findings, feature.Finding{
				Reason: v1alpha1.ReasonInvalidPolicy,
				Message: fmt.Sprintf("members[%s].namespaces names %q, which tenant %q doesn't hold: "+
					"add it to spec.namespaces, or remove it from the member", m.Name, ns, f.Tenant),
			})
		}
		errs = append(errs, grant(&result, f.Tenant, clusterPrefix+f.Tenant+":"+m.Name, own, m)...)
	}
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	return result, nil
}

// grant adds to the result what lets the members get the tenant and the namespaces. Without members it adds
// nothing.
func grant(to *feature.Result, tenant, name string, namespaces []string, members ...v1alpha1.Member) field.ErrorList {
	who, errs := subjects(members...)
	if len(who) == 0 {
		return errs
	}
	role := rbacv1ac.ClusterRole(name).WithRules(get(v1alpha1.GroupVersion.Group, "tenants", tenant))
	// A rule without resourceNames would mean every namespace of the cluster.
	if len(namespaces) > 0 {
		role.WithRules(get(corev1.GroupName, "namespaces", unique(namespaces)...))
	}
	to.Walls = append(to.Walls, role)
	to.Doors = append(to.Doors, rbacv1ac.ClusterRoleBinding(name).WithRoleRef(roleRef(name)).WithSubjects(who...))
	return errs
}

func get(group, resource string, names ...string) *rbacv1ac.PolicyRuleApplyConfiguration {
	return rbacv1ac.PolicyRule().WithVerbs("get").WithAPIGroups(group).WithResources(resource).WithResourceNames(names...)
}

func unique(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
