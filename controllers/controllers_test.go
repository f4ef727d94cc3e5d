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
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
)

// indexer notes what is indexed.
type indexer struct {
	fields map[string]client.IndexerFunc
	err    error
}

func (i *indexer) IndexField(_ context.Context, object client.Object, field string, value client.IndexerFunc) error {
	i.fields[fmt.Sprintf("%T %s", object, field)] = value
	return i.err
}

func named[T client.Object](object T, name string, labels ...string) T {
	object.SetName(name)
	if len(labels) > 0 {
		object.SetLabels(map[string]string{labels[0]: labels[1]})
	}
	return object
}

func TestIndex(t *testing.T) {
	t.Parallel()
	indexes := &indexer{fields: map[string]client.IndexerFunc{}}
	if err := Index(t.Context(), indexes); err != nil {
		t.Fatal(err)
	}
	tenant := &v1alpha1.Tenant{Spec: v1alpha1.TenantSpec{Namespaces: []v1alpha1.TenantNamespace{{Name: "a"}, {Name: "b"}}}}
	tests := map[string]struct {
		field  string
		object client.Object
		want   []string
	}{
		"the namespaces of a tenant": {"*v1alpha1.Tenant " + facts.IndexClaims, tenant, []string{"a", "b"}},
		"a tenant without any":       {"*v1alpha1.Tenant " + facts.IndexClaims, &v1alpha1.Tenant{}, nil},
		"no tenant at all":           {"*v1alpha1.Tenant " + facts.IndexClaims, &corev1.Namespace{}, nil},
		"a labelled namespace": {
			"*v1.Namespace " + engine.IndexTenant, named(&corev1.Namespace{}, "a", v1alpha1.LabelTenant, "acme"), []string{"acme"},
		},
		"a namespace without a label": {"*v1.Namespace " + engine.IndexTenant, named(&corev1.Namespace{}, "a"), nil},
		"a tenant's role": {
			"*v1.ClusterRole " + engine.IndexTenant, named(&rbacv1.ClusterRole{}, "bulkhead:tenant:acme"), []string{"acme"},
		},
		"a member's role": {
			"*v1.ClusterRole " + engine.IndexTenant, named(&rbacv1.ClusterRole{}, "bulkhead:tenant:acme:owners"), []string{"acme"},
		},
		"a role whose label lies": {
			"*v1.ClusterRole " + engine.IndexTenant, named(&rbacv1.ClusterRole{}, "cluster-admin", v1alpha1.LabelTenant, "acme"), nil,
		},
		"a role of another": {"*v1.ClusterRole " + engine.IndexTenant, named(&rbacv1.ClusterRole{}, "bulkhead:other:acme"), nil},
		"a name without a tenant": {
			"*v1.ClusterRole " + engine.IndexTenant, named(&rbacv1.ClusterRole{}, "bulkhead:tenant:"), nil,
		},
		"a tenant's binding": {
			"*v1.ClusterRoleBinding " + engine.IndexTenant, named(&rbacv1.ClusterRoleBinding{}, "bulkhead:tenant:acme"), []string{"acme"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			index, ok := indexes.fields[tc.field]
			if !ok {
				t.Fatalf("no index %s", tc.field)
			}
			if got := index(tc.object); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
	indexes.err = errors.New("no")
	if err := Index(t.Context(), indexes); !errors.Is(err, indexes.err) {
		t.Errorf("error %v", err)
	}
}

func TestQuotaChanged(t *testing.T) {
	t.Parallel()
	pods := func(n string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourcePods: resource.MustParse(n)}
	}
	tests := map[string]struct {
		change func(*corev1.ResourceQuota)
		want   bool
	}{
		"nothing":                    {func(*corev1.ResourceQuota) {}, false},
		"a pod more":                 {func(q *corev1.ResourceQuota) { q.Status.Used = pods("2") }, false},
		"the version":                {func(q *corev1.ResourceQuota) { q.ResourceVersion = "2" }, false},
		"managed fields":             {func(q *corev1.ResourceQuota) { q.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}} }, true},
		"the budget":                 {func(q *corev1.ResourceQuota) { q.Spec.Hard = pods("9") }, true},
		"another spelling":           {func(q *corev1.ResourceQuota) { q.Spec.Hard = pods("5000m") }, false},
		"the budget counts now":      {func(q *corev1.ResourceQuota) { q.Status.Hard = pods("9") }, true},
		"a scope":                    {func(q *corev1.ResourceQuota) { q.Spec.Scopes = []corev1.ResourceQuotaScope{"BestEffort"} }, true},
		"a label":                    {func(q *corev1.ResourceQuota) { q.Labels = map[string]string{"a": "b"} }, true},
		"an annotation":              {func(q *corev1.ResourceQuota) { q.Annotations = map[string]string{"a": "b"} }, true},
		"an owner":                   {func(q *corev1.ResourceQuota) { q.OwnerReferences = []metav1.OwnerReference{{Name: "x"}} }, true},
		"it is being deleted":        {func(q *corev1.ResourceQuota) { q.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, true},
		"it is deleted and made new": {func(q *corev1.ResourceQuota) { q.UID = "2"; q.Labels = nil; q.Spec = corev1.ResourceQuotaSpec{} }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "q", UID: "1", Labels: map[string]string{"l": "m"}},
				Spec:       corev1.ResourceQuotaSpec{Hard: pods("5")},
				Status:     corev1.ResourceQuotaStatus{Hard: pods("5"), Used: pods("1")},
			}
			after := before.DeepCopy()
			tc.change(after)
			if got := quotaChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("lets pass: %v, want %v", got, tc.want)
			}
		})
	}
	p := quotaChanged()
	other := &corev1.Namespace{}
	quota := &corev1.ResourceQuota{}
	if !p.Update(event.UpdateEvent{ObjectOld: other, ObjectNew: quota}) || !p.Update(event.UpdateEvent{ObjectOld: quota, ObjectNew: other}) ||
		!p.Create(event.CreateEvent{Object: quota}) || !p.Delete(event.DeleteEvent{Object: quota}) {
		t.Error("something other than an update of a quota is dropped")
	}
}

func TestSpecChanged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*v1alpha1.Tenant)
		want   bool
	}{
		"status":        {func(x *v1alpha1.Tenant) { x.Status.ClassName = "gold"; x.ResourceVersion = "2" }, false},
		"a label":       {func(x *v1alpha1.Tenant) { x.Labels = map[string]string{"a": "b"} }, false},
		"the spec":      {func(x *v1alpha1.Tenant) { x.Generation = 2 }, true},
		"an annotation": {func(x *v1alpha1.Tenant) { x.Annotations = map[string]string{"a": "b"} }, true},
		"a finalizer":   {func(x *v1alpha1.Tenant) { x.Finalizers = []string{v1alpha1.Finalizer} }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", Generation: 1}}
			after := before.DeepCopy()
			tc.change(after)
			if got := specChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("lets pass: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestAccessReview(t *testing.T) {
	t.Parallel()
	group := map[string]any{"kind": "Group", "name": "devs", "apiGroup": "rbac.authorization.k8s.io"}
	tests := map[string]struct {
		role     string
		subjects []any
		want     authorizationv1.SubjectAccessReviewSpec
		wantText string
	}{
		"a group": {
			role: "admin", subjects: []any{group},
			want: authorizationv1.SubjectAccessReviewSpec{Groups: []string{"devs"}}, wantText: "access of Group devs to namespace a",
		},
		"the first of several": {
			role: "edit", subjects: []any{map[string]any{"kind": "User", "name": "alice"}, group},
			want: authorizationv1.SubjectAccessReviewSpec{User: "alice"}, wantText: "access of User alice to namespace a",
		},
		"a service account": {
			role: "view", subjects: []any{map[string]any{"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}},
			want:     authorizationv1.SubjectAccessReviewSpec{User: "system:serviceaccount:ci:bot"},
			wantText: "access of ServiceAccount bot to namespace a",
		},
		"nobody":             {role: "view"},
		"an unknown kind":    {role: "view", subjects: []any{map[string]any{"kind": "Robot", "name": "x"}}},
		"not even an object": {role: "view", subjects: []any{"x"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binding := &unstructured.Unstructured{Object: map[string]any{"roleRef": map[string]any{"name": tc.role}, "subjects": tc.subjects}}
			got, text := accessReview(&engine.Grant{Namespace: "a", Name: "bulkhead-x", Binding: binding})
			if text != tc.wantText || (got == nil) != (tc.wantText == "") {
				t.Fatalf("review %v of %q, want %q", got, text, tc.wantText)
			}
			if got == nil {
				return
			}
			tc.want.ResourceAttributes = &authorizationv1.ResourceAttributes{Namespace: "a", Verb: "get", Version: "v1", Resource: "pods"}
			if diff := cmp.Diff(tc.want, got.Spec); diff != "" {
				t.Errorf("review (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	end := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: time.Now().Add(d)} }
	tenant := &v1alpha1.Tenant{Spec: v1alpha1.TenantSpec{Members: []v1alpha1.Member{
		{Name: "owners"}, {Name: "guests", NotAfter: end(-time.Second)}, {Name: "auditors", NotAfter: end(time.Hour)},
	}}}
	tests := map[string]struct{ binding, want string }{
		"a member whose access ended":          {"bulkhead-guests", "guests"},
		"a member without an end":              {"bulkhead-owners", ""},
		"a member whose end is still to come":  {"bulkhead-auditors", ""},
		"a member who left the spec":           {"bulkhead-former", ""},
		"a cluster-scoped binding":             {"bulkhead:tenant:acme:guests", ""},
		"another binding":                      {"guests", ""},
		"a member named like the end of a one": {"bulkhead-my-guests", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := expired(tenant, tc.binding); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUntilAndAgain(t *testing.T) {
	t.Parallel()
	if got := until(time.Time{}); got != 0 {
		t.Errorf("until never is %s, want 0", got)
	}
	if got := until(time.Now().Add(-time.Hour)); got <= 0 || got > time.Second {
		t.Errorf("until the past is %s, want at once, and not never", got)
	}
	if got := until(time.Now().Add(time.Hour)); got < 59*time.Minute || got > time.Hour {
		t.Errorf("until in an hour is %s", got)
	}
	tests := map[string]struct {
		refused      bool
		expiry, want time.Duration
	}{
		"nothing to come back for":      {false, 0, 0},
		"an expiry":                     {false, time.Hour, time.Hour},
		"refused":                       {true, 0, refusedAgain},
		"refused, and an expiry later":  {true, time.Hour, refusedAgain},
		"refused, and an expiry sooner": {true, time.Second, time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := again(&engine.Outcome{Refused: tc.refused}, tc.expiry); got != tc.want {
				t.Errorf("again in %s, want %s", got, tc.want)
			}
		})
	}
}
