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
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// expectation is what must be recorded of a deed.
type expectation struct {
	// types are the types of drift that may stand for the whole; empty if nothing must be recorded.
	driftType v1alpha1.DriftType
	// fields are what must be told.
	fields []mutation.Finding
}

func (e expectation) none() bool { return e.driftType == "" }

// expect says what must be recorded of a deed that was done.
func expect(t *testing.T, c *trial) expectation {
	t.Helper()
	switch {
	case c.whole == deletes:
		return expectation{driftType: v1alpha1.DriftObjectMissing}
	case c.verdict.refused != nil:
		return expectation{}
	}
	found, err := mutation.Differences(kinds[c.intent.GVK], c.intent.Object.Object, c.verdict.after.Object)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case c.whole == "" && !c.verdict.void && c.Harmless != (len(found) == 0):
		t.Errorf("%s: harmless is %v, and it differs in %v", c, c.Harmless, found)
	case len(found) > 0:
		return expectation{driftType: dominant(found), fields: telling(found)}
	case ownedFields(c.verdict.after) != ownedFields(c.before):
		return expectation{driftType: v1alpha1.DriftOwnershipLost}
	}
	return expectation{}
}

// dominant is the type that stands for all.
func dominant(found []mutation.Finding) v1alpha1.DriftType {
	for _, driftType := range []v1alpha1.DriftType{v1alpha1.DriftFieldModified, v1alpha1.DriftFieldInjected} {
		if slices.ContainsFunc(found, func(f mutation.Finding) bool { return f.Type == driftType }) {
			return driftType
		}
	}
	return v1alpha1.DriftFieldRemoved
}

// telling leaves out the operator's own bookkeeping if there is more to tell.
func telling(found []mutation.Finding) []mutation.Finding {
	if len(found) < 2 {
		return found
	}
	return slices.DeleteFunc(slices.Clone(found), func(f mutation.Finding) bool {
		return f.Path == "metadata.annotations["+v1alpha1.AnnotationIntent+"]"
	})
}

// settle runs a plan until everything that was done to its objects is recorded, and looks that all of it is undone.
func (r *rig) settle(plan *engine.Plan, known bool, cases []*trial) {
	r.t.Helper()
	var here []*trial
	for _, c := range cases {
		if c.plan == plan {
			here = append(here, c)
		}
	}
	// Controllers of Kubernetes write as well, such as the status of a quota: what changed after it was judged is judged
	// again, as the operator would.
	for range 20 {
		r.catchUp(r.t, plan.Objects()...)
		outcome := r.pass(plan, known)
		known = false
		if outcome.Err != nil || outcome.Refused {
			r.t.Errorf("%s: %v, %+v", plan.Name, outcome.Err, outcome.Conditions)
		}
		r.assign(here, outcome)
		if !outcome.Moving && len(outcome.Open) == 0 {
			break
		}
	}
	for _, c := range here {
		r.check(c)
	}
	r.catchUp(r.t, plan.Objects()...)
	before := r.clients.writes.Load()
	outcome := r.pass(plan, false)
	if n := r.clients.writes.Load() - before; n != 0 || len(outcome.Details) != 0 {
		r.t.Errorf("after all was undone: %d writes, found %+v", n, outcome.Details)
	}
}

// assign notes what was recorded with the deed that it is about.
func (r *rig) assign(cases []*trial, outcome *engine.Outcome) {
	r.t.Helper()
	for _, item := range outcome.Details {
		i := slices.IndexFunc(cases, func(c *trial) bool {
			return item.Object.Kind == c.intent.GVK.Kind && item.Object.Group == c.intent.GVK.Group &&
				item.Object.Name == c.intent.Key.Name && item.Object.Namespace == c.intent.Key.Namespace
		})
		if i < 0 {
			r.t.Errorf("recorded of an object that nobody touched: %+v", item)
			continue
		}
		cases[i].items = append(cases[i].items, item)
	}
}

// check compares what was recorded of a deed with what must be, and looks whether it is undone.
func (r *rig) check(c *trial) {
	r.t.Helper()
	kind := c.intent.GVK.Kind
	if recorded := r.recorded(c); recorded && !c.want.none() {
		r.book.add(kind, "detected")
	}
	live := r.stored(r.t, c.intent)
	if live == nil {
		r.t.Errorf("%s: the object is gone", c)
		return
	}
	difference, err := comparer.Compare(c.intent.Object, live)
	left, otherErr := mutation.Differences(kinds[c.intent.GVK], c.intent.Object.Object, live.Object)
	if err != nil || otherErr != nil || !difference.Empty() || len(left) > 0 {
		r.t.Errorf("%s: still differs in %v, %v; %v, %v", c, difference.Paths(), left, err, otherErr)
		return
	}
	switch {
	case c.want.none() && c.verdict.after != nil && !c.verdict.void:
		r.restore(r.t, c.before, c.intent)
	case c.want.none():
	case !same(c.before, live) && c.verdict.way != byRecreation && c.whole != deletes:
		r.t.Errorf("%s: isn't what it was before (-before +after):\n%s", c, cmp.Diff(essence(c.before), essence(live)))
	default:
		r.book.add(kind, "corrected")
	}
}

// recorded reports whether what was recorded of a deed is what must be.
func (r *rig) recorded(c *trial) bool {
	r.t.Helper()
	if c.want.none() {
		if len(c.items) > 0 {
			r.t.Errorf("%s: must not be recorded, and is: %+v", c, c.items)
		}
		return false
	}
	if len(c.items) != 1 {
		r.t.Errorf("%s: must be recorded once as %+v, and is: %+v", c, c.want, c.items)
		return false
	}
	if why := c.mismatch(c.items[0]); why != "" {
		r.t.Errorf("%s: recorded as %+v: %s", c, c.items[0], why)
		return false
	}
	if c.attributable() {
		r.book.add(c.intent.GVK.Kind, "attributed")
	}
	return true
}

// mismatch says in what a record is not what must be recorded of a deed; empty if in nothing.
func (c *trial) mismatch(item v1alpha1.DriftReportItem) string {
	want, fields := c.want, findingsOf(item)
	if gathered := (mutation.Finding{Path: "rules", Type: v1alpha1.DriftFieldModified}); slices.Contains(fields, gathered) && aggregates(want) {
		// A controller of Kubernetes gathers other roles' rules as soon as a role has an aggregation rule.
		want.driftType, want.fields = dominant(fields), append(slices.Clip(want.fields), gathered)
		item.Attribution.Manager, item.Attribution.Operation = c.manager, c.verdict.way.operation()
	}
	if item.Type != want.driftType || item.Action != v1alpha1.DriftCorrected || !cmp.Equal(want.fields, fields) {
		return fmt.Sprintf("want it corrected, and to be %+v", want)
	}
	return c.misattributed(item.Attribution)
}

func aggregates(e expectation) bool {
	return slices.Contains(e.fields, mutation.Finding{Path: "aggregationRule", Type: v1alpha1.DriftFieldInjected})
}

// findingsOf are the fields of a record, sorted.
func findingsOf(item v1alpha1.DriftReportItem) []mutation.Finding {
	var fields []mutation.Finding
	for _, f := range item.Fields {
		fields = append(fields, mutation.Finding{Path: f.Path, Type: v1alpha1.DriftType("Field" + f.Change)})
	}
	slices.SortFunc(fields, func(a, b mutation.Finding) int { return strings.Compare(a.Path, b.Path) })
	return fields
}

// mutantUser is who makes all requests of mutants: the cluster admin of the tests.
const mutantUser = "bulkhead-admin"

// misattributed says what is wrong about who a record names: who did it, if that left a trace, and else nobody.
func (c *trial) misattributed(got v1alpha1.Attribution) string {
	want := v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown}
	if c.attributable() {
		want = v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceClaimed, Manager: c.manager, Operation: c.verdict.way.operation()}
	}
	if got.Confidence == v1alpha1.ConfidenceAuthenticated {
		// Whom the API server knows is named beside the manager, also where there is no trace; and it is always the same.
		want.User, want.Confidence = mutantUser, v1alpha1.ConfidenceAuthenticated
	}
	at := got.Time
	got.Time = nil
	switch {
	case c.spoof && c.want.driftType == v1alpha1.DriftOwnershipLost:
		// Who owns it as well, because it applied the same before, is named: nobody else is left.
	case got != want:
		return fmt.Sprintf("attributed to %+v, want %+v", got, want)
	case (at == nil) == c.attributable():
		return fmt.Sprintf("attributed to %+v at time %v", got, at)
	}
	return ""
}
