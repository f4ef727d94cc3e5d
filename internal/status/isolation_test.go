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

package status_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// found adds a finding about a NetworkPolicy of the namespace to its report.
func found(r *status.Rollup, namespace string, t v1alpha1.IsolationFindingType, severity v1alpha1.Severity, message string) {
	report := r.Snapshot.Reports[namespace]
	report.Findings = append(report.Findings, v1alpha1.IsolationFinding{
		Type: t, Severity: severity, Namespace: namespace, Message: message, Since: metav1.NewTime(now),
		Object: v1alpha1.ObjectReference{Group: "networking.k8s.io", Kind: "NetworkPolicy", Namespace: namespace, Name: fmt.Sprint("p", len(report.Findings))},
	})
	r.Snapshot.Reports[namespace] = report
}

func TestIsolationIsBounded(t *testing.T) {
	t.Parallel()
	r := rollup("a", "b")
	for i := range 30 {
		found(&r, "b", v1alpha1.FindingNetworkExposure, v1alpha1.SeverityMedium, fmt.Sprint("opening ", i))
	}
	found(&r, "a", v1alpha1.FindingAccessExposure, v1alpha1.SeverityCritical, "the gravest")
	s := status.Compute(r)
	if len(s.Isolation.Findings) != v1alpha1.MaxIsolationFindings || s.Isolation.Truncated != 11 || s.Isolation.Findings[0].Message != "the gravest" {
		t.Errorf("%d findings, %d truncated, first %q", len(s.Isolation.Findings), s.Isolation.Truncated, s.Isolation.Findings[0].Message)
	}
	want := map[v1alpha1.IsolationFindingType]int{v1alpha1.FindingNetworkExposure: 30, v1alpha1.FindingAccessExposure: 1}
	if diff := cmp.Diff(want, r.FindingsByType()); diff != "" {
		t.Errorf("by type (-want +got):\n%s", diff)
	}
}

// TestForgedLabel is one finding, however many namespaces of the tenant it opens.
func TestForgedLabel(t *testing.T) {
	t.Parallel()
	r := rollup("a", "b", "c")
	forged := v1alpha1.ObjectReference{Kind: "Namespace", Name: "eve"}
	for i, name := range []string{"a", "b", "c"} {
		report := r.Snapshot.Reports[name]
		report.Findings = []v1alpha1.IsolationFinding{{
			Type: v1alpha1.FindingLabelExposure, Severity: v1alpha1.SeverityCritical, Namespace: name, Object: forged,
			Message: "namespace eve can reach " + name, Since: metav1.NewTime(now.Add(-time.Duration(i) * time.Minute)),
		}}
		r.Snapshot.Reports[name] = report
	}
	want := []v1alpha1.IsolationFinding{{
		Type: v1alpha1.FindingLabelExposure, Severity: v1alpha1.SeverityCritical, Object: forged,
		Message: "namespace eve can reach a; and 2 more openings of the tenant", Since: metav1.NewTime(now.Add(-2 * time.Minute)),
	}}
	previous := status.Compute(r)
	if diff := cmp.Diff(want, previous.Isolation.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	again := rollup("a", "b", "c")
	again.Previous = previous
	unjudged := again.Snapshot.Reports["b"]
	unjudged.Findings = nil
	again.Snapshot.Reports["b"] = unjudged
	if diff := cmp.Diff(want, status.Compute(again).Isolation.Findings); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// TestIsolationAcrossRestart keeps what was found, and since when, until each namespace has been judged again.
func TestIsolationAcrossRestart(t *testing.T) {
	t.Parallel()
	before := rollup("a", "b")
	found(&before, "a", v1alpha1.FindingNetworkExposure, v1alpha1.SeverityCritical, "open")
	previous := status.Compute(before)

	after := rollup("a", "b")
	after.Previous = previous
	unjudged := after.Snapshot.Reports["a"]
	unjudged.Findings = nil
	after.Snapshot.Reports["a"] = unjudged
	if s := status.Compute(after); status.IsolationRestored(&previous, &s) {
		t.Error("isolation is restored by a restart")
	}

	found(&after, "a", v1alpha1.FindingNetworkExposure, v1alpha1.SeverityCritical, "open")
	report := after.Snapshot.Reports["a"]
	report.Findings[0].Since = metav1.NewTime(now.Add(time.Hour))
	s := status.Compute(after)
	if got := s.Isolation.Findings[0].Since; len(s.Isolation.Findings) != 1 || !got.Equal(&previous.Isolation.Findings[0].Since) {
		t.Errorf("%d findings, since %s", len(s.Isolation.Findings), got)
	}
	if status.IsolationLost(&previous, &s) || len(status.NewFindings(after)) != 0 {
		t.Error("isolation is lost by a restart")
	}

	report.Findings = []v1alpha1.IsolationFinding{}
	after.Snapshot.Reports["a"] = report
	if s = status.Compute(after); !status.IsolationRestored(&previous, &s) {
		t.Error("isolation isn't restored when nothing opens the tenant any more")
	}
}

func TestLedgerOfFindings(t *testing.T) {
	t.Parallel()
	news := 0
	l := status.NewLedger()
	l.Notify(func(string) { news++ })
	record := func(findings []v1alpha1.IsolationFinding) int {
		before := news
		l.Record("acme", "a", status.Report{State: status.Applied, Outcome: done("a"), Findings: findings})
		return news - before
	}
	finding := v1alpha1.IsolationFinding{Type: v1alpha1.FindingNetworkExposure, Message: "open", Since: metav1.NewTime(now)}
	later := finding
	later.Since = metav1.NewTime(now.Add(time.Hour))
	record(nil)
	if record([]v1alpha1.IsolationFinding{}) != 1 {
		t.Error("that the namespace was judged, and is closed, is no news")
	}
	if record([]v1alpha1.IsolationFinding{finding}) != 1 {
		t.Error("a finding is no news")
	}
	if record([]v1alpha1.IsolationFinding{later}) != 0 {
		t.Error("the same finding is news")
	}
	if record(nil) != 0 || len(l.Snapshot("acme").Reports["a"].Findings) != 1 {
		t.Error("a pass that didn't judge took a finding away")
	}
	if got := l.Snapshot("acme").Reports["a"].Findings[0].Since; !got.Time.Equal(now) {
		t.Errorf("since %s", got)
	}
	if record([]v1alpha1.IsolationFinding{}) != 1 {
		t.Error("that nothing is open any more is no news")
	}
}

func TestLedgerOfDifferences(t *testing.T) {
	t.Parallel()
	var told []string
	l := status.NewLedger()
	l.NotifyDifferences(func(namespace string) { told = append(told, namespace) })
	detail := func(name string, action v1alpha1.DriftAction) v1alpha1.DriftReportItem {
		return v1alpha1.DriftReportItem{Object: v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: "a", Name: name},
			Type: v1alpha1.DriftFieldModified, Action: action, FirstSeen: metav1.NewTime(now)}
	}
	record := func(details ...v1alpha1.DriftReportItem) {
		l.Record("acme", "a", status.Report{State: status.Applied, Outcome: &engine.Outcome{Namespace: "a", Details: details}})
	}
	record()
	if len(told) != 0 {
		t.Error("a clean namespace makes work for reports")
	}
	if _, _, seen := l.Differences("acme", "b"); seen {
		t.Error("a namespace without a pass was seen")
	}
	record(detail("x", v1alpha1.DriftReported), detail("y", v1alpha1.DriftCorrected))
	record(detail("x", v1alpha1.DriftReported))
	open, closed, seen := l.Differences("acme", "a")
	if len(open) != 1 || len(closed) != 1 || !seen || len(told) != 2 {
		t.Errorf("%d open, %d closed, seen %v, told %v", len(open), len(closed), seen, told)
	}
	l.Reported("acme", "a", 1)
	record()
	if open, closed, _ = l.Differences("acme", "a"); len(open)+len(closed) != 0 || len(told) != 3 {
		t.Errorf("%d open, %d closed, told %v", len(open), len(closed), told)
	}
	for range 100 {
		record(detail("z", v1alpha1.DriftCorrected))
	}
	if _, closed, _ = l.Differences("acme", "a"); len(closed) != v1alpha1.MaxReportItems {
		t.Errorf("%d corrections are kept", len(closed))
	}
}
