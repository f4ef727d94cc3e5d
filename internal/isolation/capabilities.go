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

package isolation

import (
	"slices"
)

// accessCapability is one thing that RBAC rules can amount to. A rule reaches it if it allows one of the verbs on one
// of the resources in one of the groups.
type accessCapability struct {
	power Power
	// phrase completes "they may …".
	phrase                   string
	groups, resources, verbs []string
	// cluster says that it takes a ClusterRoleBinding: in a RoleBinding the rule has no effect.
	cluster bool
	// everything says that it takes all verbs on all resources of all groups.
	everything bool
}

var (
	accessAny    = []string{"*"}
	accessWrites = []string{"create", "update", "patch", "delete", "deletecollection"}
	accessPuts   = []string{"create", "update", "patch"}
	accessCore   = []string{""}
	accessRBAC   = []string{"rbac.authorization.k8s.io"}
)

// accessCapabilities are what is more than reading or changing some objects, the gravest first. At most 61: the bits
// after the last stand for what is less.
var accessCapabilities = []accessCapability{
	{power: PowerEscalate, phrase: "do everything", everything: true},
	{
		// Also within a namespace: the verb "bind" is asked for in the namespace of the binding that is written.
		power: PowerEscalate, phrase: "grant powers that they don't hold",
		groups: accessRBAC, resources: []string{"roles", "clusterroles"}, verbs: []string{"bind", "escalate"},
	},
	{
		power: PowerEscalate, phrase: "act as other users", cluster: true,
		groups:    []string{"", "authentication.k8s.io"},
		resources: []string{"users", "groups", "nodes"}, verbs: []string{"impersonate"},
	},
	{
		// A namespace's labels say which Pod Security level holds in it and which NetworkPolicies of others let it in.
		// They can be written through its subresources, too.
		power: PowerEscalate, phrase: "relabel or delete namespaces",
		groups: accessCore, resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"}, verbs: accessWrites,
	},
	{
		// Reading is enough: the kubelet takes a WebSocket's GET for exec.
		power: PowerEscalate, phrase: "run commands in every pod of a node", cluster: true,
		groups: accessCore, resources: []string{"nodes/proxy"}, verbs: accessAny,
	},
	{
		// A volume may be a directory of the node; no Pod Security level looks behind a claim.
		power: PowerEscalate, phrase: "mount the disks of nodes", cluster: true,
		groups: accessCore, resources: []string{"persistentvolumes"}, verbs: accessPuts,
	},
	{
		power: PowerEscalate, phrase: "rewrite admission", cluster: true,
		groups: []string{"admissionregistration.k8s.io"}, resources: []string{
			"mutatingwebhookconfigurations", "validatingwebhookconfigurations",
			"mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
			"validatingadmissionpolicies", "validatingadmissionpolicybindings",
		}, verbs: accessWrites,
	},
	{
		power: PowerEscalate, phrase: "replace APIs", cluster: true,
		groups:    []string{"apiextensions.k8s.io", "apiregistration.k8s.io"},
		resources: []string{"customresourcedefinitions", "customresourcedefinitions/status", "apiservices", "apiservices/status"},
		verbs:     accessWrites,
	},
	{
		power: PowerEscalate, phrase: "change the roles of the whole cluster", cluster: true,
		groups: accessRBAC, resources: []string{"clusterroles", "clusterrolebindings"}, verbs: accessWrites,
	},
	{
		power: PowerEscalate, phrase: "get certificates of others", cluster: true,
		groups: []string{"certificates.k8s.io"}, resources: []string{
			"certificatesigningrequests/approval", "certificatesigningrequests/status",
			"certificatesigningrequests/nodeclient", "signers",
		}, verbs: []string{"create", "update", "patch", "approve", "sign"},
	},
	{
		power: PowerEscalate, phrase: "rewrite tenants", cluster: true,
		groups: []string{"tenancy.bulkhead.dev"}, resources: []string{"tenants", "tenants/status", "tenantclasses"}, verbs: accessWrites,
	},
	{
		power: PowerAdmin, phrase: "open the network walls",
		groups: []string{
			"networking.k8s.io", "extensions", "policy.networking.k8s.io", "cilium.io", "crd.projectcalico.org", "projectcalico.org",
			"crd.antrea.io",
		},
		resources: []string{
			"networkpolicies", "globalnetworkpolicies", "adminnetworkpolicies", "baselineadminnetworkpolicies",
			"clusternetworkpolicies", "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies",
		}, verbs: accessWrites,
	},
	{
		power: PowerAdmin, phrase: "give others access",
		groups: accessRBAC, resources: []string{"roles", "rolebindings"}, verbs: accessWrites,
	},
	{
		// Quota admission goes by the status.
		power: PowerAdmin, phrase: "lift quotas and limits",
		groups: accessCore, resources: []string{"resourcequotas", "resourcequotas/status", "limitranges"}, verbs: accessWrites,
	},
	{
		// The answer to a patch holds the secret, and so do those to deletecollection and to a deletion that waits for
		// a finalizer, which the one who deletes can ask for, in a dry run even:
		// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go#L1239-L1262
		power: PowerSecrets, phrase: "read secrets",
		groups: accessCore, resources: []string{"secrets"},
		verbs: []string{"get", "list", "watch", "patch", "delete", "deletecollection"},
	},
	{
		// Until Kubernetes 1.35 "get" was enough for exec and attach over a WebSocket.
		power: PowerSecrets, phrase: "run commands in pods",
		groups: accessCore, resources: []string{"pods/exec", "pods/attach", "pods/ephemeralcontainers"},
		verbs: []string{"get", "create", "update", "patch"},
	},
	{
		power: PowerSecrets, phrase: "act as ServiceAccounts",
		groups: accessCore, resources: []string{"serviceaccounts/token"}, verbs: []string{"create"},
	},
	{
		power: PowerSecrets, phrase: "act as ServiceAccounts",
		groups: []string{"", "authentication.k8s.io"}, resources: []string{"serviceaccounts"}, verbs: []string{"impersonate"},
	},
	{
		// Whoever writes what a pod runs has its secrets, its ServiceAccount and its place in the network.
		power: PowerSecrets, phrase: "run pods that use any secret",
		groups: []string{"", "apps", "batch", "extensions"}, resources: []string{
			"pods", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs",
		}, verbs: accessPuts,
	},
	{
		power: PowerWrite, phrase: "connect to pods past the network walls",
		groups: accessCore, resources: []string{"pods/portforward", "pods/proxy", "services/proxy"}, verbs: accessAny,
	},
}

// accessFloors are what remains to be said of rules that reach none of the above.
var accessFloors = []accessCapability{
	{power: PowerWrite, phrase: "change objects"},
	{power: PowerRead, phrase: "read objects"},
	{power: PowerNames, phrase: "see the names and labels of namespaces"},
}

// accessFloorBit is the bit that stands for a floor in accessReach; none stands for PowerNone.
func accessFloorBit(floor Power) (int, bool) {
	i := slices.IndexFunc(accessFloors, func(c accessCapability) bool { return c.power == floor })
	return len(accessCapabilities) + i, i >= 0
}

// accessPhrases returns what the reach amounts to, the gravest first, each phrase once.
func accessPhrases(reach accessReach) []string {
	var phrases []string
	for _, list := range []struct {
		from int
		of   []accessCapability
	}{{0, accessCapabilities}, {len(accessCapabilities), accessFloors}} {
		for i := range list.of {
			if reach.can&(1<<(list.from+i)) == 0 {
				continue
			}
			if list.of[i].everything {
				return []string{list.of[i].phrase}
			}
			if !slices.Contains(phrases, list.of[i].phrase) {
				phrases = append(phrases, list.of[i].phrase)
			}
		}
	}
	return phrases
}

// accessResource is a resource in its API group, with its subresource as in RBAC.
type accessResource struct{ group, resource string }

// accessHarmless are verbs that touch nobody else's things, by resource.
var accessHarmless = map[accessResource][]string{
	{"authorization.k8s.io", "selfsubjectaccessreviews"}:  {"create"},
	{"authorization.k8s.io", "selfsubjectrulesreviews"}:   {"create"},
	{"authorization.k8s.io", "subjectaccessreviews"}:      {"create"},
	{"authorization.k8s.io", "localsubjectaccessreviews"}: {"create"},
	{"authentication.k8s.io", "selfsubjectreviews"}:       {"create"},
	{"authentication.k8s.io", "tokenreviews"}:             {"create"},
	// A certificate is signed only when somebody approved it.
	{"certificates.k8s.io", "certificatesigningrequests"}: {"create"},
	// These APIs are gone; bindings to their roles survived in many clusters.
	{"policy", "podsecuritypolicies"}:     {"*"},
	{"extensions", "podsecuritypolicies"}: {"*"},
}

// accessClusterScoped are cluster-scoped resources, and what it gives someone to read them.
var accessClusterScoped = map[accessResource]Power{
	{"", "nodes"}:             PowerNone,
	{"", "nodes/status"}:      PowerNone,
	{"", "nodes/healthz"}:     PowerNone,
	{"", "nodes/configz"}:     PowerNone,
	{"", "componentstatuses"}: PowerNone,
	{"", "nodes/metrics"}:     PowerNames,
	{"", "nodes/stats"}:       PowerNames,
	// A volume names the claim, and with it the namespace, that holds it.
	{"", "persistentvolumes"}: PowerNames,
	{"", "nodes/log"}:         PowerRead,
	{"", "nodes/pods"}:        PowerRead,
	{"", "nodes/proxy"}:       PowerRead,

	// What is impersonated or signed for isn't there to be read.
	{"", "users"}:                           PowerNone,
	{"", "groups"}:                          PowerNone,
	{"authentication.k8s.io", "users"}:      PowerNone,
	{"authentication.k8s.io", "groups"}:     PowerNone,
	{"authentication.k8s.io", "nodes"}:      PowerNone,
	{"authentication.k8s.io", "uids"}:       PowerNone,
	{"authentication.k8s.io", "userextras"}: PowerNone,
	{"certificates.k8s.io", "signers"}:      PowerNone,

	{"admissionregistration.k8s.io", "mutatingadmissionpolicies"}:         PowerNone,
	{"admissionregistration.k8s.io", "mutatingadmissionpolicybindings"}:   PowerNone,
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations"}:     PowerNone,
	{"admissionregistration.k8s.io", "validatingadmissionpolicies"}:       PowerNone,
	{"admissionregistration.k8s.io", "validatingadmissionpolicybindings"}: PowerNone,
	{"admissionregistration.k8s.io", "validatingwebhookconfigurations"}:   PowerNone,
	{"apiextensions.k8s.io", "customresourcedefinitions"}:                 PowerNone,
	{"apiregistration.k8s.io", "apiservices"}:                             PowerNone,
	{"certificates.k8s.io", "certificatesigningrequests"}:                 PowerNone,
	{"certificates.k8s.io", "clustertrustbundles"}:                        PowerNone,
	{"flowcontrol.apiserver.k8s.io", "flowschemas"}:                       PowerNone,
	{"flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"}:       PowerNone,
	{"gateway.networking.k8s.io", "gatewayclasses"}:                       PowerNone,
	{"metrics.k8s.io", "nodes"}:                                           PowerNone,
	{"networking.k8s.io", "ingressclasses"}:                               PowerNone,
	{"networking.k8s.io", "ipaddresses"}:                                  PowerNames,
	{"networking.k8s.io", "servicecidrs"}:                                 PowerNone,
	{"node.k8s.io", "runtimeclasses"}:                                     PowerNone,
	{"rbac.authorization.k8s.io", "clusterroles"}:                         PowerNone,
	{"rbac.authorization.k8s.io", "clusterrolebindings"}:                  PowerRead,
	{"resource.k8s.io", "deviceclasses"}:                                  PowerNone,
	{"resource.k8s.io", "resourceslices"}:                                 PowerNone,
	{"scheduling.k8s.io", "priorityclasses"}:                              PowerNone,
	{"snapshot.storage.k8s.io", "volumesnapshotclasses"}:                  PowerNone,
	{"storage.k8s.io", "csidrivers"}:                                      PowerNone,
	{"storage.k8s.io", "csinodes"}:                                        PowerNone,
	{"storage.k8s.io", "storageclasses"}:                                  PowerNone,
	{"storage.k8s.io", "volumeattachments"}:                               PowerNames,
	{"storage.k8s.io", "volumeattributesclasses"}:                         PowerNone,
	{"tenancy.bulkhead.dev", "tenants"}:                                   PowerRead,
	{"tenancy.bulkhead.dev", "tenantclasses"}:                             PowerNone,
}

// accessOwnNames are resources of which a rule with names is how someone gets to see their own: Bulkhead gives it to
// every member of a tenant, in the ClusterRoles bulkhead:tenant:*.
var accessOwnNames = map[accessResource]bool{
	{"", "namespaces"}:                  true,
	{"tenancy.bulkhead.dev", "tenants"}: true,
}
