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
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	// counted is a namespace whose quota is in force; uncounted has one that nobody counts, and countless must have one
	// and has none.
	counted   = namespaces + "/quota-run/"
	uncounted = namespaces + "/quota-cold/"
	countless = namespaces + "/quota-none/"
	// notFound is what Kubernetes says without a parameter. Nothing of ours is asked then.
	notFound = "ValidatingAdmissionPolicy 'bulkhead-quota-ready' with binding 'bulkhead-quota-ready' denied request: failed to configure binding: no params found"
)

func claim(name, size string) string {
	return `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {` + name + `}, spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: ` + size + `}}}}`
}

func service(name string) string {
	return `{apiVersion: v1, kind: Service, metadata: {` + name + `}, spec: {type: ClusterIP, selector: {app: own}, ports: [{port: 80}]}}`
}

// podNamed is a pod whose metadata begin as given.
func podNamed(name string) string { return strings.Replace(pod("x"), "name: x", name, 1) }

// mirror is what a node shows of a pod that it has from a file.
func mirror(name string) string {
	return strings.Replace(podNamed("name: "+name+`, annotations: {kubernetes.io/config.mirror: "1"}`), "spec: {", "spec: {nodeName: node-1, ", 1)
}

var node = actor{user: "system:node:node-1", groups: []string{"system:nodes"}}

const grow = `{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"20m","memory":"20Mi"},"limits":{"memory":"40Mi"}}}]}}`

// resize makes a pod larger; a strategic merge patch, because containers are found by their names.
func resize(threat string, by actor, path, refused string) attempt {
	return attempt{threat: threat, by: by, method: http.MethodPatch, path: path + "/resize", kind: "application/strategic-merge-patch+json", body: grow, refused: refused}.needing("pods/resize")
}

// unquoted makes an attempt in a namespace that must have a quota and has none. No Tenant is behind it, so that the
// operator leaves it as it is.
func (a attempt) unquoted() attempt {
	return a.with(namespaces+"/quota-none", `{apiVersion: v1, kind: Namespace, metadata: {name: quota-none, labels: {tenancy.bulkhead.dev/tenant: quota-nobody, guard.bulkhead.dev/quota: Required}}}`).
		with(countless+"serviceaccounts/default", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}`).
		with("/apis/rbac.authorization.k8s.io/v1/namespaces/quota-none/rolebindings/own",
			strings.Replace(bound("name: own", subject("User", alice.user), subject("User", erin.user)), "name: view", "name: admin", 1))
}

// quotaRules are attempts on what the room quota guards. Those on a quota that isn't counted yet are uncountedRules.
func quotaRules() table {
	const work = "tenants can't work"
	const threat = "a tenant takes the whole cluster before its quota is there"
	none := func(by actor, path, body string) attempt {
		a := create(threat, by, countless+path, body, notFound).unquoted()
		a.invalid = true
		return a
	}
	return table{
		"quota: a pod that fits":      create(work, alice, counted+"pods", pod("own-$N"), ""),
		"quota: editor's pod":         force(work, erin, counted+"pods/own-erin-$N", pod("own-erin-$N"), ""),
		"quota: a generated name":     create(work, alice, counted+"pods", podNamed("generateName: own-"), ""),
		"quota: a claim that fits":    create(work, alice, counted+"persistentvolumeclaims", claim("name: own-$N", "1Gi"), ""),
		"quota: a Service that fits":  create(work, alice, counted+"services", service("name: own-$N"), ""),
		"quota: a ReplicaSet's pod":   create("nothing runs any more", serviceAccount("kube-system", "replicaset-controller"), counted+"pods", podNamed("generateName: web-"), ""),
		"quota: a node's mirror pod":  create("nodes can't show what they run", node, counted+"pods", mirror("static-$N"), ""),
		"quota: a pod grows":          resize(work, paula, counted+"pods/grown-$N", "").with(counted+"pods/grown-$N", sized("grown-$N")),
		"quota: admin's pod grows":    resize("limits that RBAC keeps", alice, counted+"pods/grown", `cannot patch resource "pods/resize"`).with(counted+"pods/grown", sized("grown")),
		"quota: a pod is evicted":     create("nodes can't be drained", alice, counted+"pods/evicted-$N/eviction", `{apiVersion: policy/v1, kind: Eviction, metadata: {name: evicted-$N, namespace: quota-run}}`, "").with(counted+"pods/evicted-$N", pod("evicted-$N")),
		"quota: more than the budget": create(threat, alice, counted+"persistentvolumeclaims", claim("name: huge", "2Ti"), `exceeded quota: bulkhead, requested: requests.storage=2Ti`),
		"quota: the budget is the platform's too": create(threat, paula, counted+"persistentvolumeclaims", claim("name: huge", "2Ti"),
			`exceeded quota: bulkhead, requested: requests.storage=2Ti`),
		"quota: the label is taken off": patch(threat, nadia, namespaces+"/quota-run", `{"metadata":{"labels":{"guard.bulkhead.dev/quota":null}}}`,
			`tenant "quota", rule namespace-metadata: namespace "quota-run": label guard.bulkhead.dev/quota must not become ""`),
		"quota: the label says something else": patch(threat, oscar, prod, `{"metadata":{"labels":{"guard.bulkhead.dev/quota":"Optional"}}}`,
			metadata+`label guard.bulkhead.dev/quota must not become "Optional", it is to stay "Required"`),
		"quota: the label is taken off at the back": replace(threat, nadia, namespaces+"/quota-run/finalize", without(v1alpha1.GuardQuota), `rule namespace-metadata`),

		"quota: no quota, no pod":                      none(alice, "pods", pod("own")),
		"quota: no quota, no pod of a generated name":  none(alice, "pods", podNamed("generateName: own-")),
		"quota: no quota, no claim":                    none(alice, "persistentvolumeclaims", claim("name: own", "1Gi")),
		"quota: no quota, no Service":                  none(alice, "services", service("name: own")),
		"quota: no quota, no editor's pod":             none(erin, "pods", pod("own")),
		"quota: no quota, no pod of the platform":      none(paula, "pods", pod("own")),
		"quota: no quota, no pod of a ReplicaSet":      none(serviceAccount("kube-system", "replicaset-controller"), "pods", podNamed("generateName: own-")),
		"quota: no quota, no claim of a StatefulSet":   none(serviceAccount("kube-system", "statefulset-controller"), "persistentvolumeclaims", claim("name: own", "1Gi")),
		"quota: no quota, no pod as a dry run":         none(alice, "pods?dryRun=All", pod("own")),
		"quota: no quota is not for break-glass to do": none(brook, "pods", pod("own")),
		"quota: no quota, but a ConfigMap":             force(work, alice, countless+"configmaps/own", `{apiVersion: v1, kind: ConfigMap, metadata: {name: own}}`, "").unquoted(),
		"quota: no quota, but a Deployment":            force(work, erin, "/apis/apps/v1/namespaces/quota-none/deployments/own", deployment("own", "erin"), "").unquoted(),
		"quota: no quota, but where nobody is tenant":  force(work, paula, namespaces+"/commons/services/own", service("name: own"), ""),
		"quota: no quota, where none is wanted":        force(work, alice, namespaces+"/quota-free/services/own", service("name: own"), ""),
	}
}

// sized is a pod with requests and limits, which can be resized.
func sized(name string) string {
	return strings.Replace(pod(name), "{name: c, ", "{name: c, resources: {requests: {cpu: 10m, memory: 10Mi}, limits: {memory: 40Mi}}, ", 1)
}

// quotaTenants are further tenants that they need.
func quotaTenants() []*v1alpha1.Tenant {
	budget := []PolicyOption{Quota(corev1.ResourcePods, "60"), Quota(corev1.ResourceServices, "30"), Quota(corev1.ResourceRequestsStorage, "1Ti")}
	return append([]*v1alpha1.Tenant{
		MakeTenant("quota").Namespaces("quota-run").Policy(budget...).
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Member("editors", v1alpha1.RoleEdit, User(erin.user)).Obj(),
		MakeTenant("quota-free").Namespaces("quota-free").Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj(),
	}, generalTenants()...)
}

// uncountedRules are attempts in a namespace whose quota nobody has counted yet.
func uncountedRules() table {
	const threat = "a tenant takes the whole cluster before its quota counts"
	const work = "what a quota doesn't count has to wait for it"
	waits := func(what string) string {
		return `tenant "quota-cold", rule quota-ready: ` + what + ` must wait, because ResourceQuota "bulkhead" isn't in force yet for persistentvolumeclaims: spec.hard says 9, ` +
			`status.hard nothing (and 2 more like it); it is allowed as soon as kube-controller-manager has counted, in a moment: try again; the budget is spec.quota.perNamespace of Tenant "quota-cold"`
	}
	rule := `tenant "quota-cold", rule quota-ready: `
	evict := `{apiVersion: policy/v1, kind: Eviction, metadata: {name: evicted-$N, namespace: quota-cold}}`
	all := table{
		"uncounted: a pod":                  create(threat, alice, uncounted+"pods", pod("early"), waits(`Pod "early"`)),
		"uncounted: a pod by apply":         force(threat, alice, uncounted+"pods/early", pod("early"), waits(`Pod "early"`)),
		"uncounted: a generated name":       create(threat, alice, uncounted+"pods", podNamed("generateName: early-"), rule+`Pod "early-`),
		"uncounted: a pod as a dry run":     create("a dry run says that something would work that doesn't", alice, uncounted+"pods?dryRun=All", pod("early"), waits(`Pod "early"`)),
		"uncounted: editor's pod":           create(threat, erin, uncounted+"pods", pod("early"), waits(`Pod "early"`)),
		"uncounted: the platform's pod":     create(threat, paula, uncounted+"pods", pod("early"), waits(`Pod "early"`)),
		"uncounted: a claim":                create(threat, alice, uncounted+"persistentvolumeclaims", claim("name: early", "1Gi"), waits(`PersistentVolumeClaim "early"`)),
		"uncounted: a claim by apply":       force(threat, erin, uncounted+"persistentvolumeclaims/early", claim("name: early", "1Gi"), waits(`PersistentVolumeClaim "early"`)),
		"uncounted: a Service":              create(threat, alice, uncounted+"services", service("name: early"), waits(`Service "early"`)),
		"uncounted: a pod grows":            resize(threat, paula, uncounted+"pods/sized", waits(`the resize of Pod "sized"`)).with(uncounted+"pods/sized", sized("sized")),
		"uncounted: a pod of a node":        create("a node's credentials are enough", node, uncounted+"pods", strings.Replace(pod("early"), "spec: {", "spec: {nodeName: node-1, ", 1), waits(`Pod "early"`)),
		"uncounted: a forged mirror pod":    create("an annotation is enough", alice, uncounted+"pods", mirror("early"), waits(`Pod "early"`)),
		"uncounted: a Deployment":           force(work, erin, "/apis/apps/v1/namespaces/quota-cold/deployments/web", deployment("web", "erin"), ""),
		"uncounted: a ConfigMap":            force(work, alice, uncounted+"configmaps/own", `{apiVersion: v1, kind: ConfigMap, metadata: {name: own}}`, ""),
		"uncounted: an eviction":            create("nodes can't be drained", alice, uncounted+"pods/evicted-$N/eviction", evict, "").with(uncounted+"pods/evicted-$N", pod("evicted-$N")),
		"uncounted: a pod is deleted":       remove(work, alice, uncounted+"pods/deleted-$N", "").with(uncounted+"pods/deleted-$N", pod("deleted-$N")),
		"uncounted: a pod is labelled":      patch("controllers write pods all the time", serviceAccount("kube-system", "replicaset-controller"), uncounted+"pods/sized", `{"metadata":{"labels":{"n":"$N"}}}`, "").with(uncounted+"pods/sized", sized("sized")),
		"uncounted: a pod says how it is":   patch("nodes say what runs", node, uncounted+"pods/shown/status", `{"status":{"phase":"Running"}}`, "").with(uncounted+"pods/shown", mirror("shown")),
		"uncounted: a pod is bound":         create("nothing runs any more", actor{user: "system:kube-scheduler"}, uncounted+"pods/bound-$N/binding", `{apiVersion: v1, kind: Binding, metadata: {name: bound-$N}, target: {kind: Node, name: somewhere}}`, "").with(uncounted+"pods/bound-$N", pod("bound-$N")),
		"uncounted: a Service is changed":   patch("controllers write Services all the time", alice, uncounted+"services/own", `{"metadata":{"labels":{"n":"$N"}}}`, "").with(uncounted+"services/own", service("name: own")),
		"uncounted: a claim is changed":     patch("controllers write claims all the time", alice, uncounted+"persistentvolumeclaims/own", `{"metadata":{"labels":{"n":"$N"}}}`, "").with(uncounted+"persistentvolumeclaims/own", claim("name: own", "1Gi")),
		"uncounted: a node's mirror pod":    create("nodes can't show what they run", node, uncounted+"pods", mirror("static-$N"), ""),
		"uncounted: break-glass runs a pod": create("nobody could help in an emergency", brook, uncounted+"pods", pod("emergency-$N"), ""),
		"uncounted: the namespace beside":   create(work, alice, counted+"services", service("name: beside-$N"), ""),
	}
	for controller, body := range map[string]string{
		"replicaset-controller": "pods", "job-controller": "pods", "daemon-set-controller": "pods", "statefulset-controller": "pods", "replication-controller": "pods",
	} {
		all["uncounted: a pod of the "+controller] = create(threat, serviceAccount("kube-system", controller), uncounted+body, podNamed("generateName: early-"), rule+`Pod "early-`)
	}
	return all
}
