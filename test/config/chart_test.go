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

package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// served are the APIs of a cluster, as Helm asks for them.
type served []string

// Has is what templates call.
func (s served) Has(api string) bool { return slices.Contains(s, api) }

// TestChart renders the Helm chart of the guard-rails as Helm would, and compares it with what kustomize installs.
func TestChart(t *testing.T) {
	t.Parallel()
	chart := filepath.Join("..", "..", "charts", "bulkhead-guard-rails")
	var defaults struct {
		BreakGlassGroups []string `json:"breakGlassGroups"`
	}
	content, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, &defaults); err != nil {
		t.Fatal(err)
	}
	const mutating = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
	source := map[string]string{}
	for prefix, pattern := range map[string]string{"": "*.yaml", "probe-": "probe/*.yaml", "mutating-": "mutating/*.yaml"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "config", "admission", filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source[prefix+filepath.Base(file)] = string(content)
		}
	}
	const trusted = "['bulkhead:break-glass', 'system:masters']"
	others := []string{"oidc:sre", "bulkhead:break-glass"}
	tests := map[string]struct {
		groups []string
		has    served
		want   func(name, text string) string
	}{
		"by default": {groups: defaults.BreakGlassGroups, has: served{mutating}, want: func(_, text string) string { return text }},
		"other groups": {groups: others, has: served{mutating}, want: func(_, text string) string {
			return strings.ReplaceAll(text, trusted, "['oidc:sre', 'bulkhead:break-glass']")
		}},
		"before Kubernetes 1.36": {groups: defaults.BreakGlassGroups, want: func(name, text string) string {
			if strings.HasPrefix(name, "mutating-") {
				return ""
			}
			return text
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
			if err != nil {
				t.Fatal(err)
			}
			got, want := map[string]string{}, map[string]string{}
			for _, file := range files {
				parsed, err := template.New(filepath.Base(file)).Option("missingkey=error").
					Funcs(template.FuncMap{"join": func(by string, list []string) string { return strings.Join(list, by) }}).ParseFiles(file)
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				if err := parsed.Execute(&out, map[string]any{
					"Values":       map[string]any{"breakGlassGroups": tc.groups},
					"Capabilities": map[string]any{"APIVersions": tc.has},
				}); err != nil {
					t.Fatal(err)
				}
				got[filepath.Base(file)] = strings.TrimSpace(out.String())
			}
			for file, text := range source {
				want[file] = strings.TrimSpace(tc.want(file, text))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the chart (-config/admission +rendered):\n%s", diff)
			}
		})
	}
}
