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

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

func TestReadSpent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		metrics string
		want    time.Duration
		err     string
	}{
		"nothing yet": {},
		"others are left out": {metrics: "# HELP x y{}\nup 1\n" +
			`apiserver_admission_controller_admission_duration_seconds_sum{name="PodSecurity",operation="CREATE",rejected="false",type="validate"} 7` + "\n" +
			`apiserver_admission_controller_admission_duration_seconds_count{name="ValidatingAdmissionPolicy",operation="CREATE",rejected="false",type="validate"} 7` + "\n"},
		"both plugins, all operations": {want: 875 * time.Millisecond, metrics: "" +
			`apiserver_admission_controller_admission_duration_seconds_sum{name="ValidatingAdmissionPolicy",operation="CREATE",rejected="false",type="validate"} 0.25` + "\n" +
			`apiserver_admission_controller_admission_duration_seconds_sum{name="ValidatingAdmissionPolicy",operation="UPDATE",rejected="false",type="validate"} 1.25e-1` + "\n" +
			`apiserver_admission_controller_admission_duration_seconds_sum{name="MutatingAdmissionPolicy",operation="CREATE",rejected="false",type="admit"} 0.5` + "\n"},
		"no number": {
			metrics: `apiserver_admission_controller_admission_duration_seconds_sum{name="ValidatingAdmissionPolicy"} long`,
			err:     "reading the API server's metric",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readSpent(tc.metrics)
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("the error is %v, want %q", err, tc.err)
			}
			if got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// TestTurns checks that all sides have as many blocks, and as early ones.
func TestTurns(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]level{without, withRules, withDefaults, withDefaults, withRules, without}, turns(3, 2)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, levels := range []int{2, 3} {
		count, sum := map[level]int{}, map[level]int{}
		for at, now := range turns(levels, 40) {
			count[now]++
			sum[now] += at
		}
		for now := range level(levels) {
			if count[now] != 40 || sum[now] != sum[without] {
				t.Errorf("level %d of %d: %d blocks, at %d in sum; without: at %d", now, levels, count[now], sum[now], sum[without])
			}
		}
	}
}

func TestGuardedSum(t *testing.T) {
	t.Parallel()
	r := guarded{Sides: []*latency{{}, {}}}
	r.Sides[withRules].add(block{times: []time.Duration{2, 1, 3}, requests: 4, policies: 8})
	r.Sides[withRules].add(block{times: []time.Duration{9}, requests: 1, policies: 7})
	for _, half := range []int{0, 1, 0} {
		made := block{times: []time.Duration{time.Duration(2 + half)}, requests: 1}
		r.Sides[without].add(made)
		r.halves[half].add(made)
	}
	r.sum()
	want := guarded{NoiseP50: 1.5, NoiseP99: 1.5, Sides: []*latency{{Samples: 3, P50: 2, P99: 3}, {Samples: 4, P50: 2, P99: 9, Policies: 3}}}
	if diff := cmp.Diff(want, r, cmpopts.IgnoreUnexported(guarded{}, latency{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAbout(t *testing.T) {
	t.Parallel()
	tenants := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.LabelTenant, Operator: metav1.LabelSelectorOpExists}}}
	rule := func(group, resource string, operation admissionregistrationv1.OperationType) []admissionregistrationv1.NamedRuleWithOperations {
		return []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{operation},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, Resources: []string{resource}},
		}}}
	}
	g := &guardedWorld{}
	for name, match := range map[string]admissionregistrationv1.MatchResources{
		"all":                {ResourceRules: rule("*", "*", "*")},
		"all-but-pods":       {ResourceRules: rule("*", "*", "*"), ExcludeResourceRules: rule("", "pods", "*")},
		"created-pods":       {ResourceRules: rule("", "pods", admissionregistrationv1.Create)},
		"namespaces-objects": {ResourceRules: rule("*", "*", "*"), NamespaceSelector: tenants},
		"objects":            {ResourceRules: rule("*", "*", "*"), ObjectSelector: tenants},
	} {
		rail := guard.Rail{Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{}}
		rail.Policy.Name, rail.Policy.Spec.MatchConstraints = name, &match
		g.rails = append(g.rails, rail)
	}
	of := labels.Set{v1alpha1.LabelTenant: "acme"}
	for name, tc := range map[string]struct {
		request reach
		want    []string
	}{
		"a tenant's pod is created": {reach{resource: "pods", operation: admissionregistrationv1.Create, namespace: of}, []string{"all", "created-pods", "namespaces-objects"}},
		"a tenant's pod is updated": {reach{resource: "pods", operation: admissionregistrationv1.Update, namespace: of}, []string{"all", "namespaces-objects"}},
		"somebody's pod is created": {reach{resource: "pods", operation: admissionregistrationv1.Create}, []string{"all", "created-pods"}},
		"pods of another group":     {reach{group: "metrics.k8s.io", resource: "pods", operation: admissionregistrationv1.Create}, []string{"all", "all-but-pods"}},
		"a tenant's namespace":      {reach{resource: "namespaces", operation: admissionregistrationv1.Update, namespace: of, object: of}, []string{"all", "all-but-pods", "namespaces-objects", "objects"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, defaults, err := g.about(tc.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(defaults) > 0 {
				t.Errorf("(-want +got):\n%s%v", diff, defaults)
			}
		})
	}
}
