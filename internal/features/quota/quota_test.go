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

package quota_test

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/quota"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ quota string }{
		"nothing": {},
		"empty":   {`{perNamespace: {}}`},
		"01-starter": {`
perNamespace:
  requests.cpu: "8"
  requests.memory: 16Gi
  limits.memory: 32Gi
  pods: "100"
  services.loadbalancers: "0"`},
		"canonical": {`
perNamespace:
  pods: 10
  requests.cpu: 1000m
  limits.cpu: "1.5"
  requests.memory: 1024Mi
  limits.memory: 1.0001m
  count/jobs.batch: "1e3"
  requests.storage: 0.5Gi`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := feature.Facts{Tenant: "acme", Namespace: "acme-prod"}
			if err := yaml.UnmarshalStrict([]byte(tc.quota), &facts.Policy.Quota); err != nil {
				t.Fatal(err)
			}
			before := facts.Policy.DeepCopy()
			var got feature.Result
			for range 2 { // Rendering again renders the same.
				var err error
				if got, err = (quota.Room{}).Render(facts); err != nil {
					t.Fatal(err)
				}
				golden.YAML(t, name, got.Walls...)
			}
			if len(got.Doors) != 0 {
				t.Errorf("%d doors, want none", len(got.Doors))
			}
			// Not cmp.Diff: a text that a quantity remembers is a write too, and a race between workers.
			if !reflect.DeepEqual(*before, facts.Policy) {
				t.Errorf("the facts were changed: %v, were %v", facts.Policy, *before)
			}
		})
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	hard := func(pods string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourcePods: resource.MustParse(pods)}
	}
	tests := map[string]struct {
		live runtime.Object
		want string
	}{
		"in force": {live: &corev1.ResourceQuota{
			Spec: corev1.ResourceQuotaSpec{Hard: hard("10")}, Status: corev1.ResourceQuotaStatus{Hard: hard("10")},
		}},
		"not counted": {live: &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: hard("10")}}, want: v1alpha1.ReasonPending},
		"old budget": {live: &corev1.ResourceQuota{
			Spec: corev1.ResourceQuotaSpec{Hard: hard("10")}, Status: corev1.ResourceQuotaStatus{Hard: hard("20")},
		}, want: v1alpha1.ReasonPending},
		"other kind": {live: &corev1.Namespace{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			if f := (quota.Room{}).Observe(tc.live); f.Problem != nil {
				got = f.Problem.Reason
			}
			if got != tc.want {
				t.Errorf("reason = %q, want %q", got, tc.want)
			}
		})
	}
}
