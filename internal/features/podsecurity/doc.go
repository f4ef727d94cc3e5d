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

// Package podsecurity renders the Pod Security admission labels of a tenant's namespace.
//
// Without these labels a namespace falls back to what the cluster's admission configuration says, which is
// "privileged" unless somebody changed it: a pod could then mount the host. All six labels are always set, so
// that neither that configuration nor a leftover label decides anything.
//
// The room owns no kind: its labels are part of the Namespace, which the engine applies with its own rights.
package podsecurity
