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
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// rig is a Prober of two guard-rails, one of which refuses, with a clock and API servers that answer as they are told.
type rig struct {
	*Prober
	t         *testing.T
	clock     time.Time
	addresses []netip.AddrPort

	mu sync.Mutex
	// answers are those to the probe, by endpoint ("" is the configured one); others refuse.
	answers map[string]Answer
	asked   []string
}

const host = "https://10.0.0.1:443"

func newRig(t *testing.T, addresses ...string) *rig {
	t.Helper()
	rail := func(name string, probe *Probe) Rail {
		return Rail{
			Policy:  &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{AnnotationWhen: "b,,a,a"}}},
			Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
			Probe:   probe,
		}
	}
	r := &rig{t: t, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), answers: map[string]Answer{}}
	for _, address := range addresses {
		r.addresses = append(r.addresses, netip.MustParseAddrPort(address))
	}
	rails := []Rail{rail("refuses", probe("refuses")), rail("warns", nil)}
	r.Prober = NewProber(&rest.Config{Host: host}, rails, func(context.Context) ([]netip.AddrPort, error) { return r.addresses, nil })
	r.Prober.now = func() time.Time { return r.clock }
	r.Prober.ask = func(_ context.Context, way endpoint, probes []*Probe) map[string]Answer {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = append(r.asked, way.String())
		answer, told := r.answers[way.name]
		if !told {
			answer = Answer{Result: Refused}
		}
		answers := map[string]Answer{}
		for _, probe := range probes {
			answers[probe.Policy] = answer
		}
		return answers
	}
	return r
}

// found says what is installed of the guard-rail that refuses.
func (r *rig) found(sound bool) {
	for _, m := range r.rails {
		finding := &Finding{Rail: m.rail}
		if sound || m.rail.Name() == "warns" {
			finding.Policy.Live, finding.Binding.Live = m.rail.Policy, m.rail.Binding
		}
		r.Found(finding)
	}
}

// after lets time pass and asks. It checks the verdict on the guard-rail that refuses and when it asks again.
func (r *rig) after(pause time.Duration, all bool, want Verdict, wantAgain time.Duration) {
	r.t.Helper()
	r.clock = r.clock.Add(pause)
	again, err := r.Ask(r.t.Context(), all)
	if err != nil {
		r.t.Fatal(err)
	}
	want.Policy, want.When = "refuses", []string{"a", "b"}
	if diff := cmp.Diff(want, r.Verdicts()[0]); diff != "" {
		r.t.Errorf("%s: verdict (-want +got):\n%s", r.clock.Format(time.TimeOnly), diff)
	}
	if again != wantAgain {
		r.t.Errorf("%s: it asks again after %s, want %s", r.clock.Format(time.TimeOnly), again, wantAgain)
	}
}

// asks checks who was asked since the last time.
func (r *rig) asks(want ...string) {
	r.t.Helper()
	slices.Sort(r.asked)
	if diff := cmp.Diff(want, r.asked); diff != "" {
		r.t.Errorf("%s: asked (-want +got):\n%s", r.clock.Format(time.TimeOnly), diff)
	}
	r.asked = nil
}

var (
	proven  = Verdict{State: Proven}
	waiting = Verdict{State: Unknown, Pending: true}
	silence = Answer{Result: Unreachable, Why: "no answer"}
)

func TestProberProves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.after(0, true, waiting, soonest) // nobody has looked at what is installed
	r.asks()
	r.found(true)
	r.after(0, false, proven, 0)
	r.asks(host)
	r.after(0, false, proven, 0)
	r.asks() // all is clear
	r.after(time.Hour, true, proven, 0)
	r.asks(host)
	if got := r.Verdicts()[1]; got.State != Proven {
		t.Errorf("what only warns is %s", got.State)
	}
}

func TestProberAsksEach(t *testing.T) {
	t.Parallel()
	const a, b = "192.0.2.1:6443", "192.0.2.2:6443"
	r := newRig(t, b, a, b)
	r.found(true)
	r.after(0, true, proven, 0)
	r.asks(a, b)

	r.answers[b] = Answer{Result: Passed}
	r.after(time.Minute, true, proven, soonest) // it may not be in force there yet
	r.asks(a, b)
	r.after(4*time.Second, false, proven, soonest)
	r.asks(b)
	r.after(time.Second, false, Verdict{State: NotEffective, Message: "API server " + b + " lets pass what it must refuse"}, latest)
	r.answers[a] = Answer{Result: Passed}
	r.after(0, true, Verdict{State: NotEffective, Message: "API server " + b + " lets pass what it must refuse"}, latest)
	r.after(5*time.Second, true, Verdict{State: NotEffective, Message: "API servers " + a + ", " + b + " let pass what it must refuse"}, latest)
	r.asks(a, a, b, b, b)

	r.answers = map[string]Answer{}
	r.after(0, false, proven, 0)

	// One is taken away, with what it said.
	r.answers[b] = Answer{Result: Passed}
	r.after(0, true, proven, soonest)
	r.addresses = r.addresses[1:2]
	r.after(time.Minute, true, proven, 0)
	if got := len(r.rails[0].told); got != 1 {
		t.Errorf("answers of %d API servers are remembered, want that of 1", got)
	}
}

func TestProberSilence(t *testing.T) {
	t.Parallel()
	const a, b = "192.0.2.1:6443", "192.0.2.2:6443"
	r := newRig(t, a, b)
	r.found(true)
	r.answers[b] = silence
	r.after(0, true, proven, unhurried) // no proof of loss
	r.after(59*time.Second, false, proven, unhurried)
	named := Verdict{State: Proven, Message: "API server " + b + " could not be asked"}
	r.after(time.Second, false, named, 0)
	r.asks(a, b, b, b)
	r.after(time.Hour, true, named, 0)
	r.answers[b] = Answer{Result: Inconclusive, Why: "no rights"}
	r.after(0, true, proven, unhurried) // something else stands in the way now

	// None at its own address: the configured one is asked instead.
	r.asked = nil
	r.answers[a], r.answers[b] = silence, silence
	r.after(time.Hour, true, proven, unhurried)
	r.asks(a, b, host)
	r.after(time.Minute, false, Verdict{State: Proven, Message: "API servers " + a + ", " + b + " could not be asked, and " + host + " was instead"}, 0)
	r.asks(a, b)
	r.answers[configured] = Answer{Result: Passed}
	r.after(time.Minute, true, Verdict{State: Proven, Message: "API servers " + a + ", " + b + " could not be asked, and " + host + " was instead"}, soonest)
	r.after(5*time.Second, false, Verdict{State: NotEffective, Message: "API server " + host + " lets pass what it must refuse"}, latest)
}

func TestProberDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.found(true)
	r.answers[configured] = Answer{Result: Inconclusive, Why: "namespace bulkhead-guard-probe is missing"}
	why := Verdict{State: Unknown, Pending: true, Message: "namespace bulkhead-guard-probe is missing"}
	r.after(0, true, why, soonest)
	r.after(8*time.Second, false, why, 4*time.Second)
	unknown := Verdict{State: Unknown, Message: "it could not be found out whether it is in force: namespace bulkhead-guard-probe is missing"}
	r.after(2*time.Second, false, unknown, latest)
	r.after(time.Hour, true, unknown, latest)

	r.answers[configured] = Answer{Result: Refused}
	r.after(0, false, proven, 0)

	// What was proven stands for longer: an API server that starts can't be asked.
	r.answers[configured] = Answer{Result: Unreachable, Why: "it answers with code 503"}
	r.after(0, true, proven, soonest)
	r.after(119*time.Second, false, proven, 59500*time.Millisecond)
	r.after(time.Second, false, Verdict{State: Unknown, Message: "it could not be found out whether it is in force: it answers with code 503"}, latest)
	r.answers[configured] = Answer{Result: NotServed}
	r.after(0, false, Verdict{State: NotApplicable}, 0)
}

func TestProberLoss(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.found(true)
	r.after(0, true, proven, 0)
	r.found(false)
	lost := Verdict{State: NotInstalled, Message: (&Finding{}).Fault()}
	r.asked = nil
	r.after(0, true, lost, 0)
	r.asks() // nothing is there to be asked about

	r.found(true)
	r.answers[configured] = Answer{Result: Passed}
	r.after(0, false, lost, soonest) // it stays lost until it is proven
	r.after(time.Second, false, lost, soonest)
	r.answers[configured] = Answer{Result: Refused}
	r.after(time.Second, false, proven, 0)
}

// TestProberRace checks that an answer from before a loss proves nothing.
func TestProberRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.found(true)
	ask := r.ask
	r.ask = func(ctx context.Context, way endpoint, probes []*Probe) map[string]Answer {
		answers := ask(ctx, way, probes)
		r.found(false)
		return answers
	}
	r.after(0, true, Verdict{State: NotInstalled, Message: (&Finding{}).Fault()}, 0)
}

func TestProberErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("the cache is broken")
	p := NewProber(&rest.Config{}, nil, func(context.Context) ([]netip.AddrPort, error) { return nil, broken })
	if _, err := p.Ask(t.Context(), true); !errors.Is(err, broken) {
		t.Errorf("error %v, want that the cache is broken", err)
	}
	r := newRig(t)
	r.found(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Ask(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	if len(r.rails[0].told) > 0 {
		t.Error("an answer that was cut off is remembered")
	}
}
