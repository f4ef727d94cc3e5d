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

package survey_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// large is a cluster of so many tenants of three namespaces each, in which nothing has drifted.
func large(b *testing.B, tenants int) *survey.Survey {
	b.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		b.Fatal(err)
	}
	options := facts.Options{DNS: feature.DNS{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53}}}
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}}}
	add := func(intents []*engine.Intent) {
		for _, intent := range intents {
			made, err := scheme.New(intent.GVK)
			if err != nil {
				b.Fatal(err)
			}
			object, ok := made.(client.Object)
			if !ok {
				b.Fatalf("%T is no object", made)
			}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(intent.Object.Object, object); err != nil {
				b.Fatal(err)
			}
			object.SetManagedFields([]metav1.ManagedFieldsEntry{{
				Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: intent.GVK.GroupVersion().String(),
				FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:tenancy.bulkhead.dev/tenant":{}}}}`),
			}})
			objects = append(objects, object)
		}
	}
	for i := range tenants {
		name := fmt.Sprintf("t%04d", i)
		held := []string{name + "-a", name + "-b", name + "-c"}
		tenant := builders.MakeTenant(name).Namespaces(held...).Member("owners", v1alpha1.RoleAdmin, builders.Group(name)).
			Policy(builders.Quota(corev1.ResourcePods, "20")).Obj()
		objects = append(objects, tenant)
		for _, namespace := range held {
			known, _, err := options.Build(tenant, nil, namespace, time.Now())
			if err != nil {
				b.Fatal(err)
			}
			plan, err := engine.NewPlan(features.All(), engine.NamespaceInput(known, facts.Spec(tenant, namespace)))
			if err != nil {
				b.Fatal(err)
			}
			add(plan.Objects())
		}
		known, _ := (facts.Options{}).Tenant(tenant, nil, held, time.Now())
		plan, err := engine.NewTenantPlan(features.All(), known)
		if err != nil {
			b.Fatal(err)
		}
		add(plan.Objects())
	}
	held, err := snapshot.New(scheme, snapshot.Kinds(features.All()), objects...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := survey.New(survey.Options{Reader: held, Scheme: scheme, Facts: options, Features: features.All()})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkSurvey(b *testing.B) {
	for _, tenants := range []int{100, 1000} {
		names := make([]string, 0, tenants)
		for i := range tenants {
			names = append(names, fmt.Sprintf("t%04d", i))
		}
		b.Run(fmt.Sprintf("diff/tenants=%d", tenants), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := large(b, tenants)
				b.StartTimer()
				if _, err := s.Diff(b.Context(), names); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("verify/tenants=%d", tenants), func(b *testing.B) {
			s := large(b, tenants)
			for b.Loop() {
				if v, err := s.Verify(b.Context(), names); err != nil || !v.Tenants[0].Isolated {
					b.Fatalf("error %v, or not isolated", err)
				}
			}
		})
	}
}
