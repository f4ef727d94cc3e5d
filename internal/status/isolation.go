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
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

// findings are all findings of the tenant, the gravest first. Until a namespace has been judged by this process, what
// was found there before stands: a restart restores nobody's isolation.
func (r *Rollup) findings() []v1alpha1.IsolationFinding {
	findings := slices.Clone(r.Snapshot.Shared)
	for _, finding := range r.Previous.Isolation.Findings {
		report, looked := r.Snapshot.Reports[finding.Namespace]
		switch {
		case finding.Namespace == "" && (r.Snapshot.Shared == nil || finding.Type == v1alpha1.FindingLabelExposure && !r.judged()),
			slices.Contains(r.Held, finding.Namespace) && (!looked || report.Findings == nil):
			findings = append(findings, finding)
		}
	}
	for _, name := range sortedKeys(r.Snapshot.Reports) {
		findings = append(findings, r.Snapshot.Reports[name].Findings...)
	}
	slices.SortStableFunc(findings, compareFindings)
	findings = mergeLabels(findings)
	keepSince(r.Previous.Isolation.Findings, findings)
	return findings
}

// mergeLabels makes one finding of those about one namespace's label that opens several of the tenant's namespaces:
// one forged label must not push everything else out of the status.
func mergeLabels(findings []v1alpha1.IsolationFinding) []v1alpha1.IsolationFinding {
	merged := make([]v1alpha1.IsolationFinding, 0, len(findings))
	first := map[v1alpha1.ObjectReference]int{}
	others := map[int]int{}
	for _, finding := range findings {
		at, seen := first[finding.Object]
		if finding.Type != v1alpha1.FindingLabelExposure || !seen {
			if finding.Type == v1alpha1.FindingLabelExposure {
				first[finding.Object] = len(merged)
			}
			merged = append(merged, finding)
			continue
		}
		others[at]++
		merged[at].Namespace = ""
		if finding.Since.Before(&merged[at].Since) {
			merged[at].Since = finding.Since
		}
	}
	for at, n := range others {
		merged[at].Message = cutTo(merged[at].Message, maxFindingMessage-40) + more(n, "openings of the tenant")
	}
	return merged
}

// maxFindingMessage is the longest message of a finding, in characters, as the API has it.
const maxFindingMessage = 512

func compareFindings(a, b v1alpha1.IsolationFinding) int {
	return cmp.Or(
		a.Severity.Compare(b.Severity),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Type, b.Type),
		cmp.Compare(a.Object.Kind, b.Object.Kind),
		cmp.Compare(a.Object.Namespace, b.Object.Namespace),
		cmp.Compare(a.Object.Name, b.Object.Name),
		cmp.Compare(a.Message, b.Message),
	)
}

func (r *Rollup) isolation() v1alpha1.IsolationStatus {
	findings := r.findings()
	s := v1alpha1.IsolationStatus{Considered: r.Considered, NotConsidered: r.NotConsidered}
	s.Findings = findings[:min(len(findings), v1alpha1.MaxIsolationFindings)]
	s.Truncated = count(len(findings) - len(s.Findings))
	return s
}

// FindingsByType counts all findings by their type.
func (r *Rollup) FindingsByType() map[v1alpha1.IsolationFindingType]int {
	counts := map[v1alpha1.IsolationFindingType]int{}
	for _, finding := range r.findings() {
		counts[finding.Type]++
	}
	return counts
}

// exposure is the condition reason of a type of finding.
var exposure = map[v1alpha1.IsolationFindingType]string{
	v1alpha1.FindingNetworkExposure:     v1alpha1.ReasonNetworkExposure,
	v1alpha1.FindingLabelExposure:       v1alpha1.ReasonNetworkExposure,
	v1alpha1.FindingAccessExposure:      v1alpha1.ReasonAccessExposure,
	v1alpha1.FindingPodSecurityWeakened: v1alpha1.ReasonPodSecurityWeakened,
}

// isolated says whether the tenant is open beyond its spec, or by its spec.
func (r *Rollup) isolated(s *v1alpha1.TenantStatus) engine.Condition {
	c := engine.Condition{Type: v1alpha1.ConditionIsolated, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoExposure}
	if findings := s.Isolation.Findings; len(findings) > 0 {
		messages := make([]string, 0, named)
		for _, finding := range findings[:min(len(findings), named)] {
			messages = append(messages, finding.Message)
		}
		c.Status, c.Reason = metav1.ConditionFalse, exposure[findings[0].Type]
		total := len(findings) + int(s.Isolation.Truncated)
		c.Message = strings.Join(messages, "; ") + more(total-len(messages), "findings")
		return c
	}
	if open := r.openBySpec(); len(open) > 0 {
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonOpenBySpec
		c.Message = strings.Join(open[:min(len(open), named)], "; ") + more(len(open)-named, "openings")
		return c
	}
	if !r.judged() {
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "not all namespaces have been looked at yet"
	}
	if len(s.Isolation.NotConsidered) > 0 && c.Status == metav1.ConditionTrue {
		c.Message = "not weighed, though this cluster serves them: " + strings.Join(s.Isolation.NotConsidered, ", ")
	}
	return c
}

// judged reports whether isolation was looked at in every namespace that the tenant holds.
func (r *Rollup) judged() bool {
	if r.Snapshot.Shared == nil {
		return false
	}
	for _, name := range r.Held {
		if report, ok := r.Snapshot.Reports[name]; !ok || report.Findings == nil {
			return false
		}
	}
	return true
}

// openBySpec are the walls that the spec itself turns off, each with the namespaces where it does.
func (r *Rollup) openBySpec() []string {
	where := map[string][]string{}
	for _, outcome := range r.outcomes() {
		for _, sentence := range outcome.OpenBySpec {
			where[sentence] = append(where[sentence], outcome.Namespace)
		}
	}
	open := make([]string, 0, len(where))
	for _, sentence := range sortedKeys(where) {
		open = append(open, sentence+" ("+Enumerate("namespace", where[sentence])+")")
	}
	return open
}

// IsolationLost reports whether a rollup's status, once written, says for the first time that the tenant is open
// beyond its spec; IsolationRestored whether it no longer is.
func IsolationLost(before, after *v1alpha1.TenantStatus) bool {
	return len(before.Isolation.Findings) == 0 && len(after.Isolation.Findings) > 0
}

// IsolationRestored reports whether a status says for the first time that nothing opens the tenant beyond its spec.
func IsolationRestored(before, after *v1alpha1.TenantStatus) bool {
	return len(before.Isolation.Findings) > 0 && len(after.Isolation.Findings) == 0
}

// NewFindings are the findings of a rollup about objects that others made and that the status didn't name before.
func NewFindings(r Rollup) []v1alpha1.IsolationFinding {
	var news []v1alpha1.IsolationFinding
	for _, finding := range r.isolation().Findings {
		known := slices.ContainsFunc(r.Previous.Isolation.Findings, func(p v1alpha1.IsolationFinding) bool { return sameFinding(&p, &finding) })
		if !known && finding.Object.Kind != "Namespace" {
			news = append(news, finding)
		}
	}
	return news
}
