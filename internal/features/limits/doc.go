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

// Package limits renders the LimitRange of a tenant's namespace from limits.
//
// A LimitRange gives containers that set no requests or limits some, and refuses those that ask for too much.
// Without items nothing is rendered.
//
// Items of type Container are rendered with the defaults that the API server would add: the list of limits is
// atomic, so one default that only the server knows would make the whole list look changed. Quantities are
// rendered as the server stores them (rounded up to milli, in canonical form).
//
// +kubebuilder:rbac:groups="",resources=limitranges,verbs=list;watch;create;patch;delete
package limits
