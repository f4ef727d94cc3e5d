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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("A TenantClass", func() {
	It("reaches its tenants when it is the default one and changes", func(ctx SpecContext) {
		class := classOf("gold", "7")
		makeDefault(class)
		create(ctx, class)
		create(ctx, tenantOf("classy", "classy-a"))
		own := tenantOf("classy-own", "classy-own-a")
		own.Spec.Quota = pods("3")
		create(ctx, own)
		Eventually(ctx, tenantNamed("classy")).Should(SatisfyAll(beReady(), HaveField("Status.ClassName", "gold")))
		Eventually(ctx, tenantNamed("classy-own")).Should(beReady())
		Expect(quotaOf("classy-a")(ctx)).To(Equal("7"))
		Expect(quotaOf("classy-own-a")(ctx)).To(Equal("3"))

		before := class.DeepCopy()
		class.Spec.Quota = pods("8")
		class.Spec.PodSecurity = &v1alpha1.PodSecurity{Enforce: v1alpha1.PodSecurityBaseline}
		Expect(world.Admin.Patch(ctx, class, client.MergeFrom(before))).To(Succeed())
		Eventually(ctx, quotaOf("classy-a")).Should(Equal("8"))
		for _, name := range []string{"classy-a", "classy-own-a"} {
			Eventually(ctx, namespaceNamed(name)).Should(HaveField("Labels", HaveKeyWithValue("pod-security.kubernetes.io/enforce", "baseline")))
		}
		Expect(quotaOf("classy-own-a")(ctx)).To(Equal("3"), "the tenant's own word counts")
		Eventually(ctx, tenantNamed("classy")).Should(SatisfyAll(beReady(), HaveField("Status.Drift.Recent", BeEmpty())))

		remove(ctx, class)
		Eventually(ctx, quotaOf("classy-a")).Should(BeEmpty(), "what only the class asked for is pruned")
		Eventually(ctx, tenantNamed("classy")).Should(SatisfyAll(beReady(), HaveField("Status.ClassName", "")))
	})

	It("is missed by name, and nothing is torn down meanwhile", func(ctx SpecContext) {
		class := classOf("silver", "4")
		tenant := tenantOf("classless", "classless-a")
		tenant.Spec.ClassName = "silver"
		tenant.Spec.Members = []v1alpha1.Member{member("classless-owner", v1alpha1.RoleAdmin)}
		create(ctx, tenant)
		missing := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClassNotFound, "silver"),
			haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClassNotFound, "silver"),
			HaveField("Status.Namespaces.Ready", BeZero()),
		)
		Eventually(ctx, tenantNamed("classless")).Should(missing)
		Expect(namespaceNamed("classless-a")(ctx)).To(BeNil())

		create(ctx, class)
		Eventually(ctx, tenantNamed("classless")).Should(SatisfyAll(beReady(), HaveField("Status.ClassName", "silver")))
		Expect(quotaOf("classless-a")(ctx)).To(Equal("4"))

		remove(ctx, class)
		Eventually(ctx, tenantNamed("classless")).Should(missing)
		Consistently(ctx, quotaOf("classless-a")).Should(Equal("4"))
		Expect(bindings("classless-a")(ctx)).To(ConsistOf("bulkhead-classless-owner"))
	})

	It("is missed by a tenant without namespaces, too", func(ctx SpecContext) {
		tenant := tenantOf("classless-empty")
		tenant.Spec.ClassName = "bronze"
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("classless-empty")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClassNotFound, "bronze"),
			haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClassNotFound)))
	})

	It("can't be one of two defaults", func(ctx SpecContext) {
		first, second := classOf("first", "1"), classOf("second", "2")
		makeDefault(first)
		create(ctx, first)
		create(ctx, second)
		create(ctx, tenantOf("torn", "torn-a"))
		Eventually(ctx, tenantNamed("torn")).Should(beReady())

		before := second.DeepCopy()
		makeDefault(second)
		Expect(world.Admin.Patch(ctx, second, client.MergeFrom(before))).To(Succeed())
		Eventually(ctx, tenantNamed("torn")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClassNotFound, "first", "second"),
			haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClassNotFound)))
		Expect(quotaOf("torn-a")(ctx)).To(Equal("1"))

		remove(ctx, first)
		Eventually(ctx, tenantNamed("torn")).Should(SatisfyAll(beReady(), HaveField("Status.ClassName", "second")))
		Expect(quotaOf("torn-a")(ctx)).To(Equal("2"))
	})
})

func classOf(name, quota string) *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.PolicyBlocks{Quota: pods(quota)}}
}

func makeDefault(class *v1alpha1.TenantClass) {
	class.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: "true"}
}
