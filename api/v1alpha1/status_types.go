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

// DriftStatus sums up what differs from intent.
type DriftStatus struct {
	// mode is the drift mode in force.
	// +optional
	Mode DriftMode `json:"mode,omitempty"`
	// open is the number of objects that differ from intent now.
	// +optional
	Open int32 `json:"open"`
	// oldestOpen is when the oldest open difference was first seen.
	// +optional
	OldestOpen *metav1.Time `json:"oldestOpen,omitempty"`
	// top are the open differences, the gravest first, at most 20.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Top []DriftItem `json:"top,omitempty"`
	// recent are the latest differences that were corrected or went away, the latest first, at most 10.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Recent []DriftItem `json:"recent,omitempty"`
	// truncated is the number of open differences that top has no room for.
	// +optional
	Truncated int32 `json:"truncated,omitempty"`
}

// DriftType says in what way an object differs from intent.
// +kubebuilder:validation:Enum=FieldModified;FieldRemoved;FieldInjected;ObjectMissing;ObjectForeign
type DriftType string

// DriftAction says what the operator did about a difference.
// +kubebuilder:validation:Enum=Corrected;Reported;Failed
type DriftAction string

// Severity says how much a difference opens.
// +kubebuilder:validation:Enum=Critical;High;Medium;Info
type Severity string

const (
	// DriftFieldModified is a field of ours with another value.
	DriftFieldModified DriftType = "FieldModified"
	// DriftFieldRemoved is a field of ours that is gone.
	DriftFieldRemoved DriftType = "FieldRemoved"
	// DriftFieldInjected is a field that someone added where only we decide.
	DriftFieldInjected DriftType = "FieldInjected"
	// DriftObjectMissing is an object of ours that is gone.
	DriftObjectMissing DriftType = "ObjectMissing"
	// DriftObjectForeign is an object that carries our labels and that no intent asks for.
	DriftObjectForeign DriftType = "ObjectForeign"

	// DriftCorrected says that the difference was undone.
	DriftCorrected DriftAction = "Corrected"
	// DriftReported says that the difference is only reported (mode Observe).
	DriftReported DriftAction = "Reported"
	// DriftFailed says that the correction was tried and failed.
	DriftFailed DriftAction = "Failed"

	// SeverityCritical is a difference that opens a wall or widens access.
	SeverityCritical Severity = "Critical"
	// SeverityHigh is a missing object or a weakened budget.
	SeverityHigh Severity = "High"
	// SeverityMedium is a difference that opens nothing by itself.
	SeverityMedium Severity = "Medium"
	// SeverityInfo is a difference that is only of note.
	SeverityInfo Severity = "Info"
)

// DriftItem is one object that differs, or lately differed, from intent.
type DriftItem struct {
	// object is what differs.
	// +required
	Object ObjectReference `json:"object"`
	// type says in what way it differs.
	// +required
	Type DriftType `json:"type"`
	// severity says how much the difference opens.
	// +required
	Severity Severity `json:"severity"`
	// paths are the fields that differ, at most 5.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MaxLength=256
	Paths []string `json:"paths,omitempty"`
	// pathCount is the number of fields that differ, which may exceed the length of paths.
	// +optional
	PathCount int32 `json:"pathCount,omitempty"`
	// manager is the field manager that last wrote one of the paths, as the client declared it: a name, not an
	// identity. Empty when nothing tells (a deletion leaves no trace).
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Manager string `json:"manager,omitempty"`
	// action is what the operator did about it.
	// +required
	Action DriftAction `json:"action"`
	// firstSeen is when the difference was first seen.
	// +required
	FirstSeen metav1.Time `json:"firstSeen"`
	// count is how often the same difference was corrected since firstSeen; only in recent.
	// +optional
	Count int32 `json:"count,omitempty"`
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
