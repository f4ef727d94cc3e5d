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

package policy

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A BuiltIn is what it means that nothing sets a field, as the API documents it at the field.
type BuiltIn struct {
	// Path is the field below spec. "[]" stands for every item that there is.
	Path string
	// Value is the value that means the same, as JSON has it. Nil if no value does.
	Value any
	// SameAs is the field whose value counts; empty for none.
	SameAs string
	// Meaning says it in words, if neither Value nor SameAs does.
	Meaning string
}

// BuiltIns lists the fields of a Tenant's spec, and so those of the policy blocks, that mean something when unset.
func BuiltIns() []BuiltIn { return append(policyBuiltIns(), tenantBuiltIns()...) }

// policyBuiltIns are those of the policy blocks. Together with tenantBuiltIns it is the one place that says them.
func policyBuiltIns() []BuiltIn {
	return []BuiltIn{
		{Path: "podSecurity.enforce", Value: string(v1alpha1.PodSecurityRestricted)},
		{Path: "podSecurity.audit", SameAs: "podSecurity.enforce"},
		{Path: "podSecurity.warn", SameAs: "podSecurity.enforce"},
		{Path: "podSecurity.version", Value: "latest"},

		{Path: "network.boundary", Value: string(v1alpha1.BoundaryTenant)},
		{Path: "network.dns", Value: string(v1alpha1.DNSCluster)},
		{Path: "network.apiServer", Value: string(v1alpha1.Deny)},
		{Path: "network.allow", Meaning: "no opening"},
		{Path: "network.allow[].ports", Meaning: "all ports"},

		{Path: "ingress.classNames", Meaning: "none allowed"},
		{Path: "ingress.gatewayClassNames", Meaning: "none allowed"},
		{Path: "ingress.hostnames", Meaning: "none allowed"},
		{Path: "ingress.serviceTypes", Value: []any{string(v1alpha1.ServiceClusterIP)}},
		{Path: "ingress.controllers", Meaning: "none may connect"},
		{Path: "ingress.controllers[].pods", Meaning: "all pods of the namespace"},
		{Path: "ingress.controllers[].ports", Meaning: "all ports"},
		{Path: "ingress.gateway.listeners[].hostname", Meaning: "all names that the tenant's routes may have"},

		{Path: "egress.internet", Value: string(v1alpha1.Deny)},
		{Path: "egress.destinations", Meaning: "none"},
		{Path: "egress.destinations[].ports", Meaning: "all ports"},

		{Path: "quota.perNamespace", Meaning: "no budget"},
		{Path: "limits", Meaning: "no limits"},

		{Path: "images.registries", Meaning: "all allowed"},
		{Path: "images.digests", Value: string(v1alpha1.DigestsOptional)},
		{Path: "images.pullPolicy", Meaning: "all allowed"},
		{Path: "storage.classNames", Meaning: "all allowed"},
		{Path: "placement.nodeSelector", Meaning: "all nodes"},
		{Path: "placement.tolerations", Meaning: "all that name a key"},
		{Path: "placement.priorityClassNames", Meaning: "all allowed"},
		{Path: "placement.runtimeClassNames", Meaning: "all allowed"},
	}
}

// tenantBuiltIns are those of a Tenant's spec beside the policy blocks.
func tenantBuiltIns() []BuiltIn {
	return []BuiltIn{
		{Path: "deletionPolicy", Value: string(v1alpha1.DeletionRetain)},
		{Path: "drift.mode", Value: string(v1alpha1.DriftEnforce)},
		{Path: "namespaces[].adoption", Value: string(v1alpha1.AdoptionNever)},
	}
}

// Settings explains those fields of a Tenant's spec beside policy that mean something when unset. Of its namespaces it is
// about the one of this name only; empty is none.
func Settings(tenant *v1alpha1.Tenant, namespace string) ([]Leaf, error) {
	spec, err := content(&tenant.Spec)
	if err != nil {
		return nil, err
	}
	var leaves []Leaf
	for _, builtIn := range tenantBuiltIns() {
		path := builtIn.Path
		at := parse(path, nil)
		if outer, inner, below := strings.Cut(path, "[]"); below {
			if namespace == "" {
				continue
			}
			item := itemElement([]string{"name"}, map[string]any{"name": namespace})
			at, path = parse(inner, append(parse(outer, nil), item)), outer+"["+namespace+"]"+inner
		}
		leaf := Leaf{Path: path, at: at, held: at}
		if value, ok := find(spec, at); ok {
			leaf.Value, leaf.Origin = value, tenantLayer(tenant)
		} else {
			leaf.unset(builtIn, nil)
		}
		leaves = append(leaves, leaf)
	}
	return leaves, nil
}

// parse is a path of fields, below another one.
func parse(path string, below fieldpath.Path) fieldpath.Path {
	at := slices.Clip(below)
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		at = append(at, fieldpath.FieldNameElement(name))
	}
	return at
}

// unset are leaves for the fields that mean something and that none of the leaves is about. A field below one that isn't
// there at all, as the listeners of no gateway, means nothing.
func unset(leaves []Leaf, builtIns []BuiltIn) []Leaf {
	var out []Leaf
	all := leaves
	for _, builtIn := range builtIns {
		for _, leaf := range places(leaves, builtIn.Path) {
			if slices.ContainsFunc(leaves, func(l Leaf) bool { return begins(l.at, leaf.at) }) {
				continue
			}
			leaf.unset(builtIn, all)
			out = append(out, leaf)
			all = append(slices.Clip(all), leaf)
		}
	}
	return out
}

// unset makes a leaf say what it means that nothing sets it; all are the leaves that are known already.
func (l *Leaf) unset(builtIn BuiltIn, all []Leaf) {
	l.Unset, l.Value = true, builtIn.Value
	meaning := builtIn.Meaning
	switch values := builtIn.Value.(type) {
	case nil:
	case []any:
		meaning = strings.Trim(fmt.Sprint(values), "[]")
	default:
		meaning = fmt.Sprint(values)
	}
	if builtIn.SameAs != "" {
		meaning = "same as " + builtIn.SameAs
		if i := slices.IndexFunc(all, func(o Leaf) bool { return o.Path == builtIn.SameAs }); i >= 0 {
			l.Value = all[i].Value
		}
	}
	l.Origin = "unset (built-in: " + meaning + ")"
}

// places are the places of a path: itself, or one below each item that there is.
func places(leaves []Leaf, path string) []Leaf {
	outer, inner, below := strings.Cut(path, "[]")
	list := parse(outer, nil)
	if !below {
		return []Leaf{{Path: path, at: list, held: list}}
	}
	var found []Leaf
	for _, leaf := range leaves {
		if len(leaf.at) <= len(list) || !begins(leaf.at, list) {
			continue
		}
		item := leaf.at[:len(list)+1]
		at := parse(inner, item)
		if !slices.ContainsFunc(found, func(l Leaf) bool { return l.at.Equals(at) }) {
			found = append(found, Leaf{Path: outer + "[" + itemText(item[len(list)]) + "]" + inner, at: at, held: at})
		}
	}
	return found
}

// begins reports whether a path begins with another one.
func begins(path, with fieldpath.Path) bool {
	return len(path) >= len(with) && path[:len(with)].Equals(with)
}
