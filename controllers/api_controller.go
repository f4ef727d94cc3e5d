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
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/index"
)

// A Watcher is a controller that works on objects of optional kinds.
type Watcher interface {
	// WatchOptional starts to watch a kind, if it is one of the controller's. It may be called again after the kind was
	// gone.
	WatchOptional(cache cache.Cache, kind schema.GroupVersionKind) error
	// LookAgain makes the controller look at everything of these tenants again; of all, if none is named.
	LookAgain(ctx context.Context, tenants ...string)
}

// APIReconciler follows which optional APIs the cluster serves: it starts to watch what appears, and stops to watch what
// disappears, so that neither takes a restart. Its keys are API groups. It runs in every replica, because one that stands
// by must be as ready as the one that works.
type APIReconciler struct {
	Cache     cache.Cache
	Discovery discovery.ServerResourcesInterface
	// Served is what is watched. Nobody else changes it.
	Served *apis.Set
	// InNamespaces and OfTenants are all optional kinds that rooms render. Judged are those that are only read, to judge
	// isolation; what rooms render may be among them.
	InNamespaces, OfTenants, Judged []schema.GroupVersionKind
	// Watchers are the controllers that work on them.
	Watchers []Watcher
}

// SetupWithManager registers the controller and what it watches.
func (r *APIReconciler) SetupWithManager(mgr ctrl.Manager) error {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(exposure.DefinitionKind)
	everywhere := false
	return ctrl.NewControllerManagedBy(mgr).
		Named("api").
		WatchesMetadata(definition, handler.EnqueueRequestsFromMapFunc(r.group)).
		WithOptions(controller.Options{NeedLeaderElection: &everywhere}).
		Complete(redacting{r})
}

// group is the group of a definition, if anything of it is watched.
func (r *APIReconciler) group(_ context.Context, definition client.Object) []reconcile.Request {
	_, group, _ := strings.Cut(definition.GetName(), ".")
	if len(r.kindsOf(group)) == 0 {
		return nil
	}
	return []reconcile.Request{request(group)}
}

// Kinds are all kinds that are watched where they are served, each once.
func (r *APIReconciler) Kinds() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, kind := range slices.Concat(r.InNamespaces, r.OfTenants, r.Judged) {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (r *APIReconciler) kindsOf(group string) []schema.GroupVersionKind {
	return slices.DeleteFunc(r.Kinds(), func(kind schema.GroupVersionKind) bool { return kind.Group != group })
}

// How long to wait until discovery is asked again about a definition that isn't served: soon as long as it is new, and
// then as rarely as it may matter. Every change of the definition asks anyway.
const (
	servedSoon, servedLate = time.Second, 5 * time.Minute
	definitionIsNew        = 2 * time.Minute
)

// Reconcile finds out which kinds of a group are served, and watches these and no others.
func (r *APIReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	kinds := r.kindsOf(req.Name)
	served, err := apis.ServedOf(r.Discovery, kinds)
	if err != nil {
		return ctrl.Result{}, err
	}
	defined, wait, err := r.defined(ctx, req.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	changed := false
	var failed []error
	for _, kind := range kinds {
		news, err := r.follow(ctx, kind, slices.Contains(served, kind) && defined)
		changed = changed || news
		failed = append(failed, err)
	}
	// Whatever failed: what is news of the other kinds isn't when it is tried again.
	if changed {
		for _, watcher := range r.Watchers {
			watcher.LookAgain(ctx)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return ctrl.Result{}, err
	}
	if len(served) == len(kinds) && defined {
		wait = 0
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// follow watches a kind, or no longer does, and reports whether that is news.
func (r *APIReconciler) follow(ctx context.Context, kind schema.GroupVersionKind, served bool) (bool, error) {
	if served && !r.Served.Serves(kind) {
		if err := r.start(ctx, kind); err != nil {
			return false, err
		}
		return r.Served.Put(kind, true), nil
	}
	if !served && r.Served.Put(kind, false) {
		return true, r.stop(ctx, kind)
	}
	return false, nil
}

// defined reports whether a group has definitions, and when to ask again if something of the group isn't served. What
// discovery still has after the last definition is gone isn't served any more.
func (r *APIReconciler) defined(ctx context.Context, group string) (bool, time.Duration, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(exposure.DefinitionKind)
	if err := r.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return false, 0, fmt.Errorf("reading the definitions of %s: %w", group, err)
	}
	found, wait := false, time.Duration(0)
	for i := range list.Items {
		definition := &list.Items[i]
		if _, of, _ := strings.Cut(definition.Name, "."); of != group {
			continue
		}
		if found, wait = true, servedLate; time.Since(definition.CreationTimestamp.Time) < definitionIsNew {
			return true, servedSoon, nil
		}
	}
	return found, wait, nil
}

// startWithin bounds how long it may take to read what there is of a kind, so that one that can't be read doesn't keep the
// others from being followed.
const startWithin = 30 * time.Second

// start watches a kind and waits until what there is of it has been read.
func (r *APIReconciler) start(ctx context.Context, kind schema.GroupVersionKind) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	err := r.hold(ctx, kind)
	if err == nil {
		_, err = r.Cache.GetInformer(ctx, objectOf(kind), cache.BlockUntilSynced(true))
	}
	if err == nil {
		err = r.watch(kind)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("watching %s: %w", kind.Kind, err), r.stop(ctx, kind))
	}
	return nil
}

// Begin watches a kind that the cluster serves. It is for the time before the cache and the controllers start, and doesn't
// wait.
func (r *APIReconciler) Begin(ctx context.Context, kind schema.GroupVersionKind) error {
	if err := r.hold(ctx, kind); err != nil {
		return fmt.Errorf("watching %s: %w", kind.Kind, err)
	}
	if err := r.watch(kind); err != nil {
		return fmt.Errorf("watching %s: %w", kind.Kind, err)
	}
	r.Served.Put(kind, true)
	return nil
}

// hold makes the cache hold a kind, with the index by which what a tenant has once is found.
func (r *APIReconciler) hold(ctx context.Context, kind schema.GroupVersionKind) error {
	if !slices.Contains(r.OfTenants, kind) {
		_, err := r.Cache.GetInformer(ctx, objectOf(kind), cache.BlockUntilSynced(false))
		return err
	}
	found := index.Custom(kind)
	return r.Cache.IndexField(ctx, found.Object, found.Field, found.Values)
}

func (r *APIReconciler) watch(kind schema.GroupVersionKind) error {
	for _, watcher := range r.Watchers {
		if err := watcher.WatchOptional(r.Cache, kind); err != nil {
			return err
		}
	}
	return nil
}

func objectOf(kind schema.GroupVersionKind) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object
}

func (r *APIReconciler) stop(ctx context.Context, kind schema.GroupVersionKind) error {
	if err := r.Cache.RemoveInformer(ctx, objectOf(kind)); err != nil {
		return fmt.Errorf("ending the watch of %s: %w", kind.Kind, err)
	}
	return nil
}
