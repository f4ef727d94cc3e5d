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

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

// plain is a tenant that asks for nothing.
const plain = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: %[1]s}
spec:
  namespaces: [{name: %[1]s}]
`

const (
	tierResource     = "clusternetworkpolicies.policy.networking.k8s.io"
	baselineResource = "baselineadminnetworkpolicies.policy.networking.k8s.io"
)

// foreignTier is a cluster policy of somebody else: it comes before Bulkhead's own, and lets every pod in everywhere.
const foreignTier = `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: platform-ingress}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {name: everybody, action: Accept, from: [{namespaces: {}}]}
`

// create creates an object of an optional kind, which goes with its CRD.
func create(ctx context.Context, text string) {
	GinkgoHelper()
	u := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(text), u)).To(Succeed())
	Expect(world.Admin.Create(ctx, u)).To(Succeed())
}

// isolated matches a Tenant that nothing opens.
func isolated() types.GomegaMatcher {
	return SatisfyAll(has(v1alpha1.ConditionIsolated, metav1.ConditionTrue, v1alpha1.ReasonNoExposure), HaveField("Status.Isolation.Findings", BeEmpty()))
}

// exposed matches a Tenant that just one object opens.
func exposed(kind, name string) types.GomegaMatcher {
	return SatisfyAll(has(v1alpha1.ConditionIsolated, metav1.ConditionFalse, v1alpha1.ReasonNetworkExposure), HaveField("Status.Isolation.Findings",
		ConsistOf(SatisfyAll(HaveField("Type", v1alpha1.FindingNetworkExposure), HaveField("Object.Kind", kind), HaveField("Object.Name", name)))))
}

// considers matches a Tenant that was judged by an API, or wasn't because the cluster has none.
func considers(resource string, yes bool) types.GomegaMatcher {
	listed := ContainElement(resource)
	if !yes {
		listed = Not(listed)
	}
	return SatisfyAll(HaveField("Status.Isolation.Considered", listed), HaveField("Status.Isolation.NotConsidered", Not(ContainElement(resource))))
}

// openAsBreakGlass makes a NetworkPolicy that lets every pod of the cluster in, by somebody whom no guard-rail stops.
func openAsBreakGlass(ctx context.Context, namespace string) {
	GinkgoHelper()
	open := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "open"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}}},
		},
	}
	Expect(must(world.Client("mallory", "system:masters", "bulkhead:break-glass")).Create(ctx, open)).To(Succeed())
}

var _ = Describe("Cluster policies", Serial, func() {
	It("of somebody else that open a tenant are findings until they don't, and none without the API", func(ctx SpecContext) {
		apply(ctx, fmt.Sprintf(plain, "tiered"))
		Eventually(ctx, named("tiered")).Should(SatisfyAll(ready(), isolated(), considers(tierResource, false)))
		install(ctx, crds.ClusterNetworkPolicy)
		Eventually(ctx, named("tiered")).Should(SatisfyAll(ready(), isolated(), considers(tierResource, true)))

		By("letting everybody in")
		create(ctx, foreignTier)
		Eventually(ctx, named("tiered")).Should(SatisfyAll(exposed("ClusterNetworkPolicy", "platform-ingress"),
			has(v1alpha1.ConditionIsolated, metav1.ConditionFalse, v1alpha1.ReasonNetworkExposure, "platform-ingress")))

		By("starting the operator again")
		restart()
		Consistently(ctx, named("tiered")).Should(SatisfyAll(exposed("ClusterNetworkPolicy", "platform-ingress"), considers(tierResource, true)))

		By("denying instead")
		edit(ctx, clusterNetworkPolicy, "", "platform-ingress", `{"spec":{"ingress":[{"name":"everybody","action":"Deny","from":[{"namespaces":{}}]}]}}`)
		Eventually(ctx, named("tiered")).Should(SatisfyAll(ready(), isolated(), considers(tierResource, true)))

		By("accepting again, and removing the API with all its objects")
		edit(ctx, clusterNetworkPolicy, "", "platform-ingress", `{"spec":{"ingress":[{"name":"everybody","action":"Accept","from":[{"namespaces":{}}]}]}}`)
		Eventually(ctx, named("tiered")).Should(exposed("ClusterNetworkPolicy", "platform-ingress"))
		Expect(world.RemoveCRDs(ctx, crds.ClusterNetworkPolicy)).To(Succeed())
		Eventually(ctx, named("tiered")).Should(SatisfyAll(ready(), isolated(), considers(tierResource, false)))
	})

	It("of Bulkhead's own take away what a NetworkPolicy opens", func(ctx SpecContext) {
		apply(ctx, fmt.Sprintf(plain, "strict"))
		Eventually(ctx, named("strict")).Should(SatisfyAll(ready(), isolated()))
		openAsBreakGlass(ctx, "strict")
		Eventually(ctx, named("strict")).Should(exposed("NetworkPolicy", "open"))

		By("serving the tier in which Bulkhead denies it")
		install(ctx, crds.ClusterNetworkPolicy)
		Eventually(ctx, object(clusterNetworkPolicy, "", "bulkhead.strict")).ShouldNot(BeNil())
		Eventually(ctx, named("strict")).Should(isolated())
		Consistently(ctx, named("strict")).Should(isolated())

		By("taking the tier away again")
		Expect(world.RemoveCRDs(ctx, crds.ClusterNetworkPolicy)).To(Succeed())
		Eventually(ctx, named("strict")).Should(exposed("NetworkPolicy", "open"))
	})

	It("that nobody renders are followed as well", func(ctx SpecContext) {
		apply(ctx, fmt.Sprintf(plain, "baseline"))
		Eventually(ctx, named("baseline")).Should(SatisfyAll(ready(), considers(baselineResource, false)))
		install(ctx, crds.AdminNetworkPolicy)
		Eventually(ctx, named("baseline")).Should(SatisfyAll(ready(), considers(baselineResource, true)))
	})
})
