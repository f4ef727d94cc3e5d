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

package ways

import (
	"context"
	"fmt"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// cilium is a tenant that asks for a source address of Cilium's and for a name.
const cilium = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: %[1]s}
spec:
  namespaces: [{name: %[1]s}]
  members: [{name: owners, role: Admin, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: %[1]s-owner}]}]
  egress:
    destinations:
    - {name: partner, cidrs: [203.0.113.0/24], fqdns: [api.example.com], ports: [{protocol: TCP, port: 443}]}
    gateway: {provider: Cilium, addresses: [%[2]s], nodes: {matchLabels: {egress: "true"}}}
`

// ovn is one that asks for one of OVN-Kubernetes.
const ovn = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: %[1]s}
spec:
  namespaces: [{name: %[1]s}]
  network: {apiServer: Allow}
  egress:
    destinations: [{name: partner, cidrs: [203.0.113.0/24], fqdns: [api.example.com], ports: [{protocol: TCP, port: 443}]}]
    gateway: {provider: OVNKubernetes, addresses: [%[2]s]}
`

var _ = Describe("Optional APIs", Ordered, ContinueOnFailure, func() {
	It("scenario 17: an API that is missing is named, and everything else is provisioned", func(ctx SpecContext) {
		apply(ctx, fmt.Sprintf(cilium, "missing", "192.0.2.1"))
		Eventually(ctx, named("missing")).Should(SatisfyAll(
			has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonMissingAPI, "CiliumEgressGatewayPolicy", "cilium.io/v2"),
			has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMissingAPI),
			has(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			has(v1alpha1.ConditionAccessReady, metav1.ConditionTrue, v1alpha1.ReasonApplied),
			has(v1alpha1.ConditionInSync, metav1.ConditionTrue, v1alpha1.ReasonNoDrift)))
		Expect(policies("missing")(ctx)).To(ContainElements("bulkhead-default-deny", "bulkhead-egress-partner"))
		Expect(may(ctx, "missing-owner", "missing")).To(BeTrue())
	})

	It("scenario 21: a CRD that appears is picked up, and one that disappears is missed, without a restart or a hot loop", func(ctx SpecContext) {
		apply(ctx, fmt.Sprintf(cilium, "coming", "192.0.2.2"))
		Eventually(ctx, named("coming")).Should(has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonMissingAPI))
		for range 2 {
			Expect(world.InstallCRDs(ctx, crds.Cilium)).To(Succeed())
			Eventually(ctx, named("coming")).Should(SatisfyAll(ready(),
				has(v1alpha1.ConditionEgressReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, "Programmed: Unknown")))
			Expect(object(egressGatewayPolicy, "", "bulkhead.coming")(ctx)).To(spec(Equal("192.0.2.2"), "egressGateway", "egressIP"))
			Expect(object(ciliumNetworkPolicy, "coming", "bulkhead-egress-partner")(ctx)).NotTo(BeNil())

			Expect(world.RemoveCRDs(ctx, crds.Cilium)).To(Succeed())
			Eventually(ctx, named("coming")).Should(SatisfyAll(
				has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonMissingAPI),
				has(v1alpha1.ConditionAccessReady, metav1.ConditionTrue, v1alpha1.ReasonApplied)))
		}
		before := requests("cilium.io")
		Consistently(ctx, func() int { return requests("cilium.io") - before }).Should(BeNumerically("<", 6), "nobody asks for what isn't there all the time")
	})

	Context("with Cilium's", Ordered, func() {
		BeforeAll(func(ctx SpecContext) { install(ctx, crds.Cilium) })

		It("drift of what is rendered there is found, named and corrected", func(ctx SpecContext) {
			apply(ctx, fmt.Sprintf(cilium, "drifting", "192.0.2.3"))
			Eventually(ctx, named("drifting")).Should(ready())
			edit(ctx, egressGatewayPolicy, "", "bulkhead.drifting", `{"spec":{"egressGateway":{"egressIP":"192.0.2.66"}}}`)
			Eventually(ctx, object(egressGatewayPolicy, "", "bulkhead.drifting")).Should(spec(Equal("192.0.2.3"), "egressGateway", "egressIP"))
			Eventually(ctx, named("drifting")).Should(SatisfyAll(ready(), recent("CiliumEgressGatewayPolicy", v1alpha1.DriftFieldModified, "spec.egressGateway.egressIP")))

			edit(ctx, ciliumNetworkPolicy, "drifting", "bulkhead-egress-partner", `{"spec":{"ingress":[{"fromEntities":["world"]}]}}`)
			Eventually(ctx, object(ciliumNetworkPolicy, "drifting", "bulkhead-egress-partner")).Should(spec(BeNil(), "ingress"))
			Eventually(ctx, named("drifting")).Should(SatisfyAll(ready(), recent("CiliumNetworkPolicy", v1alpha1.DriftFieldInjected, "spec.ingress")))

			live := must(object(egressGatewayPolicy, "", "bulkhead.drifting")(ctx))
			Expect(world.Admin.Delete(ctx, live)).To(Succeed())
			Eventually(ctx, object(egressGatewayPolicy, "", "bulkhead.drifting")).Should(SatisfyAll(Not(BeNil()), HaveField("GetUID()", Not(Equal(live.GetUID())))))
			Eventually(ctx, named("drifting")).Should(SatisfyAll(ready(), recent("CiliumEgressGatewayPolicy", v1alpha1.DriftObjectMissing)))
		})

		It("the shared examples of regulated tenants are Ready as they are, and name what is missing without the API", func(ctx SpecContext) {
			directory := env.Examples()
			if directory == "" {
				Skip("the shared examples are not beside the project")
			}
			for _, file := range []string{"02-payments-pci.yaml", "03-observability.yaml", "04-classes.yaml"} {
				path := filepath.Join(directory, file)
				must(world.Kubectl(ctx, "apply", "-f", path))
				DeferCleanup(func(ctx context.Context) { must(world.Kubectl(ctx, "delete", "--ignore-not-found", "-f", path)) })
			}
			for _, name := range []string{"payments", "observability", "catalog"} {
				Eventually(ctx, named(name)).Should(ready(), name)
			}
			Expect(object(egressGatewayPolicy, "", "bulkhead.payments")(ctx)).To(spec(Equal("198.51.100.10"), "egressGateway", "egressIP"))
			Expect(policies("payments-api")(ctx)).To(ContainElements("bulkhead-allow-ingress", "bulkhead-allow-metrics", "bulkhead-egress-acquirer"))
			Expect(policies("observability")(ctx)).To(ContainElement("bulkhead-egress-internet"))
			Expect(world.RemoveCRDs(ctx, crds.Cilium)).To(Succeed())
			Eventually(ctx, named("payments")).Should(has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMissingAPI, "CiliumEgressGatewayPolicy"))
			Eventually(ctx, named("catalog")).Should(ready())
			Expect(world.InstallCRDs(ctx, crds.Cilium)).To(Succeed())
			Eventually(ctx, named("payments")).Should(ready())
		})

		It("what leaves the spec goes, and with the tenant everything", func(ctx SpecContext) {
			tenant := apply(ctx, fmt.Sprintf(cilium, "leaving", "192.0.2.4"))
			Eventually(ctx, named("leaving")).Should(ready())
			change(ctx, "leaving", func(t *v1alpha1.Tenant) { t.Spec.Egress.Destinations = nil })
			Eventually(ctx, object(ciliumNetworkPolicy, "leaving", "bulkhead-egress-partner")).Should(BeNil())
			Eventually(ctx, named("leaving")).Should(ready())
			Expect(object(egressGatewayPolicy, "", "bulkhead.leaving")(ctx)).NotTo(BeNil())
			remove(ctx, tenant)
			Expect(object(egressGatewayPolicy, "", "bulkhead.leaving")(ctx)).To(BeNil())
		})

		It("scenario 18: no two tenants get the same source address, and the younger one says who has it", func(ctx SpecContext) {
			older := apply(ctx, fmt.Sprintf(cilium, "a-first", "192.0.2.5"))
			Eventually(ctx, named("a-first")).Should(ready())
			apply(ctx, fmt.Sprintf(cilium, "b-second", "192.0.2.5"))
			Eventually(ctx, named("b-second")).Should(SatisfyAll(
				has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonAddressConflict, "192.0.2.5", "a-first"),
				has(v1alpha1.ConditionAccessReady, metav1.ConditionTrue, v1alpha1.ReasonApplied)))
			Expect(object(egressGatewayPolicy, "", "bulkhead.b-second")(ctx)).To(BeNil())

			By("letting it go")
			change(ctx, "a-first", func(t *v1alpha1.Tenant) { t.Spec.Egress.Gateway.Addresses = []v1alpha1.IPAddress{"192.0.2.6"} })
			Eventually(ctx, named("b-second")).Should(ready())
			Eventually(ctx, object(egressGatewayPolicy, "", "bulkhead.b-second")).Should(spec(Equal("192.0.2.5"), "egressGateway", "egressIP"))

			By("wanting it back, which the older one gets")
			change(ctx, "a-first", func(t *v1alpha1.Tenant) { t.Spec.Egress.Gateway.Addresses = []v1alpha1.IPAddress{"192.0.2.5"} })
			Eventually(ctx, named("a-first")).Should(ready())
			Eventually(ctx, object(egressGatewayPolicy, "", "bulkhead.b-second")).Should(BeNil())
			Eventually(ctx, named("b-second")).Should(has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonAddressConflict))
			remove(ctx, older)
			Eventually(ctx, named("b-second")).Should(ready())
		})

		It("a restart writes nothing", func(ctx SpecContext) {
			apply(ctx, fmt.Sprintf(cilium, "steady", "192.0.2.7"))
			Eventually(ctx, named("steady")).Should(ready())
			versions := func() []string {
				return []string{
					must(object(egressGatewayPolicy, "", "bulkhead.steady")(ctx)).GetResourceVersion(),
					must(object(ciliumNetworkPolicy, "steady", "bulkhead-egress-partner")(ctx)).GetResourceVersion(),
					must(named("steady")(ctx)).ResourceVersion,
				}
			}
			before := versions()
			restart()
			Consistently(versions).Should(Equal(before))
		})
	})

	Context("with OVN-Kubernetes'", Ordered, func() {
		BeforeAll(func(ctx SpecContext) { install(ctx, crds.OVNKubernetes) })

		It("status says which node has the address, or that none has", func(ctx SpecContext) {
			apply(ctx, fmt.Sprintf(ovn, "assigned", "192.0.2.20"))
			Eventually(ctx, object(egressIP, "", "bulkhead.assigned")).Should(spec(ConsistOf("192.0.2.20"), "egressIPs"))
			Eventually(ctx, named("assigned")).Should(has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonNotProgrammed, "192.0.2.20"))
			report(ctx, egressIP, "", "bulkhead.assigned", `{"items":[{"node":"worker-1","egressIP":"192.0.2.20"}]}`)
			report(ctx, egressFirewall, "assigned", "default", `{"status":"EgressFirewall Rules applied","messages":["worker-1: EgressFirewall Rules applied"]}`)
			Eventually(ctx, named("assigned")).Should(SatisfyAll(ready(),
				has(v1alpha1.ConditionEgressReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, "192.0.2.20 on node worker-1")))
		})

		It("scenario 19: what is denied by default still lets DNS and the API server through", func(ctx SpecContext) {
			apply(ctx, fmt.Sprintf(ovn, "reaching", "192.0.2.21"))
			Eventually(ctx, policies("reaching")).Should(ContainElements("bulkhead-default-deny", "bulkhead-allow-dns", "bulkhead-allow-api-server", "bulkhead-egress-partner"))
			var firewall []any
			Eventually(ctx, func(ctx context.Context) ([]any, error) {
				live, err := object(egressFirewall, "reaching", "default")(ctx)
				if live == nil || err != nil {
					return nil, err
				}
				firewall, _ = live.Object["spec"].(map[string]any)["egress"].([]any)
				return firewall, nil
			}).ShouldNot(BeEmpty())
			text := fmt.Sprint(firewall)
			for _, address := range world.Facts.APIServer {
				Expect(text).To(ContainSubstring(address.Addr().String()+"/32"), "the API server: the last rule denies everything else")
			}
			Expect(fmt.Sprint(firewall[len(firewall)-2:])).To(SatisfyAll(ContainSubstring("0.0.0.0/0"), ContainSubstring("::/0"), ContainSubstring("Deny")))
		})
	})

	Context("with Antrea's", Ordered, func() {
		BeforeAll(func(ctx SpecContext) { install(ctx, crds.Antrea) })

		It("status says which node has the address", func(ctx SpecContext) {
			apply(ctx, `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: antrea}
spec:
  namespaces: [{name: antrea}]
  egress: {gateway: {provider: Antrea, addresses: [192.0.2.30]}}
`)
			Eventually(ctx, object(antreaEgress, "", "bulkhead.antrea")).ShouldNot(BeNil())
			Eventually(ctx, named("antrea")).Should(has(v1alpha1.ConditionEgressReady, metav1.ConditionFalse, v1alpha1.ReasonNotProgrammed))
			report(ctx, antreaEgress, "", "bulkhead.antrea",
				`{"egressNode":"worker-2","egressIP":"192.0.2.30","conditions":[{"type":"IPAssigned","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}]}`)
			Eventually(ctx, named("antrea")).Should(SatisfyAll(ready(),
				has(v1alpha1.ConditionEgressReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, "192.0.2.30", "worker-2")))
		})
	})

	It("scenario 20: a label that the network plugin refuses after creation is a clear, lasting condition and no hot loop", func(ctx SpecContext) {
		refusePrimaryNetwork(ctx)
		apply(ctx, `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: late-label}
spec:
  namespaces: [{name: late-label}]
`)
		Eventually(ctx, named("late-label")).Should(ready())
		change(ctx, "late-label", func(t *v1alpha1.Tenant) {
			t.Spec.Namespaces[0].Labels = map[string]v1alpha1.LabelValue{"k8s.ovn.org/primary-user-defined-network": ""}
		})
		Eventually(ctx, named("late-label")).Should(SatisfyAll(
			has(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy, "late-label", "user-defined-networks-namespace-label"),
			has(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidPolicy),
			has(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidPolicy)))
		before := requestsOn("late-label")
		Consistently(ctx, func() int { return requestsOn("late-label") - before }).Should(BeNumerically("<", 5))
	})
})

// refusePrimaryNetwork does what OVN-Kubernetes' own policy does.
// https://github.com/ovn-kubernetes/ovn-kubernetes/blob/master/helm/ovn-kubernetes/templates/rbac-ovnkube-cluster-manager.yaml
func refusePrimaryNetwork(ctx context.Context) {
	GinkgoHelper()
	const label = "k8s.ovn.org/primary-user-defined-network"
	all := admissionregistrationv1.AllScopes
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "user-defined-networks-namespace-label"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"namespaces"}, Scope: &all},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "('" + label + "' in object.metadata.?labels.orValue({})) == ('" + label + "' in oldObject.metadata.?labels.orValue({}))",
				Message:    "The '" + label + "' label cannot be added or removed after the namespace was created",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	for _, object := range []client.Object{policy, binding} {
		Expect(world.Admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(world.Admin.Delete(ctx, object)).To(Succeed()) })
	}
	probe := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "probe-of-the-label"}}
	Expect(world.Admin.Create(ctx, probe)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(world.Admin.Delete(ctx, probe)).To(Succeed()) })
	Eventually(ctx, func(ctx context.Context) error {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+label+`":""}}}`))
		return world.Admin.Patch(ctx, probe.DeepCopy(), patch, client.DryRunAll)
	}).ShouldNot(Succeed(), "the policy must be in force")
}
