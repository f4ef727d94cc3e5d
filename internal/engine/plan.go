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

package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Input is what a namespace's plan is made of.
type Input struct {
	// Facts are what the rooms see.
	Facts feature.Facts
	// Labels and Annotations are what the Tenant's spec asks for on the Namespace, beside what the rooms set.
	Labels, Annotations map[string]string
}

// NamespaceInput makes the input of a namespace from its facts and what the spec says of the Namespace itself; spec
// may be nil.
func NamespaceInput(facts feature.Facts, spec *v1alpha1.TenantNamespace) Input {
	in := Input{Facts: facts, Labels: map[string]string{}, Annotations: map[string]string{}}
	if spec == nil {
		return in
	}
	for key, value := range spec.Labels {
		in.Labels[key] = string(value)
	}
	for key, value := range spec.Annotations {
		in.Annotations[key] = string(value)
	}
	return in
}

// Plan is all that a namespace, or the cluster scope of a tenant, must have. It is a pure function of facts.
type Plan struct {
	// Tenant is the tenant's name.
	Tenant string
	// Name is the namespace; empty for the cluster scope of a tenant.
	Name string
	// Namespace is the intent of the Namespace itself; nil for the cluster scope of a tenant.
	Namespace *Intent
	// Walls are applied first, Doors only when all walls stand.
	Walls, Doors []*Intent
	// Rooms are what each feature had to say, in the order of the registry.
	Rooms []Room
	// OpenBySpec are sentences that say which walls the spec itself turns off.
	OpenBySpec []string
}

// Room is what one feature had to say about a plan.
type Room struct {
	// Name and Condition are those of the feature.
	Name, Condition string
	// Observe is the feature's feature.Observer, if it is one.
	Observe feature.Observer
	// Err says that the user's input can't be rendered; the room's objects are left as they are.
	Err error
	// Told says that Err is told of elsewhere: the policy isn't known, which each namespace, or the tenant, says itself.
	Told bool
	// Findings are what of the user's input can't be satisfied while the rest can.
	Findings []feature.Finding
}

// NewPlan renders all rooms for one namespace. It fails only if two rooms contradict each other, which is a
// defect of Bulkhead and not of the input.
func NewPlan(features []feature.Feature, in Input) (*Plan, error) {
	p := &Plan{Tenant: in.Facts.Tenant, Name: in.Facts.Namespace}
	labels := map[string]string{v1alpha1.LabelTenant: in.Facts.Tenant}
	annotations := map[string]string{}
	if err := merge("namespace "+p.Name, labels, in.Labels); err != nil {
		return nil, err
	}
	if err := merge("namespace "+p.Name, annotations, in.Annotations); err != nil {
		return nil, err
	}
	if len(in.Annotations) > 0 {
		annotations[v1alpha1.GuardAnnotations] = strings.Join(slices.Sorted(maps.Keys(in.Annotations)), ",")
	}
	for _, f := range features {
		result, err := f.Render(in.Facts)
		room := p.enter(f, result, err)
		if room.Err != nil {
			continue
		}
		if err := p.add(f, f.Owns(), result); err != nil {
			return nil, err
		}
		if err := merge("feature "+f.Name(), labels, result.Labels); err != nil {
			return nil, err
		}
		if err := merge("feature "+f.Name(), annotations, result.Annotations); err != nil {
			return nil, err
		}
	}
	p.Namespace = newNamespaceIntent(p.Name, labels, annotations)
	return p, p.check()
}

// NewTenantPlan renders the cluster-scoped objects of one tenant.
func NewTenantPlan(features []feature.Feature, facts feature.TenantFacts) (*Plan, error) {
	p := &Plan{Tenant: facts.Tenant}
	for _, f := range features {
		cluster, ok := f.(feature.ClusterScoped)
		if !ok {
			continue
		}
		result, err := cluster.RenderTenant(facts)
		if room := p.enter(f, result, err); room.Err != nil {
			room.Told = facts.PolicyError != nil && errors.Is(err, facts.PolicyError)
			continue
		}
		if err := p.add(f, cluster.OwnsCluster(), result); err != nil {
			return nil, err
		}
	}
	return p, p.check()
}

// enter notes what a room had to say. An error of rendering marks the room, whose objects are then left out.
func (p *Plan) enter(f feature.Feature, result feature.Result, err error) *Room {
	room := Room{Name: f.Name(), Condition: f.Condition(), Err: err, Findings: result.Findings}
	room.Observe, _ = f.(feature.Observer)
	p.Rooms = append(p.Rooms, room)
	return &p.Rooms[len(p.Rooms)-1]
}

// add takes over what a room rendered.
func (p *Plan) add(f feature.Feature, owns []schema.GroupVersionKind, result feature.Result) error {
	p.OpenBySpec = append(p.OpenBySpec, result.OpenBySpec...)
	walls, err := p.intents(f, owns, result.Walls)
	if err != nil {
		return err
	}
	doors, err := p.intents(f, owns, result.Doors)
	if err != nil {
		return err
	}
	p.Walls = append(p.Walls, walls...)
	p.Doors = append(p.Doors, doors...)
	return nil
}

func (p *Plan) intents(f feature.Feature, owns []schema.GroupVersionKind, objects []feature.Object) ([]*Intent, error) {
	intents := make([]*Intent, 0, len(objects))
	for _, object := range objects {
		intent, err := newIntent(p.Tenant, f.Name(), object)
		if err != nil {
			return nil, err
		}
		if explained, ok := f.(feature.Explained); ok {
			intent.Field = explained.Field()
		}
		if !slices.Contains(owns, intent.GVK) {
			return nil, fmt.Errorf("feature %s rendered %s, which it does not own", f.Name(), intent)
		}
		if _, custom := object.(feature.Custom); intent.Key.Namespace != p.Name && (p.Name != "" || !custom) {
			return nil, fmt.Errorf("feature %s rendered %s outside namespace %q", f.Name(), intent, p.Name)
		}
		intents = append(intents, intent)
	}
	return intents, nil
}

// check refuses two intents for the same object.
func (p *Plan) check() error {
	seen := map[objectID]string{}
	for intent := range p.objects() {
		if other, ok := seen[intent.id()]; ok {
			return fmt.Errorf("features %s and %s both render %s", other, intent.Feature, intent)
		}
		seen[intent.id()] = intent.Feature
	}
	return nil
}

// Objects are all intents in the order in which they are applied.
func (p *Plan) Objects() []*Intent {
	all := make([]*Intent, 0, 1+len(p.Walls)+len(p.Doors))
	if p.Namespace != nil {
		all = append(all, p.Namespace)
	}
	return append(append(all, p.Walls...), p.Doors...)
}

func (p *Plan) objects() func(yield func(*Intent) bool) { return slices.Values(p.Objects()) }

// guardKeys are the keys of the guard-rail data of the namespace, whether labels or annotations.
func (p *Plan) guardKeys() []string {
	if p.Namespace == nil {
		return nil
	}
	var keys []string
	for _, of := range []map[string]string{p.Namespace.Object.GetLabels(), p.Namespace.Object.GetAnnotations()} {
		for key := range of {
			if strings.HasPrefix(key, v1alpha1.GuardPrefix) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// failedRooms are the names of the rooms whose objects must be left as they are.
func (p *Plan) failedRooms() map[string]bool {
	failed := map[string]bool{}
	for _, room := range p.Rooms {
		if room.Err != nil {
			failed[room.Name] = true
		}
	}
	return failed
}

// merge adds keys to a map and refuses a key that is there already, because two writers of one key would make
// the outcome depend on their order.
func merge(who string, into, from map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, taken := into[key]; taken {
			return fmt.Errorf("%s sets key %q of the namespace, which is set already", who, key)
		}
		into[key] = from[key]
	}
	return nil
}
