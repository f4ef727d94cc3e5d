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
)

// A coset is a finite set of items, or everything but a finite set. The zero value is the empty set. Items may be
// shared by several sets and with an index: they are never changed in place.
type coset[T cmp.Ordered] struct {
	items  []T // sorted, each once
	except bool
}

// everything is the set of all items.
func everything[T cmp.Ordered]() coset[T] { return coset[T]{except: true} }

// only is the set of these items.
func only[T cmp.Ordered](items ...T) coset[T] {
	return coset[T]{items: slices.Compact(slices.Sorted(slices.Values(items)))}
}

func (s coset[T]) empty() bool { return !s.except && len(s.items) == 0 }

func (s coset[T]) all() bool { return s.except && len(s.items) == 0 }

func (s coset[T]) has(item T) bool {
	_, found := slices.BinarySearch(s.items, item)
	return found != s.except
}

func (s coset[T]) complement() coset[T] { return coset[T]{items: s.items, except: !s.except} }

func (s coset[T]) intersect(o coset[T]) coset[T] {
	switch {
	case s.all():
		return o
	case o.all():
		return s
	case s.except && o.except:
		return coset[T]{items: merge(s.items, o.items, keep{true, true, true}), except: true}
	case s.except:
		return coset[T]{items: merge(o.items, s.items, keep{true, false, false})}
	case o.except:
		return coset[T]{items: merge(s.items, o.items, keep{true, false, false})}
	default:
		return coset[T]{items: merge(s.items, o.items, keep{false, true, false})}
	}
}

// overlaps says whether the intersection has an item, without making it. Two sets that leave out only so much always
// have one.
func (s coset[T]) overlaps(o coset[T]) bool {
	if s.except {
		s, o = o, s
	}
	if s.except {
		return true
	}
	rest := o.items
	for _, item := range s.items {
		for len(rest) > 0 && rest[0] < item {
			rest = rest[1:]
		}
		if listed := len(rest) > 0 && rest[0] == item; listed != o.except {
			return true
		}
	}
	return false
}

func (s coset[T]) minus(o coset[T]) coset[T] { return s.intersect(o.complement()) }

func (s coset[T]) union(o coset[T]) coset[T] {
	return s.complement().intersect(o.complement()).complement()
}

func (s coset[T]) equal(o coset[T]) bool {
	return s.except == o.except && slices.Equal(s.items, o.items)
}

// keep says what to keep of two sorted lists: what is in the first only, in both, in the second only.
type keep [3]bool

// merge merges sorted lists. What equals one of the lists is that list.
func merge[T cmp.Ordered](a, b []T, k keep) []T {
	switch {
	case len(b) == 0 && k[0], k[1] && identical(a, b):
		return a
	case len(a) == 0 && k[2]:
		return b
	}
	var out []T
	for len(a) > 0 && len(b) > 0 {
		order := cmp.Compare(a[0], b[0])
		item := min(a[0], b[0])
		if order <= 0 {
			a = a[1:]
		}
		if order >= 0 {
			b = b[1:]
		}
		if k[order+1] {
			out = append(out, item)
		}
	}
	if k[0] {
		out = append(out, a...)
	}
	if k[2] {
		out = append(out, b...)
	}
	return out
}

// identical says whether the lists are one, as they are where an index handed out both.
func identical[T any](a, b []T) bool { return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0] }

// A point is a value with neighbours. Next and Prev are asked only where there is one.
type point[T any] interface {
	comparable
	Compare(T) int
	Next() T
	Prev() T
}

// A span is all points from the first to the last, both included.
type span[T point[T]] struct{ from, to T }

// spans are sorted, and neither overlap nor touch. The zero value is empty.
type spans[T point[T]] []span[T]

// newSpans returns the union of what may be unsorted and overlap.
func newSpans[T point[T]](in ...span[T]) spans[T] {
	sorted := slices.SortedFunc(slices.Values(in), func(a, b span[T]) int {
		return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to))
	})
	var out spans[T]
	for _, s := range sorted {
		last := len(out) - 1
		switch {
		case last < 0 || (out[last].to.Compare(s.from) < 0 && out[last].to.Next() != s.from):
			out = append(out, s)
		case out[last].to.Compare(s.to) < 0:
			out[last].to = s.to
		}
	}
	return out
}

func (s spans[T]) union(o spans[T]) spans[T] { return newSpans(slices.Concat(s, o)...) }

func (s spans[T]) intersect(o spans[T]) spans[T] {
	var out spans[T]
	for i, j := 0, 0; i < len(s) && j < len(o); {
		from, to := s[i].from, s[i].to
		if from.Compare(o[j].from) < 0 {
			from = o[j].from
		}
		ends := to.Compare(o[j].to)
		if ends > 0 {
			to = o[j].to
		}
		if from.Compare(to) <= 0 {
			out = append(out, span[T]{from, to})
		}
		if ends <= 0 {
			i++
		}
		if ends >= 0 {
			j++
		}
	}
	return out
}

func (s spans[T]) minus(o spans[T]) spans[T] {
	var out spans[T]
	for _, rest := range s {
		gone := false
		for _, cut := range o {
			if cut.to.Compare(rest.from) < 0 {
				continue
			}
			if cut.from.Compare(rest.to) > 0 {
				break
			}
			if cut.from.Compare(rest.from) > 0 {
				out = append(out, span[T]{rest.from, cut.from.Prev()})
			}
			if gone = cut.to.Compare(rest.to) >= 0; gone {
				break
			}
			rest.from = cut.to.Next()
		}
		if !gone {
			out = append(out, rest)
		}
	}
	return out
}

func (s spans[T]) has(p T) bool {
	_, found := slices.BinarySearchFunc(s, p, func(r span[T], p T) int {
		switch {
		case r.to.Compare(p) < 0:
			return -1
		case r.from.Compare(p) > 0:
			return 1
		}
		return 0
	})
	return found
}

func (s spans[T]) overlaps(o spans[T]) bool {
	for i, j := 0, 0; i < len(s) && j < len(o); {
		switch {
		case s[i].to.Compare(o[j].from) < 0:
			i++
		case o[j].to.Compare(s[i].from) < 0:
			j++
		default:
			return true
		}
	}
	return false
}
