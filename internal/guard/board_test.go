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

package guard

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestBoard(t *testing.T) {
	t.Parallel()
	var rails []Rail
	for _, name := range []string{"a", "b"} {
		rails = append(rails, Rail{Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}})
	}
	b := NewBoard(rails)
	pendingA, pendingB := Verdict{Policy: "a", State: Unknown, Pending: true}, Verdict{Policy: "b", State: Unknown, Pending: true}
	if diff := cmp.Diff([]Verdict{pendingA, pendingB}, b.Verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	steps := []struct {
		verdicts []Verdict
		changes  []Change
		ready    string
	}{
		{[]Verdict{pendingA, pendingB}, nil, "2 of 2 guard-rails are not proven: a: Unknown; b: Unknown"},
		{[]Verdict{{Policy: "a", State: Proven}, {Policy: "b", State: NotInstalled, Message: "its policy is not installed"}},
			[]Change{{pendingA, Verdict{Policy: "a", State: Proven}}, {pendingB, Verdict{Policy: "b", State: NotInstalled, Message: "its policy is not installed"}}},
			"1 of 2 guard-rails are not proven: b: NotInstalled: its policy is not installed"},
		{[]Verdict{{Policy: "a", State: Proven}, {Policy: "b", State: NotInstalled, Message: "its policy is not installed"}}, nil,
			"1 of 2 guard-rails are not proven: b: NotInstalled: its policy is not installed"},
		{[]Verdict{{Policy: "a", State: Proven}, {Policy: "b", State: NotApplicable}},
			[]Change{{Verdict{Policy: "b", State: NotInstalled, Message: "its policy is not installed"}, Verdict{Policy: "b", State: NotApplicable}}}, ""},
	}
	for i, step := range steps {
		if diff := cmp.Diff(step.changes, b.Publish(step.verdicts)); diff != "" {
			t.Errorf("step %d: changes (-want +got):\n%s", i, diff)
		}
		ready := ""
		if err := b.Ready(); err != nil {
			ready = err.Error()
		}
		if diff := cmp.Diff(step.ready, ready); diff != "" {
			t.Errorf("step %d: ready (-want +got):\n%s", i, diff)
		}
	}
	if got := (*Board)(nil).Verdicts(); got != nil {
		t.Errorf("nobody's verdicts are %v", got)
	}
}

func TestReliesOn(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		when, has []string
		want      bool
	}{
		"all":         {nil, nil, true},
		"one of them": {[]string{"a", "b"}, []string{"b", "c"}, true},
		"none":        {[]string{"a", "b"}, []string{"c"}, false},
		"nothing":     {[]string{"a"}, nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (&Verdict{When: tc.when}).ReliesOn(tc.has); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
