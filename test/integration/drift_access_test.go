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

package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

var _ = Describe("drift of access", func() {
	BeforeEach(operatorUp)

	It("scenario 2: a subject that a tenant adds to a managed RoleBinding is taken out", func(ctx SpecContext) {
		provision(ctx, someTenant("more-subjects").Obj())
		binding := bindingIn("more-subjects", "owners")
		before := intact(ctx, binding)
		interfere(ctx, unguarded("more-subjects-owner"), "kubectl-edit", binding, func(b *rbacv1.RoleBinding) {
			b.Subjects = append(b.Subjects, User("a-friend"))
		})
		comesBack(ctx, binding, before)
		expectDrift(ctx, "more-subjects", binding, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":    ConsistOf(HavePrefix("subjects")),
			"Manager":  Equal("kubectl-edit"),
			"Severity": Equal(v1alpha1.SeverityCritical),
		})
	})

	It("scenario 2: a rule that is added to the tenant's ClusterRole is taken out", func(ctx SpecContext) {
		provision(ctx, someTenant("more-rules").Obj())
		role := tenantRole("more-rules")
		before := intact(ctx, role)
		interfere(ctx, world.Admin, "kubectl-edit", role, func(r *rbacv1.ClusterRole) {
			r.Rules = append(r.Rules, rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}})
		})
		comesBack(ctx, role, before)
		expectDrift(ctx, "more-rules", role, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":    ConsistOf(HavePrefix("rules")),
			"Manager":  Equal("kubectl-edit"),
			"Severity": Equal(v1alpha1.SeverityCritical),
		})
		Eventually(eventsOf).WithContext(ctx).WithArguments("more-rules").Should(
			HaveKeyWithValue(v1alpha1.EventDriftDetected, ContainElement("ClusterRole /bulkhead:tenant:more-rules")))
	})

	It("scenario 2: an aggregation rule that is put on the tenant's ClusterRole is taken off", func(ctx SpecContext) {
		provision(ctx, someTenant("aggregated").Obj())
		role := tenantRole("aggregated")
		before := intact(ctx, role)
		interfere(ctx, world.Admin, "kubectl-edit", role, func(r *rbacv1.ClusterRole) {
			r.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
				{MatchLabels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
			}}
		})
		// Meanwhile the controller that aggregates may have filled in rules, which is drift of its own.
		comesBack(ctx, role, before)
		Eventually(recentOf).WithContext(ctx).WithArguments("aggregated").Should(ContainElement(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
			"Object":  Equal(referenceTo(role)),
			"Paths":   ContainElement("aggregationRule"),
			"Manager": Equal("kubectl-edit"),
			"Action":  Equal(v1alpha1.DriftCorrected),
		})))
		awaitReady(ctx, "aggregated")
	})

	It("scenario 2: a subject that is added to the tenant's ClusterRoleBinding is taken out", func(ctx SpecContext) {
		provision(ctx, someTenant("more-visitors").Obj())
		binding := tenantRoleBinding("more-visitors")
		before := intact(ctx, binding)
		interfere(ctx, world.Admin, "kubectl-edit", binding, func(b *rbacv1.ClusterRoleBinding) {
			b.Subjects = append(b.Subjects, Group("system:authenticated"))
		})
		comesBack(ctx, binding, before)
		expectDrift(ctx, "more-visitors", binding, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":   ConsistOf(HavePrefix("subjects")),
			"Manager": Equal("kubectl-edit"),
		})
	})

	DescribeTable("scenario 7: a role that is changed by deletion and creation while the operator is down is changed back",
		Serial,
		func(ctx SpecContext, name string, keep func(replacement, live *rbacv1.RoleBinding)) {
			provision(ctx, someTenant(name).Obj())
			binding := bindingIn(name, "owners")
			before := intact(ctx, binding)
			operatorDown()
			live := bindingIn(name, "owners")
			Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
			Expect(world.Admin.Delete(ctx, live)).To(Succeed())
			replacement := bindingIn(name, "owners")
			replacement.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}
			replacement.Subjects = live.Subjects
			keep(replacement, live)
			Expect(world.Admin.Create(ctx, replacement, client.FieldOwner("kubectl-replace"))).To(Succeed())

			operatorUp()
			comesBack(ctx, binding, before)
			expectDrift(ctx, name, binding, v1alpha1.DriftFieldModified, gstruct.Fields{
				"Paths":    ContainElement("roleRef"),
				"Manager":  Equal("kubectl-replace"),
				"Severity": Equal(v1alpha1.SeverityCritical),
			})
		},
		Entry("without our labels", "other-role", func(_, _ *rbacv1.RoleBinding) {}),
		Entry("with our labels and annotations copied", "other-role-copied", func(replacement, live *rbacv1.RoleBinding) {
			replacement.Labels, replacement.Annotations = live.Labels, live.Annotations
		}),
		Entry("with other labels and a forged intent annotation", "other-role-forged", func(replacement, _ *rbacv1.RoleBinding) {
			replacement.Labels = map[string]string{"made-by": "hand"}
			replacement.Annotations = map[string]string{v1alpha1.AnnotationIntent: "v0:forged"}
		}),
	)

	It("scenario 8: while a role is narrowed and its subjects widened, nobody new has the wide role", func(ctx SpecContext) {
		tenant := someTenant("narrowed").Obj()
		provision(ctx, tenant)
		list := &rbacv1.RoleBindingList{}
		Expect(world.Admin.List(ctx, list, client.InNamespace("narrowed"))).To(Succeed())
		seen, err := world.Admin.Watch(ctx, &rbacv1.RoleBindingList{}, client.InNamespace("narrowed"),
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(seen.Stop)

		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) {
			t.Spec.Members[0].Role = v1alpha1.RoleView
			t.Spec.Members[0].Subjects = append(t.Spec.Members[0].Subjects, Group("everybody"))
		})

		var states []string
		for done := false; !done; {
			var event watch.Event
			Eventually(seen.ResultChan()).WithContext(ctx).Should(Receive(&event))
			binding, ok := event.Object.(*rbacv1.RoleBinding)
			Expect(ok).To(BeTrue(), "watch event %v", event)
			wide := binding.RoleRef.Name != "view"
			widened := len(binding.Subjects) > 1
			if event.Type != watch.Deleted {
				Expect(wide && widened).To(BeFalse(), "%s binds %v to %s", event.Type, binding.Subjects, binding.RoleRef.Name)
			}
			states = append(states, string(event.Type)+" "+binding.RoleRef.Name)
			done = event.Type != watch.Deleted && !wide && widened
		}
		Expect(states).To(Equal([]string{"DELETED admin", "ADDED view"}))
		awaitReady(ctx, "narrowed")
		Expect(recentOf(ctx, "narrowed")).To(BeEmpty(), "a new spec is no drift")
	})
})
