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

package survey

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/isolation"
)

// Access is one subject's access by one binding.
type Access struct {
	// Tenant and Namespace say to what; both are empty for access to all namespaces of the cluster.
	Tenant    string `json:"tenant,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Subject is who, as it stands in the binding.
	Subject rbacv1.Subject `json:"subject"`
	// Role is the role that is bound.
	Role rbacv1.RoleRef `json:"role"`
	// Power says in one word how much that lets the subject do: names, read, unknown, write, secrets, admin, escalate.
	Power string `json:"power"`
	// Binding is the RoleBinding or ClusterRoleBinding.
	Binding v1alpha1.ObjectReference `json:"binding"`
	// BySpec says that the tenant's spec gives the subject this role.
	BySpec bool `json:"bySpec"`
}

// access is who has access to a namespace, by the RoleBindings in it.
func (s *Survey) access(ctx context.Context, r room) ([]Access, error) {
	list := &rbacv1.RoleBindingList{}
	if err := s.reader.List(ctx, list, client.InNamespace(r.name), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading role bindings: %w", err)
	}
	granted, err := grants(r)
	if err != nil {
		return nil, err
	}
	var all []Access
	for i := range list.Items {
		binding := &list.Items[i]
		power, err := s.power(ctx, binding.RoleRef, false)
		if err != nil {
			return nil, err
		}
		for _, subject := range binding.Subjects {
			all = append(all, Access{
				Tenant: r.tenant, Namespace: r.name, Subject: subject, Role: binding.RoleRef, Power: power.String(),
				Binding: v1alpha1.ObjectReference{Group: rbacv1.GroupName, Kind: "RoleBinding", Namespace: r.name, Name: binding.Name},
				BySpec:  granted[grantOf(subject, binding.RoleRef)],
			})
		}
	}
	slices.SortFunc(all, compareAccess)
	return all, nil
}

// everywhere is who has access to all namespaces, by ClusterRoleBindings. The parts of Kubernetes itself, which nothing
// in a cluster can be guarded against, are left out, and so is what only shows the names of namespaces.
func (s *Survey) everywhere(ctx context.Context) ([]Access, error) {
	list := &rbacv1.ClusterRoleBindingList{}
	if err := s.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading cluster role bindings: %w", err)
	}
	var all []Access
	for i := range list.Items {
		binding := &list.Items[i]
		power, err := s.power(ctx, binding.RoleRef, true)
		if err != nil {
			return nil, err
		}
		if power <= isolation.PowerNames {
			continue
		}
		for _, subject := range binding.Subjects {
			if ofKubernetes(subject) {
				continue
			}
			all = append(all, Access{
				Subject: subject, Role: binding.RoleRef, Power: power.String(),
				Binding: v1alpha1.ObjectReference{Group: rbacv1.GroupName, Kind: "ClusterRoleBinding", Name: binding.Name},
			})
		}
	}
	slices.SortFunc(all, compareAccess)
	return all, nil
}

// ofKubernetes reports whether a subject is a part of Kubernetes itself: a component, a node, or a ServiceAccount of
// kube-system.
func ofKubernetes(subject rbacv1.Subject) bool {
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		return subject.Namespace == "kube-system"
	case rbacv1.GroupKind:
		return subject.Name == "system:nodes"
	default:
		return strings.HasPrefix(subject.Name, "system:kube-") || strings.HasPrefix(subject.Name, "system:node:")
	}
}

// power is how much a role lets its holder do, in a namespace or everywhere. A Role isn't looked up, and a ClusterRole
// that isn't there allows what is unknown.
func (s *Survey) power(ctx context.Context, ref rbacv1.RoleRef, everywhere bool) (isolation.Power, error) {
	if ref.Kind != "ClusterRole" {
		return isolation.PowerUnknown, nil
	}
	role := &rbacv1.ClusterRole{}
	err := s.reader.Get(ctx, client.ObjectKey{Name: ref.Name}, role, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err):
		return isolation.PowerUnknown, nil
	case err != nil:
		return isolation.PowerUnknown, fmt.Errorf("reading cluster role %s: %w", ref.Name, err)
	case everywhere:
		return isolation.ClusterPower(role.Rules), nil
	default:
		return isolation.NamespacePower(role.Rules), nil
	}
}

// grant is a subject with a role.
type grant struct{ subjectKind, namespace, name, roleKind, role string }

func grantOf(subject rbacv1.Subject, ref rbacv1.RoleRef) grant {
	return grant{subject.Kind, subject.Namespace, subject.Name, ref.Kind, ref.Name}
}

// grants are what a namespace's plan gives whom, by whatever binding.
func grants(r room) (map[grant]bool, error) {
	granted := map[grant]bool{}
	for _, door := range r.plan.Doors {
		binding, err := roleBinding(door.Object)
		if err != nil {
			return nil, err
		}
		for _, subject := range binding.Subjects {
			granted[grantOf(subject, binding.RoleRef)] = true
		}
	}
	return granted, nil
}

func roleBinding(object *unstructured.Unstructured) (*rbacv1.RoleBinding, error) {
	binding := &rbacv1.RoleBinding{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, binding); err != nil {
		return nil, fmt.Errorf("reading the intent for RoleBinding %s: %w", object.GetName(), err)
	}
	return binding, nil
}

func compareAccess(a, b Access) int {
	return cmp.Or(cmp.Compare(a.Subject.Kind, b.Subject.Kind), cmp.Compare(a.Subject.Namespace, b.Subject.Namespace),
		cmp.Compare(a.Subject.Name, b.Subject.Name), cmp.Compare(a.Role.Kind, b.Role.Kind), cmp.Compare(a.Role.Name, b.Role.Name),
		cmp.Compare(a.Binding.Name, b.Binding.Name))
}
