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
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// PutClusterPolicy tells the directory of a cluster policy that is new or may have changed: one of the kinds of
// ClusterPolicyAPIs, whoever made it. The object is read, never kept. It returns, sorted, the tenants' namespaces for which
// Network may say something else now: those that the policy selects or did, none if its spec says what it said. It takes
// time for those only. What isn't understood counts as open (ClusterPolicyDoubts); another kind, or an object without a
// name, is an error that changes nothing.
func (d *Directory) PutClusterPolicy(u *unstructured.Unstructured) ([]string, error) {
	after, err := readClusterPolicy(u)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.tiers.policies[after.key()]
	if reflect.DeepEqual(before, after) {
		return nil, nil
	}
	d.tiers.remove(before)
	d.tiers.add(after)
	return d.selected(before, after), nil
}

// DeleteClusterPolicy tells the directory that a cluster policy is gone, and forgets it. It returns the same as
// PutClusterPolicy; nothing if the directory doesn't know the policy.
func (d *Directory) DeleteClusterPolicy(kind schema.GroupKind, name string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.tiers.policies[tierKey{kind.Kind, name}]
	if before == nil || kind.Group != tierGroup {
		return nil
	}
	d.tiers.remove(before)
	return d.selected(before)
}

// selected returns the tenants' namespaces that one of the policies selects, sorted; nil policies select none.
func (d *Directory) selected(policies ...*clusterPolicy) []string {
	var all coset[int32]
	for _, p := range policies {
		if p != nil && !p.nobody {
			all = all.union(d.resolve(asLive, p.namespaces))
		}
	}
	var out []string
	add := func(id int32) {
		if e := d.entries[id]; e != nil && e.tenant != "" {
			out = append(out, e.name)
		}
	}
	if all.except {
		for _, id := range d.byName {
			if all.has(id) {
				add(id)
			}
		}
	} else {
		for _, id := range all.items {
			add(id)
		}
	}
	slices.Sort(out)
	return out
}

type tierKey struct{ kind, name string }

func (p *clusterPolicy) key() tierKey { return tierKey{p.kind, p.name} }

// A tierIndex knows the cluster policies, and finds those that select a namespace without looking at the others: each is
// kept under the values of one label that its namespaces must have, if there is any. One policy for each tenant costs a
// namespace that of its own tenant.
type tierIndex struct {
	policies map[tierKey]*clusterPolicy
	// byLabel are those whose namespaces must have the label; general are the others.
	byLabel map[labelChange]map[*clusterPolicy]struct{}
	general map[*clusterPolicy]struct{}
}

func newTierIndex() tierIndex {
	return tierIndex{
		policies: map[tierKey]*clusterPolicy{},
		byLabel:  map[labelChange]map[*clusterPolicy]struct{}{},
		general:  map[*clusterPolicy]struct{}{},
	}
}

// handles returns the labels of which a namespace must have one to be selected; none if there is no such list.
func (p *clusterPolicy) handles() []labelChange {
	var best *labelTerm
	for i := range p.namespaces {
		t := &p.namespaces[i]
		if t.set.absent || t.set.values.except {
			continue
		}
		if best == nil || len(t.set.values.items) < len(best.set.values.items) {
			best = t
		}
	}
	if best == nil {
		return nil
	}
	out := make([]labelChange, 0, len(best.set.values.items))
	for _, value := range best.set.values.items {
		out = append(out, labelChange{key: best.key, value: value})
	}
	return out
}

func (x *tierIndex) add(p *clusterPolicy) {
	x.policies[p.key()] = p
	if p.nobody {
		return
	}
	handles := p.handles()
	if handles == nil {
		x.general[p] = struct{}{}
	}
	for _, h := range handles {
		if x.byLabel[h] == nil {
			x.byLabel[h] = map[*clusterPolicy]struct{}{}
		}
		x.byLabel[h][p] = struct{}{}
	}
}

func (x *tierIndex) remove(p *clusterPolicy) {
	if p == nil {
		return
	}
	delete(x.policies, p.key())
	delete(x.general, p)
	for _, h := range p.handles() {
		if delete(x.byLabel[h], p); len(x.byLabel[h]) == 0 {
			delete(x.byLabel, h)
		}
	}
}

// of returns the policies that select the namespace by the labels that it has, in their order.
func (x *tierIndex) of(e *entry) []*clusterPolicy {
	if len(x.policies) == 0 || e == nil {
		return nil
	}
	found := maps.Clone(x.general)
	maps.Copy(found, x.byLabel[labelChange{key: corev1.LabelMetadataName, value: e.name}])
	for _, l := range e.live {
		maps.Copy(found, x.byLabel[labelChange{key: l.key.Value(), value: l.value.Value()}])
	}
	out := make([]*clusterPolicy, 0, len(found))
	for p := range found {
		if e.matches(asLive, p.namespaces) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, (*clusterPolicy).compare)
	return out
}

// sorted returns all policies in their order.
func (x *tierIndex) sorted() []*clusterPolicy {
	return slices.SortedFunc(maps.Values(x.policies), (*clusterPolicy).compare)
}
