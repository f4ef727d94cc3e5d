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
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/cli"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

// recorded is a cluster that was written down: acme has drifted and is open, globex is as it ought to be.
const recorded = "testdata/world"

func linesOf(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

// ran runs a command and fails unless it ends with this code.
func ran(t *testing.T, code int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, err := run(t, stdin, args...)
	if cli.ExitCode(err) != code {
		t.Fatalf("exit code %d, want %d: %v\n%s", cli.ExitCode(err), code, err, stdout)
	}
	return stdout, stderr
}

// TestVerifyNotUnderstood: what of a cluster policy isn't understood is said to people and to programs.
func TestVerifyNotUnderstood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(`
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: platform}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {matchLabels: {team: nobody}}}
  ingress: [{action: Sometimes, from: [{namespaces: {}}]}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "ClusterNetworkPolicy platform: spec.ingress[0].action is unknown"
	stdout, _ := ran(t, 0, "", "verify", "-f", recorded, "-f", dir, "globex")
	if !strings.Contains(stdout, "not understood, and so taken as open: "+want+"\n") || !strings.Contains(stdout, "weighed: clusternetworkpolicies.policy.networking.k8s.io, ") {
		t.Errorf("printed:\n%s", stdout)
	}
	stdout, _ = ran(t, 0, "", "verify", "-f", recorded, "-f", dir, "globex", "-o", "yaml")
	if !strings.Contains(stdout, "notUnderstood:\n- "+"'"+want+"'") {
		t.Errorf("printed:\n%s", stdout)
	}
}

func TestComparisons(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		code int
	}{
		"diff":          {[]string{"diff", "--live-from", recorded}, 1},
		"diff-file":     {[]string{"diff", "--live-from", recorded, "-f", "testdata/change.yaml"}, 1},
		"verify":        {[]string{"verify", "-f", recorded}, 1},
		"verify-one":    {[]string{"verify", "-f", recorded, "globex"}, 0},
		"verify-dot":    {[]string{"verify", "-f", recorded, "-o", "dot"}, 1},
		"diff-no-drift": {[]string{"diff", "--live-from", recorded, "globex"}, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr := ran(t, tc.code, "", tc.args...)
			golden.YAML(t, name, map[string][]string{"stdout": linesOf(stdout), "stderr": linesOf(stderr)})
		})
	}
}

// TestComparisonsAsData pins the names of fields, which programs read. Times are those of the run.
func TestComparisonsAsData(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"diff-data":   {"diff", "--live-from", recorded},
		"verify-data": {"verify", "-f", recorded},
	} {
		for _, format := range []string{"json", "yaml"} {
			t.Run(name+" as "+format, func(t *testing.T) {
				t.Parallel()
				stdout, _ := ran(t, 1, "", append(args, "-o", format)...)
				golden.YAML(t, name, timeless(t, stdout, format))
			})
		}
	}
}

// timeless decodes output and sets all times that are those of the run.
func timeless(t *testing.T, output, format string) any {
	t.Helper()
	var value any
	if format == "json" {
		if err := json.Unmarshal([]byte(output), &value); err != nil {
			t.Fatal(err)
		}
	} else if err := yaml.Unmarshal([]byte(output), &value); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				if key == "firstSeen" || key == "since" {
					value[key] = "now"
				}
				walk(inner)
			}
		case []any:
			for _, inner := range value {
				walk(inner)
			}
		}
	}
	walk(value)
	return value
}

func TestComparisonsFromStdin(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	files, err := filepath.Glob(recorded + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(string(raw) + "---\n")
	}
	for _, args := range [][]string{{"diff", "--live-from"}, {"verify", "-f"}} {
		want, _ := ran(t, 1, "", append(args, recorded)...)
		got, _ := ran(t, 1, all.String(), append(args, "-")...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-directory +standard input):\n%s", args[0], diff)
		}
	}
}

// TestComparisonsRefuse pins that an error is never taken for an answer, and says what to do.
func TestComparisonsRefuse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		want []string
	}{
		"an unknown output of diff":      {[]string{"diff", "--live-from", recorded, "-o", "table"}, []string{`--output="table"`, "diff, json, yaml"}},
		"an unknown output of verify":    {[]string{"verify", "-f", recorded, "-o", "xml"}, []string{`--output="xml"`, "table, json, yaml, dot"}},
		"an unknown flag":                {[]string{"verify", "--nosuchflag"}, []string{"--nosuchflag"}},
		"a port that is none":            {[]string{"diff", "--dns-ports=0"}, []string{"--dns-ports=0"}},
		"an unknown tenant of diff":      {[]string{"diff", "--live-from", recorded, "none"}, []string{`there is no Tenant "none"`, "kubectl get tenants"}},
		"an unknown tenant of verify":    {[]string{"verify", "-f", recorded, "none"}, []string{`there is no Tenant "none"`}},
		"a file that isn't there":        {[]string{"verify", "-f", "testdata/none"}, []string{"--filename", "testdata/none", "no such file"}},
		"a live file that isn't there":   {[]string{"diff", "--live-from", "testdata/none"}, []string{"--live-from", "testdata/none"}},
		"a tenant's file without any":    {[]string{"diff", "--live-from", recorded, "-f", recorded + "/roles.yaml"}, []string{"no Tenant", "roles.yaml"}},
		"standard input twice":           {[]string{"diff", "--live-from", "-", "-f", "-"}, []string{"only once"}},
		"a kubeconfig that isn't there":  {[]string{"diff", "--kubeconfig", "testdata/none"}, []string{"--kubeconfig", "testdata/none"}},
		"a kubeconfig, and verify":       {[]string{"verify", "--kubeconfig", "testdata/none"}, []string{"--context"}},
		"a tenant that can't be planned": {[]string{"diff", "--live-from", recorded, "-f", "testdata/unplannable.yaml"}, []string{`TenantClass "gold"`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, err := run(t, "", tc.args...)
			if cli.ExitCode(err) != 2 {
				t.Fatalf("exit code %d, want 2: %v\n%s", cli.ExitCode(err), err, stdout)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error doesn't say %q: %v", want, err)
				}
			}
			if !strings.Contains(stderr, "Error: ") {
				t.Errorf("the error isn't printed: %q", stderr)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	_, stderr, err := run(t, "", "diff", "--live-from", recorded)
	if strings.Contains(stderr, "Error") || err == nil || err.Error() != "exit code 1" {
		t.Errorf("differences are printed as an error: %q, %v", stderr, err)
	}
	_, _, err = run(t, "", "render", "--nosuchflag")
	if cli.ExitCode(err) != 1 || cli.ExitCode(nil) != 0 {
		t.Errorf("exit code %d of an error, %d of none", cli.ExitCode(err), cli.ExitCode(nil))
	}
}

func TestCallBy(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/usr/local/bin/kubectl-bulkhead": "kubectl bulkhead", "kubectl-bulkhead.exe": "kubectl bulkhead",
		"bulkhead": "bulkhead", "/tmp/kubectl-bulkhead-2": "bulkhead",
	} {
		var out strings.Builder
		one.Lock()
		cmd := cli.NewCommand()
		one.Unlock()
		cli.CallBy(cmd, path)
		cmd.SetArgs([]string{"diff", "--help"})
		cmd.SetOut(&out)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"\nUsage:\n  " + want + " diff [TENANT...]", "Examples:\n  " + want + " diff\n  " + want + " diff acme\n"} {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: the help doesn't say %q:\n%s", path, text, out.String())
			}
		}
	}
}

// TestComplete pins that a completion never fails: without a cluster there is nothing to offer.
func TestComplete(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"tenants without a cluster": {[]string{"diff", "--kubeconfig", "testdata/none", ""}, nil},
		"formats of verify":         {[]string{"verify", "-o", ""}, []string{"table", "json", "yaml", "dot"}},
		"severities":                {[]string{"drift", "--severity", ""}, []string{"Critical", "High", "Medium", "Info"}},
		"contexts":                  {[]string{"drift", "--kubeconfig", "testdata/kubeconfig.yaml", "--context", ""}, []string{"prod", "staging"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, _ := ran(t, 0, "", append([]string{"__complete"}, tc.args...)...)
			var got []string
			for _, line := range linesOf(stdout) {
				if !strings.HasPrefix(line, ":") {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("offered (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDocs pins that the examples in the documentation are what the commands print.
func TestDocs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for block := range strings.SplitSeq(string(raw), "```") {
		command, want, ok := strings.Cut(strings.TrimPrefix(block, "console\n"), "\n")
		command, called := strings.CutPrefix(command, "$ bulkhead ")
		if !ok || !called || !strings.Contains(command, "internal/cli/testdata") {
			continue
		}
		examples++
		stdout, _, _ := run(t, "", strings.Fields(strings.ReplaceAll(command, "internal/cli/", ""))...)
		if diff := cmp.Diff(linesOf(want), linesOf(stdout)); diff != "" {
			t.Errorf("$ bulkhead %s (-docs +printed):\n%s", command, diff)
		}
	}
	if examples < 4 {
		t.Errorf("only %d examples that are tested", examples)
	}
}
