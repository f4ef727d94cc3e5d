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
	"fmt"
	"slices"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingadmissionpolicies;mutatingadmissionpolicybindings,verbs=list;watch

const (
	// identityName is the name of the policy that stamps what is changed with the name of who does.
	identityName = "bulkhead-identity"
	// stampSettles is how long the policy must have been there. Each API server takes about a second until a policy is
	// in force, and nothing says when it is.
	stampSettles = 5 * time.Second
)

// StampWatch knows whether the API server stamps what is changed with the name of who does (MutatingAdmissionPolicy
// bulkhead-identity), so that the stamp may be believed. It is safe for concurrent use.
type StampWatch struct {
	want Mutator
	now  func() time.Time

	mu      sync.Mutex
	policy  bool
	binding bool
	since   time.Time
}

// NewStampWatch makes a StampWatch that believes nothing until it watches. The clock is time.Now if it is nil.
func NewStampWatch(now func() time.Time) (*StampWatch, error) {
	shipped, err := ShippedMutators()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(shipped, func(m Mutator) bool { return m.Name() == identityName })
	if at < 0 {
		return nil, fmt.Errorf("there is no policy %s", identityName)
	}
	if now == nil {
		now = time.Now
	}
	return &StampWatch{want: shipped[at], now: now}, nil
}

// Stamped reports whether the policy and its binding are installed and unedited, and have been for some seconds. It is
// never so where the API server doesn't serve their kinds. It doesn't block.
func (s *StampWatch) Stamped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy && s.binding && s.now().Sub(s.since) >= stampSettles
}

// Watch starts to watch the policy and its binding, and returns at once. Where the API server doesn't serve their kinds
// it does nothing; an API server that serves them later is only noticed by the next process.
func (s *StampWatch) Watch(ctx context.Context, watches cache.Informers, mapper meta.RESTMapper) error {
	kinds := map[string]client.Object{
		"MutatingAdmissionPolicy":        &admissionregistrationv1.MutatingAdmissionPolicy{},
		"MutatingAdmissionPolicyBinding": &admissionregistrationv1.MutatingAdmissionPolicyBinding{},
	}
	for kind := range kinds {
		gvk := admissionregistrationv1.SchemeGroupVersion.WithKind(kind)
		_, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("finding out whether the API server serves %s: %w", kind, err)
		}
	}
	handler := toolscache.ResourceEventHandlerFuncs{
		AddFunc: s.see, UpdateFunc: func(_, object any) { s.see(object) }, DeleteFunc: s.forget,
	}
	for kind, object := range kinds {
		informer, err := watches.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %s: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watching %s: %w", kind, err)
		}
	}
	return nil
}

// see takes a live policy or binding.
func (s *StampWatch) see(object any) {
	switch live := object.(type) {
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		if live.Name == identityName {
			s.set(&s.policy, live.DeletionTimestamp == nil && samePolicy(s.want.Policy, live))
		}
	case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
		if live.Name == identityName {
			s.set(&s.binding, live.DeletionTimestamp == nil && sameBinding(s.want.Binding, live))
		}
	}
}

// forget takes a policy or a binding that is gone.
func (s *StampWatch) forget(object any) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	switch gone := object.(type) {
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		if gone.Name == identityName {
			s.set(&s.policy, false)
		}
	case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
		if gone.Name == identityName {
			s.set(&s.binding, false)
		}
	}
}

// set notes that one of the two is as it must be, or isn't. The time starts anew with every change.
func (s *StampWatch) set(half *bool, sound bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *half != sound {
		*half, s.since = sound, s.now()
	}
}

// samePolicy reports whether a live policy does what it must, the API server's defaults included.
func samePolicy(want, live *admissionregistrationv1.MutatingAdmissionPolicy) bool {
	specs := []*admissionregistrationv1.MutatingAdmissionPolicySpec{want.Spec.DeepCopy(), live.Spec.DeepCopy()}
	for _, spec := range specs {
		setDefault(&spec.FailurePolicy, admissionregistrationv1.Fail)
		defaultMatch(spec.MatchConstraints)
	}
	return equality.Semantic.DeepEqual(specs[0], specs[1])
}

// sameBinding reports whether a live binding puts the policy in force wherever it must be.
func sameBinding(want, live *admissionregistrationv1.MutatingAdmissionPolicyBinding) bool {
	specs := []*admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{want.Spec.DeepCopy(), live.Spec.DeepCopy()}
	for _, spec := range specs {
		defaultMatch(spec.MatchResources)
	}
	return equality.Semantic.DeepEqual(specs[0], specs[1])
}
