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

package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// roundsOfProcess is how many rounds a process lives. No more than so many corrections of one object come at once:
// what is changed again and again is a fight.
const roundsOfProcess = 4

// deed is one thing that is done to an object: a mutation, or what concerns the object as a whole.
type deed struct {
	mutation.Mutation
	// whole is what is done to the whole object; "" if it is the mutation.
	whole string
	// spoof says that who does it takes the operator's field manager for its own.
	spoof bool
}

const (
	// deletes deletes the object.
	deletes = "delete the object"
	// replaces deletes it, and makes the same again.
	replaces = "delete the object and make the same again"
	// disowns clears its managed fields.
	disowns = "clear managedFields"
)

func (d deed) String() string {
	if d.whole != "" {
		return d.whole
	}
	if d.spoof {
		return d.Mutation.String() + " in the operator's name"
	}
	return d.Mutation.String()
}

// aggregates reports whether the deed gives a role an aggregation rule.
func (d deed) aggregates() bool { return d.whole == "" && d.Path[0].Key == "aggregationRule" }

func (d deed) class() string {
	if d.whole != "" {
		return d.whole
	}
	return d.Class()
}

// target is an object, and what is still to be done to it.
type target struct {
	intent *engine.Intent
	plan   *engine.Plan
	deeds  []deed
}

// rig is a tenant of which all objects are changed at the same time, round after round.
type rig struct {
	*site
	t       *testing.T
	name    string
	plans   []*engine.Plan
	targets []*target
	// aggregating are aggregation rules to inject, which is done one after the other.
	aggregating []*target
	clients     *clients
	present     atomic.Pointer[process]
	book        *book
}

// book is where all rigs write down what happened.
type book struct {
	mu    sync.Mutex
	tally *mutation.Tally
	// These are what the API server refuses, accepts without doing anything, and does, by kind and class, with what it was
	// and the answer.
	refused, void, effective map[string][]string

	serial atomic.Int64
}

func newBook() *book {
	return &book{refused: map[string][]string{}, void: map[string][]string{}, effective: map[string][]string{}, tally: mutation.NewTally(
		"mutations", "refused", "void", "harmless", "effective", "values", "ownership", "recreated", "detected", "attributable", "attributed", "corrected")}
}

func (b *book) add(kind string, columns ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally.Add(kind, columns...)
}

func (b *book) note(in map[string][]string, kind string, d deed, answer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	class := kind + ": " + d.class()
	in[class] = append(in[class], d.String()+": "+answer)
}

// newRig makes a rich tenant and provisions it. of says which deeds are done here.
func newRig(t *testing.T, name string, turn int, b *book, of func(intent *engine.Intent, all []deed) []deed) *rig {
	t.Helper()
	r := &rig{site: bench, t: t, name: name, clients: bench.newClients(t), book: b}
	r.aim(mutation.Rich(name, turn))
	r.hear(t, r.present.Load)
	r.present.Store(r.clients.start(t))
	for _, plan := range r.plans {
		if outcome := r.pass(plan, false); outcome.Err != nil || outcome.Refused {
			t.Fatalf("applying: %v; %+v", outcome.Err, outcome.Conditions)
		}
		r.catchUp(t, plan.Objects()...)
	}
	for _, x := range r.targets {
		x.deeds = of(x.intent, x.deeds)
		for _, d := range x.deeds {
			if d.aggregates() {
				r.aggregating = append(r.aggregating, &target{intent: x.intent, plan: x.plan, deeds: []deed{d}})
			}
		}
		x.deeds = slices.DeleteFunc(x.deeds, deed.aggregates)
	}
	return r
}

// aim makes all objects of a tenant targets, with all that can be done to them.
func (r *rig) aim(tenant *v1alpha1.Tenant) {
	r.t.Helper()
	plans, err := mutation.Plans(corpus.Case{Name: tenant.Name, Tenant: tenant})
	if err != nil {
		r.t.Fatal(err)
	}
	r.plans = plans
	for _, plan := range plans {
		for _, intent := range plan.Objects() {
			all := deedsOn(r.t, intent)
			if slices.ContainsFunc(r.targets, func(x *target) bool { return x.intent.GVK == intent.GVK }) {
				// What the API server makes of these is the same for all objects of a kind.
				all = slices.DeleteFunc(all, func(d deed) bool { return d.whole == "" && d.ServerOwned() })
			}
			r.targets = append(r.targets, &target{intent: intent, plan: plan, deeds: all})
		}
	}
}

// spoofed is of how many mutations one is done in the operator's name, too.
const spoofed = 5

// deedsOn are all deeds that can be done to an object.
func deedsOn(t *testing.T, intent *engine.Intent) []deed {
	t.Helper()
	mutations, err := mutation.Mutations(kinds[intent.GVK], intent.Object.Object)
	if err != nil {
		t.Fatal(err)
	}
	var all []deed
	for i, m := range mutations {
		all = append(all, deed{Mutation: m})
		if i%spoofed == 0 && !m.ServerOwned() {
			all = append(all, deed{Mutation: m, spoof: true})
		}
	}
	all = append(all, deed{whole: disowns})
	if intent.GVK.Kind != "Namespace" { // with a namespace, all that is in it goes
		all = append(all, deed{whole: deletes}, deed{whole: replaces})
	}
	return all
}

// pass runs a plan with the present process.
func (r *rig) pass(plan *engine.Plan, known bool) *engine.Outcome {
	r.t.Helper()
	return r.present.Load().run(r.t, plan, known)
}

// run does all deeds.
func (r *rig) run() {
	for round := 0; slices.ContainsFunc(r.targets, func(x *target) bool { return len(x.deeds) > 0 }); round++ {
		var cases []*trial
		for _, x := range r.targets {
			if len(x.deeds) > 0 {
				cases = append(cases, r.do(x, x.deeds[0]))
				x.deeds = x.deeds[1:]
			}
		}
		known := round%roundsOfProcess == 0
		if known { // what was changed before the process started is found, too
			r.present.Store(r.clients.start(r.t))
		}
		for _, plan := range r.plans {
			r.settle(plan, known, cases)
		}
	}
}

// aggregate injects aggregation rules. As soon as a role has one, a controller of Kubernetes gathers the rules of other
// roles into it; and it asks for no version of the role, so that it may do so when the rule has been removed already.
// Whatever comes late is undone again.
func (r *rig) aggregate() {
	for _, x := range r.aggregating {
		r.present.Store(r.clients.start(r.t))
		r.catchUp(r.t, x.intent)
		r.pass(x.plan, true) // what came late of the one before
		c := r.do(x, x.deeds[0])
		var found []v1alpha1.DriftReportItem
		err := wait.PollUntilContextTimeout(r.t.Context(), look, soon, true, func(context.Context) (bool, error) {
			r.catchUp(r.t, x.intent)
			found = append(found, r.pass(x.plan, false).Details...)
			live := r.stored(r.t, x.intent)
			return live != nil && comparedEqual(x.intent, live), nil
		})
		if err != nil {
			r.t.Errorf("%s: not undone: %v, found %+v", c, err, found)
			continue
		}
		for _, item := range found {
			if onlyRules := []mutation.Finding{{Path: "rules", Type: v1alpha1.DriftFieldModified}}; !slices.Equal(findingsOf(item), onlyRules) {
				c.items = append(c.items, item)
			}
		}
		if r.recorded(c) {
			r.book.add(x.intent.GVK.Kind, "detected")
		}
		if !c.want.none() {
			r.book.add(x.intent.GVK.Kind, "corrected")
		}
	}
}

// trial is one deed that was done, and what must come of it.
type trial struct {
	*target
	deed
	manager string
	before  *unstructured.Unstructured
	verdict verdict
	want    expectation
	items   []v1alpha1.DriftReportItem
}

func (c *trial) String() string {
	return fmt.Sprintf("%s: %s, by %s of %s", c.intent, c.deed, c.verdict.way, c.manager)
}

// do does a deed.
func (r *rig) do(x *target, d deed) *trial {
	r.t.Helper()
	n := r.book.serial.Add(1)
	c := &trial{target: x, deed: d, manager: fmt.Sprintf("mutant-%d", n)}
	owner := &unstructured.Unstructured{}
	owner.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Admin.Get(r.t.Context(), client.ObjectKey{Name: r.name}, owner); err != nil {
		r.t.Fatal(err)
	}
	m := mutant{site: r.site, name: c.manager, way: []way{byUpdate, byPatch, byApply}[n%3], owner: owner, keeps: r.clients == nil}
	if d.spoof {
		m.name = v1alpha1.FieldManager
	}
	err := wait.PollUntilContextTimeout(r.t.Context(), look, soon, true, func(ctx context.Context) (bool, error) {
		c.before = r.stored(r.t, x.intent)
		if d.whole == "" {
			c.verdict = m.send(r.t, c.before, d.Mutation)
			return c.verdict.way != "" || c.verdict.refused != nil, nil
		}
		err := c.doWhole(ctx, m)
		return err == nil, ignoreConflict(err)
	})
	if err != nil {
		r.t.Fatalf("%s: %v", c, err)
	}
	c.want = expect(r.t, c)
	r.count(c)
	return c
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// doWhole does to the whole object what the deed says.
func (c *trial) doWhole(ctx context.Context, m mutant) error {
	live := c.before.DeepCopy()
	c.verdict = verdict{way: byUpdate}
	switch c.whole {
	case deletes:
		return m.Admin.Delete(ctx, live)
	case replaces:
		c.verdict.way = byRecreation
		if err := m.Admin.Delete(ctx, live); err != nil {
			return err
		}
		bare(live)
		c.verdict.after = live
		return m.Admin.Create(ctx, live, ofManager(m.name))
	default:
		c.verdict.after = live
		return m.Admin.Patch(ctx, live, patchOf(`{"metadata":{"managedFields":[{}]}}`), ofManager(m.name))
	}
}

// count writes down what the API server did.
func (r *rig) count(c *trial) {
	kind := c.intent.GVK.Kind
	r.book.add(kind, "mutations")
	switch {
	case c.verdict.refused != nil:
		r.book.add(kind, "refused")
		r.book.note(r.book.refused, kind, c.deed, c.verdict.refused.Error())
		return
	case c.want.none() && c.verdict.void:
		r.book.add(kind, "void")
		r.book.note(r.book.void, kind, c.deed, string(c.verdict.way))
		return
	case c.want.none():
		r.book.add(kind, "harmless")
		return
	case c.want.driftType == v1alpha1.DriftOwnershipLost:
		r.book.add(kind, "effective", "ownership")
	default:
		r.book.add(kind, "effective", "values")
		r.book.note(r.book.effective, kind, c.deed, string(c.verdict.way))
	}
	if c.attributable() {
		r.book.add(kind, "attributable")
	}
	if c.verdict.way == byRecreation {
		r.book.add(kind, "recreated")
	}
}

// clears reports whether the deed wipes out all traces.
func (d deed) clears() bool {
	return d.whole == disowns || d.whole == "" && strings.HasPrefix(d.Path.String(), "metadata.managedFields")
}

// attributable reports whether what was done leaves a trace of who did it. What is removed doesn't, nor does who takes
// another's name.
func (c *trial) attributable() bool {
	switch c.want.driftType {
	case v1alpha1.DriftFieldModified, v1alpha1.DriftFieldInjected:
		return !c.spoof
	case v1alpha1.DriftOwnershipLost:
		return !c.spoof && !c.clears()
	default:
		return false
	}
}
