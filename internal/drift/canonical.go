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

package drift

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A form says what the canonical form of a value is, by its place in an object. The nil form is that of a value of
// which nothing special is known.
type form struct {
	// fields are the forms of a map's values, by key; "*" is the form of every value, or of every item of a list.
	fields map[string]*form
	// unordered is set for a list whose order means nothing.
	unordered bool
	// scalar, if set, spells a value in the one way that stands for all its spellings.
	scalar func(any) any
}

// at returns the form at a path below f ("spec.ingress.*.ports"), and makes it if it isn't there.
func (f *form) at(path string) *form {
	for key := range strings.SplitSeq(path, ".") {
		if f.fields == nil {
			f.fields = map[string]*form{}
		}
		if f.fields[key] == nil {
			f.fields[key] = &form{}
		}
		f = f.fields[key]
	}
	return f
}

func (f *form) unorder(paths ...string) *form {
	for _, path := range paths {
		f.at(path).unordered = true
	}
	return f
}

func (f *form) spell(scalar func(any) any, paths ...string) *form {
	for _, path := range paths {
		f.at(path).scalar = scalar
	}
	return f
}

// selectors marks what has no order in label selectors: the requirements, which are ANDed, and the values of each.
func (f *form) selectors(paths ...string) *form {
	for _, path := range paths {
		f.unorder(path+".matchExpressions", path+".matchExpressions.*.values")
	}
	return f
}

// child returns the form of the value of a key, or of an item of a list (key "*").
func (f *form) child(key string) *form {
	if f == nil {
		return nil
	}
	if c := f.fields[key]; c != nil {
		return c
	}
	return f.fields["*"]
}

// forms holds, for the kinds that Bulkhead manages, where order and spelling mean nothing. Nearly all lists of these
// kinds are atomic in the API's schema, where structured-merge-diff sees a reordered list as another value.
// It is never changed.
var forms = map[schema.GroupKind]*form{
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}: networkPolicyForm(),

	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        new(form).unorder("subjects"),
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: new(form).unorder("subjects"),
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:               roleForm(),
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}: roleForm().
		unorder("aggregationRule.clusterRoleSelectors").selectors("aggregationRule.clusterRoleSelectors.*"),

	{Kind: "LimitRange"}: new(form).unorder("spec.limits").spell(quantity, "spec.limits.*.max.*", "spec.limits.*.min.*",
		"spec.limits.*.default.*", "spec.limits.*.defaultRequest.*", "spec.limits.*.maxLimitRequestRatio.*"),
	{Kind: "ResourceQuota"}: new(form).unorder("spec.scopes").selectors("spec.scopeSelector").spell(quantity, "spec.hard.*"),
}

func networkPolicyForm() *form {
	f := new(form).unorder("spec.policyTypes").selectors("spec.podSelector")
	for rules, peers := range map[string]string{"spec.ingress": ".*.from", "spec.egress": ".*.to"} {
		peer := rules + peers + ".*"
		f.unorder(rules, rules+peers, rules+".*.ports", peer+".ipBlock.except").
			selectors(peer+".podSelector", peer+".namespaceSelector").
			spell(intOrString, rules+".*.ports.*.port")
	}
	return f
}

func roleForm() *form {
	return new(form).unorder("rules", "rules.*.verbs", "rules.*.apiGroups", "rules.*.resources",
		"rules.*.resourceNames", "rules.*.nonResourceURLs")
}

// canonical brings a value into its canonical form, in place, and returns it: lists without an order are sorted,
// scalars spelled alike, and null and empty lists left out of maps, because the API server keeps no difference
// between them and an absent list.
//
// Empty maps stay. In our kinds they are structs, and there `{}` has a meaning of its own: an empty selector selects
// everything, an absent one nothing of the kind. Items of lists stay, too: an empty rule allows everything.
func (f *form) canonical(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value = f.child(key).canonical(value); isUnset(value) {
				delete(v, key)
			} else {
				v[key] = value
			}
		}
	case []any:
		for i := range v {
			v[i] = f.child("*").canonical(v[i])
		}
		if f != nil && f.unordered && len(v) > 1 {
			sortList(v)
		}
	default:
		if f != nil && f.scalar != nil {
			return f.scalar(v)
		}
	}
	return v
}

func isUnset(v any) bool {
	if list, ok := v.([]any); ok {
		return len(list) == 0
	}
	return v == nil
}

// sortList sorts by the JSON of the items. Duplicates stay: they are someone's change, if a harmless one.
func sortList(list []any) {
	type item struct {
		key   string
		value any
	}
	items := make([]item, len(list))
	for i, value := range list {
		items[i] = item{key: sortKey(value), value: value}
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	for i := range items {
		list[i] = items[i].value
	}
}

func sortKey(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	key, err := json.Marshal(v)
	if err != nil {
		// Not JSON, so not from an API object; any order will do, as long as it is the same for the same value.
		return fmt.Sprint(v)
	}
	return string(key)
}

// quantity spells a quantity by its value: "1000m" and 1 become "1", "1Gi" and "1073741824" the latter. Parsing
// alone wouldn't do, because a Quantity remembers whether its suffix was a binary one. Anything else stays.
func quantity(v any) any {
	text, ok := v.(string)
	if !ok {
		text = fmt.Sprint(v)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return v
	}
	// A Quantity also remembers its text ("1.124", "+5"), as long as nothing is added to it.
	q.Add(resource.Quantity{})
	if q.Format == resource.DecimalSI {
		return q.String()
	}
	if i, ok := q.AsInt64(); ok {
		return resource.NewQuantity(i, resource.DecimalSI).String()
	}
	return resource.NewDecimalQuantity(*q.AsDec(), resource.DecimalSI).String()
}

// intOrString spells a port as a number where it is one: the name of a port has a letter in it, always.
func intOrString(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	if i, err := strconv.ParseInt(text, 10, 32); err == nil {
		return i
	}
	return v
}
