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

// Registry is the beginning of an image reference and ends in "/": "registry.example.com/acme/". The host is always
// part of it: Docker Hub is "docker.io/", its official images are "docker.io/library/". $(tenant) stands for the
// tenant's name.
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^([a-z0-9]|\$\(tenant\))([-a-z0-9.]|\$\(tenant\))*(:[0-9]{1,5})?/(([a-z0-9]|\$\(tenant\))([-a-z0-9._]|\$\(tenant\))*/)*$`
type Registry string

// Digests says whether images must be named by digest.
// +kubebuilder:validation:Enum=Required;Optional
type Digests string

const (
	// DigestsRequired demands a digest in every image reference.
	DigestsRequired Digests = "Required"
	// DigestsOptional doesn't.
	DigestsOptional Digests = "Optional"
)

// PullPolicy is how a node gets an image.
// +kubebuilder:validation:Enum=Always
type PullPolicy string

// PullAlways asks the registry each time, with the pod's own credentials: an image that the node has already, because
// another tenant's pod pulled it, doesn't run without them.
const PullAlways PullPolicy = "Always"

// Images limits which container images pods may run: of containers, init containers, ephemeral containers and image
// volumes.
// +kubebuilder:validation:MinProperties=1
type Images struct {
	// registries are where images may come from, at most 32. Unset allows all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Registries []Registry `json:"registries,omitempty"`
	// digests says whether images must be named by digest (Required) or not (Optional, the meaning of unset).
	// +optional
	Digests Digests `json:"digests,omitempty"`
	// pullPolicy is the policy that every container must have: Always. Where the API server has
	// MutatingAdmissionPolicies it is set on pods that say none. Unset allows all.
	// +optional
	PullPolicy PullPolicy `json:"pullPolicy,omitempty"`
}
