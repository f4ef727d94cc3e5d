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
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("Two tenants list the same new namespace", func() {
	// The operator is stopped meanwhile, so that both claims are there when it looks for the first time.
	It("gives it to the older one, whatever their names", Serial, func(ctx SpecContext) {
		withoutOperator()
		older, younger := tenantOf("race-z", "race-ns"), tenantOf("race-a", "race-ns", "race-a-own")
		create(ctx, older)
		Eventually(time.Now).Should(BeTemporally(">", older.CreationTimestamp.Add(time.Second)), "a timestamp has seconds only")
		create(ctx, younger)
		Expect(older.CreationTimestamp.Time).To(BeTemporally("<", younger.CreationTimestamp.Time))
		startOperator()
		expectHolder(ctx, "race-ns", "race-z", "race-a")
	})

	It("gives it to the first by name if they are of the same second", Serial, func(ctx SpecContext) {
		withoutOperator()
		first, second := tenantOf("tie-a", "tie-ns"), tenantOf("tie-b", "tie-ns", "tie-b-own")
		DeferCleanup(removeTenant, "tie-a", []string{"tie-ns"})
		DeferCleanup(removeTenant, "tie-b", []string{"tie-b-own"})
		DeferCleanup(func() { startOperator() })
		Eventually(ctx, func(g Gomega, ctx context.Context) {
			for _, tenant := range []*v1alpha1.Tenant{second, first} {
				g.Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, tenant))).To(Succeed())
				tenant.ObjectMeta = metav1.ObjectMeta{Name: tenant.Name}
				g.Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
			}
			g.Expect(first.CreationTimestamp).To(Equal(second.CreationTimestamp))
		}).Should(Succeed())
		startOperator()
		expectHolder(ctx, "tie-ns", "tie-a", "tie-b")
	})

	It("moves when the holder drops it, if the other may adopt", func(ctx SpecContext) {
		holder := tenantOf("drops", "drops-ns")
		create(ctx, holder)
		Eventually(ctx, tenantNamed("drops")).Should(beReady())
		waiting := tenantOf("waits", "drops-ns")
		create(ctx, waiting)
		Eventually(ctx, tenantNamed("waits")).Should(haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse,
			v1alpha1.ReasonNamespaceConflict, "drops-ns", "tenant drops"))

		change(ctx, "drops", drop("drops-ns"))
		Eventually(ctx, tenantNamed("waits")).Should(haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse,
			v1alpha1.ReasonNamespaceConflict, "drops-ns", "released from tenant drops", "adoption: IfUnclaimed"))
		Expect(must(namespaceNamed("drops-ns")(ctx)).Labels).To(HaveKeyWithValue(v1alpha1.LabelReleasedFrom, "drops"))

		change(ctx, "waits", adopting)
		Eventually(ctx, tenantNamed("waits")).Should(beReady())
		Expect(must(namespaceNamed("drops-ns")(ctx)).Labels).To(SatisfyAll(
			HaveKeyWithValue(v1alpha1.LabelTenant, "waits"), Not(HaveKey(v1alpha1.LabelReleasedFrom))))
		Eventually(ctx, tenantNamed("drops")).Should(beReady())
	})

	It("goes to the other when the holder is deleted", func(ctx SpecContext) {
		create(ctx, tenantOf("leaves", "leaves-ns"))
		Eventually(ctx, tenantNamed("leaves")).Should(beReady())
		heir := tenantOf("inherits", "leaves-ns")
		adopting(heir)
		create(ctx, heir)
		Eventually(ctx, tenantNamed("inherits")).Should(haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse,
			v1alpha1.ReasonNamespaceConflict, "tenant leaves"))

		remove(ctx, tenantOf("leaves"))
		Eventually(ctx, tenantNamed("inherits")).Should(beReady())
		Expect(must(namespaceNamed("leaves-ns")(ctx)).Labels).To(HaveKeyWithValue(v1alpha1.LabelTenant, "inherits"))
		Eventually(ctx, tenantNamed("leaves")).Should(BeNil())
	})
})

// expectHolder expects that a tenant got a namespace, and that another is told so and served otherwise.
func expectHolder(ctx context.Context, namespace, holder, other string) {
	GinkgoHelper()
	Eventually(ctx, tenantNamed(holder)).Should(beReady())
	conflict := SatisfyAll(
		haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, namespace, "tenant "+holder),
		haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, namespace, "tenant "+holder),
		haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceConflict),
		HaveField("Status.Namespaces.Conflicting", BeEquivalentTo(1)),
		HaveField("Status.Namespaces.Ready", BeEquivalentTo(1)),
	)
	Eventually(ctx, tenantNamed(other)).Should(conflict)
	Consistently(ctx, tenantNamed(other)).Should(conflict)
	Expect(must(namespaceNamed(namespace)(ctx)).Labels).To(HaveKeyWithValue(v1alpha1.LabelTenant, holder))
}

var _ = Describe("Reserved namespaces", func() {
	DescribeTable("are refused when the Tenant is written", func(ctx SpecContext, name string) {
		err := world.Admin.Create(ctx, tenantOf("reserved", name))
		Expect(err).To(MatchError(SatisfyAll(ContainSubstring("spec.namespaces[0].name"), ContainSubstring("is reserved"))))
	},
		Entry("of the cluster", "kube-public"),
		Entry("the default one", "default"),
		Entry("of the operator", v1alpha1.DefaultOperatorNamespace),
	)

	It("are a conflict where the operator was installed elsewhere", Serial, func(ctx SpecContext) {
		withoutOperator()
		DeferCleanup(stopOperator)
		before := world.Facts.OperatorNamespace
		DeferCleanup(func() { world.Facts.OperatorNamespace = before })
		world.Facts.OperatorNamespace = "platform"
		startOperator()
		platform := tenantOf("usurper", "platform", "usurper-own")
		adopting(platform)
		create(ctx, namespaceOf("platform"))
		version := must(namespaceNamed("platform")(ctx)).ResourceVersion
		create(ctx, platform)

		Eventually(ctx, tenantNamed("usurper")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, "platform", "reserved"),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1))))
		Expect(must(namespaceNamed("platform")(ctx)).ResourceVersion).To(Equal(version))
	})
})
