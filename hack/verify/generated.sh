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

# What is generated is committed as it is generated. Run `make generate` first: this compares the work tree with
# the index.
#
#   hack/verify/generated.sh <path>...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
git --no-pager diff --exit-code -- "$@" || status=1
untracked=$(git ls-files --others --exclude-standard -- "$@")
if [ -n "$untracked" ]; then
  printf 'generated, but not added to git:\n%s\n' "$untracked" >&2
  status=1
fi
[ $status -eq 0 ] || echo "generated files differ: run make generate and commit what it changes" >&2
exit $status
