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
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("drift of ownership", func() {
	BeforeEach(operatorUp)

	DescribeTable("scenario 3: what is ours by its values only is made ours again",
		func(ctx SpecContext, kind, name string) {
			provision(ctx, someTenant(name).Obj())
			object := managedObjects(name)[kind]
			if kind == "Namespace" {
				object = namespaceNamed(name)
			}
			before := intact(ctx, object)
			Expect(world.Admin.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`)))).To(Succeed())
			uid := object.GetUID()
			Eventually(ctx, func(g Gomega) {
				g.Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				g.Expect(slices.ContainsFunc(object.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
					return m.Manager == v1alpha1.FieldManager && m.Operation == metav1.ManagedFieldsOperationApply
				})).To(BeTrue())
			}).Should(Succeed())
			Expect(object.GetUID()).To(Equal(uid), "it was not replaced")
			comesBack(ctx, object, before)
			expectDrift(ctx, name, object, v1alpha1.DriftOwnershipLost, gstruct.Fields{
				"PathCount": BeNumerically(">", 0),
				"Severity":  Equal(v1alpha1.SeverityInfo),
			})
		},
		Entry("of a NetworkPolicy", "NetworkPolicy", "disowned-policy"),
		Entry("of a ResourceQuota", "ResourceQuota", "disowned-quota"),
		Entry("of a LimitRange", "LimitRange", "disowned-limits"),
		Entry("of a RoleBinding", "RoleBinding", "disowned-binding"),
		Entry("of a ClusterRole", "ClusterRole", "disowned-role"),
		Entry("of a ClusterRoleBinding", "ClusterRoleBinding", "disowned-access"),
		Entry("of a Namespace", "Namespace", "disowned-namespace"),
	)
})
