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

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// pageSize is how many objects one request asks for.
const pageSize = 500

// The kinds that a snapshot can do without.
var (
	// EndpointSlices tell the API server's addresses, which the operator may be told by a flag instead.
	endpointSliceKind = discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")
	// TenantKind is what there is nothing to look at without.
	tenantKind = v1alpha1.GroupVersion.WithKind("Tenant")
)

// Kinds are the kinds of which a snapshot is made for these rooms: all that facts, engine and exposure read.
func Kinds(rooms []feature.Feature) []schema.GroupVersionKind {
	kinds := []schema.GroupVersionKind{
		tenantKind,
		v1alpha1.GroupVersion.WithKind("TenantClass"),
		corev1.SchemeGroupVersion.WithKind("Namespace"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
		rbacv1.SchemeGroupVersion.WithKind("ClusterRole"),
		rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"),
		endpointSliceKind,
		exposure.DefinitionKind,
	}
	for _, gvk := range slices.Concat(engine.Owned(rooms, false), engine.Owned(rooms, true), exposure.ClusterPolicyKinds()) {
		if !slices.Contains(kinds, gvk) {
			kinds = append(kinds, gvk)
		}
	}
	return kinds
}

// Live reads a cluster: each kind by one list, 500 objects at a time. Of EndpointSlices it reads those of the API server,
// and of the definitions of custom resources the metadata; where it may not, only whoever asks for these gets the error.
// Kinds of optional APIs may be missing: see Served. All other kinds that can't be read are in the error that it returns, which says what to do.
func Live(ctx context.Context, cluster client.Reader, scheme *runtime.Scheme, kinds []schema.GroupVersionKind) (*Snapshot, error) {
	var objects []client.Object
	unread := map[schema.GroupVersionKind]error{}
	var refused []error
	for _, gvk := range kinds {
		found, err := readAll(ctx, cluster, scheme, gvk)
		switch {
		case err == nil:
			objects = append(objects, found...)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case optional(gvk) && (apierrors.IsForbidden(err) || meta.IsNoMatchError(err)):
			unread[gvk] = explain(gvk, err)
		case engine.Optional(scheme, gvk) && (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)):
			unread[gvk] = fmt.Errorf("the cluster doesn't serve %s", gvk)
		default:
			refused = append(refused, explain(gvk, err))
		}
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	s, err := New(scheme, kinds, objects...)
	if err != nil {
		return nil, err
	}
	for gvk, err := range unread {
		s.withUnread(gvk, err)
	}
	return s, nil
}

func optional(gvk schema.GroupVersionKind) bool {
	return gvk == endpointSliceKind || gvk == exposure.DefinitionKind
}

// explain says what to do about a kind that can't be read.
func explain(gvk schema.GroupVersionKind, err error) error {
	switch {
	case gvk.Group == v1alpha1.GroupVersion.Group && meta.IsNoMatchError(err):
		return fmt.Errorf("the cluster has no kind %s: Bulkhead isn't installed there (config/crd), or this isn't the cluster "+
			"that you mean (see --context): %w", gvk.Kind, err)
	case gvk == endpointSliceKind && apierrors.IsForbidden(err):
		return fmt.Errorf("the API server's addresses can't be read: ask for the right to list EndpointSlices in namespace default, "+
			"or set --api-server-addresses: %w", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("objects of kind %s can't be read: ask for the right to list them in the whole cluster (docs/cli.md has the ClusterRole): %w", gvk.Kind, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster doesn't know you: log in again, or choose another --context: %w", err)
	default:
		return fmt.Errorf("reading objects of kind %s: %w", gvk.Kind, err)
	}
}

// readAll lists all objects of a kind, page by page.
func readAll(ctx context.Context, cluster client.Reader, scheme *runtime.Scheme, gvk schema.GroupVersionKind) ([]client.Object, error) {
	var objects []client.Object
	options := []client.ListOption{client.Limit(pageSize)}
	if gvk == endpointSliceKind {
		options = append(options, client.InNamespace(corev1.NamespaceDefault), client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"})
	}
	for next := ""; ; {
		list, err := newList(scheme, gvk)
		if err != nil {
			return nil, err
		}
		if err := cluster.List(ctx, list, append(slices.Clone(options), client.Continue(next))...); err != nil {
			return nil, err
		}
		err = meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("%T has no metadata", item)
			}
			normalise(object, gvk)
			objects = append(objects, object)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if next = list.GetContinue(); next == "" {
			return objects, nil
		}
	}
}

func newList(scheme *runtime.Scheme, gvk schema.GroupVersionKind) (client.ObjectList, error) {
	gvk.Kind += "List"
	if gvk.Group == exposure.DefinitionKind.Group {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk)
		return list, nil
	}
	if !scheme.Recognizes(gvk) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		return list, nil
	}
	made, err := scheme.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("making a %s: %w", gvk.Kind, err)
	}
	list, ok := made.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("making a %s: %T is no list", gvk.Kind, made)
	}
	return list, nil
}

// normalise makes what an object says of its own kind the same wherever it comes from: typed objects say nothing, as
// those that clients decode.
func normalise(object client.Object, gvk schema.GroupVersionKind) {
	switch object.(type) {
	case *metav1.PartialObjectMetadata, *unstructured.Unstructured:
	default:
		gvk = schema.GroupVersionKind{}
	}
	object.GetObjectKind().SetGroupVersionKind(gvk)
}
