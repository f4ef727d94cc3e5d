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

import "strings"

const binding = `tenant "acme", rule access: RoleBinding "`

// bound is a RoleBinding to the role "view".
func bound(name string, subjects ...string) string {
	return `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {` + name +
		`}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [` + strings.Join(subjects, ", ") + `]}`
}

func subject(kind, name string) string {
	return `{apiGroup: rbac.authorization.k8s.io, kind: ` + kind + `, name: "` + name + `"}`
}

func account(namespace, name string) string {
	return `{kind: ServiceAccount, namespace: "` + namespace + `", name: ` + name + `}`
}

// role is a Role with one rule.
func role(name, resources string, verbs string) string {
	return `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: ` + name + `}, rules: [{apiGroups: [""], resources: [` +
		resources + `], verbs: [` + verbs + `]}]}`
}

// accessBindings are attempts to let others in.
func accessBindings() table {
	const everybody = "everybody who is logged in, or isn't, gets into the tenant"
	const neighbour = "another tenant's workload gets into the tenant"
	all := table{
		"access: everybody is bound": create(everybody, alice, bindings, bound("name: stranger", subject("Group", "system:authenticated")),
			binding+`stranger" must not have the subject Group "system:authenticated": allowed are your users and groups, and service accounts of namespace acme-prod, acme-dev; others become members by spec.members of Tenant "acme"`),
		"access: among harmless subjects": create(everybody, alice, bindings, bound("name: stranger", subject("User", "carol"), subject("Group", "devs"), subject("Group", "system:authenticated")),
			`must not have the subject Group "system:authenticated"`),
		"access: with a generated name": create(everybody, alice, bindings, bound("generateName: stranger-", subject("Group", "system:authenticated")), `rule access`),
		"access: by apply":              force(everybody, alice, bindings+"/stranger", bound("name: stranger", subject("Group", "system:authenticated")), `rule access`),
		"access: by apply of a member":  force(everybody, pipeline, bindings+"/stranger", bound("name: stranger", subject("Group", "system:authenticated")), `rule access`),
		"access: as a dry run":          create("a dry run says that something would work that doesn't", alice, bindings+"?dryRun=All", bound("name: stranger", subject("Group", "system:authenticated")), `rule access`),
		"access: added to a binding of one's own": patch(everybody, alice, bindings+"/own", `[{"op":"add","path":"/subjects/-","value":`+
			`{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}}]`, binding+`own"`).
			with(bindings+"/own", bound("name: own", subject("User", "carol"))),
		"access: outsider binds everybody":      create(everybody, oscar, bindings, bound("name: stranger", subject("Group", "system:authenticated")), `rule access`),
		"access: cluster admin binds everybody": create(everybody, paula, bindings, bound("name: stranger", subject("Group", "system:authenticated")), `rule access`),
		"access: editor binds somebody":         create("editors hand on what they have", erin, bindings, bound("name: stranger", subject("User", "carol")), `cannot create resource`),
		"access: viewer binds somebody":         create("viewers hand on what they have", victor, bindings, bound("name: stranger", subject("User", "carol")), `cannot create resource`),
		"access: cluster-admin is bound": create("more than one has oneself", alice, bindings, strings.Replace(bound("name: stranger", subject("User", "alice")), "name: view", "name: cluster-admin", 1),
			`attempting to grant RBAC permissions not currently held`),
		"access: a RoleBinding that grows a bad subject beside one": patch(neighbour, alice, bindings+"/mixed",
			`[{"op":"add","path":"/subjects/-","value":{"kind":"ServiceAccount","namespace":"beta-prod","name":"default"}}]`, `ServiceAccount "beta-prod/default"`).
			with(bindings+"/mixed", bound("name: mixed", account("commons", "old"))),
		"access: a bad subject stays while another is added": patch("what was there before can't be worked with", alice, bindings+"/mixed-b",
			`[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"carol"}}]`, "").
			with(bindings+"/mixed-b", bound("name: mixed-b", account("commons", "old"))),
		"access: a bad subject is taken away": patch("what was there before can't be put right", alice, bindings+"/mixed-c", `[{"op":"remove","path":"/subjects/0"}]`, "").
			with(bindings+"/mixed-c", bound("name: mixed-c", account("commons", "old"), account("commons", "older"))),
		"access: a binding of one's own is deleted": remove("self-service", alice, bindings+"/gone", "").with(bindings+"/gone", bound("name: gone", subject("User", "carol"))),
		"access: break-glass binds everybody": force("nobody could help in an emergency", brook, bindings+"/emergency",
			bound("name: emergency", subject("Group", "system:authenticated")), ""),
		"access: where no tenant is": force("the rest of the cluster", paula, "/apis/rbac.authorization.k8s.io/v1/namespaces/commons/rolebindings/open",
			bound("name: open", subject("Group", "system:authenticated")), ""),
	}
	for _, s := range []string{
		subject("Group", "system:unauthenticated"), subject("Group", "system:serviceaccounts"), subject("User", "system:anonymous"),
		subject("Group", "system:nodes"), subject("User", "system:kube-scheduler"), subject("Group", "system:masters"),
	} {
		all["access: bound is "+s] = create(everybody, alice, bindings, bound("name: stranger", s), `rule access`)
	}
	for _, s := range []string{
		account("beta-prod", "default"), account("kube-system", "default"), account("commons", "default"), account("acme-pro", "default"),
		subject("Group", "system:serviceaccounts:beta-prod"), subject("User", "system:serviceaccount:beta-prod:default"),
		subject("User", "system:serviceaccount:acme-prod2:default"), subject("Group", "system:serviceaccounts:"), subject("User", "system:serviceaccount::x"),
	} {
		all["access: bound is the foreign "+s] = create(neighbour, alice, bindings, bound("name: stranger", s), `rule access`)
	}
	for name, s := range map[string]string{
		"a-user": subject("User", "carol"), "a-group": subject("Group", "acme:developers"), "an-account": account("acme-prod", "builder"),
		"an-account-as-a-user": subject("User", "system:serviceaccount:acme-prod:builder"), "all-accounts": subject("Group", "system:serviceaccounts:acme-prod"),
	} {
		all["access: admin binds "+name] = force("self-service", alice, bindings+"/"+name, bound("name: "+name, s), "")
	}
	return all
}

// accessRoles are attempts on what roles say.
func accessRoles() table {
	const threat = "a role is the way to every other role"
	refused := `tenant "acme", rule access: Role "`
	return table{
		"access: a Role that impersonates": create(threat, alice, roleAPI, role("worse", "serviceaccounts", "impersonate"),
			refused+`worse" must not have the verb "impersonate" on serviceaccounts`),
		"access: editors' impersonation, handed on by apply": force(threat, pipeline, roleAPI+"/worse", role("worse", "serviceaccounts", "get, impersonate"), refused),
		"access: outsider's Role that binds":                 create(threat, oscar, roleAPI, role("worse", "roles", "bind"), refused+`worse" must not have the verb "bind"`),
		"access: outsider's Role that escalates":             create(threat, oscar, roleAPI, role("worse", "roles", "escalate"), refused),
		"access: outsider's Role of everything":              create(threat, oscar, roleAPI, role("worse", "'*'", "'*'"), refused+`worse" must not have the verb "*"`),
		"access: admin's Role of everything":                 create(threat, alice, roleAPI, role("worse", "'*'", "'*'"), `is forbidden`),
		"access: a Role grows impersonation": patch(threat, alice, roleAPI+"/grown",
			`[{"op":"add","path":"/rules/0/verbs/-","value":"impersonate"}]`, refused+`grown"`).
			with(roleAPI+"/grown", role("grown", "serviceaccounts", "get")),
		"access: editor's Role":       create("editors hand on what they have", erin, roleAPI, role("worse", "pods", "get"), `cannot create resource`),
		"access: a Role of nodes":     create("more than one has oneself", alice, roleAPI, role("worse", "nodes", "get"), `attempting to grant RBAC permissions not currently held`),
		"access: a Role of one's own": force("self-service", alice, roleAPI+"/reader", role("reader", "configmaps", "get, list, watch"), ""),
		"access: an old Role is kept while another rule is added": patch("what was there before can't be worked with", alice, roleAPI+"/old",
			`[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}}]`, "").
			with(roleAPI+"/old", role("old", "serviceaccounts", "impersonate")),
		"access: a Role of one's own is deleted": remove("self-service", alice, roleAPI+"/gone", "").with(roleAPI+"/gone", role("gone", "pods", "get")),
	}
}
