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

package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	quotaReady = "bulkhead-quota-ready"
	breakGlass = "bulkhead-break-glass"
)

// quotaRequests are requests that the rules of the room quota refuse, and those of which the rule break-glass warns.
func quotaRequests() map[string]request {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "acme-prod"}}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: "acme-prod"}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Namespace: "acme-prod"}}
	empty, low := largeQuota(""), largeQuota("1001")
	waits := func(object runtime.Object, kind, resource, sub string, quota *corev1.ResourceQuota) request {
		r := request{rail: quotaReady, object: object, gvk: corev1.SchemeGroupVersion.WithKind(kind), resource: resource, sub: sub, operation: admission.Create, params: quota}
		if sub != "" {
			r.old, r.operation = object, admission.Update
		}
		return r
	}
	all := map[string]request{
		"a pod before anything counts":   waits(pod, "Pod", "pods", "", empty),
		"a pod before less counts":       waits(pod, "Pod", "pods", "", low),
		"a pod grows before it counts":   waits(pod, "Pod", "pods", "resize", low),
		"a claim before anything counts": waits(claim, "PersistentVolumeClaim", "persistentvolumeclaims", "", empty),
		"a Service before all counts":    waits(service, "Service", "services", "", low),
	}
	old, updated := managedPolicy(1), managedPolicy(2)
	policy, namespace := networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), corev1.SchemeGroupVersion.WithKind("Namespace")
	for name, r := range map[string]request{
		"changes a wall":                 {object: updated, old: old, gvk: policy, resource: "networkpolicies", operation: admission.Update},
		"deletes a wall":                 {old: old, gvk: policy, resource: "networkpolicies", operation: admission.Delete},
		"makes a wall":                   {object: updated, gvk: policy, resource: "networkpolicies", operation: admission.Create},
		"changes guarded keys":           {object: tenantNamespace("new"), old: tenantNamespace("old"), gvk: namespace, resource: "namespaces", operation: admission.Update},
		"changes guarded keys at a back": {object: tenantNamespace("new"), old: tenantNamespace("old"), gvk: namespace, resource: "namespaces", sub: "finalize", operation: admission.Update},
		"deletes a namespace":            {old: tenantNamespace("old"), gvk: namespace, resource: "namespaces", operation: admission.Delete},
	} {
		r.rail, r.groups = breakGlass, []string{"bulkhead:break-glass"}
		all["break-glass "+name] = r
	}
	return all
}

// largeQuota is a quota with many keys, all of which status has with the given quantity, or none if it is empty.
func largeQuota(status string) *corev1.ResourceQuota {
	it := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}}}
	if status != "" {
		it.Status.Hard = corev1.ResourceList{}
	}
	for i := range big {
		key := corev1.ResourceName(fmt.Sprintf("count/%s-%d.%s", strings.Repeat("x", 60), i, strings.Repeat("example.com", 10)))
		it.Spec.Hard[key] = resource.MustParse("1000")
		if status != "" {
			it.Status.Hard[key] = resource.MustParse(status)
		}
	}
	return it
}

// managedPolicy is a managed NetworkPolicy with many rules.
func managedPolicy(port int32) *networkingv1.NetworkPolicy {
	it := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead-allow-web", Namespace: "acme-prod", Labels: map[string]string{
		v1alpha1.LabelTenant: "acme", v1alpha1.LabelManagedBy: v1alpha1.ManagedByBulkhead, v1alpha1.LabelFeature: "network",
	}}}
	for i := range big {
		block := &networkingv1.IPBlock{CIDR: fmt.Sprintf("10.0.%d.0/24", i)}
		it.Spec.Ingress = append(it.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{{IPBlock: block}}})
	}
	// What differs comes last.
	it.Spec.Ingress[big-1].Ports = []networkingv1.NetworkPolicyPort{{EndPort: &port}}
	return it
}

// offence is what a rule finds wrong with a request.
func offence(t *testing.T, r request) string {
	t.Helper()
	for _, rail := range shipped(t) {
		if rail.Name() != r.rail {
			continue
		}
		for _, v := range rail.Policy.Spec.Variables {
			if v.Name == "offence" {
				var expression plugincel.NamedExpressionAccessor = &validating.Variable{Name: v.Name, Expression: v.Expression}
				text, _ := evaluate(t, rail.Policy.Spec, r, expression)
				return fmt.Sprint(text)
			}
		}
	}
	t.Fatalf("there is no rule %s with an offence", r.rail)
	return ""
}

func list(text string) corev1.ResourceList {
	it := corev1.ResourceList{}
	for pair := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(pair, "=")
		it[corev1.ResourceName(key)] = resource.MustParse(value)
	}
	return it
}

func TestQuotaReady(t *testing.T) {
	t.Parallel()
	const must = `Pod "web" must wait, because ResourceQuota "bulkhead" isn't in force yet for `
	cases := map[string]struct{ spec, status, want string }{
		"empty":                {"", "", ""},
		"counted":              {"pods=10 requests.cpu=2", "pods=10 requests.cpu=2", ""},
		"not counted":          {"pods=10", "", must + "pods: spec.hard says 10, status.hard nothing"},
		"one of two":           {"pods=10 requests.cpu=2", "pods=10", must + "requests.cpu: spec.hard says 2, status.hard nothing"},
		"none of three":        {"b=1 a=1 c=1", "", must + "a: spec.hard says 1, status.hard nothing (and 2 more like it)"},
		"another spelling":     {"requests.cpu=2 requests.memory=1Gi", "requests.cpu=2000m requests.memory=1024Mi", ""},
		"raised":               {"pods=20", "pods=10", ""},
		"lowered":              {"pods=10", "pods=20", must + "pods: spec.hard says 10, status.hard 20"},
		"lowered by a milli":   {"requests.cpu=1999m", "requests.cpu=2", must + "requests.cpu: spec.hard says 1999m, status.hard 2"},
		"to nothing":           {"services.loadbalancers=0", "services.loadbalancers=1", must + "services.loadbalancers: spec.hard says 0, status.hard 1"},
		"one down, one up":     {"a=1 b=3", "a=2 b=2", must + "a: spec.hard says 1, status.hard 2"},
		"nothing is allowed":   {"pods=0", "pods=0", ""},
		"a key that is gone":   {"pods=10", "pods=10 services=1", ""},
		"more than an integer": {"pods=9223372036854775808", "pods=9223372036854775807", ""},
		"an exponent":          {"count/jobs.batch=1e3", "count/jobs.batch=1k", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := offence(t, request{
				rail: quotaReady, object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, gvk: corev1.SchemeGroupVersion.WithKind("Pod"), resource: "pods",
				operation: admission.Create,
				params:    &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: list(tc.spec)}, Status: corev1.ResourceQuotaStatus{Hard: list(tc.status)}},
			})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("offence (-want +got):\n%s", diff)
			}
		})
	}
}

// anything is an object of any kind.
type anything interface {
	runtime.Object
	metav1.Object
}

func open(o anything) {
	if policy, is := o.(*networkingv1.NetworkPolicy); is {
		policy.Spec.Ingress = nil
	}
}

func letIn(o anything) {
	if binding, is := o.(*rbacv1.RoleBinding); is {
		binding.Subjects = make([]rbacv1.Subject, 1)
	}
}

// TestBreakGlassSpeaks checks of which changes break-glass is warned, and that it isn't of those that leave what Bulkhead
// manages as it was.
func TestBreakGlassSpeaks(t *testing.T) {
	t.Parallel()
	const drift = ", which Bulkhead manages: it is drift and will be undone"
	policy, namespace := managedPolicy(1), tenantNamespace("x")
	binding := &rbacv1.RoleBinding{ObjectMeta: policy.ObjectMeta, RoleRef: rbacv1.RoleRef{Name: "view"}}
	ofPolicy, ofNamespace := networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), corev1.SchemeGroupVersion.WithKind("Namespace")
	ofBinding := rbacv1.SchemeGroupVersion.WithKind("RoleBinding")
	cases := map[string]struct {
		old    anything
		gvk    schema.GroupVersionKind
		change func(anything)
		want   string
	}{
		"nothing":                {policy, ofPolicy, func(anything) {}, ""},
		"a label of one's own":   {policy, ofPolicy, func(o anything) { o.GetLabels()["mine"] = "1" }, ""},
		"what the server writes": {policy, ofPolicy, func(o anything) { o.SetResourceVersion("2"); o.SetManagedFields([]metav1.ManagedFieldsEntry{{}}) }, ""},
		"who wrote it":           {policy, ofPolicy, func(o anything) { o.SetAnnotations(map[string]string{v1alpha1.AnnotationLastChangedBy: "brook"}) }, ""},
		"the spec":               {policy, ofPolicy, func(o anything) { open(o) }, `you changed NetworkPolicy "bulkhead-allow-web"` + drift},
		"a label of Bulkhead's":  {policy, ofPolicy, func(o anything) { delete(o.GetLabels(), v1alpha1.LabelFeature) }, `you changed NetworkPolicy "bulkhead-allow-web"` + drift},
		"all labels":             {policy, ofPolicy, func(o anything) { o.SetLabels(nil) }, `you changed NetworkPolicy "bulkhead-allow-web"` + drift},
		"the intent":             {policy, ofPolicy, func(o anything) { o.SetAnnotations(map[string]string{v1alpha1.AnnotationIntent: "v1:x"}) }, `you changed NetworkPolicy "bulkhead-allow-web"` + drift},
		"a subject":              {binding, ofBinding, func(o anything) { letIn(o) }, `you changed RoleBinding "bulkhead-allow-web"` + drift},
		"nothing of a binding":   {binding, ofBinding, func(anything) {}, ""},
		"a namespace's own key":  {namespace, ofNamespace, func(o anything) { o.GetLabels()["team"] = "x"; o.GetAnnotations()["note"] = "y" }, ""},
		"a namespace's writer":   {namespace, ofNamespace, func(o anything) { o.GetAnnotations()[v1alpha1.AnnotationLastChangedBy] = "brook" }, ""},
		"Pod Security": {namespace, ofNamespace, func(o anything) { o.GetLabels()["pod-security.kubernetes.io/enforce"] = "privileged" },
			`you changed pod-security.kubernetes.io/enforce of namespace "acme-prod"` + drift},
		"guard data is taken off": {namespace, ofNamespace, func(o anything) { delete(o.GetAnnotations(), v1alpha1.GuardPrefix+"key-7") },
			`you changed guard.bulkhead.dev/key-7 of namespace "acme-prod"` + drift},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			updated, is := tc.old.DeepCopyObject().(anything)
			if !is {
				t.Fatal("a copy is something else")
			}
			tc.change(updated)
			plural := map[string]string{"NetworkPolicy": "networkpolicies", "RoleBinding": "rolebindings", "Namespace": "namespaces"}[tc.gvk.Kind]
			got := offence(t, request{rail: breakGlass, object: updated, old: tc.old, gvk: tc.gvk, resource: plural, operation: admission.Update})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("offence (-want +got):\n%s", diff)
			}
		})
	}
}
