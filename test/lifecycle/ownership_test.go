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
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Managed fields say what is Bulkhead's. Whoever may update an object may clear them, and a restored backup has none:
// access must end all the same.
var _ = Describe("Managed fields that were cleared", func() {
	withoutGuest := func(tenant *v1alpha1.Tenant) {
		tenant.Spec.Members = slices.DeleteFunc(tenant.Spec.Members, func(m v1alpha1.Member) bool { return m.Role == v1alpha1.RoleView })
	}
	provisioned := func(ctx context.Context, name string) {
		GinkgoHelper()
		tenant := tenantOf(name, name+"-a")
		tenant.Spec.Members = []v1alpha1.Member{member(name+"-owner", v1alpha1.RoleAdmin), member(name+"-guest", v1alpha1.RoleView)}
		create(ctx, tenant)
		Eventually(ctx, tenantNamed(name)).Should(beReady())
	}

	It("don't keep a member's access that the spec ends", func(ctx SpecContext) {
		provisioned(ctx, "wiped")
		wipe(ctx, bindingOf("wiped", "guest"))
		change(ctx, "wiped", withoutGuest)
		Eventually(ctx, bindings("wiped-a")).Should(ConsistOf("bulkhead-wiped-owner"))
	})

	It("don't keep it in Observe, where they aren't mended", func(ctx SpecContext) {
		provisioned(ctx, "wiped-observed")
		change(ctx, "wiped-observed", func(t *v1alpha1.Tenant) { t.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve} })
		Eventually(ctx, tenantNamed("wiped-observed")).Should(haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonObserved))
		wipe(ctx, bindingOf("wiped-observed", "guest"))
		Eventually(ctx, tenantNamed("wiped-observed")).Should(
			haveCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonDriftDetected, "OwnershipLost"))
		change(ctx, "wiped-observed", withoutGuest)
		Eventually(ctx, bindings("wiped-observed-a")).Should(ConsistOf("bulkhead-wiped-observed-owner"))
	})

	It("don't keep it if they were cleared, and the spec was changed, while the operator was down", func(ctx SpecContext) {
		provisioned(ctx, "wiped-down")
		withoutOperator()
		wipe(ctx, bindingOf("wiped-down", "guest"))
		change(ctx, "wiped-down", withoutGuest)
		startOperator()
		Eventually(ctx, bindings("wiped-down-a")).Should(ConsistOf("bulkhead-wiped-down-owner"))
	})

	It("don't keep anybody's access when the Tenant was deleted while the operator was down", func(ctx SpecContext) {
		provisioned(ctx, "wiped-gone")
		withoutOperator()
		By("stripping the namespace of all that says whose it is")
		namespace := namespaceOf("wiped-gone-a")
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null,"annotations":null,"managedFields":[{}]}}`))
		Expect(world.Admin.Patch(ctx, namespace, patch)).To(Succeed())
		wipe(ctx, bindingOf("wiped-gone", "guest"))
		Expect(world.Admin.Delete(ctx, tenantOf("wiped-gone"))).To(Succeed())
		startOperator()
		Eventually(ctx, tenantNamed("wiped-gone")).Should(BeNil())
		Expect(bindings("wiped-gone-a")(ctx)).To(BeEmpty())
		Expect(policies("wiped-gone-a")(ctx)).NotTo(BeEmpty(), "walls are kept")
		Expect(namespaceNamed("wiped-gone-a")(ctx)).To(HaveField("Labels", HaveKeyWithValue(v1alpha1.LabelReleasedFrom, "wiped-gone")))
	})
})

func bindingOf(tenant, who string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: tenant + "-a", Name: "bulkhead-" + tenant + "-" + who}}
}

// wipe clears the managed fields of an object, as anyone who may update it can.
func wipe(ctx context.Context, object client.Object) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`))
	Expect(world.Admin.Patch(ctx, object, patch)).To(Succeed())
}
