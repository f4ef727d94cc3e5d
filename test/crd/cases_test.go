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

package crd

const (
	rulesName      = ".spec.namespaces[].name: is reserved: a tenant's namespace must not be 'default', 'bulkhead-system' or start with 'kube-'"
	rulesLabel     = ".spec.namespaces[].labels: must not have a guarded key"
	rulesAnnot     = ".spec.namespaces[].annotations: must not have a guarded key"
	rulesMember    = ".spec.members[]: must set exactly one of role (Admin, Edit, View) and clusterRoleName"
	rulesKind      = ".spec.members[].subjects[]: must be User, Group or ServiceAccount"
	rulesNamespace = ".spec.members[].subjects[]: must be set for a ServiceAccount, and only for one"
	rulesAPIGroup  = ".spec.members[].subjects[]: must be rbac.authorization.k8s.io for a User or Group, and unset for a ServiceAccount"
	rulesSubject   = ".spec.members[].subjects[]: must not be empty"

	rulesIgnore = ".spec.drift.ignore[]: carries security"

	rulesOpening = ".network.allow[].name: is taken: an opening must not be named boundary, dns, api-server or ingress"
	rulesPeer    = ".network.allow[].peers[]: must say exactly one of tenant, namespaces and cidr"
	rulesPods    = ".network.allow[].peers[]: must be set beside namespaces only"
	rulesExcept  = ".network.allow[].peers[]: must be set beside cidr only"
	rulesEndPort = ".network.allow[].ports[]: must not be less than port, and needs port"
	rulesDefault = ".limits[]: must be set for type Container only"
	rulesStorage = ".limits[]: min or max must set storage for type PersistentVolumeClaim"
)

// nameRules are the rules on the names of objects, by kind.
var nameRules = map[string]string{
	"Tenant":      "tenants : metadata.name must be a DNS label: at most 63 of a-z, 0-9 and '-', because it becomes the value of a label",
	"TenantClass": "tenantclasses : metadata.name must be a DNS label: at most 63 of a-z, 0-9 and '-', because className must be able to name it",
}

var tenantRefusals = map[string]refusal{
	"reserved namespace default": {
		spec: `namespaces: [{name: a}, {name: default}]`,
		rule: rulesName, at: "spec.namespaces[1].name",
		want: `Invalid value: "default": is reserved: a tenant`,
	},
	"reserved namespace bulkhead-system": {
		spec: `namespaces: [{name: a}, {name: bulkhead-system}]`,
		rule: rulesName, at: "spec.namespaces[1].name",
		want: `Invalid value: "bulkhead-system": is reserved: a tenant`,
	},
	"reserved namespace kube-system": {
		spec: `namespaces: [{name: a}, {name: kube-system}]`,
		rule: rulesName, at: "spec.namespaces[1].name",
		want: `Invalid value: "kube-system": is reserved: a tenant`,
	},
	"reserved namespace kube-x": {
		spec: `namespaces: [{name: a}, {name: kube-x}]`,
		rule: rulesName, at: "spec.namespaces[1].name",
		want: `Invalid value: "kube-x": is reserved: a tenant`,
	},
	"guarded label pod-security.kubernetes.io/enforce": {
		spec: `namespaces: [{name: a, labels: {team: a, pod-security.kubernetes.io/enforce: x}}]`,
		rule: rulesLabel, at: "spec.namespaces[0].labels",
		want: `must not have the guarded key pod-security.kubernetes.io/enforce: labels of pod-security.kubernetes.io/* are set through podSecurity`,
	},
	"guarded label tenancy.bulkhead.dev/tenant": {
		spec: `namespaces: [{name: a, labels: {team: a, tenancy.bulkhead.dev/tenant: x}}]`,
		rule: rulesLabel, at: "spec.namespaces[0].labels",
		want: `must not have the guarded key tenancy.bulkhead.dev/tenant: labels of pod-security.kubernetes.io/* are set through podSecurity`,
	},
	"guarded label guard.bulkhead.dev/images": {
		spec: `namespaces: [{name: a, labels: {team: a, guard.bulkhead.dev/images: x}}]`,
		rule: rulesLabel, at: "spec.namespaces[0].labels",
		want: `must not have the guarded key guard.bulkhead.dev/images: labels of pod-security.kubernetes.io/* are set through podSecurity`,
	},
	"guarded label resource.kubernetes.io/admin-access": {
		spec: `namespaces: [{name: a, labels: {team: a, resource.kubernetes.io/admin-access: x}}]`,
		rule: rulesLabel, at: "spec.namespaces[0].labels",
		want: `must not have the guarded key resource.kubernetes.io/admin-access: labels of pod-security.kubernetes.io/* are set through podSecurity`,
	},
	"guarded label kubernetes.io/metadata.name": {
		spec: `namespaces: [{name: a, labels: {team: a, kubernetes.io/metadata.name: x}}]`,
		rule: rulesLabel, at: "spec.namespaces[0].labels",
		want: `must not have the guarded key kubernetes.io/metadata.name: labels of pod-security.kubernetes.io/* are set through podSecurity`,
	},
	"guarded label app.kubernetes.io/managed-by": {
		spec: `namespaces: [{name: a, labels: {team: a, app.kubernetes.io/managed-by: x}}]`,
		rule: rulesLabel, at: "spec.namespaces[0].labels",
		want: `must not have the guarded key app.kubernetes.io/managed-by: labels of pod-security.kubernetes.io/* are set through podSecurity`,
	},
	"guarded annotation tenancy.bulkhead.dev/intent": {
		spec: `namespaces: [{name: a, annotations: {team: a, tenancy.bulkhead.dev/intent: x}}]`,
		rule: rulesAnnot, at: "spec.namespaces[0].annotations",
		want: `must not have the guarded key tenancy.bulkhead.dev/intent: `,
	},
	"guarded annotation guard.bulkhead.dev/images": {
		spec: `namespaces: [{name: a, annotations: {team: a, guard.bulkhead.dev/images: x}}]`,
		rule: rulesAnnot, at: "spec.namespaces[0].annotations",
		want: `must not have the guarded key guard.bulkhead.dev/images: `,
	},
	"guarded annotation scheduler.alpha.kubernetes.io/node-selector": {
		spec: `namespaces: [{name: a, annotations: {team: a, scheduler.alpha.kubernetes.io/node-selector: x}}]`,
		rule: rulesAnnot, at: "spec.namespaces[0].annotations",
		want: `must not have the guarded key scheduler.alpha.kubernetes.io/node-selector: `,
	},
	"a rule that ignores what carries security": {
		spec: `drift: {ignore: [{kind: RoleBinding, path: subjects, reason: r, notAfter: "2030-01-01T00:00:00Z"}]}`,
		rule: rulesIgnore, at: "spec.drift.ignore[0]",
		want: `must set securityPaths: Ignore, because subjects of RoleBinding carries security`,
	},
	"a rule that says that it doesn't": {
		spec: `drift: {ignore: [{kind: NetworkPolicy, path: spec, reason: r, notAfter: "2030-01-01T00:00:00Z", securityPaths: Refuse}]}`,
		rule: rulesIgnore, at: "spec.drift.ignore[0]",
		want: `must set securityPaths: Ignore, because spec of NetworkPolicy carries security`,
	},
	"both roles": {
		spec: `members: [{name: m, role: View, clusterRoleName: x, subjects: [{kind: User, name: jane}]}]`,
		rule: rulesMember, at: "spec.members[0]",
	},
	"no role": {
		spec: `members: [{name: m, subjects: [{kind: User, name: jane}]}]`,
		rule: rulesMember, at: "spec.members[0]",
	},
	"kind of subject": {
		spec: `members: [{name: m, role: View, subjects: [{kind: Robot, name: r2}]}]`,
		rule: rulesKind, at: "spec.members[0].subjects[0].kind",
		want: `must be User, Group or ServiceAccount, not Robot`,
	},
	"service account without namespace": {
		spec: `members: [{name: m, role: View, subjects: [{kind: ServiceAccount, name: a}]}]`,
		rule: rulesNamespace, at: "spec.members[0].subjects[0].namespace",
	},
	"service account with an empty namespace": {
		spec: `members: [{name: m, role: View, subjects: [{kind: ServiceAccount, name: a, namespace: ""}]}]`,
		rule: rulesNamespace, at: "spec.members[0].subjects[0].namespace",
	},
	"user with a namespace": {
		spec: `members: [{name: m, role: View, subjects: [{kind: User, name: a, namespace: b}]}]`,
		rule: rulesNamespace, at: "spec.members[0].subjects[0].namespace",
	},
	"group with a namespace": {
		spec: `members: [{name: m, role: View, subjects: [{kind: Group, name: a, namespace: b}]}]`,
		rule: rulesNamespace, at: "spec.members[0].subjects[0].namespace",
	},
	"group of another API group": {
		spec: `members: [{name: m, role: View, subjects: [{kind: Group, name: a, apiGroup: apps}]}]`,
		rule: rulesAPIGroup, at: "spec.members[0].subjects[0].apiGroup",
		want: `and unset for a ServiceAccount, not apps`,
	},
	"user of the core API group": {
		spec: `members: [{name: m, role: View, subjects: [{kind: User, name: a, apiGroup: ""}]}]`,
		rule: rulesAPIGroup, at: "spec.members[0].subjects[0].apiGroup",
	},
	"service account with an API group": {
		spec: `members: [{name: m, role: View, subjects: [{kind: ServiceAccount, name: a, namespace: b, apiGroup: rbac.authorization.k8s.io}]}]`,
		rule: rulesAPIGroup, at: "spec.members[0].subjects[0].apiGroup",
		want: `not rbac.authorization.k8s.io`,
	},
	"subject without a name": {
		spec: `members: [{name: m, role: View, subjects: [{kind: User, name: ""}]}]`,
		rule: rulesSubject, at: "spec.members[0].subjects[0].name",
	},
}

var policyRefusals = map[string]refusal{
	"opening named boundary": {
		spec: `network: {allow: [{name: boundary, direction: Ingress, peers: [{tenant: b}]}]}`,
		rule: rulesOpening, at: "network.allow[0].name",
		want: `Invalid value: "boundary": is taken: an opening must not be named boundary, dns, api-server or ingress`,
	},
	"opening named dns": {
		spec: `network: {allow: [{name: dns, direction: Ingress, peers: [{tenant: b}]}]}`,
		rule: rulesOpening, at: "network.allow[0].name",
		want: `Invalid value: "dns": is taken: an opening must not be named boundary, dns, api-server or ingress`,
	},
	"opening named api-server": {
		spec: `network: {allow: [{name: api-server, direction: Ingress, peers: [{tenant: b}]}]}`,
		rule: rulesOpening, at: "network.allow[0].name",
		want: `Invalid value: "api-server": is taken: an opening must not be named boundary, dns, api-server or ingress`,
	},
	"opening named ingress": {
		spec: `network: {allow: [{name: ingress, direction: Ingress, peers: [{tenant: b}]}]}`,
		rule: rulesOpening, at: "network.allow[0].name",
		want: `Invalid value: "ingress": is taken: an opening must not be named boundary, dns, api-server or ingress`,
	},
	"peer of nothing": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{}]}]}`,
		rule: rulesPeer, at: "network.allow[0].peers[0]",
	},
	"peer with tenant and cidr": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b, cidr: 10.0.0.0/8}]}]}`,
		rule: rulesPeer, at: "network.allow[0].peers[0]",
	},
	"peer with tenant and namespaces": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b, namespaces: {}}]}]}`,
		rule: rulesPeer, at: "network.allow[0].peers[0]",
	},
	"peer with namespaces and cidr": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{namespaces: {}, cidr: 10.0.0.0/8}]}]}`,
		rule: rulesPeer, at: "network.allow[0].peers[0]",
	},
	"peer with all": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b, namespaces: {}, cidr: 10.0.0.0/8}]}]}`,
		rule: rulesPeer, at: "network.allow[0].peers[0]",
	},
	"pods beside tenant": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b, pods: {}}]}]}`,
		rule: rulesPods, at: "network.allow[0].peers[0].pods",
	},
	"pods beside cidr": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: 10.0.0.0/8, pods: {}}]}]}`,
		rule: rulesPods, at: "network.allow[0].peers[0].pods",
	},
	"except beside namespaces": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{namespaces: {}, except: [10.0.0.0/8]}]}]}`,
		rule: rulesExcept, at: "network.allow[0].peers[0].except",
	},
	"except beside tenant": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b, except: [10.0.0.0/8]}]}]}`,
		rule: rulesExcept, at: "network.allow[0].peers[0].except",
	},
	"endPort less than port": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b}], ports: [{port: 80, endPort: 79}]}]}`,
		rule: rulesEndPort, at: "network.allow[0].ports[0].endPort",
	},
	"endPort without port": {
		spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b}], ports: [{protocol: UDP, endPort: 79}]}]}`,
		rule: rulesEndPort, at: "network.allow[0].ports[0].endPort",
	},
	"default for type Pod": {
		spec: `limits: [{type: Pod, max: {storage: 1Gi}, default: {storage: 1Gi}}]`,
		rule: rulesDefault, at: "limits[0].default",
	},
	"defaultRequest for type Pod": {
		spec: `limits: [{type: Pod, max: {storage: 1Gi}, defaultRequest: {storage: 1Gi}}]`,
		rule: rulesDefault, at: "limits[0].defaultRequest",
	},
	"default for type PersistentVolumeClaim": {
		spec: `limits: [{type: PersistentVolumeClaim, max: {storage: 1Gi}, default: {storage: 1Gi}}]`,
		rule: rulesDefault, at: "limits[0].default",
	},
	"defaultRequest for type PersistentVolumeClaim": {
		spec: `limits: [{type: PersistentVolumeClaim, max: {storage: 1Gi}, defaultRequest: {storage: 1Gi}}]`,
		rule: rulesDefault, at: "limits[0].defaultRequest",
	},
	"claim without storage": {
		spec: `limits: [{type: PersistentVolumeClaim, max: {cpu: 1}, min: {cpu: 1}}]`,
		rule: rulesStorage, at: "limits[0]",
	},
	"claim without anything": {
		spec: `limits: [{type: PersistentVolumeClaim}]`,
		rule: rulesStorage, at: "limits[0]",
	},
	"negative max": {
		spec: `limits: [{type: Container, max: {cpu: 1, memory: -1Gi}}]`,
		rule: ".limits[].max: must not be negative", at: "limits[0].max",
		want: `the quantity of memory must not be negative`,
	},
	"negative min": {
		spec: `limits: [{type: Container, min: {cpu: 1, memory: -1Gi}}]`,
		rule: ".limits[].min: must not be negative", at: "limits[0].min",
		want: `the quantity of memory must not be negative`,
	},
	"negative default": {
		spec: `limits: [{type: Container, default: {cpu: 1, memory: -1Gi}}]`,
		rule: ".limits[].default: must not be negative", at: "limits[0].default",
		want: `the quantity of memory must not be negative`,
	},
	"negative defaultRequest": {
		spec: `limits: [{type: Container, defaultRequest: {cpu: 1, memory: -1Gi}}]`,
		rule: ".limits[].defaultRequest: must not be negative", at: "limits[0].defaultRequest",
		want: `the quantity of memory must not be negative`,
	},
	"negative maxLimitRequestRatio": {
		spec: `limits: [{type: Container, maxLimitRequestRatio: {cpu: 1, memory: -1Gi}}]`,
		rule: ".limits[].maxLimitRequestRatio: must not be negative", at: "limits[0].maxLimitRequestRatio",
		want: `the quantity of memory must not be negative`,
	},
	"negative quota as a number": {
		spec: `quota: {perNamespace: {requests.cpu: 1, pods: -1}}`,
		rule: ".quota.perNamespace: must not be negative", at: "quota.perNamespace",
		want: `the quantity of pods must not be negative`,
	},
	"negative quota as a text": {
		spec: `quota: {perNamespace: {requests.cpu: 1, pods: "-1"}}`,
		rule: ".quota.perNamespace: must not be negative", at: "quota.perNamespace",
		want: `the quantity of pods must not be negative`,
	},
	"negative quota as a fraction": {
		spec: `quota: {perNamespace: {requests.cpu: 1, pods: -500m}}`,
		rule: ".quota.perNamespace: must not be negative", at: "quota.perNamespace",
		want: `the quantity of pods must not be negative`,
	},
}

// Formats and patterns with more to them than TestSchema's one refused value. These are no rules: what they want is in
// the case, whole.
var patternRefusals = map[string]refusal{
	"cidr, mask of IPv4":      {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "10.0.0.0/33"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "10.0.0.0/33"`},
	"except, mask of IPv4":    {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::/0", except: ["10.0.0.0/33"]}]}]}`, at: "network.allow[0].peers[0].except[0]", want: `Invalid value: "10.0.0.0/33"`},
	"cidr, mask of IPv6":      {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "2001:db8::/129"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "2001:db8::/129"`},
	"except, mask of IPv6":    {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::/0", except: ["2001:db8::/129"]}]}]}`, at: "network.allow[0].peers[0].except[0]", want: `Invalid value: "2001:db8::/129"`},
	"cidr, address alone":     {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "10.0.0.1"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "10.0.0.1"`},
	"except, address alone":   {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::/0", except: ["10.0.0.1"]}]}]}`, at: "network.allow[0].peers[0].except[0]", want: `Invalid value: "10.0.0.1"`},
	"cidr, octet":             {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "10.0.0.256/32"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "10.0.0.256/32"`},
	"except, octet":           {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::/0", except: ["10.0.0.256/32"]}]}]}`, at: "network.allow[0].peers[0].except[0]", want: `Invalid value: "10.0.0.256/32"`},
	"cidr, leading zero":      {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "010.0.0.0/8"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "010.0.0.0/8"`},
	"except, leading zero":    {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::/0", except: ["010.0.0.0/8"]}]}]}`, at: "network.allow[0].peers[0].except[0]", want: `Invalid value: "010.0.0.0/8"`},
	"cidr, IPv4 in IPv6":      {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::ffff:10.0.0.0/104"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "::ffff:10.0.0.0/104"`},
	"cidr, host name":         {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "example.com/8"}]}]}`, at: "network.allow[0].peers[0].cidr", want: `Invalid value: "example.com/8"`},
	"except, host name":       {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{cidr: "::/0", except: ["example.com/8"]}]}]}`, at: "network.allow[0].peers[0].except[0]", want: `Invalid value: "example.com/8"`},
	"opening, upper case":     {spec: `network: {allow: [{name: "Prod", direction: Ingress, peers: [{tenant: b}]}]}`, at: "network.allow[0].name", want: `Invalid value: "Prod"`},
	"peer tenant, upper case": {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: "Prod"}]}]}`, at: "network.allow[0].peers[0].tenant", want: `Invalid value: "Prod"`},
	"opening, dot":            {spec: `network: {allow: [{name: "a.b", direction: Ingress, peers: [{tenant: b}]}]}`, at: "network.allow[0].name", want: `Invalid value: "a.b"`},
	"peer tenant, dot":        {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: "a.b"}]}]}`, at: "network.allow[0].peers[0].tenant", want: `Invalid value: "a.b"`},
	"opening, dash first":     {spec: `network: {allow: [{name: "-a", direction: Ingress, peers: [{tenant: b}]}]}`, at: "network.allow[0].name", want: `Invalid value: "-a"`},
	"peer tenant, dash first": {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: "-a"}]}]}`, at: "network.allow[0].peers[0].tenant", want: `Invalid value: "-a"`},
	"opening, dash last":      {spec: `network: {allow: [{name: "a-", direction: Ingress, peers: [{tenant: b}]}]}`, at: "network.allow[0].name", want: `Invalid value: "a-"`},
	"peer tenant, dash last":  {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: "a-"}]}]}`, at: "network.allow[0].peers[0].tenant", want: `Invalid value: "a-"`},
	"opening, underscore":     {spec: `network: {allow: [{name: "a_b", direction: Ingress, peers: [{tenant: b}]}]}`, at: "network.allow[0].name", want: `Invalid value: "a_b"`},
	"peer tenant, underscore": {spec: `network: {allow: [{name: a, direction: Ingress, peers: [{tenant: "a_b"}]}]}`, at: "network.allow[0].peers[0].tenant", want: `Invalid value: "a_b"`},
	"version 1.34":            {spec: `podSecurity: {version: "1.34"}`, at: "podSecurity.version", want: `Invalid value: "1.34"`},
	"version v1":              {spec: `podSecurity: {version: "v1"}`, at: "podSecurity.version", want: `Invalid value: "v1"`},
	"version v1.034":          {spec: `podSecurity: {version: "v1.034"}`, at: "podSecurity.version", want: `Invalid value: "v1.034"`},
	"version v2.0":            {spec: `podSecurity: {version: "v2.0"}`, at: "podSecurity.version", want: `Invalid value: "v2.0"`},
	"version Latest":          {spec: `podSecurity: {version: "Latest"}`, at: "podSecurity.version", want: `Invalid value: "Latest"`},
	"version v1.34.1":         {spec: `podSecurity: {version: "v1.34.1"}`, at: "podSecurity.version", want: `Invalid value: "v1.34.1"`},
	"quota lots":              {spec: `quota: {perNamespace: {pods: "lots"}}`, at: "quota.perNamespace.pods", want: `Invalid value: "lots"`},
	"limit lots":              {spec: `limits: [{type: Container, max: {cpu: "lots"}}]`, at: "limits[0].max.cpu", want: `Invalid value: "lots"`},
	"quota 1,5":               {spec: `quota: {perNamespace: {pods: "1,5"}}`, at: "quota.perNamespace.pods", want: `Invalid value: "1,5"`},
	"limit 1,5":               {spec: `limits: [{type: Container, max: {cpu: "1,5"}}]`, at: "limits[0].max.cpu", want: `Invalid value: "1,5"`},
	"quota 1 Gi":              {spec: `quota: {perNamespace: {pods: "1 Gi"}}`, at: "quota.perNamespace.pods", want: `Invalid value: "1 Gi"`},
	"limit 1 Gi":              {spec: `limits: [{type: Container, max: {cpu: "1 Gi"}}]`, at: "limits[0].max.cpu", want: `Invalid value: "1 Gi"`},
	"quota 4Mb":               {spec: `quota: {perNamespace: {pods: "4Mb"}}`, at: "quota.perNamespace.pods", want: `Invalid value: "4Mb"`},
	"limit 4Mb":               {spec: `limits: [{type: Container, max: {cpu: "4Mb"}}]`, at: "limits[0].max.cpu", want: `Invalid value: "4Mb"`},
	"quota --1":               {spec: `quota: {perNamespace: {pods: "--1"}}`, at: "quota.perNamespace.pods", want: `Invalid value: "--1"`},
	"limit --1":               {spec: `limits: [{type: Container, max: {cpu: "--1"}}]`, at: "limits[0].max.cpu", want: `Invalid value: "--1"`},
	"quota as a fraction":     {spec: `quota: {perNamespace: {pods: 1.5}}`, at: "quota.perNamespace.pods", want: `Invalid value: "number": `},
	"empty podSecurity":       {spec: `podSecurity: {}`, at: "podSecurity", want: `Invalid value: 0: `},
	"type of limit":           {spec: `limits: [{type: Node}]`, at: "limits[0].type", want: `Unsupported value: "Node"`},
	"type twice":              {spec: `limits: [{type: Pod}, {type: Pod}]`, at: "limits[1]", want: `Duplicate value: {"type":"Pod"}`},
}

var tenantsAccepted = map[string]string{
	"nothing":                       `{}`,
	"names that look reserved":      `namespaces: [{name: kubernetes}, {name: default-a}, {name: bulkhead-system-a}, {name: kube}]`,
	"labels that look guarded":      `namespaces: [{name: a, labels: {security.kubernetes.io/x: z, kubernetes.io/metadata.names: "", app.kubernetes.io/name: a}}]`,
	"annotations that look guarded": `namespaces: [{name: a, annotations: {pod-security.kubernetes.io/x: z, bulkhead.dev/x: z, resource.kubernetes.io/x: z}}]`,
	"role":                          `members: [{name: a, role: Edit, subjects: [{kind: User, name: a, apiGroup: rbac.authorization.k8s.io}]}]`,
	"cluster role":                  `members: [{name: a, clusterRoleName: "system:aggregate-to-view", subjects: [{kind: Group, name: "system:authenticated"}]}]`,
	"service account":               `members: [{name: a, role: View, subjects: [{kind: ServiceAccount, name: a, namespace: b}, {kind: ServiceAccount, apiGroup: "", name: b, namespace: b}]}]`,
	"ignoring what carries none":    `drift: {ignore: [{kind: ResourceQuota, path: spec.hard, reason: r, notAfter: "2030-01-01T00:00:00Z"}, {kind: NetworkPolicy, path: "metadata.labels[x]", reason: r, notAfter: "2030-01-01T00:00:00Z"}]}`,
	"ignoring what carries some":    `drift: {ignore: [{kind: NetworkPolicy, path: spec.egress, reason: r, notAfter: "2030-01-01T00:00:00Z", securityPaths: Ignore}]}`,
	"a pause":                       `drift: {mode: Enforce, observeUntil: "2030-01-01T00:00:00Z"}`,
	"longest names":                 `namespaces: [{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]`,
}

var policiesAccepted = map[string]string{
	"nothing":              `{}`,
	"empty network":        `network: {}`,
	"opening to tenant":    `network: {allow: [{name: dns-out, direction: Egress, peers: [{tenant: b}]}]}`,
	"every namespace":      `network: {allow: [{name: a, direction: Ingress, peers: [{namespaces: {}, pods: {}}]}]}`,
	"IPv4":                 `network: {allow: [{name: a, direction: Egress, peers: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.1/32]}]}]}`,
	"IPv6":                 `network: {allow: [{name: a, direction: Egress, peers: [{cidr: "::/0", except: ["fd00::/8", "2001:db8:1:2:3:4:5:6/128"]}]}]}`,
	"one port":             `network: {allow: [{name: a, direction: Egress, peers: [{tenant: b}], ports: [{port: 1}, {port: 65535}]}]}`,
	"protocol alone":       `network: {allow: [{name: a, direction: Egress, peers: [{tenant: b}], ports: [{protocol: SCTP}]}]}`,
	"range of ports":       `network: {allow: [{name: a, direction: Egress, peers: [{tenant: b}], ports: [{port: 1, endPort: 1}, {port: 1, endPort: 65535}]}]}`,
	"latest":               `podSecurity: {version: latest}`,
	"version":              `podSecurity: {version: v1.0}`,
	"quantities":           `quota: {perNamespace: {a: 0, b: "0", d: "1.5", e: 100m, f: 1e3, g: 1Ei, h: +1, i: ".5"}}`,
	"defaults":             `limits: [{type: Container, default: {cpu: 1}, defaultRequest: {cpu: 500m}, maxLimitRequestRatio: {cpu: 2}}]`,
	"pod":                  `limits: [{type: Pod, max: {cpu: 1}, min: {cpu: 100m}}]`,
	"claim with least":     `limits: [{type: PersistentVolumeClaim, min: {storage: 1Gi}}]`,
	"claim with most":      `limits: [{type: PersistentVolumeClaim, max: {storage: 1Ti}}]`,
	"container of nothing": `limits: [{type: Container}]`,
}
