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

package quota

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

const (
	// name is the name of the ResourceQuota. The guard-rail in admission.yaml looks for it.
	name = "bulkhead"
)

// Room renders a ResourceQuota.
type Room struct{}

var (
	_ feature.Feature  = Room{}
	_ feature.Observer = Room{}
)

// Name implements feature.Feature.
func (Room) Name() string { return "quota" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionQuotaReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.quota" }

// Owns implements feature.Feature.
func (Room) Owns() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("ResourceQuota")}
}

// Render returns the ResourceQuota and the label that says that there must be one, or nothing without a budget. It never
// fails: which resources exist is for the API server to say.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if f.Policy.Quota == nil || len(f.Policy.Quota.PerNamespace) == 0 {
		return feature.Result{}, nil
	}
	quota := corev1ac.ResourceQuota(name, f.Namespace).
		WithSpec(corev1ac.ResourceQuotaSpec().WithHard(feature.Canonical(f.Policy.Quota.PerNamespace)))
	return feature.Result{Walls: []feature.Object{quota}, Labels: map[string]string{v1alpha1.GuardQuota: v1alpha1.GuardRequired}}, nil
}

// Observes implements feature.Observer.
func (r Room) Observes() []schema.GroupVersionKind { return r.Owns() }

// Observe implements feature.Observer: a ResourceQuota limits nothing until the quota controller has counted what
// is there and copied the budget into the status, from which admission reads it:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go
func (Room) Observe(live runtime.Object) feature.Observation {
	quota, ok := live.(*corev1.ResourceQuota)
	if !ok {
		return feature.Observation{}
	}
	for key, want := range quota.Spec.Hard {
		if got, counted := quota.Status.Hard[key]; !counted || got.Cmp(want) != 0 {
			return feature.Observation{Problem: &feature.Finding{
				Reason: v1alpha1.ReasonPending,
				Message: fmt.Sprintf("ResourceQuota %s/%s isn't in force yet: waiting for the quota controller",
					quota.Namespace, quota.Name),
			}}
		}
	}
	return feature.Observation{}
}
