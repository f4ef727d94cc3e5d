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

package custom_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
	"github.com/bulkhead-dev/bulkhead/test/mutation/custom"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

var (
	newer = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"}
	older = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "AdminNetworkPolicy"}
)

// keyed are, by kind, the lists of which the items have a key.
var keyed = map[string]map[string]string{"Gateway": {"spec.listeners": "name"}}

// specs are the schemas of the specs of all kinds that CRDs serve.
func specs(t *testing.T) map[schema.GroupVersionKind]*apiextensionsv1.JSONSchemaProps {
	t.Helper()
	found := map[schema.GroupVersionKind]*apiextensionsv1.JSONSchemaProps{}
	for _, project := range crds.All() {
		all, err := crds.Load(project)
		if err != nil {
			t.Fatal(err)
		}
		for _, crd := range all {
			for _, version := range crd.Spec.Versions {
				spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
				found[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = &spec
			}
		}
	}
	return found
}

// plans are those in which there is an object of an optional API: of the Tenants with ways in and out, on a cluster with
// ClusterNetworkPolicy and on one with AdminNetworkPolicy.
func plans(t *testing.T) []*engine.Plan {
	t.Helper()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	var all []*engine.Plan
	for _, c := range cases {
		if !strings.HasPrefix(c.Name, "ways/") {
			continue
		}
		for _, tier := range []schema.GroupVersionKind{newer, older} {
			served := append(withoutTier(corpus.APIs()), tier)
			made, err := mutation.PlansWith(c, served)
			if err != nil {
				t.Fatal(err)
			}
			for _, plan := range made {
				if len(optional(plan)) > 0 && (tier == newer || has(plan, older)) {
					all = append(all, plan)
				}
			}
		}
	}
	return all
}

func withoutTier(kinds []schema.GroupVersionKind) []schema.GroupVersionKind {
	var rest []schema.GroupVersionKind
	for _, kind := range kinds {
		if kind != newer {
			rest = append(rest, kind)
		}
	}
	return rest
}

func has(plan *engine.Plan, kind schema.GroupVersionKind) bool {
	for _, intent := range plan.Objects() {
		if intent.GVK == kind {
			return true
		}
	}
	return false
}

// optional are the objects of optional APIs in a plan.
func optional(plan *engine.Plan) []*engine.Intent {
	var all []*engine.Intent
	for _, intent := range plan.Objects() {
		if engine.Optional(clientgoscheme.Scheme, intent.GVK) {
			all = append(all, intent)
		}
	}
	return all
}

// least is how many changes of a kind that are drift there must at least be: if it is less, the generator has lost
// something.
var least = map[string]int{
	"AdminNetworkPolicy": 200, "CiliumEgressGatewayPolicy": 100, "CiliumNetworkPolicy": 500, "ClusterNetworkPolicy": 200,
	"Egress": 20, "EgressFirewall": 30, "EgressIP": 20, "Gateway": 200,
}

// TestEveryChange tries all changes of all objects in memory: the comparer finds those that count and no others, and
// records each where it was made.
func TestEveryChange(t *testing.T) {
	t.Parallel()
	comparer, err := drift.NewComparer(clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	schemas, tally := specs(t), mutation.NewTally("mutations", "harmless", "drift", "detected")
	for _, plan := range plans(t) {
		for _, intent := range optional(plan) {
			kind := intent.GVK.Kind
			for _, m := range custom.Mutants(schemas[intent.GVK], intent.Object.Object) {
				if unkeyed(kind, m) {
					continue // an API server doesn't store that
				}
				changed := m.Apply(intent.Object.Object)
				tally.Add(kind, "mutations")
				difference, err := comparer.Compare(intent.Object, &unstructured.Unstructured{Object: changed})
				if err != nil {
					t.Errorf("%s: %s: %v", intent, m, err)
					continue
				}
				if custom.Alike(intent.Object.Object, changed) {
					tally.Add(kind, "harmless")
					if !difference.Empty() {
						t.Errorf("%s: %s: nothing that counts, and differs in %v", intent, m, difference.Paths())
					}
					continue
				}
				tally.Add(kind, "drift")
				if recorded(difference, m.Finding(intent.Object.Object, keyed[kind])) {
					tally.Add(kind, "detected")
				} else {
					t.Errorf("%s: %s: want %v in %v", intent, m, m.Finding(intent.Object.Object, keyed[kind]), findings(difference))
				}
			}
		}
	}
	t.Logf("what became of the changes in memory:\n%s", tally)
	got := map[string]bool{}
	for kind, n := range least {
		got[kind] = tally.Count(kind, "drift") >= n && tally.Count(kind, "drift") == tally.Count(kind, "detected")
	}
	for kind, enough := range got {
		if !enough {
			t.Errorf("%s: %d changes are drift, want at least %d, and all of them detected", kind, tally.Count(kind, "drift"), least[kind])
		}
	}
}

// unkeyed reports whether a change takes away the key of an item.
func unkeyed(kind string, m custom.Mutant) bool {
	return kind == "Gateway" && m.Op == "remove" && len(m.Path) == 4 && m.Path[1] == "listeners" && m.Path[3] == "name"
}

func recorded(difference drift.Difference, want custom.Finding) bool {
	for _, found := range findings(difference) {
		if cmp.Equal(found, want) {
			return true
		}
	}
	return false
}

func findings(difference drift.Difference) []custom.Finding {
	var all []custom.Finding
	for _, change := range difference.Changes {
		all = append(all, custom.Finding{Path: change.Path, Type: change.Type})
	}
	return all
}
