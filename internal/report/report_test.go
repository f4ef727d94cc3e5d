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

package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const retention = time.Hour

func at(ago time.Duration) *metav1.Time {
	t := metav1.NewTime(now.Add(-ago))
	return &t
}

// item is a difference of a ResourceQuota, first seen a minute ago.
func item(name string, action v1alpha1.DriftAction, changes ...func(*v1alpha1.DriftReportItem)) v1alpha1.DriftReportItem {
	i := v1alpha1.DriftReportItem{
		Object: v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: "acme-dev", Name: name},
		Type:   v1alpha1.DriftFieldModified, Severity: v1alpha1.SeverityHigh, Action: action,
		Fields:     []v1alpha1.FieldDrift{{Path: "spec.hard[pods]", Change: v1alpha1.FieldChangeModified}},
		FieldCount: 1, FirstSeen: *at(time.Minute),
	}
	for _, change := range changes {
		change(&i)
	}
	return i
}

func critical(i *v1alpha1.DriftReportItem) { i.Severity = v1alpha1.SeverityCritical }

func closedAgo(ago time.Duration, count int32) func(*v1alpha1.DriftReportItem) {
	return func(i *v1alpha1.DriftReportItem) { i.LastSeen, i.Count = at(ago), count }
}

func seenAgo(ago time.Duration) func(*v1alpha1.DriftReportItem) {
	return func(i *v1alpha1.DriftReportItem) { i.FirstSeen = *at(ago) }
}

func by(manager string) func(*v1alpha1.DriftReportItem) {
	return func(i *v1alpha1.DriftReportItem) { i.Attribution.Manager = manager }
}

func TestCompute(t *testing.T) {
	t.Parallel()
	const reported, corrected, ignored = v1alpha1.DriftReported, v1alpha1.DriftCorrected, v1alpha1.DriftIgnored
	type items = []v1alpha1.DriftReportItem
	tests := map[string]struct {
		previous, open, closed items
		want                   v1alpha1.DriftReportContent
		next                   time.Duration
	}{
		"nothing": {},
		"what is open, the gravest first, what is ignored last": {
			open: items{item("a", ignored, critical), item("b", reported), item("c", reported, critical)},
			want: v1alpha1.DriftReportContent{Open: 2, Critical: 1, Items: items{
				item("c", reported, critical), item("b", reported), item("a", ignored, critical),
			}},
		},
		"what was corrected is history for a while": {
			closed: items{item("a", corrected), item("b", corrected)},
			want: v1alpha1.DriftReportContent{Items: items{
				item("b", corrected, closedAgo(0, 1)), item("a", corrected, closedAgo(0, 1)),
			}},
			next: retention,
		},
		"what recurs is counted": {
			previous: items{item("a", corrected, closedAgo(time.Minute, 3), seenAgo(time.Hour/2)), item("b", corrected, closedAgo(time.Hour/2, 1))},
			closed:   items{item("a", corrected), item("a", corrected)},
			want: v1alpha1.DriftReportContent{Items: items{
				item("a", corrected, closedAgo(0, 5), seenAgo(time.Hour/2)), item("b", corrected, closedAgo(time.Hour/2, 1)),
			}},
			next: retention / 2,
		},
		"another manager is another difference": {
			previous: items{item("a", corrected, by("eve"), closedAgo(time.Minute, 1))},
			closed:   items{item("a", corrected, by("bob"))},
			want: v1alpha1.DriftReportContent{Items: items{
				item("a", corrected, by("bob"), closedAgo(0, 1)), item("a", corrected, by("eve"), closedAgo(time.Minute, 1)),
			}},
			next: retention - time.Minute,
		},
		"what went away by itself becomes history": {
			previous: items{item("a", reported, seenAgo(time.Hour/2))},
			want:     v1alpha1.DriftReportContent{Items: items{item("a", reported, seenAgo(time.Hour/2), closedAgo(0, 1))}},
			next:     retention,
		},
		"since when something is open survives a restart": {
			previous: items{item("a", reported, seenAgo(3*time.Hour))},
			open:     items{item("a", reported)},
			want:     v1alpha1.DriftReportContent{Open: 1, Items: items{item("a", reported, seenAgo(3*time.Hour))}},
		},
		"history that is old enough is dropped": {
			previous: items{item("a", corrected, closedAgo(retention, 7))},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := Input{Open: tc.open, Closed: tc.closed, Now: now, Retention: retention}
			if tc.previous != nil {
				in.Previous = &v1alpha1.DriftReportContent{Items: tc.previous}
			}
			got, next := Compute(in)
			if len(got.Items) == 0 {
				got.Items = nil
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if next != tc.next {
				t.Errorf("come back in %s, want %s", next, tc.next)
			}
			if Empty(&got) != (len(tc.want.Items) == 0) {
				t.Errorf("empty: %v", Empty(&got))
			}
		})
	}
}

// TestComputeSettles makes the same report again of what it made: otherwise it would be written for ever.
func TestComputeSettles(t *testing.T) {
	t.Parallel()
	first, _ := Compute(Input{
		Open:   []v1alpha1.DriftReportItem{item("a", v1alpha1.DriftReported), item("b", v1alpha1.DriftIgnored)},
		Closed: []v1alpha1.DriftReportItem{item("c", v1alpha1.DriftCorrected)}, Now: now, Retention: retention,
	})
	second, _ := Compute(Input{
		Previous: &first, Open: []v1alpha1.DriftReportItem{item("b", v1alpha1.DriftIgnored), item("a", v1alpha1.DriftReported)},
		Now: now.Add(time.Minute), Retention: retention,
	})
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("changed though nothing did (-first +second):\n%s", diff)
	}
}

func TestComputeIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\u2028", v1alpha1.MaxFieldValue) // six bytes each in JSON
	var open []v1alpha1.DriftReportItem
	for i := range 100 {
		one := item(fmt.Sprintf("%s-%03d", strings.Repeat("n", 200), i), v1alpha1.DriftReported)
		one.Fields = nil
		for j := range v1alpha1.MaxReportFields {
			one.Fields = append(one.Fields, v1alpha1.FieldDrift{Path: fmt.Sprint(strings.Repeat("p", 200), j), Expected: long, Actual: long})
		}
		open = append(open, one)
	}
	content, _ := Compute(Input{Open: open, Closed: open, Now: now, Retention: retention})
	if got := size(&content); got > MaxBytes {
		t.Errorf("%d bytes", got)
	}
	if len(content.Items) == 0 || content.Open != 100 || int(content.Truncated) != 100-len(content.Items) {
		t.Errorf("%d items, open %d, truncated %d", len(content.Items), content.Open, content.Truncated)
	}
	few, _ := Compute(Input{Open: open[:1], Now: now, Retention: retention})
	if len(few.Items) != 1 || len(few.Items[0].Fields) == 0 {
		t.Errorf("of one large difference nothing is left: %d items", len(few.Items))
	}
	if len(open[0].Fields) != v1alpha1.MaxReportFields {
		t.Error("the input was changed")
	}
}
