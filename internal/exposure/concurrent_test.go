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
package exposure

import (
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// TestConcurrently lets everybody talk to the judge at once; the race detector listens.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme(), umbrella())
	j := judgeOf(w)
	plans := []*engine.Plan{planOf(t, acme()), planOf(t, umbrella())}
	var group sync.WaitGroup
	run := func(work func(i int) error) {
		group.Go(func() {
			for i := range 50 {
				if err := work(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, plan := range plans {
		run(func(i int) error {
			live := liveOf(plan)
			if i%7 == 0 {
				live = nil
			}
			j.Namespace(plan.Name, live, plan.Tenant, plan.Namespace.Object.GetLabels())
			_, err := j.Judge(t.Context(), plan, liveOf(plan))
			return err
		})
	}
	run(func(i int) error {
		w.with(func() {
			w.everywhere = []rbacv1.ClusterRoleBinding{bindEverywhere("ops", []string{"admin", "view"}[i%2], builders.User("eve"))}
		})
		_, err := j.Cluster(t.Context())
		return err
	})
	run(func(i int) error {
		if i%5 == 0 {
			j.ForgetTenant("acme")
		}
		j.Tenant(acme())
		return nil
	})
	run(func(i int) error {
		w.with(func() { w.definitions[beside()[i%len(beside())]] = i%3 == 0 })
		_, _, err := j.APIs(t.Context())
		return err
	})
	w.with(func() {
		w.served, w.tiers = ClusterPolicyKinds(), []unstructured.Unstructured{tier(t, "open", "Accept")}
	})
	run(func(int) error {
		_, _, err := j.ClusterPolicy(t.Context(), clusterNetworkPolicy, "open")
		return err
	})
	run(func(int) error {
		j.Shared("acme")
		j.NotConsidered()
		j.Considered()
		return j.Prime(t.Context())
	})
	group.Wait()
	w.with(func() { w.everywhere = nil })
	if _, err := j.Cluster(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := j.Shared("acme"); len(got) > 0 {
		t.Errorf("in the end: %v", got)
	}
}
