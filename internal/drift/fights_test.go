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
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// clock is a clock that only the test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

// luck always draws the same number: 0 makes the shortest delays, 1 the longest.
func luck(n float64) func() float64 { return func() float64 { return n } }

const average = 0.5

func newFights(capacity int, jitter float64) (*Fights, *clock) {
	c := &clock{now: noon}
	return NewFights(capacity, c.Now, luck(jitter)), c
}

func keyOf(name, manager string, paths ...string) FightKey {
	var d Difference
	for _, path := range paths {
		d.Changes = append(d.Changes, changeAt(path))
	}
	return NewFightKey(FightObject{quotaGVK, types.NamespacedName{Namespace: "acme-prod", Name: name}}, d, manager)
}

func TestFightsDelays(t *testing.T) {
	t.Parallel()
	key := keyOf("x", "rival", "spec.hard[pods]")
	stranger := func(i int) FightKey { return keyOf("x", fmt.Sprint("rival-", i), fmt.Sprint("spec.hard[", i, "]")) }
	same := func(int) FightKey { return key }
	const high, critical = v1alpha1.SeverityHigh, v1alpha1.SeverityCritical
	seconds := func(s ...float64) []time.Duration {
		var out []time.Duration
		for _, s := range s {
			out = append(out, time.Duration(s*float64(time.Second)))
		}
		return out
	}
	tests := map[string]struct {
		key      func(i int) FightKey
		severity v1alpha1.Severity
		jitter   float64
		// want are the delays before the first, second, … correction.
		want []time.Duration
		// contested is before which correction the object is contested for the first time.
		contested int
	}{
		"three at once":              {same, high, average, seconds(0, 0, 0, 2, 6, 18, 54, 162, 250, 250, 250), 5},
		"by chance the shortest":     {same, high, 0, seconds(0, 0, 0, 1.6, 4.8, 14.4, 43.2, 129.6, 200, 200), 5},
		"by chance the longest":      {same, high, 1, seconds(0, 0, 0, 2.4, 7.2, 21.6, 64.8, 194.4, 194.4, 300), 5},
		"critical":                   {same, critical, average, seconds(0, 0, 0, 2, 6, 18, 25, 25, 25), 5},
		"critical, by bad luck":      {same, critical, 1, seconds(0, 0, 0, 2.4, 7.2, 21.6, 30, 30, 30), 5},
		"a stranger each time":       {stranger, high, average, seconds(0, 0, 0, 0, 0, 0, 2, 6, 18, 54, 162, 162, 250), 7},
		"a critical stranger":        {stranger, critical, average, seconds(0, 0, 0, 0, 0, 0, 2, 6, 18, 25, 25), 7},
		"chance that isn't a number": {same, high, math.NaN(), seconds(0, 0, 0, 2, 6), 5},
		"chance out of bounds":       {same, high, 7, seconds(0, 0, 0, 2.4, 7.2), 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fights, clock := newFights(0, tt.jitter)
			var got []time.Duration
			first := -1
			for i := range tt.want {
				delay, contested := fights.Wait(tt.key(i), tt.severity)
				if contested && first < 0 {
					first = i
				}
				if !contested && first >= 0 {
					t.Errorf("not contested any more before correction %d", i)
				}
				got = append(got, delay.Round(time.Millisecond))
				clock.pass(delay)
				if left, _ := fights.Wait(tt.key(i), tt.severity); left != 0 {
					t.Errorf("%s left after the delay", left)
				}
				fights.Corrected(tt.key(i))
				clock.pass(10 * time.Millisecond)
			}
			for i := range got { // since the last correction a rival needs some time, too
				if got[i] > 0 {
					got[i] += 10 * time.Millisecond
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			wantFirst := tt.contested
			if len(tt.want) <= wantFirst {
				wantFirst = -1
			}
			if first != wantFirst {
				t.Errorf("contested before correction %d, want %d", first, wantFirst)
			}
		})
	}
}

// A rival rewrites an object every 10 ms for 10 minutes, and then gives up.
func TestFightsWithARival(t *testing.T) {
	t.Parallel()
	same := func(int) FightKey { return keyOf("x", "rival", "spec.hard[pods]") }
	manager := func(i int) FightKey { return keyOf("x", fmt.Sprint("rival-", i), "spec.hard[pods]") }
	paths := func(i int) FightKey { return keyOf("x", "rival", fmt.Sprint("spec.hard[", i, "]")) }
	deleting := func(int) FightKey { return keyOf("x", "") }
	tests := map[string]struct {
		key      func(i int) FightKey
		severity v1alpha1.Severity
		writes   int           // at most, in ten minutes
		heals    time.Duration // at most, after the rival gave up
	}{
		"as it is":                          {same, v1alpha1.SeverityHigh, 10, 5 * time.Minute},
		"under another name each time":      {manager, v1alpha1.SeverityHigh, 13, 5 * time.Minute},
		"another field each time":           {paths, v1alpha1.SeverityHigh, 13, 5 * time.Minute},
		"by deleting":                       {deleting, v1alpha1.SeverityHigh, 10, 5 * time.Minute},
		"critical":                          {same, v1alpha1.SeverityCritical, 35, 30 * time.Second},
		"critical, another name each time":  {manager, v1alpha1.SeverityCritical, 38, 30 * time.Second},
		"critical, another field each time": {paths, v1alpha1.SeverityCritical, 38, 30 * time.Second},
	}
	for name, tt := range tests {
		for _, jitter := range []float64{0, average, 1} {
			t.Run(fmt.Sprint(name, ", chance ", jitter), func(t *testing.T) {
				t.Parallel()
				const step = 10 * time.Millisecond
				fights, clock := newFights(0, jitter)
				writes, open, longest := 0, time.Duration(0), time.Duration(0)
				wasContested := false
				// settle is what the operator does while the object differs.
				settle := func(i int) (healed bool) {
					delay, contested := fights.Wait(tt.key(i), tt.severity)
					wasContested = wasContested || contested
					if delay > tt.heals {
						t.Fatalf("told to wait %s", delay)
					}
					if delay > 0 {
						open += step
						longest = max(longest, open)
						return false
					}
					writes++
					open = 0
					fights.Corrected(tt.key(i))
					return true
				}
				for i := range int(10 * time.Minute / step) {
					settle(i)
					clock.pass(step)
				}
				t.Logf("%d writes in 10 minutes, at most %s open", writes, longest)
				if writes > tt.writes || !wasContested || longest > tt.heals {
					t.Errorf("%d writes, contested: %t, %s open", writes, wasContested, longest)
				}
				gaveUp := clock.Now()
				for i := 0; !settle(i); i++ {
					clock.pass(step)
				}
				if took := clock.Now().Sub(gaveUp); took > tt.heals {
					t.Errorf("healed after %s", took)
				}
			})
		}
	}
}

// A fight that lasts stays slow, and a rival that gave up is forgiven by and by.
func TestFightsForgive(t *testing.T) {
	t.Parallel()
	fights, clock := newFights(0, average)
	key := keyOf("x", "rival", "spec.hard[pods]")
	start, writes := clock.Now(), 0
	for clock.Now().Sub(start) < 24*time.Hour {
		delay, _ := fights.Wait(key, v1alpha1.SeverityHigh)
		clock.pass(delay + time.Millisecond)
		fights.Corrected(key)
		writes++
	}
	if perHour := float64(writes) / 24; perHour > 15 {
		t.Errorf("%.1f corrections an hour", perHour)
	}
	// atOnce is how many corrections wouldn't wait after a rest.
	atOnce := func(rest time.Duration) int {
		clock.pass(rest)
		_, contested := fights.Wait(key, v1alpha1.SeverityHigh)
		if contested != (rest < 100*time.Minute) {
			t.Errorf("contested after %s: %t", rest, contested)
		}
		n := 0
		for ; n < 10; n++ {
			if delay, _ := fights.Wait(key, v1alpha1.SeverityHigh); delay > 0 {
				break
			}
			fights.Corrected(key)
		}
		return n
	}
	got := []int{atOnce(10 * time.Minute), atOnce(2 * time.Hour), atOnce(2 * time.Hour), atOnce(12 * time.Hour)}
	if diff := cmp.Diff([]int{1, 1, 3, 3}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Someone who edits something now and then is no rival.
func TestFightsOfTheCareless(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		every     time.Duration
		delay     time.Duration // at most
		contested bool
	}{
		"every half hour":        {30 * time.Minute, 0, false},
		"every ten minutes":      {10 * time.Minute, 0, false},
		"ten times an hour":      {6 * time.Minute, 0, true},
		"every minute":           {time.Minute, 5 * time.Minute, true},
		"five times in a minute": {12 * time.Second, 5 * time.Minute, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fights, clock := newFights(0, average)
			key := keyOf("x", "someone", "spec.hard[pods]")
			was := false
			for range 200 {
				delay, contested := fights.Wait(key, v1alpha1.SeverityHigh)
				was = was || contested
				if delay > tt.delay {
					t.Fatalf("waits %s", delay)
				}
				clock.pass(delay)
				fights.Corrected(key)
				clock.pass(tt.every)
			}
			if was != tt.contested {
				t.Errorf("contested: %t", was)
			}
		})
	}
}

func TestFightsAreApart(t *testing.T) {
	t.Parallel()
	fights, clock := newFights(0, average)
	hot := keyOf("x", "rival", "a")
	for range 4 {
		fights.Corrected(hot)
	}
	waits := func(key FightKey) bool {
		delay, _ := fights.Wait(key, v1alpha1.SeverityHigh)
		return delay > 0
	}
	for name, key := range map[string]FightKey{
		"another object": keyOf("y", "rival", "a"), "another manager": keyOf("x", "me", "a"),
		"other paths": keyOf("x", "rival", "b"), "more paths": keyOf("x", "rival", "a", "b"), "no object": keyOf("x", "rival"),
	} {
		if waits(key) {
			t.Errorf("%s waits", name)
		}
	}
	if !waits(hot) || !waits(keyOf("x", "rival", "a", "a")) {
		t.Error("the fight itself doesn't wait")
	}
	if diff := cmp.Diff(keyOf("x", "", "b", "a"), keyOf("x", "", "a", "b")); diff != "" {
		t.Errorf("the order of the paths counts:\n%s", diff)
	}
	fights.Forget(keyOf("y", "").Object)
	if !waits(hot) {
		t.Error("forgotten with another object")
	}
	clock.pass(-time.Hour)
	if delay, _ := fights.Wait(hot, v1alpha1.SeverityHigh); delay > 6*time.Second {
		t.Errorf("waits %s because the clock was put back", delay)
	}
	fights.Forget(hot.Object)
	if waits(hot) || fights.Len() != 0 {
		t.Errorf("%d fights are left", fights.Len())
	}
}

// Memory is bounded whatever rivals do, and a fight that goes on is not forgotten for others.
func TestFightsAreBounded(t *testing.T) {
	t.Parallel()
	fights, clock := newFights(64, average)
	hot := keyOf("hot", "rival", "a")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 5000 {
		fights.Corrected(hot)
		other := keyOf(fmt.Sprint(random.IntN(100)), fmt.Sprint(random.IntN(50)), fmt.Sprint(i))
		fights.Wait(other, v1alpha1.SeverityHigh)
		fights.Corrected(other)
		if i%100 == 0 {
			fights.Forget(keyOf(fmt.Sprint(random.IntN(100)), "").Object)
		}
		clock.pass(time.Millisecond)
		if fights.Len() > 64 {
			t.Fatalf("%d fights", fights.Len())
		}
		if len(fights.fights) > fights.Len() {
			t.Fatalf("%d objects, %d fights", len(fights.fights), fights.Len())
		}
	}
	if delay, contested := fights.Wait(hot, v1alpha1.SeverityHigh); delay < time.Minute || !contested {
		t.Errorf("waits %s, contested: %t", delay, contested)
	}
	if got := NewFights(-1, nil, nil); got.capacity != DefaultFights {
		t.Errorf("capacity %d", got.capacity)
	}
	tiny := NewFights(1, nil, nil)
	tiny.Corrected(hot)
	if delay, _ := tiny.Wait(hot, v1alpha1.SeverityHigh); delay != 0 || tiny.Len() != 1 {
		t.Errorf("waits %s, %d fights", delay, tiny.Len())
	}
}

func TestFightsConcurrently(t *testing.T) {
	t.Parallel()
	fights := NewFights(16, nil, rand.Float64)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 500 {
				key := keyOf(fmt.Sprint(i%10), fmt.Sprint(worker), "a")
				if delay, _ := fights.Wait(key, v1alpha1.SeverityCritical); delay < 0 || delay > 30*time.Second {
					t.Errorf("waits %s", delay)
				}
				fights.Corrected(key)
				if i%50 == 0 {
					fights.Forget(key.Object)
				}
			}
		})
	}
	group.Wait()
	if n := fights.Len(); n > 16 {
		t.Errorf("%d fights", n)
	}
}
