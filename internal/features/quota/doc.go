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

// Package quota renders the ResourceQuota of a tenant's namespace from quota.perNamespace.
//
// A budget keeps one team from taking the whole cluster. Without one nothing is rendered: an empty
// ResourceQuota limits nothing and only costs a controller's time.
//
// Quantities are rendered as the API server stores them (rounded up to milli, in canonical form), because it
// compares them as text: "1000m" next to "1" would look like drift for ever.
//
// +kubebuilder:rbac:groups="",resources=resourcequotas,verbs=list;watch;create;patch;delete
package quota
