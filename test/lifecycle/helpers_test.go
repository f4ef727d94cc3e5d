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
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// foreignFinalizer is a finalizer of somebody else.
const foreignFinalizer = "example.com/hold"

// tenantOf is a Tenant with namespaces; members and policy are set by the caller.
func tenantOf(name string, namespaces ...string) *v1alpha1.Tenant {
	tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, namespace := range namespaces {
		tenant.Spec.Namespaces = append(tenant.Spec.Namespaces, v1alpha1.TenantNamespace{Name: namespace})
	}
	return tenant
}

// member is a group of one user, whose name is the member's.
func member(name string, role v1alpha1.Role, namespaces ...string) v1alpha1.Member {
	return v1alpha1.Member{Name: name, Role: role, Namespaces: namespaces, Subjects: []rbacv1.Subject{user(name)}}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

func pods(quantity string) *v1alpha1.Quota {
	return &v1alpha1.Quota{PerNamespace: map[corev1.ResourceName]resource.Quantity{corev1.ResourcePods: resource.MustParse(quantity)}}
}

// create creates an object that the spec takes away when it ends.
func create(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Expect(world.Admin.Create(ctx, object)).To(Succeed())
	switch it := object.(type) {
	case *v1alpha1.Tenant:
		names := make([]string, 0, len(it.Spec.Namespaces))
		for _, namespace := range it.Spec.Namespaces {
			names = append(names, namespace.Name)
		}
		DeferCleanup(removeTenant, it.Name, names)
	default:
		DeferCleanup(remove, object)
	}
}

// removeTenant deletes a Tenant, waits until it is gone, and deletes its namespaces. Their names aren't used again.
func removeTenant(ctx context.Context, name string, namespaces []string) {
	GinkgoHelper()
	remove(ctx, tenantOf(name))
	Eventually(ctx, tenantNamed(name)).Should(BeNil(), "tenant %s must go", name)
	for _, namespace := range namespaces {
		remove(ctx, namespaceOf(namespace))
	}
}

func remove(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, object))).To(Succeed())
}

// change changes a Tenant as its owner would, and again if somebody wrote it meanwhile.
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

// drop takes a namespace out of a Tenant's spec.
func drop(namespace string) func(*v1alpha1.Tenant) {
	return func(tenant *v1alpha1.Tenant) {
		tenant.Spec.Namespaces = slices.DeleteFunc(tenant.Spec.Namespaces, func(n v1alpha1.TenantNamespace) bool { return n.Name == namespace })
	}
}

// adopting lets a Tenant take over its first namespace.
func adopting(tenant *v1alpha1.Tenant) {
	tenant.Spec.Namespaces[0].Adoption = v1alpha1.AdoptionIfUnclaimed
}

// holding is a ConfigMap that somebody else doesn't let go of until the spec ends.
func holding(ctx context.Context, namespace string) *corev1.ConfigMap {
	GinkgoHelper()
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "held", Finalizers: []string{foreignFinalizer}}}
	Expect(world.Admin.Create(ctx, held)).To(Succeed())
	DeferCleanup(letGo, held)
	return held
}

// letGo takes the foreign finalizer off.
func letGo(ctx context.Context, held *corev1.ConfigMap) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	Expect(client.IgnoreNotFound(world.Admin.Patch(ctx, held.DeepCopy(), patch))).To(Succeed())
}

func namespaceOf(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// tenantNamed reads a Tenant; nil if there is none.
func tenantNamed(name string) func(context.Context) (*v1alpha1.Tenant, error) {
	return func(ctx context.Context) (*v1alpha1.Tenant, error) {
		tenant := &v1alpha1.Tenant{}
		err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return tenant, err
	}
}

// namespaceNamed reads a Namespace; nil if there is none.
func namespaceNamed(name string) func(context.Context) (*corev1.Namespace, error) {
	return func(ctx context.Context) (*corev1.Namespace, error) {
		namespace := namespaceOf("")
		err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, namespace)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return namespace, err
	}
}

// bindings are the names of the RoleBindings in a namespace that Bulkhead made, sorted.
func bindings(namespace string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		list := &rbacv1.RoleBindingList{}
		err := world.Admin.List(ctx, list, client.InNamespace(namespace))
		return ours(list.Items, func(b rbacv1.RoleBinding) string { return b.Name }), err
	}
}

// policies are the names of the NetworkPolicies in a namespace that Bulkhead made, sorted.
func policies(namespace string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		list := &networkingv1.NetworkPolicyList{}
		err := world.Admin.List(ctx, list, client.InNamespace(namespace))
		return ours(list.Items, func(p networkingv1.NetworkPolicy) string { return p.Name }), err
	}
}

// clusterObjects are the names of the ClusterRoles and ClusterRoleBindings of a tenant, as "Kind name", sorted.
func clusterObjects(tenant string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		roles, bound := &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}
		if err := world.Admin.List(ctx, roles); err != nil {
			return nil, err
		}
		if err := world.Admin.List(ctx, bound); err != nil {
			return nil, err
		}
		var names []string
		for _, role := range roles.Items {
			names = append(names, "ClusterRole "+role.Name)
		}
		for _, binding := range bound.Items {
			names = append(names, "ClusterRoleBinding "+binding.Name)
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			_, name, _ = strings.Cut(name, " ")
			return name != "bulkhead:tenant:"+tenant && !strings.HasPrefix(name, "bulkhead:tenant:"+tenant+":")
		})
		slices.Sort(names)
		return names, nil
	}
}

func ours[T any](items []T, name func(T) string) []string {
	names := []string{}
	for _, item := range items {
		if n := name(item); strings.HasPrefix(n, "bulkhead-") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// quotaOf reads the number of pods that the ResourceQuota of a namespace allows; "" without one.
func quotaOf(namespace string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		quota := &corev1.ResourceQuota{}
		err := world.Admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "bulkhead"}, quota)
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		limit := quota.Spec.Hard[corev1.ResourcePods]
		return limit.String(), err
	}
}

// eventsOf are the events that regard a Tenant, as "reason: note".
func eventsOf(tenant string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		list := &eventsv1.EventList{}
		err := world.Admin.List(ctx, list)
		var found []string
		for _, event := range list.Items {
			if event.Regarding.Kind == "Tenant" && event.Regarding.Name == tenant {
				found = append(found, event.Reason+": "+event.Note)
			}
		}
		return found, err
	}
}

// may asks the API server whether a user may do something in a namespace.
func may(ctx context.Context, user, verb, resource, namespace string) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Version: "v1", Resource: resource},
	}}
	Expect(world.Admin.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// haveCondition matches a Tenant whose status speaks of its present spec and has the condition. Empty strings match
// anything.
func haveCondition(conditionType string, status metav1.ConditionStatus, reason string, words ...string) types.GomegaMatcher {
	matchers := []types.GomegaMatcher{HaveField("Status", status)}
	if reason != "" {
		matchers = append(matchers, HaveField("Reason", reason))
	}
	for _, word := range words {
		matchers = append(matchers, HaveField("Message", ContainSubstring(word)))
	}
	return WithTransform(func(tenant *v1alpha1.Tenant) (metav1.Condition, error) {
		switch {
		case tenant == nil:
			return metav1.Condition{}, fmt.Errorf("there is no such tenant")
		case tenant.Status.ObservedGeneration != tenant.Generation:
			return metav1.Condition{}, fmt.Errorf("status speaks of generation %d, spec is %d", tenant.Status.ObservedGeneration, tenant.Generation)
		}
		condition := meta.FindStatusCondition(tenant.Status.Conditions, conditionType)
		if condition == nil {
			return metav1.Condition{}, fmt.Errorf("no condition %s in %v", conditionType, tenant.Status.Conditions)
		}
		return *condition, nil
	}, SatisfyAll(matchers...))
}

// beReady matches a Tenant that is Ready, as its present spec says, and needs nobody.
func beReady() types.GomegaMatcher {
	return SatisfyAll(
		haveCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReconciled),
		haveNoCondition(v1alpha1.ConditionStalled), haveNoCondition(v1alpha1.ConditionReconciling),
	)
}

func haveNoCondition(conditionType string) types.GomegaMatcher {
	return WithTransform(func(tenant *v1alpha1.Tenant) *metav1.Condition {
		return meta.FindStatusCondition(tenant.Status.Conditions, conditionType)
	}, BeNil())
}
