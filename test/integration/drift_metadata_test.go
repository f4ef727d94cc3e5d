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
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	labelEnforce     = "pod-security.kubernetes.io/enforce"
	pathTenantLabel  = "metadata.labels[" + v1alpha1.LabelTenant + "]"
	pathManagedLabel = "metadata.labels[" + v1alpha1.LabelManagedBy + "]"
	pathFeatureLabel = "metadata.labels[" + v1alpha1.LabelFeature + "]"
	pathIntent       = "metadata.annotations[" + v1alpha1.AnnotationIntent + "]"
	pathEnforce      = "metadata.labels[" + labelEnforce + "]"
)

// managedObjects are one object of each kind that Bulkhead makes for someTenant, the Namespace aside.
func managedObjects(name string) map[string]client.Object {
	return map[string]client.Object{
		"NetworkPolicy":      defaultDeny(name),
		"ResourceQuota":      quotaIn(name),
		"LimitRange":         limitsIn(name),
		"RoleBinding":        bindingIn(name, "owners"),
		"ClusterRole":        tenantRole(name),
		"ClusterRoleBinding": tenantRoleBinding(name),
	}
}

var _ = Describe("drift of metadata", func() {
	BeforeEach(operatorUp)

	DescribeTable("scenario 3: managed labels and the intent annotation of an object come back",
		func(ctx SpecContext, kind, name string) {
			provision(ctx, someTenant(name).Obj())
			object := managedObjects(name)[kind]
			before := intact(ctx, object)

			By("forging one label, stripping the others")
			interfere(ctx, world.Admin, "kubectl-label", object, func(o client.Object) {
				o.SetLabels(map[string]string{v1alpha1.LabelTenant: "another"})
			})
			comesBack(ctx, object, before)
			expectDrift(ctx, name, object, v1alpha1.DriftFieldModified, gstruct.Fields{
				"Paths":    Equal([]string{pathManagedLabel, pathFeatureLabel, pathTenantLabel}),
				"Manager":  Equal("kubectl-label"),
				"Severity": Equal(v1alpha1.SeverityMedium),
			})
		},
		Entry("of a NetworkPolicy", "NetworkPolicy", "relabelled-policy"),
		Entry("of a ResourceQuota", "ResourceQuota", "relabelled-quota"),
		Entry("of a LimitRange", "LimitRange", "relabelled-limits"),
		Entry("of a RoleBinding", "RoleBinding", "relabelled-binding"),
		Entry("of a ClusterRole", "ClusterRole", "relabelled-role"),
		Entry("of a ClusterRoleBinding", "ClusterRoleBinding", "relabelled-access"),
	)

	DescribeTable("scenario 3: the intent annotation comes back, and hides nothing",
		func(ctx SpecContext, name, value string, driftType v1alpha1.DriftType, manager string) {
			provision(ctx, someTenant(name).Obj())
			object := quotaIn(name)
			before := intact(ctx, object)
			interfere(ctx, world.Admin, "kubectl-annotate", object, func(q *corev1.ResourceQuota) {
				if value == "" {
					q.Annotations = nil
				} else {
					q.Annotations[v1alpha1.AnnotationIntent] = value
				}
			})
			comesBack(ctx, object, before)
			expectDrift(ctx, name, object, driftType, gstruct.Fields{
				"Paths": Equal([]string{pathIntent}), "Manager": Equal(manager),
			})
		},
		Entry("when it is changed", "intent-changed", "v1:0000", v1alpha1.DriftFieldModified, "kubectl-annotate"),
		Entry("when it is emptied", "intent-emptied", " ", v1alpha1.DriftFieldModified, "kubectl-annotate"),
		Entry("when it is taken off, which leaves no trace of by whom", "intent-off", "", v1alpha1.DriftFieldRemoved, ""),
	)

	It("scenario 3: a change behind a forged intent annotation is drift, not a new spec", func(ctx SpecContext) {
		provision(ctx, someTenant("intent-forged").Obj())
		quota := quotaIn("intent-forged")
		before := intact(ctx, quota)
		interfere(ctx, world.Admin, "sneaky", quota, func(q *corev1.ResourceQuota) {
			q.Annotations[v1alpha1.AnnotationIntent] = "v1:0123456789abcdef"
			delete(q.Spec.Hard, corev1.ResourcePods)
		})
		comesBack(ctx, quota, before)
		expectDrift(ctx, "intent-forged", quota, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths": Equal([]string{"spec.hard[pods]"}), "Manager": Equal("sneaky"),
		})
	})

	DescribeTable("scenario 3: labels of the namespace come back",
		func(ctx SpecContext, name string, change func(*corev1.Namespace), driftType v1alpha1.DriftType, fields gstruct.Fields) {
			provision(ctx, someTenant(name).Obj())
			namespace := namespaceNamed(name)
			before := intact(ctx, namespace)
			interfere(ctx, world.Admin, "kubectl-label", namespace, change)
			comesBack(ctx, namespace, before)
			expectDrift(ctx, name, namespace, driftType, fields)
		},
		Entry("a lowered Pod Security level", "pods-lowered",
			func(n *corev1.Namespace) { n.Labels[labelEnforce] = "privileged" },
			v1alpha1.DriftFieldModified, gstruct.Fields{
				"Paths": Equal([]string{pathEnforce}), "Manager": Equal("kubectl-label"), "Severity": Equal(v1alpha1.SeverityCritical),
			}),
		Entry("a stripped Pod Security level", "pods-stripped",
			func(n *corev1.Namespace) { delete(n.Labels, labelEnforce) },
			v1alpha1.DriftFieldRemoved, gstruct.Fields{
				"Paths": Equal([]string{pathEnforce}), "Manager": BeEmpty(), "Severity": Equal(v1alpha1.SeverityCritical),
			}),
		Entry("a stripped tenant label", "tenant-stripped",
			func(n *corev1.Namespace) { delete(n.Labels, v1alpha1.LabelTenant) },
			v1alpha1.DriftFieldRemoved, gstruct.Fields{
				"Paths": Equal([]string{pathTenantLabel}), "Manager": BeEmpty(), "Severity": Equal(v1alpha1.SeverityCritical),
			}),
		Entry("a forged tenant label", "tenant-forged",
			func(n *corev1.Namespace) { n.Labels[v1alpha1.LabelTenant] = "nobody" },
			v1alpha1.DriftFieldModified, gstruct.Fields{
				"Paths": Equal([]string{pathTenantLabel}), "Manager": Equal("kubectl-label"), "Severity": Equal(v1alpha1.SeverityCritical),
			}),
		Entry("all of them at once", "all-stripped",
			func(n *corev1.Namespace) { n.Labels, n.Annotations = nil, nil },
			v1alpha1.DriftFieldRemoved, gstruct.Fields{
				"PathCount": BeNumerically(">=", 7), "Severity": Equal(v1alpha1.SeverityCritical),
			}),
	)

	It("scenario 3: a namespace whose label is forged to name another tenant stays with its own", func(ctx SpecContext) {
		provision(ctx, someTenant("robbed").Obj())
		provision(ctx, someTenant("robber").Obj())
		namespace := namespaceNamed("robbed")
		before := intact(ctx, namespace)
		binding := intact(ctx, bindingIn("robbed", "owners"))
		interfere(ctx, world.Admin, "kubectl-label", namespace, func(n *corev1.Namespace) {
			n.Labels[v1alpha1.LabelTenant] = "robber"
		})
		comesBack(ctx, namespace, before)
		expectDrift(ctx, "robbed", namespace, v1alpha1.DriftFieldModified, gstruct.Fields{
			"Paths": Equal([]string{pathTenantLabel}), "Manager": Equal("kubectl-label"),
		})
		Expect(content(ctx, bindingIn("robbed", "owners"))).To(Equal(binding))
		Expect(gone(ctx, bindingIn("robbed", "robber-owner"))).To(BeTrue())
		Expect(recentOf(ctx, "robber")).To(BeEmpty())
		awaitReady(ctx, "robber")
	})

	It("scenario 3: a forged tenant label on a foreign namespace makes nobody its tenant", func(ctx SpecContext) {
		provision(ctx, someTenant("greedy").Obj())
		foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "greedy-foreign", Labels: map[string]string{v1alpha1.LabelTenant: "greedy"},
		}}
		create(ctx, foreign)
		before := intact(ctx, foreign)
		Consistently(content).WithContext(ctx).WithArguments(foreign).Should(Equal(before))
		Expect(gone(ctx, bindingIn("greedy-foreign", "owners"))).To(BeTrue(), "a binding in a foreign namespace")
		Expect(gone(ctx, defaultDeny("greedy-foreign"))).To(BeTrue(), "a policy in a foreign namespace")
	})

	It("doesn't mind labels and annotations of others, nor takes them off", func(ctx SpecContext) {
		provision(ctx, someTenant("decorated").Obj())
		quota := quotaIn("decorated")
		interfere(ctx, world.Admin, "decorator", quota, func(q *corev1.ResourceQuota) {
			q.Labels["team"] = "blue"
			q.Annotations["example.com/note"] = "mine"
		})
		interfere(ctx, world.Admin, "kubectl-edit", quota, func(q *corev1.ResourceQuota) {
			delete(q.Spec.Hard, corev1.ResourcePods)
		})
		expectDrift(ctx, "decorated", quota, v1alpha1.DriftFieldRemoved, gstruct.Fields{"Paths": Equal([]string{"spec.hard[pods]"})})
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
		Expect(quota.Labels).To(HaveKeyWithValue("team", "blue"))
		Expect(quota.Annotations).To(HaveKeyWithValue("example.com/note", "mine"))
	})
})

var _ = Describe("managed objects that are deleted", func() {
	BeforeEach(operatorUp)

	DescribeTable("scenario 4: come back and are recorded as missing",
		func(ctx SpecContext, kind, name string, severity v1alpha1.Severity) {
			provision(ctx, someTenant(name).Obj())
			object := managedObjects(name)[kind]
			before := intact(ctx, object)
			labels := map[string]string{"kind": kind, "type": "ObjectMissing"}
			seen := counter("bulkhead_drift_detected_total", labels)
			Expect(world.Admin.Delete(ctx, object)).To(Succeed())
			comesBack(ctx, object, before)
			expectDrift(ctx, name, object, v1alpha1.DriftObjectMissing, gstruct.Fields{
				"Paths": BeEmpty(), "Manager": BeEmpty(), "Severity": Equal(severity), "Count": BeEquivalentTo(1),
			})
			Expect(counter("bulkhead_drift_detected_total", labels)).To(Equal(seen + 1))
		},
		Entry("a NetworkPolicy", "NetworkPolicy", "deleted-policy", v1alpha1.SeverityCritical),
		Entry("a ResourceQuota", "ResourceQuota", "deleted-quota", v1alpha1.SeverityHigh),
		Entry("a LimitRange", "LimitRange", "deleted-limits", v1alpha1.SeverityHigh),
		Entry("a RoleBinding", "RoleBinding", "deleted-binding", v1alpha1.SeverityMedium),
		Entry("a ClusterRole", "ClusterRole", "deleted-role", v1alpha1.SeverityHigh),
		Entry("a ClusterRoleBinding", "ClusterRoleBinding", "deleted-access", v1alpha1.SeverityMedium),
	)

	It("scenario 4: a namespace comes back as one loss, with all that belongs in it", func(ctx SpecContext) {
		provision(ctx, someTenant("deleted-namespace").Obj())
		object := namespaceNamed("deleted-namespace")
		before := intact(ctx, object)
		wall := intact(ctx, defaultDeny("deleted-namespace"))
		Expect(world.Admin.Delete(ctx, object)).To(Succeed())
		comesBack(ctx, object, before)
		comesBack(ctx, defaultDeny("deleted-namespace"), wall)
		expectDrift(ctx, "deleted-namespace", object, v1alpha1.DriftObjectMissing, gstruct.Fields{
			"Paths": BeEmpty(), "Severity": Equal(v1alpha1.SeverityHigh),
		})
	})

	It("scenario 4: what was deleted while the operator was down comes back and is recorded", Serial, func(ctx SpecContext) {
		provision(ctx, someTenant("deleted-meanwhile").Obj())
		wall := defaultDeny("deleted-meanwhile")
		before := intact(ctx, wall)
		operatorDown()
		Expect(world.Admin.Delete(ctx, wall)).To(Succeed())
		operatorUp()
		comesBack(ctx, defaultDeny("deleted-meanwhile"), before)
		expectDrift(ctx, "deleted-meanwhile", wall, v1alpha1.DriftObjectMissing, gstruct.Fields{
			"Severity": Equal(v1alpha1.SeverityCritical),
		})
	})
})
