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
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// mutations are requests for all mutating policies.
func mutations() map[string]mutation {
	all := map[string]mutation{}
	for _, some := range []map[string]mutation{stampMutations(), namespaceMutations(), placementMutations(), daemonSetMutations(), classMutations(), imageMutations(), tokenMutations()} {
		maps.Copy(all, some)
	}
	return all
}

const identityPolicy = "bulkhead-identity"

// wallOf is a managed NetworkPolicy at a resource version, with annotations in pairs.
func mutableWall(version string, spec networkingv1.NetworkPolicySpec, annotations ...string) *networkingv1.NetworkPolicy {
	it := &networkingv1.NetworkPolicy{Spec: spec}
	it.Name, it.Namespace, it.ResourceVersion = "wall", "acme-prod", version
	it.Labels = map[string]string{v1alpha1.LabelTenant: "acme", v1alpha1.LabelManagedBy: v1alpha1.ManagedByBulkhead}
	it.Annotations = annotationPairs(annotations)
	return it
}

func annotationPairs(list []string) map[string]string {
	var all map[string]string
	for i := 0; i+1 < len(list); i += 2 {
		if all == nil {
			all = map[string]string{}
		}
		all[list[i]] = list[i+1]
	}
	return all
}

// stampedBy and stampedFrom are the two annotations of the stamp.
const stampedBy, stampedFrom = v1alpha1.AnnotationLastChangedBy, v1alpha1.AnnotationLastChangedFrom

func stampMutations() map[string]mutation {
	closed := networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}
	open := networkingv1.NetworkPolicySpec{PolicyTypes: closed.PolicyTypes, Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}
	on := func(object, old, want runtime.Object) mutation {
		return mutation{policy: identityPolicy, resource: "networkpolicies", object: object, old: old, want: want, user: "brook"}
	}
	strange := "https://id.example.com#ünï \"quoted\" \\ /~1\n"
	odd := on(mutableWall("", closed), nil, mutableWall("", closed, stampedBy, strange, stampedFrom, ""))
	odd.user = strange
	unlabelled := func(it *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy { it.Labels = nil; return it }
	halved := mutableWall("", closed)
	delete(halved.Labels, v1alpha1.LabelManagedBy)
	owned := mutableWall("7", closed)
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "bait", UID: "1"}}
	ownedAndStamped := mutableWall("7", closed, stampedBy, "brook", stampedFrom, "7")
	ownedAndStamped.OwnerReferences = owned.OwnerReferences
	held := mutableWall("7", closed)
	held.Finalizers = []string{"example.com/hold"}
	heldAndStamped := mutableWall("7", closed, stampedBy, "brook", stampedFrom, "7")
	heldAndStamped.Finalizers = held.Finalizers
	subject := func(name string, annotations ...string) *rbacv1.RoleBinding {
		it := &rbacv1.RoleBinding{Subjects: []rbacv1.Subject{{Kind: "User", Name: name}}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}}
		it.ObjectMeta = mutableWall("7", closed, annotations...).ObjectMeta
		return it
	}
	binding := on(subject("eve"), subject("alice"), subject("eve", stampedBy, "brook", stampedFrom, "7"))
	binding.resource = "rolebindings"
	sameBinding := on(subject("alice"), subject("alice"), nil)
	sameBinding.resource = "rolebindings"
	hard := func(used string, annotations ...string) *corev1.ResourceQuota {
		it := &corev1.ResourceQuota{ObjectMeta: mutableWall("7", closed, annotations...).ObjectMeta}
		it.Status.Used = corev1.ResourceList{corev1.ResourcePods: mustQuantity(used)}
		return it
	}
	counted := on(hard("1"), hard("2"), nil)
	counted.resource = "resourcequotas"
	way := func(class string, annotations ...string) *unstructured.Unstructured {
		it := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"gatewayClassName": class}, "status": map[string]any{}}}
		it.SetAPIVersion("gateway.networking.k8s.io/v1")
		it.SetKind("Gateway")
		it.SetResourceVersion("7")
		it.SetLabels(mutableWall("", closed).Labels)
		it.SetAnnotations(annotationPairs(annotations))
		return it
	}
	custom := on(way("b"), way("a"), way("b", stampedBy, "brook", stampedFrom, "7"))
	custom.resource = "gateways"
	sameCustom := on(way("a"), way("a"), nil)
	sameCustom.resource = "gateways"
	return map[string]mutation{
		"stamp: a custom resource":                    custom,
		"stamp: nothing changed in a custom resource": sameCustom,
		"stamp: created":                              on(mutableWall("", closed), nil, mutableWall("", closed, stampedBy, "brook", stampedFrom, "")),
		"stamp: created with a forged one":            on(mutableWall("", closed, stampedBy, "alice", stampedFrom, "9"), nil, mutableWall("", closed, stampedBy, "brook", stampedFrom, "")),
		"stamp: a strange name":                       odd,
		"stamp: changed":                              on(mutableWall("7", open), mutableWall("7", closed), mutableWall("7", open, stampedBy, "brook", stampedFrom, "7")),
		"stamp: changed after another":                on(mutableWall("7", open, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", open, stampedBy, "brook", stampedFrom, "7")),
		"stamp: changed without a precondition":       on(mutableWall("", open), mutableWall("7", closed), mutableWall("", open, stampedBy, "brook", stampedFrom, "7")),
		"stamp: forged":                               on(mutableWall("7", closed, stampedBy, "alice", stampedFrom, "7"), mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", closed, stampedBy, "brook", stampedFrom, "7")),
		"stamp: dropped":                              on(mutableWall("7", closed), mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", closed, stampedBy, "brook", stampedFrom, "7")),
		"stamp: half dropped":                         on(mutableWall("7", closed, stampedBy, "eve"), mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", closed, stampedBy, "brook", stampedFrom, "7")),
		"stamp: an annotation added":                  on(mutableWall("7", closed, "a", "1"), mutableWall("7", closed), mutableWall("7", closed, "a", "1", stampedBy, "brook", stampedFrom, "7")),
		"stamp: labels taken off":                     on(unlabelled(mutableWall("7", closed)), mutableWall("7", closed), unlabelled(mutableWall("7", closed, stampedBy, "brook", stampedFrom, "7"))),
		"stamp: an owner added":                       on(owned, mutableWall("7", closed), ownedAndStamped),
		"stamp: a finalizer added":                    on(held, mutableWall("7", closed), heldAndStamped),
		"stamp: a subject added":                      binding,
		"stamp: nothing changed":                      on(mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), nil),
		"stamp: nothing changed in a binding":         sameBinding,
		"stamp: nothing changed but the status":       counted,
		"stamp: nothing changed, without a version":   on(mutableWall("", closed, stampedBy, "eve", stampedFrom, "3"), mutableWall("7", closed, stampedBy, "eve", stampedFrom, "3"), nil),
		"stamp: not Bulkhead's":                       {policy: identityPolicy, resource: "networkpolicies", unmatched: true, object: halved},
	}
}

func namespaceMutations() map[string]mutation {
	space := func(label string, annotations ...string) *corev1.Namespace {
		it := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-prod", ResourceVersion: "7", Labels: map[string]string{v1alpha1.LabelTenant: "acme", "team": label}}}
		it.Annotations = annotationPairs(annotations)
		return it
	}
	on := func(sub string, object, old, want runtime.Object) mutation {
		return mutation{policy: identityPolicy, resource: "namespaces", sub: sub, object: object, old: old, want: want, user: "alice"}
	}
	unmatched := func(sub string, object, old runtime.Object) mutation {
		m := on(sub, object, old, nil)
		m.unmatched = true
		return m
	}
	// listed has annotations that its Tenant asks for.
	listed := func(owner string, more ...string) *corev1.Namespace {
		return space("a", append([]string{v1alpha1.GuardAnnotations, "contact,owner", "owner", owner}, more...)...)
	}
	const nodes = "scheduler.alpha.kubernetes.io/node-selector"
	owned := space("a")
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "bait", UID: "1"}}
	ownedAndStamped := owned.DeepCopy()
	ownedAndStamped.Annotations = annotationPairs([]string{stampedBy, "alice", stampedFrom, "7"})
	finalized, ended := space("a"), space("a")
	finalized.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
	ended.Status.Phase = corev1.NamespaceTerminating
	large, grown := space("a"), space("b", stampedBy, "x", stampedFrom, "1")
	for i := range big {
		large.Annotations = map[string]string{stampedBy: "x", stampedFrom: "1"}
		for _, it := range []*corev1.Namespace{large, grown} {
			it.Labels[fmt.Sprintf("example.com/key-%d", i)] = strings.Repeat("v", 60)
			it.Annotations[fmt.Sprintf("example.com/key-%d", i)] = strings.Repeat("v", 1000)
		}
	}
	grownAndStamped := grown.DeepCopy()
	grownAndStamped.Annotations[stampedBy], grownAndStamped.Annotations[stampedFrom] = "alice", "7"
	return map[string]mutation{
		"stamp: a namespace's label":                      on("", space("b"), space("a"), space("b", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a namespace's label through its status":   on("status", space("b"), space("a"), space("b", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a namespace's label through its finalize": on("finalize", space("b"), space("a"), space("b", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a namespace's finalizers only":            unmatched("finalize", space("a"), finalized),
		"stamp: a namespace's status only":                unmatched("status", ended, space("a")),
		"stamp: a namespace that stays as it is":          unmatched("", space("a", stampedBy, "x", stampedFrom, "1"), space("a", stampedBy, "x", stampedFrom, "1")),
		"stamp: a namespace's foreign annotation":         unmatched("", space("a", "x", "2", stampedBy, "eve", stampedFrom, "1"), space("a", "x", "1", stampedBy, "eve", stampedFrom, "1")),
		"stamp: a foreign annotation taken off":           unmatched("", space("a"), space("a", "x", "1")),
		"stamp: a foreign one beside listed ones":         unmatched("", listed("alice", "x", "2"), listed("alice")),
		"stamp: a listed annotation":                      on("", listed("eve"), listed("alice"), listed("eve", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a listed annotation taken off":            on("", space("a", v1alpha1.GuardAnnotations, "owner"), space("a", v1alpha1.GuardAnnotations, "owner", "owner", "alice"), space("a", v1alpha1.GuardAnnotations, "owner", stampedBy, "alice", stampedFrom, "7")),
		"stamp: the list itself":                          on("", space("a", "owner", "eve"), listed("alice"), space("a", "owner", "eve", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a guarded annotation of nothing":          on("", space("a", nodes, ""), space("a"), space("a", nodes, "", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a guarded annotation":                     on("", space("a", nodes, "x=y"), space("a"), space("a", nodes, "x=y", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a forged name on a namespace":             on("", space("a", stampedBy, "eve", stampedFrom, "7"), space("a"), space("a", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a namespace's name taken off":             on("", space("a"), space("a", stampedBy, "eve", stampedFrom, "1"), space("a", stampedBy, "alice", stampedFrom, "7")),
		"stamp: a namespace's owner":                      on("", owned, space("a"), ownedAndStamped),
		"stamp: a large namespace":                        on("", grown, large, grownAndStamped),
	}
}

func mutablePod(selector map[string]string, tolerations ...corev1.Toleration) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "acme-prod"}, Spec: corev1.PodSpec{NodeSelector: selector, Tolerations: tolerations}}
}

const (
	tolerateExists = corev1.TolerationOpExists
	tolerateEqual  = corev1.TolerationOpEqual
)

func placementMutations() map[string]mutation {
	guards := map[string]string{
		v1alpha1.GuardNodeSelector: "acme.example/pool~x=a,zone=",
		v1alpha1.GuardTolerations:  "dedicated=acme:NoSchedule,gpu,spot:NoExecute,empty=",
	}
	all := []corev1.Toleration{
		{Key: "dedicated", Operator: tolerateEqual, Value: "acme", Effect: corev1.TaintEffectNoSchedule}, {Key: "gpu", Operator: tolerateExists},
		{Key: "spot", Operator: tolerateExists, Effect: corev1.TaintEffectNoExecute}, {Key: "empty", Operator: tolerateEqual},
	}
	selector := map[string]string{"acme.example/pool~x": "a", "zone": ""}
	system := corev1.Toleration{Key: "node.kubernetes.io/not-ready", Operator: tolerateExists, Effect: corev1.TaintEffectNoExecute}
	// The API server fills no operator in.
	short := corev1.Toleration{Key: "dedicated", Value: "acme", Effect: corev1.TaintEffectNoSchedule}
	mirror := mutablePod(nil)
	mirror.Annotations = map[string]string{"kubernetes.io/config.mirror": "1"}
	on := func(object, want *corev1.Pod) mutation {
		m := mutation{policy: "bulkhead-placement-pods", resource: "pods", guards: guards, object: object}
		if want != nil {
			m.want = want
		}
		return m
	}
	free := on(mutablePod(nil), nil)
	free.guards = map[string]string{v1alpha1.GuardPlacement: "Restricted", v1alpha1.GuardNodeSelector: "", v1alpha1.GuardTolerations: ""}
	none := on(mutablePod(map[string]string{"a": "b"}, system), nil)
	none.guards = nil
	mirrored := on(mirror, nil)
	mirrored.unmatched = true

	var many []string
	var wanted []corev1.Toleration
	for i := range 16 {
		key := fmt.Sprintf("%s.example.com/%s-%d", strings.Repeat("a", 250), strings.Repeat("k", 60), i)
		many = append(many, key+"="+strings.Repeat("v", 63)+":PreferNoSchedule")
		wanted = append(wanted, corev1.Toleration{Key: key, Operator: tolerateEqual, Value: strings.Repeat("v", 63), Effect: corev1.TaintEffectPreferNoSchedule})
	}
	var had []corev1.Toleration
	for i := range big {
		had = append(had, corev1.Toleration{Key: fmt.Sprint("mine-", i), Operator: tolerateExists})
	}
	large := on(mutablePod(nil, had...), mutablePod(nil, append(had, wanted...)...))
	large.guards = map[string]string{v1alpha1.GuardTolerations: strings.Join(many, ",")}
	return map[string]mutation{
		"placement: a pod that says nothing": on(mutablePod(nil), mutablePod(selector, all...)),
		"placement: a pod with some of it": on(mutablePod(map[string]string{"mine": "1", "zone": ""}, system, all[1]),
			mutablePod(map[string]string{"mine": "1", "zone": "", "acme.example/pool~x": "a"}, system, all[1], all[0], all[2], all[3])),
		"placement: a pod with all of it":    on(mutablePod(selector, short, all[1], all[2], all[3]), nil),
		"placement: a pod for other nodes":   on(mutablePod(map[string]string{"zone": "z"}, all...), mutablePod(map[string]string{"zone": "z", "acme.example/pool~x": "a"}, all...)),
		"placement: nothing to add":          free,
		"placement: no placement":            none,
		"placement: a mirror pod":            mirrored,
		"placement: as much as there can be": large,
	}
}

func daemonSetMutations() map[string]mutation {
	guards := map[string]string{v1alpha1.GuardNodeSelector: "pool=a", v1alpha1.GuardTolerations: "gpu"}
	set := func(pod *corev1.Pod) *appsv1.DaemonSet {
		return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "d"}, Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: pod.Spec}}}
	}
	gpu := corev1.Toleration{Key: "gpu", Operator: tolerateExists}
	full := set(mutablePod(map[string]string{"pool": "a"}, gpu))
	going := set(mutablePod(nil))
	going.DeletionTimestamp = &metav1.Time{}
	*going.DeletionTimestamp = metav1.Unix(1, 0)
	on := func(object, old, want runtime.Object) mutation {
		return mutation{policy: "bulkhead-placement-daemonsets", resource: "daemonsets", guards: guards, object: object, old: old, want: want}
	}
	ending := on(going, going, nil)
	ending.unmatched = true
	free := on(set(mutablePod(nil)), nil, nil)
	free.guards = nil
	return map[string]mutation{
		"placement: a DaemonSet":                  on(set(mutablePod(nil)), nil, full),
		"placement: a DaemonSet written anew":     on(set(mutablePod(map[string]string{"mine": "1"})), full, set(mutablePod(map[string]string{"mine": "1", "pool": "a"}, gpu))),
		"placement: a DaemonSet that says it all": on(full, full, nil),
		"placement: a DaemonSet on its way out":   ending,
		"placement: a DaemonSet without":          free,
	}
}
