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
	"maps"
	"net/http"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	namespaces = "/api/v1/namespaces"
	prod       = namespaces + "/acme-prod"
	dev        = namespaces + "/acme-dev"
	psa        = "pod-security.kubernetes.io/enforce"
	metadata   = `tenant "acme", rule namespace-metadata: namespace "acme-prod": `
	ownership  = `rule namespace-ownership: namespace "`
)

// namespaceMetadata are attempts on the labels and annotations of a tenant's namespace.
func namespaceMetadata() table {
	const threat = "the walls rest on labels"
	strip := `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":null}}}`
	weaken := `{"metadata":{"labels":{"` + psa + `":"privileged"}}}`
	return table{
		"namespace: cluster-wide patch strips the tenant label": patch(threat, nadia, prod, strip, metadata+`label tenancy.bulkhead.dev/tenant must not become "", it is to stay "acme"`),
		"namespace: JSON patch strips the tenant label":         patch(threat, nadia, prod, unlabelled, metadata+`label tenancy.bulkhead.dev/tenant`),
		"namespace: put into another tenant":                    patch("one tenant takes another's namespace", nadia, prod, `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"beta"}}}`, metadata+`label tenancy.bulkhead.dev/tenant must not become "beta"`),
		"namespace: outsider strips the tenant label":           patch(threat, oscar, prod, strip, metadata),
		"namespace: outsider weakens Pod Security":              patch("pods take over their node", oscar, prod, weaken, metadata+`label `+psa+` must not become "privileged", it is to stay "restricted"`),
		"namespace: cluster admin weakens Pod Security":         patch("pods take over their node", paula, prod, weaken, `from spec.podSecurity of Tenant "acme"`),
		"namespace: admin weakens Pod Security":                 patch("pods take over their node", alice, prod, weaken, `cannot patch resource`),
		"namespace: pipeline weakens Pod Security":              patch("pods take over their node", pipeline, prod, weaken, `cannot patch resource`),
		"namespace: Pod Security removed":                       patch("pods take over their node", nadia, prod, `[{"op":"remove","path":"/metadata/labels/pod-security.kubernetes.io~1enforce"}]`, metadata+`label `+psa+` must not become ""`),
		"namespace: Pod Security pinned to an old version":      patch("pods take over their node", nadia, prod, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce-version":"v1.0"}}}`, metadata),
		"namespace: a key of Pod Security nobody has":           patch("what a later version reads", nadia, prod, `{"metadata":{"labels":{"pod-security.kubernetes.io/later":"x"}}}`, metadata),
		"namespace: weakened by apply with force": force("pods take over their node", nadia, prod,
			`{apiVersion: v1, kind: Namespace, metadata: {name: acme-prod, labels: {pod-security.kubernetes.io/enforce: privileged}}}`, metadata),
		"namespace: admin's access to devices":        patch("devices of other tenants", nadia, prod, `{"metadata":{"labels":{"resource.kubernetes.io/admin-access":"true"}}}`, metadata+`label resource.kubernetes.io/admin-access`),
		"namespace: node selector by annotation":      patch("pods on nodes of other tenants", nadia, prod, `{"metadata":{"annotations":{"scheduler.alpha.kubernetes.io/node-selector":"pool=other"}}}`, metadata+`annotation scheduler.alpha.kubernetes.io/node-selector`),
		"namespace: tolerations by annotation":        patch("pods on nodes of other tenants", nadia, prod, `{"metadata":{"annotations":{"scheduler.alpha.kubernetes.io/defaultTolerations":"[]"}}}`, `from spec.placement of Tenant "acme"`),
		"namespace: forged guard data":                patch("rules read their limits there", nadia, prod, `{"metadata":{"annotations":{"guard.bulkhead.dev/namespaces":"kube-system"}}}`, metadata+`annotation guard.bulkhead.dev/namespaces must not become "kube-system"`),
		"namespace: forged intent":                    patch("drift is hidden", nadia, prod, `{"metadata":{"annotations":{"tenancy.bulkhead.dev/intent":"v1:forged"}}}`, metadata+`annotation tenancy.bulkhead.dev/intent`),
		"namespace: marked as released":               patch("its tenant is told that it let it go", nadia, prod, `{"metadata":{"labels":{"tenancy.bulkhead.dev/released-from":"beta"}}}`, metadata),
		"namespace: hung on bait":                     patch("the garbage collector deletes it with the bait", nadia, prod, ownedPatch, metadata+`metadata.ownerReferences must not change`),
		"namespace: dry run of a stripped label":      patch("a dry run says that something would work that doesn't", nadia, prod+"?dryRun=All", strip, metadata),
		"namespace: all labels replaced":              replace(threat, nadia, prod, func(u *unstructured.Unstructured) { u.SetLabels(nil) }, metadata),
		"namespace: a good change beside a bad one":   patch("hidden in the crowd", nadia, prod, `{"metadata":{"labels":{"team":"x","`+psa+`":"baseline"}}}`, metadata+`label `+psa),
		"namespace: a label of one's own":             patch("platforms label namespaces", nadia, prod, `{"metadata":{"labels":{"cost-center":"c-$N"},"annotations":{"example.com/note":"n-$N"}}}`, ""),
		"namespace: a label of one's own by apply":    force("platforms label namespaces", nadia, dev, `{apiVersion: v1, kind: Namespace, metadata: {name: acme-dev, labels: {cost-center: "d-$N"}}}`, ""),
		"namespace: an own label goes":                patch("platforms label namespaces", nadia, prod, `{"metadata":{"labels":{"cost-center":null}}}`, ""),
		"namespace: break-glass sets a guarded label": patch("nobody could help in an emergency", brook, dev, `{"metadata":{"labels":{"resource.kubernetes.io/emergency":"e-$N"}}}`, ""),
		"namespace: break-glass takes it off":         patch("nobody could help in an emergency", brook, dev, `{"metadata":{"labels":{"resource.kubernetes.io/emergency":null}}}`, ""),
	}
}

// namespaceSubresources are the same, by the back doors: both write labels, and Pod Security admission sees neither.
func namespaceSubresources() table {
	all := table{}
	for name, change := range map[string]func(*unstructured.Unstructured){
		"strips the tenant label":   without(v1alpha1.LabelTenant),
		"puts it into another":      relabelled,
		"weakens Pod Security":      having(psa, "privileged"),
		"forges guard data":         annotated("guard.bulkhead.dev/namespaces", "kube-system"),
		"hangs it on bait":          owned,
		"sets a node selector":      annotated("scheduler.alpha.kubernetes.io/node-selector", "pool=other"),
		"gets all devices":          having("resource.kubernetes.io/admin-access", "true"),
		"removes the intent's hash": annotated(v1alpha1.AnnotationIntent, ""),
	} {
		for _, subresource := range []string{"/status", "/finalize"} {
			const threat = "a subresource writes labels too"
			all["namespace: PUT "+subresource+" "+name] = replace(threat, nadia, prod+subresource, change, metadata)
			all["namespace: outsider's PUT "+subresource+" "+name] = replace(threat, oscar, prod+subresource, change, metadata)
		}
	}
	maps.Copy(all, table{
		"namespace: PATCH /status weakens Pod Security": patch("a subresource writes labels too", nadia, prod+"/status", `{"metadata":{"labels":{"`+psa+`":"privileged"}}}`, metadata),
		"namespace: apply of /status strips nothing but adds guard data": force("a subresource writes labels too", nadia, prod+"/status",
			`{apiVersion: v1, kind: Namespace, metadata: {name: acme-prod, annotations: {guard.bulkhead.dev/x: forged}}}`, metadata),
		"namespace: PUT /finalize removes the content's finalizer": replace("a namespace goes and leaves its content", nadia, prod+"/finalize", unfinalized, metadata+`spec.finalizers must not change`),
		"namespace: PUT /finalize changes nothing":                 replace("tools that write what they read", nadia, prod+"/finalize", func(*unstructured.Unstructured) {}, ""),
	})
	return all
}

// namespaceOwnership are attempts to decide whose a namespace is.
func namespaceOwnership() table {
	const threat = "whoever puts a namespace into a tenant is inside its walls"
	const gone = "all that a tenant has is gone"
	labelled := func(name string) string {
		return `{apiVersion: v1, kind: Namespace, metadata: {` + name + `, labels: {tenancy.bulkhead.dev/tenant: acme}}}`
	}
	join := `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":"acme"}}}`
	commons := namespaces + "/commons"
	refused := ownership + `commons": `
	return table{
		"ownership: a namespace created into a tenant": create(threat, nadia, namespaces, labelled("name: intruder"), `tenant "acme", `+ownership+`intruder": "nadia" must not put it into a tenant`),
		"ownership: a namespace applied into a tenant": force(threat, nadia, namespaces+"/intruder", labelled("name: intruder"), ownership),
		"ownership: a generated name":                  create(threat, nadia, namespaces, labelled("generateName: intruder-"), ownership),
		"ownership: a cluster admin creates one":       create(threat, paula, namespaces, labelled("name: intruder"), `only the operator does, for what spec.namespaces of Tenant "acme" lists`),
		"ownership: an admin creates one":              create(threat, alice, namespaces, labelled("name: intruder"), `cannot create resource`),
		"ownership: a tenant that doesn't exist":       create("whoever is there first", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: intruder, labels: {tenancy.bulkhead.dev/tenant: future}}}`, `tenant "future", `+ownership),
		"ownership: an empty tenant":                   create("what an empty name means", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: intruder, labels: {tenancy.bulkhead.dev/tenant: ""}}}`, ownership),
		"ownership: forged guard data from the start":  create("rules read their limits there", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: intruder, annotations: {guard.bulkhead.dev/namespaces: kube-system}}}`, ownership+`intruder": annotation guard.bulkhead.dev/namespaces must not be set to "kube-system"`),
		"ownership: marked as released from the start": create("a tenant would take it back", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: intruder, labels: {tenancy.bulkhead.dev/released-from: acme}}}`, ownership+`intruder": label tenancy.bulkhead.dev/released-from`),
		"ownership: a namespace of nobody joins":       patch(threat, nadia, commons, join, refused),
		"ownership: it joins a tenant without a name":  patch("what an empty name means", nadia, commons, `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":""}}}`, refused+`label tenancy.bulkhead.dev/tenant must not be set to ""`),
		"ownership: the same by /status":               patch("what an empty name means", nadia, commons+"/status", `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":""}}}`, refused),
		"ownership: created with label and guard data": create("rules read their limits there", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: intruder, labels: {tenancy.bulkhead.dev/tenant: acme}, annotations: {guard.bulkhead.dev/namespaces: kube-system}}}`, `tenant "acme", `+ownership),
		"ownership: it joins by /status":               patch(threat, nadia, commons+"/status", join, refused),
		"ownership: it joins by PUT /status":           replace(threat, nadia, commons+"/status", having(v1alpha1.LabelTenant, "acme"), refused),
		"ownership: it joins by /finalize":             replace(threat, nadia, commons+"/finalize", having(v1alpha1.LabelTenant, "acme"), refused),
		"ownership: it joins by apply":                 force(threat, nadia, commons, labelled("name: commons"), refused),
		"ownership: kube-system joins":                 patch("a tenant takes the control plane", nadia, namespaces+"/kube-system", join, ownership+`kube-system"`),
		"ownership: a released namespace is no more":   patch("its former tenant can't take it back", nadia, namespaces+"/released", `{"metadata":{"labels":{"tenancy.bulkhead.dev/released-from":null}}}`, ownership+`released": label tenancy.bulkhead.dev/released-from`),
		"ownership: another tenant's released":         patch("another tenant takes it", nadia, namespaces+"/released", `{"metadata":{"labels":{"tenancy.bulkhead.dev/released-from":"beta"}}}`, ownership+`released"`),
		"ownership: a tenant's namespace is deleted":   remove(gone, nadia, dev, `tenant "acme", `+ownership+`acme-dev": "nadia" must not delete it while it has the label tenancy.bulkhead.dev/tenant`),
		"ownership: outsider deletes the namespace":    remove(gone, oscar, prod, ownership+`acme-prod": "oscar" must not delete it`),
		"ownership: admin deletes the namespace":       remove(gone, alice, prod, `cannot delete resource`),
		"ownership: a GitOps account deletes it":       remove(gone, serviceAccount("gitops", "syncer"), prod, ownership+`acme-prod": "system:serviceaccount:gitops:syncer" must not delete it`),
		"ownership: a cluster admin deletes it": remove(gone, paula, dev, `tenant "acme", `+ownership+`acme-dev": "paula" must not delete it while it has the label tenancy.bulkhead.dev/tenant: `+
			`allowed are the operator and break-glass; take it out of spec.namespaces of Tenant "acme" with deletionPolicy Delete, and the operator deletes it`),
		"ownership: a cluster admin deletes it at once": remove(gone, paula, dev+"?gracePeriodSeconds=0&propagationPolicy=Orphan", ownership),
		"ownership: all namespaces are deleted":         remove(gone, alice, namespaces, `cannot deletecollection resource`),
		// No admission sees it: no API server serves it.
		"ownership: a cluster admin deletes all":        remove(gone, paula, namespaces, `the server does not allow this method`).answering(http.StatusMethodNotAllowed),
		"ownership: a deletion that is a dry run":       remove("a dry run says that something would work that doesn't", nadia, dev+"?dryRun=All", ownership),
		"ownership: a namespace of nobody is created":   create("platforms make namespaces", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: free-$N, labels: {team: x, pod-security.kubernetes.io/enforce: baseline}}}`, ""),
		"ownership: a namespace with a generated name":  create("platforms make namespaces", nadia, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {generateName: free-}}`, ""),
		"ownership: a namespace of nobody is labelled":  patch("platforms make namespaces", nadia, commons, `{"metadata":{"labels":{"pod-security.kubernetes.io/warn":"baseline","n":"$N"}}}`, ""),
		"ownership: a namespace of nobody is deleted":   remove("platforms delete namespaces", nadia, namespaces+"/doomed-$N", "").with(namespaces+"/doomed-$N", `{apiVersion: v1, kind: Namespace, metadata: {name: doomed-$N}}`),
		"ownership: a released namespace gets a label":  patch("platforms label namespaces", nadia, namespaces+"/released", `{"metadata":{"labels":{"n":"$N"}}}`, ""),
		"ownership: a released namespace is deleted":    remove("platforms delete namespaces", paula, namespaces+"/released-$N", "").with(namespaces+"/released-$N", `{apiVersion: v1, kind: Namespace, metadata: {name: released-$N, labels: {tenancy.bulkhead.dev/released-from: acme}}}`),
		"ownership: the operator deletes, as a dry run": remove("spec.namespaces can't be made shorter", serviceAccount("bulkhead-system", "bulkhead"), dev+"?dryRun=All", ""),
		"ownership: break-glass deletes, as a dry run":  remove("nobody could help in an emergency", brook, dev+"?dryRun=All", ""),
	}
}
