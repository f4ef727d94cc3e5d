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

# Builds the tools that go.mod beside this script pins, and prints the folder they are in.
#
#   hack/tools/build.sh controller-gen golangci-lint   # these; without arguments, all of them
#
# The folder lies outside the work tree and is named by what goes into it, so that a tool is built once for each
# version and survives `git clean`. BULKHEAD_CACHE says where. Only its name goes to stdout.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# A workspace of the caller, or the platform that he is building for, must not change what is built here.
export GOWORK=off GOOS='' GOARCH='' GOFLAGS=''

package() {
  case $1 in
    controller-gen) echo sigs.k8s.io/controller-tools/cmd/controller-gen ;;
    crd-ref-docs) echo github.com/elastic/crd-ref-docs ;;
    golangci-lint) echo github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
    *) echo "tools: there is no tool $1" >&2; return 1 ;;
  esac
}

key=$({ cat go.mod go.sum; go env GOVERSION GOOS GOARCH; } | git hash-object --stdin)
bin=${BULKHEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bulkhead}/tools/${key:0:12}
mkdir -p "$bin"

[ $# -gt 0 ] || set -- controller-gen crd-ref-docs golangci-lint
# Renamed into place when done: an interrupted build, or two at a time, leave no half of a program.
temp=$(mktemp -d "$bin/.build.XXXXXX")
trap 'rm -rf "$temp"' EXIT
for tool in "$@"; do
  path=$(package "$tool")
  [ -x "$bin/$tool" ] && continue
  echo "tools: building $tool, once for each version" >&2
  go build -mod=readonly -buildvcs=false -o "$temp/$tool" "$path" >&2
  mv -f "$temp/$tool" "$bin/$tool"
done

echo "$bin"
