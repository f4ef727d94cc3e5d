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

func TestIngressAddresses(t *testing.T) {
	t.Parallel()
	const rail = "bulkhead-ingress-addresses"
	slice := func(endpoints string) string {
		return anObject("discovery.k8s.io/v1", "EndpointSlice", "", `addressType: IPv4, endpoints: [`+endpoints+`]`)
	}
	endpoints := func(annotations, subsets string) string {
		return anObject("v1", "Endpoints", annotations, `subsets: [`+subsets+`]`)
	}
	balanced := func(kind, ingress string) string {
		return anObject("v1", kind, "", `status: {loadBalancer: {ingress: [`+ingress+`]}}`)
	}
	const one, two = `{addresses: ["10.0.0.1"]}`, `{addresses: ["10.0.0.2"]}`
	const allowed = `must not get addresses from "mallory": allowed are Kubernetes and the platform's controllers (users that begin with system: or eks:`
	tests := map[string]struct{ resource, object, old, want string }{
		"pods of others": {"endpointslices", slice(one), "", allowed + `, and no ServiceAccount of the tenant) and break-glass; select pods by spec.selector of a Service; ` +
			`pods of others are reached by spec.network.allow of Tenant "acme"`},
		"pods of others, more":        {"endpointslices", slice(one + `, ` + two), slice(one), `must not get addresses`},
		"pods of others, as before":   {"endpointslices", slice(one), slice(one), ``},
		"pods of others, none left":   {"endpointslices", slice(``), slice(one), ``},
		"pods of others, others":      {"endpointslices", slice(two), slice(one), `must not get addresses`},
		"no pods":                     {"endpointslices", slice(``), "", ``},
		"no pods, in Go":              {"endpointslices", strings.Replace(slice(``), "[]", "null", 1), "", ``},
		"pods in the place of none":   {"endpointslices", slice(one), strings.Replace(slice(``), "[]", "null", 1), `must not get addresses`},
		"pods of others, the old way": {"endpoints", endpoints("", one), "", allowed + `, and no ServiceAccount`},
		"pods of others, they change": {"endpoints", endpoints("", two), endpoints("", one), `must not get addresses`},
		"pods of others, they go":     {"endpoints", endpoints("", ""), endpoints("", one), ``},
		"a leader is elected":         {"endpoints", endpoints("control-plane.alpha.kubernetes.io/leader: x", ""), "", ``},
		"a leader is elected again":   {"endpoints", endpoints("control-plane.alpha.kubernetes.io/leader: y", one), endpoints("", one), ``},
		"a load balancer": {"services/status", balanced("Service", `{ip: 192.0.2.1}`), balanced("Service", ""), allowed + `, and no ServiceAccount of the tenant) and break-glass; ` +
			`load balancers are allowed by spec.ingress.serviceTypes of Tenant "acme"`},
		"a load balancer moves":    {"services/status", balanced("Service", `{ip: 192.0.2.2}`), balanced("Service", `{ip: 192.0.2.1}`), `must not get addresses`},
		"a load balancer goes":     {"services/status", aService("", "type: ClusterIP"), balanced("Service", `{ip: 192.0.2.1}`), ``},
		"a condition of a Service": {"services/status", balanced("Service", `{ip: 192.0.2.1}`), balanced("Service", `{ip: 192.0.2.1}`), ``},
		"an Ingress": {"ingresses/status", balanced("Ingress", `{hostname: a.example.com}`), balanced("Ingress", ""), allowed + `, as all ServiceAccounts) and break-glass; ` +
			`its controller writes them as a ServiceAccount, for a class of spec.ingress.classNames of Tenant "acme"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := writing(target{rail, tc.resource}, tc.object, tc.old, guarded(nil))
			if strings.HasPrefix(tc.resource, "ingresses") {
				r.gvk.Group = "networking.k8s.io"
			}
			said(t, r, tc.want)
		})
	}
}

// TestIngressAddressesBy checks whose addresses are believed, by their names alone.
func TestIngressAddressesBy(t *testing.T) {
	t.Parallel()
	const rail = "bulkhead-ingress-addresses"
	slice := anObject("discovery.k8s.io/v1", "EndpointSlice", "", `addressType: IPv4, endpoints: [{addresses: ["10.0.0.1"]}]`)
	ingress := anObject("networking.k8s.io/v1", "Ingress", "", `status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}`)
	for name, tc := range map[string]struct {
		user                     string
		allowed, lonely, ingress bool
	}{
		"a person":                                {user: "mallory"},
		"a person, by OIDC":                       {user: "https://login.example.com#system:mallory"},
		"a person named eks":                      {user: "eks"},
		"a person named system":                   {user: "system"},
		"the endpoint controllers":                {user: "system:serviceaccount:kube-system:endpointslice-controller", allowed: true},
		"one user for all controllers":            {user: "system:kube-controller-manager", allowed: true},
		"a cloud's own":                           {user: "system:cloud-controller-manager", allowed: true},
		"a cloud's own, EKS":                      {user: "eks:service-controller", allowed: true},
		"MetalLB":                                 {user: "system:serviceaccount:metallb-system:controller", allowed: true},
		"the operator":                            {user: "system:serviceaccount:bulkhead-system:bulkhead", allowed: true},
		"an account of another tenant":            {user: "system:serviceaccount:beta-prod:builder", allowed: true},
		"an account of a namespace named alike":   {user: "system:serviceaccount:acme-prod-2:builder", allowed: true},
		"an account of the namespace":             {user: "system:serviceaccount:acme-prod:builder", ingress: true},
		"an account of the tenant's other one":    {user: "system:serviceaccount:acme-dev:builder", lonely: true, ingress: true},
		"an account named like a trusted one":     {user: "system:serviceaccount:acme-prod:endpointslice-controller", ingress: true},
		"an account named like the operator":      {user: "system:serviceaccount:acme-prod:bulkhead", ingress: true},
		"an account of the other, like a cloud's": {user: "system:serviceaccount:acme-dev:eks", lonely: true, ingress: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusal := func(allowed bool) string {
				if allowed {
					return ""
				}
				return `must not get addresses from "` + tc.user + `"`
			}
			r := writing(target{rail, "endpointslices"}, slice, "", guarded(served()))
			r.user = tc.user
			said(t, r, refusal(tc.allowed))
			// Of a tenant with very many namespaces only the one of the request is known.
			r.namespace = guarded(nil)
			said(t, r, refusal(tc.allowed || tc.lonely))
			r = writing(target{rail, "ingresses/status"}, ingress, "", guarded(served()))
			r.user = tc.user
			said(t, r, refusal(tc.allowed || tc.ingress))
		})
	}
}
