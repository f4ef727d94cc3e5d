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

# Generates what is generated, into place:
#
#   hack/generate.sh code        deep copies and apply-configurations of the API types
#   hack/generate.sh manifests   CRDs, and the operator's ClusterRole from the +kubebuilder:rbac markers
#   hack/generate.sh admission   the rooms' guard-rails and defaults, gathered in config/admission, and as a Helm chart
#   hack/generate.sh docs        the API reference
#   hack/generate.sh paths       prints the paths of all of it, for hack/verify/generated.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
header=headerFile=hack/boilerplate.go.txt
stamp=$(mktemp)
trap 'rm -f "$stamp"' EXIT

# The generators forget the files of types that are gone: those that they didn't write just now.
forget() {
  find "$1" -type f ! -newer "$stamp" -delete
}

code() {
  local bin
  bin=$(hack/tools/build.sh controller-gen)
  "$bin/controller-gen" "object:$header" "applyconfiguration:$header" paths=./api/...
  forget internal/applyconfig
}

manifests() {
  local bin dir packages=()
  bin=$(hack/tools/build.sh controller-gen)
  "$bin/controller-gen" crd paths=./api/... output:crd:artifacts:config=config/crd/bases
  forget config/crd/bases
  for dir in internal controllers; do
    if [ -d "$dir" ]; then packages+=("paths=./$dir/..."); fi
  done
  "$bin/controller-gen" rbac:roleName=bulkhead "${packages[@]}" output:rbac:artifacts:config=config/rbac
}

# Each room keeps its guard-rails, their probes, and its defaults, in its own folder; config/admission is what can be
# installed. Defaults are apart, because not every API server knows their kind.
admission() {
  gather admission config/admission
  gather probes config/admission/probe/requests
  gather mutating config/admission/mutating
  chart
}

# The Helm chart has the same files. Only who breaks the glass is a value, and what a cluster may not know is left out there.
chart() {
  local file dir=charts/bulkhead-guard-rails/templates
  local groups="'bulkhead:break-glass', 'system:masters'"
  local value="'{{ join \"', '\" .Values.breakGlassGroups }}'"
  rm -rf "$dir" && mkdir -p "$dir"
  for file in config/admission/*.yaml config/admission/probe/*.yaml config/admission/mutating/*.yaml; do
    case $file in
      */kustomization.yaml) ;;
      */probe/*) cp "$file" "$dir/probe-$(basename "$file")" ;;
      */mutating/*)
        { echo '{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}'
          cat "$file"; echo '{{- end }}'; } > "$dir/mutating-$(basename "$file")" ;;
      *) sed "s/$groups/$value/" "$file" > "$dir/$(basename "$file")" ;;
    esac
  done
}

# gather NAME DIR copies internal/features/*/NAME.yaml to DIR/<room>.yaml, and lists all of DIR in its kustomization, if it
# has one.
gather() {
  local name=$1 dir=$2 file room list
  for file in internal/features/*/"$name".yaml; do
    room=$(basename "$(dirname "$file")")
    { echo "# Code generated from $file. DO NOT EDIT."; cat "$file"; } > "$dir/$room.yaml"
  done
  for file in "$dir"/*.yaml; do
    room=$(basename "$file" .yaml)
    if grep -q '^# Code generated from' "$file" && [ ! -f "internal/features/$room/$name.yaml" ]; then rm "$file"; fi
  done
  if [ ! -f "$dir/kustomization.yaml" ]; then return; fi
  list=$(cd "$dir" && { ls *.yaml; if [ -f probe/kustomization.yaml ]; then echo probe; fi; } | grep -v '^kustomization.yaml$' | sort | sed 's/^/- /')
  sed -i '/^resources:/,$d' "$dir/kustomization.yaml"
  printf 'resources:\n%s\n' "$list" >> "$dir/kustomization.yaml"
}

docs() {
  local bin
  bin=$(hack/tools/build.sh crd-ref-docs)
  mkdir -p docs/reference
  "$bin/crd-ref-docs" --log-level=ERROR --source-path=api/v1alpha1 --config=hack/docs/config.yaml \
    --renderer=markdown --output-path=docs/reference/api.md
}

paths() {
  printf '%s\n' api internal/applyconfig config/admission charts config/crd/bases config/rbac/role.yaml docs/reference
}

for what in "${@:-all}"; do
  case $what in
    all) code; manifests; admission; docs ;;
    code | manifests | admission | docs | paths) "$what" ;;
    *) echo "generate: don't know $what (code, manifests, admission, docs or paths)" >&2; exit 2 ;;
  esac
done
