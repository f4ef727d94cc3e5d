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

package guard_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

const probe = `policy: a
method: create
resource: pods
refusal: must not
namespace:
  annotations: {guard.bulkhead.dev/x: "1"}
object:
  apiVersion: v1
  kind: Pod
  metadata: {name: p, namespace: bulkhead-guard-probe}
`

func TestParseProbes(t *testing.T) {
	t.Parallel()
	b := strings.ReplaceAll(policy, "name: a", "name: b") + "---\n" + strings.ReplaceAll(strings.ReplaceAll(binding, "name: a", "name: b"), "policyName: a", "policyName: b")
	of := func(text string, changes ...string) string { return strings.NewReplacer(changes...).Replace(text) }
	cases := map[string]struct {
		probes string
		want   string
		err    string
	}{
		"none":             {probes: "", want: ""},
		"comments":         {probes: "# nothing\n", want: ""},
		"in the core":      {probes: probe, want: "/api/v1/namespaces/bulkhead-guard-probe/pods"},
		"after a comment":  {probes: "# nothing\n---\n" + probe, want: "/api/v1/namespaces/bulkhead-guard-probe/pods"},
		"in a group":       {probes: of(probe, "v1\n", "apps/v1\n"), want: "/apis/apps/v1/namespaces/bulkhead-guard-probe/pods"},
		"a namespace":      {probes: of(probe, "resource: pods", "resource: namespaces", "name: p", "name: bulkhead-guard-probe"), want: "/api/v1/namespaces"},
		"a patch":          {probes: of(probe, "create", "patch"), want: "/api/v1/namespaces/bulkhead-guard-probe/pods/p"},
		"the other one":    {probes: of(probe, "bulkhead-guard-probe", "bulkhead-guard-probe-quota"), want: "/api/v1/namespaces/bulkhead-guard-probe-quota/pods"},
		"a deletion":       {probes: of(probe, "create", "delete"), err: `the probe of "a": method is "delete": allowed are create and patch`},
		"no resource":      {probes: of(probe, "resource: pods", "resource: ''"), err: "resource or refusal is missing"},
		"no refusal":       {probes: of(probe, "must not", "''"), err: "resource or refusal is missing"},
		"no name":          {probes: of(probe, "name: p,", ""), err: "apiVersion, kind or metadata.name of the object is missing"},
		"elsewhere":        {probes: of(probe, "bulkhead-guard-probe", "acme-prod"), err: `it is about namespace "acme-prod": allowed are bulkhead-guard-probe and bulkhead-guard-probe-quota`},
		"nowhere":          {probes: of(probe, ", namespace: bulkhead-guard-probe", ""), err: `it is about namespace ""`},
		"foreign metadata": {probes: of(probe, "guard.bulkhead.dev/x", "team"), err: `the namespace can't have "team"`},
		"nobody's":         {probes: of(probe, "policy: a", "policy: x"), err: `a probe is of "x", which is no guard-rail`},
		"twice":            {probes: probe + "---\n" + probe, err: `"a" has two probes`},
		"unknown field":    {probes: probe + "verb: create\n", err: `unknown field "verb"`},
		"a key twice":      {probes: probe + "method: patch\n", err: `key "method" already set`},
		"no YAML":          {probes: "{", err: "reading probes from probe/requests/x.yaml"},
		"contradiction": {probes: probe + "---\n" + of(probe, "policy: a", "policy: b", `"1"`, `"2"`),
			err: `probes need the annotation guard.bulkhead.dev/x of namespace bulkhead-guard-probe to be "1" and "2"`},
		"contradicting labels": {probes: of(probe, "annotations", "labels") + "---\n" + of(probe, "annotations", "labels", "policy: a", "policy: b", `"1"`, `"2"`),
			err: `probes need the label guard.bulkhead.dev/x of namespace bulkhead-guard-probe to be "1" and "2"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rails, err := guard.Parse(fstest.MapFS{
				"a.yaml": {Data: []byte(policy + "---\n" + binding)}, "b.yaml": {Data: []byte(b)}, "probe/requests/x.yaml": {Data: []byte(tc.probes)},
			})
			if got := message(err); tc.err == "" && got != "" || !strings.Contains(got, tc.err) {
				t.Errorf("error %q, want %q", got, tc.err)
			}
			if err != nil {
				return
			}
			got := ""
			if rails[0].Probe != nil {
				got = rails[0].Probe.Path()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProbeNamespaces(t *testing.T) {
	t.Parallel()
	rails, err := guard.Parse(fstest.MapFS{"a.yaml": {Data: []byte(policy + "---\n" + binding)}, "probe/requests/x.yaml": {Data: []byte(probe)}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := guard.ProbeNamespaces(rails)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]guard.ProbeMetadata{"bulkhead-guard-probe": {
		Labels: map[string]string{"tenancy.bulkhead.dev/tenant": ""}, Annotations: map[string]string{"guard.bulkhead.dev/x": "1"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

// TestWhen checks that what is said about when a guard-rail counts is about guard-rail data.
func TestWhen(t *testing.T) {
	t.Parallel()
	for _, rail := range shipped(t) {
		text := rail.Policy.Annotations[guard.AnnotationWhen]
		for _, key := range rail.When() {
			reads := false
			for _, variable := range rail.Policy.Spec.Variables {
				reads = reads || strings.Contains(variable.Expression, "'"+key+"'")
			}
			selector := rail.Policy.Spec.MatchConstraints.NamespaceSelector
			if selector != nil {
				_, selects := selector.MatchLabels[key]
				reads = reads || selects
			}
			if !reads {
				t.Errorf("%s counts for those who have %s, which it doesn't read", rail.Name(), key)
			}
		}
		if strings.Contains(text, " ") {
			t.Errorf("%s: %q has spaces", rail.Name(), text)
		}
	}
}
