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

// IsolationStatus sums up what opens the tenant beyond its spec, whoever opened it.
type IsolationStatus struct {
	// considered are the APIs whose objects were weighed, as "<resource>.<group>". What isn't named here may open the
	// tenant unseen.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=128
	Considered []string `json:"considered,omitempty"`
	// notConsidered are the APIs that this cluster serves, that can change who reaches whom, and that were not weighed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=128
	NotConsidered []string `json:"notConsidered,omitempty"`
	// findings are what opens the tenant beyond its spec, the gravest first, at most 20.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Findings []IsolationFinding `json:"findings,omitempty"`
	// truncated is the number of findings that findings has no room for.
	// +optional
	Truncated int32 `json:"truncated,omitempty"`
}

// IsolationFindingType says in what way something opens a tenant.
// +kubebuilder:validation:Enum=NetworkExposure;AccessExposure;PodSecurityWeakened;LabelExposure
type IsolationFindingType string

const (
	// FindingNetworkExposure is pods or addresses that can reach the tenant's pods, or be reached from them, and that
	// the spec doesn't name.
	FindingNetworkExposure IsolationFindingType = "NetworkExposure"
	// FindingAccessExposure is someone with access to the tenant's namespaces whom the spec doesn't name.
	FindingAccessExposure IsolationFindingType = "AccessExposure"
	// FindingPodSecurityWeakened is a Pod Security level below the spec's.
	FindingPodSecurityWeakened IsolationFindingType = "PodSecurityWeakened"
	// FindingLabelExposure is a label that someone put on a namespace and that an opening of the tenant selects.
	FindingLabelExposure IsolationFindingType = "LabelExposure"
)

// IsolationFinding is one thing that opens a tenant beyond its spec.
type IsolationFinding struct {
	// type says in what way.
	// +required
	Type IsolationFindingType `json:"type"`
	// severity says how much it opens.
	// +required
	Severity Severity `json:"severity"`
	// object is what opens it.
	// +required
	Object ObjectReference `json:"object"`
	// namespace is the tenant's namespace that is open; empty if all of them are.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// message says in a sentence what became possible, and for whom. At most 512 characters.
	// +required
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message"`
	// since is when it was first seen.
	// +required
	Since metav1.Time `json:"since"`
}
