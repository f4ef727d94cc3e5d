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
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("drift mode Observe", func() {
	BeforeEach(operatorUp)

	It("leaves what differs, reports it, stays Ready, and corrects it once it is Enforce again", func(ctx SpecContext) {
		tenant := someTenant("observed").Obj()
		provision(ctx, tenant)
		wall, quota, limits := defaultDeny("observed"), quotaIn("observed"), limitsIn("observed")
		intactWall, intactQuota, intactLimits := intact(ctx, wall), intact(ctx, quota), intact(ctx, limits)

		By("switching to Observe")
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) {
			t.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
		})
		Eventually(conditionsOf).WithContext(ctx).WithArguments("observed").Should(And(
			HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"),
			HaveKeyWithValue(v1alpha1.ConditionInSync, "True NoDrift"),
		))

		By("editing, deleting and opening")
		interfere(ctx, unguarded("observed-owner"), "sneaky", wall, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
		})
		interfere(ctx, world.Admin, "kubectl-edit", quota, func(q *corev1.ResourceQuota) {
			q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("99")
		})
		Expect(world.Admin.Delete(ctx, limits)).To(Succeed())
		edited, err := versionsOf(ctx, wall, quota)
		Expect(err).NotTo(HaveOccurred())

		Eventually(conditionsOf).WithContext(ctx).WithArguments("observed").Should(And(
			HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"),
			HaveKeyWithValue(v1alpha1.ConditionInSync, "False DriftDetected"),
			HaveKeyWithValue(v1alpha1.ConditionNetworkReady, "Unknown Observed"),
			Not(HaveKey(v1alpha1.ConditionStalled)),
			Not(HaveKey(v1alpha1.ConditionReconciling)),
		))
		Eventually(driftOf).WithContext(ctx).WithArguments("observed").Should(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
			"Mode": Equal(v1alpha1.DriftObserve),
			"Open": BeEquivalentTo(3),
			"Top": HaveExactElements( // the gravest first
				item(wall, v1alpha1.DriftFieldInjected, v1alpha1.DriftReported, gstruct.Fields{
					"Paths": Equal([]string{"spec.ingress"}), "Manager": Equal("sneaky"), "Severity": Equal(v1alpha1.SeverityCritical),
				}),
				item(limits, v1alpha1.DriftObjectMissing, v1alpha1.DriftReported, nil),
				item(quota, v1alpha1.DriftFieldModified, v1alpha1.DriftReported, gstruct.Fields{
					"Paths": Equal([]string{"spec.hard[pods]"}), "Manager": Equal("kubectl-edit"),
				}),
			),
			"OldestOpen": Not(BeNil()),
			"Recent":     BeEmpty(),
		}))
		Eventually(eventsOf).WithContext(ctx).WithArguments("observed").Should(HaveKeyWithValue(v1alpha1.EventDriftDetected, ConsistOf(
			"NetworkPolicy observed/bulkhead-default-deny", "ResourceQuota observed/bulkhead", "LimitRange observed/bulkhead",
		)))
		Consistently(versionsOf).WithContext(ctx).WithArguments(wall, quota).Should(Equal(edited))
		Expect(gone(ctx, limits)).To(BeTrue())

		By("switching back to Enforce")
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) { t.Spec.Drift = nil })
		comesBack(ctx, wall, intactWall)
		comesBack(ctx, quota, intactQuota)
		comesBack(ctx, limits, intactLimits)
		awaitReady(ctx, "observed")
		Eventually(driftOf).WithContext(ctx).WithArguments("observed").Should(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
			"Mode":       Equal(v1alpha1.DriftEnforce),
			"Open":       BeZero(),
			"OldestOpen": BeNil(),
			"Top":        BeEmpty(),
			"Recent": ConsistOf(
				item(wall, v1alpha1.DriftFieldInjected, v1alpha1.DriftCorrected, nil),
				item(quota, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, nil),
				item(limits, v1alpha1.DriftObjectMissing, v1alpha1.DriftCorrected, nil),
			),
		}))
	})

	It("counts a difference that someone else undoes as gone, and InSync turns True again", func(ctx SpecContext) {
		tenant := someTenant("undone").Mode(v1alpha1.DriftEnforce).Obj()
		provision(ctx, tenant)
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) { t.Spec.Drift.Mode = v1alpha1.DriftObserve })
		Eventually(conditionsOf).WithContext(ctx).WithArguments("undone").Should(HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"))
		wall := defaultDeny("undone")
		interfere(ctx, unguarded("undone-owner"), "sneaky", wall, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
		})
		Eventually(conditionsOf).WithContext(ctx).WithArguments("undone").Should(HaveKeyWithValue(v1alpha1.ConditionInSync, "False DriftDetected"))
		interfere(ctx, unguarded("undone-owner"), "sneaky", wall, func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = nil })
		Eventually(conditionsOf).WithContext(ctx).WithArguments("undone").Should(HaveKeyWithValue(v1alpha1.ConditionInSync, "True NoDrift"))
		Eventually(driftOf).WithContext(ctx).WithArguments("undone").Should(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
			"Open": BeZero(), "Top": BeEmpty(),
			"Recent": ConsistOf(item(wall, v1alpha1.DriftFieldInjected, v1alpha1.DriftReported, nil)),
		}))
	})

	It("creates nothing for a tenant that starts in it", func(ctx SpecContext) {
		createTenant(ctx, someTenant("only-observed").Mode(v1alpha1.DriftObserve).Obj())
		Eventually(conditionsOf).WithContext(ctx).WithArguments("only-observed").Should(HaveKeyWithValue(v1alpha1.ConditionInSync, "False DriftDetected"))
		Consistently(gone).WithContext(ctx).WithArguments(client.Object(namespaceNamed("only-observed"))).Should(BeTrue())
	})
})
