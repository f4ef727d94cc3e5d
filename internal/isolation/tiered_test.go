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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

// TestPutClusterPolicy: a policy is told to those that it selects or did, and to nobody if it says what it said.
func TestPutClusterPolicy(t *testing.T) {
	t.Parallel()
	const (
		shops = `{tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`
		all   = `{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`
	)
	dir := netScene{}.directory()
	put := func(u *unstructured.Unstructured) []string {
		again, err := dir.PutClusterPolicy(u)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	a := tierText{"ClusterNetworkPolicy", "a", shops}.object(t)
	expect("new", put(a), "shop-dev", "shop-prod")
	a.SetResourceVersion("2")
	a.Object["status"] = map[string]any{"conditions": []any{}}
	expect("its status changed", put(a))
	expect("it selects more", put(tierText{"ClusterNetworkPolicy", "a", all}.object(t)),
		"bank-dev", "bank-prod", "shop-dev", "shop-prod", "wares-dev")
	expect("it selects less again", put(a), "bank-dev", "bank-prod", "shop-dev", "shop-prod", "wares-dev")
	expect("another one that selects a pod's labels only", put(tierText{"AdminNetworkPolicy", "a",
		`{priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank-dev}}, podSelector: {}}}}`}.object(t)), "bank-dev")
	expect("one that selects nobody", put(tierText{"AdminNetworkPolicy", "b",
		`{priority: 1, subject: {namespaces: {matchExpressions: [{key: a, operator: In, values: [b]}, {key: a, operator: DoesNotExist}]}}}`}.object(t)))
	expect("a namespace that moves out of a subject", dir.Put(Namespace{Name: "bank-dev", Tenant: "shop", Labels: map[string]string{"tenancy.bulkhead.dev/tenant": "shop"}}), "bank-dev")
	kind := schema.GroupKind{Group: tierGroup, Kind: "ClusterNetworkPolicy"}
	expect("of another group", dir.DeleteClusterPolicy(schema.GroupKind{Group: "networking.k8s.aws", Kind: kind.Kind}, "a"))
	expect("gone", dir.DeleteClusterPolicy(kind, "a"), "bank-dev", "shop-dev", "shop-prod")
	expect("gone already", dir.DeleteClusterPolicy(kind, "a"))
	dir.DeleteClusterPolicy(schema.GroupKind{Group: tierGroup, Kind: "AdminNetworkPolicy"}, "a")
	dir.DeleteClusterPolicy(schema.GroupKind{Group: tierGroup, Kind: "AdminNetworkPolicy"}, "b")
	if left := len(dir.tiers.policies) + len(dir.tiers.byLabel) + len(dir.tiers.general); left > 0 {
		t.Errorf("%d things are left of policies that are gone: %+v", left, dir.tiers)
	}
}

// TestClusterPolicyKinds: what merely has the name of a kind is another API.
func TestClusterPolicyKinds(t *testing.T) {
	t.Parallel()
	var names []string
	for _, api := range ClusterPolicyAPIs() {
		names = append(names, api.GroupVersionKind.Version+" "+api.Resource)
	}
	if d := cmp.Diff([]string{
		"v1alpha1 adminnetworkpolicies.policy.networking.k8s.io", "v1alpha1 baselineadminnetworkpolicies.policy.networking.k8s.io",
		"v1alpha2 clusternetworkpolicies.policy.networking.k8s.io",
	}, names); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	tests := map[string]*unstructured.Unstructured{
		"nil":           nil,
		"empty":         {},
		"AWS's":         {Object: map[string]any{"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ClusterNetworkPolicy", "metadata": map[string]any{"name": "a"}}},
		"Antrea's":      {Object: map[string]any{"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": map[string]any{"name": "a"}}},
		"other version": {Object: map[string]any{"apiVersion": "policy.networking.k8s.io/v2", "kind": "ClusterNetworkPolicy", "metadata": map[string]any{"name": "a"}}},
		"no name":       {Object: map[string]any{"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy"}},
	}
	for name, u := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := netScene{}.directory()
			if again, err := dir.PutClusterPolicy(u); err == nil || again != nil || len(dir.tiers.policies) > 0 {
				t.Errorf("%v, %v", again, err)
			}
			if _, err := ClusterPolicyDoubts(u); err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestClusterSpec: what the spec's own cluster policy accepts is allowed, and what someone made of it isn't.
func TestClusterSpec(t *testing.T) {
	t.Parallel()
	spec := func(port int) tierText {
		return tierText{"ClusterNetworkPolicy", "bulkhead-shop", fmt.Sprintf(`{tier: Admin, priority: 50,
			subject: {namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: shop}}},
			ingress: [{action: Accept, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], protocols: [{tcp: {destinationPort: {number: %d}}}]},
				{action: Deny, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]},
				{action: Accept, from: [{namespaces: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [bank, wares]}]}}], protocols: [{tcp: {destinationPort: {number: 1}}}]}]}`, port)}
	}
	in := netScene{}.input(t)
	in.ClusterSpec = []*unstructured.Unstructured{spec(9090).object(t), nil}
	for port, want := range map[int][]string{
		9090: nil,
		9091: {"Medium ClusterNetworkPolicy bulkhead-shop: ClusterNetworkPolicy bulkhead-shop lets all pods of namespace monitoring reach all pods of shop-dev on TCP 9091"},
	} {
		dir := netScene{}.directory()
		if _, err := dir.PutClusterPolicy(spec(port).object(t)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, netLines(Network(dir, in))); d != "" {
			t.Errorf("port %d (-want +got):\n%s", port, d)
		}
	}
}

// TestClusterPolicyObject: a finding names the policy as an object of the cluster.
func TestClusterPolicyObject(t *testing.T) {
	t.Parallel()
	dir := netScene{}.directory()
	if _, err := dir.PutClusterPolicy(tierText{"AdminNetworkPolicy", strings.Repeat("a", 100), `{priority: 1, subject: {namespaces: {}}, strange: {},
		ingress: [{action: Allow, from: [{namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}]}]}`}.object(t)); err != nil {
		t.Fatal(err)
	}
	found := Network(dir, netScene{}.input(t))
	if len(found) != 1 {
		t.Fatalf("%v, want one finding", found)
	}
	want := v1alpha1.ObjectReference{Group: "policy.networking.k8s.io", Kind: "AdminNetworkPolicy", Name: strings.Repeat("a", 100)}
	if d := cmp.Diff(want, found[0].Object); d != "" || found[0].Namespace != "shop-dev" || found[0].Type != v1alpha1.FindingNetworkExposure ||
		!strings.HasSuffix(found[0].Message, `(taken as open, since it can't be read: spec has the unknown field "strange")`) {
		t.Errorf("%+v, -want +got:\n%s", found[0], d)
	}
}

// TestReachabilityOfTiers: the tiers count at both ends.
func TestReachabilityOfTiers(t *testing.T) {
	t.Parallel()
	live := map[string][]*networkingv1.NetworkPolicy{}
	for name, tenant := range map[string]string{"shop-dev": "shop", "shop-prod": "shop", "bank-dev": "bank", "bank-prod": "bank", "wares-dev": "wares"} {
		live[name] = renderedWalls(t, tenant, name, `{dns: None}`)
	}
	const (
		in  = `{tier: Admin, priority: 2, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: shop-dev}}}, ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 90}}}}]}]}`
		out = `{tier: Admin, priority: 2, subject: {namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: bank}}}, egress: [{action: Accept, to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 85, end: 95}}}}]}]}`
		not = `{tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: bank-prod}}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}`
	)
	tests := map[string]struct {
		tiers []tierText
		want  []string
	}{
		"one end alone":              {[]tierText{{"ClusterNetworkPolicy", "out", out}}, []string{"Tenantbank [bank-dev bank-prod] -> Unowned [kube-system monitoring]: All on TCP 85-95 []"}},
		"both ends":                  {[]tierText{{"ClusterNetworkPolicy", "in", in}, {"ClusterNetworkPolicy", "out", out}}, []string{"Tenantbank [bank-dev bank-prod] -> Tenantshop [shop-dev]: Some on TCP 85-90 []", "Tenantbank [bank-dev bank-prod] -> Unowned [kube-system monitoring]: All on TCP 85-95 []"}},
		"a Deny for one of them":     {[]tierText{{"ClusterNetworkPolicy", "in", in}, {"ClusterNetworkPolicy", "out", out}, {"ClusterNetworkPolicy", "not", not}}, []string{"Tenantbank [bank-dev] -> Tenantshop [shop-dev]: Some on TCP 85-90 []", "Tenantbank [bank-dev] -> Unowned [kube-system monitoring]: Some on TCP 85-95 []"}},
		"the other end denies":       {[]tierText{{"ClusterNetworkPolicy", "out", out}, {"ClusterNetworkPolicy", "in", strings.Replace(in, "Accept", "Deny", 1)}}, []string{"Tenantbank [bank-dev bank-prod] -> Unowned [kube-system monitoring]: All on TCP 85-95 []"}},
		"pods by their addresses":    {[]tierText{{"ClusterNetworkPolicy", "out", strings.Replace(out, "namespaces: {}", "networks: [10.0.0.0/8]", 1)}}, []string{"Tenantbank [bank-dev bank-prod] -> Unowned [kube-system monitoring]: All on TCP 85-95 []", "Tenantbank [bank-dev bank-prod] -> Addresses []: All on TCP 85-95 [addresses 10.0.0.0/8]"}},
		"a Deny of who isn't walled": {[]tierText{{"ClusterNetworkPolicy", "out", out}, {"BaselineAdminNetworkPolicy", "default", `{subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`}}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := netScene{}.directory()
			for _, p := range tc.tiers {
				if _, err := dir.PutClusterPolicy(p.object(t)); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(tc.want, matrixLines(Reachability(dir, live, []string{"bank"}))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestTierDependentsAreEnough changes namespaces and cluster policies at random and asks again only where the directory
// says so: what was last said must be what a new directory says.
func TestTierDependentsAreEnough(t *testing.T) {
	t.Parallel()
	asked, spared := 0, 0
	for seed := range uint64(25) {
		s := tierSource{Source: netstates.New(seed), ranges: true}
		dir, namespaces, policies := NewDirectory(), map[string]Namespace{}, map[string]*unstructured.Unstructured{}
		inputs, said := map[string]NetworkInput{}, map[string][]string{}
		for range 25 {
			var again []string
			if s.One(2) {
				p := s.policy(s.IntN(3), "ClusterNetworkPolicy")
				u := p.object(t)
				if name := u.GetName(); s.One(3) {
					again = dir.DeleteClusterPolicy(u.GroupVersionKind().GroupKind(), name)
					delete(policies, name)
				} else {
					policies[name] = u
					again, _ = dir.PutClusterPolicy(u)
				}
			} else {
				ns := Namespace{Name: netstates.Pick(s.Source, netstates.Namespaces()...), Tenant: netstates.Pick(s.Source, "shop", "bank"), Labels: s.NamespaceLabels()}
				namespaces[ns.Name] = ns
				again = append(dir.Put(ns), ns.Name)
				in := NetworkInput{Tenant: ns.Tenant, Namespace: ns.Name, Spec: s.Policies(ns.Name, 2)}
				if in.Live = in.Spec; s.One(2) {
					in.Live = append(slices.Clone(in.Spec), s.Policy(ns.Name, "foreign"))
				}
				inputs[ns.Name] = in
			}
			for _, name := range again {
				said[name] = netLines(Network(dir, inputs[name]))
			}
			fresh := NewDirectory()
			for _, ns := range namespaces {
				fresh.Put(ns)
			}
			for _, u := range policies {
				if _, err := fresh.PutClusterPolicy(u); err != nil {
					t.Fatal(err)
				}
			}
			for name, in := range inputs {
				if d := cmp.Diff(said[name], netLines(Network(fresh, in))); d != "" {
					t.Fatalf("seed %d: %s wasn't among %v and now says (-last +now):\n%s", seed, name, again, d)
				}
			}
			asked, spared = asked+len(again), spared+len(inputs)-len(again)
		}
	}
	t.Logf("asked again %d times, and %d times not", asked, spared)
	if spared < asked/4 {
		t.Error("nearly everybody is asked")
	}
}

// TestTiersOfOthers: in a town where each tenant has a policy, a namespace looks at its own tenant's and those for all.
func TestTiersOfOthers(t *testing.T) {
	t.Parallel()
	town := newTown(t, 20, 3)
	for i := range 20 {
		tenant, _ := townNames(i, 0)
		again, err := town.dir.PutClusterPolicy(townTier(tenant).object(t))
		if err != nil || len(again) != 3 {
			t.Fatalf("%v, %v; want the tenant's 3 namespaces", again, err)
		}
	}
	for _, in := range town.inputs {
		if found := Network(town.dir, in); len(found) > 0 {
			t.Errorf("%s: %v", in.Namespace, found)
		}
		v := newView(town.dir, in.Tenant, in.Namespace)
		if n := len(v.tiers.policies); n != 1 {
			t.Errorf("%s looks at %d policies, want its tenant's", in.Namespace, n)
		}
	}
	if v := newView(town.dir, "", "kube-system"); v.tiers != nil {
		t.Errorf("%d policies select what is nobody's", len(v.tiers.policies))
	}
}

// townTier denies a tenant's namespaces what isn't its own.
func townTier(tenant string) tierText {
	return tierText{"ClusterNetworkPolicy", tenant, fmt.Sprintf(`{tier: Admin, priority: 50, subject: {namespaces: {matchLabels: {tenancy.bulkhead.dev/tenant: %s}}},
		ingress: [{action: Pass, from: [{namespaces: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [%s, tenant-0]}]}}]}, {action: Deny, from: [{namespaces: {}}]}]}`, tenant, tenant)}
}

// BenchmarkNetworkTiers is BenchmarkNetworkOneChange's "open" where each of the 1,000 tenants has a cluster policy, which
// denies what was opened to pods.
func BenchmarkNetworkTiers(b *testing.B) {
	t := newTown(b, 1000, 3)
	for i := range 1000 {
		tenant, _ := townNames(i, 0)
		if _, err := t.dir.PutClusterPolicy(townTier(tenant).object(b)); err != nil {
			b.Fatal(err)
		}
	}
	in := t.inputs[1500]
	in.Live = append(slices.Clone(in.Live), netpol(in.Namespace, "foreign", `{ingress: [{}]}`))
	for b.Loop() {
		if found := Network(t.dir, in); len(found) != 1 || !strings.Contains(found[0].Message, "any address on all ports") {
			b.Fatal(found)
		}
	}
}

// FuzzClusterPolicy: no object makes the reader, or the analysis, panic; and one that it doesn't doubt is read the same
// when it is read again.
func FuzzClusterPolicy(f *testing.F) {
	for seed := range uint64(30) {
		s := tierSource{Source: netstates.New(seed), ranges: true, loose: true}
		p := s.policy(0, "ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy")
		text, err := p.object(f).MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		for _, change := range []string{`"spec":[]`, `"spec":{"subject":1,"ingress":{},"egress":[null,1,{"to":[{"networks":[1]}]}],"priority":0.5}`} {
			f.Add([]byte(strings.Replace(string(text), `"spec":`, change+`,"was":`, 1)))
		}
	}
	scene := netScene{}.input(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		u := &unstructured.Unstructured{}
		if u.UnmarshalJSON(text) != nil {
			return
		}
		dir := netScene{}.directory()
		if _, err := dir.PutClusterPolicy(u); err != nil {
			return
		}
		if again, _ := dir.PutClusterPolicy(u.DeepCopy()); again != nil {
			t.Errorf("read twice it is news: %v", again)
		}
		doubts, err := ClusterPolicyDoubts(u)
		if err != nil || len(doubts) > maxDoubts {
			t.Errorf("%v, %v", doubts, err)
		}
		Network(dir, scene)
	})
}
