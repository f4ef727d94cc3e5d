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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// generalWalls are the odder ways to change what Bulkhead manages: RBAC is in the way of none of them.
func generalWalls() table {
	const threat = "the walls of a namespace are taken down"
	const doors = "somebody gets in, or locks others out"
	wall := mine + `NetworkPolicy "bulkhead-default-deny" is managed by Bulkhead and must not be `
	door := mine + `RoleBinding "bulkhead-owners" is managed by Bulkhead and must not be `
	bare := `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: bulkhead-default-deny}, spec: {podSelector: {}}}`
	forged := `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: general-forged, labels: ` + managedLabels +
		`}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: []}`
	everybody := strings.Replace(bound("name: general-all", subject("Group", "system:authenticated")), "name: general-all", "name: general-all, namespace: acme-prod", 1)
	all := table{
		"general: managed fields are cleared":            patch("the operator no longer knows what is its own", alice, denial, `{"metadata":{"managedFields":[{}]}}`, wall+`changed`),
		"general: managed fields are emptied":            patch("the operator no longer knows what is its own", alice, denial, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`, wall+`changed`),
		"general: managed fields of a binding":           patch("the operator no longer knows what is its own", oscar, owners, `{"metadata":{"managedFields":[{}]}}`, door+`changed`),
		"general: managed fields go by PUT":              replace("the operator no longer knows what is its own", alice, denial, func(u *unstructured.Unstructured) { u.SetManagedFields(nil) }, wall+`changed`),
		"general: apply under the operator's name":       saying(force(threat, alice, denial, bare, wall+`changed`), "fieldManager=attempt", "fieldManager="+v1alpha1.FieldManager),
		"general: a pipeline does the same":              saying(force(threat, pipeline, denial, bare, wall+`changed`), "fieldManager=attempt", "fieldManager="+v1alpha1.FieldManager),
		"general: apply that only adds a finalizer":      force("the wall can't be removed when the Tenant says so", alice, denial, strings.Replace(bare, "name: bulkhead-default-deny", "name: bulkhead-default-deny, finalizers: [example.com/hold]", 1), wall+`changed`),
		"general: apply that only adds an owner":         force("the garbage collector deletes the wall with the bait", alice, denial, strings.Replace(bare, "name: bulkhead-default-deny", `name: bulkhead-default-deny, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: bait, uid: "1", controller: true, blockOwnerDeletion: true}]`, 1), wall+`changed`),
		"general: a strategic merge that replaces":       {threat: threat, by: alice, method: http.MethodPatch, path: denial, kind: "application/strategic-merge-patch+json", body: `{"spec":{"$patch":"replace","podSelector":{}}}`, refused: wall + `changed`},
		"general: a strategic merge that takes labels":   {threat: threat, by: alice, method: http.MethodPatch, path: denial, kind: "application/strategic-merge-patch+json", body: `{"metadata":{"labels":{"$patch":"delete"}}}`, refused: wall + `changed`},
		"general: a deletion that waits for nobody":      remove(threat, alice, denial+"?gracePeriodSeconds=0", wall+`deleted`),
		"general: a deletion selected by name":           remove(threat, alice, policies+"?fieldSelector=metadata.name%3Dbulkhead-default-deny", wall+`deleted`),
		"general: a deletion of all that isn't Helm's":   remove(threat, pipeline, policies+"?labelSelector=app.kubernetes.io/managed-by!%3DHelm,tenancy.bulkhead.dev/tenant", mine),
		"general: a binding created by PUT":              {threat: doors, by: alice, method: http.MethodPut, path: bindings + "/general-forged", kind: document, body: strings.Replace(forged, "name: general-forged", "name: general-forged, namespace: acme-prod", 1), refused: mine + `RoleBinding "general-forged"`},
		"general: everybody is bound by PUT":             {threat: doors, by: alice, method: http.MethodPut, path: bindings + "/general-all", kind: document, body: everybody, refused: binding + `general-all" must not have the subject Group "system:authenticated"`},
		"general: another role by deletion and creation": remove(doors, alice, owners+"?propagationPolicy=Foreground", door+`deleted`),
		"general: all cluster roles of tenants":          remove("members lose their view of the Tenant", paula, "/apis/rbac.authorization.k8s.io/v1/clusterroles"+ours, `rule managed-objects: ClusterRole "bulkhead:tenant:`),
		"general: all cluster bindings of tenants":       remove("members lose their view of the Tenant", paula, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"+ours, `rule managed-objects: ClusterRoleBinding "bulkhead:tenant:`),
		"general: a forged cluster role":                 create("the operator takes what it didn't make for its own", paula, "/apis/rbac.authorization.k8s.io/v1/clusterroles", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: general-forged, labels: `+managedLabels+`}, rules: []}`, mine),
		"general: a cluster role becomes managed":        patch("the operator takes what it didn't make for its own", paula, "/apis/rbac.authorization.k8s.io/v1/clusterroles/view", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"bulkhead","tenancy.bulkhead.dev/tenant":"acme"}}}`, mine),
		"general: a namespace with a Tenant for owner":   create("whoever names a Tenant as owner is in it", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: general-owned-$N, ownerReferences: [{apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, name: acme, uid: "1"}]}}`, ""),
		"general: a namespace's managed fields":          patch("the operator no longer knows what is its own; it takes that back", nadia, namespaces+"/general-run", `{"metadata":{"managedFields":[{}]}}`, ""),
		"general: an object that hangs on a wall":        force("dependents hold up the end of a wall", alice, core+"configmaps/general-hung", `{apiVersion: v1, kind: ConfigMap, metadata: {name: general-hung, ownerReferences: [{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, name: bulkhead-default-deny, uid: "1", blockOwnerDeletion: true}]}}`, ""),
		"general: a policy with a wall's name elsewhere": force("names are nobody's", alice, "/apis/networking.k8s.io/v1/namespaces/quota-free/networkpolicies/bulkhead-mine", ownPolicy("bulkhead-mine"), ""),
	}
	for kind, path := range map[string]string{"NetworkPolicy": denial, "ResourceQuota": quota, "LimitRange": limits, "RoleBinding": owners} {
		refused := mine + kind
		all.add(table{
			"general: outsider's finalizer on a " + kind:               patch("it can't be removed when the Tenant says so", oscar, path, `{"metadata":{"finalizers":["example.com/hold"]}}`, refused),
			"general: outsider clears the managed fields of a " + kind: patch("the operator no longer knows what is its own", oscar, path, `{"metadata":{"managedFields":[{}]}}`, refused),
			"general: outsider's apply as the operator of a " + kind: saying(force(threat, oscar, path, apiVersionOf(kind)+"\nkind: "+kind+"\nmetadata: {name: "+lastOf(path)+"}\n"+roleRefOf(kind), refused),
				"fieldManager=attempt", "fieldManager="+v1alpha1.FieldManager),
			"general: outsider hands a " + kind + " to another tenant": patch("one tenant's walls become another's", oscar, path, `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"beta"}}}`, refused),
			"general: cluster admin deletes a " + kind:                 remove(threat, paula, path, refused),
		})
	}
	return all
}

// saying says a path in other words.
func saying(a attempt, before, after string) attempt {
	a.path = strings.Replace(a.path, before, after, 1)
	return a
}
