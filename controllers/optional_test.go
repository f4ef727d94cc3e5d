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

package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
)

var baselineKind = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha1", Kind: "BaselineAdminNetworkPolicy"}

// TestKindsOf: kinds that only the judge reads are watched too, and what rooms render and the judge reads is watched once.
func TestKindsOf(t *testing.T) {
	t.Parallel()
	r := &APIReconciler{
		InNamespaces: []schema.GroupVersionKind{{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}},
		OfTenants:    []schema.GroupVersionKind{tierKind},
		Judged:       exposure.ClusterPolicyKinds(),
	}
	if got := r.kindsOf("cilium.io"); !slices.Equal(got, r.InNamespaces) {
		t.Errorf("%v", got)
	}
	got := r.kindsOf("policy.networking.k8s.io")
	if len(got) != 3 || !slices.Contains(got, tierKind) || !slices.Contains(got, baselineKind) {
		t.Errorf("%v, want each kind once", got)
	}
	if got := r.kindsOf("example.com"); len(got) > 0 {
		t.Errorf("%v of a group that nobody knows", got)
	}
}

func TestClusterPolicyOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key, name string
		kind      schema.GroupVersionKind
	}{
		"a policy":            {clusterPolicy + "ClusterNetworkPolicy/bulkhead.acme", "bulkhead.acme", tierKind},
		"of another kind":     {clusterPolicy + "BaselineAdminNetworkPolicy/default", "default", baselineKind},
		"of an unknown kind":  {clusterPolicy + "CiliumNetworkPolicy/x", "", schema.GroupVersionKind{}},
		"the cluster's APIs":  {clusterAPIs, "", schema.GroupVersionKind{}},
		"the bindings":        {clusterAccess, "", schema.GroupVersionKind{}},
		"nothing of anything": {"", "", schema.GroupVersionKind{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, name, ok := clusterPolicyOf(tc.key)
			if kind != tc.kind || name != tc.name || ok != (tc.name != "") {
				t.Errorf("%s %q %v, want %s %q", kind, name, ok, tc.kind, tc.name)
			}
		})
	}
}

// TestExposureWatches: a kind that isn't weighed isn't watched, and who looks again at some tenants, or before there is
// anything to look at, costs nothing.
func TestExposureWatches(t *testing.T) {
	t.Parallel()
	r := &ExposureReconciler{}
	if err := r.WatchOptional(nil, schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}); err != nil {
		t.Error(err)
	}
	r.LookAgain(t.Context())
	looked := 0
	add := func() { looked++ }
	r.add.Store(&add)
	r.LookAgain(t.Context(), "acme")
	if r.LookAgain(t.Context()); looked != 1 {
		t.Errorf("looked %d times, want once", looked)
	}
	namespaces := &NamespaceReconciler{}
	namespaces.JudgeAgain([]string{"before the start"})
	var judged []string
	judge := func(name string) { judged = append(judged, name) }
	namespaces.add.Store(&judge)
	if namespaces.JudgeAgain([]string{"a", "b"}); !slices.Equal(judged, []string{"a", "b"}) {
		t.Errorf("judged %v", judged)
	}
}

// optionalWorld is a cluster that serves kinds of one group, as the cache and discovery tell of it.
type optionalWorld struct {
	cache.Cache
	discovery.ServerResourcesInterface
	served []schema.GroupVersionKind
	// held are the kinds that the cache holds.
	held []schema.GroupVersionKind
}

func (w *optionalWorld) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	list, ok := into.(*metav1.PartialObjectMetadataList)
	if ok && len(w.served) > 0 {
		list.Items = []metav1.PartialObjectMetadata{{ObjectMeta: metav1.ObjectMeta{
			Name: "some." + tierKind.Group, CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
		}}}
	}
	return nil
}

func (w *optionalWorld) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	if kind := object.GetObjectKind().GroupVersionKind(); !slices.Contains(w.held, kind) {
		w.held = append(w.held, kind)
	}
	return nil, nil
}

func (w *optionalWorld) RemoveInformer(_ context.Context, object client.Object) error {
	w.held = slices.DeleteFunc(w.held, func(kind schema.GroupVersionKind) bool { return kind == object.GetObjectKind().GroupVersionKind() })
	return nil
}

func (w *optionalWorld) ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error) {
	list := &metav1.APIResourceList{}
	for _, kind := range w.served {
		if kind.GroupVersion().String() == version {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: "some", Kind: kind.Kind, Verbs: []string{"list", "watch"}})
		}
	}
	return list, nil
}

// wary is a Watcher that can't watch some kinds.
type wary struct {
	refuses []schema.GroupVersionKind
	watched []schema.GroupVersionKind
	looked  int
}

var errRefused = errors.New("refused")

func (w *wary) WatchOptional(_ cache.Cache, kind schema.GroupVersionKind) error {
	if slices.Contains(w.refuses, kind) {
		return errRefused
	}
	w.watched = append(w.watched, kind)
	return nil
}

func (w *wary) LookAgain(context.Context, ...string) { w.looked++ }

// TestFollowing: kinds are followed each by itself, those that only the judge reads too; one that can't be watched keeps
// nobody from looking at the others.
func TestFollowing(t *testing.T) {
	t.Parallel()
	all := exposure.ClusterPolicyKinds()
	world, watcher := &optionalWorld{}, &wary{refuses: []schema.GroupVersionKind{tierKind}}
	r := &APIReconciler{Cache: world, Discovery: world, Served: apis.NewSet(), Judged: all, Watchers: []Watcher{watcher}}
	others := slices.DeleteFunc(slices.Clone(all), func(kind schema.GroupVersionKind) bool { return kind == tierKind })
	steps := []struct {
		name   string
		change func()
		served []schema.GroupVersionKind
		looked int
		fails  bool
	}{
		{name: "none", change: func() {}},
		{name: "all, of which one can't be watched", change: func() { world.served = all }, served: others, looked: 1, fails: true},
		{name: "still not", change: func() {}, served: others, fails: true},
		{name: "that one, too", change: func() { watcher.refuses = nil }, served: all, looked: 1},
		{name: "nothing new", change: func() {}, served: all},
		{name: "none any more", change: func() { world.served = nil }, looked: 1},
	}
	for _, step := range steps {
		step.change()
		watcher.looked = 0
		_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: tierKind.Group}})
		if errors.Is(err, errRefused) != step.fails || (err != nil) != step.fails {
			t.Errorf("%s: %v", step.name, err)
		}
		if len(r.Served.List()) != len(step.served) || slices.ContainsFunc(step.served, func(kind schema.GroupVersionKind) bool { return !r.Served.Serves(kind) }) {
			t.Errorf("%s: served %v, want %v", step.name, r.Served.List(), step.served)
		}
		if len(world.held) != len(step.served) {
			t.Errorf("%s: the cache holds %v", step.name, world.held)
		}
		if watcher.looked != step.looked {
			t.Errorf("%s: looked again %d times, want %d", step.name, watcher.looked, step.looked)
		}
	}
	if len(watcher.watched) != len(all) {
		t.Errorf("watched %v, want each once", watcher.watched)
	}
}
