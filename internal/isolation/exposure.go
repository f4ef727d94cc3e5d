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
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// maxAnalysis bounds the steps of one analysis, all policies together: a tenth of a second or so. Policies that would
// take more count as too complex.
const maxAnalysis = 1 << 20

// A view is the cluster seen from one namespace. The directory is locked as long as there is a view of it.
type view struct {
	dir               *Directory
	tenant, namespace string
	// self is the namespace's number. Where the directory doesn't know it, it is unknown, and ghost stands in for it.
	self  int32
	ghost *entry
	// looked are the selectors of namespaces that were looked at, by their words.
	looked map[string]labelBox
	// tiers are the cluster policies that select the namespace; nil if none do.
	tiers *tierView
}

// unknown is the number of a namespace that the directory doesn't know.
const unknown int32 = -1

func newView(dir *Directory, tenant, namespace string) view {
	v := view{dir: dir, tenant: tenant, namespace: namespace, looked: map[string]labelBox{}}
	self, known := dir.byName[namespace]
	if v.self = self; !known {
		v.self = unknown
		v.ghost = newEntry(Namespace{Name: namespace, Tenant: tenant, Labels: map[string]string{v1alpha1.LabelTenant: tenant}})
	}
	v.tiers = newTierView(dir.tiers.of(v.entry()))
	return v
}

// entry is the namespace itself.
func (v *view) entry() *entry {
	if v.ghost != nil {
		return v.ghost
	}
	return v.dir.entries[v.self]
}

// peers returns the namespaces of the opening's pods, by the labels that namespaces have and by those that they are
// meant to have. It is true if no selector tells these from each other.
func (v *view) peers(o *opening) (live, intended coset[int32], honest bool) {
	honest = true
	if o.own {
		live = only(v.self)
		intended = live
	}
	for _, s := range o.selectors {
		if len(s) > 0 {
			v.looked[s.words()] = s
		}
		has, meant := v.dir.resolve(asLive, s), v.dir.resolve(asIntended, s)
		if v.ghost != nil && v.ghost.matches(asLive, s) {
			has, meant = has.union(only(unknown)), meant.union(only(unknown))
		}
		honest = honest && has.equal(meant)
		live, intended = live.union(has), intended.union(meant)
	}
	return live, intended, honest
}

// An analysis compares what is live in one namespace with what its spec allows.
type analysis struct {
	view
	spec, live []*networkingv1.NetworkPolicy
	// clusterSpec are the spec's cluster policies that are meant to select the namespace.
	clusterSpec []*clusterPolicy
	allowances  map[networkingv1.PolicyType]*allowance
	// budget is the number of steps left.
	budget int

	exposures []exposure
	// lies are namespaces whose labels let in or out more than those that they are meant to have.
	lies map[int32]*lie
	// clean says that nothing is live but what the spec says, and that the labels it looks at don't lie.
	clean bool
}

// An exposure is what one policy, or the lack of one, opens beyond the spec in one direction.
type exposure struct {
	direction networkingv1.PolicyType
	// policy or cluster is the live policy; both are nil if no policy selects the pods.
	policy  *networkingv1.NetworkPolicy
	cluster *clusterPolicy
	// targets are the pods of the namespace.
	targets []labelBox
	parts   []part
	// tooComplex says that some of it took too long to compare.
	tooComplex bool
}

// A part is what one opening opens beyond the spec.
type part struct {
	direction networkingv1.PolicyType
	target    labelBox
	opening   opening
	rest      []box
}

// A lie is what a namespace's labels open.
type lie struct {
	id    int32
	parts []part
}

// An allowance is what the spec allows in one direction; anyPort is the same on all ports.
type allowance struct{ boxes, anyPort []box }

func directions() []networkingv1.PolicyType {
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
}

func analyse(dir *Directory, in NetworkInput) *analysis {
	a := &analysis{
		view:       newView(dir, in.Tenant, in.Namespace),
		spec:       sortedPolicies(in.Spec),
		live:       sortedPolicies(in.Live),
		allowances: map[networkingv1.PolicyType]*allowance{},
		budget:     maxAnalysis,
		lies:       map[int32]*lie{},
		clean:      true,
	}
	a.clusterSpec = a.readClusterSpec(in.ClusterSpec)
	asSpec := map[*networkingv1.NetworkPolicy]bool{}
	for _, p := range a.live {
		asSpec[p] = a.asSpec(p)
		a.clean = a.clean && asSpec[p]
	}
	for _, d := range directions() {
		var selected []labelBox
		for _, p := range a.live {
			target, ok := a.policy(p, d, asSpec[p])
			if ok {
				selected = append(selected, target)
			}
		}
		a.clusterPolicies(d, a.gap(d, selected))
	}
	return a
}

// sortedPolicies returns the policies in the order of their names: what is too complex must not depend on the caller's
// order.
func sortedPolicies(in []*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	out := slices.DeleteFunc(slices.Clone(in), func(p *networkingv1.NetworkPolicy) bool { return p == nil })
	slices.SortStableFunc(out, func(a, b *networkingv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// asSpec says whether the live policy says what the spec's policy of that name says: then it opens nothing, but by
// labels that lie.
func (a *analysis) asSpec(live *networkingv1.NetworkPolicy) bool {
	i, found := slices.BinarySearchFunc(a.spec, live.Name, func(p *networkingv1.NetworkPolicy, name string) int {
		return cmp.Compare(p.Name, name)
	})
	return found && equality.Semantic.DeepEqual(a.spec[i].Spec, live.Spec)
}

// policy looks at what a live policy opens. It returns the pods that it selects, and whether it selects any.
func (a *analysis) policy(p *networkingv1.NetworkPolicy, d networkingv1.PolicyType, asSpec bool) (labelBox, bool) {
	rules, speaks := rulesOf(p, d)
	if !speaks {
		return nil, false
	}
	target, ok := isolates(p)
	if !ok {
		return nil, false
	}
	e := exposure{direction: d, policy: p, targets: []labelBox{target}}
	for _, r := range rules {
		for _, o := range r.openings() {
			live, intended, honest := a.peers(&o)
			a.clean = a.clean && honest
			if !asSpec {
				a.compare(&e, target, o, live.intersect(intended), tierAdmin)
			}
			if lying := live.minus(intended); !lying.empty() {
				a.lying(part{direction: d, target: target, opening: o}, lying, func(boxes []box) []box {
					rest, _ := a.undecided(tierAdmin, d, boxes)
					return rest
				})
			}
		}
	}
	a.keep(e)
	return target, true
}

// compare adds to the exposure what of the opening the spec doesn't allow, and the tiers don't decide.
func (a *analysis) compare(e *exposure, target labelBox, o opening, namespaces coset[int32], tiers tier) {
	rest, complete := a.beyond(e.direction, o.boxes(target, namespaces))
	rest, less := a.undecided(tiers, e.direction, rest)
	if less {
		o = o.narrowed(rest)
	}
	e.add(target, o, rest)
	e.tooComplex = e.tooComplex || !complete
}

func (a *analysis) keep(e exposure) {
	if len(e.parts) > 0 || e.tooComplex {
		a.exposures = append(a.exposures, e)
	}
}

// lying notes what an opening opens to namespaces by labels that they aren't meant to have, as far as it gets through.
func (a *analysis) lying(p part, namespaces coset[int32], through func([]box) []box) {
	boxes := p.opening.boxes(p.target, namespaces)
	rest, complete := a.beyond(p.direction, boxes)
	if !complete {
		rest = boxes
	}
	rest = through(rest)
	open := coset[int32]{}
	for i := range rest {
		open = open.union(rest[i].namespaces)
	}
	for _, id := range open.items {
		if a.lies[id] == nil {
			a.lies[id] = &lie{id: id}
		}
		one := p
		for _, b := range rest {
			if b.namespaces.has(id) {
				b.namespaces = only(id)
				one.rest = append(one.rest, b)
			}
		}
		a.lies[id].parts = append(a.lies[id].parts, one)
	}
}

// gap looks at the pods that no live policy selects: everything is open to them that no tier decides. It returns those
// pods.
func (a *analysis) gap(d networkingv1.PolicyType, selected []labelBox) []labelBox {
	if slices.ContainsFunc(selected, func(b labelBox) bool { return len(b) == 0 }) {
		return nil
	}
	free, complete := subtractLabels(nil, selected, &a.budget)
	if complete && len(free) == 0 {
		return nil
	}
	a.clean = false
	e := exposure{direction: d, targets: free, tooComplex: !complete}
	for _, o := range everybody([]region{allPorts()}) {
		for _, target := range free {
			a.compare(&e, target, o, everything[int32](), tierAdmin|tierBaseline)
		}
	}
	a.keep(e)
	if !complete {
		return []labelBox{nil}
	}
	return free
}

// beyond returns disjoint boxes that make up what of these the spec doesn't allow. If that takes too long, it is false,
// unless something was found: then the whole box counts as not allowed.
func (a *analysis) beyond(d networkingv1.PolicyType, boxes []box) (rest []box, complete bool) {
	complete = true
	for _, b := range boxes {
		left, all := subtract(b, a.allowed(d).boxes, maxBoxes, &a.budget)
		switch {
		case all:
			rest = append(rest, left...)
		case len(left) > 0:
			rest = append(rest, b)
		default:
			complete = false
		}
	}
	return rest, complete
}

// onlyPorts says whether the spec allows all of this on at least one port.
func (a *analysis) onlyPorts(d networkingv1.PolicyType, b box) bool {
	_, covered := subtract(b, a.allowed(d).anyPort, 0, &a.budget)
	return covered
}

// allowed returns what the spec allows. Whatever is too complex in it isn't allowed.
func (a *analysis) allowed(d networkingv1.PolicyType) *allowance {
	if known := a.allowances[d]; known != nil {
		return known
	}
	out := &allowance{}
	var selected []labelBox
	for _, p := range a.spec {
		rules, speaks := rulesOf(p, d)
		target, ok := isolates(p)
		if !speaks || !ok {
			continue
		}
		selected = append(selected, target)
		for _, r := range rules {
			for _, o := range r.openings() {
				_, intended, honest := a.peers(&o)
				a.clean = a.clean && honest
				out.boxes = append(out.boxes, o.boxes(target, intended)...)
			}
		}
	}
	// What is left out because it would take too long is not allowed then: that can only add findings.
	free, _ := subtractLabels(nil, selected, &a.budget)
	for _, o := range everybody([]region{allPorts()}) {
		for _, target := range free {
			out.boxes = append(out.boxes, o.boxes(target, everything[int32]())...)
		}
	}
	out.boxes = append(out.boxes, a.specAccepts(d)...)
	for _, b := range out.boxes {
		b.ports = allPorts()
		out.anyPort = append(out.anyPort, b)
	}
	a.allowances[d] = out
	return out
}
