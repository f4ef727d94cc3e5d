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

# Adds an older version of Kubernetes to those that `make test-matrix` tests on, or moves one to another patch release:
# hack/controlplane/versions/add.sh 1.34.4
#
# A version is a module of its own: go.mod and go.sum say what is built, from the same main.go and by the same build.sh
# as the newest version. They are links, because build.sh reads the module that it stands in; and since it is part of the
# key of the cache, it stays as it is for the newest version, too.
set -euo pipefail

[[ "${1:-}" =~ ^v?(1\.[0-9]+)\.([0-9]+)$ ]] || { echo "usage: $0 1.<minor>.<patch>" >&2; exit 2; }
minor=${BASH_REMATCH[1]} staging=v0.${BASH_REMATCH[1]#1.}.${BASH_REMATCH[2]}
version=v$minor.${BASH_REMATCH[2]}
mkdir -p "$(dirname "${BASH_SOURCE[0]}")/$minor"
cd "$(dirname "${BASH_SOURCE[0]}")/$minor"
export GOWORK=off

upstream=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
# The version that Kubernetes itself was released with.
of() { awk -v module="$1" '$1 == module {print $2; exit}' "$upstream"; }

cat >go.mod <<MOD
module github.com/bulkhead-dev/bulkhead/hack/controlplane

$(grep '^go ' ../../go.mod)

$(grep '^godebug ' "$upstream")

require (
	github.com/spf13/cobra $(of github.com/spf13/cobra)
	go.etcd.io/etcd/server/v3 $(of go.etcd.io/etcd/server/v3)
	k8s.io/component-base $staging
	k8s.io/kubectl v0.0.0
	k8s.io/kubernetes $version
)

replace (
$(sed -n "s|^\t\(k8s.io/[a-z-]*\) => ./staging/.*|\t\1 => \1 $staging|p" "$upstream")
)
MOD
rm -f go.sum
ln -sf ../../main.go main.go
ln -sf ../../build.sh build.sh
go mod tidy
