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

package isolation

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

// TestDependentsAreEnough changes namespaces at random and asks again only where Put and Delete say so: what was last
// said must be right everywhere all the same.
func TestDependentsAreEnough(t *testing.T) {
	t.Parallel()
	changed, spared := 0, 0
	for seed := range uint64(40) {
		s := netstates.New(seed)
		dir := NewDirectory()
		names := append(netstates.Namespaces(), "n1", "n2", "n3")
		put := func(name string) []string {
			ns := Namespace{Name: name, Tenant: netstates.Pick(s, "shop", "bank", ""), Labels: s.NamespaceLabels()}
			if ns.Tenant != "" {
				ns.Labels[v1alpha1.LabelTenant] = ns.Tenant
				ns.Intended = ns.Labels
			}
			if s.One(4) {
				ns.Labels = s.NamespaceLabels()
			}
			return dir.Put(ns)
		}
		inputs := map[string]NetworkInput{}
		for _, name := range names {
			put(name)
			in := NetworkInput{Tenant: "shop", Namespace: name, Spec: s.Policies(name, 3)}
			in.Live = slices.Clone(in.Spec)
			if s.One(2) {
				in.Live = append(in.Live, s.Policy(name, "foreign"))
			}
			inputs[name] = in
		}
		last := map[string][]v1alpha1.IsolationFinding{}
		for name, in := range inputs {
			last[name] = Network(dir, in)
		}
		for range 20 {
			name := netstates.Pick(s, names...)
			var dependents []string
			if s.One(4) {
				dependents = dir.Delete(name)
				delete(last, name)
			} else {
				dependents = append(put(name), name)
			}
			for _, d := range dependents {
				if _, analysed := last[d]; analysed || d == name {
					last[d] = Network(dir, inputs[d])
					changed++
				}
			}
			for n, want := range last {
				spared++
				if diff := cmp.Diff(want, Network(dir, inputs[n])); diff != "" {
					t.Fatalf("seed %d: %s changed, %s wasn't among %v and now says (-last +now):\n%s", seed, name, n, dependents, diff)
				}
			}
		}
	}
	t.Logf("asked again %d times, of %d", changed, spared)
	if changed*3 > spared*2 {
		t.Error("nearly everybody depends on everything")
	}
}

// policies that open a namespace to its tenant, and to another one, as the network room renders them.
func netWalls(namespace, tenant string, openTo ...string) []*networkingv1.NetworkPolicy {
	out := []*networkingv1.NetworkPolicy{netpol(namespace, "bulkhead-default-deny", `{policyTypes: [Ingress, Egress]}`)}
	for i, peer := range append([]string{tenant}, openTo...) {
		selector := `[{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: ` + peer + `}}}]`
		out = append(out, netpol(namespace, fmt.Sprintf("bulkhead-allow-%d", i),
			`{policyTypes: [Ingress, Egress], ingress: [{from: `+selector+`}], egress: [{to: `+selector+`}]}`))
	}
	return out
}

func TestDependents(t *testing.T) {
	t.Parallel()
	// shop-dev opens to tenant bank; shop-prod has an opening of its own that the spec doesn't name; bank-dev is clean.
	setUp := func() *Directory {
		dir := NewDirectory()
		for _, ns := range []Namespace{nsOf("shop-dev", "shop"), nsOf("shop-prod", "shop"), nsOf("bank-dev", "bank"), {Name: "tools"}} {
			dir.Put(ns)
		}
		look := func(namespace, tenant string, foreign []*networkingv1.NetworkPolicy, openTo ...string) {
			spec := netWalls(namespace, tenant, openTo...)
			Network(dir, NetworkInput{Tenant: tenant, Namespace: namespace, Spec: spec, Live: slices.Concat(spec, foreign)})
		}
		look("shop-dev", "shop", nil, "bank")
		look("bank-dev", "bank", nil)
		look("shop-prod", "shop", []*networkingv1.NetworkPolicy{netpol("shop-prod", "foreign",
			`{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: monitoring, operator: Exists}]}}]}]}`)})
		return dir
	}
	tests := map[string]struct {
		do   func(*Directory) []string
		want []string
	}{
		"one more namespace of the tenant changes nothing for the clean ones": {
			func(d *Directory) []string { return d.Put(nsOf("shop-qa", "shop")) }, []string{"shop-prod"},
		},
		"one more namespace of a tenant that is let in": {
			func(d *Directory) []string { return d.Put(nsOf("bank-prod", "bank")) }, nil,
		},
		"a forged tenant label": {
			func(d *Directory) []string {
				return d.Put(Namespace{Name: "tools", Labels: map[string]string{v1alpha1.LabelTenant: "bank"}})
			}, []string{"bank-dev", "shop-dev"},
		},
		"a forged tenant label goes": {
			func(d *Directory) []string {
				d.Put(Namespace{Name: "tools", Labels: map[string]string{v1alpha1.LabelTenant: "bank"}})
				return d.Put(Namespace{Name: "tools"})
			}, []string{"bank-dev", "shop-dev"},
		},
		"a label that an opening is about": {
			func(d *Directory) []string { return d.Put(nsOf("bank-dev", "bank").with("monitoring", "yes")) }, []string{"shop-prod"},
		},
		"a label that nobody looks at": {
			func(d *Directory) []string { return d.Put(nsOf("bank-dev", "bank").with("other", "yes")) }, nil,
		},
		"nothing changed": {func(d *Directory) []string { return d.Put(nsOf("bank-dev", "bank")) }, nil},
		"deleted with a forged label": {
			func(d *Directory) []string {
				d.Put(Namespace{Name: "tools", Labels: map[string]string{v1alpha1.LabelTenant: "bank"}})
				return d.Delete("tools")
			}, []string{"bank-dev", "shop-dev"},
		},
		"who is deleted isn't asked again": {
			func(d *Directory) []string {
				d.Delete("bank-dev")
				return d.Put(Namespace{Name: "tools", Labels: map[string]string{v1alpha1.LabelTenant: "bank"}})
			}, []string{"shop-dev"},
		},
		"who is forgotten isn't asked again": {
			func(d *Directory) []string {
				d.Forget("shop-dev")
				return d.Put(Namespace{Name: "tools", Labels: map[string]string{v1alpha1.LabelTenant: "bank"}})
			}, []string{"bank-dev"},
		},
		"a lie that another opening covered": {
			func(d *Directory) []string {
				spec := append(netWalls("shop-dev", "shop"), netpol("shop-dev", "bulkhead-allow-x",
					`{ingress: [{from: [{namespaceSelector: {matchLabels: {access: monitoring}}}, {namespaceSelector: {matchLabels: {team: x}}}]}]}`))
				d.Put(nsOf("bank-dev", "bank").with("access", "monitoring").with("team", "x").meant("team", "x"))
				Network(d, NetworkInput{Tenant: "shop", Namespace: "shop-dev", Spec: spec, Live: spec})
				return d.Put(nsOf("bank-dev", "bank").with("access", "monitoring"))
			}, []string{"shop-dev"},
		},
		"unknown namespace deleted": {func(d *Directory) []string { return d.Delete("nobody") }, nil},
		"no name":                   {func(d *Directory) []string { return d.Put(Namespace{}) }, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, tc.do(setUp())); diff != "" {
				t.Errorf("dependents (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDirectoryForgets: what was put is gone without a trace when it is deleted.
func TestDirectoryForgets(t *testing.T) {
	t.Parallel()
	dir := NewDirectory()
	for i := range 50 {
		name := fmt.Sprintf("ns-%d", i)
		dir.Put(nsOf(name, fmt.Sprintf("t-%d", i%7)))
		spec := netWalls(name, "t", "u", name)
		live := spec
		if i%2 == 0 {
			live = append(slices.Clone(spec), netpol(name, "foreign", `{ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}}}]}]}`))
		}
		Network(dir, NetworkInput{Tenant: "t", Namespace: name, Spec: spec, Live: live})
	}
	if dir.Len() != 50 {
		t.Errorf("%d namespaces, want 50", dir.Len())
	}
	for i := range 50 {
		dir.Delete(fmt.Sprintf("ns-%d", i))
	}
	w := &dir.watchers
	left := len(dir.byName) + len(dir.live) + len(dir.intended) + len(w.selectors) + len(w.terms) + len(w.namespaces)
	if left != 0 || dir.Len() != 0 {
		t.Errorf("%d things are left of 50 deleted namespaces: %+v", left, dir)
	}
	dir.Put(nsOf("again", "t"))
	if len(dir.entries) != 50 {
		t.Errorf("%d places for namespaces, want the 50 to be used again", len(dir.entries))
	}
}
