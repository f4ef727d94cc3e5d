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

package privilege

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

var _ = Describe("the operator's rights", Ordered, ContinueOnFailure, func() {
	var seen []env.Request

	BeforeAll(func(ctx SpecContext) {
		Expect(world.InstallCRDs(ctx, crds.All()...)).To(Succeed())
		By("running without lists that are streamed, which an older API server doesn't have")
		old := startOperator("KUBE_FEATURE_WatchListClient=false")
		Eventually(func(ctx context.Context) []string { return unused(grantedHere(ctx), used(requests())) }).WithContext(ctx).
			ShouldNot(ContainElement(HavePrefix("list ")))
		Expect(old.Stop(grace)).To(Succeed())
		Expect(world.RemoveCRDs(ctx, crds.ClusterNetworkPolicy)).To(Succeed())
		operator := startOperator()
		exercise(ctx)
		exerciseOptional(ctx)
		scrape(ctx)
		// Its end is part of what it does: it gives the lease back.
		Expect(operator.Stop(grace)).To(Succeed())
		seen = requests()
	})

	It("are all used", func(ctx SpecContext) {
		Expect(unused(grantedHere(ctx), used(seen))).To(ConsistOf(passedOn))
	})

	It("are enough: nothing is refused but what a Tenant asks for in vain", func() {
		var refused []string
		var inVain int
		for _, r := range seen {
			switch {
			case !r.Refused(), probing(r):
			case r.ObjectRef.Resource == "rolebindings" && r.ObjectRef.Name == "bulkhead-overreaching":
				inVain++
			default:
				refused = append(refused, r.String())
			}
		}
		Expect(refused).To(BeEmpty())
		Expect(inVain).To(BeNumerically(">", 0))
	})

	It("don't reach Secrets, in any namespace", func(ctx SpecContext) {
		operator, err := kubernetes.NewForConfig(world.Operator)
		Expect(err).NotTo(HaveOccurred())
		namespaces := &corev1.NamespaceList{}
		Expect(world.Admin.List(ctx, namespaces)).To(Succeed())
		names := []string{metav1.NamespaceAll}
		for i := range namespaces.Items {
			names = append(names, namespaces.Items[i].Name)
		}
		Expect(names).To(ContainElements("kube-system", v1alpha1.DefaultOperatorNamespace, "rights-kept"))
		refused := WithTransform(apierrors.IsForbidden, BeTrue())
		for _, name := range names {
			secrets := operator.CoreV1().Secrets(name)
			_, err := secrets.List(ctx, metav1.ListOptions{})
			Expect(err).To(refused, "listing in %q", name)
			_, err = secrets.Watch(ctx, metav1.ListOptions{})
			Expect(err).To(refused, "watching in %q", name)
			if name == metav1.NamespaceAll {
				continue
			}
			_, err = secrets.Get(ctx, "any", metav1.GetOptions{})
			Expect(err).To(refused, "getting in %q", name)
			_, err = secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "any"}}, metav1.CreateOptions{})
			Expect(err).To(refused, "creating in %q", name)
		}
	})
})

// exercise makes the operator do all that it can do.
func exercise(ctx context.Context) {
	GinkgoHelper()
	tenant := MakeTenant("rights").
		Deletion(v1alpha1.DeletionDelete).
		Namespaces("rights-kept", "rights-deleted").
		Member("owners", v1alpha1.RoleAdmin, User("owner")).
		MemberIn("helpers", v1alpha1.RoleView, []string{"rights-kept"}, Group("helpers")).
		Policy(
			Quota(corev1.ResourcePods, "20"),
			ContainerDefault(corev1.ResourceMemory, "128Mi", "512Mi"),
			Allow(v1alpha1.Opening{Name: "metrics", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{{CIDR: "10.20.0.0/16"}}}),
			Network(func(n *v1alpha1.Network) { n.APIServer = v1alpha1.Deny }),
		).Obj()
	Expect(world.Admin.Create(ctx, MakeClass("rights").Obj())).To(Succeed())
	Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
	awaitCondition(ctx, "rights", v1alpha1.ConditionReady, metav1.ConditionTrue)

	By("drifting, twice in the same way")
	for range 2 {
		for _, object := range []client.Object{
			&networkingv1.NetworkPolicy{ObjectMeta: inKept("bulkhead-default-deny")},
			&corev1.ResourceQuota{ObjectMeta: inKept("bulkhead")},
			&corev1.LimitRange{ObjectMeta: inKept("bulkhead")},
			&rbacv1.RoleBinding{ObjectMeta: inKept("bulkhead-owners")},
			&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:rights"}},
			&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:rights"}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "rights-kept"}},
		} {
			unlabel(ctx, object)
		}
	}

	By("asking for a role that the operator may not bind")
	Expect(world.Admin.Create(ctx, MakeTenant("overreaching").
		Namespaces("rights-overreaching").MemberOf("overreaching", "cluster-admin", User("mallory")).Obj())).To(Succeed())
	awaitCondition(ctx, "overreaching", v1alpha1.ConditionAccessReady, metav1.ConditionFalse)

	By("finding a report of nobody's")
	report := &v1alpha1.DriftReport{ObjectMeta: inKept("nobody")}
	Expect(world.Admin.Create(ctx, report)).To(Succeed())
	awaitGone(ctx, report)

	By("losing a guard-rail")
	installGuards(ctx)
	awaitCondition(ctx, "rights", v1alpha1.ConditionGuarded, metav1.ConditionTrue)
	Expect(world.Admin.Delete(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "bulkhead-network-policies"},
	})).To(Succeed())
	awaitCondition(ctx, "rights", v1alpha1.ConditionGuarded, metav1.ConditionFalse)
	installGuards(ctx)
	awaitCondition(ctx, "rights", v1alpha1.ConditionGuarded, metav1.ConditionTrue)

	By("asking for less")
	base := tenant.DeepCopy()
	Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(base), base)).To(Succeed())
	less := base.DeepCopy()
	less.Spec.Namespaces = less.Spec.Namespaces[:1]
	less.Spec.Members = less.Spec.Members[:1]
	less.Spec.PolicyBlocks = v1alpha1.PolicyBlocks{}
	Expect(world.Admin.Patch(ctx, less, client.MergeFrom(base))).To(Succeed())
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "rights-deleted"}},
		&networkingv1.NetworkPolicy{ObjectMeta: inKept("bulkhead-allow-metrics")},
		&corev1.ResourceQuota{ObjectMeta: inKept("bulkhead")},
		&corev1.LimitRange{ObjectMeta: inKept("bulkhead")},
		&rbacv1.RoleBinding{ObjectMeta: inKept("bulkhead-helpers")},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:rights:helpers"}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:rights:helpers"}},
	} {
		awaitGone(ctx, object)
	}
	awaitCondition(ctx, "rights", v1alpha1.ConditionReady, metav1.ConditionTrue)

	By("going away")
	overreaching := MakeTenant("overreaching").Obj()
	Expect(world.Admin.Delete(ctx, overreaching)).To(Succeed())
	awaitGone(ctx, overreaching)
}

// installGuards installs the guard-rails, and the rights that it takes to prove them.
func installGuards(ctx context.Context) {
	GinkgoHelper()
	root, err := env.Root()
	Expect(err).NotTo(HaveOccurred())
	out, err := world.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "admission"))
	Expect(err).NotTo(HaveOccurred(), out)
}

func inKept(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "rights-kept", Name: name}
}

// unlabel takes the tenant label off an object and waits until it is back.
func unlabel(ctx context.Context, object client.Object) {
	GinkgoHelper()
	tenantLabel := func(ctx context.Context) (string, error) {
		err := world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		return object.GetLabels()[v1alpha1.LabelTenant], err
	}
	Expect(tenantLabel(ctx)).To(Equal("rights"))
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+v1alpha1.LabelTenant+`":null}}}`))
	Expect(world.Admin.Patch(ctx, object, patch)).To(Succeed())
	Eventually(tenantLabel).WithContext(ctx).Should(Equal("rights"))
}

func awaitCondition(ctx context.Context, name, conditionType string, status metav1.ConditionStatus) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) (metav1.ConditionStatus, error) {
		tenant := &v1alpha1.Tenant{}
		if err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
			return "", err
		}
		for _, condition := range tenant.Status.Conditions {
			if condition.Type == conditionType && condition.ObservedGeneration == tenant.Generation {
				return condition.Status, nil
			}
		}
		return "", nil
	}).WithContext(ctx).Should(Equal(status), "%s of tenant %s", conditionType, name)
}

func awaitGone(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(func(ctx context.Context) bool {
		return apierrors.IsNotFound(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object))
	}).WithContext(ctx).Should(BeTrue(), "%T %s is there still", object, object.GetName())
}

// scrape reads the operator's metrics as someone who may; someone who may not is turned away.
func scrape(ctx context.Context) {
	GinkgoHelper()
	scraper := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "scraper"}}
	stranger := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "stranger"}}
	Expect(world.Admin.Create(ctx, scraper)).To(Succeed())
	Expect(world.Admin.Create(ctx, stranger)).To(Succeed())
	Expect(world.Admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bulkhead-metrics-reader"},
		Subjects:   []rbacv1.Subject{ServiceAccount("default", "scraper")},
	})).To(Succeed())

	Eventually(metricsAs).WithContext(ctx).WithArguments("scraper").Should(ContainSubstring("bulkhead_tenant_condition{"))
	Expect(metricsAs(ctx, "stranger")).To(Equal("403 Forbidden"))
	Expect(metricsAs(ctx, "")).To(Equal("401 Unauthorized"))
}

// metricsAs is the body of the metrics page as a service account sees it, or the status if it isn't OK.
func metricsAs(ctx context.Context, account string) (string, error) {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+metricsAddress+"/metrics", nil)
	if err != nil {
		return "", err
	}
	if account != "" {
		cfg, err := world.ServiceAccountConfig(ctx, "default", account)
		if err != nil {
			return "", err
		}
		get.Header.Set("Authorization", "Bearer "+cfg.BearerToken)
	}
	// The certificate is one that the operator made for itself.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(get)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return answer.Status, nil
	}
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
