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

package guard

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/operator"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

var _ = Describe("guard-rails that the operator may put back", Ordered, func() {
	var process *running

	BeforeAll(func(ctx SpecContext) {
		folder := filepath.Join(root, "config", "admission", "restore")
		out, err := world.Kubectl(ctx, "apply", "--server-side", "-k", folder)
		Expect(err).NotTo(HaveOccurred(), out)
		DeferCleanup(func(ctx SpecContext) {
			out, err := world.Kubectl(ctx, "delete", "-k", folder)
			Expect(err).NotTo(HaveOccurred(), out)
			repair(ctx, networkPolicies)
		})
		process = startOperator(nil)
		Expect(world.Admin.Create(ctx, MakeTenant("kept").Namespaces("kept-prod").Obj())).To(Succeed())
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		Eventually(guarded).WithContext(ctx).WithArguments("kept").Should(beProven)
	})

	DescribeTable("come back by themselves",
		func(ctx SpecContext, object client.Object, says string, lose func(context.Context)) {
			object.SetName(networkPolicies)
			Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			before := specOf(object)
			lose(ctx)
			Eventually(func(ctx context.Context) (any, error) {
				err := client.IgnoreNotFound(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object))
				return specOf(object), err
			}).WithContext(ctx).Should(Equal(before))
			Eventually(notes).WithContext(ctx).WithArguments(networkPolicies, v1alpha1.EventDriftDetected).Should(ContainElement(says))
			Eventually(notes).WithContext(ctx).WithArguments(networkPolicies, v1alpha1.EventDriftCorrected).ShouldNot(BeEmpty())
			// And it refuses again.
			Consistently(states).Should(Equal(allProven()))
			Expect(guarded(ctx, "kept")).To(beProven)
		},
		Entry("edited", policy(), `ValidatingAdmissionPolicy bulkhead-network-policies: FieldModified spec.failurePolicy by field manager "sneaky" (client-declared)`,
			func(ctx context.Context) {
				edit(ctx, policy(), networkPolicies, types.MergePatchType, `{"spec":{"failurePolicy":"Ignore"}}`)
			}),
		Entry("with something added", binding(),
			`ValidatingAdmissionPolicyBinding bulkhead-network-policies: FieldInjected spec.validationActions[="Audit"] by field manager "sneaky" (client-declared)`,
			func(ctx context.Context) {
				edit(ctx, binding(), networkPolicies, types.MergePatchType, `{"spec":{"validationActions":["Deny","Audit"]}}`)
			}),
		Entry("for fewer namespaces", binding(),
			`ValidatingAdmissionPolicyBinding bulkhead-network-policies: FieldModified spec.matchResources by field manager "sneaky" (client-declared)`,
			func(ctx context.Context) {
				edit(ctx, binding(), networkPolicies, types.MergePatchType, `{"spec":{"matchResources":{"namespaceSelector":{"matchLabels":{"x":"y"}}}}}`)
			}),
	)

	It("are made anew", func(ctx SpecContext) {
		for _, name := range []string{networkPolicies, "bulkhead-quota-ready"} {
			for _, object := range []client.Object{policy(), binding()} {
				object.SetName(name)
				Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				uid := object.GetUID()
				Expect(world.Admin.Delete(ctx, object)).To(Succeed())
				Eventually(func(ctx context.Context) (types.UID, error) {
					err := world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)
					return object.GetUID(), client.IgnoreNotFound(err)
				}).WithContext(ctx).ShouldNot(Or(Equal(uid), BeEmpty()))
				Expect(object.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/part-of", "bulkhead"))
			}
		}
		Consistently(states).Should(Equal(allProven()))
		Expect(process.ready(ctx)).To(Equal(http.StatusOK))
	})
})

// specOf is the spec of a policy or a binding.
func specOf(object client.Object) any {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	Expect(err).NotTo(HaveOccurred())
	return content["spec"]
}

var _ = Describe("break-glass groups", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		Expect(world.Admin.Create(ctx, MakeTenant("glass").Namespaces("glass-prod").Obj())).To(Succeed())
	})

	It("are those of the flag", func(ctx SpecContext) {
		process := startOperator(func(o *operator.Options) { o.BreakGlassGroups = append(guard.DefaultBreakGlass(), "oidc:sre") })
		Eventually(guarded).WithContext(ctx).WithArguments("glass").Should(And(
			HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonNotInstalled),
			HaveField("Message", HavePrefix("guard-rail bulkhead-access-bindings: its policy is not what this version of Bulkhead ships: "+
				`spec.variables[name="trusted"] (last written by field manager "kubectl", client-declared); --break-glass-groups must name the groups that it names; `))))
		overlay(ctx, `['bulkhead:break-glass', 'system:masters', 'oidc:sre']`)
		Eventually(states).Should(Equal(allProven()))
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
	})

	It("that the operator is in let it pass, which is seen", func(ctx SpecContext) {
		const own = "system:serviceaccounts:bulkhead-system"
		overlay(ctx, `['bulkhead:break-glass', '`+own+`']`)
		began := time.Now()
		process := startOperator(func(o *operator.Options) { o.BreakGlassGroups = []string{"bulkhead:break-glass", own} })
		want := allProven()
		for name, state := range want {
			// The one warns; the other refuses before it asks who wants it.
			if state == string(guard.Proven) && name != "bulkhead-break-glass" && name != "bulkhead-quota-ready" {
				want[name] = string(guard.NotEffective)
			}
		}
		Eventually(states).Should(Equal(want))
		Expect(time.Since(began)).To(BeNumerically(">", 5*time.Second), "it may take a while to come into force")
		Eventually(guarded).WithContext(ctx).WithArguments("glass").Should(And(
			HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonNotEffective),
			HaveField("Message", HavePrefix("guard-rail bulkhead-access-bindings: API server "+world.Config().Host+" lets pass what it must refuse; "))))
		Expect(process.ready(ctx)).To(Equal(http.StatusInternalServerError))

		By("being optional")
		process.stop()
		process = startOperator(func(o *operator.Options) {
			o.BreakGlassGroups, o.GuardRails = []string{"bulkhead:break-glass", own}, operator.GuardRailsOptional
		})
		Eventually(states).Should(Equal(want))
		Expect(process.ready(ctx)).To(Equal(http.StatusNotFound), "there is no such check")
		process.stop()

		By("being as they are shipped")
		install(ctx, "admission")
		process = startOperator(nil)
		Eventually(guarded).WithContext(ctx).WithArguments("glass").Should(beProven)
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		for _, namespace := range []string{v1alpha1.GuardProbeNamespace, v1alpha1.GuardProbeQuotaNamespace} {
			out, err := world.Kubectl(ctx, "get", "-n", namespace, "-o", "name", "pods,services,endpointslices,ingresses,networkpolicies,"+
				"persistentvolumeclaims,limitranges,driftreports")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(BeEmpty(), "what passed wasn't stored")
		}
		Expect(world.Admin.Get(ctx, client.ObjectKey{Name: v1alpha1.GuardProbeNamespace}, &corev1.Namespace{})).To(Succeed())
	})
})

// overlay installs the guard-rails with other break-glass groups, as config/admission/kustomization.yaml shows it.
func overlay(ctx context.Context, groups string) {
	GinkgoHelper()
	// A kustomization is referred to by a relative path.
	dir, err := os.MkdirTemp(root, ".overlay-")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(os.RemoveAll(dir)).To(Succeed()) }()
	text := `resources: [../config/admission]
patches:
- target: {kind: ValidatingAdmissionPolicy, labelSelector: app.kubernetes.io/part-of=bulkhead}
  patch: |
    - op: replace
      path: /spec/variables/0/expression
      value: request.userInfo.?groups.orValue([]).exists(g, g in ` + groups + `)
- target: {kind: ValidatingAdmissionPolicy, name: bulkhead-break-glass}
  patch: |
    - op: replace
      path: /spec/matchConditions/2/expression
      value: request.userInfo.?groups.orValue([]).exists(g, g in ` + groups + ")\n"
	Expect(os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	out, err := world.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", dir)
	Expect(err).NotTo(HaveOccurred(), out)
}
