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
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func TestStampOf(t *testing.T) {
	t.Parallel()
	const by, from = v1alpha1.AnnotationLastChangedBy, v1alpha1.AnnotationLastChangedFrom
	tests := map[string]struct {
		annotations map[string]string
		want        Stamp
		ok          bool
	}{
		"none":                {},
		"a change":            {annotations: map[string]string{by: "brook", from: "7"}, want: Stamp{User: "brook", From: "7"}, ok: true},
		"the creation":        {annotations: map[string]string{by: "brook", from: ""}, want: Stamp{User: "brook"}, ok: true},
		"half of one":         {annotations: map[string]string{by: "brook"}},
		"the other half":      {annotations: map[string]string{from: "7"}},
		"nobody":              {annotations: map[string]string{by: "", from: "7"}},
		"what can't be seen":  {annotations: map[string]string{by: "a\nb\u202ec", from: "7"}, want: Stamp{User: "a?b?c", From: "7"}, ok: true},
		"more than the bound": {annotations: map[string]string{by: strings.Repeat("ü", 300), from: "7"}, want: Stamp{User: strings.Repeat("ü", 256), From: "7"}, ok: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stamp, ok := StampOf(&metav1.ObjectMeta{Annotations: tc.annotations})
			if diff := cmp.Diff(tc.want, stamp); diff != "" || ok != tc.ok {
				t.Errorf("ok %t (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// TestStampIsNoDrift checks that what the API server writes on each change isn't taken for a difference, and that nothing
// else beside it is spared.
func TestStampIsNoDrift(t *testing.T) {
	t.Parallel()
	comparer := newComparer(t)
	stamp := map[string]string{v1alpha1.AnnotationLastChangedBy: "brook", v1alpha1.AnnotationLastChangedFrom: "7"}
	intent := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	intent.SetName("acme-dev")
	intent.SetLabels(map[string]string{v1alpha1.LabelTenant: "acme"})
	tests := map[string]struct {
		ours   map[string]string
		change func(*corev1.Namespace)
		want   []string
	}{
		"beside none of ours": {},
		"beside ours":         {ours: map[string]string{v1alpha1.AnnotationIntent: "v1:x"}},
		"beside an injected one": {
			change: func(n *corev1.Namespace) { n.Annotations[v1alpha1.Prefix+"last-changed-for"] = "x" },
			want:   []string{"metadata.annotations[tenancy.bulkhead.dev/last-changed-for]"},
		},
		"as labels": {
			change: func(n *corev1.Namespace) { n.Labels[v1alpha1.AnnotationLastChangedBy] = "x" },
			want:   []string{"metadata.labels[tenancy.bulkhead.dev/last-changed-by]"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intent := intent.DeepCopy()
			if tc.ours != nil {
				intent.SetAnnotations(tc.ours)
			}
			live := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-dev", Labels: map[string]string{v1alpha1.LabelTenant: "acme"}, Annotations: map[string]string{}}}
			maps.Copy(live.Annotations, tc.ours)
			maps.Copy(live.Annotations, stamp)
			if tc.change != nil {
				tc.change(live)
			}
			difference, err := comparer.Compare(intent, live)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, difference.Paths()); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}
