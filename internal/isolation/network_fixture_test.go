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
	"maps"
	"net/netip"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
)

// netpol returns a policy whose spec is the text. The text is the test's own: a mistake in it stops the test.
func netpol(namespace, name, spec string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		panic(err)
	}
	return p
}

// renderedWalls returns the policies that the network room renders for the block, in the namespace of the tenant.
func renderedWalls(tb testing.TB, tenant, namespace, block string) []*networkingv1.NetworkPolicy {
	tb.Helper()
	f := feature.Facts{Tenant: tenant, Namespace: namespace, Cluster: feature.ClusterFacts{
		DNS:       feature.DNS{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53}},
		APIServer: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:6443")},
	}}
	if err := yaml.UnmarshalStrict([]byte(block), &f.Policy.Network); err != nil {
		tb.Fatal(err)
	}
	rooms := features.All()
	room := rooms[slices.IndexFunc(rooms, func(r feature.Feature) bool { return r.Name() == "network" })]
	result, err := room.Render(f)
	if err != nil {
		tb.Fatal(err)
	}
	var out []*networkingv1.NetworkPolicy
	for _, wall := range result.Walls {
		text, err := json.Marshal(wall)
		if err != nil {
			tb.Fatal(err)
		}
		p := &networkingv1.NetworkPolicy{}
		if err := json.Unmarshal(text, p); err != nil {
			tb.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// nsOf is a namespace of the tenant whose labels are what they are meant to be.
func nsOf(name, tenant string) Namespace {
	labels := map[string]string{v1alpha1.LabelTenant: tenant}
	return Namespace{Name: name, Tenant: tenant, Labels: labels, Intended: labels}
}

// with returns the namespace with one more live label.
func (ns Namespace) with(key, value string) Namespace {
	labels := maps.Clone(ns.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	ns.Labels = labels
	return ns
}

// meant returns the namespace with one more intended label.
func (ns Namespace) meant(key, value string) Namespace {
	labels := maps.Clone(ns.Intended)
	labels[key] = value
	ns.Intended = labels
	return ns
}

// A netScene is tenant shop with the namespace shop-dev, which is judged, and its surroundings: shop-prod; tenants bank
// (bank-dev, bank-prod) and wares (wares-dev); and kube-system and monitoring, which are nobody's.
type netScene struct {
	// spec is the network block of the tenant.
	spec string
	// drop are the managed policies that are gone; "*" are all of them.
	drop []string
	// edit are managed policies with another spec than they should have, foreign are those that others made.
	edit, foreign map[string]string
	// put are namespaces that are there besides, or are otherwise.
	put []Namespace
}

func (s netScene) directory() *Directory {
	dir := NewDirectory()
	for _, ns := range []Namespace{
		nsOf("shop-dev", "shop"), nsOf("shop-prod", "shop"), nsOf("bank-dev", "bank"), nsOf("bank-prod", "bank"),
		nsOf("wares-dev", "wares"), {Name: "kube-system"},
		{Name: "monitoring", Labels: map[string]string{"access": "monitoring"}},
	} {
		dir.Put(ns)
	}
	for _, ns := range s.put {
		dir.Put(ns)
	}
	return dir
}

func (s netScene) input(tb testing.TB) NetworkInput {
	tb.Helper()
	in := NetworkInput{Tenant: "shop", Namespace: "shop-dev", Spec: renderedWalls(tb, "shop", "shop-dev", s.spec)}
	for _, p := range in.Spec {
		if slices.Contains(s.drop, p.Name) || slices.Contains(s.drop, "*") {
			continue
		}
		p = p.DeepCopy()
		if text, edited := s.edit[p.Name]; edited {
			p = netpol(p.Namespace, p.Name, text)
		}
		in.Live = append(in.Live, p)
	}
	for name, text := range s.foreign {
		in.Live = append(in.Live, netpol("shop-dev", name, text))
	}
	return in
}

// netLines returns the findings as "severity: message", with what they are about where the message doesn't begin with it.
func netLines(findings []v1alpha1.IsolationFinding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s %s: %s", f.Severity, f.Object.Kind, f.Object.Name, f.Message))
	}
	return out
}
