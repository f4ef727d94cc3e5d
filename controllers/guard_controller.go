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
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,verbs=list;watch

// What the GuardReconciler works on: what is installed of the guard-rails, and whether that is in force.
const (
	installed = "installed"
	inForce   = "in-force"
)

// takesForce is how long after a change each API server has put it in force, mostly.
const takesForce = 2 * time.Second

// fresher is how long ago a change may be that counts as one from just before the start: clocks differ.
const fresher = 10 * time.Second

// tryAgain is how long to wait after a correction that failed for another reason than the operator's rights.
const tryAgain = 10 * time.Second

// spread is by what part of itself the time between two proofs is longer, by chance.
const spread = 0.1

// GuardReconciler finds out whether the guard-rails are installed, unedited and in force.
type GuardReconciler struct {
	Cache    client.Reader
	Rails    []guard.Rail
	Comparer *guard.Comparer
	Prober   *guard.Prober
	Site     *guard.Site
	Restorer *guard.Restorer
	Board    *guard.Board
	Ledger   *status.Ledger
	Events   *Events
	// Interval is the time between two proofs while nothing changes; zero for never.
	Interval time.Duration

	// stale says when all API servers are to be asked about everything, due when that is to be done anyway.
	stale staleness
	due   time.Time
	// looked says that what is installed was looked at before.
	looked bool
	// publishing is held while verdicts are taken to the board, so that the later ones come last.
	publishing sync.Mutex
	// wake brings "installed" back.
	wake wake
}

// SetupWithManager registers the controller and what it watches.
func (r *GuardReconciler) SetupWithManager(mgr ctrl.Manager) error {
	start := source.Func(func(_ context.Context, q queue) error {
		r.wake = alarm(q)
		r.stale.from(time.Now())
		q.Add(request(installed))
		q.Add(request(inForce))
		return nil
	})
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(exposure.DefinitionKind)
	return ctrl.NewControllerManagedBy(mgr).
		Named("guard").
		WatchesRawSource(start).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicy{}, r.changed(installed), builder.WithPredicates(r.shipped(), guardChanged(), later())).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, r.changed(installed), builder.WithPredicates(r.shipped(), guardChanged(), later())).
		Watches(&corev1.Namespace{}, r.changed(), builder.WithPredicates(probeNamespace(), metadataChanged(), later())).
		Watches(&discoveryv1.EndpointSlice{}, r.changed(), builder.WithPredicates(endpointsChanged(), later())).
		WatchesMetadata(definition, r.changed(), builder.WithPredicates(r.probed(), predicate.GenerationChangedPredicate{}, later())).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2}).
		Complete(redacting{r})
}

// changed enqueues keys at once, and a new proof when the change has had time to come into force.
func (r *GuardReconciler) changed(keys ...string) handler.EventHandler {
	add := func(q queue) {
		for _, key := range keys {
			q.Add(request(key))
		}
		r.stale.from(time.Now().Add(takesForce))
		q.AddAfter(request(inForce), takesForce)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q queue) { add(q) },
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q queue) { add(q) },
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q queue) { add(q) },
	}
}

// shipped lets pass what has the name of a guard-rail. Other bindings of a policy add to it, and take nothing away.
func (r *GuardReconciler) shipped() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool {
		return slices.ContainsFunc(r.Rails, func(rail guard.Rail) bool { return rail.Name() == object.GetName() })
	})
}

// probed lets pass the definitions of resources that probes ask for: those may be there only now.
func (r *GuardReconciler) probed() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool {
		return slices.ContainsFunc(r.Rails, func(rail guard.Rail) bool {
			return rail.Probe != nil && rail.Probe.GroupResource().String() == object.GetName()
		})
	})
}

// guardChanged drops updates that don't change the spec, as of a policy's status.
func guardChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		switch before := e.ObjectOld.(type) {
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			after, ok := e.ObjectNew.(*admissionregistrationv1.ValidatingAdmissionPolicy)
			return !ok || !equality.Semantic.DeepEqual(before.Spec, after.Spec)
		case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
			after, ok := e.ObjectNew.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding)
			return !ok || !equality.Semantic.DeepEqual(before.Spec, after.Spec)
		default:
			return true
		}
	}}
}

func probeNamespace() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool { return v1alpha1.IsGuardProbeNamespace(object.GetName()) })
}

func metadataChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) || !maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations())
	}}
}

func endpointsChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*discoveryv1.EndpointSlice)
		after, ok2 := e.ObjectNew.(*discoveryv1.EndpointSlice)
		return !ok || !ok2 || !equality.Semantic.DeepEqual(before.Endpoints, after.Endpoints) || !equality.Semantic.DeepEqual(before.Ports, after.Ports)
	}}
}

// Reconcile looks at what is installed, or asks the API servers whether it is in force.
func (r *GuardReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if req.Name == installed {
		return r.look(ctx)
	}
	return r.prove(ctx)
}

// look compares what is installed with what must be, and puts it back where that is allowed.
func (r *GuardReconciler) look(ctx context.Context) (ctrl.Result, error) {
	var again time.Duration
	fresh := false
	var errs []error
	for _, rail := range r.Rails {
		finding, err := r.find(ctx, rail)
		if err != nil {
			errs = append(errs, err) // which says nothing about the others
			continue
		}
		fresh = fresh || finding.WrittenAfter(time.Now().Add(-fresher))
		restored, pause := r.restore(ctx, &finding)
		again = sooner(again, pause)
		if !restored {
			r.Prober.Found(&finding)
		}
	}
	if fresh && !r.looked {
		// No watch will tell of a change from just before the start, and an API server may still obey what was before.
		at := time.Now().Add(takesForce)
		r.stale.from(at)
		r.wake(inForce, at)
	}
	r.looked = true
	return ctrl.Result{RequeueAfter: again}, errors.Join(append(errs, r.publish(ctx))...)
}

// find looks at what is installed of one guard-rail.
func (r *GuardReconciler) find(ctx context.Context, rail guard.Rail) (guard.Finding, error) {
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	key := client.ObjectKey{Name: rail.Name()}
	switch err := r.Cache.Get(ctx, key, policy, client.UnsafeDisableDeepCopy); {
	case apierrors.IsNotFound(err):
		policy = nil
	case err != nil:
		return guard.Finding{}, fmt.Errorf("reading policy %s: %w", rail.Name(), err)
	}
	switch err := r.Cache.Get(ctx, key, binding, client.UnsafeDisableDeepCopy); {
	case apierrors.IsNotFound(err):
		binding = nil
	case err != nil:
		return guard.Finding{}, fmt.Errorf("reading binding %s: %w", rail.Name(), err)
	}
	return r.Comparer.Compare(rail, policy, binding)
}

// restore puts back what isn't as it must be of a guard-rail. It returns whether all of it was, and when to try again
// because it has to wait.
func (r *GuardReconciler) restore(ctx context.Context, finding *guard.Finding) (bool, time.Duration) {
	if finding.State() == "" {
		return false, 0
	}
	logger := log.FromContext(ctx).WithValues("policy", finding.Rail.Name())
	if allowed, err := r.Restorer.Allowed(ctx); !allowed || err != nil {
		if err != nil {
			logger.Error(redact.Wrap(err), "guard-rail not restored")
			return false, tryAgain
		}
		return false, 0
	}
	all := true
	var again time.Duration
	for _, half := range []*guard.Half{&finding.Policy, &finding.Binding} {
		if half.Sound() {
			continue
		}
		done, pause, err := r.Restorer.Restore(ctx, finding.Rail, half)
		if err != nil {
			logger.Error(redact.Wrap(err), "guard-rail not restored")
		}
		if err != nil && !apierrors.IsForbidden(err) {
			pause = tryAgain
		}
		if done {
			r.announceRestored(half)
			logger.Info("guard-rail restored", "fault", half.Fault())
		}
		all, again = all && done, max(again, pause)
	}
	return all, again
}

// announceRestored emits the events of a correction: regarding the object itself, because it is all tenants'.
func (r *GuardReconciler) announceRestored(half *guard.Half) {
	ref := v1alpha1.ObjectReference{Group: half.Kind.Group, Kind: half.Kind.Kind, Name: half.Name}
	item := &v1alpha1.DriftItem{Object: ref, Type: half.DriftType(), Paths: half.Difference.Paths(), Manager: half.Writer.Manager}
	item.Paths = item.Paths[:min(len(item.Paths), v1alpha1.MaxDriftPaths)]
	r.Events.Eventf(half.Object(), nil, corev1.EventTypeWarning, v1alpha1.EventDriftDetected, "Compare", "%s", sentence(item))
	r.Events.Eventf(half.Object(), nil, corev1.EventTypeNormal, v1alpha1.EventDriftCorrected, "Apply", "%s was brought back to intent", name(ref))
}

// prove asks the API servers for what must be refused.
func (r *GuardReconciler) prove(ctx context.Context) (ctrl.Result, error) {
	if err := r.Site.Prepare(ctx); err != nil {
		log.FromContext(ctx).Error(redact.Wrap(err), "probe namespace not prepared")
	}
	now := time.Now()
	isStale, next := r.stale.take(now)
	all := isStale || r.Interval > 0 && !now.Before(r.due)
	again, err := r.Prober.Ask(ctx, all)
	if err != nil {
		r.stale.from(now)
		return ctrl.Result{}, err
	}
	again = sooner(again, until(next))
	if err := r.publish(ctx); err != nil {
		return ctrl.Result{}, err
	}
	if r.Interval > 0 {
		if all {
			r.due = now.Add(wait.Jitter(r.Interval, spread))
			// What could not be put back, or not compared, is tried again.
			r.wake(installed, r.due)
		}
		again = sooner(again, until(r.due))
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// sooner is the shorter of two waits, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// staleness says from when on what was proven is no longer: a while after each change, when it has come into force. It is
// safe for concurrent use.
type staleness struct {
	mu          sync.Mutex
	first, last time.Time
}

// from notes that what is proven before a time proves nothing.
func (s *staleness) from(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() {
		s.first = at
	}
	if at.After(s.last) {
		s.last = at
	}
}

// take reports whether all is to be proven anew at a time, and if that isn't the last time, when the next one is (zero for
// never).
func (s *staleness) take(now time.Time) (bool, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() || now.Before(s.first) {
		return false, s.first
	}
	s.first = time.Time{}
	if now.Before(s.last) {
		s.first = s.last
	}
	return true, s.first
}

// publish takes the verdicts to the board, and tells all tenants if one is news.
func (r *GuardReconciler) publish(ctx context.Context) error {
	r.publishing.Lock()
	changes := r.Board.Publish(r.Prober.Verdicts())
	r.publishing.Unlock()
	if len(changes) == 0 {
		return nil
	}
	logger := log.FromContext(ctx)
	for _, change := range changes {
		was, is := change.Before, change.Now
		switch {
		case is.Pending:
		case !is.State.Holds():
			logger.Info("guard-rail doesn't hold", "policy", is.Policy, "state", is.State, "before", was.State, "why", is.Message)
		case !was.Pending && !was.State.Holds():
			logger.Info("guard-rail holds again", "policy", is.Policy, "state", is.State, "before", was.State)
		}
	}
	tenants := &v1alpha1.TenantList{}
	if err := r.Cache.List(ctx, tenants, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("reading tenants: %w", err)
	}
	for i := range tenants.Items {
		r.Ledger.Tell(tenants.Items[i].Name)
	}
	return nil
}
