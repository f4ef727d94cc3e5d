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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package status_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

func TestNews(t *testing.T) {
	t.Parallel()
	r := rollup("a", "b")
	failedItem := item("a", "s", 0)
	failedItem.Action = v1alpha1.DriftFailed
	open(&r, "a", item("a", "q", 0), item("a", "r", 0), failedItem)
	r.Previous.Drift.Top = []v1alpha1.DriftItem{item("a", "q", 0)}
	if got := status.NewlyOpen(r); len(got) != 1 || got[0].Object.Name != "r" {
		t.Errorf("newly open are %v, want r alone: q was known, s is told as a failed correction", got)
	}
	r.Conflicts = map[string]string{"y": "", "x": ""}
	if got := status.NewConflicts(r); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("new conflicts are %v, want x and y", got)
	}
	r.Previous.Namespaces.Conflicting = 2
	if got := status.NewConflicts(r); got != nil {
		t.Errorf("new conflicts are %v, want none", got)
	}
}

func TestEnumerate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		names []string
		want  string
	}{
		"one":    {[]string{"a"}, "namespace a"},
		"two":    {[]string{"a", "b"}, "namespaces a, b"},
		"ten":    {strings.Split("abcdefghij", ""), "namespaces a, b, c, d, e, f, g, h, i, j"},
		"twelve": {strings.Split("abcdefghijkl", ""), "namespaces a, b, c, d, e, f, g, h, i, j and 2 more"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := status.Enumerate("namespace", tc.names); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
