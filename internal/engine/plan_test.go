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

package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

var (
	quotaGVK   = corev1.SchemeGroupVersion.WithKind("ResourceQuota")
	bindingGVK = rbacv1.SchemeGroupVersion.WithKind("RoleBinding")
)

// room is a feature that renders what it is told to.
type room struct {
	name   string
	owns   []schema.GroupVersionKind
	result feature.Result
	err    error
}

func (r room) Name() string                                 { return r.name }
func (r room) Condition() string                            { return r.name + "Ready" }
func (r room) Owns() []schema.GroupVersionKind              { return r.owns }
func (r room) Render(feature.Facts) (feature.Result, error) { return r.result, r.err }

// clusterRoom renders the same at cluster scope.
type clusterRoom struct{ room }

func (r clusterRoom) OwnsCluster() []schema.GroupVersionKind { return r.owns }
func (r clusterRoom) RenderTenant(feature.TenantFacts) (feature.Result, error) {
	return r.result, r.err
}

func quotaConfig(name, namespace, pods string) *corev1ac.ResourceQuotaApplyConfiguration {
	return corev1ac.ResourceQuota(name, namespace).WithSpec(corev1ac.ResourceQuotaSpec().
		WithHard(corev1.ResourceList{corev1.ResourcePods: resource.MustParse(pods)}))
}

func bindingConfig(name, namespace, role string) *rbacv1ac.RoleBindingApplyConfiguration {
	return rbacv1ac.RoleBinding(name, namespace).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName(role)).
		WithSubjects(rbacv1ac.Subject().WithAPIGroup(rbacv1.GroupName).WithKind("User").WithName("alice"))
}

func quotaRoom(name string, objects ...feature.Object) room {
	return room{name: name, owns: []schema.GroupVersionKind{quotaGVK}, result: feature.Result{Walls: objects}}
}

// input is that of namespace acme-dev of tenant acme.
func input() Input {
	return NamespaceInput(feature.Facts{Tenant: "acme", Namespace: "acme-dev"}, nil)
}

func TestNewPlanRefuses(t *testing.T) {
	t.Parallel()
	labels := func(name string) room {
		return room{name: name, result: feature.Result{Labels: map[string]string{"walls.example.com/a": name}}}
	}
	annotations := func(name string) room {
		return room{name: name, result: feature.Result{Annotations: map[string]string{"walls.example.com/a": name}}}
	}
	tests := map[string]struct {
		rooms       []feature.Feature
		labels      map[string]v1alpha1.LabelValue
		annotations map[string]v1alpha1.AnnotationValue
		// want is all that the error must say.
		want []string
	}{
		"two rooms that render the same object": {
			rooms: []feature.Feature{quotaRoom("one", quotaConfig("q", "acme-dev", "1")), quotaRoom("two", quotaConfig("q", "acme-dev", "1"))},
			want:  []string{"one", "two", "ResourceQuota acme-dev/q"},
		},
		"a room that renders an object twice": {
			rooms: []feature.Feature{quotaRoom("one", quotaConfig("q", "acme-dev", "1"), quotaConfig("q", "acme-dev", "2"))},
			want:  []string{"one", "ResourceQuota acme-dev/q"},
		},
		"a kind that the room doesn't own": {
			rooms: []feature.Feature{quotaRoom("one", bindingConfig("b", "acme-dev", "view"))},
			want:  []string{"one", "RoleBinding acme-dev/b", "does not own"},
		},
		"a door that the room doesn't own": {
			rooms: []feature.Feature{room{name: "one", result: feature.Result{Doors: []feature.Object{bindingConfig("b", "acme-dev", "view")}}}},
			want:  []string{"one", "RoleBinding acme-dev/b", "does not own"},
		},
		"another namespace": {
			rooms: []feature.Feature{quotaRoom("one", quotaConfig("q", "kube-system", "1"))},
			want:  []string{"one", "ResourceQuota kube-system/q", `namespace "acme-dev"`},
		},
		"no namespace": {
			rooms: []feature.Feature{quotaRoom("one", quotaConfig("q", "", "1"))},
			want:  []string{"one", "ResourceQuota q", `namespace "acme-dev"`},
		},
		"two rooms that set the same label": {
			rooms: []feature.Feature{labels("one"), labels("two")},
			want:  []string{"two", "walls.example.com/a"},
		},
		"two rooms that set the same annotation": {
			rooms: []feature.Feature{annotations("one"), annotations("two")},
			want:  []string{"two", "walls.example.com/a"},
		},
		"a user's label that a room sets": {
			rooms: []feature.Feature{labels("one")}, labels: map[string]v1alpha1.LabelValue{"walls.example.com/a": "mine"},
			want: []string{"one", "walls.example.com/a"},
		},
		"a user's annotation that a room sets": {
			rooms: []feature.Feature{annotations("one")}, annotations: map[string]v1alpha1.AnnotationValue{"walls.example.com/a": "mine"},
			want: []string{"one", "walls.example.com/a"},
		},
		"a user's label in place of the tenant's": {
			labels: map[string]v1alpha1.LabelValue{v1alpha1.LabelTenant: "zeta"},
			want:   []string{"acme-dev", v1alpha1.LabelTenant},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := NamespaceInput(feature.Facts{Tenant: "acme", Namespace: "acme-dev"},
				&v1alpha1.TenantNamespace{Name: "acme-dev", Labels: tc.labels, Annotations: tc.annotations})
			_, err := NewPlan(tc.rooms, in)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error doesn't say %q: %v", want, err)
				}
			}
		})
	}
}

// TestNewPlan looks at what the engine adds to what rooms render, and at the order.
func TestNewPlan(t *testing.T) {
	t.Parallel()
	config := quotaConfig("q", "acme-dev", "1").
		WithLabels(map[string]string{v1alpha1.LabelTenant: "forged", "own": "label"})
	failing := room{name: "failing", owns: []schema.GroupVersionKind{quotaGVK}, err: errors.New("no"), result: feature.Result{
		Walls: []feature.Object{quotaConfig("half", "acme-dev", "1")}, Labels: map[string]string{"half": "done"}, OpenBySpec: []string{"half"},
		Findings: []feature.Finding{{Reason: v1alpha1.ReasonPending, Message: "a finding"}},
	}}
	access := room{name: "access", owns: []schema.GroupVersionKind{bindingGVK}, result: feature.Result{
		Doors:  []feature.Object{bindingConfig("b", "acme-dev", "view")},
		Labels: map[string]string{"walls.example.com/a": "x"}, Annotations: map[string]string{"walls.example.com/b": "y"},
		OpenBySpec: []string{"a wall is off"},
	}}
	in := input()
	in.Labels["environment"] = "dev"
	p, err := NewPlan([]feature.Feature{access, failing, quotaRoom("quota", config)}, in)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, intent := range p.Objects() {
		got = append(got, intent.String())
		hash := intent.Object.GetAnnotations()[v1alpha1.AnnotationIntent]
		if hash == "" || hash != intent.Hash {
			t.Errorf("%s carries the hash %q, want %q", intent, hash, intent.Hash)
		}
	}
	want := []string{"Namespace acme-dev", "ResourceQuota acme-dev/q", "RoleBinding acme-dev/b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	labels := map[string]string{
		v1alpha1.LabelTenant: "acme", v1alpha1.LabelManagedBy: "bulkhead", v1alpha1.LabelFeature: "quota", "own": "label",
	}
	if diff := cmp.Diff(labels, p.Walls[0].Object.GetLabels()); diff != "" {
		t.Errorf("labels of the quota (-want +got):\n%s", diff)
	}
	if config.Labels[v1alpha1.LabelTenant] != "forged" || len(config.Annotations) != 0 {
		t.Error("what the room rendered was changed")
	}
	labels = map[string]string{v1alpha1.LabelTenant: "acme", "walls.example.com/a": "x", "environment": "dev"}
	if diff := cmp.Diff(labels, p.Namespace.Object.GetLabels()); diff != "" {
		t.Errorf("labels of the namespace (-want +got):\n%s", diff)
	}
	if p.Namespace.Object.GetAnnotations()["walls.example.com/b"] != "y" {
		t.Errorf("annotations of the namespace: %v", p.Namespace.Object.GetAnnotations())
	}
	if diff := cmp.Diff([]string{"a wall is off"}, p.OpenBySpec); diff != "" {
		t.Errorf("open by spec (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"failing": true}, p.failedRooms()); diff != "" {
		t.Errorf("failed rooms (-want +got):\n%s", diff)
	}
	if len(p.Rooms) != 3 || p.Rooms[1].Condition != "failingReady" || p.Rooms[1].Err == nil {
		t.Errorf("rooms: %+v", p.Rooms)
	}
}

// TestHashTellsTenantsApart pins that the hash stands for the intent and nothing else.
func TestHashTellsTenantsApart(t *testing.T) {
	t.Parallel()
	hash := func(tenant, pods string) string {
		in := input()
		in.Facts.Tenant = tenant
		p, err := NewPlan([]feature.Feature{quotaRoom("quota", quotaConfig("q", "acme-dev", pods))}, in)
		if err != nil {
			t.Fatal(err)
		}
		return p.Walls[0].Hash
	}
	if hash("acme", "1") != hash("acme", "1000m") {
		t.Error("another spelling of a quantity is another intent")
	}
	for _, other := range []string{hash("acme", "2"), hash("zeta", "1")} {
		if other == hash("acme", "1") {
			t.Error("two intents have one hash")
		}
	}
}

func TestNewTenantPlan(t *testing.T) {
	t.Parallel()
	gvk := rbacv1.SchemeGroupVersion.WithKind("ClusterRole")
	cluster := clusterRoom{room{name: "access", owns: []schema.GroupVersionKind{gvk}, result: feature.Result{
		Walls: []feature.Object{rbacv1ac.ClusterRole("bulkhead:tenant:acme")},
	}}}
	namespaced := quotaRoom("quota", quotaConfig("q", "acme-dev", "1"))
	p, err := NewTenantPlan([]feature.Feature{namespaced, cluster}, feature.TenantFacts{Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Namespace != nil || len(p.Objects()) != 1 || p.Objects()[0].String() != "ClusterRole bulkhead:tenant:acme" || len(p.Rooms) != 1 {
		t.Errorf("objects %v, rooms %v; want the ClusterRole alone", p.Objects(), p.Rooms)
	}
	cluster.result.Walls = []feature.Object{quotaConfig("q", "acme-dev", "1")}
	cluster.owns = append(cluster.owns, quotaGVK)
	if _, err := NewTenantPlan([]feature.Feature{cluster}, feature.TenantFacts{Tenant: "acme"}); err == nil {
		t.Error("an object in a namespace is part of the cluster scope")
	}
}

func TestOwned(t *testing.T) {
	t.Parallel()
	gvk := rbacv1.SchemeGroupVersion.WithKind("ClusterRole")
	rooms := []feature.Feature{quotaRoom("one"), quotaRoom("two"), clusterRoom{room{name: "three", owns: []schema.GroupVersionKind{gvk}}}}
	if diff := cmp.Diff([]schema.GroupVersionKind{quotaGVK, gvk}, Owned(rooms, false)); diff != "" {
		t.Errorf("in a namespace (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]schema.GroupVersionKind{gvk}, Owned(rooms, true)); diff != "" {
		t.Errorf("at cluster scope (-want +got):\n%s", diff)
	}
}

// TestPolicyUnknown keeps what rooms that need the policy rendered before, and doesn't say twice why it isn't known.
func TestPolicyUnknown(t *testing.T) {
	t.Parallel()
	unknown := errors.New("no such class")
	for name, tc := range map[string]struct {
		err  error
		want metav1.ConditionStatus
	}{
		"the policy isn't known": {fmt.Errorf("reading it: %w", unknown), metav1.ConditionTrue},
		"another error":          {errors.New("wrong"), metav1.ConditionFalse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := NewTenantPlan([]feature.Feature{clusterRoom{room{name: "some", err: tc.err}}}, feature.TenantFacts{Tenant: "acme", PolicyError: unknown})
			if err != nil {
				t.Fatal(err)
			}
			if got := newOutcome(plan).finish(plan).Conditions[1].Status; got != tc.want {
				t.Errorf("the condition is %s, want %s", got, tc.want)
			}
			if !plan.failedRooms()["some"] {
				t.Error("its objects aren't left alone")
			}
		})
	}
}
