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
	"cmp"
	"slices"
	"sync"
	"unique"

	corev1 "k8s.io/api/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Namespace is what is to be known of a live namespace. Its maps are read, never kept.
type Namespace struct {
	// Name is the namespace's name.
	Name string
	// Tenant is the tenant whose it is, whatever its labels say; empty if it is nobody's.
	Tenant string
	// Labels are those it has.
	Labels map[string]string
	// Intended are those that its tenant's spec and the platform ask for. Nil means that the live ones are trusted, as
	// those of a namespace of no tenant are. The tenant label is never trusted: it is intended to be Tenant, or not to
	// be there.
	Intended map[string]string
}

// A Directory knows the namespaces of a cluster and their labels, and for whom it matters when they change. Its memory
// is bounded by what it was told and not told to forget. It is safe for concurrent use.
type Directory struct {
	mu     sync.RWMutex
	byName map[string]int32
	// entries is indexed by the numbers of namespaces; free are the unused ones.
	entries []*entry
	free    []int32
	// live and intended find namespaces by the labels that they have, and that they are meant to have.
	live, intended index

	// tiers are the cluster policies.
	tiers tierIndex

	watchers watchers
}

// An entry is a namespace. It is never changed, only replaced.
type entry struct {
	name, tenant string
	// live and intended are the same slice if they are equal.
	live, intended []label
}

// get returns the labels of one kind; nil has none.
func (e *entry) get(k kind, key string) (string, bool) {
	if e == nil {
		return "", false
	}
	return lookup(e.labels(k), e.name, key)
}

func (e *entry) labels(k kind) []label {
	switch {
	case e == nil:
		return nil
	case k == asIntended:
		return e.intended
	default:
		return e.live
	}
}

func (e *entry) matches(k kind, selector labelBox) bool {
	return selector.matches(func(key string) (string, bool) { return e.get(k, key) })
}

// A kind says which labels of namespaces count.
type kind int

const (
	asLive kind = iota
	asIntended
)

// NewDirectory returns a Directory without namespaces.
func NewDirectory() *Directory {
	return &Directory{byName: map[string]int32{}, live: index{}, intended: index{}, tiers: newTierIndex(), watchers: newWatchers()}
}

// Put tells the directory of a namespace that is new or may have changed. It returns, sorted, the namespaces for which
// Network may say something else now, the namespace itself not always among them. It takes time for those and for
// the namespace's labels only.
func (d *Directory) Put(ns Namespace) []string {
	if ns.Name == "" {
		return nil
	}
	after := newEntry(ns)
	d.mu.Lock()
	defer d.mu.Unlock()
	id, known := d.byName[ns.Name]
	var before *entry
	if known {
		before = d.entries[id]
		if before.same(after) {
			return nil
		}
	} else {
		id = d.newID()
		d.byName[after.name] = id
	}
	for k, x := range []index{asLive: d.live, asIntended: d.intended} {
		was, is := before.labels(kind(k)), after.labels(kind(k))
		if !slices.Equal(was, is) {
			x.remove(id, was)
			x.add(id, is)
		}
	}
	d.entries[id] = after
	again := d.watchers.dependents(before, after)
	if after.tenant != "" && !slices.Equal(d.tiers.of(before), d.tiers.of(after)) {
		again = insert(again, after.name)
	}
	return again
}

// Delete tells the directory that a namespace is gone, and forgets it. It returns the same as Put.
func (d *Directory) Delete(name string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watchers.forget(name)
	id, known := d.byName[name]
	if !known {
		return nil
	}
	before := d.entries[id]
	d.live.remove(id, before.live)
	d.intended.remove(id, before.intended)
	delete(d.byName, name)
	d.entries[id] = nil
	d.free = append(d.free, id)
	return d.watchers.dependents(before, nil)
}

// Forget forgets what Network looked at when it was last asked about the namespace: it won't be asked again.
func (d *Directory) Forget(namespace string) { d.watchers.forget(namespace) }

// Len returns the number of namespaces.
func (d *Directory) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.byName)
}

func (d *Directory) newID() int32 {
	if last := len(d.free) - 1; last >= 0 {
		id := d.free[last]
		d.free = d.free[:last]
		return id
	}
	d.entries = append(d.entries, nil)
	return int32(len(d.entries) - 1) //nolint:gosec // No cluster has two billion namespaces.
}

func newEntry(ns Namespace) *entry {
	intended := ns.Intended
	if intended == nil {
		intended = ns.Labels
	}
	e := &entry{name: ns.Name, tenant: ns.Tenant, live: newLabels(ns.Labels)}
	own := label{unique.Make(v1alpha1.LabelTenant), unique.Make(ns.Tenant)}
	if e.intended = newLabels(intended, own); slices.Equal(e.live, e.intended) {
		e.intended = e.live
	}
	return e
}

func (e *entry) same(o *entry) bool {
	return e.tenant == o.tenant && slices.Equal(e.live, o.live) && slices.Equal(e.intended, o.intended)
}

// resolve returns the namespaces that the selector matches. The directory must be locked, as long as the result is used.
func (d *Directory) resolve(k kind, selector labelBox) coset[int32] {
	x := d.live
	if k == asIntended {
		x = d.intended
	}
	out := everything[int32]()
	for _, t := range selector {
		if t.key == corev1.LabelMetadataName {
			out = out.intersect(d.named(t.set))
			continue
		}
		out = out.intersect(x[t.key].with(t.set))
	}
	return out
}

// named returns the namespaces whose name is one of the set. Every namespace has a name, those that don't exist yet
// have one that no set lists.
func (d *Directory) named(set valueSet) coset[int32] {
	var ids []int32
	for _, name := range set.values.items {
		if id, known := d.byName[name]; known {
			ids = append(ids, id)
		}
	}
	return coset[int32]{items: only(ids...).items, except: set.values.except}
}

// sorted returns the namespaces sorted by name.
func (d *Directory) sorted(ids []int32) []*entry {
	out := make([]*entry, 0, len(ids))
	for _, id := range ids {
		if id >= 0 && int(id) < len(d.entries) && d.entries[id] != nil {
			out = append(out, d.entries[id])
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	return out
}
