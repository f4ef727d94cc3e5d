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

// A box is a set of traffic in one direction, seen from one namespace: a product of its own pods, the peer, and the
// destination's ports. The peer is either pods or an address, never both.
type box struct {
	// target is the labels of the namespace's own pods.
	target labelBox
	// outside are the addresses of the peer. Nil if the peer is pods.
	outside addresses
	// namespaces and pods are where the peer's pods are, and their labels.
	namespaces coset[int32]
	pods       labelBox
	// ports are the destination's.
	ports region
}

func (b *box) overlaps(o *box) bool {
	if (b.outside == nil) != (o.outside == nil) {
		return false
	}
	if b.outside != nil {
		if !b.outside.overlaps(o.outside) {
			return false
		}
	} else if !b.namespaces.overlaps(o.namespaces) || !b.pods.overlaps(o.pods) {
		return false
	}
	return b.ports.overlaps(o.ports) && b.target.overlaps(o.target)
}

// minus returns disjoint boxes that make up what is in b and not in o, which must overlap. Peers are cut first: what
// differs by namespace falls apart without multiplying the other dimensions.
func (b *box) minus(o *box) []box {
	var out []box
	rest := *b
	if b.outside != nil {
		if d := rest.outside.minus(o.outside); len(d) > 0 {
			piece := rest
			piece.outside = d
			out = append(out, piece)
		}
		rest.outside = rest.outside.intersect(o.outside)
	} else {
		if d := rest.namespaces.minus(o.namespaces); !d.empty() {
			piece := rest
			piece.namespaces = d
			out = append(out, piece)
		}
		rest.namespaces = rest.namespaces.intersect(o.namespaces)
	}
	pieces, pods := rest.pods.split(o.pods)
	for _, p := range pieces {
		piece := rest
		piece.pods = p
		out = append(out, piece)
	}
	rest.pods = pods
	pieces, target := rest.target.split(o.target)
	for _, p := range pieces {
		piece := rest
		piece.target = p
		out = append(out, piece)
	}
	rest.target = target
	for _, p := range rest.ports.minus(o.ports) {
		piece := rest
		piece.ports = p
		out = append(out, piece)
	}
	return out
}

func (r region) overlaps(o region) bool {
	return r.protocols&o.protocols != 0 && r.numbers.overlaps(o.numbers) && r.names.overlaps(o.names)
}

// intersect returns what is in both regions, which must overlap.
func (r region) intersect(o region) region {
	return region{protocols: r.protocols & o.protocols, numbers: r.numbers.intersect(o.numbers), names: r.names.intersect(o.names)}
}

// minus returns disjoint regions that make up what is in r and not in o, which must overlap.
func (r region) minus(o region) []region {
	var out []region
	if d := r.protocols &^ o.protocols; d != 0 {
		out = append(out, region{d, r.numbers, r.names})
	}
	r.protocols &= o.protocols
	if d := r.numbers.minus(o.numbers); len(d) > 0 {
		out = append(out, region{r.protocols, d, r.names})
	}
	r.numbers = r.numbers.intersect(o.numbers)
	if d := r.names.minus(o.names); !d.empty() {
		out = append(out, region{r.protocols, r.numbers, d})
	}
	return out
}

// Bounds of one subtraction. Subtracting from what differs in many labels at once can take exponential time.
const (
	maxBoxes = 4096
	maxSteps = 1 << 18
	// A cut costs about as much as so many boxes looked at, and looking at so many items as much as a box.
	cutCost  = 8
	itemCost = 32
)

// A subtraction finds what of a box none of many boxes covers.
type subtraction struct {
	from []box
	// enough is the number of boxes of the rest after which there is no point in going on.
	enough int
	// steps are those left.
	steps int
	rest  []box
}

// subtract returns disjoint boxes that make up what is in b and in none of from, and whether that is all of it. It
// takes the steps that it takes from the budget.
func subtract(b box, from []box, enough int, budget *int) (rest []box, complete bool) {
	s := subtraction{from: from, enough: enough, steps: min(maxSteps, *budget)}
	start := s.steps
	complete = s.run(b, 0)
	*budget -= start - s.steps
	return s.rest, complete
}

func (s *subtraction) run(b box, i int) bool {
	for ; i < len(s.from); i++ {
		if s.steps -= 1 + (b.size()+s.from[i].size())/itemCost; s.steps <= 0 {
			return false
		}
		if !b.overlaps(&s.from[i]) {
			continue
		}
		s.steps -= cutCost
		for _, piece := range b.minus(&s.from[i]) {
			if !s.run(piece, i+1) {
				return false
			}
		}
		return true
	}
	if len(s.rest) >= s.enough {
		return false
	}
	s.rest = append(s.rest, b)
	return true
}

// size is the number of items in the lists that may be long.
func (b *box) size() int { return len(b.namespaces.items) + len(b.outside) + len(b.ports.numbers) }

// subtractLabels is subtract for labels alone.
func subtractLabels(b labelBox, from []labelBox, budget *int) (rest []labelBox, complete bool) {
	boxes := make([]box, 0, len(from))
	everyone := box{namespaces: everything[int32](), ports: allPorts()}
	for _, f := range from {
		one := everyone
		one.target = f
		boxes = append(boxes, one)
	}
	everyone.target = b
	left, complete := subtract(everyone, boxes, maxBoxes, budget)
	for i := range left {
		rest = append(rest, left[i].target)
	}
	return rest, complete
}
