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

# Every Go file carries the licence of hack/boilerplate.go.txt, in every module of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

header=$(cat hack/boilerplate.go.txt)
lines=$(wc -l <<<"$header")
missing=()
while IFS= read -r file; do
  [ -f "$file" ] || continue
  # A build constraint, and the empty line after it, may come first.
  start=$(awk '!/^\/\/go:build / && NF {print NR; exit}' "$file")
  [ "$(tail -n "+${start:-1}" "$file" | head -n "$lines")" = "$header" ] || missing+=("$file")
done < <(git ls-files --cached --others --exclude-standard -- '*.go')

if [ ${#missing[@]} -gt 0 ]; then
  echo "without the licence header of hack/boilerplate.go.txt:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi
