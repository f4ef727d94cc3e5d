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
	"errors"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// DefaultBreakGlass are the groups whose members pass the guard-rails as they are shipped. It is the caller's own.
func DefaultBreakGlass() []string { return []string{"bulkhead:break-glass", "system:masters"} }

// Settings are what an overlay of config/admission may change, so that the operator expects it.
type Settings struct {
	// BreakGlass are the groups whose members pass, in the order of the overlay; empty for DefaultBreakGlass.
	BreakGlass []string
	// OperatorNamespace is where the operator runs; empty for v1alpha1.DefaultOperatorNamespace.
	OperatorNamespace string
}

// Check says which setting can't be; nil if all can.
func (s Settings) Check() error {
	for i, group := range s.BreakGlass {
		switch {
		case group == "":
			return errors.New("a break-glass group has no name")
		case strings.ContainsFunc(group, func(r rune) bool { return r < ' ' }):
			return fmt.Errorf("the break-glass group %q has control characters", group)
		case slices.Contains(s.BreakGlass[:i], group):
			return fmt.Errorf("the break-glass group %q is there twice", group)
		}
	}
	return nil
}

const (
	// trustedVariable is the first variable of each policy.
	trustedVariable = "trusted"
	// trustedCondition is the matchCondition that says the same, of the rule that is only about those who break the glass.
	trustedCondition = "is-trusted"
)

// trusted is the expression that tells who has broken the glass, as config/admission/kustomization.yaml shows it.
func (s Settings) trusted() string {
	groups := s.BreakGlass
	if len(groups) == 0 {
		groups = DefaultBreakGlass()
	}
	quoted := make([]string, 0, len(groups))
	for _, group := range groups {
		quoted = append(quoted, "'"+strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(group)+"'")
	}
	return "request.userInfo.?groups.orValue([]).exists(g, g in [" + strings.Join(quoted, ", ") + "])"
}

// serviceAccount is the name of the operator's ServiceAccount to the API server.
func serviceAccount(namespace string) string {
	return "'system:serviceaccount:" + namespace + ":bulkhead'"
}

// Expect returns guard-rails as the API server shows them where they are installed with these settings: with its
// defaults filled in. What it is given stays as it is.
func Expect(rails []Rail, settings Settings) []Rail {
	expected := make([]Rail, 0, len(rails))
	for _, rail := range rails {
		rail.Policy, rail.Binding = rail.Policy.DeepCopy(), rail.Binding.DeepCopy()
		setDefault(&rail.Policy.Spec.FailurePolicy, admissionregistrationv1.Fail)
		defaultMatch(rail.Policy.Spec.MatchConstraints)
		defaultMatch(rail.Binding.Spec.MatchResources)
		settings.apply(&rail.Policy.Spec)
		expected = append(expected, rail)
	}
	return expected
}

func (s Settings) apply(spec *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
	if len(spec.Variables) > 0 && spec.Variables[0].Name == trustedVariable {
		spec.Variables[0].Expression = s.trusted()
	}
	for i := range spec.MatchConditions {
		if spec.MatchConditions[i].Name == trustedCondition {
			spec.MatchConditions[i].Expression = s.trusted()
		}
	}
	if s.OperatorNamespace == "" || s.OperatorNamespace == v1alpha1.DefaultOperatorNamespace {
		return
	}
	shipped, here := serviceAccount(v1alpha1.DefaultOperatorNamespace), serviceAccount(s.OperatorNamespace)
	for i := range spec.MatchConditions {
		spec.MatchConditions[i].Expression = strings.ReplaceAll(spec.MatchConditions[i].Expression, shipped, here)
	}
}

// defaultMatch does what the API server does:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/admissionregistration/v1/defaults.go
func defaultMatch(match *admissionregistrationv1.MatchResources) {
	if match == nil {
		return
	}
	setDefault(&match.MatchPolicy, admissionregistrationv1.Equivalent)
	setDefault(&match.NamespaceSelector, metav1.LabelSelector{})
	setDefault(&match.ObjectSelector, metav1.LabelSelector{})
	for _, rules := range [][]admissionregistrationv1.NamedRuleWithOperations{match.ResourceRules, match.ExcludeResourceRules} {
		for i := range rules {
			setDefault(&rules[i].Scope, admissionregistrationv1.AllScopes)
		}
	}
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
