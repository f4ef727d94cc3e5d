// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

// Package mutation changes managed objects in every way that their schema allows, and says of each change what of it is
// drift. The changes are generated: from the Go types of the kinds that rooms own, and from what is rendered for a
// Tenant. Whoever adds a kind, or a field to what is rendered, adds nothing here.
//
// The tests of this package try all changes on objects in memory. Those of package server try them on a real API
// server, with a real engine, and some with the whole operator: by default one of every so many, from a seed that they
// print, and that BULKHEAD_MUTATION_SEED repeats. All of them, which takes some minutes, and the table of what became of
// them:
//
//	BULKHEAD_MUTATION=all make test TEST=./test/mutation/server TEST_FLAGS=-v
//
// For tests only.
package mutation
