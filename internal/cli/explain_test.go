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

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

const (
	toExplain = "testdata/explain.yaml"
	samples   = "../../config/samples"
)

// explained runs the command at the time of the recorded reports.
func explained(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newExplainCommandAt(func() time.Time { return reported })
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func mustExplain(t *testing.T, args ...string) string {
	t.Helper()
	out, err := explained(t, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// exampleFile is a shared example, or the end of the test where there are none.
func exampleFile(t *testing.T, name string) string {
	t.Helper()
	dir := env.Examples()
	if dir == "" {
		t.Skip("The shared examples aren't here.")
	}
	return filepath.Join(dir, name)
}

// TestExplainPrints pins what is printed, as a table and as data, which programs read.
func TestExplainPrints(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file, example, name string
	}{
		"explain":                {file: toExplain, name: "acme/acme-prod"},
		"explain-tenant":         {file: toExplain, name: "acme"},
		"explain-plain":          {file: toExplain, name: "globex/globex-web"},
		"explain-catalog":        {file: samples, name: "catalog/catalog"},
		"explain-agents":         {file: samples, name: "observability/observability-agents"},
		"explain-load-test":      {file: samples, name: "checkout/checkout-perf"},
		"explain-payments":       {file: samples, name: "payments"},
		"explain-example-vault":  {example: "02-payments-pci.yaml", name: "payments/payments-vault"},
		"explain-example-pci":    {example: "02-payments-pci.yaml", name: "payments"},
		"explain-example-class":  {example: "04-classes.yaml", name: "catalog/catalog"},
		"explain-example-budget": {example: "04-classes.yaml", name: "catalog"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := tc.file
			if tc.example != "" {
				file = exampleFile(t, tc.example)
			}
			var lines []string
			for line := range strings.Lines(mustExplain(t, "-f", file, tc.name)) {
				if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > explainWidth {
					t.Errorf("wider than %d: %q", explainWidth, line)
				}
				lines = append(lines, line)
			}
			golden.YAML(t, name, lines)

			var fromJSON, fromYAML any
			if err := json.Unmarshal([]byte(mustExplain(t, "-f", file, tc.name, "-o", "json")), &fromJSON); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(mustExplain(t, "-f", file, tc.name, "-o", "yaml")), &fromYAML); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
				t.Errorf("data (-JSON +YAML):\n%s", diff)
			}
			golden.YAML(t, name+"-data", fromJSON)
		})
	}
}

// TestExplainReads pins that it doesn't matter how files are given.
func TestExplainReads(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(toExplain)
	if err != nil {
		t.Fatal(err)
	}
	want := mustExplain(t, "-f", toExplain, "acme/acme-prod")
	if got, err := explained(t, string(raw), "acme/acme-prod", "-f", "-"); err != nil || got != want {
		t.Errorf("from standard input: %v (-file +standard input)\n%s", err, cmp.Diff(want, got))
	}
	class, tenants, _ := strings.Cut(string(raw), "---\n")
	dir := t.TempDir()
	for name, content := range map[string]string{"b-class.yaml": class, "a-tenants.yaml": tenants} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"-f", dir}, {"-f", filepath.Join(dir, "a-tenants.yaml"), "-f", filepath.Join(dir, "b-class.yaml")}} {
		if diff := cmp.Diff(want, mustExplain(t, append(args, "acme/acme-prod")...)); diff != "" {
			t.Errorf("%v (-one file +these):\n%s", args, diff)
		}
	}
}

// TestExplainRefuses pins that errors say what to do next, and that nothing is printed.
func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	const classless = "apiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {namespaces: [{name: acme-dev}], %s}\n"
	const defaultClass = "---\napiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: TenantClass\nmetadata: {name: %s, annotations: {tenancy.bulkhead.dev/is-default-class: \"true\"}}\n"
	tests := map[string]struct {
		stdin string
		args  []string
		want  []string
	}{
		"no name":                       {"", []string{"-f", toExplain}, []string{"accepts 1 arg"}},
		"two names":                     {"", []string{"-f", toExplain, "acme", "globex"}, []string{"accepts 1 arg"}},
		"an empty tenant":               {"", []string{"-f", toExplain, "/acme-prod"}, []string{`"/acme-prod" is neither TENANT nor TENANT/NAMESPACE`}},
		"an empty namespace":            {"", []string{"-f", toExplain, "acme/"}, []string{`"acme/" is neither`}},
		"too much":                      {"", []string{"-f", toExplain, "acme/acme-prod/x"}, []string{`"acme/acme-prod/x" is neither`}},
		"an unknown output":             {"", []string{"-f", toExplain, "acme", "-o", "xml"}, []string{`--output="xml"`, "table, json, yaml"}},
		"a tenant that is near":         {"", []string{"-f", toExplain, "acne/acme-prod"}, []string{`there is no Tenant "acne" in testdata/explain.yaml: did you mean acme?`}},
		"a tenant that isn't near":      {"", []string{"-f", toExplain, "umbrella"}, []string{`there is no Tenant "umbrella"`, "2 Tenants (acme, globex)"}},
		"a namespace as a tenant":       {"", []string{"-f", toExplain, "globex-web"}, []string{"bulkhead explain globex/globex-web"}},
		"a namespace that is near":      {"", []string{"-f", toExplain, "acme/acme-prd"}, []string{`namespace "acme-prd" isn't one of Tenant "acme": did you mean acme-prod?`}},
		"a namespace that isn't near":   {"", []string{"-f", toExplain, "acme/web"}, []string{"3 namespaces (acme-dev, acme-prod, acme-test)"}},
		"a namespace of another tenant": {"", []string{"-f", toExplain, "acme/globex-web"}, []string{`one of Tenant "globex": bulkhead explain globex/globex-web`}},
		"a tenant without namespaces": {
			"apiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n", []string{"-f", "-", "acme/acme-dev"}, []string{"no namespace at all"},
		},
		"a class that isn't in the files": {
			strings.ReplaceAll(classless, "%s", "className: gold"), []string{"-f", "-", "acme"}, []string{`tenant acme starts from TenantClass "gold"`, "--filename"},
		},
		"two default classes": {
			strings.ReplaceAll(classless, "%s", "") + strings.ReplaceAll(defaultClass, "%s", "b") + strings.ReplaceAll(defaultClass, "%s", "a"),
			[]string{"-f", "-", "acme"}, []string{"tenant acme: several TenantClasses", "(a, b)"},
		},
		"a policy that doesn't fit": {
			strings.ReplaceAll(classless, "%s", "limits: [{type: Pod}, {type: Pod}]"), []string{"-f", "-", "acme/acme-dev"}, []string{"Tenant/acme spec: ", "limits"},
		},
		"an unknown field":              {strings.ReplaceAll(classless, "%s", "nosuchfield: 1"), []string{"-f", "-", "acme"}, []string{`unknown field "spec.nosuchfield"`}},
		"no Tenant":                     {"", []string{"-f", "-", "acme"}, []string{"no Tenant (tenancy.bulkhead.dev/v1alpha1) in -"}},
		"a file that isn't there":       {"", []string{"-f", "testdata/none.yaml", "acme"}, []string{"testdata/none.yaml", "no such file"}},
		"a kubeconfig that isn't there": {"", []string{"--kubeconfig", "testdata/none", "acme"}, []string{"--kubeconfig", "testdata/none"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := explained(t, tc.stdin, tc.args...)
			if err == nil || ExitCode(err) != 1 || strings.Contains(out, "PATH") {
				t.Fatalf("exit code %d, error %v, and printed %q", ExitCode(err), err, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error doesn't say %q: %v", want, err)
				}
			}
		})
	}
}

// clusterToExplain is a cluster with the Tenants and TenantClasses to be explained, in which only what is allowed can be
// read: "get tenants", "list tenantclasses" and so on.
func clusterToExplain(t *testing.T, allowed func(what string) bool) *explainSource {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	tenants, classes, err := readTenants(nil, []string{toExplain})
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme)
	for _, tenant := range tenants {
		builder = builder.WithObjects(tenant)
	}
	for _, class := range classes {
		builder = builder.WithObjects(class)
	}
	check := func(verb string, object any) error {
		what := verb + " tenants"
		switch object.(type) {
		case *v1alpha1.TenantClass, *v1alpha1.TenantClassList:
			what = verb + " tenantclasses"
		}
		if !allowed(what) {
			return forbidden(what)
		}
		return nil
	}
	reader := interceptor.NewClient(builder.Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
			if err := check("get", into); err != nil {
				return err
			}
			return c.Get(ctx, key, into, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, opts ...client.ListOption) error {
			if err := check("list", into); err != nil {
				return err
			}
			return c.List(ctx, into, opts...)
		},
	})
	return &explainSource{reader: reader, now: func() time.Time { return reported }}
}

func TestExplainFromACluster(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		allowed           func(string) bool
		tenant, namespace string
		want              string
	}{
		"all may be read":                      {everything, "acme", "acme-prod", ""},
		"the tenant and its class":             {only("get tenants", "get tenantclasses"), "acme", "acme-prod", ""},
		"the tenant alone":                     {only("get tenants"), "acme", "acme-prod", "you may not read TenantClasses, from which Tenant acme may start: ask for the ClusterRole bulkhead-tenant-viewer"},
		"a tenant without a class":             {only("get tenants", "get tenantclasses"), "globex", "globex-web", "you may not read TenantClasses"},
		"a tenant without a class, for a list": {only("get tenants", "list tenantclasses"), "globex", "globex-web", ""},
		"no tenant":                            {only("list tenantclasses"), "acme", "acme-prod", `you may not read Tenant "acme": its members may`},
		"a tenant that there isn't":            {everything, "acm", "", "did you mean acme?"},
		"a tenant that there isn't, unseen":    {only("get tenants"), "acm", "", `there is no Tenant "acm": kubectl get tenants`},
		"another's namespace, unseen":          {only("get tenants", "get tenantclasses"), "acme", "globex-web", "3 namespaces (acme-dev, acme-prod, acme-test)"},
		"another's namespace":                  {everything, "acme", "globex-web", "bulkhead explain globex/globex-web"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := clusterToExplain(t, tc.allowed).explain(t.Context(), tc.tenant, tc.namespace)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var live bytes.Buffer
			if err := printExplanation(&live, e); err != nil {
				t.Fatal(err)
			}
			want := mustExplain(t, "-f", toExplain, tc.tenant+"/"+tc.namespace)
			want = strings.ReplaceAll(want, "TenantClass in the files is", "TenantClass is")
			if tc.tenant == "globex" {
				want += "\nCONDITIONS: the operator hasn't reported any yet\n"
			}
			if diff := cmp.Diff(want, live.String()); diff != "" {
				t.Errorf("(-files +cluster):\n%s", diff)
			}
		})
	}
}

// TestBuiltInsAreWhatIsRendered pins that the operator renders the same whether a field is unset or has the value that
// explain says it has.
func TestBuiltInsAreWhatIsRendered(t *testing.T) {
	t.Parallel()
	spec := map[string]any{"namespaces": []any{map[string]any{"name": "acme-dev"}}}
	rendered := func() string {
		raw, err := yaml.Marshal(map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Tenant", "metadata": map[string]any{"name": "acme"}, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		var out, warnings bytes.Buffer
		cmd := newRenderCommand()
		cmd.SetArgs([]string{"-f", "-"})
		cmd.SetIn(bytes.NewReader(raw))
		cmd.SetOut(&out)
		cmd.SetErr(&warnings)
		if err := cmd.ExecuteContext(t.Context()); err != nil || warnings.Len() > 0 {
			t.Fatalf("%v %s", err, warnings.String())
		}
		return out.String()
	}
	unset := rendered()
	values := map[string]any{}
	for _, builtIn := range policy.BuiltIns() {
		value := builtIn.Value
		if builtIn.SameAs != "" {
			value = values[builtIn.SameAs]
		}
		values[builtIn.Path] = value
		// What types Services may have is an annotation that a guard-rail reads; without one it allows what unset means.
		if value == nil || strings.Contains(builtIn.Path, "[]") || builtIn.Path == "ingress.serviceTypes" {
			continue
		}
		at, path := spec, strings.Split(builtIn.Path, ".")
		for _, field := range path[:len(path)-1] {
			if at[field] == nil {
				at[field] = map[string]any{}
			}
			at, _ = at[field].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	if len(spec) < 6 {
		t.Fatalf("too little is set: %v", spec)
	}
	if diff := cmp.Diff(unset, rendered()); diff != "" {
		t.Errorf("rendered (-unset +what explain says unset means):\n%s", diff)
	}
}
