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
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

// hosting is a tenant that claims hostnames.
const hosting = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: %[1]s}
spec:
  namespaces: [{name: %[1]s}]
  ingress: {classNames: [edge], hostnames: [%[2]s]}
`

// listening is one with a Gateway.
const listening = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: %[1]s}
spec:
  namespaces: [{name: %[1]s}]
  ingress:
    hostnames: ["*.$(tenant).example.com"]
    gatewayClassNames: [edge]
    gateway:
      className: edge
      namespace: %[2]s
      listeners:
      - {name: https, port: 443, protocol: HTTPS, hostname: "*.$(tenant).example.com", tlsSecretName: web-tls}
`

// guarded are the hostnames that the guard-rails let a namespace serve.
func guarded(namespace string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		live := &corev1.Namespace{}
		err := world.Admin.Get(ctx, client.ObjectKey{Name: namespace}, live)
		return live.Annotations[v1alpha1.GuardHostnames], client.IgnoreNotFound(err)
	}
}

var _ = Describe("Hostnames", func() {
	It("are one tenant's only: decided for the older one, reported on the younger one", func(ctx SpecContext) {
		older := apply(ctx, fmt.Sprintf(hosting, "host-a", `shop.example.org, "*.a.example.org"`))
		Eventually(ctx, named("host-a")).Should(ready())
		apply(ctx, fmt.Sprintf(hosting, "host-b", `shop.example.org, x.a.example.org, own.example.org`))
		Eventually(ctx, named("host-b")).Should(SatisfyAll(
			has(v1alpha1.ConditionIngressReady, metav1.ConditionFalse, v1alpha1.ReasonHostnameConflict, "shop.example.org", "x.a.example.org", "host-a"),
			has(v1alpha1.ConditionAccessReady, metav1.ConditionTrue, v1alpha1.ReasonApplied)))
		Eventually(ctx, guarded("host-b")).Should(Equal("own.example.org"))
		Expect(guarded("host-a")(ctx)).To(Equal("*.a.example.org,shop.example.org"))

		By("refusing it to the younger one")
		ingress := &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: "host-b", Name: "shop"},
			Spec: networkingv1.IngressSpec{IngressClassName: new("edge"), Rules: []networkingv1.IngressRule{{
				Host: "shop.example.org",
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: new(networkingv1.PathTypePrefix),
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "x", Port: networkingv1.ServiceBackendPort{Number: 80}}},
				}}}},
			}}},
		}
		tenantAdmin := must(world.Client("somebody", "system:masters-of-nothing"))
		grant(ctx, "host-b", "somebody")
		Eventually(ctx, func(ctx context.Context) error { return tenantAdmin.Create(ctx, ingress.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("shop.example.org")))

		By("giving it to the younger one when the older one goes")
		remove(ctx, older)
		Eventually(ctx, named("host-b")).Should(ready())
		Eventually(ctx, guarded("host-b")).Should(Equal("own.example.org,shop.example.org,x.a.example.org"))
	})
})

var _ = Describe("Ingress controllers", func() {
	It("are the only ones that may connect from outside", func(ctx SpecContext) {
		apply(ctx, `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: doors}
spec:
  namespaces: [{name: doors}]
  ingress:
    hostnames: [doors.example.com]
    controllers: [{name: nginx, namespace: ingress-nginx, pods: {matchLabels: {app: nginx}}, ports: [{protocol: TCP, port: 8080}]}]
`)
		Eventually(ctx, named("doors")).Should(ready())
		live := &networkingv1.NetworkPolicy{}
		Expect(world.Admin.Get(ctx, client.ObjectKey{Namespace: "doors", Name: "bulkhead-allow-ingress"}, live)).To(Succeed())
		Expect(live.Spec.Ingress).To(HaveLen(1))
		Expect(live.Spec.Ingress[0].From[0].NamespaceSelector.MatchLabels).To(Equal(map[string]string{corev1.LabelMetadataName: "ingress-nginx"}))
		Expect(live.Spec.Ingress[0].From[0].PodSelector.MatchLabels).To(Equal(map[string]string{"app": "nginx"}))
		change(ctx, "doors", func(t *v1alpha1.Tenant) { t.Spec.Ingress.Controllers = nil })
		Eventually(ctx, policies("doors")).ShouldNot(ContainElement("bulkhead-allow-ingress"))
	})
})

var _ = Describe("A dedicated Gateway", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { install(ctx, crds.GatewayAPI) })

	It("is rendered, reports what its controller says, and goes with the tenant", func(ctx SpecContext) {
		tenant := apply(ctx, fmt.Sprintf(listening, "gated", "gated"))
		Eventually(ctx, object(gateway, "gated", "bulkhead-gated")).Should(SatisfyAll(
			spec(Equal("edge"), "gatewayClassName"), spec(HaveLen(1), "listeners")))
		Eventually(ctx, named("gated")).Should(has(v1alpha1.ConditionIngressReady, metav1.ConditionFalse, v1alpha1.ReasonNotProgrammed, "edge"))
		report(ctx, gateway, "gated", "bulkhead-gated", `{"addresses":[{"type":"IPAddress","value":"203.0.113.7"}],"conditions":[
			{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-01-01T00:00:00Z","observedGeneration":1},
			{"type":"Programmed","status":"True","reason":"Programmed","message":"","lastTransitionTime":"2026-01-01T00:00:00Z","observedGeneration":1}]}`)
		Eventually(ctx, named("gated")).Should(SatisfyAll(ready(),
			has(v1alpha1.ConditionIngressReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, "203.0.113.7")))

		By("undoing what others change, also what server-side apply would leave")
		edit(ctx, gateway, "gated", "bulkhead-gated", `{"spec":{"listeners":[
			{"name":"https","port":443,"protocol":"HTTPS","hostname":"*.gated.example.com","tls":{"certificateRefs":[{"name":"web-tls"}]},"allowedRoutes":{"namespaces":{"from":"All"}}},
			{"name":"evil","port":8080,"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"All"}}}]}}`)
		Eventually(ctx, object(gateway, "gated", "bulkhead-gated")).Should(SatisfyAll(
			spec(HaveLen(1), "listeners"),
			spec(ContainElement(HaveKeyWithValue("allowedRoutes", HaveKeyWithValue("namespaces", HaveKeyWithValue("from", "Selector")))), "listeners")))
		Eventually(ctx, named("gated")).Should(ready())
		remove(ctx, tenant)
		Expect(object(gateway, "gated", "bulkhead-gated")(ctx)).To(BeNil())
	})

	It("isn't put into another tenant's namespace", func(ctx SpecContext) {
		apply(ctx, fmt.Sprintf(hosting, "landlord", "landlord.example.com"))
		Eventually(ctx, named("landlord")).Should(ready())
		apply(ctx, fmt.Sprintf(listening, "squatter", "landlord"))
		Eventually(ctx, named("squatter")).Should(has(v1alpha1.ConditionIngressReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, "landlord"))
		Expect(object(gateway, "landlord", "bulkhead-squatter")(ctx)).To(BeNil())
	})
})

var _ = Describe("The strict tier", func() {
	strict := func(name string) string { return fmt.Sprintf(hosting, name, name+".example.com") }

	It("is a ClusterNetworkPolicy where that is served, and says so", func(ctx SpecContext) {
		install(ctx, crds.ClusterNetworkPolicy)
		apply(ctx, strict("strict"))
		Eventually(ctx, object(clusterNetworkPolicy, "", "bulkhead.strict")).Should(SatisfyAll(
			spec(Equal("Admin"), "tier"), spec(BeNumerically("<=", 99), "priority")))
		Eventually(ctx, named("strict")).Should(SatisfyAll(ready(),
			has(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, "ClusterNetworkPolicy")))
	})

	It("is an AdminNetworkPolicy where only that is served", func(ctx SpecContext) {
		install(ctx, crds.AdminNetworkPolicy)
		apply(ctx, strict("strict-admin"))
		Eventually(ctx, object(adminNetworkPolicy, "", "bulkhead.strict-admin")).Should(spec(BeNumerically("<=", 99), "priority"))
		Eventually(ctx, named("strict-admin")).Should(SatisfyAll(ready(),
			has(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, "AdminNetworkPolicy")))
	})

	It("isn't taken for another kind of the same name", func(ctx SpecContext) {
		install(ctx, crds.NameTraps)
		apply(ctx, strict("trapped"))
		Eventually(ctx, named("trapped")).Should(SatisfyAll(ready(), has(v1alpha1.ConditionNetworkReady, metav1.ConditionTrue, v1alpha1.ReasonApplied)))
		Expect(object(clusterNetworkPolicy, "", "bulkhead.trapped")(ctx)).To(BeNil())
	})
})

var _ = Describe("Scenario 23: a member works with namespaces by kubectl", func() {
	const tenant = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: selfserved}
spec:
  namespaces: [{name: selfserved}]
  members: [{name: owners, role: Admin, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: sally}]}]
`
	manifest := func(text string) string {
		GinkgoHelper()
		file := filepath.Join(GinkgoT().TempDir(), "namespace.yaml")
		Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
		return file
	}

	It("and either it works, or the refusal is explained", func(ctx SpecContext) {
		apply(ctx, tenant)
		Eventually(ctx, named("selfserved")).Should(ready())
		as := func(args ...string) (string, error) { return world.Kubectl(ctx, append(args, "--as=sally")...) }

		By("reading her own namespace and her own Tenant")
		Expect(must(as("get", "namespace", "selfserved", "-o", "name"))).To(ContainSubstring("namespace/selfserved"))
		Expect(must(as("get", "tenant", "selfserved", "-o", "name"))).To(ContainSubstring("selfserved"))

		By("listing all of them")
		_, err := as("get", "namespaces")
		Expect(err).To(MatchError(SatisfyAll(ContainSubstring(`"sally" cannot list`), ContainSubstring("at the cluster scope"))))

		By("applying one that isn't there")
		_, err = as("apply", "-f", manifest("{apiVersion: v1, kind: Namespace, metadata: {name: sallys-own, labels: {tenancy.bulkhead.dev/tenant: selfserved}}}"))
		Expect(err).To(MatchError(ContainSubstring(`"sally" cannot`)))

		By("applying one into the tenant, with the right to make namespaces")
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "namespace-makers"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "create", "patch"}}}}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "namespace-makers"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "namespace-makers"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "sally"}}}
		for _, object := range []client.Object{role, binding} {
			Expect(world.Admin.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(world.Admin.Delete(ctx, object)).To(Succeed()) })
		}
		Eventually(ctx, func() error {
			_, err := as("apply", "-f", manifest("{apiVersion: v1, kind: Namespace, metadata: {name: sallys-own, labels: {tenancy.bulkhead.dev/tenant: selfserved}}}"))
			return err
		}).Should(MatchError(SatisfyAll(ContainSubstring(`tenant "selfserved"`), ContainSubstring("spec.namespaces"))))

		By("changing a label of her own one that decides on its walls")
		_, err = as("label", "--overwrite", "namespace", "selfserved", "pod-security.kubernetes.io/enforce=privileged")
		Expect(err).To(MatchError(SatisfyAll(ContainSubstring(`tenant "selfserved"`), ContainSubstring("pod-security.kubernetes.io/enforce"))))
	})
})
