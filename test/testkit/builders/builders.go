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

// Package builders makes API objects for tests in one expression: MakeTenant("acme").Namespaces("acme-dev").Obj().
package builders

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Tenant builds a Tenant. Each method changes and returns the builder.
type Tenant struct{ obj v1alpha1.Tenant }

// MakeTenant starts a Tenant with an empty spec.
func MakeTenant(name string) *Tenant {
	return &Tenant{obj: v1alpha1.Tenant{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Tenant"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}}
}

// Obj is a copy of what was built so far.
func (t *Tenant) Obj() *v1alpha1.Tenant { return t.obj.DeepCopy() }

// Spec changes the spec at will, for what no other method says.
func (t *Tenant) Spec(change func(*v1alpha1.TenantSpec)) *Tenant {
	change(&t.obj.Spec)
	return t
}

// Label sets a label of the Tenant itself.
func (t *Tenant) Label(key, value string) *Tenant {
	metav1.SetMetaDataLabel(&t.obj.ObjectMeta, key, value)
	return t
}

// Namespaces adds namespaces by name.
func (t *Tenant) Namespaces(names ...string) *Tenant {
	for _, name := range names {
		t.Namespace(name)
	}
	return t
}

// Namespace adds one namespace; options say more of it.
func (t *Tenant) Namespace(name string, options ...NamespaceOption) *Tenant {
	namespace := v1alpha1.TenantNamespace{Name: name}
	for _, option := range options {
		option(&namespace)
	}
	t.obj.Spec.Namespaces = append(t.obj.Spec.Namespaces, namespace)
	return t
}

// Member adds a member with one of the roles Admin, Edit and View in all namespaces.
func (t *Tenant) Member(name string, role v1alpha1.Role, subjects ...rbacv1.Subject) *Tenant {
	return t.MemberWith(v1alpha1.Member{Name: name, Role: role, Subjects: subjects})
}

// MemberOf adds a member with any ClusterRole in all namespaces.
func (t *Tenant) MemberOf(name, clusterRole string, subjects ...rbacv1.Subject) *Tenant {
	return t.MemberWith(v1alpha1.Member{Name: name, ClusterRoleName: clusterRole, Subjects: subjects})
}

// MemberIn adds a member with a role in some namespaces only.
func (t *Tenant) MemberIn(name string, role v1alpha1.Role, namespaces []string, subjects ...rbacv1.Subject) *Tenant {
	return t.MemberWith(v1alpha1.Member{Name: name, Role: role, Namespaces: namespaces, Subjects: subjects})
}

// MemberUntil adds a member whose access ends.
func (t *Tenant) MemberUntil(name string, role v1alpha1.Role, end time.Time, subjects ...rbacv1.Subject) *Tenant {
	notAfter := metav1.NewTime(end)
	return t.MemberWith(v1alpha1.Member{Name: name, Role: role, NotAfter: &notAfter, Subjects: subjects})
}

// MemberWith adds a member as it is.
func (t *Tenant) MemberWith(member v1alpha1.Member) *Tenant {
	t.obj.Spec.Members = append(t.obj.Spec.Members, member)
	return t
}

// Class names the TenantClass.
func (t *Tenant) Class(name string) *Tenant {
	t.obj.Spec.ClassName = name
	return t
}

// Mode sets the drift mode.
func (t *Tenant) Mode(mode v1alpha1.DriftMode) *Tenant {
	t.obj.Spec.Drift = &v1alpha1.DriftSpec{Mode: mode}
	return t
}

// Deletion sets the deletion policy.
func (t *Tenant) Deletion(policy v1alpha1.DeletionPolicy) *Tenant {
	t.obj.Spec.DeletionPolicy = policy
	return t
}

// Policy adds to the policy of the whole tenant.
func (t *Tenant) Policy(options ...PolicyOption) *Tenant {
	for _, option := range options {
		option(&t.obj.Spec.PolicyBlocks)
	}
	return t
}

// Class builds a TenantClass.
type Class struct{ obj v1alpha1.TenantClass }

// MakeClass starts a TenantClass with the given policy.
func MakeClass(name string, options ...PolicyOption) *Class {
	c := &Class{obj: v1alpha1.TenantClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TenantClass"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}}
	for _, option := range options {
		option(&c.obj.Spec)
	}
	return c
}

// Default makes it the class of tenants that name none.
func (c *Class) Default() *Class {
	metav1.SetMetaDataAnnotation(&c.obj.ObjectMeta, v1alpha1.AnnotationDefaultClass, "true")
	return c
}

// Obj is a copy of what was built so far.
func (c *Class) Obj() *v1alpha1.TenantClass { return c.obj.DeepCopy() }

// NamespaceOption says more of a tenant's namespace.
type NamespaceOption func(*v1alpha1.TenantNamespace)

// Adopt sets the adoption to IfUnclaimed.
func Adopt() NamespaceOption {
	return func(n *v1alpha1.TenantNamespace) { n.Adoption = v1alpha1.AdoptionIfUnclaimed }
}

// WithLabel adds a label of the namespace.
func WithLabel(key, value string) NamespaceOption {
	return func(n *v1alpha1.TenantNamespace) {
		if n.Labels == nil {
			n.Labels = map[string]v1alpha1.LabelValue{}
		}
		n.Labels[key] = v1alpha1.LabelValue(value)
	}
}

// WithAnnotation adds an annotation of the namespace.
func WithAnnotation(key, value string) NamespaceOption {
	return func(n *v1alpha1.TenantNamespace) {
		if n.Annotations == nil {
			n.Annotations = map[string]v1alpha1.AnnotationValue{}
		}
		n.Annotations[key] = v1alpha1.AnnotationValue(value)
	}
}

// WithPolicy overrides parts of the tenant's policy for the namespace.
func WithPolicy(options ...PolicyOption) NamespaceOption {
	return func(n *v1alpha1.TenantNamespace) {
		if n.Policy == nil {
			n.Policy = &v1alpha1.PolicyBlocks{}
		}
		for _, option := range options {
			option(n.Policy)
		}
	}
}

// PolicyOption says one thing of a policy.
type PolicyOption func(*v1alpha1.PolicyBlocks)

// Quota sets a budget of each namespace; an amount that is no quantity panics.
func Quota(name corev1.ResourceName, amount string) PolicyOption {
	return func(p *v1alpha1.PolicyBlocks) {
		if p.Quota == nil {
			p.Quota = &v1alpha1.Quota{}
		}
		if p.Quota.PerNamespace == nil {
			p.Quota.PerNamespace = map[corev1.ResourceName]resource.Quantity{}
		}
		p.Quota.PerNamespace[name] = resource.MustParse(amount)
	}
}

// Limit adds an item of the LimitRange.
func Limit(item v1alpha1.LimitItem) PolicyOption {
	return func(p *v1alpha1.PolicyBlocks) { p.Limits = append(p.Limits, item) }
}

// ContainerDefault is a LimitRange item that sets what a container gets that asks for nothing.
func ContainerDefault(name corev1.ResourceName, request, limit string) PolicyOption {
	return Limit(v1alpha1.LimitItem{
		Type:           corev1.LimitTypeContainer,
		DefaultRequest: map[corev1.ResourceName]resource.Quantity{name: resource.MustParse(request)},
		Default:        map[corev1.ResourceName]resource.Quantity{name: resource.MustParse(limit)},
	})
}

// Enforce sets the Pod Security level that pods must meet.
func Enforce(level v1alpha1.PodSecurityLevel) PolicyOption {
	return func(p *v1alpha1.PolicyBlocks) {
		if p.PodSecurity == nil {
			p.PodSecurity = &v1alpha1.PodSecurity{}
		}
		p.PodSecurity.Enforce = level
	}
}

// Network changes the network block.
func Network(change func(*v1alpha1.Network)) PolicyOption {
	return func(p *v1alpha1.PolicyBlocks) {
		if p.Network == nil {
			p.Network = &v1alpha1.Network{}
		}
		change(p.Network)
	}
}

// Boundary says who is inside the wall.
func Boundary(boundary v1alpha1.Boundary) PolicyOption {
	return Network(func(n *v1alpha1.Network) { n.Boundary = boundary })
}

// Allow adds a named opening.
func Allow(opening v1alpha1.Opening) PolicyOption {
	return Network(func(n *v1alpha1.Network) { n.Allow = append(n.Allow, opening) })
}

// User is a subject.
func User(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// Group is a subject.
func Group(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

// ServiceAccount is a subject.
func ServiceAccount(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}
