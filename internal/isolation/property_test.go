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
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

// A netCluster is a random state: a directory, one namespace's policies, and the same as two worlds for Allows.
type netCluster struct {
	dir  *Directory
	in   NetworkInput
	live World
	spec World
}

const judged = "shop-dev"

func newNetCluster(s netstates.Source) netCluster {
	c := netCluster{
		dir: NewDirectory(),
		in:  NetworkInput{Tenant: "shop", Namespace: judged, Spec: s.Policies(judged, 3)},
	}
	c.live.Namespaces, c.spec.Namespaces = map[string]map[string]string{}, map[string]map[string]string{}
	for _, name := range netstates.Namespaces() {
		ns := Namespace{Name: name, Tenant: netstates.Pick(s, "shop", "bank", ""), Labels: s.NamespaceLabels()}
		if name == judged {
			ns.Tenant = "shop"
		}
		if s.One(2) {
			ns.Intended = s.NamespaceLabels()
			if s.One(2) {
				ns.Intended = maps.Clone(ns.Labels)
			}
		}
		c.dir.Put(ns)
		c.live.Namespaces[name] = ns.Labels
		c.spec.Namespaces[name] = intendedLabels(ns)
	}
	for _, p := range c.in.Spec {
		switch s.IntN(4) {
		case 0:
		case 1:
			edited := s.Policy(judged, p.Name)
			c.in.Live = append(c.in.Live, edited)
		default:
			c.in.Live = append(c.in.Live, p.DeepCopy())
		}
	}
	if s.One(2) {
		c.in.Live = append(c.in.Live, s.Policy(judged, "foreign"))
	}
	c.live.Policies = map[string][]*networkingv1.NetworkPolicy{judged: c.in.Live}
	c.spec.Policies = map[string][]*networkingv1.NetworkPolicy{judged: c.in.Spec}
	return c
}

func intendedLabels(ns Namespace) map[string]string {
	out := map[string]string{}
	if ns.Intended == nil {
		maps.Copy(out, ns.Labels)
	} else {
		maps.Copy(out, ns.Intended)
	}
	delete(out, v1alpha1.LabelTenant)
	if ns.Tenant != "" {
		out[v1alpha1.LabelTenant] = ns.Tenant
	}
	return out
}

// netTraffic returns a packet between the judged namespace and somebody: a pod, one in a namespace that doesn't exist yet,
// or an address.
func netTraffic(s netstates.Source, d networkingv1.PolicyType) Traffic {
	own := Endpoint{Namespace: judged, Labels: s.PodLabels()}
	peer := Endpoint{Namespace: netstates.Pick(s, append(netstates.Namespaces(), "tomorrow")...), Labels: s.PodLabels()}
	if s.One(3) {
		peer = Endpoint{IP: s.Address()}
	}
	t := Traffic{From: peer, To: own, Protocol: s.Protocol()}
	if d == networkingv1.PolicyTypeEgress {
		t.From, t.To = own, peer
	}
	t.Port, t.PortName = s.Port()
	return t
}

func (c netCluster) exposed(t Traffic, d networkingv1.PolicyType) bool {
	return AllowsDirection(c.live, t, d) && !AllowsDirection(c.spec, t, d)
}

// rest returns all boxes of a direction that the analysis found to be exposed.
func (a *analysis) everyRest(d networkingv1.PolicyType) []box {
	var out []box
	for _, e := range a.exposures {
		for _, p := range e.parts {
			if p.direction == d {
				out = append(out, p.rest...)
			}
		}
	}
	for _, l := range a.lies {
		for _, p := range l.parts {
			if p.direction == d {
				out = append(out, p.rest...)
			}
		}
	}
	return out
}

func (b *box) contains(dir *Directory, t Traffic, d networkingv1.PolicyType) bool {
	own, peer := t.To, t.From
	if d == networkingv1.PolicyTypeEgress {
		own, peer = peer, own
	}
	if !b.target.matches(getter(own.Labels)) {
		return false
	}
	if (peer.Namespace == "") != (b.outside != nil) {
		return false
	}
	if peer.Namespace == "" && !b.outside.has(peer.IP) {
		return false
	}
	if peer.Namespace != "" {
		id, known := dir.byName[peer.Namespace]
		if (known && !b.namespaces.has(id)) || (!known && !b.namespaces.except) || !b.pods.matches(getter(peer.Labels)) {
			return false
		}
	}
	return b.ports.protocols&protocolOf(t.Protocol) != 0 && b.ports.numbers.has(port(t.Port)) &&
		b.ports.names.has(t.PortName, t.PortName != "")
}

func getter(labels map[string]string) func(string) (string, bool) {
	return func(key string) (string, bool) { v, ok := labels[key]; return v, ok }
}

// witnesses returns packets in the box, one for each namespace in it.
func (b *box) witnesses(dir *Directory, d networkingv1.PolicyType) []Traffic {
	own := Endpoint{Namespace: judged, Labels: b.target.example()}
	var peers []Endpoint
	switch {
	case b.outside != nil:
		peers = append(peers, Endpoint{IP: b.outside[0].from}, Endpoint{IP: b.outside[len(b.outside)-1].to})
	case b.namespaces.except:
		peers = append(peers, Endpoint{Namespace: "tomorrow", Labels: b.pods.example()})
	}
	if b.outside == nil {
		for name, id := range dir.byName {
			if b.namespaces.has(id) {
				peers = append(peers, Endpoint{Namespace: name, Labels: b.pods.example()})
			}
		}
	}
	var out []Traffic
	for _, peer := range peers {
		for _, p := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
			if b.ports.protocols&protocolOf(p) == 0 {
				continue
			}
			t := Traffic{From: peer, To: own, Protocol: p, Port: int32(b.ports.numbers[0].from)}
			if d == networkingv1.PolicyTypeEgress {
				t.From, t.To = own, peer
			}
			if name, present := b.ports.names.example(); present {
				t.PortName = name
			}
			out = append(out, t)
		}
	}
	return out
}

func (b labelBox) example() map[string]string {
	out := map[string]string{}
	for _, t := range b {
		if value, present := t.set.example(); present {
			out[t.key] = value
		}
	}
	return out
}

func (s valueSet) example() (string, bool) {
	switch {
	case s.absent:
		return "", false
	case !s.values.except:
		return s.values.items[0], true
	}
	for i := 0; ; i++ {
		if v := fmt.Sprintf("v%d", i); s.values.has(v) {
			return v, true
		}
	}
}

// TestNetworkIsExact: a packet is in what the analysis calls exposed if and only if it passes what is live and wouldn't
// pass the spec; and each piece of what it calls exposed has such a packet.
func TestNetworkIsExact(t *testing.T) {
	t.Parallel()
	exposed, witnesses, clean := 0, 0, 0
	for seed := range uint64(800) {
		s := netstates.New(seed)
		c := newNetCluster(s)
		a := analyse(c.dir, c.in)
		if a.clean {
			clean++
		}
		if got, want := len(Network(c.dir, c.in)), len(a.exposures)+len(a.lies); got != want {
			t.Fatalf("seed %d: %d findings of %d exposures", seed, got, want)
		}
		for _, d := range directions() {
			rest := a.everyRest(d)
			for range 30 {
				packet := netTraffic(s, d)
				want := c.exposed(packet, d)
				got := slices.ContainsFunc(rest, func(b box) bool { return b.contains(c.dir, packet, d) })
				if got != want {
					t.Fatalf("seed %d, %s: exposed is %v, should be %v: %+v", seed, d, got, want, packet)
				}
				if want {
					exposed++
				}
			}
			for i := range rest {
				for _, packet := range rest[i].witnesses(c.dir, d) {
					witnesses++
					if !rest[i].contains(c.dir, packet, d) || !c.exposed(packet, d) {
						t.Fatalf("seed %d, %s: not exposed: %+v", seed, d, packet)
					}
				}
			}
		}
	}
	t.Logf("%d exposed packets, %d witnesses, %d clean states", exposed, witnesses, clean)
	if exposed < 3000 || witnesses < 10000 || clean < 10 {
		t.Error("the states are too tame to prove anything")
	}
}
