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
	"maps"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// BenchmarkDispatch is what the API server does about ordinary requests, which are allowed, with all guard-rails in force:
// finding those that are about the request, and asking them.
func BenchmarkDispatch(b *testing.B) {
	objects := []runtime.Object{ordinaryNamespace(), ordinaryQuota()}
	for _, rail := range guard.Expect(shippedRails(b), guard.Settings{}) {
		objects = append(objects, rail.Policy, rail.Binding)
	}
	plugin := admissionPlugin(b, objects...)
	interfaces := admission.NewObjectInterfacesFromScheme(kubernetesscheme.Scheme)
	ordinary := ordinaryRequests()
	for _, name := range slices.Sorted(maps.Keys(ordinary)) {
		b.Run(name, func(b *testing.B) {
			attributes := ordinary[name].attributes()
			b.ReportAllocs()
			for b.Loop() {
				if err := plugin.Validate(b.Context(), attributes, interfaces); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPasses is what each pass takes that the API server makes of a guard-rail for a request that is allowed. All but
// the first are made only if the matchConditions hold; message and audit are made whatever the outcome is.
func BenchmarkPasses(b *testing.B) {
	ordinary := ordinaryRequests()
	for _, name := range slices.Sorted(maps.Keys(ordinary)) {
		r := ordinary[name]
		for _, rail := range shippedRails(b) {
			if !slices.Contains(r.rails, strings.TrimPrefix(rail.Name(), "bulkhead-")) {
				continue
			}
			passes := passesOf(b, rail.Policy.Spec)
			for _, pass := range slices.Sorted(maps.Keys(passes)) {
				b.Run(name+"/"+rail.Name()+"/"+pass, func(b *testing.B) {
					benchmarkPass(b, r, passes[pass], rail.Policy.Spec.ParamKind != nil, pass == "1 match")
				})
			}
		}
	}
}

func benchmarkPass(b *testing.B, r ordinaryRequest, pass plugincel.ConditionEvaluator, hasParams, matching bool) {
	b.Helper()
	attributes := r.attributes()
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: r.gvk}
	if r.object != nil {
		versioned.VersionedObject.Set(r.object)
	}
	if r.old != nil {
		versioned.VersionedOldObject.Set(r.old)
	}
	asked := plugincel.CreateAdmissionRequest(attributes, metav1.GroupVersionResource(attributes.GetResource()), metav1.GroupVersionKind(r.gvk))
	bindings := plugincel.OptionalVariableBindings{Authorizer: nobody}
	if hasParams {
		bindings.VersionedParams = ordinaryQuota()
	}
	namespace := plugincel.CreateNamespaceObject(ordinaryNamespace())
	if r.resource == "namespaces" || matching {
		namespace = nil
	}
	b.ReportAllocs()
	for b.Loop() {
		results, _, err := pass.ForInput(b.Context(), versioned, asked, bindings, namespace, celconfig.RuntimeCELCostBudget)
		if err != nil {
			b.Fatal(err)
		}
		for _, result := range results {
			if result.Error != nil {
				b.Fatal(result.Error)
			}
		}
	}
}

// passesOf are the passes of a policy, compiled as the API server does.
func passesOf(tb testing.TB, spec admissionregistrationv1.ValidatingAdmissionPolicySpec) map[string]plugincel.ConditionEvaluator {
	tb.Helper()
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		tb.Fatal(err)
	}
	declarations := plugincel.OptionalVariableDeclarations{HasAuthorizer: true, HasParams: spec.ParamKind != nil}
	for _, v := range spec.Variables {
		if result := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, declarations, environment.NewExpressions); result.Error != nil {
			tb.Fatal(result.Error)
		}
	}
	expressions := map[string][]plugincel.ExpressionAccessor{}
	for i := range spec.MatchConditions {
		expressions["1 match"] = append(expressions["1 match"], (*matchconditions.MatchCondition)(&spec.MatchConditions[i]))
	}
	for _, v := range spec.Validations {
		expressions["2 validate"] = append(expressions["2 validate"], &validating.ValidationCondition{Expression: v.Expression})
		expressions["3 message"] = append(expressions["3 message"], &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
	}
	for _, a := range spec.AuditAnnotations {
		expressions["4 audit"] = append(expressions["4 audit"], &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression})
	}
	passes := map[string]plugincel.ConditionEvaluator{}
	for pass, list := range expressions {
		evaluator := compiler.CompileCondition(list, declarations, environment.NewExpressions)
		if errs := evaluator.CompilationErrors(); len(errs) > 0 {
			tb.Fatal(errs)
		}
		passes[pass] = evaluator
	}
	return passes
}

func shippedRails(tb testing.TB) []guard.Rail {
	tb.Helper()
	rails, err := guard.Shipped()
	if err != nil {
		tb.Fatal(err)
	}
	return rails
}

// attributes are the request as the API server's admission plugins see it.
func (r ordinaryRequest) attributes() admission.Attributes {
	namespace := ordinaryNamespace().Name
	return admission.NewAttributesRecord(r.object, r.old, r.gvk, namespace, "ordinary",
		schema.GroupVersionResource{Group: r.gvk.Group, Version: r.gvk.Version, Resource: r.resource}, "", r.operation,
		&metav1.CreateOptions{}, false, ordinaryUser())
}

// BenchmarkMutations is what the defaults and the stamp take for ordinary requests: for a pod that has all of its tenant's
// already, and a namespace that someone annotates.
func BenchmarkMutations(b *testing.B) {
	ordinary := ordinaryRequests()
	shipped, err := guard.ShippedMutators()
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range shipped {
		name := map[string]string{"bulkhead-identity": "update Namespace", "bulkhead-images-pull": "create Pod", "bulkhead-placement-pods": "create Pod"}[m.Name()]
		if name == "" {
			continue
		}
		r := ordinary[name]
		compiled := compileMutator(b, m.Policy.Spec)
		b.Run(name+"/"+m.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compiled.ask(b, r)
			}
		})
	}
}

// ask does for a request what the API server does: it asks the matchConditions, and then writes and reads the object as JSON.
func (c *compiledMutator) ask(b *testing.B, r ordinaryRequest) {
	b.Helper()
	attributes := r.attributes()
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: r.gvk}
	versioned.VersionedObject.Set(r.object)
	if r.old != nil {
		versioned.VersionedOldObject.Set(r.old)
	}
	asked := c.compiler.CreateContext(b.Context())
	if result := c.matcher.Match(asked, versioned, nil, nil); result.Error != nil {
		b.Fatal(result.Error)
	} else if !result.Matches {
		return
	}
	_, err := patch.NewJSONPatcher(c.evaluator).Patch(asked, patch.Request{
		MatchedResource: attributes.GetResource(), VersionedAttributes: versioned, Namespace: plugincel.CreateNamespaceObject(ordinaryNamespace()),
		ObjectInterfaces: admission.NewObjectInterfacesFromScheme(kubernetesscheme.Scheme),
	}, celconfig.RuntimeCELCostBudget)
	if err != nil {
		b.Fatal(err)
	}
}
