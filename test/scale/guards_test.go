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
	"math/rand/v2"
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
		want    spending
		err     string
	}{
		"nothing yet": {},
		"others are left out": {metrics: "# HELP x y{}\nup 1\n" +
			`apiserver_admission_controller_admission_duration_seconds_sum{name="PodSecurity",operation="CREATE",rejected="false",type="validate"} 7` + "\n" +
			`apiserver_admission_controller_admission_duration_seconds_count{name="ValidatingAdmissionPolicy",operation="CREATE",rejected="false",type="validate"} 7` + "\n"},
		"both plugins, all operations": {want: spending{policies: 875 * time.Millisecond, cpu: 1500 * time.Millisecond}, metrics: "process_cpu_seconds_total 1.5\n" +
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
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	var none, got latency
	none.sum()
	got.spend(4, spending{policies: 8, cpu: 10})
	got.spend(1, spending{policies: 7, cpu: 5})
	got.times = []time.Duration{2, 1, 3, 9}
	got.sum()
	want := []latency{{}, {Samples: 4, P50: 2, P99: 9, Policies: 3, CPU: 3}}
	if diff := cmp.Diff(want, []latency{none, got}, cmpopts.IgnoreUnexported(latency{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	turns := turnsOf(rand.New(rand.NewPCG(1, 2)), []int{0, 1, 2}, guardTurn)
	counts, changes, before := map[int]int{}, 0, -1
	for _, turn := range turns {
		if len(turn) != guardTurn {
			t.Errorf("a turn of %d requests, want %d", len(turn), guardTurn)
		}
		for _, kind := range turn {
			counts[kind]++
			if kind != before {
				changes++
			}
			before = kind
		}
	}
	if diff := cmp.Diff(map[int]int{0: guardTurn, 1: guardTurn, 2: guardTurn}, counts); diff != "" {
		t.Errorf("requests of each kind (-want +got):\n%s", diff)
	}
	if changes <= 3 {
		t.Errorf("the kinds come one after another: %v", turns)
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
		rail := guard.Rail{Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{}, Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}}
		rail.Policy.Name, rail.Policy.Spec.MatchConstraints = name, &match
		g.rails = append(g.rails, rail)
	}
	bound := guard.Rail{Policy: g.rails[0].Policy.DeepCopy(), Binding: g.rails[0].Binding.DeepCopy()}
	bound.Policy.Name, bound.Policy.Spec.MatchConstraints = "bound", &admissionregistrationv1.MatchResources{ResourceRules: rule("*", "*", "*")}
	bound.Binding.Spec.MatchResources = &admissionregistrationv1.MatchResources{NamespaceSelector: tenants}
	g.rails = append(g.rails, bound)
	of := labels.Set{v1alpha1.LabelTenant: "acme"}
	for name, tc := range map[string]struct {
		request reach
		want    []string
	}{
		"a tenant's pod is created": {reach{resource: "pods", operation: admissionregistrationv1.Create, namespace: of}, []string{"all", "bound", "created-pods", "namespaces-objects"}},
		"a tenant's pod is updated": {reach{resource: "pods", operation: admissionregistrationv1.Update, namespace: of}, []string{"all", "bound", "namespaces-objects"}},
		"somebody's pod is created": {reach{resource: "pods", operation: admissionregistrationv1.Create}, []string{"all", "created-pods"}},
		"pods of another group":     {reach{group: "metrics.k8s.io", resource: "pods", operation: admissionregistrationv1.Create}, []string{"all", "all-but-pods"}},
		"a tenant's namespace":      {reach{resource: "namespaces", operation: admissionregistrationv1.Update, namespace: of, object: of}, []string{"all", "all-but-pods", "bound", "namespaces-objects", "objects"}},
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
