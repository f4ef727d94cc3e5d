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

# No test file has more than 600 lines. (Linting bounds the other files to 400, and can't have two bounds.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

long=$(git ls-files --cached --others --exclude-standard -- '*_test.go' |
  while IFS= read -r file; do
    [ ! -f "$file" ] || [ "$(wc -l <"$file")" -le 600 ] || printf '  %s: %s lines\n' "$file" "$(wc -l <"$file")"
  done)

if [ -n "$long" ]; then
  printf 'test files with more than 600 lines; split them by what they test:\n%s\n' "$long" >&2
  exit 1
fi
