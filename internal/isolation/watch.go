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
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// watchers know which namespaces' analyses looked at which selectors of namespaces.
//
// Most namespaces are clean: their live policies are the spec's, and each selector matches the same namespaces by the
// labels that they have and by those that they are meant to have. They don't depend on a namespace of which that stays
// true, whether a selector matches it or not: it is in what is live and in what is allowed, or in neither. So a tenant, or all tenants that open to a shared one, don't have to be
// judged again whenever one more namespace is made.
type watchers struct {
	mu sync.Mutex
	// selectors are those looked at, by their words.
	selectors map[string]*watched
	// terms find the selectors that may judge a namespace differently when this of its labels changes.
	terms map[labelChange]map[*watched]struct{}
	// namespaces are those analysed.
	namespaces map[string]watch
}

// A watch is what the last analysis of a namespace looked at.
type watch struct {
	clean     bool
	selectors []*watched
}

type watched struct {
	words    string
	selector labelBox
	// clean and others are the namespaces that look at it.
	clean, others map[string]struct{}
}

// A labelChange is a label that came or went: the key at all, or with this value.
type labelChange struct {
	key, value string
	any        bool
}

func newWatchers() watchers {
	return watchers{
		selectors:  map[string]*watched{},
		terms:      map[labelChange]map[*watched]struct{}{},
		namespaces: map[string]watch{},
	}
}

// watch replaces what is known of the namespace's last analysis.
func (w *watchers) watch(namespace string, clean bool, selectors map[string]labelBox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.namespaces[namespace]
	same := func(s *watched) bool { _, found := selectors[s.words]; return found }
	if last.clean == clean && len(last.selectors) == len(selectors) && !slices.ContainsFunc(last.selectors, func(s *watched) bool { return !same(s) }) {
		return
	}
	w.remove(namespace, last)
	if len(selectors) == 0 {
		return
	}
	next := watch{clean: clean, selectors: make([]*watched, 0, len(selectors))}
	for words, selector := range selectors {
		s := w.selectors[words]
		if s == nil {
			s = w.add(words, selector)
		}
		if clean {
			s.clean[namespace] = struct{}{}
		} else {
			s.others[namespace] = struct{}{}
		}
		next.selectors = append(next.selectors, s)
	}
	w.namespaces[namespace] = next
}

func (w *watchers) forget(namespace string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(namespace, w.namespaces[namespace])
}

func (w *watchers) add(words string, selector labelBox) *watched {
	s := &watched{words: words, selector: selector, clean: map[string]struct{}{}, others: map[string]struct{}{}}
	w.selectors[words] = s
	for _, c := range changesThatMatter(selector) {
		if w.terms[c] == nil {
			w.terms[c] = map[*watched]struct{}{}
		}
		w.terms[c][s] = struct{}{}
	}
	return s
}

func (w *watchers) remove(namespace string, last watch) {
	delete(w.namespaces, namespace)
	for _, s := range last.selectors {
		delete(s.clean, namespace)
		delete(s.others, namespace)
		if len(s.clean)+len(s.others) > 0 {
			continue
		}
		delete(w.selectors, s.words)
		for _, c := range changesThatMatter(s.selector) {
			if delete(w.terms[c], s); len(w.terms[c]) == 0 {
				delete(w.terms, c)
			}
		}
	}
}

// changesThatMatter are the changes of a namespace's labels that can change whether the selector matches.
func changesThatMatter(selector labelBox) []labelChange {
	var out []labelChange
	for _, t := range selector {
		for _, v := range t.set.values.items {
			out = append(out, labelChange{key: t.key, value: v})
		}
		if t.set.absent != t.set.values.except {
			out = append(out, labelChange{key: t.key, any: true})
		}
	}
	return out
}

// dependents returns, sorted, the namespaces whose analysis may come to something else because a namespace changed,
// came (before is nil) or went (after is nil).
func (w *watchers) dependents(before, after *entry) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	moved := before == nil || after == nil || before.tenant != after.tenant
	changed := map[labelChange]struct{}{}
	for _, k := range []kind{asLive, asIntended} {
		addChanges(changed, before, after, k, moved)
		addChanges(changed, after, before, k, moved)
	}
	seen := map[*watched]bool{}
	names := map[string]struct{}{}
	for c := range changed {
		for s := range w.terms[c] {
			if !seen[s] {
				seen[s] = true
				s.collect(names, before, after, moved)
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// addChanges adds what of the labels of one isn't the same for the other; all of them if it moved.
func addChanges(to map[labelChange]struct{}, one, other *entry, k kind, moved bool) {
	add := func(key, value string) {
		was, had := other.get(k, key)
		if !had || moved {
			to[labelChange{key: key, any: true}] = struct{}{}
		}
		if !had || was != value || moved {
			to[labelChange{key: key, value: value}] = struct{}{}
		}
	}
	for _, l := range one.labels(k) {
		add(l.key.Value(), l.value.Value())
	}
	if one != nil {
		add(corev1.LabelMetadataName, one.name)
	}
}

// collect adds the namespaces that look at the selector and for which the change matters.
func (s *watched) collect(to map[string]struct{}, before, after *entry, moved bool) {
	liveBefore, liveAfter := before.matches(asLive, s.selector), after.matches(asLive, s.selector)
	meantBefore, meantAfter := before.matches(asIntended, s.selector), after.matches(asIntended, s.selector)
	lies := liveBefore != meantBefore || liveAfter != meantAfter
	if lies || moved || liveBefore != liveAfter || meantBefore != meantAfter {
		maps.Copy(to, s.others)
	}
	if lies {
		maps.Copy(to, s.clean)
	}
}
