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
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

var _ = Describe("Scenario 22: a tenant is deleted", func() {
	It("keeps namespaces, workloads and walls with Retain, and takes back all access", func(ctx SpecContext) {
		tenant := leaving("retained", v1alpha1.DeletionRetain)
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("retained")).Should(beReady())
		Expect(clusterObjects("retained")(ctx)).To(HaveLen(4), "a role and a binding for all, and for the guest")
		walls := must(policies("retained-a")(ctx))
		workload := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "retained-a", Name: "workload"}}
		Expect(world.Admin.Create(ctx, workload)).To(Succeed())

		remove(ctx, tenant)
		Eventually(ctx, tenantNamed("retained")).Should(BeNil())
		Expect(clusterObjects("retained")(ctx)).To(BeEmpty())
		for _, name := range []string{"retained-a", "retained-b"} {
			namespace := must(namespaceNamed(name)(ctx))
			Expect(namespace.DeletionTimestamp).To(BeNil())
			Expect(namespace.Labels).To(SatisfyAll(HaveKeyWithValue(v1alpha1.LabelReleasedFrom, "retained"),
				Not(HaveKey(v1alpha1.LabelTenant)), HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted")))
			Expect(bindings(name)(ctx)).To(BeEmpty())
			Expect(policies(name)(ctx)).To(Equal(walls))
			Expect(quotaOf(name)(ctx)).To(Equal("5"))
		}
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(workload), workload)).To(Succeed())
	})

	It("deletes namespaces with Delete, and waits until they are gone", func(ctx SpecContext) {
		tenant := leaving("purged", v1alpha1.DeletionDelete)
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("purged")).Should(beReady())
		held := holding(ctx, "purged-b")

		remove(ctx, tenant)
		Eventually(ctx, namespaceNamed("purged-a")).Should(BeNil())
		waiting := SatisfyAll(
			Not(BeNil()),
			HaveField("Finalizers", ContainElement(v1alpha1.Finalizer)),
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTerminating, "purged-b", "configmaps"),
			haveCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonTerminating),
			WithTransform(readyMessage, Not(ContainSubstring("purged-a"))),
			HaveField("Status.Namespaces.Terminating", BeEquivalentTo(1)),
		)
		Eventually(ctx, tenantNamed("purged")).Should(waiting)
		Expect(bindings("purged-b")(ctx)).To(BeEmpty(), "access ends before the namespace does")
		Consistently(ctx, tenantNamed("purged")).Should(waiting)
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(held), held)).To(Succeed())
		Expect(held.Finalizers).To(ConsistOf(foreignFinalizer), "only its owner may take it off")
		Expect(must(namespaceNamed("purged-b")(ctx)).Spec.Finalizers).To(ConsistOf(corev1.FinalizerKubernetes))

		letGo(ctx, held)
		Eventually(ctx, tenantNamed("purged")).Should(BeNil())
		Expect(namespaceNamed("purged-b")(ctx)).To(BeNil())
		Expect(clusterObjects("purged")(ctx)).To(BeEmpty())
	})

	It("deletes a namespace that leaves the spec with Delete, and no other", func(ctx SpecContext) {
		tenant := leaving("shrinks", v1alpha1.DeletionDelete)
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("shrinks")).Should(beReady())

		change(ctx, "shrinks", func(t *v1alpha1.Tenant) { drop("shrinks-b")(t); t.Spec.Members = t.Spec.Members[:1] })
		Eventually(ctx, namespaceNamed("shrinks-b")).Should(BeNil())
		Eventually(ctx, tenantNamed("shrinks")).Should(SatisfyAll(beReady(), HaveField("Status.Namespaces.Terminating", BeZero()),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1))))
		Expect(must(namespaceNamed("shrinks-a")(ctx)).DeletionTimestamp).To(BeNil())
		Expect(clusterObjects("shrinks")(ctx)).To(ConsistOf("ClusterRole bulkhead:tenant:shrinks", "ClusterRoleBinding bulkhead:tenant:shrinks"))
	})
})

// leaving is a Tenant of two namespaces, -a and -b, an owner of both and a guest of the second.
func leaving(name string, policy v1alpha1.DeletionPolicy) *v1alpha1.Tenant {
	tenant := tenantOf(name, name+"-a", name+"-b")
	tenant.Spec.DeletionPolicy = policy
	tenant.Spec.Members = []v1alpha1.Member{member(name+"-owner", v1alpha1.RoleAdmin), member("guest", v1alpha1.RoleView, name+"-b")}
	tenant.Spec.Quota = pods("5")
	return tenant
}

func readyMessage(tenant *v1alpha1.Tenant) string {
	for _, condition := range tenant.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			return condition.Message
		}
	}
	return ""
}

var _ = Describe("A namespace is deleted by hand", func() {
	It("comes back, as one loss and not as many", func(ctx SpecContext) {
		tenant := tenantOf("recreated", "recreated-a", "recreated-b")
		tenant.Spec.Members = []v1alpha1.Member{member("recreated-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Quota = pods("5")
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("recreated")).Should(beReady())
		uid := must(namespaceNamed("recreated-a")(ctx)).UID

		remove(ctx, namespaceOf("recreated-a"))
		Eventually(ctx, namespaceNamed("recreated-a")).Should(SatisfyAll(Not(BeNil()), HaveField("UID", Not(Equal(uid)))))
		Eventually(ctx, tenantNamed("recreated")).Should(SatisfyAll(beReady(),
			haveCondition(v1alpha1.ConditionInSync, metav1.ConditionTrue, v1alpha1.ReasonNoDrift),
			HaveField("Status.Drift.Recent", Not(BeEmpty()))))
		recent := must(tenantNamed("recreated")(ctx)).Status.Drift.Recent
		Expect(recent).To(HaveLen(1))
		Expect(recent[0]).To(SatisfyAll(HaveField("Type", v1alpha1.DriftObjectMissing), HaveField("Action", v1alpha1.DriftCorrected),
			HaveField("Count", BeEquivalentTo(1)), HaveField("Object", v1alpha1.ObjectReference{Kind: "Namespace", Name: "recreated-a"})))
		Expect(bindings("recreated-a")(ctx)).To(ConsistOf("bulkhead-recreated-owner"))
		Expect(quotaOf("recreated-a")(ctx)).To(Equal("5"))
		Eventually(ctx, eventsOf("recreated")).Should(ContainElement(HavePrefix("DriftCorrected: Namespace recreated-a")))
	})

	It("is named while something keeps it from going, and its siblings are served", func(ctx SpecContext) {
		tenant := tenantOf("stuck", "stuck-a", "stuck-b")
		tenant.Spec.Members = []v1alpha1.Member{member("stuck-owner", v1alpha1.RoleAdmin)}
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("stuck")).Should(beReady())
		held := holding(ctx, "stuck-a")

		remove(ctx, namespaceOf("stuck-a"))
		waiting := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTerminating, "stuck-a"),
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonTerminating, "stuck-a", "configmaps"),
			haveCondition(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			HaveField("Status.Namespaces", v1alpha1.NamespaceCounts{Desired: 2, Ready: 1, Terminating: 1}),
		)
		Eventually(ctx, tenantNamed("stuck")).Should(waiting)
		Expect(may(ctx, "stuck-owner", "get", "pods", "stuck-b")).To(BeTrue())
		remove(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "stuck-b", Name: "bulkhead-default-deny"}})
		Eventually(ctx, policies("stuck-b")).Should(ContainElement("bulkhead-default-deny"))
		Consistently(ctx, tenantNamed("stuck")).Should(waiting)

		letGo(ctx, held)
		Eventually(ctx, tenantNamed("stuck")).Should(beReady())
		Expect(must(namespaceNamed("stuck-a")(ctx)).DeletionTimestamp).To(BeNil())
	})
})

var _ = Describe("The CRD of Tenants is removed", Serial, func() {
	BeforeEach(func(_ SpecContext) {
		DeferCleanup(installCRDs)
	})

	It("takes back access, keeps namespaces and workloads, and goes on when it is installed again", func(ctx SpecContext) {
		tenant := leaving("survivor", v1alpha1.DeletionRetain)
		DeferCleanup(removeTenant, "survivor", []string{"survivor-a", "survivor-b"})
		Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
		Eventually(ctx, tenantNamed("survivor")).Should(beReady())
		workload := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "survivor-a", Name: "workload"}}
		Expect(world.Admin.Create(ctx, workload)).To(Succeed())
		uid, walls := must(namespaceNamed("survivor-a")(ctx)).UID, must(policies("survivor-a")(ctx))

		must(world.Kubectl(ctx, "delete", "crd", "tenants.tenancy.bulkhead.dev", "--timeout=60s"))
		expectSurvival(ctx, workload, uid, walls)
		Expect(bindings("survivor-a")(ctx)).To(BeEmpty())

		installCRDs(ctx)
		Expect(world.Admin.Create(ctx, leaving("survivor", v1alpha1.DeletionRetain))).To(Succeed())
		Eventually(ctx, tenantNamed("survivor")).WithTimeout(late).Should(beReady())
		expectSurvival(ctx, workload, uid, walls)
		Expect(bindings("survivor-a")(ctx)).To(ConsistOf("bulkhead-survivor-owner"))
	})

	It("tears nothing down when the operator finds namespaces of a tenant that is no more", func(ctx SpecContext) {
		tenant := leaving("orphaned", v1alpha1.DeletionDelete)
		DeferCleanup(removeTenant, "orphaned", []string{"orphaned-a", "orphaned-b"})
		Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
		Eventually(ctx, tenantNamed("orphaned")).Should(beReady())
		workload := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "orphaned-a", Name: "workload"}}
		Expect(world.Admin.Create(ctx, workload)).To(Succeed())
		uid, walls := must(namespaceNamed("orphaned-a")(ctx)).UID, must(policies("orphaned-a")(ctx))

		withoutOperator()
		must(world.Kubectl(ctx, "delete", "crd", "tenants.tenancy.bulkhead.dev", "--wait=false"))
		must(world.Kubectl(ctx, "patch", "tenant", "orphaned", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`))
		must(world.Kubectl(ctx, "wait", "--for=delete", "crd/tenants.tenancy.bulkhead.dev", "--timeout=60s"))
		installCRDs(ctx)
		startOperator()
		Consistently(ctx, func(ctx context.Context) error {
			return world.Admin.Get(ctx, client.ObjectKeyFromObject(workload), &corev1.ConfigMap{})
		}).Should(Succeed())
		expectSurvival(ctx, workload, uid, walls)
		Expect(world.Admin.Create(ctx, leaving("orphaned", v1alpha1.DeletionRetain))).To(Succeed())
		Eventually(ctx, tenantNamed("orphaned")).Should(beReady())
		expectSurvival(ctx, workload, uid, walls)
	})
})

// installCRDs installs the CRDs where they are missing, and waits until they serve.
func installCRDs(ctx context.Context) {
	GinkgoHelper()
	root := must(env.Root())
	must(world.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "crd")))
	must(world.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"))
	Eventually(ctx, func(ctx context.Context) error { return world.Admin.List(ctx, &v1alpha1.TenantList{}) }).Should(Succeed())
}

// expectSurvival expects that a workload's namespace is the same, with its walls, and not about to go.
func expectSurvival(ctx context.Context, workload *corev1.ConfigMap, uid types.UID, walls []string) {
	GinkgoHelper()
	namespace := must(namespaceNamed(workload.Namespace)(ctx))
	Expect(namespace).NotTo(BeNil())
	Expect(namespace.UID).To(Equal(uid))
	Expect(namespace.DeletionTimestamp).To(BeNil())
	Expect(policies(workload.Namespace)(ctx)).To(Equal(walls))
	Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(workload), &corev1.ConfigMap{})).To(Succeed())
}
