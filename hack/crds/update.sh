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

# Copies the CRDs that tests install from the Go modules that main.go pins into test/testkit/crds, over those that are
# there. What was written by hand there stays. Nothing of these modules is built.
#
#   hack/crds/update.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
export GOWORK=off
go run -buildvcs=false . ../../test/testkit/crds
