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

package guard

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// installed is a guard-rail of that name as it must be, and the same as it is found installed.
func installed(t *testing.T, name string) (Rail, Rail) {
	t.Helper()
	rails := Expect(mustShip(t), Settings{})
	at := slices.IndexFunc(rails, func(r Rail) bool { return r.Name() == name })
	if at < 0 {
		t.Fatalf("there is no guard-rail %s", name)
	}
	live := rails[at]
	live.Policy, live.Binding = live.Policy.DeepCopy(), live.Binding.DeepCopy()
	return rails[at], live
}

func writtenBy(manager, fields string) []metav1.ManagedFieldsEntry {
	when := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return []metav1.ManagedFieldsEntry{{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "admissionregistration.k8s.io/v1", Time: &when,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	comparer, err := NewComparer(kubernetesscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	const ships = " is not what this version of Bulkhead ships: "
	cases := map[string]struct {
		name  string
		edit  func(*Rail)
		state State
		fault string
	}{
		"as shipped": {edit: func(*Rail) {}},
		"with metadata of others, and a status": {edit: func(r *Rail) {
			r.Policy.Labels, r.Policy.Annotations = map[string]string{"team": "x"}, nil
			r.Policy.OwnerReferences = []metav1.OwnerReference{{Name: "operator-of-operators"}}
			r.Policy.Status.ObservedGeneration = 7
			r.Binding.ResourceVersion = "9"
		}},
		"nothing": {edit: func(r *Rail) { r.Policy, r.Binding = nil, nil }, state: NotInstalled,
			fault: "its policy is not installed; its binding is not installed"},
		"no policy":  {edit: func(r *Rail) { r.Policy = nil }, state: NotInstalled, fault: "its policy is not installed"},
		"no binding": {edit: func(r *Rail) { r.Binding = nil }, state: NotInstalled, fault: "its binding is not installed"},
		"missing and edited": {edit: func(r *Rail) { r.Policy.Spec.FailurePolicy = new(admissionregistrationv1.Ignore); r.Binding = nil }, state: NotInstalled,
			fault: "its policy" + ships + "spec.failurePolicy; its binding is not installed"},
		"fails open, by somebody": {edit: func(r *Rail) {
			r.Policy.Spec.FailurePolicy = new(admissionregistrationv1.Ignore)
			r.Policy.ManagedFields = writtenBy("kubectl-edit", `{"f:spec":{"f:failurePolicy":{}}}`)
		}, state: Edited, fault: "its policy" + ships + `spec.failurePolicy (last written by field manager "kubectl-edit", client-declared)`},
		"a condition more": {edit: func(r *Rail) {
			r.Policy.Spec.MatchConditions = append(r.Policy.Spec.MatchConditions, admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
		}, state: Edited, fault: "its policy" + ships + `spec.matchConditions[name="never"]`},
		"a condition less, which leaves no trace": {edit: func(r *Rail) {
			r.Policy.Spec.MatchConditions = r.Policy.Spec.MatchConditions[1:]
			r.Policy.ManagedFields = writtenBy("kubectl-edit", `{"f:spec":{"f:failurePolicy":{}}}`)
		}, state: Edited, fault: "its policy" + ships + `spec.matchConditions[name="not-bulkhead"]`},
		"another condition": {edit: func(r *Rail) { r.Policy.Spec.MatchConditions[0].Expression = "false" }, state: Edited,
			fault: "its policy" + ships + `spec.matchConditions[name="not-bulkhead"].expression`},
		"another selector": {edit: func(r *Rail) {
			r.Policy.Spec.MatchConstraints.NamespaceSelector.MatchLabels = map[string]string{"a": "b"}
		}, state: Edited,
			fault: "its policy" + ships + "spec.matchConstraints"},
		"fewer operations": {edit: func(r *Rail) {
			rule := &r.Policy.Spec.MatchConstraints.ResourceRules[0]
			rule.Operations = slices.Clone(rule.Operations[:1])
		}, state: Edited, fault: "its policy" + ships + "spec.matchConstraints"},
		"no validations": {edit: func(r *Rail) { r.Policy.Spec.Validations = nil; r.Policy.Spec.AuditAnnotations = nil }, state: Edited,
			fault: "its policy" + ships + "spec.auditAnnotations, spec.validations"},
		"variables in another order": {edit: func(r *Rail) { slices.Reverse(r.Policy.Spec.Variables) }, state: Edited,
			fault: "its policy" + ships + "spec.variables"},
		"other break-glass groups": {edit: func(r *Rail) { r.Policy.Spec.Variables[0].Expression = "true" }, state: Edited,
			fault: "its policy" + ships + `spec.variables[name="trusted"]; --break-glass-groups must name the groups that it names`},
		"other break-glass groups are warned": {name: "bulkhead-break-glass", edit: func(r *Rail) {
			r.Policy.Spec.Variables[0].Expression = "true"
			r.Policy.Spec.MatchConditions[2].Expression = "true"
		}, state: Edited, fault: "its policy" + ships +
			`spec.matchConditions[name="is-trusted"].expression, spec.variables[name="trusted"]; --break-glass-groups must name the groups that it names`},
		"much": {edit: func(r *Rail) {
			for i := range r.Policy.Spec.Variables[:5] {
				r.Policy.Spec.Variables[i].Expression += " "
			}
		}, state: Edited, fault: "its policy" + ships +
			`spec.variables[name="boundary"], spec.variables[name="opened"], spec.variables[name="plain"] and 2 more`},
		"only audits": {edit: func(r *Rail) {
			r.Binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
		}, state: Edited, fault: "its binding" + ships + `spec.validationActions[="Audit"], spec.validationActions[="Deny"]`},
		"audits too": {edit: func(r *Rail) {
			r.Binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit, admissionregistrationv1.Deny}
		}, state: Edited, fault: "its binding" + ships + `spec.validationActions[="Audit"]`},
		"binds less": {edit: func(r *Rail) {
			r.Binding.Spec.MatchResources = &admissionregistrationv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
		}, state: Edited, fault: "its binding" + ships + "spec.matchResources"},
		"binds all namespaces": {edit: func(r *Rail) { r.Binding.Spec.MatchResources = nil }, state: Edited, fault: "its binding" + ships + "spec.matchResources"},
		"binds another policy": {edit: func(r *Rail) { r.Binding.Spec.PolicyName = "x" }, state: Edited, fault: "its binding" + ships + "spec.policyName"},
		"another parameter": {name: "bulkhead-quota-ready", edit: func(r *Rail) { r.Binding.Spec.ParamRef.Name = "x" }, state: Edited,
			fault: "its binding" + ships + "spec.paramRef"},
		"parameters may be missing": {name: "bulkhead-quota-ready", edit: func(r *Rail) {
			r.Binding.Spec.ParamRef.ParameterNotFoundAction = new(admissionregistrationv1.AllowAction)
		}, state: Edited, fault: "its binding" + ships + "spec.paramRef"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.name == "" {
				tc.name = "bulkhead-network-policies"
			}
			want, live := installed(t, tc.name)
			tc.edit(&live)
			finding, err := comparer.Compare(want, live.Policy, live.Binding)
			if err != nil {
				t.Fatal(err)
			}
			if got := finding.State(); got != tc.state {
				t.Errorf("state %q, want %q", got, tc.state)
			}
			if diff := cmp.Diff(tc.fault, finding.Fault()); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
			sound := finding.Policy.Sound() && finding.Binding.Sound()
			if sound != (tc.state == "") {
				t.Errorf("sound is %v", sound)
			}
		})
	}
}

// TestCompareShipped checks that nothing that is shipped differs from itself.
func TestCompareShipped(t *testing.T) {
	t.Parallel()
	comparer, err := NewComparer(kubernetesscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	for _, rail := range Expect(mustShip(t), Settings{}) {
		finding, err := comparer.Compare(rail, rail.Policy.DeepCopy(), rail.Binding.DeepCopy())
		if err != nil || finding.State() != "" {
			t.Errorf("%s: %s (%v)", rail.Name(), finding.Fault(), err)
		}
	}
}

func TestHalfObject(t *testing.T) {
	t.Parallel()
	want, live := installed(t, "bulkhead-network-policies")
	live.Policy.UID = "1"
	comparer, err := NewComparer(kubernetesscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	finding, err := comparer.Compare(want, live.Policy, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := finding.Policy.Object(); got.GetUID() != "1" {
		t.Errorf("the policy is %v", got)
	}
	missing, ok := finding.Binding.Object().(*admissionregistrationv1.ValidatingAdmissionPolicyBinding)
	if !ok || missing.Name != want.Name() || finding.Binding.DriftType() != v1alpha1.DriftObjectMissing {
		t.Errorf("the binding is %v, %q", finding.Binding.Object(), finding.Binding.DriftType())
	}
	finding, err = comparer.Compare(want, nil, live.Binding)
	if _, ok := finding.Policy.Object().(*admissionregistrationv1.ValidatingAdmissionPolicy); err != nil || !ok {
		t.Errorf("the policy is %T (%v)", finding.Policy.Object(), err)
	}
}
