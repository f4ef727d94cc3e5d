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

package guard

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

const (
	// patienceForForce is how long a guard-rail may let pass before it counts: an API server takes up to a second to put a
	// policy in force, and needs to see the namespace's data too.
	patienceForForce = 5 * time.Second
	// patienceForFirst and patienceForNext are how long nothing may be found out before that is said: of a guard-rail of
	// which nothing is known, and of one that was proven.
	patienceForFirst, patienceForNext = 10 * time.Second, 2 * time.Minute
	// patienceForServer is how long an API server may be silent beside others before it is named.
	patienceForServer = time.Minute
	// soonest and latest bound the pause before an open question is asked again.
	soonest, latest = time.Second, time.Minute
	// unhurried is that pause for an API server that doesn't answer while others do.
	unhurried = 5 * time.Second
)

// Prober proves that guard-rails are in force, by dry-run requests that they must refuse, to each API server. It
// remembers the latest answers; its memory is bounded by the number of guard-rails and of API servers. Methods may be
// called concurrently; one Ask runs at a time.
type Prober struct {
	config    *rest.Config
	addresses func(context.Context) ([]netip.AddrPort, error)
	ask       func(context.Context, endpoint, []*Probe) map[string]Answer
	now       func() time.Time

	asking sync.Mutex

	mu    sync.Mutex
	rails []*railMemory
}

// railMemory is what is known of one guard-rail.
type railMemory struct {
	rail Rail
	// looked says that it is known what is installed; fault is then NotInstalled or Edited, or empty if it is sound.
	looked bool
	fault  State
	// told are the latest answers by the name of the endpoint.
	told map[string]told
	// doubt is since when nothing was found out; zero if something was.
	doubt   time.Time
	verdict Verdict
}

// provable reports whether there is something to ask: the guard-rail is there, and refuses.
func (m *railMemory) provable() bool { return m.looked && m.fault == "" && m.rail.Probe != nil }

// told is an answer, and since when it is the same.
type told struct {
	Answer
	since time.Time
}

// NewProber makes a prober of guard-rails, which are those that Expect returned. addresses are those of the API servers; if
// there are none, or none answers, the one that config names is asked.
func NewProber(config *rest.Config, rails []Rail, addresses func(context.Context) ([]netip.AddrPort, error)) *Prober {
	p := &Prober{config: config, addresses: addresses, ask: askEndpoint, now: time.Now}
	for _, rail := range rails {
		p.rails = append(p.rails, &railMemory{rail: rail, told: map[string]told{}, verdict: pending(rail)})
	}
	return p
}

// Found takes what is installed of a guard-rail. One that is no longer sound is lost at once; one that is sound again
// stays lost until it is proven.
func (p *Prober) Found(finding *Finding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.rails {
		if m.rail.Name() != finding.Rail.Name() {
			continue
		}
		m.looked, m.fault = true, finding.State()
		if m.fault != "" {
			m.told = map[string]told{}
			m.say(m.fault, finding.Fault())
		} else if m.rail.Probe == nil {
			m.say(Proven, "")
		}
	}
}

// Verdicts are what is known now, sorted by policy.
func (p *Prober) Verdicts() []Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	verdicts := make([]Verdict, 0, len(p.rails))
	for _, m := range p.rails {
		verdicts = append(verdicts, m.verdict)
	}
	return verdicts
}

// Ask asks each API server, about all guard-rails that are sound or, unless all is set, about those only that it gave no
// clear answer about. It returns when to ask again about those (zero for never).
func (p *Prober) Ask(ctx context.Context, all bool) (time.Duration, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	addresses, err := p.addresses(ctx)
	if err != nil {
		return 0, fmt.Errorf("finding the API servers: %w", err)
	}
	ways := endpoints(p.config, addresses)
	if !p.askAll(ctx, ways, all) && ways[0].name != configured {
		ways = append(ways, asConfigured(p.config))
		p.askAll(ctx, ways[len(ways)-1:], all)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return p.judge(ways), nil
}

// askAll asks endpoints side by side and remembers their answers. It reports whether any answered, or needn't be asked.
func (p *Prober) askAll(ctx context.Context, ways []endpoint, all bool) bool {
	var group sync.WaitGroup
	for _, way := range ways {
		probes := p.open(way.name, all)
		if len(probes) == 0 {
			continue
		}
		group.Go(func() {
			answers := p.ask(ctx, way, probes)
			if ctx.Err() == nil {
				p.remember(way.name, answers)
			}
		})
	}
	group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.rails, (*railMemory).provable) ||
		slices.ContainsFunc(p.rails, func(m *railMemory) bool {
			return slices.ContainsFunc(ways, func(way endpoint) bool {
				answer, asked := m.told[way.name]
				return asked && answer.Result != Unreachable
			})
		})
}

// open are the probes that an endpoint is to be asked.
func (p *Prober) open(name string, all bool) []*Probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	var probes []*Probe
	for _, m := range p.rails {
		answer, asked := m.told[name]
		settled := asked && (answer.Result == Refused || answer.Result == NotServed)
		if m.provable() && (all || !settled) {
			probes = append(probes, m.rail.Probe)
		}
	}
	return probes
}

func (p *Prober) remember(name string, answers map[string]Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, m := range p.rails {
		answer, asked := answers[m.rail.Name()]
		if !asked || !m.provable() {
			continue // it may have been lost meanwhile
		}
		metrics.GuardProbe(m.rail.Name(), string(answer.Result))
		before, known := m.told[name]
		since := now
		if known && before.Result == answer.Result {
			since = before.since
		}
		m.told[name] = told{Answer: answer, since: since}
	}
}

// judge makes verdicts of what the endpoints told, and forgets all others. It returns when to ask again.
func (p *Prober) judge(ways []endpoint) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	var again time.Duration
	for _, m := range p.rails {
		for name := range m.told {
			if !slices.ContainsFunc(ways, func(way endpoint) bool { return way.name == name }) {
				delete(m.told, name)
			}
		}
		next := soonest
		switch {
		case m.provable():
			next = m.judge(ways, now)
		case m.looked:
			continue
		}
		if next > 0 && (again == 0 || next < again) {
			again = next
		}
	}
	return again
}

// judge makes the verdict on a guard-rail that is sound. It returns when to ask again; zero if all is clear.
func (m *railMemory) judge(ways []endpoint, now time.Time) time.Duration {
	t := m.tally(ways, now)
	switch {
	case len(t.passed) > 0:
		m.say(NotEffective, servers(t.passed)+" let"+singular(t.passed)+" pass what it must refuse")
		return latest
	case t.young:
		m.doubt = time.Time{}
		return soonest
	case t.refused || t.notServed:
		m.holds(t)
		if t.waiting {
			return unhurried
		}
		return 0
	default:
		return m.doubtful(t.why, now)
	}
}

// tally is what all endpoints together told of one guard-rail.
type tally struct {
	refused, notServed bool
	// passed are those that let pass for a while; young says that others do only since now.
	passed []string
	young  bool
	// silent are those that gave no clear answer for a while; waiting says that others do only since now.
	silent  []string
	waiting bool
	// why is what stood in the way of a clear answer.
	why string
	// instead is the address that was asked because no API server answered at its own.
	instead string
}

func (m *railMemory) tally(ways []endpoint, now time.Time) tally {
	var t tally
	for _, way := range ways {
		answer := m.told[way.name]
		age := now.Sub(answer.since)
		switch answer.Result {
		case Refused:
			t.refused = true
		case NotServed:
			t.notServed = true
		case Passed:
			if age < patienceForForce {
				t.young = true
				continue
			}
			t.passed = append(t.passed, way.String())
		default:
			if t.why == "" || answer.Result == Inconclusive {
				t.why = answer.Why
			}
			if answer.Result == "" || age < patienceForServer {
				t.waiting = true
				continue
			}
			t.silent = append(t.silent, way.String())
		}
		if way.name == configured && len(ways) > 1 {
			t.instead = way.String()
		}
	}
	return t
}

// holds says that the guard-rail is in force, or has nothing to refuse.
func (m *railMemory) holds(t tally) {
	state, message := Proven, ""
	if !t.refused {
		state = NotApplicable
	}
	if len(t.silent) > 0 {
		message = servers(t.silent) + " could not be asked"
		if t.instead != "" {
			message += ", and " + t.instead + " was instead"
		}
	}
	m.say(state, message)
}

// doubtful says, if that takes long, that nothing can be found out. What was known before stands until then.
func (m *railMemory) doubtful(why string, now time.Time) time.Duration {
	if m.doubt.IsZero() {
		m.doubt = now
	}
	patience := patienceForNext
	if m.verdict.Pending {
		patience = patienceForFirst
	}
	if took := now.Sub(m.doubt); took < patience {
		if m.verdict.Pending {
			m.verdict.Message = why
		}
		return min(max(took/2, soonest), latest)
	}
	doubt := m.doubt
	m.say(Unknown, "it could not be found out whether it is in force: "+why)
	m.doubt = doubt
	return latest
}

func (m *railMemory) say(state State, message string) {
	m.verdict.State, m.verdict.Message, m.verdict.Pending = state, message, false
	m.doubt = time.Time{}
}

// servers names API servers.
func servers(names []string) string {
	noun := "API server "
	if len(names) > 1 {
		noun = "API servers "
	}
	text := noun + strings.Join(names[:min(len(names), maxPaths)], ", ")
	if rest := len(names) - maxPaths; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

func singular(names []string) string {
	if len(names) == 1 {
		return "s"
	}
	return ""
}
