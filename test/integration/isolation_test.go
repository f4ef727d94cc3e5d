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

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

func isolationOf(ctx context.Context, name string) (v1alpha1.IsolationStatus, error) {
	tenant := &v1alpha1.Tenant{}
	err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant)
	return tenant.Status.Isolation, err
}

func awaitIsolated(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(conditionsOf).WithContext(ctx).WithArguments(name).Should(HaveKeyWithValue(v1alpha1.ConditionIsolated, "True NoExposure"))
}

// finding matches an isolation finding about an object.
func finding(t v1alpha1.IsolationFindingType, object client.Object, severity v1alpha1.Severity, words ...string) types.GomegaMatcher {
	message := []types.GomegaMatcher{}
	for _, word := range words {
		message = append(message, ContainSubstring(word))
	}
	return gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
		"Type": Equal(t), "Object": Equal(referenceTo(object)), "Severity": Equal(severity), "Message": And(message...),
		"Since": Not(BeZero()),
	})
}

func findings(matchers ...any) types.GomegaMatcher {
	return HaveField("Findings", ConsistOf(matchers...))
}

var _ = Describe("isolation by effect", func() {
	BeforeEach(operatorUp)

	It("is lost to somebody else's NetworkPolicy that lets everybody in, and restored when that goes", func(ctx SpecContext) {
		provision(ctx, someTenant("opened").Obj())
		awaitIsolated(ctx, "opened")
		open := policyIn("opened", "open")
		open.Spec = networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: []networkingv1.NetworkPolicyIngressRule{{}},
		}
		Expect(unguarded("opened-owner").Create(ctx, open, client.FieldOwner("helm"))).To(Succeed())

		Eventually(isolationOf).WithContext(ctx).WithArguments("opened").Should(findings(
			finding(v1alpha1.FindingNetworkExposure, open, v1alpha1.SeverityCritical, "NetworkPolicy opened/open", "every pod in the cluster", "all pods of opened"),
		))
		Eventually(conditionsOf).WithContext(ctx).WithArguments("opened").Should(And(
			HaveKeyWithValue(v1alpha1.ConditionIsolated, "False NetworkExposure"),
			HaveKeyWithValue(v1alpha1.ConditionReady, "True Reconciled"),
			HaveKeyWithValue(v1alpha1.ConditionInSync, "False DriftDetected"),
		))
		Expect(driftOf(ctx, "opened")).To(HaveField("Top", ConsistOf(
			item(open, v1alpha1.DriftObjectForeign, v1alpha1.DriftReported, gstruct.Fields{"Severity": Equal(v1alpha1.SeverityCritical), "Manager": Equal("helm")}))))
		Eventually(eventsOf).WithContext(ctx).WithArguments("opened").Should(And(
			HaveKeyWithValue(v1alpha1.EventIsolationLost, ConsistOf("NetworkPolicy opened/open")),
			HaveKeyWithValue(v1alpha1.EventForeignObjectDetected, ConsistOf("NetworkPolicy opened/open")),
		))
		Expect(gone(ctx, open)).To(BeFalse(), "what others made is theirs to delete")

		Expect(world.Admin.Delete(ctx, open)).To(Succeed())
		awaitIsolated(ctx, "opened")
		awaitReady(ctx, "opened")
		Expect(isolationOf(ctx, "opened")).To(findings())
		Eventually(eventsOf).WithContext(ctx).WithArguments("opened").Should(HaveKey(v1alpha1.EventIsolationRestored))
	})

	It("is not lost to a tenant's own policy that opens nothing more", func(ctx SpecContext) {
		provision(ctx, someTenant("narrow").Obj())
		awaitIsolated(ctx, "narrow")
		narrow := policyIn("narrow", "same-tenant-web")
		narrow.Spec = networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}}},
		}
		Expect(as("narrow-owner").Create(ctx, narrow)).To(Succeed())
		Consistently(conditionsOf).WithContext(ctx).WithArguments("narrow").Should(And(
			HaveKeyWithValue(v1alpha1.ConditionIsolated, "True NoExposure"), HaveKeyWithValue(v1alpha1.ConditionInSync, "True NoDrift")))
	})

	It("is lost to a RoleBinding for somebody whom the spec doesn't name", func(ctx SpecContext) {
		provision(ctx, someTenant("shared-out").Obj())
		awaitIsolated(ctx, "shared-out")
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shared-out", Name: "friends"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{User("outsider")},
		}
		Expect(unguarded("shared-out-owner").Create(ctx, binding)).To(Succeed())
		Eventually(isolationOf).WithContext(ctx).WithArguments("shared-out").Should(findings(
			finding(v1alpha1.FindingAccessExposure, binding, v1alpha1.SeverityCritical, "friends", "outsider")))
		Expect(world.Admin.Delete(ctx, binding)).To(Succeed())
		awaitIsolated(ctx, "shared-out")
	})

	It("is lost to a ClusterRoleBinding that gives another tenant's member power everywhere", Serial, func(ctx SpecContext) {
		provision(ctx, someTenant("powerful").Obj())
		provision(ctx, someTenant("powerless").Obj())
		awaitIsolated(ctx, "powerful")
		awaitIsolated(ctx, "powerless")
		everywhere := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "everywhere"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{User("powerful-owner")},
		}
		create(ctx, everywhere)
		Eventually(isolationOf).WithContext(ctx).WithArguments("powerless").Should(findings(
			finding(v1alpha1.FindingAccessExposure, everywhere, v1alpha1.SeverityCritical, "everywhere", "edit")))
		Expect(world.Admin.Delete(ctx, everywhere)).To(Succeed())
		awaitIsolated(ctx, "powerless")
	})

	It("is lost when the ClusterRole that somebody is bound to comes to allow something", Serial, func(ctx SpecContext) {
		provision(ctx, someTenant("widened").Obj())
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "widening"}}
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "widened", Name: "harmless"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "widening"},
			Subjects:   []rbacv1.Subject{User("outsider")},
		}
		create(ctx, role, binding)
		awaitIsolated(ctx, "widened")
		Consistently(isolationOf).WithContext(ctx).WithArguments("widened").Should(findings())
		interfere(ctx, world.Admin, "kubectl-edit", role, func(r *rbacv1.ClusterRole) {
			r.Rules = []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}
		})
		Eventually(isolationOf).WithContext(ctx).WithArguments("widened").Should(findings(
			finding(v1alpha1.FindingAccessExposure, binding, v1alpha1.SeverityCritical, "outsider", "secrets")))
	})

	It("is lost to a label that somebody puts on another namespace, and that an opening selects", func(ctx SpecContext) {
		provision(ctx, MakeTenant("inviting").Namespaces("inviting").Policy(Allow(v1alpha1.Opening{
			Name: "scrape", Direction: v1alpha1.Ingress,
			Peers: []v1alpha1.Peer{{Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"access": "inviting"}}}},
		})).Obj())
		provision(ctx, MakeTenant("invited").Namespaces("invited").Obj())
		awaitIsolated(ctx, "inviting")
		label := namespaceNamed("invited")
		interfere(ctx, world.Admin, "kubectl-label", label, func(n *corev1.Namespace) { n.Labels["access"] = "inviting" })
		Eventually(isolationOf).WithContext(ctx).WithArguments("inviting").Should(findings(
			finding(v1alpha1.FindingLabelExposure, label, v1alpha1.SeverityCritical, "access=inviting")))
		interfere(ctx, world.Admin, "kubectl-label", label, func(n *corev1.Namespace) { delete(n.Labels, "access") })
		awaitIsolated(ctx, "inviting")
	})

	It("names a namespace that carries the tenant's label though its spec doesn't list it", func(ctx SpecContext) {
		provision(ctx, someTenant("claimed").Obj())
		awaitIsolated(ctx, "claimed")
		stowaway := namespaceNamed("claimed-stowaway")
		create(ctx, stowaway)
		interfere(ctx, world.Admin, "kubectl-label", stowaway, func(n *corev1.Namespace) { n.Labels[v1alpha1.LabelTenant] = "claimed" })
		Eventually(driftOf).WithContext(ctx).WithArguments("claimed").Should(HaveField("Top", ConsistOf(
			item(stowaway, v1alpha1.DriftNamespaceUnclaimed, v1alpha1.DriftReported, gstruct.Fields{
				"Severity": Equal(v1alpha1.SeverityCritical), "Manager": Equal("kubectl-label"),
			}))))
		Eventually(conditionsOf).WithContext(ctx).WithArguments("claimed").Should(And(
			HaveKeyWithValue(v1alpha1.ConditionReady, "True Reconciled"),
			HaveKeyWithValue(v1alpha1.ConditionIsolated, "False NetworkExposure"),
		))
		interfere(ctx, world.Admin, "kubectl-label", stowaway, func(n *corev1.Namespace) { delete(n.Labels, v1alpha1.LabelTenant) })
		awaitReady(ctx, "claimed")
		awaitIsolated(ctx, "claimed")
	})

	It("is lost in Observe when Pod Security is lowered", func(ctx SpecContext) {
		tenant := someTenant("lowered").Obj()
		provision(ctx, tenant)
		awaitIsolated(ctx, "lowered")
		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) {
			t.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
		})
		namespace := namespaceNamed("lowered")
		interfere(ctx, world.Admin, "kubectl-label", namespace, func(n *corev1.Namespace) { n.Labels[labelEnforce] = "privileged" })
		Eventually(isolationOf).WithContext(ctx).WithArguments("lowered").Should(findings(
			finding(v1alpha1.FindingPodSecurityWeakened, namespace, v1alpha1.SeverityCritical, "privileged", "restricted")))
		Eventually(conditionsOf).WithContext(ctx).WithArguments("lowered").Should(
			HaveKeyWithValue(v1alpha1.ConditionIsolated, "False PodSecurityWeakened"))
	})

	It("survives a restart of the operator without a flicker", Serial, func(ctx SpecContext) {
		provision(ctx, someTenant("steady").Obj())
		open := policyIn("steady", "open")
		open.Spec = networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}
		Expect(world.Admin.Create(ctx, open)).To(Succeed())
		Eventually(isolationOf).WithContext(ctx).WithArguments("steady").Should(HaveField("Findings", HaveLen(1)))
		Eventually(eventsOf).WithContext(ctx).WithArguments("steady").Should(And(
			HaveKey(v1alpha1.EventIsolationLost), HaveKey(v1alpha1.EventForeignObjectDetected), HaveKey(v1alpha1.EventDriftDetected)))
		before, err := isolationOf(ctx, "steady")
		Expect(err).NotTo(HaveOccurred())
		events, err := eventsOf(ctx, "steady")
		Expect(err).NotTo(HaveOccurred())
		operatorDown()
		operatorUp()
		Consistently(isolationOf).WithContext(ctx).WithArguments("steady").Should(Equal(before))
		Expect(eventsOf(ctx, "steady")).To(Equal(events))
	})

	It("says which APIs were weighed, and which the cluster has that were not", Serial, func(ctx SpecContext) {
		provision(ctx, someTenant("honest").Obj())
		Expect(isolationOf(ctx, "honest")).To(And(
			HaveField("Considered", ContainElements("networkpolicies.networking.k8s.io", "rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")),
			HaveField("NotConsidered", BeEmpty()),
		))
		definition := unweighed()
		create(ctx, definition)
		Eventually(isolationOf).WithContext(ctx).WithArguments("honest").Should(HaveField("NotConsidered", ConsistOf("ciliumnetworkpolicies.cilium.io")))
		Expect(world.Admin.Delete(ctx, definition)).To(Succeed())
		Eventually(isolationOf).WithContext(ctx).WithArguments("honest").Should(HaveField("NotConsidered", BeEmpty()))
	})
})

// unweighed defines an API that can open a tenant and that the operator doesn't weigh.
func unweighed() client.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "ciliumnetworkpolicies.cilium.io"},
		"spec": map[string]any{
			"group": "cilium.io", "scope": "Namespaced",
			"names": map[string]any{
				"plural": "ciliumnetworkpolicies", "singular": "ciliumnetworkpolicy", "kind": "CiliumNetworkPolicy", "listKind": "CiliumNetworkPolicyList",
			},
			"versions": []any{map[string]any{
				"name": "v2", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}
