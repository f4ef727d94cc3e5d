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

// Package server_test holds the laws that every room and the engine keep together, on a real API server. The engine
// runs with the operator's own rights and a cache of its own, one pass at a time, so that each request can be counted.
package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/controllers"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/index"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	"github.com/bulkhead-dev/bulkhead/test/mutation/custom"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// soon bounds what the API server and the watches do by themselves.
const soon = 30 * time.Second

var (
	world *env.Env
	// watched is the operator's cache.
	watched cache.Cache
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var err error
	if world, err = env.Start(ctx, controlplane.Options{}); err == nil {
		defer func() {
			cancel() // the API server waits for those who watch
			if err := world.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "stopping:", err)
				code = 1
			}
		}()
		err = prepare(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting:", err)
		return 1
	}
	return m.Run()
}

// prepare serves all optional APIs and fills the cache.
func prepare(ctx context.Context) error {
	if err := world.InstallCRDs(ctx, crds.All()...); err != nil {
		return err
	}
	served := append(apis.Optional(world.Scheme, features.All(), false), apis.Optional(world.Scheme, features.All(), true)...)
	if err := custom.AwaitAdmission(ctx, world.Admin, "default", served...); err != nil {
		return err
	}
	return watch(ctx)
}

// watch fills the cache with all that rooms own.
func watch(ctx context.Context) (err error) {
	if watched, err = cache.New(world.Operator, cache.Options{Scheme: world.Scheme}); err != nil {
		return err
	}
	if err := controllers.Index(ctx, watched); err != nil {
		return err
	}
	for _, gvk := range apis.Optional(world.Scheme, features.All(), true) {
		found := index.Custom(gvk)
		if err := watched.IndexField(ctx, found.Object, found.Field, found.Values); err != nil {
			return err
		}
	}
	for _, gvk := range kinds() {
		if _, err := informerOf(ctx, gvk); err != nil {
			return err
		}
	}
	go func() {
		if err := watched.Start(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "watching:", err)
		}
	}()
	if !watched.WaitForCacheSync(ctx) {
		return fmt.Errorf("the cache wasn't filled")
	}
	return nil
}

// kinds are all kinds that rooms own, and Namespace.
func kinds() []schema.GroupVersionKind {
	return slices.Concat([]schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("Namespace")},
		engine.Owned(features.All(), false), engine.Owned(features.All(), true))
}

// optional reports whether a kind is of an API that not every cluster has. This one has them all.
func optional(gvk schema.GroupVersionKind) bool { return engine.Optional(world.Scheme, gvk) }

func informerOf(ctx context.Context, gvk schema.GroupVersionKind) (cache.Informer, error) {
	if !optional(gvk) {
		return watched.GetInformerForKind(ctx, gvk, cache.BlockUntilSynced(false))
	}
	return watched.GetInformer(ctx, custom.Empty(gvk), cache.BlockUntilSynced(false))
}

// counter counts the requests that write.
type counter struct {
	next   http.RoundTripper
	writes *atomic.Int64
}

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		c.writes.Add(1)
	}
	return c.next.RoundTrip(r)
}

// subject is one plan of a case: a namespace, or the tenant's cluster scope.
type subject struct {
	name   string
	facts  feature.Facts
	tenant *feature.TenantFacts
	spec   *v1alpha1.TenantNamespace
}

// turn makes names unique when a test runs more than once.
var turn atomic.Int64

// subjects are all plans of a case, under names that no other test uses: suffix is a letter or two.
func subjects(t *testing.T, c corpus.Case, suffix string) []subject {
	t.Helper()
	suffix += strconv.FormatInt(turn.Add(1), 36)
	rename := func(name string) string { return name[:min(len(name), 63-1-len(suffix))] + "-" + suffix }
	c.Tenant = c.Tenant.DeepCopy()
	c.Tenant.Name = rename(c.Tenant.Name)
	for i := range c.Tenant.Spec.Namespaces {
		c.Tenant.Spec.Namespaces[i].Name = rename(c.Tenant.Spec.Namespaces[i].Name)
	}
	for i := range c.Tenant.Spec.Members {
		for j, name := range c.Tenant.Spec.Members[i].Namespaces {
			c.Tenant.Spec.Members[i].Namespaces[j] = rename(name)
		}
	}
	facts, err := c.Facts()
	if err != nil {
		t.Fatal(err)
	}
	tenant := c.TenantFacts()
	if strings.HasSuffix(c.Name, older) {
		tenant.Cluster.APIs = olderAPIs(tenant.Cluster.APIs)
		for i := range facts {
			facts[i].Cluster.APIs = tenant.Cluster.APIs
		}
	}
	all := []subject{{name: "cluster", tenant: &tenant}}
	for i, f := range facts {
		all = append(all, subject{name: f.Namespace, facts: f, spec: &c.Tenant.Spec.Namespaces[i]})
	}
	return all
}

// older ends the name of a case of a cluster that has AdminNetworkPolicy and not yet ClusterNetworkPolicy.
const older = "/older"

func olderAPIs(all []schema.GroupVersionKind) []schema.GroupVersionKind {
	return append(slices.DeleteFunc(slices.Clone(all), func(gvk schema.GroupVersionKind) bool { return gvk.Kind == "ClusterNetworkPolicy" }),
		schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "AdminNetworkPolicy"})
}

func (s subject) plan(t *testing.T, rooms []feature.Feature) *engine.Plan {
	t.Helper()
	var p *engine.Plan
	var err error
	if s.tenant != nil {
		p, err = engine.NewTenantPlan(rooms, *s.tenant)
	} else {
		p, err = engine.NewPlan(rooms, engine.NamespaceInput(s.facts, s.spec))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func object(t *testing.T, gvk schema.GroupVersionKind) client.Object {
	t.Helper()
	if optional(gvk) {
		return custom.Empty(gvk)
	}
	made, err := world.Scheme.New(gvk)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := made.(client.Object)
	if !ok {
		t.Fatalf("%T is no object", made)
	}
	return o
}

// stored is what the API server holds of an intent; nil if nothing.
func stored(t *testing.T, intent *engine.Intent) client.Object {
	t.Helper()
	live := object(t, intent.GVK)
	err := world.Admin.Get(t.Context(), intent.Key, live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// catchUp waits until the cache holds the same versions of the objects as the API server.
func catchUp(t *testing.T, intents ...*engine.Intent) {
	t.Helper()
	for _, intent := range intents {
		var want, got string
		err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, soon, true, func(ctx context.Context) (bool, error) {
			want, got = "", ""
			if live := stored(t, intent); live != nil {
				want = live.GetResourceVersion()
			}
			cached := object(t, intent.GVK)
			err := watched.Get(ctx, intent.Key, cached)
			if err == nil {
				got = cached.GetResourceVersion()
			}
			return got == want, client.IgnoreNotFound(err)
		})
		if err != nil {
			t.Fatalf("%s: the cache holds version %q, the API server %q: %v", intent, got, want, err)
		}
	}
}

// eachCase runs a law on every Tenant of the corpus, and on those with ways in and out on an older cluster, too.
func eachCase(t *testing.T, law func(t *testing.T, c corpus.Case)) {
	t.Helper()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if strings.HasPrefix(c.Name, "ways/") || c.Name == "network/network" {
			c.Name += older
			cases = append(cases, c)
		}
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.Name, "/", ":"), func(t *testing.T) {
			t.Parallel()
			law(t, c)
		})
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// condition is the state of a feature in an outcome, in one line.
func condition(o *engine.Outcome, conditionType string) string {
	for _, c := range o.Conditions {
		if c.Type == conditionType {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}
