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

// PodSecurityLevel is a level of the Pod Security Standards.
// +kubebuilder:validation:Enum=Privileged;Baseline;Restricted
type PodSecurityLevel string

const (
	// PodSecurityPrivileged restricts nothing.
	PodSecurityPrivileged PodSecurityLevel = "Privileged"
	// PodSecurityBaseline prevents known privilege escalations.
	PodSecurityBaseline PodSecurityLevel = "Baseline"
	// PodSecurityRestricted follows pod hardening practice.
	PodSecurityRestricted PodSecurityLevel = "Restricted"
)

// PodSecurity sets the Pod Security admission labels of a namespace.
// +kubebuilder:validation:MinProperties=1
type PodSecurity struct {
	// enforce is the level that pods must meet. Unset means Restricted.
	// +optional
	Enforce PodSecurityLevel `json:"enforce,omitempty"`
	// audit is the level whose violations are annotated in the audit log. Unset means the same as enforce.
	// +optional
	Audit PodSecurityLevel `json:"audit,omitempty"`
	// warn is the level whose violations are returned as warnings. Unset means the same as enforce.
	// +optional
	Warn PodSecurityLevel `json:"warn,omitempty"`
	// version is the Kubernetes minor version whose definition of the levels counts, as "v1.NN", or "latest".
	// Unset means latest.
	// +optional
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^(latest|v1\.(0|[1-9][0-9]{0,2}))$`
	Version string `json:"version,omitempty"`
}
