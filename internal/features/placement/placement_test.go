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

package placement_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/placement"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

func render(t *testing.T, spec string) (feature.Result, error) {
	t.Helper()
	facts := feature.Facts{Tenant: "acme", Namespace: "acme-prod"}
	if err := yaml.UnmarshalStrict([]byte(spec), &facts.Policy.Placement); err != nil {
		t.Fatal(err)
	}
	before := facts.Policy.DeepCopy()
	got, err := placement.Room{}.Render(facts)
	if diff := cmp.Diff(*before, facts.Policy); diff != "" {
		t.Errorf("the facts were changed:\n%s", diff)
	}
	if len(got.Walls)+len(got.Doors)+len(got.OpenBySpec)+len(got.Findings) != 0 {
		t.Errorf("more than labels and annotations: %v", got)
	}
	return got, err
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"nothing": `null`,
		"empty":   `{}`,
		"02-payments": `
nodeSelector: {pool.example.com/name: pci}
tolerations: [{key: pool.example.com/dedicated, operator: Equal, value: pci, effect: NoSchedule}]
priorityClassNames: [payments-high]`,
		"everything": `
nodeSelector: {pool: acme, disk: ssd, empty: ""}
tolerations:
- {key: gpu, operator: Exists}
- {key: gpu, operator: Exists, effect: NoSchedule}
- {key: dedicated}
- {key: dedicated, value: acme, effect: NoExecute}
- {key: dedicated, operator: Equal, value: acme, effect: NoExecute}
- {key: dedicated, value: acme, effect: PreferNoSchedule}
priorityClassNames: [low, high, low]
runtimeClassNames: [kata, gvisor]`,
		"only-nodes": `nodeSelector: {pool: acme}`,
	}
	for name, spec := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, spec)
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, map[string]any{"annotations": got.Annotations, "labels": got.Labels})
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ spec, want string }{
		"key of a node": {
			`{nodeSelector: {"a,b": x}}`,
			`placement.nodeSelector[a,b]: Invalid value: "a,b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
		},
		"value of a node": {
			`{nodeSelector: {pool: "$(tenant)"}}`,
			`placement.nodeSelector[pool]: Invalid value: "$(tenant)": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
		},
		"long value of a node": {
			`{nodeSelector: {pool: ` + strings.Repeat("a", 64) + `}}`,
			`placement.nodeSelector[pool]: Invalid value: "` + strings.Repeat("a", 64) + `": must be no more than 63 bytes`,
		},
		"no key of a taint": {
			`{tolerations: [{key: a}, {operator: Exists}]}`,
			`placement.tolerations[1].key: Invalid value: "": name part must be non-empty; name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
		},
		"long key of a taint": {
			`{tolerations: [{key: ` + strings.Repeat("a", 64) + `}]}`,
			`placement.tolerations[0].key: Invalid value: "` + strings.Repeat("a", 64) + `": name part must be no more than 63 bytes`,
		},
		"value of every value": {`{tolerations: [{key: a, operator: Exists, value: b}]}`, `placement.tolerations[0].value: Invalid value: "b": must not be set beside operator Exists`},
		"unknown operator":     {`{tolerations: [{key: a, operator: Gt, value: "1"}]}`, `placement.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists"`},
		"unknown effect":       {`{tolerations: [{key: a, effect: Evict}]}`, `placement.tolerations[0].effect: Unsupported value: "Evict": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`},
		"a system class": {
			`{priorityClassNames: [high, system-node-critical]}`,
			`placement.priorityClassNames[1]: Invalid value: "system-node-critical": must not begin with system-: these classes are for the cluster's own pods`,
		},
		"name of a class": {
			`{runtimeClassNames: ["a,b"]}`,
			`placement.runtimeClassNames[0]: Invalid value: "a,b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
		},
		"two errors, in order": {
			`{nodeSelector: {b: "=", a: "="}}`,
			`[placement.nodeSelector[a]: Invalid value: "=": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'), ` +
				`placement.nodeSelector[b]: Invalid value: "=": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')]`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, tc.spec)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(feature.Result{}, got); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}
