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

package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// IndexTenant is the field index by which the cluster-scoped objects of one tenant are found.
const IndexTenant = "bulkhead.tenant"

// doorKinds are the kinds that grant access.
var doorKinds = []string{"RoleBinding", "ClusterRoleBinding"}

func isDoor(gvk schema.GroupVersionKind) bool { return slices.Contains(doorKinds, gvk.Kind) }

// Owned lists the kinds that features own in a namespace, or at cluster scope, without duplicates.
func Owned(features []feature.Feature, cluster bool) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, f := range features {
		owns := f.Owns()
		if cluster {
			scoped, ok := f.(feature.ClusterScoped)
			if !ok {
				continue
			}
			owns = scoped.OwnsCluster()
		}
		for _, gvk := range owns {
			if !slices.Contains(kinds, gvk) {
				kinds = append(kinds, gvk)
			}
		}
	}
	return kinds
}

// read collects the live objects of all owned kinds from the cache.
func (r *run) read(ctx context.Context) error {
	scope := client.ListOption(client.InNamespace(r.plan.Name))
	if r.plan.Name == "" {
		scope = client.MatchingFields{IndexTenant: r.plan.Tenant}
	}
	objects, err := r.engine.list(ctx, r.plan.Name == "", scope)
	r.live = objects
	return err
}

// list reads objects of all owned kinds from the cache. They are shared with the cache: never change them.
func (e *Engine) list(ctx context.Context, cluster bool, scope client.ListOption) (map[objectID]client.Object, error) {
	found := map[objectID]client.Object{}
	for _, gvk := range Owned(e.features, cluster) {
		if Optional(e.scheme, gvk) && !e.serves(gvk) {
			continue // nothing of it can be there
		}
		list, err := e.newList(gvk)
		if err != nil {
			return found, err
		}
		if err := e.reader.List(ctx, list, scope, client.UnsafeDisableDeepCopy); err != nil {
			return found, fmt.Errorf("listing %s: %w", gvk.Kind, err)
		}
		err = meta.EachListItem(list, func(item runtime.Object) error {
			live, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("reading a list of %s: %T has no metadata", gvk.Kind, item)
			}
			found[objectID{gvk: gvk, key: client.ObjectKeyFromObject(live)}] = live
			return nil
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// Optional reports whether a kind is of an API that a cluster may or may not serve.
func Optional(scheme *runtime.Scheme, gvk schema.GroupVersionKind) bool {
	return !scheme.Recognizes(gvk)
}

// newList makes an empty list of a kind.
func (e *Engine) newList(gvk schema.GroupVersionKind) (client.ObjectList, error) {
	if Optional(e.scheme, gvk) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(listKind(gvk))
		return list, nil
	}
	object, err := e.scheme.New(listKind(gvk))
	if err != nil {
		return nil, fmt.Errorf("making a list of %s: %w", gvk.Kind, err)
	}
	list, ok := object.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("making a list of %s: %T is not a list", gvk.Kind, object)
	}
	return list, nil
}

// surplus lists, in a stable order, the live objects that we applied and that no intent asks for. Labels don't tell:
// anyone who may edit them can put them on or take them off. Objects of a room that failed are left alone.
func (r *run) surplus(doors bool) []objectID {
	wanted := map[objectID]bool{}
	for _, intent := range r.plan.Objects() {
		wanted[intent.id()] = true
	}
	failed := r.plan.failedRooms()
	var ids []objectID
	for id, live := range r.live {
		if wanted[id] || isDoor(id.gvk) != doors || id.gvk == namespaceGVK || live.GetDeletionTimestamp() != nil {
			continue
		}
		if r.engine.mayBeOf(failed, id.gvk, live) || !r.engine.applied(id, live) {
			continue
		}
		if past, ok := r.engine.journal.get(id); ok && past.deleted && past.uid == live.GetUID() {
			continue // the cache doesn't show our own deletion yet
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b objectID) int { return cmp.Compare(a.String(), b.String()) })
	return ids
}

// applied reports whether we applied a live object: by its managed fields; or, as those can be cleared, because this
// process wrote or judged this very object, or because it is field for field what its intent annotation says.
func (e *Engine) applied(id objectID, live client.Object) bool {
	if drift.AppliedBy(live, v1alpha1.FieldManager) {
		return true
	}
	past, known := e.journal.get(id)
	return known && past.uid == live.GetUID() && past.uid != "" || e.comparer.Sealed(live, id.gvk)
}

// mayBeOf reports whether an object may be of one of the rooms. Its label says of which, if that room owns the kind at
// all: who may edit the object may also edit the label.
func (e *Engine) mayBeOf(rooms map[string]bool, gvk schema.GroupVersionKind, live client.Object) bool {
	may := false
	for _, f := range e.features {
		one := []feature.Feature{f}
		if !slices.Contains(Owned(one, false), gvk) && !slices.Contains(Owned(one, true), gvk) {
			continue
		}
		if live.GetLabels()[v1alpha1.LabelFeature] == f.Name() {
			return rooms[f.Name()]
		}
		may = may || rooms[f.Name()]
	}
	return may
}

// closeDoors withdraws access that the spec no longer grants, in every mode.
func (r *run) closeDoors(ctx context.Context) {
	for _, id := range r.surplus(true) {
		if r.pass.DryRun {
			r.outcome.observeSurplus(id, r.engine.now())
			continue
		}
		if err := r.engine.remove(ctx, id, r.live[id]); err != nil {
			r.outcome.fail(r.live[id].GetLabels()[v1alpha1.LabelFeature], err)
			continue
		}
		r.outcome.Withdrawn = append(r.outcome.Withdrawn, id.key.Name)
	}
}

// narrows reports whether applying the intent of a binding that we applied before only takes subjects away: access
// that the spec has ended is withdrawn in every mode.
func (e *Engine) narrows(intent *Intent, live client.Object) bool {
	var had []rbacv1.Subject
	var wanted struct{ Subjects []rbacv1.Subject }
	switch binding := live.(type) {
	case *rbacv1.RoleBinding:
		had = binding.Subjects
	case *rbacv1.ClusterRoleBinding:
		had = binding.Subjects
	default:
		return false
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(intent.Object.Object, &wanted); err != nil {
		return false
	}
	foreign := func(s rbacv1.Subject) bool { return !slices.Contains(had, s) }
	return e.applied(intent.id(), live) && len(wanted.Subjects) < len(had) && !slices.ContainsFunc(wanted.Subjects, foreign)
}

// pruneWalls deletes walls that the spec no longer asks for, or reports them if nothing may be written.
func (r *run) pruneWalls(ctx context.Context) {
	for _, id := range r.surplus(false) {
		live := r.live[id]
		if r.observing() {
			r.outcome.observeSurplus(id, r.engine.now())
			continue
		}
		if err := r.engine.remove(ctx, id, live); err != nil {
			r.outcome.fail(live.GetLabels()[v1alpha1.LabelFeature], err)
		}
	}
}

// Release lets go of a namespace: doors are closed, walls are kept, and the namespace is marked as released from
// the tenant. The tenant label goes, so that the namespace is no longer inside the tenant's wall.
func (e *Engine) Release(ctx context.Context, tenant string, live client.Object) error {
	if err := e.CloseAll(ctx, live.GetName()); err != nil {
		return err
	}
	labels := map[string]string{v1alpha1.LabelReleasedFrom: tenant}
	for key, value := range live.GetLabels() {
		if key != v1alpha1.LabelTenant && drift.OwnsLabel(live, v1alpha1.FieldManager, key) {
			labels[key] = value
		}
	}
	annotations := map[string]string{}
	for key, value := range live.GetAnnotations() {
		if key != v1alpha1.AnnotationIntent && drift.OwnsAnnotation(live, v1alpha1.FieldManager, key) {
			annotations[key] = value
		}
	}
	if _, err := e.writer.apply(ctx, newNamespaceIntent(live.GetName(), labels, annotations)); err != nil {
		return err
	}
	e.journal.forgetContent(live.GetName())
	e.journal.forget(objectID{gvk: namespaceGVK, key: types.NamespacedName{Name: live.GetName()}})
	return nil
}

// DeleteNamespace closes the doors of a namespace and deletes it, if it isn't being deleted already.
func (e *Engine) DeleteNamespace(ctx context.Context, live client.Object) error {
	if live.GetDeletionTimestamp() != nil {
		return nil
	}
	if err := e.CloseAll(ctx, live.GetName()); err != nil {
		return err
	}
	return e.remove(ctx, objectID{gvk: namespaceGVK, key: types.NamespacedName{Name: live.GetName()}}, live)
}

// CloseAll withdraws all access that we granted in a namespace.
func (e *Engine) CloseAll(ctx context.Context, namespace string) error {
	return e.removeAll(ctx, &Plan{Name: namespace}, true)
}

// RemoveTenant deletes the cluster-scoped objects of a tenant, doors first.
func (e *Engine) RemoveTenant(ctx context.Context, tenant string) error {
	if err := e.removeAll(ctx, &Plan{Tenant: tenant}, true); err != nil {
		return err
	}
	return e.removeAll(ctx, &Plan{Tenant: tenant}, false)
}

func (e *Engine) removeAll(ctx context.Context, empty *Plan, doors bool) error {
	r := &run{engine: e, plan: empty}
	if err := r.read(ctx); err != nil {
		return err
	}
	for _, id := range r.surplus(doors) {
		if err := e.remove(ctx, id, r.live[id]); err != nil {
			return err
		}
	}
	return nil
}
