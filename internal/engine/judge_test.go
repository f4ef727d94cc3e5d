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
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/applyconfigurations"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

func newEngine(t *testing.T) *Engine {
	t.Helper()
	comparer, err := drift.NewComparer(clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{comparer: comparer, journal: NewJournal(), fights: drift.NewFights(10, time.Now, func() float64 { return 0 }), scheme: clientgoscheme.Scheme, now: time.Now}
}

func mustIntent(t *testing.T, room string, object feature.Object) *Intent {
	t.Helper()
	intent, err := newIntent("acme", room, object)
	if err != nil {
		t.Fatal(err)
	}
	return intent
}

// stored is the object of an intent as the cache holds it: typed, and with what the API server adds.
func stored[T client.Object](t *testing.T, intent *Intent, into T) T {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(intent.Object.Object, into); err != nil {
		t.Fatal(err)
	}
	into.SetUID("1")
	into.SetResourceVersion("10")
	into.SetCreationTimestamp(metav1.NewTime(time.Unix(1, 0)))
	into.SetManagedFields([]metav1.ManagedFieldsEntry{ours(t, intent, v1alpha1.AnnotationIntent)})
	return into
}

// ours is the entry of an apply of the intent, as the API server notes it; of annotations it owns only these.
func ours(t *testing.T, intent *Intent, annotations ...string) metav1.ManagedFieldsEntry {
	t.Helper()
	typed, err := applyconfigurations.NewTypeConverter(clientgoscheme.Scheme).ObjectToTyped(intent.Object)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := typed.ToFieldSet()
	if err != nil {
		t.Fatal(err)
	}
	for key := range intent.Object.GetAnnotations() {
		if !slices.Contains(annotations, key) {
			fields = fields.Difference(fieldpath.NewSet(drift.AnnotationPath(key)))
		}
	}
	raw, err := fields.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	return metav1.ManagedFieldsEntry{
		Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(raw)),
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	same := func(*corev1.ResourceQuota) {}
	edit := func(q *corev1.ResourceQuota) { q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("999") }
	// older makes the object that of an older spec, applied by us.
	older := func(q *corev1.ResourceQuota) { edit(q); q.Annotations[v1alpha1.AnnotationIntent] = "v1:older" }
	foreign := func(q *corev1.ResourceQuota) {
		edit(q)
		q.ManagedFields, q.Annotations, q.Labels = nil, nil, nil
	}
	const hash = "the hash of the intent"
	tests := map[string]struct {
		// live changes what is live; nil means that nothing is.
		live func(*corev1.ResourceQuota)
		// past is what the journal holds; hash stands for the intent's own.
		past    *entry
		known   bool
		want    verdict
		missing bool
	}{
		"nothing was there yet":                      {want: outdated, missing: true},
		"it was there before this process started":   {known: true, want: drifted, missing: true},
		"our write isn't in the cache yet":           {past: &entry{version: "10", hash: hash}, want: lagging, missing: true},
		"our write of an older intent isn't, either": {past: &entry{version: "10", hash: "old"}, want: outdated, missing: true},
		"the cache had shown it, so it is gone":      {past: &entry{uid: "1", version: "10", hash: hash, settled: true}, want: drifted, missing: true},
		"it was there and its deletion was reported": {past: &entry{hash: hash}, want: drifted, missing: true},
		"we deleted it ourselves, to replace it":     {past: &entry{uid: "1", deleted: true}, want: outdated, missing: true},
		"even if it was there before, we deleted it": {past: &entry{uid: "1", deleted: true}, known: true, want: outdated, missing: true},
		"it is as it must be":                        {live: same, want: settled},
		"it is as it must be, and was judged":        {live: same, past: &entry{uid: "1", version: "10", hash: hash, settled: true}, want: settled},
		"our write shows":                            {live: same, past: &entry{uid: "1", version: "10", hash: hash}, want: settled},
		"the cache is behind our write":              {live: edit, past: &entry{uid: "1", version: "11", hash: hash}, want: lagging},
		"the cache is behind our older write":        {live: edit, past: &entry{uid: "1", version: "11", hash: "old"}, want: outdated},
		"the cache doesn't show our deletion":        {live: same, past: &entry{uid: "1", deleted: true}, want: lagging},
		"after our deletion a new one appeared":      {live: edit, past: &entry{uid: "0", deleted: true}, want: drifted},
		"someone changed it":                         {live: edit, want: drifted},
		"someone changed it after we judged it":      {live: edit, past: &entry{uid: "1", version: "9", hash: hash, settled: true}, want: drifted},
		"a judgement is of one version only":         {live: edit, past: &entry{uid: "2", version: "10", hash: hash, settled: true}, want: drifted},
		"a judgement is of one intent only":          {live: older, past: &entry{uid: "1", version: "10", hash: "old", settled: true}, want: outdated},
		"applying it changed nothing":                {live: edit, past: &entry{uid: "1", version: "10", hash: hash, futile: true}, want: unmovable},
		"applying it changed nothing, then it moved": {live: edit, past: &entry{uid: "1", version: "9", hash: hash, futile: true}, want: drifted},
		"applying another intent changed nothing":    {live: older, past: &entry{uid: "1", version: "10", hash: "old", futile: true}, want: outdated},
		"the spec is newer":                          {live: older, want: outdated},
		"the spec is newer, and it was known":        {live: older, known: true, want: outdated},
		"someone took our annotation off": {
			live: func(q *corev1.ResourceQuota) { delete(q.Annotations, v1alpha1.AnnotationIntent) }, want: drifted,
		},
		"someone forged our annotation": {
			live: func(q *corev1.ResourceQuota) {
				older(q)
				q.ManagedFields = []metav1.ManagedFieldsEntry{{
					Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
					FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`),
				}}
			}, want: drifted,
		},
		"its values are ours, its managed fields are gone": {
			live: func(q *corev1.ResourceQuota) { q.ManagedFields = nil }, want: drifted,
		},
		"someone else's object is in the way":                  {live: foreign, want: outdated},
		"someone else's object is in the place of ours":        {live: foreign, known: true, want: drifted},
		"someone else's object replaced the one that we wrote": {live: foreign, past: &entry{uid: "0", hash: hash}, want: drifted},
		"what others add to metadata doesn't count": {
			live: func(q *corev1.ResourceQuota) {
				q.Labels["team"], q.Annotations["note"], q.Finalizers = "x", "y", []string{"z"}
				q.Status.Used = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("3")}
			}, want: settled,
		},
		"another spelling doesn't count": {
			live: func(q *corev1.ResourceQuota) { q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("10000m") }, want: settled,
		},
		"an owner reference does": {
			live: func(q *corev1.ResourceQuota) { q.OwnerReferences = []metav1.OwnerReference{{Name: "x"}} }, want: drifted,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			intent := mustIntent(t, "quota", quotaConfig("q", "acme-dev", "10"))
			if tc.past != nil {
				past := *tc.past
				if past.hash == hash {
					past.hash = intent.Hash
				}
				e.journal.put(intent.id(), past)
			}
			var live client.Object
			if tc.live != nil {
				q := stored(t, intent, &corev1.ResourceQuota{})
				tc.live(q)
				live = q
			}
			got, err := e.judge(intent, live, Pass{Known: tc.known})
			if err != nil {
				t.Fatal(err)
			}
			if got.verdict != tc.want || got.missing != tc.missing {
				t.Errorf("verdict %d, missing %v; want %d, %v (%v)", got.verdict, got.missing, tc.want, tc.missing, got.difference.Paths())
			}
			if after, _ := e.journal.get(intent.id()); live != nil && got.verdict == settled && !after.settled {
				t.Errorf("what was judged isn't noted: %+v", after)
			}
		})
	}
}

func TestJudgeFails(t *testing.T) {
	t.Parallel()
	intent := mustIntent(t, "quota", quotaConfig("q", "acme-dev", "10"))
	if _, err := newEngine(t).judge(intent, &corev1.LimitRange{}, Pass{}); err == nil {
		t.Error("a LimitRange was compared with a ResourceQuota")
	}
}

func TestImmutable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*rbacv1.RoleBinding)
		want   bool
	}{
		"another role":     {func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "cluster-admin" }, true},
		"another subject":  {func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "mallory" }, false},
		"a label":          {func(b *rbacv1.RoleBinding) { b.Labels[v1alpha1.LabelTenant] = "zeta" }, false},
		"nothing":          {func(*rbacv1.RoleBinding) {}, false},
		"role and subject": {func(b *rbacv1.RoleBinding) { b.RoleRef.Name, b.Subjects = "cluster-admin", nil }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intent := mustIntent(t, "access", bindingConfig("b", "acme-dev", "view"))
			live := stored(t, intent, &rbacv1.RoleBinding{})
			tc.change(live)
			j, err := newEngine(t).judge(intent, live, Pass{})
			if err != nil {
				t.Fatal(err)
			}
			if j.immutable() != tc.want {
				t.Errorf("immutable is %v, want %v: %v", j.immutable(), tc.want, j.difference.Paths())
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	intent := mustIntent(t, "quota", quotaConfig("q", "acme-dev", "10"))
	live := stored(t, intent, &corev1.ResourceQuota{})
	live.Labels = nil
	for i := range 7 {
		live.Spec.Hard[corev1.ResourceName(fmt.Sprint("count/x", i))] = resource.MustParse("1")
	}
	live.ManagedFields = append(live.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:hard":{"f:count/x0":{}}}}`),
	})
	now := time.Date(2026, 3, 1, 12, 0, 0, 999, time.UTC)
	object := v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: "acme-dev", Name: "q"}
	e := newEngine(t)
	j, err := e.judge(intent, live, Pass{})
	if err != nil {
		t.Fatal(err)
	}
	hint := "to keep a change, make it in spec.quota of Tenant acme"
	intent.Field = "spec.quota"
	var fields []v1alpha1.FieldDrift
	for i := range 7 {
		fields = append(fields, v1alpha1.FieldDrift{
			Path: fmt.Sprintf("spec.hard[count/x%d]", i), Change: v1alpha1.FieldChangeInjected, Actual: `"1"`,
		})
	}
	// What was opened comes before labels, which are gone too.
	for key, value := range map[string]string{v1alpha1.LabelManagedBy: "bulkhead", v1alpha1.LabelFeature: "quota", v1alpha1.LabelTenant: "acme"} {
		fields = append(fields, v1alpha1.FieldDrift{
			Path: "metadata.labels[" + key + "]", Change: v1alpha1.FieldChangeRemoved, Expected: fmt.Sprintf("%q", value),
		})
	}
	slices.SortStableFunc(fields[7:], func(a, b v1alpha1.FieldDrift) int { return strings.Compare(a.Path, b.Path) })
	want := &v1alpha1.DriftReportItem{
		Object: object, Type: v1alpha1.DriftFieldInjected, Severity: v1alpha1.SeverityHigh, FieldCount: 10, Fields: fields,
		Attribution: v1alpha1.Attribution{Manager: "kubectl-edit", Operation: "Update", Confidence: v1alpha1.ConfidenceClaimed},
		FirstSeen:   metav1.NewTime(now.Truncate(time.Second)), Hint: hint,
	}
	found := j.describe(intent, live, now)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	summary := v1alpha1.DriftItem{
		Object: object, Type: v1alpha1.DriftFieldInjected, Severity: v1alpha1.SeverityHigh, PathCount: 10, Manager: "kubectl-edit",
		FirstSeen: metav1.NewTime(now.Truncate(time.Second)),
		Paths:     []string{"spec.hard[count/x0]", "spec.hard[count/x1]", "spec.hard[count/x2]", "spec.hard[count/x3]", "spec.hard[count/x4]"},
	}
	if diff := cmp.Diff(summary, Summary(found)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if j, err = e.judge(intent, nil, Pass{Known: true}); err != nil {
		t.Fatal(err)
	}
	want = &v1alpha1.DriftReportItem{
		Object: object, Type: v1alpha1.DriftObjectMissing, Severity: v1alpha1.SeverityHigh, FirstSeen: metav1.NewTime(now.Truncate(time.Second)),
		Attribution: v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown}, Hint: hint,
	}
	if diff := cmp.Diff(want, j.describe(intent, nil, now)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}
