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

package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

// stalling are the reasons that only a human can remove.
var stalling = []string{
	v1alpha1.ReasonNamespaceConflict, v1alpha1.ReasonInvalidPolicy, v1alpha1.ReasonBindForbidden, v1alpha1.ReasonClassNotFound,
}

// named is how many namespaces the message of a condition names.
const named = 3

// conditions makes all conditions. Transition times are kept from the previous status where nothing changed.
func (r *Rollup) conditions(s *v1alpha1.TenantStatus) []metav1.Condition {
	states := r.features()
	states = append(states, r.inSync(s), r.isolated(s))
	states = append(states, r.guarded()...)
	states = append(states, r.ready3(states)...)
	conditions := slices.Clone(r.Previous.Conditions)
	keep := map[string]bool{}
	for _, state := range states {
		keep[state.Type] = true
		meta.SetStatusCondition(&conditions, metav1.Condition{
			Type: state.Type, Status: state.Status, Reason: state.Reason, Message: cut(state.Message),
			ObservedGeneration: r.Tenant.Generation, LastTransitionTime: metav1.NewTime(r.Now),
		})
	}
	conditions = slices.DeleteFunc(conditions, func(c metav1.Condition) bool { return !keep[c.Type] })
	slices.SortFunc(conditions, func(a, b metav1.Condition) int {
		return cmp.Or(cmp.Compare(rank(a.Type), rank(b.Type)), cmp.Compare(a.Type, b.Type))
	})
	return conditions
}

// rank puts the summary first: it is what people read.
func rank(conditionType string) int {
	at := slices.Index([]string{
		v1alpha1.ConditionReady, v1alpha1.ConditionInSync, v1alpha1.ConditionIsolated, v1alpha1.ConditionGuarded,
		v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionNamespacesReady,
	}, conditionType)
	if at < 0 {
		return len(conditionType) + 100
	}
	return at
}

// features sums up each feature over all namespaces.
func (r *Rollup) features() []engine.Condition {
	byType := map[string][]placed{}
	for _, outcome := range r.outcomes() {
		for _, condition := range outcome.Conditions {
			byType[condition.Type] = append(byType[condition.Type], placed{outcome.Namespace, condition})
		}
	}
	byType[v1alpha1.ConditionNamespacesReady] = append(r.membership(), byType[v1alpha1.ConditionNamespacesReady]...)
	if r.Unproven != "" {
		access := placed{"", engine.Condition{Type: v1alpha1.ConditionAccessReady, Status: metav1.ConditionFalse,
			Reason: v1alpha1.ReasonPending, Message: r.Unproven}}
		byType[v1alpha1.ConditionAccessReady] = append(byType[v1alpha1.ConditionAccessReady], access)
	}
	states := make([]engine.Condition, 0, len(byType))
	for _, conditionType := range slices.Sorted(maps.Keys(byType)) {
		states = append(states, sum(conditionType, byType[conditionType]))
	}
	return states
}

// placed is the state of a feature in one place: a namespace, or the cluster scope if empty.
type placed struct {
	namespace string
	engine.Condition
}

// membership says which namespaces are not, or not yet, what the spec wants them to be.
func (r *Rollup) membership() []placed {
	var states []placed
	add := func(name, reason, message string) {
		if name != "" {
			message = "namespace " + name + " " + message
		}
		states = append(states, placed{name, engine.Condition{Type: v1alpha1.ConditionNamespacesReady,
			Status: metav1.ConditionFalse, Reason: reason, Message: message}})
	}
	if r.Unclassed != "" && len(r.Held) == 0 {
		add("", v1alpha1.ReasonClassNotFound, r.Unclassed) // otherwise each namespace says so
	}
	for _, name := range sortedKeys(r.Conflicts) {
		add(name, v1alpha1.ReasonNamespaceConflict, r.Conflicts[name])
	}
	for _, name := range sortedKeys(r.Snapshot.Reports) {
		report := r.Snapshot.Reports[name]
		_, conflict := r.Conflicts[name]
		if report.State != Applied && !conflict && report.State != Conflicting && report.State != Unclaimed {
			add(name, report.Reason, report.Message)
		}
	}
	for _, name := range r.Held {
		report, ok := r.Snapshot.Reports[name]
		if !ok || report.Generation < r.Tenant.Generation {
			add(name, v1alpha1.ReasonPending, "is not done yet")
		}
	}
	return states
}

// sum makes one condition of the states of a feature in all places. The gravest reason speaks; of the same kind,
// the first namespaces are named and the others counted.
func sum(conditionType string, states []placed) engine.Condition {
	worst := metav1.ConditionTrue
	for _, state := range states {
		if grave(state.Status) > grave(worst) {
			worst = state.Status
		}
	}
	if worst == metav1.ConditionTrue {
		// What objects tell of themselves; most have nothing to tell.
		states = slices.DeleteFunc(states, func(p placed) bool { return p.Message == "" })
		if len(states) == 0 {
			return engine.Condition{Type: conditionType, Status: worst, Reason: v1alpha1.ReasonApplied}
		}
	}
	states = slices.DeleteFunc(states, func(p placed) bool { return p.Status != worst })
	slices.SortStableFunc(states, func(a, b placed) int {
		return cmp.Or(cmp.Compare(urgency(a.Reason), urgency(b.Reason)), cmp.Compare(a.namespace, b.namespace))
	})
	messages := make([]string, 0, named)
	for _, state := range states[:min(len(states), named)] {
		message := state.Message
		if state.namespace != "" && !names(message, state.namespace) {
			message = "namespace " + state.namespace + ": " + message
		}
		messages = append(messages, message)
	}
	return engine.Condition{Type: conditionType, Status: worst, Reason: states[0].Reason,
		Message: strings.Join(messages, "; ") + more(len(states)-len(messages), "namespaces")}
}

// names reports whether a message names a namespace: as a word, for "api" is also a part of "rapid".
func names(message, namespace string) bool {
	words := strings.FieldsFunc(message, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
	return slices.Contains(words, namespace)
}

func grave(status metav1.ConditionStatus) int {
	switch status {
	case metav1.ConditionFalse:
		return 2
	case metav1.ConditionUnknown:
		return 1
	default:
		return 0
	}
}

// urgency orders reasons: what a human must solve, then what failed, then what only takes time.
func urgency(reason string) int {
	switch {
	case slices.Contains(stalling, reason):
		return 0
	case reason == v1alpha1.ReasonPending || reason == v1alpha1.ReasonTerminating || reason == v1alpha1.ReasonProgressing:
		return 2
	default:
		return 1
	}
}

func (r *Rollup) inSync(s *v1alpha1.TenantStatus) engine.Condition {
	c := engine.Condition{Type: v1alpha1.ConditionInSync, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoDrift}
	failed := ""
	for _, outcome := range r.outcomes() {
		if outcome.CheckFailed != "" && failed == "" {
			failed = outcome.CheckFailed
		}
	}
	switch {
	case s.Drift.Contested > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonDriftContested, describe(s.Drift)
	case s.Drift.Open > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonDriftDetected, describe(s.Drift)
	case failed != "":
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonCheckFailed, failed
	case !r.Complete():
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "not all namespaces have been looked at yet"
	}
	return c
}

// describe says in a sentence what is open.
func describe(drift v1alpha1.DriftStatus) string {
	parts := make([]string, 0, named)
	for _, item := range drift.Top[:min(len(drift.Top), named)] {
		name := item.Object.Name
		if item.Object.Namespace != "" {
			name = item.Object.Namespace + "/" + name
		}
		part := fmt.Sprintf("%s %s %s", item.Object.Kind, name, item.Type)
		if len(item.Paths) > 0 {
			part += " (" + strings.Join(item.Paths[:min(len(item.Paths), named)], ", ") + ")"
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("%d differ from intent: %s%s", drift.Open, strings.Join(parts, "; "), more(int(drift.Open)-len(parts), "objects"))
}

// ready3 makes Ready, and Reconciling or Stalled where they hold (kstatus: never both).
func (r *Rollup) ready3(states []engine.Condition) []engine.Condition {
	var blocking []engine.Condition
	for _, state := range states {
		if strings.HasSuffix(state.Type, "Ready") && state.Status == metav1.ConditionFalse {
			blocking = append(blocking, state)
		}
	}
	if r.Tenant.DeletionTimestamp != nil {
		return r.deleting(blocking)
	}
	if len(blocking) == 0 && !r.Complete() {
		blocking = append(blocking, engine.Condition{Reason: v1alpha1.ReasonProgressing, Message: "not all namespaces are done yet"})
	}
	if len(blocking) == 0 {
		return []engine.Condition{r.isReady()}
	}
	slices.SortStableFunc(blocking, func(a, b engine.Condition) int { return cmp.Compare(urgency(a.Reason), urgency(b.Reason)) })
	reason, message := blocking[0].Reason, blocking[0].Message
	if reason == v1alpha1.ReasonPending {
		reason = v1alpha1.ReasonProgressing
	}
	if blocking[0].Type != "" {
		message = blocking[0].Type + ": " + message
	}
	result := []engine.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
	onlyHumans := !slices.ContainsFunc(blocking, func(c engine.Condition) bool { return urgency(c.Reason) > 0 })
	summary := v1alpha1.ConditionReconciling
	if onlyHumans {
		summary = v1alpha1.ConditionStalled
	}
	return append(result, engine.Condition{Type: summary, Status: metav1.ConditionTrue, Reason: reason, Message: message})
}

func (r *Rollup) isReady() engine.Condition {
	if mode, until := Mode(r.Tenant, r.Now); mode == v1alpha1.DriftObserve {
		pause := "drift mode is Observe"
		if !until.IsZero() {
			pause += " until " + until.UTC().Format(time.RFC3339)
		}
		return engine.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonObserved,
			Message: pause + ": nothing is written, status.drift lists what Enforce would change"}
	}
	return engine.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReconciled}
}

func (r *Rollup) deleting(blocking []engine.Condition) []engine.Condition {
	message := "waits for nothing"
	if len(blocking) > 0 {
		message = blocking[0].Message
	}
	return []engine.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTerminating, Message: message},
		{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTerminating, Message: message},
	}
}

// cut bounds a message, at a rune boundary, so that the same text is always cut at the same place.
func cut(message string) string { return cutTo(message, v1alpha1.MaxMessageLength) }

func cutTo(message string, length int) string {
	runes := []rune(message)
	if len(runes) <= length {
		return message
	}
	return string(runes[:max(length-1, 0)]) + "…"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
