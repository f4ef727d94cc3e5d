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
	"os"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// TestBuiltInsAreInTheSchema pins that each path is a field of a Tenant's spec.
func TestBuiltInsAreInTheSchema(t *testing.T) {
	t.Parallel()
	sc, spec, err := schemaOf(&v1alpha1.Tenant{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Tenant"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, builtIn := range BuiltIns() {
		if seen[builtIn.Path] {
			t.Errorf("%s is there twice", builtIn.Path)
		}
		seen[builtIn.Path] = true
		if builtIn.SameAs != "" && !seen[builtIn.SameAs] {
			t.Errorf("%s is the same as %s, which must come before it", builtIn.Path, builtIn.SameAs)
		}
		said := 0
		for _, says := range []bool{builtIn.Value != nil, builtIn.SameAs != "", builtIn.Meaning != ""} {
			if says {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%s says %d times what unset means", builtIn.Path, said)
		}
		ref := spec
		for name := range strings.SplitSeq(builtIn.Path, ".") {
			name, items := strings.CutSuffix(name, "[]")
			if ref = fieldOf(t, sc, ref, name); items {
				ref = itemOf(t, sc, ref, builtIn.Path)
			}
		}
	}
}

func fieldOf(t *testing.T, sc *smdschema.Schema, ref smdschema.TypeRef, name string) smdschema.TypeRef {
	t.Helper()
	atom, ok := sc.Resolve(ref)
	if !ok || atom.Map == nil {
		t.Fatalf("%s is looked for in what is no struct", name)
	}
	field, ok := atom.Map.FindField(name)
	if !ok {
		t.Errorf("The schema has no field %s.", name)
	}
	return field.Type
}

func itemOf(t *testing.T, sc *smdschema.Schema, ref smdschema.TypeRef, path string) smdschema.TypeRef {
	t.Helper()
	atom, ok := sc.Resolve(ref)
	if !ok || atom.List == nil || len(atom.List.Keys) == 0 {
		t.Fatalf("%s: no list with keys", path)
	}
	return atom.List.ElementType
}

// meaning finds what a field's description says of unset, if it names a value.
var meaning = regexp.MustCompile(`(?:\b([A-Z]\w+) \((?:[^)]*, )?the meaning of unset|Unset means (latest|[A-Z]\w+))`)

// TestBuiltInsAreDocumented pins that the table says what the descriptions in the CRD say: for each value that one of them
// names as the meaning of unset there is a line, with that value.
func TestBuiltInsAreDocumented(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../config/crd/bases/tenancy.bulkhead.dev_tenants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema described `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		t.Fatal(err)
	}
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	table := map[string]BuiltIn{}
	for _, builtIn := range BuiltIns() {
		table[builtIn.Path] = builtIn
		if about := spec.at(builtIn.Path); builtIn.Meaning == "" && !strings.Contains(strings.ToLower(about), "unset") {
			t.Errorf("%s: nothing in its description says what unset means: %q", builtIn.Path, about)
		}
	}
	found := 0
	spec.walk("", func(path, about string) {
		values := meaning.FindStringSubmatch(strings.Join(strings.Fields(about), " "))
		if values == nil {
			return
		}
		found++
		if want := values[1] + values[2]; text(table[path].Value) != want {
			t.Errorf("%s: the CRD says that unset means %s, and BuiltIns %v", path, want, table[path].Value)
		}
	})
	if found < 8 {
		t.Errorf("only %d descriptions name a value", found)
	}
}

// described is a schema with descriptions, as a CRD has it.
type described struct {
	Description string               `json:"description"`
	Properties  map[string]described `json:"properties"`
	Items       *described           `json:"items"`
	Keys        []string             `json:"x-kubernetes-list-map-keys"`
}

// at is the description of a path.
func (d described) at(path string) string {
	for name := range strings.SplitSeq(path, ".") {
		name, items := strings.CutSuffix(name, "[]")
		if d = d.Properties[name]; items && d.Items != nil {
			d = *d.Items
		}
	}
	return d.Description
}

// walk visits all fields but those in lists that have no keys, and those of the policy of a single namespace.
func (d described) walk(path string, visit func(path, about string)) {
	visit(path, d.Description)
	if d.Items != nil && len(d.Keys) > 0 {
		d, path = *d.Items, path+"[]"
	}
	for name, field := range d.Properties {
		if path == "namespaces[]" && name == "policy" {
			continue
		}
		field.walk(strings.TrimPrefix(path+"."+name, "."), visit)
	}
}
