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

package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

func TestSentence(t *testing.T) {
	t.Parallel()
	quota := v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: "a", Name: "bulkhead"}
	tests := map[string]struct {
		item v1alpha1.DriftItem
		want string
	}{
		"missing": {v1alpha1.DriftItem{Object: quota, Type: v1alpha1.DriftObjectMissing}, "ResourceQuota a/bulkhead: ObjectMissing"},
		"changed": {
			v1alpha1.DriftItem{Object: quota, Type: v1alpha1.DriftFieldModified, Paths: []string{"spec.hard[pods]", "spec.scopes"}, Manager: "kubectl-edit"},
			`ResourceQuota a/bulkhead: FieldModified spec.hard[pods], spec.scopes by field manager "kubectl-edit" (client-declared)`,
		},
		"a manager with a quote in its name": {
			v1alpha1.DriftItem{Object: quota, Type: v1alpha1.DriftFieldRemoved, Manager: `"`},
			`ResourceQuota a/bulkhead: FieldRemoved by field manager "\"" (client-declared)`,
		},
		"a known user": {
			v1alpha1.DriftItem{Object: quota, Type: v1alpha1.DriftFieldRemoved, User: "brook", Manager: "kubectl"},
			`ResourceQuota a/bulkhead: FieldRemoved by user "brook", field manager "kubectl" (client-declared)`,
		},
		"a known user who left no other trace": {
			v1alpha1.DriftItem{Object: quota, Type: v1alpha1.DriftFieldRemoved, User: "brook"}, `ResourceQuota a/bulkhead: FieldRemoved by user "brook"`,
		},
		"cluster-scoped": {
			v1alpha1.DriftItem{Object: v1alpha1.ObjectReference{Kind: "ClusterRole", Name: "x"}, Type: v1alpha1.DriftObjectMissing}, "ClusterRole x: ObjectMissing",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sentence(&tc.item); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	got := reference(v1alpha1.ObjectReference{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding", Namespace: "a", Name: "b"})
	want := &corev1.ObjectReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding", Namespace: "a", Name: "b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reference (-want +got):\n%s", diff)
	}
	if got := reference(v1alpha1.ObjectReference{Kind: "Namespace", Name: "a"}); got.APIVersion != "v1" {
		t.Errorf("version %s, want v1", got.APIVersion)
	}
}

// recorder notes events as "Type Reason related: note".
type recorder struct{ events []string }

//nolint:revive // the signature is client-go's
func (r *recorder) Eventf(_, related runtime.Object, eventType, reason, _, note string, args ...any) {
	name := "-"
	if ref, ok := related.(*corev1.ObjectReference); ok && ref != nil {
		name = ref.Kind + "/" + ref.Name
	}
	r.events = append(r.events, fmt.Sprintf("%s %s %s: ", eventType, reason, name)+fmt.Sprintf(note, args...))
}

func TestAnnounce(t *testing.T) {
	t.Parallel()
	item := func(name string, action v1alpha1.DriftAction) v1alpha1.DriftItem {
		return v1alpha1.DriftItem{Object: v1alpha1.ObjectReference{Kind: "ResourceQuota", Namespace: "a", Name: name}, Type: v1alpha1.DriftObjectMissing, Action: action}
	}
	tenant := &v1alpha1.Tenant{Spec: v1alpha1.TenantSpec{Members: []v1alpha1.Member{{Name: "guests", NotAfter: &metav1.Time{Time: time.Unix(1, 0)}}}}}
	r := &recorder{}
	announce(r, tenant, &engine.Outcome{
		Namespace: "a",
		Corrected: []v1alpha1.DriftItem{item("q", v1alpha1.DriftCorrected)},
		Open:      []v1alpha1.DriftItem{item("r", v1alpha1.DriftFailed), item("s", v1alpha1.DriftReported)},
		Withdrawn: []string{"bulkhead-guests", "bulkhead-other"},
	})
	want := []string{
		"Warning DriftDetected ResourceQuota/q: ResourceQuota a/q: ObjectMissing",
		"Normal DriftCorrected ResourceQuota/q: ResourceQuota a/q was brought back to intent",
		"Warning DriftCorrectionFailed ResourceQuota/r: ResourceQuota a/r: ObjectMissing; correcting it failed",
		"Normal AccessExpired RoleBinding/bulkhead-guests: access of member guests to namespace a ended as the spec says (notAfter)",
	}
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestPolicyReason(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want bool
	}{
		"a class that doesn't exist": {&policy.ClassNotFoundError{Name: "gold"}, true},
		"two default classes":        {fmt.Errorf("planning: %w", &policy.SeveralDefaultsError{Names: []string{"a", "b"}}), true},
		"anything else":              {errors.New("the API server is gone"), false},
		"nothing":                    {nil, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if reason, got := policyReason(tc.err); got != tc.want || got != (reason == v1alpha1.ReasonClassNotFound) {
				t.Errorf("reason %q, %v; want %v", reason, got, tc.want)
			}
		})
	}
}

func TestProvisioned(t *testing.T) {
	t.Parallel()
	ready := func(reason string, generation int64) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason, ObservedGeneration: generation}}
	}
	tests := map[string]struct {
		conditions []metav1.Condition
		want       bool
	}{
		"no status":        {nil, false},
		"all was applied":  {ready(v1alpha1.ReasonReconciled, 2), true},
		"an older spec":    {ready(v1alpha1.ReasonReconciled, 1), false},
		"only looked at":   {ready(v1alpha1.ReasonObserved, 2), false},
		"still under way":  {ready(v1alpha1.ReasonProgressing, 2), false},
		"something failed": {ready(v1alpha1.ReasonApplyFailed, 2), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: v1alpha1.TenantStatus{Conditions: tc.conditions}}
			if got := provisioned(tenant); got != tc.want {
				t.Errorf("provisioned: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTerminating(t *testing.T) {
	t.Parallel()
	deleted := &metav1.Time{Time: time.Unix(1, 0)}
	stuck := corev1.NamespaceCondition{Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue, Message: "some finalizer"}
	fine := corev1.NamespaceCondition{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionFalse, Message: "all content gone"}
	tests := map[string]struct {
		live *corev1.Namespace
		want string
	}{
		"gone":                 {nil, "deletion is about to start"},
		"not deleted yet":      {&corev1.Namespace{}, "deletion is about to start"},
		"going":                {&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: deleted}}, "its content is being removed"},
		"held by a finalizer":  {&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: deleted}, Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{fine, stuck}}}, "NamespaceFinalizersRemaining: some finalizer"},
		"with nothing to wait": {&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: deleted}, Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{fine}}}, "its content is being removed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := terminating(tc.live); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNewObject(t *testing.T) {
	t.Parallel()
	if got, err := newObject(clientgoscheme.Scheme, corev1.SchemeGroupVersion.WithKind("ResourceQuota")); err != nil || got == nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, gvk := range []schema.GroupVersionKind{{Kind: "Nothing"}, metav1.Unversioned.WithKind("Status")} {
		if _, err := newObject(clientgoscheme.Scheme, gvk); err == nil {
			t.Errorf("no error for %s", gvk)
		}
	}
}
