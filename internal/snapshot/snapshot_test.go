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

package snapshot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return scheme
}

func policy(namespace, name, app string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}}}
}

func namespace(name, tenant string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelTenant: tenant}}}
}

func definition(name string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}
	object.SetGroupVersionKind(exposure.DefinitionKind)
	return object
}

func some(t testing.TB) *snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.New(newScheme(t), snapshot.Kinds(features.All()),
		policy("b", "one", "web"), policy("a", "two", "web"), policy("a", "one", "db"), policy("a-b", "one", "web"), policy("a", "one", "later"),
		namespace("b", "acme"), namespace("a", "acme"), namespace("a-b", "globex"), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "none"}},
		builders.MakeTenant("globex").Namespaces("a-b", "b").Obj(), builders.MakeTenant("acme").Namespaces("a", "b").Obj(),
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:acme"}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:acme:auditors"}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "admin"}},
		definition("widgets.example.com"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestList(t *testing.T) {
	t.Parallel()
	definitions := &metav1.PartialObjectMetadataList{}
	definitions.SetGroupVersionKind(exposure.DefinitionKind)
	partialNamespaces := &metav1.PartialObjectMetadataList{}
	partialNamespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	tests := map[string]struct {
		into client.ObjectList
		opts []client.ListOption
		want []string
	}{
		"all, sorted": {&networkingv1.NetworkPolicyList{}, nil, []string{"a/one", "a/two", "a-b/one", "b/one"}},
		"a namespace whose name another one starts with": {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.InNamespace("a")}, []string{"a/one", "a/two"}},
		"a namespace without any":                        {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.InNamespace("c")}, nil},
		"by labels":                                      {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.MatchingLabels{"app": "web"}}, []string{"a/two", "a-b/one", "b/one"}},
		"by labels in a namespace":                       {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.InNamespace("a"), client.MatchingLabels{"app": "web"}}, []string{"a/two"}},
		"with a limit":                                   {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.Limit(2)}, []string{"a/one", "a/two"}},
		"by name":                                        {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.MatchingFields{"metadata.name": "one"}}, []string{"a/one", "a-b/one", "b/one"}},
		"by name in a namespace":                         {&networkingv1.NetworkPolicyList{}, []client.ListOption{client.InNamespace("a"), client.MatchingFields{"metadata.name": "one"}}, []string{"a/one"}},
		"tenants by what they claim":                     {&v1alpha1.TenantList{}, []client.ListOption{client.MatchingFields{facts.IndexClaims: "b"}}, []string{"acme", "globex"}},
		"tenants by what nobody claims":                  {&v1alpha1.TenantList{}, []client.ListOption{client.MatchingFields{facts.IndexClaims: "none"}}, nil},
		"namespaces by tenant":                           {&corev1.NamespaceList{}, []client.ListOption{client.MatchingFields{engine.IndexTenant: "acme"}}, []string{"a", "b"}},
		"roles by tenant":                                {&rbacv1.ClusterRoleList{}, []client.ListOption{client.MatchingFields{engine.IndexTenant: "acme"}}, []string{"bulkhead:tenant:acme", "bulkhead:tenant:acme:auditors"}},
		"by two fields":                                  {&corev1.NamespaceList{}, []client.ListOption{client.MatchingFields{engine.IndexTenant: "acme", "metadata.name": "b"}}, []string{"b"}},
		"an index over nothing":                          {&rbacv1.ClusterRoleBindingList{}, []client.ListOption{client.MatchingFields{engine.IndexTenant: "acme"}}, nil},
		"a kind without objects":                         {&corev1.LimitRangeList{}, nil, nil},
		"metadata":                                       {definitions, nil, []string{"widgets.example.com"}},
		"metadata of typed objects":                      {partialNamespaces, []client.ListOption{client.MatchingLabels{v1alpha1.LabelTenant: "globex"}}, []string{"a-b"}},
	}
	for name, tc := range tests {
		for what, opts := range map[string][]client.ListOption{"copied": tc.opts, "shared": append([]client.ListOption{client.UnsafeDisableDeepCopy}, tc.opts...)} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				into, ok := tc.into.DeepCopyObject().(client.ObjectList)
				if !ok {
					t.Fatalf("%T is no list", tc.into)
				}
				if err := some(t).List(t.Context(), into, opts...); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, names(t, into)); diff != "" {
					t.Errorf("listed (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func names(t *testing.T, list client.ObjectList) []string {
	t.Helper()
	var found []string
	err := meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			t.Fatalf("%T has no metadata", item)
		}
		name := object.GetName()
		if object.GetNamespace() != "" {
			name = object.GetNamespace() + "/" + name
		}
		found = append(found, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx  context.Context
		into client.ObjectList
		opts []client.ListOption
	}{
		"a kind that it isn't made of": {t.Context(), &corev1.PodList{}, nil},
		"a field without an index":     {t.Context(), &corev1.NamespaceList{}, []client.ListOption{client.MatchingFields{"status.phase": "Active"}}},
		"a field that must not be":     {t.Context(), &corev1.NamespaceList{}, []client.ListOption{client.MatchingFieldsSelector{Selector: fields.OneTermNotEqualSelector("metadata.name", "a")}}},
		"a page":                       {t.Context(), &corev1.NamespaceList{}, []client.ListOption{client.Continue("x")}},
		"once it is canceled":          {canceled, &corev1.NamespaceList{}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := some(t).List(tc.ctx, tc.into, tc.opts...); err == nil {
				t.Errorf("listed %v", names(t, tc.into))
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	s := some(t)
	got := &networkingv1.NetworkPolicy{}
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: "one"}, got); err != nil {
		t.Fatal(err)
	}
	if got.Labels["app"] != "later" || got.Kind != "NetworkPolicy" {
		t.Errorf("got %q of kind %q, want the later of two with its kind", got.Labels["app"], got.Kind)
	}
	got.Labels["app"] = "changed"
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: "one"}, got, client.UnsafeDisableDeepCopy); err != nil {
		t.Fatal(err)
	}
	if got.Labels["app"] != "later" {
		t.Error("a copy was changed, and with it the snapshot")
	}
	partial := definition("")
	if err := s.Get(t.Context(), client.ObjectKey{Name: "widgets.example.com"}, partial); err != nil || partial.Name != "widgets.example.com" {
		t.Errorf("got definition %q, error %v", partial.Name, err)
	}
	role := &metav1.PartialObjectMetadata{}
	role.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
	if err := s.Get(t.Context(), client.ObjectKey{Name: "admin"}, role); err != nil || role.Name != "admin" || role.Kind != "ClusterRole" {
		t.Errorf("got metadata of %s %q, error %v", role.Kind, role.Name, err)
	}
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: "c", Name: "one"}, got); !apierrors.IsNotFound(err) {
		t.Errorf("error %v, want not found", err)
	}
	if err := s.Get(t.Context(), client.ObjectKey{Name: "a"}, &corev1.Node{}); err == nil || apierrors.IsNotFound(err) {
		t.Errorf("error %v, want another one than not found: nobody looked for nodes", err)
	}
	if err := s.Get(t.Context(), client.ObjectKey{Name: "widgets.example.com"}, definition(""), client.UnsafeDisableDeepCopy); err != nil {
		t.Errorf("sharing metadata: %v", err)
	}
}

// TestWith pins that what was handed out stays what it was.
func TestWith(t *testing.T) {
	t.Parallel()
	before := some(t)
	after, err := before.With(builders.MakeTenant("acme").Namespaces("c").Obj(), builders.MakeTenant("new").Obj())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		s    *snapshot.Snapshot
		want int
	}{"before": {before, 2}, "after": {after, 1}} {
		list := &v1alpha1.TenantList{}
		if err := tc.s.List(t.Context(), list, client.MatchingFields{facts.IndexClaims: "b"}); err != nil || len(list.Items) != tc.want {
			t.Errorf("%s: %d tenants claim b, error %v, want %d", name, len(list.Items), err, tc.want)
		}
	}
	if got := after.Len(v1alpha1.GroupVersion.WithKind("Tenant")); got != 3 {
		t.Errorf("%d tenants, want 3", got)
	}
	if _, err := before.With(&corev1.Pod{}); err == nil {
		t.Error("took a kind that it isn't made of")
	}
}

func TestApplied(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 5, time.UTC)
	live := builders.MakeTenant("acme").Namespaces("a").Label("kept", "yes").Obj()
	live.UID, live.Finalizers, live.Generation = "u", []string{v1alpha1.Finalizer}, 3
	live.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	class := builders.MakeClass("gold").Obj()
	s, err := snapshot.New(newScheme(t), snapshot.Kinds(features.All()), live, class)
	if err != nil {
		t.Fatal(err)
	}
	s, err = s.Applied(t.Context(), now, builders.MakeTenant("acme").Namespaces("b").Label("more", "yes").Obj(),
		builders.MakeTenant("new").Namespaces("c").Obj(), builders.MakeClass("gold").Default().Obj())
	if err != nil {
		t.Fatal(err)
	}
	want := live.DeepCopy()
	want.Spec.Namespaces[0].Name = "b"
	want.Labels = map[string]string{"kept": "yes", "more": "yes"}
	want.Annotations = map[string]string{}
	tenant, fresh := &v1alpha1.Tenant{}, &v1alpha1.Tenant{}
	if err := errors.Join(s.Get(t.Context(), client.ObjectKey{Name: "acme"}, tenant, client.UnsafeDisableDeepCopy),
		s.Get(t.Context(), client.ObjectKey{Name: "new"}, fresh), s.Get(t.Context(), client.ObjectKey{Name: "gold"}, class)); err != nil {
		t.Fatal(err)
	}
	tenant.TypeMeta = want.TypeMeta
	if diff := cmp.Diff(want, tenant); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	if !fresh.CreationTimestamp.Time.Equal(now.Truncate(time.Second)) || fresh.Spec.Namespaces[0].Name != "c" {
		t.Errorf("the new tenant is %v of %s", fresh.Spec.Namespaces, fresh.CreationTimestamp)
	}
	if class.Annotations[v1alpha1.AnnotationDefaultClass] != "true" {
		t.Errorf("the class has annotations %v", class.Annotations)
	}
	if _, err := s.Applied(t.Context(), now, namespace("a", "acme")); err == nil {
		t.Error("applied a Namespace")
	}
}
