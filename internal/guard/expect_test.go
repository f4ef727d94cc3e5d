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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func mustShip(t *testing.T) []Rail {
	t.Helper()
	rails, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return rails
}

// TestExpectTrusted checks that the flag's default is what is shipped, byte by byte, and that others become what the
// kustomization shows.
func TestExpectTrusted(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		groups []string
		want   string
	}{
		"default":    {nil, "['bulkhead:break-glass', 'system:masters']"},
		"the same":   {DefaultBreakGlass(), "['bulkhead:break-glass', 'system:masters']"},
		"one more":   {append(DefaultBreakGlass(), "oidc:sre"), "['bulkhead:break-glass', 'system:masters', 'oidc:sre']"},
		"fewer":      {[]string{"bulkhead:break-glass"}, "['bulkhead:break-glass']"},
		"with quote": {[]string{`o'neill\x`}, `['o\'neill\\x']`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shipped := mustShip(t)
			for i, rail := range Expect(shipped, Settings{BreakGlass: tc.groups}) {
				want := "request.userInfo.?groups.orValue([]).exists(g, g in " + tc.want + ")"
				if got := rail.Policy.Spec.Variables[0].Expression; got != want {
					t.Errorf("%s: trusted is %q, want %q", rail.Name(), got, want)
				}
				for _, condition := range rail.Policy.Spec.MatchConditions {
					if condition.Name == "is-trusted" && condition.Expression != want {
						t.Errorf("%s: is-trusted is %q, want %q", rail.Name(), condition.Expression, want)
					}
				}
				if original := shipped[i].Policy.Spec.Variables[0].Expression; !strings.Contains(original, "'system:masters'") {
					t.Errorf("%s: what was shipped is changed to %q", rail.Name(), original)
				}
			}
		})
	}
}

func TestExpectOperatorNamespace(t *testing.T) {
	t.Parallel()
	for namespace, want := range map[string]string{
		"": "bulkhead-system", "bulkhead-system": "bulkhead-system", "platform": "platform",
	} {
		for _, rail := range Expect(mustShip(t), Settings{OperatorNamespace: namespace}) {
			for _, condition := range rail.Policy.Spec.MatchConditions {
				if condition.Name != "not-bulkhead" {
					continue
				}
				if user := "'system:serviceaccount:" + want + ":bulkhead'"; !strings.Contains(condition.Expression, user) {
					t.Errorf("%s in %q: %s, want it to name %s", rail.Name(), namespace, condition.Expression, user)
				}
			}
		}
	}
}

func TestExpectDefaults(t *testing.T) {
	t.Parallel()
	match := func() *admissionregistrationv1.MatchResources {
		return &admissionregistrationv1.MatchResources{
			ResourceRules:        []admissionregistrationv1.NamedRuleWithOperations{{}},
			ExcludeResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{}},
		}
	}
	rail := Rail{Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{}, Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}}
	rail.Policy.Spec.MatchConstraints, rail.Binding.Spec.MatchResources = match(), match()
	got := Expect([]Rail{rail, {Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{}, Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}}}, Settings{})
	rule := admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Rule: admissionregistrationv1.Rule{Scope: new(admissionregistrationv1.AllScopes)},
	}}
	want := &admissionregistrationv1.MatchResources{
		MatchPolicy: new(admissionregistrationv1.Equivalent), NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
		ResourceRules:        []admissionregistrationv1.NamedRuleWithOperations{rule},
		ExcludeResourceRules: []admissionregistrationv1.NamedRuleWithOperations{rule},
	}
	if diff := cmp.Diff(want, got[0].Policy.Spec.MatchConstraints); diff != "" {
		t.Errorf("matchConstraints (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got[0].Binding.Spec.MatchResources); diff != "" {
		t.Errorf("matchResources (-want +got):\n%s", diff)
	}
	if policy := got[1].Policy.Spec.FailurePolicy; policy == nil || *policy != admissionregistrationv1.Fail {
		t.Errorf("failurePolicy is %v, want Fail", policy)
	}
	if diff := cmp.Diff(match(), rail.Policy.Spec.MatchConstraints); diff != "" {
		t.Errorf("what was given is changed (-before +after):\n%s", diff)
	}
}

func TestSettingsCheck(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		groups []string
		want   string
	}{
		"none":   {nil, ""},
		"two":    {[]string{"a", "b"}, ""},
		"empty":  {[]string{"a", ""}, "a break-glass group has no name"},
		"twice":  {[]string{"a", "b", "a"}, `the break-glass group "a" is there twice`},
		"a line": {[]string{"a\nb"}, `the break-glass group "a\nb" has control characters`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := (Settings{BreakGlass: tc.groups}).Check(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
