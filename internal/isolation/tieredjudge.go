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
	"reflect"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// readClusterSpec returns the spec's cluster policies that are meant to select the namespace, in their order. What is
// none is left out: it allows nothing.
func (a *analysis) readClusterSpec(objects []*unstructured.Unstructured) []*clusterPolicy {
	if len(objects) == 0 {
		return nil
	}
	x := newTierIndex()
	for _, u := range objects {
		if p, err := readClusterPolicy(u); err == nil && !p.nobody && a.entry().matches(asIntended, p.namespaces) {
			x.policies[p.key()] = p
		}
	}
	return x.sorted()
}

// specified says whether the live policy says what the spec's policy of that name says.
func (a *analysis) specified(live *clusterPolicy) bool {
	for _, p := range a.clusterSpec {
		if p.key() == live.key() {
			return reflect.DeepEqual(p, live)
		}
	}
	return false
}

// specAccepts returns what the spec's cluster policies let pass for certain, by the labels that namespaces are meant to
// have. What the spec's own Deny and Pass rules may take away first isn't allowed by it.
func (a *analysis) specAccepts(d networkingv1.PolicyType) []box {
	var out []box
	for _, in := range []tier{tierAdmin, tierBaseline} {
		steps := stepsOf(a.clusterSpec, in, d)
		for i := range steps {
			s := &steps[i]
			if s.rule.action != accept {
				continue
			}
			var first []box
			for j := range steps {
				if other := &steps[j]; other.rule.action != accept && !s.precedes(other) {
					first = append(first, a.mayMatch(other)...)
				}
			}
			for j := range s.rule.must {
				o := &s.rule.must[j]
				_, intended, honest := a.peers(o)
				a.clean = a.clean && honest
				for _, b := range o.boxes(s.policy.pods, intended) {
					if rest, complete := subtract(b, first, maxBoxes, &a.budget); complete {
						out = append(out, rest...)
					}
				}
			}
		}
	}
	return out
}

// clusterPolicies looks at what the cluster policies let pass in one direction. The free pods are those that no live
// NetworkPolicy selects.
func (a *analysis) clusterPolicies(d networkingv1.PolicyType, free []labelBox) {
	if a.tiers == nil {
		return
	}
	found := map[*clusterPolicy]*exposure{}
	for _, p := range a.tiers.policies {
		found[p] = &exposure{direction: d, cluster: p, targets: []labelBox{p.pods}}
		if p.accepts() && !a.specified(p) {
			a.clean = false
		}
	}
	for _, in := range []tier{tierAdmin, tierBaseline} {
		scope := a.tiers.scope(in, d)
		for i := range scope.steps {
			if s := &scope.steps[i]; s.rule.action == accept {
				a.accept(found[s.policy], in, s, free)
			}
		}
	}
	for _, p := range a.tiers.policies {
		a.keep(*found[p])
	}
}

// accept adds to the exposure what an Accept rule opens beyond the spec, and notes what it opens to labels that lie.
func (a *analysis) accept(e *exposure, in tier, s *step, free []labelBox) {
	beyond := func(boxes []box) []box {
		rest, complete := a.beyond(e.direction, boxes)
		e.tooComplex = e.tooComplex || !complete
		return rest
	}
	for i := range s.rule.may {
		o := s.rule.may[i]
		live, intended, honest := a.peers(&o)
		a.clean = a.clean && honest
		for _, target := range s.policy.targets(in, free) {
			boxes := o.boxes(target, live.intersect(intended))
			own, behind := a.accepted(in, e.direction, s, boxes, beyond)
			e.add(target, o.narrowed(own), own)
			if o.behind {
				e.add(target, podsAmong(in, o, own).narrowed(behind), behind)
			}
			if lying := live.minus(intended); !lying.empty() {
				a.lying(part{direction: e.direction, target: target, opening: o}, lying, func(boxes []box) []box {
					rest, _ := a.accepted(in, e.direction, s, boxes, nil)
					return rest
				})
			}
		}
	}
}

// podsAmong returns the opening to the pods that have an address which is left of the range.
func podsAmong(in tier, o opening, own []box) opening {
	out := opening{selectors: []labelBox{nil}, among: o.outside}
	if in == tierAdmin {
		// In the Baseline tier pods may be let through that addresses alone are not.
		out.among = o.narrowed(own).outside
	}
	return out
}

func (e *exposure) add(target labelBox, o opening, rest []box) {
	if len(rest) > 0 {
		e.parts = append(e.parts, part{direction: e.direction, target: target, opening: o, rest: rest})
	}
}

// narrowed returns the opening with the addresses and ports that are left of it: what the tiers take away mustn't be
// named.
func (o opening) narrowed(rest []box) opening {
	if len(rest) == 0 {
		return o
	}
	var ports []region
	var outside addresses
	for i := range rest {
		ports = append(ports, rest[i].ports)
		outside = outside.union(rest[i].outside)
	}
	o.ports = joinRegions(ports)
	if o.outside != nil {
		o.outside = outside
	}
	return o
}
