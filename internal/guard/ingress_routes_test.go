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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package guard_test

import (
	"strings"
	"testing"
)

func TestIngressRoutes(t *testing.T) {
	t.Parallel()
	const gateway, service = `parentRefs: [{name: g}]`, `parentRefs: [{group: "", kind: Service, name: s}]`
	tests := map[string]struct{ kind, annotations, spec, old, want string }{
		"its own":                              {spec: gateway + `, hostnames: [acme.example.com, "*.acme.example.com"]`},
		"another's Gateway":                    {spec: `parentRefs: [{name: g, namespace: infra}], hostnames: [acme.example.com]`},
		"everything":                           {spec: gateway, want: `must not serve every host: spec.hostnames must name its own: allowed are *.acme.example.com, acme.example.com, acme.example.org; others`},
		"an empty list":                        {spec: gateway + `, hostnames: []`, want: `must not serve every host`},
		"another's":                            {spec: gateway + `, hostnames: [acme.example.com, evil.com]`, want: `must not serve "evil.com" (spec.hostnames)`},
		"nowhere yet":                          {spec: `hostnames: [evil.com]`, want: `must not serve "evil.com"`},
		"GRPC":                                 {kind: "GRPCRoute", spec: gateway + `, hostnames: [evil.com]`, want: `must not serve "evil.com"`},
		"TLS":                                  {kind: "TLSRoute", spec: gateway, want: `must not serve every host`},
		"TCP":                                  {kind: "TCPRoute", spec: gateway, want: `has no hostnames, so that nothing says which way in is whose: allowed are HTTPRoute, GRPCRoute and TLSRoute for *.acme`},
		"UDP":                                  {kind: "UDPRoute", spec: gateway, want: `has no hostnames`},
		"UDP, nowhere yet":                     {kind: "UDPRoute", spec: `rules: []`, want: `has no hostnames`},
		"TCP to a Service":                     {kind: "TCPRoute", spec: service},
		"TCP as before":                        {kind: "TCPRoute", spec: gateway + `, rules: [{}]`, old: gateway},
		"TCP to another Gateway":               {kind: "TCPRoute", spec: `parentRefs: [{name: g}, {name: h}]`, old: gateway, want: `has no hostnames`},
		"to a Service":                         {spec: service},
		"to a Service, and a Gateway":          {spec: `parentRefs: [{group: "", kind: Service, name: s}, {name: g}]`, want: `must not serve every host`},
		"to a Service of another group":        {spec: `parentRefs: [{group: example.com, kind: Service, name: s}]`, want: `must not serve every host`},
		"from a Service to a Gateway":          {spec: gateway, old: service, want: `must not serve every host`},
		"a record":                             {annotations: `external-dns.alpha.kubernetes.io/hostname: evil.com`, spec: gateway + `, hostnames: [acme.example.com]`, want: `must not serve "evil.com" (external-dns`},
		"an old one stays":                     {spec: gateway + `, hostnames: [evil.com, acme.example.com]`, old: gateway + `, hostnames: [evil.com]`},
		"an old one, and another":              {spec: gateway + `, hostnames: [evil.com, worse.com]`, old: gateway + `, hostnames: [evil.com]`, want: `"worse.com"`},
		"an old one, on another Gateway":       {spec: `parentRefs: [{name: h}], hostnames: [evil.com]`, old: gateway + `, hostnames: [evil.com]`, want: `"evil.com"`},
		"an old one leaves a Gateway":          {spec: gateway + `, hostnames: [evil.com]`, old: `parentRefs: [{name: h}, {name: g}], hostnames: [evil.com]`},
		"an old one loses its hostnames":       {spec: gateway, old: gateway + `, hostnames: [evil.com]`, want: `must not serve every host`},
		"one that served all names some of it": {spec: gateway + `, hostnames: [evil.com]`, old: gateway, want: `"evil.com"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.kind == "" {
				tc.kind = "HTTPRoute"
			}
			old := ""
			if tc.old != "" {
				old = aRoute(tc.kind, "", tc.old)
			}
			said(t, writing(target{routesRail, strings.ToLower(tc.kind) + "s"}, aRoute(tc.kind, tc.annotations, tc.spec), old, guarded(served())), tc.want)
		})
	}
}

func TestIngressGateways(t *testing.T) {
	t.Parallel()
	gateway := func(listener, more string) string {
		return aRoute("Gateway", "", `gatewayClassName: acme-gateway, listeners: [{name: https, port: 443, protocol: HTTPS`+listener+`}]`+more)
	}
	const host = `, hostname: acme.example.com`
	from := func(from string) string { return gateway(host+`, allowedRoutes: {namespaces: {`+from+`}}`, "") }
	set := func(parent, listener string) string {
		return aRoute("ListenerSet", "", `parentRef: {name: `+parent+`}, listeners: [{name: https, port: 443`+listener+`}]`)
	}
	const open = `must not let in the namespaces of others (spec.listeners[https].allowedRoutes.namespaces): allowed are from: Same, and a selector with matchLabels tenancy.bulkhead.dev/tenant: acme; `
	tests := map[string]struct{ object, old, want string }{
		"its own":                            {object: gateway(host, "")},
		"a wildcard":                         {object: gateway(`, hostname: "*.acme.example.com"`, "")},
		"a foreign class":                    {object: strings.Replace(gateway(host, ""), "acme-gateway", "public", 1), want: `must not have the class "public" (spec.gatewayClassName): allowed are acme-gateway; others are added to spec.ingress.gatewayClassNames of Tenant "acme"`},
		"no class":                           {object: strings.Replace(gateway(host, ""), "gatewayClassName: acme-gateway,", "", 1), want: `must not have the class ""`},
		"an old class":                       {object: strings.Replace(gateway(host, ""), "acme-gateway", "public", 1), old: strings.Replace(gateway(host, ""), "acme-gateway", "public", 1)},
		"every host":                         {object: gateway("", ""), want: `must not serve every host: spec.listeners[https] must name its own`},
		"another's host":                     {object: gateway(`, hostname: evil.com`, ""), want: `must not serve "evil.com" (spec.listeners[https])`},
		"a port":                             {object: strings.Replace(gateway("", ""), "HTTPS", "TCP", 1), want: `must not serve every host`},
		"an old listener":                    {object: gateway(`, hostname: evil.com, tls: {}`, ""), old: gateway(`, hostname: evil.com`, "")},
		"an old listener of another class":   {object: gateway(`, hostname: evil.com`, ""), old: strings.Replace(gateway(`, hostname: evil.com`, ""), "acme-gateway", "public", 1), want: `"evil.com"`},
		"routes of the namespace":            {object: from(`from: Same`)},
		"no routes":                          {object: from(`from: None`)},
		"routes of the tenant":               {object: from(`from: Selector, selector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme, stage: production}}`)},
		"routes of a namespace":              {object: from(`from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: acme-dev}}`)},
		"routes of the tenant, In":           {object: from(`from: Selector, selector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme]}]}`)},
		"routes of namespaces":               {object: from(`from: Selector, selector: {matchExpressions: [{key: a, operator: Exists}, {key: kubernetes.io/metadata.name, operator: In, values: [acme-dev, acme-prod]}]}`)},
		"routes of all":                      {object: from(`from: All`), want: open},
		"routes of a later version":          {object: from(`from: Planet`), want: open},
		"routes of another tenant":           {object: from(`from: Selector, selector: {matchLabels: {tenancy.bulkhead.dev/tenant: beta}}`), want: open},
		"routes of whatever":                 {object: from(`from: Selector, selector: {}`), want: open},
		"routes of whatever, too":            {object: from(`from: Selector`), want: open},
		"routes of any label":                {object: from(`from: Selector, selector: {matchLabels: {team: a}}`), want: open},
		"routes of two tenants":              {object: from(`from: Selector, selector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme, beta]}]}`), want: open},
		"routes of the others":               {object: from(`from: Selector, selector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [acme]}]}`), want: open},
		"routes of tenants":                  {object: from(`from: Selector, selector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}`), want: open},
		"routes of all, as before":           {object: from(`from: All`), old: from(`from: All`)},
		"routes of all, from now on":         {object: from(`from: All`), old: from(`from: Same`), want: open},
		"listeners of all":                   {object: gateway(host, `, allowedListeners: {namespaces: {from: All}}`), want: `(spec.allowedListeners.namespaces)`},
		"listeners of the tenant":            {object: gateway(host, `, allowedListeners: {namespaces: {from: Selector, selector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme}}}}`)},
		"an address":                         {object: gateway(host, `, addresses: [{value: 192.0.2.1}]`), want: `must not choose the address "192.0.2.1" (spec.addresses)`},
		"an old address":                     {object: gateway(host, `, addresses: [{value: 192.0.2.1}]`), old: gateway(host, `, addresses: [{value: 192.0.2.1}]`)},
		"its certificate":                    {object: gateway(host+`, tls: {certificateRefs: [{name: c}, {name: c, namespace: acme-prod}, {name: c, namespace: acme-dev}]}`, "")},
		"another's certificate":              {object: gateway(host+`, tls: {certificateRefs: [{name: c}, {name: c, namespace: beta-prod}]}`, ""), want: `must not have a certificate of namespace "beta-prod" (spec.listeners[https].tls.certificateRefs): allowed are acme-prod, acme-dev, which are those of Tenant "acme"`},
		"another's certificate, as before":   {object: gateway(host+`, tls: {certificateRefs: [{name: c, namespace: beta-prod}]}`, ""), old: gateway(host+`, tls: {certificateRefs: [{name: c, namespace: beta-prod}]}`, "")},
		"a set of listeners":                 {object: set("g", host)},
		"a set of another's host":            {object: set("g", `, hostname: evil.com`), want: `must not serve "evil.com"`},
		"a set for all":                      {object: set("g", host+`, allowedRoutes: {namespaces: {from: All}}`), want: open},
		"an old set":                         {object: set("g", `, hostname: evil.com`), old: set("g", `, hostname: evil.com`)},
		"an old set, beside another Gateway": {object: set("h", `, hostname: evil.com`), old: set("g", `, hostname: evil.com`), want: `"evil.com"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said(t, writing(target{gatewaysRail, "gateways"}, tc.object, tc.old, guarded(served())), tc.want)
		})
	}
}

func TestIngressGrants(t *testing.T) {
	t.Parallel()
	grant := func(to string, from ...string) string {
		var entries []string
		for _, namespace := range from {
			entries = append(entries, `{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: `+namespace+`}`)
		}
		return aRoute("ReferenceGrant", "", `from: [`+strings.Join(entries, ", ")+`], to: [{group: "", kind: `+to+`}]`)
	}
	tests := map[string]struct{ object, old, want string }{
		"the tenant's":        {object: grant("Service", "acme-prod", "acme-dev")},
		"another's":           {object: grant("Service", "acme-dev", "beta-prod"), want: `must not let in HTTPRoutes of namespace "beta-prod" (spec.from): allowed are acme-prod, acme-dev; others become the tenant's by spec.namespaces of Tenant "acme"`},
		"as before":           {object: grant("Service", "beta-prod", "acme-dev"), old: grant("Service", "beta-prod")},
		"as before, to more":  {object: grant("Secret", "beta-prod"), old: grant("Service", "beta-prod"), want: `"beta-prod"`},
		"another's, one more": {object: grant("Service", "beta-prod", "gamma"), old: grant("Service", "beta-prod"), want: `"gamma"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said(t, writing(target{"bulkhead-ingress-grants", "referencegrants"}, tc.object, tc.old, guarded(served())), tc.want)
		})
	}
}
