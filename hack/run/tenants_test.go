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

package main

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func tenant(name string, conditions ...metav1.Condition) v1alpha1.Tenant {
	return v1alpha1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 2},
		Status:     v1alpha1.TenantStatus{ObservedGeneration: 2, Conditions: conditions},
	}
}

func ready(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: message}
}

func TestProgress(t *testing.T) {
	good := tenant("good", ready(metav1.ConditionTrue, "Fine", ""))
	stale := tenant("stale", ready(metav1.ConditionTrue, "Fine", ""))
	stale.Generation = 3
	deleted := tenant("deleted")
	deleted.DeletionTimestamp = &metav1.Time{}
	failing := tenant("failing", ready(metav1.ConditionFalse, "Conflict", "blue is taken"))
	terse := tenant("terse", ready(metav1.ConditionFalse, "Conflict", ""))

	for _, test := range []struct {
		name    string
		tenants []v1alpha1.Tenant
		want    string
		settled bool
	}{
		{"none", nil, "0 of 0 tenants are ready", true},
		{"ready", []v1alpha1.Tenant{good, deleted}, "1 of 1 tenants are ready", true},
		{"new", []v1alpha1.Tenant{tenant("new")}, "0 of 1 tenants are ready; waiting for new (not looked at yet)", false},
		{
			"sorted",
			[]v1alpha1.Tenant{terse, stale, good, failing},
			"1 of 4 tenants are ready; waiting for failing (Conflict: blue is taken), " +
				"stale (its latest spec is not looked at yet), terse (Conflict)",
			false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := progressOf(test.tenants)
			if p.String() != test.want || p.settled() != test.settled {
				t.Errorf("got %q, settled %v; want %q, %v", p, p.settled(), test.want, test.settled)
			}
		})
	}
}

func TestHints(t *testing.T) {
	empty, full := tenant("empty"), tenant("full")
	full.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "full-dev"}}
	got := strings.Join(hints("kubectl", []v1alpha1.Tenant{empty, full}), "\n")
	for _, want := range []string{"describe tenant full", "-n full-dev delete networkpolicy", "-n full-dev get networkpolicy"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if got := hints("kubectl", nil); len(got) != 1 {
		t.Errorf("hints without tenants: %v", got)
	}
}

func TestOperatorArgs(t *testing.T) {
	embedded := operatorArgs("file", "127.0.0.1:1", "127.0.0.1:2")
	if embedded[0] != "manager" || !slices.Contains(embedded, "--api-server-addresses=127.0.0.1:2") {
		t.Errorf("flags on a control plane of its own: %v", embedded)
	}
	if given := operatorArgs("file", "127.0.0.1:1", ""); strings.Contains(strings.Join(given, " "), "api-server") {
		t.Errorf("flags on a cluster of the caller: %v", given)
	}
}

func TestRemoval(t *testing.T) {
	got := removal("kubectl", options{kubeconfig: "kc", config: "config/run", samples: "config/samples"})
	tenants, rest := strings.Index(got, "delete -k config/samples"), strings.Index(got, "delete -k config/run")
	if tenants < 0 || rest < tenants {
		t.Errorf("the tenants are not removed first:\n%s", got)
	}
	if got := removal("kubectl", options{kubeconfig: "kc", config: "config/run"}); !strings.Contains(got, "delete tenants --all") {
		t.Errorf("without samples:\n%s", got)
	}
}
