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
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// Outcome is what became of one pass over a namespace, or over the cluster scope of a tenant.
type Outcome struct {
	// Tenant and Namespace say of what; Namespace is empty for the cluster scope.
	Tenant, Namespace string
	// Conditions are the states of the features in this namespace, in the order of the registry.
	Conditions []Condition
	// Open are the differences that remain.
	Open []v1alpha1.DriftItem
	// Corrected are the differences that this pass corrected.
	Corrected []v1alpha1.DriftItem
	// Ignored is the number of objects that differ in what rules of the Tenant cover.
	Ignored int
	// Details are all of these field by field: open, ignored, corrected.
	Details []v1alpha1.DriftReportItem
	// Moving says that something was written that the cache doesn't show yet: another pass comes when it does.
	Moving bool
	// Retry is when to look again although nothing may change until then; zero for never.
	Retry time.Duration
	// Created says that this pass created the Namespace.
	Created bool
	// Withdrawn are the names of bindings that this pass deleted because the spec no longer grants them.
	Withdrawn []string
	// Grant is the last binding to one of Kubernetes' own roles that this pass wrote; nil if none.
	Grant *Grant
	// CheckFailed says why a comparison with intent could not be made; empty if all could.
	CheckFailed string
	// OpenBySpec are sentences that say which walls the spec itself turns off.
	OpenBySpec []string
	// GuardKeys are the keys of the guard-rail data that the namespace is to have, sorted.
	GuardKeys []string
	// Err joins the errors of the pass that a retry may mend.
	Err error
	// Refused says that the API server refused something that no retry mends until a human changes the spec or
	// the operator's rights.
	Refused bool

	waiting   []waiting
	rooms     map[string]*roomState
	observers map[string]feature.Observer
}

// Grant is a binding that was written.
type Grant struct {
	// Namespace and Name are the RoleBinding's.
	Namespace, Name string
	// Version is the resource version that the write made.
	Version string
	// Binding is what was applied. It is shared: don't change it.
	Binding *unstructured.Unstructured
}

// Latest is the grant that was written last, of those whose role is one of Kubernetes' own: what another role allows
// isn't known, so that nothing could be asked about it. Either may be nil.
func Latest(a, b *Grant) *Grant {
	if b != nil {
		role, _, _ := unstructured.NestedString(b.Binding.Object, "roleRef", "name")
		if !v1alpha1.IsUserFacingRole(role) {
			b = nil
		}
	}
	if b == nil || (a != nil && older(b.Version, a.Version)) {
		return a
	}
	return b
}

// Condition is the state of one feature in one namespace.
type Condition struct {
	Type    string
	Status  metav1.ConditionStatus
	Reason  string
	Message string
}

type waiting struct{ room, message string }

// roomState collects what happened to the objects of one room.
type roomState struct {
	problems []problem
	pending  []string
	observed int
	// reports are what the objects tell of themselves.
	reports []string
}

type problem struct{ reason, message string }

// find takes what a room found.
func (s *roomState) find(finding feature.Finding) {
	if finding.Reason == v1alpha1.ReasonPending {
		s.pending = append(s.pending, finding.Message)
		return
	}
	s.problems = append(s.problems, problem{finding.Reason, finding.Message})
}

func newOutcome(plan *Plan) *Outcome {
	o := &Outcome{Tenant: plan.Tenant, Namespace: plan.Name, OpenBySpec: plan.OpenBySpec, GuardKeys: plan.guardKeys(),
		rooms: map[string]*roomState{}, observers: map[string]feature.Observer{}}
	for _, room := range plan.Rooms {
		state := &roomState{}
		if room.Err != nil && !room.Told {
			state.problems = append(state.problems, problem{v1alpha1.ReasonInvalidPolicy, room.Err.Error()})
		}
		for _, finding := range room.Findings {
			state.find(finding)
		}
		o.rooms[room.Name] = state
		if room.Observe != nil {
			o.observers[room.Name] = room.Observe
		}
	}
	o.rooms[""] = &roomState{}
	return o
}

func (o *Outcome) room(name string) *roomState {
	if state, ok := o.rooms[name]; ok {
		return state
	}
	return o.rooms[""]
}

// fail notes an error that concerns a room, or the namespace itself if the name is empty.
func (o *Outcome) fail(room string, err error) {
	o.Err = errors.Join(o.Err, err)
	state := o.room(room)
	state.problems = append(state.problems, problem{v1alpha1.ReasonApplyFailed, plain(err)})
}

// wait notes that an object isn't applied yet.
func (o *Outcome) wait(intent *Intent, why string) {
	o.waiting = append(o.waiting, waiting{intent.Feature, intent.String() + " " + why})
}

// waitForNamespace notes that nothing was looked at because the namespace isn't what it must be.
func (o *Outcome) waitForNamespace(plan *Plan) {
	for _, intent := range append(slices.Clone(plan.Walls), plan.Doors...) {
		o.waiting = append(o.waiting, waiting{intent.Feature, "waits for namespace " + plan.Name})
	}
}

// record notes what became of one intent.
func (o *Outcome) record(r result) {
	state := o.room(r.intent.Feature)
	o.Moving = o.Moving || r.lagging || (r.written && (r.live == nil || r.live.GetResourceVersion() != r.version))
	o.note(r, state)
	if r.waits != "" {
		o.wait(r.intent, r.waits)
	}
	if r.unchecked && o.CheckFailed == "" {
		o.CheckFailed = plain(r.err)
	}
	if r.err != nil {
		o.refuse(state, r)
	}
	if r.written && isDoor(r.intent.GVK) && r.intent.Key.Namespace != "" {
		o.Grant = Latest(o.Grant, &Grant{
			Namespace: r.intent.Key.Namespace, Name: r.intent.Key.Name, Version: r.version, Binding: r.intent.Object,
		})
	}
	o.observe(r, state)
}

// note takes what differs, or did.
func (o *Outcome) note(r result, state *roomState) {
	o.Retry = sooner(o.Retry, r.retry)
	if r.ignored != nil {
		o.Ignored++
		o.Details = append(o.Details, *r.ignored)
	}
	if r.drift == nil {
		return
	}
	summary := Summary(r.drift)
	o.Details = append(o.Details, *r.drift)
	if !r.open() {
		o.Corrected = append(o.Corrected, summary)
		return
	}
	o.Open = append(o.Open, summary)
	switch {
	case r.drift.Action == v1alpha1.DriftReported:
		state.observed++
	case r.drift.Action == v1alpha1.DriftBackoff:
		state.problems = append(state.problems, problem{v1alpha1.ReasonDriftContested, contest(r.intent, &summary)})
	case r.err == nil:
		state.problems = append(state.problems, problem{v1alpha1.ReasonApplyFailed,
			r.intent.String() + " keeps differing from what was applied in " + strings.Join(summary.Paths, ", ")})
	}
}

// observeSurplus notes that an object of ours is there that no intent asks for, and stays because nothing is written.
func (o *Outcome) observeSurplus(id objectID, now time.Time) {
	item := v1alpha1.DriftReportItem{
		Object: reference(id.gvk, id.key), Type: v1alpha1.DriftObjectForeign, Severity: v1alpha1.SeverityInfo,
		Attribution: v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown},
		Action:      v1alpha1.DriftReported, FirstSeen: seconds(now), Hint: "Bulkhead made it, and the spec no longer asks for it",
	}
	o.Open = append(o.Open, Summary(&item))
	o.Details = append(o.Details, item)
}

// contest says in a sentence who undoes our corrections.
func contest(intent *Intent, item *v1alpha1.DriftItem) string {
	who := "someone who leaves no trace"
	if item.Manager != "" {
		who = fmt.Sprintf("field manager %q (client-declared)", item.Manager)
	}
	what := ""
	if len(item.Paths) > 0 {
		what = " in " + strings.Join(item.Paths, ", ")
	}
	return intent.String() + " is changed" + what + " again and again by " + who + "; the next correction waits"
}

// sooner is the earlier of two waits, of which zero is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}

// observe asks the room whether an applied object has come to life.
func (o *Outcome) observe(r result, state *roomState) {
	observer, ok := o.observers[r.intent.Feature]
	if !ok || !r.stands() || !slices.Contains(observer.Observes(), r.intent.GVK) {
		return
	}
	if r.live == nil || r.lagging || r.written {
		state.pending = append(state.pending, r.intent.String()+" is written and not in force yet")
		return
	}
	seen := observer.Observe(r.live)
	if seen.Report != "" {
		state.reports = append(state.reports, seen.Report)
	}
	if seen.Problem != nil {
		state.find(*seen.Problem)
	}
}

// refuse notes that an object could not be written.
func (o *Outcome) refuse(state *roomState, r result) {
	if terminating(r.err) {
		o.Err = errors.Join(o.Err, r.err)
		state.pending = append(state.pending, "namespace "+r.intent.Key.Namespace+" is being deleted")
		return
	}
	if (apierrors.IsForbidden(r.err) && !unauthorized(r.err)) || apierrors.IsInvalid(r.err) || apierrors.IsBadRequest(r.err) {
		o.Refused = true
	} else {
		o.Err = errors.Join(o.Err, r.err)
	}
	state.problems = append(state.problems, classify(r.intent, r.err))
}

// finish turns what was collected into conditions.
func (o *Outcome) finish(plan *Plan) *Outcome {
	for _, w := range o.waiting {
		state := o.room(w.room)
		state.pending = append(state.pending, w.message)
	}
	place := "the cluster scope"
	if plan.Name != "" {
		place = "namespace " + plan.Name
	}
	o.Conditions = append(o.Conditions, o.rooms[""].condition(v1alpha1.ConditionNamespacesReady, place))
	for _, room := range plan.Rooms {
		o.Conditions = append(o.Conditions, o.rooms[room.Name].condition(room.Condition, place))
	}
	slices.SortFunc(o.Open, CompareItems)
	slices.SortFunc(o.Corrected, CompareItems)
	return o
}

// condition sums up a room; place says in words where.
func (s *roomState) condition(conditionType, place string) Condition {
	switch {
	case len(s.problems) > 0:
		slices.SortFunc(s.problems, func(a, b problem) int {
			return cmp.Or(cmp.Compare(a.reason, b.reason), cmp.Compare(a.message, b.message))
		})
		messages := make([]string, 0, len(s.problems))
		for _, p := range s.problems {
			messages = append(messages, p.message)
		}
		return Condition{conditionType, metav1.ConditionFalse, s.problems[0].reason, strings.Join(messages, "; ")}
	case len(s.pending) > 0:
		slices.Sort(s.pending)
		return Condition{conditionType, metav1.ConditionFalse, v1alpha1.ReasonPending, strings.Join(slices.Compact(s.pending), "; ")}
	case s.observed > 0:
		return Condition{conditionType, metav1.ConditionUnknown, v1alpha1.ReasonObserved, fmt.Sprintf("%s: %d to change, left as it is", place, s.observed)}
	default:
		slices.Sort(s.reports)
		return Condition{conditionType, metav1.ConditionTrue, v1alpha1.ReasonApplied, strings.Join(slices.Compact(s.reports), "; ")}
	}
}

// classify turns an error of the API server into a reason and a sentence.
func classify(intent *Intent, err error) problem {
	if isDoor(intent.GVK) && grantsTooMuch(err) {
		role, _, _ := unstructured.NestedString(intent.Object.Object, "roleRef", "name")
		return problem{v1alpha1.ReasonBindForbidden, fmt.Sprintf(
			"%s: the operator may not bind ClusterRole %q; name it in the ClusterRole bulkhead-bindable-roles, or ask for another role", intent, role)}
	}
	if apierrors.IsInvalid(err) {
		// It was rendered from the spec: only the spec can mend it.
		return problem{v1alpha1.ReasonInvalidPolicy, plain(err) + atFault(intent, err)}
	}
	return problem{v1alpha1.ReasonApplyFailed, plain(err)}
}

// grantsTooMuch reports whether a binding was refused because we may not bind its role, and not for another reason.
func grantsTooMuch(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held")
}

// unauthorized reports whether RBAC let us not even try. That passes: an API server that has just started refuses what
// it hasn't read the roles for yet.
func unauthorized(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ") && strings.Contains(err.Error(), " resource ")
}

// atFault names the values at fault that the intent itself has where it shows them: people need them to find the field
// of the spec. It is empty if there are none.
func atFault(intent *Intent, err error) string {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) || answer.Status().Details == nil {
		return ""
	}
	var found []string
	for _, cause := range answer.Status().Details.Causes {
		if value, ok := redact.ValueOf(cause); ok && value != "" && intent.shows(value) {
			found = append(found, fmt.Sprintf("%q", redact.Text(value, v1alpha1.MaxFieldValue)))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return " (found " + strings.Join(found[:min(len(found), 3)], ", ") + ")"
}

// terminating reports whether a write was refused because the namespace is being deleted.
func terminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// plain is the text of an error on one line, without the values that the API server echoes, cut to what a condition
// can hold.
func plain(err error) string { return redact.Text(redact.Error(err), v1alpha1.MaxMessageLength/2) }

// CompareItems orders drift items: the gravest first, then by object.
func CompareItems(a, b v1alpha1.DriftItem) int {
	return cmp.Or(
		a.Severity.Compare(b.Severity),
		cmp.Compare(a.Object.Namespace, b.Object.Namespace),
		cmp.Compare(a.Object.Kind, b.Object.Kind),
		cmp.Compare(a.Object.Name, b.Object.Name),
		cmp.Compare(a.Type, b.Type),
	)
}
