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

// Package conformance_test holds the laws that every room keeps. It goes by the registry, so that a new room is
// tested before its author writes a test. What needs an API server is in package server.
package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

// rendering is one call of a room: in a namespace, or at cluster scope.
type rendering struct {
	name    string
	owns    []schema.GroupVersionKind
	cluster bool
	room    feature.Feature
	facts   feature.Facts
	tenant  feature.TenantFacts
}

func (r rendering) render() (feature.Result, error) {
	if scoped, ok := r.room.(feature.ClusterScoped); ok && r.cluster {
		return scoped.RenderTenant(r.tenant)
	}
	return r.room.Render(r.facts)
}

// copied is a rendering of the same facts that shares no memory with this one.
func (r rendering) copied() rendering {
	r.facts, r.tenant = corpus.Copy(r.facts), corpus.CopyTenant(r.tenant)
	return r
}

// renderings are all rooms on the whole corpus.
func renderings(t *testing.T) []rendering {
	t.Helper()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	var all []rendering
	for _, c := range cases {
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range features.All() {
			for _, f := range facts {
				all = append(all, rendering{name: room.Name() + "/" + c.Name + "/" + f.Namespace, owns: room.Owns(), room: room, facts: f})
			}
			if scoped, ok := room.(feature.ClusterScoped); ok {
				all = append(all, rendering{name: room.Name() + "/" + c.Name, owns: scoped.OwnsCluster(), cluster: true, room: room, tenant: c.TenantFacts()})
			}
		}
	}
	return all
}

// each runs a law on every rendering.
func each(t *testing.T, law func(t *testing.T, r rendering)) {
	t.Helper()
	for _, r := range renderings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			law(t, r.copied())
		})
	}
}

func mustRender(t *testing.T, r rendering) feature.Result {
	t.Helper()
	result, err := r.render()
	if err != nil {
		t.Fatalf("%v: the corpus holds only what the API server accepts", err)
	}
	return result
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestRenderingIsDeterministic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r rendering) {
		want := marshal(t, mustRender(t, r))
		random := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			shuffled := r.copied()
			corpus.Shuffle(&shuffled.facts, random)
			corpus.Shuffle(&shuffled.tenant, random)
			if got := marshal(t, mustRender(t, shuffled)); got != want {
				t.Fatalf("another order of the facts renders something else:\n%s", cmp.Diff(want, got))
			}
		}
	})
}

func TestFactsAreNotChanged(t *testing.T) {
	t.Parallel()
	options := cmp.Options{cmpopts.EquateComparable(netip.AddrPort{})}
	each(t, func(t *testing.T, r rendering) {
		before, text := r.copied(), fmt.Sprintf("%#v", r.facts.Policy.Quota)
		result := mustRender(t, r)
		marshal(t, result)
		if diff := cmp.Diff(before.facts, r.facts, options...); diff != "" {
			t.Errorf("the facts were changed (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(before.tenant, r.tenant, options...); diff != "" {
			t.Errorf("the facts of the tenant were changed (-before +after):\n%s", diff)
		}
		// A quantity keeps how it was spelled in a field that isn't compared.
		if got := fmt.Sprintf("%#v", r.facts.Policy.Quota); got != text {
			t.Errorf("the quantities were changed:\n%s", cmp.Diff(text, got))
		}
	})
}

// TestSpellingOfQuantities pins that an intent is the amount and not its spelling.
func TestSpellingOfQuantities(t *testing.T) {
	t.Parallel()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	hashes := func(t *testing.T, f feature.Facts) map[string]string {
		t.Helper()
		p, err := engine.NewPlan(features.All(), engine.NamespaceInput(f, nil))
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, intent := range p.Objects() {
			all[intent.String()] = intent.Hash
		}
		return all
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			facts, err := c.Facts()
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(5, 6))
			for _, f := range facts {
				want := hashes(t, f)
				for range 20 {
					respelled := corpus.Copy(f)
					corpus.Respell(&respelled, random)
					if diff := cmp.Diff(want, hashes(t, respelled)); diff != "" {
						t.Fatalf("another spelling is another intent:\n%s", diff)
					}
				}
			}
		})
	}
}

// TestAbsentBlocks says which rooms restrict only when their block is set: without it they render nothing. All
// others are walls that are always there, or go by members.
func TestAbsentBlocks(t *testing.T) {
	t.Parallel()
	always := map[string]bool{"podsecurity": true, "network": true}
	for _, room := range features.All() {
		f := feature.Facts{Tenant: "acme", Namespace: "acme-dev"}
		f.Cluster.DNS, f.Cluster.APIServer = corpus.Options().DNS, corpus.Options().APIServer
		result, err := room.Render(f)
		if err != nil {
			t.Errorf("%s: %v", room.Name(), err)
		}
		if empty := reflect.ValueOf(result).IsZero(); empty == always[room.Name()] {
			t.Errorf("%s renders something without a block and members: %v, want %v", room.Name(), !empty, always[room.Name()])
		}
		if len(result.Doors) > 0 {
			t.Errorf("%s opens a door for nobody", room.Name())
		}
		if scoped, ok := room.(feature.ClusterScoped); ok {
			if result, err := scoped.RenderTenant(feature.TenantFacts{Tenant: "acme"}); err != nil || !reflect.ValueOf(result).IsZero() {
				t.Errorf("%s renders %+v, %v for a tenant without members", room.Name(), result, err)
			}
		}
	}
}

// TestEveryFieldIsTried makes who adds a field to the API add it to the corpus: else no law is tried on it.
func TestEveryFieldIsTried(t *testing.T) {
	t.Parallel()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	corpus.Fields(reflect.TypeFor[v1alpha1.PolicyBlocks](), "policy", want)
	corpus.Fields(reflect.TypeFor[v1alpha1.Member](), "members", want)
	for _, c := range cases {
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			corpus.Set(reflect.ValueOf(f.Policy), "policy", got)
			for _, member := range f.Members {
				corpus.Set(reflect.ValueOf(member), "members", got)
			}
		}
	}
	for field := range want {
		if !got[field] {
			t.Errorf("no Tenant in config/samples or test/conformance/corpus/tenants sets %s", field)
		}
	}
}

// TestNoTwoRoomsContradict plans the whole corpus: two rooms may share neither an object nor a key of the Namespace.
func TestNoTwoRoomsContradict(t *testing.T) {
	t.Parallel()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range facts {
			if _, err := engine.NewPlan(features.All(), engine.NamespaceInput(f, &c.Tenant.Spec.Namespaces[i])); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
		if _, err := engine.NewTenantPlan(features.All(), c.TenantFacts()); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}
