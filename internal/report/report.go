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

// Package report makes the DriftReport of a namespace: what differs there, and lately did, field by field. It is sparse
// (no report where nothing does), bounded, and rebuilt from what the engine finds: nothing depends on it.
package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// MaxBytes bounds the content of a DriftReport as JSON.
const MaxBytes = 32 * 1024

// Input is what a report is made of.
type Input struct {
	// Previous is the last report that was written; nil if there is none.
	Previous *v1alpha1.DriftReportContent
	// Open are the differences now, those that a rule ignores included.
	Open []v1alpha1.DriftReportItem
	// Closed are the corrections since the last report, the latest last.
	Closed []v1alpha1.DriftReportItem
	// Now is the time, and Retention how long a closed difference is kept.
	Now       time.Time
	Retention time.Duration
}

// Compute makes the report and says when the next closed difference is to be dropped from it (zero if none). An empty
// report is to be deleted. The same input gives the same report, byte for byte.
func Compute(in Input) (v1alpha1.DriftReportContent, time.Duration) {
	open := slices.Clone(in.Open)
	closed := in.history()
	if in.Previous != nil {
		for i := range open {
			for j := range in.Previous.Items {
				if item := &in.Previous.Items[j]; item.LastSeen == nil && same(item, &open[i]) {
					open[i].FirstSeen = item.FirstSeen
				}
			}
		}
	}
	slices.SortStableFunc(open, compareOpen)
	content := v1alpha1.DriftReportContent{}
	for i := range open {
		if open[i].Action == v1alpha1.DriftIgnored {
			continue
		}
		content.Open++
		if open[i].Severity == v1alpha1.SeverityCritical {
			content.Critical++
		}
	}
	content.Items = append(open, closed...)
	content.Items = content.Items[:min(len(content.Items), v1alpha1.MaxReportItems)]
	shrink(&content)
	content.Truncated = int32(max(len(open)-len(content.Items), 0)) //nolint:gosec // a few hundred at most
	return content, in.next(content.Items)
}

// Empty reports whether a report says nothing.
func Empty(content *v1alpha1.DriftReportContent) bool {
	return len(content.Items) == 0 && content.Open == 0
}

// history are the closed differences, the latest first: those just corrected, those that went away by themselves, and
// those of the previous report that are young enough. The same difference closed again is counted.
func (in *Input) history() []v1alpha1.DriftReportItem {
	var closed []v1alpha1.DriftReportItem
	now := metav1.NewTime(in.Now.Truncate(time.Second))
	if in.Previous != nil {
		for _, item := range in.Previous.Items {
			switch {
			case item.LastSeen != nil:
				if in.Now.Before(item.LastSeen.Add(in.Retention)) {
					closed = append(closed, item)
				}
			case !contains(in.Open, &item) && !contains(in.Closed, &item):
				item.LastSeen = &now
				closed = remember(closed, item)
			}
		}
	}
	for _, item := range in.Closed {
		item.LastSeen = &now
		closed = remember(closed, item)
	}
	return closed
}

func contains(items []v1alpha1.DriftReportItem, item *v1alpha1.DriftReportItem) bool {
	return slices.ContainsFunc(items, func(o v1alpha1.DriftReportItem) bool { return same(&o, item) })
}

// same reports whether two items are about the same difference.
func same(a, b *v1alpha1.DriftReportItem) bool {
	return a.Object == b.Object && a.Type == b.Type
}

// remember puts an item in front; if the same was there, it is counted.
func remember(closed []v1alpha1.DriftReportItem, item v1alpha1.DriftReportItem) []v1alpha1.DriftReportItem {
	item.Count = 1
	at := slices.IndexFunc(closed, func(c v1alpha1.DriftReportItem) bool {
		return same(&c, &item) && c.Attribution.Manager == item.Attribution.Manager && slices.EqualFunc(c.Fields, item.Fields, samePath)
	})
	if at >= 0 {
		item.Count += closed[at].Count
		item.FirstSeen = closed[at].FirstSeen
		closed = slices.Delete(closed, at, at+1)
	}
	return slices.Insert(closed, 0, item)
}

func samePath(a, b v1alpha1.FieldDrift) bool { return a.Path == b.Path && a.Change == b.Change }

func compareOpen(a, b v1alpha1.DriftReportItem) int {
	ignored := func(i v1alpha1.DriftReportItem) int {
		if i.Action == v1alpha1.DriftIgnored {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(ignored(a), ignored(b)),
		a.Severity.Compare(b.Severity),
		cmp.Compare(a.Object.Kind, b.Object.Kind),
		cmp.Compare(a.Object.Name, b.Object.Name),
		cmp.Compare(a.Type, b.Type),
	)
}

// shrink drops the last items, and then fields, until the report fits its bound: values may be long.
func shrink(content *v1alpha1.DriftReportContent) {
	for len(content.Items) > 0 && size(content) > MaxBytes {
		last := len(content.Items) - 1
		if last == 0 && len(content.Items[0].Fields) > 0 {
			fields := content.Items[0].Fields
			content.Items[0].Fields = slices.Clone(fields[:len(fields)/2])
			continue
		}
		content.Items = content.Items[:last]
	}
}

func size(content *v1alpha1.DriftReportContent) int {
	raw, err := json.Marshal(content)
	if err != nil {
		return 0 // a report always encodes: it has no field that can fail
	}
	return len(raw)
}

// next is when the first of the closed differences has been kept long enough.
func (in *Input) next(items []v1alpha1.DriftReportItem) time.Duration {
	var next time.Duration
	for i := range items {
		if items[i].LastSeen == nil {
			continue
		}
		left := max(items[i].LastSeen.Add(in.Retention).Sub(in.Now), time.Second)
		if next == 0 || left < next {
			next = left
		}
	}
	return next
}
