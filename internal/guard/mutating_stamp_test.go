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

package guard_test

import (
	"errors"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// stampWorld is what a StampWatch watches.
type stampWorld struct {
	stamp *guard.StampWatch
	now   time.Time
	// policy and binding are the shipped ones, others those of the defaults.
	policy  *admissionregistrationv1.MutatingAdmissionPolicy
	binding *admissionregistrationv1.MutatingAdmissionPolicyBinding
	others  []guard.Mutator
	// servesPolicies and servesBindings say what the API server knows.
	servesPolicies, servesBindings bool

	informers       *informertest.FakeInformers
	policies, bound *controllertest.FakeInformer
}

// mapper knows the kinds that are served.
func (w *stampWorld) mapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	version := admissionregistrationv1.SchemeGroupVersion
	if w.servesPolicies {
		mapper.Add(version.WithKind("MutatingAdmissionPolicy"), meta.RESTScopeRoot)
	}
	if w.servesBindings {
		mapper.Add(version.WithKind("MutatingAdmissionPolicyBinding"), meta.RESTScopeRoot)
	}
	return mapper
}

// newStampWorld is a world in which both kinds are served.
func newStampWorld(t *testing.T) *stampWorld {
	t.Helper()
	w := &stampWorld{now: time.Unix(1000, 0), servesPolicies: true, servesBindings: true, informers: &informertest.FakeInformers{}}
	var err error
	if w.stamp, err = guard.NewStampWatch(func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	for name, m := range mutators(t) {
		if name == identityPolicy {
			w.policy, w.binding = m.Policy, m.Binding
		} else {
			w.others = append(w.others, m)
		}
	}
	return w
}

func (w *stampWorld) watch(t *testing.T) {
	t.Helper()
	if err := w.stamp.Watch(t.Context(), w.informers, w.mapper()); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.policies, err = w.informers.FakeInformerFor(t.Context(), w.policy); err != nil {
		t.Fatal(err)
	}
	if w.bound, err = w.informers.FakeInformerFor(t.Context(), w.binding); err != nil {
		t.Fatal(err)
	}
}

// defaulted is a policy as the API server shows it.
func defaulted(policy *admissionregistrationv1.MutatingAdmissionPolicy) *admissionregistrationv1.MutatingAdmissionPolicy {
	policy = policy.DeepCopy()
	policy.UID, policy.Generation, policy.ResourceVersion = "1", 1, "7"
	all := admissionregistrationv1.AllScopes
	match := policy.Spec.MatchConstraints
	match.NamespaceSelector = &metav1.LabelSelector{}
	for i := range match.ResourceRules {
		match.ResourceRules[i].Scope = &all
	}
	return policy
}

func TestStamp(t *testing.T) {
	t.Parallel()
	type world = stampWorld
	install := func(w *world) { w.policies.Add(defaulted(w.policy)); w.bound.Add(w.binding) }
	later := func(w *world) { w.now = w.now.Add(5 * time.Second) }
	edit := func(change func(*admissionregistrationv1.MutatingAdmissionPolicySpec)) func(*world) {
		return func(w *world) {
			edited := defaulted(w.policy)
			change(&edited.Spec)
			w.policies.Update(defaulted(w.policy), edited)
		}
	}
	tests := map[string]struct {
		steps []func(*world)
		want  bool
	}{
		"nothing is installed": {steps: []func(*world){later}},
		"a moment ago":         {steps: []func(*world){install}},
		"some seconds ago":     {steps: []func(*world){install, later}, want: true},
		"the policy alone":     {steps: []func(*world){func(w *world) { w.policies.Add(defaulted(w.policy)) }, later}},
		"the binding alone":    {steps: []func(*world){func(w *world) { w.bound.Add(w.binding) }, later}},
		"others": {steps: []func(*world){func(w *world) {
			for _, m := range w.others {
				w.policies.Add(defaulted(m.Policy))
				w.bound.Add(m.Binding)
			}
		}, later}},
		"it ignores its failures": {steps: []func(*world){install, later, edit(func(s *admissionregistrationv1.MutatingAdmissionPolicySpec) {
			ignore := admissionregistrationv1.Ignore
			s.FailurePolicy = &ignore
		}), later}},
		"it stamps another name": {steps: []func(*world){install, later, edit(func(s *admissionregistrationv1.MutatingAdmissionPolicySpec) {
			s.Mutations[0].JSONPatch.Expression = "[]"
		}), later}},
		"it spares somebody": {steps: []func(*world){install, later, edit(func(s *admissionregistrationv1.MutatingAdmissionPolicySpec) {
			s.MatchConditions = append(s.MatchConditions, admissionregistrationv1.MatchCondition{Name: "x", Expression: "request.userInfo.username != 'eve'"})
		}), later}},
		"it is for fewer objects": {steps: []func(*world){install, later, edit(func(s *admissionregistrationv1.MutatingAdmissionPolicySpec) {
			s.MatchConstraints.NamespaceSelector.MatchLabels = map[string]string{"a": "b"}
		}), later}},
		"nothing is edited": {steps: []func(*world){install, later, edit(func(*admissionregistrationv1.MutatingAdmissionPolicySpec) {})}, want: true},
		"edited and back a moment ago": {steps: []func(*world){install, later, edit(func(s *admissionregistrationv1.MutatingAdmissionPolicySpec) { s.Variables = nil }),
			later, edit(func(*admissionregistrationv1.MutatingAdmissionPolicySpec) {})}},
		"edited and back": {steps: []func(*world){install, later, edit(func(s *admissionregistrationv1.MutatingAdmissionPolicySpec) { s.Variables = nil }),
			edit(func(*admissionregistrationv1.MutatingAdmissionPolicySpec) {}), later}, want: true},
		"bound elsewhere": {steps: []func(*world){install, later, func(w *world) {
			edited := w.binding.DeepCopy()
			edited.Spec.MatchResources = &admissionregistrationv1.MatchResources{}
			w.bound.Update(w.binding, edited)
		}, later}},
		"on its way out": {steps: []func(*world){install, later, func(w *world) {
			going := defaulted(w.policy)
			going.DeletionTimestamp = &metav1.Time{Time: w.now}
			w.policies.Update(defaulted(w.policy), going)
		}, later}},
		"the policy is gone":  {steps: []func(*world){install, later, func(w *world) { w.policies.Delete(defaulted(w.policy)) }, later}},
		"the binding is gone": {steps: []func(*world){install, later, func(w *world) { w.bound.Delete(w.binding) }, later}},
		"others are gone": {steps: []func(*world){install, later, func(w *world) {
			w.policies.Delete(w.others[0].Policy)
			w.bound.Delete(w.others[0].Binding)
		}}, want: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStampWorld(t)
			w.watch(t)
			for _, step := range tc.steps {
				step(w)
			}
			if got := w.stamp.Stamped(); got != tc.want {
				t.Errorf("Stamped() = %t", got)
			}
		})
	}
}

// TestStampUnserved checks that an API server without the kinds is no error: it stamps nothing.
func TestStampUnserved(t *testing.T) {
	t.Parallel()
	for name, serves := range map[string][2]bool{"neither": {}, "policies alone": {true, false}, "bindings alone": {false, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStampWorld(t)
			w.servesPolicies, w.servesBindings = serves[0], serves[1]
			// A watch of what isn't served would never begin, and the operator would wait for it.
			w.informers.Error = errors.New("watched")
			if err := w.stamp.Watch(t.Context(), w.informers, w.mapper()); err != nil {
				t.Error(err)
			}
			if w.stamp.Stamped() {
				t.Error("the stamp is believed")
			}
		})
	}
}

// brokenMapper can't ask the API server.
type brokenMapper struct{ meta.RESTMapper }

func (brokenMapper) RESTMapping(schema.GroupKind, ...string) (*meta.RESTMapping, error) {
	return nil, errors.New("no answer")
}

func TestStampFailures(t *testing.T) {
	t.Parallel()
	w := newStampWorld(t)
	if err := w.stamp.Watch(t.Context(), w.informers, brokenMapper{}); err == nil {
		t.Error("an API server that doesn't answer is taken for one that doesn't serve the kinds")
	}
	w.informers.Error = errors.New("no watch")
	if err := w.stamp.Watch(t.Context(), w.informers, w.mapper()); err == nil {
		t.Error("a watch that can't begin is no error")
	}
}
