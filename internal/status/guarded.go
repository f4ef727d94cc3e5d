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
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// guarded says whether the guard-rails that the tenant relies on hold. There is no such condition where nobody looks at
// guard-rails.
func (r *Rollup) guarded() []engine.Condition {
	if len(r.Rails) == 0 {
		return nil
	}
	relied := r.reliedOn()
	c := engine.Condition{Type: v1alpha1.ConditionGuarded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonProven}
	before := meta.FindStatusCondition(r.Previous.Conditions, v1alpha1.ConditionGuarded)
	switch lost, unproven := without(relied, guard.NotInstalled, guard.Edited), without(relied, guard.NotEffective); {
	case len(lost) > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonNotInstalled, faults(lost)
	case len(unproven) > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonNotEffective, faults(unproven)
	case before != nil && (pending(relied) || !r.Complete()):
		// The first proof of this process is under way, or it isn't known yet on which guard-rails the tenant relies: what
		// was said before stands.
		c.Status, c.Reason, c.Message = before.Status, before.Reason, before.Message
	case pending(relied):
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "guard-rails are not proven yet"
	case !r.Complete():
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "not all namespaces have been looked at yet"
	default:
		if unknown := without(relied, guard.Unknown); len(unknown) > 0 {
			c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonCheckFailed, faults(unknown)
			break
		}
		c.Message = remarks(relied)
	}
	return []engine.Condition{c}
}

// reliedOn are the verdicts on the guard-rails that the tenant relies on: those for all tenants, and those that read what
// one of its namespaces has.
func (r *Rollup) reliedOn() []guard.Verdict {
	var keys []string
	for _, name := range r.Held {
		if report, ok := r.Snapshot.Reports[name]; ok && report.Outcome != nil {
			keys = append(keys, report.Outcome.GuardKeys...)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	var relied []guard.Verdict
	for _, verdict := range r.Rails {
		if verdict.ReliesOn(keys) {
			relied = append(relied, verdict)
		}
	}
	return relied
}

func pending(verdicts []guard.Verdict) bool {
	return slices.ContainsFunc(verdicts, func(v guard.Verdict) bool { return v.Pending })
}

func without(verdicts []guard.Verdict, states ...guard.State) []guard.Verdict {
	var found []guard.Verdict
	for _, verdict := range verdicts {
		if !verdict.Pending && slices.Contains(states, verdict.State) {
			found = append(found, verdict)
		}
	}
	return found
}

// faults says what is wrong with guard-rails, the first few by name. What is wrong with all of them alike is said once.
func faults(verdicts []guard.Verdict) string {
	var parts []string
	for _, verdict := range verdicts[:min(len(verdicts), named)] {
		parts = append(parts, "guard-rail "+verdict.Policy+": "+verdict.Message)
	}
	return strings.Join(parts, "; ") + more(len(verdicts)-len(parts), "guard-rails")
}

// remarks are what is to be said of guard-rails that hold, each once.
func remarks(verdicts []guard.Verdict) string {
	var parts []string
	for _, verdict := range verdicts {
		if verdict.Message != "" && !slices.Contains(parts, verdict.Message) {
			parts = append(parts, verdict.Message)
		}
	}
	return strings.Join(parts[:min(len(parts), named)], "; ")
}

// LostGuards are the guard-rails because of which a rollup's status, once written, says for the first time that the
// tenant isn't guarded; nil if it doesn't.
func LostGuards(r Rollup, before, after *v1alpha1.TenantStatus) []guard.Verdict {
	if !guardLost(before, after) {
		return nil
	}
	relied := r.reliedOn()
	if lost := without(relied, guard.NotInstalled, guard.Edited); len(lost) > 0 {
		return lost
	}
	return without(relied, guard.NotEffective)
}

func guardLost(before, after *v1alpha1.TenantStatus) bool {
	return !meta.IsStatusConditionFalse(before.Conditions, v1alpha1.ConditionGuarded) &&
		meta.IsStatusConditionFalse(after.Conditions, v1alpha1.ConditionGuarded)
}

// GuardRestored reports whether a status says again that the tenant is guarded.
func GuardRestored(before, after *v1alpha1.TenantStatus) bool {
	return meta.IsStatusConditionFalse(before.Conditions, v1alpha1.ConditionGuarded) &&
		meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionGuarded)
}
