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
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	ingresses    = "/apis/networking.k8s.io/v1/namespaces/ingress-prod/ingresses"
	services     = namespaces + "/ingress-prod/services"
	gatewayAPI   = "/apis/gateway.networking.k8s.io/"
	routes       = gatewayAPI + "v1/namespaces/ingress-prod/httproutes"
	gateways     = gatewayAPI + "v1/namespaces/ingress-prod/gateways"
	grants       = gatewayAPI + "v1beta1/namespaces/ingress-prod/referencegrants"
	endpointAPI  = "/apis/discovery.k8s.io/v1/namespaces/acme-prod/endpointslices"
	acmeIngress  = "/apis/networking.k8s.io/v1/namespaces/acme-prod/ingresses"
	traffic      = "the traffic of another tenant ends here"
	neighbourPod = "pods of another tenant are reached through what they let in"

	ingressRefusal = `tenant "ingress", rule ingress: `
	ingressHosts   = `allowed are *.ingress.example.com, ingress.example.com; others are added to spec.ingress.hostnames of Tenant "ingress"`
)

// ingressTenants are further tenants that they need.
func ingressTenants() []*v1alpha1.Tenant {
	return []*v1alpha1.Tenant{
		MakeTenant("ingress").Namespaces("ingress-prod", "ingress-dev").
			Policy(func(p *v1alpha1.PolicyBlocks) {
				p.Ingress = &v1alpha1.IngressPolicy{
					ClassNames: []v1alpha1.ObjectName{"ingress-nginx", "ingress-internal"}, GatewayClassNames: []v1alpha1.ObjectName{"ingress-gateway"},
					Hostnames:    []v1alpha1.Hostname{"$(tenant).example.com", "*.$(tenant).example.com"},
					ServiceTypes: []v1alpha1.ServiceType{v1alpha1.ServiceClusterIP, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceExternalName},
				}
			}).
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Member("editors", v1alpha1.RoleEdit, User(erin.user)).Obj(),
		MakeTenant("ingress-none").Namespaces("ingress-closed").Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj(),
	}
}

// ingressRules are attempts on what the room ingress guards.
func ingressRules() table {
	return table{}.add(ingressHostnames(), ingressBehind(), ingressServices(), ingressAddresses(), ingressRoutes(), ingressGateways(), ingressClosed())
}

// anIngress is an Ingress of a class for hosts, with more in its metadata and spec.
func anIngress(name, class, annotations string, hosts ...string) string {
	var rules []string
	for _, host := range hosts {
		rules = append(rules, `{host: "`+host+`", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}`)
	}
	return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ` + name + `, annotations: {` + annotations + `}}, spec: {ingressClassName: ` + class +
		`, rules: [` + strings.Join(rules, ", ") + `]}}`
}

// another adds fields to the spec of an object that is written in one line.
func another(object, fields string) string {
	return strings.Replace(object, "spec: {", "spec: {"+fields+", ", 1)
}

func ingressHostnames() table {
	const mine = "www.ingress.example.com"
	refused := ingressRefusal + `Ingress "worse" must not `
	all := table{
		"ingress: a foreign class": create(traffic, alice, ingresses, anIngress("worse", "shared", "", mine),
			refused+`have the class "shared" (spec.ingressClassName): allowed are ingress-nginx, ingress-internal; others are added to spec.ingress.classNames of Tenant "ingress"`),
		"ingress: a foreign class by annotation": create(traffic, alice, ingresses, strings.Replace(anIngress("worse", "x", "kubernetes.io/ingress.class: shared", mine), "ingressClassName: x, ", "", 1),
			refused+`have the class "shared" (kubernetes.io/ingress.class)`),
		"ingress: another's host": create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", "", mine, "www.beta.example.com"),
			refused+`serve "www.beta.example.com" (spec.rules): `+ingressHosts),
		"ingress: by an editor":                create(traffic, erin, ingresses, anIngress("worse", "ingress-nginx", "", "www.beta.example.com"), refused),
		"ingress: by the cluster's admin":      create(traffic, paula, ingresses, anIngress("worse", "ingress-nginx", "", "www.beta.example.com"), refused),
		"ingress: by apply":                    force(traffic, alice, ingresses+"/worse", anIngress("worse", "ingress-nginx", "", "www.beta.example.com"), refused),
		"ingress: with a generated name":       create(traffic, alice, ingresses, strings.Replace(anIngress("worse", "ingress-nginx", "", "evil.com"), "name: worse", "generateName: worse-", 1), ingressRefusal+`Ingress "worse-`),
		"ingress: as a dry run":                create("a dry run says that something would work that doesn't", alice, ingresses+"?dryRun=All", anIngress("worse", "ingress-nginx", "", "evil.com"), refused),
		"ingress: a wildcard above":            create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", "", "*.example.com"), refused+`serve "*.example.com"`),
		"ingress: a name that ends alike":      create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", "", "evil-ingress.example.com"), refused),
		"ingress: a name that begins so":       create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", "", "ingress.example.com.evil.com"), refused),
		"ingress: every host":                  create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", "", ""), refused+`serve every host: spec.rules must name its own`),
		"ingress: a default backend":           create(traffic, alice, ingresses, another(anIngress("worse", "ingress-nginx", "", mine), "defaultBackend: {service: {name: web, port: {number: 80}}}"), refused+`have spec.defaultBackend`),
		"ingress: nothing but a default":       create(traffic, alice, ingresses, another(anIngress("worse", "ingress-nginx", ""), "defaultBackend: {service: {name: web, port: {number: 80}}}"), refused+`have spec.defaultBackend`),
		"ingress: another's certificate":       create(traffic, alice, ingresses, another(anIngress("worse", "ingress-nginx", "", mine), "tls: [{hosts: ["+mine+", www.beta.example.com], secretName: s}]"), refused+`serve "www.beta.example.com" (spec.tls)`),
		"ingress: a certificate for all":       create(traffic, alice, ingresses, another(anIngress("worse", "ingress-nginx", "", mine), "tls: [{secretName: s}]"), refused+`serve every host: spec.tls`),
		"ingress: another's host as alias":     create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", `nginx.ingress.kubernetes.io/server-alias: "`+mine+`, www.beta.example.com"`, mine), refused+`serve "www.beta.example.com" (nginx.ingress.kubernetes.io/server-alias)`),
		"ingress: a pattern as alias":          create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", `nginx.ingress.kubernetes.io/server-alias: "~.*|.ingress.example.com"`, mine), refused),
		"ingress: another's record":            create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", `external-dns.alpha.kubernetes.io/hostname: www.beta.example.com`, mine), refused+`serve "www.beta.example.com" (external-dns`),
		"ingress: the name without www":        create(traffic, alice, ingresses, anIngress("worse", "ingress-nginx", `nginx.ingress.kubernetes.io/from-to-www-redirect: "true"`, "www.beta.example.com"), refused),
		"ingress: its hosts":                   force("self-service", alice, ingresses+"/own-$N", another(anIngress("own-$N", "ingress-nginx", "", "ingress.example.com", mine, "a.b.ingress.example.com", "*.ingress.example.com"), "tls: [{hosts: ["+mine+"], secretName: s}]"), ""),
		"ingress: its other class":             force("self-service", erin, ingresses+"/internal", anIngress("internal", "ingress-internal", "", mine), ""),
		"ingress: its class by annotation":     force("charts from before there was a field", alice, ingresses+"/legacy-$N", strings.Replace(anIngress("legacy-$N", "x", "kubernetes.io/ingress.class: ingress-nginx", mine), "ingressClassName: x, ", "", 1), ""),
		"ingress: its alias and record":        force("self-service", alice, ingresses+"/alias", anIngress("alias", "ingress-nginx", `nginx.ingress.kubernetes.io/server-alias: ingress.example.com, external-dns.alpha.kubernetes.io/hostname: x.ingress.example.com`, mine), ""),
		"ingress: break-glass serves any host": force("nobody could help in an emergency", brook, ingresses+"/emergency", anIngress("emergency", "shared", "", "evil.com"), ""),
		"ingress: where no tenant is":          force("the rest of the cluster", paula, "/apis/networking.k8s.io/v1/namespaces/commons/ingresses/any", anIngress("any", "shared", "", "example.com"), ""),
		"ingress: one of its own is deleted":   remove("self-service", alice, ingresses+"/gone", "").with(ingresses+"/gone", anIngress("gone", "shared", "", "evil.com")),
		"ingress: a chart's own example":       create("a host of the chart, that nobody has thought of", pipeline, acmeIngress, anIngress("worse", "nginx", "", "chart-example.local"), `must not have the class "nginx" (spec.ingressClassName): allowed are none`),
	}
	return all
}

// ingressBehind are changes of Ingresses that are there.
func ingressBehind() table {
	const keeps = "what was there before the rule can't be worked with"
	refused := ingressRefusal + `Ingress "`
	old := func(name string) [2]string {
		return [2]string{ingresses + "/" + name, anIngress(name, "ingress-nginx", "", "evil.com")}
	}
	own := func(name string) [2]string {
		return [2]string{ingresses + "/" + name, anIngress(name, "ingress-nginx", "", "a.ingress.example.com")}
	}
	on := func(a attempt, given [2]string) attempt { return a.with(given[0], given[1]) }
	const rule = `{"host":"worse.com","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"web","port":{"number":80}}}}]}}`
	return table{
		"ingress: a host is added":             on(patch(traffic, alice, ingresses+"/added", `[{"op":"add","path":"/spec/rules/-","value":`+rule+`}]`, refused+`added" must not serve "worse.com" (spec.rules)`), own("added")),
		"ingress: a host is changed":           on(patch(traffic, alice, ingresses+"/changed", `[{"op":"replace","path":"/spec/rules/0/host","value":"worse.com"}]`, refused+`changed"`), own("changed")),
		"ingress: a host is taken away":        on(patch(traffic, alice, ingresses+"/taken", `[{"op":"remove","path":"/spec/rules/0/host"}]`, `must not serve every host`), own("taken")),
		"ingress: the class is changed":        on(patch(traffic, alice, ingresses+"/moved", `{"spec":{"ingressClassName":"shared"}}`, `must not have the class "shared"`), own("moved")),
		"ingress: the class is taken away":     on(patch(traffic, alice, ingresses+"/nameless", `{"spec":{"ingressClassName":null}}`, `must name its class in spec.ingressClassName`), own("nameless")),
		"ingress: a class comes by annotation": on(patch(traffic, alice, ingresses+"/annotated", `{"metadata":{"annotations":{"kubernetes.io/ingress.class":"shared"}}}`, `must not have the class "shared" (kubernetes.io/ingress.class)`), own("annotated")),
		"ingress: an alias comes by the status": on(patch(traffic, oscar, acmeIngress+"/aliased/status", `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/server-alias":"evil.com"}}}`, `must not serve "evil.com" (nginx`),
			[2]string{acmeIngress + "/aliased", anIngress("aliased", "nginx", "", "any.example.com")}),
		"ingress: a default backend comes":       on(patch(traffic, alice, ingresses+"/backed", `{"spec":{"defaultBackend":{"service":{"name":"web","port":{"number":80}}}}}`, `must not have spec.defaultBackend`), own("backed")),
		"ingress: an old host, and another":      on(patch(traffic, alice, ingresses+"/old", `[{"op":"add","path":"/spec/rules/-","value":`+rule+`}]`, `must not serve "worse.com"`), old("old")),
		"ingress: an old host, on another class": on(patch(traffic, alice, ingresses+"/old-moved", `{"spec":{"ingressClassName":"ingress-internal"}}`, `must not serve "evil.com"`), old("old-moved")),
		"ingress: an old host stays":             on(patch(keeps, alice, ingresses+"/old-kept", `[{"op":"add","path":"/metadata/labels","value":{"round":"r-$N"}},{"op":"add","path":"/spec/rules/-","value":`+strings.Replace(rule, "worse.com", "x$N.ingress.example.com", 1)+`}]`, ""), old("old-kept")),
		"ingress: an old host goes":              on(patch(keeps, alice, ingresses+"/old-gone", `[{"op":"replace","path":"/spec/rules/0/host","value":"a.ingress.example.com"}]`, ""), old("old-gone")),
		"ingress: a controller of its own writes the status": on(patch("a tenant's own ingress controller can't work", serviceAccount("acme-prod", "insider"), acmeIngress+"/own-status/status",
			`{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.$N"}]}}}`, ""), [2]string{acmeIngress + "/own-status", anIngress("own-status", "nginx", "", "any.example.com")}),
	}
}

// aService is a Service with a spec, and annotations.
func aService(name, annotations, spec string) string {
	return `{apiVersion: v1, kind: Service, metadata: {name: ` + name + `, annotations: {` + annotations + `}}, spec: {` + spec + `}}`
}

func ingressServices() table {
	const out = "pods of another tenant, or of the cluster, get another name"
	const ports = `selector: {app: web}, ports: [{port: 80}]`
	refused := ingressRefusal + `Service "worse" must not `
	balanced := func(name string) [2]string {
		return [2]string{services + "/" + name, aService(name, "", `type: LoadBalancer, `+ports)}
	}
	all := table{
		"ingress: a port of every node": create("a way in that nobody watches", alice, services, aService("worse", "", `type: NodePort, `+ports),
			refused+`be of the type NodePort: allowed are ClusterIP, ExternalName, LoadBalancer; others are added to spec.ingress.serviceTypes of Tenant "ingress"`),
		"ingress: a Service becomes a port": patch("a way in that nobody watches", alice, services+"/grown", `{"spec":{"type":"NodePort"}}`, `must not be of the type NodePort`).
			with(services+"/grown", aService("grown", "", ports)),
		"ingress: a load balancer becomes a port": patch("a way in that nobody watches", alice, services+"/shrunk", `{"spec":{"type":"NodePort"}}`, `must not be of the type NodePort`).
			with(services+"/shrunk", balanced("shrunk")[1]),
		"ingress: an external address":        create(traffic, alice, services, aService("worse", "", `externalIPs: [192.0.2.1], `+ports), refused+`have the address "192.0.2.1" (spec.externalIPs)`),
		"ingress: an external address, added": patch(traffic, alice, services+"/outside", `{"spec":{"externalIPs":["192.0.2.1","192.0.2.2"]}}`, `must not have the address "192.0.2.2"`).with(services+"/outside", aService("outside", "", `externalIPs: [192.0.2.1], `+ports)),
		"ingress: an old external address":    patch("what was there before the rule can't be worked with", alice, services+"/outside-old", `{"metadata":{"labels":{"round":"r-$N"}}}`, "").with(services+"/outside-old", aService("outside-old", "", `externalIPs: [192.0.2.1], `+ports)),
		"ingress: another's record, of a Service": create(traffic, alice, services, aService("worse", `external-dns.alpha.kubernetes.io/hostname: www.beta.example.com`, `clusterIP: None, `+ports),
			refused+`serve "www.beta.example.com" (external-dns.alpha.kubernetes.io/hostname): `+ingressHosts),
		"ingress: another's record, by the status": patch(traffic, oscar, core+"services/recorded/status", `{"metadata":{"annotations":{"external-dns.alpha.kubernetes.io/hostname":"www.beta.example.com"}}}`, `must not serve "www.beta.example.com"`).
			with(core+"services/recorded", aService("recorded", "", ports)),
		"ingress: a Service of its own":     force("self-service", erin, services+"/web", aService("web", "", ports), ""),
		"ingress: a headless Service":       force("self-service", alice, services+"/headless", aService("headless", "", `clusterIP: None, `+ports), ""),
		"ingress: a load balancer":          force("self-service", alice, services+"/balanced", aService("balanced", `external-dns.alpha.kubernetes.io/hostname: lb.ingress.example.com`, `type: LoadBalancer, loadBalancerIP: 192.0.2.1, `+ports), ""),
		"ingress: another name for a host":  force("self-service", alice, services+"/db", aService("db", "", `type: ExternalName, externalName: db.example.com`), ""),
		"ingress: a Service is deleted":     remove("self-service", alice, services+"/gone", "").with(services+"/gone", aService("gone", "", `type: NodePort, `+ports)),
		"ingress: a Service like others'":   force("the rest of the cluster", paula, namespaces+"/commons/services/any", aService("any", "", `type: NodePort, `+ports), ""),
		"ingress: break-glass opens a port": force("nobody could help in an emergency", brook, services+"/emergency", aService("emergency", "", `type: NodePort, `+ports), ""),
		"ingress: a name that was ClusterIP": patch(out, alice, services+"/renamed", `{"spec":{"type":"ExternalName","externalName":"web.beta-prod.svc.cluster.local","clusterIP":"","clusterIPs":null,"ipFamilies":null,"ipFamilyPolicy":null,"internalTrafficPolicy":null}}`,
			`must not be another name for "web.beta-prod.svc.cluster.local"`).with(services+"/renamed", aService("renamed", "", ports)),
	}
	for _, name := range []string{
		"web.beta-prod.svc.cluster.local", "web.beta-prod.svc", "web.beta-prod.svc.", "web.beta-prod", "kubernetes.default", "kubernetes.default.svc.corp.example",
		"localhost", "kubernetes", "169.254.169.254", "10.0.0.1",
	} {
		all["ingress: another name for "+name] = create(out, alice, services, aService("worse", "", `type: ExternalName, externalName: `+name),
			refused+`be another name for "`+strings.TrimSuffix(name, ".")+`" (spec.externalName), which is inside the cluster`)
	}
	return all
}

func ingressAddresses() table {
	const ports = `selector: {app: web}, ports: [{port: 80}]`
	slice := func(name, addresses string) string {
		return `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ` + name + `, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [` + addresses + `], ports: [{port: 80}]}`
	}
	endpoints := func(name, annotations, subsets string) string {
		return `{apiVersion: v1, kind: Endpoints, metadata: {name: ` + name + `, annotations: {` + annotations + `}}, subsets: [` + subsets + `]}`
	}
	const subset = `{addresses: [{ip: 10.1.2.3}], ports: [{port: 80}]}`
	const address = `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`
	refused := `tenant "acme", rule ingress: `
	balanced := func(name string) string { return aService(name, "", `type: LoadBalancer, `+ports) }
	insider := serviceAccount("acme-prod", "insider")
	// elsewhere is a controller of the platform, to which it gave rights in this namespace alone.
	elsewhere := serviceAccount("metallb-system", "controller")
	const others = `allowed are Kubernetes and the platform's controllers (users that begin with system: or eks:, and no ServiceAccount of the tenant) and break-glass`
	return table{
		"ingress: an EndpointSlice of others' pods": create(neighbourPod, oscar, endpointAPI, slice("worse", `{addresses: [10.1.2.3]}`),
			refused+`EndpointSlice "worse" must not get addresses from "oscar": `+others+`; select pods by spec.selector of a Service; pods of others are reached by spec.network.allow of Tenant "acme"`),
		"ingress: an EndpointSlice by an account":          create(neighbourPod, insider, endpointAPI, slice("worse", `{addresses: [10.1.2.3]}`), refused),
		"ingress: an EndpointSlice by the tenant's others": create(neighbourPod, serviceAccount("acme-dev", "insider"), endpointAPI, slice("worse", `{addresses: [10.1.2.3]}`), refused),
		"ingress: an EndpointSlice by the cluster's admin": create(neighbourPod, paula, endpointAPI, slice("worse", `{addresses: [10.1.2.3]}`), refused+`EndpointSlice "worse" must not get addresses from "paula"`),
		"ingress: an EndpointSlice by apply":               force(neighbourPod, oscar, endpointAPI+"/worse", slice("worse", `{addresses: [10.1.2.3]}`), refused),
		"ingress: an EndpointSlice grows": patch(neighbourPod, oscar, endpointAPI+"/grown", `[{"op":"add","path":"/endpoints/-","value":{"addresses":["10.1.2.4"]}}]`, refused+`EndpointSlice "grown"`).
			with(endpointAPI+"/grown", slice("grown", `{addresses: [10.1.2.3]}`)),
		"ingress: an EndpointSlice by an admin": create(neighbourPod, alice, endpointAPI, slice("worse", `{addresses: [10.1.2.3]}`), `cannot create resource`),
		"ingress: Endpoints of others' pods":    create(neighbourPod, oscar, core+"endpoints", endpoints("worse", "", subset), refused+`Endpoints "worse" must not get addresses`),
		"ingress: Endpoints change": patch(neighbourPod, oscar, core+"endpoints/changed", `{"subsets":[{"addresses":[{"ip":"10.1.2.4"}],"ports":[{"port":80}]}]}`, refused).
			with(core+"endpoints/changed", endpoints("changed", "", subset)),
		"ingress: the address of a load balancer":            patch(traffic, oscar, core+"services/balanced/status", address, refused+`Service "balanced" must not get addresses from "oscar": `+others+`; load balancers are allowed by spec.ingress.serviceTypes of Tenant "acme"`).with(core+"services/balanced", balanced("balanced")),
		"ingress: the address of a load balancer, by PUT":    replace(traffic, oscar, core+"services/balanced-put/status", balancedAt("192.0.2.1"), refused).with(core+"services/balanced-put", balanced("balanced-put")),
		"ingress: the address of a load balancer by account": patch(traffic, insider, core+"services/balanced-by/status", address, refused).with(core+"services/balanced-by", balanced("balanced-by")),
		"ingress: the address of a load balancer by others":  patch(traffic, serviceAccount("acme-dev", "insider"), core+"services/balanced-for/status", address, refused).with(core+"services/balanced-for", balanced("balanced-for")),
		"ingress: the address of a load balancer, paula":     patch(traffic, paula, core+"services/balanced/status", address, refused+`Service "balanced" must not get addresses from "paula"`).with(core+"services/balanced", balanced("balanced")),
		"ingress: the address of a load balancer, admin":     patch(traffic, alice, core+"services/balanced/status", address, `cannot patch resource`),
		"ingress: the address of an Ingress": patch("a name leads to where its owner isn't", oscar, acmeIngress+"/addressed/status", address, refused+`Ingress "addressed" must not get addresses from "oscar": allowed are Kubernetes and the platform's controllers (users that begin with system: or eks:, as all ServiceAccounts)`).
			with(acmeIngress+"/addressed", anIngress("addressed", "nginx", "", "any.example.com")),

		"ingress: an EndpointSlice of nothing": create("tools that make it first and fill it later", oscar, endpointAPI, `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: nothing-$N}, addressType: IPv4, endpoints: null}`, ""),
		"ingress: a leader is elected":         force("old tools elect their leader with Endpoints", oscar, core+"endpoints/leader", endpoints("leader", `control-plane.alpha.kubernetes.io/leader: "$N"`, ""), ""),
		"ingress: a condition of a Service": patch("tools say how a Service is", oscar, core+"services/conditional/status", `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"R$N","message":"","lastTransitionTime":"2030-01-01T00:00:00Z"}]}}`, "").
			with(core+"services/conditional", aService("conditional", "", ports)),
		"ingress: Kubernetes writes EndpointSlices": create("no Service works", serviceAccount("kube-system", "endpointslice-controller"), endpointAPI, slice("kubernetes-$N", `{addresses: [10.1.2.$N]}`), ""),
		"ingress: Kubernetes changes EndpointSlices": replace("no Service works", serviceAccount("kube-system", "endpointslice-controller"), endpointAPI+"/kubernetes", func(u *unstructured.Unstructured) {
			u.Object["endpoints"] = []any{map[string]any{"addresses": []any{"10.1.2.9"}}}
		}, "").with(endpointAPI+"/kubernetes", slice("kubernetes", `{addresses: [10.1.2.$N]}`)),
		"ingress: Kubernetes writes Endpoints":              create("no Service works", serviceAccount("kube-system", "endpoint-controller"), core+"endpoints", endpoints("kubernetes-$N", "", subset), ""),
		"ingress: a cloud writes a load balancer's address": patch("no load balancer works", serviceAccount("kube-system", "service-controller"), core+"services/clouded/status", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.$N"}]}}}`, "").with(core+"services/clouded", balanced("clouded")),
		"ingress: a load balancer's address by an account":  patch("no load balancer works", elsewhere, core+"services/metal/status", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.$N"}]}}}`, "").with(core+"services/metal", balanced("metal")),
		"ingress: a load balancer's address by EKS":         patch("no load balancer works", actor{user: "eks:service-controller"}, core+"services/hosted/status", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.$N"}]}}}`, "").with(core+"services/hosted", balanced("hosted")),
		"ingress: an EndpointSlice by the platform's":       create("operators that write EndpointSlices", elsewhere, endpointAPI, slice("elsewhere-$N", `{addresses: [10.1.2.$N]}`), ""),
		"ingress: an address goes": patch("what was there before the rule can't be worked with", oscar, core+"endpoints/going-$N", `{"subsets":null}`, "").
			with(core+"endpoints/going-$N", endpoints("going-$N", "", subset)),
		"ingress: break-glass writes an address": patch("nobody could help in an emergency", brook, core+"services/platformed/status", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.$N"}]}}}`, "").with(core+"services/platformed", balanced("platformed")),
	}
}

// balancedAt gives a Service the address of a load balancer.
func balancedAt(ip string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		u.Object["status"] = map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": ip, "ipMode": "VIP"}}}}
	}
}
