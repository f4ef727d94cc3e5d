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

package mutation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// A Tally counts what became of the mutations of each kind.
type Tally struct {
	columns []string
	counts  map[string]map[string]int
}

// NewTally makes an empty tally with these columns.
func NewTally(columns ...string) *Tally {
	return &Tally{columns: columns, counts: map[string]map[string]int{}}
}

// Add counts one of a kind in these columns.
func (t *Tally) Add(kind string, columns ...string) {
	if t.counts[kind] == nil {
		t.counts[kind] = map[string]int{}
	}
	for _, column := range columns {
		t.counts[kind][column]++
	}
}

// Count is the number of a kind in a column.
func (t *Tally) Count(kind, column string) int { return t.counts[kind][column] }

// String is the tally as a table, with the sums at the end.
func (t *Tally) String() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, count func(column string) int) {
		_, _ = fmt.Fprint(table, name)
		for _, column := range t.columns {
			_, _ = fmt.Fprintf(table, "\t%d", count(column))
		}
		_, _ = fmt.Fprintln(table, "\t")
	}
	_, _ = fmt.Fprintln(table, "kind\t"+strings.Join(t.columns, "\t")+"\t")
	for _, kind := range slices.Sorted(maps.Keys(t.counts)) {
		line(kind, func(column string) int { return t.Count(kind, column) })
	}
	line("all", func(column string) int {
		sum := 0
		for kind := range t.counts {
			sum += t.Count(kind, column)
		}
		return sum
	})
	_ = table.Flush() // a strings.Builder takes everything
	return out.String()
}
