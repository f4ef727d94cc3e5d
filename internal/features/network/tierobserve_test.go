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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package network_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/network"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	live := func(kind, name, conditions string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		text := fmt.Sprintf(`{kind: %s, metadata: {name: %s}, status: {conditions: %s}}`, kind, name, conditions)
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		return u
	}
	tests := map[string]struct {
		live            runtime.Object
		problem, report string
	}{
		"nothing is said":   {live("ClusterNetworkPolicy", "bulkhead.acme", `[]`), "", "strict tier: ClusterNetworkPolicy bulkhead.acme"},
		"of one namespace":  {live("ClusterNetworkPolicy", "bulkhead.acme.acme-a", `null`), "", "strict tier: ClusterNetworkPolicy bulkhead.acme.*"},
		"more rules":        {live("ClusterNetworkPolicy", "bulkhead.acme.rules.2", `null`), "", "strict tier: ClusterNetworkPolicy bulkhead.acme.*"},
		"the older API":     {live("AdminNetworkPolicy", "bulkhead.acme", `[{type: Ready-In-Zone-a, status: "True"}]`), "", "strict tier: AdminNetworkPolicy bulkhead.acme (between pods; ways out of the cluster are held by NetworkPolicies alone)"},
		"another type":      {live("ClusterNetworkPolicy", "bulkhead.acme", `[{type: Degraded, status: "False"}, {type: Accepted, status: Unknown}]`), "", "strict tier: ClusterNetworkPolicy bulkhead.acme"},
		"what no status is": {live("ClusterNetworkPolicy", "bulkhead.acme", `[x, {type: 1}, {status: "False"}]`), "", "strict tier: ClusterNetworkPolicy bulkhead.acme"},
		"not accepted":      {live("ClusterNetworkPolicy", "bulkhead.acme", `[{type: Accepted, status: "False", reason: Invalid, message: "two\nlines"}]`), "ClusterNetworkPolicy bulkhead.acme isn't in force, says the network plugin (Accepted is False): Invalid: two lines", ""},
		"not in a zone":     {live("AdminNetworkPolicy", "bulkhead.acme", `[{type: Ready-In-Zone-a, status: "False", reason: SetupFailed, message: m}]`), "AdminNetworkPolicy bulkhead.acme isn't in force, says the network plugin (Ready-In-Zone-a is False): SetupFailed: m", ""},
		"another Go type":   {&v1alpha1.Tenant{}, "", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := network.Room{}.Observe(tc.live)
			want := feature.Observation{Report: tc.report}
			if tc.problem != "" {
				want.Problem = &feature.Finding{Reason: v1alpha1.ReasonNotProgrammed, Message: tc.problem}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
