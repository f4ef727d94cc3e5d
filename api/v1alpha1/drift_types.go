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
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DriftMode says what the operator does about drift.
// +kubebuilder:validation:Enum=Enforce;Observe
type DriftMode string

const (
	// DriftEnforce corrects drift as soon as it is seen.
	DriftEnforce DriftMode = "Enforce"
	// DriftObserve writes nothing: what Enforce would change is reported.
	DriftObserve DriftMode = "Observe"
)

// DriftSpec says what to do about drift.
type DriftSpec struct {
	// mode is Enforce (the meaning of unset: drift is corrected at once) or Observe (nothing is written: what
	// Enforce would change is reported in status.drift).
	// +optional
	Mode DriftMode `json:"mode,omitempty"`

	// observeUntil pauses corrections until then, as mode Observe does, and ends the pause without any other event.
	// +optional
	ObserveUntil *metav1.Time `json:"observeUntil,omitempty"`

	// ignore are differences that are left as they are: each with a reason and an end. They are still counted, in
	// status.drift.ignored. At most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Ignore []DriftIgnoreRule `json:"ignore,omitempty"`
}

// SecurityPaths says whether an ignore rule may cover fields that carry security.
// +kubebuilder:validation:Enum=Refuse;Ignore
type SecurityPaths string

const (
	// SecurityPathsRefuse corrects a field that carries security whatever the rule says.
	SecurityPathsRefuse SecurityPaths = "Refuse"
	// SecurityPathsIgnore lets the rule cover fields that carry security, too.
	SecurityPathsIgnore SecurityPaths = "Ignore"
)

// DriftIgnoreRule leaves some differences as they are, for a reason and for a time.
// +kubebuilder:validation:XValidation:rule="!(self.kind in ['NetworkPolicy', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']) || self.path.startsWith('metadata') || has(self.securityPaths) && self.securityPaths == 'Ignore'",message="carries security",messageExpression="'must set securityPaths: Ignore, because ' + self.path + ' of ' + self.kind + ' carries security'"
type DriftIgnoreRule struct {
	// kind is the kind of the objects, as ResourceQuota.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// namespace is the namespace of the objects (or the name of the Namespace itself); unset means everywhere in the
	// tenant.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// name is the name of the object; unset means every object of the kind.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// path is the field, as status.drift names it (spec.hard[pods]), or one above it (spec.hard). It is never a
	// position in a list.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path"`
	// reason says why, for those who read the spec later. At most 256 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason"`
	// notAfter is when the rule ends.
	// +required
	NotAfter metav1.Time `json:"notAfter"`
	// securityPaths says whether the rule covers fields that carry security: Refuse (the meaning of unset) corrects
	// them all the same, Ignore leaves them as well. Such fields are the content of NetworkPolicies, role bindings and
	// roles, and the labels and annotations of a Namespace that Bulkhead or Pod Security obey.
	// +optional
	SecurityPaths SecurityPaths `json:"securityPaths,omitempty"`
}

// DriftStatus sums up what differs from intent.
type DriftStatus struct {
	// mode is the drift mode in force.
	// +optional
	Mode DriftMode `json:"mode,omitempty"`
	// open is the number of differences from intent now that no rule ignores.
	// +optional
	Open int32 `json:"open"`
	// contested is the number of open differences over which the operator and someone else fight.
	// +optional
	Contested int32 `json:"contested,omitempty"`
	// ignored is the number of differences that a rule of spec.drift.ignore covers.
	// +optional
	Ignored int32 `json:"ignored,omitempty"`
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
// +kubebuilder:validation:Enum=FieldModified;FieldRemoved;FieldInjected;OwnershipLost;ObjectMissing;ObjectForeign;ObjectStuck;NamespaceUnclaimed;Contested
type DriftType string

// DriftAction says what the operator did about a difference.
// +kubebuilder:validation:Enum=Corrected;Reported;Failed;Backoff;Ignored
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
	// DriftOwnershipLost is an object with our values that the operator's field manager no longer owns in full. What
	// is to be pruned, and whose a namespace is, can't be told by it any more.
	DriftOwnershipLost DriftType = "OwnershipLost"
	// DriftObjectForeign is an object of others that opens the tenant beyond its spec (it is never deleted), or one that
	// Bulkhead applied and that the spec no longer asks for (it is only reported in mode Observe).
	DriftObjectForeign DriftType = "ObjectForeign"
	// DriftObjectStuck is an object of ours that is being deleted and waits for finalizers of others, for long.
	DriftObjectStuck DriftType = "ObjectStuck"
	// DriftNamespaceUnclaimed is a namespace with the tenant's label that the tenant's spec doesn't list: the label
	// puts it inside the tenant's wall.
	DriftNamespaceUnclaimed DriftType = "NamespaceUnclaimed"
	// DriftContested is an object that someone changes again each time the operator corrects it.
	DriftContested DriftType = "Contested"

	// DriftCorrected says that the difference was undone.
	DriftCorrected DriftAction = "Corrected"
	// DriftReported says that the difference is only reported (mode Observe).
	DriftReported DriftAction = "Reported"
	// DriftFailed says that the correction was tried and failed.
	DriftFailed DriftAction = "Failed"
	// DriftBackoff says that the next correction waits, because someone undoes each one.
	DriftBackoff DriftAction = "Backoff"
	// DriftIgnored says that a rule of spec.drift.ignore covers the difference.
	DriftIgnored DriftAction = "Ignored"

	// SeverityCritical is a difference that opens a wall or widens access.
	SeverityCritical Severity = "Critical"
	// SeverityHigh is a missing object or a weakened budget.
	SeverityHigh Severity = "High"
	// SeverityMedium is a difference that opens nothing by itself.
	SeverityMedium Severity = "Medium"
	// SeverityInfo is a difference that is only of note.
	SeverityInfo Severity = "Info"
)

// Severities are all severities, the gravest first. The slice is the caller's own.
func Severities() []Severity {
	return []Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityInfo}
}

// Compare orders severities, the gravest first; what is no severity comes last.
func (s Severity) Compare(other Severity) int {
	return cmp.Compare(s.place(), other.place())
}

func (s Severity) place() int {
	all := Severities()
	if at := slices.Index(all, s); at >= 0 {
		return at
	}
	return len(all)
}

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
	// user is who made the difference, as the API server authenticated the request. Empty unless that is known: it takes
	// MutatingAdmissionPolicies in the API server, and a difference that one request made.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	User string `json:"user,omitempty"`
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
