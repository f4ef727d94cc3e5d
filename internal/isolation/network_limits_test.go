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
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

// hard returns a policy of so many peers that differ in a label of their own and in ports: subtracting those from what is
// open to all takes exponential time.
func hard(name string, peers int, rest string) *networkingv1.NetworkPolicy {
	var rules []string
	for i := range peers {
		rules = append(rules, fmt.Sprintf(`{from: [{namespaceSelector: {}, podSelector: {matchLabels: {key-%d: v}}}], ports: [{port: %d}]}`, i, i+1))
	}
	return netpol("shop-dev", name, `{policyTypes: [Ingress, Egress], ingress: [`+strings.Join(append(rules, rest), ", ")+`]}`)
}

func TestNetworkTooComplex(t *testing.T) {
	t.Parallel()
	const covering = `{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: last, operator: In, values: [a]}]}}]},
		{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: last, operator: NotIn, values: [a]}]}}]}`
	fence := func(peers int) []*networkingv1.NetworkPolicy {
		var out []*networkingv1.NetworkPolicy
		for i := range peers {
			out = append(out, netpol("shop-dev", fmt.Sprintf("fence-%d", i),
				fmt.Sprintf(`{podSelector: {matchLabels: {a%d: x, b%d: x, c%d: x}}, policyTypes: [Ingress, Egress]}`, i, i, i)))
		}
		return out
	}
	everybody := netpol("shop-dev", "open", `{ingress: [{from: [{namespaceSelector: {}}]}]}`)
	tests := map[string]struct {
		spec, live []*networkingv1.NetworkPolicy
		want       []string
	}{
		// What is open to all is found at once, however much the spec allows besides.
		"exposed all the same": {
			spec: []*networkingv1.NetworkPolicy{hard("spec", 40, `{ports: [{port: 60000}]}`)},
			live: []*networkingv1.NetworkPolicy{everybody},
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects any pod of shop-dev for Egress: all pods of shop-dev can reach " +
					"every pod in the cluster and any address (the cloud metadata address included) on all ports",
				"High NetworkPolicy open: NetworkPolicy shop-dev/open lets every pod in the cluster reach all pods of shop-dev on all ports",
			},
		},
		"not to be proven harmless": {
			spec: []*networkingv1.NetworkPolicy{hard("spec", 40, covering)},
			live: []*networkingv1.NetworkPolicy{netpol("shop-dev", "open",
				`{policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {}}]}]}`)},
			want: []string{
				"Critical NetworkPolicy open: NetworkPolicy shop-dev/open is too complex to be proven harmless: it may let everybody reach all pods of shop-dev",
			},
		},
		"gaps between very many policies": {
			spec: []*networkingv1.NetworkPolicy{netpol("shop-dev", "deny", `{policyTypes: [Ingress, Egress]}`)},
			live: fence(30),
			want: []string{
				"Critical Namespace shop-dev: no NetworkPolicy selects all pods of shop-dev for Egress: most pods of shop-dev can reach every pod in the cluster " +
					"and any address (the cloud metadata address included) on all ports",
				"Critical Namespace shop-dev: no NetworkPolicy selects all pods of shop-dev for Ingress: every pod in the cluster and any address can reach " +
					"most pods of shop-dev on all ports",
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := NetworkInput{Tenant: "shop", Namespace: "shop-dev", Spec: tc.spec, Live: tc.live}
			if diff := cmp.Diff(tc.want, netLines(Network(netScene{}.directory(), in))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNetworkManyLies: however many namespaces lie, the findings are bounded.
func TestNetworkManyLies(t *testing.T) {
	t.Parallel()
	s := netScene{}
	for i := range 3 * maxLies {
		s.put = append(s.put, nsOf(fmt.Sprintf("wares-%03d", i), "wares").with(v1alpha1.LabelTenant, "shop"))
	}
	found := Network(s.directory(), s.input(t))
	if len(found) != maxLies || found[0].Object.Name != "wares-000" || found[maxLies-1].Object.Name != "wares-031" {
		t.Errorf("%d findings, want the first %d: %v", len(found), maxLies, netLines(found))
	}
}

// TestNetworkMessages: names and lists of any length make sentences of at most 512 characters.
func TestNetworkMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	var peers []string
	for i := range 40 {
		peers = append(peers, fmt.Sprintf(`{from: [{namespaceSelector: {matchLabels: {%s/%s: %s-%d}}, podSelector: {matchLabels: {%s-%d/%s: %s}}}], ports: [{port: %d}]}`,
			long, long, long[:58], i, long[:58], i, long, long, i+1))
	}
	s := netScene{
		foreign: map[string]string{strings.Repeat("n", 253): `{podSelector: {matchLabels: {` + long + `/` + long + `: ` + long + `}}, ingress: [` + strings.Join(peers, ", ") + `]}`},
	}
	for i := range 40 {
		s.put = append(s.put, Namespace{Name: fmt.Sprintf("%s-%d", long[:58], i)}.with(long+"/"+long, fmt.Sprintf("%s-%d", long[:58], i)))
	}
	in := s.input(t)
	found := Network(s.directory(), in)
	if len(found) != 1 {
		t.Fatalf("%d findings, want 1: %v", len(found), netLines(found))
	}
	if n := utf8.RuneCountInString(found[0].Message); n > 512 || n < 400 {
		t.Errorf("a message of %d characters: %s", n, found[0].Message)
	}
}

// TestNetworkIsPure: whatever the order in which policies and namespaces come, the findings are the same, and what
// others share is left as it was.
func TestNetworkIsPure(t *testing.T) {
	t.Parallel()
	text := func(v any) string {
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	found := 0
	for seed := range uint64(300) {
		s := netstates.New(seed)
		c := newNetCluster(s)
		before, want := text(c.in), Network(c.dir, c.in)
		shuffled := c.in
		for _, list := range []*[]*networkingv1.NetworkPolicy{&shuffled.Spec, &shuffled.Live} {
			*list = append([]*networkingv1.NetworkPolicy{nil}, *list...)
			rand.New(s).Shuffle(len(*list), func(i, j int) { (*list)[i], (*list)[j] = (*list)[j], (*list)[i] })
		}
		dir := NewDirectory()
		names := netstates.Namespaces()
		s.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range append(names, names[:2]...) {
			e := c.dir.entries[c.dir.byName[name]]
			ns := Namespace{Name: name, Tenant: e.tenant, Labels: map[string]string{}, Intended: map[string]string{}}
			for _, l := range e.live {
				ns.Labels[l.key.Value()] = l.value.Value()
			}
			for _, l := range e.intended {
				ns.Intended[l.key.Value()] = l.value.Value()
			}
			dir.Put(Namespace{Name: name, Labels: map[string]string{"env": "before"}})
			dir.Put(ns)
		}
		if diff := cmp.Diff(want, Network(dir, shuffled)); diff != "" {
			t.Fatalf("seed %d: another order says something else (-want +got):\n%s", seed, diff)
		}
		if after := text(c.in); after != before {
			t.Fatalf("seed %d: the input was changed: %s, was %s", seed, after, before)
		}
		found += len(want)
	}
	if found < 100 {
		t.Errorf("only %d findings: the states are too tame to prove anything", found)
	}
}

// TestDirectoryConcurrently is for the race detector.
func TestDirectoryConcurrently(t *testing.T) {
	t.Parallel()
	s := netScene{foreign: openedBy(`{ingress: [{from: [{namespaceSelector: {matchLabels: {access: monitoring}}}]}]}`)}
	dir, in := s.directory(), s.input(t)
	want := netLines(Network(dir, in))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			name := fmt.Sprintf("wares-%d", i)
			for range 50 {
				dir.Put(nsOf(name, "wares").with("access", "monitoring"))
				Network(dir, in)
				Reachability(dir, nil, []string{"shop"})
				dir.Delete(name)
				dir.Forget(name)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(want, netLines(Network(dir, in))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestNetworkUnknownNamespace: a namespace that the directory doesn't know yet is judged all the same.
func TestNetworkUnknownNamespace(t *testing.T) {
	t.Parallel()
	s := netScene{foreign: openedBy(`{ingress: [{from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {access: monitoring}}}]}]}`)}
	dir := s.directory()
	dir.Delete("shop-dev")
	want := []string{"High NetworkPolicy open: NetworkPolicy shop-dev/open lets all pods of namespace monitoring reach all pods of shop-dev on all ports"}
	if diff := cmp.Diff(want, netLines(Network(dir, s.input(t)))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
