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
	"cmp"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// PartyKind says what a party is.
type PartyKind string

const (
	// PartyTenant is the pods of a tenant.
	PartyTenant PartyKind = "Tenant"
	// PartyUnowned is the pods of the namespaces that are nobody's.
	PartyUnowned PartyKind = "Unowned"
	// PartyAddresses is what isn't a pod.
	PartyAddresses PartyKind = "Addresses"
)

// A Party is one end of a connection.
type Party struct {
	Kind PartyKind `json:"kind"`
	// Tenant is the tenant's name; empty for the other kinds.
	Tenant string `json:"tenant,omitempty"`
}

// Extent says how many of the pods of two parties a connection is possible for.
type Extent string

const (
	// ExtentAll is that every pod of the one can reach every pod of the other, on some port at least. An address isn't
	// asked for: all pods can reach, or be reached from, the addresses named.
	ExtentAll Extent = "All"
	// ExtentSome is that pods with certain labels, or of certain namespaces, can.
	ExtentSome Extent = "Some"
)

// A Reach is that pods of one party can reach those of another: the policies at both ends allow it.
type Reach struct {
	From Party  `json:"from"`
	To   Party  `json:"to"`
	Pods Extent `json:"pods"`
	// Ports says in words which ports, taken together over all pods.
	Ports string `json:"ports"`
	// Addresses says in words which addresses, if one of the parties is addresses.
	Addresses string `json:"addresses,omitempty"`
	// FromNamespaces and ToNamespaces are where the pods are that can connect and be connected to, sorted.
	FromNamespaces []string `json:"fromNamespaces,omitempty"`
	ToNamespaces   []string `json:"toNamespaces,omitempty"`
}

// A Matrix says who can reach whom. A pair that isn't listed can't connect.
type Matrix struct {
	// Rows are sorted by From, then To: tenants by name, then unowned namespaces, then addresses.
	Rows []Reach `json:"rows"`
}

// Reachability returns the pairs of different parties that can connect by what is live, of which at least one is among
// the tenants; of all tenants if none are given. live are all NetworkPolicies of the cluster by namespace; the cluster
// policies are those that the directory was told of. What is too
// complex to be taken apart counts as open. It takes time for every two namespaces that can connect.
func Reachability(dir *Directory, live map[string][]*networkingv1.NetworkPolicy, tenants []string) Matrix {
	dir.mu.RLock()
	defer dir.mu.RUnlock()
	m := newCrossing(dir, tenants)
	for _, name := range slices.Sorted(maps.Keys(dir.byName)) {
		m.gates = append(m.gates, newGate(dir, dir.byName[name], sortedPolicies(live[name])))
	}
	for i := range m.gates {
		m.outside(&m.gates[i])
		for j := range m.gates {
			m.inside(&m.gates[i], &m.gates[j])
		}
	}
	return m.matrix()
}

// A gate is what a namespace lets in and out.
type gate struct {
	id              int32
	name            string
	party           Party
	ingress, egress []box
	// to are the namespaces to which something may go out.
	to coset[int32]
}

func newGate(dir *Directory, id int32, live []*networkingv1.NetworkPolicy) gate {
	e := dir.entries[id]
	g := gate{id: id, name: e.name, party: Party{Kind: PartyTenant, Tenant: e.tenant}}
	if e.tenant == "" {
		g.party.Kind = PartyUnowned
	}
	v := newView(dir, e.tenant, e.name)
	g.ingress = v.open(live, networkingv1.PolicyTypeIngress)
	g.egress = v.open(live, networkingv1.PolicyTypeEgress)
	for i := range g.egress {
		g.to = g.to.union(g.egress[i].namespaces)
	}
	return g
}

// open returns what the policies leave open in one direction, by the labels that namespaces have.
func (v *view) open(policies []*networkingv1.NetworkPolicy, d networkingv1.PolicyType) []box {
	var out []box
	var selected []labelBox
	for _, p := range policies {
		rules, speaks := rulesOf(p, d)
		target, ok := isolates(p)
		if !speaks || !ok {
			continue
		}
		selected = append(selected, target)
		for _, r := range rules {
			for _, o := range r.openings() {
				namespaces, _, _ := v.peers(&o)
				out = append(out, o.boxes(target, namespaces)...)
			}
		}
	}
	out, _ = v.undecided(tierAdmin, d, out)
	budget := maxSteps
	free, complete := subtractLabels(nil, selected, &budget)
	if !complete {
		free = []labelBox{nil}
	}
	for _, o := range everybody([]region{allPorts()}) {
		for _, target := range free {
			open, _ := v.undecided(tierAdmin|tierBaseline, d, o.boxes(target, everything[int32]()))
			out = append(out, open...)
		}
	}
	if v.tiers != nil {
		out = append(out, v.tiersOpen(d, free)...)
	}
	return out
}

// A crossing gathers who can reach whom.
type crossing struct {
	wanted map[string]bool
	gates  []gate
	// sizes are the numbers of namespaces of the parties.
	sizes map[Party]int
	pairs map[[2]Party]*pair
}

// A pair is what is known of two parties.
type pair struct {
	ports    []region
	outside  addresses
	from, to map[string]struct{}
	// full is the number of pairs of namespaces, or of namespaces if the other party is addresses, of which all pods can.
	full int
}

func newCrossing(dir *Directory, tenants []string) *crossing {
	c := &crossing{wanted: map[string]bool{}, sizes: map[Party]int{{Kind: PartyAddresses}: 1}, pairs: map[[2]Party]*pair{}}
	for _, t := range tenants {
		c.wanted[t] = true
	}
	for _, id := range dir.byName {
		p := Party{Kind: PartyTenant, Tenant: dir.entries[id].tenant}
		if p.Tenant == "" {
			p.Kind = PartyUnowned
		}
		c.sizes[p]++
	}
	return c
}

func (c *crossing) wants(from, to Party) bool {
	one := func(p Party) bool { return p.Kind == PartyTenant && (len(c.wanted) == 0 || c.wanted[p.Tenant]) }
	return from != to && (one(from) || one(to))
}

func (c *crossing) pair(from, to Party) *pair {
	key := [2]Party{from, to}
	if c.pairs[key] == nil {
		c.pairs[key] = &pair{from: map[string]struct{}{}, to: map[string]struct{}{}}
	}
	return c.pairs[key]
}

// inside notes how pods of the one namespace can reach pods of the other.
func (c *crossing) inside(from, to *gate) {
	if !from.to.has(to.id) || !c.wants(from.party, to.party) {
		return
	}
	// A link's target is the pods that are connected to, its pods those that connect.
	var links []box
	for i := range from.egress {
		out := &from.egress[i]
		if out.outside != nil || !out.namespaces.has(to.id) {
			continue
		}
		for j := range to.ingress {
			in := &to.ingress[j]
			if in.outside == nil && in.namespaces.has(from.id) && in.target.overlaps(out.pods) &&
				in.pods.overlaps(out.target) && in.ports.overlaps(out.ports) {
				links = append(links, box{
					target: in.target.intersect(out.pods), pods: in.pods.intersect(out.target),
					namespaces: everything[int32](), ports: in.ports.intersect(out.ports),
				})
			}
		}
	}
	if len(links) == 0 {
		return
	}
	p := c.pair(from.party, to.party)
	p.from[from.name], p.to[to.name] = struct{}{}, struct{}{}
	p.add(links)
}

// outside notes how pods of the namespace can reach addresses, and addresses them.
func (c *crossing) outside(g *gate) {
	addressed := Party{Kind: PartyAddresses}
	if !c.wants(g.party, addressed) {
		return
	}
	for _, way := range []struct {
		boxes    []box
		from, to Party
	}{{g.ingress, addressed, g.party}, {g.egress, g.party, addressed}} {
		var links []box
		for _, b := range way.boxes {
			if b.outside != nil {
				links = append(links, b)
			}
		}
		if len(links) == 0 {
			continue
		}
		p := c.pair(way.from, way.to)
		if way.from == addressed {
			p.to[g.name] = struct{}{}
		} else {
			p.from[g.name] = struct{}{}
		}
		for i := range links {
			p.outside = p.outside.union(links[i].outside)
			links[i].outside, links[i].namespaces = nil, everything[int32]()
		}
		p.add(links)
	}
}

func (p *pair) add(links []box) {
	everyone := box{namespaces: everything[int32](), ports: allPorts()}
	for i := range links {
		p.ports = append(p.ports, links[i].ports)
		links[i].ports = allPorts()
	}
	p.ports = joinRegions(p.ports)
	budget := maxSteps
	if _, covered := subtract(everyone, links, 0, &budget); covered {
		p.full++
	}
}

func (c *crossing) matrix() Matrix {
	out := Matrix{Rows: []Reach{}}
	for key, p := range c.pairs {
		r := Reach{
			From: key[0], To: key[1], Pods: ExtentSome, Ports: regionWords(p.ports),
			FromNamespaces: slices.Sorted(maps.Keys(p.from)), ToNamespaces: slices.Sorted(maps.Keys(p.to)),
		}
		if p.full == c.sizes[r.From]*c.sizes[r.To] {
			r.Pods = ExtentAll
		}
		if len(p.outside) > 0 {
			r.Addresses = addressWords(p.outside)
		}
		out.Rows = append(out.Rows, r)
	}
	slices.SortFunc(out.Rows, func(a, b Reach) int { return cmp.Or(a.From.compare(b.From), a.To.compare(b.To)) })
	return out
}

func (p Party) compare(o Party) int {
	order := []PartyKind{PartyTenant, PartyUnowned, PartyAddresses}
	return cmp.Or(cmp.Compare(slices.Index(order, p.Kind), slices.Index(order, o.Kind)), cmp.Compare(p.Tenant, o.Tenant))
}
