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

package drift

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func at(second int64) *metav1.Time {
	return &metav1.Time{Time: time.Unix(1700000000+second, 0)}
}

func entry(manager string, operation metav1.ManagedFieldsOperationType, time *metav1.Time, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Time: time, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func TestAttribute(t *testing.T) {
	t.Parallel()
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	change := func(driftType v1alpha1.DriftType, path ...any) Change {
		return Change{Type: driftType, Field: fieldpath.MakePathOrDie(path...)}
	}
	ingress := Difference{Changes: []Change{change(v1alpha1.DriftFieldInjected, "spec", "ingress")}}
	label := Difference{Changes: []Change{change(v1alpha1.DriftFieldModified, "metadata", "labels", "a")}}
	tests := map[string]struct {
		entries []metav1.ManagedFieldsEntry
		diff    Difference
		want    Attribution
	}{
		"no difference": {entries: []metav1.ManagedFieldsEntry{entry("kubectl", update, at(1), `{"f:spec":{"f:ingress":{}}}`)}},
		"nobody":        {diff: ingress},
		"the one who wrote the field": {
			entries: []metav1.ManagedFieldsEntry{
				entry("bulkhead", apply, at(9), `{"f:spec":{"f:podSelector":{}}}`),
				entry("other", update, at(8), `{"f:spec":{"f:egress":{}}}`),
				entry("kubectl-edit", update, at(3), `{"f:spec":{"f:ingress":{}}}`),
			},
			diff: ingress, want: Attribution{Manager: "kubectl-edit", Operation: "Update", Time: at(3)},
		},
		"the latest of several, in any order": {
			entries: []metav1.ManagedFieldsEntry{
				entry("first", apply, at(1), `{"f:spec":{"f:ingress":{}}}`),
				entry("last", apply, at(5), `{"f:spec":{"f:ingress":{}}}`),
				entry("second", update, at(3), `{"f:spec":{"f:ingress":{}}}`),
				entry("timeless", update, nil, `{"f:spec":{"f:ingress":{}}}`),
			},
			diff: ingress, want: Attribution{Manager: "last", Operation: "Apply", Time: at(5)},
		},
		"without a time": {
			entries: []metav1.ManagedFieldsEntry{entry("timeless", update, nil, `{"f:spec":{"f:ingress":{}}}`)},
			diff:    ingress, want: Attribution{Manager: "timeless", Operation: "Update"},
		},
		"never ourselves, not even by update": {
			entries: []metav1.ManagedFieldsEntry{
				entry("bulkhead", apply, at(9), `{"f:spec":{"f:ingress":{}}}`), entry("bulkhead", update, at(9), `{"f:spec":{"f:ingress":{}}}`),
			},
			diff: ingress,
		},
		"below the path": {
			entries: []metav1.ManagedFieldsEntry{entry("x", update, at(1), `{"f:metadata":{"f:ownerReferences":{".":{},"k:{\"uid\":\"a\"}":{}}}}`)},
			diff:    Difference{Changes: []Change{change(v1alpha1.DriftFieldInjected, "metadata", "ownerReferences")}},
			want:    Attribution{Manager: "x", Operation: "Update", Time: at(1)},
		},
		"above the path, as a leaf": {
			entries: []metav1.ManagedFieldsEntry{entry("x", update, at(1), `{"f:spec":{"f:hard":{}}}`)},
			diff:    Difference{Changes: []Change{change(v1alpha1.DriftFieldModified, "spec", "hard", "pods")}},
			want:    Attribution{Manager: "x", Operation: "Update", Time: at(1)},
		},
		"who wrote another label wrote not this one": {
			entries: []metav1.ManagedFieldsEntry{entry("x", update, at(1), `{"f:metadata":{"f:labels":{".":{},"f:b":{}}}}`)},
			diff:    label,
		},
		"a removed field leaves no trace": {
			entries: []metav1.ManagedFieldsEntry{entry("x", update, at(1), `{"f:metadata":{"f:labels":{".":{},"f:a":{}}}}`)},
			diff:    Difference{Changes: []Change{change(v1alpha1.DriftFieldRemoved, "metadata", "labels", "a")}},
		},
		"entries that can't be read": {
			entries: []metav1.ManagedFieldsEntry{
				{Manager: "empty"}, entry("broken", update, at(9), `{"f:spec":`), entry("x", update, at(1), `{"f:metadata":{"f:labels":{"f:a":{}}}}`),
			},
			diff: label, want: Attribution{Manager: "x", Operation: "Update", Time: at(1)},
		},
		"a name made to deceive": {
			entries: []metav1.ManagedFieldsEntry{{
				Manager: "a\n\u202e\x1b[31m\x00" + strings.Repeat("ä", 200), Operation: update, Subresource: "st\tatus", Time: at(1),
				FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:a":{}}}}`),
			}},
			diff: label,
			want: Attribution{Manager: "a???[31m?" + strings.Repeat("ä", 119), Operation: "Update", Subresource: "st?atus", Time: at(1)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{ManagedFields: tt.entries}}
			before := object.DeepCopy()
			if diff := cmp.Diff(tt.want, Attribute(object, tt.diff, v1alpha1.FieldManager)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(before, object); diff != "" {
				t.Errorf("the object changed: -before +after:\n%s", diff)
			}
		})
	}
}

// What Compare finds is attributed: the two agree on how paths are written.
func TestAttributeOfComparison(t *testing.T) {
	t.Parallel()
	comparer := newComparer(t)
	have, ok := live(t, edit(t, intentQuota, `"50"`, `"51"`, "acme}", "other}")).(metav1.Object)
	if !ok {
		t.Fatal("no object")
	}
	have.SetManagedFields(append(have.GetManagedFields(),
		entry("kubectl-patch", metav1.ManagedFieldsOperationUpdate, at(1), `{"f:spec":{"f:hard":{"f:pods":{}}}}`)))
	quota, ok := have.(*corev1.ResourceQuota)
	if !ok {
		t.Fatal("no quota")
	}
	d, err := comparer.Compare(object(t, intentQuota), quota)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"metadata.labels[tenancy.bulkhead.dev/tenant]", "spec.hard[pods]"}, d.Paths()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := Attribute(quota, d, v1alpha1.FieldManager).Manager; got != "kubectl-patch" {
		t.Errorf("got %q", got)
	}
}

func TestOwnsPath(t *testing.T) {
	t.Parallel()
	const fields = `{"f:metadata":{"f:labels":{"f:tenancy.bulkhead.dev/tenant":{}},"f:annotations":{"f:tenancy.bulkhead.dev/intent":{}}}}`
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	onStatus := entry("bulkhead", apply, at(1), fields)
	onStatus.Subresource = "status"
	tests := map[string]struct {
		entries []metav1.ManagedFieldsEntry
		path    fieldpath.Path
		want    bool
	}{
		"no entries":           {path: LabelPath(v1alpha1.LabelTenant)},
		"our label":            {entries: []metav1.ManagedFieldsEntry{entry("x", update, at(1), `{}`), entry("bulkhead", apply, at(1), fields)}, path: LabelPath(v1alpha1.LabelTenant), want: true},
		"our annotation":       {entries: []metav1.ManagedFieldsEntry{entry("bulkhead", apply, at(1), fields)}, path: AnnotationPath(v1alpha1.AnnotationIntent), want: true},
		"another label":        {entries: []metav1.ManagedFieldsEntry{entry("bulkhead", apply, at(1), fields)}, path: LabelPath("x")},
		"someone else's label": {entries: []metav1.ManagedFieldsEntry{entry("x", apply, at(1), fields)}, path: LabelPath(v1alpha1.LabelTenant)},
		"ours by update":       {entries: []metav1.ManagedFieldsEntry{entry("bulkhead", update, at(1), fields)}, path: LabelPath(v1alpha1.LabelTenant)},
		"ours by subresource":  {entries: []metav1.ManagedFieldsEntry{onStatus}, path: LabelPath(v1alpha1.LabelTenant)},
		"unreadable":           {entries: []metav1.ManagedFieldsEntry{entry("bulkhead", apply, at(1), `{"f:`)}, path: LabelPath(v1alpha1.LabelTenant)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{ManagedFields: tt.entries}}
			if got := OwnsPath(object, v1alpha1.FieldManager, tt.path); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
