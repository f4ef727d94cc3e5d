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
			if diff := cmp.Diff(feature.Result{Annotations: got.Annotations}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("more than annotations:\n%s", diff)
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
