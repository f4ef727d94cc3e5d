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

package podsecurity_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/podsecurity"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec     *v1alpha1.PodSecurity
		wantOpen int
	}{
		"01-starter-unset":        {},
		"02-payments-pci-version": {spec: &v1alpha1.PodSecurity{Enforce: v1alpha1.PodSecurityRestricted, Version: "v1.34"}},
		"03-observability-agents": {spec: &v1alpha1.PodSecurity{
			Enforce: v1alpha1.PodSecurityPrivileged,
			Audit:   v1alpha1.PodSecurityBaseline,
			Warn:    v1alpha1.PodSecurityBaseline,
		}, wantOpen: 1},
		"follow-enforce": {spec: &v1alpha1.PodSecurity{Enforce: v1alpha1.PodSecurityBaseline, Version: "latest"}},
		"warn-only":      {spec: &v1alpha1.PodSecurity{Warn: v1alpha1.PodSecurityBaseline}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := feature.Facts{Policy: v1alpha1.PolicyBlocks{PodSecurity: tc.spec}}
			before := facts.Policy.DeepCopy()
			got, err := podsecurity.Room{}.Render(facts)
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, got.Labels)
			if len(got.OpenBySpec) != tc.wantOpen {
				t.Errorf("OpenBySpec = %q, want %d sentences", got.OpenBySpec, tc.wantOpen)
			}
			if diff := cmp.Diff(*before, facts.Policy); diff != "" {
				t.Errorf("the facts were changed:\n%s", diff)
			}
		})
	}
}

func TestRenderRefusesUnknownLevel(t *testing.T) {
	t.Parallel()
	_, err := podsecurity.Room{}.Render(feature.Facts{Policy: v1alpha1.PolicyBlocks{
		PodSecurity: &v1alpha1.PodSecurity{Warn: "restricted"},
	}})
	const want = `podSecurity.warn: Unsupported value: "restricted": supported values: "Privileged", "Baseline", "Restricted"`
	if err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
}
