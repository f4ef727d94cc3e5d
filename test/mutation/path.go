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
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Step is one step into an object's content.
type Step struct {
	// Key is the name of a field, or a key of a map.
	Key string
	// Free says that Key is a key that clients choose.
	Free bool
	// Index is a position in a list, if Key is empty and not Free.
	Index int
}

func (s Step) inList() bool { return s.Key == "" && !s.Free }

// A Path leads to a value in an object's JSON content.
type Path []Step

func (p Path) with(s Step) Path       { return append(slices.Clip(p), s) }
func (p Path) field(name string) Path { return p.with(Step{Key: name}) }
func (p Path) key(key string) Path    { return p.with(Step{Key: key, Free: true}) }
func (p Path) index(i int) Path       { return p.with(Step{Index: i}) }
func (p Path) starts(names ...string) bool {
	for i, name := range names {
		if i >= len(p) || p[i].Key != name {
			return false
		}
	}
	return true
}

// String names the value for people, as the operator does: spec.ingress[0].from, spec.hard[pods].
func (p Path) String() string {
	return p.text(func(s Step) string {
		if s.inList() {
			return strconv.Itoa(s.Index)
		}
		return s.Key
	})
}

// Generic names the place in the schema: spec.ingress[].from, spec.hard[*].
func (p Path) Generic() string {
	return p.text(func(s Step) string {
		if s.inList() {
			return ""
		}
		return "*"
	})
}

func (p Path) text(bracketed func(Step) string) string {
	var out strings.Builder
	for i, step := range p {
		switch {
		case step.inList() || step.Free:
			out.WriteString("[" + bracketed(step) + "]")
		case i == 0:
			out.WriteString(step.Key)
		default:
			out.WriteString("." + step.Key)
		}
	}
	return out.String()
}

// edit returns content with the value at a path replaced by what change makes of it. Maps on the way are made if they
// aren't there. What change isn't told of isn't copied. If change wants no value, the key or the item goes.
func edit(content any, path Path, change func(old any, there bool) (value any, keep bool)) (any, error) {
	if len(path) == 0 {
		value, _ := change(content, true)
		return value, nil
	}
	step, last := path[0], len(path) == 1
	switch here := content.(type) {
	case nil:
		if step.inList() {
			return nil, fmt.Errorf("editing %s: there is no list", path)
		}
		return edit(map[string]any{}, path, change)
	case map[string]any:
		out := maps.Clone(here)
		old, there := here[step.Key]
		if last {
			value, keep := change(old, there)
			if out[step.Key] = value; !keep {
				delete(out, step.Key)
			}
			return out, nil
		}
		value, err := edit(old, path[1:], change)
		out[step.Key] = value
		return out, err
	case []any:
		if step.Index >= len(here) {
			return nil, fmt.Errorf("editing %s: there are only %d items", path, len(here))
		}
		out := slices.Clone(here)
		if last {
			value, keep := change(here[step.Index], true)
			if out[step.Index] = value; !keep {
				out = slices.Delete(out, step.Index, step.Index+1)
			}
			return out, nil
		}
		value, err := edit(here[step.Index], path[1:], change)
		out[step.Index] = value
		return out, err
	default:
		return nil, fmt.Errorf("editing %s: there is a %T", path, content)
	}
}
