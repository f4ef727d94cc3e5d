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

package ingress_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/ingress"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
	"github.com/bulkhead-dev/bulkhead/test/testkit/stored"
)

var gateways = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}

func tenantFacts(t *testing.T, spec string) feature.TenantFacts {
	t.Helper()
	return feature.TenantFacts{
		Tenant: "acme", Namespaces: []string{"acme-a", "acme-b"}, Policy: facts(t, "acme", spec).Policy,
		Cluster: feature.ClusterFacts{APIs: []schema.GroupVersionKind{gateways}},
	}
}

const everyListener = `
gatewayClassNames: [internal, public]
hostnames: ["$(tenant).example.com", "*.$(tenant).example.com"]
gateway:
  className: public
  namespace: infra
  listeners:
  - {name: web, port: 80, protocol: HTTP}
  - {name: site, port: 443, protocol: HTTPS, hostname: "$(tenant).example.com", tlsSecretName: site}
  - {name: apps, port: 443, protocol: HTTPS, hostname: "*.$(tenant).example.com", tlsSecretName: apps.tls}
  - {name: db, port: 5432, protocol: TLS, hostname: "db.eu.$(tenant).example.com"}
  - {name: mq, port: 5671, protocol: TLS, tlsSecretName: mq}
  - {name: game, port: 7777, protocol: UDP}
  - {name: raw, port: 7777, protocol: TCP}`

func TestRenderTenant(t *testing.T) {
	t.Parallel()
	const taken = `{hostnames: [a.example.com, "*.b.example.com", "*.example.org", "*.deep.example.org"], gateway: {className: public, namespace: infra, listeners: [
		{name: a, port: 80, protocol: HTTP, hostname: a.example.com}, {name: b, port: 80, protocol: HTTP, hostname: x.b.example.com},
		{name: c, port: 80, protocol: HTTP, hostname: x.deep.example.org}, {name: d, port: 80, protocol: HTTP, hostname: "*.example.org"}]}}`
	with := func(f feature.TenantFacts, change func(*feature.TenantFacts)) feature.TenantFacts {
		change(&f)
		return f
	}
	conflict := func(listener, hostname, holder, how string) feature.Finding {
		return feature.Finding{Reason: v1alpha1.ReasonHostnameConflict, Message: fmt.Sprintf("ingress.gateway.listeners[%s].hostname: %q is left out, "+
			"because the older tenant %q has %s: choose another one", listener, hostname, holder, how)}
	}
	tests := map[string]struct {
		facts feature.TenantFacts
		want  []feature.Finding
	}{
		"gateway-none":     {facts: tenantFacts(t, ``)},
		"gateway-other":    {facts: tenantFacts(t, `{classNames: [nginx]}`)},
		"gateway-all":      {facts: tenantFacts(t, everyListener)},
		"gateway-no-names": {facts: tenantFacts(t, `{gateway: {className: public, namespace: infra, listeners: [{name: web, port: 80, protocol: HTTP}]}}`)},
		"gateway-taken": {
			facts: with(tenantFacts(t, taken), func(f *feature.TenantFacts) {
				f.Taken.Hostnames = map[string]string{"a.example.com": "older", "*.b.example.com": "old", "*.example.org": "eldest"}
			}),
			want: []feature.Finding{
				conflict("a", "a.example.com", "older", "the same name, or a wildcard that covers it"),
				conflict("b", "x.b.example.com", "old", "the same name, or a wildcard that covers it"),
				conflict("d", "*.example.org", "eldest", "the same wildcard, one that covers it, or a name below it"),
			},
		},
		"gateway-all-taken": {
			facts: with(tenantFacts(t, `{hostnames: [a.example.com], gateway: {className: public, namespace: infra, listeners: [
				{name: a, port: 80, protocol: HTTP, hostname: a.example.com}]}}`), func(f *feature.TenantFacts) {
				f.Taken.Hostnames = map[string]string{"a.example.com": "older"}
			}),
			want: []feature.Finding{conflict("a", "a.example.com", "older", "the same name, or a wildcard that covers it")},
		},
		"gateway-foreign": {
			facts: with(tenantFacts(t, everyListener), func(f *feature.TenantFacts) { f.Foreign = map[string]string{"infra": "other"} }),
			want: []feature.Finding{{Reason: v1alpha1.ReasonNamespaceConflict, Message: `ingress.gateway.namespace: namespace "infra" is tenant "other"'s, ` +
				`so that there is no Gateway: name one of this tenant, or one that is nobody's`}},
		},
		"gateway-no-api": {
			facts: with(tenantFacts(t, everyListener), func(f *feature.TenantFacts) {
				f.Cluster.APIs = []schema.GroupVersionKind{{Group: gateways.Group, Version: "v1beta1", Kind: gateways.Kind}}
			}),
			want: []feature.Finding{{Reason: v1alpha1.ReasonMissingAPI, Message: `ingress.gateway needs the kind Gateway of gateway.networking.k8s.io/v1, which the ` +
				`cluster doesn't serve, so that there is no Gateway: install the Gateway API, or remove the field`}},
		},
		"gateway-of-a-namespace": {
			facts: with(tenantFacts(t, `{classNames: [nginx]}`), func(f *feature.TenantFacts) {
				f.Overrides = map[string]v1alpha1.PolicyBlocks{"acme-a": tenantFacts(t, everyListener).Policy}
			}),
			want: []feature.Finding{{Reason: v1alpha1.ReasonInvalidPolicy, Message: `namespaces[acme-a].policy.ingress.gateway has no effect, because the Gateway ` +
				`is the whole tenant's: remove it, or move it to ingress.gateway of the Tenant`}},
		},
		"gateway-overridden": {
			facts: with(tenantFacts(t, everyListener), func(f *feature.TenantFacts) {
				f.Overrides = map[string]v1alpha1.PolicyBlocks{"acme-b": *f.Policy.DeepCopy(), "acme-a": *f.Policy.DeepCopy(), "acme-c": {}}
				f.Overrides["acme-b"].Ingress.Gateway.Namespace = "elsewhere"
			}),
			want: []feature.Finding{{Reason: v1alpha1.ReasonInvalidPolicy, Message: `namespaces[acme-b].policy.ingress.gateway has no effect, because the Gateway ` +
				`is the whole tenant's: remove it, or move it to ingress.gateway of the Tenant`}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := tc.facts.Policy.DeepCopy()
			got, err := ingress.Room{}.RenderTenant(tc.facts)
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, got.Walls...)
			for _, o := range got.Walls {
				stored.As(t, crds.GatewayAPI, o)
			}
			if diff := cmp.Diff(feature.Result{Walls: got.Walls, Findings: tc.want}, got, cmpopts.EquateEmpty(), cmp.Comparer(sameObject)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(*before, tc.facts.Policy); diff != "" {
				t.Errorf("the facts were changed:\n%s", diff)
			}
		})
	}
}

func sameObject(a, b feature.Object) bool { return reflect.DeepEqual(a, b) }

func TestRenderTenantIgnoresOrder(t *testing.T) {
	t.Parallel()
	want, err := ingress.Room{}.RenderTenant(tenantFacts(t, everyListener))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := tenantFacts(t, everyListener)
		i := f.Policy.Ingress
		for _, list := range []any{i.Hostnames, i.GatewayClassNames, i.Gateway.Listeners} {
			rng.Shuffle(reflect.ValueOf(list).Len(), reflect.Swapper(list))
		}
		got, err := ingress.Room{}.RenderTenant(f)
		if err != nil || !reflect.DeepEqual(want, got) {
			t.Fatalf("seed %d renders %+v, %v, want %+v", seed, got, err, want)
		}
	}
}

func TestRenderTenantRefuses(t *testing.T) {
	t.Parallel()
	gateway := func(listeners string) string {
		return `{hostnames: [a.example.com], gateway: {className: c, namespace: n, listeners: [` + listeners + `]}}`
	}
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf(`{name: l%d, port: %d, protocol: HTTP}`, i, i+1))
	}
	const http = `{name: web, port: 80, protocol: HTTP}`
	tests := map[string]struct{ spec, want string }{
		"nothing is said": {`{gateway: {}}`, `[ingress.gateway.className: Required value: must be set here or in the TenantClass, ` +
			`ingress.gateway.namespace: Required value: must be set here or in the TenantClass, ` +
			`ingress.gateway.listeners: Required value: must have at least one entry, here or in the TenantClass]`},
		"another class":      {`{gatewayClassNames: [a, b], gateway: {className: c, namespace: n, listeners: [` + http + `]}}`, `ingress.gateway.className: Unsupported value: "c": supported values: "a", "b"`},
		"a class of none":    {`{gateway: {className: "A", namespace: n, listeners: [` + http + `]}}`, `ingress.gateway.className: Invalid value: "A"`},
		"a namespace":        {`{gateway: {className: a, namespace: a.b, listeners: [` + http + `]}}`, `ingress.gateway.namespace: Invalid value: "a.b"`},
		"too many":           {gateway(strings.Join(many, ",")), `ingress.gateway.listeners: Too many: 65: must have at most 64 items`},
		"the same name":      {gateway(http + `,{name: web, port: 81, protocol: HTTP}`), `ingress.gateway.listeners[web].name: Duplicate value: "web"`},
		"the same socket":    {gateway(http + `,{name: xeb, port: 80, protocol: HTTP}`), `ingress.gateway.listeners[xeb]: Invalid value: "80 HTTP ": must differ from listener "web" in port, protocol or hostname`},
		"a name":             {gateway(`{name: A, port: 80, protocol: HTTP}`), `ingress.gateway.listeners[A].name: Invalid value: "A"`},
		"a port":             {gateway(`{name: a, protocol: HTTP}`), `ingress.gateway.listeners[a].port: Invalid value: 0: must be between 1 and 65535`},
		"a protocol":         {gateway(`{name: a, port: 1}`), `ingress.gateway.listeners[a].protocol: Unsupported value: "": supported values: "HTTP", "HTTPS", "TLS", "TCP", "UDP"`},
		"no secret":          {gateway(`{name: a, port: 1, protocol: HTTPS}`), `ingress.gateway.listeners[a].tlsSecretName: Required value: must be set with protocol HTTPS`},
		"a secret":           {gateway(`{name: a, port: 1, protocol: UDP, tlsSecretName: x}`), `ingress.gateway.listeners[a].tlsSecretName: Forbidden: goes with protocol HTTPS or TLS only`},
		"a secret's name":    {gateway(`{name: a, port: 1, protocol: TLS, tlsSecretName: X}`), `ingress.gateway.listeners[a].tlsSecretName: Invalid value: "X"`},
		"a hostname":         {gateway(`{name: a, port: 1, protocol: HTTP, hostname: b.example.com}`), `ingress.gateway.listeners[a].hostname: Invalid value: "b.example.com": must be one of ingress.hostnames, or covered by a wildcard there: add it there`},
		"below no wildcard":  {gateway(`{name: a, port: 1, protocol: HTTP, hostname: x.a.example.com}`), `ingress.gateway.listeners[a].hostname: Invalid value: "x.a.example.com": must be one of`},
		"no hostname":        {gateway(`{name: a, port: 1, protocol: HTTP, hostname: 10.0.0.1}`), `ingress.gateway.listeners[a].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address`},
		"a hostname for TCP": {gateway(`{name: a, port: 1, protocol: TCP, hostname: a.example.com}`), `ingress.gateway.listeners[a].hostname: Forbidden: goes with protocols that carry names only: HTTP, HTTPS, TLS`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ingress.Room{}.RenderTenant(tenantFacts(t, tc.spec))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !reflect.ValueOf(got).IsZero() {
				t.Errorf("got %+v, %v, want the error %s", got, err, tc.want)
			}
		})
	}
	wrong := errors.New("the class is gone")
	f := tenantFacts(t, everyListener)
	f.PolicyError = wrong
	if got, err := (ingress.Room{}).RenderTenant(f); !errors.Is(err, wrong) || !reflect.ValueOf(got).IsZero() {
		t.Errorf("got %+v, %v for a policy that isn't known", got, err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	condition := func(conditionType, status, more string) string {
		return fmt.Sprintf(`{type: %s, status: %q, reason: R, message: "m\n%s"%s}`, conditionType, status, strings.Repeat("x", 300), more)
	}
	long := "m " + strings.Repeat("x", 197) + "…"
	good := condition("Accepted", "True", "") + "," + condition("Programmed", "True", "")
	listener := func(name, conditions string) string {
		return fmt.Sprintf(`{name: %s, conditions: [%s]}`, name, conditions)
	}
	bad := condition("ResolvedRefs", "False", "") + "," + condition("Programmed", "False", "")
	const waits = `Gateway infra/bulkhead-acme waits for the controller of GatewayClass "public": the class must exist, and its controller run`
	tests := map[string]struct{ status, reason, problem, report string }{
		"no status":       {status: `{}`, reason: v1alpha1.ReasonNotProgrammed, problem: waits},
		"nobody answered": {status: `{conditions: [` + condition("Accepted", "Unknown", "") + "," + condition("Programmed", "Unknown", "") + `]}`, reason: v1alpha1.ReasonNotProgrammed, problem: waits},
		"odd":             {status: `{conditions: {}, listeners: [1, {name: 1}], addresses: [x]}`, reason: v1alpha1.ReasonNotProgrammed, problem: waits},
		"in force":        {status: `{addresses: [{value: 203.0.113.7}, {type: Hostname, value: lb.example.com}, {}], conditions: [` + good + `]}`, report: "Gateway infra/bulkhead-acme: 203.0.113.7, lb.example.com"},
		"no address":      {status: `{conditions: [` + good + `]}`, report: "Gateway infra/bulkhead-acme: programmed, without an address"},
		"not accepted": {
			status: `{conditions: [` + condition("Accepted", "False", "") + `]}`, reason: v1alpha1.ReasonNotProgrammed,
			problem: "Gateway infra/bulkhead-acme isn't in force: Accepted is False (R): " + long,
		},
		"not programmed": {
			status: `{conditions: [` + condition("Accepted", "True", "") + "," + condition("Programmed", "False", ", observedGeneration: 2") + `]}`, reason: v1alpha1.ReasonNotProgrammed,
			problem: "Gateway infra/bulkhead-acme isn't in force: Programmed is False (R): " + long,
		},
		"of an earlier spec": {
			status: `{conditions: [` + condition("Programmed", "False", ", observedGeneration: 1") + `]}`, reason: v1alpha1.ReasonPending,
			problem: `Gateway infra/bulkhead-acme waits for the controller of GatewayClass "public" to take over the last change`,
		},
		"one listener isn't": {
			status: `{conditions: [` + good + `], listeners: [` + listener("a", good) + "," + listener("b", bad) + `]}`, reason: v1alpha1.ReasonNotProgrammed,
			problem: "Gateway infra/bulkhead-acme isn't in force as a whole: listener b: ResolvedRefs is False (R): " + long,
		},
		"many listeners aren't": {
			status: `{conditions: [` + good + `], listeners: [` + listener("a", condition("Conflicted", "True", "")) + "," + listener("b", bad) + "," +
				listener("c", bad) + "," + listener("d", bad) + "," + listener("e", bad) + `]}`, reason: v1alpha1.ReasonNotProgrammed,
			problem: "Gateway infra/bulkhead-acme isn't in force as a whole: listener a: Conflicted is True (R): " + long +
				"; listener b: ResolvedRefs is False (R): " + long + "; listener c: ResolvedRefs is False (R): " + long + "; and 2 more",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := &unstructured.Unstructured{Object: map[string]any{}}
			text := `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {namespace: infra, name: bulkhead-acme, generation: 2}, ` +
				`spec: {gatewayClassName: public}, status: ` + tc.status + `}`
			if err := yaml.Unmarshal([]byte(text), &live.Object); err != nil {
				t.Fatal(err)
			}
			integers(live.Object)
			want := feature.Observation{Report: tc.report}
			if tc.problem != "" {
				want.Problem = &feature.Finding{Reason: tc.reason, Message: tc.problem}
			}
			if diff := cmp.Diff(want, ingress.Room{}.Observe(live)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := (ingress.Room{}).Observe(&v1alpha1.Tenant{}); got != (feature.Observation{}) {
		t.Errorf("something else is observed: %+v", got)
	}
}

// integers makes whole numbers what a client reads them as.
func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = integers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case float64:
		return int64(v)
	}
	return v
}
