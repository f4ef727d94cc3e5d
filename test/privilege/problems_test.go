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
package privilege

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// TestProblems shows that the comparison can fail.
func TestProblems(t *testing.T) {
	right := func(verb, resource, namespace string) env.Right {
		return env.Right{Verb: verb, Resource: resource, Namespace: namespace}
	}
	done := func(right env.Right) env.Use { return env.Use{Right: right, Code: "2xx"} }
	refused := func(name, message string, restarting bool) env.Use {
		binding := env.Right{Verb: "patch", Group: rbacv1.GroupName, Resource: "rolebindings", Namespace: env.Elsewhere}
		return env.Use{Right: binding, Code: "403", Name: name, Message: message, Restarting: restarting}
	}
	passed := []env.Right{
		{Verb: "bind", Group: rbacv1.GroupName, Resource: "clusterroles"},
		right("get", "namespaces", ""),
		right("get", "resourcequotas", ""),
		{Verb: "get", Group: "tenancy.bulkhead.dev", Resource: "tenants"},
	}
	// All is as it should be, but for what a case adds.
	granted := append(slices.Clone(passed), right("list", "namespaces", ""), right("watch", "endpointslices", "default"))
	privilege := env.Uses{Suite: "test/privilege", Uses: []env.Use{
		done(right("list", "namespaces", "")), done(right("watch", "endpointslices", "default")),
		done(right("get", "/apis/apps/v1", "")), refused("bulkhead-overreaching", beyond, false),
	}}
	lifecycle := env.Uses{Suite: "test/lifecycle", Uses: []env.Use{
		refused("bulkhead-unbound-root", beyond, false), refused("bulkhead-lease-refused-root", beyond, false),
		refused("any", "User x cannot patch", true), refused("any", "because it is being terminated", false),
	}}
	gitops := env.Uses{Suite: "test/gitops", Uses: []env.Use{refused("bulkhead-leads", beyond, false)}}
	tests := map[string]struct {
		granted []env.Right
		uses    []env.Use
		suites  []string
		want    []string
	}{
		"nothing": {},
		"unused": {
			granted: []env.Right{right("delete", "namespaces", "")},
			want:    []string{"granted, but never used with success: delete namespaces"},
		},
		"used in vain": {
			granted: []env.Right{right("delete", "namespaces", "")},
			uses:    []env.Use{{Right: right("delete", "namespaces", env.Elsewhere), Code: "4xx"}},
			want:    []string{"granted, but never used with success: delete namespaces"},
		},
		"used in one namespace": {
			granted: []env.Right{right("delete", "namespaces", "")},
			uses:    []env.Use{done(right("delete", "namespaces", env.Elsewhere))},
		},
		"used elsewhere than granted": {
			granted: []env.Right{right("get", "leases", "bulkhead-system")},
			uses:    []env.Use{done(right("get", "leases", "kube-system"))},
			want: []string{
				"granted, but never used with success: get leases in bulkhead-system",
				"test/kstatus: used, but not granted to the operator by name: get leases in kube-system",
			},
		},
		"not granted": {
			uses: []env.Use{done(right("list", "secrets", "")), done(right("get", "/metrics", ""))},
			want: []string{
				"test/kstatus: used, but not granted to the operator by name: get /metrics",
				"test/kstatus: used, but not granted to the operator by name: list secrets",
			},
		},
		"no longer only passed on": {
			uses: []env.Use{done(right("get", "namespaces", env.Elsewhere))},
			want: []string{"said to be granted only in order to be passed on, but used, or not granted: get namespaces"},
		},
		"asked for in vain": {
			granted: []env.Right{right("create", "pods", env.Elsewhere)},
			uses: []env.Use{{Right: right("create", "pods", env.Elsewhere), Code: "403", Name: v1alpha1.GuardProbeNamespace,
				Message: "ValidatingAdmissionPolicy 'bulkhead-images' with binding 'bulkhead-images' denied request"}},
		},
		"not asked for": {
			granted: []env.Right{right("create", "pods", env.Elsewhere)},
			want:    []string{"granted, but never asked for: create pods in *"},
		},
		"refused by a guard-rail": {
			uses: []env.Use{refused("bulkhead-owners", "ValidatingAdmissionPolicy 'bulkhead-access-bindings' denied request", false)},
			want: []string{"test/kstatus: refused: patch rolebindings.rbac.authorization.k8s.io in * bulkhead-owners: " +
				"ValidatingAdmissionPolicy 'bulkhead-access-bindings' denied request"},
		},
		"refused": {
			uses: []env.Use{refused("bulkhead-overreaching", beyond, false), refused("any", "User x cannot patch", false)},
			want: []string{
				"test/kstatus: refused: patch rolebindings.rbac.authorization.k8s.io in * any: User x cannot patch",
				"test/kstatus: refused: patch rolebindings.rbac.authorization.k8s.io in * bulkhead-overreaching: " + beyond,
			},
		},
		"incomplete": {
			suites: []string{"test/faults"},
			want:   []string{"test/faults: started a world, but wrote nothing: this isn't the whole suite"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			all := []env.Uses{privilege, lifecycle, gitops, {Suite: "test/kstatus", Uses: tc.uses}}
			suites := append([]string{"test/lifecycle", "test/privilege"}, tc.suites...)
			if diff := cmp.Diff(tc.want, problems(append(slices.Clone(granted), tc.granted...), suites, all)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	want := "test/lifecycle: meant to be refused, but wasn't: " + bindings + " bulkhead-unbound-root: "
	got := problems(granted, nil, []env.Uses{privilege})
	if !slices.ContainsFunc(got, func(problem string) bool { return strings.HasPrefix(problem, want) }) {
		t.Errorf("problems are %q, want one that begins with %q", got, want)
	}
}
