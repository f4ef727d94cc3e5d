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
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// flat are the fields of a namespace's objects, each by a path as a report writes it; a list counts as one field.
func flat(ctx context.Context, namespace string) map[string]string {
	GinkgoHelper()
	fields := map[string]string{}
	objects := []client.Object{namespaceNamed(namespace)}
	for _, list := range []client.ObjectList{
		&networkingv1.NetworkPolicyList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{}, &rbacv1.RoleBindingList{},
	} {
		Expect(world.Admin.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		switch list := list.(type) {
		case *networkingv1.NetworkPolicyList:
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
		case *corev1.ResourceQuotaList:
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
		case *corev1.LimitRangeList:
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
		case *rbacv1.RoleBindingList:
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
		}
	}
	for _, object := range objects {
		all, err := content(ctx, object)
		Expect(err).NotTo(HaveOccurred())
		flatten(fields, referenceTo(object).Kind+" "+object.GetName()+": ", "", all)
	}
	return fields
}

func flatten(into map[string]string, object, path string, value any) {
	values, isMap := value.(map[string]any)
	if !isMap || len(values) == 0 {
		into[object+path] = fmt.Sprint(value)
		return
	}
	for key, value := range values {
		switch {
		case path == "":
			flatten(into, object, key, value)
		case slices.Contains([]string{"metadata.labels", "metadata.annotations", "spec.hard"}, path):
			flatten(into, object, path+"["+key+"]", value)
		default:
			flatten(into, object, path+"."+key, value)
		}
	}
}

// changed are the fields that differ; of an object that wasn't there, or no longer is, the object alone.
func changed(before, after map[string]string) []string {
	objects := func(fields map[string]string) map[string]bool {
		all := map[string]bool{}
		for field := range fields {
			all[objectOf(field)] = true
		}
		return all
	}
	had, has := objects(before), objects(after)
	found := map[string]bool{}
	for _, fields := range []map[string]string{before, after} {
		for field := range fields {
			object := objectOf(field)
			switch was, is := before[field], after[field]; {
			case had[object] != has[object]:
				found[object] = true
			case was != is && !strings.HasSuffix(field, ": "+pathIntent): // the report leaves our own mark out
				found[field] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func objectOf(field string) string {
	for i := range field {
		if field[i] == ':' && i+1 < len(field) && field[i+1] == ' ' {
			return field[:i]
		}
	}
	return field
}

// reported are the same of what a report lists.
func reported(report *v1alpha1.DriftReportContent) []string {
	found := map[string]bool{}
	for _, item := range report.Items {
		object := item.Object.Kind + " " + item.Object.Name
		if item.Type == v1alpha1.DriftObjectMissing {
			found[object] = true
		}
		for _, field := range item.Fields {
			found[object+": "+field.Path] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

var _ = Describe("a brownfield namespace in Observe", func() {
	BeforeEach(operatorUp)

	It("is reported field by field, and Enforce changes precisely that", func(ctx SpecContext) {
		const name = "brownfield"
		old := namespaceNamed(name)
		old.Labels = map[string]string{labelEnforce: "baseline", labelEnforce + "-version": "v1.30", "team": "kept"}
		old.Annotations = map[string]string{"example.com/kept": "as it is"}
		create(ctx, old)
		wall := defaultDeny(name)
		wall.Spec = networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: []networkingv1.NetworkPolicyIngressRule{{}},
		}
		quota := quotaIn(name)
		quota.Labels = map[string]string{"app": "kept"}
		quota.Spec.Hard = corev1.ResourceList{
			corev1.ResourcePods: resource.MustParse("999"), corev1.ResourceRequestsCPU: resource.MustParse("4000m"), "count/jobs.batch": resource.MustParse("1"),
		}
		foreign := policyIn(name, "somebody-elses")
		foreign.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		create(ctx, wall, quota, foreign)

		tenant := someTenant(name).Mode(v1alpha1.DriftObserve).Obj()
		tenant.Spec.Namespaces[0].Adoption = v1alpha1.AdoptionIfUnclaimed
		before := flat(ctx, name)
		createTenant(ctx, tenant)
		Eventually(conditionsOf).WithContext(ctx).WithArguments(name).Should(And(
			HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"), HaveKeyWithValue(v1alpha1.ConditionInSync, "False DriftDetected")))
		var report *v1alpha1.DriftReportContent
		Eventually(func(ctx context.Context) (*v1alpha1.DriftReportContent, error) {
			var err error
			report, err = reportOf(ctx, name)
			return report, err
		}).WithContext(ctx).ShouldNot(BeNil())
		Expect(report.Truncated).To(BeZero())
		Expect(changed(before, flat(ctx, name))).To(BeEmpty(), "Observe writes nothing")

		interfere(ctx, world.Admin, "kubectl-edit", tenant, func(t *v1alpha1.Tenant) { t.Spec.Drift = nil })
		awaitReady(ctx, name)
		Expect(changed(before, flat(ctx, name))).To(Equal(reported(report)))
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
		Expect(old.Labels).To(And(HaveKeyWithValue("team", "kept"), HaveKeyWithValue(labelEnforce, "restricted")))
		Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(foreign), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{}})).To(Succeed())
	})
})
