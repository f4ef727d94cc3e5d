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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// placed is a namespace of acme with a placement; pairs are further keys and values.
func placed(pairs ...string) *corev1.Namespace {
	return guarded(map[string]string{v1alpha1.GuardPlacement: "Restricted"}, pairs...)
}

// podRequest asks for a pod with this spec, in YAML; old is what it was, if it was there.
func podRequest(t *testing.T, namespace *corev1.Namespace, spec, old string) request {
	t.Helper()
	r := request{
		rail: "bulkhead-scheduling-pods", object: podOf(t, spec), gvk: corev1.SchemeGroupVersion.WithKind("Pod"), resource: "pods",
		operation: admission.Create, namespace: namespace,
	}
	if old != "" {
		r.old, r.operation = podOf(t, old), admission.Update
	}
	return r
}

func podOf(t *testing.T, spec string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{SchedulerName: "default-scheduler", Containers: []corev1.Container{}}}
	if err := yaml.UnmarshalStrict([]byte(spec), &pod.Spec); err != nil {
		t.Fatal(err)
	}
	return pod
}

// podGroup is a PodGroup of a PriorityClass.
func podGroup(class string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scheduling.k8s.io/v1beta1", "kind": "PodGroup", "metadata": map[string]any{"name": "g"},
		"spec": map[string]any{"priorityClassName": class},
	}}
}

func groupRequest(namespace *corev1.Namespace, class string) request {
	return request{
		rail: "bulkhead-scheduling-groups", object: podGroup(class), gvk: schema.GroupVersionKind{Group: "scheduling.k8s.io", Version: "v1beta1", Kind: "PodGroup"},
		resource: "podgroups", operation: admission.Create, namespace: namespace,
	}
}

func bindingRequest(namespace *corev1.Namespace, resource, sub string) request {
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Target: corev1.ObjectReference{Kind: "Node", Name: strings.Repeat("n", 10_000)}}
	return request{
		rail: "bulkhead-scheduling-bindings", object: binding, gvk: corev1.SchemeGroupVersion.WithKind("Binding"),
		resource: resource, sub: sub, operation: admission.Create, namespace: namespace,
	}
}

// placementRequests are requests that the rules of the room placement refuse.
func placementRequests() map[string]request {
	// As many as the schema allows, as long as it allows, and alike but for their end.
	var selector, tolerations, classes []string
	long := strings.Repeat("a", 240)
	for i := range 8 {
		selector = append(selector, fmt.Sprintf("%s.example.com/key-%d=%s", long, i, strings.Repeat("v", 63)))
	}
	for i := range 16 {
		tolerations = append(tolerations, fmt.Sprintf("%s.example.com/key=%s-%02d:NoSchedule", long, strings.Repeat("v", 60), i))
		classes = append(classes, fmt.Sprintf("%s-%02d", long, i))
	}
	full := placed(v1alpha1.GuardNodeSelector, strings.Join(selector, ","), v1alpha1.GuardTolerations, strings.Join(tolerations, ","),
		v1alpha1.GuardPriorityClasses, strings.Join(classes, ","), v1alpha1.GuardRuntimeClasses, strings.Join(classes, ","))
	pod := func(change func(*corev1.PodSpec)) *corev1.Pod {
		it := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
		it.Spec.NodeSelector = map[string]string{}
		for _, s := range selector {
			key, value, _ := strings.Cut(s, "=")
			it.Spec.NodeSelector[key] = value
		}
		for i := range big {
			it.Spec.NodeSelector[fmt.Sprintf("example.com/key-%d", i)] = "value"
		}
		change(&it.Spec)
		return it
	}
	asks := func(change func(*corev1.PodSpec)) request {
		return request{rail: "bulkhead-scheduling-pods", object: pod(change), gvk: corev1.SchemeGroupVersion.WithKind("Pod"), resource: "pods", operation: admission.Create, namespace: full}
	}
	tolerating := func(suffix string) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) {
			for i := range big {
				s.Tolerations = append(s.Tolerations, corev1.Toleration{
					Key: long + ".example.com/key", Value: fmt.Sprintf("%s-%02d%s", strings.Repeat("v", 60), i%16, suffix), Effect: corev1.TaintEffectNoSchedule,
				})
			}
			s.Tolerations[big-1].Effect = ""
		}
	}
	update := asks(tolerating(""))
	update.operation, update.old = admission.Update, pod(tolerating("x"))
	class := long + "-99"
	return map[string]request{
		"a node is named":                asks(func(s *corev1.PodSpec) { s.NodeName = long }),
		"a scheduler is named":           asks(func(s *corev1.PodSpec) { s.SchedulerName = long }),
		"the last taint is tolerated":    asks(tolerating("")),
		"every taint is tolerated":       asks(func(s *corev1.PodSpec) { s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}} }),
		"taints are tolerated later":     update,
		"nodes aren't selected":          asks(func(s *corev1.PodSpec) { delete(s.NodeSelector, long+".example.com/key-7") }),
		"other nodes are selected":       asks(func(s *corev1.PodSpec) { s.NodeSelector[long+".example.com/key-7"] = strings.Repeat("w", 63) }),
		"a PriorityClass is named":       asks(func(s *corev1.PodSpec) { s.PriorityClassName = class }),
		"a RuntimeClass is named":        asks(func(s *corev1.PodSpec) { s.RuntimeClassName = &class }),
		"a pod is bound":                 bindingRequest(full, "pods", "binding"),
		"a pod is bound by a Binding":    bindingRequest(full, "bindings", ""),
		"a group has a PriorityClass":    groupRequest(full, class),
		"a group is Kubernetes' dearest": groupRequest(placed(), "system-node-critical"),
	}
}

// TestPlacementOffences checks what is judged, and what is said of it.
func TestPlacementOffences(t *testing.T) {
	t.Parallel()
	const (
		change    = `of Tenant "acme"`
		noKey     = `: allowed are those that name a key; others are added by spec.placement.tolerations ` + change
		listed    = `: allowed are anything, dedicated=acme:NoSchedule, gpu:NoSchedule, pool= (key[=value][:effect]) and node.kubernetes.io/*; others are added by spec.placement.tolerations ` + change
		selecting = ` in spec.nodeSelector: allowed are nodes with disk=ssd, pool=acme; they are chosen by spec.placement.nodeSelector ` + change
		class     = `, which an unset one becomes too if it is the default: allowed are `
		classes   = `; others are added by spec.placement.priorityClassNames ` + change
		node      = `: allowed is none, because the cluster's scheduler decides for tenants with spec.placement; leave it out and select nodes by label, within spec.placement.nodeSelector ` + change
	)
	data := map[string]*corev1.Namespace{
		"none":       guarded(nil),
		"all unset":  placed(),
		"tolerating": placed(v1alpha1.GuardTolerations, "anything,dedicated=acme:NoSchedule,gpu:NoSchedule,pool="),
		"selecting":  placed(v1alpha1.GuardNodeSelector, "disk=ssd,pool=acme"),
		"classes":    placed(v1alpha1.GuardPriorityClasses, "high,low", v1alpha1.GuardRuntimeClasses, "gvisor,kata"),
	}
	tests := map[string]struct{ namespace, spec, old, want string }{
		"no placement":         {"none", `{nodeName: node-1, schedulerName: x, priorityClassName: system-node-critical, runtimeClassName: r, tolerations: [{operator: Exists}]}`, "", ""},
		"nothing said":         {"all unset", `{}`, "", ""},
		"a node":               {"all unset", `{nodeName: node-1}`, "", `must not name the node "node-1" in spec.nodeName` + node},
		"its node":             {"all unset", `{nodeName: node-1}`, `{nodeName: node-1}`, ""},
		"another node":         {"all unset", `{nodeName: node-1}`, `{}`, `must not name the node "node-1" in spec.nodeName` + node},
		"a scheduler":          {"all unset", `{schedulerName: x}`, "", `must not name the scheduler "x": allowed is default-scheduler, because Tenant "acme" has spec.placement`},
		"its scheduler":        {"all unset", `{schedulerName: x}`, `{schedulerName: x}`, ""},
		"no scheduler":         {"all unset", `{schedulerName: ""}`, "", ""},
		"affinity":             {"all unset", `{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [n]}]}]}}}}`, "", ""},
		"every taint":          {"all unset", `{tolerations: [{operator: Exists}]}`, "", `must not tolerate every taint, as a toleration without a key does` + noKey},
		"every taint, empty":   {"all unset", `{tolerations: [{key: "", operator: Exists}]}`, "", `must not tolerate every taint, as a toleration without a key does` + noKey},
		"every NoExecute":      {"all unset", `{tolerations: [{operator: Exists, effect: NoExecute}]}`, "", `must not tolerate every taint, as a toleration without a key does` + noKey},
		"every taint, listed":  {"tolerating", `{tolerations: [{operator: Exists}]}`, "", `must not tolerate every taint, as a toleration without a key does` + listed},
		"a taint":              {"all unset", `{tolerations: [{key: a}, {key: b, operator: Exists}]}`, "", ""},
		"Kubernetes' taints":   {"tolerating", `{tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}, {key: node.kubernetes.io/unschedulable, operator: Exists}]}`, "", ""},
		"nearly Kubernetes'":   {"tolerating", `{tolerations: [{key: node.kubernetes.io, operator: Exists}]}`, "", `must not tolerate the taint "node.kubernetes.io" with operator Exists and every effect` + listed},
		"control planes'":      {"tolerating", `{tolerations: [{key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}]}`, "", `must not tolerate the taint "node-role.kubernetes.io/control-plane" with operator Exists and the effect NoSchedule` + listed},
		"whatever value":       {"tolerating", `{tolerations: [{key: anything}, {key: anything, value: x, effect: NoExecute}, {key: anything, operator: Exists}, {key: anything, operator: Gt, value: "1"}]}`, "", ""},
		"the value and effect": {"tolerating", `{tolerations: [{key: dedicated, value: acme, effect: NoSchedule}, {key: dedicated, operator: Equal, value: acme, effect: NoSchedule}]}`, "", ""},
		"another value":        {"tolerating", `{tolerations: [{key: dedicated, value: beta, effect: NoSchedule}]}`, "", `must not tolerate the taint "dedicated" with the value "beta" and the effect NoSchedule` + listed},
		"all its values":       {"tolerating", `{tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]}`, "", `must not tolerate the taint "dedicated" with operator Exists and the effect NoSchedule` + listed},
		"great values":         {"tolerating", `{tolerations: [{key: dedicated, operator: Gt, value: "0", effect: NoSchedule}]}`, "", `must not tolerate the taint "dedicated" with operator Gt and the effect NoSchedule` + listed},
		"another effect":       {"tolerating", `{tolerations: [{key: dedicated, value: acme, effect: NoExecute}]}`, "", `must not tolerate the taint "dedicated" with the value "acme" and the effect NoExecute` + listed},
		"every effect":         {"tolerating", `{tolerations: [{key: dedicated, value: acme}]}`, "", `must not tolerate the taint "dedicated" with the value "acme" and every effect` + listed},
		"a value of any":       {"tolerating", `{tolerations: [{key: gpu, value: a100, effect: NoSchedule}, {key: gpu, operator: Exists, effect: NoSchedule}]}`, "", ""},
		"an effect of gpu":     {"tolerating", `{tolerations: [{key: gpu, operator: Exists}]}`, "", `must not tolerate the taint "gpu" with operator Exists and every effect` + listed},
		"the empty value":      {"tolerating", `{tolerations: [{key: pool}, {key: pool, value: "", effect: NoExecute}]}`, "", ""},
		"not the empty value":  {"tolerating", `{tolerations: [{key: pool, value: x}]}`, "", `must not tolerate the taint "pool" with the value "x" and every effect` + listed},
		"a good one before":    {"tolerating", `{tolerations: [{key: anything}, {key: evil}]}`, "", `must not tolerate the taint "evil" with the value "" and every effect` + listed},
		"an old one":           {"tolerating", `{tolerations: [{key: evil}, {key: anything}]}`, `{tolerations: [{key: evil}]}`, ""},
		"a new one":            {"tolerating", `{tolerations: [{key: evil}, {key: worse}]}`, `{tolerations: [{key: evil}]}`, `must not tolerate the taint "worse" with the value "" and every effect` + listed},
		"an old one, longer":   {"tolerating", `{tolerations: [{key: evil, effect: NoExecute, tolerationSeconds: 9}]}`, `{tolerations: [{key: evil, effect: NoExecute, tolerationSeconds: 1}]}`, `must not tolerate the taint "evil" with the value "" and the effect NoExecute` + listed},
		"the nodes":            {"selecting", `{nodeSelector: {pool: acme, disk: ssd, more: x}}`, "", ""},
		"no nodes":             {"selecting", `{}`, "", `must select its nodes by disk=ssd, and has no such key` + selecting},
		"half of them":         {"selecting", `{nodeSelector: {disk: ssd}}`, "", `must select its nodes by pool=acme, and has no such key` + selecting},
		"other nodes":          {"selecting", `{nodeSelector: {disk: ssd, pool: beta}}`, "", `must select its nodes by pool=acme, and has "beta"` + selecting},
		"no nodes before":      {"selecting", `{nodeSelector: {disk: ssd}}`, `{}`, ""},
		"less nodes before":    {"selecting", `{nodeSelector: {disk: ssd}}`, `{nodeSelector: {disk: ssd, pool: acme}}`, `must select its nodes by pool=acme, and has no such key` + selecting},
		"no classes":           {"classes", `{}`, "", ""},
		"its classes":          {"classes", `{priorityClassName: low, runtimeClassName: kata}`, "", ""},
		"any classes":          {"all unset", `{priorityClassName: any, runtimeClassName: any}`, "", ""},
		"a PriorityClass":      {"classes", `{priorityClassName: higher}`, "", `must not have the PriorityClass "higher"` + class + `high, low` + classes},
		"a system class":       {"classes", `{priorityClassName: system-cluster-critical}`, "", `must not have the PriorityClass "system-cluster-critical"` + class + `high, low` + classes},
		"any system class":     {"all unset", `{priorityClassName: system-node-critical}`, "", `must not have the PriorityClass "system-node-critical"` + class + `all but system-*` + classes},
		"an old PriorityClass": {"classes", `{priorityClassName: system-node-critical}`, `{priorityClassName: system-node-critical}`, ""},
		"a RuntimeClass":       {"classes", `{runtimeClassName: runc}`, "", `must not have the RuntimeClass "runc": allowed are gvisor, kata, or none; others are added by spec.placement.runtimeClassNames ` + change},
		"an old RuntimeClass":  {"classes", `{runtimeClassName: runc}`, `{runtimeClassName: runc}`, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, offence(t, podRequest(t, data[tc.namespace], tc.spec, tc.old))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlacementOthers checks what is judged beside pods.
func TestPlacementOthers(t *testing.T) {
	t.Parallel()
	classes := placed(v1alpha1.GuardPriorityClasses, "high")
	same := groupRequest(classes, "low")
	same.operation, same.old = admission.Update, podGroup("low")
	for name, tc := range map[string]struct {
		request request
		refused bool
	}{
		"a Binding where no placement is":  {bindingRequest(guarded(nil), "pods", "binding"), false},
		"a Binding":                        {bindingRequest(placed(), "pods", "binding"), true},
		"a group where no placement is":    {groupRequest(guarded(nil), "system-node-critical"), false},
		"a group of its class":             {groupRequest(classes, "high"), false},
		"a group of any class":             {groupRequest(placed(), "low"), false},
		"a group without class":            {groupRequest(classes, ""), false},
		"a group of another class":         {groupRequest(classes, "low"), true},
		"a group of one of Kubernetes'":    {groupRequest(placed(), "system-node-critical"), true},
		"a group that has its class still": {same, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := offence(t, tc.request); (got != "") != tc.refused {
				t.Errorf("refused %t, want %t: %q", got != "", tc.refused, got)
			}
		})
	}
}
