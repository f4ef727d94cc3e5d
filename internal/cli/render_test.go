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

package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/cli"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

const file = "testdata/tenant.yaml"

var one sync.Mutex

// run runs the command line and returns what it wrote.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, warnings bytes.Buffer
	one.Lock() // controller-runtime's flag --kubeconfig is a global variable
	cmd := cli.NewCommand()
	one.Unlock()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&warnings)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), warnings.String(), err
}

func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, err := run(t, stdin, args...)
	if err != nil || stderr != "" {
		t.Fatalf("error %v, warnings %q", err, stderr)
	}
	return stdout
}

func TestRenderYAML(t *testing.T) {
	t.Parallel()
	var objects []any
	for document := range strings.SplitSeq(strings.TrimPrefix(mustRun(t, "", "render", "-f", file), "---\n"), "---\n") {
		var object any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	golden.YAML(t, "render", objects...)
}

func TestRenderTable(t *testing.T) {
	t.Parallel()
	var lines []string
	for line := range strings.Lines(mustRun(t, "", "render", "-f", file, "-o", "table")) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	golden.YAML(t, "render-table", lines)
}

// TestRenderJSON compares with the golden file of the YAML: two spellings of the same objects.
func TestRenderJSON(t *testing.T) {
	t.Parallel()
	var list struct {
		APIVersion, Kind string
		Items            []any
	}
	if err := yaml.UnmarshalStrict([]byte(mustRun(t, "", "render", "-f", file, "--output=json")), &list); err != nil {
		t.Fatal(err)
	}
	if list.APIVersion != "v1" || list.Kind != "List" {
		t.Errorf("got a %s %s, want a v1 List", list.APIVersion, list.Kind)
	}
	golden.YAML(t, "render", list.Items...)
}

// TestRenderExamples renders the shared examples as an auditor reads them: all objects of a cluster that has every API, with
// the strict tier.
func TestRenderExamples(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{
		"render-example-payments":      {"02-payments-pci.yaml"},
		"render-example-observability": {"03-observability.yaml"},
		"render-example-classes":       {"04-classes.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"render", "--api-server-addresses", "192.0.2.1:6443", "--apis",
				"ClusterNetworkPolicy.policy.networking.k8s.io,CiliumEgressGatewayPolicy.cilium.io,CiliumNetworkPolicy.cilium.io"}
			directory := env.Examples()
			if directory == "" {
				t.Skip("The shared examples aren't here.")
			}
			for _, file := range files {
				args = append(args, "-f", filepath.Join(directory, file))
			}
			var objects []any
			for document := range strings.SplitSeq(strings.TrimPrefix(mustRun(t, "", args...), "---\n"), "---\n") {
				var object any
				if err := yaml.Unmarshal([]byte(document), &object); err != nil {
					t.Fatal(err)
				}
				objects = append(objects, object)
			}
			golden.YAML(t, name, objects...)
		})
	}
}

// TestRenderAPIs names the optional APIs that there are.
func TestRenderAPIs(t *testing.T) {
	t.Parallel()
	if _, _, err := run(t, "", "render", "-f", file, "--apis", "Gateway"); err == nil || !strings.Contains(err.Error(), "Gateway.gateway.networking.k8s.io") {
		t.Errorf("error %v, want the names that are allowed", err)
	}
	if got := mustRun(t, "", "render", "-f", file, "--apis=none", "-o", "table"); strings.Contains(got, "ClusterNetworkPolicy") {
		t.Errorf("rendered for a cluster without it:\n%s", got)
	}
}

func TestRenderInput(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	class, tenant, _ := strings.Cut(string(raw), "---\napiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: Tenant\n")
	tenant = "apiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: Tenant\n" + tenant
	dir := t.TempDir()
	for name, content := range map[string]string{"class.yaml": class, "tenant.yaml": tenant} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := mustRun(t, "", "render", "-f", file)
	tests := map[string]struct {
		stdin string
		args  []string
	}{
		"standard input":             {string(raw), []string{"-f", "-"}},
		"two files":                  {"", []string{"-f", filepath.Join(dir, "class.yaml"), "-f", filepath.Join(dir, "tenant.yaml")}},
		"two files in another order": {"", []string{"-f", filepath.Join(dir, "tenant.yaml") + "," + filepath.Join(dir, "class.yaml")}},
		"a file and standard input":  {class, []string{"-f", filepath.Join(dir, "tenant.yaml"), "-f", "-"}},
		"with comments and blanks":   {"# nothing\n---\n\n---\n" + string(raw) + "\n---\n# nothing\n", []string{"-f", "-"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, mustRun(t, tc.stdin, append([]string{"render"}, tc.args...)...)); diff != "" {
				t.Errorf("rendered (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRenderRefuses pins that an error names what is wrong, its value, and what is allowed.
func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n"
	tests := map[string]struct {
		stdin string
		args  []string
		want  []string
	}{
		"an unknown field":             {head + "  nosuchfield: 1\n", nil, []string{"-", `unknown field "spec.nosuchfield"`}},
		"a field deep inside":          {head + "  network: {allow: [{name: x, prots: []}]}\n", nil, []string{`unknown field "spec.network.allow[0].prots"`}},
		"an unknown field of a class":  {"apiVersion: tenancy.bulkhead.dev/v1alpha1\nkind: TenantClass\nspec: {qouta: {}}\n", nil, []string{`unknown field "spec.qouta"`}},
		"a field twice":                {head + "  className: a\n  className: b\n", nil, []string{"className"}},
		"a field of another type":      {head + "  namespaces: acme-dev\n", nil, []string{"namespaces"}},
		"a quantity that is none":      {head + "  quota: {perNamespace: {pods: many}}\n", nil, []string{"quantities must match"}},
		"no YAML":                      {"{", nil, []string{"reading -"}},
		"nothing":                      {"", nil, []string{"no Tenant (tenancy.bulkhead.dev/v1alpha1) in -"}},
		"no Tenant":                    {"apiVersion: v1\nkind: Namespace\n", nil, []string{"no Tenant (tenancy.bulkhead.dev/v1alpha1) in -"}},
		"a Tenant of another version":  {"apiVersion: tenancy.bulkhead.dev/v9\nkind: Tenant\n", nil, []string{"no Tenant (tenancy.bulkhead.dev/v1alpha1) in -"}},
		"a file that isn't there":      {"", []string{"-f", "testdata/none.yaml"}, []string{"--filename", "testdata/none.yaml", "no such file"}},
		"an unknown output":            {"", []string{"-o", "xml"}, []string{`--output="xml"`, "yaml, json, table"}},
		"an unknown flag":              {"", []string{"--nosuchflag"}, []string{"--nosuchflag"}},
		"an argument":                  {"", []string{"tenant.yaml"}, []string{"tenant.yaml"}},
		"a port that is none":          {"", []string{"--dns-ports=53,65536"}, []string{"--dns-ports=65536", "1 to 65535"}},
		"port zero":                    {"", []string{"--dns-ports=0"}, []string{"--dns-ports=0", "1 to 65535"}},
		"a port in words":              {"", []string{"--dns-ports=domain"}, []string{"--dns-ports", "domain"}},
		"labels that are none":         {"", []string{"--dns-pod-labels=k8s-app in (a)"}, []string{`--dns-pod-labels="k8s-app in (a)"`, "key=value"}},
		"an address without a port":    {"", []string{"--api-server-addresses=192.0.2.1"}, []string{`--api-server-addresses="192.0.2.1"`, "ip:port"}},
		"an address that is a name":    {"", []string{"--api-server-addresses=api.example.com:443"}, []string{`--api-server-addresses="api.example.com:443"`, "ip:port"}},
		"an address with no port, two": {"", []string{"--api-server-addresses=192.0.2.1:443,x"}, []string{`--api-server-addresses="x"`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"render"}, tc.args...)
			if !strings.Contains(strings.Join(tc.args, " "), "-f ") {
				args = append(args, "-f", "-")
			}
			stdout, _, err := run(t, tc.stdin, args...)
			if err == nil || stdout != "" {
				t.Fatalf("error %v, and printed %q", err, stdout)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error doesn't say %q: %v", want, err)
				}
			}
		})
	}
}

func TestRenderNeedsAFile(t *testing.T) {
	t.Parallel()
	if _, _, err := run(t, "", "render"); err == nil || !strings.Contains(err.Error(), `"filename"`) {
		t.Errorf("error %v, want that it names the flag", err)
	}
}

// TestRenderWarns renders what it can and says what it can't.
func TestRenderWarns(t *testing.T) {
	t.Parallel()
	const tenant = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: %NAME}
spec:
  namespaces: [{name: acme-dev}]
  %SPEC
`
	tests := map[string]struct {
		spec     string
		args     []string
		want     string
		wantKind string
		notKind  string
	}{
		"a class that isn't in the files": {
			spec: "className: gold", want: `tenant acme: TenantClass "gold" doesn't exist`, notKind: "NetworkPolicy",
		},
		"a block that can't be rendered": {
			spec: "network: {boundary: Galaxy}", want: "tenant acme, namespace acme-dev, network: network.boundary", wantKind: "Namespace", notKind: "NetworkPolicy",
		},
		"a finding": {
			spec: "network: {apiServer: Allow}", want: "tenant acme, namespace acme-dev, network: network.apiServer is Allow", wantKind: "NetworkPolicy",
		},
		"no finding with the flag": {
			spec: "network: {apiServer: Allow}", args: []string{"--api-server-addresses=[2001:db8::1]:6443"}, wantKind: "NetworkPolicy",
		},
		"a policy that can't be merged": {
			spec: "network: {allow: [{name: x}, {name: x}]}", want: `network.allow[x].name: Duplicate value: "x"`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdin := strings.NewReplacer("%NAME", "acme", "%SPEC", tc.spec).Replace(tenant)
			stdout, stderr, err := run(t, stdin, append([]string{"render", "-f", "-"}, tc.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" && stderr != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("warned %q, want %q", stderr, tc.want)
			}
			if tc.wantKind != "" && !strings.Contains(stdout, "kind: "+tc.wantKind) || tc.notKind != "" && strings.Contains(stdout, "kind: "+tc.notKind) {
				t.Errorf("rendered, with %q wanted and %q not:\n%s", tc.wantKind, tc.notKind, stdout)
			}
		})
	}
}

// TestRenderRefusesGuardedLabel pins that what the API server would refuse is not rendered without a word.
func TestRenderRefusesGuardedLabel(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := run(t, `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: acme}
spec:
  namespaces: [{name: acme-dev, labels: {pod-security.kubernetes.io/enforce: privileged}}, {name: acme-prod}]
`, "render", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stderr, "pod-security.kubernetes.io/enforce") {
		t.Errorf("warned %q, want that it names the key", stderr)
	}
	if strings.Contains(stdout, "name: acme-dev") || !strings.Contains(stdout, "acme-prod") {
		t.Error("the namespace with the guarded label was rendered, or the other one wasn't")
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"render", "--help"}, {"manager", "--help"}, {"--version"}} {
		if stdout := mustRun(t, "", args...); !strings.Contains(stdout, "bulkhead") {
			t.Errorf("%v prints %q", args, stdout)
		}
	}
}

// TestManagerChecksFlags fails before it looks for a cluster.
func TestManagerChecksFlags(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"--dns-ports=0":              "--dns-ports=0",
		"--api-server-addresses=x":   `--api-server-addresses="x"`,
		"--dns-pod-labels=!":         `--dns-pod-labels="!"`,
		"--namespace-workers=many":   "--namespace-workers",
		"--leader-elect=perhaps":     "--leader-elect",
		"--no-such-flag-of-anything": "--no-such-flag-of-anything",
	} {
		if _, _, err := run(t, "", "manager", flag); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want that it names the flag", flag, err)
		}
	}
}
