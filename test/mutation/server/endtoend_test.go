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
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	// richTenants is of how many rich tenants every object is changed through the operator.
	richTenants = 4
	// perObject is how much is done to one object: what is changed again and again is a fight.
	perObject = 5
)

// TestOperatorUndoesMutations does something to every object of rich tenants, and everything to Namespaces, while the
// operator runs: all is undone, and stands in the DriftReport, or for what is in no namespace, in the Tenant's status.
func TestOperatorUndoesMutations(t *testing.T) {
	s, b := operatorSite(t), newBook()
	random := rand.New(rand.NewPCG(seed(t), 2))
	s.operate(t)
	var all []*rig
	for i := range richTenants {
		all = append(all, s.tenant(t, mutation.Rich(fmt.Sprintf("through-%d", i), i), b))
	}
	spaces := 1
	for i := 0; i < spaces; i++ {
		name := fmt.Sprintf("space-%d", i)
		r := s.tenant(t, MakeTenant(name).Namespace(name, WithLabel("environment", "production"), WithAnnotation("example.com/owner", "x")).Obj(), b)
		deeds := namespaceDeeds(r)
		spaces = (len(deeds) + perObject - 1) / perObject
		r.targets[0].deeds = deeds[i*perObject : min((i+1)*perObject, len(deeds))]
		all = append(all, r)
	}
	done := map[*rig][]*trial{}
	for i, r := range all {
		r.ready()
		if i < richTenants {
			done[r] = r.some(random)
			continue
		}
		for _, d := range r.targets[0].deeds {
			done[r] = append(done[r], r.provoke(r.targets[0], d))
		}
	}
	for _, r := range all {
		r.reported(done[r])
	}
	t.Logf("what became of the mutations through the operator:\n%s", b.tally)
	for _, kind := range kinds {
		if n := b.tally.Count(kind.GVK.Kind, "corrected"); n < richTenants {
			t.Errorf("%s: only %d mutations were corrected", kind.GVK.Kind, n)
		}
	}
}

// namespaceDeeds are all that can be done to the Namespace, which is the first target.
func namespaceDeeds(r *rig) []deed {
	return slices.DeleteFunc(slices.Clone(r.targets[0].deeds), func(d deed) bool { return d.whole == "" && d.ServerOwned() })
}

// some does something that is drift to every object, and to every other one something else as well.
func (r *rig) some(random *rand.Rand) []*trial {
	r.t.Helper()
	var done []*trial
	for i, x := range r.targets {
		effective := 0
		for _, j := range random.Perm(len(x.deeds)) {
			d := x.deeds[j]
			if d.whole == replaces || d.aggregates() || d.whole == "" && d.ServerOwned() {
				// The operator would be quicker than the second half of it; and to undo an aggregation rule takes a request
				// that is refused. Both are tried without an operator.
				continue
			}
			c := r.provoke(x, d)
			if done = append(done, c); !c.want.none() {
				effective++
			}
			if effective > i%2 {
				break
			}
		}
	}
	return done
}

// provoke does something and waits until it is undone, if it must be.
func (r *rig) provoke(x *target, d deed) *trial {
	r.t.Helper()
	c := r.do(x, d)
	switch {
	case !c.want.none():
		r.undone(c)
	case c.verdict.refused == nil && !c.verdict.void:
		r.restore(r.t, c.before, c.intent)
	}
	return c
}

// reported waits until everything that was done is on record, and nothing else.
func (r *rig) reported(done []*trial) {
	r.t.Helper()
	eventually(r.t, "the records of "+r.name, func(ctx context.Context) string {
		items, summaries, err := r.records(ctx)
		if err != nil {
			return err.Error()
		}
		var missing []string
		for _, c := range exactFirst(done) {
			if i := slices.IndexFunc(items, c.is); i >= 0 {
				items = slices.Delete(items, i, i+1)
			} else if i := slices.IndexFunc(summaries, c.isSummary); i >= 0 {
				summaries = slices.Delete(summaries, i, i+1)
			} else {
				missing = append(missing, fmt.Sprintf("%s as %+v", c, c.want))
			}
		}
		if len(missing)+len(items)+len(summaries) > 0 {
			return fmt.Sprintf("missing: %s\ntoo much: %+v %+v", strings.Join(missing, "\n"), items, summaries)
		}
		return ""
	})
	for _, c := range done {
		if !c.want.none() {
			r.book.add(c.intent.GVK.Kind, "detected")
		}
		if c.attributable() {
			r.book.add(c.intent.GVK.Kind, "attributed")
		}
	}
}

// exactFirst are those that must be on record, with those last of which it can't be told whom the record names.
func exactFirst(done []*trial) []*trial {
	recorded := slices.DeleteFunc(slices.Clone(done), func(c *trial) bool { return c.want.none() })
	slices.SortStableFunc(recorded, func(a, b *trial) int {
		switch {
		case a.spoof == b.spoof:
			return 0
		case b.spoof:
			return -1
		default:
			return 1
		}
	})
	return recorded
}

// is reports whether an item is the record of what was done.
func (c *trial) is(item v1alpha1.DriftReportItem) bool {
	return item.Object.Kind == c.intent.GVK.Kind && item.Object.Name == c.intent.Key.Name && c.mismatch(item) == ""
}

// isSummary reports whether an item of a Tenant's status is the record of what was done.
func (c *trial) isSummary(item v1alpha1.DriftItem) bool {
	var paths []string
	for _, f := range c.want.fields {
		paths = append(paths, f.Path)
	}
	manager := ""
	if c.attributable() {
		manager = c.manager
	}
	return item.Object.Kind == c.intent.GVK.Kind && item.Object.Name == c.intent.Key.Name &&
		item.Type == c.want.driftType && item.Action == v1alpha1.DriftCorrected && item.Manager == manager &&
		slices.Equal(slices.Sorted(slices.Values(item.Paths)), paths)
}

// records are the items of the tenant's report, and what its status says of objects that are in no namespace.
func (r *rig) records(ctx context.Context) ([]v1alpha1.DriftReportItem, []v1alpha1.DriftItem, error) {
	report := &v1alpha1.DriftReport{}
	if err := r.Admin.Get(ctx, client.ObjectKey{Namespace: r.name, Name: r.name}, report); client.IgnoreNotFound(err) != nil {
		return nil, nil, err
	}
	tenant := &v1alpha1.Tenant{}
	if err := r.Admin.Get(ctx, client.ObjectKey{Name: r.name}, tenant); err != nil {
		return nil, nil, err
	}
	inNamespaces := func(item v1alpha1.DriftItem) bool {
		return item.Object.Kind == "Namespace" || item.Object.Namespace != ""
	}
	summaries := slices.DeleteFunc(slices.Concat(tenant.Status.Drift.Recent, tenant.Status.Drift.Top), inNamespaces)
	var each []v1alpha1.DriftReportItem
	for _, item := range report.Report.Items {
		// The same, done twice, is counted: once in the operator's name, for example.
		each = append(each, slices.Repeat([]v1alpha1.DriftReportItem{item}, int(max(item.Count, 1)))...)
	}
	var every []v1alpha1.DriftItem
	for _, item := range summaries {
		every = append(every, slices.Repeat([]v1alpha1.DriftItem{item}, int(max(item.Count, 1)))...)
	}
	return each, every, nil
}

// TestOperatorMakesADeletedNamespaceAnew deletes a Namespace with all that is in it.
func TestOperatorMakesADeletedNamespaceAnew(t *testing.T) {
	s, b := operatorSite(t), newBook()
	s.operate(t)
	r := s.tenant(t, mutation.Rich("deleted", 0), b)
	r.ready()
	before := r.stored(t, r.targets[0].intent)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.name}}
	if err := s.Admin.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace must come back", func(context.Context) string {
		for _, x := range r.targets {
			live := r.stored(t, x.intent)
			if live == nil || live.GetUID() == before.GetUID() || !comparedEqual(x.intent, live) {
				return x.intent.String() + " isn't there"
			}
		}
		return ""
	})
	eventually(t, "the record", func(ctx context.Context) string {
		tenant := &v1alpha1.Tenant{}
		if err := s.Admin.Get(ctx, client.ObjectKey{Name: r.name}, tenant); err != nil {
			return err.Error()
		}
		recent := tenant.Status.Drift.Recent
		if len(recent) != 1 || recent[0].Type != v1alpha1.DriftObjectMissing || recent[0].Object.Kind != "Namespace" || recent[0].Manager != "" {
			return fmt.Sprintf("%+v", recent)
		}
		return ""
	})
}
