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
	"container/list"
	"crypto/sha256"
	"math"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// DefaultFights is how many fights are remembered at most, unless told otherwise.
const DefaultFights = 4096

const (
	// firstDelay is how long a correction waits once it waits, and slowdown by what each further one waits longer.
	firstDelay = 2 * time.Second
	slowdown   = 3
	// maxDelay is how long a correction waits at most, and maxDelayCritical if what is to be corrected opens a wall: a
	// pause of minutes would be a hole.
	maxDelay         = 5 * time.Minute
	maxDelayCritical = 30 * time.Second
	// spread is by what part of itself a delay is longer or shorter, by chance: otherwise two operators that fight each
	// other would do so in step.
	spread = 0.2
)

// A limit says how many corrections make a fight. All three are compared with decaying counts, which are a little lower
// than the number of corrections.
type limit struct {
	// immediate is how many corrections don't wait.
	immediate int
	// perMinute and perHour are how many make the object contested.
	perMinute, perHour float64
}

var (
	// keyLimit holds for the corrections of the same fields after the same field manager.
	keyLimit = limit{immediate: 3, perMinute: 5, perHour: 10}
	// objectLimit holds for all corrections of an object. Whoever writes under another name each time, or another field
	// each time, is a stranger each time to keyLimit, and not to this one.
	objectLimit = limit{immediate: 6, perMinute: 7, perHour: 20}
)

// FightObject is the object of a fight, by kind and name: it stays the same when the object is deleted and made anew.
type FightObject struct {
	// GVK is its kind.
	GVK schema.GroupVersionKind
	// Key is its namespace, empty if it is cluster-scoped, and its name.
	Key types.NamespacedName
}

// FightKey is what a fight is about.
type FightKey struct {
	// Object is the object.
	Object FightObject
	// Paths stands for the fields that differ; zero if the object was missing.
	Paths [16]byte
	// Manager is the field manager that changed them, empty if nothing tells.
	Manager string
}

// NewFightKey returns the key of a difference. Of no difference, it is that of a missing object.
func NewFightKey(object FightObject, d Difference, manager string) FightKey {
	key := FightKey{Object: object, Manager: clean(manager, maxManagerLength)}
	if d.Empty() {
		return key
	}
	paths := d.Paths()
	slices.Sort(paths)
	hash := sha256.New()
	for _, path := range slices.Compact(paths) {
		hash.Write([]byte(path))
		hash.Write([]byte{0}) // is never part of a path
	}
	copy(key.Paths[:], hash.Sum(nil))
	return key
}

// Fights remembers what the operator corrects again and again, and slows it down. Only its own corrections that had an
// effect count: neither what others write, nor events, nor what was corrected in vain.
//
// The first three corrections of the same fields after the same manager come at once. From then on each waits, since
// the one before it, 2 s, 6 s, 18 s and so on up to 5 minutes, or 30 s if what is to be corrected is critical, by chance
// a fifth more or less, and never more than those two. The number of corrections that decides decays with a time
// constant of one hour, so that a rival that comes back keeps its delay, and one that gave up is forgotten little by
// little. All corrections of an object together come at once for the first six, and then wait alike: the longer of both
// waits holds.
//
// An object is contested from five corrections in a minute (by a count that decays with a time constant of one minute)
// or ten in an hour, for all corrections of the object from seven and twenty, until its corrections would come at once
// again.
//
// It holds a bounded number of fights, and forgets first what was asked for least lately. It is safe for concurrent use.
type Fights struct {
	now      func() time.Time
	jitter   func() float64
	capacity int

	mu      sync.Mutex
	fights  map[FightObject]map[fightID]*list.Element // of *fight
	recency *list.List                                // the latest first
}

// fightID is a key, or if whole is set, all keys of its object.
type fightID struct {
	key   FightKey
	whole bool
}

// NewFights returns an empty memory for at most capacity fights (DefaultFights if it isn't positive). now is the clock, the
// system's if nil. jitter returns random numbers from 0 to less than 1; if it is nil, delays are what they are on average.
func NewFights(capacity int, now func() time.Time, jitter func() float64) *Fights {
	if capacity <= 0 {
		capacity = DefaultFights
	}
	if now == nil {
		now = time.Now
	}
	if jitter == nil {
		jitter = func() float64 { return 0.5 }
	}
	return &Fights{
		now: now, jitter: jitter, capacity: capacity,
		fights: map[FightObject]map[fightID]*list.Element{}, recency: list.New(),
	}
}

// Wait returns how long a correction of this severity must wait from now on, zero if it may be made at once, and whether
// the object is contested. It changes nothing about either: only Corrected does.
func (f *Fights) Wait(key FightKey, severity v1alpha1.Severity) (delay time.Duration, contested bool) {
	longest := maxDelay
	if severity == v1alpha1.SeverityCritical {
		longest = maxDelayCritical
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, id := range ids(key) {
		element, ok := f.fights[key.Object][id]
		if !ok {
			continue
		}
		f.recency.MoveToFront(element)
		fight := fightOf(element)
		delay = max(delay, fight.wait(now, longest))
		contested = contested || fight.isContested(now)
	}
	return delay, contested
}

// Corrected notes that the operator corrected a difference, and that this had an effect.
func (f *Fights) Corrected(key FightKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	chance := f.jitter()
	for _, id := range ids(key) {
		f.fight(id).correct(now, chance)
	}
}

// Forget forgets all fights about an object. It is for objects that the intent no longer asks for, and never for those
// that are missing: who deletes an object each time it is made would start afresh each time.
func (f *Fights) Forget(object FightObject) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, element := range f.fights[object] {
		f.recency.Remove(element)
	}
	delete(f.fights, object)
}

// Len returns the number of fights that are remembered: one for each object, and one for each key of it.
func (f *Fights) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.recency.Len()
}

// ids are what a correction counts for. That of the whole object comes last: it outlives those of its keys.
func ids(key FightKey) [2]fightID {
	return [2]fightID{{key: key}, {key: FightKey{Object: key.Object}, whole: true}}
}

// fight returns the fight of an id, and begins it if there is none.
func (f *Fights) fight(id fightID) *fight {
	object := id.key.Object
	if element, ok := f.fights[object][id]; ok {
		f.recency.MoveToFront(element)
		return fightOf(element)
	}
	begun := &fight{id: id, limit: keyLimit}
	if id.whole {
		begun.limit = objectLimit
	}
	if f.recency.Len() >= f.capacity {
		f.forgetOldest()
	}
	if f.fights[object] == nil {
		f.fights[object] = map[fightID]*list.Element{}
	}
	f.fights[object][id] = f.recency.PushFront(begun)
	return begun
}

func (f *Fights) forgetOldest() {
	oldest := f.recency.Back()
	if oldest == nil {
		return
	}
	f.recency.Remove(oldest)
	id := fightOf(oldest).id
	delete(f.fights[id.key.Object], id)
	if len(f.fights[id.key.Object]) == 0 {
		delete(f.fights, id.key.Object)
	}
}

// fightOf returns what an element of the list holds.
func fightOf(element *list.Element) *fight {
	f, ok := element.Value.(*fight)
	if !ok {
		return &fight{} // nothing else is ever put there
	}
	return f
}

// A fight counts corrections.
type fight struct {
	id    fightID
	limit limit
	// last is when the last correction was made, and chance the random number, from 0 to 1, that was drawn then.
	last   time.Time
	chance float64
	// heat and level are the number of corrections, decaying by the minute and by the hour, as of last.
	heat, level float64
	contested   bool
}

// correct counts a correction.
func (f *fight) correct(now time.Time, chance float64) {
	since := f.since(now)
	f.heat = decayed(f.heat, since, time.Minute) + 1
	f.level = decayed(f.level, since, time.Hour) + 1
	f.last = now
	f.chance = math.Min(math.Max(chance, 0), 1)
	if math.IsNaN(chance) {
		f.chance = 0.5
	}
	switch {
	case f.heat > f.limit.perMinute-1, f.level > f.limit.perHour-1:
		f.contested = true
	case round(f.level) < f.limit.immediate:
		f.contested = false
	}
}

// wait returns how long the next correction still waits.
func (f *fight) wait(now time.Time, longest time.Duration) time.Duration {
	steps := round(f.level) - f.limit.immediate
	if steps < 0 {
		return 0
	}
	// The middle of the longest delays is so far below the bound that chance never exceeds it.
	middle := math.Min(float64(firstDelay)*math.Pow(slowdown, float64(steps)), float64(longest)/(1+spread))
	delay := time.Duration(middle * (1 - spread + 2*spread*f.chance))
	return max(0, delay-f.since(now))
}

// isContested reports whether the object is contested, and not just was.
func (f *fight) isContested(now time.Time) bool {
	return f.contested && round(decayed(f.level, f.since(now), time.Hour)) >= f.limit.immediate
}

// since is the time that passed since the last correction. If the clock was put back, none has, and time counts from
// now on: nothing must wait for the old time to come again.
func (f *fight) since(now time.Time) time.Duration {
	if f.last.IsZero() || now.Before(f.last) {
		f.last = now
	}
	return now.Sub(f.last)
}

// decayed is what is left of a count after a time.
func decayed(count float64, after, constant time.Duration) float64 {
	return count * math.Exp(-float64(after)/float64(constant))
}

// round returns the nearest whole number: three corrections within seconds are three, though some of the first has
// decayed.
func round(count float64) int { return int(math.Round(count)) }
