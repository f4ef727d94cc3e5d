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
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// schedule is a queue that notes what is put into it, and when it is due.
type schedule struct {
	queue
	due map[string]time.Duration
}

func (s *schedule) Add(r reconcile.Request)                           { s.due[r.Name] = 0 }
func (s *schedule) AddAfter(r reconcile.Request, after time.Duration) { s.due[r.Name] = after }

func TestGuardChanged(t *testing.T) {
	t.Parallel()
	r := &GuardReconciler{}
	handler := r.changed(installed)
	object := named(&corev1.Namespace{}, "a")
	for name, tell := range map[string]func(queue){
		"created": func(q queue) { handler.Create(t.Context(), event.CreateEvent{Object: object}, q) },
		"updated": func(q queue) { handler.Update(t.Context(), event.UpdateEvent{ObjectOld: object, ObjectNew: object}, q) },
		"deleted": func(q queue) { handler.Delete(t.Context(), event.DeleteEvent{Object: object}, q) },
	} {
		q := &schedule{due: map[string]time.Duration{}}
		r.stale = staleness{}
		before := time.Now()
		tell(q)
		if diff := cmp.Diff(map[string]time.Duration{installed: 0, inForce: takesForce}, q.due); diff != "" {
			t.Errorf("%s: queued (-want +got):\n%s", name, diff)
		}
		if early, next := r.stale.take(before); early || next.Before(before.Add(takesForce)) {
			t.Errorf("%s: all is proven anew at %s, %s after the change", name, next, next.Sub(before))
		}
		if late, next := r.stale.take(time.Now().Add(takesForce)); !late || !next.IsZero() {
			t.Errorf("%s: the proof isn't stale in time; then at %s", name, next)
		}
	}
}

// TestStaleness checks that each of several changes is followed by a proof of its own, and that they can't put it off for
// ever.
func TestStaleness(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	s := &staleness{}
	steps := []struct {
		from []int
		at   int
		want bool
		next int
	}{
		{nil, 0, false, 0},
		{[]int{2}, 1, false, 2},
		{[]int{3}, 2, true, 3},
		{[]int{4}, 3, true, 4},
		{nil, 4, true, 0},
		{nil, 5, false, 0},
		{[]int{6, 7, 6}, 8, true, 0},
		{[]int{8}, 8, true, 0},
	}
	for i, step := range steps {
		for _, from := range step.from {
			s.from(at(from))
		}
		want := time.Time{}
		if step.next > 0 {
			want = at(step.next)
		}
		if got, next := s.take(at(step.at)); got != step.want || !next.Equal(want) {
			t.Errorf("step %d: %v, next at %s; want %v, %s", i, got, next, step.want, want)
		}
	}
}

// TestGuardPredicates checks what changes lead to a new proof.
func TestGuardPredicates(t *testing.T) {
	t.Parallel()
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	r := &GuardReconciler{Rails: rails}
	policy := func(name string, change ...func(*admissionregistrationv1.ValidatingAdmissionPolicy)) client.Object {
		p := named(&admissionregistrationv1.ValidatingAdmissionPolicy{}, name)
		for _, c := range change {
			c(p)
		}
		return p
	}
	binding := func(change ...func(*admissionregistrationv1.ValidatingAdmissionPolicyBinding)) client.Object {
		b := named(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, "bulkhead-images")
		for _, c := range change {
			c(b)
		}
		return b
	}
	slice := func(address string, port int32) client.Object {
		return &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}}, Ports: []discoveryv1.EndpointPort{{Port: &port}}}
	}
	touched := func(object client.Object) client.Object {
		object.SetResourceVersion("2")
		object.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "x"}})
		return object
	}
	cases := map[string]struct {
		predicate     predicate.Predicate
		before, after client.Object
		want          bool
	}{
		"a guard-rail":       {r.shipped(), nil, policy("bulkhead-images"), true},
		"a policy of others": {r.shipped(), nil, policy("images"), false},
		"a policy's status":  {guardChanged(), policy("a"), policy("a", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) { p.Status.ObservedGeneration = 1 }), false},
		"a policy's labels":  {guardChanged(), policy("a"), touched(policy("a")), false},
		"a policy's spec": {guardChanged(), policy("a"), policy("a", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
			p.Spec.Variables = make([]admissionregistrationv1.Variable, 1)
		}), true},
		"a binding's labels":          {guardChanged(), binding(), touched(binding()), false},
		"a binding's spec":            {guardChanged(), binding(), binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) { b.Spec.PolicyName = "x" }), true},
		"something else":              {guardChanged(), named(&corev1.Namespace{}, "a"), named(&corev1.Namespace{}, "a"), true},
		"the probe namespace":         {probeNamespace(), nil, named(&corev1.Namespace{}, v1alpha1.GuardProbeNamespace), true},
		"the other one":               {probeNamespace(), nil, named(&corev1.Namespace{}, v1alpha1.GuardProbeQuotaNamespace), true},
		"another namespace":           {probeNamespace(), nil, named(&corev1.Namespace{}, "acme-prod"), false},
		"a namespace's version":       {metadataChanged(), named(&corev1.Namespace{}, "a"), touched(named(&corev1.Namespace{}, "a")), false},
		"a namespace's label":         {metadataChanged(), named(&corev1.Namespace{}, "a"), named(&corev1.Namespace{}, "a", "x", "y"), true},
		"the same endpoints":          {endpointsChanged(), slice("192.0.2.1", 1), touched(slice("192.0.2.1", 1)), false},
		"another endpoint":            {endpointsChanged(), slice("192.0.2.1", 1), slice("192.0.2.2", 1), true},
		"another port":                {endpointsChanged(), slice("192.0.2.1", 1), slice("192.0.2.1", 2), true},
		"an API that is asked about":  {r.probed(), nil, named(&metav1.PartialObjectMetadata{}, "httproutes.gateway.networking.k8s.io"), true},
		"another API":                 {r.probed(), nil, named(&metav1.PartialObjectMetadata{}, "widgets.example.com"), false},
		"an API of the core's name":   {r.probed(), nil, named(&metav1.PartialObjectMetadata{}, "pods"), true},
		"an annotation of it changed": {metadataChanged(), named(&corev1.Namespace{}, "a"), annotated(named(&corev1.Namespace{}, "a")), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tc.predicate.Create(event.CreateEvent{Object: tc.after})
			if tc.before != nil {
				got = tc.predicate.Update(event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after})
			}
			if got != tc.want {
				t.Errorf("lets pass: %v, want %v", got, tc.want)
			}
		})
	}
}

func annotated(object client.Object) client.Object {
	object.SetAnnotations(maps.Clone(map[string]string{"a": "b"}))
	return object
}

// TestGuardAlarms checks that what is said of guard-rails isn't left out for other events.
func TestGuardAlarms(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{v1alpha1.EventGuardLost, v1alpha1.EventGuardRestored} {
		if !isAlarm(reason) {
			t.Errorf("%s is no alarm", reason)
		}
	}
	if slices.ContainsFunc([]string{v1alpha1.EventDriftDetected, v1alpha1.EventDriftCorrected}, isAlarm) {
		t.Error("everything is an alarm")
	}
}
