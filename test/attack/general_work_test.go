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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	// The namespace of the tenant general.
	run      = namespaces + "/general-run/"
	runApps  = "/apis/apps/v1/namespaces/general-run/"
	runBatch = "/apis/batch/v1/namespaces/general-run/"
	runRBAC  = "/apis/rbac.authorization.k8s.io/v1/namespaces/general-run/"
	runPDB   = "/apis/policy/v1/namespaces/general-run/poddisruptionbudgets"
	runHPA   = "/apis/autoscaling/v2/namespaces/general-run/horizontalpodautoscalers"
	runWalls = "/apis/networking.k8s.io/v1/namespaces/general-run/networkpolicies"
)

var (
	// deployer is a GitOps tool's account in the namespace general-run, a member of the tenant.
	deployer = serviceAccount("general-run", "deployer")
	// dora looks after nodes: she cordons and drains them.
	dora = actor{user: "dora"}
	// manager is kube-controller-manager where its controllers have no accounts of their own.
	manager = actor{user: "system:kube-controller-manager"}
)

// generalTenants are further tenants that the general attempts need.
func generalTenants() []*v1alpha1.Tenant {
	return []*v1alpha1.Tenant{
		MakeTenant("general").Namespaces("general-run").Policy(Quota(corev1.ResourcePods, "150")).
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).
			Member("editors", v1alpha1.RoleEdit, User(erin.user)).
			Member("viewers", v1alpha1.RoleView, User(victor.user)).
			Member("deployers", v1alpha1.RoleAdmin, ServiceAccount("general-run", "deployer")).Obj(),
	}
}

func workload(apiVersion, kind, name, spec string) string {
	return `{apiVersion: ` + apiVersion + `, kind: ` + kind + `, metadata: {name: ` + name + `}, spec: {` + spec + `}}`
}

// template is one of pods that pass Pod Security "restricted".
func template(name, more string) string {
	return `template: {metadata: {labels: {app: ` + name + `}}, spec: {` + more + `containers: [` + container + `]}}`
}

func selecting(name string) string { return `selector: {matchLabels: {app: ` + name + `}}` }

// workloads are all kinds of workload by the name of their resource: the path of the collection and the object.
func workloads(name string) map[string][2]string {
	job := `backoffLimit: 0, ` + template(name, "restartPolicy: Never, ")
	return map[string][2]string{
		"deployments":  {runApps + "deployments", workload("apps/v1", "Deployment", name, "replicas: 1, "+selecting(name)+", "+template(name, ""))},
		"replicasets":  {runApps + "replicasets", workload("apps/v1", "ReplicaSet", name, "replicas: 1, "+selecting(name)+", "+template(name, ""))},
		"statefulsets": {runApps + "statefulsets", workload("apps/v1", "StatefulSet", name, "replicas: 1, serviceName: "+name+", "+selecting(name)+", "+template(name, ""))},
		"daemonsets":   {runApps + "daemonsets", workload("apps/v1", "DaemonSet", name, selecting(name)+", "+template(name, ""))},
		"jobs":         {runBatch + "jobs", workload("batch/v1", "Job", name, job)},
		"cronjobs":     {runBatch + "cronjobs", workload("batch/v1", "CronJob", name, `schedule: "0 0 1 1 *", jobTemplate: {spec: {`+job+`}}`)},
		"replicationcontrollers": {run + "replicationcontrollers", workload("v1", "ReplicationController", name,
			"replicas: 1, selector: {app: "+name+"}, "+template(name, ""))},
	}
}

// scalable are those of them that have the subresource scale.
const scalable = "deployments replicasets statefulsets replicationcontrollers"

// generalWork is what must go on: workloads of every kind, charts, drains, controllers.
func generalWork() table {
	const work = "tenants can't work"
	all := table{}
	for kind, object := range workloads("made-$N") {
		named := func(name string) string { return strings.ReplaceAll(object[1], "made", name) }
		all.add(table{
			"general: admin creates " + kind:            create(work, alice, object[0], named("alice"), ""),
			"general: editor applies " + kind:           force(work, erin, object[0]+"/erin-$N", named("erin"), ""),
			"general: a GitOps account prunes " + kind:  remove("GitOps tools can't sync", deployer, object[0]+"/pruned-$N?propagationPolicy=Background", "").with(object[0]+"/pruned-$N", named("pruned")),
			"general: a GitOps account applies " + kind: force("GitOps tools can't sync", deployer, object[0]+"/sync-$N", named("sync"), ""),
			"general: viewer creates " + kind:           create("viewers run what they like", victor, object[0], object[1], `cannot create resource "`+kind+`"`),
			"general: neighbour creates " + kind:        create("a tenant runs on another's budget", bob, object[0], object[1], `cannot create resource "`+kind+`"`),
		})
		if strings.Contains(scalable, kind) {
			all.add(scales(kind, object[0], strings.ReplaceAll(object[1], "made-$N", "scaled")))
		}
	}
	return all.add(charts(), drains(), unsplitControllers())
}

func scales(kind, path, scaled string) table {
	const threat = "load isn't followed"
	put := func(by actor, suffix string) attempt {
		return attempt{threat: threat, by: by, method: http.MethodPut, path: path + "/scaled/scale" + suffix, kind: document,
			body: `{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: scaled, namespace: general-run}, spec: {replicas: 0}}`}.with(path+"/scaled", scaled)
	}
	return table{
		"general: editor scales " + kind:           patch(threat, erin, path+"/scaled/scale", `{"spec":{"replicas":0}}`, "").with(path+"/scaled", scaled),
		"general: admin replaces scale of " + kind: put(alice, ""),
		"general: an autoscaler scales " + kind:    put(serviceAccount("kube-system", "horizontal-pod-autoscaler"), "?dryRun=All"),
		"general: viewer scales " + kind:           patch("viewers stop what runs", victor, path+"/scaled/scale", `{"spec":{"replicas":0}}`, `cannot patch resource "`+kind+`/scale"`),
	}
}

// charts is what charts hold besides workloads, installed by a member and by a GitOps account.
func charts() table {
	all := table{}
	for kind, object := range map[string][2]string{
		"ConfigMap":          {run + "configmaps", `{apiVersion: v1, kind: ConfigMap, metadata: {name: chart-$N, labels: {app.kubernetes.io/managed-by: Helm}}, data: {a: b}}`},
		"Secret":             {run + "secrets", `{apiVersion: v1, kind: Secret, metadata: {name: chart-$N, labels: {app.kubernetes.io/managed-by: Helm}}, stringData: {a: b}}`},
		"Service":            {run + "services", service("name: chart-$N, labels: {app.kubernetes.io/managed-by: Helm}")},
		"claim":              {run + "persistentvolumeclaims", claim("name: chart-$N, labels: {app.kubernetes.io/managed-by: Helm}", "1Gi")},
		"disruption budget":  {runPDB, `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: chart-$N}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: chart}}}}`},
		"autoscaler":         {runHPA, `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: chart-$N}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chart}, maxReplicas: 3}}`},
		"Lease":              {"/apis/coordination.k8s.io/v1/namespaces/general-run/leases", `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: chart-$N}, spec: {holderIdentity: chart}}`},
		"hook":               {runBatch + "jobs", `{apiVersion: batch/v1, kind: Job, metadata: {name: chart-$N, annotations: {helm.sh/hook: pre-install}}, spec: {` + template("chart", "restartPolicy: Never, ") + `}}`},
		"ServiceAccount":     {run + "serviceaccounts", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: chart-$N}}`},
		"pod of a test":      {run + "pods", podNamed(`name: chart-$N, annotations: {helm.sh/hook: test}`)},
		"Role":               {runRBAC + "roles", role("chart-$N", "configmaps", "get, list, watch")},
		"RoleBinding":        {runRBAC + "rolebindings", bound("name: chart-$N", account("general-run", "chart-$N"))},
		"NetworkPolicy":      {runWalls, ownPolicy("chart-$N")},
		"release":            {run + "secrets", `{apiVersion: v1, kind: Secret, type: helm.sh/release.v1, metadata: {name: chart-$N, labels: {owner: helm}}, stringData: {release: x}}`},
		"headless Service":   {run + "services", strings.Replace(service("name: chart-$N"), "type: ClusterIP", "type: ClusterIP, clusterIP: None", 1)},
		"pod of an operator": {run + "pods", podNamed(`name: chart-$N, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: kube-root-ca.crt, uid: 00000000-0000-0000-0000-000000000001}]`)},
	} {
		named := func(name string) string { return strings.ReplaceAll(object[1], "chart-$N", name+"-$N") }
		slug := strings.ReplaceAll(strings.ToLower(kind), " ", "-")
		all["general: a chart's "+kind+" is installed"] = create("charts can't be installed", alice, object[0], named("helm-"+slug), "")
		all["general: a chart's "+kind+" is applied"] = force("GitOps tools can't sync", deployer, object[0]+"/sync-"+slug+"-$N", named("sync-"+slug), "")
		all["general: a chart's "+kind+" is pruned"] = remove("GitOps tools can't sync", deployer, object[0]+"/prune-"+slug+"-$N", "").with(object[0]+"/prune-"+slug+"-$N", named("prune-"+slug))
	}
	return all
}

// drains is what those do who look after nodes, with the rights that they usually have.
func drains() table {
	const threat = "nodes can't be drained"
	rights := func(a attempt) attempt {
		const api = "/apis/rbac.authorization.k8s.io/v1/"
		return a.with(api+"clusterroles/test-nodes", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: test-nodes}, rules: [`+
			`{apiGroups: [""], resources: [nodes], verbs: [get, list, patch]}, {apiGroups: [""], resources: [pods], verbs: [get, list, delete]}, `+
			`{apiGroups: [""], resources: [pods/eviction], verbs: [create]}, {apiGroups: [apps], resources: [daemonsets], verbs: [get]}]}`).
			with(api+"clusterrolebindings/test-dora", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: test-dora}, `+
				`roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-nodes}, subjects: [`+subject("User", dora.user)+`]}`)
	}
	evict := func(name, options string) string {
		return `{apiVersion: policy/v1, kind: Eviction, metadata: {name: ` + name + `, namespace: general-run}` + options + `}`
	}
	budget := `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: drained}, spec: {maxUnavailable: 100%, selector: {matchLabels: {app: own}}}}`
	return table{
		"general: a node is cordoned": rights(patch(threat, dora, "/api/v1/nodes/node-2", `{"spec":{"unschedulable":true}}`, "").
			with("/api/v1/nodes/node-2", `{apiVersion: v1, kind: Node, metadata: {name: node-2}}`)),
		"general: a node is drained": rights(create(threat, dora, run+"pods/drained-$N/eviction", evict("drained-$N", ""), "").with(run+"pods/drained-$N", pod("drained-$N"))),
		"general: a node is drained in spite of a budget": rights(create(threat, dora, run+"pods/budgeted-$N/eviction", evict("budgeted-$N", ", deleteOptions: {gracePeriodSeconds: 0}"), "").
			with(runPDB+"/drained", budget).with(run+"pods/budgeted-$N", pod("budgeted-$N"))),
		"general: a node is drained, as a dry run": rights(create(threat, dora, run+"pods/tried/eviction?dryRun=All", evict("tried", ", deleteOptions: {dryRun: [All]}"), "").
			with(run+"pods/tried", pod("tried"))),
		"general: a pod is deleted from its node": rights(remove(threat, dora, run+"pods/forced-$N?gracePeriodSeconds=0", "").with(run+"pods/forced-$N", pod("forced-$N"))),
		"general: who drains takes no wall down":  rights(remove("rights on all nodes are enough", dora, runWalls+"/bulkhead-default-deny", `cannot delete resource`)),
		"general: editor evicts":                  create(threat, erin, run+"pods/evicted-$N/eviction", evict("evicted-$N", ""), "").with(run+"pods/evicted-$N", pod("evicted-$N")),
		"general: viewer evicts":                  create("viewers stop what runs", victor, run+"pods/stays/eviction", evict("stays", ""), `cannot create resource "pods/eviction"`),
		"general: neighbour evicts":               create("a tenant stops another's pods", bob, run+"pods/stays/eviction", evict("stays", ""), `cannot create resource "pods/eviction"`),
		"general: a taint's eviction":             remove("pods stay on nodes that are lost", serviceAccount("kube-system", "node-controller"), run+"pods/tainted-$N", "").with(run+"pods/tainted-$N", pod("tainted-$N")),
		"general: a node deletes its pod":         remove("pods never end", actor{user: "system:node:node-2", groups: []string{"system:nodes"}}, run+"pods/ended-$N?gracePeriodSeconds=0", "").with(run+"pods/ended-$N", pod("ended-$N")),
		"general: a finished pod is collected":    remove("finished pods pile up", serviceAccount("kube-system", "pod-garbage-collector"), run+"pods/finished-$N", "").with(run+"pods/finished-$N", pod("finished-$N")),
	}
}

// unsplitControllers is kube-controller-manager as one user, for --use-service-account-credentials=false. Such clusters
// give it the roles of all its controllers.
func unsplitControllers() table {
	const threat = "clusters whose controllers have no accounts come to a halt"
	rights := func(a attempt) attempt {
		for _, controller := range []string{"namespace-controller", "generic-garbage-collector", "resourcequota-controller", "replicaset-controller", "statefulset-controller"} {
			a = a.with("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/test-kcm-"+controller,
				`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: test-kcm-`+controller+`}, `+
					`roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:controller:`+controller+`"}, subjects: [`+subject("User", manager.user)+`]}`)
		}
		return a
	}
	quota := run + "resourcequotas/bulkhead"
	all := table{
		"general: one user for all controllers counts quotas":    rights(replace(threat, manager, quota+"/status", func(*unstructured.Unstructured) {}, "")),
		"general: one user for all controllers makes pods":       rights(create(threat, manager, run+"pods", podNamed("generateName: kcm-"), "")),
		"general: one user for all controllers makes claims":     rights(create(threat, manager, run+"persistentvolumeclaims", claim("generateName: kcm-", "1Gi"), "")),
		"general: one user for all controllers ends a namespace": rights(replace(threat, manager, namespaces+"/general-run/finalize?dryRun=All", unfinalized, "")),
		"general: that user's name as a tenant's account":        remove("names are taken for Kubernetes' own", serviceAccount("acme-prod", "kube-controller-manager"), denial, `cannot delete resource`),
	}
	for kind, path := range map[string]string{
		"NetworkPolicy": runWalls + "/bulkhead-default-deny", "ResourceQuota": quota, "RoleBinding": runRBAC + "rolebindings/bulkhead-owners",
	} {
		all["general: one user for all controllers deletes a "+kind+" with its namespace"] = rights(remove(threat, manager, path+"?dryRun=All", ""))
		all["general: one user for all controllers collects a "+kind] = rights(patch(threat, manager, path+"?dryRun=All", `{"metadata":{"finalizers":null}}`, ""))
		all["general: the namespace controller deletes a "+kind] = remove("namespaces never end", serviceAccount("kube-system", "namespace-controller"), path+"?dryRun=All", "")
		all["general: the garbage collector deletes a "+kind] = remove("foreground deletion never ends", serviceAccount("kube-system", "generic-garbage-collector"), path+"?dryRun=All", "")
	}
	return all
}
