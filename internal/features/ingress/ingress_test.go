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
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/ingress"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

// facts are those of a namespace of a tenant, with spec.ingress from YAML, as the engine makes them: with the tenant's
// name filled in.
func facts(t *testing.T, tenant, spec string) feature.Facts {
	t.Helper()
	var blocks v1alpha1.PolicyBlocks
	if spec != "" {
		blocks.Ingress = &v1alpha1.IngressPolicy{}
		if err := yaml.UnmarshalStrict([]byte(spec), blocks.Ingress); err != nil {
			t.Fatal(err)
		}
	}
	effective, err := policy.Effective(tenant, nil, &blocks, nil)
	if err != nil {
		t.Fatal(err)
	}
	return feature.Facts{Tenant: tenant, Namespace: tenant + "-prod", Policy: effective}
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"01-nothing":  ``,
		"02-hosts":    `{classNames: [acme-nginx], hostnames: [acme.example.com, "*.acme.example.com"]}`,
		"03-class":    `{classNames: [nginx], hostnames: ["$(tenant).example.com", "*.$(tenant).example.com", "a-$(tenant)-b.example.com", acme.example.com]}`,
		"04-all":      `{classNames: [z, a, z], gatewayClassNames: [public, internal], hostnames: [z.example.com, "*.a.example.com", a.example.com], serviceTypes: [NodePort, ClusterIP, LoadBalancer, ExternalName]}`,
		"05-services": `{serviceTypes: [LoadBalancer]}`,
		"06-payments": `
classNames: [payments-edge]
hostnames: [pay.example.com, "*.pay.example.com"]
serviceTypes: [ClusterIP]
controllers:
- name: edge
  namespace: payments-edge
  pods: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}
  ports: [{protocol: TCP, port: 8443}]`,
		"07-controllers": `
controllers:
- {name: z, namespace: edge, pods: {}, ports: [{port: 80, endPort: 90}, {protocol: UDP}, {port: 80, endPort: 90}]}
- {name: b, namespace: edge}
- {name: a, namespace: other, pods: {matchExpressions: [{key: x, operator: In, values: [c, b, c]}, {key: a, operator: Exists}]}}
gateway: {namespace: infra}`,
	}
	for name, spec := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, "acme", spec)
			before := f.Policy.DeepCopy()
			got, err := ingress.Room{}.Render(f)
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, got.Annotations)
			if len(got.Walls) > 0 {
				golden.YAML(t, name+"-walls", got.Walls...)
			}
			if len(got.Walls) > 1 || len(got.Doors)+len(got.Labels)+len(got.OpenBySpec)+len(got.Findings) > 0 {
				t.Errorf("more than a wall and annotations: %+v", got)
			}
			if diff := cmp.Diff(*before, f.Policy); diff != "" {
				t.Errorf("the facts were changed:\n%s", diff)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	const allowed = `must be a DNS name, or "*." and one, as "acme.example.com" or "*.acme.example.com": each part between dots is ` +
		`1 to 63 of a-z, 0-9 and "-", and begins and ends with a letter or digit`
	label := strings.Repeat("a", 60)
	tests := map[string]struct{ tenant, spec, want string }{
		"two names in one":       {spec: `{hostnames: [a.example.com, "a.example.com,evil.com"]}`, want: `ingress.hostnames[1]: Invalid value: "a.example.com,evil.com": ` + allowed},
		"every name":             {spec: `{hostnames: ["*"]}`, want: `ingress.hostnames[0]: Invalid value: "*": ` + allowed},
		"a wildcard inside":      {spec: `{hostnames: ["a.*.example.com"]}`, want: `ingress.hostnames[0]: Invalid value: "a.*.example.com": ` + allowed},
		"a wildcard of two":      {spec: `{hostnames: ["*.*.example.com"]}`, want: `ingress.hostnames[0]: Invalid value: "*.*.example.com": ` + allowed},
		"no name":                {spec: `{hostnames: [""]}`, want: `ingress.hostnames[0]: Invalid value: "": ` + allowed},
		"a dot at the end":       {spec: `{hostnames: [a.example.com.]}`, want: `ingress.hostnames[0]: Invalid value: "a.example.com.": ` + allowed},
		"capitals":               {spec: `{hostnames: [A.example.com]}`, want: `ingress.hostnames[0]: Invalid value: "A.example.com": ` + allowed},
		"a hyphen at the end":    {spec: `{hostnames: [a-.example.com]}`, want: `ingress.hostnames[0]: Invalid value: "a-.example.com": ` + allowed},
		"an IP address":          {spec: `{hostnames: [10.0.0.1]}`, want: `ingress.hostnames[0]: Invalid value: "10.0.0.1": must be a DNS name, not an IP address`},
		"a label that grows":     {tenant: label, spec: `{hostnames: ["www-$(tenant).example.com"]}`, want: `ingress.hostnames[0]: Invalid value: "www-` + label + `.example.com": ` + allowed},
		"a name that grows":      {tenant: label, spec: `{hostnames: ["$(tenant).$(tenant).$(tenant).$(tenant).$(tenant)"]}`, want: `ingress.hostnames[0]: Too long: may not be more than 253 bytes`},
		"the class has a comma":  {spec: `{classNames: ["a,b"]}`, want: `ingress.classNames[0]: Invalid value: "a,b": a lowercase RFC 1123 subdomain must consist of`},
		"the class has no name":  {spec: `{gatewayClassNames: [a, ""]}`, want: `ingress.gatewayClassNames[1]: Invalid value: "": a lowercase RFC 1123 subdomain must consist of`},
		"a type of its own":      {spec: `{serviceTypes: [ClusterIP, Headless]}`, want: `ingress.serviceTypes[1]: Unsupported value: "Headless": supported values: "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"`},
		"no namespace":           {spec: `{controllers: [{name: a}]}`, want: `ingress.controllers[a].namespace: Required value: must be set here or in the TenantClass`},
		"a namespace of two":     {spec: `{controllers: [{name: a, namespace: "b,c"}]}`, want: `ingress.controllers[a].namespace: Invalid value: "b,c": a lowercase RFC 1123 label must consist of`},
		"a controller twice":     {spec: `{controllers: [{name: a, namespace: b}, {name: a, namespace: c}]}`, want: `ingress.controllers[a].name: Duplicate value: "a"`},
		"pods that can't be":     {spec: `{controllers: [{name: a, namespace: b, pods: {matchExpressions: [{key: a, operator: Is}]}}]}`, want: `ingress.controllers[a].pods.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator`},
		"a port that can't be":   {spec: `{controllers: [{name: a, namespace: b, ports: [{port: 70000}]}]}`, want: `ingress.controllers[a].ports[0].port: Invalid value: 70000: must be between 1 and 65535, or unset for all ports`},
		"all that is wrong":      {spec: `{classNames: [B], hostnames: ["*"]}`, want: `ingress.hostnames[0]: Invalid value: "*"`},
		"all that is wrong, too": {spec: `{classNames: [B], hostnames: ["*"]}`, want: `ingress.classNames[0]: Invalid value: "B"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := "acme"
			if tc.tenant != "" {
				tenant = tc.tenant
			}
			got, err := ingress.Room{}.Render(facts(t, tenant, tc.spec))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want %s", err, tc.want)
			}
			if diff := cmp.Diff(feature.Result{}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}

// TestRenderTaken checks that what an older tenant has is left out, and nothing else.
func TestRenderTaken(t *testing.T) {
	t.Parallel()
	f := facts(t, "acme", `{classNames: [nginx], hostnames: [b.example.com, a.example.com, "*.example.com"]}`)
	f.Taken.Hostnames = map[string]string{"a.example.com": "older", "*.example.com": "old", "c.example.com": "another"}
	got, err := ingress.Room{}.Render(f)
	if err != nil {
		t.Fatal(err)
	}
	want := feature.Result{
		Annotations: map[string]string{v1alpha1.GuardIngressClasses: "nginx", v1alpha1.GuardHostnames: "b.example.com"},
		Findings: []feature.Finding{{
			Reason: v1alpha1.ReasonHostnameConflict,
			Message: `ingress.hostnames: "*.example.com" is left out, because the older tenant "old" has the same wildcard, one that ` +
				`covers it, or a name below it: remove it here, or what claims it in ingress.hostnames of Tenant "old" or its class`,
		}, {
			Reason: v1alpha1.ReasonHostnameConflict,
			Message: `ingress.hostnames: "a.example.com" is left out, because the older tenant "older" has the same name, or a ` +
				`wildcard that covers it: remove it here, or what claims it in ingress.hostnames of Tenant "older" or its class`,
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRenderIgnoresOrder checks lists in which order means nothing.
func TestRenderIgnoresOrder(t *testing.T) {
	t.Parallel()
	const spec = `{hostnames: [c.example.com, a.example.com, "*.example.com"], serviceTypes: [NodePort, ClusterIP], controllers: [
		{name: c, namespace: x, ports: [{port: 3}, {port: 1}, {port: 2}]}, {name: a, namespace: y}, {name: b, namespace: z}]}`
	want, err := ingress.Room{}.Render(facts(t, "acme", spec))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := facts(t, "acme", spec)
		i := f.Policy.Ingress
		for _, list := range []any{i.Hostnames, i.ServiceTypes, i.Controllers, i.Controllers[0].Ports} {
			rng.Shuffle(reflect.ValueOf(list).Len(), reflect.Swapper(list))
		}
		got, err := ingress.Room{}.Render(f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}
