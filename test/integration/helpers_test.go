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
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// The suite has one operator. It is started by the first spec that needs it and runs on: starting it for each spec
// would test little else. Specs that need it down are Serial, and whoever comes next starts it again.
var suiteOperator *env.RunningOperator

// operatorUp makes sure that the suite's operator runs. Use it as a BeforeEach, and to end an outage.
func operatorUp() {
	GinkgoHelper()
	if suiteOperator != nil {
		select {
		case <-suiteOperator.Done():
			Fail("the operator ended by itself: " + errorText(suiteOperator.Stop()))
		default:
			return
		}
	}
	var err error
	suiteOperator, err = world.StartOperator()
	Expect(err).NotTo(HaveOccurred())
}

// operatorDown stops the suite's operator. Only for specs that are Serial.
func operatorDown() {
	GinkgoHelper()
	if suiteOperator == nil {
		return
	}
	Expect(suiteOperator.Stop()).To(Succeed())
	suiteOperator = nil
}

var _ = AfterSuite(func() { operatorDown() })

// Without this, an Eventually that is given a context has no other bound than the context.
var _ = BeforeEach(func() { EnforceDefaultTimeoutsWhenUsingContexts() })

func errorText(err error) string {
	if err == nil {
		return "without an error"
	}
	return err.Error()
}

// create creates objects and removes them after the spec.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(world.Admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, object))).To(Succeed())
		})
	}
}

// createTenant creates a Tenant; after the spec it is removed, and with it the namespaces that it lists then.
func createTenant(ctx context.Context, tenant *v1alpha1.Tenant) {
	GinkgoHelper()
	name := tenant.Name
	names := map[string]bool{}
	for i := range tenant.Spec.Namespaces {
		names[tenant.Spec.Namespaces[i].Name] = true
	}
	Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		operatorUp() // it has a finalizer to take off
		last := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := world.Admin.Get(ctx, client.ObjectKeyFromObject(last), last); err == nil {
			for i := range last.Spec.Namespaces {
				names[last.Spec.Namespaces[i].Name] = true
			}
		}
		Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, last))).To(Succeed())
		Eventually(gone).WithContext(ctx).WithArguments(last).Should(BeTrue(), "tenant %s is not gone", name)
		for _, namespace := range slices.Sorted(maps.Keys(names)) {
			object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
			Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, object))).To(Succeed())
		}
	})
}

// provision creates a Tenant and waits until all of it is in place.
func provision(ctx context.Context, tenant *v1alpha1.Tenant) {
	GinkgoHelper()
	createTenant(ctx, tenant)
	awaitReady(ctx, tenant.Name)
}

// awaitReady waits until the present spec of a tenant is in place and nothing differs.
func awaitReady(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(conditionsOf).WithContext(ctx).WithArguments(name).Should(And(
		HaveKeyWithValue(v1alpha1.ConditionReady, "True Reconciled"),
		HaveKeyWithValue(v1alpha1.ConditionInSync, "True NoDrift"),
	), "tenant %s", name)
}

// conditionsOf maps the conditions of a tenant to "status reason". Conditions of an older generation are left out.
func conditionsOf(ctx context.Context, name string) (map[string]string, error) {
	tenant := &v1alpha1.Tenant{}
	if err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
		return nil, err
	}
	conditions := map[string]string{}
	for _, condition := range tenant.Status.Conditions {
		if condition.ObservedGeneration == tenant.Generation {
			conditions[condition.Type] = string(condition.Status) + " " + condition.Reason
		}
	}
	return conditions, nil
}

// driftOf is status.drift of a tenant.
func driftOf(ctx context.Context, name string) (v1alpha1.DriftStatus, error) {
	tenant := &v1alpha1.Tenant{}
	err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant)
	return tenant.Status.Drift, err
}

// recentOf is status.drift.recent of a tenant.
func recentOf(ctx context.Context, name string) ([]v1alpha1.DriftItem, error) {
	drift, err := driftOf(ctx, name)
	return drift.Recent, err
}

// item matches a drift item of an object; fields says more of it.
func item(object client.Object, driftType v1alpha1.DriftType, action v1alpha1.DriftAction, fields gstruct.Fields) types.GomegaMatcher {
	all := gstruct.Fields{
		"Object": Equal(referenceTo(object)),
		"Type":   Equal(driftType),
		"Action": Equal(action),
	}
	maps.Copy(all, fields)
	return gstruct.MatchFields(gstruct.IgnoreExtras, all)
}

// referenceTo names an object as status does.
func referenceTo(object client.Object) v1alpha1.ObjectReference {
	GinkgoHelper()
	gvk, err := world.Admin.GroupVersionKindFor(object)
	Expect(err).NotTo(HaveOccurred())
	return v1alpha1.ObjectReference{
		Group: gvk.Group, Kind: gvk.Kind, Namespace: object.GetNamespace(), Name: object.GetName(),
	}
}

// content is all of a live object that people write: no status and none of what the API server keeps by itself.
func content(ctx context.Context, object client.Object) (map[string]any, error) {
	live, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, nil
	}
	if err := world.Admin.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return nil, err
	}
	live.SetManagedFields(nil)
	live.SetResourceVersion("")
	live.SetUID("")
	live.SetCreationTimestamp(metav1.Time{})
	live.SetGeneration(0)
	// Who changed it last is another matter.
	annotations := live.GetAnnotations()
	delete(annotations, v1alpha1.AnnotationLastChangedBy)
	delete(annotations, v1alpha1.AnnotationLastChangedFrom)
	live.SetAnnotations(annotations)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	delete(fields, "status")
	return fields, err
}

// intact is the content of an object as it must come back.
func intact(ctx context.Context, object client.Object) map[string]any {
	GinkgoHelper()
	fields, err := content(ctx, object)
	Expect(err).NotTo(HaveOccurred())
	return fields
}

// comesBack waits until an object is again what it was.
func comesBack(ctx context.Context, object client.Object, before map[string]any) {
	GinkgoHelper()
	Eventually(content).WithContext(ctx).WithArguments(object).Should(Equal(before))
}

// interfere changes a live object as someone, under a field manager's name.
func interfere[T client.Object](ctx context.Context, as client.Client, manager string, object T, change func(T)) {
	GinkgoHelper()
	Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	base, ok := object.DeepCopyObject().(client.Object)
	Expect(ok).To(BeTrue())
	change(object)
	Expect(as.Patch(ctx, object, client.MergeFrom(base), client.FieldOwner(manager))).To(Succeed())
}

// gone reports whether an object doesn't exist.
func gone(ctx context.Context, object client.Object) bool {
	live, ok := object.DeepCopyObject().(client.Object)
	return ok && isNotFound(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), live))
}

func isNotFound(err error) bool { return err != nil && client.IgnoreNotFound(err) == nil }

// versionOf is the resource version of an object.
func versionOf(ctx context.Context, object client.Object) (string, error) {
	live, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return "", nil
	}
	err := world.Admin.Get(ctx, client.ObjectKeyFromObject(object), live)
	return live.GetResourceVersion(), err
}

// versionsOf are the resource versions of objects, in their order.
func versionsOf(ctx context.Context, objects ...client.Object) ([]string, error) {
	versions := make([]string, 0, len(objects))
	for _, object := range objects {
		version, err := versionOf(ctx, object)
		if err != nil {
			return nil, err
		}
		versions = append(versions, version)
	}
	return versions, nil
}

// as is a client of a user.
func as(user string, groups ...string) client.WithWatch {
	GinkgoHelper()
	c, err := world.Client(user, groups...)
	Expect(err).NotTo(HaveOccurred())
	return c
}

// unguarded is a client of a user with the rights of his own whom the guard-rails let pass: what he does is what happens
// where they are not installed, or came too late.
func unguarded(user string) client.WithWatch {
	GinkgoHelper()
	return as(user, "bulkhead:break-glass")
}

// eventsOf maps the reasons of a tenant's events to what they relate to, as "Kind namespace/name".
func eventsOf(ctx context.Context, tenant string) (map[string][]string, error) {
	list := &eventsv1.EventList{}
	if err := world.Admin.List(ctx, list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for i := range list.Items {
		event := &list.Items[i]
		if event.Regarding.Kind != "Tenant" || event.Regarding.Name != tenant {
			continue
		}
		related := ""
		if event.Related != nil {
			related = event.Related.Kind + " " + event.Related.Namespace + "/" + event.Related.Name
		}
		found[event.Reason] = append(found[event.Reason], related)
	}
	return found, nil
}

// counter is the value of a counter of the operator in this process, summed over the series with these labels.
func counter(name string, labels map[string]string) float64 {
	GinkgoHelper()
	families, err := ctrlmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			matching := 0
			for _, label := range series.GetLabel() {
				if labels[label.GetName()] == label.GetValue() {
					matching++
				}
			}
			if matching == len(labels) {
				sum += series.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// The objects that Bulkhead makes in a namespace, by the names that it promises.

func policyIn(namespace, name string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func defaultDeny(namespace string) *networkingv1.NetworkPolicy {
	return policyIn(namespace, "bulkhead-default-deny")
}

func bindingIn(namespace, member string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bulkhead-" + member}}
}

func quotaIn(namespace string) *corev1.ResourceQuota {
	return &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bulkhead"}}
}

func limitsIn(namespace string) *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bulkhead"}}
}

func tenantRole(tenant string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:" + tenant}}
}

func tenantRoleBinding(tenant string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:" + tenant}}
}

func namespaceNamed(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}
