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

package exposure

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// TestProbeNamespace checks that the namespaces in which guard-rails are proven, which have the tenant label with an empty
// value, open nothing for a tenant that lets in all tenants; and that such a label anywhere else does.
func TestProbeNamespace(t *testing.T) {
	t.Parallel()
	hub := builders.MakeTenant("hub").Namespaces("hub-dev").Policy(builders.Allow(v1alpha1.Opening{Name: "tenants", Direction: v1alpha1.Ingress,
		Peers: []v1alpha1.Peer{{Namespaces: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.LabelTenant, Operator: metav1.LabelSelectorOpExists}},
		}}},
	})).Obj()
	empty := map[string]string{v1alpha1.LabelTenant: "", "team": "platform"}
	cases := map[string]struct {
		namespace string
		labels    map[string]string
		want      []told
	}{
		"for probes":                {v1alpha1.GuardProbeNamespace, empty, []told{}},
		"for probes about quotas":   {v1alpha1.GuardProbeQuotaNamespace, empty, []told{}},
		"for probes, and forged":    {v1alpha1.GuardProbeNamespace, map[string]string{v1alpha1.LabelTenant: "acme"}, []told{{v1alpha1.FindingLabelExposure, v1alpha1.SeverityCritical, "Namespace bulkhead-guard-probe"}}},
		"anywhere else":             {"other", empty, []told{{v1alpha1.FindingLabelExposure, v1alpha1.SeverityCritical, "Namespace other"}}},
		"anywhere else, without it": {"other", map[string]string{"team": "platform"}, []told{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := builtBy(t, hub)
			live := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tc.namespace, Labels: tc.labels}}
			w.namespaces = append(w.namespaces, *live)
			plan := planOf(t, hub)
			for _, how := range []string{"at first", "when it changes"} {
				j := judgeOf(w)
				if how != "at first" {
					j.Namespace(tc.namespace, live, "", nil)
				}
				if err := j.Prime(t.Context()); err != nil {
					t.Fatal(err)
				}
				got, err := j.Judge(t.Context(), plan, liveOf(plan))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, brief(t, got)); diff != "" {
					t.Errorf("%s: findings (-want +got):\n%s", how, diff)
				}
			}
			if diff := cmp.Diff(tc.labels, live.Labels); diff != "" {
				t.Errorf("what is shared with the cache is changed (-before +after):\n%s", diff)
			}
		})
	}
}
