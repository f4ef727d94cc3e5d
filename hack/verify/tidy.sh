#!/usr/bin/env bash
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# The go.mod and go.sum of every module say what its code needs, no more and no less.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
for module in . hack/controlplane hack/crds hack/tools test/cyclonus test/gitops; do
  if ! diff=$(go -C "$module" mod tidy -diff); then
    printf '%s\n%s/go.mod is not tidy: run go -C %s mod tidy\n' "$diff" "$module" "$module" >&2
    status=1
  fi
done
exit $status
