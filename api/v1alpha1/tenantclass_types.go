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

// PolicyBlocks are the parts of a policy. The effective policy of a namespace is class ← tenant ← namespace,
// merged as server-side apply would merge them: structs by field, keyed lists by key, atomic values replaced.
type PolicyBlocks struct {
	// podSecurity sets the Pod Security admission labels. Unset enforces Restricted.
	// +optional
	PodSecurity *PodSecurity `json:"podSecurity,omitempty"`

	// network sets who may talk to whom. Unset is default-deny both ways, traffic inside the tenant, and DNS.
	// +optional
	Network *Network `json:"network,omitempty"`

	// quota sets budgets.
	// +optional
	Quota *Quota `json:"quota,omitempty"`

	// limits are the items of the namespace's LimitRange, one for each type.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=3
	Limits []LimitItem `json:"limits,omitempty"`

	// ingress sets the tenant's ways in. Unset is none: no hostname, and Services of the type ClusterIP only.
	// +optional
	Ingress *IngressPolicy `json:"ingress,omitempty"`

	// egress sets the tenant's ways out. Unset is none, beside DNS and what network.allow opens.
	// +optional
	Egress *EgressPolicy `json:"egress,omitempty"`

	// images limits which container images pods may run. Unset doesn't.
	// +optional
	Images *Images `json:"images,omitempty"`

	// storage limits which storage the tenant may use. Unset doesn't.
	// +optional
	Storage *Storage `json:"storage,omitempty"`

	// placement limits where pods may run. Unset doesn't.
	// +optional
	Placement *Placement `json:"placement,omitempty"`
}

// TenantClass is a policy that tenants share.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=tntc,categories=bulkhead
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.tenancy\.bulkhead\.dev/is-default-class`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label: at most 63 of a-z, 0-9 and '-', because className must be able to name it",messageExpression="'must be a DNS label, because className must be able to name it: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends, not ' + self.metadata.name",fieldPath=".metadata",optionalOldSelf=true
type TenantClass struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the policy.
	// +optional
	Spec PolicyBlocks `json:"spec,omitempty"`
}

// TenantClassList is a list of TenantClasses.
// +kubebuilder:object:root=true
type TenantClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TenantClass `json:"items"`
}
