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

// Package custom does for the kinds of optional APIs what package mutation does for those with a Go type: it changes each
// object that rooms render of them in every way that the CRD's schema knows, and says of each change where it must be
// recorded as drift. Its tests try all changes in memory and, on a real API server with a real engine, one of every so
// many, from a seed that they print and that BULKHEAD_MUTATION_SEED repeats; with BULKHEAD_MUTATION=all, all of them.
//
// For tests only.
package custom
