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

package limits_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/limits"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

const allTypes = `
- type: PersistentVolumeClaim
  max: {storage: 1024Gi}
  min: {storage: 1Gi}
- type: Container
  min: {cpu: 10m, ephemeral-storage: 1Mi}
  maxLimitRequestRatio: {cpu: "4"}
- type: Pod
  max: {cpu: 4000m, memory: 0.5Gi}
  default: {}`

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ limits string }{
		"nothing": {`[]`},
		"01-starter": {`
- type: Container
  defaultRequest: {cpu: 50m, memory: 64Mi}
  default: {memory: 256Mi}
  max: {memory: 8Gi}`},
		// default comes from max, defaultRequest from default (also a filled one) before min.
		"container-defaults": {`
- type: Container
  max: {cpu: "2", memory: 1Gi}
  min: {cpu: 10m, example.com/gpu: 1}
  default: {memory: 512Mi}
  defaultRequest: {memory: 0.1m}`},
		"all-types":      {allTypes},
		"only-container": {`[{type: Container}]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := parse(t, tc.limits)
			before := facts.Policy.DeepCopy()
			for range 2 { // Rendering again renders the same.
				golden.YAML(t, name, render(t, facts)...)
			}
			// Not cmp.Diff: a text that a quantity remembers is a write too, and a race between workers.
			if !reflect.DeepEqual(*before, facts.Policy) {
				t.Errorf("the facts were changed: %v, were %v", facts.Policy, *before)
			}
		})
	}
}

func TestRenderIgnoresOrder(t *testing.T) {
	t.Parallel()
	facts := parse(t, allTypes)
	want := marshal(t, render(t, facts))
	for seed := range uint64(100) {
		shuffled := facts
		shuffled.Policy.Limits = slices.Clone(facts.Policy.Limits)
		items := shuffled.Policy.Limits
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		if diff := cmp.Diff(want, marshal(t, render(t, shuffled))); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func parse(t *testing.T, list string) feature.Facts {
	t.Helper()
	var items []v1alpha1.LimitItem
	if err := yaml.UnmarshalStrict([]byte(list), &items); err != nil {
		t.Fatal(err)
	}
	return feature.Facts{Tenant: "acme", Namespace: "acme-prod", Policy: v1alpha1.PolicyBlocks{Limits: items}}
}

func render(t *testing.T, facts feature.Facts) []feature.Object {
	t.Helper()
	got, err := limits.Room{}.Render(facts)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Doors) != 0 {
		t.Errorf("%d doors, want none", len(got.Doors))
	}
	return got.Walls
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
