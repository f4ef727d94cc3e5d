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
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// How long time-bound access lasts in these specs: long enough that it is there before it ends, or that retries have
// become rare.
const (
	lease     = 5 * time.Second
	longLease = 8 * time.Second
)

// punctual is how much later than promised access may end.
const punctual = 2 * time.Second

var _ = Describe("Access that ends at a time", func() {
	It("ends on time, without any other event", func(ctx SpecContext) {
		tenant, end := leased("lease", lease)
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("lease")).Should(beReady())
		expectLease(ctx, "lease", end)
		Expect(clusterObjects("lease")(ctx)).To(ConsistOf("ClusterRole bulkhead:tenant:lease", "ClusterRoleBinding bulkhead:tenant:lease"))
		Expect(must(tenantNamed("lease")(ctx)).Status.Drift.Recent).To(BeEmpty(), "the spec ended it; nobody interfered")
	})

	It("ends on time in Observe, too", func(ctx SpecContext) {
		tenant, end := leased("lease-observe", lease)
		create(ctx, tenant)
		Eventually(ctx, bindings("lease-observe-a")).Should(ContainElement("bulkhead-lease-observe-temp"))
		change(ctx, "lease-observe", func(t *v1alpha1.Tenant) { t.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve} })
		expectLease(ctx, "lease-observe", end)
	})

	It("ends on time while a member's role may not be bound", func(ctx SpecContext) {
		tenant, end := leased("lease-refused", lease)
		root := member("lease-refused-root", "")
		root.ClusterRoleName = "cluster-admin"
		tenant.Spec.Members = append(tenant.Spec.Members, root)
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("lease-refused")).Should(
			haveCondition(v1alpha1.ConditionAccessReady, metav1.ConditionFalse, v1alpha1.ReasonBindForbidden))
		expectLease(ctx, "lease-refused", end)
	})

	// Retries come ever more rarely: after six seconds the next one would be four seconds late.
	It("ends on time while the API server fails again and again", func(ctx SpecContext) {
		tenant, end := leased("lease-broken", longLease)
		create(ctx, tenant)
		Eventually(ctx, bindings("lease-broken-b")).Should(HaveLen(3))
		create(ctx, brokenWebhook("lease-broken-b"))
		change(ctx, "lease-broken", func(t *v1alpha1.Tenant) { t.Spec.Quota = pods("4") })
		expectLease(ctx, "lease-broken", end)
	})
})

// brokenWebhook makes every write of a ResourceQuota in a namespace fail, as if the API server were broken.
func brokenWebhook(namespace string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "broken.example.com",
			AdmissionReviewVersions: []string{"v1"},
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          new(int32(1)),
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"resourcequotas"}},
			}},
		}},
	}
}

// leased is a Tenant of two namespaces, an owner, a member whose access ends (name-temp) and one whose access to one
// namespace ends (name-one), and when it ends.
func leased(name string, lasting time.Duration) (*v1alpha1.Tenant, time.Time) {
	end := metav1.NewTime(time.Now().Add(lasting).Truncate(time.Second))
	tenant := tenantOf(name, name+"-a", name+"-b")
	tenant.Spec.Members = []v1alpha1.Member{
		member(name+"-owner", v1alpha1.RoleAdmin), member(name+"-temp", v1alpha1.RoleEdit), member(name+"-one", v1alpha1.RoleView, name+"-b"),
	}
	tenant.Spec.Members[1].NotAfter, tenant.Spec.Members[2].NotAfter = &end, &end
	return tenant, end.Time
}

// expectLease expects that access is there, and gone at its end.
func expectLease(ctx context.Context, name string, end time.Time) {
	GinkgoHelper()
	subjects := func(ctx context.Context) ([]rbacv1.Subject, error) {
		binding := &rbacv1.ClusterRoleBinding{}
		err := world.Admin.Get(ctx, client.ObjectKey{Name: "bulkhead:tenant:" + name}, binding)
		return binding.Subjects, err
	}
	Expect(time.Now()).To(BeTemporally("<", end), "the machine is too slow for this spec: access ended before it was looked at")
	Eventually(ctx, bindings(name+"-b")).Should(ContainElements("bulkhead-"+name+"-temp", "bulkhead-"+name+"-one"))
	Eventually(ctx, subjects).Should(ContainElement(user(name + "-temp")))

	Eventually(time.Now).Should(BeTemporally(">=", end))
	limit := end.Add(punctual)
	for _, namespace := range []string{name + "-a", name + "-b"} {
		Eventually(ctx, bindings(namespace)).WithTimeout(time.Until(limit)).Should(SatisfyAll(
			ContainElement("bulkhead-"+name+"-owner"), Not(ContainElement("bulkhead-"+name+"-temp")), Not(ContainElement("bulkhead-"+name+"-one"))))
	}
	Eventually(ctx, subjects).WithTimeout(time.Until(limit)).Should(SatisfyAll(
		ContainElement(user(name+"-owner")), Not(ContainElement(user(name+"-temp")))),
		"not even the Tenant may be seen any more")
	Eventually(ctx, func(ctx context.Context) error {
		return world.Admin.Get(ctx, client.ObjectKey{Name: "bulkhead:tenant:" + name + ":" + name + "-one"}, &rbacv1.ClusterRoleBinding{})
	}).WithTimeout(time.Until(limit)).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
	Expect(may(ctx, name+"-temp", "get", "pods", name+"-a")).To(BeFalse())
	Expect(may(ctx, name+"-owner", "get", "pods", name+"-a")).To(BeTrue())
	for _, ended := range []string{"-temp to namespace " + name + "-a", "-temp to namespace " + name + "-b", "-one to namespace " + name + "-b"} {
		Eventually(ctx, eventsOf(name)).Should(ContainElement(HavePrefix("AccessExpired: access of member " + name + ended)))
	}
}

var _ = Describe("A member", func() {
	It("gets the own Tenant and the own namespaces, and nobody else's", func(ctx SpecContext) {
		tenant := tenantOf("mine", "mine-a", "mine-b")
		tenant.Spec.Members = []v1alpha1.Member{member("mine-owner", v1alpha1.RoleAdmin), member("mine-guest", v1alpha1.RoleView, "mine-a")}
		create(ctx, tenant)
		create(ctx, tenantOf("theirs", "theirs-a"))
		Eventually(ctx, tenantNamed("mine")).Should(beReady())
		Eventually(ctx, tenantNamed("theirs")).Should(beReady())

		owner, guest, stranger := must(world.Client("mine-owner")), must(world.Client("mine-guest")), must(world.Client("stranger"))
		for _, insider := range []client.Client{owner, guest} {
			expectGet(ctx, insider, tenantOf("mine"), Succeed())
			expectGet(ctx, insider, namespaceOf("mine-a"), Succeed())
			expectGet(ctx, insider, tenantOf("theirs"), forbidden())
			expectGet(ctx, insider, namespaceOf("theirs-a"), forbidden())
			expectGet(ctx, insider, namespaceOf("kube-system"), forbidden())
			Expect(insider.List(ctx, &v1alpha1.TenantList{})).To(forbidden())
			Expect(insider.List(ctx, &corev1.NamespaceList{})).To(forbidden())
			Expect(insider.List(ctx, &v1alpha1.TenantClassList{})).To(forbidden())
			Expect(insider.Patch(ctx, tenantOf("mine"), client.RawPatch("application/merge-patch+json", []byte("{}")))).To(forbidden())
			Expect(insider.Delete(ctx, tenantOf("mine"))).To(forbidden())
			Expect(insider.Patch(ctx, namespaceOf("mine-a"), client.RawPatch("application/merge-patch+json", []byte("{}")))).To(forbidden())
			Expect(insider.Delete(ctx, namespaceOf("mine-a"))).To(forbidden())
		}
		expectGet(ctx, owner, namespaceOf("mine-b"), Succeed())
		expectGet(ctx, guest, namespaceOf("mine-b"), forbidden())
		Expect(owner.List(ctx, &corev1.PodList{}, client.InNamespace("mine-b"))).To(Succeed())
		Expect(guest.List(ctx, &corev1.PodList{}, client.InNamespace("mine-b"))).To(forbidden())
		expectGet(ctx, stranger, tenantOf("mine"), forbidden())
		expectGet(ctx, stranger, namespaceOf("mine-a"), forbidden())
	})
})

func expectGet(ctx context.Context, as client.Client, object client.Object, what types.GomegaMatcher) {
	GinkgoHelper()
	Expect(as.Get(ctx, client.ObjectKeyFromObject(object), object)).To(what, "getting %T %s", object, object.GetName())
}

func forbidden() types.GomegaMatcher { return MatchError(apierrors.IsForbidden, "IsForbidden") }
