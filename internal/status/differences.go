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

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

func detailsOf(r *Report) int {
	if r.Outcome == nil {
		return 0
	}
	return len(r.Outcome.Details)
}

// close keeps the corrections of a pass for the DriftReport: the latest, as many as it can hold.
func (p *page) close(namespace string, details []v1alpha1.DriftReportItem) {
	for i := range details {
		if details[i].Action == v1alpha1.DriftCorrected {
			p.closed[namespace] = append(p.closed[namespace], details[i])
		}
	}
	if over := len(p.closed[namespace]) - v1alpha1.MaxReportItems; over > 0 {
		p.closed[namespace] = slices.Delete(p.closed[namespace], 0, over)
	}
}

// Differences are what differs in a namespace now, and what was corrected there and isn't reported yet. Seen says
// whether there was a pass at all.
func (l *Ledger) Differences(tenant, namespace string) (open, closed []v1alpha1.DriftReportItem, seen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.tenants[tenant]
	if !ok {
		return nil, nil, false
	}
	report, ok := p.reports[namespace]
	if !ok {
		return nil, nil, false
	}
	if report.Outcome != nil {
		for _, item := range report.Outcome.Details {
			if item.Action != v1alpha1.DriftCorrected {
				open = append(open, item)
			}
		}
	}
	return open, slices.Clone(p.closed[namespace]), true
}

// Reported drops the first corrections of a namespace that a written DriftReport has.
func (l *Ledger) Reported(tenant, namespace string, closed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.tenants[tenant]; ok {
		left := slices.Delete(p.closed[namespace], 0, min(closed, len(p.closed[namespace])))
		if len(left) == 0 {
			delete(p.closed, namespace)
			return
		}
		p.closed[namespace] = left
	}
}

// Findings are what opened a namespace when it was last judged. They are shared: don't change them.
func (l *Ledger) Findings(tenant, namespace string) []v1alpha1.IsolationFinding {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.tenants[tenant]; ok {
		return p.reports[namespace].Findings
	}
	return nil
}

// RecordShared takes what opens all of a tenant's namespaces.
func (l *Ledger) RecordShared(tenant string, findings []v1alpha1.IsolationFinding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.page(tenant)
	keepSince(p.shared, findings)
	if p.shared == nil || !equality.Semantic.DeepEqual(p.shared, findings) {
		p.shared = append([]v1alpha1.IsolationFinding{}, findings...)
		l.tell(tenant)
	}
}

// keepSince carries over since when a finding is there.
func keepSince(before, now []v1alpha1.IsolationFinding) {
	for i := range now {
		for j := range before {
			if sameFinding(&before[j], &now[i]) {
				now[i].Since = before[j].Since
			}
		}
	}
}

// sameFinding reports whether two findings are about the same opening.
func sameFinding(a, b *v1alpha1.IsolationFinding) bool {
	return a.Type == b.Type && a.Object == b.Object && a.Namespace == b.Namespace
}

// countNew carries over since when a difference is open, and counts those that are new and that nobody corrects. Those
// that are corrected are counted with their correction. before is nil if there is none.
func countNew(before, now *engine.Outcome) {
	var open []v1alpha1.DriftItem
	if before != nil {
		open = before.Open
		for i := range now.Details {
			for j := range before.Details {
				if sameDetail(&before.Details[j], &now.Details[i]) {
					now.Details[i].FirstSeen = before.Details[j].FirstSeen
				}
			}
		}
	}
	keepFirstSeen(open, now.Open)
	for i := range now.Open {
		item := &now.Open[i]
		known := slices.ContainsFunc(open, func(o v1alpha1.DriftItem) bool { return sameDrift(&o, item) })
		if item.Action == v1alpha1.DriftReported && !known {
			metrics.DriftDetected(item.Object.Kind, item.Type)
		}
	}
}

func sameDetail(a, b *v1alpha1.DriftReportItem) bool {
	return a.Object == b.Object && a.Type == b.Type && (a.Action == v1alpha1.DriftIgnored) == (b.Action == v1alpha1.DriftIgnored) &&
		a.Action != v1alpha1.DriftCorrected
}

// keepFirstSeen carries over since when a difference is open.
func keepFirstSeen(before, now []v1alpha1.DriftItem) {
	for i := range now {
		for j := range before {
			if sameDrift(&before[j], &now[i]) {
				now[i].FirstSeen = before[j].FirstSeen
			}
		}
	}
}

// sameDrift reports whether two items are about the same difference: a difference over which a fight breaks out, or
// ends, stays the same one.
func sameDrift(a, b *v1alpha1.DriftItem) bool {
	return a.Object == b.Object && (a.Type == b.Type || a.Type == v1alpha1.DriftContested || b.Type == v1alpha1.DriftContested)
}
