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

// GuardProbeQuotaNamespace is a second one beside GuardProbeNamespace, for the rule quota-ready alone: it is in a
// namespace without a ResourceQuota that this rule refuses, and there it refuses everything that others are asked about.
const GuardProbeQuotaNamespace = GuardProbeNamespace + "-quota"

// IsGuardProbeNamespace reports whether a namespace is one in which guard-rails are proven: it can be no tenant's.
func IsGuardProbeNamespace(name string) bool {
	return name == GuardProbeNamespace || name == GuardProbeQuotaNamespace
}
