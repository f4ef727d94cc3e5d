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

// Package attack runs a table of attempts on tenants against a real API server with the guard-rails of config/admission:
// what must be refused, and what must work. It does so three times: with the operator, without it, and right after a
// restart of the API server.
package attack

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

var (
	world  *env.Env
	caller *http.Client
)

// Who tries.
var (
	masters = actor{user: "root", groups: []string{"system:masters"}}
	// alice, erin and victor are members of the tenant acme: its admin, an editor and a viewer.
	alice  = actor{user: "alice"}
	erin   = actor{user: "erin"}
	victor = actor{user: "victor"}
	// pipeline is a member too: a GitOps tool's ServiceAccount in acme-prod.
	pipeline = serviceAccount("acme-prod", "pipeline")
	// bob is the admin of the neighbour, the tenant beta.
	bob = actor{user: "bob"}
	// oscar is no member, and may do everything inside the namespace acme-prod.
	oscar = actor{user: "oscar"}
	// nadia may do everything with namespaces, everywhere: what GitOps tools are often given.
	nadia = actor{user: "nadia"}
	// paula is the platform: cluster-admin by a ClusterRoleBinding, not of system:masters.
	paula = actor{user: "paula"}
	// brook has broken the glass.
	brook = actor{user: "brook", groups: []string{"bulkhead:break-glass"}}
	// nobody isn't anybody.
	nobody = actor{user: "mallory"}
)

// attempts is the whole table.
func attempts() table {
	return table{}.add(
		managedObjects(), managedKinds(), namespaceMetadata(), namespaceSubresources(), namespaceOwnership(), tenantObjects(),
		accessBindings(), accessRoles(), knownHoles(), members(), tools(), platform(),
		networkRules(), quotaRules(), ingressRules(), imagesRules(), storageRules(), placementRules(), identityRules(),
		generalWalls(), generalReach(), generalWork())
}

func TestAttacks(t *testing.T) {
	start(t)
	all := attempts()
	refused, works := split(all)
	t.Logf("%d attempts must be refused, %d must work", len(refused), len(works))
	operator := startOperator(t)
	awaitTenants(t)
	letIn(t)
	t.Run("policies are sound", soundPolicies)
	awaitGuards(t)

	t.Run("with the operator", func(t *testing.T) {
		round{number: 1}.run(t, all)
		t.Run("Kubernetes works", round{number: 1}.kubernetesWorks)
		t.Run("identity: the stamp tells", round{number: 1}.stampTells)
		t.Run("identity: defaults work", round{number: 1}.defaultsWork)
		t.Run("passes leave a trace", passesLeaveATrace)
	})
	awaitTenants(t)
	if err := operator.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("without the operator", func(t *testing.T) {
		round{number: 2}.run(t, all)
		t.Run("Kubernetes works", round{number: 2}.kubernetesWorks)
		t.Run("identity: the stamp tells", round{number: 2}.stampTells)
		t.Run("identity: defaults work", round{number: 2}.defaultsWork)
	})
	t.Run("after a restart of the API server", func(t *testing.T) {
		restart(t)
		// What must be refused comes first.
		began := time.Now()
		round{number: 3, starting: true}.run(t, refused)
		t.Logf("%d refusals within %s", len(refused), time.Since(began).Round(time.Millisecond))
		round{number: 3, starting: true}.run(t, works)
		t.Run("Kubernetes works", round{number: 3, starting: true}.kubernetesWorks)
		t.Run("identity: the stamp tells", round{number: 3, starting: true}.stampTells)
		t.Run("identity: defaults work", round{number: 3, starting: true}.defaultsWork)
	})
	startOperator(t)
	awaitTenants(t)
	t.Run("the operator was never refused", operatorNeverRefused)
}

func split(all table) (refused, works table) {
	refused, works = table{}, table{}
	for name, a := range all {
		if a.refused != "" {
			refused[name] = a
		} else {
			works[name] = a
		}
	}
	return refused, works
}

func start(t *testing.T) {
	t.Helper()
	var err error
	world, err = env.Start(t.Context(), controlplane.Options{Audit: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Stop(); err != nil {
			t.Error(err)
		}
	})
	if caller, err = rest.HTTPClientFor(world.Config()); err != nil {
		t.Fatal(err)
	}
	root, err := env.Root()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := world.Kubectl(t.Context(), "apply", "--server-side", "-k", filepath.Join(root, "config", "admission")); err != nil {
		t.Fatalf("Installing config/admission: %v\n%s", err, out)
	}
	installMutating(t, root)
	// People, and kinds of others that tenants use.
	if out, err := world.Kubectl(t.Context(), "apply", "--server-side", "-f", filepath.Join(root, "test", "attack", "testdata")); err != nil {
		t.Fatalf("Making people: %v\n%s", err, out)
	}
	for _, tenant := range tenants() {
		if err := world.Admin.Create(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
}

// letIn gives rights in a tenant's namespaces to those who aren't its members, and makes its members' accounts.
func letIn(t *testing.T) {
	t.Helper()
	for name, subjects := range map[string][]string{
		// Everything inside the namespace, for one who isn't of the tenant, and for accounts that are named like trusted ones.
		"outsider": {subject("User", oscar.user)},
		"insider":  {account("acme-prod", "insider"), account("acme-dev", "insider")},
		"homonym":  {account("acme-prod", "bulkhead")},
		"beside":   {account("bulkhead-system", "default"), account("kube-system", "default")},
		// The platform's controllers: of load balancers, and of a cloud.
		"controllers": {account("metallb-system", "controller"), subject("User", "eks:service-controller")},
	} {
		for _, namespace := range []string{"acme-prod", "acme-dev"} {
			mustApply(t, "/apis/rbac.authorization.k8s.io/v1/namespaces/"+namespace+"/rolebindings/"+name,
				strings.Replace(bound("name: "+name, subjects...), "name: view", "name: cluster-admin", 1))
		}
	}
	for _, name := range []string{"pipeline", "builder", "insider"} {
		mustApply(t, core+"serviceaccounts/"+name, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: "+name+"}}")
	}
}

// rounds is how often the table is run.
const rounds = 3

func tenants() []*v1alpha1.Tenant {
	walls := []PolicyOption{Quota(corev1.ResourcePods, "40"), ContainerDefault(corev1.ResourceMemory, "16Mi", "32Mi")}
	all := []*v1alpha1.Tenant{
		MakeTenant("acme").Namespaces("acme-prod", "acme-dev").Policy(walls...).
			Member("owners", v1alpha1.RoleAdmin, User(alice.user)).
			Member("editors", v1alpha1.RoleEdit, User(erin.user)).
			Member("viewers", v1alpha1.RoleView, User(victor.user)).
			Member("pipeline", v1alpha1.RoleAdmin, ServiceAccount("acme-prod", "pipeline")).Obj(),
		MakeTenant("beta").Namespaces("beta-prod").Policy(walls...).Member("owners", v1alpha1.RoleAdmin, User(bob.user)).Obj(),
	}
	for _, room := range [][]*v1alpha1.Tenant{
		networkTenants(), quotaTenants(), ingressTenants(), imagesTenants(), storageTenants(), placementTenants(), identityTenants(),
	} {
		all = append(all, room...)
	}
	for n := range rounds {
		name := round{number: n + 1}.numbered("gone-$N")
		all = append(all, MakeTenant(name).Namespaces(name).Policy(walls...).Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj())
	}
	return all
}

func startOperator(t *testing.T) *env.RunningOperator {
	t.Helper()
	operator, err := world.StartOperator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	return operator
}

// eventually waits until something is as it should be; what says what it still lacks.
func eventually(t *testing.T, what func(ctx context.Context) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		lacking := what(ctx)
		if lacking == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("After a minute still: %s", lacking)
		case <-time.After(often):
		}
	}
}

// awaitTenants waits until all tenants are as they should be: nothing that was tried has changed them for good.
func awaitTenants(t *testing.T) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		list := &v1alpha1.TenantList{}
		if err := world.Admin.List(ctx, list); err != nil {
			return err.Error()
		}
		for i := range list.Items {
			tenant := &list.Items[i]
			ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != tenant.Generation {
				return fmt.Sprintf("tenant %s isn't ready: %v", tenant.Name, ready)
			}
			// Foreign RoleBindings are what the table itself makes.
			for _, item := range tenant.Status.Drift.Top {
				if item.Type != v1alpha1.DriftObjectForeign {
					return fmt.Sprintf("tenant %s has drifted: %v", tenant.Name, item)
				}
			}
		}
		return ""
	})
}

// awaitGuards waits until each rule is in force: nothing in Kubernetes says so, so it asks for what must be refused.
func awaitGuards(t *testing.T) {
	t.Helper()
	all := attempts()
	for _, name := range []string{
		"managed: admin deletes the default-deny", "namespace: cluster-wide patch strips the tenant label",
		"ownership: a namespace created into a tenant", "tenant: a forged DriftReport",
		"access: everybody is bound", "access: a Role that impersonates",
		"images: from elsewhere", "placement: a node is named", "placement: a Binding of no pod",
		"network: ingress: no from",
		"ingress: a foreign class", "ingress: a port of every node", "ingress: an EndpointSlice of others' pods",
		"ingress: a route of another's host", "ingress: a Gateway of another's host", "ingress: a ReferenceGrant for another tenant",
		"storage: a foreign class", "storage: a volume that is there", "storage: a pod's volume without a claim",
		"quota: no quota, no pod",
	} {
		a, found := all[name]
		if !found {
			t.Fatalf("there is no attempt named %q", name)
		}
		for _, object := range a.given {
			mustApply(t, object[0], object[1])
		}
		separator := "?"
		if strings.Contains(a.path, "?") {
			separator = "&"
		}
		a.path += separator + "dryRun=All"
		eventually(t, func(ctx context.Context) string {
			if got := send(ctx, t, a); !strings.Contains(got.message, a.refused) {
				return name + ": " + got.String()
			}
			return ""
		})
	}
}

// restart kills the API server, which another client doesn't stop attacking, and starts it again.
func restart(t *testing.T) {
	t.Helper()
	attack := attempts()["managed: admin deletes the default-deny"]
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan answer, 1)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if got := send(ctx, t, attack); got.succeeded() {
				done <- got
				return
			}
		}
	}()
	err := world.RestartAPIServer(t.Context())
	cancel()
	if got, passed := <-done; passed {
		t.Errorf("while the API server started, the default-deny was deleted: %s", got)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// operatorNeverRefused checks that no rule is in the operator's way. What the API server refuses in its first moments
// is RBAC that isn't loaded yet; and the prober asks for what must be refused.
func operatorNeverRefused(t *testing.T) {
	seen := 0
	err := world.Requests(func(r *env.Request) {
		if strings.HasSuffix(r.UserAgent, guard.UserAgent) {
			return
		}
		seen++
		if r.Refused() && strings.Contains(r.ResponseStatus.Message, "ValidatingAdmissionPolicy") {
			t.Errorf("the operator was refused: %s: %s", r, r.ResponseStatus.Message)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("no request of the operator was seen")
	}
}

// exists says whether an object is there, and its UID.
func exists(ctx context.Context, object client.Object) (uid string, err error) {
	err = world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)
	return string(object.GetUID()), client.IgnoreNotFound(err)
}
