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
	networkingv1 "k8s.io/api/networking/v1"
)

// A tierView is how the cluster policies that select a namespace act there.
type tierView struct {
	// policies are in their order.
	policies []*clusterPolicy
	// budget is the number of steps left. When there are none, nothing is closed any more.
	budget int
	memo   map[tierScope]*tierScopeView
}

// A tierScope is one tier in one direction.
type tierScope struct {
	tier      tier
	direction networkingv1.PolicyType
}

type tierScopeView struct {
	steps []step
	// settled are known once something was asked of them.
	settled      []box
	settledKnown bool
}

// A step is a rule of a policy that applies to pods of the namespace.
type step struct {
	policy *clusterPolicy
	rule   *tierRule
	index  int
	// must is what it must match, known once it was asked for.
	must      []box
	mustKnown bool
}

func newTierView(policies []*clusterPolicy) *tierView {
	if len(policies) == 0 {
		return nil
	}
	return &tierView{policies: policies, budget: maxAnalysis, memo: map[tierScope]*tierScopeView{}}
}

func (t *tierView) scope(in tier, d networkingv1.PolicyType) *tierScopeView {
	key := tierScope{in, d}
	if known := t.memo[key]; known != nil {
		return known
	}
	out := &tierScopeView{steps: stepsOf(t.policies, in, d)}
	t.memo[key] = out
	return out
}

func stepsOf(policies []*clusterPolicy, in tier, d networkingv1.PolicyType) []step {
	var out []step
	for _, p := range policies {
		rules := p.ingress
		if d == networkingv1.PolicyTypeEgress {
			rules = p.egress
		}
		for i := range rules {
			if p.tier&in != 0 {
				out = append(out, step{policy: p, rule: &rules[i], index: i})
			}
		}
	}
	return out
}

// precedes says whether the rule certainly comes before the other one. Which of two policies of the same priority comes
// first is undefined, and so is how kinds are ordered among each other: no implementation has to know two of them.
func (s *step) precedes(o *step) bool {
	switch {
	case s.policy == o.policy:
		return s.index < o.index
	case s.policy.kind != o.policy.kind:
		return false
	default:
		return s.policy.priority < o.policy.priority
	}
}

// mustMatch returns what the rule certainly matches, by the labels that namespaces have.
func (v *view) mustMatch(s *step) []box {
	if !s.mustKnown {
		for i := range s.rule.must {
			live, _, _ := v.peers(&s.rule.must[i])
			s.must = append(s.must, s.rule.must[i].boxes(s.policy.pods, live)...)
		}
		s.mustKnown = true
	}
	return s.must
}

// mayMatch returns what the rule matches at most.
func (v *view) mayMatch(s *step) []box {
	var out []box
	for i := range s.rule.may {
		o := &s.rule.may[i]
		live, _, _ := v.peers(o)
		boxes := o.boxes(s.policy.pods, live)
		out = append(out, boxes...)
		if o.behind {
			out = append(out, podsBehind(boxes)...)
		}
	}
	return out
}

// podsBehind returns the pods that may have one of the addresses: any.
func podsBehind(boxes []box) []box {
	out := make([]box, 0, len(boxes))
	for i := range boxes {
		if hitsPods(boxes[i].outside) {
			out = append(out, box{target: boxes[i].target, namespaces: everything[int32](), ports: boxes[i].ports})
		}
	}
	return out
}

// decidedBefore returns what certainly never gets to the rule, because one that precedes it in its tier matches.
func (v *view) decidedBefore(in tier, d networkingv1.PolicyType, s *step) []box {
	scope := v.tiers.scope(in, d)
	var out []box
	for i := range scope.steps {
		if !scope.steps[i].precedes(s) {
			continue
		}
		must := v.mustMatch(&scope.steps[i])
		if v.tiers.budget -= 1 + len(must); v.tiers.budget <= 0 {
			return nil
		}
		out = append(out, must...)
	}
	return out
}

// settled returns what the tier certainly decides itself: what an Accept or Deny must match and no Pass that may come
// first can take past it.
func (v *view) settled(in tier, d networkingv1.PolicyType) []box {
	scope := v.tiers.scope(in, d)
	if scope.settledKnown {
		return scope.settled
	}
	scope.settledKnown = true
	type passing struct {
		step  *step
		boxes []box
	}
	var passes []passing
	for i := range scope.steps {
		if s := &scope.steps[i]; s.rule.action == pass {
			passes = append(passes, passing{s, v.mayMatch(s)})
		}
	}
	for i := range scope.steps {
		s := &scope.steps[i]
		if s.rule.action == pass {
			continue
		}
		var out []box
		for _, p := range passes {
			if !s.precedes(p.step) {
				v.tiers.budget -= 1 + len(p.boxes)
				out = append(out, p.boxes...)
			}
		}
		if v.tiers.budget <= 0 {
			break
		}
		for _, b := range v.mustMatch(s) {
			if rest, complete := subtract(b, out, maxBoxes, &v.tiers.budget); complete {
				scope.settled = append(scope.settled, rest...)
			}
		}
	}
	return scope.settled
}

// undecided returns what of the boxes gets through the tiers without being decided there, and whether that is less.
func (v *view) undecided(tiers tier, d networkingv1.PolicyType, boxes []box) (rest []box, less bool) {
	if v.tiers == nil {
		return boxes, false
	}
	for _, in := range []tier{tierAdmin, tierBaseline} {
		if tiers&in == 0 || len(boxes) == 0 {
			continue
		}
		var cut bool
		boxes, cut = v.tiers.sift(boxes, v.settled(in, d))
		less = less || cut
	}
	return boxes, less
}

// sift returns what of the boxes none of the cuts covers, and whether they cut anything. What takes too long stays whole.
func (t *tierView) sift(boxes, cuts []box) (rest []box, less bool) {
	for i := range boxes {
		if t.budget -= len(cuts); t.budget <= 0 {
			return append(rest, boxes[i:]...), less
		}
		some := overlapping(&boxes[i], cuts)
		if len(some) == 0 {
			rest = append(rest, boxes[i])
			continue
		}
		left, complete := subtract(boxes[i], some, maxBoxes, &t.budget)
		if !complete {
			rest = append(rest, boxes[i])
			continue
		}
		rest = append(rest, left...)
		less = true
	}
	return rest, less
}

func overlapping(b *box, others []box) []box {
	var out []box
	for i := range others {
		if b.overlaps(&others[i]) {
			out = append(out, others[i])
		}
	}
	return out
}

// accepted returns what of the boxes, which an Accept rule may match, gets to it and is let pass by it, whatever the
// NetworkPolicies say. Pods that have an address in the boxes are matched as well: those returned are the boxes' own, and
// those pods'. The filter, which may be nil, is asked what of boxes counts at all.
//
// Pods' addresses aren't known. What isn't left of a range because something certain came first isn't left of the pods
// that have an address in it; nor does the filter leave pods whose addresses it doesn't leave.
func (v *view) accepted(in tier, d networkingv1.PolicyType, s *step, boxes []box, filter func([]box) []box) (own, behind []box) {
	if filter == nil {
		filter = func(b []box) []box { return b }
	}
	own = filter(boxes)
	if len(own) == 0 {
		return nil, nil
	}
	before := v.decidedBefore(in, d, s)
	own, _ = v.tiers.sift(own, before)
	behind, _ = v.tiers.sift(filter(podsBehind(own)), before)
	if in == tierBaseline {
		own, _ = v.undecided(tierAdmin, d, own)
		behind, _ = v.undecided(tierAdmin, d, behind)
	}
	return own, behind
}

// targets returns the pods for which a tier's rules of a policy have a say: in the Baseline tier the free ones only, which
// no NetworkPolicy selects.
func (p *clusterPolicy) targets(in tier, free []labelBox) []labelBox {
	if in != tierBaseline {
		return []labelBox{p.pods}
	}
	var out []labelBox
	for _, f := range free {
		if f.overlaps(p.pods) {
			out = append(out, f.intersect(p.pods))
		}
	}
	return out
}

// tiersOpen returns what cluster policies may let pass, for Reachability.
func (v *view) tiersOpen(d networkingv1.PolicyType, free []labelBox) []box {
	var out []box
	for _, in := range []tier{tierAdmin, tierBaseline} {
		scope := v.tiers.scope(in, d)
		for i := range scope.steps {
			s := &scope.steps[i]
			if s.rule.action != accept {
				continue
			}
			for j := range s.rule.may {
				o := &s.rule.may[j]
				live, _, _ := v.peers(o)
				for _, target := range s.policy.targets(in, free) {
					own, behind := v.accepted(in, d, s, o.boxes(target, live), nil)
					out = append(out, own...)
					if o.behind {
						out = append(out, behind...)
					}
				}
			}
		}
	}
	return out
}
