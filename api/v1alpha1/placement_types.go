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

import corev1 "k8s.io/api/core/v1"

// Placement limits where the tenant's pods may run. With it, pods go through the cluster's own scheduler: none may name
// a node, another scheduler, or tolerate every taint.
// +kubebuilder:validation:MinProperties=1
type Placement struct {
	// nodeSelector are the node labels that every pod must select, at most 8. Where the API server has
	// MutatingAdmissionPolicies they are added to pods; elsewhere each pod must have them. $(tenant) in a value stands
	// for the tenant's name.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	NodeSelector map[string]NodeLabelValue `json:"nodeSelector,omitempty"`
	// tolerations are the tolerations that pods may have, at most 16, besides those of node.kubernetes.io/*, which
	// Kubernetes itself adds. Where the API server has MutatingAdmissionPolicies they are added to pods. Unset allows
	// all that name a key.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Tolerations []Toleration `json:"tolerations,omitempty"`
	// priorityClassNames are the PriorityClasses that pods may have, at most 16. Unset allows all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	PriorityClassNames []ObjectName `json:"priorityClassNames,omitempty"`
	// runtimeClassNames are the RuntimeClasses that pods may name, at most 16. Unset allows all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	RuntimeClassNames []ObjectName `json:"runtimeClassNames,omitempty"`
}

// NodeLabelValue is the value of a node's label: at most 63 characters, alphanumeric at both ends. $(tenant) stands for
// the tenant's name.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9]|\$\(tenant\))(([-A-Za-z0-9_.]|\$\(tenant\))*([A-Za-z0-9]|\$\(tenant\)))?)?$`
type NodeLabelValue string

// Toleration is a taint that pods may tolerate. It always names a key: without one it would be every taint.
// +kubebuilder:validation:XValidation:rule="!has(self.value) || !has(self.operator) || self.operator == 'Equal'",message="must not be set beside operator Exists",fieldPath=".value"
type Toleration struct {
	// key is the key of the taint.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Key string `json:"key"`
	// operator is Equal (the meaning of unset: the taint has this value) or Exists (whatever its value).
	// +optional
	// +kubebuilder:validation:Enum=Equal;Exists
	Operator corev1.TolerationOperator `json:"operator,omitempty"`
	// value is the value of the taint; unset is the empty one.
	// +optional
	Value LabelValue `json:"value,omitempty"`
	// effect is the effect of the taint. Unset is every effect.
	// +optional
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	Effect corev1.TaintEffect `json:"effect,omitempty"`
}
