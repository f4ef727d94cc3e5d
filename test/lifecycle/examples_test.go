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
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// inSync matches a Tenant that is Ready and of which nothing differs.
func inSync() types.GomegaMatcher {
	return SatisfyAll(beReady(), haveCondition(v1alpha1.ConditionInSync, metav1.ConditionTrue, v1alpha1.ReasonNoDrift))
}

// observed matches a Tenant in mode Observe of which something differs.
func observed() types.GomegaMatcher {
	return SatisfyAll(
		haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonObserved),
		haveCondition(v1alpha1.ConditionInSync, metav1.ConditionFalse, v1alpha1.ReasonDriftDetected, "differ from intent"),
		HaveField("Status.Drift.Top", Not(BeEmpty())),
	)
}

var _ = Describe("Examples", func() {
	It("01: the smallest useful Tenant", func(ctx SpecContext) {
		kubectlApply(ctx, "01-starter.yaml")
		Eventually(ctx, tenantNamed("acme")).Should(inSync())
		Expect(bindings("acme-dev")(ctx)).To(ConsistOf("bulkhead-deployer", "bulkhead-developers", "bulkhead-owners"))
		Expect(bindings("acme-prod")(ctx)).To(ConsistOf("bulkhead-deployer", "bulkhead-owners"))
		Expect(must(namespaceNamed("acme-prod")(ctx)).Labels).To(HaveKeyWithValue("environment", "production"))
	})

	It("03: shared services, with one namespace that is privileged", func(ctx SpecContext) {
		kubectlApply(ctx, "03-observability.yaml")
		Eventually(ctx, tenantNamed("observability")).Should(SatisfyAll(inSync(),
			haveCondition(v1alpha1.ConditionIsolated, metav1.ConditionFalse, v1alpha1.ReasonOpenBySpec, "observability-agents")))
		Expect(must(namespaceNamed("observability-agents")(ctx)).Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "privileged"))
		Expect(must(namespaceNamed("observability")(ctx)).Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
		Expect(policies("observability")(ctx)).To(ContainElements("bulkhead-egress-internet", "bulkhead-allow-api-server", "bulkhead-allow-scrape-payments", "bulkhead-allow-scrape-everyone-else"))
	})

	It("04: classes", func(ctx SpecContext) {
		kubectlApply(ctx, "04-classes.yaml")
		Eventually(ctx, tenantNamed("catalog")).Should(SatisfyAll(inSync(), HaveField("Status.ClassName", "standard")))
		Expect(quotaOf("catalog")(ctx)).To(Equal("50"), "from the class")
		Expect(policies("catalog")(ctx)).To(ContainElement("bulkhead-allow-ingress"), "from the class")
		Expect(must(namespaceNamed("catalog")(ctx)).Annotations).To(HaveKeyWithValue(v1alpha1.GuardHostnames, "*.catalog.apps.example.com"))
	})

	It("06: taking over what runs, first looking", func(ctx SpecContext) {
		kubectlApply(ctx, "06-brownfield.yaml")
		Eventually(ctx, tenantNamed("legacy")).Should(observed())
		Expect(must(namespaceNamed("legacy-shop")(ctx)).Labels).NotTo(HaveKey(v1alpha1.LabelTenant))
		Expect(policies("legacy-shop")(ctx)).To(BeEmpty())
		change(ctx, "legacy", func(t *v1alpha1.Tenant) { t.Spec.Drift.Mode = v1alpha1.DriftEnforce })
		Eventually(ctx, tenantNamed("legacy")).Should(inSync())
		Expect(must(namespaceNamed("legacy-shop")(ctx)).Labels).To(HaveKeyWithValue("team", "shop"))

		By("applying the file again: what was taken over is observed, and nothing differs")
		must(world.Kubectl(ctx, "apply", "-f", example("06-brownfield.yaml")))
		Eventually(ctx, tenantNamed("legacy")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonObserved),
			haveCondition(v1alpha1.ConditionInSync, metav1.ConditionTrue, v1alpha1.ReasonNoDrift),
		))
	})
})

var _ = Describe("Bad examples", func() {
	DescribeTable("are refused, with the field named, and nothing changes", func(ctx SpecContext, file string, words ...string) {
		before := everything(ctx)
		_, err := world.Kubectl(ctx, "apply", "-f", example(filepath.Join("bad", file)))
		Expect(err).To(HaveOccurred())
		for _, word := range words {
			Expect(err).To(MatchError(ContainSubstring(word)))
		}
		Expect(everything(ctx)).To(Equal(before))
	},
		Entry("a range that is none", "bad-cidr.yaml", "spec.egress.destinations[0].cidrs[0]", `"10.0.0.0/33"`, "cidr"),
		Entry("a guarded label", "guarded-label.yaml", "spec.namespaces[0].labels", "pod-security.kubernetes.io/", "podSecurity"),
		Entry("a home that isn't listed", "home-not-listed.yaml", `unknown field "spec.selfService"`),
		Entry("a peer of nothing", "peer-of-nothing.yaml", "spec.network.allow[0].peers[0]", "exactly one of tenant, namespaces"),
		Entry("a reserved namespace", "reserved-namespace.yaml", "spec.namespaces[0].name", "is reserved", "kube-"),
		Entry("two roles at once", "two-roles.yaml", "spec.members[0]", "exactly one of role", "clusterRoleName"),
	)

	It("cluster-admin: is accepted, isn't bound, and the others get their access", func(ctx SpecContext) {
		kubectlApply(ctx, "bad/cluster-admin.yaml")
		Eventually(ctx, tenantNamed("bad-bind")).Should(
			haveCondition(v1alpha1.ConditionAccessReady, metav1.ConditionFalse, v1alpha1.ReasonBindForbidden, "cluster-admin"))
		Eventually(ctx, bindings("bad-bind")).Should(ConsistOf("bulkhead-viewers"))
	})

	It("stolen-namespace: is accepted, doesn't get it, and the holder is untouched", func(ctx SpecContext) {
		kubectlApply(ctx, "01-starter.yaml")
		Eventually(ctx, tenantNamed("acme")).Should(inSync())
		before := versions(ctx, "acme-prod", "acme")
		kubectlApply(ctx, "bad/stolen-namespace.yaml")
		Eventually(ctx, tenantNamed("bad-thief")).Should(SatisfyAll(
			haveCondition(v1alpha1.ConditionNamespacesReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict, "acme-prod", "tenant acme"),
			HaveField("Status.Namespaces.Ready", BeEquivalentTo(1))))
		Expect(namespaceNamed("bad-thief-own")(ctx)).NotTo(BeNil())
		Expect(versions(ctx, "acme-prod", "acme")).To(Equal(before))
		Eventually(ctx, tenantNamed("acme")).Should(inSync())
	})
})

var _ = Describe("Samples", func() {
	It("can be applied together, and become Ready", func(ctx SpecContext) {
		directory := filepath.Join(must(env.Root()), "config", "samples")
		files := must(filepath.Glob(filepath.Join(directory, "tenant*.yaml")))
		Expect(files).NotTo(BeEmpty())
		var tenants []string
		for _, file := range files {
			for _, document := range documents(file) {
				prepare(ctx, document)
				if document.GetKind() == "Tenant" {
					tenants = append(tenants, document.GetName())
				}
			}
		}
		must(world.Kubectl(ctx, "apply", "--server-side", "-k", directory))
		Expect(tenants).To(ContainElements("storefront", "catalog", "observability", "legacy", "checkout"))
		for _, name := range tenants {
			if drift := must(tenantNamed(name)(ctx)).Spec.Drift; drift == nil || drift.Mode != v1alpha1.DriftObserve {
				Eventually(ctx, tenantNamed(name)).Should(inSync(), name)
				continue
			}
			Eventually(ctx, tenantNamed(name)).Should(observed(), name)
			change(ctx, name, func(t *v1alpha1.Tenant) { t.Spec.Drift = nil })
			Eventually(ctx, tenantNamed(name)).Should(inSync(), name)
		}
		Expect(may(ctx, "somebody", "get", "pods", "storefront-prod")).To(BeFalse())
		Expect(bindings("storefront-dev")(ctx)).To(ContainElement("bulkhead-developers"))
		Expect(bindings("storefront-prod")(ctx)).NotTo(ContainElement("bulkhead-developers"))
	})
})

// example is the path of a shared example. The spec is skipped where there are none.
func example(file string) string {
	directory := env.Examples()
	if directory == "" {
		Skip("the shared examples are not beside the project")
	}
	return filepath.Join(directory, file)
}

// kubectlApply applies a shared example as its reader would. All of it goes when the spec ends.
func kubectlApply(ctx context.Context, file string) {
	GinkgoHelper()
	for _, document := range documents(example(file)) {
		prepare(ctx, document)
	}
	must(world.Kubectl(ctx, "apply", "-f", example(file)))
}

// documents reads the objects of a YAML file.
func documents(file string) []*unstructured.Unstructured {
	GinkgoHelper()
	var found []*unstructured.Unstructured
	for text := range strings.SplitSeq(string(must(os.ReadFile(file))), "\n---\n") {
		document := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(text), &document.Object)).To(Succeed())
		found = append(found, document)
	}
	return found
}

// prepare waits until the namespaces of an example, which other examples may have had, are gone, and removes what it
// makes when the spec ends.
func prepare(ctx context.Context, document *unstructured.Unstructured) {
	GinkgoHelper()
	if document.GetKind() == "Namespace" {
		Eventually(ctx, namespaceNamed(document.GetName())).Should(BeNil())
	}
	if document.GetKind() != "Tenant" {
		DeferCleanup(remove, document.DeepCopy())
		return
	}
	var names []string
	listed, _, _ := unstructured.NestedSlice(document.Object, "spec", "namespaces")
	for _, item := range listed {
		listed, ok := item.(map[string]any)
		Expect(ok).To(BeTrue(), "an item of spec.namespaces is no object: %v", item)
		name, _, err := unstructured.NestedString(listed, "name")
		Expect(err).NotTo(HaveOccurred())
		names = append(names, name)
	}
	for _, name := range names {
		Eventually(ctx, namespaceNamed(name)).Should(SatisfyAny(BeNil(), HaveField("DeletionTimestamp", BeNil())))
	}
	DeferCleanup(func(ctx context.Context) {
		removeTenant(ctx, document.GetName(), nil)
		for _, name := range names {
			namespace := must(namespaceNamed(name)(ctx))
			if namespace != nil && namespace.Labels[v1alpha1.LabelReleasedFrom] == document.GetName() {
				remove(ctx, namespace)
			}
		}
	})
}

// everything are the names of all namespaces that aren't going, and of all tenants.
func everything(ctx context.Context) []string {
	GinkgoHelper()
	names := []string{}
	for _, list := range []client.ObjectList{&corev1.NamespaceList{}, &v1alpha1.TenantList{}} {
		Expect(world.Admin.List(ctx, list)).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			if object.GetDeletionTimestamp() == nil {
				names = append(names, fmt.Sprintf("%T %s", item, object.GetName()))
			}
			return err
		})).To(Succeed())
	}
	return names
}
