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
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	apps = "/apis/apps/v1/namespaces/acme-prod/deployments"
	// container passes Pod Security "restricted".
	container = `{name: c, image: registry.example/app:1, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}}`
)

func deployment(name, by string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ` + name + `, labels: {app.kubernetes.io/managed-by: ` + by + `}}, spec: {replicas: 1, selector: {matchLabels: {app: ` + name +
		`}}, template: {metadata: {labels: {app: ` + name + `}}, spec: {containers: [` + container + `]}}}}`
}

func pod(name string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: ` + name + `, labels: {app: own}}, spec: {containers: [` + container + `]}}`
}

// ownPolicy is a NetworkPolicy of the tenant's own.
func ownPolicy(name string) string {
	return `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: ` + name + `, labels: {own: "yes"}}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}}`
}

// members is what the people of a tenant do all day.
func members() table {
	const work = "tenants can't work"
	return table{
		"works: admin adds a policy of his own":   force(work, alice, policies+"/own-$N", ownPolicy("own-$N"), ""),
		"works: editor adds a policy of his own":  force(work, erin, policies+"/own-erin-$N", ownPolicy("own-erin-$N"), ""),
		"works: admin deletes his own policies":   remove(work, alice, policies+"?labelSelector=own%3Dyes", "").with(policies+"/own-x", ownPolicy("own-x")),
		"works: one label of Bulkhead's":          force("only what has both labels is managed", alice, core+"configmaps/one-$N", `{apiVersion: v1, kind: ConfigMap, metadata: {name: one-$N, labels: {app.kubernetes.io/managed-by: bulkhead}}}`, ""),
		"works: editor deploys":                   force(work, erin, apps+"/web", deployment("web", "erin"), ""),
		"works: viewer reads":                     read(work, victor, apps),
		"works: viewer reads the walls":           read(work, victor, denial),
		"works: admin reads the quota":            read(work, alice, quota),
		"works: editor makes a pod":               force(work, erin, core+"pods/own-$N", pod("own-$N"), ""),
		"works: editor makes a Service":           force(work, erin, core+"services/own", `{apiVersion: v1, kind: Service, metadata: {name: own}, spec: {selector: {app: own}, ports: [{port: 80}]}}`, ""),
		"works: editor makes a Secret":            force(work, erin, core+"secrets/own-$N", `{apiVersion: v1, kind: Secret, metadata: {name: own-$N}, stringData: {a: b}}`, ""),
		"works: editor makes a claim of storage":  force(work, erin, core+"persistentvolumeclaims/own", `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: own}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`, ""),
		"works: editor makes an autoscaler":       force(work, erin, "/apis/autoscaling/v2/namespaces/acme-prod/horizontalpodautoscalers/own", `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: own}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}}`, ""),
		"works: editor makes a Job":               force(work, erin, "/apis/batch/v1/namespaces/acme-prod/jobs/own-$N", `{apiVersion: batch/v1, kind: Job, metadata: {name: own-$N}, spec: {template: {spec: {restartPolicy: Never, containers: [`+container+`]}}}}`, ""),
		"works: editor makes a disruption budget": force(work, erin, "/apis/policy/v1/namespaces/acme-prod/poddisruptionbudgets/own", `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: own}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: own}}}}`, ""),
		"works: editor scales": patch(work, erin, apps+"/scaled/scale", `{"spec":{"replicas":0}}`, "").
			with(apps+"/scaled", deployment("scaled", "test")),
		"works: editor restarts": patch(work, erin, apps+"/restarted", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"$N"}}}}}`, "").
			with(apps+"/restarted", deployment("restarted", "test")),
		"works: editor deletes a Deployment": remove(work, erin, apps+"/deleted-$N", "").with(apps+"/deleted-$N", deployment("deleted-$N", "test")),
		"works: admin evicts": create("nodes can't be drained", alice, core+"pods/evicted-$N/eviction", `{apiVersion: policy/v1, kind: Eviction, metadata: {name: evicted-$N, namespace: acme-prod}}`, "").
			with(core+"pods/evicted-$N", pod("evicted-$N")),
		"works: editor gets a token": create(work, erin, core+"serviceaccounts/pipeline/token", `{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {expirationSeconds: 600}}`, ""),
		"works: a debug container is added": patch(work, oscar, core+"pods/debugged-$N/ephemeralcontainers",
			`{"spec":{"ephemeralContainers":[{"name":"d","image":"debug","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}}}]}}`, "").
			with(core+"pods/debugged-$N", pod("debugged-$N")),
		"works: a pod is bound by the scheduler": create("nothing runs any more", actor{user: "system:kube-scheduler"}, core+"pods/bound-$N/binding",
			`{apiVersion: v1, kind: Binding, metadata: {name: bound-$N}, target: {kind: Node, name: somewhere}}`, "").
			with(core+"pods/bound-$N", pod("bound-$N")),
		"works: pods are not bound by admins": create("pods on nodes of other tenants", alice, core+"pods/own-$N/binding",
			`{apiVersion: v1, kind: Binding, metadata: {name: own-$N}, target: {kind: Node, name: somewhere}}`, `cannot create resource`),
		"works: walls are no place for a privileged pod": create("pods take over their node", alice, core+"pods",
			`{apiVersion: v1, kind: Pod, metadata: {name: worse}, spec: {hostNetwork: true, containers: [{name: c, image: x}]}}`, `violates PodSecurity`),
	}
}

// tools is what Helm and GitOps tools do in the name of a member.
func tools() table {
	const helm = "charts can't be installed"
	const gitops = "GitOps tools can't sync"
	all := table{}
	for name, object := range map[string][2]string{
		"ServiceAccount": {core + "serviceaccounts/chart-$N", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: chart-$N, labels: {app.kubernetes.io/managed-by: Helm}}}`},
		"Role":           {roleAPI + "/chart-$N", role("chart-$N", "configmaps, secrets", "get, list, watch, create, update")},
		"RoleBinding": {bindings + "/chart-$N", strings.Replace(strings.Replace(bound("name: chart-$N", account("acme-prod", "chart-$N")), "kind: ClusterRole", "kind: Role", 1),
			"name: view", "name: for-chart", 1)},
		"Deployment": {apps + "/chart", deployment("chart", "Helm")},
		"release":    {core + "secrets/sh.helm.release.v1.chart.v$N", `{apiVersion: v1, kind: Secret, type: helm.sh/release.v1, metadata: {name: sh.helm.release.v1.chart.v$N, labels: {owner: helm}}, stringData: {release: x}}`},
		"policy":     {policies + "/chart-$N", ownPolicy("chart-$N")},
	} {
		path := object[0][:strings.LastIndex(object[0], "/")]
		if !strings.Contains(object[0], "$N") {
			all["tools: Helm upgrades its "+name] = patch(helm, alice, object[0], `{"metadata":{"annotations":{"meta.helm.sh/release-name":"chart-$N"}}}`, "").with(object[0], object[1])
		} else {
			all["tools: Helm installs its "+name] = create(helm, alice, path, object[1], "").after(name, "for-chart")
		}
		all["tools: a GitOps account applies its "+name] = force(gitops, pipeline, strings.ReplaceAll(object[0], "chart", "sync"), strings.ReplaceAll(object[1], "chart", "sync"), "").after(name, "for-sync")
		all["tools: a GitOps account prunes its "+name] = remove(gitops, pipeline, strings.ReplaceAll(object[0], "chart", "prune"), "").
			with(strings.ReplaceAll(object[0], "chart", "prune"), strings.ReplaceAll(object[1], "chart", "prune"))
	}
	return all
}

// after makes a RoleBinding's Role first: nobody can bind what isn't there.
func (a attempt) after(kind, name string) attempt {
	if kind != "RoleBinding" {
		return a
	}
	return a.with(roleAPI+"/"+name, role(name, "configmaps, secrets", "get, list, watch, create, update"))
}

// platform is what those who run the cluster do.
func platform() table {
	const run = "the platform can't be run"
	return table{
		"platform: a pod is evicted": create("nodes can't be drained", paula, core+"pods/drained-$N/eviction", `{apiVersion: policy/v1, kind: Eviction, metadata: {name: drained-$N, namespace: acme-prod}}`, "").
			with(core+"pods/drained-$N", pod("drained-$N")),
		"platform: a Secret is given to a tenant": force(run, paula, core+"secrets/given", `{apiVersion: v1, kind: Secret, metadata: {name: given}, stringData: {a: b}}`, ""),
		"platform: a quota beside ours":           force(run, paula, core+"resourcequotas/beside", `{apiVersion: v1, kind: ResourceQuota, metadata: {name: beside}, spec: {hard: {secrets: "1000"}}}`, ""),
		"platform: the quota's status is written": replace("the quota controller's own writes are refused, and nothing is counted", serviceAccount("kube-system", "resourcequota-controller"),
			quota+"/status", func(*unstructured.Unstructured) {}, ""),
		"platform: a ClusterRole of its own":                    force(run, paula, "/apis/rbac.authorization.k8s.io/v1/clusterroles/platform", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: platform}, rules: []}`, ""),
		"platform: a node beats":                                force("nodes are lost", paula, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node", `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: node}, spec: {holderIdentity: node}}`, ""),
		"platform: the operator writes what is its":             patch("the operator is in its own way", actor{user: "system:serviceaccount:bulkhead-system:bulkhead", groups: []string{"system:serviceaccounts"}}, quota, `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"acme"}}}`, ""),
		"platform: an account of the operator's name elsewhere": patch("names are taken for the operator's", serviceAccount("acme-prod", "bulkhead"), denial, `{"spec":{"ingress":[{}]}}`, mine),
		"platform: an account of kube-system":                   patch("all of kube-system is taken for Kubernetes", serviceAccount("kube-system", "default"), denial, `{"spec":{"ingress":[{}]}}`, mine),
		"platform: another account of the operator's namespace": patch("neighbours of the operator are taken for it", serviceAccount("bulkhead-system", "default"), denial, `{"spec":{"ingress":[{}]}}`, mine),
	}
}

// kubernetesWorks checks what kube-controller-manager does by itself in a guarded namespace: it counts quotas, replaces
// pods, collects garbage and ends namespaces.
func (r round) kubernetesWorks(t *testing.T) {
	name := r.numbered("kept-$N")
	mustApply(t, apps+"/"+name, deployment(name, "test"))
	own := r.numbered(core + "pods?labelSelector=app%3Dkept-$N")
	pods := func(ctx context.Context, t *testing.T) int {
		list := get(ctx, t, own)
		items, _ := list.Object["items"].([]any)
		return len(items)
	}
	eventually(t, func(ctx context.Context) string {
		if pods(ctx, t) != 1 {
			return "the Deployment has no pod"
		}
		return ""
	})
	eventually(t, func(ctx context.Context) string {
		it := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "acme-prod", Name: "bulkhead"}}
		if _, err := exists(ctx, it); err != nil {
			return err.Error()
		}
		if used := it.Status.Used[corev1.ResourcePods]; used.IsZero() {
			return "the quota counts no pod"
		}
		return ""
	})
	a := remove("garbage isn't collected", masters, apps+"/"+name+"?propagationPolicy=Foreground", "")
	r.judge(t, a)
	eventually(t, func(ctx context.Context) string {
		if pods(ctx, t) != 0 || get(ctx, t, apps+"/"+name) != nil {
			return "the Deployment isn't collected"
		}
		return ""
	})
	r.volumeIsGiven(t)
	r.namespaceEnds(t)
}

// volumeIsGiven checks that the platform gives a volume to a tenant's claim in the way that the refusal names: Kubernetes
// then chooses it.
func (r round) volumeIsGiven(t *testing.T) {
	path := r.numbered(claims + "/awaiting-$N")
	mustApply(t, path, r.numbered(aClaim("awaiting-$N", "", ", storageClassName: fast")))
	r.judge(t, force("volumes of before can't be given to a tenant", paula, "/api/v1/persistentvolumes/given-$N", `{apiVersion: v1, kind: PersistentVolume, metadata: {name: given-$N}, spec: {
		capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: fast, persistentVolumeReclaimPolicy: Retain, csi: {driver: csi.example.com, volumeHandle: given-$N},
		claimRef: {apiVersion: v1, kind: PersistentVolumeClaim, namespace: storage-prod, name: awaiting-$N}}}`, ""))
	eventually(t, func(ctx context.Context) string {
		claim := get(ctx, t, path)
		if claim == nil {
			return "there is no claim"
		}
		if volume, _, err := unstructured.NestedString(claim.Object, "spec", "volumeName"); err != nil || volume != r.numbered("given-$N") {
			return "the claim has the volume " + volume
		}
		return ""
	})
}

// namespaceEnds checks that break-glass can delete a tenant's namespace, walls and all.
func (r round) namespaceEnds(t *testing.T) {
	it := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.numbered("gone-$N")}}
	before, err := exists(t.Context(), it)
	if err != nil || before == "" {
		t.Fatalf("There is no namespace to end: %v", err)
	}
	r.judge(t, remove("all that a tenant has is gone", paula, namespaces+"/gone-$N", ownership))
	r.judge(t, remove("nobody could help in an emergency", brook, namespaces+"/gone-$N", ""))
	eventually(t, func(ctx context.Context) string {
		now := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.numbered("gone-$N")}}
		if after, err := exists(ctx, now); err != nil || after == before {
			return "the namespace doesn't end"
		}
		return ""
	})
}
