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
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// mutation is one request, and what must become of it.
type mutation struct {
	policy      string
	object, old runtime.Object
	resource    string
	sub         string
	// user is who asks; mallory if empty.
	user string
	// guards are the annotations of the namespace.
	guards map[string]string
	// want is the object that the API server must go on with; that of the request if nil.
	want runtime.Object
	// unmatched says that the policy mustn't even be asked: the API server would answer 503 while it starts.
	unmatched bool
}

func mutators(t *testing.T) map[string]guard.Mutator {
	t.Helper()
	shipped, err := guard.ShippedMutators()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]guard.Mutator{}
	for _, m := range shipped {
		all[m.Name()] = m
	}
	return all
}

// TestMutations runs the shipped policies as the API server does. Objects are seen in two ways: Kubernetes 1.36 converts them,
// and 1.37 doesn't, once matchConditions were asked.
func TestMutations(t *testing.T) {
	t.Parallel()
	tried, all := map[string]bool{}, map[string]*compiledMutator{}
	for name, m := range mutators(t) {
		all[name] = compileMutator(t, m.Policy.Spec)
	}
	for name, tc := range mutations() {
		tried[tc.policy] = true
		for kind, typed := range map[string]bool{"converted": false, "typed": true} {
			tc := tc.clone()
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				want := tc.want
				if want == nil {
					want = tc.object
				}
				got, matched := all[tc.policy].mutate(t, tc, typed)
				if matched == tc.unmatched {
					t.Fatalf("the policy's matchConditions hold: %t", matched)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the object (-want +got):\n%s", diff)
				}
				if tc.unmatched {
					return
				}
				// It may be asked twice, and must come to the same.
				anew := tc
				anew.object = got
				if again, _ := all[tc.policy].mutate(t, anew, typed); cmp.Diff(want, again) != "" {
					t.Errorf("asked again (-want +got):\n%s", cmp.Diff(want, again))
				}
			})
		}
	}
	for name := range all {
		if !tried[name] {
			t.Errorf("%s isn't tried", name)
		}
	}
}

// compiledMutator is a policy as the API server keeps it.
type compiledMutator struct {
	compiler  *plugincel.CompositedCompiler
	matcher   matchconditions.Matcher
	evaluator plugincel.MutatingEvaluator
}

func compileMutator(t testing.TB, spec admissionregistrationv1.MutatingAdmissionPolicySpec) *compiledMutator {
	t.Helper()
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	declarations := plugincel.OptionalVariableDeclarations{HasAuthorizer: true}
	variables := make([]plugincel.NamedExpressionAccessor, len(spec.Variables))
	for i, v := range spec.Variables {
		variables[i] = &validating.Variable{Name: v.Name, Expression: v.Expression}
	}
	compiler.CompileAndStoreVariables(variables, declarations, environment.NewExpressions)
	conditions := make([]plugincel.ExpressionAccessor, len(spec.MatchConditions))
	for i := range spec.MatchConditions {
		conditions[i] = (*matchconditions.MatchCondition)(&spec.MatchConditions[i])
	}
	c := &compiledMutator{compiler: compiler, matcher: matchconditions.NewMatcher(
		compiler.CompileCondition(conditions, declarations, environment.NewExpressions), spec.FailurePolicy, "policy", "validate", "p")}
	declarations.HasPatchTypes = true
	expression := spec.Mutations[0].JSONPatch.Expression
	c.evaluator = compiler.CompileMutatingEvaluator(&patch.JSONPatchCondition{Expression: expression}, declarations, environment.NewExpressions)
	if errs := c.evaluator.CompilationErrors(); len(errs) > 0 {
		t.Fatalf("%q doesn't compile: %v", expression, errs)
	}
	return c
}

// mutate is what a policy makes of an object, if its matchConditions hold. It fails if that costs more than a quarter of
// what the API server allows for one expression.
func (c *compiledMutator) mutate(t *testing.T, m mutation, typed bool) (got runtime.Object, matched bool) {
	t.Helper()
	attributes, resource := m.attributes(t)
	asked := c.compiler.CreateContext(t.Context())
	result := c.matcher.Match(asked, attributes, nil, nil)
	if result.Error != nil {
		t.Fatal(result.Error)
	}
	if !result.Matches {
		return attributes.VersionedObject.Object(), false
	}
	if !typed {
		attributes, _ = m.attributes(t)
	}
	namespace := plugincel.CreateNamespaceObject(&corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-prod", Annotations: m.guards, Labels: map[string]string{v1alpha1.LabelTenant: "acme"}},
	})
	request := plugincel.CreateAdmissionRequest(attributes.Attributes, metav1.GroupVersionResource(resource), metav1.GroupVersionKind(attributes.VersionedKind))
	_, left, err := c.evaluator.ForInput(asked, attributes, request, plugincel.OptionalVariableBindings{}, namespace, celconfig.RuntimeCELCostBudget)
	if err != nil {
		t.Fatal(err)
	}
	cost := celconfig.RuntimeCELCostBudget - left
	t.Logf("%8d %5.1f%%", cost, 100*float64(cost)/celconfig.PerCallLimit)
	if cost > budget {
		t.Errorf("it costs %d, more than %d", cost, budget)
	}
	got, err = patch.NewJSONPatcher(c.evaluator).Patch(asked, patch.Request{
		MatchedResource: resource, VersionedAttributes: attributes, Namespace: namespace,
		ObjectInterfaces: admission.NewObjectInterfacesFromScheme(clientgoscheme.Scheme),
	}, celconfig.RuntimeCELCostBudget)
	if err != nil {
		t.Fatal(err)
	}
	return got, true
}

// clone is a mutation that shares no object with the other.
func (m mutation) clone() mutation {
	for _, object := range []*runtime.Object{&m.object, &m.old, &m.want} {
		if *object != nil {
			*object = (*object).DeepCopyObject()
		}
	}
	return m
}

// attributes are those of the request, with objects that say of what kind they are, as in the API server.
func (m mutation) attributes(t *testing.T) (*admission.VersionedAttributes, schema.GroupVersionResource) {
	t.Helper()
	kinds, _, err := clientgoscheme.Scheme.ObjectKinds(m.object)
	if err != nil {
		t.Fatal(err)
	}
	gvk, operation := kinds[0], admission.Create
	m.object.GetObjectKind().SetGroupVersionKind(gvk)
	if m.want != nil {
		m.want.GetObjectKind().SetGroupVersionKind(gvk)
	}
	who := m.user
	if who == "" {
		who = "mallory"
	}
	versioned := &admission.VersionedAttributes{VersionedKind: gvk}
	if m.old != nil {
		m.old.GetObjectKind().SetGroupVersionKind(gvk)
		operation = admission.Update
		versioned.VersionedOldObject.Set(m.old.DeepCopyObject())
	}
	versioned.VersionedObject.Set(m.object.DeepCopyObject())
	resource := gvk.GroupVersion().WithResource(m.resource)
	versioned.Attributes = admission.NewAttributesRecord(m.object, m.old, gvk, "acme-prod", "x", resource, m.sub, operation, nil, false,
		&user.DefaultInfo{Name: who, Groups: []string{"system:authenticated"}})
	return versioned, resource
}
