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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	policies = "/apis/networking.k8s.io/v1/namespaces/acme-prod/networkpolicies"
	rbac     = "/apis/rbac.authorization.k8s.io/v1/namespaces/acme-prod/"
	roleAPI  = rbac + "roles"
	bindings = rbac + "rolebindings"
	core     = "/api/v1/namespaces/acme-prod/"
	quota    = core + "resourcequotas/bulkhead"
	limits   = core + "limitranges/bulkhead"
	denial   = policies + "/bulkhead-default-deny"
	owners   = bindings + "/bulkhead-owners"
	// ours selects what is managed: a deletion of everything would take what the table needs before it is refused.
	ours       = "?labelSelector=app.kubernetes.io/managed-by%3Dbulkhead"
	mine       = `tenant "acme", rule managed-objects: `
	ownedPatch = `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"bait","uid":"00000000-0000-0000-0000-000000000001"}]}}`
	unlabelled = `[{"op":"remove","path":"/metadata/labels/tenancy.bulkhead.dev~1tenant"}]`
	openAll    = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: bulkhead-default-deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
`
	managedLabels = `{app.kubernetes.io/managed-by: bulkhead, tenancy.bulkhead.dev/tenant: acme}`
)

// managedObjects are what people would try on what Bulkhead manages.
func managedObjects() table {
	const threat = "the walls of a namespace are taken down"
	const doors = "somebody gets in, or locks others out"
	wall := mine + `NetworkPolicy "bulkhead-default-deny" is managed by Bulkhead and must not be `
	door := mine + `RoleBinding "bulkhead-owners" is managed by Bulkhead and must not be `
	return table{
		"managed: admin deletes the default-deny":       remove(threat, alice, denial, wall+`deleted by "alice": only the operator writes it, from spec.network of Tenant "acme"`),
		"managed: editor deletes the default-deny":      remove(threat, erin, denial, wall+`deleted by "erin"`),
		"managed: viewer deletes the default-deny":      remove(threat, victor, denial, `cannot delete resource`),
		"managed: pipeline deletes the default-deny":    remove(threat, pipeline, denial, wall+`deleted by "system:serviceaccount:acme-prod:pipeline"`),
		"managed: neighbour deletes the default-deny":   remove(threat, bob, denial, `cannot delete resource`),
		"managed: nobody deletes the default-deny":      remove(threat, nobody, denial, `cannot delete resource`),
		"managed: cluster admin deletes a wall":         remove(threat, paula, denial, wall+`deleted by "paula"`),
		"managed: admin deletes all policies":           remove(threat, alice, policies, mine),
		"managed: admin deletes what is labelled":       remove(threat, alice, policies+ours, mine),
		"managed: pipeline deletes all policies":        remove(threat, pipeline, policies, mine),
		"managed: foreground deletion of a wall":        remove(threat, alice, denial+"?propagationPolicy=Foreground", wall+`deleted`),
		"managed: orphaning deletion of a wall":         remove(threat, alice, denial+"?propagationPolicy=Orphan", wall+`deleted`),
		"managed: dry-run deletion of a wall":           remove("a dry run says that something would work that doesn't", alice, denial+"?dryRun=All", wall+`deleted`),
		"managed: admin opens a wall by merge patch":    patch(threat, alice, denial, `{"spec":{"ingress":[{}]}}`, wall+`changed`),
		"managed: admin opens a wall by JSON patch":     patch(threat, alice, denial, `[{"op":"add","path":"/spec/ingress","value":[{}]}]`, wall+`changed`),
		"managed: editor opens a wall":                  patch(threat, erin, denial, `{"spec":{"egress":[{}]}}`, wall+`changed by "erin"`),
		"managed: admin opens a wall by apply":          force(threat, alice, denial, openAll, wall+`changed`),
		"managed: pipeline opens a wall by apply":       force(threat, pipeline, denial, openAll, wall+`changed`),
		"managed: dry run of an open wall":              patch("a dry run says that something would work that doesn't", alice, denial+"?dryRun=All", `{"spec":{"ingress":[{}]}}`, wall+`changed`),
		"managed: admin strips one label":               patch(threat, alice, denial, unlabelled, wall+`changed`),
		"managed: admin strips the other label":         patch(threat, alice, denial, `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"}}}`, wall+`changed`),
		"managed: admin strips both labels":             replace(threat, alice, denial, without(v1alpha1.LabelTenant, v1alpha1.LabelManagedBy), wall+`changed`),
		"managed: admin gives a wall to another tenant": patch(threat, alice, denial, `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"beta"}}}`, wall+`changed`),
		"managed: admin adds a label of his own":        patch("foreign content in managed objects", alice, denial, `{"metadata":{"labels":{"mine":"1"}}}`, wall+`changed`),
		"managed: admin hangs a wall on bait":           patch("the garbage collector, which may, deletes the wall with the bait", alice, denial, ownedPatch, wall+`changed`),
		"managed: admin adds a finalizer":               patch("the wall can't be removed when the Tenant says so", alice, denial, `{"metadata":{"finalizers":["example.com/hold"]}}`, wall+`changed`),
		"managed: admin deletes the owners' binding":    remove(doors, alice, owners, door+`deleted by "alice": only the operator writes it, from spec.members of Tenant "acme"`),
		"managed: admin adds a subject":                 patch(doors, alice, owners, `[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}}]`, door+`changed`),
		"managed: pipeline adds itself to a binding":    patch(doors, pipeline, owners, `[{"op":"add","path":"/subjects/-","value":{"kind":"ServiceAccount","namespace":"acme-prod","name":"x"}}]`, door+`changed`),
		"managed: admin deletes all bindings":           remove(doors, alice, bindings+ours, mine),
		"managed: editor deletes the owners' binding":   remove(doors, erin, owners, `cannot delete resource`),
		"managed: admin deletes the quota":              remove("a tenant takes what others need", alice, quota, `cannot delete resource`),
		"managed: admin raises the quota":               patch("a tenant takes what others need", alice, quota, `{"spec":{"hard":{"pods":"1000"}}}`, `cannot patch resource`),
		"managed: admin forges the quota's status":      patch("admission looks at status.hard only", alice, quota+"/status", `{"status":{"hard":{"pods":"1000"}}}`, `cannot patch resource`),
		"managed: admin deletes the limits":             remove("containers without limits", alice, limits, `cannot delete resource`),
		"managed: cluster admin deletes the tenant's cluster role": remove("members lose their view of the Tenant", paula,
			"/apis/rbac.authorization.k8s.io/v1/clusterroles/bulkhead:tenant:acme", mine+`ClusterRole "bulkhead:tenant:acme"`),
		"managed: cluster admin widens the tenant's cluster role": patch("every member gets what is added", paula,
			"/apis/rbac.authorization.k8s.io/v1/clusterroles/bulkhead:tenant:acme",
			`[{"op":"add","path":"/rules/-","value":{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}}]`, mine),
		"managed: cluster admin aggregates into the tenant's cluster role": patch("the aggregation controller would fill it", paula,
			"/apis/rbac.authorization.k8s.io/v1/clusterroles/bulkhead:tenant:acme",
			`{"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"x":"y"}}]}}`, mine),
		"managed: cluster admin adds a subject to the tenant's cluster binding": patch(doors, paula,
			"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/bulkhead:tenant:acme",
			`[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}}]`, mine),
		"managed: a forged policy": create("the operator takes what it didn't make for its own, and deletes it", alice, policies,
			`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: forged, labels: `+managedLabels+`}, spec: {podSelector: {}}}`,
			mine+`NetworkPolicy "forged" of "alice" must not have both labels`),
		"managed: a forged policy of another tenant": create("one tenant pretends to be another", alice, policies,
			`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: forged, labels: {app.kubernetes.io/managed-by: bulkhead, tenancy.bulkhead.dev/tenant: beta}}, spec: {podSelector: {}}}`,
			`tenant "beta", rule managed-objects: NetworkPolicy "forged"`),
		"managed: a forged policy with a generated name": create("the operator takes it for its own", alice, policies,
			`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {generateName: forged-, labels: `+managedLabels+`}, spec: {podSelector: {}}}`, mine),
		"managed: a forged policy by apply": force("the operator takes it for its own", pipeline, policies+"/forged",
			`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: forged, labels: `+managedLabels+`}, spec: {podSelector: {}}}`, mine),
		"managed: a forged ConfigMap": create("the operator takes it for its own", erin, core+"configmaps",
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: forged, labels: `+managedLabels+`}}`, mine+`ConfigMap "forged"`),
		"managed: a forged RoleBinding": create(doors, alice, bindings,
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: bulkhead-forged, labels: `+managedLabels+`}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: []}`, mine),
		"managed: the second label on an object of one's own": patch("forging in two steps", erin, core+"configmaps/half", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"bulkhead"}}}`, mine).
			with(core+"configmaps/half", `{apiVersion: v1, kind: ConfigMap, metadata: {name: half, labels: {tenancy.bulkhead.dev/tenant: acme}}}`),
		"managed: forged in a namespace of nobody": create("the operator takes it for its own", paula, "/api/v1/namespaces/commons/configmaps",
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: forged, labels: `+managedLabels+`}}`, mine),
		"managed: break-glass changes a wall": patch("nobody could help in an emergency", brook, policies+"/bulkhead-allow-dns",
			`{"metadata":{"labels":{"seen-by":"brook-$N"}}}`, ""),
		"managed: break-glass deletes a wall with all that hangs on it": {
			threat: "nobody could help in an emergency, or foreground deletion never ends", by: brook,
			method: http.MethodDelete, path: core + "configmaps/stuck-$N?propagationPolicy=Foreground",
			given: [][2]string{{core + "configmaps/stuck-$N", `{apiVersion: v1, kind: ConfigMap, metadata: {name: stuck-$N, labels: ` + managedLabels + `}}`}},
		},
	}
}

// managedKinds are all kinds of request for all kinds of managed object in a namespace, by one whom RBAC doesn't stop.
func managedKinds() table {
	all := table{}
	for kind, path := range map[string]string{"NetworkPolicy": denial, "ResourceQuota": quota, "LimitRange": limits, "RoleBinding": owners} {
		const threat = "rights inside a namespace are enough to take its walls down"
		refused := mine + kind
		collection := path[:len(path)-len(lastOf(path))-1]
		all.add(table{
			"managed: outsider deletes a " + kind:                     remove(threat, oscar, path, refused),
			"managed: outsider deletes every " + kind:                 remove(threat, oscar, collection+ours, mine),
			"managed: outsider strips the tenant of a " + kind:        patch(threat, oscar, path, unlabelled, refused),
			"managed: outsider strips all labels of a " + kind:        patch(threat, oscar, path, `{"metadata":{"labels":null}}`, refused),
			"managed: outsider hangs a " + kind + " on bait":          patch(threat, oscar, path, ownedPatch, refused),
			"managed: outsider replaces a " + kind + " without label": replace(threat, oscar, path, without(v1alpha1.LabelManagedBy), refused),
			"managed: outsider forges the intent of a " + kind: replace("drift is hidden", oscar, path,
				annotated(v1alpha1.AnnotationIntent, "v1:forged"), refused),
			"managed: outsider annotates a " + kind + " by apply": force(threat, oscar, path, apiVersionOf(kind)+
				"\nkind: "+kind+"\nmetadata: {name: "+lastOf(path)+", annotations: {mine: \"1\"}}\n"+roleRefOf(kind), refused),
		})
	}
	return all
}

func lastOf(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

func apiVersionOf(kind string) string {
	switch kind {
	case "NetworkPolicy":
		return "apiVersion: networking.k8s.io/v1"
	case "RoleBinding":
		return "apiVersion: rbac.authorization.k8s.io/v1"
	default:
		return "apiVersion: v1"
	}
}

// roleRefOf is what a RoleBinding can't be applied without.
func roleRefOf(kind string) string {
	if kind != "RoleBinding" {
		return ""
	}
	return "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}\n"
}

// relabelled puts an object into another tenant.
func relabelled(u *unstructured.Unstructured) { having(v1alpha1.LabelTenant, "beta")(u) }
