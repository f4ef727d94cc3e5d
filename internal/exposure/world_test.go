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
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var errBroken = errors.New("the cache is closed")

// world is a cache in memory. It is safe for concurrent use.
type world struct {
	mu          sync.Mutex
	namespaces  []corev1.Namespace
	tenants     []v1alpha1.Tenant
	policies    []networkingv1.NetworkPolicy
	bindings    []rbacv1.RoleBinding
	everywhere  []rbacv1.ClusterRoleBinding
	roles       []rbacv1.ClusterRole
	definitions map[string]bool
	// served are the optional kinds, and tiers the cluster policies, which are there whether they are served or not.
	served []schema.GroupVersionKind
	tiers  []unstructured.Unstructured
	// broken are the kinds that can't be read, by the Go type of what is asked for.
	broken map[string]bool
	lists  int
}

// with changes the world.
func (w *world) with(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken[fmt.Sprintf("%T", into)] {
		return errBroken
	}
	switch into := into.(type) {
	case *rbacv1.ClusterRole:
		for i := range w.roles {
			if w.roles[i].Name == key.Name {
				w.roles[i].DeepCopyInto(into)
				return nil
			}
		}
	case *metav1.PartialObjectMetadata:
		if into.GroupVersionKind() != DefinitionKind {
			return fmt.Errorf("no %s here", into.GroupVersionKind())
		}
		if w.definitions[key.Name] {
			into.Name = key.Name
			return nil
		}
	case *unstructured.Unstructured:
		if !slices.Contains(w.served, into.GroupVersionKind()) {
			return fmt.Errorf("%s isn't watched", into.GroupVersionKind())
		}
		for i := range w.tiers {
			if w.tiers[i].GroupVersionKind() == into.GroupVersionKind() && w.tiers[i].GetName() == key.Name {
				*into = w.tiers[i]
				return nil
			}
		}
	default:
		return fmt.Errorf("no %T here", into)
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (w *world) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists++
	if w.broken[fmt.Sprintf("%T", into)] {
		return errBroken
	}
	var o client.ListOptions
	o.ApplyOptions(options)
	switch into := into.(type) {
	case *corev1.NamespaceList:
		into.Items = append(into.Items, w.namespaces...)
	case *v1alpha1.TenantList:
		into.Items = append(into.Items, w.tenants...)
	case *rbacv1.ClusterRoleBindingList:
		into.Items = append(into.Items, w.everywhere...)
	case *networkingv1.NetworkPolicyList:
		for _, policy := range w.policies {
			if policy.Namespace == o.Namespace {
				into.Items = append(into.Items, policy)
			}
		}
	case *rbacv1.RoleBindingList:
		for _, binding := range w.bindings {
			if binding.Namespace == o.Namespace {
				into.Items = append(into.Items, binding)
			}
		}
	case *unstructured.UnstructuredList:
		kind := into.GroupVersionKind()
		kind.Kind = strings.TrimSuffix(kind.Kind, "List")
		if !slices.Contains(w.served, kind) {
			return fmt.Errorf("%s isn't watched", kind)
		}
		for i := range w.tiers {
			if w.tiers[i].GroupVersionKind() == kind {
				into.Items = append(into.Items, w.tiers[i])
			}
		}
	default:
		return fmt.Errorf("no %T here", into)
	}
	return nil
}

// serves are the optional kinds that the cache holds.
func (w *world) serves() []schema.GroupVersionKind {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.served)
}

// scrape is an opening to the pods of all namespaces with a label.
const scrape = "access"

// acme is a tenant with one namespace, acme-dev, one owner, and an opening for namespaces that are labelled access=acme.
func acme() *v1alpha1.Tenant {
	return builders.MakeTenant("acme").Namespaces("acme-dev").Member("owners", v1alpha1.RoleAdmin, builders.User("ann")).
		Policy(builders.Allow(v1alpha1.Opening{Name: "scrape", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{
			{Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{scrape: "acme"}}},
		}})).Obj()
}

// umbrella is another tenant, with a namespace umbrella-dev.
func umbrella() *v1alpha1.Tenant {
	return builders.MakeTenant("umbrella").Namespaces("umbrella-dev").Member("owners", v1alpha1.RoleAdmin, builders.User("eve")).Obj()
}

// planOf is the plan of the tenant's first namespace, in a cluster without optional APIs.
func planOf(tb testing.TB, tenant *v1alpha1.Tenant) *engine.Plan {
	tb.Helper()
	return planIn(tb, facts.Options{}, tenant)
}

// planIn is as planOf, in another cluster.
func planIn(tb testing.TB, options facts.Options, tenant *v1alpha1.Tenant) *engine.Plan {
	tb.Helper()
	spec := &tenant.Spec.Namespaces[0]
	known, _, err := options.Build(tenant, nil, spec.Name, now)
	if err != nil {
		tb.Fatal(err)
	}
	plan, err := engine.NewPlan(features.All(), engine.NamespaceInput(known, spec))
	if err != nil {
		tb.Fatal(err)
	}
	return plan
}

// builtBy is a world in which these tenants are what their specs say.
func builtBy(tb testing.TB, tenants ...*v1alpha1.Tenant) *world {
	tb.Helper()
	w := &world{
		definitions: map[string]bool{}, broken: map[string]bool{},
		roles: []rbacv1.ClusterRole{
			{ObjectMeta: metav1.ObjectMeta{Name: "admin"}, Rules: rules("*", "pods", "secrets", "rolebindings")},
			{ObjectMeta: metav1.ObjectMeta{Name: "view"}, Rules: rules("get", "pods")},
		},
	}
	for _, tenant := range tenants {
		w.tenants = append(w.tenants, *tenant)
		plan := planOf(tb, tenant)
		w.namespaces = append(w.namespaces, *liveOf(plan))
		policies, err := intents[networkingv1.NetworkPolicy](plan.Walls, "NetworkPolicy")
		if err != nil {
			tb.Fatal(err)
		}
		for _, policy := range policies {
			w.policies = append(w.policies, *policy)
		}
		bindings, err := intents[rbacv1.RoleBinding](plan.Doors, "RoleBinding")
		if err != nil {
			tb.Fatal(err)
		}
		for _, binding := range bindings {
			w.bindings = append(w.bindings, *binding)
		}
	}
	return w
}

// liveOf is the namespace of a plan as it must be, and as our apply leaves it.
func liveOf(plan *engine.Plan) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: plan.Name, Labels: plan.Namespace.Object.GetLabels(),
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:` + v1alpha1.LabelTenant + `":{}}}}`),
		}},
	}}
}

func rules(verb string, resources ...string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{Verbs: []string{verb}, APIGroups: []string{"", rbacv1.GroupName}, Resources: resources}}
}

// judgeOf is a judge of a world whose clock stands still.
func judgeOf(w *world) *Judge {
	j := NewJudge(w).WithAPIs(w.serves)
	j.now = func() time.Time { return now.Add(time.Millisecond) }
	return j
}

// openPolicy lets everybody reach all pods of acme-dev.
func openPolicy() networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme-dev", Name: "open"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: []networkingv1.NetworkPolicyIngressRule{{}},
		},
	}
}

// bind gives subjects a ClusterRole in acme-dev.
func bind(name, role string, subjects ...rbacv1.Subject) rbacv1.RoleBinding {
	return rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme-dev", Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, Subjects: subjects,
	}
}

// bindEverywhere gives subjects a ClusterRole in all namespaces.
func bindEverywhere(name, role string, subjects ...rbacv1.Subject) rbacv1.ClusterRoleBinding {
	return rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, Subjects: subjects,
	}
}
