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
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// describe says what a judgement found, for the report. It must be asked before anything is corrected: a forced apply
// erases who did it.
func (j judgement) describe(intent *Intent, live client.Object, now time.Time) *v1alpha1.DriftReportItem {
	item := &v1alpha1.DriftReportItem{
		Object: intent.reference(), FirstSeen: seconds(now), Hint: intent.hint(),
		Attribution: v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown},
	}
	if j.missing {
		item.Type = v1alpha1.DriftObjectMissing
		item.Severity = drift.MissingSeverity(intent.GVK)
		return item
	}
	told := telling(j.difference)
	item.Type = j.difference.Type()
	item.Severity = drift.Severity(intent.GVK, j.difference)
	item.FieldCount = int32(len(told.Changes)) //nolint:gosec // a few hundred at most
	item.Fields = told.Fields(intent.GVK.GroupKind())
	if live != nil {
		item.Attribution = attribution(drift.Attribute(live, j.difference, v1alpha1.FieldManager))
	}
	if j.user != "" {
		item.Attribution.User, item.Attribution.Confidence = j.user, v1alpha1.ConfidenceAuthenticated
	}
	return item
}

// telling leaves the intent annotation out of a difference that says more: it differs whenever anything of ours is gone.
func telling(d drift.Difference) drift.Difference {
	own := "metadata.annotations[" + v1alpha1.AnnotationIntent + "]"
	if len(d.Changes) < 2 {
		return d
	}
	return drift.Difference{Changes: slices.DeleteFunc(slices.Clone(d.Changes), func(c drift.Change) bool { return c.Path == own })}
}

func attribution(a drift.Attribution) v1alpha1.Attribution {
	told := v1alpha1.Attribution{Manager: a.Manager, Operation: a.Operation, Subresource: a.Subresource, Time: a.Time}
	told.Confidence = v1alpha1.ConfidenceUnknown
	if a.Manager != "" {
		told.Confidence = v1alpha1.ConfidenceClaimed
	}
	return told
}

// Summary is a difference as status tells it: by its paths, without values.
func Summary(item *v1alpha1.DriftReportItem) v1alpha1.DriftItem {
	summary := v1alpha1.DriftItem{
		Object: item.Object, Type: item.Type, Severity: item.Severity, PathCount: item.FieldCount,
		Manager: item.Attribution.Manager, User: item.Attribution.User, Action: item.Action, FirstSeen: item.FirstSeen, Count: item.Count,
	}
	for _, field := range item.Fields[:min(len(item.Fields), v1alpha1.MaxDriftPaths)] {
		summary.Paths = append(summary.Paths, field.Path)
	}
	return summary
}

// hint says by which field of the Tenant the object would be changed for good.
func (i *Intent) hint() string {
	if i.Field == "" {
		return ""
	}
	return "to keep a change, make it in " + i.Field + " of Tenant " + i.Object.GetLabels()[v1alpha1.LabelTenant]
}

// stuckAfter is how long an object may take to be deleted before its waiting for finalizers is a finding.
const stuckAfter = 5 * time.Minute

// Stuck is the finding that an object is being deleted and doesn't go; nil, and when to look again, if it has time
// left. An object that isn't being deleted isn't stuck.
func Stuck(object v1alpha1.ObjectReference, deleted *metav1.Time, now time.Time) (*v1alpha1.DriftReportItem, time.Duration) {
	if deleted == nil {
		return nil, 0
	}
	if left := deleted.Add(stuckAfter).Sub(now); left > 0 {
		return nil, left
	}
	return &v1alpha1.DriftReportItem{
		Object: object, Type: v1alpha1.DriftObjectStuck, Severity: v1alpha1.SeverityHigh,
		Attribution: v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown},
		Action:      v1alpha1.DriftReported, FirstSeen: seconds(deleted.Add(stuckAfter)),
		Hint: "whoever set its finalizers must let go; Bulkhead strips nobody's",
	}, 0
}

// Unclaimed is the finding that a namespace carries a tenant's label although the tenant's spec doesn't list it.
func Unclaimed(live client.Object) v1alpha1.DriftReportItem {
	path := drift.LabelPath(v1alpha1.LabelTenant)
	difference := drift.Difference{Changes: []drift.Change{{Field: path, Type: v1alpha1.DriftFieldInjected}}}
	return v1alpha1.DriftReportItem{
		Object:      v1alpha1.ObjectReference{Kind: "Namespace", Name: live.GetName()},
		Type:        v1alpha1.DriftNamespaceUnclaimed,
		Severity:    v1alpha1.SeverityCritical,
		Fields:      []v1alpha1.FieldDrift{{Path: "metadata.labels[" + v1alpha1.LabelTenant + "]", Change: v1alpha1.FieldChangeInjected}},
		FieldCount:  1,
		Attribution: attribution(drift.Attribute(live, difference, "")),
		Action:      v1alpha1.DriftReported,
		FirstSeen:   seconds(time.Now()),
		Hint:        "list the namespace in spec.namespaces of the Tenant, or take the label off",
	}
}

// Observed is an outcome of nothing but findings that no pass made.
func Observed(tenant, namespace string, found ...v1alpha1.DriftReportItem) *Outcome {
	o := &Outcome{Tenant: tenant, Namespace: namespace, Details: found}
	for i := range found {
		o.Open = append(o.Open, Summary(&found[i]))
	}
	return o
}

// AddForeign adds the objects of others that open a namespace to the differences of an outcome, as ObjectForeign. They
// are never deleted: their owners may have a reason, and the tenant's admins are told what became reachable.
func (e *Engine) AddForeign(ctx context.Context, plan *Plan, o *Outcome, findings []v1alpha1.IsolationFinding) {
	seen := map[v1alpha1.ObjectReference]bool{}
	for _, intent := range plan.Objects() {
		seen[intent.reference()] = true
	}
	for i := range findings {
		finding := &findings[i]
		if seen[finding.Object] || finding.Object.Kind == "Namespace" {
			continue
		}
		seen[finding.Object] = true
		item := v1alpha1.DriftReportItem{
			Object: finding.Object, Type: v1alpha1.DriftObjectForeign, Severity: finding.Severity,
			Attribution: e.maker(ctx, finding.Object),
			Action:      v1alpha1.DriftReported, FirstSeen: finding.Since, Hint: redact.Text(finding.Message, 256),
		}
		o.Details = append(o.Details, item)
		o.Open = append(o.Open, Summary(&item))
	}
	slices.SortFunc(o.Open, CompareItems)
}

// maker says who made a foreign object what it is, as far as the object itself tells.
func (e *Engine) maker(ctx context.Context, ref v1alpha1.ObjectReference) v1alpha1.Attribution {
	unknown := v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown}
	made, err := e.scheme.New(schema.GroupVersionKind{Group: ref.Group, Version: "v1", Kind: ref.Kind})
	if err != nil {
		return unknown
	}
	object, ok := made.(client.Object)
	if !ok || e.reader.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object, client.UnsafeDisableDeepCopy) != nil {
		return unknown
	}
	return attribution(drift.LastWriter(object, v1alpha1.FieldManager))
}
