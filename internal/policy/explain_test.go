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
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// said is what leaves say, one a line: "path = value < origin", and " < " with what each overrides.
func said(leaves []Leaf, unset bool) []string {
	var lines []string
	for _, leaf := range leaves {
		if leaf.Unset && !unset {
			continue
		}
		line := leaf.Path + " = " + text(leaf.Value)
		if leaf.Raw != nil {
			line += " (" + text(leaf.Raw) + ")"
		}
		line += " < " + leaf.Origin
		for _, o := range leaf.Overrides {
			path := ""
			if o.Path != leaf.Path {
				path = o.Path + " = "
			}
			line += " < " + path + text(o.Value) + " " + o.Origin
		}
		lines = append(lines, line)
	}
	return lines
}

func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// named are layers with the names class, tenant and namespace.
func named(policies ...*v1alpha1.PolicyBlocks) []Layer {
	var layers []Layer
	for i, policy := range policies {
		layers = append(layers, Layer{[]string{"class", "tenant", "namespace"}[i], policy})
	}
	return layers
}

func TestExplain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		layers []string
		want   []string
	}{
		"nothing":      {},
		"empty blocks": {layers: []string{"network: {}", "", "{network: {}, quota: {perNamespace: {}}, limits: []}"}},
		"nulls":        {layers: []string{"{network: null, quota: {perNamespace: null}}", "limits: null"}},
		"a null over a value removes nothing": {
			layers: []string{"network: {dns: None}", "network: null", "network: {dns: }"}, want: []string{"network.dns = None < class"},
		},
		"an empty list over a list removes nothing": {
			layers: []string{"ingress: {serviceTypes: [NodePort]}", "ingress: {serviceTypes: []}"},
			want:   []string{"ingress.serviceTypes[NodePort] = NodePort < class"},
		},
		"structs, by field": {
			layers: []string{"podSecurity: {enforce: Baseline, warn: Restricted}", "podSecurity: {enforce: Privileged}"},
			want:   []string{"podSecurity.enforce = Privileged < tenant < Baseline class", "podSecurity.warn = Restricted < class"},
		},
		"overrides over overrides": {
			layers: []string{"network: {boundary: Tenant}", "network: {boundary: Namespace}", "network: {boundary: Cluster}"},
			want:   []string{"network.boundary = Cluster < namespace < Namespace tenant < Tenant class"},
		},
		"a layer between that says nothing": {
			layers: []string{"network: {boundary: Tenant}", "", "network: {boundary: Cluster}"},
			want:   []string{"network.boundary = Cluster < namespace < Tenant class"},
		},
		"the same again": {
			layers: []string{"network: {dns: None}", "network: {dns: None}"}, want: []string{"network.dns = None < tenant < None class"},
		},
		"maps, by key": {
			layers: []string{`quota: {perNamespace: {pods: "50", requests.cpu: "4"}}`, `quota: {perNamespace: {requests.cpu: 16000m, count/jobs.batch: "5"}}`},
			want: []string{
				"quota.perNamespace[count/jobs.batch] = 5 < tenant", "quota.perNamespace[pods] = 50 < class",
				"quota.perNamespace[requests.cpu] = 16 < tenant < 4 class",
			},
		},
		"sets, by item": {
			layers: []string{"ingress: {hostnames: [b.example.com, a.example.com]}", "ingress: {hostnames: [a.example.com, c.example.com]}"},
			want: []string{
				"ingress.hostnames[a.example.com] = a.example.com < tenant < a.example.com class",
				"ingress.hostnames[b.example.com] = b.example.com < class", "ingress.hostnames[c.example.com] = c.example.com < tenant",
			},
		},
		"atomic lists, as a whole": {
			layers: []string{"storage: {classNames: [fast, slow, cold]}", "", "storage: {classNames: [slow]}"},
			want:   []string{`storage.classNames[0] = slow < namespace < storage.classNames = ["fast","slow","cold"] class`},
		},
		"keyed lists, by key, and what is in their items": {
			layers: []string{
				"network: {allow: [{name: b, direction: Ingress, peers: [{tenant: x}], ports: [{port: 1}, {port: 2}]}]}",
				"network: {allow: [{name: a, direction: Egress, peers: [{tenant: x}, {cidr: 192.0.2.0/24}]}, {name: b, direction: Egress, peers: [{tenant: z}]}]}",
			},
			want: []string{
				"network.allow[a].direction = Egress < tenant", `network.allow[a].peers[0] = {"tenant":"x"} < tenant`,
				`network.allow[a].peers[1] = {"cidr":"192.0.2.0/24"} < tenant`, "network.allow[b].direction = Egress < tenant < Ingress class",
				`network.allow[b].peers[0] = {"tenant":"z"} < tenant < network.allow[b].peers = [{"tenant":"x"}] class`,
				`network.allow[b].ports[0] = {"port":1} < class`, `network.allow[b].ports[1] = {"port":2} < class`,
			},
		},
		"an item with nothing but its key": {
			layers: []string{"limits: [{type: Pod}]", `limits: [{type: Container, default: {cpu: 100m}}]`},
			want:   []string{"limits[Container].default[cpu] = 100m < tenant", "limits[Pod].type = Pod < class"},
		},
		"a selector, as a whole": {
			layers: []string{
				"ingress: {controllers: [{name: x, namespace: edge, pods: {matchLabels: {a: b}}}]}",
				"ingress: {controllers: [{name: x, namespace: edge, pods: {}}]}",
			},
			want: []string{
				"ingress.controllers[x].namespace = edge < tenant < edge class",
				`ingress.controllers[x].pods = {} < tenant < {"matchLabels":{"a":"b"}} class`,
			},
		},
		"more than ten items stay in order": {
			layers: []string{"storage: {classNames: [a, b, c, d, e, f, g, h, i, j, k]}"},
			want: []string{
				"storage.classNames[0] = a < class", "storage.classNames[1] = b < class", "storage.classNames[2] = c < class",
				"storage.classNames[3] = d < class", "storage.classNames[4] = e < class", "storage.classNames[5] = f < class",
				"storage.classNames[6] = g < class", "storage.classNames[7] = h < class", "storage.classNames[8] = i < class",
				"storage.classNames[9] = j < class", "storage.classNames[10] = k < class",
			},
		},
		"$(tenant)": {
			layers: []string{
				`{images: {registries: [r.example.com/$(tenant)/]}, placement: {nodeSelector: {$(tenant): x-$(tenant)}}}`, `placement: {nodeSelector: {$(tenant): z}}`,
			},
			want: []string{
				"images.registries[r.example.com/$(tenant)/] = r.example.com/acme/ (r.example.com/$(tenant)/) < class",
				"placement.nodeSelector[$(tenant)] = z < tenant < x-$(tenant) class",
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var policies []*v1alpha1.PolicyBlocks
			for _, text := range tc.layers {
				policies = append(policies, blocks(t, text))
			}
			leaves, err := Explain("acme", named(policies...)...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, said(leaves, false)); diff != "" {
				t.Errorf("explained (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainUnset(t *testing.T) {
	t.Parallel()
	leaves, err := Explain("acme", named(blocks(t, `
podSecurity: {warn: Baseline}
network: {allow: [{name: a, direction: Egress, peers: [{tenant: x}]}, {name: b, direction: Egress, peers: [{tenant: x}], ports: [{port: 1}]}]}
ingress: {serviceTypes: [NodePort], gateway: {listeners: [{name: web, port: 80, protocol: HTTP}]}}
`), blocks(t, "podSecurity: {enforce: Privileged}"))...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range said(leaves, true) {
		for _, about := range []string{"podSecurity", "network", "ingress.serviceTypes", "ingress.gateway.", "quota", "egress.destinations"} {
			if strings.HasPrefix(line, about) {
				got = append(got, line)
			}
		}
	}
	if diff := cmp.Diff([]string{
		"egress.destinations = null < unset (built-in: none)",
		"ingress.gateway.listeners[web].hostname = null < unset (built-in: all names that the tenant's routes may have)",
		"ingress.gateway.listeners[web].port = 80 < class", "ingress.gateway.listeners[web].protocol = HTTP < class",
		"ingress.serviceTypes[NodePort] = NodePort < class",
		"network.allow[a].direction = Egress < class", `network.allow[a].peers[0] = {"tenant":"x"} < class`,
		"network.allow[a].ports = null < unset (built-in: all ports)",
		"network.allow[b].direction = Egress < class", `network.allow[b].peers[0] = {"tenant":"x"} < class`, `network.allow[b].ports[0] = {"port":1} < class`,
		"network.apiServer = Deny < unset (built-in: Deny)", "network.boundary = Tenant < unset (built-in: Tenant)", "network.dns = ClusterDNS < unset (built-in: ClusterDNS)",
		"podSecurity.audit = Privileged < unset (built-in: same as podSecurity.enforce)", "podSecurity.enforce = Privileged < tenant",
		"podSecurity.version = latest < unset (built-in: latest)", "podSecurity.warn = Baseline < class",
		"quota.perNamespace = null < unset (built-in: no budget)",
	}, got); diff != "" {
		t.Errorf("explained (-want +got):\n%s", diff)
	}

	bare, err := Explain("acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"podSecurity.warn = Restricted < unset (built-in: same as podSecurity.enforce)", `ingress.serviceTypes = ["ClusterIP"] < unset (built-in: ClusterIP)`} {
		if !slices.Contains(said(bare, true), want) {
			t.Errorf("nothing at all isn't %q: %q", want, said(bare, true))
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a key twice": "limits: [{type: Pod}, {type: Pod}]", "an item of a set twice": "ingress: {hostnames: [a, a]}"} {
		if leaves, err := Explain("acme", named(nil, blocks(t, text))...); err == nil || !strings.HasPrefix(err.Error(), "tenant: ") {
			t.Errorf("%s: error %v, %d leaves; want an error that names the layer", name, err, len(leaves))
		}
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.TenantSpec{Namespaces: []v1alpha1.TenantNamespace{
		{Name: "acme-dev"}, {Name: "acme-prod", Policy: &v1alpha1.PolicyBlocks{}},
	}}}
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}}
	tests := map[string]struct {
		class     *v1alpha1.TenantClass
		namespace string
		want      []string
	}{
		"all three":                 {class, "acme-prod", []string{"TenantClass/gold", "Tenant/acme spec", "Tenant/acme spec.namespaces[acme-prod].policy"}},
		"no class":                  {nil, "acme-prod", []string{"Tenant/acme spec", "Tenant/acme spec.namespaces[acme-prod].policy"}},
		"a namespace without":       {class, "acme-dev", []string{"TenantClass/gold", "Tenant/acme spec"}},
		"no namespace":              {class, "", []string{"TenantClass/gold", "Tenant/acme spec"}},
		"a namespace not in it":     {nil, "other", []string{"Tenant/acme spec"}},
		"neither class nor by name": {nil, "", []string{"Tenant/acme spec"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, layer := range Layers(tenant, tc.class, tc.namespace) {
				got = append(got, layer.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("layers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.TenantSpec{
		DeletionPolicy: v1alpha1.DeletionDelete,
		Namespaces:     []v1alpha1.TenantNamespace{{Name: "acme-dev"}, {Name: "acme-prod", Adoption: v1alpha1.AdoptionIfUnclaimed}},
	}}
	tenantWide := []string{"deletionPolicy = Delete < Tenant/acme spec", "drift.mode = Enforce < unset (built-in: Enforce)"}
	for namespace, want := range map[string][]string{
		"":          tenantWide,
		"acme-dev":  append(slices.Clone(tenantWide), "namespaces[acme-dev].adoption = Never < unset (built-in: Never)"),
		"acme-prod": append(slices.Clone(tenantWide), "namespaces[acme-prod].adoption = IfUnclaimed < Tenant/acme spec"),
	} {
		leaves, err := Settings(tenant, namespace)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, said(leaves, true)); diff != "" {
			t.Errorf("settings of %q (-want +got):\n%s", namespace, diff)
		}
	}
}

// TestExplainSharesNothing pins that what is explained can be changed without changing the layers.
func TestExplainSharesNothing(t *testing.T) {
	t.Parallel()
	policy := blocks(t, "network: {allow: [{name: a, direction: Egress, peers: [{tenant: x}]}]}")
	before := policy.DeepCopy()
	leaves, err := Explain("acme", named(nil, policy, blocks(t, "network: {allow: [{name: a, direction: Egress, peers: [{tenant: y}]}]}"))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		if peer, ok := leaf.Value.(map[string]any); ok {
			peer["tenant"] = fmt.Sprint(peer["tenant"], " scribbled")
		}
	}
	if diff := cmp.Diff(before, policy); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
}
