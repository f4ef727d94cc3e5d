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
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
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
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/index"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// NamespaceReconciler is the unit of work: one namespace, its retry and its blast radius. It writes what is in the
// namespace, and nothing about the Tenant: what it did goes into the ledger.
type NamespaceReconciler struct {
	Cache    client.Reader
	Facts    *facts.Reader
	Engine   *engine.Engine
	Ledger   *status.Ledger
	Events   *Events
	Features []feature.Feature
	Judge    *exposure.Judge

	wake       wake
	again      func(namespaces []string)
	add        atomic.Pointer[func(string)]
	controller controller.Controller
}

// SetupWithManager registers the controller and what it watches.
func (r *NamespaceReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	alarms := source.Func(func(_ context.Context, q queue) error {
		r.wake = alarm(q)
		add := func(namespace string) { q.Add(request(namespace)) }
		r.add.Store(&add)
		r.again = func(namespaces []string) {
			for _, name := range namespaces {
				q.AddAfter(request(name), judgeAgainAfter)
			}
		}
		return nil
	})
	b := ctrl.NewControllerManagedBy(mgr).
		Named("namespace").
		WatchesRawSource(alarms).
		Watches(&corev1.Namespace{}, namespaces(r.Engine)).
		Watches(&v1alpha1.Tenant{}, namespacesOf(r.Cache), builder.WithPredicates(specChanged())).
		Watches(&v1alpha1.TenantClass{}, allNamespaces(r.Cache), builder.WithPredicates(specChanged())).
		Watches(&discoveryv1.EndpointSlice{}, allNamespaces(r.Cache)).
		Watches(&rbacv1.ClusterRole{}, allNamespaces(r.Cache), builder.WithPredicates(rulesChanged(), others(), later())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	for _, gvk := range engine.Owned(r.Features, false) {
		if engine.Optional(mgr.GetScheme(), gvk) {
			continue // see WatchOptional
		}
		object, err := newObject(mgr.GetScheme(), gvk)
		if err != nil {
			return err
		}
		var options []builder.WatchesOption
		if gvk.Kind == "ResourceQuota" {
			options = append(options, builder.WithPredicates(quotaChanged()))
		}
		b = b.Watches(object, managed(r.Engine, gvk, inNamespace), options...)
	}
	var err error
	r.controller, err = b.Build(redacting{r})
	return err
}

// WatchOptional implements Watcher.
func (r *NamespaceReconciler) WatchOptional(in cache.Cache, gvk schema.GroupVersionKind) error {
	if !slices.Contains(engine.Owned(r.Features, false), gvk) {
		return nil
	}
	return r.controller.Watch(source.Kind[client.Object](in, objectOf(gvk), managed(r.Engine, gvk, inNamespace)))
}

// LookAgain implements Watcher.
func (r *NamespaceReconciler) LookAgain(ctx context.Context, tenants ...string) {
	add := r.add.Load()
	if add == nil {
		return // the controller hasn't started, and will look at everything when it does
	}
	eachTenant(ctx, r.Cache, nil, func(tenant *v1alpha1.Tenant) {
		if len(tenants) > 0 && !slices.Contains(tenants, tenant.Name) {
			return
		}
		for _, name := range index.Claims(tenant) {
			(*add)(name)
		}
	})
}

// Reconcile brings one namespace into line, whoever's it is.
func (r *NamespaceReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	view, err := r.Facts.Namespace(ctx, req.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.conflicts(view, req.Name)
	if view.Decision.Action != membership.Ensure || view.Live == nil {
		r.again(r.Judge.Namespace(req.Name, view.Live, "", nil))
	}
	switch view.Decision.Action {
	case membership.Ensure:
		return r.ensure(ctx, view, req.Name)
	case membership.Wait:
		return r.waiting(view, req.Name, "is being deleted and will be created anew: "), nil
	case membership.Release, membership.Delete:
		return r.leave(ctx, view, req.Name)
	case membership.None:
		return ctrl.Result{}, r.unclaimed(ctx, view)
	}
	return ctrl.Result{}, nil
}

// waiting reports that a namespace is being deleted, and, if that takes long, that it is stuck.
func (r *NamespaceReconciler) waiting(view *facts.Namespace, name, message string) ctrl.Result {
	report := status.Report{State: status.Terminating, Reason: v1alpha1.ReasonTerminating, Message: message + terminating(view.Live)}
	var again time.Duration
	if view.Live != nil {
		var stuck *v1alpha1.DriftReportItem
		stuck, again = engine.Stuck(v1alpha1.ObjectReference{Kind: "Namespace", Name: name}, view.Live.DeletionTimestamp, time.Now())
		if stuck != nil {
			report.Outcome = engine.Observed(view.Tenant.Name, name, *stuck)
		}
	}
	r.record(view, name, report)
	return ctrl.Result{RequeueAfter: again}
}

// unclaimed reports a namespace that says it is a tenant's while the tenant's spec doesn't list it: whatever selects by
// the tenant's label takes it for one of the tenant's.
func (r *NamespaceReconciler) unclaimed(ctx context.Context, view *facts.Namespace) error {
	if view.Live == nil {
		return nil
	}
	tenant, err := r.Facts.Named(ctx, view.Live.Labels[v1alpha1.LabelTenant])
	if tenant == nil || err != nil {
		return err
	}
	r.Ledger.Record(tenant.Name, view.Live.Name, status.Report{
		Generation: tenant.Generation, State: status.Unclaimed, Outcome: engine.Observed(tenant.Name, view.Live.Name, engine.Unclaimed(view.Live)),
	})
	return nil
}

// conflicts reports the namespace to the tenants that don't get it, and drops the reports of those that no longer
// have to do with it.
func (r *NamespaceReconciler) conflicts(view *facts.Namespace, name string) {
	concerned := []string{view.Decision.Holder}
	for tenant, why := range view.Decision.Conflicts {
		concerned = append(concerned, tenant)
		r.Ledger.Record(tenant, name, status.Report{State: status.Conflicting, Reason: v1alpha1.ReasonNamespaceConflict, Message: why})
	}
	if view.Decision.Action == membership.None && view.Live != nil {
		concerned = append(concerned, view.Live.Labels[v1alpha1.LabelTenant])
	}
	r.Ledger.Retain(name, concerned...)
}

func (r *NamespaceReconciler) record(view *facts.Namespace, name string, report status.Report) {
	report.Generation = view.Tenant.Generation
	r.Ledger.Record(view.Tenant.Name, name, report)
}

// ensure makes the namespace what the holder's spec says.
func (r *NamespaceReconciler) ensure(ctx context.Context, view *facts.Namespace, name string) (ctrl.Result, error) {
	tenant := view.Tenant
	if !controllerutil.ContainsFinalizer(tenant, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil // a Tenant that could vanish unnoticed gets nothing; its finalizer brings us back
	}
	input, expiry, err := r.Facts.Of(ctx, tenant, name)
	if reason, known := policyReason(err); known {
		return r.unplanned(ctx, view, name, status.Report{Reason: reason, Message: "can't be planned: " + err.Error()})
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	plan, err := r.Engine.PlanNamespace(engine.NamespaceInput(input, facts.Spec(tenant, name)))
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("planning namespace %s: %w", name, err)
	}
	pass, change := passOf(tenant, time.Now())
	pass.Known = !r.Ledger.Seen(tenant.Name, name) && provisioned(tenant)
	expiry = earlier(expiry, change)
	if view.Live != nil {
		pass.Live = view.Live
	}
	outcome := r.Engine.Run(ctx, plan, pass)
	findings, err := r.judge(ctx, view.Live, plan, outcome)
	if err != nil {
		return ctrl.Result{}, err
	}
	known := findings
	if findings == nil {
		known = r.Ledger.Findings(tenant.Name, name)
	}
	r.Engine.AddForeign(ctx, plan, outcome, known)
	r.record(view, name, status.Report{State: status.Applied, Outcome: outcome, Findings: findings})
	announce(r.Events, tenant, outcome)
	if outcome.Err != nil {
		r.wake(name, expiry)
	}
	return ctrl.Result{RequeueAfter: again(outcome, until(expiry))}, outcome.Err
}

// judge says what opens a namespace beyond its spec, whoever opened it. Nil says that it can't be judged now: the cache
// doesn't show yet what was written (another pass comes when it does), or a policy block can't be rendered.
func (r *NamespaceReconciler) judge(
	ctx context.Context, live *corev1.Namespace, plan *engine.Plan, outcome *engine.Outcome,
) ([]v1alpha1.IsolationFinding, error) {
	if live == nil {
		if outcome.Moving {
			return nil, nil
		}
		return []v1alpha1.IsolationFinding{}, nil // nothing is there that could be open
	}
	r.again(r.Judge.Namespace(plan.Name, live, plan.Tenant, plan.Namespace.Object.GetLabels()))
	if outcome.Moving {
		return nil, nil
	}
	return r.Judge.Judge(ctx, plan, live)
}

// passOf says how a tenant's objects are to be treated at a time, and when that changes by itself (zero for never).
func passOf(tenant *v1alpha1.Tenant, now time.Time) (engine.Pass, time.Time) {
	mode, resumed := status.Mode(tenant, now)
	pass := engine.Pass{Mode: mode}
	if tenant.Spec.Drift == nil {
		return pass, resumed
	}
	ignore, ends := drift.NewIgnore(tenant.Spec.Drift.Ignore, now)
	pass.Ignore = ignore
	return pass, earlier(resumed, ends)
}

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// unplanned leaves a namespace whose policy can't be told as it is, but for access that the spec has ended: that
// doesn't depend on the policy.
func (r *NamespaceReconciler) unplanned(ctx context.Context, view *facts.Namespace, name string, report status.Report) (ctrl.Result, error) {
	report.State = status.Unplanned
	r.record(view, name, report)
	members, expiry := facts.Members(view.Tenant, name, time.Now())
	plan, err := r.Engine.PlanNamespace(engine.Input{Facts: feature.Facts{Tenant: view.Tenant.Name, Namespace: name, Members: members}})
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("planning the access to namespace %s: %w", name, err)
	}
	outcome := r.Engine.Withdraw(ctx, plan)
	announce(r.Events, view.Tenant, outcome)
	return ctrl.Result{RequeueAfter: until(expiry)}, outcome.Err
}

// leave lets go of a namespace, or deletes it. In mode Observe access is withdrawn and the rest waits for Enforce,
// unless the Tenant itself is being deleted.
func (r *NamespaceReconciler) leave(ctx context.Context, view *facts.Namespace, name string) (ctrl.Result, error) {
	mode, resumed := status.Mode(view.Tenant, time.Now())
	if mode == v1alpha1.DriftObserve && view.Tenant.DeletionTimestamp == nil {
		r.record(view, name, status.Report{State: status.Leaving, Reason: v1alpha1.ReasonObserved,
			Message: "left the spec; access is withdrawn, the rest waits until drift mode is Enforce"})
		return ctrl.Result{RequeueAfter: until(resumed)}, r.Engine.CloseAll(ctx, name)
	}
	if view.Decision.Action == membership.Delete {
		return r.waiting(view, name, "is being deleted: "), r.Engine.DeleteNamespace(ctx, view.Live)
	}
	if err := r.Engine.Release(ctx, view.Tenant.Name, view.Live); err != nil {
		r.record(view, name, status.Report{State: status.Leaving, Reason: v1alpha1.ReasonApplyFailed, Message: "can't be released: " + redact.Error(err)})
		return ctrl.Result{}, fmt.Errorf("releasing namespace %s: %w", name, err)
	}
	r.Events.Eventf(view.Tenant, view.Live, corev1.EventTypeNormal, v1alpha1.EventNamespaceReleased, "Release",
		"namespace %s is released: access is withdrawn, walls are kept", name)
	r.Ledger.Retain(name)
	return ctrl.Result{}, nil
}

// provisioned reports whether an earlier process applied the present spec in full, so that what is missing now
// was removed by someone.
func provisioned(tenant *v1alpha1.Tenant) bool {
	ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonReconciled && ready.ObservedGeneration == tenant.Generation
}

// terminating says on what the deletion of a namespace waits, in the words of the namespace controller.
func terminating(live *corev1.Namespace) string {
	if live == nil || live.DeletionTimestamp == nil {
		return "deletion is about to start"
	}
	for _, condition := range live.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			return string(condition.Type) + ": " + condition.Message
		}
	}
	return "its content is being removed"
}

// refusedAgain is how long to wait before something that was refused is tried again: nobody tells the operator that
// the list of roles it may bind got longer.
const refusedAgain = time.Minute

// again is when to come back: at the next expiry, or sooner to try again what was refused or had to wait. Zero is never.
func again(outcome *engine.Outcome, expiry time.Duration) time.Duration {
	if outcome.Retry > 0 && (expiry == 0 || expiry > outcome.Retry) {
		expiry = outcome.Retry
	}
	if outcome.Refused && (expiry == 0 || expiry > refusedAgain) {
		return refusedAgain
	}
	return expiry
}

// wake brings a key back at a time, if there is one. A pass that failed is tried again after a growing pause, which
// must not outlast the access that ends meanwhile; and a result's RequeueAfter doesn't count beside an error.
type wake func(key string, at time.Time)

func alarm(q queue) wake {
	return func(key string, at time.Time) {
		if wait := until(at); wait > 0 {
			q.AddAfter(request(key), wait)
		}
	}
}

func until(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(time.Until(t), time.Millisecond)
}
