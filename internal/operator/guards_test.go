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

package operator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

func TestGuardFlags(t *testing.T) {
	t.Parallel()
	type settings struct {
		GuardRails GuardRails
		Interval   time.Duration
		Groups     []string
	}
	cases := map[string]struct {
		args []string
		want settings
		err  string
	}{
		"default":  {nil, settings{GuardRailsRequired, 5 * time.Minute, guard.DefaultBreakGlass()}, ""},
		"optional": {[]string{"--guard-rails=Optional"}, settings{GuardRailsOptional, 5 * time.Minute, guard.DefaultBreakGlass()}, ""},
		"others": {[]string{"--guard-rails=Required", "--guard-probe-interval=0", "--break-glass-groups=a,b", "--break-glass-groups=c"},
			settings{GuardRailsRequired, 0, []string{"a", "b", "c"}}, ""},
		"neither": {[]string{"--guard-rails=required"}, settings{},
			`invalid argument "required" for "--guard-rails" flag: "required" is neither Required nor Optional`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, flags := Options{}, pflag.NewFlagSet("", pflag.ContinueOnError)
			o.Bind(flags)
			got := ""
			if err := flags.Parse(tc.args); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.err, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if tc.err != "" {
				return
			}
			if diff := cmp.Diff(tc.want, settings{o.GuardRails, o.GuardProbeInterval, o.BreakGlassGroups}); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
	o := Options{BreakGlassGroups: []string{""}}
	if _, err := o.expectedRails(); err == nil {
		t.Error("a group without a name is taken")
	}
	if rails, err := (&Options{}).expectedRails(); err != nil || len(rails) == 0 {
		t.Errorf("%d guard-rails, %v", len(rails), err)
	}
}

func TestTrimPolicy(t *testing.T) {
	t.Parallel()
	full := metav1.ObjectMeta{Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{
		{Manager: "kubectl"}, {Manager: "kube-controller-manager", Subresource: "status"},
	}}
	ours := metav1.ObjectMeta{Name: "bulkhead-x", Labels: full.Labels, Annotations: full.Annotations, ManagedFields: full.ManagedFields[:1]}
	theirs := metav1.ObjectMeta{Name: "x", ManagedFields: []metav1.ManagedFieldsEntry{}}
	policy := func(meta metav1.ObjectMeta, name string, spec string) client.Object {
		meta.Name = name
		return &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			ParamKind: &admissionregistrationv1.ParamKind{Kind: spec}}, Status: admissionregistrationv1.ValidatingAdmissionPolicyStatus{ObservedGeneration: 1}}
	}
	binding := func(meta metav1.ObjectMeta, name string, spec string) client.Object {
		meta.Name = name
		return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: spec}}
	}
	cases := map[string]struct{ object, want any }{
		"a policy of ours": {policy(full, "bulkhead-x", "s"), &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: ours,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{ParamKind: &admissionregistrationv1.ParamKind{Kind: "s"}}}},
		"a policy of others":   {policy(full, "x", "s"), &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: theirs}},
		"a binding of ours":    {binding(full, "bulkhead-x", "s"), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: ours, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "s"}}},
		"a binding of others":  {binding(full, "x", "s"), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: theirs}},
		"something else":       {&corev1.Namespace{ObjectMeta: full}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: full.Labels, Annotations: full.Annotations, ManagedFields: full.ManagedFields[:1]}}},
		"what has no metadata": {"tombstone", "tombstone"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if object, ok := tc.object.(client.Object); ok {
				copied, ok := object.DeepCopyObject().(client.Object)
				if !ok {
					t.Fatal("it can't be copied")
				}
				tc.object = copied
			}
			got, err := trimPolicy(tc.object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}
