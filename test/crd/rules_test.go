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

package crd

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// refusal is an object that breaks one rule.
type refusal struct {
	// spec is the spec of a Tenant, or policy blocks, in YAML.
	spec string
	// rule is the broken rule: where the schema has it (for policy blocks: without what they are part of), and its
	// message.
	rule string
	// at is the field that the refusal must name.
	at string
	// want is what the refusal must say of that field. Empty means the rule's message.
	want string
}

// place is where policy blocks may be.
type place struct {
	schema string // how paths of the schema begin
	at     string // how paths of an object begin
	wrap   func(blocks map[string]any) *unstructured.Unstructured
}

var places = map[string]place{
	"class": {"tenantclasses .spec", "spec.", func(blocks map[string]any) *unstructured.Unstructured {
		return build("TenantClass", "class", blocks)
	}},
	"tenant": {"tenants .spec", "spec.", func(blocks map[string]any) *unstructured.Unstructured {
		return build("Tenant", "tenant", blocks)
	}},
	"namespace": {
		"tenants .spec.namespaces[].policy", "spec.namespaces[0].policy.",
		func(blocks map[string]any) *unstructured.Unstructured {
			ns := map[string]any{"name": "tenant-a", "policy": blocks}
			return build("Tenant", "tenant", map[string]any{"namespaces": []any{ns}})
		},
	},
}

func build(kind, name string, spec map[string]any) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	out.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	out.SetName(name)
	return out
}

// values reads a YAML mapping.
func values(t *testing.T, text string) map[string]any {
	t.Helper()
	out := object(t, "apiVersion: v1\nkind: None\nvalues:\n  "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
	in, ok := out.Object["values"].(map[string]any)
	if !ok {
		t.Fatalf("Not a mapping: %s", text)
	}
	return in
}

func TestRulesRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range tenantRefusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.check(t, "", build("Tenant", "tenant", values(t, c.spec)))
		})
	}
	for name, c := range merged(t, policyRefusals, placementRefusals, waysRefusals) {
		for where, p := range places {
			t.Run(name+" in "+where, func(t *testing.T) {
				t.Parallel()
				c.check(t, p.at, p.wrap(values(t, c.spec)))
			})
		}
	}
	for name, c := range merged(t, patternRefusals, placementPatternRefusals, ingressPatternRefusals, waysPatternRefusals) {
		for where, p := range places {
			t.Run(name+" in "+where, func(t *testing.T) {
				t.Parallel()
				refused(t, dryRun(t, p.wrap(values(t, c.spec))), p.at+c.at+": "+c.want)
			})
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(nameRules)) {
		for what, name := range map[string]string{"dot": "a.b", "length": strings.Repeat("a", 64)} {
			t.Run("name of "+kind+" with a "+what, func(t *testing.T) {
				t.Parallel()
				refused(t, dryRun(t, build(kind, name, nil)), "metadata: Invalid value: must be a DNS label", "at most 63", "not "+name)
			})
		}
	}
}

// merged are the cases of several tables, each of which has names of its own.
func merged[V any](t *testing.T, tables ...map[string]V) map[string]V {
	t.Helper()
	all := map[string]V{}
	for _, table := range tables {
		for name, c := range table {
			if _, twice := all[name]; twice {
				t.Errorf("There are two cases named %q", name)
			}
			all[name] = c
		}
	}
	return all
}

func (c refusal) check(t *testing.T, prefix string, object *unstructured.Unstructured) {
	t.Helper()
	want := c.want
	if want == "" {
		_, want, _ = strings.Cut(c.rule, ": ")
	}
	refused(t, dryRun(t, object), prefix+c.at+": Invalid value: ", want)
}

// TestRulesComplete fails for a rule of a CRD that no case of TestRulesRefuse breaks, and for a case of a rule that is
// gone.
func TestRulesComplete(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for _, crd := range crds(t) {
		walkSchema(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, "", func(s *apiextensionsv1.JSONSchemaProps, path string) {
			for _, rule := range s.XValidations {
				if rule.Message == "" {
					t.Errorf("%s: the rule %q has no message", path, rule.Rule)
				}
				want[crd.Spec.Names.Plural+" "+path+": "+rule.Message] = true
			}
		})
	}
	got := map[string]bool{}
	for _, c := range tenantRefusals {
		got["tenants "+c.rule] = true
	}
	for _, c := range merged(t, policyRefusals, placementRefusals, waysRefusals) {
		for _, p := range places {
			got[p.schema+c.rule] = true
		}
	}
	for _, rule := range nameRules {
		got[rule] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Rules of the CRDs and rules that a case breaks (-rules +cases):\n%s", diff)
	}
}

func TestRulesAccept(t *testing.T) {
	t.Parallel()
	for name, spec := range tenantsAccepted {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := dryRun(t, build("Tenant", strings.Repeat("a", 63), values(t, spec))); err != nil {
				t.Errorf("Refused: %v", err)
			}
		})
	}
	for name, blocks := range merged(t, policiesAccepted, placementAccepted, ingressAccepted, waysAccepted) {
		for where, p := range places {
			t.Run(name+" in "+where, func(t *testing.T) {
				t.Parallel()
				if err := dryRun(t, p.wrap(values(t, blocks))); err != nil {
					t.Errorf("Refused: %v", err)
				}
			})
		}
	}
}
