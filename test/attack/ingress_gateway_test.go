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

// aRoute is a route of the Gateway API.
func aRoute(version, kind, name, spec string) string {
	return `{apiVersion: gateway.networking.k8s.io/` + version + `, kind: ` + kind + `, metadata: {name: ` + name + `}, spec: {` + spec + `}}`
}

func ingressRoutes() table {
	const parent = `parentRefs: [{name: gateway, namespace: infra}], `
	httpRoute := func(name, hostnames string) string {
		return aRoute("v1", "HTTPRoute", name, parent+`hostnames: [`+hostnames+`], rules: [{backendRefs: [{name: web, port: 80}]}]`)
	}
	refused := ingressRefusal + `HTTPRoute "worse" must not `
	all := table{
		"ingress: a route of another's host": create(traffic, alice, routes, httpRoute("worse", "www.ingress.example.com, www.beta.example.com"),
			refused+`serve "www.beta.example.com" (spec.hostnames): `+ingressHosts),
		"ingress: a route of every host":         create(traffic, alice, routes, aRoute("v1", "HTTPRoute", "worse", parent+`rules: []`), refused+`serve every host: spec.hostnames must name its own`),
		"ingress: a route of no host":            create(traffic, alice, routes, httpRoute("worse", ""), refused+`serve every host`),
		"ingress: a route of a wildcard above":   create(traffic, alice, routes, httpRoute("worse", `"*.example.com"`), refused+`serve "*.example.com"`),
		"ingress: a route of the older version":  create(traffic, alice, gatewayAPI+"v1beta1/namespaces/ingress-prod/httproutes", strings.Replace(httpRoute("worse", "evil.com"), "/v1,", "/v1beta1,", 1), refused+`serve "evil.com"`),
		"ingress: a route by apply":              force(traffic, alice, routes+"/worse", httpRoute("worse", "evil.com"), refused),
		"ingress: a route with a generated name": create(traffic, alice, routes, strings.Replace(httpRoute("worse", "evil.com"), "name: worse", "generateName: worse-", 1), ingressRefusal+`HTTPRoute "worse-`),
		"ingress: a route with another's record": create(traffic, alice, routes, strings.Replace(httpRoute("worse", "ingress.example.com"), "name: worse", "name: worse, annotations: {external-dns.alpha.kubernetes.io/hostname: evil.com}", 1), refused+`serve "evil.com" (external-dns`),
		"ingress: a route of TCP":                create(traffic, alice, gatewayAPI+"v1alpha2/namespaces/ingress-prod/tcproutes", aRoute("v1alpha2", "TCPRoute", "worse", parent+`rules: []`), ingressRefusal+`TCPRoute "worse" has no hostnames`),
		"ingress: a route of UDP":                create(traffic, alice, gatewayAPI+"v1alpha2/namespaces/ingress-prod/udproutes", aRoute("v1alpha2", "UDPRoute", "worse", parent+`rules: []`), ingressRefusal+`UDPRoute "worse" has no hostnames`),
		"ingress: a route of GRPC":               create(traffic, alice, gatewayAPI+"v1/namespaces/ingress-prod/grpcroutes", aRoute("v1", "GRPCRoute", "worse", parent+`hostnames: [evil.com]`), ingressRefusal+`GRPCRoute "worse" must not serve "evil.com"`),
		"ingress: a route of TLS":                create(traffic, alice, gatewayAPI+"v1alpha2/namespaces/ingress-prod/tlsroutes", aRoute("v1alpha2", "TLSRoute", "worse", parent+`rules: []`), ingressRefusal+`TLSRoute "worse" must not serve every host`),
		"ingress: a route gets another's host": patch(traffic, alice, routes+"/grown", `{"spec":{"hostnames":["a.ingress.example.com","evil.com"]}}`, `must not serve "evil.com"`).
			with(routes+"/grown", httpRoute("grown", "a.ingress.example.com")),
		"ingress: a route loses its hosts": patch(traffic, alice, routes+"/shrunk", `{"spec":{"hostnames":null}}`, `must not serve every host`).
			with(routes+"/shrunk", httpRoute("shrunk", "a.ingress.example.com")),
		"ingress: an old route on another Gateway": patch(traffic, alice, routes+"/moved", `{"spec":{"parentRefs":[{"name":"other"}]}}`, `must not serve "evil.com"`).
			with(routes+"/moved", httpRoute("moved", "evil.com")),
		"ingress: an old route stays": patch("what was there before the rule can't be worked with", alice, routes+"/old", `{"spec":{"rules":[{"backendRefs":[{"name":"web-$N","port":80}]}]}}`, "").
			with(routes+"/old", httpRoute("old", "evil.com")),
		"ingress: a route of its own":            force("self-service", alice, routes+"/own-$N", httpRoute("own-$N", `ingress.example.com, "*.ingress.example.com"`), ""),
		"ingress: a route inside the mesh":       force("self-service", alice, routes+"/mesh", aRoute("v1", "HTTPRoute", "mesh", `parentRefs: [{group: "", kind: Service, name: web}], rules: []`), ""),
		"ingress: a route's status is written":   patch("no Gateway works", paula, routes+"/reported", `{"status":{"parents":[]}}`, "").with(routes+"/reported", httpRoute("reported", "evil.com")),
		"ingress: a route is deleted":            remove("self-service", alice, routes+"/gone", "").with(routes+"/gone", httpRoute("gone", "evil.com")),
		"ingress: break-glass routes any host":   force("nobody could help in an emergency", brook, routes+"/emergency", httpRoute("emergency", "evil.com"), ""),
		"ingress: a route where no tenant is":    force("the rest of the cluster", paula, gatewayAPI+"v1/namespaces/commons/httproutes/any", httpRoute("any", ""), ""),
		"ingress: the platform's Gateway is all": force("the rest of the cluster", paula, gatewayAPI+"v1/namespaces/commons/gateways/all", aRoute("v1", "Gateway", "all", `gatewayClassName: shared, listeners: [{name: http, port: 80, allowedRoutes: {namespaces: {from: All}}}]`), ""),
	}
	return all
}

func ingressGateways() table {
	const door = "routes of others are served, or routes of nobody"
	gateway := func(name, class, listener, more string) string {
		return aRoute("v1", "Gateway", name, `gatewayClassName: `+class+more+`, listeners: [{name: https, port: 443, protocol: HTTPS`+listener+`}]`)
	}
	const host = `, hostname: "*.ingress.example.com"`
	from := func(from string) string {
		return gateway("worse", "ingress-gateway", host+`, allowedRoutes: {namespaces: {`+from+`}}`, "")
	}
	grant := func(name string, from ...string) string {
		var entries []string
		for _, namespace := range from {
			entries = append(entries, `{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: `+namespace+`}`)
		}
		return aRoute("v1beta1", "ReferenceGrant", name, `from: [`+strings.Join(entries, ", ")+`], to: [{group: "", kind: Service}]`)
	}
	refused := ingressRefusal + `Gateway "worse" must not `
	open := refused + `let in the namespaces of others (spec.listeners[https].allowedRoutes.namespaces)`
	set := aRoute("v1", "ListenerSet", "worse", `parentRef: {name: gateway, namespace: infra}, listeners: [{name: https, port: 443, hostname: evil.com}]`)
	return table{
		"ingress: a Gateway of another's host": create(traffic, alice, gateways, gateway("worse", "ingress-gateway", `, hostname: www.beta.example.com`, ""),
			refused+`serve "www.beta.example.com" (spec.listeners[https]): `+ingressHosts),
		"ingress: a Gateway of every host": create(traffic, alice, gateways, gateway("worse", "ingress-gateway", "", ""), refused+`serve every host: spec.listeners[https] must name its own`),
		"ingress: a Gateway of a foreign class": create(door, alice, gateways, gateway("worse", "shared", host, ""),
			refused+`have the class "shared" (spec.gatewayClassName): allowed are ingress-gateway; others are added to spec.ingress.gatewayClassNames of Tenant "ingress"`),
		"ingress: a Gateway of the older version":    create(door, alice, gatewayAPI+"v1beta1/namespaces/ingress-prod/gateways", strings.Replace(gateway("worse", "shared", host, ""), "/v1,", "/v1beta1,", 1), refused),
		"ingress: a Gateway for everybody":           create(door, alice, gateways, from(`from: All`), open),
		"ingress: a Gateway for another tenant":      create(door, alice, gateways, from(`from: Selector, selector: {matchLabels: {tenancy.bulkhead.dev/tenant: beta}}`), open),
		"ingress: a Gateway for whatever":            create(door, alice, gateways, from(`from: Selector, selector: {}`), open),
		"ingress: a Gateway for all tenants":         create(door, alice, gateways, from(`from: Selector, selector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}`), open),
		"ingress: a Gateway for everybody's":         create(door, alice, gateways, gateway("worse", "ingress-gateway", host, `, allowedListeners: {namespaces: {from: All}}`), refused+`let in the namespaces of others (spec.allowedListeners.namespaces)`),
		"ingress: a Gateway at an address":           create(traffic, alice, gateways, gateway("worse", "ingress-gateway", host, `, addresses: [{type: IPAddress, value: 192.0.2.1}]`), refused+`choose the address "192.0.2.1"`),
		"ingress: a Gateway of another's key":        create("a key of another tenant", alice, gateways, gateway("worse", "ingress-gateway", host+`, tls: {certificateRefs: [{name: c, namespace: beta-prod}]}`, ""), refused+`have a certificate of namespace "beta-prod"`),
		"ingress: a ListenerSet of another's host":   create(traffic, alice, gatewayAPI+"v1/namespaces/ingress-prod/listenersets", set, ingressRefusal+`ListenerSet "worse" must not serve "evil.com"`),
		"ingress: an XListenerSet of another's host": create(traffic, alice, "/apis/gateway.networking.x-k8s.io/v1alpha1/namespaces/ingress-prod/xlistenersets", strings.NewReplacer("gateway.networking.k8s.io/v1", "gateway.networking.x-k8s.io/v1alpha1", "ListenerSet", "XListenerSet").Replace(set), ingressRefusal+`XListenerSet "worse" must not serve "evil.com"`),
		"ingress: a Gateway opens": patch(door, alice, gateways+"/opened", `[{"op":"add","path":"/spec/listeners/0/allowedRoutes","value":{"namespaces":{"from":"All"}}}]`, `must not let in the namespaces of others`).
			with(gateways+"/opened", gateway("opened", "ingress-gateway", host, "")),
		"ingress: a Gateway of its own":     force("self-service", alice, gateways+"/own-$N", gateway("own-$N", "ingress-gateway", host+`, tls: {certificateRefs: [{name: c}]}, allowedRoutes: {namespaces: {from: Same}}`, ""), ""),
		"ingress: a Gateway for its tenant": force("self-service", alice, gateways+"/tenant", gateway("tenant", "ingress-gateway", host+`, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {tenancy.bulkhead.dev/tenant: ingress}}}}`, ""), ""),
		"ingress: an old Gateway stays": patch("what was there before the rule can't be worked with", alice, gateways+"/old", `{"metadata":{"labels":{"round":"r-$N"}}}`, "").
			with(gateways+"/old", gateway("old", "shared", "", `, addresses: [{value: 192.0.2.1}]`)),
		"ingress: a ReferenceGrant for another tenant": create(neighbourPod, alice, grants, grant("worse", "ingress-dev", "beta-prod"),
			ingressRefusal+`ReferenceGrant "worse" must not let in HTTPRoutes of namespace "beta-prod" (spec.from): allowed are ingress-prod, ingress-dev; others become the tenant's by spec.namespaces of Tenant "ingress"`),
		"ingress: a ReferenceGrant grows": patch(neighbourPod, alice, grants+"/grown", `[{"op":"add","path":"/spec/from/-","value":{"group":"gateway.networking.k8s.io","kind":"HTTPRoute","namespace":"beta-prod"}}]`, `must not let in HTTPRoutes of namespace "beta-prod"`).
			with(grants+"/grown", grant("grown", "ingress-dev")),
		"ingress: a ReferenceGrant of its own": force("self-service", alice, grants+"/own", grant("own", "ingress-dev", "ingress-prod"), ""),
	}
}

// ingressClosed is a tenant without spec.ingress: nothing leads in.
func ingressClosed() table {
	const closed = "a tenant that nobody gave a way in has one"
	refused := `tenant "ingress-none", rule ingress: `
	const in = "/namespaces/ingress-closed/"
	const ports = `selector: {app: web}, ports: [{port: 80}]`
	all := table{
		"ingress: closed, an Ingress": create(closed, alice, "/apis/networking.k8s.io/v1"+in+"ingresses", anIngress("worse", "nginx", "", "www.example.com"),
			refused+`Ingress "worse" must not have the class "nginx" (spec.ingressClassName): allowed are none; others are added to spec.ingress.classNames of Tenant "ingress-none"`),
		"ingress: closed, a route": create(closed, alice, gatewayAPI+"v1"+in+"httproutes", aRoute("v1", "HTTPRoute", "worse", `parentRefs: [{name: g}], hostnames: [www.example.com]`),
			refused+`HTTPRoute "worse" must not serve "www.example.com" (spec.hostnames): allowed are none; others`),
		"ingress: closed, a Gateway": create(closed, alice, gatewayAPI+"v1"+in+"gateways", aRoute("v1", "Gateway", "worse", `gatewayClassName: g, listeners: []`),
			refused+`Gateway "worse" must not have the class "g" (spec.gatewayClassName): allowed are none`),
		"ingress: closed, a Service": force("pods of a tenant can't reach each other", alice, "/api/v1"+in+"services/own", aService("own", "", ports), ""),
	}
	for _, kind := range []string{"NodePort", "LoadBalancer", "ExternalName"} {
		spec := `type: ` + kind + `, ` + ports
		if kind == "ExternalName" {
			spec = `type: ExternalName, externalName: www.example.com`
		}
		all["ingress: closed, "+kind] = create(closed, alice, "/api/v1"+in+"services", aService("worse", "", spec), refused+`Service "worse" must not be of the type `+kind+`: allowed are ClusterIP; others are added to spec.ingress.serviceTypes of Tenant "ingress-none"`)
	}
	return all
}
