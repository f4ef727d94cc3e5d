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

// Package v1alpha1 is the Bulkhead API: a Tenant describes one team, Bulkhead turns it into walled, owned and
// budgeted namespaces. A field that is unset stays unset: defaults are resolved by the operator and never
// written into a spec.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="../../internal/applyconfig"
// +groupName=tenancy.bulkhead.dev
package v1alpha1
