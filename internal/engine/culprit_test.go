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
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// stamp puts the stamp of a change, made to a version, on an object; the change makes version 10 of it.
func stamp(object client.Object, user, from string) {
	annotations := object.GetAnnotations()
	annotations[v1alpha1.AnnotationLastChangedBy], annotations[v1alpha1.AnnotationLastChangedFrom] = user, from
	object.SetAnnotations(annotations)
}

func TestCulprit(t *testing.T) {
	t.Parallel()
	const hash = "the hash of the intent"
	judged := entry{uid: "1", version: "9", hash: hash, settled: true}
	seen := func(drifted string) entry { past := judged; past.drifted = drifted; return past }
	widen := func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "mallory"; stamp(b, "brook", "9") }
	tests := map[string]struct {
		past    entry
		change  func(*rbacv1.RoleBinding)
		unsound bool
		want    string
		manager string
	}{
		"one request changed what was judged":        {past: judged, change: widen, want: "brook"},
		"the same again":                             {past: seen("10"), change: widen, want: "brook"},
		"it differed before":                         {past: seen("9.5"), change: widen},
		"the policy isn't in force":                  {past: judged, change: widen, unsound: true},
		"nothing was judged":                         {change: widen},
		"an older version was judged":                {past: entry{uid: "1", version: "8", hash: hash, settled: true}, change: widen},
		"it was written and not judged yet":          {past: entry{uid: "1", version: "9", hash: hash}, change: widen},
		"another intent was judged":                  {past: entry{uid: "1", version: "9", hash: "old", settled: true}, change: widen},
		"another object was judged":                  {past: entry{uid: "0", version: "9", hash: hash, settled: true}, change: widen},
		"applying it changed nothing":                {past: entry{uid: "1", version: "9", hash: hash, futile: true}, change: widen},
		"the last change was made to a later one":    {past: judged, change: func(b *rbacv1.RoleBinding) { widen(b); stamp(b, "eve", "9.5") }},
		"the last change was made to an older one":   {past: judged, change: func(b *rbacv1.RoleBinding) { widen(b); stamp(b, "eve", "8") }},
		"the last change was the creation":           {past: judged, change: func(b *rbacv1.RoleBinding) { widen(b); stamp(b, "eve", "") }},
		"without a stamp":                            {past: judged, change: func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "mallory" }},
		"the operator itself":                        {past: judged, change: func(b *rbacv1.RoleBinding) { widen(b); stamp(b, "operator", "9") }},
		"a removal, which leaves no trace":           {past: judged, change: func(b *rbacv1.RoleBinding) { delete(b.Labels, v1alpha1.LabelTenant); stamp(b, "brook", "9") }, want: "brook"},
		"in our manager's name":                      {past: judged, change: func(b *rbacv1.RoleBinding) { widen(b) }, want: "brook"},
		"managed fields alone, which aren't stamped": {past: judged, change: func(b *rbacv1.RoleBinding) { b.ManagedFields = nil; stamp(b, "brook", "9") }},
		"a name that can't be seen":                  {past: judged, change: func(b *rbacv1.RoleBinding) { widen(b); stamp(b, "a\u202eb", "9") }, want: "a?b"},
		"with the name of its manager": {past: judged, manager: "kubectl-edit", want: "brook", change: func(b *rbacv1.RoleBinding) {
			widen(b)
			b.ManagedFields = append(b.ManagedFields, metav1.ManagedFieldsEntry{
				Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:subjects":{}}`),
			})
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.stamped, e.self = func() bool { return !tc.unsound }, "operator"
			intent := mustIntent(t, "access", bindingConfig("b", "acme-dev", "view"))
			if tc.past.hash == hash {
				tc.past.hash = intent.Hash
			}
			if tc.past.uid != "" {
				e.journal.put(intent.id(), tc.past)
			}
			live := stored(t, intent, &rbacv1.RoleBinding{})
			tc.change(live)
			// It is asked as long as it differs.
			for range 2 {
				j, err := e.judge(intent, live, Pass{Known: true})
				if err != nil {
					t.Fatal(err)
				}
				if j.difference.Empty() {
					t.Fatal("nothing differs")
				}
				got := j.describe(intent, live, e.now()).Attribution
				want := v1alpha1.Attribution{User: tc.want, Manager: got.Manager, Operation: got.Operation, Confidence: got.Confidence}
				if tc.want != "" {
					want.Confidence = v1alpha1.ConfidenceAuthenticated
				} else if got.Confidence == v1alpha1.ConfidenceAuthenticated {
					want.Confidence = v1alpha1.ConfidenceUnknown
				}
				if diff := cmp.Diff(want, got); diff != "" || got.Manager != tc.manager {
					t.Errorf("manager %q (-want +got):\n%s", got.Manager, diff)
				}
			}
		})
	}
}

// TestCulpritOfLaterVersions checks that who made a difference isn't named for another's, nor another for his.
func TestCulpritOfLaterVersions(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.stamped = func() bool { return true }
	intent := mustIntent(t, "access", bindingConfig("b", "acme-dev", "view"))
	live := stored(t, intent, &rbacv1.RoleBinding{})
	steps := []struct {
		name    string
		version string
		change  func()
		want    string
	}{
		{"as it must be", "10", func() { stamp(live, "operator", "") }, ""},
		{"somebody changes it", "11", func() { live.Subjects[0].Name = "mallory"; stamp(live, "brook", "10") }, "brook"},
		{"another adds a label", "12", func() { live.Labels["mine"] = "1"; stamp(live, "eve", "11") }, ""},
		{"without a stamp something else is changed", "13", func() { live.Labels[v1alpha1.LabelTenant] = "x"; stamp(live, "brook", "10") }, ""},
		{"all is as it must be again", "14", func() {
			live.Subjects[0].Name, live.Labels[v1alpha1.LabelTenant] = intentSubject(t, intent), "acme"
			stamp(live, "eve", "13")
		}, ""},
		{"another changes it", "15", func() { live.Subjects = nil; stamp(live, "eve", "14") }, "eve"},
	}
	for _, step := range steps {
		step.change()
		live.ResourceVersion = step.version
		j, err := e.judge(intent, live, Pass{Mode: v1alpha1.DriftObserve, Known: true})
		if err != nil {
			t.Fatal(err)
		}
		if j.user != step.want {
			t.Errorf("%s: %q is named, want %q (%v)", step.name, j.user, step.want, j.difference.Paths())
		}
	}
}

// intentSubject is the first subject of the intent of a binding.
func intentSubject(t *testing.T, intent *Intent) string {
	t.Helper()
	return stored(t, intent, &rbacv1.RoleBinding{}).Subjects[0].Name
}

// TestCulpritOfQuota checks that the stamp of a quota isn't believed: its status is the way past it.
func TestCulpritOfQuota(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.stamped = func() bool { return true }
	intent := mustIntent(t, "quota", quotaConfig("q", "acme-dev", "10"))
	live := stored(t, intent, &corev1.ResourceQuota{})
	e.journal.put(intent.id(), entry{uid: types.UID("1"), version: "9", hash: intent.Hash, settled: true})
	live.Spec.Hard = nil
	stamp(live, "brook", "9")
	j, err := e.judge(intent, live, Pass{Known: true})
	if err != nil {
		t.Fatal(err)
	}
	if j.user != "" || j.difference.Empty() {
		t.Errorf("%q is named for %v", j.user, j.difference.Paths())
	}
}
