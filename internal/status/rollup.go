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
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// MaxBytes bounds the status of a Tenant as JSON.
const MaxBytes = 32 * 1024

// Rollup is all that the status of a tenant is made of.
type Rollup struct {
	// Tenant is the tenant; its status is the previous one.
	Tenant *v1alpha1.Tenant
	// Previous is the last status that was written.
	Previous v1alpha1.TenantStatus
	// Class is the name of the TenantClass in force.
	Class string
	// Unclassed says why the class can't be told; empty if it can.
	Unclassed string
	// Held are the listed namespaces that are the tenant's; Conflicts says of the others why not.
	Held      []string
	Conflicts map[string]string
	// Snapshot is what the ledger holds.
	Snapshot Snapshot
	// Considered and NotConsidered are the APIs that isolation was judged by, and those that it was not.
	Considered, NotConsidered []string
	// Unproven says of what access there is no proof yet that it is in force; empty if none is waited for.
	Unproven string
	// Rails are the verdicts on the guard-rails; nil if nobody looks at them. They are shared: don't change them.
	Rails []guard.Verdict
	// Now is the time of new transitions.
	Now time.Time
}

// Compute makes the status. The same input gives the same status, byte for byte.
func Compute(r Rollup) v1alpha1.TenantStatus {
	s := v1alpha1.TenantStatus{
		ObservedGeneration: r.Tenant.Generation,
		ClassName:          r.Class,
		Namespaces:         r.counts(),
		Drift:              r.drift(),
		Isolation:          r.isolation(),
	}
	s.Conditions = r.conditions(&s)
	shrink(&s)
	return s
}

// Mode is the drift mode in force at a time, and when a pause of corrections ends (zero if none is under way).
func Mode(tenant *v1alpha1.Tenant, now time.Time) (v1alpha1.DriftMode, time.Time) {
	drift := tenant.Spec.Drift
	switch {
	case drift == nil:
		return v1alpha1.DriftEnforce, time.Time{}
	case drift.Mode == v1alpha1.DriftObserve:
		return v1alpha1.DriftObserve, time.Time{}
	case drift.ObserveUntil != nil && now.Before(drift.ObserveUntil.Time):
		return v1alpha1.DriftObserve, drift.ObserveUntil.Time
	default:
		return v1alpha1.DriftEnforce, time.Time{}
	}
}

// Complete reports whether every held namespace, and the cluster scope, has been looked at for this generation.
func (r *Rollup) Complete() bool {
	if r.Snapshot.Cluster == nil {
		return false
	}
	for _, name := range r.Held {
		if report, ok := r.Snapshot.Reports[name]; !ok || report.Generation < r.Tenant.Generation {
			return false
		}
	}
	return true
}

func (r *Rollup) counts() v1alpha1.NamespaceCounts {
	counts := v1alpha1.NamespaceCounts{Desired: count(len(r.Tenant.Spec.Namespaces)), Conflicting: count(len(r.Conflicts))}
	for name, report := range r.Snapshot.Reports {
		switch {
		case report.State == Terminating:
			counts.Terminating++
		case slices.Contains(r.Held, name) && r.ready(report):
			counts.Ready++
		}
	}
	return counts
}

// ready reports whether all features are applied in a namespace, or looked at in mode Observe.
func (r *Rollup) ready(report Report) bool {
	if report.State != Applied || report.Generation < r.Tenant.Generation {
		return false
	}
	for _, condition := range report.Outcome.Conditions {
		if condition.Status == metav1.ConditionFalse {
			return false
		}
	}
	return true
}

// outcomes are the outcomes of all namespaces in a stable order, the cluster scope first.
func (r *Rollup) outcomes() []*engine.Outcome {
	var outcomes []*engine.Outcome
	if r.Snapshot.Cluster != nil {
		outcomes = append(outcomes, r.Snapshot.Cluster)
	}
	for _, name := range sortedKeys(r.Snapshot.Reports) {
		if outcome := r.Snapshot.Reports[name].Outcome; outcome != nil {
			outcomes = append(outcomes, outcome)
		}
	}
	return outcomes
}

// OpenBySeverity counts the open differences, all of them, by severity.
func (r *Rollup) OpenBySeverity() map[v1alpha1.Severity]int {
	counts := map[v1alpha1.Severity]int{}
	for _, outcome := range r.outcomes() {
		for i := range outcome.Open {
			counts[outcome.Open[i].Severity]++
		}
	}
	return counts
}

func (r *Rollup) drift() v1alpha1.DriftStatus {
	var open []v1alpha1.DriftItem
	for _, outcome := range r.outcomes() {
		open = append(open, outcome.Open...)
	}
	keepFirstSeen(r.Previous.Drift.Top, open)
	slices.SortStableFunc(open, engine.CompareItems)
	mode, _ := Mode(r.Tenant, r.Now)
	d := v1alpha1.DriftStatus{Mode: mode, Open: count(len(open))}
	for _, outcome := range r.outcomes() {
		d.Ignored += count(outcome.Ignored)
	}
	for i := range open {
		if open[i].Type == v1alpha1.DriftContested {
			d.Contested++
		}
		if d.OldestOpen == nil || open[i].FirstSeen.Before(d.OldestOpen) {
			d.OldestOpen = &open[i].FirstSeen
		}
	}
	d.Top = open[:min(len(open), v1alpha1.MaxDriftTop)]
	d.Truncated = count(len(open) - len(d.Top))
	d.Recent = r.recent(open)
	return d
}

// recent are the latest closed differences, the latest first: those just corrected, then those that went away by
// themselves, then what was there. A difference that recurs moves to the front and is counted.
func (r *Rollup) recent(open []v1alpha1.DriftItem) []v1alpha1.DriftItem {
	recent := slices.Clone(r.Previous.Drift.Recent)
	corrected := slices.Clone(r.Snapshot.Corrected)
	keepFirstSeen(r.Previous.Drift.Top, corrected)
	if r.Complete() {
		for _, item := range r.Previous.Drift.Top {
			same := func(o v1alpha1.DriftItem) bool { return sameDrift(&o, &item) }
			if !slices.ContainsFunc(open, same) && !slices.ContainsFunc(corrected, same) {
				recent = remember(recent, item)
			}
		}
	}
	for _, item := range corrected {
		recent = remember(recent, item)
	}
	return recent
}

func remember(recent []v1alpha1.DriftItem, item v1alpha1.DriftItem) []v1alpha1.DriftItem {
	item.Count = 1
	at := slices.IndexFunc(recent, func(r v1alpha1.DriftItem) bool {
		return sameDrift(&r, &item) && r.Manager == item.Manager && slices.Equal(r.Paths, item.Paths)
	})
	if at >= 0 {
		item.Count += recent[at].Count
		item.FirstSeen = recent[at].FirstSeen
		recent = slices.Delete(recent, at, at+1)
	}
	recent = slices.Insert(recent, 0, item)
	return recent[:min(len(recent), v1alpha1.MaxDriftRecent)]
}

// shrink drops the least important items until the status fits its bound. Names may be 253 characters long, so
// that the bounds of the lists alone don't bound the size.
func shrink(s *v1alpha1.TenantStatus) {
	for size(s) > MaxBytes {
		switch {
		case len(s.Drift.Recent) > 0:
			s.Drift.Recent = s.Drift.Recent[:len(s.Drift.Recent)-1]
		case len(s.Isolation.Findings) > len(s.Drift.Top):
			s.Isolation.Findings = s.Isolation.Findings[:len(s.Isolation.Findings)-1]
			s.Isolation.Truncated++
		case len(s.Drift.Top) > 0:
			s.Drift.Top = s.Drift.Top[:len(s.Drift.Top)-1]
			s.Drift.Truncated++
		default:
			// Messages alone can be too much, because JSON may write a character as six bytes.
			longest := 0
			for i := range s.Conditions {
				if len(s.Conditions[i].Message) > len(s.Conditions[longest].Message) {
					longest = i
				}
			}
			message := &s.Conditions[longest].Message
			*message = cutTo(*message, len([]rune(*message))/2)
		}
	}
}

func size(s *v1alpha1.TenantStatus) int {
	raw, err := json.Marshal(s)
	if err != nil {
		return 0 // a status always encodes: it has no field that can fail
	}
	return len(raw)
}

func count(n int) int32 { return int32(n) } //nolint:gosec // bounded by the number of objects of a tenant

func more(n int, what string) string {
	if n <= 0 {
		return ""
	}
	if n == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	return fmt.Sprintf("; and %d more %s", n, what)
}
