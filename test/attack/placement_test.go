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

package attack

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	// The namespaces of the tenant "placement": with all that a placement has, with as little as it can have, and without.
	placedFull = namespaces + "/placement-full/"
	placedBare = namespaces + "/placement-bare/"
	placedFree = namespaces + "/placement-free/"

	placedRefusal   = `tenant "placement", rule scheduling: Pod "worse" must not `
	placedTolerated = `: allowed are dedicated=placement:NoSchedule, gpu (key[=value][:effect]) and node.kubernetes.io/*; others are added by spec.placement.tolerations of Tenant "placement"`

	// here is what pods of the tenant must select.
	here = "nodeSelector: {pool: placement}"
)

// placementTenants are further tenants that they need.
func placementTenants() []*v1alpha1.Tenant {
	placement := func(block v1alpha1.Placement) NamespaceOption {
		return WithPolicy(func(p *v1alpha1.PolicyBlocks) { p.Placement = &block })
	}
	return []*v1alpha1.Tenant{
		MakeTenant("placement").Policy(Enforce(v1alpha1.PodSecurityBaseline)).
			Namespace("placement-full", placement(v1alpha1.Placement{
				NodeSelector: map[string]v1alpha1.NodeLabelValue{"pool": "$(tenant)"},
				Tolerations: []v1alpha1.Toleration{
					{Key: "gpu", Operator: corev1.TolerationOpExists},
					{Key: "dedicated", Value: "placement", Effect: corev1.TaintEffectNoSchedule},
				},
				PriorityClassNames: []v1alpha1.ObjectName{"test-high"},
				RuntimeClassNames:  []v1alpha1.ObjectName{"test-sandbox", "test-tainted"},
			})).
			Namespace("placement-bare", placement(v1alpha1.Placement{RuntimeClassNames: []v1alpha1.ObjectName{"test-sandbox"}})).
			Namespace("placement-free").
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj(),
	}
}

// placedPod is a pod with what its spec has beside a container.
func placedPod(metadata string, spec ...string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {` + metadata + `}, spec: {` + strings.Join(append([]string{`containers: [{name: c, image: registry.example/app:1}]`}, spec...), ", ") + `}}`
}

func tolerating(tolerations ...string) string {
	return `tolerations: [{` + strings.Join(tolerations, "}, {") + `}]`
}

// toNode is a Binding of a pod to a node.
func toNode(pod string) string {
	return `{apiVersion: v1, kind: Binding, metadata: {name: ` + pod + `}, target: {kind: Node, name: node-1}}`
}

// placementRules are attempts on what the room placement guards.
func placementRules() table {
	return table{}.add(placementNodes(), placementTaints(), placementClasses(), placementBindings(), placementChanged(), placementWork())
}

// placementNodes are pods that go where the scheduler wouldn't put them.
func placementNodes() table {
	const threat = "pods on nodes of other tenants, beside what runs there"
	named := placedRefusal + `name the node "node-1" in spec.nodeName: allowed is none, because the cluster's scheduler decides for tenants with spec.placement; leave it out and select nodes by label, within spec.placement.nodeSelector of Tenant "placement"`
	selects := `tenant "placement", rule scheduling: Pod "worse" must select its nodes by pool=placement, and has "other" in spec.nodeSelector: allowed are nodes with pool=placement; they are chosen by spec.placement.nodeSelector of Tenant "placement"`
	makes := func(by actor, metadata, refused string, spec ...string) attempt {
		return create(threat, by, placedFull+"pods", placedPod(metadata, spec...), refused)
	}
	return table{
		"placement: a node is named":                        makes(alice, "name: worse", named, here, "nodeName: node-1"),
		"placement: a node is named where that is all":      create(threat, alice, placedBare+"pods", placedPod("name: worse", "nodeName: node-1"), named),
		"placement: a node is named by apply":               force(threat, alice, placedFull+"pods/worse", placedPod("name: worse", here, "nodeName: node-1"), named),
		"placement: a node is named as a dry run":           create("a dry run says that something would work that doesn't", alice, placedFull+"pods?dryRun=All", placedPod("name: worse", here, "nodeName: node-1"), named),
		"placement: a node is named by a ReplicaSet":        makes(serviceAccount("kube-system", "replicaset-controller"), "name: worse", named, here, "nodeName: node-1"),
		"placement: a node is named by a DaemonSet":         makes(serviceAccount("kube-system", "daemon-set-controller"), "name: worse", named, here, "nodeName: node-1"),
		"placement: a node is named by the cluster's admin": makes(paula, "name: worse", named, here, "nodeName: node-1"),
		"placement: a node makes a pod for itself":          makes(node, "name: worse", named, here, "nodeName: node-1"),
		"placement: a node is named, as if by the node":     makes(alice, `name: worse, annotations: {kubernetes.io/config.mirror: "1"}`, named, here, "nodeName: node-1"),
		"placement: other nodes":                            makes(alice, "name: worse", selects, "nodeSelector: {pool: other}"),
		"placement: other nodes, with a generated name":     makes(alice, "generateName: worse-", `rule scheduling: Pod "worse-`, "nodeSelector: {pool: other}"),
		"placement: other nodes, by a ReplicaSet":           makes(serviceAccount("kube-system", "replicaset-controller"), "name: worse", selects, "nodeSelector: {pool: other}"),
		"placement: other nodes, by a Job":                  makes(serviceAccount("kube-system", "job-controller"), "name: worse", selects, "nodeSelector: {pool: other}"),
		"placement: other nodes, without a value":           makes(alice, "name: worse", `must select its nodes by pool=placement, and has ""`, `nodeSelector: {pool: ""}`),
		"placement: other nodes, by affinity":               makes(alice, "name: worse", selects, "nodeSelector: {pool: other}", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [placement]}]}]}}}"),
		"placement: another scheduler":                      makes(alice, "name: worse", placedRefusal+`name the scheduler "mine": allowed is default-scheduler, because Tenant "placement" has spec.placement`, here, "schedulerName: mine"),
		"placement: another scheduler where that is all":    create(threat, alice, placedBare+"pods", placedPod("name: worse", "schedulerName: mine"), placedRefusal+`name the scheduler "mine"`),
		"placement: another scheduler, gated":               makes(alice, "name: worse", placedRefusal+`name the scheduler "mine"`, here, "schedulerName: mine", "schedulingGates: [{name: example.com/gate}]"),
	}
}

// placementTaints are pods that tolerate taints of other tenants' nodes.
func placementTaints() table {
	const threat = "pods on nodes that are kept for others"
	all := table{
		"placement: every taint": create(threat, alice, placedFull+"pods", placedPod("name: worse", here, tolerating("operator: Exists")),
			placedRefusal+`tolerate every taint, as a toleration without a key does`+placedTolerated),
		"placement: every taint where that is all": create(threat, alice, placedBare+"pods", placedPod("name: worse", tolerating("operator: Exists")),
			placedRefusal+`tolerate every taint, as a toleration without a key does: allowed are those that name a key; others are added by spec.placement.tolerations of Tenant "placement"`),
		"placement: every taint, by a DaemonSet": create(threat, serviceAccount("kube-system", "daemon-set-controller"), placedFull+"pods",
			placedPod("name: worse", here, tolerating("operator: Exists, effect: NoSchedule", "operator: Exists, effect: NoExecute")), placedRefusal+`tolerate every taint`),
		"placement: another's taint": create(threat, alice, placedFull+"pods", placedPod("name: worse", here, tolerating("key: dedicated, value: other, effect: NoSchedule")),
			placedRefusal+`tolerate the taint "dedicated" with the value "other" and the effect NoSchedule`+placedTolerated),
		"placement: the control plane's taint": create(threat, alice, placedFull+"pods", placedPod("name: worse", here, tolerating("key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule")),
			placedRefusal+`tolerate the taint "node-role.kubernetes.io/control-plane" with operator Exists and the effect NoSchedule`+placedTolerated),
	}
	for what, toleration := range map[string]string{
		"whatever its value":       "key: dedicated, operator: Exists, effect: NoSchedule",
		"whatever its effect":      "key: dedicated, value: placement",
		"of another effect":        "key: dedicated, value: placement, effect: NoExecute",
		"of no value":              `key: dedicated, value: "", effect: NoSchedule`,
		"that looks like ours":     "key: node.kubernetes.io.evil/x, operator: Exists",
		"that looks like the key":  "key: example.com/gpu, operator: Exists",
		"that comes after another": "key: gpu, operator: Exists}, {key: other, operator: Exists",
	} {
		all["placement: a taint "+what] = create(threat, alice, placedFull+"pods", placedPod("name: worse", here, tolerating(toleration)), placedRefusal+"tolerate the taint")
	}
	return all
}

// placementClasses are pods with classes that aren't the tenant's. Groups of pods, whose feature is off in all versions, are
// judged in internal/guard.
func placementClasses() table {
	const throws = "pods of other tenants are thrown out for these"
	const weaker = "pods are isolated from their node by less than they should"
	priority := func(class string) string {
		return placedRefusal + `have the PriorityClass "` + class + `", which an unset one becomes too if it is the default: allowed are `
	}
	const more = `; others are added by spec.placement.priorityClassNames of Tenant "placement"`
	return table{
		"placement: another PriorityClass": create(throws, alice, placedFull+"pods", placedPod("name: worse", here, "priorityClassName: test-low"), priority("test-low")+"test-high"+more),
		"placement: Kubernetes' own PriorityClass": create(throws, alice, placedFull+"pods", placedPod("name: worse", here, "priorityClassName: system-node-critical"),
			priority("system-node-critical")+"test-high"+more),
		"placement: Kubernetes' own PriorityClass where that is all": create(throws, alice, placedBare+"pods", placedPod("name: worse", "priorityClassName: system-cluster-critical"),
			priority("system-cluster-critical")+"all but system-*"+more),
		"placement: another PriorityClass, by a Job": create(throws, serviceAccount("kube-system", "job-controller"), placedFull+"pods",
			placedPod("name: worse", here, "priorityClassName: test-low"), priority("test-low")),
		"placement: a number instead of a PriorityClass": create(throws, alice, placedFull+"pods", placedPod("name: worse", here, "priority: 2000001000"), `the integer value of priority (2000001000) must not be provided`),
		"placement: another RuntimeClass": create(weaker, alice, placedFull+"pods", placedPod("name: worse", here, "runtimeClassName: test-plain"),
			placedRefusal+`have the RuntimeClass "test-plain": allowed are test-sandbox, test-tainted, or none; others are added by spec.placement.runtimeClassNames of Tenant "placement"`),
		"placement: another RuntimeClass where that is all": create(weaker, alice, placedBare+"pods", placedPod("name: worse", "runtimeClassName: test-plain"),
			placedRefusal+`have the RuntimeClass "test-plain": allowed are test-sandbox, or none`),
		"placement: a RuntimeClass that tolerates more": create("a class is a way to nodes of others", alice, placedFull+"pods", placedPod("name: worse", here, "runtimeClassName: test-tainted"),
			placedRefusal+`tolerate the taint "sandbox" with operator Exists and every effect`+placedTolerated),
	}
}

// placementBindings are pods that others than the scheduler put on nodes.
func placementBindings() table {
	const threat = "pods on nodes of other tenants, beside what runs there"
	refused := func(pod, by string) string {
		return `tenant "placement", rule scheduling: Pod "` + pod + `" must not be bound to the node "node-1" by "` + by +
			`": allowed is system:kube-scheduler, because the cluster's scheduler decides for tenants with spec.placement; select nodes by label, within spec.placement.nodeSelector of Tenant "placement"`
	}
	own := func(a attempt, name string) attempt {
		return a.with(placedFull+"pods/"+name, placedPod("name: "+name, here))
	}
	scheduler := actor{user: "system:kube-scheduler"}
	return table{
		"placement: a Binding":              own(create(threat, paula, placedFull+"pods/unbound-a/binding", toNode("unbound-a"), refused("unbound-a", "paula")), "unbound-a"),
		"placement: a Binding by itself":    own(create(threat, paula, placedFull+"bindings", toNode("unbound-b"), refused("unbound-b", "paula")), "unbound-b"),
		"placement: a Binding of no pod":    create(threat, paula, placedFull+"bindings", toNode("worse"), refused("worse", "paula")),
		"placement: a Binding as a dry run": own(create("a dry run says that something would work that doesn't", paula, placedFull+"pods/unbound-c/binding?dryRun=All", toNode("unbound-c"), `rule scheduling`), "unbound-c"),
		"placement: a Binding where that is all": create(threat, paula, placedBare+"pods/unbound-d/binding", toNode("unbound-d"), `rule scheduling`).
			with(placedBare+"pods/unbound-d", placedPod("name: unbound-d")),
		"placement: a Binding by a DaemonSet": own(create(threat, serviceAccount("kube-system", "daemon-set-controller"), placedFull+"pods/unbound-e/binding", toNode("unbound-e"),
			refused("unbound-e", "system:serviceaccount:kube-system:daemon-set-controller")), "unbound-e"),
		"placement: a Binding by a homonym of the scheduler": own(create(threat, actor{user: paula.user, groups: []string{"system:kube-scheduler"}}, placedFull+"pods/unbound-f/binding",
			toNode("unbound-f"), refused("unbound-f", "paula")), "unbound-f"),
		"placement: a Binding by a member":         own(create(threat, alice, placedFull+"pods/unbound-g/binding", toNode("unbound-g"), `cannot create resource`), "unbound-g"),
		"placement: the scheduler binds":           own(create("nothing runs any more", scheduler, placedFull+"pods/bound-$N/binding", toNode("bound-$N"), ""), "bound-$N"),
		"placement: the scheduler binds by itself": own(create("nothing runs any more", scheduler, placedFull+"bindings", toNode("bound-b-$N"), ""), "bound-b-$N"),
		"placement: break-glass binds":             own(create("nobody could help in an emergency", brook, placedFull+"pods/bound-c-$N/binding", toNode("bound-c-$N"), ""), "bound-c-$N"),
		"placement: a Binding where nothing is restricted": create("other namespaces are judged by this one's placement", paula, placedFree+"pods/bound-$N/binding", toNode("bound-$N"), "").
			with(placedFree+"pods/bound-$N", placedPod("name: bound-$N")),
	}
}

// placementChanged are changes of pods that are there.
func placementChanged() table {
	const threat = "what was checked when a pod was made is changed behind it"
	const keeps = "pods from before the rule can't be worked with"
	good := func(a attempt, name string, spec ...string) attempt {
		return a.with(placedFull+"pods/"+name, placedPod("name: "+name, append(spec, here)...))
	}
	old := func(a attempt, name string) attempt {
		return a.with(placedFull+"pods/"+name, placedPod("name: "+name, "nodeSelector: {pool: other}", "schedulerName: mine", "priorityClassName: test-low",
			"runtimeClassName: test-plain", tolerating("operator: Exists", "key: other"), "schedulingGates: [{name: example.com/gate}]"))
	}
	adds := func(toleration string) string {
		return `[{"op":"add","path":"/spec/tolerations/-","value":` + toleration + `}]`
	}
	return table{
		"placement: a taint is tolerated later": good(patch(threat, alice, placedFull+"pods/good-a", adds(`{"operator":"Exists"}`),
			`rule scheduling: Pod "good-a" must not tolerate every taint`), "good-a"),
		"placement: a taint is tolerated later, by a merge": good(patch(threat, alice, placedFull+"pods/good-b", `{"spec":{"tolerations":[{"key":"gpu","operator":"Exists"},`+
			`{"key":"dedicated","operator":"Equal","value":"placement","effect":"NoSchedule"},{"key":"other","operator":"Exists"}]}}`,
			`rule scheduling: Pod "good-b" must not tolerate the taint "other"`), "good-b"),
		"placement: a taint is tolerated later, by a whole": good(replace(threat, alice, placedFull+"pods/good-c", func(u *unstructured.Unstructured) {
			list, _, _ := unstructured.NestedSlice(u.Object, "spec", "tolerations")
			_ = unstructured.SetNestedSlice(u.Object, append(list, map[string]any{"key": "other"}), "spec", "tolerations")
		}, `rule scheduling: Pod "good-c" must not tolerate the taint "other"`), "good-c"),
		"placement: another taint is tolerated by an old pod": old(patch(threat, alice, placedFull+"pods/old-a-$N", adds(`{"key":"worse"}`),
			`must not tolerate the taint "worse" with the value "" and every effect`), "old-a-$N"),
		"placement: a node is named later":               good(patch(threat, alice, placedFull+"pods/good-d", `{"spec":{"nodeName":"node-1"}}`, `pod updates may not change fields`), "good-d").refusedAsInvalid(),
		"placement: an allowed taint is tolerated later": good(patch("tenants can't work", alice, placedFull+"pods/good-e-$N", adds(`{"key":"gpu","operator":"Exists","effect":"NoExecute"}`), ""), "good-e-$N"),
		"placement: a gated pod selects less nodes": good(patch("queues can't place pods", alice, placedFull+"pods/good-f-$N", `{"spec":{"nodeSelector":{"zone":"a"}}}`, ""),
			"good-f-$N", "schedulingGates: [{name: example.com/gate}]"),
		"placement: an old pod is labelled":               old(patch(keeps, alice, placedFull+"pods/old-b-$N", `{"metadata":{"labels":{"round":"$N"}}}`, ""), "old-b-$N"),
		"placement: an old pod is let go by a controller": old(patch("controllers can't clean up", serviceAccount("kube-system", "job-controller"), placedFull+"pods/old-c-$N", `{"metadata":{"finalizers":null}}`, ""), "old-c-$N"),
		"placement: an old pod's gate is opened":          old(patch(keeps, alice, placedFull+"pods/old-d-$N", `{"spec":{"schedulingGates":null}}`, ""), "old-d-$N"),
		"placement: an old pod gets another image":        old(patch(keeps, alice, placedFull+"pods/old-e-$N", otherImage("registry.example/app:$N"), ""), "old-e-$N"),
		"placement: an old pod is deleted":                old(remove(keeps, alice, placedFull+"pods/old-f-$N", ""), "old-f-$N"),
	}
}

// placementWork is what must work.
func placementWork() table {
	const work = "tenants can't work"
	daemons := serviceAccount("kube-system", "daemon-set-controller")
	const others = "other namespaces are judged by this one's placement"
	return table{
		"placement: a pod in its place": force(work, alice, placedFull+"pods/own-$N", placedPod("name: own-$N", here, "priorityClassName: test-high", "runtimeClassName: test-sandbox",
			tolerating("key: dedicated, value: placement, effect: NoSchedule", "key: gpu, operator: Exists", "key: gpu, value: a100, effect: NoExecute",
				"key: node.kubernetes.io/memory-pressure, operator: Exists")), ""),
		"placement: more narrowly": force(work, alice, placedFull+"pods/narrow-$N", placedPod("name: narrow-$N", "nodeSelector: {pool: placement, zone: a}",
			"affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}}}"), ""),
		"placement: by a ReplicaSet": create(work, serviceAccount("kube-system", "replicaset-controller"), placedFull+"pods", placedPod("generateName: own-", here), ""),
		"placement: by a DaemonSet": create(work, daemons, placedFull+"pods", placedPod("generateName: own-", here,
			"affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}}}",
			tolerating("key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute", "key: node.kubernetes.io/unschedulable, operator: Exists, effect: NoSchedule")), ""),
		"placement: a key where that is all": force(work, alice, placedBare+"pods/own-$N", placedPod("name: own-$N", tolerating("key: any, operator: Exists"), "priorityClassName: test-low", "nodeSelector: {pool: other}"), ""),
		"placement: a node reports what it runs": create("nodes can't report", node, placedFull+"pods",
			placedPod(`name: static-$N, annotations: {kubernetes.io/config.mirror: "1"}`, "nodeName: node-1", tolerating("operator: Exists, effect: NoExecute")), ""),
		"placement: break-glass": force("nobody could help in an emergency", brook, placedFull+"pods/emergency-$N", placedPod("name: emergency-$N", "nodeName: node-1", tolerating("operator: Exists")), ""),
		"placement: where nothing is restricted": force(others, alice, placedFree+"pods/free-$N", placedPod("name: free-$N", "nodeName: node-1", "schedulerName: mine",
			"priorityClassName: test-low", "runtimeClassName: test-plain", "nodeSelector: {pool: other}", tolerating("operator: Exists")), ""),
		"placement: a template": force("what is only said is taken for what runs", alice, "/apis/apps/v1/namespaces/placement-full/deployments/idle",
			strings.Replace(strings.Replace(deployment("idle", "erin"), "replicas: 1", "replicas: 0", 1), "spec: {containers", "spec: {nodeName: node-1, containers", 1), ""),
	}
}
