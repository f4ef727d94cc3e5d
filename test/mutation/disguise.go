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
	"maps"
	"math/rand/v2"
	"slices"
)

// Disguised is an object that is as the intent says, with all lists in another order and all quantities in another
// spelling.
func Disguised(kind *Kind, intent map[string]any, random *rand.Rand) (map[string]any, error) {
	all, err := Mutations(kind, intent, Respell)
	if err != nil {
		return nil, err
	}
	live, err := kind.Content(intent)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	for _, i := range random.Perm(len(all)) {
		m := all[i]
		if done[m.Path.String()] {
			continue
		}
		done[m.Path.String()] = true
		if live, err = m.Apply(live); err != nil {
			return nil, err
		}
	}
	shuffle(live, random)
	return live, nil
}

// shuffle puts every list into another order, in place.
func shuffle(value any, random *rand.Rand) {
	switch here := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(here)) {
			shuffle(here[key], random)
		}
	case []any:
		random.Shuffle(len(here), func(i, j int) { here[i], here[j] = here[j], here[i] })
		for _, child := range here {
			shuffle(child, random)
		}
	}
}
