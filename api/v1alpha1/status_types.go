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

// Bounds of status lists: status stays under 32 KiB however large the tenant is.
const (
	// MaxDriftTop bounds status.drift.top.
	MaxDriftTop = 20
	// MaxDriftRecent bounds status.drift.recent.
	MaxDriftRecent = 10
	// MaxDriftPaths bounds the paths that one drift item names.
	MaxDriftPaths = 5
	// MaxIsolationFindings bounds status.isolation.findings.
	MaxIsolationFindings = 20
	// MaxMessageLength bounds the message of a condition, in characters.
	MaxMessageLength = 1024
)

// TenantStatus is what the operator sees and did.
type TenantStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of; -1 before the first status.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are the tenant's conditions; Ready sums up.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=24
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// className is the TenantClass in force, whether named by the spec or the default one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ClassName string `json:"className,omitempty"`

	// namespaces counts the tenant's namespaces.
	// +optional
	Namespaces NamespaceCounts `json:"namespaces,omitempty"`

	// drift sums up what differs from intent.
	// +optional
	Drift DriftStatus `json:"drift,omitempty"`

	// isolation sums up what opens the tenant beyond its spec, whoever opened it.
	// +optional
	Isolation IsolationStatus `json:"isolation,omitempty"`
}

// NamespaceCounts counts a tenant's namespaces.
type NamespaceCounts struct {
	// desired is the number of namespaces in the spec.
	// +optional
	Desired int32 `json:"desired"`
	// ready is the number of namespaces in which the whole spec is applied.
	// +optional
	Ready int32 `json:"ready"`
	// terminating is the number of the tenant's namespaces that are being deleted.
	// +optional
	Terminating int32 `json:"terminating"`
	// conflicting is the number of listed namespaces that this tenant may not take.
	// +optional
	Conflicting int32 `json:"conflicting"`
}

// ObjectReference names an object.
// +structType=atomic
type ObjectReference struct {
	// group is the API group; empty for the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// kind is the kind.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// namespace is the namespace; empty for a cluster-scoped object.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// name is the name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
