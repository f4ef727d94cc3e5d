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

package exposure

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var clusterNetworkPolicy = schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"}

const (
	definedTier     = "clusternetworkpolicies.policy.networking.k8s.io"
	definedAdmin    = "adminnetworkpolicies.policy.networking.k8s.io"
	definedBaseline = "baselineadminnetworkpolicies.policy.networking.k8s.io"
)

// tier is a ClusterNetworkPolicy of the Admin tier that does something with all that comes from any pod to those of acme.
func tier(tb testing.TB, name, action string) unstructured.Unstructured {
	tb.Helper()
	var u unstructured.Unstructured
	err := yaml.Unmarshal(fmt.Appendf(nil, `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: %q}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {matchLabels: {%s: acme}}}
  ingress: [{name: all, action: %s, from: [{namespaces: {}}]}]
`, name, v1alpha1.LabelTenant, action), &u)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// TestClusterPolicies: where a kind of cluster policies is served, they count for the namespaces that they select, whoever
// made them; each change names these namespaces.
func TestClusterPolicies(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme(), umbrella())
	w.served, w.tiers = []schema.GroupVersionKind{clusterNetworkPolicy}, []unstructured.Unstructured{tier(t, "old", "Accept")}
	w.definitions[definedTier], w.definitions[definedAdmin] = true, true
	j, plan, other := judgeOf(w), planOf(t, acme()), planOf(t, umbrella())
	open := func(name string) told {
		return told{v1alpha1.FindingNetworkExposure, v1alpha1.SeverityCritical, "ClusterNetworkPolicy " + name}
	}
	ours := []string{"acme-dev"}
	one := func(name string) func() (bool, []string, error) {
		return func() (bool, []string, error) { return j.ClusterPolicy(t.Context(), clusterNetworkPolicy, name) }
	}
	all := func() (bool, []string, error) { return j.APIs(t.Context()) }
	steps := []struct {
		name   string
		change func()
		tell   func() (bool, []string, error)
		news   bool
		again  []string
		want   []told
		// weighed says that the kind is considered, beside that it is notConsidered.
		weighed, beside bool
	}{
		{name: "as it was at the start", change: func() {}, want: []told{open("old")}, weighed: true},
		{name: "the same", change: func() {}, tell: all, want: []told{open("old")}, weighed: true},
		{name: "gone", change: func() { w.tiers = nil }, tell: one("old"), again: ours, want: []told{}, weighed: true},
		{name: "still gone", change: func() {}, tell: one("old"), want: []told{}, weighed: true},
		{name: "appears", change: func() { w.tiers = []unstructured.Unstructured{tier(t, "new", "Accept")} }, tell: one("new"), again: ours, want: []told{open("new")}, weighed: true},
		{name: "denies", change: func() { w.tiers = []unstructured.Unstructured{tier(t, "new", "Deny")} }, tell: one("new"), again: ours, want: []told{}, weighed: true},
		{name: "changed unseen", change: func() {
			w.tiers = []unstructured.Unstructured{tier(t, "next", "Accept")}
		}, tell: all, again: ours, want: []told{open("next")}, weighed: true},
		{name: "one without a name, which can't be read", change: func() {
			w.tiers = append(w.tiers, tier(t, "", "Accept"))
		}, tell: all, news: true, want: []told{open("next")}, beside: true},
		{name: "gone again", change: func() { w.tiers = w.tiers[:1] }, tell: one(""), news: true, want: []told{open("next")}, weighed: true},
		{name: "no longer served, of which an object tells first", change: func() { w.served = nil }, tell: one("next"), again: ours, want: []told{}, weighed: true},
		{name: "no longer served in this version", change: func() {}, tell: all, news: true, want: []told{}, beside: true},
		{name: "no longer defined", change: func() { delete(w.definitions, definedTier) }, tell: all, news: true, want: []told{}},
		{name: "back", change: func() { w.served = []schema.GroupVersionKind{clusterNetworkPolicy} }, tell: all, news: true, again: ours, want: []told{open("next")}, weighed: true},
		{name: "no longer served at once", change: func() { w.served = nil }, tell: all, news: true, again: ours, want: []told{}},
	}
	for _, step := range steps {
		w.with(step.change)
		if step.tell != nil {
			news, again, err := step.tell()
			if err != nil || news != step.news || !slices.Equal(again, step.again) {
				t.Errorf("%s: news %v, judge %v again, %v; want news %v, %v", step.name, news, again, err, step.news, step.again)
			}
		}
		got, err := j.Judge(t.Context(), plan, liveOf(plan))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, brief(t, got)); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", step.name, diff)
		}
		if got, err := j.Judge(t.Context(), other, liveOf(other)); err != nil || len(got) > 0 {
			t.Errorf("%s: the other tenant: %v, %v", step.name, got, err)
		}
		if slices.Contains(j.Considered(), definedTier) != step.weighed || slices.Contains(j.NotConsidered(), definedTier) != step.beside {
			t.Errorf("%s: considered %v, not considered %v", step.name, j.Considered(), j.NotConsidered())
		}
		if !slices.Contains(j.NotConsidered(), definedAdmin) || slices.Contains(slices.Concat(j.Considered(), j.NotConsidered()), definedBaseline) {
			t.Errorf("%s: considered %v, not considered %v", step.name, j.Considered(), j.NotConsidered())
		}
	}
}

// TestClusterPoliciesUnread: what can't be read now isn't weighed, and what was known of it stands.
func TestClusterPoliciesUnread(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme())
	w.served, w.tiers = ClusterPolicyKinds(), []unstructured.Unstructured{tier(t, "open", "Accept")}
	w.definitions[definedTier] = true
	w.broken["*unstructured.UnstructuredList"] = true
	j, plan := judgeOf(w), planOf(t, acme())
	if err := j.Prime(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("%v, want %v: a verdict without them could say that nothing is open", err, errBroken)
	}
	w.with(func() { clear(w.broken) })
	if err := j.Prime(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(j.Considered()); n != 8 {
		t.Errorf("considered %v, want all", j.Considered())
	}
	w.with(func() {
		w.tiers = nil
		w.broken["*unstructured.UnstructuredList"], w.broken["*unstructured.Unstructured"] = true, true
	})
	if news, again, err := j.APIs(t.Context()); !errors.Is(err, errBroken) || !news || len(again) > 0 {
		t.Errorf("news %v, judge %v again, %v", news, again, err)
	}
	if !slices.Equal(j.NotConsidered(), []string{definedTier}) {
		t.Errorf("not considered %v", j.NotConsidered())
	}
	if _, _, err := j.ClusterPolicy(t.Context(), clusterNetworkPolicy, "open"); !errors.Is(err, errBroken) {
		t.Errorf("%v, want %v", err, errBroken)
	}
	if got, err := j.Judge(t.Context(), plan, liveOf(plan)); err != nil || len(got) != 1 {
		t.Errorf("%v, %v; want what was known", got, err)
	}
	if news, again, err := j.ClusterPolicy(t.Context(), schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}, "x"); news || again != nil || err != nil {
		t.Errorf("a kind that isn't weighed: %v, %v, %v", news, again, err)
	}
	w.broken["*v1.PartialObjectMetadata"] = true
	w.with(func() { delete(w.broken, "*unstructured.UnstructuredList") })
	if news, again, err := j.APIs(t.Context()); !errors.Is(err, errBroken) || !news || !slices.Equal(again, []string{"acme-dev"}) {
		t.Errorf("news %v, judge %v again, %v", news, again, err)
	}
	if len(j.Considered()) != 8 {
		t.Errorf("considered %v, whatever the definitions say", j.Considered())
	}
}
