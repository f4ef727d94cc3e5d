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

package mutation_test

import (
	"math/rand/v2"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// TestNothingIsFoundWhereNothingChanged renders all tenants of the corpus and hundreds that builders made, again from
// facts in another order and another spelling, and compares the one with the other: in no combination does anything
// differ, nor is it another intent.
func TestNothingIsFoundWhereNothingChanged(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	cases := append(tenants(t), mutation.Pairwise("pairwise", random)...)
	cases = append(cases, mutation.Random("random", 100, random)...)
	l := &lab{kinds: allKinds(t), comparer: comparer(t)}
	objects := 0
	for _, c := range cases {
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range facts {
			spec := &c.Tenant.Spec.Namespaces[i]
			plan, err := engine.NewPlan(features.All(), engine.NamespaceInput(f, spec))
			if err != nil {
				t.Fatal(err)
			}
			other := corpus.Copy(f)
			corpus.Shuffle(&other, random)
			corpus.Respell(&other, random)
			again, err := engine.NewPlan(features.All(), engine.NamespaceInput(other, spec))
			if err != nil {
				t.Fatal(err)
			}
			objects += l.alike(t, plan, again, random)
		}
		tenant := c.TenantFacts()
		other := corpus.CopyTenant(tenant)
		corpus.Shuffle(&other, random)
		plan, err := engine.NewTenantPlan(features.All(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		again, err := engine.NewTenantPlan(features.All(), other)
		if err != nil {
			t.Fatal(err)
		}
		objects += l.alike(t, plan, again, random)
	}
	t.Logf("%d objects of %d tenants compared", objects, len(cases))
	if objects < 2000 {
		t.Errorf("only %d objects", objects)
	}
}

// alike compares what a plan made with the intents of another that asks for the same, and with others' spellings of it.
func (l *lab) alike(t *testing.T, plan, again *engine.Plan, random *rand.Rand) int {
	t.Helper()
	if len(plan.Objects()) != len(again.Objects()) {
		t.Fatalf("%s: %d objects, and %d from other facts", plan.Tenant, len(plan.Objects()), len(again.Objects()))
	}
	for i, intent := range again.Objects() {
		made := plan.Objects()[i]
		if made.Hash != intent.Hash {
			t.Errorf("%s: the intent %s is %s from other facts", intent, made.Hash, intent.Hash)
		}
		kind := l.kinds[intent.GVK]
		if kind == nil {
			if difference, err := l.comparer.Compare(intent.Object, made.Object); err != nil || !difference.Empty() {
				t.Errorf("%s: differs in %v, %v", intent, difference.Paths(), err)
			}
			continue // of an optional API, where nothing but what is rendered means the same
		}
		reordered, err := mutation.Disguised(kind, made.Object.Object, random)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]map[string]any{"as rendered": made.Object.Object, "reordered and respelled": reordered} {
			typed, err := kind.Typed(content)
			if err != nil {
				t.Fatal(err)
			}
			for _, live := range []runtime.Object{typed, &unstructured.Unstructured{Object: content}} {
				if difference, err := l.comparer.Compare(intent.Object, live); err != nil || !difference.Empty() {
					t.Errorf("%s %s, as %T: differs in %v, %v\n%s\n%s", intent, name, live, difference.Paths(), err, marshal(t, intent.Object), marshal(t, content))
				}
			}
			if hash := drift.IntentHash(&unstructured.Unstructured{Object: content}); hash != made.Hash {
				t.Errorf("%s %s: another hash", intent, name)
			}
		}
	}
	return len(again.Objects())
}
