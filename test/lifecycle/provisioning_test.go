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

package lifecycle

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("Scenario 9: provisioning fails in part", func() {
	It("names a quota that the API server refuses, withholds access there, and serves the siblings", func(ctx SpecContext) {
		tenant := tenantOf("half", "half-good", "half-bad")
		tenant.Spec.Members = []v1alpha1.Member{member("half-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Quota = pods("5")
		tenant.Spec.Namespaces[1].Policy = &v1alpha1.PolicyBlocks{Quota: pods("500m")}
		create(ctx, tenant)

		broken := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy, "ResourceQuota half-bad/bulkhead", "500m"),
			haveCondition(v1alpha1.ConditionQuotaReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy, "ResourceQuota half-bad/bulkhead"),
			haveCondition(v1alpha1.ConditionAccessReady, metav1.ConditionFalse, v1alpha1.ReasonPending, "half-bad"),
			haveCondition(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1)),
		)
		Eventually(ctx, tenantNamed("half")).Should(broken)
		Expect(bindings("half-good")(ctx)).To(ConsistOf("bulkhead-half-owner"))
		Expect(policies("half-bad")(ctx)).To(ContainElement("bulkhead-default-deny"), "the other walls stand")
		Consistently(ctx, bindings("half-bad")).Should(BeEmpty())
		Expect(may(ctx, "half-owner", "get", "pods", "half-good")).To(BeTrue())
		Expect(may(ctx, "half-owner", "get", "pods", "half-bad")).To(BeFalse())
		Consistently(ctx, tenantNamed("half")).Should(broken)

		change(ctx, "half", func(t *v1alpha1.Tenant) { t.Spec.Namespaces[1].Policy.Quota = pods("1") })
		Eventually(ctx, tenantNamed("half")).Should(beReady())
		Expect(bindings("half-bad")(ctx)).To(ConsistOf("bulkhead-half-owner"))
	})

	It("names a namespace that the API server refuses, and claims nothing of what should be in it", func(ctx SpecContext) {
		tenant := tenantOf("unborn", "unborn-good", "unborn-bad")
		tenant.Spec.Members = []v1alpha1.Member{member("unborn-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Namespaces[1].Labels = map[string]v1alpha1.LabelValue{"not a key": "x"}
		create(ctx, tenant)

		Eventually(ctx, tenantNamed("unborn")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy, "Namespace unborn-bad", "not a key"),
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy, "Namespace unborn-bad"),
			haveCondition(v1alpha1.ConditionNetworkReady, metav1.ConditionFalse, v1alpha1.ReasonPending, "unborn-bad"),
			haveCondition(v1alpha1.ConditionAccessReady, metav1.ConditionFalse, v1alpha1.ReasonPending, "unborn-bad"),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1)),
		))
		Expect(namespaceNamed("unborn-bad")(ctx)).To(BeNil())
		Expect(bindings("unborn-good")(ctx)).To(ConsistOf("bulkhead-unborn-owner"))
	})

	It("keeps up the walls of a namespace whose labels are refused", func(ctx SpecContext) {
		create(ctx, tenantOf("relabelled", "relabelled-a"))
		Eventually(ctx, tenantNamed("relabelled")).Should(beReady())
		change(ctx, "relabelled", func(t *v1alpha1.Tenant) {
			t.Spec.Namespaces[0].Labels = map[string]v1alpha1.LabelValue{"not a key": "x"}
		})
		Eventually(ctx, tenantNamed("relabelled")).Should(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy, "Namespace relabelled-a", "not a key"))
		wall := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "relabelled-a", Name: "bulkhead-default-deny"}}
		Expect(world.Admin.Delete(ctx, wall)).To(Succeed())
		Eventually(ctx, policies("relabelled-a")).Should(ContainElement("bulkhead-default-deny"))
	})

	It("gives all other members their access when one asks for a role that may not be bound", func(ctx SpecContext) {
		tenant := tenantOf("unbound", "unbound-a", "unbound-b")
		root := member("unbound-root", "", "unbound-a")
		root.ClusterRoleName = "cluster-admin"
		tenant.Spec.Members = []v1alpha1.Member{root, member("unbound-owner", v1alpha1.RoleAdmin), member("unbound-guest", v1alpha1.RoleView)}
		create(ctx, tenant)

		Eventually(ctx, tenantNamed("unbound")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBindForbidden),
			haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonBindForbidden),
			haveCondition(v1alpha1.ConditionAccessReady, metav1.ConditionFalse, v1alpha1.ReasonBindForbidden, "cluster-admin", "unbound-a"),
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			haveCondition(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			haveCondition(v1alpha1.ConditionPodSecurityReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1)),
		))
		for _, namespace := range []string{"unbound-a", "unbound-b"} {
			Expect(bindings(namespace)(ctx)).To(ConsistOf("bulkhead-unbound-guest", "bulkhead-unbound-owner"))
			Expect(may(ctx, "unbound-owner", "create", "pods", namespace)).To(BeTrue())
			Expect(may(ctx, "unbound-root", "get", "pods", namespace)).To(BeFalse())
		}
	})
})

var _ = Describe("Scenario 10: Ready means that access works", func() {
	It("lets every member in by the time that Ready turns True", func(ctx SpecContext) {
		tenant := tenantOf("prompt", "prompt-a", "prompt-b", "prompt-c")
		tenant.Spec.Members = []v1alpha1.Member{
			member("prompt-owner", v1alpha1.RoleAdmin), member("prompt-dev", v1alpha1.RoleEdit), member("prompt-guest", v1alpha1.RoleView, "prompt-b"),
		}
		news, err := world.Admin.Watch(ctx, &v1alpha1.TenantList{},
			&client.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "prompt")})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(news.Stop)
		create(ctx, tenant)

		Eventually(ctx, func() bool {
			event := <-news.ResultChan()
			seen, ok := event.Object.(*v1alpha1.Tenant)
			return ok && event.Type == watch.Modified && isReady(seen)
		}).Should(BeTrue())
		for _, namespace := range []string{"prompt-a", "prompt-b", "prompt-c"} {
			Expect(may(ctx, "prompt-owner", "get", "pods", namespace)).To(BeTrue())
			Expect(may(ctx, "prompt-dev", "create", "pods", namespace)).To(BeTrue())
		}
		Expect(may(ctx, "prompt-guest", "get", "pods", "prompt-b")).To(BeTrue())
		Expect(may(ctx, "prompt-guest", "get", "pods", "prompt-a")).To(BeFalse())
	})
})

func isReady(tenant *v1alpha1.Tenant) bool {
	return meta.IsStatusConditionTrue(tenant.Status.Conditions, v1alpha1.ConditionReady)
}

var _ = Describe("Scenario 15: the quota controller is sick", Serial, func() {
	It("is not Ready before the quota counts, and says for what it waits", func(ctx SpecContext) {
		counting := false
		startCounting := func() {
			if !counting {
				Expect(world.StartControllerManager()).To(Succeed())
			}
			counting = true
		}
		Expect(world.StopControllerManager()).To(Succeed())
		DeferCleanup(startCounting)
		tenant := tenantOf("uncounted", "uncounted-a")
		tenant.Spec.Members = []v1alpha1.Member{member("uncounted-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Quota = pods("3")
		create(ctx, tenant)

		waiting := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "uncounted-a/bulkhead"),
			haveCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing),
			haveCondition(v1alpha1.ConditionQuotaReady, metav1.ConditionFalse, v1alpha1.ReasonPending, "ResourceQuota uncounted-a/bulkhead"),
			haveCondition(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			HaveField("Status.Namespaces.Ready", BeZero()),
		)
		Eventually(ctx, tenantNamed("uncounted")).Should(waiting)
		Consistently(ctx, tenantNamed("uncounted")).Should(waiting)

		startCounting()
		Eventually(ctx, tenantNamed("uncounted")).Should(beReady())
		quota := &corev1.ResourceQuota{}
		Expect(world.Admin.Get(ctx, client.ObjectKey{Namespace: "uncounted-a", Name: "bulkhead"}, quota)).To(Succeed())
		Expect(quota.Status.Hard).To(Equal(quota.Spec.Hard))
	})
})
