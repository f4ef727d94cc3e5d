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

package snapshot_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
)

const (
	tenantYAML    = "apiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n"
	namespaceYAML = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"
	namespaceJSON = `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}}`
)

func TestRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   string
		want []string
	}{
		"nothing":                      {"", nil},
		"comments and blanks":          {"# nothing\n---\n\n---\n# nothing\n", nil},
		"documents":                    {tenantYAML + "---\n" + namespaceYAML, []string{"Tenant acme", "Namespace a"}},
		"JSON":                         {namespaceJSON, []string{"Namespace b"}},
		"JSON, one after another":      {namespaceJSON + "\n" + namespaceJSON + namespaceJSON, []string{"Namespace b", "Namespace b", "Namespace b"}},
		"YAML that begins as JSON":     {"{apiVersion: v1, kind: Namespace, metadata: {name: a}}", []string{"Namespace a"}},
		"a list":                       {`{"apiVersion": "v1", "kind": "List", "items": [` + namespaceJSON + `]}`, []string{"Namespace b"}},
		"a list in YAML":               {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(namespaceYAML), "\n", "\n  "), []string{"Namespace a"}},
		"a list within a list":         {`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [` + namespaceJSON + `]}]}`, []string{"Namespace b"}},
		"a list that says the kind":    {`{"apiVersion": "v1", "kind": "NamespaceList", "items": [{"metadata": {"name": "c"}}]}`, []string{"Namespace c"}},
		"a list without a kind":        {`{"apiVersion": "v1", "kind": "List", "items": [{"metadata": {"name": "c"}}]}`, nil},
		"kinds that nobody asks for":   {"apiVersion: v1\nkind: Secret\ndata: {a: eA==}\n---\napiVersion: example.com/v1\nkind: Widget\n", nil},
		"another version of our kinds": {"apiVersion: tenancy.bulkhead.dev/v9\nkind: Tenant\n", nil},
		"what others don't know":       {namespaceYAML + "spec: {nosuchfield: 1}\n", []string{"Namespace a"}},
		"definitions": {
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec: {scope: Namespaced}\n",
			[]string{"CustomResourceDefinition widgets.example.com"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := snapshot.Read(newScheme(t), snapshot.Kinds(features.All()), strings.NewReader(tc.in), "-")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, kindsAndNames(t, objects)); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func kindsAndNames(t *testing.T, objects []client.Object) []string {
	t.Helper()
	var found []string
	scheme := newScheme(t)
	for _, object := range objects {
		gvk := object.GetObjectKind().GroupVersionKind()
		if gvk.Empty() {
			kinds, _, err := scheme.ObjectKinds(object)
			if err != nil {
				t.Fatal(err)
			}
			gvk = kinds[0]
		}
		found = append(found, gvk.Kind+" "+object.GetName())
	}
	return found
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"no YAML":                         {"{", "standard input"},
		"a field of a Tenant, unknown":    {tenantYAML + "spec: {nosuchfield: 1}\n", `unknown field "spec.nosuchfield"`},
		"a field of a Tenant, in a list":  {`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "tenancy.bulkhead.dev/v1alpha1", "kind": "Tenant", "spec": {"x": 1}}]}`, `unknown field "spec.x"`},
		"a field twice":                   {tenantYAML + "spec: {className: a, className: b}\n", "className"},
		"a value of another type":         {"apiVersion: v1\nkind: Namespace\nmetadata: {labels: 1}\n", "labels"},
		"a list of what isn't objects":    {`{"apiVersion": "v1", "kind": "List", "items": [1]}`, "standard input"},
		"items that aren't a list":        {`{"apiVersion": "v1", "kind": "List", "items": {}}`, "items"},
		"a definition that can't be read": {"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: 1\n", "standard input"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := snapshot.Read(newScheme(t), snapshot.Kinds(features.All()), strings.NewReader(tc.in), "-")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("read %d objects, error %v, want one with %q", len(objects), err, tc.want)
			}
		})
	}
}

func TestReadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"b.yaml": namespaceYAML, "a.json": namespaceJSON, "sub/c.yml": tenantYAML, "README.md": "[", ".git/d.yaml": "[", "e.txt": "[",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kinds := snapshot.Kinds(features.All())
	objects, err := snapshot.Read(newScheme(t), kinds, strings.NewReader(tenantYAML), dir, "-", filepath.Join(dir, "b.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Namespace b", "Namespace a", "Tenant acme", "Tenant acme", "Namespace a"}
	if diff := cmp.Diff(want, kindsAndNames(t, objects)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		filepath.Join(dir, "none"):      "no such file",
		filepath.Join(dir, "README.md"): "README.md",
		t.TempDir():                     "holds no file",
	} {
		if _, err := snapshot.Read(newScheme(t), kinds, nil, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}

// TestKinds: cluster policies are read whoever renders them, if anybody does, and each kind once.
func TestKinds(t *testing.T) {
	t.Parallel()
	kinds := snapshot.Kinds(features.All())
	for _, kind := range exposure.ClusterPolicyKinds() {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%s isn't read", kind)
		}
	}
	for i, kind := range kinds {
		if slices.Contains(kinds[:i], kind) {
			t.Errorf("%s is read twice", kind)
		}
	}
	s, err := snapshot.Files(newScheme(t), kinds, strings.NewReader(tenantYAML+`
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
`), "-")
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.GroupVersionKind{{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "BaselineAdminNetworkPolicy"}}
	if !slices.Equal(s.Served(), want) {
		t.Errorf("served %v, want what the files hold", s.Served())
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	kinds := snapshot.Kinds(features.All())
	s, err := snapshot.Files(newScheme(t), kinds, strings.NewReader(tenantYAML+"---\n"+namespaceYAML), "-")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Len(corev1.SchemeGroupVersion.WithKind("Namespace")); got != 1 {
		t.Errorf("%d namespaces", got)
	}
	if got := s.Len(schema.GroupVersionKind{Kind: "Nothing"}); got != 0 {
		t.Errorf("%d of nothing", got)
	}
	if err := s.Get(t.Context(), client.ObjectKey{Name: "x"}, definition("")); err == nil || client.IgnoreNotFound(err) == nil {
		t.Errorf("error %v, want one that says that it isn't known", err)
	}
	if s.Unread(exposure.DefinitionKind) == nil || s.Unread(v1alpha1.GroupVersion.WithKind("Tenant")) != nil {
		t.Error("want that definitions, and only these, are not known")
	}

	unmanaged := strings.Replace(namespaceYAML, "{name: a}", "{name: a, labels: {"+v1alpha1.LabelTenant+": acme}}", 1)
	_, err = snapshot.Files(newScheme(t), kinds, strings.NewReader(unmanaged), "-")
	if err == nil || !strings.Contains(err.Error(), "--show-managed-fields") {
		t.Errorf("error %v, want that it says how to get managed fields", err)
	}
	managed := strings.Replace(unmanaged, "{name: a, ", "{name: b, managedFields: [{manager: x, operation: Apply}], ", 1)
	if _, err := snapshot.Files(newScheme(t), kinds, strings.NewReader(unmanaged+"---\n"+managed), "-"); err != nil {
		t.Errorf("error %v though one namespace has managed fields", err)
	}
}

// FuzzRead pins that whatever is in a file, reading it ends, and without a panic.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{tenantYAML, namespaceJSON, `{"kind": "List", "apiVersion": "v1", "items": [{"kind": "List", "items": [[]]}]}`, "a: *b", "---\n---"} {
		f.Add(seed)
	}
	scheme, kinds := newScheme(f), snapshot.Kinds(features.All())
	f.Fuzz(func(t *testing.T, in string) {
		objects, err := snapshot.Read(scheme, kinds, strings.NewReader(in), "-")
		if err != nil {
			return
		}
		if _, err := snapshot.New(scheme, kinds, objects...); err != nil {
			t.Errorf("what was read can't be held: %v", err)
		}
	})
}
