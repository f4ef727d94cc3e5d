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
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// The kinds of optional APIs that Bulkhead renders.
var (
	egressGatewayPolicy  = schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumEgressGatewayPolicy"}
	ciliumNetworkPolicy  = schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}
	egressIP             = schema.GroupVersionKind{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressIP"}
	egressFirewall       = schema.GroupVersionKind{Group: "k8s.ovn.org", Version: "v1", Kind: "EgressFirewall"}
	antreaEgress         = schema.GroupVersionKind{Group: "crd.antrea.io", Version: "v1beta1", Kind: "Egress"}
	gateway              = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
	clusterNetworkPolicy = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"}
	adminNetworkPolicy   = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "AdminNetworkPolicy"}
)

// apply applies a Tenant, and removes it and its namespaces when the spec ends.
func apply(ctx context.Context, text string) *v1alpha1.Tenant {
	GinkgoHelper()
	tenant := &v1alpha1.Tenant{}
	Expect(yaml.UnmarshalStrict([]byte(text), tenant)).To(Succeed())
	Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
	DeferCleanup(remove, tenant)
	return tenant
}

// remove deletes a Tenant and its namespaces and waits until it is gone.
func remove(ctx context.Context, tenant *v1alpha1.Tenant) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, tenant.DeepCopy()))).To(Succeed())
	Eventually(ctx, named(tenant.Name)).Should(BeNil(), "tenant %s must go", tenant.Name)
	for _, namespace := range tenant.Spec.Namespaces {
		gone := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace.Name}}
		Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, gone))).To(Succeed())
	}
}

// change changes a Tenant, and again if somebody wrote it meanwhile.
func change(ctx context.Context, name string, how func(*v1alpha1.Tenant)) {
	GinkgoHelper()
	Eventually(ctx, func(ctx context.Context) error {
		tenant := &v1alpha1.Tenant{}
		if err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
			return err
		}
		before := tenant.DeepCopy()
		how(tenant)
		return world.Admin.Patch(ctx, tenant, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	}).Should(Succeed())
}

// named reads a Tenant; nil if there is none.
func named(name string) func(context.Context) (*v1alpha1.Tenant, error) {
	return func(ctx context.Context) (*v1alpha1.Tenant, error) {
		tenant := &v1alpha1.Tenant{}
		err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return tenant, err
	}
}

// object reads an object of an optional kind; nil if there is none, or no such API.
func object(kind schema.GroupVersionKind, namespace, name string) func(context.Context) (*unstructured.Unstructured, error) {
	return func(ctx context.Context) (*unstructured.Unstructured, error) {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(kind)
		err := world.Admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, u)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return nil, nil
		}
		return u, err
	}
}

// spec matches an object whose spec has a value at a path.
func spec(value types.GomegaMatcher, path ...string) types.GomegaMatcher {
	return SatisfyAll(Not(BeNil()), WithTransform(func(u *unstructured.Unstructured) (any, error) {
		found, _, err := unstructured.NestedFieldNoCopy(u.Object, append([]string{"spec"}, path...)...)
		return found, err
	}, value))
}

// policies are the names of the NetworkPolicies in a namespace.
func policies(namespace string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		list := &networkingv1.NetworkPolicyList{}
		err := world.Admin.List(ctx, list, client.InNamespace(namespace))
		var names []string
		for _, item := range list.Items {
			names = append(names, item.Name)
		}
		return names, err
	}
}

// has matches a Tenant whose status speaks of its present spec and has the condition, with all words in its message.
func has(conditionType string, status metav1.ConditionStatus, reason string, words ...string) types.GomegaMatcher {
	matchers := []types.GomegaMatcher{HaveField("Status", status), HaveField("Reason", reason)}
	for _, word := range words {
		matchers = append(matchers, HaveField("Message", ContainSubstring(word)))
	}
	return WithTransform(func(tenant *v1alpha1.Tenant) (metav1.Condition, error) {
		if tenant == nil || tenant.Status.ObservedGeneration != tenant.Generation {
			return metav1.Condition{}, fmt.Errorf("there is no status of the present spec")
		}
		condition := meta.FindStatusCondition(tenant.Status.Conditions, conditionType)
		if condition == nil {
			return metav1.Condition{}, fmt.Errorf("no condition %s in %v", conditionType, tenant.Status.Conditions)
		}
		return *condition, nil
	}, SatisfyAll(matchers...))
}

// ready matches a Tenant that is Ready and of which nothing differs.
func ready() types.GomegaMatcher {
	return SatisfyAll(has(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReconciled),
		has(v1alpha1.ConditionInSync, metav1.ConditionTrue, v1alpha1.ReasonNoDrift))
}

// install installs the CRDs of projects, and removes them when the spec ends.
func install(ctx context.Context, projects ...string) {
	GinkgoHelper()
	Expect(world.InstallCRDs(ctx, projects...)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(world.RemoveCRDs(ctx, projects...)).To(Succeed()) })
}

// report writes into the status of an object what its network plugin would.
func report(ctx context.Context, kind schema.GroupVersionKind, namespace, name, status string) {
	GinkgoHelper()
	live, err := object(kind, namespace, name)(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(live).NotTo(BeNil(), "%s %s", kind.Kind, name)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":`+status+`}`))
	if kind != egressIP { // which has no subresource for it
		Expect(world.Admin.Status().Patch(ctx, live, patch, client.FieldOwner("plugin"))).To(Succeed())
		return
	}
	Expect(world.Admin.Patch(ctx, live, patch, client.FieldOwner("plugin"))).To(Succeed())
}

// requests counts the operator's requests about a group so far.
func requests(group string) int {
	GinkgoHelper()
	n := 0
	Expect(world.Requests(func(r *env.Request) {
		if r.ObjectRef.APIGroup == group || strings.HasPrefix(r.RequestURI, "/apis/"+group+"/") {
			n++
		}
	})).To(Succeed())
	return n
}

// must is the value that a function without an error returned.
func must[T any](value T, err error) T {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return value
}

// requestsOn counts the operator's writes of a namespace.
func requestsOn(namespace string) int {
	GinkgoHelper()
	n := 0
	Expect(world.Requests(func(r *env.Request) {
		if r.ObjectRef.Resource == "namespaces" && r.ObjectRef.Name == namespace && r.Verb == "patch" {
			n++
		}
	})).To(Succeed())
	return n
}

// edit changes an object as somebody with every right would.
func edit(ctx context.Context, kind schema.GroupVersionKind, namespace, name, patch string) {
	GinkgoHelper()
	live := must(object(kind, namespace, name)(ctx))
	Expect(live).NotTo(BeNil(), "%s %s", kind.Kind, name)
	stranger := must(world.Client("mallory", "system:masters", "bulkhead:break-glass"))
	Expect(stranger.Patch(ctx, live, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner("mallory"))).To(Succeed())
}

// recent matches a Tenant whose status tells of a corrected difference.
func recent(kind string, what v1alpha1.DriftType, paths ...string) types.GomegaMatcher {
	matcher := SatisfyAll(HaveField("Object.Kind", kind), HaveField("Type", what))
	if len(paths) > 0 {
		matcher = SatisfyAll(matcher, HaveField("Paths", ContainElements(paths)))
	}
	return HaveField("Status.Drift.Recent", ContainElement(matcher))
}

// may asks the API server whether a user may read the pods of a namespace.
func may(ctx context.Context, user, namespace string) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Version: "v1", Resource: "pods"},
	}}
	Expect(world.Admin.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// grant makes somebody an admin of a namespace for the time of the spec.
func grant(ctx context.Context, namespace, user string) {
	GinkgoHelper()
	change(ctx, namespace, func(t *v1alpha1.Tenant) {
		t.Spec.Members = []v1alpha1.Member{{Name: user, Role: v1alpha1.RoleAdmin,
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}}}
	})
	Eventually(ctx, func(ctx context.Context) bool { return may(ctx, user, namespace) }).Should(BeTrue())
}
