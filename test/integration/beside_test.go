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
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// everything is all that Bulkhead manages for someTenant, the Tenant included.
func everything(name string) []client.Object {
	objects := []client.Object{
		MakeTenant(name).Obj(), namespaceNamed(name), policyIn(name, "bulkhead-allow-boundary"),
		policyIn(name, "bulkhead-allow-dns"), policyIn(name, "bulkhead-allow-metrics"),
	}
	for _, object := range managedObjects(name) {
		objects = append(objects, object)
	}
	slices.SortFunc(objects, func(a, b client.Object) int {
		return slices.Compare([]string{a.GetNamespace(), a.GetName()}, []string{b.GetNamespace(), b.GetName()})
	})
	return objects
}

// expectUnmoved makes sure that nobody writes to the objects for a while, and that the tenant reports no drift.
func expectUnmoved(ctx context.Context, name string, objects ...client.Object) {
	GinkgoHelper()
	objects = append(everything(name), objects...)
	// The Tenant's status may be written at any time, if only because the guard-rails were proven anew.
	objects = slices.DeleteFunc(objects, func(o client.Object) bool { _, ok := o.(*v1alpha1.Tenant); return ok })
	before, err := versionsOf(ctx, objects...)
	Expect(err).NotTo(HaveOccurred())
	Consistently(versionsOf).WithContext(ctx).WithArguments(sliceOfAny(objects)...).Should(Equal(before))
	Expect(recentOf(ctx, name)).To(BeEmpty())
	awaitReady(ctx, name)
}

func sliceOfAny(objects []client.Object) []any {
	all := make([]any, 0, len(objects))
	for _, object := range objects {
		all = append(all, object)
	}
	return all
}

var _ = Describe("scenario 16: others who write beside Bulkhead", func() {
	BeforeEach(operatorUp)

	It("may bind roles in a tenant's namespace, as OpenShift does", func(ctx SpecContext) {
		provision(ctx, someTenant("beside-bindings").Obj())
		foreign := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "beside-bindings", Name: "system:image-pullers"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{Group("system:serviceaccounts:beside-bindings")},
		}
		narrower := policyIn("beside-bindings", "my-own")
		narrower.Spec = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}
		create(ctx, foreign, narrower)
		expectUnmoved(ctx, "beside-bindings", foreign, narrower)
	})

	It("may mark namespaces and managed objects, as Argo CD does", func(ctx SpecContext) {
		provision(ctx, someTenant("beside-argo").Obj())
		for _, object := range everything("beside-argo")[1:] {
			interfere(ctx, world.Admin, "argocd-controller", object, func(o client.Object) {
				labels, annotations := o.GetLabels(), o.GetAnnotations()
				if labels == nil {
					labels = map[string]string{}
				}
				if annotations == nil {
					annotations = map[string]string{}
				}
				labels["app.kubernetes.io/instance"] = "platform"
				annotations["argocd.argoproj.io/tracking-id"] = "platform:x"
				o.SetLabels(labels)
				o.SetAnnotations(annotations)
			})
		}
		expectUnmoved(ctx, "beside-argo")
	})

	It("may keep labels of their own, and agree with ours, as a Pod Security label syncer does", func(ctx SpecContext) {
		provision(ctx, someTenant("beside-syncer").Obj())
		for _, labels := range []map[string]string{
			{"security.openshift.io/scc.podSecurityLabelSync": "true"},
			{"security.openshift.io/scc.podSecurityLabelSync": "true", "pod-security.kubernetes.io/warn": "restricted"},
		} {
			apply := corev1ac.Namespace("beside-syncer").WithLabels(labels)
			Expect(world.Admin.Apply(ctx, apply, client.FieldOwner("psa-label-syncer"))).To(Succeed())
			expectUnmoved(ctx, "beside-syncer")
		}
	})
})

var _ = Describe("scenario 6: while the operator is down", Serial, func() {
	unwatch := func(ctx context.Context, name string) {
		operatorUp()
		provision(ctx, someTenant(name).Obj())
		operatorDown()
	}

	It("a tenant's admin can't take a namespace out of the tenant, nor bring one in", func(ctx SpecContext) {
		unwatch(ctx, "unwatched")
		admin := as("unwatched-owner")
		By("being an admin indeed")
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "unwatched", Name: "mine"}}
		Expect(admin.Create(ctx, secret)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKey{Name: "unwatched"}, &corev1.Namespace{})).To(Succeed())

		refused := WithTransform(apierrors.IsForbidden, BeTrue())
		base := namespaceNamed("unwatched")
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(base), base)).To(Succeed())
		for what, change := range map[string]func(*corev1.Namespace){
			"stripping the tenant label":     func(n *corev1.Namespace) { delete(n.Labels, v1alpha1.LabelTenant) },
			"forging the tenant label":       func(n *corev1.Namespace) { n.Labels[v1alpha1.LabelTenant] = "another" },
			"lowering Pod Security":          func(n *corev1.Namespace) { n.Labels[labelEnforce] = "privileged" },
			"adding a label that others use": func(n *corev1.Namespace) { n.Labels["team"] = "blue" },
		} {
			changed := base.DeepCopy()
			change(changed)
			Expect(admin.Patch(ctx, changed.DeepCopy(), client.MergeFrom(base))).To(refused, what+" by patch")
			Expect(admin.Update(ctx, changed.DeepCopy())).To(refused, what+" by update")
		}
		Expect(admin.Delete(ctx, base.DeepCopy())).To(refused, "deleting the namespace")
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "unwatched-more", Labels: map[string]string{v1alpha1.LabelTenant: "unwatched"},
		}})).To(refused, "creating a namespace for the tenant")

		tenant := MakeTenant("unwatched").Obj()
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(tenant), tenant)).To(Succeed())
		wider := tenant.DeepCopy()
		wider.Spec.Namespaces = append(wider.Spec.Namespaces, v1alpha1.TenantNamespace{Name: "unwatched-more"})
		Expect(admin.Patch(ctx, wider, client.MergeFrom(tenant))).To(refused, "listing one more namespace")
	})

	It("a Tenant may be deleted: it goes once the operator is back", func(ctx SpecContext) {
		unwatch(ctx, "unwatched-deleted")
		tenant := MakeTenant("unwatched-deleted").Obj()
		Expect(world.Admin.Delete(ctx, tenant)).To(Succeed())
		Consistently(gone).WithContext(ctx).WithArguments(client.Object(tenant)).Should(BeFalse())
		operatorUp()
		Eventually(gone).WithContext(ctx).WithArguments(client.Object(tenant)).Should(BeTrue())
		Expect(gone(ctx, bindingIn("unwatched-deleted", "owners"))).To(BeTrue(), "access outlived the tenant")
		Expect(gone(ctx, tenantRoleBinding("unwatched-deleted"))).To(BeTrue(), "access outlived the tenant")
	})

	It("nothing of ours is in the way of a cluster admin or of kube-system", func(ctx SpecContext) {
		unwatch(ctx, "unwatched-edited")
		system := []string{"system:serviceaccounts", "system:serviceaccounts:kube-system"}
		for name, writer := range map[string]client.Client{
			"the cluster admin":     world.Admin,
			"the garbage collector": as("system:serviceaccount:kube-system:generic-garbage-collector", system...),
		} {
			By(name)
			interfere(ctx, writer, "someone", namespaceNamed("unwatched-edited"), func(n *corev1.Namespace) {
				delete(n.Labels, v1alpha1.LabelTenant)
				metav1.SetMetaDataLabel(&n.ObjectMeta, "seen-by", "someone")
			})
			interfere(ctx, writer, "someone", defaultDeny("unwatched-edited"), func(p *networkingv1.NetworkPolicy) {
				p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
			})
			interfere(ctx, writer, "someone", MakeTenant("unwatched-edited").Obj(), func(t *v1alpha1.Tenant) {
				metav1.SetMetaDataLabel(&t.ObjectMeta, "seen-by", "someone")
			})
		}
		By("the namespace controller")
		cleaner := as("system:serviceaccount:kube-system:namespace-controller", system...)
		Expect(cleaner.Delete(ctx, limitsIn("unwatched-edited"))).To(Succeed())

		validating := &admissionregistrationv1.ValidatingWebhookConfigurationList{}
		Expect(world.Admin.List(ctx, validating)).To(Succeed())
		Expect(validating.Items).To(BeEmpty())
		mutating := &admissionregistrationv1.MutatingWebhookConfigurationList{}
		Expect(world.Admin.List(ctx, mutating)).To(Succeed())
		Expect(mutating.Items).To(BeEmpty())

		By("healing all of it once the operator is back")
		operatorUp()
		labels := func(ctx context.Context) (map[string]string, error) {
			namespace := namespaceNamed("unwatched-edited")
			err := world.Admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
			return namespace.Labels, err
		}
		Eventually(labels).WithContext(ctx).Should(And(
			HaveKeyWithValue(v1alpha1.LabelTenant, "unwatched-edited"), HaveKeyWithValue("seen-by", "someone")))
		Eventually(recentOf).WithContext(ctx).WithArguments("unwatched-edited").Should(ConsistOf(
			item(namespaceNamed("unwatched-edited"), v1alpha1.DriftFieldRemoved, v1alpha1.DriftCorrected, nil),
			item(defaultDeny("unwatched-edited"), v1alpha1.DriftFieldInjected, v1alpha1.DriftCorrected, nil),
			item(limitsIn("unwatched-edited"), v1alpha1.DriftObjectMissing, v1alpha1.DriftCorrected, nil),
		))
		awaitReady(ctx, "unwatched-edited")
	})
})
