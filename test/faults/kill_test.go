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

package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// kills and tenants are what the test of random kills is made of.
const (
	kills   = 20
	tenants = 50
	perEach = 2
	// policies is how many NetworkPolicies the tenants become: three in each namespace.
	policies = 3 * tenants * perEach
)

// TestKilledWhileProvisioning kills the operator 20 times while it provisions 50 tenants, each time after it has
// written a random number of further objects.
func TestKilledWhileProvisioning(t *testing.T) {
	world := start(t, controlplane.Options{Audit: true})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))

	var wanted []*v1alpha1.Tenant
	for _, name := range names("killed", tenants) {
		wanted = append(wanted, builders.MakeTenant(name).Namespaces(names(name, perEach)...).
			Member("owners", v1alpha1.RoleAdmin, builders.Group(name)).
			Policy(builders.Quota(corev1.ResourcePods, "10"), builders.ContainerDefault(corev1.ResourceMemory, "64Mi", "128Mi")).Obj())
	}
	want := objects(t, world, wanted)

	// The first kill comes before the first tenant, the others while there is work left.
	process := launch(t, world, "operator-0", "--leader-elect=false")
	kill(t, process)
	for _, tenant := range wanted {
		if err := world.Admin.Create(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	written := watchPolicies(t, world)
	for round := 1; round < kills; round++ {
		process = launch(t, world, fmt.Sprintf("operator-%d", round), "--leader-elect=false")
		written.next(t, 1+random.IntN(policies/kills))
		kill(t, process)
	}
	stood := len(live(t, world))
	t.Logf("%d of %d objects stood when the last operator was started", stood, len(want))
	if stood == len(want) {
		t.Error("the kills came too late: nothing was left to do for the last operator")
	}
	launch(t, world, "operator-last", "--leader-elect=false")
	eventually(t.Context(), t, converge, func() string { return unready(t.Context(), world) })

	if extra, missing := compare(live(t, world), want); len(extra)+len(missing) > 0 {
		t.Errorf("left over: %s; missing: %s", short(extra), short(missing))
	}
	if again := rewritten(t, world); len(again) > 0 {
		t.Errorf("%d objects that were right were written again: %s", len(again), short(again))
	}
}

// writes counts NetworkPolicies as they appear, seen from outside.
type writes struct{ watch.Interface }

func watchPolicies(t *testing.T, world *env.Env) writes {
	t.Helper()
	w, err := world.Admin.Watch(t.Context(), &networkingv1.NetworkPolicyList{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return writes{w}
}

// next returns when n more have appeared.
func (w writes) next(t *testing.T, n int) {
	t.Helper()
	limit := time.NewTimer(converge)
	defer limit.Stop()
	for n > 0 {
		select {
		case event := <-w.ResultChan():
			if event.Type == watch.Added {
				n--
			}
		case <-limit.C:
			t.Fatalf("%d policies more did not appear within %s", n, converge)
		}
	}
}

// TestAPIServerRestart restarts the API server while tenants are provisioned.
func TestAPIServerRestart(t *testing.T) {
	world := start(t, controlplane.Options{})
	process := launch(t, world, "operator", "--leader-elect=false")
	var wanted []*v1alpha1.Tenant
	for _, name := range names("restarted", 10) {
		tenant := builders.MakeTenant(name).Namespaces(names(name, perEach)...).
			Member("owners", v1alpha1.RoleAdmin, builders.Group(name)).Obj()
		wanted = append(wanted, tenant)
	}
	want := objects(t, world, wanted)
	for i, tenant := range wanted {
		if err := world.Admin.Create(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
		if i == len(wanted)/2 {
			if err := world.RestartAPIServer(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t.Context(), t, converge, func() string {
		if !process.Running() {
			t.Fatal("the operator has ended")
		}
		return unready(t.Context(), world)
	})
	if extra, missing := compare(live(t, world), want); len(extra)+len(missing) > 0 {
		t.Errorf("left over: %s; missing: %s", short(extra), short(missing))
	}
	if !process.Running() {
		t.Errorf("the operator did not survive: %s", process.Tail(20))
	}
}

// TestLeaderKilled kills the leader of two replicas: the other one takes over and finishes, and nothing is done twice.
func TestLeaderKilled(t *testing.T) {
	world := start(t, controlplane.Options{Audit: true})
	first := launch(t, world, "first")
	tenant := func(name string) *v1alpha1.Tenant {
		return builders.MakeTenant(name).Namespaces(names(name, 5)...).Member("owners", v1alpha1.RoleAdmin, builders.Group(name)).Obj()
	}
	before, after := tenant("before"), tenant("after")
	want := objects(t, world, []*v1alpha1.Tenant{before, after})
	if err := world.Admin.Create(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	eventually(t.Context(), t, converge, func() string { return unready(t.Context(), world) })
	launch(t, world, "second")
	kill(t, first)
	if err := world.Admin.Create(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	eventually(t.Context(), t, converge, func() string { return unready(t.Context(), world) })
	if extra, missing := compare(live(t, world), want); len(extra)+len(missing) > 0 {
		t.Errorf("left over: %s; missing: %s", short(extra), short(missing))
	}
	if again := rewritten(t, world); len(again) > 0 {
		t.Errorf("%d objects that were right were written again: %s", len(again), short(again))
	}
}

// objects names all that the tenants must become, by the code that renders it.
func objects(t *testing.T, world *env.Env, list []*v1alpha1.Tenant) []string {
	t.Helper()
	var all []string
	rooms := features.All()
	for _, tenant := range list {
		var held []string
		for i := range tenant.Spec.Namespaces {
			spec := &tenant.Spec.Namespaces[i]
			held = append(held, spec.Name)
			known, _, err := world.Facts.Build(tenant, nil, spec.Name, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			plan, err := engine.NewPlan(rooms, engine.NamespaceInput(known, spec))
			if err != nil {
				t.Fatal(err)
			}
			for _, intent := range plan.Objects() {
				all = append(all, intent.String())
			}
		}
		known, _ := (facts.Options{}).Tenant(tenant, nil, held, time.Now())
		plan, err := engine.NewTenantPlan(rooms, known)
		if err != nil {
			t.Fatal(err)
		}
		for _, intent := range plan.Objects() {
			all = append(all, intent.String())
		}
	}
	slices.Sort(all)
	return all
}

// live names all that carries Bulkhead's labels.
func live(t *testing.T, world *env.Env) []string {
	t.Helper()
	lists := []client.ObjectList{
		&corev1.NamespaceList{}, &networkingv1.NetworkPolicyList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{},
		&rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{},
	}
	var all []string
	for _, list := range lists {
		if err := world.Admin.List(t.Context(), list, client.HasLabels{v1alpha1.LabelTenant}); err != nil {
			t.Fatal(err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok {
				return fmt.Errorf("%T has no metadata", item)
			}
			if v1alpha1.IsGuardProbeNamespace(object.GetName()) {
				return nil // it is installed, and no tenant's
			}
			gvk, err := world.Admin.GroupVersionKindFor(object)
			name := gvk.Kind + " " + object.GetNamespace() + "/" + object.GetName()
			if object.GetNamespace() == "" {
				name = gvk.Kind + " " + object.GetName()
			}
			all = append(all, name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return all
}

// compare names what only one of two sorted lists has.
func compare(have, want []string) (extra, missing []string) {
	for _, name := range have {
		if _, found := slices.BinarySearch(want, name); !found {
			extra = append(extra, name)
		}
	}
	for _, name := range want {
		if _, found := slices.BinarySearch(have, name); !found {
			missing = append(missing, name)
		}
	}
	return extra, missing
}

// unready names the tenants whose Ready isn't True; "" if all are.
func unready(ctx context.Context, world *env.Env) string {
	list := &v1alpha1.TenantList{}
	if err := world.Admin.List(ctx, list); err != nil {
		return err.Error()
	}
	var waiting []string
	for i := range list.Items {
		if !meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, v1alpha1.ConditionReady) {
			waiting = append(waiting, list.Items[i].Name)
		}
	}
	if len(waiting) > 0 {
		return "not ready: " + short(waiting)
	}
	return ""
}

// rewritten reads from the audit log which managed objects the operator wrote although they existed: an apply that
// creates is answered with 201, any other with 200.
func rewritten(t *testing.T, world *env.Env) []string {
	t.Helper()
	file, err := os.Open(world.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var again []string
	created := 0
	installed := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // the last line may be half written
		}
		managed := event.ObjectRef != nil && event.ObjectRef.APIGroup != v1alpha1.GroupVersion.Group
		ours := strings.HasSuffix(event.User.Username, ":bulkhead-system:bulkhead")
		if !managed || !ours || event.Verb != "patch" || event.Stage != auditv1.StageResponseComplete || event.ResponseStatus == nil {
			continue
		}
		switch {
		case event.ObjectRef.Resource == "events":
		case event.ResponseStatus.Code == 201:
			created++
		case v1alpha1.IsGuardProbeNamespace(event.ObjectRef.Name) && !installed[event.ObjectRef.Name]:
			installed[event.ObjectRef.Name] = true // it was installed without what the operator adds once
		case event.ResponseStatus.Code == 200:
			again = append(again, event.ObjectRef.Resource+" "+event.ObjectRef.Namespace+"/"+event.ObjectRef.Name)
		}
	}
	if created == 0 {
		t.Error("the audit log shows no object that the operator created: the check sees nothing")
	}
	slices.Sort(again)
	return slices.Compact(again)
}
