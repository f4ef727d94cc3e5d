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
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// someTenant is a tenant with something in every room and one namespace, which has its name.
func someTenant(name string) *Tenant {
	return MakeTenant(name).
		Namespaces(name).
		Member("owners", v1alpha1.RoleAdmin, User(name+"-owner")).
		Policy(
			Quota(corev1.ResourcePods, "20"),
			Quota(corev1.ResourceRequestsCPU, "4"),
			ContainerDefault(corev1.ResourceMemory, "128Mi", "512Mi"),
			Allow(v1alpha1.Opening{
				Name: "metrics", Direction: v1alpha1.Ingress,
				Peers: []v1alpha1.Peer{{CIDR: "10.20.0.0/16"}},
				Ports: []v1alpha1.Port{{Port: 9090}},
			}))
}

// expectDrift waits until exactly this was recorded for the object, and nothing else of it.
func expectDrift(ctx context.Context, tenant string, object client.Object, driftType v1alpha1.DriftType, fields gstruct.Fields) {
	GinkgoHelper()
	Eventually(recentOf).WithContext(ctx).WithArguments(tenant).Should(ConsistOf(
		item(object, driftType, v1alpha1.DriftCorrected, fields)), "what tenant %s's status says was corrected", tenant)
	awaitReady(ctx, tenant)
}

var _ = Describe("drift of a NetworkPolicy", func() {
	BeforeEach(operatorUp)

	It("scenario 1: a default-deny that a tenant opens is closed again and recorded", func(ctx SpecContext) {
		provision(ctx, someTenant("open-deny").Obj())
		wall := defaultDeny("open-deny")
		before := intact(ctx, wall)
		detected := map[string]string{"kind": "NetworkPolicy", "type": "FieldInjected"}
		corrected := map[string]string{"kind": "NetworkPolicy", "result": "success"}
		seen := counter("bulkhead_drift_detected_total", detected)
		healed := counter("bulkhead_drift_corrections_total", corrected)

		interfere(ctx, unguarded("open-deny-owner"), "kubectl-edit", wall, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
			p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
		})

		comesBack(ctx, wall, before)
		expectDrift(ctx, "open-deny", wall, v1alpha1.DriftFieldInjected, gstruct.Fields{
			"Paths":     Equal([]string{"spec.egress", "spec.ingress"}),
			"PathCount": BeEquivalentTo(2),
			"Manager":   Equal("kubectl-edit"),
			"Severity":  Equal(v1alpha1.SeverityCritical),
			"Count":     BeEquivalentTo(1),
		})
		about := ContainElement("NetworkPolicy open-deny/bulkhead-default-deny")
		Eventually(eventsOf).WithContext(ctx).WithArguments("open-deny").Should(And(
			HaveKeyWithValue(v1alpha1.EventDriftDetected, about),
			HaveKeyWithValue(v1alpha1.EventDriftCorrected, about),
		))
		Expect(counter("bulkhead_drift_detected_total", detected)).To(Equal(seen + 1))
		Expect(counter("bulkhead_drift_corrections_total", corrected)).To(Equal(healed + 1))
	})

	It("counts the same edit by the same manager instead of listing it again", func(ctx SpecContext) {
		provision(ctx, someTenant("open-again").Obj())
		wall := defaultDeny("open-again")
		before := intact(ctx, wall)
		for range 3 {
			interfere(ctx, unguarded("open-again-owner"), "kubectl-edit", wall, func(p *networkingv1.NetworkPolicy) {
				p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
			})
			comesBack(ctx, wall, before)
		}
		expectDrift(ctx, "open-again", wall, v1alpha1.DriftFieldInjected, gstruct.Fields{
			"Paths": Equal([]string{"spec.ingress"}),
			"Count": BeEquivalentTo(3),
		})
	})

	It("takes out egress rules beside the ingress of an opening, also when the types are widened to match", func(ctx SpecContext) {
		provision(ctx, someTenant("open-beside").Obj())
		opening := policyIn("open-beside", "bulkhead-allow-metrics")
		before := intact(ctx, opening)
		interfere(ctx, unguarded("open-beside-owner"), "sneaky", opening, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
			p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		})
		comesBack(ctx, opening, before)
		expectDrift(ctx, "open-beside", opening, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":    ConsistOf("spec.egress", HavePrefix("spec.policyTypes")),
			"Manager":  Equal("sneaky"),
			"Severity": Equal(v1alpha1.SeverityCritical),
		})
	})

	It("takes out a peer that is put beside the tenant's own in the boundary", func(ctx SpecContext) {
		provision(ctx, someTenant("open-peer").Obj())
		boundary := policyIn("open-peer", "bulkhead-allow-boundary")
		before := intact(ctx, boundary)
		interfere(ctx, unguarded("open-peer-owner"), "sneaky", boundary, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress[0].From = append(p.Spec.Ingress[0].From, networkingv1.NetworkPolicyPeer{
				NamespaceSelector: &metav1.LabelSelector{},
			})
		})
		comesBack(ctx, boundary, before)
		expectDrift(ctx, "open-peer", boundary, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":   ConsistOf(HavePrefix("spec.ingress")),
			"Manager": Equal("sneaky"),
		})
	})

	It("takes off an owner reference, which would hand a wall to the garbage collector", func(ctx SpecContext) {
		provision(ctx, someTenant("owned-wall").Obj())
		owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "owned-wall", Name: "owner"}}
		create(ctx, owner)
		wall := defaultDeny("owned-wall")
		before := intact(ctx, wall)
		interfere(ctx, unguarded("owned-wall-owner"), "reaper", wall, func(p *networkingv1.NetworkPolicy) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
		})
		comesBack(ctx, wall, before)
		expectDrift(ctx, "owned-wall", wall, v1alpha1.DriftFieldInjected, gstruct.Fields{
			"Paths":    Equal([]string{"metadata.ownerReferences"}),
			"Manager":  Equal("reaper"),
			"Severity": Equal(v1alpha1.SeverityHigh),
		})
	})
})

var _ = Describe("drift of budgets", func() {
	BeforeEach(operatorUp)

	It("brings a raised and an added quota back", func(ctx SpecContext) {
		provision(ctx, someTenant("more-quota").Obj())
		quota := quotaIn("more-quota")
		before := intact(ctx, quota)
		interfere(ctx, world.Admin, "kubectl-edit", quota, func(q *corev1.ResourceQuota) {
			q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("2000")
			q.Spec.Hard[corev1.ResourceSecrets] = resource.MustParse("1")
		})
		comesBack(ctx, quota, before)
		expectDrift(ctx, "more-quota", quota, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":    Equal([]string{"spec.hard[pods]", "spec.hard[secrets]"}),
			"Manager":  Equal("kubectl-edit"),
			"Severity": Equal(v1alpha1.SeverityHigh),
		})
	})

	It("brings a resource back that was taken out of a quota", func(ctx SpecContext) {
		provision(ctx, someTenant("less-quota").Obj())
		quota := quotaIn("less-quota")
		before := intact(ctx, quota)
		interfere(ctx, world.Admin, "kubectl-edit", quota, func(q *corev1.ResourceQuota) {
			delete(q.Spec.Hard, corev1.ResourceRequestsCPU)
		})
		comesBack(ctx, quota, before)
		expectDrift(ctx, "less-quota", quota, v1alpha1.DriftFieldRemoved, gstruct.Fields{
			"Paths": Equal([]string{"spec.hard[requests.cpu]"}),
		})
	})

	It("doesn't take another spelling of the same amount for drift", func(ctx SpecContext) {
		provision(ctx, someTenant("spelt-quota").Obj())
		quota := quotaIn("spelt-quota")
		interfere(ctx, world.Admin, "speller", quota, func(q *corev1.ResourceQuota) {
			q.Spec.Hard[corev1.ResourceRequestsCPU] = resource.MustParse("4000m")
		})
		Consistently(recentOf).WithContext(ctx).WithArguments("spelt-quota").Should(BeEmpty())
	})

	It("makes a quota anew that was replaced by one with a scope, which can't be changed", func(ctx SpecContext) {
		provision(ctx, someTenant("scoped-quota").Obj())
		quota := quotaIn("scoped-quota")
		before := intact(ctx, quota)
		operatorDown()
		live := quotaIn("scoped-quota")
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
		Expect(world.Admin.Delete(ctx, live)).To(Succeed())
		replacement := quotaIn("scoped-quota")
		replacement.Spec = live.Spec
		replacement.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("20")}
		replacement.Spec.Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating}
		Expect(world.Admin.Create(ctx, replacement, client.FieldOwner("kubectl-replace"))).To(Succeed())
		operatorUp()
		comesBack(ctx, quota, before)
		expectDrift(ctx, "scoped-quota", quota, v1alpha1.DriftFieldInjected, gstruct.Fields{
			"Paths":   ContainElements("spec.hard[requests.cpu]", "spec.scopes"),
			"Manager": Equal("kubectl-replace"),
		})
	}, Serial)

	It("brings changed defaults of a LimitRange back", func(ctx SpecContext) {
		provision(ctx, someTenant("more-limits").Obj())
		limits := limitsIn("more-limits")
		before := intact(ctx, limits)
		interfere(ctx, world.Admin, "kubectl-edit", limits, func(l *corev1.LimitRange) {
			l.Spec.Limits[0].Default[corev1.ResourceMemory] = resource.MustParse("64Gi")
		})
		comesBack(ctx, limits, before)
		expectDrift(ctx, "more-limits", limits, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths":    ConsistOf(HavePrefix("spec.limits")),
			"Manager":  Equal("kubectl-edit"),
			"Severity": Equal(v1alpha1.SeverityHigh),
		})
	})
})
