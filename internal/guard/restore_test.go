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
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// reviewer answers reviews, and counts them.
type reviewer struct {
	allowed bool
	err     error
	asked   int
}

func (r *reviewer) client(objects ...client.Object) client.Client {
	return fake.NewClientBuilder().WithScheme(kubernetesscheme.Scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			if review, ok := object.(*authorizationv1.SelfSubjectAccessReview); ok {
				r.asked++
				review.Status.Allowed = r.allowed && review.Spec.ResourceAttributes.Verb == "create"
			}
			return r.err
		},
	}).Build()
}

func TestRestorerAllowed(t *testing.T) {
	t.Parallel()
	answers := &reviewer{allowed: true, err: errors.New("the API server starts")}
	restorer := NewRestorer(answers.client())
	clock := time.Unix(1000, 0)
	restorer.now = func() time.Time { return clock }
	check := func(want bool, asked int, failed bool) {
		t.Helper()
		got, err := restorer.Allowed(t.Context())
		if got != want || answers.asked != asked || (err != nil) != failed {
			t.Errorf("allowed is %v (%v) after %d questions, want %v after %d", got, err, answers.asked, want, asked)
		}
	}
	check(false, 1, true)
	answers.err = nil
	check(true, 2, false) // an error is no answer
	answers.allowed = false
	clock = clock.Add(askAgain - 1)
	check(true, 2, false)
	clock = clock.Add(1)
	check(false, 3, false)
	check(false, 3, false)
}

func TestRestore(t *testing.T) {
	t.Parallel()
	comparer, err := NewComparer(kubernetesscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	want, live := installed(t, "bulkhead-quota-ready")
	live.Policy.Spec.FailurePolicy = new(admissionregistrationv1.Ignore)
	live.Policy.Spec.MatchConditions = append(live.Policy.Spec.MatchConditions, admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
	live.Policy.UID, live.Policy.Generation = "1", 2
	c := (&reviewer{}).client(live.Policy)
	restorer := NewRestorer(c)
	find := func() Finding {
		t.Helper()
		policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		if err := c.Get(t.Context(), client.ObjectKey{Name: want.Name()}, policy); err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), client.ObjectKey{Name: want.Name()}, binding); apierrors.IsNotFound(err) {
			binding = nil
		}
		finding, err := comparer.Compare(want, policy, binding)
		if err != nil {
			t.Fatal(err)
		}
		return finding
	}
	stale := find()
	for _, half := range []*Half{&stale.Policy, &stale.Binding} {
		if done, wait, err := restorer.Restore(t.Context(), want, half); !done || wait != 0 || err != nil {
			t.Errorf("the %s: %v, %s, %v", half.noun(), done, wait, err)
		}
	}
	restored := find()
	if fault := restored.Fault(); fault != "" {
		t.Errorf("afterwards %s", fault)
	}
	if diff := cmp.Diff(want.Binding.Labels, restored.Binding.Live.GetLabels()); diff != "" {
		t.Errorf("labels of what was made anew (-want +got):\n%s", diff)
	}
}

// TestRestoreStale checks that what changed since it was looked at is left to the next look.
func TestRestoreStale(t *testing.T) {
	t.Parallel()
	want, live := installed(t, "bulkhead-quota-ready")
	half, err := wanted(policyKind, want.Name(), &want.Policy.Spec)
	if err != nil {
		t.Fatal(err)
	}
	half.Live = live.Policy
	resource := schema.GroupResource{Resource: "validatingadmissionpolicies"}
	for name, tc := range map[string]struct {
		answer error
		fails  bool
	}{
		"conflict":        {apierrors.NewConflict(resource, want.Name(), errors.New("no")), false},
		"gone":            {apierrors.NewNotFound(resource, want.Name()), false},
		"the test failed": {apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", "no", 0, false), false},
		"invalid":         {apierrors.NewInvalid(policyKind.GroupKind(), want.Name(), field.ErrorList{field.Required(field.NewPath("spec"), "no")}), true},
		"forbidden":       {apierrors.NewForbidden(resource, want.Name(), errors.New("no")), true},
		"no answer":       {errors.New("no"), true},
	} {
		c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return tc.answer
			},
		}).Build()
		if done, wait, err := NewRestorer(c).Restore(t.Context(), want, &half); done || (wait > 0) == tc.fails || (err != nil) != tc.fails {
			t.Errorf("%s: %v, %s, %v", name, done, wait, err)
		}
	}
}

// TestRestoreFight checks that someone who edits a guard-rail again and again slows the operator down.
func TestRestoreFight(t *testing.T) {
	t.Parallel()
	want, _ := installed(t, "bulkhead-quota-ready")
	answers := &reviewer{}
	c := answers.client()
	restorer := NewRestorer(c)
	half, err := wanted(policyKind, want.Name(), &want.Policy.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		done, wait, err := restorer.Restore(t.Context(), want, &half)
		switch {
		case err != nil:
			t.Fatal(err)
		case done == (wait > 0):
			t.Fatalf("attempt %d: done is %v, and it waits %s", i, done, wait)
		case wait > 0:
			return
		}
		if err := c.Delete(t.Context(), want.Policy.DeepCopy()); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("ten times without a pause")
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	want := ProbeMetadata{Labels: map[string]string{v1alpha1.LabelTenant: ""}, Annotations: map[string]string{"guard.bulkhead.dev/x": "1"}}
	cases := map[string]struct {
		labels, annotations map[string]string
		want                bool
	}{
		"as it must be":       {map[string]string{v1alpha1.LabelTenant: "", "team": "x"}, map[string]string{"guard.bulkhead.dev/x": "1", "note": "y"}, true},
		"nothing":             {nil, nil, false},
		"no label":            {nil, map[string]string{"guard.bulkhead.dev/x": "1"}, false},
		"a tenant's":          {map[string]string{v1alpha1.LabelTenant: "acme"}, map[string]string{"guard.bulkhead.dev/x": "1"}, false},
		"another value":       {map[string]string{v1alpha1.LabelTenant: ""}, map[string]string{"guard.bulkhead.dev/x": "2"}, false},
		"more than is needed": {map[string]string{v1alpha1.LabelTenant: ""}, map[string]string{"guard.bulkhead.dev/x": "1", "guard.bulkhead.dev/y": "1"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels, Annotations: tc.annotations}}
			if got := prepared(live, want); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestPrepare checks that a namespace is written only if it must be, and never made.
func TestPrepare(t *testing.T) {
	t.Parallel()
	rail := Rail{Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, Probe: &Probe{
		Namespace: ProbeMetadata{Annotations: map[string]string{"guard.bulkhead.dev/x": "1"}},
		Object:    unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"namespace": v1alpha1.GuardProbeNamespace}}},
	}}
	writes := 0
	builder := func(objects ...client.Object) client.Client {
		return fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
			Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
				writes++
				return c.Apply(ctx, object, opts...)
			},
		}).Build()
	}
	now := metav1.Now()
	live := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.GuardProbeNamespace}}
	going := live.DeepCopy()
	going.DeletionTimestamp, going.Finalizers = &now, []string{"kubernetes"}
	for name, tc := range map[string]struct {
		objects []client.Object
		want    int
	}{
		"missing": {nil, 0}, "going": {[]client.Object{going}, 0}, "bare": {[]client.Object{live}, 1},
	} {
		writes = 0
		c := builder(tc.objects...)
		site, err := NewSite(c, c, []Rail{rail})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := site.Prepare(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if writes != tc.want {
			t.Errorf("%s: %d writes, want %d", name, writes, tc.want)
		}
	}
}
