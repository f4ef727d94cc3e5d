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
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A Layer is one of the policies that are merged.
type Layer struct {
	// Name is what people call it, as "TenantClass/standard".
	Name string
	// Policy is what it says; nil is nothing.
	Policy *v1alpha1.PolicyBlocks
}

// Layers are the layers of a tenant's policy, the general one first: its class, unless that is nil, its spec, and what the
// spec says of one namespace, if it says anything; an empty name is no namespace. They share memory with the objects.
func Layers(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass, namespace string) []Layer {
	var layers []Layer
	if class != nil {
		layers = append(layers, Layer{"TenantClass/" + class.Name, &class.Spec})
	}
	layers = append(layers, Layer{tenantLayer(tenant), &tenant.Spec.PolicyBlocks})
	for i := range tenant.Spec.Namespaces {
		if n := &tenant.Spec.Namespaces[i]; n.Name == namespace && n.Policy != nil {
			layers = append(layers, Layer{NamespaceLayer(tenant.Name, namespace), n.Policy})
			break
		}
	}
	return layers
}

func tenantLayer(tenant *v1alpha1.Tenant) string { return "Tenant/" + tenant.Name + " spec" }

// NamespaceLayer is the name of the layer that is a tenant's policy for one of its namespaces.
func NamespaceLayer(tenant, namespace string) string {
	return "Tenant/" + tenant + " spec.namespaces[" + namespace + "].policy"
}

// A Leaf is one value of a policy in force and where it comes from.
type Leaf struct {
	// Path is the field, as people write it: "network.allow[metrics].ports[0]", "quota.perNamespace[pods]". An item of a set
	// stands for itself: "ingress.serviceTypes[ClusterIP]".
	Path string `json:"path"`
	// Value is the value as JSON has it. Nil if nothing sets the field and no value says what that means: Origin does.
	Value any `json:"value,omitempty"`
	// Raw is the value as it is written, if it has $(tenant), which Value hasn't; else nil.
	Raw any `json:"raw,omitempty"`
	// Origin is the name of the layer that the value comes from, or "unset" and what that means.
	Origin string `json:"origin"`
	// Unset says that no layer sets the field.
	Unset bool `json:"unset,omitempty"`
	// Overrides is what more general layers say, the nearest first.
	Overrides []Override `json:"overrides,omitempty"`

	// at is Path, and held is the field that a layer sets or doesn't: at, or the list of which at is an item.
	at, held fieldpath.Path
}

// An Override is a value that isn't in force, because a less general layer says something else, or the same again.
type Override struct {
	// Path is the field: that of the leaf, or the list of which the leaf is an item and which is replaced as a whole.
	Path string `json:"path"`
	// Value is the value as it is written, as JSON has it.
	Value any `json:"value"`
	// Origin is the name of the layer that it comes from.
	Origin string `json:"origin"`
}

// Explain says which policy the layers make together, as Effective does, and of each value which layer it comes from. The
// general layer is first. Fields that no layer sets are there if that has a meaning, see BuiltIns. What the leaves are is
// the schema's business: fields of structs, of maps by key, and of items of keyed lists, and the items of sets. An item of
// a list that is replaced as a whole is one leaf, and so is a struct that is. The key of an item is in its path, and a leaf
// only if the item has nothing else.
//
// Leaves are sorted by path. They share no memory with the layers. An error says which layer doesn't fit the schema.
func Explain(tenant string, layers ...Layer) ([]Leaf, error) {
	sc, ref, err := schemaOf(asClass(&v1alpha1.PolicyBlocks{}))
	if err != nil {
		return nil, err
	}
	values := make([]any, len(layers))
	policies := make([]*v1alpha1.PolicyBlocks, len(layers))
	for i, layer := range layers {
		if policies[i] = layer.Policy; layer.Policy == nil {
			policies[i] = &v1alpha1.PolicyBlocks{}
		}
		if _, _, err := schemaOf(asClass(policies[i])); err != nil {
			return nil, fmt.Errorf("%s: %w", layer.Name, err)
		}
		if values[i], err = content(policies[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", layer.Name, err)
		}
	}
	w := &walker{schema: sc}
	if err := w.policy(tenant, ref, policies); err != nil {
		return nil, err
	}
	for i := range w.leaves {
		w.leaves[i].trace(layers, values)
	}
	leaves := append(w.leaves, unset(w.leaves, policyBuiltIns())...)
	slices.SortStableFunc(leaves, func(a, b Leaf) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.Path, b.Path)) })
	return leaves, nil
}

// asClass wraps a policy: it has no kind of its own, and the schema wants one.
func asClass(policy *v1alpha1.PolicyBlocks) *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TenantClass"}, Spec: *policy,
	}
}

// schemaOf is the schema of an object's spec. It fails if the object doesn't fit it.
func schemaOf(object runtime.Object) (sc *smdschema.Schema, spec smdschema.TypeRef, err error) {
	conv, err := converter()
	if err != nil {
		return nil, spec, err
	}
	value, err := conv.ObjectToTyped(object)
	if err != nil {
		return nil, spec, fmt.Errorf("reading a policy: %w", err)
	}
	if atom, ok := value.Schema().Resolve(value.TypeRef()); ok && atom.Map != nil {
		if field, ok := atom.Map.FindField("spec"); ok {
			return value.Schema(), field.Type, nil
		}
	}
	return nil, spec, fmt.Errorf("reading a policy: the schema of %T has no spec", object)
}

// content is a value as JSON has it.
func content(of any) (any, error) {
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		return nil, fmt.Errorf("reading a policy: %w", err)
	}
	return out, nil
}

// trace finds where a leaf comes from. The last layer that sets a field is the one that counts.
func (l *Leaf) trace(layers []Layer, values []any) {
	for i, layer := range slices.Backward(layers) {
		value, ok := find(values[i], l.held)
		switch {
		case !ok:
		case l.Origin == "":
			l.Origin = layer.Name
		default:
			l.Overrides = append(l.Overrides, Override{Path: l.overridden(), Value: value, Origin: layer.Name})
		}
	}
}

// overridden is the path of what a less general layer replaces.
func (l *Leaf) overridden() string {
	if len(l.held) == len(l.at) {
		return l.Path
	}
	return strings.TrimSuffix(l.Path, "["+itemText(l.at[len(l.at)-1])+"]")
}

// A walker takes a policy apart.
type walker struct {
	schema *smdschema.Schema
	leaves []Leaf
}

// policy takes apart what the policies make together.
func (w *walker) policy(tenant string, ref smdschema.TypeRef, layers []*v1alpha1.PolicyBlocks) error {
	var merged [2]any
	for i, name := range []string{"", tenant} {
		effective, err := Effective(name, layers...)
		if err != nil {
			return err
		}
		if merged[i], err = content(&effective); err != nil {
			return err
		}
	}
	w.walk(place{ref: ref}, merged[0], merged[1])
	return nil
}

// A place is where a walker stands.
type place struct {
	path string
	at   fieldpath.Path
	ref  smdschema.TypeRef
}

// to is the place of an element below, which is written as text.
func (p place) to(element fieldpath.PathElement, text string, ref smdschema.TypeRef) place {
	return place{path: p.path + text, at: append(slices.Clip(p.at), element), ref: ref}
}

// walk takes a value apart; in full, $(tenant) stands replaced.
func (w *walker) walk(p place, raw, full any) {
	atom, _ := w.schema.Resolve(p.ref)
	switch value := raw.(type) {
	case nil:
	case map[string]any:
		if other, ok := full.(map[string]any); ok && atom.Map != nil && atom.Map.ElementRelationship != smdschema.Atomic {
			w.fields(p, atom.Map, value, other)
			return
		}
		w.leaf(p, p.at, raw, full)
	case []any:
		if other, ok := full.([]any); ok && atom.List != nil && len(other) == len(value) {
			w.items(p, atom.List, value, other)
			return
		}
		w.leaf(p, p.at, raw, full)
	default:
		w.leaf(p, p.at, raw, full)
	}
}

func (w *walker) leaf(p place, held fieldpath.Path, raw, full any) {
	leaf := Leaf{Path: p.path, Value: full, at: p.at, held: held}
	if !reflect.DeepEqual(raw, full) {
		leaf.Raw = raw
	}
	w.leaves = append(w.leaves, leaf)
}

// fields takes a struct or a map apart, but for the fields that are left out.
func (w *walker) fields(p place, of *smdschema.Map, raw, full map[string]any, leftOut ...string) {
	for name, value := range raw {
		if slices.Contains(leftOut, name) {
			continue
		}
		to := p.to(fieldpath.FieldNameElement(name), "["+name+"]", of.ElementType)
		if field, ok := of.FindField(name); ok {
			to.ref, to.path = field.Type, p.path+"."+name
			if p.path == "" {
				to.path = name
			}
		}
		w.walk(to, value, full[name])
	}
}

// items takes a list apart.
func (w *walker) items(p place, of *smdschema.List, raw, full []any) {
	for i := range raw {
		if of.ElementRelationship != smdschema.Associative {
			to := p.to(fieldpath.IndexElement(i), fmt.Sprintf("[%d]", i), of.ElementType)
			w.leaf(to, p.at, raw[i], full[i])
			continue
		}
		element := itemElement(of.Keys, raw[i])
		to := p.to(element, "["+itemText(element)+"]", of.ElementType)
		item, isMap := raw[i].(map[string]any)
		other, _ := full[i].(map[string]any)
		atom, _ := w.schema.Resolve(of.ElementType)
		if !isMap || other == nil || atom.Map == nil || atom.Map.ElementRelationship == smdschema.Atomic {
			w.leaf(to, to.at, raw[i], full[i])
			continue
		}
		before := len(w.leaves)
		w.fields(to, atom.Map, item, other, of.Keys...)
		if len(w.leaves) == before {
			w.fields(to, atom.Map, item, other)
		}
	}
}
