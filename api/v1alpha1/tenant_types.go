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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Adoption says what happens when a listed namespace exists already and isn't held by the tenant.
// +kubebuilder:validation:Enum=Never;IfUnclaimed
type Adoption string

// DeletionPolicy says what happens to a namespace that leaves the tenant.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// AdoptionNever makes an existing namespace a conflict.
	AdoptionNever Adoption = "Never"
	// AdoptionIfUnclaimed takes an existing namespace over, unless another tenant holds it.
	AdoptionIfUnclaimed Adoption = "IfUnclaimed"

	// DeletionRetain keeps the namespace and its walls, and withdraws access.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete deletes the namespace with everything in it.
	DeletionDelete DeletionPolicy = "Delete"
)

// TenantSpec is what a platform team asks for one team.
type TenantSpec struct {
	// description says in a few words who the tenant is. At most 256 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Description string `json:"description,omitempty"`

	// className names the TenantClass whose policy this tenant starts from. Unset means the class that is
	// annotated as the default one, if there is one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	ClassName string `json:"className,omitempty"`

	// namespaces are the tenant's namespaces. At most 1000.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Namespaces []TenantNamespace `json:"namespaces,omitempty"`

	// members are who has access, and to what. At most 64.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Members []Member `json:"members,omitempty"`

	// drift says what to do about changes that others make to what Bulkhead manages.
	// +optional
	Drift *DriftSpec `json:"drift,omitempty"`

	// deletionPolicy says what happens to a namespace when it leaves the spec, or when the Tenant is deleted:
	// Retain (the meaning of unset) keeps it and its walls and withdraws access, Delete deletes it with
	// everything in it.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	PolicyBlocks `json:",inline"`
}

// TenantNamespace is one namespace of a tenant.
type TenantNamespace struct {
	// name is the real name of the namespace. Names that start with "kube-", "default" and the operator's own
	// namespace are reserved.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self != 'default' && self != 'bulkhead-system' && !self.startsWith('kube-')",message="is reserved: a tenant's namespace must not be 'default', 'bulkhead-system' or start with 'kube-'"
	Name string `json:"name"`

	// labels are further labels of the namespace, owned by the operator. At most 32. Keys that carry policy
	// (pod-security.kubernetes.io/, tenancy.bulkhead.dev/, guard.bulkhead.dev/, kubernetes.io/metadata.name)
	// are refused: they are set through the policy blocks.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.startsWith('pod-security.kubernetes.io/') || k.startsWith('tenancy.bulkhead.dev/') || k.startsWith('guard.bulkhead.dev/') || k.startsWith('resource.kubernetes.io/') || k == 'kubernetes.io/metadata.name' || k == 'app.kubernetes.io/managed-by')",message="must not have a guarded key",messageExpression="'must not have the guarded key ' + self.filter(k, k.startsWith('pod-security.kubernetes.io/') || k.startsWith('tenancy.bulkhead.dev/') || k.startsWith('guard.bulkhead.dev/') || k.startsWith('resource.kubernetes.io/') || k == 'kubernetes.io/metadata.name' || k == 'app.kubernetes.io/managed-by')[0] + ': labels of pod-security.kubernetes.io/* are set through podSecurity, those of tenancy.bulkhead.dev/*, guard.bulkhead.dev/*, resource.kubernetes.io/*, kubernetes.io/metadata.name and app.kubernetes.io/managed-by are not for a tenant to set'"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations are further annotations of the namespace, owned by the operator. At most 32. Keys that carry
	// policy (tenancy.bulkhead.dev/, guard.bulkhead.dev/, scheduler.alpha.kubernetes.io/) are refused.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k.startsWith('tenancy.bulkhead.dev/') || k.startsWith('guard.bulkhead.dev/') || k.startsWith('scheduler.alpha.kubernetes.io/'))",message="must not have a guarded key",messageExpression="'must not have the guarded key ' + self.filter(k, k.startsWith('tenancy.bulkhead.dev/') || k.startsWith('guard.bulkhead.dev/') || k.startsWith('scheduler.alpha.kubernetes.io/'))[0] + ': annotations of tenancy.bulkhead.dev/*, guard.bulkhead.dev/* and scheduler.alpha.kubernetes.io/* are not for a tenant to set'"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// adoption says what to do if the namespace exists and this tenant doesn't hold it: Never (the meaning of
	// unset) reports a conflict, IfUnclaimed takes it over unless another tenant holds it.
	// +optional
	Adoption Adoption `json:"adoption,omitempty"`

	// policy overrides parts of the tenant's policy for this namespace.
	// +optional
	Policy *PolicyBlocks `json:"policy,omitempty"`
}

// LabelValue is the value of a label: at most 63 characters, alphanumeric at both ends.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// AnnotationValue is the value of an annotation, at most 4096 characters.
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// Tenant is one team: its namespaces, its members and the walls around them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tnt,categories=bulkhead
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="InSync",type=string,JSONPath=`.status.conditions[?(@.type=="InSync")].status`
// +kubebuilder:printcolumn:name="Isolated",type=string,JSONPath=`.status.conditions[?(@.type=="Isolated")].status`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces.ready`
// +kubebuilder:printcolumn:name="Drift",type=integer,JSONPath=`.status.drift.open`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.drift.mode`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Class",type=string,priority=1,JSONPath=`.status.className`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label: at most 63 of a-z, 0-9 and '-', because it becomes the value of a label",messageExpression="'must be a DNS label, because it becomes the value of a label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends, not ' + self.metadata.name",fieldPath=".metadata",optionalOldSelf=true
type Tenant struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the platform team asks for.
	// +optional
	Spec TenantSpec `json:"spec,omitempty"`

	// status is what the operator sees and did.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status TenantStatus `json:"status,omitempty"`
}

// TenantList is a list of Tenants.
// +kubebuilder:object:root=true
type TenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Tenant `json:"items"`
}
