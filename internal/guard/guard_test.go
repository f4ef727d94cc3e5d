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

package guard_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

func shipped(t *testing.T) []guard.Rail {
	t.Helper()
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return rails
}

func TestShippedNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, rail := range shipped(t) {
		names = append(names, rail.Name())
	}
	want := []string{
		"bulkhead-access-bindings", "bulkhead-access-roles", "bulkhead-break-glass", "bulkhead-images", "bulkhead-ingress",
		"bulkhead-ingress-addresses", "bulkhead-ingress-gateways", "bulkhead-ingress-grants", "bulkhead-ingress-routes",
		"bulkhead-ingress-services", "bulkhead-managed-objects", "bulkhead-namespace-metadata", "bulkhead-namespace-ownership",
		"bulkhead-namespace-ownership-tenants", "bulkhead-network-policies", "bulkhead-quota-ready", "bulkhead-scheduling-bindings",
		"bulkhead-scheduling-groups", "bulkhead-scheduling-pods", "bulkhead-storage", "bulkhead-storage-pods",
		"bulkhead-storage-volumes", "bulkhead-tenant-objects",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("guard-rails (-want +got):\n%s", diff)
	}
}

// warning is the one guard-rail that refuses nothing.
const warning = "bulkhead-break-glass"

// parameters are those of the one guard-rail that has any: a kind that the API server can't admit a pod without.
var parameters = map[string][2]any{
	"bulkhead-quota-ready": {
		&admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ResourceQuota"},
		&admissionregistrationv1.ParamRef{Name: "bulkhead", ParameterNotFoundAction: new(admissionregistrationv1.DenyAction)},
	},
}

// TestShippedFailClosed checks what makes a guard-rail one: it refuses, with or without an error, and depends on nothing
// that could be missing.
func TestShippedFailClosed(t *testing.T) {
	t.Parallel()
	for _, rail := range shipped(t) {
		spec, binding := rail.Policy.Spec, rail.Binding.Spec
		checkParameters(t, rail)
		if rail.Name() == warning {
			continue
		}
		if spec.FailurePolicy == nil || *spec.FailurePolicy != admissionregistrationv1.Fail {
			t.Errorf("%s: failurePolicy isn't Fail", rail.Name())
		}
		checkSelection(t, rail)
		if diff := cmp.Diff([]admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}, binding.ValidationActions); diff != "" {
			t.Errorf("%s: validationActions (-want +got):\n%s", rail.Name(), diff)
		}
		if len(spec.AuditAnnotations) != 1 || spec.AuditAnnotations[0].Key != "break-glass" {
			t.Errorf("%s: a pass leaves no trace in the audit log", rail.Name())
		}
		for _, v := range spec.Validations {
			if v.Reason == nil || *v.Reason != metav1.StatusReasonForbidden || v.Message == "" || v.MessageExpression == "" {
				t.Errorf("%s: %q has no reason Forbidden, or says not why", rail.Name(), v.Expression)
			}
			if !strings.Contains(v.Expression, "variables.trusted") {
				t.Errorf("%s: break-glass doesn't pass %q", rail.Name(), v.Expression)
			}
		}
		for _, condition := range spec.MatchConditions {
			// It is null there, and the rule would refuse everybody.
			if strings.Contains(condition.Expression, "namespaceObject") {
				t.Errorf("%s: %s uses namespaceObject", rail.Name(), condition.Name)
			}
		}
	}
}

func checkParameters(t *testing.T, rail guard.Rail) {
	t.Helper()
	want, needs := parameters[rail.Name()]
	if !needs {
		want = [2]any{(*admissionregistrationv1.ParamKind)(nil), (*admissionregistrationv1.ParamRef)(nil)}
	}
	if diff := cmp.Diff(want, [2]any{rail.Policy.Spec.ParamKind, rail.Binding.Spec.ParamRef}); diff != "" {
		t.Errorf("%s: parameters (-want +got):\n%s", rail.Name(), diff)
	}
}

// TestShippedWarning checks that what warns can't refuse anybody, whatever goes wrong.
func TestShippedWarning(t *testing.T) {
	t.Parallel()
	for _, rail := range shipped(t) {
		if rail.Name() != warning {
			continue
		}
		if policy := rail.Policy.Spec.FailurePolicy; policy == nil || *policy != admissionregistrationv1.Ignore {
			t.Errorf("%s: failurePolicy isn't Ignore", rail.Name())
		}
		if diff := cmp.Diff([]admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn}, rail.Binding.Spec.ValidationActions); diff != "" {
			t.Errorf("%s: validationActions (-want +got):\n%s", rail.Name(), diff)
		}
		return
	}
	t.Errorf("there is no %s", warning)
}

// TestShippedSpare checks that no rule is asked about what the API server itself writes for each pod.
func TestShippedSpare(t *testing.T) {
	t.Parallel()
	for _, rail := range shipped(t) {
		for _, rule := range rail.Policy.Spec.MatchConstraints.ResourceRules {
			for _, resource := range rule.Resources {
				if resource == "resourcequotas/status" || resource == "resourcequotas/*" || strings.HasPrefix(resource, "*/") {
					t.Errorf("%s matches %s, so that a mistake in it stops all pods", rail.Name(), resource)
				}
			}
		}
	}
}

// TestShippedAgree checks that who passes is written in the same words in every rule: YAML has no way to say it once.
func TestShippedAgree(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	for _, rail := range shipped(t) {
		spec := rail.Policy.Spec
		all := map[string]string{"variable " + spec.Variables[0].Name: spec.Variables[0].Expression}
		for _, condition := range spec.MatchConditions {
			if strings.HasPrefix(condition.Name, "not-") {
				all["matchCondition "+condition.Name] = condition.Expression
			}
		}
		for name, expression := range all {
			if first, there := said[name]; there && first != expression {
				t.Errorf("%s: %s is %q, elsewhere %q", rail.Name(), name, expression, first)
			}
			said[name] = expression
		}
		if _, there := all["matchCondition not-bulkhead"]; !there {
			t.Errorf("%s doesn't let the operator pass", rail.Name())
		}
		if spec.Variables[0].Name != "trusted" {
			t.Errorf("%s: variables[0] is %q; overlays replace it by its place", rail.Name(), spec.Variables[0].Name)
		}
	}
	for name, want := range map[string]string{
		"matchCondition not-bulkhead": "'system:serviceaccount:" + v1alpha1.DefaultOperatorNamespace + ":bulkhead'",
		"variable trusted":            "['bulkhead:break-glass', 'system:masters']",
	} {
		if !strings.Contains(said[name], want) {
			t.Errorf("%s is %q, want it to name %s", name, said[name], want)
		}
	}
}

// checkSelection checks that a selector is where it costs nothing to requests that the rule isn't about: the API server reads
// those of policies anew for each request, and those of bindings only if the resource is the policy's. What both are about
// is said by the policy alone.
func checkSelection(t *testing.T, rail guard.Rail) {
	t.Helper()
	policy, binding := rail.Policy.Spec.MatchConstraints, rail.Binding.Spec.MatchResources
	if binding != nil && (len(binding.ResourceRules) > 0 || len(binding.ExcludeResourceRules) > 0) {
		t.Errorf("%s: the binding says what the policy is about", rail.Name())
	}
	// Without its parameter's kind a policy refuses all that it selects.
	everything := slices.ContainsFunc(policy.ResourceRules, func(r admissionregistrationv1.NamedRuleWithOperations) bool {
		return slices.Contains(r.Resources, "*")
	})
	if (policy.NamespaceSelector != nil || policy.ObjectSelector != nil) && !everything && rail.Policy.Spec.ParamKind == nil {
		t.Errorf("%s: the policy selects, not the binding", rail.Name())
	}
}

// selectors are those of a guard-rail, wherever they are.
func selectors(rail guard.Rail) []*metav1.LabelSelector {
	var all []*metav1.LabelSelector
	for _, match := range []*admissionregistrationv1.MatchResources{rail.Policy.Spec.MatchConstraints, rail.Binding.Spec.MatchResources} {
		if match != nil {
			all = append(all, match.NamespaceSelector, match.ObjectSelector)
		}
	}
	return slices.DeleteFunc(all, func(s *metav1.LabelSelector) bool { return s == nil })
}

// TestShippedKeys checks that the rules speak of the labels and annotations that the API defines.
func TestShippedKeys(t *testing.T) {
	t.Parallel()
	for _, rail := range shipped(t) {
		constraints, operator := rail.Policy.Spec.MatchConstraints, metav1.LabelSelectorOpExists
		if rail.Name() == "bulkhead-namespace-ownership" {
			operator = metav1.LabelSelectorOpDoesNotExist
		}
		for _, selector := range selectors(rail) {
			if !slices.ContainsFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
				return r.Key == v1alpha1.LabelTenant && r.Operator == operator
			}) {
				t.Errorf("%s selects %v, want %s %s", rail.Name(), selector, v1alpha1.LabelTenant, operator)
			}
		}
		if rail.Name() == "bulkhead-managed-objects" && constraints.ObjectSelector.MatchLabels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByBulkhead {
			t.Errorf("%s doesn't select by %s", rail.Name(), v1alpha1.LabelManagedBy)
		}
	}
}

const (
	policy  = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: a}\n"
	binding = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: a}\nspec: {policyName: a}\n"
)

func TestParse(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		files map[string]string
		want  []string
		err   string
	}{
		"nothing":         {},
		"a pair":          {files: map[string]string{"a.yaml": policy + "---\n" + binding}, want: []string{"a"}},
		"in two files":    {files: map[string]string{"a.yaml": policy, "b.yaml": "# comment\n---\n" + binding}, want: []string{"a"}},
		"kustomization":   {files: map[string]string{"k.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"}},
		"other files":     {files: map[string]string{"embed.go": "package x"}},
		"no binding":      {files: map[string]string{"a.yaml": policy}, err: `policy "a" has no binding of its name`},
		"no policy":       {files: map[string]string{"a.yaml": binding}, err: `there are 1 bindings of 0 policies`},
		"other binding":   {files: map[string]string{"a.yaml": policy + "---\n" + strings.Replace(binding, "policyName: a", "policyName: b", 1)}, err: `has no binding`},
		"twice":           {files: map[string]string{"a.yaml": policy + "---\n" + policy}, err: `reading guard-rails from a.yaml: "a" is there twice`},
		"unknown field":   {files: map[string]string{"a.yaml": policy + "spec: {failPolicy: Fail}\n"}, err: `unknown field "failPolicy"`},
		"another kind":    {files: map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"}, err: `v1 Secret "s" is no guard-rail`},
		"another version": {files: map[string]string{"a.yaml": strings.Replace(policy, "/v1", "/v1beta1", 1)}, err: `is no guard-rail`},
		"no YAML":         {files: map[string]string{"a.yaml": "{"}, err: `reading guard-rails from a.yaml`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{}
			for name, content := range tc.files {
				files[name] = &fstest.MapFile{Data: []byte(content)}
			}
			rails, err := guard.Parse(files)
			if got := message(err); tc.err == "" && got != "" || !strings.Contains(got, tc.err) {
				t.Errorf("error %q, want %q", got, tc.err)
			}
			var names []string
			for _, rail := range rails {
				names = append(names, rail.Name())
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
