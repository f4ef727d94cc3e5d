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

// Package placement renders what guard-rails must know of spec.placement: annotations of the namespace, from which the
// rule scheduling inside the API server reads where pods may run.
//
// With a placement, whatever is in it, pods go through the cluster's own scheduler. What it doesn't set it doesn't
// restrict further, and the annotation isn't there.
//
// admission.yaml is the rule. It is copied to config/admission by hack/generate.sh.
package placement
