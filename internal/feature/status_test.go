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

package feature_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

func TestReadStatus(t *testing.T) {
	t.Parallel()
	object := func(status any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"kind": "K", "metadata": map[string]any{"namespace": "ns", "name": "n", "generation": int64(3)}, "status": status,
		}}
	}
	tests := map[string]struct {
		live runtime.Object
		none bool
		want []metav1.Condition
	}{
		"nothing":              {live: nil, none: true},
		"a nil pointer":        {live: (*unstructured.Unstructured)(nil), none: true},
		"a kind with a type":   {live: &corev1.Pod{}, none: true},
		"no status":            {live: object(nil)},
		"a status of its own":  {live: object("fine")},
		"conditions of none":   {live: object(map[string]any{"conditions": "fine"})},
		"what no condition is": {live: object(map[string]any{"conditions": []any{1, "x", nil, map[string]any{"type": 1}, map[string]any{"status": "True"}}})},
		"conditions": {
			live: object(map[string]any{"conditions": []any{
				map[string]any{"type": "B", "status": "True", "reason": "R", "message": "M", "observedGeneration": int64(2)},
				map[string]any{"type": "A", "status": true},
			}}),
			want: []metav1.Condition{{Type: "B", Status: metav1.ConditionTrue, Reason: "R", Message: "M", ObservedGeneration: 2}, {Type: "A"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := feature.ReadStatus(tc.live)
			if ok == tc.none {
				t.Fatalf("ok = %v", ok)
			}
			if !ok {
				return
			}
			if diff := cmp.Diff(tc.want, got.Conditions); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Kind != "K" || got.Namespace != "ns" || got.Name != "n" || got.Generation != 3 || got.Object == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"empty":          {"", ""},
		"short":          {"it failed", "it failed"},
		"lines":          {" a\n\n b\t\x1b[31mc\u2028d ", "a b [31mc d"},
		"as long as can": {strings.Repeat("é", 200), strings.Repeat("é", 200)},
		"too long":       {strings.Repeat("é", 201), strings.Repeat("é", 199) + "…"},
		"not UTF-8":      {"a\xffb", "a\ufffdb"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, feature.OneLine(tc.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCanonicalSelector(t *testing.T) {
	t.Parallel()
	in := &metav1.LabelSelector{
		MatchLabels: map[string]string{"a": "b"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "z", Operator: metav1.LabelSelectorOpExists},
			{Key: "y", Operator: metav1.LabelSelectorOpIn, Values: []string{"2", "1", "2"}},
			{Key: "z", Operator: metav1.LabelSelectorOpExists},
		},
	}
	before := in.DeepCopy()
	want := &metav1.LabelSelector{
		MatchLabels: map[string]string{"a": "b"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "y", Operator: metav1.LabelSelectorOpIn, Values: []string{"1", "2"}}, {Key: "z", Operator: metav1.LabelSelectorOpExists},
		},
	}
	if diff := cmp.Diff(want, feature.CanonicalSelector(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, in); diff != "" {
		t.Errorf("it was changed:\n%s", diff)
	}
	if diff := cmp.Diff(&metav1.LabelSelector{}, feature.CanonicalSelector(nil)); diff != "" {
		t.Errorf("of nothing:\n%s", diff)
	}
}
