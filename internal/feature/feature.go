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

// Package feature is the contract between the engine and the rooms: a room (package internal/features/<room>)
// renders one concern of a tenant, the engine applies what the rooms render and knows none of them.
package feature

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A Feature renders one concern of one namespace. It is pure and deterministic: the same facts, in whatever
// order their lists come, render the same objects, and facts are never changed.
type Feature interface {
	// Name is the room's name: a value of the label tenancy.bulkhead.dev/feature.
	Name() string
	// Condition is the type of the Tenant condition that speaks of this feature.
	Condition() string
	// Owns lists every namespaced kind that Render may return. It drives watches, pruning and the RBAC test. A kind that
	// the operator's scheme doesn't know is an optional API: it is watched only while the cluster serves it, and Render
	// must return objects of it only if ClusterFacts.Serves says so.
	Owns() []schema.GroupVersionKind
	// Render returns what the namespace must have. An error means that the user's input can't be satisfied: it
	// marks only this feature's condition, and its objects are neither applied nor pruned.
	Render(Facts) (Result, error)
}

// ClusterScoped is implemented by features that also render cluster-scoped objects, once for each tenant.
type ClusterScoped interface {
	// OwnsCluster lists every kind that RenderTenant may return. For optional APIs see Feature.Owns.
	OwnsCluster() []schema.GroupVersionKind
	// RenderTenant returns what the tenant has once: cluster-scoped objects, and namespaced ones of kinds that no feature
	// renders for a namespace. They are found again by their names: those of access, ClusterName, NamespacedName.
	RenderTenant(TenantFacts) (Result, error)
}

// Observer is implemented by features whose objects must not only be applied, but come to life.
type Observer interface {
	// Observes lists the kinds that tell whether they are in force.
	Observes() []schema.GroupVersionKind
	// Observe looks at the live state of an object of one of these kinds that the feature rendered.
	Observe(live runtime.Object) Observation
}

// Observation is what a live object tells of itself.
type Observation struct {
	// Problem is why the object isn't in force; nil if it is, or if nobody can tell. It turns the condition.
	Problem *Finding
	// Report is what there is to tell of it, in words for the condition's message; empty if nothing.
	Report string
}

// Explained is implemented by features that can say by which field of a Tenant their objects are changed for good.
type Explained interface {
	// Field is the path of the field: spec.network.
	Field() string
}

// Object is an object to apply: an apply-configuration of client-go, or of Bulkhead's own. The engine adds the
// managed labels, so that rooms set only name, namespace and content.
type Object interface {
	runtime.ApplyConfiguration
	GetAPIVersion() *string
	GetKind() *string
	GetName() *string
	GetNamespace() *string
}

// Facts is all that a room may know when it renders a namespace. Facts are shared: rooms must not change them.
type Facts struct {
	// Tenant is the tenant's name.
	Tenant string
	// Namespace is the name of the namespace.
	Namespace string
	// Policy is the effective policy: class ← tenant ← namespace.
	Policy v1alpha1.PolicyBlocks
	// Siblings are all namespaces that the tenant's spec lists, this one included, sorted. Nil if there are more than
	// MaxSiblings.
	Siblings []string
	// Members are the members that have access to this namespace at this time, sorted by name.
	Members []v1alpha1.Member
	// Taken is what the policy claims and an older tenant has.
	Taken Claims
	// Cluster is what is the same for all tenants.
	Cluster ClusterFacts
}

// Claims are things of which each can be only one tenant's, with the name of the tenant that has it.
type Claims struct {
	// Hostnames are the claimed hostnames, as the policy spells them: what an older tenant has is the same name, or a
	// wildcard that covers it, or a name that the claimed wildcard covers.
	Hostnames map[string]string
	// Addresses are the claimed source addresses, as the policy spells them.
	Addresses map[string]string
}

// TenantFacts is all that a room may know when it renders a tenant's cluster-scoped objects.
type TenantFacts struct {
	// Tenant is the tenant's name.
	Tenant string
	// Namespaces are the namespaces that are the tenant's, sorted. A listed namespace that another tenant holds
	// is not among them.
	Namespaces []string
	// Members are the members that have access at this time, sorted by name.
	Members []v1alpha1.Member
	// Policy is the policy of namespaces that override nothing: class ← tenant.
	Policy v1alpha1.PolicyBlocks
	// Overrides are the effective policies (class ← tenant ← namespace) of the namespaces that override something, by
	// name. A namespace that another tenant holds is not among them.
	Overrides map[string]v1alpha1.PolicyBlocks
	// PolicyError says why Policy and Overrides aren't known; nil if they are. A room that reads them returns it, so that
	// what it rendered before stays.
	PolicyError error
	// Foreign are the namespaces that the policy names as places of the tenant's objects and that another tenant holds,
	// with that tenant's name.
	Foreign map[string]string
	// Taken is what the policies claim and an older tenant has.
	Taken Claims
	// Cluster is what is the same for all tenants.
	Cluster ClusterFacts
}

// MaxSiblings is of how many namespaces of a tenant each knows the others: what is written into each of them about the
// others grows with the square of their number.
const MaxSiblings = 50

// ClusterFacts is what is the same for all tenants.
type ClusterFacts struct {
	// DNS is where the cluster's DNS runs.
	DNS DNS
	// APIServer are the API server's own addresses, sorted. Empty means that they aren't known.
	APIServer []netip.AddrPort
	// APIs are the optional kinds that the cluster serves now, in no particular order.
	APIs []schema.GroupVersionKind
}

// Serves reports whether the cluster serves an optional kind now.
func (c ClusterFacts) Serves(gvk schema.GroupVersionKind) bool { return slices.Contains(c.APIs, gvk) }

// DNS is where the cluster's DNS runs.
type DNS struct {
	// Namespace is the namespace of the DNS pods.
	Namespace string
	// PodLabels select the DNS pods in it.
	PodLabels map[string]string
	// Ports are the ports on which the pods listen, for UDP and TCP.
	Ports []int32
}

// Result is what a room renders.
type Result struct {
	// Walls are objects that restrict, or that at least grant nobody access: they are applied first.
	Walls []Object
	// Doors are objects that grant access: applied only when all walls of the namespace stand, deleted first.
	Doors []Object
	// Labels and Annotations are for the Namespace itself, where no two rooms may set the same key.
	Labels, Annotations map[string]string
	// OpenBySpec are sentences that say which wall the spec itself turns off.
	OpenBySpec []string
	// Findings are what of the user's input can't be satisfied while the rest can. They turn the condition.
	Findings []Finding
}

// Finding is one thing that keeps a feature's condition from being True.
type Finding struct {
	// Reason is a condition reason, as declared in the API package.
	Reason string
	// Message says in a sentence which field, which value, and what to do.
	Message string
}
