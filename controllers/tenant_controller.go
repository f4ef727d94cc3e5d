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

// Package controllers holds the reconcilers. They are thin: they decide when, ask facts what is so, let the engine
// do it, and put what happened into the ledger. Nothing is rendered here.
package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// +kubebuilder:rbac:groups=tenancy.bulkhead.dev,resources=tenants,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=tenancy.bulkhead.dev,resources=tenants/status,verbs=patch
// +kubebuilder:rbac:groups=tenancy.bulkhead.dev,resources=tenantclasses,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// gather is how long news of a tenant is collected before it is summed up: a tenant of a thousand namespaces must
// not be summed up a thousand times.
const gather = 100 * time.Millisecond

// TenantReconciler looks after a Tenant as a whole: its finalizer, its cluster-scoped objects and its status.
type TenantReconciler struct {
	Client   client.Client
	Facts    *facts.Reader
	Engine   *engine.Engine
	Ledger   *status.Ledger
	Writer   *status.Writer
	Events   *Events
	Features []feature.Feature
	Judge    *exposure.Judge
	// Rails is what is known of the guard-rails; nil if nobody looks at them.
	Rails *guard.Board
	wake  wake

	add        atomic.Pointer[func(string)]
	controller controller.Controller
}

// SetupWithManager registers the controller and what it watches.
func (r *TenantReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	news := source.Func(func(_ context.Context, q queue) error {
		r.Ledger.Notify(func(tenant string) { q.AddAfter(request(tenant), gather) })
		r.wake = alarm(q)
		add := func(tenant string) { q.Add(request(tenant)) }
		r.add.Store(&add)
		return nil
	})
	b := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Tenant{}, builder.WithPredicates(specChanged())).
		Watches(&corev1.Namespace{}, leavers()).
		Watches(&v1alpha1.TenantClass{}, allTenants(r.Client), builder.WithPredicates(specChanged())).
		WatchesRawSource(news).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	for _, gvk := range engine.Owned(r.Features, true) {
		if engine.Optional(mgr.GetScheme(), gvk) {
			continue // see WatchOptional
		}
		object, err := newObject(mgr.GetScheme(), gvk)
		if err != nil {
			return err
		}
		b = b.Watches(object, managed(r.Engine, gvk, ofTenant))
	}
	var err error
	r.controller, err = b.Build(redacting{r})
	return err
}

// WatchOptional implements Watcher.
func (r *TenantReconciler) WatchOptional(in cache.Cache, gvk schema.GroupVersionKind) error {
	if !slices.Contains(engine.Owned(r.Features, true), gvk) {
		return nil
	}
	of := func(object client.Object) string { return feature.TenantOf(object.GetNamespace(), object.GetName()) }
	return r.controller.Watch(source.Kind[client.Object](in, objectOf(gvk), managed(r.Engine, gvk, of)))
}

// LookAgain implements Watcher.
func (r *TenantReconciler) LookAgain(ctx context.Context, tenants ...string) {
	add := r.add.Load()
	if add == nil {
		return // the controller hasn't started, and will look at everything when it does
	}
	eachTenant(ctx, r.Client, nil, func(tenant *v1alpha1.Tenant) {
		if len(tenants) == 0 || slices.Contains(tenants, tenant.Name) {
			(*add)(tenant.Name)
		}
	})
}

// Reconcile brings a Tenant's cluster scope into line and sums up its status.
func (r *TenantReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	tenant := &v1alpha1.Tenant{}
	if err := r.Client.Get(ctx, req.NamespacedName, tenant); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.Name)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading tenant: %w", err)
	}
	if tenant.DeletionTimestamp != nil {
		return r.finalize(ctx, status.Rollup{Tenant: tenant, Now: time.Now()})
	}
	if !controllerutil.ContainsFinalizer(tenant, v1alpha1.Finalizer) {
		return ctrl.Result{}, r.addFinalizer(ctx, tenant)
	}
	held, conflicts, err := r.Facts.Held(ctx, tenant)
	if err != nil {
		return ctrl.Result{}, err
	}
	rollup := status.Rollup{Tenant: tenant, Held: held, Conflicts: conflicts, Now: time.Now()}
	if err := r.Judge.Prime(ctx); err != nil {
		return ctrl.Result{}, err
	}
	r.Judge.Tenant(tenant)
	r.Ledger.RecordShared(tenant.Name, r.Judge.Shared(tenant.Name))
	wait, err := r.cluster(ctx, tenant, held)
	result, publishErr := r.publish(ctx, rollup)
	if err == nil {
		err = publishErr
	}
	if wait > 0 && (result.RequeueAfter == 0 || wait < result.RequeueAfter) {
		result.RequeueAfter = wait
	}
	return result, err
}

func (r *TenantReconciler) forget(name string) {
	r.Ledger.Forget(name)
	r.Writer.Forget(name)
	r.Judge.ForgetTenant(name)
	r.Events.Forget(name)
	metrics.ForgetTenant(name)
}

// cluster brings the tenant's cluster-scoped objects into line and returns when to come back: when the next member's
// access ends, or to try again what was refused.
func (r *TenantReconciler) cluster(ctx context.Context, tenant *v1alpha1.Tenant, held []string) (time.Duration, error) {
	known, expiry, err := r.Facts.Tenant(ctx, tenant, held)
	if err != nil {
		return 0, err
	}
	plan, err := r.Engine.PlanTenant(known)
	if err != nil {
		return until(expiry), fmt.Errorf("planning tenant %s: %w", tenant.Name, err)
	}
	seen := r.Ledger.Snapshot(tenant.Name).Cluster != nil
	pass, change := passOf(tenant, time.Now())
	pass.Known = !seen && provisioned(tenant)
	expiry = earlier(expiry, change)
	outcome := r.Engine.Run(ctx, plan, pass)
	r.Ledger.RecordCluster(tenant.Name, outcome)
	announce(r.Events, tenant, outcome)
	if outcome.Err != nil {
		r.wake(tenant.Name, expiry)
	}
	return again(outcome, until(expiry)), outcome.Err
}

// publish sums up the status and writes it if it says something new.
func (r *TenantReconciler) publish(ctx context.Context, rollup status.Rollup) (ctrl.Result, error) {
	tenant := rollup.Tenant
	class, err := r.Facts.Class(ctx, tenant)
	if _, unknown := policyReason(err); unknown {
		rollup.Unclassed = err.Error()
	} else if class != nil {
		rollup.Class = class.Name
	}
	rollup.Snapshot = r.Ledger.Snapshot(tenant.Name)
	rollup.Previous = r.Writer.Previous(tenant)
	rollup.Considered, rollup.NotConsidered = r.Judge.Considered(), r.Judge.NotConsidered()
	rollup.Rails = r.Rails.Verdicts()
	pause, err := r.proveAccess(ctx, &rollup)
	if err != nil {
		return ctrl.Result{}, err
	}
	wait, written, err := r.Writer.Write(ctx, rollup)
	if err != nil {
		return ctrl.Result{}, err
	}
	if written {
		r.tell(rollup)
		r.Ledger.Published(tenant.Name, len(rollup.Snapshot.Corrected), len(rollup.Snapshot.Created))
	}
	if pause > 0 && (wait == 0 || pause < wait) {
		wait = pause
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// addFinalizer adds our finalizer and leaves the rest to the pass that the watch then brings: the namespaces of this
// tenant, and the finalizers of others, must not wait for cluster-scoped objects, whose apply takes the API server long
// (its check against escalation reads all bindings). The patch carries the resource version, because it replaces
// the list; a conflict says that a newer Tenant is on its way here.
func (r *TenantReconciler) addFinalizer(ctx context.Context, tenant *v1alpha1.Tenant) error {
	err := r.patchFinalizers(ctx, tenant, controllerutil.AddFinalizer)
	if err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("adding the finalizer: %w", err)
	}
	return nil
}

func (r *TenantReconciler) patchFinalizers(ctx context.Context, tenant *v1alpha1.Tenant, change func(client.Object, string) bool) error {
	changed := tenant.DeepCopy()
	change(changed, v1alpha1.Finalizer)
	patch := client.MergeFromWithOptions(tenant, client.MergeFromWithOptimisticLock{})
	return r.Client.Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
}

// finalize waits until the tenant's namespaces are released or gone, then removes what is cluster-scoped, then lets
// the Tenant go.
func (r *TenantReconciler) finalize(ctx context.Context, rollup status.Rollup) (ctrl.Result, error) {
	tenant := rollup.Tenant
	if !controllerutil.ContainsFinalizer(tenant, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	left, err := r.Facts.Leaving(ctx, tenant)
	if err != nil {
		return ctrl.Result{}, err
	}
	if len(left) > 0 {
		return r.publish(ctx, rollup)
	}
	if err := r.Engine.RemoveTenant(ctx, tenant.Name); err != nil {
		return ctrl.Result{}, fmt.Errorf("removing cluster-scoped objects: %w", err)
	}
	if err := r.patchFinalizers(ctx, tenant, controllerutil.RemoveFinalizer); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("removing the finalizer: %w", err)
	}
	return ctrl.Result{}, nil
}

// tell emits the events that go with a written status: namespaces created, conflicts, and what newly differs
// and stays so.
func (r *TenantReconciler) tell(rollup status.Rollup) {
	tenant := rollup.Tenant
	if created := rollup.Snapshot.Created; len(created) > 0 {
		related := &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: created[0]}
		r.Events.Eventf(tenant, related, corev1.EventTypeNormal, v1alpha1.EventNamespaceCreated, "Create",
			"created %s", status.Enumerate("namespace", created))
	}
	for _, conflict := range status.NewConflicts(rollup) {
		related := &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: conflict}
		r.Events.Eventf(tenant, related, corev1.EventTypeWarning, v1alpha1.EventNamespaceConflict, "Claim",
			"namespace %s %s", conflict, rollup.Conflicts[conflict])
	}
	for _, item := range status.NewlyOpen(rollup) {
		reason, action := v1alpha1.EventDriftDetected, "Compare"
		if item.Type == v1alpha1.DriftContested {
			reason, action = v1alpha1.EventDriftContested, "Backoff"
		}
		r.Events.Eventf(tenant, reference(item.Object), corev1.EventTypeWarning, reason, action, "%s", sentence(&item))
	}
	next := status.Compute(rollup)
	r.tellIsolation(rollup, &next)
	r.tellGuards(rollup, &next)
}

// tellIsolation emits the events that go with what opens the tenant beyond its spec.
func (r *TenantReconciler) tellIsolation(rollup status.Rollup, next *v1alpha1.TenantStatus) {
	tenant := rollup.Tenant
	for _, finding := range status.NewFindings(rollup) {
		r.Events.Eventf(tenant, reference(finding.Object), corev1.EventTypeWarning, v1alpha1.EventForeignObjectDetected, "Inspect", "%s", finding.Message)
	}
	switch {
	case status.IsolationLost(&rollup.Previous, next):
		first := next.Isolation.Findings[0]
		r.Events.Eventf(tenant, reference(first.Object), corev1.EventTypeWarning, v1alpha1.EventIsolationLost, "Inspect", "%s", first.Message)
	case status.IsolationRestored(&rollup.Previous, next):
		r.Events.Eventf(tenant, nil, corev1.EventTypeNormal, v1alpha1.EventIsolationRestored, "Inspect", "nothing opens the tenant beyond its spec any more")
	}
}

// tellGuards emits the events that go with guard-rails on which the tenant relies.
func (r *TenantReconciler) tellGuards(rollup status.Rollup, next *v1alpha1.TenantStatus) {
	tenant := rollup.Tenant
	if lost := status.LostGuards(rollup, &rollup.Previous, next); len(lost) > 0 {
		related := v1alpha1.ObjectReference{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy", Name: lost[0].Policy}
		r.Events.Eventf(tenant, reference(related), corev1.EventTypeWarning, v1alpha1.EventGuardLost, "Prove", "%s",
			meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionGuarded).Message)
	}
	if status.GuardRestored(&rollup.Previous, next) {
		r.Events.Eventf(tenant, nil, corev1.EventTypeNormal, v1alpha1.EventGuardRestored, "Prove", "all guard-rails that the tenant relies on hold again")
	}
}

// proveAccess asks the API server whether the last binding that was written is in force yet: what a member is told
// is Ready must work. A watch delivers bindings in order, so the last one stands for all. It returns when to ask
// again.
func (r *TenantReconciler) proveAccess(ctx context.Context, rollup *status.Rollup) (time.Duration, error) {
	grant := rollup.Snapshot.Grant
	if grant == nil || !rollup.Complete() {
		return 0, nil
	}
	review, what := accessReview(grant)
	if review != nil {
		if err := r.Client.Create(ctx, review); err != nil {
			return 0, fmt.Errorf("reviewing access: %w", err)
		}
		if !review.Status.Allowed {
			rollup.Unproven = what + " is not in force yet"
			return reviewAgain, nil
		}
	}
	r.Ledger.GrantVerified(rollup.Tenant.Name, grant)
	return 0, nil
}

// reviewAgain is how long to wait before access is reviewed again.
const reviewAgain = 500 * time.Millisecond
