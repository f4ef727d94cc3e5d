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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// cluster is a fake cluster in which lists of some kinds fail, and which counts lists.
func cluster(t *testing.T, failing map[string]error, lists *[]string, objects ...client.Object) client.Reader {
	t.Helper()
	scheme := newScheme(t)
	scheme.AddKnownTypeWithName(exposure.DefinitionKind, &metav1.PartialObjectMetadata{})
	list := exposure.DefinitionKind
	list.Kind += "List"
	scheme.AddKnownTypeWithName(list, &metav1.PartialObjectMetadataList{})
	return interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, opts ...client.ListOption) error {
			gvk, err := apiutil.GVKForObject(into, scheme)
			if err != nil {
				return err
			}
			options := client.ListOptions{}
			options.ApplyOptions(opts)
			if lists != nil {
				*lists = append(*lists, gvk.Kind+" "+options.Namespace)
			}
			if options.Limit != 500 {
				t.Errorf("asked for %d %s", options.Limit, gvk.Kind)
			}
			if err := failing[gvk.Kind]; err != nil {
				return err
			}
			if err := c.List(ctx, into, client.InNamespace(options.Namespace)); err != nil {
				return err
			}
			into.SetContinue("")
			// The first page of Tenants has but the first of them.
			if all, ok := into.(*v1alpha1.TenantList); ok && len(all.Items) > 1 {
				if options.Continue == "" {
					all.Items = all.Items[:1]
					all.SetContinue("more")
				} else {
					all.Items = all.Items[1:]
				}
			}
			return nil
		},
	})
}

func forbidden(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", nil)
}

func TestLive(t *testing.T) {
	t.Parallel()
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}}
	elsewhere := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "other"}}
	var lists []string
	c := cluster(t, nil, &lists, builders.MakeTenant("acme").Obj(), builders.MakeTenant("globex").Obj(), namespace("a", "acme"), slice, elsewhere, definition("widgets.example.com"))
	s, err := snapshot.Live(t.Context(), c, newScheme(t), snapshot.Kinds(features.All()))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"TenantList ", "TenantList ", "TenantClassList ", "NamespaceList ", "NetworkPolicyList ", "RoleBindingList ", "ClusterRoleList ",
		"ClusterRoleBindingList ", "EndpointSliceList default", "CustomResourceDefinitionList ", "ResourceQuotaList ", "LimitRangeList ",
	}
	for _, gvk := range snapshot.Kinds(features.All()) {
		if engine.Optional(newScheme(t), gvk) && gvk != exposure.DefinitionKind {
			want = append(want, gvk.Kind+"List ")
		}
	}
	if diff := cmp.Diff(want, lists); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for gvk, want := range map[schema.GroupVersionKind]int{
		v1alpha1.GroupVersion.WithKind("Tenant"):                 2,
		corev1.SchemeGroupVersion.WithKind("Namespace"):          1,
		discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"): 1,
		exposure.DefinitionKind:                                  1,
	} {
		if got := s.Len(gvk); got != want {
			t.Errorf("%d of %s, want %d", got, gvk.Kind, want)
		}
	}
}

// TestLiveRefused pins what is an error at once, what only for who asks, and that the errors say what to do.
func TestLiveRefused(t *testing.T) {
	t.Parallel()
	noMatch := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: "Tenant"}}
	tests := map[string]struct {
		failing map[string]error
		want    []string
		lazy    client.ObjectList
	}{
		"Bulkhead isn't installed": {map[string]error{"TenantList": noMatch}, []string{"no kind Tenant", "isn't installed", "--context"}, nil},
		"two kinds":                {map[string]error{"NetworkPolicyList": forbidden("networkpolicies"), "NamespaceList": forbidden("namespaces")}, []string{"kind NetworkPolicy", "kind Namespace", "ask for the right"}, nil},
		"nobody known":             {map[string]error{"NamespaceList": apierrors.NewUnauthorized("no")}, []string{"log in again"}, nil},
		"something else":           {map[string]error{"NamespaceList": apierrors.NewInternalError(context.DeadlineExceeded)}, []string{"reading objects of kind Namespace"}, nil},
		"API server's addresses":   {map[string]error{"EndpointSliceList": forbidden("endpointslices")}, []string{"--api-server-addresses"}, &discoveryv1.EndpointSliceList{}},
		"definitions": {map[string]error{"CustomResourceDefinitionList": forbidden("customresourcedefinitions")}, []string{"CustomResourceDefinition can't be read"},
			&metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinitionList"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := snapshot.Live(t.Context(), cluster(t, tc.failing, nil), newScheme(t), snapshot.Kinds(features.All()))
			if tc.lazy != nil {
				if err != nil {
					t.Fatalf("error %v, want none before somebody asks", err)
				}
				err = s.List(t.Context(), tc.lazy)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error doesn't say %q: %v", want, err)
				}
			}
		})
	}
}
