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
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

const (
	// bindingPrefix is before the member's name in the name of a RoleBinding.
	bindingPrefix   = "bulkhead-"
	kindClusterRole = "ClusterRole"
)

// Room renders members' access.
type Room struct{}

var (
	_ feature.Feature       = Room{}
	_ feature.ClusterScoped = Room{}
)

// Name implements feature.Feature.
func (Room) Name() string { return "access" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionAccessReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.members" }

// Owns implements feature.Feature.
func (Room) Owns() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{rbacv1.SchemeGroupVersion.WithKind("RoleBinding")}
}

// Render returns one RoleBinding for each member, sorted by member. The members are those that have access to
// this namespace now; restrictions and expiry were judged before. A subject of an unknown kind is an error. The
// guard-rail "access" gets to know the tenant's other namespaces, whose ServiceAccounts its own members may bind.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	var result feature.Result
	if len(f.Siblings) > 1 {
		result.Annotations = map[string]string{v1alpha1.GuardNamespaces: strings.Join(slices.Sorted(slices.Values(f.Siblings)), ",")}
	}
	var errs field.ErrorList
	for _, m := range sorted(f.Members) {
		who, invalid := subjects(m)
		if errs = append(errs, invalid...); len(who) == 0 {
			continue
		}
		result.Doors = append(result.Doors, rbacv1ac.RoleBinding(bindingPrefix+m.Name, f.Namespace).
			WithRoleRef(roleRef(m.ClusterRole())).
			WithSubjects(who...))
	}
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	return result, nil
}

func sorted(members []v1alpha1.Member) []v1alpha1.Member {
	return slices.SortedFunc(slices.Values(members), func(a, b v1alpha1.Member) int { return cmp.Compare(a.Name, b.Name) })
}

func roleRef(clusterRole string) *rbacv1ac.RoleRefApplyConfiguration {
	return rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind(kindClusterRole).WithName(clusterRole)
}

// subjects returns the subjects of all the members, each once, sorted, and with the API group that the server
// would fill in. It stores none for a ServiceAccount:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/rbac/v1/defaults.go#L38-L55
func subjects(members ...v1alpha1.Member) ([]*rbacv1ac.SubjectApplyConfiguration, field.ErrorList) {
	var all []rbacv1.Subject
	var errs field.ErrorList
	for _, m := range members {
		for i, s := range m.Subjects {
			switch s.Kind {
			case rbacv1.UserKind, rbacv1.GroupKind:
				s.APIGroup, s.Namespace = rbacv1.GroupName, ""
			case rbacv1.ServiceAccountKind:
				s.APIGroup = ""
			default:
				at := field.NewPath("members").Key(m.Name).Child("subjects").Index(i).Child("kind")
				errs = append(errs, field.NotSupported(at, s.Kind,
					[]string{rbacv1.UserKind, rbacv1.GroupKind, rbacv1.ServiceAccountKind}))
			}
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b rbacv1.Subject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIGroup, b.APIGroup))
	})
	var out []*rbacv1ac.SubjectApplyConfiguration
	for _, s := range slices.Compact(all) {
		subject := rbacv1ac.Subject().WithKind(s.Kind).WithName(s.Name)
		if s.APIGroup != "" {
			subject.WithAPIGroup(s.APIGroup)
		}
		if s.Namespace != "" {
			subject.WithNamespace(s.Namespace)
		}
		out = append(out, subject)
	}
	return out, errs
}
