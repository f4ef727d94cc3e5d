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
	"unicode/utf8"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Bounds of sentences, in characters but for the numbers of things listed.
const (
	maxSentence = 512
	maxLabels   = 120
	maxName     = 80
	maxListed   = 4
	maxClauses  = 3
)

// clip shortens a text to so many characters.
func clip(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// and joins words: "a", "a and b", "a, b and c".
func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

// shortList joins words and only counts those beyond the fourth.
func shortList(list []string, noun string) string {
	if more := len(list) - maxListed; more > 0 {
		return fmt.Sprintf("%s and %d more %s", strings.Join(list[:maxListed], ", "), more, noun)
	}
	return strings.Join(list, ", ")
}

// podsWith says which pods: "pods", or "pods app=web".
func podsWith(labels labelBox) string {
	if len(labels) == 0 {
		return "pods"
	}
	return "pods " + clip(labels.words(), maxLabels)
}

// targetWords says which pods of the namespace.
func (v *view) targetWords(targets []labelBox) string {
	var list []string
	for _, t := range targets {
		if len(t) == 0 {
			return "all pods of " + v.namespace
		}
		list = append(list, clip(t.words(), maxLabels))
	}
	switch {
	case len(list) == 0:
		return "pods of " + v.namespace
	case len(list) > maxClauses:
		return "most pods of " + v.namespace
	default:
		return "pods " + strings.Join(list, " or ") + " of " + v.namespace
	}
}

// peerWords says who the peers of a part are, of those that the spec doesn't allow.
func (v *view) peerWords(p *part) string {
	switch {
	case p.opening.among != nil:
		return "every pod in the cluster with such an address"
	case p.opening.who != "" && p.opening.outside == nil:
		return p.opening.who
	}
	if p.opening.outside != nil {
		words := p.opening.who
		if words == "" {
			words = addressWords(p.opening.outside)
		}
		switch {
		case !slices.ContainsFunc(p.rest, func(b box) bool { return reachesMetadata(p.direction, &b) }):
			return words
		case len(p.opening.outside.minus(metadata())) == 0:
			return words + " (the cloud metadata address)"
		default:
			return words + " (the cloud metadata address included)"
		}
	}
	var where coset[int32]
	for i := range p.rest {
		where = where.union(p.rest[i].namespaces)
	}
	if !where.except {
		return "all " + podsWith(p.opening.pods) + " of " + v.namespaceWords(where.items)
	}
	every := "every" + strings.TrimPrefix(podsWith(p.opening.pods), "pods")
	if p.opening.everywhere() {
		return strings.Replace(every, "every", "every pod", 1) + " in the cluster"
	}
	selector := labelBox{}
	for _, s := range p.opening.selectors {
		if v.dir.resolve(asLive, s).except {
			selector = s
			break
		}
	}
	return strings.Replace(every, "every", "every pod", 1) + " of all namespaces that match " + clip(selector.words(), maxLabels)
}

// namespaceWords names the namespaces, but those of other tenants: the members of one tenant may read this, and it is
// none of their business who else there is.
func (v *view) namespaceWords(ids []int32) string {
	var named []string
	foreign, tenants := 0, map[string]bool{}
	for _, e := range v.dir.sorted(ids) {
		if v.whose(v.dir.byName[e.name]) == theirs {
			foreign++
			tenants[e.tenant] = true
			continue
		}
		named = append(named, e.name)
	}
	if slices.Contains(ids, unknown) {
		named = append(named, v.namespace)
	}
	var parts []string
	switch len(named) {
	case 0:
	case 1:
		parts = append(parts, "namespace "+named[0])
	default:
		parts = append(parts, "namespaces "+shortList(named, "namespaces"))
	}
	switch {
	case foreign == 0:
	case foreign == 1:
		parts = append(parts, "a namespace of another tenant")
	case len(tenants) == 1:
		parts = append(parts, fmt.Sprintf("%d namespaces of another tenant", foreign))
	default:
		parts = append(parts, fmt.Sprintf("%d namespaces of %d other tenants", foreign, len(tenants)))
	}
	return strings.Join(parts, " and of ")
}

// A clause is peers that can do the same.
type clause struct {
	ports string
	peers []string
}

// clauses groups what the parts open by ports, in the order in which the rules are.
func (v *view) clauses(parts []part) []clause {
	var out []clause
	for i := range parts {
		ports, peers := regionWords(parts[i].opening.ports), v.peerWords(&parts[i])
		at := slices.IndexFunc(out, func(c clause) bool { return c.ports == ports })
		if at < 0 {
			at = len(out)
			out = append(out, clause{ports: ports})
		}
		if !slices.Contains(out[at].peers, peers) {
			out[at].peers = append(out[at].peers, peers)
		}
	}
	return out
}

// reach says who can reach whom: "every pod in the cluster reach all pods of shop on all ports".
func (v *view) reach(e *exposure, verb string) string {
	targets := v.targetWords(e.targets)
	var out []string
	all := v.clauses(e.parts)
	for i, c := range all {
		if i == maxClauses {
			out = append(out, "and more")
			break
		}
		peers := and(c.peers)
		switch {
		case e.direction == networkingv1.PolicyTypeIngress && i == 0:
			out = append(out, fmt.Sprintf("%s %s %s on %s", peers, verb, targets, c.ports))
		case e.direction == networkingv1.PolicyTypeEgress && i == 0:
			out = append(out, fmt.Sprintf("%s %s %s on %s", targets, verb, peers, c.ports))
		default:
			out = append(out, fmt.Sprintf("%s on %s", peers, c.ports))
		}
	}
	return strings.Join(out, "; ")
}

// sentence says what the exposure is.
func (v *view) sentence(e *exposure) string {
	switch {
	case e.unselected() && len(e.parts) == 0:
		return clip(fmt.Sprintf("the NetworkPolicies of %s are too complex to prove that they select all its pods for %s: "+
			"some may be open to everybody", v.namespace, e.direction), maxSentence)
	case e.unselected():
		what := "selects any pod of "
		if len(e.targets[0]) > 0 {
			what = "selects all pods of "
		}
		return clip(fmt.Sprintf("no NetworkPolicy %s%s for %s: %s", what, v.namespace, e.direction, v.reach(e, "can reach")), maxSentence)
	}
	subject, doubts := v.policyWords(e)
	if len(e.parts) == 0 {
		return clip(fmt.Sprintf("%s is too complex to be proven harmless: it may let everybody %s", subject,
			map[networkingv1.PolicyType]string{
				networkingv1.PolicyTypeIngress: "reach " + v.targetWords(e.targets),
				networkingv1.PolicyTypeEgress:  "be reached by " + v.targetWords(e.targets),
			}[e.direction]), maxSentence)
	}
	return clip(subject+" lets "+v.reach(e, "reach"), maxSentence-utf8.RuneCountInString(doubts)) + doubts
}

// unselected says that the exposure is of pods that no policy selects.
func (e *exposure) unselected() bool { return e.policy == nil && e.cluster == nil }

// policyWords names the policy, and says what of it isn't understood.
func (v *view) policyWords(e *exposure) (subject, doubts string) {
	if e.cluster != nil {
		return e.cluster.kind + " " + clip(e.cluster.name, maxName), e.cluster.doubtWords()
	}
	return fmt.Sprintf("NetworkPolicy %s/%s", v.namespace, clip(e.policy.Name, maxName)), ""
}

// lieSentence says what the labels of the namespace open.
func (v *view) lieSentence(l *lie) string {
	e := v.dir.entries[l.id]
	owner := map[belonging]string{ours: "the same tenant", nobodys: "no tenant", theirs: "another tenant"}[v.whose(l.id)]
	what := lieWords(e, owner, v.lyingLabel(l))
	var phrases []string
	for i := range l.parts { // Ingress comes first.
		p := &l.parts[i]
		verb := " reach "
		if p.direction == networkingv1.PolicyTypeEgress {
			verb = " be reached by "
		}
		phrase := fmt.Sprintf("its %s%s%s on %s", podsWith(p.opening.pods), verb, v.targetWords([]labelBox{p.target}), regionWords(p.opening.ports))
		if !slices.Contains(phrases, phrase) {
			phrases = append(phrases, phrase)
		}
	}
	if len(phrases) <= maxListed {
		return clip(what+" "+and(phrases), maxSentence)
	}
	return clip(what+" "+shortList(phrases, "openings"), maxSentence)
}

// lieWords says which label lies. It says no more than what the selector tells from each other: nobody would know that
// the sentence has to change.
func lieWords(e *entry, owner string, t labelTerm) string {
	key := clip(t.key, maxName)
	value, has := e.get(asLive, t.key)
	meant, isMeant := e.get(asIntended, t.key)
	switch {
	case has && slices.Contains(t.set.values.items, value):
		key += "=" + value
	case isMeant && slices.Contains(t.set.values.items, meant):
		key += "=" + meant
		has = false
	}
	switch {
	case !has:
		return fmt.Sprintf("namespace %s of %s lacks the label %s that it is meant to have, which lets", e.name, owner, key)
	case t.key == v1alpha1.LabelTenant:
		return fmt.Sprintf("forged label %s on namespace %s of %s lets", key, e.name, owner)
	default:
		return fmt.Sprintf("label %s on namespace %s of %s, which no spec sets, lets", key, e.name, owner)
	}
}

// lyingLabel returns what a selector, which matches the namespace and isn't meant to, wants of a label that lies.
func (v *view) lyingLabel(l *lie) labelTerm {
	e := v.dir.entries[l.id]
	for i := range l.parts {
		for _, s := range l.parts[i].opening.selectors {
			if !e.matches(asLive, s) || e.matches(asIntended, s) {
				continue
			}
			for _, t := range s {
				if !t.set.has(e.get(asIntended, t.key)) {
					return t
				}
			}
		}
	}
	return labelTerm{}
}
