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

// Package placement proves where pods run, with Kubernetes' own scheduler: those of a tenant that has nodes of its own on
// these only, and nobody else's there, whatever the admins of other tenants try. What counts is where pods are bound, which
// a watch looks at all the time; it is tried with the operator, and without it.
package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// payments is the regulated tenant's namespace: nodes of its own.
	payments = "payments-api"
	// shop, lab and free are those of other tenants. shop must select the shared nodes. lab may tolerate one taint, and need
	// select nothing. free has no placement: there each attempt shows that it would work.
	shop = "shop-prod"
	lab  = "lab-prod"
	free = "free-prod"
	// bare is that of a tenant whose placement sets neither nodes nor tolerations: it keeps nobody from a taint by its name.
	bare = "bare-prod"

	poolKey  = "pool.example.com/name"
	taintKey = "pool.example.com/dedicated"

	// soon bounds what the operator, the scheduler and the controllers do by themselves.
	soon = time.Minute
	// often is how often it is asked for.
	often = 50 * time.Millisecond
)

// Who tries. Each may do it in all namespaces of the test: what is refused is refused for what it does.
var (
	// alice is the admin of the tenants.
	alice = "alice"
	// oscar may do everything inside the namespaces, as operators of databases and the like often can.
	oscar = "oscar"
)

// world is a control plane with nodes that only say that they are ready.
type world struct {
	*env.Env
	as    map[string]client.Client
	judge *judge
	last  *snapshot
}

func TestPlacement(t *testing.T) {
	w := start(t)
	operator, err := w.StartOperator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	w.awaitTenants(t)
	for _, namespace := range []string{payments, shop, lab, free, bare} {
		w.apply(t, fmt.Sprintf(powers, namespace, oscar))
	}
	w.awaitGuards(t)

	t.Run("with the operator", func(t *testing.T) { w.round(t, "a") })
	w.awaitTenants(t)
	if err := operator.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("without the operator", func(t *testing.T) { w.round(t, "b") })
	t.Run("in the end", func(t *testing.T) { w.checkEnd(t) })
}

func start(t *testing.T) *world {
	t.Helper()
	e, err := env.Start(t.Context(), controlplane.Options{Scheduler: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Env: e, as: map[string]client.Client{}}
	for _, user := range []string{alice, oscar} {
		if w.as[user], err = e.Client(user); err != nil {
			t.Fatal(err)
		}
	}
	w.apply(t, classes)
	w.startNodes(t)
	w.startJudge(t)
	standard := MakeClass("standard", placed(&v1alpha1.Placement{NodeSelector: map[string]v1alpha1.NodeLabelValue{poolKey: "shared"}})).Obj()
	if err := w.Admin.Create(t.Context(), standard); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range tenants() {
		if err := w.Admin.Create(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// tenants are the regulated one and its neighbours.
func tenants() []*v1alpha1.Tenant {
	tenant := func(name, namespace string, placement *v1alpha1.Placement) *v1alpha1.Tenant {
		return MakeTenant(name).Namespace(namespace).Member("owners", v1alpha1.RoleAdmin, User(alice)).
			Policy(Enforce(v1alpha1.PodSecurityBaseline), placed(placement)).Obj()
	}
	// It says nothing of it: the platform's class does.
	ordinary := tenant("shop", shop, nil)
	ordinary.Spec.ClassName = "standard"
	return []*v1alpha1.Tenant{
		// As in the examples.
		tenant("payments", payments, &v1alpha1.Placement{
			NodeSelector: map[string]v1alpha1.NodeLabelValue{poolKey: "pci"},
			Tolerations: []v1alpha1.Toleration{
				{Key: taintKey, Operator: corev1.TolerationOpEqual, Value: "pci", Effect: corev1.TaintEffectNoSchedule},
			},
			PriorityClassNames: []v1alpha1.ObjectName{"payments-high"},
			RuntimeClassNames:  []v1alpha1.ObjectName{"sandboxed"},
		}),
		ordinary,
		tenant("lab", lab, &v1alpha1.Placement{
			Tolerations:        []v1alpha1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}},
			PriorityClassNames: []v1alpha1.ObjectName{"lab-low"},
			RuntimeClassNames:  []v1alpha1.ObjectName{"sandboxed"},
		}),
		tenant("free", free, nil),
		tenant("bare", bare, &v1alpha1.Placement{PriorityClassNames: []v1alpha1.ObjectName{"lab-low"}}),
	}
}

func placed(placement *v1alpha1.Placement) PolicyOption {
	return func(p *v1alpha1.PolicyBlocks) { p.Placement = placement }
}

// classes are what the platform has.
const classes = `[
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: payments-high}, value: 1000},
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: lab-low}, value: 10},
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: sandboxed}, handler: sandboxed},
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: plain}, handler: plain},
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: payments}, handler: payments, scheduling: {
  nodeSelector: {pool.example.com/name: pci}, tolerations: [{key: pool.example.com/dedicated, operator: Exists}]}}]`

// powers let one who isn't the tenant's member do everything in a namespace.
const powers = `[{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: powers, namespace: %s},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin},
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %s}]}]`

// apply makes a list of objects as the cluster's admin.
func (w *world) apply(t *testing.T, list string) {
	t.Helper()
	var objects []map[string]any
	if err := yaml.Unmarshal([]byte(list), &objects); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if err := w.Admin.Create(t.Context(), untyped(object)); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitTenants waits until the tenants are as they should be.
func (w *world) awaitTenants(t *testing.T) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		list := &v1alpha1.TenantList{}
		if err := w.Admin.List(ctx, list); err != nil {
			return err.Error()
		}
		for i := range list.Items {
			tenant := &list.Items[i]
			ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != tenant.Generation {
				return fmt.Sprintf("tenant %s isn't ready: %v", tenant.Name, ready)
			}
		}
		return ""
	})
}

// awaitGuards waits until the rules are in force and fill in: nothing in Kubernetes says so.
func (w *world) awaitGuards(t *testing.T) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		for namespace, pool := range map[string]string{payments: "pci", shop: "shared"} {
			s := spot{namespace: namespace, name: "guards"}
			p, d := newPod(s), newDaemonSet(s)
			if err := errors.Join(w.as[alice].Create(ctx, p, client.DryRunAll), w.as[alice].Create(ctx, d, client.DryRunAll)); err != nil {
				return err.Error()
			}
			for _, spec := range []corev1.PodSpec{p.Spec, d.Spec.Template.Spec} {
				if got := spec.NodeSelector[poolKey]; got != pool {
					return fmt.Sprintf("pods of %s get the pool %q", namespace, got)
				}
			}
		}
		for _, namespace := range []string{payments, shop, lab} {
			s := spot{namespace: namespace, name: "guards"}
			if err := w.as[oscar].Create(ctx, newPod(s, named("pci-1")), client.DryRunAll); err == nil {
				return "a pod of " + namespace + " names a node"
			}
			if err := w.as[oscar].Create(ctx, newBinding(s, "pci-1"), client.DryRunAll); !strings.Contains(fmt.Sprint(err), "must not be bound") {
				return fmt.Sprintf("a pod of %s is bound: %v", namespace, err)
			}
		}
		return ""
	})
}

// round makes all attempts at once, each under a name of this round, and then looks at what came of them.
func (w *world) round(t *testing.T, suffix string) {
	began := time.Now()
	var all []*trial
	for _, name := range sortedKeys(neighbours()) {
		a := neighbours()[name]
		for _, namespace := range []string{shop, lab, free} {
			if namespace != free || a.breaks {
				all = append(all, &trial{attempt: a, title: name + ", from " + namespace, in: spot{namespace, "n-" + slug(name) + "-x" + suffix}})
			}
		}
	}
	for _, name := range sortedKeys(limits()) {
		all = append(all, &trial{attempt: limits()[name], title: "limit: " + name, in: spot{bare, "l-" + slug(name) + "-x" + suffix}})
	}
	for _, name := range sortedKeys(regulated()) {
		all = append(all, &trial{attempt: regulated()[name], title: name, in: spot{payments, "r-" + slug(name) + "-x" + suffix}})
	}
	w.try(t.Context(), all)
	w.last = nil // it shows nothing of these
	t.Logf("%d attempts made in %s", len(all), time.Since(began).Round(time.Millisecond))
	for _, try := range all {
		t.Run(try.title, func(t *testing.T) { w.check(t, try) })
	}
	t.Logf("%d attempts judged after %s", len(all), time.Since(began).Round(time.Millisecond))
}

// try makes attempts, some at a time.
func (w *world) try(ctx context.Context, all []*trial) {
	queue := make(chan *trial)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for try := range queue {
				try.answer = try.attempt.do(ctx, w, try.in)
			}
		})
	}
	for _, try := range all {
		queue <- try
	}
	close(queue)
	workers.Wait()
}

// checkEnd looks at every pod that there is, and at what the watch saw.
func (w *world) checkEnd(t *testing.T) {
	list := &corev1.PodList{}
	if err := w.Admin.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	where := map[string]int{}
	for i := range list.Items {
		p := &list.Items[i]
		if p.Spec.NodeName == "" {
			continue
		}
		where[p.Namespace+" on "+poolOf(p.Spec.NodeName)]++
		eventually(t, func(context.Context) string {
			if !w.judge.saw(p) {
				return "the watch hasn't seen " + p.Namespace + "/" + p.Name
			}
			return ""
		})
		w.judge.look(p)
	}
	t.Logf("pods on nodes: %v", where)
	if where[payments+" on pci"] < 20 || where[shop+" on shared"] < 20 || where[lab+" on shared"]+where[lab+" on gpu"] < 10 || where[free+" on pci"] < 20 {
		t.Error("these are too few to show anything")
	}
	for _, fault := range w.judge.faults() {
		t.Error(fault)
	}
}

// eventually waits until something is as it should be; what says what it still lacks.
func eventually(t *testing.T, what func(ctx context.Context) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for {
		lacking := what(ctx)
		if lacking == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s still: %s", soon, lacking)
		case <-time.After(often):
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
