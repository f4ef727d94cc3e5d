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
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// watching is a room that waits until its objects carry a uid.
type watching struct{ room }

func (watching) Observes() []schema.GroupVersionKind { return []schema.GroupVersionKind{quotaGVK} }

func (watching) Observe(live runtime.Object) feature.Observation {
	switch q, ok := live.(*corev1.ResourceQuota); {
	case !ok || q.UID == "":
		return feature.Observation{Problem: &feature.Finding{Reason: v1alpha1.ReasonPending, Message: "not counted yet"}}
	case q.UID == "off":
		return feature.Observation{Problem: &feature.Finding{Reason: v1alpha1.ReasonNotProgrammed, Message: "refused"}, Report: "seen"}
	case q.UID == "tells":
		return feature.Observation{Report: "counts"}
	}
	return feature.Observation{}
}

func mustPlan(t *testing.T, rooms ...feature.Feature) *Plan {
	t.Helper()
	p, err := NewPlan(rooms, input())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// terminatingError is what the API server answers to a creation in a namespace that is being deleted.
func terminatingError() error {
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "resourcequotas"}, "q", errors.New("because it is being terminated"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause, Field: "metadata.namespace"}}
	return fmt.Errorf("applying: %w", err)
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "rolebindings"}, "b", errors.New("user \"x\" is attempting to grant RBAC permissions not currently held"))
	drifted := func(action v1alpha1.DriftAction) *v1alpha1.DriftReportItem {
		return &v1alpha1.DriftReportItem{Action: action, Severity: v1alpha1.SeverityHigh, Type: v1alpha1.DriftFieldModified, Fields: []v1alpha1.FieldDrift{{Path: "spec.hard[pods]"}}}
	}
	tests := map[string]struct {
		// quota and binding are what became of the two objects.
		quota, binding result
		waits          bool
		wantQuota      string
		wantAccess     string
		wantErr        bool
		wantOpen       int
		wantCorrected  int
		wantGrant      bool
		wantUnchecked  bool
		wantRefused    bool
	}{
		"nothing happened": {wantQuota: "True Applied: ", wantAccess: "True Applied: "},
		"both were written": {
			quota: result{written: true}, binding: result{written: true}, wantGrant: true,
			wantQuota: "True Applied: ", wantAccess: "True Applied: ",
		},
		"the operator may not bind the role": {
			binding:   result{err: fmt.Errorf("applying: %w", forbidden)},
			wantQuota: "True Applied: ",
			wantAccess: `False BindForbidden: RoleBinding acme-dev/b: the operator may not bind ClusterRole "view"; ` +
				"name it in the ClusterRole bulkhead-bindable-roles, or ask for another role",
			wantRefused: true,
		},
		"a refusal that passes is tried again": {
			binding: result{err: fmt.Errorf("applying: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "rolebindings"}, "b",
				errors.New(`User "system:serviceaccount:bulkhead-system:bulkhead" cannot patch resource "rolebindings" in API group "rbac.authorization.k8s.io"`)))},
			wantQuota: "True Applied: ",
			wantAccess: `False ApplyFailed: applying: rolebindings "b" is forbidden: User "system:serviceaccount:bulkhead-system:bulkhead" ` +
				`cannot patch resource "rolebindings" in API group "rbac.authorization.k8s.io"`,
			wantErr: true,
		},
		"only doors are bound": {
			quota:     result{err: apierrors.NewForbidden(schema.GroupResource{Resource: "resourcequotas"}, "q", errors.New("no"))},
			wantQuota: `False ApplyFailed: resourcequotas "q" is forbidden: no`, wantAccess: "True Applied: ", wantRefused: true,
		},
		"the namespace is being deleted": {
			quota: result{err: terminatingError()}, binding: result{err: terminatingError()},
			wantQuota:  "False Pending: namespace acme-dev is being deleted",
			wantAccess: "False Pending: namespace acme-dev is being deleted", wantErr: true,
		},
		"an object that the API server calls invalid is not tried again at once": {
			quota:     result{err: apierrors.NewInvalid(quotaGVK.GroupKind(), "q", nil)},
			wantQuota: `False InvalidPolicy: ResourceQuota "q" is invalid`, wantAccess: "True Applied: ", wantRefused: true,
		},
		"an error of several lines becomes one": {
			quota:     result{err: errors.New("one\n\ttwo  three")},
			wantQuota: "False ApplyFailed: one two three", wantAccess: "True Applied: ", wantErr: true,
		},
		"a door waits for the walls": {
			waits: true, wantQuota: "True Applied: ", wantAccess: "False Pending: RoleBinding acme-dev/b waits until the walls stand",
		},
		"a difference that is left as it is": {
			quota:     result{drift: drifted(v1alpha1.DriftReported)},
			wantQuota: "Unknown Observed: namespace acme-dev: 1 to change, left as it is", wantAccess: "True Applied: ", wantOpen: 1,
		},
		"a difference that was corrected": {
			quota:     result{drift: drifted(v1alpha1.DriftCorrected), written: true},
			wantQuota: "True Applied: ", wantAccess: "True Applied: ", wantCorrected: 1,
		},
		"a correction that was refused": {
			quota:     result{drift: drifted(v1alpha1.DriftFailed), err: errors.New("refused")},
			wantQuota: "False ApplyFailed: refused", wantAccess: "True Applied: ", wantErr: true, wantOpen: 1,
		},
		"a correction that changed nothing": {
			quota:      result{drift: drifted(v1alpha1.DriftFailed)},
			wantQuota:  "False ApplyFailed: ResourceQuota acme-dev/q keeps differing from what was applied in spec.hard[pods]",
			wantAccess: "True Applied: ", wantOpen: 1,
		},
		"a comparison that failed": {
			quota:     result{err: errors.New("no such field"), unchecked: true},
			wantQuota: "False ApplyFailed: no such field", wantAccess: "True Applied: ", wantErr: true, wantUnchecked: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := mustPlan(t,
				quotaRoom("quota", quotaConfig("q", "acme-dev", "10")),
				room{name: "access", owns: []schema.GroupVersionKind{bindingGVK}, result: feature.Result{
					Doors: []feature.Object{bindingConfig("b", "acme-dev", "view")},
				}})
			o := newOutcome(plan)
			tc.quota.intent, tc.binding.intent = plan.Walls[0], plan.Doors[0]
			o.record(result{intent: plan.Namespace})
			o.record(tc.quota)
			if tc.waits {
				o.wait(plan.Doors[0], "waits until the walls stand")
			} else {
				o.record(tc.binding)
			}
			o.finish(plan)
			for i, want := range []string{"True Applied: ", tc.wantQuota, tc.wantAccess} {
				c := o.Conditions[i]
				if got := fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message); got != want {
					t.Errorf("condition %s is\n%s, want\n%s", c.Type, got, want)
				}
			}
			if (o.Err != nil) != tc.wantErr || len(o.Open) != tc.wantOpen || len(o.Corrected) != tc.wantCorrected {
				t.Errorf("error %v, %d open, %d corrected", o.Err, len(o.Open), len(o.Corrected))
			}
			if o.Refused != tc.wantRefused {
				t.Errorf("refused: %v, want %v", o.Refused, tc.wantRefused)
			}
			if (o.Grant != nil) != tc.wantGrant || (o.CheckFailed != "") != tc.wantUnchecked {
				t.Errorf("grant %v, check failed %q", o.Grant, o.CheckFailed)
			}
		})
	}
}

// TestOutcomeOfRooms turns what rooms say into conditions.
func TestOutcomeOfRooms(t *testing.T) {
	t.Parallel()
	pending := feature.Finding{Reason: v1alpha1.ReasonPending, Message: "waits for DNS"}
	tests := map[string]struct {
		room room
		want string
	}{
		"a room that can't render": {
			room{err: errors.New("network.allow[x]: wrong")}, "False InvalidPolicy: network.allow[x]: wrong",
		},
		"a finding that waits": {
			room{result: feature.Result{Findings: []feature.Finding{pending}}}, "False Pending: waits for DNS",
		},
		"the same finding twice is said once": {
			room{result: feature.Result{Findings: []feature.Finding{pending, pending}}}, "False Pending: waits for DNS",
		},
		"a problem speaks before what waits": {
			room{result: feature.Result{Findings: []feature.Finding{pending, {Reason: v1alpha1.ReasonInvalidPolicy, Message: "no such namespace"}}}},
			"False InvalidPolicy: no such namespace",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.room.name = "some"
			plan := mustPlan(t, tc.room)
			o := newOutcome(plan).finish(plan)
			c := o.Conditions[1]
			if got := fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message); c.Type != "someReady" || got != tc.want {
				t.Errorf("condition %s is\n%s, want\n%s", c.Type, got, tc.want)
			}
		})
	}
}

// TestObserve asks the room only about an object that the cache shows as it was applied.
func TestObserve(t *testing.T) {
	t.Parallel()
	alive := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	written := "ResourceQuota acme-dev/q is written and not in force yet"
	tests := map[string]struct {
		result result
		want   string
	}{
		"alive":                    {result{live: alive}, "True Applied: "},
		"not alive":                {result{live: &corev1.ResourceQuota{}}, "False Pending: not counted yet"},
		"not in force":             {result{live: &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{UID: "off"}}}, "False NotProgrammed: refused"},
		"tells something":          {result{live: &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{UID: "tells"}}}, "True Applied: counts"},
		"just written":             {result{live: alive, written: true}, "False Pending: " + written},
		"just created":             {result{written: true}, "False Pending: " + written},
		"behind our write":         {result{live: alive, lagging: true}, "False Pending: " + written},
		"refused":                  {result{live: alive, err: errors.New("no")}, "False ApplyFailed: no"},
		"differs and is left so":   {result{live: &corev1.ResourceQuota{}, drift: &v1alpha1.DriftReportItem{Action: v1alpha1.DriftReported}}, "Unknown Observed: namespace acme-dev: 1 to change, left as it is"},
		"missing and is left so":   {result{drift: &v1alpha1.DriftReportItem{Action: v1alpha1.DriftReported}}, "Unknown Observed: namespace acme-dev: 1 to change, left as it is"},
		"corrected, and not alive": {result{live: &corev1.ResourceQuota{}, written: true, drift: &v1alpha1.DriftReportItem{Action: v1alpha1.DriftCorrected}}, "False Pending: " + written},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := mustPlan(t, watching{quotaRoom("quota", quotaConfig("q", "acme-dev", "10"))})
			o := newOutcome(plan)
			tc.result.intent = plan.Walls[0]
			o.record(tc.result)
			c := o.finish(plan).Conditions[1]
			if got := fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message); got != tc.want {
				t.Errorf("condition is\n%s, want\n%s", got, tc.want)
			}
		})
	}
}

// TestOutcomeIsStable records the same in any order.
func TestOutcomeIsStable(t *testing.T) {
	t.Parallel()
	var configs []feature.Object
	for i := range 6 {
		configs = append(configs, quotaConfig(fmt.Sprint("q", i), "acme-dev", "10"))
	}
	plan := mustPlan(t, quotaRoom("quota", configs...))
	var results []result
	for i, intent := range plan.Walls {
		item := v1alpha1.DriftReportItem{Object: intent.reference(), Action: v1alpha1.DriftFailed, Severity: v1alpha1.SeverityHigh}
		if i%2 == 0 {
			item.Severity = v1alpha1.SeverityCritical
		}
		results = append(results, result{intent: intent, drift: &item, err: fmt.Errorf("refused %d", i%3)})
	}
	random := rand.New(rand.NewPCG(1, 1))
	var want *Outcome
	for range 10 {
		random.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
		o := newOutcome(plan)
		for _, r := range results {
			o.record(r)
		}
		o.finish(plan)
		if want == nil {
			want = o
			continue
		}
		if !slices.Equal(want.Conditions, o.Conditions) || !cmp.Equal(want.Open, o.Open) {
			t.Errorf("conditions and open:\n%s\n%s", cmp.Diff(want.Conditions, o.Conditions), cmp.Diff(want.Open, o.Open))
		}
	}
	if want.Open[0].Severity != v1alpha1.SeverityCritical || want.Open[5].Severity != v1alpha1.SeverityHigh {
		t.Errorf("the gravest isn't first: %v", want.Open)
	}
}

// TestPlain cuts errors between characters: half a character isn't text, and the API server would store another one.
func TestPlain(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		text := strings.Repeat("x", shift) + strings.Repeat("墙🧱é", 1000)
		got := plain(errors.New(text))
		if !utf8.ValidString(got) || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) || len(got) > v1alpha1.MaxMessageLength || len(got) < 500 {
			t.Errorf("cut to %d bytes, valid: %v", len(got), utf8.ValidString(got))
		}
	}
	if got := plain(errors.New(" a\n b ")); got != "a b" {
		t.Errorf("got %q", got)
	}
}

// TestSurplus says what is pruned: what we applied, that nothing asks for, and that no failed room may still want.
func TestSurplus(t *testing.T) {
	t.Parallel()
	binding := func(change func(*Intent, client.Object)) func(*testing.T) (*Intent, client.Object) {
		return func(t *testing.T) (*Intent, client.Object) {
			t.Helper()
			intent := mustIntent(t, "quota", quotaConfig("left", "acme-dev", "10"))
			live := stored(t, intent, &corev1.ResourceQuota{})
			if change != nil {
				change(intent, live)
			}
			return intent, live
		}
	}
	changed := func(_ *Intent, o client.Object) {
		o.SetManagedFields(nil)
		o.GetAnnotations()[v1alpha1.AnnotationIntent] = "v1:forged"
	}
	now := metav1.Now()
	tests := map[string]struct {
		live   func(*testing.T) (*Intent, client.Object)
		failed bool
		past   *entry
		want   bool
	}{
		"ours": {live: binding(nil), want: true},
		"without managed fields, but just as we would write it": {
			live: binding(func(_ *Intent, o client.Object) { o.SetManagedFields(nil) }), want: true,
		},
		"without managed fields, changed, but the one that we wrote": {
			live: binding(changed), past: &entry{uid: "1", version: "9", hash: "h"}, want: true,
		},
		"with our labels, but not applied by us": {live: binding(changed)},
		"with our labels, in the place of one that we wrote": {
			live: binding(changed), past: &entry{uid: "0", version: "9", hash: "h"},
		},
		"applied by us, without our labels": {live: binding(func(_ *Intent, o client.Object) { o.SetLabels(nil) }), want: true},
		"being deleted":                     {live: binding(func(_ *Intent, o client.Object) { o.SetDeletionTimestamp(&now) })},
		"deleted by us, which the cache doesn't show": {
			live: binding(nil), past: &entry{uid: "1", deleted: true},
		},
		"a successor of what we deleted":              {live: binding(nil), past: &entry{uid: "0", deleted: true}, want: true},
		"of a room that failed":                       {live: binding(nil), failed: true},
		"of a room that failed, the label stripped":   {live: binding(func(_ *Intent, o client.Object) { o.SetLabels(nil) }), failed: true},
		"of a room that failed, under another's name": {live: binding(func(_ *Intent, o client.Object) { o.GetLabels()[v1alpha1.LabelFeature] = "access" }), failed: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			quota := quotaRoom("quota", quotaConfig("kept", "acme-dev", "10"))
			if tc.failed {
				quota.err = errors.New("wrong")
			}
			access := room{name: "access", owns: []schema.GroupVersionKind{bindingGVK}}
			e := newEngine(t)
			e.features = []feature.Feature{quota, access}
			intent, live := tc.live(t)
			if tc.past != nil {
				e.journal.put(intent.id(), *tc.past)
			}
			r := &run{engine: e, plan: mustPlan(t, quota, access), live: map[objectID]client.Object{intent.id(): live}}
			if got := len(r.surplus(false)) == 1; got != tc.want {
				t.Errorf("is pruned: %v, want %v", got, tc.want)
			}
			if doors := r.surplus(true); len(doors) != 0 {
				t.Errorf("a quota is a door: %v", doors)
			}
		})
	}
}

// TestSurplusOfForgedRoom withdraws access although its binding claims to be of a room that failed: else whoever may
// edit a binding could keep it.
func TestSurplusOfForgedRoom(t *testing.T) {
	t.Parallel()
	quota := quotaRoom("quota")
	quota.err = errors.New("wrong")
	access := room{name: "access", owns: []schema.GroupVersionKind{bindingGVK}}
	e := newEngine(t)
	e.features = []feature.Feature{quota, access}
	intent := mustIntent(t, "quota", bindingConfig("b", "acme-dev", "view"))
	live := stored(t, intent, &corev1.ResourceQuota{})
	r := &run{engine: e, plan: mustPlan(t, quota, access), live: map[objectID]client.Object{intent.id(): live}}
	if len(r.surplus(true)) != 1 {
		t.Error("a binding that calls itself an object of a failed room isn't withdrawn")
	}
}
