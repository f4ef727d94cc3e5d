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

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/report"
	"github.com/bulkhead-dev/bulkhead/internal/status"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

func TestBindingChanged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*rbacv1.ClusterRoleBinding)
		want   bool
	}{
		"nothing":           {func(*rbacv1.ClusterRoleBinding) {}, false},
		"the version":       {func(b *rbacv1.ClusterRoleBinding) { b.ResourceVersion = "2" }, false},
		"a label":           {func(b *rbacv1.ClusterRoleBinding) { b.Labels = map[string]string{"a": "b"} }, false},
		"its deletion":      {func(b *rbacv1.ClusterRoleBinding) { b.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, false},
		"a subject more":    {func(b *rbacv1.ClusterRoleBinding) { b.Subjects = append(b.Subjects, builders.User("eve")) }, true},
		"another subject":   {func(b *rbacv1.ClusterRoleBinding) { b.Subjects = []rbacv1.Subject{builders.Group("ann")} }, true},
		"no subject":        {func(b *rbacv1.ClusterRoleBinding) { b.Subjects = nil }, true},
		"made anew, as new": {func(b *rbacv1.ClusterRoleBinding) { b.UID = "2"; b.RoleRef.Name = "edit" }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "1"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"},
				Subjects: []rbacv1.Subject{builders.User("ann")},
			}
			after := before.DeepCopy()
			tc.change(after)
			if got := bindingChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("lets pass: %v, want %v", got, tc.want)
			}
		})
	}
	p, binding, other := bindingChanged(), &rbacv1.ClusterRoleBinding{}, &corev1.Namespace{}
	if !p.Create(event.CreateEvent{Object: binding}) || !p.Delete(event.DeleteEvent{Object: binding}) ||
		!p.Update(event.UpdateEvent{ObjectOld: other, ObjectNew: binding}) || !p.Update(event.UpdateEvent{ObjectOld: binding, ObjectNew: other}) {
		t.Error("something other than an update of a binding is dropped")
	}
}

func TestRulesChanged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*rbacv1.ClusterRole)
		want   bool
	}{
		"nothing":       {func(*rbacv1.ClusterRole) {}, false},
		"a label":       {func(r *rbacv1.ClusterRole) { r.Labels = map[string]string{"a": "b"}; r.ResourceVersion = "2" }, false},
		"a verb":        {func(r *rbacv1.ClusterRole) { r.Rules[0].Verbs = []string{"get", "list"} }, true},
		"no rules":      {func(r *rbacv1.ClusterRole) { r.Rules = nil }, true},
		"one rule more": {func(r *rbacv1.ClusterRole) { r.Rules = append(r.Rules, r.Rules[0]) }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}
			after := before.DeepCopy()
			tc.change(after)
			if got := rulesChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("lets pass: %v, want %v", got, tc.want)
			}
		})
	}
	p, role, other := rulesChanged(), &rbacv1.ClusterRole{}, &corev1.Namespace{}
	if !p.Create(event.CreateEvent{Object: role}) || !p.Delete(event.DeleteEvent{Object: role}) ||
		!p.Update(event.UpdateEvent{ObjectOld: other, ObjectNew: role}) || !p.Update(event.UpdateEvent{ObjectOld: role, ObjectNew: other}) {
		t.Error("something other than an update of a role is dropped")
	}
}

// waits is a queue that notes what is put off, and by how much.
type waits struct {
	queue
	added map[string]time.Duration
}

func (w *waits) AddAfter(r reconcile.Request, after time.Duration) { w.added[r.Name] = after }

// told is what a handler puts into its queue for one event of each kind.
func told(ctx context.Context, h handler.EventHandler, before, after client.Object) (created, updated, deleted map[string]time.Duration) {
	q := func() *waits { return &waits{added: map[string]time.Duration{}} }
	c, u, d := q(), q(), q()
	h.Create(ctx, event.CreateEvent{Object: after}, c)
	h.Update(ctx, event.UpdateEvent{ObjectOld: before, ObjectNew: after}, u)
	h.Delete(ctx, event.DeleteEvent{Object: after}, d)
	return c.added, u.added, d.added
}

func TestSoon(t *testing.T) {
	t.Parallel()
	role := &rbacv1.ClusterRole{}
	created, updated, deleted := told(t.Context(), soon(clusterAccess), role, role)
	want := map[string]time.Duration{clusterAccess: gather}
	for name, got := range map[string]map[string]time.Duration{"created": created, "updated": updated, "deleted": deleted} {
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v: many changes make one pass", name, got, want)
		}
	}
}

func TestReportsOfANamespace(t *testing.T) {
	t.Parallel()
	before := &v1alpha1.DriftReport{ObjectMeta: metav1.ObjectMeta{Namespace: "acme-dev", Name: "acme", Generation: 1}}
	same, changed := before.DeepCopy(), before.DeepCopy()
	same.ResourceVersion, changed.Generation = "2", 2
	h := (&DriftReportReconciler{Writer: report.NewWriter(nil, time.Hour)}).reports()
	want := map[string]time.Duration{"acme-dev": linger}
	created, updated, deleted := told(t.Context(), h, before, changed)
	if !maps.Equal(created, want) || !maps.Equal(updated, want) || !maps.Equal(deleted, want) {
		t.Errorf("created %v, changed %v, deleted %v; want %v", created, updated, deleted, want)
	}
	if _, updated, _ := told(t.Context(), h, before, same); len(updated) > 0 {
		t.Errorf("what says nothing new: %v", updated)
	}
}

func TestPassOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	rule := func(d time.Duration) v1alpha1.DriftIgnoreRule {
		return v1alpha1.DriftIgnoreRule{Kind: "ResourceQuota", Path: "spec.hard", Reason: "load test", NotAfter: *at(d)}
	}
	tests := map[string]struct {
		drift   *v1alpha1.DriftSpec
		mode    v1alpha1.DriftMode
		ignores bool
		changes time.Duration // from now; zero for never
	}{
		"unset":                           {nil, v1alpha1.DriftEnforce, false, 0},
		"observed":                        {&v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}, v1alpha1.DriftObserve, false, 0},
		"a pause":                         {&v1alpha1.DriftSpec{ObserveUntil: at(time.Hour)}, v1alpha1.DriftObserve, false, time.Hour},
		"a pause that is over":            {&v1alpha1.DriftSpec{ObserveUntil: at(-time.Hour)}, v1alpha1.DriftEnforce, false, 0},
		"a pause that ends now":           {&v1alpha1.DriftSpec{ObserveUntil: at(0)}, v1alpha1.DriftEnforce, false, 0},
		"observed for good, and a pause":  {&v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve, ObserveUntil: at(time.Hour)}, v1alpha1.DriftObserve, false, 0},
		"a rule":                          {&v1alpha1.DriftSpec{Ignore: []v1alpha1.DriftIgnoreRule{rule(time.Hour)}}, v1alpha1.DriftEnforce, true, time.Hour},
		"a rule that ended":               {&v1alpha1.DriftSpec{Ignore: []v1alpha1.DriftIgnoreRule{rule(0)}}, v1alpha1.DriftEnforce, false, 0},
		"the first of two":                {&v1alpha1.DriftSpec{Ignore: []v1alpha1.DriftIgnoreRule{rule(2 * time.Hour), rule(time.Hour)}}, v1alpha1.DriftEnforce, true, time.Hour},
		"a rule that ends before a pause": {&v1alpha1.DriftSpec{ObserveUntil: at(2 * time.Hour), Ignore: []v1alpha1.DriftIgnoreRule{rule(time.Hour)}}, v1alpha1.DriftObserve, true, time.Hour},
		"a pause that ends before a rule": {&v1alpha1.DriftSpec{ObserveUntil: at(time.Hour), Ignore: []v1alpha1.DriftIgnoreRule{rule(2 * time.Hour)}}, v1alpha1.DriftObserve, true, time.Hour},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pass, changes := passOf(&v1alpha1.Tenant{Spec: v1alpha1.TenantSpec{Drift: tc.drift}}, now)
			want := time.Time{}
			if tc.changes > 0 {
				want = now.Add(tc.changes)
			}
			if pass.Mode != tc.mode || !changes.Equal(want) {
				t.Errorf("mode %s until %s, want %s until %s", pass.Mode, changes, tc.mode, want)
			}
			if pass.DryRun || pass.Known || pass.Live != nil {
				t.Errorf("%+v says more than the spec does", pass)
			}
			if covers := coversPods(&pass); covers != tc.ignores {
				t.Errorf("ignores the budget: %v, want %v", covers, tc.ignores)
			}
		})
	}
}

// coversPods reports whether a pass ignores a quota's budget of pods.
func coversPods(pass *engine.Pass) bool {
	gvk := corev1.SchemeGroupVersion.WithKind("ResourceQuota")
	change := drift.Change{Path: "spec.hard[pods]", Field: fieldpath.MakePathOrDie("spec", "hard", "pods"), Type: v1alpha1.DriftFieldModified}
	return pass.Ignore.Covers(gvk, client.ObjectKey{Namespace: "a", Name: "bulkhead"}, change)
}

func TestEarlier(t *testing.T) {
	t.Parallel()
	soon, late := time.Unix(1, 0), time.Unix(2, 0)
	tests := map[string]struct{ a, b, want time.Time }{
		"never":           {},
		"only the first":  {soon, time.Time{}, soon},
		"only the second": {time.Time{}, late, late},
		"the first":       {soon, late, soon},
		"the second":      {late, soon, soon},
		"both":            {soon, soon, soon},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := earlier(tc.a, tc.b); !got.Equal(tc.want) {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// cluster is a cache with Tenants, ClusterRoleBindings and definitions of custom resources.
type cluster struct {
	tenants     []v1alpha1.Tenant
	bindings    []rbacv1.ClusterRoleBinding
	definitions []string
	// tiers are the names of ClusterNetworkPolicies that let everything in.
	tiers []string
	err   error
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if _, ok := into.(*metav1.PartialObjectMetadata); ok && slices.Contains(c.definitions, key.Name) {
		return c.err
	}
	if tier, ok := into.(*unstructured.Unstructured); ok && slices.Contains(c.tiers, key.Name) {
		openTier(tier, key.Name)
		return c.err
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c *cluster) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch into := into.(type) {
	case *v1alpha1.TenantList:
		into.Items = c.tenants
	case *rbacv1.ClusterRoleBindingList:
		into.Items = c.bindings
	case *corev1.NamespaceList:
		for i := range c.tenants {
			name := c.tenants[i].Name
			into.Items = append(into.Items, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: name + "-dev", Labels: map[string]string{v1alpha1.LabelTenant: name}, ManagedFields: labelledBy(v1alpha1.FieldManager),
			}})
		}
	case *unstructured.UnstructuredList:
		for _, name := range c.tiers {
			tier := unstructured.Unstructured{}
			openTier(&tier, name)
			into.Items = append(into.Items, tier)
		}
	default:
		return fmt.Errorf("no %T here", into)
	}
	return c.err
}

// openTier makes an object a ClusterNetworkPolicy that lets everything into the namespaces of acme.
func openTier(tier *unstructured.Unstructured, name string) {
	tier.SetUnstructuredContent(map[string]any{"spec": map[string]any{
		"tier": "Admin", "priority": int64(1),
		"subject": map[string]any{"namespaces": map[string]any{"matchLabels": map[string]any{v1alpha1.LabelTenant: "acme"}}},
		"ingress": []any{map[string]any{"action": "Accept", "from": []any{map[string]any{"namespaces": map[string]any{}}}}},
	}})
	tier.SetGroupVersionKind(tierKind)
	tier.SetName(name)
}

var tierKind = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"}

// labelledBy says that a manager applied the tenant label.
func labelledBy(manager string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:` + v1alpha1.LabelTenant + `":{}}}}`),
	}}
}

func TestExposureReconciler(t *testing.T) {
	t.Parallel()
	c := &cluster{tenants: []v1alpha1.Tenant{
		*builders.MakeTenant("acme").Member("owners", v1alpha1.RoleAdmin, builders.User("ann")).Obj(),
		*builders.MakeTenant("umbrella").Member("owners", v1alpha1.RoleAdmin, builders.User("eve")).Obj(),
	}}
	ledger := status.NewLedger()
	var news []string
	ledger.Notify(func(tenant string) { news = append(news, tenant) })
	var again []string
	served := apis.NewSet()
	r := &ExposureReconciler{
		Cache: c, Judge: exposure.NewJudge(c).WithAPIs(served.List), Ledger: ledger,
		JudgeAgain: func(namespaces []string) { again = append(again, namespaces...) },
	}
	everywhere := rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "ops"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "unknown"}, Subjects: []rbacv1.Subject{builders.User("eve")},
	}
	both := []string{"acme", "umbrella"}
	steps := []struct {
		name   string
		change func()
		key    string
		news   []string
		open   []string
		again  []string
		fails  bool
	}{
		{name: "nothing", change: func() {}, key: clusterAccess},
		{name: "a binding", change: func() { c.bindings = append(c.bindings, everywhere) }, key: clusterAccess, news: both, open: []string{"acme"}},
		{name: "the same", change: func() {}, key: clusterAccess, open: []string{"acme"}},
		{name: "an API", change: func() { c.definitions = []string{"ciliumnetworkpolicies.cilium.io"} }, key: clusterAPIs, news: both, open: []string{"acme"}},
		{name: "the same API", change: func() {}, key: clusterAPIs, open: []string{"acme"}},
		{name: "an error", change: func() { c.bindings, c.err = nil, errors.New("closed") }, key: clusterAccess, open: []string{"acme"}, fails: true},
		{name: "no binding", change: func() { c.err = nil }, key: clusterAccess, news: []string{"acme"}},
		{name: "cluster policies", change: func() { served.Put(tierKind, true); c.tiers = []string{"a"} }, key: clusterAPIs, news: both, again: []string{"acme-dev"}},
		{name: "another one", change: func() { c.tiers = []string{"a", "b"} }, key: clusterPolicy + "ClusterNetworkPolicy/b", again: []string{"acme-dev"}},
		{name: "the same one", change: func() {}, key: clusterPolicy + "ClusterNetworkPolicy/b"},
		{name: "gone", change: func() { c.tiers = nil }, key: clusterPolicy + "ClusterNetworkPolicy/a", again: []string{"acme-dev"}},
		{name: "no longer served", change: func() { served.Put(tierKind, false) }, key: clusterAPIs, news: both, again: []string{"acme-dev"}},
		{name: "all of them are gone", change: func() {}, key: clusterPolicy + "ClusterNetworkPolicy/b"},
	}
	for _, step := range steps {
		step.change()
		news, again = nil, nil
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: step.key}})
		if (err != nil) != step.fails || !result.IsZero() {
			t.Errorf("%s: %+v, %v", step.name, result, err)
		}
		if diff := cmp.Diff(step.news, news); diff != "" {
			t.Errorf("%s: who is told (-want +got):\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.again, again); diff != "" {
			t.Errorf("%s: who is judged again (-want +got):\n%s", step.name, diff)
		}
		var open []string
		for _, tenant := range both {
			if len(ledger.Snapshot(tenant).Shared) > 0 {
				open = append(open, tenant)
			}
		}
		if diff := cmp.Diff(step.open, open); diff != "" {
			t.Errorf("%s: who is open (-want +got):\n%s", step.name, diff)
		}
	}
}
