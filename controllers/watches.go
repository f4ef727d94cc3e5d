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
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/index"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// key maps an object to the one key whose work it is; "" for nobody's.
type key func(client.Object) string

func inNamespace(object client.Object) string { return object.GetNamespace() }

func ofTenant(object client.Object) string { return index.TenantOf(object.GetName()) }

// managed enqueues the namespace, or the tenant, of an owned kind, and tells the engine of deletions.
func managed(e *engine.Engine, gvk schema.GroupVersionKind, of key) handler.EventHandler {
	add := func(q queue, object client.Object) {
		if name := of(object); name != "" {
			q.Add(request(name))
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, c event.CreateEvent, q queue) { add(q, c.Object) },
		UpdateFunc: func(_ context.Context, u event.UpdateEvent, q queue) { add(q, u.ObjectNew) },
		DeleteFunc: func(_ context.Context, d event.DeleteEvent, q queue) {
			e.Gone(gvk, d.Object)
			add(q, d.Object)
		},
	}
}

// namespaces enqueues a Namespace itself. With a namespace everything in it is gone, which is one loss and not one
// for each object: the engine forgets what was in it.
func namespaces(e *engine.Engine) handler.EventHandler {
	add := func(q queue, object client.Object) { q.Add(request(object.GetName())) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, c event.CreateEvent, q queue) { add(q, c.Object) },
		UpdateFunc: func(_ context.Context, u event.UpdateEvent, q queue) { add(q, u.ObjectNew) },
		DeleteFunc: func(_ context.Context, d event.DeleteEvent, q queue) {
			e.GoneNamespace(d.Object)
			add(q, d.Object)
		},
	}
}

// leavers enqueues the tenant that a namespace was labelled for when the label, or the namespace, is gone, or when the
// namespace is marked as released: a Tenant that is being deleted waits for that, and after a restart nothing else
// would tell it.
func leavers() handler.EventHandler {
	add := func(q queue, object client.Object, label string) {
		if tenant := object.GetLabels()[label]; tenant != "" {
			q.Add(request(tenant))
		}
	}
	changed := func(u event.UpdateEvent, label string) bool {
		return u.ObjectOld.GetLabels()[label] != u.ObjectNew.GetLabels()[label]
	}
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, u event.UpdateEvent, q queue) {
			if changed(u, v1alpha1.LabelTenant) {
				add(q, u.ObjectOld, v1alpha1.LabelTenant)
			}
			if changed(u, v1alpha1.LabelReleasedFrom) {
				add(q, u.ObjectNew, v1alpha1.LabelReleasedFrom)
			}
		},
		DeleteFunc: func(_ context.Context, d event.DeleteEvent, q queue) { add(q, d.Object, v1alpha1.LabelTenant) },
	}
}

// quotaChanged drops updates of a ResourceQuota that only say how much is used: they come with every pod.
func quotaChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.ResourceQuota)
		if !ok {
			return true
		}
		after, ok := e.ObjectNew.(*corev1.ResourceQuota)
		if !ok {
			return true
		}
		return !equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
			!equality.Semantic.DeepEqual(before.Status.Hard, after.Status.Hard) ||
			!maps.Equal(before.Labels, after.Labels) ||
			!maps.Equal(before.Annotations, after.Annotations) ||
			!equality.Semantic.DeepEqual(before.OwnerReferences, after.OwnerReferences) ||
			// Those of status are trimmed from the cache.
			!equality.Semantic.DeepEqual(before.ManagedFields, after.ManagedFields) ||
			(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil)
	}}
}

// specChanged lets pass what changes the work of a Tenant or TenantClass: a new spec or its deletion, which both bump
// the generation; an annotation (which class is the default); and our finalizer, before which nothing is done.
// Status, which we write ourselves, changes none of them.
func specChanged() predicate.Predicate {
	finalizers := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers())
	}}
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, finalizers)
}

// namespacesOf enqueues the namespaces of a Tenant: those that the spec lists, those that it listed before, and
// those that carry its label.
func namespacesOf(reader client.Reader) handler.EventHandler {
	add := func(ctx context.Context, q queue, objects ...client.Object) {
		names := map[string]bool{}
		for _, object := range objects {
			for _, name := range index.Claims(object) {
				names[name] = true
			}
		}
		for _, name := range labelledWith(ctx, reader, objects[0].GetName()) {
			names[name] = true
		}
		for name := range names {
			q.Add(request(name))
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { add(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { add(ctx, q, e.ObjectNew, e.ObjectOld) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, q, e.Object) },
	}
}

func labelledWith(ctx context.Context, reader client.Reader, tenant string) []string {
	list := &corev1.NamespaceList{}
	if err := reader.List(ctx, list, client.MatchingFields{engine.IndexTenant: tenant}, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the cache is closed: the operator is stopping
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// allNamespaces enqueues the namespaces of every tenant that the object may concern: those that name the class,
// or none, for a TenantClass; all tenants for anything else.
func allNamespaces(reader client.Reader) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		var requests []reconcile.Request
		eachTenant(ctx, reader, object, func(tenant *v1alpha1.Tenant) {
			for _, name := range index.Claims(tenant) {
				requests = append(requests, request(name))
			}
		})
		return requests
	})
}

// allTenants enqueues every tenant that the object may concern.
func allTenants(reader client.Reader) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		var requests []reconcile.Request
		eachTenant(ctx, reader, object, func(tenant *v1alpha1.Tenant) { requests = append(requests, request(tenant.Name)) })
		return requests
	})
}

func eachTenant(ctx context.Context, reader client.Reader, object client.Object, visit func(*v1alpha1.Tenant)) {
	tenants := &v1alpha1.TenantList{}
	if err := reader.List(ctx, tenants, client.UnsafeDisableDeepCopy); err != nil {
		return // the cache is closed: the operator is stopping
	}
	class, isClass := object.(*v1alpha1.TenantClass)
	for i := range tenants.Items {
		tenant := &tenants.Items[i]
		if isClass && tenant.Spec.ClassName != "" && tenant.Spec.ClassName != class.Name {
			continue
		}
		visit(tenant)
	}
}

func request(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}
