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
	"strings"
	"testing"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// TestIngressOwnGateway checks routes without hostnames, which lead to a tenant by its own Gateway only.
func TestIngressOwnGateway(t *testing.T) {
	t.Parallel()
	const own, record = `parentRefs: [{name: bulkhead-acme, namespace: infra}]`, `external-dns.alpha.kubernetes.io/hostname: `
	const refused = `has no hostnames, so that nothing says which way in is whose`
	tests := map[string]struct{ kind, annotations, spec, old, gateway, want string }{
		"TCP":                         {spec: own},
		"UDP":                         {kind: "UDPRoute", spec: own},
		"a listener of it":            {spec: `parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: bulkhead-acme, namespace: infra, sectionName: raw, port: 7777}]`},
		"often":                       {spec: `parentRefs: ` + entries(32, `{name: bulkhead-acme, namespace: infra, port: %d}`)},
		"and to a Service":            {spec: `parentRefs: [{name: bulkhead-acme, namespace: infra}, {group: "", kind: Service, name: s}]`},
		"in the same namespace":       {spec: `parentRefs: [{name: bulkhead-acme}]`, gateway: "acme-prod/bulkhead-acme"},
		"of another namespace":        {spec: `parentRefs: [{name: bulkhead-acme}]`, want: refused},
		"of another name":             {spec: `parentRefs: [{name: shared, namespace: infra}]`, want: `at its own Gateway "infra/bulkhead-acme" it may name that as the only parent (spec.parentRefs)`},
		"and another":                 {spec: `parentRefs: [{name: bulkhead-acme, namespace: infra}, {name: shared, namespace: infra}]`, want: refused},
		"of another kind":             {spec: `parentRefs: [{kind: ListenerSet, name: bulkhead-acme, namespace: infra}]`, want: refused},
		"of another group":            {spec: `parentRefs: [{group: example.com, name: bulkhead-acme, namespace: infra}]`, want: refused},
		"the slash somewhere else":    {spec: `parentRefs: [{name: "", namespace: infra/bulkhead-acme}]`, want: refused},
		"nowhere":                     {spec: `rules: []`, want: refused},
		"it has none":                 {spec: own, gateway: "-", want: `spec.ingress.serviceTypes; a Gateway of its own is given by spec.ingress.gateway`},
		"it has none, and names none": {spec: `parentRefs: [{name: "", namespace: ""}]`, gateway: "-", want: refused},
		"from another that it had":    {spec: own, old: `parentRefs: [{name: shared, namespace: infra}]`},
		"beside another that it had":  {spec: `parentRefs: [{name: bulkhead-acme, namespace: infra}, {name: shared, namespace: infra}]`, old: `parentRefs: [{name: shared, namespace: infra}]`},
		"its record":                  {annotations: record + `acme.example.com`, spec: own},
		"another's record":            {annotations: record + `evil.com`, spec: own, want: `must not serve "evil.com" (external-dns`},
		"another's record, as before": {annotations: record + `evil.com`, spec: own + `, rules: []`, old: own, want: `must not serve "evil.com" (external-dns`},
		"HTTP still needs its names":  {kind: "HTTPRoute", spec: own, want: `must not serve every host`},
		"TLS still needs its names":   {kind: "TLSRoute", spec: own + `, hostnames: [evil.com]`, want: `must not serve "evil.com"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.kind == "" {
				tc.kind = "TCPRoute"
			}
			annotations := served()
			switch tc.gateway {
			case "":
				annotations[v1alpha1.GuardGateway] = "infra/bulkhead-acme"
			case "-":
			default:
				annotations[v1alpha1.GuardGateway] = tc.gateway
			}
			old := ""
			if tc.old != "" {
				old = aRoute(tc.kind, "", tc.old)
			}
			said(t, writing(target{routesRail, strings.ToLower(tc.kind) + "s"}, aRoute(tc.kind, tc.annotations, tc.spec), old, guarded(annotations)), tc.want)
		})
	}
}
