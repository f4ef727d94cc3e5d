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
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

const (
	// budget is the part of the API server's limit for one expression that one of ours stays below, with its variables.
	budget = celconfig.PerCallLimit / 4
	// big is how many labels, annotations, subjects and rules the objects have, all of them offending.
	big = 100
)

// request is one admission request.
type request struct {
	rail          string
	object        runtime.Object
	old           runtime.Object
	gvk           schema.GroupVersionKind
	resource, sub string
	operation     admission.Operation
	// namespace is the namespace of the request; that of acme if nil. params is what the policy has as its parameter.
	namespace *corev1.Namespace
	params    runtime.Object
	// user is who asks, mallory if empty; groups are his, besides system:authenticated.
	user   string
	groups []string
}

// requests are large requests, and small ones. Each rail has at least one that it refuses.
func requests() map[string]request {
	namespace := corev1.SchemeGroupVersion.WithKind("Namespace")
	policy := schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}
	report := v1alpha1.GroupVersion.WithKind("DriftReport")
	wall := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "wall", Namespace: "acme-prod", Labels: map[string]string{
		v1alpha1.LabelTenant: "acme", v1alpha1.LabelManagedBy: v1alpha1.ManagedByBulkhead, v1alpha1.LabelFeature: "network",
	}}}
	subjects, rules := make([]rbacv1.Subject, big), make([]rbacv1.PolicyRule, big)
	for i := range big {
		subjects[i] = rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: fmt.Sprintf("system:stranger:%d", i)}
		rules[i] = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"roles"}, Verbs: []string{"get", "list", "watch", "bind", fmt.Sprint(i)}}
	}
	old, updated := tenantNamespace("old"), tenantNamespace("new")
	free := tenantNamespace("free")
	delete(free.Labels, v1alpha1.LabelTenant)
	// Far more annotations than any namespace has: all but one aren't guarded.
	crowded, touched := tenantNamespace("old"), tenantNamespace("old")
	for i := range 30 * big {
		key := fmt.Sprintf("example.com/%d", i)
		crowded.Annotations[key], touched.Annotations[key] = "some text of 32 characters, so so", "some text of 32 characters, so oo"
	}
	touched.Annotations[v1alpha1.GuardRegistries] = "docker.io/"
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b", Namespace: "acme-prod"}, Subjects: subjects}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: "acme-prod"}, Rules: rules}
	all := map[string]request{
		"a wall is changed":             {rail: "bulkhead-managed-objects", object: wall, old: wall, gvk: policy, resource: "networkpolicies", operation: admission.Update},
		"a wall is deleted":             {rail: "bulkhead-managed-objects", old: wall, gvk: policy, resource: "networkpolicies", operation: admission.Delete},
		"a wall is forged":              {rail: "bulkhead-managed-objects", object: wall, gvk: policy, resource: "networkpolicies", operation: admission.Create},
		"all labels change":             {rail: "bulkhead-namespace-metadata", object: updated, old: old, gvk: namespace, resource: "namespaces", operation: admission.Update},
		"all labels change at the back": {rail: "bulkhead-namespace-metadata", object: updated, old: old, gvk: namespace, resource: "namespaces", sub: "finalize", operation: admission.Update},
		"many annotations change":       {rail: "bulkhead-namespace-metadata", object: touched, old: crowded, gvk: namespace, resource: "namespaces", operation: admission.Update},
		"many annotations go":           {rail: "bulkhead-namespace-metadata", object: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-prod", Labels: crowded.Labels}}, old: crowded, gvk: namespace, resource: "namespaces", operation: admission.Update},
		"a namespace joins":             {rail: "bulkhead-namespace-ownership", object: updated, old: free, gvk: namespace, resource: "namespaces", operation: admission.Update},
		"a namespace is made":           {rail: "bulkhead-namespace-ownership-tenants", object: updated, gvk: namespace, resource: "namespaces", operation: admission.Create},
		"a namespace is deleted":        {rail: "bulkhead-namespace-ownership-tenants", old: old, gvk: namespace, resource: "namespaces", operation: admission.Delete},
		"a namespace is deleted by one": {rail: "bulkhead-namespace-ownership-tenants", old: old, gvk: namespace, resource: "namespaces", operation: admission.Delete, user: strings.Repeat("x", 10000)},
		"a report is forged":            {rail: "bulkhead-tenant-objects", object: wall, gvk: report, resource: "driftreports", operation: admission.Create},
		"a report is deleted":           {rail: "bulkhead-tenant-objects", old: wall, gvk: report, resource: "driftreports", operation: admission.Delete},
		"strangers are bound":           {rail: "bulkhead-access-bindings", object: binding, gvk: rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), resource: "rolebindings", operation: admission.Create},
		"a role is widened":             {rail: "bulkhead-access-roles", object: role, gvk: rbacv1.SchemeGroupVersion.WithKind("Role"), resource: "roles", operation: admission.Create},
	}
	for _, room := range []map[string]request{
		networkRequests(), quotaRequests(), ingressRequests(), imagesRequests(), storageRequests(), placementRequests(),
	} {
		maps.Copy(all, room)
	}
	return all
}

// tenantNamespace is a namespace of acme with as many guarded keys as any will have.
func tenantNamespace(value string) *corev1.Namespace {
	it := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-prod", Labels: map[string]string{v1alpha1.LabelTenant: "acme"}, Annotations: map[string]string{}}}
	for i := range big {
		it.Labels[fmt.Sprintf("%skey-%d", v1alpha1.GuardPrefix, i)] = value
		it.Labels[fmt.Sprintf("example.com/key-%d", i)] = value
		it.Annotations[fmt.Sprintf("%skey-%d", v1alpha1.GuardPrefix, i)] = strings.Repeat(value, 100)
	}
	return it
}

// TestShippedCost prints, with -v, what each expression costs of the API server's limit for large requests, and checks
// that it is less than a quarter, and that every rule refuses them without an error.
func TestShippedCost(t *testing.T) {
	t.Parallel()
	rails := map[string]guard.Rail{}
	for _, rail := range shipped(t) {
		rails[rail.Name()] = rail
	}
	tried := map[string]bool{}
	for name, r := range requests() {
		tried[r.rail] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judge(t, rails[r.rail].Policy.Spec, r)
		})
	}
	for name := range rails {
		if !tried[name] {
			t.Errorf("no request is refused by %s", name)
		}
	}
}

func judge(t *testing.T, spec admissionregistrationv1.ValidatingAdmissionPolicySpec, r request) {
	t.Helper()
	checkMatched(t, spec, r)
	validation := spec.Validations[0]
	accessors := map[string]plugincel.ExpressionAccessor{
		"expression":        &validating.ValidationCondition{Expression: validation.Expression},
		"messageExpression": &validating.MessageExpressionCondition{MessageExpression: validation.MessageExpression},
	}
	// What only warns has none.
	for _, annotation := range spec.AuditAnnotations {
		accessors[annotation.Key] = &validating.AuditAnnotationCondition{Key: annotation.Key, ValueExpression: annotation.ValueExpression}
	}
	for what, accessor := range accessors {
		result, cost := evaluate(t, spec, r, accessor)
		t.Logf("%8d %5.1f%%  %s: %s", cost, 100*float64(cost)/celconfig.PerCallLimit, r.rail, what)
		if cost >= budget {
			t.Errorf("%s costs %d, not less than %d", what, cost, int64(budget))
		}
		text, isText := result.(string)
		switch what {
		case "expression":
			if allowed, isBool := result.(bool); allowed || !isBool {
				t.Errorf("the request isn't refused: %v", result)
			}
		case "messageExpression":
			// What the message must say: whose, which rule, and who writes it.
			_, rule, _ := strings.Cut(text, ", rule ")
			rule, _, _ = strings.Cut(rule, ": ")
			if !isText || !strings.HasPrefix(text, `tenant "`) || rule == "" || !strings.HasPrefix(r.rail, "bulkhead-"+rule) || !strings.Contains(text, "enant") || strings.Contains(text, "\n") {
				t.Errorf("the message is %q", result)
			}
		default:
			if text != "" {
				t.Errorf("somebody who wasn't trusted leaves the trace %q", text)
			}
		}
	}
}

// checkMatched checks that no matchCondition lets the request pass unjudged, and that they cost what they may: each as any
// expression, and together as much of what the API server allows for all of them.
func checkMatched(t *testing.T, spec admissionregistrationv1.ValidatingAdmissionPolicySpec, r request) {
	t.Helper()
	var all int64
	for i := range spec.MatchConditions {
		condition := &spec.MatchConditions[i]
		result, cost := evaluate(t, spec, r, (*matchconditions.MatchCondition)(condition))
		t.Logf("%8d %5.1f%%  %s: matchCondition %s", cost, 100*float64(cost)/celconfig.PerCallLimit, r.rail, condition.Name)
		if cost >= budget {
			t.Errorf("matchCondition %s costs %d, not less than %d", condition.Name, cost, int64(budget))
		}
		if holds, isBool := result.(bool); !holds || !isBool {
			t.Errorf("matchCondition %s is %v: the request isn't judged", condition.Name, result)
		}
		all += cost
	}
	if all > celconfig.RuntimeCELCostBudgetMatchConditions/2 {
		t.Errorf("the matchConditions cost %d, more than half of what they may", all)
	}
}

// TestNamespaceDeletion checks who deletes a namespace, and what others are told.
func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	tenants, released := tenantNamespace("old"), tenantNamespace("old")
	delete(released.Labels, v1alpha1.LabelTenant)
	released.Labels[v1alpha1.LabelReleasedFrom] = "acme"
	for name, tc := range map[string]struct {
		user string
		old  *corev1.Namespace
		want string
	}{
		"somebody": {old: tenants, want: `"mallory" must not delete it while it has the label tenancy.bulkhead.dev/tenant: allowed are the operator and break-glass; ` +
			`take it out of spec.namespaces of Tenant "acme" with deletionPolicy Delete, and the operator deletes it`},
		"an account":               {user: "system:serviceaccount:flux-system:kustomize-controller", old: tenants, want: `"system:serviceaccount:flux-system:kustomize-controller" must not delete it`},
		"of nobody's":              {old: released},
		"the operator":             {user: "system:serviceaccount:bulkhead-system:bulkhead", old: tenants},
		"the namespace controller": {user: "system:serviceaccount:kube-system:namespace-controller", old: tenants},
		"the garbage collector":    {user: "system:serviceaccount:kube-system:generic-garbage-collector", old: tenants},
		"one user for controllers": {user: "system:kube-controller-manager", old: tenants},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said(t, request{
				rail: "bulkhead-namespace-ownership-tenants", old: tc.old, gvk: corev1.SchemeGroupVersion.WithKind("Namespace"),
				resource: "namespaces", operation: admission.Delete, user: tc.user,
			}, tc.want)
		})
	}
}

// judged reports whether a rule judges a request, as far as its matchConditions say so.
func judged(t *testing.T, r request) bool {
	t.Helper()
	for _, rail := range shipped(t) {
		if rail.Name() != r.rail {
			continue
		}
		for i := range rail.Policy.Spec.MatchConditions {
			result, _ := evaluate(t, rail.Policy.Spec, r, (*matchconditions.MatchCondition)(&rail.Policy.Spec.MatchConditions[i]))
			if holds, isBool := result.(bool); !holds || !isBool {
				return false
			}
		}
		return true
	}
	t.Fatalf("there is no rule %s", r.rail)
	return false
}

// TestNobodyAsksTheAuthorizer checks that no policy asks the cluster's authorizer: the API server counts each question
// with 35 % of what an expression may cost, whatever the answer.
func TestNobodyAsksTheAuthorizer(t *testing.T) {
	t.Parallel()
	specs := map[string]any{}
	for _, rail := range shipped(t) {
		specs[rail.Name()] = rail.Policy.Spec
	}
	mutators, err := guard.ShippedMutators()
	if err != nil {
		t.Fatal(err)
	}
	for _, mutator := range mutators {
		specs["mutating "+mutator.Name()] = mutator.Policy.Spec
	}
	if len(specs) != len(shipped(t))+len(mutators) || len(mutators) == 0 {
		t.Fatalf("%d policies, and %d of them mutate", len(specs), len(mutators))
	}
	for name, spec := range specs {
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "authorizer") {
			t.Errorf("%s asks the authorizer", name)
		}
	}
}

// compiled are expressions with their variables. Compiling costs far more than evaluating, above all with the race detector.
var compiled sync.Map

// compile compiles an expression of a policy, once.
func compile(t *testing.T, spec admissionregistrationv1.ValidatingAdmissionPolicySpec, expression plugincel.ExpressionAccessor) plugincel.ConditionEvaluator {
	t.Helper()
	key := fmt.Sprintf("%T %s %v", expression, expression.GetExpression(), spec.Variables)
	if known, found := compiled.Load(key); found {
		return known.(plugincel.ConditionEvaluator) //nolint:errcheck,forcetypeassert // nothing else is stored
	}
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	declarations := plugincel.OptionalVariableDeclarations{HasAuthorizer: true, HasParams: spec.ParamKind != nil}
	variables := make([]plugincel.NamedExpressionAccessor, len(spec.Variables))
	for i, v := range spec.Variables {
		variables[i] = &validating.Variable{Name: v.Name, Expression: v.Expression}
	}
	compiler.CompileAndStoreVariables(variables, declarations, environment.NewExpressions)
	condition := compiler.CompileCondition([]plugincel.ExpressionAccessor{expression}, declarations, environment.NewExpressions)
	if errs := condition.CompilationErrors(); len(errs) > 0 {
		t.Fatalf("%q doesn't compile: %v", expression.GetExpression(), errs)
	}
	compiled.Store(key, condition)
	return condition
}

// evaluate is what an expression of a policy comes to, and what it costs with its variables.
func evaluate(t *testing.T, spec admissionregistrationv1.ValidatingAdmissionPolicySpec, r request, expression plugincel.ExpressionAccessor) (any, int64) {
	t.Helper()
	condition := compile(t, spec, expression)
	attributes := admission.NewAttributesRecord(r.object, r.old, r.gvk, "acme-prod", "x",
		schema.GroupVersionResource{Group: r.gvk.Group, Version: r.gvk.Version, Resource: r.resource}, r.sub, r.operation, nil, false,
		&user.DefaultInfo{Name: cmp.Or(r.user, "mallory"), Groups: append([]string{"system:authenticated"}, r.groups...)})
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: r.gvk}
	if r.object != nil {
		versioned.VersionedObject.Set(r.object)
	}
	if r.old != nil {
		versioned.VersionedOldObject.Set(r.old)
	}
	asked := plugincel.CreateAdmissionRequest(attributes, metav1.GroupVersionResource{Group: r.gvk.Group, Version: r.gvk.Version, Resource: r.resource}, metav1.GroupVersionKind(r.gvk))
	namespace := plugincel.CreateNamespaceObject(cmp.Or(r.namespace, tenantNamespace("ns")))
	if _, early := expression.(*matchconditions.MatchCondition); early {
		namespace = nil
	}
	results, left, err := condition.ForInput(t.Context(), versioned, asked, plugincel.OptionalVariableBindings{Authorizer: nobody, VersionedParams: r.params},
		namespace, celconfig.RuntimeCELCostBudget)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Error != nil {
		t.Fatalf("%q: %v", expression.GetExpression(), results[0].Error)
	}
	return results[0].EvalResult.Value(), celconfig.RuntimeCELCostBudget - left
}
