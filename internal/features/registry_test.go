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

package features_test

import (
	"slices"
	"testing"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

// TestAll pins what the rooms are called and which kinds they own: names are values of a label, conditions are
// API, and kinds decide watches, pruning and RBAC.
func TestAll(t *testing.T) {
	t.Parallel()
	type row struct {
		Name, Condition string
		Owns            []string `json:",omitempty"`
		OwnsCluster     []string `json:",omitempty"`
	}
	var rows []row
	var names, conditions []string
	for _, f := range features.All() {
		r := row{Name: f.Name(), Condition: f.Condition()}
		for _, gvk := range f.Owns() {
			r.Owns = append(r.Owns, gvk.String())
		}
		if c, ok := f.(feature.ClusterScoped); ok {
			for _, gvk := range c.OwnsCluster() {
				r.OwnsCluster = append(r.OwnsCluster, gvk.String())
			}
		}
		rows, names, conditions = append(rows, r), append(names, r.Name), append(conditions, r.Condition)
	}
	for _, list := range [][]string{names, conditions} {
		slices.Sort(list)
		if len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%v: two rooms share a name or a condition", list)
		}
	}
	golden.YAML(t, "registry", rows)
}
