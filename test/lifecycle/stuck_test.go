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
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("An object of ours is in the way and can't be removed", func() {
	It("is named, leaves all siblings Ready, keeps its foreign finalizer, and heals when it goes", func(ctx SpecContext) {
		const finalizer = "example.com/keep"
		namespace := namespaceOf("wedged-a")
		create(ctx, namespace)
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "wedged-a", Name: "bulkhead-wedged-owner", Finalizers: []string{finalizer}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{user("wedged-former")},
		}
		Expect(world.Admin.Create(ctx, binding)).To(Succeed())
		tenant := tenantOf("wedged", "wedged-a", "wedged-b")
		adopting(tenant)
		tenant.Spec.Members = []v1alpha1.Member{member("wedged-owner", v1alpha1.RoleAdmin), member("wedged-guest", v1alpha1.RoleView)}
		create(ctx, tenant)

		wedged := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "wedged-a/bulkhead-wedged-owner", finalizer),
			haveCondition(v1alpha1.ConditionAccessReady, metav1.ConditionFalse, v1alpha1.ReasonPending, "wedged-a/bulkhead-wedged-owner", finalizer),
			haveCondition(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1)),
		)
		Eventually(ctx, tenantNamed("wedged")).Should(wedged)
		Expect(may(ctx, "wedged-owner", "get", "pods", "wedged-b")).To(BeTrue(), "the sibling namespace")
		Expect(may(ctx, "wedged-guest", "get", "pods", "wedged-a")).To(BeTrue(), "the sibling member")
		Expect(may(ctx, "wedged-owner", "get", "pods", "wedged-a")).To(BeFalse())
		Consistently(ctx, tenantNamed("wedged")).Should(wedged)

		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		Expect(binding.Finalizers).To(ConsistOf(finalizer))
		Expect(world.Admin.Patch(ctx, binding, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Eventually(ctx, tenantNamed("wedged")).Should(beReady())
		Expect(may(ctx, "wedged-owner", "get", "pods", "wedged-a")).To(BeTrue())
		Expect(may(ctx, "wedged-former", "get", "pods", "wedged-a")).To(BeFalse())
	})
})
