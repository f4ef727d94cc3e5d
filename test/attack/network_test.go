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
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	// The namespaces of the tenants that have other walls than acme.
	openPolicies   = "/apis/networking.k8s.io/v1/namespaces/network-open/networkpolicies"
	walledPolicies = "/apis/networking.k8s.io/v1/namespaces/network-walled/networkpolicies"
	loosePolicies  = "/apis/networking.k8s.io/v1/namespaces/network-loose/networkpolicies"

	narrowed   = `tenant "acme", rule network-policies: NetworkPolicy "`
	everywhere = `{namespaceSelector: {}}`
	ownTenant  = `{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme}}}`
	clusterDNS = `{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}`
	dnsPorts   = `[{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]`
)

// networkTenants are further tenants that they need.
func networkTenants() []*v1alpha1.Tenant {
	owned := func(name string, options ...PolicyOption) *v1alpha1.Tenant {
		return MakeTenant(name).Namespaces(name).Policy(options...).Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj()
	}
	return []*v1alpha1.Tenant{
		owned("network-open",
			Allow(v1alpha1.Opening{Name: "in", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{{CIDR: "10.20.0.0/16"}, {CIDR: "2001:db8::/32"}, {Tenant: "beta"}}}),
			Allow(v1alpha1.Opening{Name: "out", Direction: v1alpha1.Egress, Peers: []v1alpha1.Peer{{CIDR: "192.0.2.0/24"}, {Tenant: "acme"}}}),
			Allow(v1alpha1.Opening{Name: "ports", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{{CIDR: "198.51.100.0/24"}}, Ports: []v1alpha1.Port{{Port: 443}}}),
			Allow(v1alpha1.Opening{Name: "hole", Direction: v1alpha1.Egress, Peers: []v1alpha1.Peer{{CIDR: "203.0.113.0/24", Except: []v1alpha1.CIDR{"203.0.113.128/25"}}}})),
		owned("network-walled", Boundary(v1alpha1.BoundaryNamespace), Network(func(n *v1alpha1.Network) { n.DNS = v1alpha1.DNSNone })),
		owned("network-loose", Boundary(v1alpha1.BoundaryCluster)),
	}
}

// netpol is a policy for the pods with app: web.
func netpol(metadata, rules string) string {
	return `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {` + metadata + `}, spec: {podSelector: {matchLabels: {app: web}}, ` + rules + `}}`
}

func letsIn(peers string) string     { return `ingress: [{from: [` + peers + `]}]` }
func connectsTo(peers string) string { return `egress: [{to: [` + peers + `]}]` }

// networkRules are attempts on what the room network guards.
func networkRules() table {
	return table{}.add(networkPeersRefused(), networkPeersAllowed(), networkRequests(), networkUpdates(), networkOpenings())
}

// networkPeersRefused are peers that reach beyond acme, in both directions.
func networkPeersRefused() table {
	const threat = "one policy of a tenant's own opens its pods to everybody, or its pods' way to everything"
	all := table{
		"network: ingress: no from": create(threat, alice, policies, netpol("name: open", `ingress: [{}]`), narrowed+
			`open" must not let in everybody (spec.ingress[0] has no "from": name them there): allowed are pods of this namespace (podSelector without namespaceSelector), `+
			`namespaces with the label tenancy.bulkhead.dev/tenant: acme; more is opened by spec.network.allow of Tenant "acme"`),
		"network: ingress: ports alone, as charts have it": create(threat, alice, policies, netpol("name: open", `ingress: [{ports: [{port: 8080}]}]`),
			narrowed+`open" must not let in everybody (spec.ingress[0] has no "from": name them there)`),
		"network: ingress: an empty from": create(threat, alice, policies, netpol("name: open", `ingress: [{from: [], ports: [{port: 8080}]}]`), `must not let in everybody (spec.ingress[0]`),
		"network: egress: no to":          create(threat, alice, policies, netpol("name: open", `policyTypes: [Egress], egress: [{}]`), narrowed+`open" must not connect to everybody (spec.egress[0] has no "to"`),
		"network: egress: DNS to anybody, as charts have it": create(threat, alice, policies, netpol("name: open", `egress: [{ports: `+dnsPorts+`}]`),
			`the DNS (kubernetes.io/metadata.name: kube-system, its pods and ports: k8s-app=kube-dns :53); more`),
		"network: egress: of a type that isn't named": create(threat, alice, policies, netpol("name: open", `policyTypes: [Ingress], egress: [{}]`), `must not connect to everybody`),
		"network: egress: all ports of the DNS":       create(threat, alice, policies, netpol("name: open", connectsTo(clusterDNS)), `must not connect to namespaces with kubernetes.io/metadata.name=kube-system`),
		"network: egress: another port of the DNS": create(threat, alice, policies, netpol("name: open", `egress: [{to: [`+clusterDNS+`], ports: [{port: 53}, {port: 10250}]}]`),
			`must not connect to namespaces with kubernetes.io/metadata.name=kube-system (spec.egress[0].to[0])`),
		"network: egress: all pods beside the DNS": create(threat, alice, policies, netpol("name: open", `egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: `+dnsPorts+`}]`),
			`must not connect to namespaces with kubernetes.io/metadata.name=kube-system`),
		"network: ingress: the DNS comes in": create(threat, alice, policies, netpol("name: open", `ingress: [{from: [`+clusterDNS+`], ports: `+dnsPorts+`}]`),
			`must not let in namespaces with kubernetes.io/metadata.name=kube-system`),
	}
	for name, peer := range map[string][2]string{
		"all namespaces":            {everywhere, "all namespaces"},
		"pods of all namespaces":    {`{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}`, "all namespaces"},
		"all but its own":           {`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [acme]}]}}`, "namespaces with tenancy.bulkhead.dev/tenant NotIn (acme)"},
		"all but another":           {`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [none]}]}}`, "namespaces with tenancy.bulkhead.dev/tenant NotIn (none)"},
		"all tenants":               {`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}}`, "namespaces with tenancy.bulkhead.dev/tenant Exists"},
		"those of no tenant":        {`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: DoesNotExist}]}}`, "namespaces with tenancy.bulkhead.dev/tenant DoesNotExist"},
		"its own and another":       {`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme, beta]}]}}`, "namespaces with tenancy.bulkhead.dev/tenant In (acme, beta)"},
		"a foreign tenant":          {`{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: beta}}}`, "namespaces with tenancy.bulkhead.dev/tenant=beta"},
		"a tenant of no name":       {`{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: ""}}}`, "namespaces with tenancy.bulkhead.dev/tenant="},
		"a foreign namespace":       {`{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: beta-prod}}}`, "namespaces with kubernetes.io/metadata.name=beta-prod"},
		"its namespace and another": {`{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [acme-prod, beta-prod]}]}}`, "namespaces with kubernetes.io/metadata.name In (acme-prod, beta-prod)"},
		"all but its namespace":     {`{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [acme-prod]}]}}`, "namespaces with kubernetes.io/metadata.name NotIn (acme-prod)"},
		"a label that anybody sets": {`{namespaceSelector: {matchLabels: {team: acme}}}`, "namespaces with team=acme"},
		"everything":                {`{ipBlock: {cidr: 0.0.0.0/0}}`, "the range 0.0.0.0/0"},
		"everything in IPv6":        {`{ipBlock: {cidr: "::/0"}}`, "the range ::/0"},
		"everything in two halves":  {`{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}`, "the range 0.0.0.0/1"},
		"everything but a little":   {`{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}`, "the range 0.0.0.0/0"},
		"one address":               {`{ipBlock: {cidr: 169.254.169.254/32}}`, "the range 169.254.169.254/32"},
	} {
		all["network: ingress: "+name] = create(threat, alice, policies, netpol("name: open", letsIn(`{podSelector: {}}, `+peer[0])), narrowed+`open" must not let in `+peer[1]+` (spec.ingress[0].from[1])`)
		all["network: egress: "+name] = create(threat, alice, policies, netpol("name: open", connectsTo(`{podSelector: {}}, `+peer[0])), narrowed+`open" must not connect to `+peer[1]+` (spec.egress[0].to[1])`)
	}
	for name, peer := range map[string]string{"IPv4 as IPv6": `{ipBlock: {cidr: "::ffff:0.0.0.0/96"}}`, "a range in more zeros": `{ipBlock: {cidr: 010.20.0.0/16}}`} {
		all["network: "+name] = create(threat, alice, openPolicies, netpol("name: open", letsIn(peer)), "").refusedAsInvalid().needing("StrictIPCIDRValidation")
	}
	return all
}

// networkPeersAllowed are the policies that tenants and their charts have every day.
func networkPeersAllowed() table {
	const threat = "tenants can't narrow, or charts can't be installed"
	all := table{
		"network: works: no spec at all":        create(threat, alice, policies, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: network-bare-$N}}`, ""),
		"network: works: with a generated name": create(threat, alice, policies, netpol("generateName: network-", letsIn(`{podSelector: {}}`)), ""),
		"network: works: as a dry run":          create(threat, alice, policies+"?dryRun=All", netpol("name: network-dry", letsIn(`{podSelector: {}}`)), ""),
		"network: works: break-glass":           force("nobody could help in an emergency", brook, policies+"/network-emergency", netpol("name: network-emergency", letsIn(everywhere)), ""),
		"network: works: where no tenant is":    force("the rest of the cluster", paula, "/apis/networking.k8s.io/v1/namespaces/commons/networkpolicies/open", netpol("name: open", letsIn(everywhere)), ""),
	}
	for name, rules := range map[string]string{
		"closed":         `policyTypes: [Ingress, Egress]`,
		"own-pods":       letsIn(`{podSelector: {matchLabels: {app: api}}}`) + `, ` + connectsTo(`{podSelector: {}}`),
		"own-namespace":  letsIn(`{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: acme-prod}}, podSelector: {matchLabels: {app: api}}}`),
		"own-name-in":    letsIn(`{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [acme-prod]}]}}`),
		"own-tenant":     letsIn(ownTenant) + `, ` + connectsTo(ownTenant),
		"own-tenant-in":  letsIn(`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme]}]}}`),
		"own-tenant-dev": letsIn(`{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme, kubernetes.io/metadata.name: acme-dev}}, podSelector: {matchLabels: {app: api}}}`),
		"dns":            `egress: [{to: [` + clusterDNS + `], ports: ` + dnsPorts + `}, {to: [{podSelector: {}}], ports: [{port: 5432}, {port: named}, {port: 8000, endPort: 9000}]}]`,
	} {
		all["network: works: "+name+" by the admin"] = force(threat, alice, policies+"/network-"+name, netpol("name: network-"+name, rules), "")
		all["network: works: "+name+" by a GitOps account"] = force(threat, pipeline, policies+"/network-sync-"+name, netpol("name: network-sync-"+name, rules), "")
	}
	return all
}

// networkRequests are the ways in which a policy comes, and who sends it.
func networkRequests() table {
	const threat = "what the admin can't do with kubectl create, somebody does in another way"
	open := netpol("name: open", letsIn(everywhere))
	all := table{
		"network: by apply":                     force(threat, alice, policies+"/open", open, narrowed+`open" must not let in all namespaces`),
		"network: with a generated name":        create(threat, alice, policies, netpol("generateName: open-", letsIn(everywhere)), narrowed+`open-`),
		"network: as a dry run":                 create("a dry run says that something would work that doesn't", alice, policies+"?dryRun=All", open, narrowed),
		"network: by an editor":                 create(threat, erin, policies, open, narrowed),
		"network: by a GitOps account":          force(threat, pipeline, policies+"/open", open, narrowed),
		"network: by an outsider":               create(threat, oscar, policies, open, narrowed),
		"network: by a cluster admin":           create(threat, paula, policies, open, narrowed),
		"network: by a viewer":                  create(threat, victor, policies, netpol("name: open", letsIn(`{podSelector: {}}`)), `cannot create resource`),
		"network: by the neighbour":             create(threat, bob, policies, netpol("name: open", letsIn(`{podSelector: {}}`)), `cannot create resource`),
		"network: with one label of Bulkhead's": create("what looks managed isn't looked at", alice, policies, netpol("name: open, labels: {app.kubernetes.io/managed-by: bulkhead}", letsIn(everywhere)), narrowed),
		"network: with both labels of Bulkhead's": create("what looks managed isn't looked at", alice, policies,
			netpol("name: open, labels: {app.kubernetes.io/managed-by: bulkhead, tenancy.bulkhead.dev/tenant: acme}", letsIn(everywhere)), mine),
		"network: works: its own is deleted": remove("tenants can't work", alice, policies+"/network-gone", "").with(policies+"/network-gone", netpol("name: network-gone", letsIn(everywhere))),
		"network: everything is deleted":     remove("the walls go with the tenant's own policies", alice, openPolicies, `tenant "network-open", rule managed-objects: NetworkPolicy "bulkhead-`),
		"network: works: all of its own are deleted": remove("tenants can't work", alice, openPolicies+"?labelSelector=gone%3Dyes", "").
			with(openPolicies+"/network-gone", netpol("name: network-gone, labels: {gone: \"yes\"}", letsIn(everywhere))),
	}
	return all
}

// networkUpdates are changes of policies that are there: of good ones, and of bad ones from before.
func networkUpdates() table {
	const threat = "a good policy becomes a bad one"
	const work = "what was there before can't be worked with, or put right"
	good := func(name string) (path, body string) {
		return policies + "/" + name, netpol("name: "+name, letsIn(`{podSelector: {}}`))
	}
	old := func(name string) (path, body string) {
		return policies + "/" + name, netpol("name: "+name, `policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}, {from: [`+everywhere+`]}, {from: [{podSelector: {}}]}], egress: [{}]`)
	}
	patched := func(threat, body, refused string, given func(string) (string, string), name string) attempt {
		path, object := given(name)
		if refused != "" {
			refused = narrowed + name + `" must not ` + refused
		}
		return patch(threat, alice, path, body, refused).with(path, object)
	}
	all := table{
		"network: update: a peer more": patched(threat, `[{"op":"add","path":"/spec/ingress/0/from/-","value":{"namespaceSelector":{}}}]`,
			`let in all namespaces (spec.ingress[0].from[1])`, good, "network-grown"),
		"network: update: a rule more": patched(threat, `[{"op":"add","path":"/spec/ingress/0","value":{"ports":[{"port":80}]}}]`, `let in everybody (spec.ingress[0]`, good, "network-ruled"),
		"network: update: the last peer goes": patched("a rule without peers is everybody", `[{"op":"remove","path":"/spec/ingress/0/from/0"}]`,
			`let in everybody`, good, "network-emptied"),
		"network: update: the peers go":         patched("a rule without peers is everybody", `[{"op":"remove","path":"/spec/ingress/0/from"}]`, `let in everybody`, good, "network-fromless"),
		"network: update: a peer's bounds go":   patched(threat, `[{"op":"replace","path":"/spec/ingress/0/from/0","value":{"podSelector":{},"namespaceSelector":{}}}]`, `let in all namespaces`, good, "network-unbound"),
		"network: update: the other way":        patched(threat, `{"spec":{"policyTypes":["Ingress","Egress"],"egress":[{}]}}`, `connect to everybody`, good, "network-way"),
		"network: update: an old one grows":     patched(threat, `[{"op":"add","path":"/spec/ingress/-","value":{}}]`, `let in everybody (spec.ingress[3]`, old, "network-old-grown"),
		"network: update: an old one widens":    patched(threat, `[{"op":"replace","path":"/spec/ingress/0/from/0/ipBlock/cidr","value":"0.0.0.0/0"}]`, `let in the range 0.0.0.0/0`, old, "network-old-wide"),
		"network: update: an old one for all":   patched(threat, `{"spec":{"podSelector":{"matchLabels":null}}}`, `let in the range 10.0.0.0/8`, old, "network-old-all"),
		"network: update: a type comes to life": patched(threat, `{"spec":{"policyTypes":["Ingress","Egress"]}}`, `connect to everybody (spec.egress[0]`, old, "network-old-type"),

		"network: works: an old one is labelled":  patched(work, `{"metadata":{"labels":{"a":"$N"},"annotations":{"b":"$N"},"finalizers":[]}}`, "", old, "network-old-meta"),
		"network: works: an old one gains good":   patched(work, `[{"op":"add","path":"/spec/ingress/-","value":{"from":[{"podSelector":{}}],"ports":[{"port":80}]}}]`, "", old, "network-old-good"),
		"network: works: one of two bad goes":     patched(work, `[{"op":"remove","path":"/spec/ingress/0"}]`, "", old, "network-old-one"),
		"network: works: an old one is put right": patched(work, `{"spec":{"ingress":[{"from":[{"podSelector":{}}]}],"egress":null}}`, "", old, "network-old-right"),
		"network: works: an old one of two types": patched(work, `{"spec":{"policyTypes":["Egress"]}}`, "", func(name string) (path, body string) {
			path, body = old(name)
			return path, strings.Replace(body, "policyTypes: [Ingress]", "policyTypes: [Ingress, Egress]", 1)
		}, "network-old-types"),
	}
	path, object := good("network-put")
	all["network: update: by PUT"] = replace(threat, alice, path, func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedSlice(u.Object, []any{map[string]any{}}, "spec", "ingress")
	}, narrowed+`network-put" must not let in everybody`).with(path, object)
	path, object = good("network-forced")
	all["network: update: by apply with force"] = force(threat, pipeline, path, netpol("name: network-forced", letsIn(everywhere)), narrowed+`network-forced"`).with(path, object)
	strategic := patched(threat, `{"spec":{"ingress":[{"from":[{"ipBlock":{"cidr":"0.0.0.0/0"}}]}]}}`, `let in the range 0.0.0.0/0`, good, "network-strategic")
	strategic.kind = "application/strategic-merge-patch+json"
	all["network: update: by strategic merge"] = strategic
	path, object = old("network-old-put")
	all["network: works: an old one is put as it is"] = attempt{threat: work, by: alice, method: http.MethodPut, path: path, kind: "application/json", change: annotated("a", "b")}.with(path, object)
	return all
}

// networkOpenings are policies in tenants whose walls are others than acme's.
func networkOpenings() table {
	const threat = "a tenant's own policies open more than its spec"
	const work = "what the Tenant opens can't be narrowed"
	open := func(rules, refused string) attempt {
		return create(threat, alice, openPolicies, netpol("name: open", rules), `tenant "network-open", rule network-policies: NetworkPolicy "open" must not `+refused)
	}
	tenant := func(name string) string {
		return `{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: ` + name + `}}}`
	}
	all := table{
		"network: openings: larger than the range":     open(letsIn(`{ipBlock: {cidr: 10.20.0.0/15}}`), `let in the range 10.20.0.0/15 (spec.ingress[0].from[0]): allowed are pods of this namespace (podSelector without namespaceSelector), namespaces with the label tenancy.bulkhead.dev/tenant: network-open or beta, ranges in 10.20.0.0/16, 2001:db8::/32; more is opened by spec.network.allow of Tenant "network-open"`),
		"network: openings: around the range":          open(letsIn(`{ipBlock: {cidr: 0.0.0.0/0, except: [0.0.0.0/5, 128.0.0.0/1]}}`), `let in the range 0.0.0.0/0`),
		"network: openings: the range the other way":   open(connectsTo(`{ipBlock: {cidr: 10.20.0.0/16}}`), `connect to the range 10.20.0.0/16`),
		"network: openings: the tenant the other way":  open(connectsTo(tenant("beta")), `connect to namespaces with tenancy.bulkhead.dev/tenant=beta`),
		"network: openings: one tenant of two":         open(letsIn(`{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [beta, acme]}]}}`), `let in namespaces with tenancy.bulkhead.dev/tenant In (beta, acme)`),
		"network: openings: all ports instead of one":  open(letsIn(`{ipBlock: {cidr: 198.51.100.0/24}}`), `let in the range 198.51.100.0/24`),
		"network: openings: what is left out of one":   open(connectsTo(`{ipBlock: {cidr: 203.0.113.128/25}}`), `connect to the range 203.0.113.128/25`),
		"network: openings: the tenant, but the wall":  create(threat, alice, walledPolicies, netpol("name: open", letsIn(tenant("network-walled"))), `tenant "network-walled", rule network-policies: NetworkPolicy "open" must not let in namespaces with tenancy.bulkhead.dev/tenant=network-walled (spec.ingress[0].from[0]): allowed are pods of this namespace (podSelector without namespaceSelector); more is opened by spec.network.boundary and spec.network.allow of Tenant "network-walled"`),
		"network: openings: DNS where there is none":   create(threat, alice, walledPolicies, netpol("name: open", `egress: [{to: [`+clusterDNS+`], ports: `+dnsPorts+`}]`), `rule network-policies: NetworkPolicy "open" must not connect to namespaces with kubernetes.io/metadata.name=kube-system`),
		"network: works: openings: the namespace":      force(work, alice, walledPolicies+"/own", netpol("name: own", letsIn(`{podSelector: {}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: network-walled}}}`)), ""),
		"network: works: openings: no wall":            force("boundary Cluster is no wall", alice, loosePolicies+"/own", netpol("name: own", `ingress: [{}], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]`), ""),
		"network: works: openings: ranges":             force(work, alice, openPolicies+"/ranges", netpol("name: ranges", letsIn(`{ipBlock: {cidr: 10.20.0.0/16}}, {ipBlock: {cidr: 10.20.30.0/24, except: [10.20.30.4/32]}}, {ipBlock: {cidr: "2001:db8:1::/48"}}`)), ""),
		"network: works: openings: ranges out":         force(work, alice, openPolicies+"/ranges-out", netpol("name: ranges-out", connectsTo(`{ipBlock: {cidr: 192.0.2.7/32}}`)), ""),
		"network: works: openings: tenants":            force(work, alice, openPolicies+"/tenants", netpol("name: tenants", letsIn(tenant("beta")+`, `+tenant("network-open"))), ""),
		"network: works: openings: tenants, narrower":  force(work, alice, openPolicies+"/tenants-in", netpol("name: tenants-in", letsIn(`{podSelector: {matchLabels: {app: x}}, namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [beta, network-open]}, {key: stage, operator: Exists}]}}`)), ""),
		"network: works: openings: tenants to connect": force(work, alice, openPolicies+"/tenants-out", netpol("name: tenants-out", connectsTo(tenant("acme"))), ""),
	}
	return all
}
