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

package isolation

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// A tierText is a cluster policy: its spec is the text, in which a mistake stops the test.
type tierText struct{ kind, name, spec string }

func (p tierText) object(tb testing.TB) *unstructured.Unstructured {
	tb.Helper()
	spec := map[string]any{}
	if err := yaml.Unmarshal([]byte(p.spec), &spec); err != nil {
		tb.Fatalf("%s: %v", p.spec, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	for _, api := range ClusterPolicyAPIs() {
		if api.GroupVersionKind.Kind == p.kind {
			u.SetGroupVersionKind(api.GroupVersionKind)
		}
	}
	u.SetName(p.name)
	return u
}

// A tierCase is a netScene with cluster policies.
type tierCase struct {
	netScene

	tiers []tierText
	want  []string
}

func runTiers(t *testing.T, tests map[string]tierCase) {
	t.Helper()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tc.directory()
			for _, p := range tc.tiers {
				if _, err := dir.PutClusterPolicy(p.object(t)); err != nil {
					t.Fatal(err)
				}
			}
			in := tc.input(t)
			before := netLines(Network(tc.directory(), in))
			if d := cmp.Diff(tc.want, netLines(Network(dir, in))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			for _, p := range tc.tiers {
				dir.DeleteClusterPolicy(schema.GroupKind{Group: tierGroup, Kind: p.kind}, p.name)
			}
			if d := cmp.Diff(before, netLines(Network(dir, in))); d != "" {
				t.Errorf("something is left of policies that are gone, -want +got:\n%s", d)
			}
		})
	}
}
