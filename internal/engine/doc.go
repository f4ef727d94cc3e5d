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

// Package engine brings what is into line with what must be, one namespace at a time. It knows the contract of
// a room (package feature) and no room.
//
// One pass over a namespace reads live objects from the watch cache, judges each against its intent, writes only
// what really differs, and returns an Outcome. Walls are applied before doors, doors are closed first, and nothing
// is pruned that Bulkhead didn't apply itself.
package engine
