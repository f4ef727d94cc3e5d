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
)

const (
	registration = "/apis/admissionregistration.k8s.io/v1/"
	rbacCluster  = "/apis/rbac.authorization.k8s.io/v1/"
	otherEvents  = namespaces + "/default/events"
)

// generalReach is how far the rights of members reach: what they may do with pods, accounts and secrets of their own, and
// that none of it goes beyond their namespaces. RBAC refuses most of it; Bulkhead must not have opened it.
func generalReach() table {
	return table{}.add(shells(), accounts(), beyond(), rumours(), ownThings())
}

// shells are the ways into a pod that runs. A pod without a node is one that nobody gets into: that is what the API says
// to those who may.
func shells() table {
	const threat = "whoever is in a pod has what it has"
	const work = "people can't find out what is wrong"
	shelled := run + "pods/shelled"
	all := table{}
	for name, path := range map[string]string{
		"exec": "/exec?command=sh&stdout=true", "attach": "/attach?stdout=true", "portforward": "/portforward?ports=80",
	} {
		enter := func(threat string, by actor, refused string) attempt {
			return create(threat, by, shelled+path, "", refused).with(shelled, pod("shelled"))
		}
		refused := `cannot create resource "pods/` + name + `"`
		all.add(table{
			"general: admin may " + name:                                  enter(work, alice, "").refusedAsInvalid(),
			"general: editor may " + name:                                 enter(work, erin, "").refusedAsInvalid(),
			"general: viewer may not " + name:                             enter(threat, victor, refused),
			"general: neighbour may not " + name:                          enter(threat, bob, refused),
			"general: a neighbour's account may not " + name:              enter(threat, serviceAccount("beta-prod", "default"), refused),
			"general: who may do all with namespaces may not " + name:     enter(threat, nadia, refused),
			"general: outsider may not " + name + " beside its namespace": enter(threat, oscar, refused),
		})
	}
	all["general: viewer doesn't read logs beside its tenant"] = attempt{threat: threat, by: bob, method: http.MethodGet, path: shelled + "/log", refused: `cannot get resource "pods/log"`}.with(shelled, pod("shelled"))
	all["general: viewer doesn't go through a pod's proxy"] = attempt{threat: threat, by: victor, method: http.MethodGet, path: shelled + "/proxy/", refused: `cannot get resource "pods/proxy"`}.with(shelled, pod("shelled"))
	all["general: neighbour doesn't go through a Service's proxy"] = attempt{threat: threat, by: bob, method: http.MethodGet, path: run + "services/own/proxy/", refused: `cannot get resource "services/proxy"`}
	all["general: admin doesn't go through a node's proxy"] = attempt{threat: "kubelets run whatever one likes", by: alice, method: http.MethodGet, path: "/api/v1/nodes/node-2/proxy/pods", refused: `cannot get resource "nodes/proxy"`}
	return all
}

// accounts are attempts to become a ServiceAccount. Whoever may edit in a namespace has the rights of its accounts, by
// Kubernetes' own roles: so a member that is an account of the namespace gives its role to all its editors.
func accounts() table {
	const threat = "somebody becomes an account that has more rights"
	token := `{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {expirationSeconds: 600}}`
	secret := func(name, account string) string {
		return `{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: ` + name + `, annotations: {kubernetes.io/service-account.name: ` + account + `}}}`
	}
	refused := `cannot create resource "serviceaccounts/token"`
	return table{
		"general: editor gets a token of its namespace's account":     create("pipelines can't log in", erin, run+"serviceaccounts/default/token", token, ""),
		"general: editor gets a token of a neighbour's account":       create(threat, erin, namespaces+"/beta-prod/serviceaccounts/default/token", token, refused),
		"general: admin gets a token of the operator":                 create("the operator's rights are a tenant's", alice, namespaces+"/bulkhead-system/serviceaccounts/bulkhead/token", token, refused),
		"general: outsider gets a token of the operator":              create("the operator's rights are a tenant's", oscar, namespaces+"/bulkhead-system/serviceaccounts/bulkhead/token", token, refused),
		"general: pipeline gets a token of a controller":              create("the cluster is a tenant's", pipeline, namespaces+"/kube-system/serviceaccounts/namespace-controller/token", token, refused),
		"general: viewer gets a token of its namespace's account":     create(threat, victor, run+"serviceaccounts/default/token", token, refused),
		"general: neighbour gets a token of an account":               create(threat, bob, run+"serviceaccounts/default/token", token, refused),
		"general: who may do all with namespaces gets a token":        create(threat, nadia, run+"serviceaccounts/default/token", token, refused),
		"general: a token for another audience":                       create("tools of the tenant can't log in elsewhere", erin, run+"serviceaccounts/default/token", strings.Replace(token, "{expirationSeconds", "{audiences: [vault], expirationSeconds", 1), ""),
		"general: a token that lives in a Secret":                     force("old tools can't log in", erin, run+"secrets/general-token-$N", secret("general-token-$N", "default"), ""),
		"general: such a Secret where the operator is":                create("the operator's rights are a tenant's", alice, namespaces+"/bulkhead-system/secrets", secret("general-token", "bulkhead"), `cannot create resource "secrets"`),
		"general: viewer reads Secrets":                               {threat: "viewers log in as accounts", by: victor, method: http.MethodGet, path: run + "secrets", refused: `cannot list resource "secrets"`},
		"general: neighbour reads Secrets":                            {threat: "secrets are everybody's", by: bob, method: http.MethodGet, path: core + "secrets", refused: `cannot list resource "secrets"`},
		"general: admin reads all Secrets":                            {threat: "secrets are everybody's", by: alice, method: http.MethodGet, path: "/api/v1/secrets", refused: `cannot list resource "secrets"`},
		"general: outsider reads Secrets beside its namespace":        {threat: "secrets are everybody's", by: oscar, method: http.MethodGet, path: run + "secrets", refused: `cannot list resource "secrets"`},
		"general: who may do all with namespaces reads Secrets":       {threat: "secrets are everybody's", by: nadia, method: http.MethodGet, path: core + "secrets", refused: `cannot list resource "secrets"`},
		"general: the operator reads Secrets":                         {threat: "the operator is worth a theft", by: serviceAccount("bulkhead-system", "bulkhead"), method: http.MethodGet, path: core + "secrets", refused: `cannot list resource "secrets"`},
		"general: the operator gets a token":                          create("the operator is worth a theft", serviceAccount("bulkhead-system", "bulkhead"), core+"serviceaccounts/pipeline/token", token, refused),
		"general: the operator binds itself":                          create("the operator is worth a theft", serviceAccount("bulkhead-system", "bulkhead"), rbacCluster+"clusterrolebindings", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: general}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [`+account("bulkhead-system", "bulkhead")+`]}`, `attempting to grant RBAC permissions not currently held`),
		"general: an account is bound to a pod that is somebody's":    create("a Secret of another account is mounted", erin, run+"pods", strings.Replace(pod("general-nobody"), "spec: {", "spec: {serviceAccountName: nobody, ", 1), `serviceaccount "nobody" not found`),
		"general: a token request of the operator's own for a tenant": create("the operator is worth a theft", serviceAccount("bulkhead-system", "default"), run+"serviceaccounts/default/token", token, refused),
	}
}

// beyond is what is outside of namespaces, or in those of the cluster. A RoleBinding to cluster-admin, which the outsider
// has, doesn't reach there either.
func beyond() table {
	const rules = "the rules are turned off"
	const roles = "a role grows for everybody who has it"
	clusterRole := func(labels string) string {
		return `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: general` + labels + `}, rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}`
	}
	all := table{}
	for _, by := range []actor{alice, oscar} {
		name := by.user
		all.add(table{
			"general: " + name + " deletes a rule":              remove(rules, by, registration+"validatingadmissionpolicies/bulkhead-managed-objects", `cannot delete resource`),
			"general: " + name + " deletes all rules":           remove(rules, by, registration+"validatingadmissionpolicies", `cannot deletecollection resource`),
			"general: " + name + " softens a rule":              patch(rules, by, registration+"validatingadmissionpolicies/bulkhead-access-bindings", `{"spec":{"failurePolicy":"Ignore"}}`, `cannot patch resource`),
			"general: " + name + " unbinds a rule":              remove(rules, by, registration+"validatingadmissionpolicybindings/bulkhead-quota-ready", `cannot delete resource`),
			"general: " + name + " makes a rule warn only":      patch(rules, by, registration+"validatingadmissionpolicybindings/bulkhead-managed-objects", `{"spec":{"validationActions":["Warn"]}}`, `cannot patch resource`),
			"general: " + name + " sends requests to a webhook": create("everybody's objects pass by", by, registration+"mutatingwebhookconfigurations", `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: general}, webhooks: []}`, `cannot create resource`),
			"general: " + name + " changes objects by a policy": create("everybody's objects are changed", by, registration+"mutatingadmissionpolicies", `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicy, metadata: {name: general}, spec: {}}`, `cannot create resource`).needing("MutatingAdmissionPolicy"),
			"general: " + name + " deletes a CRD":               remove("all Tenants are gone", by, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tenants.tenancy.bulkhead.dev", `cannot delete resource`),
			"general: " + name + " changes a CRD":               patch("what Tenants may say", by, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tenants.tenancy.bulkhead.dev", `{"spec":{"preserveUnknownFields":true}}`, `cannot patch resource`),
			"general: " + name + " serves an API":               create("requests go to a tenant's server", by, "/apis/apiregistration.k8s.io/v1/apiservices", `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.general}, spec: {}}`, `cannot create resource`),
			"general: " + name + " adds to the role admin":      create(roles, by, rbacCluster+"clusterroles", clusterRole(`, labels: {rbac.authorization.k8s.io/aggregate-to-admin: "true"}`), `cannot create resource`),
			"general: " + name + " adds to the role view":       create(roles, by, rbacCluster+"clusterroles", clusterRole(`, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}`), `cannot create resource`),
			"general: " + name + " changes the role edit":       patch(roles, by, rbacCluster+"clusterroles/edit", `[{"op":"add","path":"/rules/-","value":{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}}]`, `cannot patch resource`),
			"general: " + name + " is bound in the cluster":     create("the cluster is a tenant's", by, rbacCluster+"clusterrolebindings", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: general}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [`+subject("User", "mallory")+`]}`, `cannot create resource`),
			"general: " + name + " creates a namespace":         create("a tenant makes namespaces as it likes", by, namespaces, `{apiVersion: v1, kind: Namespace, metadata: {name: general-more}}`, `cannot create resource "namespaces"`),
			"general: " + name + " lists all namespaces":        {threat: "tenants know of each other", by: by, method: http.MethodGet, path: namespaces, refused: `cannot list resource "namespaces"`},
			"general: " + name + " cordons a node":              patch("others' pods find no node", by, "/api/v1/nodes/node-2", `{"spec":{"unschedulable":true}}`, `cannot patch resource "nodes"`),
			"general: " + name + " makes a volume":              create("a volume is a node's disk", by, "/api/v1/persistentvolumes", `{apiVersion: v1, kind: PersistentVolume, metadata: {name: general}}`, `cannot create resource "persistentvolumes"`),
			"general: " + name + " makes a StorageClass":        create("a class is what the platform offers", by, "/apis/storage.k8s.io/v1/storageclasses", `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: general}, provisioner: x}`, `cannot create resource "storageclasses"`),
			"general: " + name + " makes a PriorityClass":       create("a tenant drives others' pods out", by, "/apis/scheduling.k8s.io/v1/priorityclasses", `{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: general}, value: 1000}`, `cannot create resource "priorityclasses"`),
			"general: " + name + " gets a certificate":          create("certificates know no tenants", by, "/apis/certificates.k8s.io/v1/certificatesigningrequests", `{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: general}, spec: {}}`, `cannot create resource`),
			"general: " + name + " takes the operator's Lease":  patch("no operator works any more", by, "/apis/coordination.k8s.io/v1/namespaces/bulkhead-system/leases/bulkhead.tenancy.bulkhead.dev", `{"spec":{"holderIdentity":"mallory"}}`, `cannot patch resource "leases"`),
			"general: " + name + " takes a node's Lease":        patch("a node is taken for lost, or for living", by, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-2", `{"spec":{"holderIdentity":"mallory"}}`, `cannot patch resource "leases"`),
			"general: " + name + " stops the operator":          patch("no operator works any more", by, "/apis/apps/v1/namespaces/bulkhead-system/deployments/bulkhead", `{"spec":{"replicas":0}}`, `cannot patch resource "deployments"`),
			"general: " + name + " changes a Tenant":            patch("a tenant decides on its own walls", by, tenancy+"tenants/general", `{"spec":{"quota":{"perNamespace":{"pods":"1000"}}}}`, `cannot patch resource "tenants"`),
			"general: " + name + " deletes another's Tenant":    remove("all that a tenant has is gone", by, tenancy+"tenants/beta", `cannot delete resource "tenants"`),
			"general: " + name + " lists all Tenants":           {threat: "tenants know of each other", by: by, method: http.MethodGet, path: tenancy + "tenants", refused: `cannot list resource "tenants"`},
			"general: " + name + " changes a TenantClass":       patch("a tenant decides on everybody's walls", by, tenancy+"tenantclasses/standard", `{"spec":{}}`, `cannot patch resource "tenantclasses"`),
			"general: " + name + " deletes a DriftReport":       remove("evidence is gone", by, tenancy+"namespaces/general-run/driftreports/general", `cannot delete resource "driftreports"`),
		})
	}
	return all
}

// rumours are things that look like somebody else's word. Events are never facts: any editor may write them where it
// may write at all.
func rumours() table {
	const threat = "people believe that the operator said it"
	const traffic = "traffic for others goes to a tenant's pods"
	forged := func(about string) string {
		return `{apiVersion: v1, kind: Event, metadata: {generateName: general-}, involvedObject: {` + about + `}, reason: IsolationRestored, message: forged, type: Normal, source: {component: bulkhead}}`
	}
	const ofTenant = `apiVersion: tenancy.bulkhead.dev/v1alpha1, kind: Tenant, name: acme`
	endpoints := `{apiVersion: v1, kind: Endpoints, metadata: {name: own}, subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]}`
	slice := `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: own, labels: {kubernetes.io/service-name: own}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}]}`
	all := table{
		"general: an event about a Tenant where Tenants' events are":   create(threat, alice, otherEvents, forged(ofTenant), `cannot create resource "events"`),
		"general: editor's event about a Tenant, there":                create(threat, erin, otherEvents, forged(ofTenant), `cannot create resource "events"`),
		"general: outsider's event about a Tenant, there":              create(threat, oscar, otherEvents, forged(ofTenant), `cannot create resource "events"`),
		"general: an event about a Tenant in a namespace of one's own": create(threat, erin, run+"events", forged(ofTenant), "").refusedAsInvalid(),
		"general: an event that lies, as any may":                      create("events are hints, never facts", erin, run+"events", forged(ofTenant+`, namespace: general-run`), ""),
		"general: viewer's event":                                      create(threat, victor, run+"events", forged(ofTenant+`, namespace: general-run`), `cannot create resource "events"`),
		"general: an event about the tenant's own":                     create("tools say what they did", erin, run+"events", forged(`apiVersion: v1, kind: Pod, name: own, namespace: general-run`), ""),
		"general: admin writes Endpoints":                              create(traffic, alice, run+"endpoints", endpoints, `cannot create resource "endpoints"`),
		"general: editor writes Endpoints":                             create(traffic, erin, run+"endpoints", endpoints, `cannot create resource "endpoints"`),
		"general: pipeline writes Endpoints by apply":                  force(traffic, deployer, run+"endpoints/own", endpoints, `cannot patch resource "endpoints"`),
		"general: editor writes EndpointSlices":                        create(traffic, erin, "/apis/discovery.k8s.io/v1/namespaces/general-run/endpointslices", slice, `cannot create resource "endpointslices"`),
		"general: the controller writes EndpointSlices":                create("Services lead nowhere", serviceAccount("kube-system", "endpointslice-controller"), "/apis/discovery.k8s.io/v1/namespaces/general-run/endpointslices", strings.Replace(slice, "name: own,", "generateName: own-,", 1), ""),
	}
	for kind, path := range map[string]string{
		"pods": run + "pods/shelled/status", "persistentvolumeclaims": run + "persistentvolumeclaims/own/status",
		"ingresses": "/apis/networking.k8s.io/v1/namespaces/general-run/ingresses/own/status", "resourcequotas": run + "resourcequotas/bulkhead/status",
		"poddisruptionbudgets": runPDB + "/own/status", "horizontalpodautoscalers": runHPA + "/own/status",
	} {
		all["general: admin writes the status of "+kind] = patch("what the cluster says is a tenant's word", alice, path, `{"status":{}}`, `cannot patch resource "`+kind+`/status"`)
		all["general: pipeline writes the status of "+kind] = patch("what the cluster says is a tenant's word", deployer, path, `{"status":{}}`, `cannot patch resource "`+kind+`/status"`)
	}
	for _, sub := range []string{"status", "finalize"} {
		for _, by := range []actor{alice, erin, pipeline} {
			name := lastOf(strings.ReplaceAll("/"+by.user, ":", "/"))
			all["general: "+name+" writes namespaces/"+sub] = replace("a subresource writes labels too", by, prod+"/"+sub, having(psa, "privileged"), `cannot update resource "namespaces/`+sub+`"`)
		}
	}
	return all
}

// ownThings is what is the tenant's own business, though it looks odd.
func ownThings() table {
	const own = "what is the tenant's own is the tenant's to change"
	ca := run + "configmaps/kube-root-ca.crt"
	return table{
		"general: the cluster's certificate is changed": patch(own, alice, ca, `{"metadata":{"labels":{"n":"$N"}}}`, "").
			with(ca, `{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt}}`),
		"general: the default account is changed":   patch(own, alice, run+"serviceaccounts/default", `{"automountServiceAccountToken":false,"metadata":{"labels":{"n":"$N"}}}`, ""),
		"general: all ConfigMaps are deleted":       remove(own, alice, run+"configmaps?labelSelector=general%3Dall", "").with(run+"configmaps/general-all", `{apiVersion: v1, kind: ConfigMap, metadata: {name: general-all, labels: {general: all}}}`),
		"general: an object hangs on a Deployment":  force(own, erin, run+"configmaps/general-owned", `{apiVersion: v1, kind: ConfigMap, metadata: {name: general-owned, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: scaled, uid: "1", blockOwnerDeletion: true}]}}`, ""),
		"general: a finalizer of one's own":         force(own, erin, run+"configmaps/general-final", `{apiVersion: v1, kind: ConfigMap, metadata: {name: general-final, finalizers: [example.com/hold]}}`, ""),
		"general: a quota beside is not a tenant's": create("a quota beside limits as well, but it's the platform's to say", alice, run+"resourcequotas", `{apiVersion: v1, kind: ResourceQuota, metadata: {name: own}, spec: {hard: {pods: "1000"}}}`, `cannot create resource "resourcequotas"`),
		"general: a range beside is not a tenant's": create("defaults are the platform's to say", alice, run+"limitranges", `{apiVersion: v1, kind: LimitRange, metadata: {name: own}, spec: {limits: []}}`, `cannot create resource "limitranges"`),
		"general: who am I":                         create("people can't find out what they may do", victor, "/apis/authentication.k8s.io/v1/selfsubjectreviews", `{apiVersion: authentication.k8s.io/v1, kind: SelfSubjectReview}`, ""),
		"general: may I":                            create("people can't find out what they may do", victor, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", `{apiVersion: authorization.k8s.io/v1, kind: SelfSubjectAccessReview, spec: {resourceAttributes: {verb: get, resource: pods, namespace: general-run}}}`, ""),
		"general: admin asks what others may":       create("admins can't find out whom they let in", alice, "/apis/authorization.k8s.io/v1/namespaces/general-run/localsubjectaccessreviews", `{apiVersion: authorization.k8s.io/v1, kind: LocalSubjectAccessReview, metadata: {namespace: general-run}, spec: {user: erin, resourceAttributes: {verb: get, resource: pods, namespace: general-run}}}`, ""),
	}
}
