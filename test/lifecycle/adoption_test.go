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
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var _ = Describe("Scenario 11: a namespace that exists is adopted", func() {
	It("is a conflict with Never, and untouched", func(ctx SpecContext) {
		legacy(ctx, "never-ns")
		before := versions(ctx, "never-ns", "never")
		tenant := tenantOf("never", "never-ns")
		tenant.Spec.Members = []v1alpha1.Member{member("never-owner", v1alpha1.RoleAdmin)}
		create(ctx, tenant)

		conflict := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, "never-ns", "adoption: IfUnclaimed"),
			haveCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceConflict),
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, "never-ns"),
			HaveField("Status.Namespaces.Conflicting", BeEquivalentTo(1)),
			HaveField("Status.Namespaces.Ready", BeZero()),
		)
		Eventually(ctx, tenantNamed("never")).Should(conflict)
		Consistently(ctx, tenantNamed("never")).Should(conflict)
		Expect(changed(before, versions(ctx, "never-ns", "never"))).To(
			ConsistOf("ClusterRole bulkhead:tenant:never", "ClusterRoleBinding bulkhead:tenant:never"), "the members may see their Tenant; nothing else may change")
		Expect(ownNamespaces(ctx, "never")).To(BeEmpty())
		Eventually(ctx, eventsOf("never")).Should(ContainElement(HavePrefix("NamespaceConflict: namespace never-ns")))
	})

	It("is taken over with IfUnclaimed, with its labels and workloads as they are", func(ctx SpecContext) {
		legacy(ctx, "taken-ns")
		before := versions(ctx, "taken-ns", "taken")
		uid := must(namespaceNamed("taken-ns")(ctx)).UID
		tenant := tenantOf("taken", "taken-ns")
		tenant.Spec.Members = []v1alpha1.Member{member("taken-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Namespaces[0].Labels = map[string]v1alpha1.LabelValue{"stage": "prod"}
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("taken")).Should(haveCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict))

		change(ctx, "taken", adopting)
		Eventually(ctx, tenantNamed("taken")).Should(beReady())
		namespace := must(namespaceNamed("taken-ns")(ctx))
		Expect(namespace.UID).To(Equal(uid))
		Expect(namespace.Labels).To(SatisfyAll(HaveKeyWithValue("team", "shop"), HaveKeyWithValue("stage", "prod"),
			HaveKeyWithValue(v1alpha1.LabelTenant, "taken"), HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted")))
		Expect(namespace.Annotations).To(HaveKeyWithValue("example.com/cost-centre", "4711"))
		after := versions(ctx, "taken-ns", "taken")
		delete(before, "Namespace taken-ns")
		Expect(before).NotTo(BeEmpty())
		for name, version := range before {
			Expect(after).To(HaveKeyWithValue(name, version), "what was there stays as it was")
		}
	})

	It("shows in Observe what Enforce changes, and Enforce changes exactly that", func(ctx SpecContext) {
		legacy(ctx, "shown-ns")
		tenant := tenantOf("shown", "shown-ns")
		adopting(tenant)
		tenant.Spec.Members = []v1alpha1.Member{member("shown-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Quota = pods("9")
		tenant.Spec.PodSecurity = &v1alpha1.PodSecurity{Enforce: v1alpha1.PodSecurityBaseline}
		tenant.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
		before := versions(ctx, "shown-ns", "shown")
		create(ctx, tenant)

		observed := SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonObserved, "Observe"),
			haveCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonDriftDetected, "differ from intent"),
		)
		Eventually(ctx, tenantNamed("shown")).Should(observed)
		Consistently(ctx, tenantNamed("shown")).Should(observed)
		Expect(versions(ctx, "shown-ns", "shown")).To(Equal(before), "Observe writes nothing")
		drift := must(tenantNamed("shown")(ctx)).Status.Drift
		listed := []string{}
		for _, item := range drift.Top {
			Expect(item.Action).To(Equal(v1alpha1.DriftReported))
			if item.Type == v1alpha1.DriftObjectForeign {
				Expect(item.Object.Name).To(Equal("theirs"), "somebody has access whom the spec doesn't name")
				continue // Enforce changes nothing that isn't ours
			}
			listed = append(listed, item.Object.Kind+" "+item.Object.Name)
		}
		Expect(drift.Open).To(BeEquivalentTo(len(listed) + 1))
		Expect(listed).To(ContainElements("Namespace shown-ns", "ResourceQuota bulkhead", "NetworkPolicy bulkhead-default-deny",
			"RoleBinding bulkhead-shown-owner", "ClusterRole bulkhead:tenant:shown", "ClusterRoleBinding bulkhead:tenant:shown"))

		change(ctx, "shown", func(t *v1alpha1.Tenant) { t.Spec.Drift = nil })
		Eventually(ctx, tenantNamed("shown")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReconciled),
			haveCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonDriftDetected, "1 differ", "RoleBinding shown-ns/theirs ObjectForeign")))
		Expect(changed(before, versions(ctx, "shown-ns", "shown"))).To(ConsistOf(listed))
	})
})

var _ = Describe("Scenario 12: a namespace moves to another tenant", func() {
	It("has all of the new tenant's and nothing of the old one's", func(ctx SpecContext) {
		from := tenantOf("mover-from", "mover-ns", "mover-from-own")
		from.Spec.Members = []v1alpha1.Member{member("from-owner", v1alpha1.RoleAdmin)}
		from.Spec.Quota = pods("11")
		from.Spec.Limits = []v1alpha1.LimitItem{{Type: corev1.LimitTypeContainer, Default: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}
		from.Spec.Namespaces[0].Labels = map[string]v1alpha1.LabelValue{"stage": "old"}
		from.Spec.Network = &v1alpha1.Network{Allow: []v1alpha1.Opening{{
			Name: "metrics", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{{Tenant: "observers"}},
		}}}
		create(ctx, from)
		Eventually(ctx, tenantNamed("mover-from")).Should(beReady())
		workload := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "mover-ns", Name: "workload"}}
		Expect(world.Admin.Create(ctx, workload)).To(Succeed())

		to := tenantOf("mover-to", "mover-ns")
		adopting(to)
		to.Spec.Members = []v1alpha1.Member{member("to-owner", v1alpha1.RoleAdmin)}
		to.Spec.Quota = pods("22")
		to.Spec.Namespaces[0].Labels = map[string]v1alpha1.LabelValue{"zone": "new"}
		create(ctx, to)
		Eventually(ctx, tenantNamed("mover-to")).Should(haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse,
			v1alpha1.ReasonNamespaceConflict, "mover-ns", "mover-from"))
		Expect(quotaOf("mover-ns")(ctx)).To(Equal("11"))

		change(ctx, "mover-from", drop("mover-ns"))
		Eventually(ctx, tenantNamed("mover-to")).Should(beReady())
		Expect(quotaOf("mover-ns")(ctx)).To(Equal("22"))
		Expect(bindings("mover-ns")(ctx)).To(ConsistOf("bulkhead-to-owner"))
		Expect(policies("mover-ns")(ctx)).To(SatisfyAll(ContainElement("bulkhead-default-deny"), Not(ContainElement("bulkhead-allow-metrics"))))
		Expect(must(namespaceNamed("mover-ns")(ctx)).Labels).To(SatisfyAll(
			HaveKeyWithValue(v1alpha1.LabelTenant, "mover-to"), HaveKeyWithValue("zone", "new"),
			Not(HaveKey("stage")), Not(HaveKey(v1alpha1.LabelReleasedFrom))))
		for name := range versions(ctx, "mover-ns", "mover-to") {
			Expect(name).NotTo(Equal("LimitRange bulkhead"))
		}
		expectAllLabelled(ctx, "mover-ns", "mover-to")
		Expect(may(ctx, "from-owner", "get", "pods", "mover-ns")).To(BeFalse())
		Expect(may(ctx, "to-owner", "get", "pods", "mover-ns")).To(BeTrue())
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(workload), workload)).To(Succeed())

		Eventually(ctx, tenantNamed("mover-from")).Should(beReady())
		Expect(quotaOf("mover-from-own")(ctx)).To(Equal("11"))
		Expect(ownNamespaces(ctx, "mover-from")).To(ConsistOf("mover-from-own"))
		Expect(ownNamespaces(ctx, "mover-to")).To(ConsistOf("mover-ns"))
	})

	It("is released when nobody else wants it: walls stay, access goes", func(ctx SpecContext) {
		tenant := tenantOf("freed", "freed-ns", "freed-own")
		tenant.Spec.Members = []v1alpha1.Member{member("freed-owner", v1alpha1.RoleAdmin)}
		tenant.Spec.Quota = pods("5")
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("freed")).Should(beReady())
		walls := must(policies("freed-ns")(ctx))
		DeferCleanup(remove, namespaceOf("freed-ns"))

		change(ctx, "freed", drop("freed-ns"))
		Eventually(ctx, namespaceNamed("freed-ns")).Should(HaveField("Labels", SatisfyAll(
			HaveKeyWithValue(v1alpha1.LabelReleasedFrom, "freed"), Not(HaveKey(v1alpha1.LabelTenant)),
			HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))))
		Expect(bindings("freed-ns")(ctx)).To(BeEmpty())
		Expect(policies("freed-ns")(ctx)).To(Equal(walls))
		Expect(quotaOf("freed-ns")(ctx)).To(Equal("5"))
		Eventually(ctx, tenantNamed("freed")).Should(SatisfyAll(beReady(), HaveField("Status.Namespaces.Desired", BeEquivalentTo(1)),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1))))
		Expect(ownNamespaces(ctx, "freed")).To(ConsistOf("freed-own"))
		Eventually(ctx, eventsOf("freed")).Should(ContainElement(HavePrefix("NamespaceReleased: namespace freed-ns")))
	})
})

// legacy is a namespace from before there were tenants, with workloads in it.
func legacy(ctx context.Context, name string) {
	GinkgoHelper()
	namespace := namespaceOf(name)
	namespace.Labels = map[string]string{"team": "shop"}
	namespace.Annotations = map[string]string{"example.com/cost-centre": "4711"}
	create(ctx, namespace)
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace.Name, Name: name} }
	for _, object := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: in("settings"), Data: map[string]string{"a": "b"}},
		&networkingv1.NetworkPolicy{ObjectMeta: in("theirs"), Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}},
		&rbacv1.RoleBinding{ObjectMeta: in("theirs"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{user("somebody")}},
	} {
		Expect(world.Admin.Create(ctx, object)).To(Succeed())
	}
}

// versions are the resource versions of a namespace, what is in it and the cluster-scoped objects of a tenant, by
// "Kind name". What Kubernetes itself puts into namespaces, and the uses of a quota, are left out.
func versions(ctx context.Context, namespace, tenant string) map[string]string {
	GinkgoHelper()
	found := map[string]string{"Namespace " + namespace: must(namespaceNamed(namespace)(ctx)).ResourceVersion}
	for kind, list := range map[string]client.ObjectList{
		"ConfigMap": &corev1.ConfigMapList{}, "NetworkPolicy": &networkingv1.NetworkPolicyList{}, "RoleBinding": &rbacv1.RoleBindingList{},
		"ResourceQuota": &corev1.ResourceQuotaList{}, "LimitRange": &corev1.LimitRangeList{}, "Role": &rbacv1.RoleList{},
		"ClusterRole": &rbacv1.ClusterRoleList{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBindingList{},
	} {
		Expect(world.Admin.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			mine := object.GetNamespace() != "" || object.GetName() == "bulkhead:tenant:"+tenant
			if mine && object.GetName() != "kube-root-ca.crt" {
				found[kind+" "+object.GetName()] = object.GetResourceVersion()
			}
			return err
		})).To(Succeed())
	}
	return found
}

// changed are the names of what is new, gone or of another version.
func changed(before, after map[string]string) []string {
	names := []string{}
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// expectAllLabelled expects that all that Bulkhead made in a namespace is labelled for the tenant.
func expectAllLabelled(ctx context.Context, namespace, tenant string) {
	GinkgoHelper()
	for _, list := range []client.ObjectList{
		&networkingv1.NetworkPolicyList{}, &rbacv1.RoleBindingList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{},
	} {
		Expect(world.Admin.List(ctx, list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelTenant})).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			Expect(object.GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelTenant, tenant), "labels of %s", object.GetName())
			return err
		})).To(Succeed())
	}
}

// ownNamespaces are the namespaces that members of a tenant may get.
func ownNamespaces(ctx context.Context, tenant string) []string {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(world.Admin.Get(ctx, client.ObjectKey{Name: "bulkhead:tenant:" + tenant}, role)).To(Succeed())
	for _, rule := range role.Rules {
		if slices.Contains(rule.Resources, "namespaces") {
			return rule.ResourceNames
		}
	}
	return nil
}

func must[T any](value T, err error) T {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return value
}
