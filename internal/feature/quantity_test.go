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

package feature_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"nothing":              {`null`, `{}`},
		"empty":                {`{}`, `{}`},
		"exact":                {`{cpu: 50m, memory: 1Gi, pods: "10"}`, `{"cpu":"50m","memory":"1Gi","pods":"10"}`},
		"a number":             {`{pods: 10}`, `{"pods":"10"}`},
		"another spelling":     {`{cpu: 1000m, memory: 1024Mi, storage: 0.5Gi}`, `{"cpu":"1","memory":"1Gi","storage":"512Mi"}`},
		"less than milli":      {`{cpu: 0.1m}`, `{"cpu":"1m"}`},
		"a bit more":           {`{cpu: 1.0001m}`, `{"cpu":"2m"}`},
		"nano":                 {`{cpu: 1n}`, `{"cpu":"1m"}`},
		"a part of a byte":     {`{memory: 0.0001}`, `{"memory":"1m"}`},
		"zero":                 {`{services.loadbalancers: "0"}`, `{"services.loadbalancers":"0"}`},
		"away from zero":       {`{cpu: -1.5m}`, `{"cpu":"-2m"}`},
		"more than an integer": {`{pods: "9223372036854775808"}`, `{"pods":"9223372036854775808"}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var in map[corev1.ResourceName]resource.Quantity
			if err := yaml.UnmarshalStrict([]byte(tc.in), &in); err != nil {
				t.Fatal(err)
			}
			before := corev1.ResourceList(in).DeepCopy()
			got, err := json.Marshal(feature.Canonical(in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("Canonical (-want +got):\n%s", diff)
			}
			// Not cmp.Diff: a text that a quantity remembers is a write too, and a race between workers.
			if !reflect.DeepEqual(before, corev1.ResourceList(in)) {
				t.Errorf("the input was changed: %v, was %v", in, before)
			}
		})
	}
}

// TestCanonicalOfCanonical checks that what is stored stays as it is when it is rendered from again.
func TestCanonicalOfCanonical(t *testing.T) {
	t.Parallel()
	once := feature.Canonical(corev1.ResourceList{"cpu": resource.MustParse("1.0001m"), "memory": resource.MustParse("0.3Gi")})
	if diff := cmp.Diff(once, feature.Canonical(once)); diff != "" {
		t.Errorf("(-once +twice):\n%s", diff)
	}
}
