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

// Storage limits which storage the tenant may use.
// +kubebuilder:validation:MinProperties=1
type Storage struct {
	// classNames are the StorageClasses that claims may name, at most 16. The first is the one of a claim that names
	// none, where the API server has MutatingAdmissionPolicies; elsewhere each must name its own.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ClassNames []ObjectName `json:"classNames,omitempty"`
}
