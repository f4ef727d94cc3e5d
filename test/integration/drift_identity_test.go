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
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// believed is how long the policy must have been there until the operator believes what it writes, and a little more.
const believed = 7 * time.Second

// stampPolicy is the policy that stamps what is changed.
func stampPolicy() *admissionregistrationv1.MutatingAdmissionPolicy {
	return &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead-identity"}}
}

// installStamp installs the policies of config/admission/mutating, if the API server serves their kind, and removes them
// after the specs of this container. There is nothing by which to see that the operator believes them.
func installStamp(ctx context.Context) {
	GinkgoHelper()
	if err := world.Admin.Get(ctx, client.ObjectKeyFromObject(stampPolicy()), stampPolicy()); meta.IsNoMatchError(err) {
		Skip("this version of Kubernetes has no MutatingAdmissionPolicies")
	}
	root, err := env.Root()
	Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(root, "config", "admission", "mutating")
	_, err = world.Kubectl(ctx, "apply", "--server-side", "-k", dir)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		_, err := world.Kubectl(ctx, "delete", "--ignore-not-found", "-k", dir)
		Expect(err).NotTo(HaveOccurred())
	})
	Consistently(func() error {
		return world.Admin.Get(ctx, client.ObjectKeyFromObject(stampPolicy()), stampPolicy())
	}).WithContext(ctx).WithTimeout(believed).WithPolling(time.Second).Should(Succeed())
}

// by matches a drift item, of which also the user is known, or isn't.
func by(user, manager string) gstruct.Fields {
	return gstruct.Fields{"User": Equal(user), "Manager": Equal(manager)}
}

// reportedBy matches an item of a report by who is named.
func reportedBy(user, manager string, confidence v1alpha1.Confidence) types.GomegaMatcher {
	return HaveField("Items", ContainElement(HaveField("Attribution", gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
		"User": Equal(user), "Manager": Equal(manager), "Confidence": Equal(confidence),
	}))))
}

var _ = Describe("the user behind drift", Serial, Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		operatorUp()
		installStamp(ctx)
	})
	BeforeEach(operatorUp)

	// brook has broken the glass.
	brook := func() client.WithWatch { return as("brook", "system:masters") }
	befriend := func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, User("a-friend")) }

	It("is named where one request made the difference", func(ctx SpecContext) {
		provision(ctx, someTenant("named").Obj())
		binding := bindingIn("named", "owners")
		before := intact(ctx, binding)
		interfere(ctx, brook(), "kubectl-edit", binding, befriend)
		comesBack(ctx, binding, before)
		expectDrift(ctx, "named", binding, v1alpha1.DriftFieldModified, by("brook", "kubectl-edit"))
		Eventually(reportOf).WithContext(ctx).WithArguments("named").Should(gstruct.PointTo(
			reportedBy("brook", "kubectl-edit", v1alpha1.ConfidenceAuthenticated)))
		Eventually(notesOf).WithContext(ctx).WithArguments("named").Should(ContainElement(
			ContainSubstring(`by user "brook", field manager "kubectl-edit" (client-declared)`)))
	})

	It("is named for what was taken away, of which managed fields keep no trace", func(ctx SpecContext) {
		provision(ctx, someTenant("taken").Obj())
		wall := policyIn("taken", "bulkhead-allow-metrics")
		before := intact(ctx, wall)
		interfere(ctx, brook(), "kubectl", wall, func(p *networkingv1.NetworkPolicy) { delete(p.Labels, v1alpha1.LabelTenant) })
		comesBack(ctx, wall, before)
		expectDrift(ctx, "taken", wall, v1alpha1.DriftFieldRemoved, by("brook", ""))
		Eventually(reportOf).WithContext(ctx).WithArguments("taken").Should(gstruct.PointTo(reportedBy("brook", "", v1alpha1.ConfidenceAuthenticated)))
	})

	It("is named of a namespace, which others change too", func(ctx SpecContext) {
		provision(ctx, someTenant("shared-space").Obj())
		space := namespaceNamed("shared-space")
		before, err := versionOf(ctx, space)
		Expect(err).NotTo(HaveOccurred())
		// That is nobody's drift, and the stamp isn't either.
		interfere(ctx, as("platform", "system:masters"), "kubectl-label", space, func(n *corev1.Namespace) { n.Labels["cost-center"] = "42" })
		Expect(space.Annotations).To(And(
			HaveKeyWithValue(v1alpha1.AnnotationLastChangedBy, "platform"), HaveKeyWithValue(v1alpha1.AnnotationLastChangedFrom, before)))
		Consistently(versionOf).WithContext(ctx).WithArguments(space).Should(Equal(space.ResourceVersion))
		awaitReady(ctx, "shared-space")

		interfere(ctx, brook(), "kubectl-label", space, func(n *corev1.Namespace) { n.Labels["pod-security.kubernetes.io/enforce"] = "privileged" })
		expectDrift(ctx, "shared-space", space, v1alpha1.DriftFieldModified, by("brook", "kubectl-label"))
	})

	It("stays named while nobody else writes, and is not named for what another did later", func(ctx SpecContext) {
		tenant := someTenant("two-in-a-row").Obj()
		provision(ctx, tenant)
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) { t.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve} })
		Eventually(conditionsOf).WithContext(ctx).WithArguments("two-in-a-row").Should(HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"))
		wall := defaultDeny("two-in-a-row")
		top := func(user, manager string) types.GomegaMatcher {
			return HaveField("Top", ConsistOf(item(wall, v1alpha1.DriftFieldInjected, v1alpha1.DriftReported, by(user, manager))))
		}
		interfere(ctx, brook(), "kubectl-edit", wall, func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} })
		Eventually(driftOf).WithContext(ctx).WithArguments("two-in-a-row").Should(top("brook", "kubectl-edit"))
		Consistently(driftOf).WithContext(ctx).WithArguments("two-in-a-row").Should(top("brook", "kubectl-edit"))
		// Two did something now, and it takes more than the last name to tell who did what.
		interfere(ctx, as("eve", "system:masters"), "kubectl-label", wall, func(p *networkingv1.NetworkPolicy) { p.Labels["mine"] = "1" })
		Eventually(driftOf).WithContext(ctx).WithArguments("two-in-a-row").Should(top("", "kubectl-edit"))
	})

	It("is not named for what was done while no operator ran", func(ctx SpecContext) {
		provision(ctx, someTenant("unseen-change").Obj())
		binding := bindingIn("unseen-change", "owners")
		before := intact(ctx, binding)
		operatorDown()
		interfere(ctx, brook(), "kubectl-edit", binding, befriend)
		operatorUp()
		comesBack(ctx, binding, before)
		expectDrift(ctx, "unseen-change", binding, v1alpha1.DriftFieldModified, by("", "kubectl-edit"))
		Eventually(reportOf).WithContext(ctx).WithArguments("unseen-change").Should(gstruct.PointTo(
			reportedBy("", "kubectl-edit", v1alpha1.ConfidenceClaimed)))
	})

	It("is not named of a quota, whose stamp may be forged by way of its status", func(ctx SpecContext) {
		provision(ctx, someTenant("past-the-stamp").Obj())
		quota := quotaIn("past-the-stamp")
		interfere(ctx, brook(), "kubectl-edit", quota, func(q *corev1.ResourceQuota) { q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("99") })
		expectDrift(ctx, "past-the-stamp", quota, v1alpha1.DriftFieldModified, by("", "kubectl-edit"))
	})

	It("is not named where the policy isn't what it must be", func(ctx SpecContext) {
		provision(ctx, someTenant("weakened").Obj())
		policy := stampPolicy()
		interfere(ctx, world.Admin, "kubectl-edit", policy, func(p *admissionregistrationv1.MutatingAdmissionPolicy) {
			p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionregistrationv1.MatchCondition{Name: "spared", Expression: "true"})
		})
		binding := bindingIn("weakened", "owners")
		before := intact(ctx, binding)
		// The operator learns of it by a watch; the first may be too early.
		Eventually(func(g Gomega, ctx context.Context) {
			interfere(ctx, brook(), "kubectl-edit", binding, befriend)
			comesBack(ctx, binding, before)
			g.Expect(recentOf(ctx, "weakened")).To(ContainElement(item(binding, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, by("", "kubectl-edit"))))
		}).WithContext(ctx).Should(Succeed())
		awaitReady(ctx, "weakened")
	})
})
