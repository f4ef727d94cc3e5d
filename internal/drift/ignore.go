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
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// namespaceKind is the kind whose name is a namespace.
var namespaceKind = schema.GroupKind{Kind: "Namespace"}

// securityKinds are the kinds that carry security in everything but their metadata.
var securityKinds = map[schema.GroupKind]bool{
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}:              true,
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        true,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: true,
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:               true,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:        true,
}

// bookkeeping are the labels and annotations by which the operator knows what is its own, on every managed object.
var bookkeeping = []string{v1alpha1.LabelTenant, v1alpha1.LabelManagedBy, v1alpha1.LabelFeature, v1alpha1.AnnotationIntent}

// SecurityPath reports whether a field of an object of this kind carries security: the content of network policies,
// roles and bindings, the labels and annotations of a Namespace that something obeys, those by which the operator knows
// its own, and owner references, which hand an object to the garbage collector. A field that holds such a field does,
// too.
func SecurityPath(kind schema.GroupKind, path fieldpath.Path) bool {
	if name(path, 0) != "metadata" {
		return len(path) == 0 || securityKinds[kind]
	}
	switch name(path, 1) {
	case "ownerReferences":
		return true
	case "labels", "annotations":
		key := name(path, 2)
		return len(path) == 2 || hasKey(bookkeeping, key) || hasKey(closedKeys[kind], key)
	default:
		return len(path) == 1
	}
}

// Ignore is a set of rules about differences that are left as they are. The nil pointer is a set of none. It never
// changes.
type Ignore struct {
	rules []v1alpha1.DriftIgnoreRule
}

// NewIgnore takes those of the rules that hold now, and returns when the first of them ends: a new set must be made
// then, and what the rule covered judged again. The time is zero if none holds, and so the set is of none.
func NewIgnore(rules []v1alpha1.DriftIgnoreRule, now time.Time) (ignore *Ignore, next time.Time) {
	ignore = &Ignore{}
	for _, rule := range rules {
		if !now.Before(rule.NotAfter.Time) {
			continue
		}
		ignore.rules = append(ignore.rules, rule)
		if next.IsZero() || rule.NotAfter.Time.Before(next) {
			next = rule.NotAfter.Time
		}
	}
	return ignore, next
}

// Covers reports whether a rule covers a change of the object of this kind and key. Its path must be that of the change,
// or of a field that holds it; a change of a field that holds the rule's is more than the rule speaks of. A change of a
// field that carries security is only covered by a rule that says so.
func (i *Ignore) Covers(gvk schema.GroupVersionKind, key types.NamespacedName, change Change) bool {
	if i == nil {
		return false
	}
	kind := gvk.GroupKind()
	namespace := key.Namespace
	if kind == namespaceKind {
		namespace = key.Name
	}
	var beginnings []string
	security := SecurityPath(kind, change.Field)
	for _, rule := range i.rules {
		switch {
		case rule.Kind != kind.Kind,
			rule.Namespace != "" && rule.Namespace != namespace,
			rule.Name != "" && rule.Name != key.Name,
			security && rule.SecurityPaths != v1alpha1.SecurityPathsIgnore:
			continue
		}
		if beginnings == nil {
			beginnings = change.beginnings()
		}
		if slices.Contains(beginnings, rule.Path) {
			return true
		}
	}
	return false
}

// Split divides a difference of the object of this kind and key into what no rule covers, and what one does. Both keep
// the order of the changes, and each change is in one of them.
func (i *Ignore) Split(gvk schema.GroupVersionKind, key types.NamespacedName, d Difference) (rest, ignored Difference) {
	for _, change := range d.Changes {
		if i.Covers(gvk, key, change) {
			ignored.Changes = append(ignored.Changes, change)
		} else {
			rest.Changes = append(rest.Changes, change)
		}
	}
	return rest, ignored
}

// beginnings returns the paths of the fields that hold the changed one, the outermost first, and its own, written as
// Path is. They are found by the elements of the path, never by the dots and brackets in its text: clients choose the
// keys in it. Neither a path that was cut off nor what is below a position in a list is among them.
func (c Change) beginnings() []string {
	beginnings := make([]string, 0, len(c.Field))
	end := 0
	for _, element := range c.Field {
		length := elementLength(c.Path[end:], element, end == 0)
		if length == 0 {
			break
		}
		end += length
		beginnings = append(beginnings, c.Path[:end])
	}
	return beginnings
}

// elementLength returns how much of a text, in bytes, is the next element of a path, as pathString writes it and clean
// cleans it: 0 if the text doesn't begin with it.
func elementLength(text string, element fieldpath.PathElement, first bool) int {
	if element.Index != nil {
		return 0
	}
	var forms []string
	switch {
	case element.FieldName == nil:
		forms = []string{"[" + strings.Trim(element.String(), "[]") + "]"}
	case first:
		forms = []string{*element.FieldName, "[" + *element.FieldName + "]"}
	default:
		forms = []string{"." + *element.FieldName, "[" + *element.FieldName + "]"}
	}
	for _, form := range forms {
		if form = clean(form, len(form)); form != "" && strings.HasPrefix(text, form) {
			return len(form)
		}
	}
	return 0
}
