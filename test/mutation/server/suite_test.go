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

// Package server_test tries mutations on a real API server: those of package mutation one by one, with an engine that
// runs with the operator's own rights, and some of them with the whole operator. And the other way: what nobody changed
// is never drift.
package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/controllers"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the API server, the watches and the operator do by themselves.
	soon = 60 * time.Second
	// look is how often it is looked whether they have.
	look = 3 * time.Millisecond
)

var (
	// bench is where the engine is tried, without an operator.
	bench *site
	kinds map[schema.GroupVersionKind]*mutation.Kind
	// comparer looks from outside.
	comparer *drift.Comparer
)

// site is a control plane with Bulkhead installed, and perhaps a cache like the operator's.
type site struct {
	*env.Env
	watched cache.Cache
	cancel  context.CancelFunc
}

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) (code int) {
	var err error
	if bench, err = newSite(controlplane.Options{}, true); err != nil {
		fmt.Fprintln(os.Stderr, "starting:", err)
		return 1
	}
	defer func() {
		if err := errors.Join(bench.stop(), stopOperators()); err != nil {
			fmt.Fprintln(os.Stderr, "stopping:", err)
			code = 1
		}
	}()
	if kinds, err = mutation.Kinds(bench.Scheme); err == nil {
		comparer, err = drift.NewComparer(bench.Scheme)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "preparing:", err)
		return 1
	}
	return m.Run()
}

// newSite starts a control plane. The cache takes its share of the machine, and is there only if it is watched.
func newSite(options controlplane.Options, watched bool) (*site, error) {
	ctx, cancel := context.WithCancel(context.Background())
	world, err := env.Start(ctx, options)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &site{Env: world, cancel: cancel}
	if !watched {
		return s, nil
	}
	if err := s.watch(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *site) stop() error {
	s.cancel() // the API server waits for those who watch
	return s.Stop()
}

func (s *site) watch(ctx context.Context) (err error) {
	if s.watched, err = cache.New(s.Operator, cache.Options{Scheme: s.Scheme}); err != nil {
		return err
	}
	if err := controllers.Index(ctx, s.watched); err != nil {
		return err
	}
	all, err := mutation.Kinds(s.Scheme)
	if err != nil {
		return err
	}
	for gvk := range all {
		if _, err := s.watched.GetInformerForKind(ctx, gvk, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	go func() {
		if err := s.watched.Start(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "watching:", err)
		}
	}()
	if !s.watched.WaitForCacheSync(ctx) {
		return errors.New("the cache wasn't filled")
	}
	return nil
}

// setting reads a whole number from the environment, and says whether it is there.
func setting(t *testing.T, name string) (uint64, bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n, true
}

// seed is from where random choices start: another one each time, unless BULKHEAD_MUTATION_SEED says so.
func seed(t *testing.T) uint64 {
	t.Helper()
	n, set := setting(t, "BULKHEAD_MUTATION_SEED")
	if !set {
		n = uint64(time.Now().UnixNano()) % 1e6
	}
	t.Logf("to repeat the same choice: BULKHEAD_MUTATION_SEED=%d", n)
	return n
}

// process is what an operator remembers while it runs: an engine with its journal.
type process struct {
	*engine.Engine
	site *site
}

// run makes one pass over a plan. known says that the plan had been applied before the process started.
func (p *process) run(t *testing.T, plan *engine.Plan, known bool) *engine.Outcome {
	t.Helper()
	pass := engine.Pass{Mode: v1alpha1.DriftEnforce, Known: known}
	if plan.Name != "" {
		live := &corev1.Namespace{}
		err := p.site.watched.Get(t.Context(), client.ObjectKey{Name: plan.Name}, live)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if err == nil {
			pass.Live = live
		}
	}
	return p.Run(t.Context(), plan, pass)
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

// clients are made once: they know no state.
type clients struct {
	site    *site
	options engine.Options
	writes  *atomic.Int64
}

func (s *site) newClients(t *testing.T) *clients {
	t.Helper()
	c := &clients{site: s, writes: &atomic.Int64{}}
	cfg := rest.CopyConfig(s.Operator)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return counter{next, c.writes} })
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(cfg, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := metadata.NewForConfigAndClient(cfg, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	c.options = engine.Options{Reader: s.watched, Metadata: writer, Mapper: mapper, Scheme: s.Scheme, Features: features.All()}
	return c
}

// start starts a process, and ends the one before it, if any.
func (c *clients) start(t *testing.T) *process {
	t.Helper()
	options := c.options
	options.Journal = engine.NewJournal()
	made, err := engine.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return &process{made, c.site}
}

// hear tells whoever is the present process of deletions, until the test ends.
func (s *site) hear(t *testing.T, present func() *process) {
	t.Helper()
	for gvk := range kinds {
		informer, err := s.watched.GetInformerForKind(t.Context(), gvk)
		if err != nil {
			t.Fatal(err)
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
			if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			if object, ok := o.(client.Object); ok {
				if p := present(); p != nil {
					p.Gone(gvk, object)
				}
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := informer.RemoveEventHandler(registration); err != nil {
				t.Error(err)
			}
		})
	}
}

// stored is what the API server holds of an intent; nil if nothing.
func (s *site) stored(t *testing.T, intent *engine.Intent) *unstructured.Unstructured {
	t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(intent.GVK)
	err := s.Admin.Get(t.Context(), intent.Key, live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// cached is what the cache holds of an intent; nil if nothing.
func (s *site) cached(ctx context.Context, intent *engine.Intent) (client.Object, error) {
	made, err := s.Scheme.New(intent.GVK)
	if err != nil {
		return nil, err
	}
	object, ok := made.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", made)
	}
	err = s.watched.Get(ctx, intent.Key, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, err
}

// catchUp waits until the cache holds the same versions of the objects as the API server.
func (s *site) catchUp(t *testing.T, intents ...*engine.Intent) {
	t.Helper()
	for _, intent := range intents {
		var want, got string
		err := wait.PollUntilContextTimeout(t.Context(), look, soon, true, func(ctx context.Context) (bool, error) {
			want, got = "", ""
			if live := s.stored(t, intent); live != nil {
				want = live.GetResourceVersion()
			}
			object, err := s.cached(ctx, intent)
			if object != nil && err == nil {
				got = object.GetResourceVersion()
			}
			return got == want, err
		})
		if err != nil {
			t.Fatalf("%s: the cache holds version %q, the API server %q: %v", intent, got, want, err)
		}
	}
}

// isRefusal reports whether the API server didn't like the content of a request, or who made it.
func isRefusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}

// ofManager writes as the admin, under the name of a field manager.
func ofManager(name string) client.FieldOwner { return client.FieldOwner(name) }

// patchOf is a merge patch.
func patchOf(text string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(text)) }
