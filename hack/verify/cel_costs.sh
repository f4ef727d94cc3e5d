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

# Prints what the dearest expression of each guard-rail costs of the API server's limit for one, with inputs as large as
# the rule accepts. It must be less than a quarter; no rule asks the authorizer, because one question costs 35 % by itself.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$(go test -count=1 -v -run '^TestShippedCost$' ./internal/guard) || { grep -v '^ *=== ' <<<"$out"; exit 1; }
echo "CEL cost of the dearest expression of each guard-rail, of the API server's limit:"
sed -n 's/^.*_test.go:[0-9]*: *\([0-9]*\) *\([0-9.]*%\) *\(bulkhead-[a-z-]*\): \(.*\)$/\1 \2 \3/p' <<<"$out" |
  sort -rn | awk '!seen[$3]++ {printf "%8d %6s  %s\n", $1, $2, $3}'
