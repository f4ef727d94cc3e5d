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
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation/custom"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

// exerciseOptional makes the operator do all that it can do with the kinds of optional APIs. The cluster has all of them
// but ClusterNetworkPolicy, which comes meanwhile and takes the place of AdminNetworkPolicy.
func exerciseOptional(ctx context.Context) {
	GinkgoHelper()
	kinds := append(apis.Optional(world.Scheme, features.All(), false), apis.Optional(world.Scheme, features.All(), true)...)
	Expect(custom.AwaitAdmission(ctx, world.Admin, "default", kinds...)).To(Succeed())
	all, err := corpus.Cases()
	Expect(err).NotTo(HaveOccurred())
	var tenants []*v1alpha1.Tenant
	for _, c := range all {
		if strings.HasPrefix(c.Name, "ways/") {
			tenants = append(tenants, c.Tenant)
			Expect(world.Admin.Create(ctx, c.Tenant.DeepCopy())).To(Succeed())
		}
	}
	Expect(tenants).NotTo(BeEmpty())

	By("drifting in objects of optional APIs")
	var newer []schema.GroupVersionKind
	for _, kind := range kinds {
		if kind.Kind == "ClusterNetworkPolicy" {
			newer = append(newer, kind)
			continue
		}
		spoil(ctx, kind)
	}
	Expect(newer).NotTo(BeEmpty())

	By("getting an API that makes another one needless")
	older := one(ctx, schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "AdminNetworkPolicy"})
	Expect(world.InstallCRDs(ctx, crds.ClusterNetworkPolicy)).To(Succeed())
	Expect(custom.AwaitAdmission(ctx, world.Admin, "default", newer...)).To(Succeed())
	for _, kind := range newer {
		spoil(ctx, kind)
	}
	awaitGone(ctx, older)

	By("asking for no ways in and out any more")
	objects := managed(ctx)
	for _, tenant := range tenants {
		base := tenant.DeepCopy()
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(base), base)).To(Succeed())
		less := base.DeepCopy()
		less.Spec.Egress, less.Spec.Ingress = nil, nil
		for i := range less.Spec.Namespaces {
			less.Spec.Namespaces[i].Policy = nil
		}
		Expect(world.Admin.Patch(ctx, less, client.MergeFrom(base))).To(Succeed())
	}
	for _, object := range objects {
		if object.GetKind() != "ClusterNetworkPolicy" {
			awaitGone(ctx, object)
		}
	}
	for _, tenant := range tenants {
		Expect(world.Admin.Delete(ctx, tenant)).To(Succeed())
		awaitGone(ctx, tenant)
	}
	Expect(managed(ctx)).To(BeEmpty())
}

// spoil changes an object of a kind in a way that an apply undoes, and in one that it doesn't, and waits until it is
// again what it was.
func spoil(ctx context.Context, kind schema.GroupVersionKind) {
	GinkgoHelper()
	object := one(ctx, kind)
	owner := &corev1.Namespace{}
	Expect(world.Admin.Get(ctx, client.ObjectKey{Name: "default"}, owner)).To(Succeed())
	for _, patch := range []string{
		`{"metadata":{"labels":{"` + v1alpha1.LabelTenant + `":null}}}`,
		fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"default","uid":%q}]}}`, owner.UID),
	} {
		tenant := object.GetLabels()[v1alpha1.LabelTenant]
		Expect(tenant).NotTo(BeEmpty())
		Expect(world.Admin.Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
		Eventually(func(g Gomega, ctx context.Context) {
			g.Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object.GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelTenant, tenant))
			g.Expect(object.GetOwnerReferences()).To(BeEmpty())
		}).WithContext(ctx).Should(Succeed(), "%s %s, after %s", kind.Kind, object.GetName(), patch)
	}
}

// one waits for an object of a kind of ours and returns it.
func one(ctx context.Context, kind schema.GroupVersionKind) *unstructured.Unstructured {
	GinkgoHelper()
	var found []*unstructured.Unstructured
	Eventually(func(ctx context.Context) (_ []*unstructured.Unstructured, err error) {
		found, err = ours(ctx, kind)
		return found, err
	}).WithContext(ctx).ShouldNot(BeEmpty(), kind.Kind)
	return found[0]
}

// managed are all objects of optional APIs that are ours.
func managed(ctx context.Context) []*unstructured.Unstructured {
	GinkgoHelper()
	var all []*unstructured.Unstructured
	for _, kind := range append(apis.Optional(world.Scheme, features.All(), false), apis.Optional(world.Scheme, features.All(), true)...) {
		found, err := ours(ctx, kind)
		Expect(err).NotTo(HaveOccurred())
		all = append(all, found...)
	}
	return all
}

// ours are the objects of a kind that belong to the tenants with ways in and out.
func ours(ctx context.Context, kind schema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := world.Admin.List(ctx, list, client.HasLabels{v1alpha1.LabelTenant}); err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].GetLabels()[v1alpha1.LabelTenant], "ways-") {
			found = append(found, &list.Items[i])
		}
	}
	return found, nil
}
