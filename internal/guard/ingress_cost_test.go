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

package guard_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/admission"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// served are the annotations of a namespace whose Tenant has something of all ways in.
func served() map[string]string {
	return map[string]string{
		v1alpha1.GuardIngressClasses: "acme-nginx,acme-internal", v1alpha1.GuardGatewayClasses: "acme-gateway",
		v1alpha1.GuardHostnames: "*.acme.example.com,acme.example.com,acme.example.org", v1alpha1.GuardServiceTypes: "ClusterIP,ExternalName",
		v1alpha1.GuardNamespaces: "acme-dev,acme-prod",
	}
}

// entries makes a JSON list of n entries from one, in which %d is its number.
func entries(n int, entry string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.ReplaceAll(entry, "%d", fmt.Sprint(i))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// target is which rule is asked about which resource, or subresource: "services/status".
type target struct{ rail, resource string }

// writing is a request that creates an object of YAML, or updates the other one to it. It panics if that isn't YAML.
func writing(to target, object, old string, namespace *corev1.Namespace) request {
	read := func(text string) *unstructured.Unstructured {
		out := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &out.Object); err != nil {
			panic(fmt.Sprintf("%v: %s", err, text))
		}
		return out
	}
	it := read(object)
	r := request{rail: to.rail, object: it, gvk: it.GroupVersionKind(), operation: admission.Create, namespace: namespace}
	r.resource, r.sub, _ = strings.Cut(to.resource, "/")
	if old != "" {
		r.old, r.operation = read(old), admission.Update
	}
	return r
}

// anObject is an object of a kind, with annotations and a spec or other fields, as JSON without braces.
func anObject(apiVersion, kind, annotations, fields string) string {
	return `{apiVersion: ` + apiVersion + `, kind: ` + kind + `, metadata: {name: x, namespace: acme-prod, annotations: {` + annotations + `}}, ` + fields + `}`
}

func anIngress(annotations, spec string) string {
	return anObject("networking.k8s.io/v1", "Ingress", annotations, "spec: {"+spec+"}")
}

func aService(annotations, spec string) string {
	return anObject("v1", "Service", annotations, "spec: {"+spec+"}")
}

func aRoute(kind, annotations, spec string) string {
	return anObject("gateway.networking.k8s.io/v1", kind, annotations, "spec: {"+spec+"}")
}

const (
	ingressRail  = "bulkhead-ingress"
	servicesRail = "bulkhead-ingress-services"
	routesRail   = "bulkhead-ingress-routes"
	gatewaysRail = "bulkhead-ingress-gateways"
)

// ingressRequests are requests that the rules of the room ingress refuse. The tenant's lists are longer than the schema
// lets one object make them: a class, a Tenant and a namespace may each add hostnames.
func ingressRequests() map[string]request {
	const hosts = 96
	names := strings.Trim(entries(hosts, "*.%d.a-rather-long-domain.example.com"), "[]")
	long := guarded(served(), v1alpha1.GuardHostnames, names, v1alpha1.GuardIngressClasses, strings.Trim(entries(16, "class-%d"), "[]"),
		v1alpha1.GuardNamespaces, "acme-prod,"+strings.Trim(entries(50, "acme-%d"), "[]"))
	none := guarded(nil)
	rules := func(n int) string {
		return `rules: ` + entries(n, `{host: "%d.another-rather-long-domain.example.com"}`)
	}
	tls := `tls: ` + entries(big, `{hosts: [a.%d.example.com]}`)
	aliases := `"nginx.ingress.kubernetes.io/server-alias": "` + strings.Trim(entries(big, "alias-%d.example.com"), "[]") + `"`
	many := strings.Trim(entries(big, `"example.com/key-%d": x`), "[]")
	conditions := strings.Trim(entries(big, `"alb.ingress.kubernetes.io/conditions.%d": '[{"field":"host-header"}]'`), "[]")
	listeners := func(n int, more string) string {
		return `gatewayClassName: acme-gateway, listeners: ` + entries(n, `{name: l-%d, port: 443, protocol: HTTPS, hostname: x.%d.a-rather-long-domain.example.com`+more+`}`)
	}
	slices := func(n int) string {
		return anObject("discovery.k8s.io/v1", "EndpointSlice", "", `addressType: IPv4, endpoints: `+entries(n, `{addresses: ["10.0.0.%d"]}`))
	}
	balanced := anObject("v1", "Service", "", `spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: `+entries(big, `{ip: "192.0.2.%d"}`)+`}}`)
	grant := func(n int) string {
		return anObject("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "", `spec: {to: [{kind: Service}], from: `+entries(n, `{kind: HTTPRoute, namespace: beta-%d}`)+`}`)
	}
	elsewhere := strings.ReplaceAll(listeners(64, ""), "a-rather", "another-rather")
	// The last of the tenant's namespaces.
	const account = "system:serviceaccount:acme-49:builder"
	by := func(user string, r request) request {
		r.user = user
		return r
	}
	return map[string]request{
		"an Ingress of a foreign class":         writing(target{ingressRail, "ingresses"}, anIngress(`kubernetes.io/ingress.class: "`+strings.Repeat("x", 10000)+`"`, `ingressClassName: shared, `+rules(big)), "", long),
		"an Ingress of no class":                writing(target{ingressRail, "ingresses"}, anIngress("", rules(big)), "", none),
		"an Ingress of many hosts":              writing(target{ingressRail, "ingresses"}, anIngress("", `ingressClassName: class-7, `+rules(big)), "", long),
		"an Ingress of many certificates":       writing(target{ingressRail, "ingresses"}, anIngress("", `ingressClassName: class-7, `+tls), "", long),
		"an Ingress of many aliases":            writing(target{ingressRail, "ingresses"}, anIngress(aliases+", "+many, `ingressClassName: class-7, rules: [{host: a.0.a-rather-long-domain.example.com}]`), "", long),
		"an Ingress of many more hosts":         writing(target{ingressRail, "ingresses"}, anIngress(aliases, `ingressClassName: class-7, `+rules(big/2)), anIngress("", `ingressClassName: class-7, `+rules(big/2-1)), long),
		"an Ingress of too many hosts":          writing(target{ingressRail, "ingresses"}, anIngress("", `ingressClassName: class-7, `+rules(20*big)), anIngress("", `ingressClassName: class-7, `+rules(10*big)), long),
		"an Ingress of more hosts, few allowed": writing(target{ingressRail, "ingresses"}, anIngress("", `ingressClassName: acme-nginx, `+rules(big)+`, defaultBackend: {}`), anIngress("", `ingressClassName: acme-nginx, `+rules(big)), guarded(served())),
		"an Ingress of many redirections":       writing(target{ingressRail, "ingresses"}, anIngress(`"nginx.ingress.kubernetes.io/from-to-www-redirect": "true"`, `ingressClassName: class-7, `+rules(big)), "", long),
		"an Ingress of many conditions":         writing(target{ingressRail, "ingresses"}, anIngress(conditions, `ingressClassName: class-7, rules: [{host: a.0.a-rather-long-domain.example.com}]`), anIngress(many, `ingressClassName: class-7`), long),
		"an Ingress with a default backend":     writing(target{ingressRail, "ingresses"}, anIngress(many, `ingressClassName: class-7, defaultBackend: {service: {name: x}}`), "", long),
		"a Service of a foreign type":           writing(target{servicesRail, "services"}, aService(many, `type: NodePort, externalIPs: `+entries(big, `"192.0.2.%d"`)), "", long),
		"a Service of many addresses":           writing(target{servicesRail, "services"}, aService(many, `type: ClusterIP, externalIPs: `+entries(2*big, `"192.0.2.%d"`)), aService("", `type: ClusterIP, externalIPs: `+entries(big, `"192.0.2.%d"`)), long),
		"a Service of many names":               writing(target{servicesRail, "services/status"}, aService(`"external-dns.alpha.kubernetes.io/hostname": "`+strings.Trim(entries(big, "alias-%d.example.com"), "[]")+`"`, `type: ClusterIP`), aService("", `type: ClusterIP`), long),
		"a Service that is another":             writing(target{servicesRail, "services"}, aService(many, `type: ExternalName, externalName: "`+strings.Repeat("a.", 120)+`svc"`), "", long),
		"an EndpointSlice of many":              writing(target{"bulkhead-ingress-addresses", "endpointslices"}, slices(10*big), slices(10*big-1), none),
		"an EndpointSlice by its own account":   by(account, writing(target{"bulkhead-ingress-addresses", "endpointslices"}, slices(10*big), slices(10*big-1), long)),
		"Endpoints":                             writing(target{"bulkhead-ingress-addresses", "endpoints"}, anObject("v1", "Endpoints", "", `subsets: `+entries(big, `{addresses: [{ip: "10.0.0.%d"}]}`)), "", none),
		"an address of a load balancer":         writing(target{"bulkhead-ingress-addresses", "services/status"}, balanced, aService("", "type: LoadBalancer"), none),
		"an address of a load balancer, by it":  by(account, writing(target{"bulkhead-ingress-addresses", "services/status"}, balanced, strings.Replace(balanced, `{ip: "192.0.2.0"},`, "", 1), long)),
		"an address of an Ingress":              writing(target{"bulkhead-ingress-addresses", "ingresses/status"}, strings.Replace(balanced, "kind: Service", "kind: Ingress", 1), aService("", "type: LoadBalancer"), none),
		"a route of many hostnames":             writing(target{routesRail, "httproutes"}, aRoute("HTTPRoute", many, `parentRefs: `+entries(32, `{name: g-%d}`)+`, hostnames: `+entries(big, `x.%d.example.com`)), "", long),
		"a route of many more hostnames":        writing(target{routesRail, "httproutes"}, aRoute("HTTPRoute", many, `parentRefs: `+entries(32, `{name: g-%d}`)+`, hostnames: `+entries(3*big/2, `x.%d.example.com`)), aRoute("HTTPRoute", many, `parentRefs: `+entries(32, `{name: g-%d}`)+`, hostnames: `+entries(big, `x.%d.example.com`)), long),
		"a route of TCP":                        writing(target{routesRail, "tcproutes"}, aRoute("TCPRoute", "", `parentRefs: [{name: g}]`), "", long),
		"a Gateway of a foreign class":          writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, `gatewayClassName: shared`), "", long),
		"a Gateway of many listeners":           writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, elsewhere), "", long),
		"a Gateway of many more listeners":      writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, strings.ReplaceAll(elsewhere, "l-", "m-")), aRoute("Gateway", many, elsewhere), long),
		"a Gateway for everybody":               writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, listeners(64, `, allowedRoutes: {namespaces: {from: All}}`)), "", long),
		"a Gateway for some":                    writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, listeners(64, `, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: `+entries(10, `{key: kubernetes.io/metadata.name, operator: In, values: [acme-prod, beta-%d]}`)+`}}}`)), "", long),
		"a Gateway of many addresses":           writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, listeners(1, "")+`, addresses: `+entries(16, `{value: "192.0.2.%d"}`)), "", long),
		"a Gateway of others' certificates":     writing(target{gatewaysRail, "gateways"}, aRoute("Gateway", many, listeners(64, `, tls: {certificateRefs: `+entries(10, `{name: c-%d, namespace: beta-%d}`)+`}`)), "", long),
		"a ListenerSet of many listeners":       writing(target{gatewaysRail, "listenersets"}, strings.ReplaceAll(aRoute("ListenerSet", many, elsewhere), "gatewayClassName: acme-gateway", "parentRef: {name: g}"), "", long),
		"references of many are granted":        writing(target{"bulkhead-ingress-grants", "referencegrants"}, grant(big), "", long),
		"references of many more are granted":   writing(target{"bulkhead-ingress-grants", "referencegrants"}, grant(2*big), grant(big), long),
		"references to something else, as well": writing(target{"bulkhead-ingress-grants", "referencegrants"}, strings.Replace(grant(big), "kind: Service", "kind: Secret", 1), grant(big), long),
	}
}

// TestIngress checks what the rule says of Ingresses. The attack table does so against an API server; here are the
// spellings that differ in nothing else.
func TestIngress(t *testing.T) {
	t.Parallel()
	const class = "ingressClassName: acme-nginx, "
	const good = class + "rules: [{host: acme.example.com}]"
	bad := class + "rules: [{host: evil.com}]"
	alias := func(key, value string) string { return `"` + key + `": '` + value + `'` }
	const nginx, dns = "nginx.ingress.kubernetes.io/server-alias", "external-dns.alpha.kubernetes.io/hostname"
	tests := map[string]struct{ annotations, spec, oldAnnotations, old, want string }{
		"exact":                          {spec: good},
		"the other class":                {spec: `ingressClassName: acme-internal, rules: [{host: acme.example.org}]`},
		"below a wildcard":               {spec: class + `rules: [{host: a.acme.example.com}, {host: a.b.acme.example.com}, {host: "*.acme.example.com"}, {host: "*.a.acme.example.com"}]`},
		"beside a wildcard":              {spec: class + `rules: [{host: a.acme.example.com}, {host: xacme.example.com}]`, want: `must not serve "xacme.example.com" (spec.rules): allowed are *.acme.example.com, acme.example.com, acme.example.org; others are added to spec.ingress.hostnames of Tenant "acme"`},
		"above a wildcard":               {spec: class + `rules: [{host: example.com}]`, want: `must not serve "example.com"`},
		"a wildcard above":               {spec: class + `rules: [{host: "*.example.com"}]`, want: `must not serve "*.example.com"`},
		"a wildcard of an exact name":    {spec: class + `rules: [{host: "*.acme.example.org"}]`, want: `must not serve "*.acme.example.org"`},
		"below an exact name":            {spec: class + `rules: [{host: a.acme.example.org}]`, want: `must not serve`},
		"an allowed name in front":       {spec: class + `rules: [{host: acme.example.com.evil.com}]`, want: `must not serve`},
		"nothing below":                  {spec: class + `rules: [{host: .acme.example.com}]`, want: `must not serve`},
		"a comma":                        {spec: class + `rules: [{host: "evil.com,a.acme.example.com"}]`, want: `must not serve "evil.com,a.acme.example.com"`},
		"a space":                        {spec: class + `rules: [{host: "evil.com .acme.example.com"}]`, want: `must not serve "evil.com .acme.example.com"`},
		"no host":                        {spec: class + `rules: [{host: acme.example.com}, {http: {}}]`, want: `must not serve every host: spec.rules must name its own: allowed are`},
		"an empty host":                  {spec: class + `rules: [{host: ""}]`, want: `must not serve every host`},
		"a certificate":                  {spec: good + `, tls: [{hosts: [acme.example.com, a.acme.example.com]}, {hosts: [acme.example.org]}]`},
		"a certificate for others":       {spec: good + `, tls: [{hosts: [acme.example.com]}, {hosts: [acme.example.com, evil.com]}]`, want: `must not serve "evil.com" (spec.tls)`},
		"a certificate for all":          {spec: good + `, tls: [{hosts: [acme.example.com]}, {secretName: x}]`, want: `must not serve every host: spec.tls must name its own`},
		"a certificate for none":         {spec: good + `, tls: [{hosts: []}]`, want: `must not serve every host: spec.tls`},
		"a default backend":              {spec: good + `, defaultBackend: {service: {name: x}}`, want: `must not have spec.defaultBackend, which serves every host`},
		"no class":                       {spec: `rules: [{host: acme.example.com}]`, want: `must name its class in spec.ingressClassName: allowed are acme-nginx, acme-internal; others are added to spec.ingress.classNames of Tenant "acme"`},
		"a foreign class":                {spec: `ingressClassName: shared, rules: [{host: acme.example.com}]`, want: `must not have the class "shared" (spec.ingressClassName): allowed are acme-nginx`},
		"a class by annotation":          {annotations: `kubernetes.io/ingress.class: acme-nginx`, spec: `rules: [{host: acme.example.com}]`},
		"a foreign class by annotation":  {annotations: `kubernetes.io/ingress.class: shared`, spec: good, want: `must not have the class "shared" (kubernetes.io/ingress.class)`},
		"an empty class by annotation":   {annotations: `kubernetes.io/ingress.class: ""`, spec: good, want: `must not have the class ""`},
		"a class in two lines":           {annotations: `kubernetes.io/ingress.class: "a\nb"`, spec: good, want: `must not have the class "a b"`},
		"aliases":                        {annotations: alias(nginx, "acme.example.org, a.acme.example.com,"), spec: good},
		"an alias":                       {annotations: alias(nginx, "acme.example.org, evil.com"), spec: good, want: `must not serve "evil.com" (` + nginx + `)`},
		"an alias that is a pattern":     {annotations: alias(nginx, "~^.*$|.acme.example.com"), spec: good, want: `must not serve "~^.*$|.acme.example.com"`},
		"an alias with a dot first":      {annotations: alias(nginx, ".acme.example.com"), spec: good, want: `must not serve ".acme.example.com"`},
		"two aliases in one":             {annotations: alias(nginx, "evil.com x.acme.example.com"), spec: good, want: `must not serve "evil.com x.acme.example.com"`},
		"a long alias":                   {annotations: alias(nginx, strings.Repeat("x", 3000)), spec: good, want: `must not serve "xxx`},
		"an alias of haproxy":            {annotations: alias("haproxy-ingress.github.io/server-alias", "evil.com"), spec: good, want: `must not serve "evil.com"`},
		"an alias of Kong":               {annotations: alias("konghq.com/host-aliases", "evil.com"), spec: good, want: `must not serve "evil.com"`},
		"a record":                       {annotations: alias(dns, "a.acme.example.com"), spec: good},
		"a foreign record":               {annotations: alias(dns, "a.acme.example.com,www.beta.example.com"), spec: good, want: `must not serve "www.beta.example.com" (` + dns + `)`},
		"with www":                       {annotations: alias("nginx.ingress.kubernetes.io/from-to-www-redirect", "true"), spec: class + `rules: [{host: a.acme.example.com}]`},
		"with www, which isn't allowed":  {annotations: alias("nginx.ingress.kubernetes.io/from-to-www-redirect", "1"), spec: class + `rules: [{host: acme.example.org}]`, want: `must not serve "www.acme.example.org" (nginx.ingress.kubernetes.io/from-to-www-redirect)`},
		"without www, which isn't":       {annotations: alias("nginx.ingress.kubernetes.io/from-to-www-redirect", "t"), spec: class + `rules: [{host: www.acme.example.com}]`},
		"www, switched off":              {annotations: alias("nginx.ingress.kubernetes.io/from-to-www-redirect", "false"), spec: class + `rules: [{host: acme.example.org}]`},
		"a pattern of hosts":             {annotations: alias("haproxy-ingress.github.io/server-alias-regex", "acme"), spec: good, want: `must not have the annotation haproxy-ingress.github.io/server-alias-regex`},
		"a condition on paths":           {annotations: alias("alb.ingress.kubernetes.io/conditions.x", `[{"field":"path-pattern"}]`), spec: good},
		"a condition on hosts":           {annotations: alias("alb.ingress.kubernetes.io/conditions.x", `[{"field":"host-header"}]`), spec: good, want: `must not have the annotation alb.ingress.kubernetes.io/conditions.x`},
		"a condition in another writing": {annotations: alias("alb.ingress.kubernetes.io/conditions.x", `[{"field":"\u0068ost-header"}]`), spec: good, want: `alb.ingress.kubernetes.io/conditions.x`},
		"a snippet isn't judged":         {annotations: alias("nginx.ingress.kubernetes.io/server-snippet", "return 200;"), spec: good},

		"an old host stays":                    {spec: class + `rules: [{host: evil.com}, {host: acme.example.com}]`, old: bad},
		"an old host, and another":             {spec: class + `rules: [{host: evil.com}, {host: worse.com}]`, old: bad, want: `"worse.com"`},
		"an old host gets a certificate":       {spec: bad + `, tls: [{hosts: [evil.com]}]`, old: bad, want: `"evil.com" (spec.tls)`},
		"an old host, on another class":        {spec: `ingressClassName: acme-internal, rules: [{host: evil.com}]`, old: bad, want: `"evil.com"`},
		"an old host goes":                     {spec: good, old: bad},
		"an old class stays":                   {spec: `ingressClassName: shared, rules: [{host: acme.example.com}]`, old: `ingressClassName: shared`},
		"an old class by annotation stays":     {annotations: `kubernetes.io/ingress.class: shared`, spec: `rules: [{host: acme.example.com}]`, oldAnnotations: `kubernetes.io/ingress.class: shared`, old: `rules: []`},
		"the class goes, the annotation stays": {annotations: `kubernetes.io/ingress.class: shared`, spec: `rules: [{host: acme.example.com}]`, oldAnnotations: `kubernetes.io/ingress.class: shared`, old: good, want: `"shared"`},
		"the class goes":                       {spec: `rules: [{host: acme.example.com}]`, old: good, want: `must name its class`},
		"many hosts":                           {spec: class + `rules: ` + entries(2000, `{host: %d.acme.example.com}`), old: class + `rules: ` + entries(1999, `{host: %d.acme.example.com}`)},
		"too many hosts":                       {spec: class + `rules: ` + entries(7000, `{host: %d.acme.example.com}`), old: class + `rules: ` + entries(6999, `{host: %d.acme.example.com}`), want: `must not serve 7000 hosts, which are too many to be judged: allowed are 5333 beside as many names as spec.ingress.hostnames of Tenant "acme" has; make several of it`},
		"too many hosts, as before":            {spec: class + `rules: ` + entries(7000, `{host: %d.evil.com}`), old: class + `rules: ` + entries(7000, `{host: %d.evil.com}`)},
		"there was no class":                   {spec: `rules: [{host: acme.example.com}]`, old: `rules: []`},
		"there was a default backend":          {spec: good + `, defaultBackend: {service: {name: y}}`, old: good + `, defaultBackend: {service: {name: x}}`},
		"there was no default backend":         {spec: good + `, defaultBackend: {service: {name: y}}`, old: good, want: `spec.defaultBackend`},
		"there was no host":                    {spec: class + `rules: [{}, {host: acme.example.com}]`, old: class + `rules: [{}]`},
		"there was an alias":                   {annotations: alias(nginx, "evil.com, acme.example.com"), spec: good, oldAnnotations: alias(nginx, "evil.com"), old: good},
		"there was a pattern":                  {annotations: alias("haproxy-ingress.github.io/server-alias-regex", "a"), spec: good, oldAnnotations: alias("haproxy-ingress.github.io/server-alias-regex", "a"), old: good},
		"there was another pattern":            {annotations: alias("haproxy-ingress.github.io/server-alias-regex", "a"), spec: good, oldAnnotations: alias("haproxy-ingress.github.io/server-alias-regex", "b"), old: good, want: `server-alias-regex`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := ""
			if tc.old != "" {
				old = anIngress(tc.oldAnnotations, tc.old)
			}
			said(t, writing(target{ingressRail, "ingresses"}, anIngress(tc.annotations, tc.spec), old, guarded(served())), tc.want)
		})
	}
	t.Run("without spec.ingress", func(t *testing.T) {
		t.Parallel()
		said(t, writing(target{ingressRail, "ingresses"}, anIngress("", good), "", guarded(nil)), `must not have the class "acme-nginx" (spec.ingressClassName): allowed are none; others`)
	})
}

// said checks what a rule says of a request: nothing, or all that is wanted in the right words. What the matchConditions let
// pass it says nothing of.
func said(t *testing.T, r request, want string) {
	t.Helper()
	got := ""
	if judged(t, r) {
		got = offence(t, r)
	}
	if (got == "") != (want == "") || !strings.Contains(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if strings.Contains(got, "\n") || len(got) > 2000 {
		t.Errorf("the text has %d bytes, or more than a line", len(got))
	}
}

func TestIngressServices(t *testing.T) {
	t.Parallel()
	const inside = `which is inside the cluster: allowed are names of hosts outside, in full; pods of others are reached by spec.network.allow of Tenant "acme"`
	const dns = "external-dns.alpha.kubernetes.io/hostname: "
	named := func(name string) string { return `type: ExternalName, externalName: "` + name + `"` }
	tests := map[string]struct{ annotations, spec, old, want string }{
		"inside the cluster":        {spec: `type: ClusterIP`},
		"headless":                  {spec: `type: ClusterIP, clusterIP: None`},
		"of no type":                {spec: `ports: []`},
		"a port of every node":      {spec: `type: NodePort`, want: `must not be of the type NodePort: allowed are ClusterIP, ExternalName; others are added to spec.ingress.serviceTypes of Tenant "acme"`},
		"a load balancer":           {spec: `type: LoadBalancer`, want: `must not be of the type LoadBalancer`},
		"becomes a port":            {spec: `type: NodePort`, old: `type: ClusterIP`, want: `must not be of the type NodePort`},
		"was a port":                {spec: `type: NodePort, ports: [{port: 81}]`, old: `type: NodePort`},
		"external addresses":        {spec: `type: ClusterIP, externalIPs: [192.0.2.1]`, want: `must not have the address "192.0.2.1" (spec.externalIPs): allowed are none`},
		"one more external address": {spec: `type: ClusterIP, externalIPs: [192.0.2.1, 192.0.2.2]`, old: `type: ClusterIP, externalIPs: [192.0.2.1]`, want: `"192.0.2.2"`},
		"old external addresses":    {spec: `type: ClusterIP, externalIPs: [192.0.2.1]`, old: `type: ClusterIP, externalIPs: [192.0.2.2, 192.0.2.1]`},
		"its load balancer":         {spec: `type: LoadBalancer, loadBalancerIP: 192.0.2.1`, old: `type: LoadBalancer`, want: `must not choose its load balancer (spec.loadBalancerIP): allowed are the types ClusterIP, ExternalName; LoadBalancer is added to spec.ingress.serviceTypes`},
		"its load balancer's class": {spec: `type: ClusterIP, loadBalancerClass: x`, want: `(spec.loadBalancerClass)`},
		"its load balancer goes":    {spec: `type: LoadBalancer`, old: `type: LoadBalancer, loadBalancerIP: 192.0.2.1`},
		"its load balancer stays":   {spec: `type: LoadBalancer, loadBalancerIP: 192.0.2.1`, old: `type: LoadBalancer, loadBalancerIP: 192.0.2.1`},
		"a record":                  {annotations: dns + "a.acme.example.com", spec: `type: ClusterIP`},
		"a foreign record":          {annotations: dns + "www.beta.example.com", spec: `type: ClusterIP`, want: `must not serve "www.beta.example.com" (external-dns.alpha.kubernetes.io/hostname)`},
		"a record inside":           {annotations: `external-dns.alpha.kubernetes.io/internal-hostname: www.beta.example.com`, spec: `type: ClusterIP`, want: `must not serve`},
		"an alias":                  {spec: named("db.example.com")},
		"an alias in full":          {spec: named("db.example.com.")},
		"an alias of a punycode":    {spec: named("db.xn--p1ai")},
		"an alias of two labels":    {spec: named("example.com")},
		"an alias that was there":   {spec: named("web.beta.svc"), old: named("web.beta.svc")},
		"an alias that comes":       {spec: named("web.beta.svc"), old: `type: ClusterIP, externalName: web.beta.svc`, want: `"web.beta.svc"`},
		"an alias that sleeps":      {spec: `type: ClusterIP, externalName: web.beta.svc`},
		"in small letters":          {spec: named("WEB.Beta.SVC.Cluster.Local."), want: `must not be another name for "web.beta.svc.cluster.local" (spec.externalName), ` + inside},
	}
	for _, name := range []string{
		"kubernetes", "web", "localhost", "LOCALHOST.", "a.localhost", "localhost.localdomain", "kubernetes.default", "kubernetes.default.svc",
		"web.beta.svc", "web.beta.svc.", "web.beta.svc..", "web.beta.svc.cluster.local", "web.beta.svc.corp.example", "10-0-0-1.beta.pod.cluster.local",
		"cluster.local", "web.beta-prod", "pod.web.beta-prod", "kube-dns.kube-system", "169.254.169.254", "10.1", "127.1.", "0x7f.1", "0xa9.0xfe.0xa9.0xfe", "1", "017700000001",
	} {
		tests["the alias "+name] = struct{ annotations, spec, old, want string }{spec: named(name), want: inside}
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := ""
			if tc.old != "" {
				old = aService("", tc.old)
			}
			said(t, writing(target{servicesRail, "services"}, aService(tc.annotations, tc.spec), old, guarded(served())), tc.want)
		})
	}
	for name, tc := range map[string]struct{ types, spec, want string }{
		"without spec.ingress":              {spec: `type: ClusterIP`},
		"without spec.ingress, a name":      {spec: named("db.example.com"), want: `must not be of the type ExternalName: allowed are ClusterIP;`},
		"load balancers only":               {types: "LoadBalancer", spec: `type: ClusterIP`, want: `must not be of the type ClusterIP: allowed are LoadBalancer;`},
		"a load balancer that is allowed":   {types: "ClusterIP,LoadBalancer", spec: `type: LoadBalancer, loadBalancerIP: 192.0.2.1, loadBalancerClass: x, ports: [{port: 80, nodePort: 30000}]`},
		"no load balancer without its type": {types: "NodePort", spec: `type: NodePort, loadBalancerIP: 192.0.2.1`, want: `spec.loadBalancerIP`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := map[string]string{}
			if tc.types != "" {
				data[v1alpha1.GuardServiceTypes] = tc.types
			}
			said(t, writing(target{servicesRail, "services"}, aService("", tc.spec), "", guarded(data)), tc.want)
		})
	}
}
