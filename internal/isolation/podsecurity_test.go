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

package isolation

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func TestPodSecurity(t *testing.T) {
	t.Parallel()
	// labels are those of a level and a version; "-" is a missing label.
	labels := func(level, version string) map[string]string {
		out := map[string]string{"pod-security.kubernetes.io/audit": "privileged"}
		if level != "-" {
			out["pod-security.kubernetes.io/enforce"] = level
		}
		if version != "-" {
			out["pod-security.kubernetes.io/enforce-version"] = version
		}
		return out
	}
	const (
		privileged = "Critical Namespace shop of tenant acme enforces Pod Security level privileged, the spec says restricted: " +
			"pods may take over the node that they run on"
		baseline = "High Namespace shop of tenant acme enforces Pod Security level baseline, the spec says restricted: " +
			"pods may run as root and with more privileges than hardened pods need"
	)
	old := func(level, is, want string) string {
		return "Medium Namespace shop of tenant acme enforces Pod Security level " + level + " as of Kubernetes " + is +
			", the spec says " + want + ": pods may do what later versions of the level forbid"
	}
	tests := map[string]struct {
		spec, live map[string]string
		want       []string
	}{
		"as the spec says":                      {spec: labels("restricted", "latest"), live: labels("restricted", "latest")},
		"stricter":                              {spec: labels("baseline", "latest"), live: labels("restricted", "latest")},
		"newer":                                 {spec: labels("baseline", "v1.30"), live: labels("baseline", "v1.31")},
		"the latest is newer":                   {spec: labels("baseline", "v1.30"), live: labels("baseline", "latest")},
		"the latest is newer than those unborn": {spec: labels("baseline", "v1.999"), live: labels("baseline", "latest")},
		"privileged":                            {spec: labels("restricted", "latest"), live: labels("privileged", "latest"), want: []string{privileged}},
		"no labels at all":                      {spec: labels("restricted", "latest"), want: []string{privileged}},
		"no level":                              {spec: labels("restricted", "latest"), live: labels("-", "latest"), want: []string{privileged}},
		"privileged instead of baseline": {
			spec: labels("baseline", "latest"), live: labels("privileged", "v1.20"),
			want: []string{"Critical Namespace shop of tenant acme enforces Pod Security level privileged, the spec says baseline: " +
				"pods may take over the node that they run on"},
		},
		"baseline":                      {spec: labels("restricted", "latest"), live: labels("baseline", "latest"), want: []string{baseline}},
		"baseline of old":               {spec: labels("restricted", "latest"), live: labels("baseline", "v1.24"), want: []string{baseline, old("baseline", "v1.24", "latest")}},
		"an old version":                {spec: labels("restricted", "latest"), live: labels("restricted", "v1.20"), want: []string{old("restricted", "v1.20", "latest")}},
		"an older version":              {spec: labels("restricted", "v1.30"), live: labels("restricted", "v1.9"), want: []string{old("restricted", "v1.9", "v1.30")}},
		"stricter, but of old":          {spec: labels("baseline", "v1.30"), live: labels("restricted", "v1.29"), want: []string{old("restricted", "v1.29", "v1.30")}},
		"no version is the latest":      {spec: labels("restricted", "latest"), live: labels("restricted", "-")},
		"the spec has no version":       {spec: labels("restricted", "-"), live: labels("restricted", "v1.30"), want: []string{old("restricted", "v1.30", "latest")}},
		"a privileged spec":             {spec: labels("privileged", "latest"), live: labels("privileged", "v1.0")},
		"a privileged spec, no labels":  {spec: labels("privileged", "latest")},
		"a privileged spec, old labels": {spec: labels("privileged", "latest"), live: labels("baseline", "v1.0")},
		"a spec without a level":        {live: labels("privileged", "latest")},
		// Admission fails closed on these.
		"what isn't a level":          {spec: labels("restricted", "latest"), live: labels("Privileged", "latest")},
		"an empty level":              {spec: labels("restricted", "latest"), live: labels("", "latest")},
		"what isn't a version":        {spec: labels("restricted", "latest"), live: labels("restricted", "v1.01")},
		"a version without its v":     {spec: labels("restricted", "latest"), live: labels("restricted", "1.20")},
		"another major version":       {spec: labels("restricted", "latest"), live: labels("restricted", "v0.9")},
		"a version beyond all bounds": {spec: labels("restricted", "latest"), live: labels("restricted", "v1.99999999999999999999")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := PodSecurity("acme", "shop", tc.spec, tc.live)
			if diff := cmp.Diff(tc.want, findingLines(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, f := range got {
				want := v1alpha1.IsolationFinding{
					Type: v1alpha1.FindingPodSecurityWeakened, Severity: f.Severity, Namespace: "shop", Message: f.Message,
					Object: v1alpha1.ObjectReference{Kind: "Namespace", Name: "shop"},
				}
				if diff := cmp.Diff(want, f); diff != "" {
					t.Errorf("finding (-want +got):\n%s", diff)
				}
			}
		})
	}
}
