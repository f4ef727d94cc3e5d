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
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// reportOf is the report of a tenant in the namespace of its name; nil if there is none.
func reportOf(ctx context.Context, name string) (*v1alpha1.DriftReportContent, error) {
	report := &v1alpha1.DriftReport{}
	if err := world.Admin.Get(ctx, client.ObjectKey{Namespace: name, Name: name}, report); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return &report.Report, nil
}

// detail matches an item of a report.
func detail(object client.Object, driftType v1alpha1.DriftType, action v1alpha1.DriftAction, fields gstruct.Fields) types.GomegaMatcher {
	return item(object, driftType, action, fields)
}

func ignoring(rules ...v1alpha1.DriftIgnoreRule) func(*v1alpha1.Tenant) {
	return func(t *v1alpha1.Tenant) { t.Spec.Drift = &v1alpha1.DriftSpec{Ignore: rules} }
}

var _ = Describe("a drift report", func() {
	BeforeEach(operatorUp)

	It("is there only where something differed, says what and who, and is for the tenant to read", func(ctx SpecContext) {
		provision(ctx, someTenant("reported").Obj())
		Expect(reportOf(ctx, "reported")).To(BeNil())
		quota := quotaIn("reported")
		interfere(ctx, world.Admin, "kubectl-edit", quota, func(q *corev1.ResourceQuota) {
			q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("99")
			q.Labels["tenancy.bulkhead.dev/feature"] = "other"
		})
		Eventually(reportOf).WithContext(ctx).WithArguments("reported").Should(gstruct.PointTo(gstruct.MatchAllFields(gstruct.Fields{
			"Open": BeZero(), "Critical": BeZero(), "Truncated": BeZero(),
			"Items": ConsistOf(detail(quota, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, gstruct.Fields{
				"Fields": HaveExactElements(
					v1alpha1.FieldDrift{Path: "spec.hard[pods]", Change: v1alpha1.FieldChangeModified, Expected: `"20"`, Actual: `"99"`},
					v1alpha1.FieldDrift{Path: pathFeatureLabel, Change: v1alpha1.FieldChangeModified, Expected: `"quota"`, Actual: `"other"`},
				),
				"Attribution": gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
					"Manager": Equal("kubectl-edit"), "Operation": Equal("Update"), "Confidence": Equal(v1alpha1.ConfidenceClaimed), "Time": Not(BeNil()),
				}),
				"Count": BeEquivalentTo(1), "LastSeen": Not(BeNil()),
				"Hint": Equal("to keep a change, make it in spec.quota of Tenant reported"),
			})),
		})))
		for _, verb := range []string{"get", "list", "watch"} {
			Expect(may(ctx, "reported-owner", verb, "driftreports", "reported")).To(BeTrue(), verb)
		}
		for _, verb := range []string{"create", "update", "patch", "delete"} {
			Expect(may(ctx, "reported-owner", verb, "driftreports", "reported")).To(BeFalse(), verb)
		}
	})

	It("is written again when somebody deletes it while something differs", func(ctx SpecContext) {
		tenant := someTenant("rewritten").Mode(v1alpha1.DriftObserve).Obj()
		createTenant(ctx, tenant)
		create(ctx, namespaceNamed("rewritten"))
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) {
			t.Spec.Namespaces[0].Adoption = v1alpha1.AdoptionIfUnclaimed
		})
		Eventually(reportOf).WithContext(ctx).WithArguments("rewritten").Should(gstruct.PointTo(HaveField("Open", BeNumerically(">", 5))))
		before, err := reportOf(ctx, "rewritten")
		Expect(err).NotTo(HaveOccurred())
		Expect(world.Admin.Delete(ctx, &v1alpha1.DriftReport{ObjectMeta: metav1.ObjectMeta{Namespace: "rewritten", Name: "rewritten"}})).To(Succeed())
		Eventually(reportOf).WithContext(ctx).WithArguments("rewritten").Should(gstruct.PointTo(HaveField("Items", HaveLen(len(before.Items)))))
	})

	It("goes with its tenant, though the namespace stays", func(ctx SpecContext) {
		tenant := someTenant("outlived").Obj()
		provision(ctx, tenant)
		interfere(ctx, world.Admin, "kubectl-edit", quotaIn("outlived"), func(q *corev1.ResourceQuota) {
			q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("99")
		})
		Eventually(reportOf).WithContext(ctx).WithArguments("outlived").ShouldNot(BeNil())
		Expect(world.Admin.Delete(ctx, tenant)).To(Succeed())
		Eventually(reportOf).WithContext(ctx).WithArguments("outlived").Should(BeNil())
		Expect(gone(ctx, namespaceNamed("outlived"))).To(BeFalse())
	})

	It("shows no values but those that are known to be harmless", func(ctx SpecContext) {
		tenant := someTenant("discreet").Obj()
		tenant.Spec.Namespaces[0].Annotations = map[string]v1alpha1.AnnotationValue{"example.com/note": "from the spec"}
		provision(ctx, tenant)
		namespace := namespaceNamed("discreet")
		interfere(ctx, world.Admin, "sneaky", namespace, func(n *corev1.Namespace) { n.Annotations["example.com/note"] = "s3cr3t" })
		Eventually(reportOf).WithContext(ctx).WithArguments("discreet").Should(gstruct.PointTo(HaveField("Items", ConsistOf(
			detail(namespace, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, gstruct.Fields{"Fields": HaveExactElements(
				v1alpha1.FieldDrift{Path: "metadata.annotations[example.com/note]", Change: v1alpha1.FieldChangeModified, Redacted: true},
			)}),
		))))
	})
})

var _ = Describe("drift that a Tenant ignores", func() {
	BeforeEach(operatorUp)
	rule := func(kind, path string) v1alpha1.DriftIgnoreRule {
		return v1alpha1.DriftIgnoreRule{Kind: kind, Path: path, Reason: "load test", NotAfter: metav1.NewTime(time.Now().Add(time.Hour))}
	}

	It("is left, counted and reported; what else differs is corrected", func(ctx SpecContext) {
		tenant := someTenant("ignoring").Obj()
		provision(ctx, tenant)
		interfere(ctx, world.Admin, "kubectl-edit", tenant, ignoring(rule("ResourceQuota", "spec.hard[pods]")))
		awaitReady(ctx, "ignoring")
		quota := quotaIn("ignoring")
		interfere(ctx, world.Admin, "hpa", quota, func(q *corev1.ResourceQuota) {
			q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("99")
			q.Spec.Hard[corev1.ResourceRequestsCPU] = resource.MustParse("77")
		})
		hard := func(ctx context.Context) (map[string]string, error) {
			err := world.Admin.Get(ctx, client.ObjectKeyFromObject(quota), quota)
			return map[string]string{"pods": quota.Spec.Hard.Pods().String(), "cpu": quota.Spec.Hard.Name(corev1.ResourceRequestsCPU, resource.DecimalSI).String()}, err
		}
		Eventually(hard).WithContext(ctx).Should(Equal(map[string]string{"pods": "99", "cpu": "4"}))
		Consistently(hard).WithContext(ctx).Should(Equal(map[string]string{"pods": "99", "cpu": "4"}))
		awaitReady(ctx, "ignoring")
		Eventually(driftOf).WithContext(ctx).WithArguments("ignoring").Should(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
			"Open": BeZero(), "Ignored": BeEquivalentTo(1),
			"Recent": ConsistOf(item(quota, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, gstruct.Fields{"Paths": Equal([]string{"spec.hard[requests.cpu]"})})),
		}))
		Eventually(reportOf).WithContext(ctx).WithArguments("ignoring").Should(gstruct.PointTo(HaveField("Items", ContainElement(
			detail(quota, v1alpha1.DriftFieldModified, v1alpha1.DriftIgnored, nil)))))

		By("ending the rule")
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) {
			t.Spec.Drift.Ignore[0].NotAfter = metav1.NewTime(time.Now().Add(2 * time.Second))
		})
		Eventually(hard).WithContext(ctx).Should(Equal(map[string]string{"pods": "20", "cpu": "4"}))
		Eventually(driftOf).WithContext(ctx).WithArguments("ignoring").Should(HaveField("Ignored", BeZero()))
	})

	It("is corrected all the same where it carries security, unless the rule says so", func(ctx SpecContext) {
		tenant := someTenant("guarded").Obj()
		provision(ctx, tenant)
		interfere(ctx, world.Admin, "kubectl-edit", tenant, ignoring(rule("Namespace", "metadata.labels")))
		awaitReady(ctx, "guarded")
		namespace := namespaceNamed("guarded")
		before := intact(ctx, namespace)
		lower := func(n *corev1.Namespace) { n.Labels[labelEnforce] = "privileged" }
		interfere(ctx, world.Admin, "kubectl-label", namespace, lower)
		comesBack(ctx, namespace, before)

		By("saying so")
		wide := rule("Namespace", "metadata.labels")
		wide.SecurityPaths = v1alpha1.SecurityPathsIgnore
		interfere(ctx, world.Admin, "kubectl-edit", tenant, ignoring(wide))
		awaitReady(ctx, "guarded")
		interfere(ctx, world.Admin, "kubectl-label", namespace, lower)
		Eventually(driftOf).WithContext(ctx).WithArguments("guarded").Should(HaveField("Ignored", BeEquivalentTo(1)))
		Eventually(conditionsOf).WithContext(ctx).WithArguments("guarded").Should(HaveKeyWithValue(v1alpha1.ConditionIsolated, "False PodSecurityWeakened"),
			"what is ignored opens the tenant all the same")
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(namespace.Labels).To(HaveKeyWithValue(labelEnforce, "privileged"))
	})

	It("is refused by the API server for what is nothing but security", func(ctx SpecContext) {
		tenant := someTenant("refused-rule").Obj()
		ignoring(rule("NetworkPolicy", "spec.ingress"))(tenant)
		Expect(world.Admin.Create(ctx, tenant)).To(MatchError(ContainSubstring("must set securityPaths: Ignore, because spec.ingress of NetworkPolicy carries security")))
	})
})

var _ = Describe("a pause of corrections", func() {
	BeforeEach(operatorUp)

	It("ends on time, without any other event", func(ctx SpecContext) {
		tenant := someTenant("paused").Obj()
		provision(ctx, tenant)
		end := time.Now().Add(5 * time.Second).Truncate(time.Second)
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) {
			t.Spec.Drift = &v1alpha1.DriftSpec{ObserveUntil: new(metav1.NewTime(end))}
		})
		Eventually(conditionsOf).WithContext(ctx).WithArguments("paused").Should(HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"))
		wall := defaultDeny("paused")
		before := intact(ctx, wall)
		interfere(ctx, world.Admin, "kubectl-edit", wall, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
		})
		Eventually(driftOf).WithContext(ctx).WithArguments("paused").Should(And(HaveField("Open", BeEquivalentTo(1)), HaveField("Mode", v1alpha1.DriftObserve)))
		comesBack(ctx, wall, before)
		Expect(time.Now()).To(BeTemporally(">=", end))
		awaitReady(ctx, "paused")
		Eventually(driftOf).WithContext(ctx).WithArguments("paused").Should(HaveField("Mode", v1alpha1.DriftEnforce))
	})
})

// may reports whether RBAC lets a user do something in a namespace.
func may(ctx context.Context, user, verb, plural, namespace string) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: plural, Namespace: namespace},
	}}
	Expect(world.Admin.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}
