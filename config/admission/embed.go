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

// Package admission holds the guard-rails as YAML, for kubectl and for internal/guard alike. It is a Go package because
// files are embedded only from beside the code that embeds them.
package admission

import "embed"

// Files are the YAML files of this folder, kustomization.yaml included, and the probes of the guard-rails in a folder
// probe/requests. They are read-only.
//
//go:embed *.yaml probe/requests/*.yaml
var Files embed.FS

// Mutating are the YAML files of the folder mutating, in a folder of that name: the defaults and the identity stamp, for API
// servers that serve MutatingAdmissionPolicies. They are read-only.
//
//go:embed mutating/*.yaml
var Mutating embed.FS
