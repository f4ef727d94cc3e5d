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

# Builds the embedded control plane once per machine and prints the directory that holds etcd,
# kube-apiserver, kube-controller-manager, kube-scheduler and kubectl. Only that goes to stdout; progress
# goes to stderr. With KUBEBUILDER_ASSETS set it prints that directory and builds nothing.
set -euo pipefail

say() { echo "controlplane: $*" >&2; }

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
# A workspace or a vendor directory of the caller must not change what is built here.
export GOWORK=off

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
# git hashes, because sha256sum is not called the same everywhere. This script is part of the key: it holds
# the build flags.
key=$({ cat go.mod go.sum main.go build.sh; go env GOVERSION GOOS GOARCH CGO_ENABLED; } | git hash-object --stdin)
cache=${BULKHEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bulkhead}/controlplane
dir=$cache/$version-${key:0:12}

if [[ -x "$dir/controlplane" ]]; then
  echo "$dir"
  exit 0
fi
mkdir -p "$cache"

# Two runs at once: the second waits for the first and finds its work done. Where flock is missing both
# build, which wastes time only: the finished directory appears by one rename.
if command -v flock >/dev/null; then
  exec 9>"$cache/.lock"
  if ! flock -n 9; then
    say "waiting for another build of Kubernetes $version to finish"
    flock 9
  fi
  if [[ -x "$dir/controlplane" ]]; then
    echo "$dir"
    exit 0
  fi
fi

temp=$(mktemp -d "$cache/.build.XXXXXX")
build=
cleanup() {
  if [[ -n "$build" ]]; then kill "$build" 2>/dev/null || true; fi
  rm -rf "$temp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

version_flags() {
  local package=k8s.io/component-base/version major minor rest commit date
  IFS=. read -r major minor rest <<<"${version#v}"
  # The module proxy says when the release was made, and often of which commit; both are better answers of
  # `kubectl version` than the moment of this build, which would also make every build differ.
  date=$(go list -m -f '{{if .Time}}{{.Time.Format "2006-01-02T15:04:05Z"}}{{end}}' k8s.io/kubernetes)
  commit=$(go list -m -f '{{with .Origin}}{{.Hash}}{{end}}' "k8s.io/kubernetes@$version" 2>/dev/null || true)
  echo "-X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor" \
    "-X $package.gitCommit=${commit:-unknown} -X $package.gitTreeState=clean" \
    "-X $package.buildDate=${date:-1970-01-01T00:00:00Z}"
}

flags="-s -w $(version_flags)"
say "building Kubernetes $version into $dir; this takes about 10 minutes the first time"
# 9>&-: the build must not keep the lock when this script is killed.
go build -trimpath -buildvcs=false -ldflags "$flags" -o "$temp/controlplane" . >&2 9>&- &
build=$!
started=$SECONDS
while kill -0 "$build" 2>/dev/null; do
  sleep 1
  if (( (SECONDS - started) % 30 == 0 )); then say "still building, $((SECONDS - started)) s so far"; fi
done
if ! wait "$build"; then
  build=
  say "building Kubernetes $version failed"
  exit 1
fi
build=

for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl; do
  ln -s controlplane "$temp/$name"
done
chmod 0755 "$temp"
if [[ ! -x "$dir/controlplane" ]]; then
  rm -rf "$dir"
  mv "$temp" "$dir"
fi
say "built Kubernetes $version in $((SECONDS - started)) s"
echo "$dir"
