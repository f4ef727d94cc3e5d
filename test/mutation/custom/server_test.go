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

package custom_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/controllers"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/index"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
	"github.com/bulkhead-dev/bulkhead/test/mutation/custom"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	soon = 30 * time.Second
	look = 3 * time.Millisecond
	day  = 24 * time.Hour
	// someone is the field manager of who changes objects.
	someone = "someone"
)

var (
	world   *env.Env
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

func kinds(cluster bool) []schema.GroupVersionKind {
	return apis.Optional(world.Scheme, features.All(), cluster)
}

func allKinds() []schema.GroupVersionKind { return slices.Concat(kinds(false), kinds(true)) }

// prepare serves all optional APIs and watches what rooms own.
func prepare(ctx context.Context) (err error) {
	if err := world.InstallCRDs(ctx, crds.All()...); err != nil {
		return err
	}
	if err := custom.AwaitAdmission(ctx, world.Admin, "default", allKinds()...); err != nil {
		return err
	}
	if watched, err = cache.New(world.Operator, cache.Options{Scheme: world.Scheme}); err != nil {
		return err
	}
	if err := controllers.Index(ctx, watched); err != nil {
		return err
	}
	for _, gvk := range kinds(true) {
		found := index.Custom(gvk)
		if err := watched.IndexField(ctx, found.Object, found.Field, found.Values); err != nil {
			return err
		}
	}
	for _, gvk := range allKinds() {
		if _, err := watched.GetInformer(ctx, custom.Empty(gvk), cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	go func() {
		if err := watched.Start(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "watching:", err)
		}
	}()
	if !watched.WaitForCacheSync(ctx) {
		return errors.New("the cache wasn't filled")
	}
	return nil
}

// rig is one plan that is in force, and a process that keeps it so.
type rig struct {
	*engine.Engine
	plan  *engine.Plan
	ahead time.Duration
}

func newRig(t *testing.T, plan *engine.Plan) *rig {
	t.Helper()
	writer, err := metadata.NewForConfig(world.Operator)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{plan: plan}
	r.Engine, err = engine.New(engine.Options{
		Reader: watched, Metadata: writer, Mapper: world.Admin.RESTMapper(), Scheme: world.Scheme, Features: features.All(),
		Journal: engine.NewJournal(), Serves: func(schema.GroupVersionKind) bool { return true },
		Now: func() time.Time { return time.Now().Add(r.ahead) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if outcome := r.pass(t); outcome.Err != nil || outcome.Refused {
		t.Fatalf("applying: %v; %+v", outcome.Err, outcome.Conditions)
	}
	for _, intent := range optional(plan) {
		catchUp(t, intent)
	}
	return r
}

func (r *rig) pass(t *testing.T) *engine.Outcome {
	t.Helper()
	pass := engine.Pass{Mode: v1alpha1.DriftEnforce}
	if r.plan.Name != "" {
		live := &corev1.Namespace{}
		err := watched.Get(t.Context(), client.ObjectKey{Name: r.plan.Name}, live)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if err == nil {
			pass.Live = live
		}
	}
	return r.Run(t.Context(), r.plan, pass)
}

// stored is what the API server holds of an intent; nil if nothing.
func stored(t *testing.T, intent *engine.Intent) *unstructured.Unstructured {
	t.Helper()
	live := custom.Empty(intent.GVK)
	err := world.Admin.Get(t.Context(), intent.Key, live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return live
}

func catchUp(t *testing.T, intent *engine.Intent) {
	t.Helper()
	want := ""
	if live := stored(t, intent); live != nil {
		want = live.GetResourceVersion()
	}
	err := wait.PollUntilContextTimeout(t.Context(), look, soon, true, func(ctx context.Context) (bool, error) {
		cached := custom.Empty(intent.GVK)
		err := watched.Get(ctx, intent.Key, cached)
		return cached.GetResourceVersion() == want || want == "" && apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if err != nil {
		t.Fatalf("%s: the cache doesn't have version %q: %v", intent, want, err)
	}
}

// setting reads a whole number from the environment; otherwise it is the default.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// every is of how many changes one is tried on the server.
const every = 20

// book is what became of the changes.
type book struct {
	mu    sync.Mutex
	tally *mutation.Tally
}

func (b *book) add(kind string, columns ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally.Add(kind, columns...)
}

// TestChangesAreUndone tries changes on the API server: what it accepts and what counts is found, ascribed to who did it,
// recorded once where it was made, and undone.
func TestChangesAreUndone(t *testing.T) {
	t.Parallel()
	seed := setting(t, "BULKHEAD_MUTATION_SEED", uint64(time.Now().UnixNano())%1e6)
	t.Logf("to repeat the same choice: BULKHEAD_MUTATION_SEED=%d", seed)
	whole := os.Getenv("BULKHEAD_MUTATION") == "all"
	schemas, b := specs(t), &book{tally: mutation.NewTally(
		"tried", "refused", "void", "harmless", "effective", "detected", "attributed", "untraced", "placed", "corrected")}
	t.Run("plans", func(t *testing.T) {
		for i, plan := range plans(t) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			t.Run(fmt.Sprintf("%s,%s,%d", plan.Tenant, plan.Name, i), func(t *testing.T) {
				r := newRig(t, plan)
				for _, intent := range optional(plan) {
					for _, m := range custom.Mutants(schemas[intent.GVK], intent.Object.Object) {
						if whole || random.IntN(every) == 0 || always(intent, m) {
							r.try(t, b, intent, m)
						}
					}
					r.wholes(t, b, intent)
				}
			})
		}
	})
	t.Logf("what became of the changes on the server:\n%s", b.tally)
	for kind := range least {
		n := b.tally.Count(kind, "effective")
		for _, column := range []string{"detected", "attributed", "placed", "corrected"} {
			got := b.tally.Count(kind, column)
			if column == "attributed" {
				got += b.tally.Count(kind, "untraced")
			}
			if n == 0 || got != n {
				t.Errorf("%s: of %d effective changes %d are %s", kind, n, got, column)
			}
		}
	}
}

// always are changes that are tried each time: what is added to a selector that the CRD takes as one value makes all of it
// another's, which must be undone, too, in the same pass; and what alone can't be removed, as a Gateway must have a listener.
func always(intent *engine.Intent, m custom.Mutant) bool {
	if intent.GVK.Kind == "Gateway" && m.Op == "supplant" && len(m.Path) == 2 {
		return true
	}
	return m.Op == "inject" && len(m.Path) <= 4 && m.Path[len(m.Path)-1] == "matchExpressions"
}

// try makes one change, and looks at what becomes of it.
func (r *rig) try(t *testing.T, b *book, intent *engine.Intent, m custom.Mutant) {
	t.Helper()
	kind, before := intent.GVK.Kind, stored(t, intent)
	changed := &unstructured.Unstructured{Object: m.Apply(before.Object)}
	b.add(kind, "tried")
	if owners := changed.GetOwnerReferences(); len(owners) > 0 { // one that exists: what another owns is collected as garbage
		owner := &corev1.Namespace{}
		if err := world.Admin.Get(t.Context(), client.ObjectKey{Name: "default"}, owner); err != nil {
			t.Fatal(err)
		}
		owners[0].UID = owner.UID
		changed.SetOwnerReferences(owners)
	}
	err := world.Admin.Update(t.Context(), changed.DeepCopy(), client.FieldOwner(someone))
	switch {
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err):
		b.add(kind, "refused")
		return
	case err != nil:
		t.Errorf("%s: %s: %v", intent, m, err)
		return
	}
	live := stored(t, intent)
	catchUp(t, intent)
	if custom.Alike(intent.Object.Object, live.Object) {
		if b.add(kind, "harmless"); live.GetResourceVersion() == before.GetResourceVersion() {
			b.add(kind, "void")
		}
		if outcome := r.pass(t); outcome.Err != nil || len(outcome.Details) > 0 {
			t.Errorf("%s: %s: nothing that counts, and found %+v, %v", intent, m, outcome.Details, outcome.Err)
		}
		catchUp(t, intent)
		return
	}
	r.undone(t, b, intent, deed{m.String(), before, func(item *v1alpha1.DriftReportItem) bool {
		want := m.Finding(before.Object, keyed[kind]).Path
		return slices.ContainsFunc(item.Fields, func(f v1alpha1.FieldDrift) bool {
			return strings.HasPrefix(f.Path, want) || strings.HasPrefix(want, f.Path) // below it, if the API server filled something in
		})
	}})
}

// deed is what was done to an object that was as before, if that is known, and where it must be recorded.
type deed struct {
	what   string
	before *unstructured.Unstructured
	placed func(*v1alpha1.DriftReportItem) bool
}

// undone runs a pass and looks at whether that makes the object what it was.
func (r *rig) undone(t *testing.T, b *book, intent *engine.Intent, d deed) {
	t.Helper()
	kind, what, before, placed := intent.GVK.Kind, d.what, d.before, d.placed
	b.add(kind, "effective")
	r.ahead += day // so many in a minute would be a fight
	outcome := r.pass(t)
	if len(outcome.Details) != 1 || outcome.Details[0].Object.Kind != kind || outcome.Details[0].Object.Name != intent.Key.Name {
		t.Errorf("%s: %s: found %+v, %v", intent, what, outcome.Details, outcome.Err)
		return
	}
	item := &outcome.Details[0]
	b.add(kind, "detected")
	switch {
	case item.Attribution.Manager == "" && (before == nil || strings.HasPrefix(what, "remove ")):
		b.add(kind, "untraced") // what is taken away leaves nothing that anyone would own
	case item.Attribution.Manager == someone && item.Attribution.Operation == "Update":
		b.add(kind, "attributed")
	default:
		t.Errorf("%s: %s: ascribed to %+v", intent, what, item.Attribution)
	}
	if placed(item) {
		b.add(kind, "placed")
	} else {
		t.Errorf("%s: %s: recorded as %s at %+v", intent, what, item.Type, item.Fields)
	}
	catchUp(t, intent)
	live := stored(t, intent)
	if item.Action != v1alpha1.DriftCorrected || live == nil || !custom.Alike(intent.Object.Object, live.Object) ||
		before != nil && !reflect.DeepEqual(before.Object["spec"], live.Object["spec"]) {
		t.Errorf("%s: %s: %s, %v (-want +got):\n%s", intent, what, item.Action, outcome.Err, differing(intent, live))
		r.reset(t, intent)
		return
	}
	b.add(kind, "corrected")
	if outcome := r.pass(t); outcome.Err != nil || len(outcome.Details) > 0 {
		t.Errorf("%s: %s: found again %+v, %v", intent, what, outcome.Details, outcome.Err)
	}
}

func differing(intent *engine.Intent, live *unstructured.Unstructured) string {
	if live == nil {
		return "it is gone"
	}
	return cmp.Diff(intent.Object.Object, live.Object)
}
