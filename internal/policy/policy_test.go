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

package policy

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// sameMeaning compares policies: the order of keyed lists, and empty as against unset, mean nothing.
var sameMeaning = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b v1alpha1.Opening) bool { return a.Name < b.Name }),
	cmpopts.SortSlices(func(a, b v1alpha1.LimitItem) bool { return a.Type < b.Type }),
	cmpopts.SortSlices(func(a, b v1alpha1.IngressController) bool { return a.Name < b.Name }),
	cmpopts.SortSlices(func(a, b v1alpha1.GatewayListener) bool { return a.Name < b.Name }),
	cmpopts.SortSlices(func(a, b v1alpha1.EgressDestination) bool { return a.Name < b.Name }),
	// Sets have no order either.
	cmpopts.SortSlices(func(a, b v1alpha1.FQDN) bool { return a < b }),
	cmpopts.SortSlices(func(a, b v1alpha1.IPAddress) bool { return a < b }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".CIDRs" || p.Last().String() == ".Except" },
		cmpopts.SortSlices(func(a, b v1alpha1.CIDR) bool { return a < b })),
	cmpopts.SortSlices(func(a, b v1alpha1.Hostname) bool { return a < b }),
	cmpopts.SortSlices(func(a, b v1alpha1.ServiceType) bool { return a < b }),
	cmpopts.SortSlices(func(a, b v1alpha1.Registry) bool { return a < b }),
	cmp.FilterPath(func(p cmp.Path) bool {
		last := p.Last().String()
		return last == ".PriorityClassNames" || last == ".RuntimeClassNames"
	}, cmpopts.SortSlices(func(a, b v1alpha1.ObjectName) bool { return a < b })),
}

func blocks(t *testing.T, text string) *v1alpha1.PolicyBlocks {
	t.Helper()
	if text == "" {
		return nil
	}
	out := &v1alpha1.PolicyBlocks{}
	if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatalf("reading %s: %v", text, err)
	}
	return out
}

func TestEffective(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		layers []string
		want   string
	}{
		"nothing":             {want: `{}`},
		"only unset layers":   {layers: []string{"", "{}", ""}, want: `{}`},
		"only empty blocks":   {layers: []string{`network: {}`, `quota: {}`}, want: "{network: {}, quota: {}}"},
		"one layer":           {layers: []string{"", `network: {boundary: Namespace}`, ""}, want: `network: {boundary: Namespace}`},
		"structs, by field":   {layers: []string{`podSecurity: {enforce: Baseline, warn: Restricted}`, `podSecurity: {enforce: Privileged}`}, want: `podSecurity: {enforce: Privileged, warn: Restricted}`},
		"an empty override":   {layers: []string{`network: {boundary: Namespace, allow: [{name: a, direction: Egress, peers: [{tenant: b}]}]}`, `network: {allow: []}`}, want: `network: {boundary: Namespace, allow: [{name: a, direction: Egress, peers: [{tenant: b}]}]}`},
		"three layers":        {layers: []string{`network: {boundary: Tenant, dns: None}`, `network: {boundary: Namespace, apiServer: Allow}`, `network: {boundary: Cluster}`}, want: `network: {boundary: Cluster, dns: None, apiServer: Allow}`},
		"blocks side by side": {layers: []string{`quota: {perNamespace: {pods: "5"}}`, `network: {dns: None}`}, want: `{quota: {perNamespace: {pods: "5"}}, network: {dns: None}}`},
		"quota, by resource (example 04, catalog)": {
			layers: []string{`
podSecurity: {enforce: Restricted}
network: {boundary: Tenant}
quota:
  perNamespace: {requests.cpu: "4", requests.memory: 8Gi, pods: "50"}
limits:
- type: Container
  defaultRequest: {cpu: 50m, memory: 64Mi}
  default: {memory: 256Mi}
`, `quota: {perNamespace: {requests.cpu: "16"}}`, ""},
			want: `
podSecurity: {enforce: Restricted}
network: {boundary: Tenant}
quota:
  perNamespace: {requests.cpu: "16", requests.memory: 8Gi, pods: "50"}
limits:
- type: Container
  defaultRequest: {cpu: 50m, memory: 64Mi}
  default: {memory: 256Mi}
`,
		},
		"limits, by type and resource": {
			layers: []string{
				`limits: [{type: Container, default: {cpu: 100m, memory: 256Mi}}, {type: Pod, max: {cpu: "4"}}]`,
				`limits: [{type: PersistentVolumeClaim, max: {storage: 1Ti}}, {type: Container, default: {memory: 1Gi}, max: {cpu: "2"}}]`,
			},
			want: `limits: [{type: Container, default: {cpu: 100m, memory: 1Gi}, max: {cpu: "2"}}, {type: Pod, max: {cpu: "4"}}, {type: PersistentVolumeClaim, max: {storage: 1Ti}}]`,
		},
		// The ports of "b" come from below: "structs by field" holds inside an opening, too.
		"openings, by name": {
			layers: []string{
				`network: {allow: [{name: a, direction: Egress, peers: [{tenant: x}]}, {name: b, direction: Egress, peers: [{tenant: x}], ports: [{port: 1}]}]}`,
				`network: {allow: [{name: c, direction: Ingress, peers: [{tenant: z}]}, {name: b, direction: Ingress, peers: [{cidr: 10.0.0.0/8}]}]}`,
			},
			want: `network: {allow: [{name: a, direction: Egress, peers: [{tenant: x}]}, {name: b, direction: Ingress, peers: [{cidr: 10.0.0.0/8}], ports: [{port: 1}]}, {name: c, direction: Ingress, peers: [{tenant: z}]}]}`,
		},
		"peers are replaced, never half-merged": {
			layers: []string{
				`network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {matchLabels: {k: v}}, pods: {matchLabels: {p: q}}}, {tenant: x}], ports: [{port: 1, endPort: 9}]}]}`,
				`network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {}}], ports: [{port: 5}]}]}`,
			},
			want: `network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {}}], ports: [{port: 5}]}]}`,
		},
		"$(tenant) in values, not in keys": {
			layers: []string{
				`network: {dns: None}`,
				`network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {matchLabels: {$(tenant): "x-$(tenant)-$(tenant)"}, matchExpressions: [{key: $(tenant), operator: In, values: [a, $(tenant)]}]}, pods: {matchLabels: {k: $(other)}}}]}]}`,
			},
			want: `network: {dns: None, allow: [{name: a, direction: Egress, peers: [{namespaces: {matchLabels: {$(tenant): x-acme-acme}, matchExpressions: [{key: $(tenant), operator: In, values: [a, acme]}]}, pods: {matchLabels: {k: $(other)}}}]}]}`,
		},
		"$(tenant) in a single layer": {
			layers: []string{`network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {matchLabels: {k: $(tenant)}}}]}]}`},
			want:   `network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {matchLabels: {k: acme}}}]}]}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layers := make([]*v1alpha1.PolicyBlocks, 0, len(tt.layers))
			for _, text := range tt.layers {
				layers = append(layers, blocks(t, text))
			}
			got, err := Effective("acme", layers...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*blocks(t, tt.want), got, sameMeaning); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEffectiveWithoutTenantKeepsToken(t *testing.T) {
	t.Parallel()
	layer := blocks(t, `network: {allow: [{name: a, direction: Egress, peers: [{namespaces: {matchLabels: {k: $(tenant)}}}]}]}`)
	got, err := Effective("", layer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*layer, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEffectiveRefusesDuplicateKeys(t *testing.T) {
	t.Parallel()
	twice := blocks(t, `limits: [{type: Pod}, {type: Pod}]`)
	if got, err := Effective("acme", twice, blocks(t, `limits: [{type: Container}]`)); err == nil {
		t.Errorf("got %v, want an error", got)
	}
}

// Every field of the policy must be in the generated schema and survive the merge: those of blocks to come, too.
func TestEffectiveKnowsEveryField(t *testing.T) {
	t.Parallel()
	full := v1alpha1.PolicyBlocks{}
	newFiller(1, true).fill(reflect.ValueOf(&full).Elem())
	for i := range reflect.TypeOf(full).NumField() {
		only := v1alpha1.PolicyBlocks{}
		reflect.ValueOf(&only).Elem().Field(i).Set(reflect.ValueOf(full).Field(i))
		rest := full
		reflect.ValueOf(&rest).Elem().Field(i).SetZero()
		got, err := Effective("", &rest, &only)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(full, got, sameMeaning); diff != "" {
			t.Errorf("%s: -want +got:\n%s", reflect.TypeOf(full).Field(i).Name, diff)
		}
	}
}

func BenchmarkEffective(b *testing.B) {
	const class = `
podSecurity: {enforce: Restricted}
network: {boundary: Tenant}
quota: {perNamespace: {requests.cpu: "4", requests.memory: 8Gi, pods: "50"}}
limits: [{type: Container, defaultRequest: {cpu: 50m, memory: 64Mi}, default: {memory: 256Mi}}]
`
	const tenant = `quota: {perNamespace: {requests.cpu: "16"}}`
	const namespace = `podSecurity: {enforce: Baseline}`
	tests := map[string][]string{
		"one layer": {class}, "two layers": {class, tenant}, "three layers": {class, tenant, namespace},
		"no common block": {namespace, tenant},
	}
	for name, texts := range tests {
		b.Run(name, func(b *testing.B) {
			var layers []*v1alpha1.PolicyBlocks
			for _, text := range texts {
				layers = append(layers, &v1alpha1.PolicyBlocks{})
				if err := yaml.UnmarshalStrict([]byte(text), layers[len(layers)-1]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Effective("acme", layers...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
