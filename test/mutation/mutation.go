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

package mutation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// An Op is a way to change an object.
type Op string

const (
	// Modify gives a field another value.
	Modify Op = "modify"
	// Remove takes a field, a key, or an item away.
	Remove Op = "remove"
	// Inject adds a field or a key.
	Inject Op = "inject"
	// Append adds an item at the end of a list.
	Append Op = "append"
	// Duplicate adds the first item of a list once more.
	Duplicate Op = "duplicate"
	// Reverse turns a list around.
	Reverse Op = "reverse"
	// Respell writes a quantity in another way.
	Respell Op = "respell"
)

// A Mutation is one change of one object.
type Mutation struct {
	Op Op
	// Path is what is changed.
	Path Path
	// About is the field that it is about: of an injected subtree, the one for which this subtree was made.
	About Path
	// Value is the new value, if the operation has one.
	Value any
	// Harmless says that it is no drift, by the contract: it changes what isn't ours, or nothing but order or spelling.
	Harmless bool
}

// String tells the mutation from all others of the object.
func (m Mutation) String() string {
	text := fmt.Sprintf("%s %s", m.Op, m.Path)
	if len(m.About) > len(m.Path) {
		text += " (" + m.About.String() + ")"
	}
	if m.Value != nil {
		text += " " + compact(m.Value)
	}
	return text
}

// Class is what the mutation has in common with others: the operation, and its place in the schema.
func (m Mutation) Class() string { return string(m.Op) + " " + m.About.Generic() }

// Apply returns a changed copy of an object's content. It fails if the content has nothing there that could be changed.
func (m Mutation) Apply(object map[string]any) (map[string]any, error) {
	changed, err := edit(object, m.Path, func(old any, _ bool) (any, bool) {
		list, _ := old.([]any)
		switch m.Op {
		case Remove:
			return nil, false
		case Append:
			return append(slices.Clone(list), m.Value), true
		case Duplicate:
			return append(slices.Clone(list), list[:min(1, len(list))]...), true
		case Reverse:
			list = slices.Clone(list)
			slices.Reverse(list)
			return list, true
		default:
			return m.Value, true
		}
	})
	if err != nil {
		return nil, err
	}
	out, ok := changed.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: the object is gone", m)
	}
	return out, nil
}

func compact(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// generator collects mutations of one object.
type generator struct {
	kind *Kind
	ours *ours
	all  []Mutation
}

// Mutations are all mutations, or all with one of these operations, of an object that is as the intent says. None of
// them changes what makes it that object, or nothing at all.
func Mutations(kind *Kind, intent map[string]any, only ...Op) ([]Mutation, error) {
	live, err := kind.Content(intent)
	if err != nil {
		return nil, err
	}
	g := &generator{kind: kind, ours: newOurs(kind, intent)}
	for _, f := range fieldsOf(kind.goType) {
		switch f.name {
		case "kind", "apiVersion":
		case "metadata":
			metadata, _ := live["metadata"].(map[string]any)
			g.metadata(f.goType, metadata)
		default:
			g.field(f, live, nil)
		}
	}
	if len(only) > 0 {
		g.all = slices.DeleteFunc(g.all, func(m Mutation) bool { return !slices.Contains(only, m.Op) })
	}
	return g.effective(live)
}

func (g *generator) add(op Op, path, about Path, value any) {
	harmless := op == Reverse || op == Respell || !g.ours.counts(path)
	g.all = append(g.all, Mutation{Op: op, Path: path, About: about, Value: value, Harmless: harmless})
}

// field mutates a field of a struct, there or not.
func (g *generator) field(f field, parent map[string]any, path Path) {
	path = path.field(f.name)
	value, there := parent[f.name]
	if !there || isUnset(value) {
		g.absent(f.goType, path)
		return
	}
	g.add(Remove, path, path, nil)
	g.value(f.goType, value, path)
}

// absent injects a field, once for each field that it could have. Its items are all that there is of an injected list.
func (g *generator) absent(t reflect.Type, path Path) {
	for _, s := range samples(t, path) {
		g.add(Inject, path, s.path, s.value)
	}
}

// value mutates a value that is there, and what is in it.
func (g *generator) value(t reflect.Type, value any, path Path) {
	t = deref(t)
	switch here := value.(type) {
	case map[string]any:
		if scalars[t] {
			g.scalar(t, value, path)
			return
		}
		if t.Kind() == reflect.Map {
			g.freeMap(t, here, path)
			return
		}
		for _, f := range fieldsOf(t) {
			g.field(f, here, path)
		}
	case []any:
		g.list(t, here, path)
	default:
		g.scalar(t, value, path)
	}
}

func (g *generator) freeMap(t reflect.Type, here map[string]any, path Path) {
	for _, key := range slices.Sorted(maps.Keys(here)) {
		g.add(Remove, path.key(key), path.key(key), nil)
		g.value(t.Elem(), here[key], path.key(key))
	}
	g.absent(t.Elem(), path.key(freeKey(t, here)))
}

func (g *generator) list(t reflect.Type, here []any, path Path) {
	for i, item := range here {
		g.add(Remove, path.index(i), path.index(i), nil)
		g.value(t.Elem(), item, path.index(i))
	}
	for _, s := range samples(t.Elem(), path.index(len(here))) {
		g.add(Append, path, s.path, s.value)
	}
	g.add(Duplicate, path, path, nil)
	g.add(Reverse, path, path, nil)
}

func (g *generator) scalar(t reflect.Type, value any, path Path) {
	for _, other := range others(t, path, value) {
		g.add(Modify, path, path, other)
	}
	if t == quantityType {
		for _, spelling := range respelled(value) {
			g.add(Respell, path, path, spelling)
		}
	}
}

// effective leaves out what changes nothing that the kind's type could hold: an empty struct that is taken away where
// the type always has one, the only item of a list turned around. Other spellings stay: they are for the API server to
// read.
func (g *generator) effective(live map[string]any) ([]Mutation, error) {
	before := compact(live)
	seen := map[string]bool{}
	var kept []Mutation
	for _, m := range g.all {
		changed, err := m.Apply(live)
		if err != nil {
			return nil, err
		}
		after, err := g.kind.Content(changed)
		if err != nil {
			return nil, fmt.Errorf("%s: the type doesn't hold it: %w", m, err)
		}
		if name := m.String(); (compact(after) != before || m.Op == Respell) && !seen[name] {
			seen[name] = true
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// identity are the fields of metadata that say which object it is.
var identity = []string{"name", "namespace"}

// serverOwned are the fields of metadata that the API server alone writes.
var serverOwned = []string{
	"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields",
}

// ServerOwned reports whether the mutation is of something that the API server doesn't let clients write.
func (m Mutation) ServerOwned() bool {
	return m.Path.starts("status") || len(m.Path) > 1 && m.Path.starts("metadata") && slices.Contains(serverOwned, m.Path[1].Key)
}

// metadata mutates what is in metadata but the object's identity.
func (g *generator) metadata(t reflect.Type, live map[string]any) {
	for _, f := range fieldsOf(t) {
		path := Path{{Key: "metadata"}, {Key: f.name}}
		switch {
		case slices.Contains(identity, f.name):
		case f.name == "labels" || f.name == "annotations":
			g.marks(live[f.name], path)
		default:
			g.field(f, live, path[:1])
		}
	}
}

// marks mutates labels or annotations.
func (g *generator) marks(value any, path Path) {
	here, _ := value.(map[string]any)
	if len(here) > 0 {
		g.add(Remove, path, path, nil)
	}
	for _, key := range slices.Sorted(maps.Keys(here)) {
		g.add(Remove, path.key(key), path.key(key), nil)
		for _, value := range markValues(path[1].Key, key) {
			g.add(Modify, path.key(key), path.key(key), value)
		}
	}
	for _, prefix := range append([]string{"example.com/"}, closedPrefixes...) {
		g.add(Inject, path.key(prefix+"mutant"), path.key(prefix+"mutant"), "mutant")
	}
	g.add(Inject, path.key("mutant"), path.key("mutant"), "")
	for _, key := range podSecurityKeys {
		if _, there := here[key]; !there {
			g.add(Inject, path.key(key), path.key(key), markValues(path[1].Key, key)[0])
		}
	}
}

// podSecurityKeys are the labels that Pod Security admission obeys.
var podSecurityKeys = []string{
	podSecurityPrefix + "enforce", podSecurityPrefix + "enforce-version", podSecurityPrefix + "audit",
	podSecurityPrefix + "audit-version", podSecurityPrefix + "warn", podSecurityPrefix + "warn-version",
}

// markValues are other values of a label or annotation. The API server refuses labels of Pod Security that mean nothing.
func markValues(field, key string) []any {
	switch {
	case field != "labels" || !slices.Contains(podSecurityKeys, key):
		return []any{"mutant", ""}
	case strings.HasSuffix(key, "-version"):
		return []any{"v1.30", "latest"}
	default:
		return []any{"privileged", "baseline", "restricted"}
	}
}
