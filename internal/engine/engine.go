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
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// fanOut is how many objects of one namespace are written at a time. It only has to cover the walls of one
// namespace: parallelism across namespaces comes from the controller's workers.
const fanOut = 8

// Engine applies plans. It is safe for concurrent use, one pass for a namespace at a time.
type Engine struct {
	reader   client.Reader
	scheme   *runtime.Scheme
	writer   *writer
	comparer *drift.Comparer
	journal  *Journal
	fights   *drift.Fights
	features []feature.Feature
	serves   func(schema.GroupVersionKind) bool
	stamped  func() bool
	self     string
	now      func() time.Time
}

// Options are what an Engine needs; all fields are required but the clock and those of the stamp.
type Options struct {
	// Reader reads from the watch cache. It must have the index IndexTenant for cluster-scoped kinds.
	Reader client.Reader
	// Metadata writes; its client-side rate limit must be off.
	Metadata metadata.Interface
	// Mapper finds the resources of kinds.
	Mapper meta.RESTMapper
	// Scheme knows all kinds that the features own.
	Scheme *runtime.Scheme
	// Features are the rooms.
	Features []feature.Feature
	// Serves reports whether the cluster serves an optional kind, and the Reader has it. It must not block; nil means that
	// none is.
	Serves func(schema.GroupVersionKind) bool
	// Journal is told of deletions by the watches.
	Journal *Journal
	// Stamped reports whether the API server stamps what is changed with the name of who does (drift.Stamp), so that the
	// stamp may be believed now. It is asked for each difference and must not block; nil means that it never does.
	Stamped func() bool
	// Self is the name of the operator's own user: what it changes is nobody's doing. Empty means that it isn't known.
	Self string
	// Now is the clock; nil means the real one.
	Now func() time.Time
}

// New makes an engine.
func New(o Options) (*Engine, error) {
	comparer, err := drift.NewComparer(o.Scheme)
	if err != nil {
		return nil, fmt.Errorf("building the comparer: %w", err)
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	serves := o.Serves
	if serves == nil {
		serves = func(schema.GroupVersionKind) bool { return false }
	}
	return &Engine{
		reader:   o.Reader,
		scheme:   o.Scheme,
		writer:   &writer{client: o.Metadata, mapper: o.Mapper},
		comparer: comparer,
		journal:  o.Journal,
		fights:   drift.NewFights(drift.DefaultFights, now, rand.Float64),
		features: o.Features,
		serves:   serves,
		stamped:  o.Stamped,
		self:     o.Self,
		now:      now,
	}, nil
}

// Pass says how to run a plan.
type Pass struct {
	// Mode is Enforce or Observe. Observe writes nothing, with one exception: access that Bulkhead granted and
	// that the spec has ended is withdrawn, because a pause of corrections must not prolong access.
	Mode v1alpha1.DriftMode
	// DryRun writes nothing, without exception: it says what a pass would do.
	DryRun bool
	// Known says that the plan was fully applied before this process started, so that what is missing now was
	// removed by someone.
	Known bool
	// Ignore are the differences that the Tenant leaves as they are; nil for none.
	Ignore *drift.Ignore
	// Live is the live Namespace; nil if it doesn't exist, or for the cluster scope of a tenant.
	Live client.Object
}

// PlanNamespace renders the plan of a namespace.
func (e *Engine) PlanNamespace(in Input) (*Plan, error) { return NewPlan(e.features, in) }

// PlanTenant renders the plan of a tenant's cluster scope.
func (e *Engine) PlanTenant(facts feature.TenantFacts) (*Plan, error) {
	return NewTenantPlan(e.features, facts)
}

// Run brings a namespace, or the cluster scope of a tenant, into line with its plan. It never returns early: an
// object that fails doesn't hide its siblings, and everything that happened is in the outcome.
func (e *Engine) Run(ctx context.Context, plan *Plan, pass Pass) *Outcome {
	r := &run{engine: e, plan: plan, pass: pass, outcome: newOutcome(plan), live: map[objectID]client.Object{}}
	if err := r.read(ctx); err != nil {
		r.outcome.fail("", fmt.Errorf("reading the cache: %w", err))
		r.outcome.waitForNamespace(plan)
		return r.outcome.finish(plan)
	}
	r.closeDoors(ctx)
	standing := r.namespace(ctx)
	if !standing && !r.observing() && !r.held() {
		r.outcome.waitForNamespace(plan)
		return r.outcome.finish(plan)
	}
	standing = r.settleAll(ctx, plan.Walls) && standing
	r.openDoors(ctx, standing)
	r.pruneWalls(ctx)
	return r.outcome.finish(plan)
}

// run is one pass over one plan.
type run struct {
	engine  *Engine
	plan    *Plan
	pass    Pass
	outcome *Outcome
	live    map[objectID]client.Object
}

func (r *run) observing() bool { return r.pass.Mode == v1alpha1.DriftObserve || r.pass.DryRun }

// held reports whether the live namespace is the tenant's already. Its walls are kept up even while something of the
// Namespace itself is refused.
func (r *run) held() bool {
	return r.pass.Live != nil && r.pass.Live.GetLabels()[v1alpha1.LabelTenant] == r.plan.Tenant
}

// namespace settles the Namespace itself and reports whether walls and doors can be built in it.
func (r *run) namespace(ctx context.Context) bool {
	intent := r.plan.Namespace
	if intent == nil {
		return true
	}
	if r.pass.Live != nil {
		r.live[intent.id()] = r.pass.Live
		intent = r.keepLabelsOfFailedRooms(intent)
	}
	result := r.settle(ctx, intent)
	r.outcome.record(result)
	r.outcome.Created = r.pass.Live == nil && result.written
	return result.stands()
}

// keepLabelsOfFailedRooms adds to the intent what we own on the live Namespace and no room rendered this time,
// if a room failed: what it contributed before must stay, and only the room knows what that was.
func (r *run) keepLabelsOfFailedRooms(intent *Intent) *Intent {
	if len(r.plan.failedRooms()) == 0 {
		return intent
	}
	labels, annotations := intent.Object.GetLabels(), intent.Object.GetAnnotations()
	delete(annotations, v1alpha1.AnnotationIntent)
	for key, value := range r.pass.Live.GetLabels() {
		if _, set := labels[key]; !set && drift.OwnsLabel(r.pass.Live, v1alpha1.FieldManager, key) {
			labels[key] = value
		}
	}
	for key, value := range r.pass.Live.GetAnnotations() {
		if _, set := annotations[key]; !set && key != v1alpha1.AnnotationIntent &&
			drift.OwnsAnnotation(r.pass.Live, v1alpha1.FieldManager, key) {
			annotations[key] = value
		}
	}
	return newNamespaceIntent(intent.Key.Name, labels, annotations)
}

// openDoors settles the doors if all walls stand; otherwise access that isn't there yet must wait.
func (r *run) openDoors(ctx context.Context, standing bool) {
	if standing || r.observing() {
		r.settleAll(ctx, r.plan.Doors)
		return
	}
	for _, door := range r.plan.Doors {
		r.outcome.wait(door, "waits until all walls of namespace "+r.plan.Name+" stand")
	}
}

// settleAll settles independent objects with bounded parallelism and reports whether all of them stand.
func (r *run) settleAll(ctx context.Context, intents []*Intent) bool {
	results := make([]result, len(intents))
	slots := make(chan struct{}, fanOut)
	done := make(chan struct{})
	for i, intent := range intents {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; done <- struct{}{} }()
			results[i] = r.settle(ctx, intent)
		}()
	}
	for range intents {
		<-done
	}
	standing := true
	for _, result := range results {
		r.outcome.record(result)
		standing = standing && result.stands()
	}
	return standing
}

// Withdraw closes the doors that a plan doesn't have, and does nothing else.
func (e *Engine) Withdraw(ctx context.Context, plan *Plan) *Outcome {
	r := &run{engine: e, plan: plan, outcome: newOutcome(plan)}
	if err := r.read(ctx); err != nil {
		r.outcome.fail("", fmt.Errorf("reading the cache: %w", err))
		return r.outcome
	}
	r.closeDoors(ctx)
	return r.outcome
}

// remove deletes a live object and notes that it was us.
func (e *Engine) remove(ctx context.Context, id objectID, live client.Object) error {
	err := e.writer.delete(ctx, id, live.GetUID())
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	e.journal.put(id, entry{uid: live.GetUID(), deleted: true})
	return nil
}

// Gone tells the engine that a watch reported the deletion of an object.
func (e *Engine) Gone(gvk schema.GroupVersionKind, object client.Object) {
	e.journal.gone(objectID{gvk: gvk, key: client.ObjectKeyFromObject(object)}, object.GetResourceVersion())
}

// GoneNamespace tells the engine that a Namespace is gone with all that was in it.
func (e *Engine) GoneNamespace(object client.Object) {
	e.journal.forgetContent(object.GetName())
	e.Gone(namespaceGVK, object)
}

func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
