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

package cyclonus_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/isolation"
	"github.com/bulkhead-dev/bulkhead/test/testkit/netstates"
)

// Each state is a cluster of five namespaces with up to three policies each; each packet goes from a pod or an address to
// a pod or an address. Seeds are 0, 1, 2, ….
const (
	states          = 12_000
	packetsPerState = 10
)

// TestAllowsAgreesWithCyclonus leaves nothing out. Where cyclonus differs from Kubernetes, the policies are given to it
// in words that mean the same to both; spell says which. Pods have addresses here, so that ranges match them: cyclonus
// doesn't tell pods from other addresses there, and Allows doesn't if a pod has an address.
func TestAllowsAgreesWithCyclonus(t *testing.T) {
	t.Parallel()
	t.Logf("seeds 0 to %d", states-1)
	const workers = 4
	allowed := make([]int, workers)
	t.Run("seeds", func(t *testing.T) {
		for worker := range workers {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := uint64(worker); seed < states; seed += workers {
					allowed[worker] += compare(t, seed)
				}
			})
		}
	})
	sum := 0
	for _, n := range allowed {
		sum += n
	}
	const all = states * packetsPerState
	t.Logf("%d states, %d packets, of which %d pass", states, all, sum)
	if sum < all/10 || sum > all*9/10 {
		t.Errorf("%d of %d packets pass: the states are too tame to prove anything", sum, all)
	}
}

// compare returns the number of packets that pass.
func compare(t *testing.T, seed uint64) int {
	s := netstates.New(seed)
	w := isolation.World{Namespaces: map[string]map[string]string{}, Policies: map[string][]*networkingv1.NetworkPolicy{}}
	var policies []*networkingv1.NetworkPolicy
	for _, name := range netstates.Namespaces() {
		w.Namespaces[name] = s.NamespaceLabels()
		w.Policies[name] = s.Policies(name, 3)
		for _, p := range w.Policies[name] {
			policies = append(policies, spell(p)...)
		}
	}
	other := matcher.BuildNetworkPolicies(seed%2 == 0, policies)
	passed := 0
	for range packetsPerState {
		packet := isolation.Traffic{From: endpoint(s), To: endpoint(s), Protocol: s.Protocol()}
		packet.Port, packet.PortName = s.Port()
		verdict := other.IsTrafficAllowed(&matcher.Traffic{
			Source: peer(w, packet.From), Destination: peer(w, packet.To),
			ResolvedPort: int(packet.Port), ResolvedPortName: packet.PortName, Protocol: packet.Protocol,
		})
		for direction, want := range map[networkingv1.PolicyType]bool{
			networkingv1.PolicyTypeIngress: verdict.Ingress.IsAllowed(),
			networkingv1.PolicyTypeEgress:  verdict.Egress.IsAllowed(),
		} {
			if got := isolation.AllowsDirection(w, packet, direction); got != want {
				t.Fatalf("seed %d, %s: Allows says %v, cyclonus %v: %+v", seed, direction, got, want, packet)
			}
		}
		got := isolation.Allows(w, packet)
		if got != verdict.IsAllowed() {
			t.Fatalf("seed %d: Allows says %v, cyclonus %v: %+v", seed, got, !got, packet)
		}
		if got {
			passed++
		}
	}
	return passed
}

// TestNetworkAgreesWithCyclonus: what cyclonus says passes the live policies of a namespace, and wouldn't pass those of
// the spec, is never without a finding; and what has a finding is, mostly, found to pass by so few packets. (That each
// finding is right is shown by internal/isolation's own tests, packet by packet.)
func TestNetworkAgreesWithCyclonus(t *testing.T) {
	t.Parallel()
	t.Logf("seeds 0 to %d", states-1)
	found, seen := 0, 0
	for seed := range uint64(states) {
		s := netstates.New(seed)
		dir := isolation.NewDirectory()
		w := isolation.World{Namespaces: map[string]map[string]string{}}
		for _, name := range netstates.Namespaces() {
			w.Namespaces[name] = s.NamespaceLabels()
			dir.Put(isolation.Namespace{Name: name, Tenant: w.Namespaces[name][v1alpha1.LabelTenant], Labels: w.Namespaces[name]})
		}
		const judged = "shop-dev"
		direction := netstates.Pick(s, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
		in := isolation.NetworkInput{Tenant: "shop", Namespace: judged}
		in.Spec = only(direction, s.Policies(judged, 3))
		in.Live = only(direction, s.Policies(judged, 3))
		if len(in.Spec) > 0 && s.One(2) {
			in.Live = append(slices.Clone(in.Spec), in.Live...)
		}
		findings := isolation.Network(dir, in)
		live, spec := cyclonus(in.Live), cyclonus(in.Spec)
		exposed := false
		for range 20 {
			from, to := endpoint(s), isolation.Endpoint{Namespace: judged, Labels: s.PodLabels(), IP: s.Address()}
			if direction == networkingv1.PolicyTypeEgress {
				from, to = to, from
			}
			number, name := s.Port()
			packet := &matcher.Traffic{
				Source: peer(w, from), Destination: peer(w, to), ResolvedPort: int(number), ResolvedPortName: name, Protocol: s.Protocol(),
			}
			ingress := direction == networkingv1.PolicyTypeIngress
			if live.IsIngressOrEgressAllowed(packet, ingress).IsAllowed() && !spec.IsIngressOrEgressAllowed(packet, ingress).IsAllowed() {
				exposed = true
				if len(findings) == 0 {
					t.Fatalf("seed %d, %s: no finding, but %s", seed, direction, packet.Table())
				}
			}
		}
		if len(findings) > 0 {
			found++
		}
		if exposed {
			seen++
		}
	}
	t.Logf("%d states, %d with findings, %d of them seen to be open", states, found, seen)
	if seen < found/2 || found < states/10 || found > states*9/10 {
		t.Error("the states are too tame to prove anything")
	}
}

func cyclonus(policies []*networkingv1.NetworkPolicy) *matcher.Policy {
	var out []*networkingv1.NetworkPolicy
	for _, p := range policies {
		out = append(out, spell(p)...)
	}
	return matcher.BuildNetworkPolicies(false, out)
}

// only returns what the policies say of one direction.
func only(direction networkingv1.PolicyType, policies []*networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, p := range policies {
		if p = defaulted(p); slices.Contains(p.Spec.PolicyTypes, direction) {
			p.Spec.PolicyTypes = []networkingv1.PolicyType{direction}
			out = append(out, p)
		}
	}
	return out
}

// endpoint returns a pod with an address, or an address.
func endpoint(s netstates.Source) isolation.Endpoint {
	e := isolation.Endpoint{IP: s.Address()}
	if !s.One(5) {
		e.Namespace, e.Labels = netstates.Pick(s, netstates.Namespaces()...), s.PodLabels()
	}
	return e
}

func peer(w isolation.World, e isolation.Endpoint) *matcher.TrafficPeer {
	out := &matcher.TrafficPeer{IP: e.IP.String()}
	if e.Namespace == "" {
		return out
	}
	labels := maps.Clone(w.Namespaces[e.Namespace])
	labels[corev1.LabelMetadataName] = e.Namespace
	out.Internal = &matcher.InternalPeer{PodLabels: e.Labels, NamespaceLabels: labels, Namespace: e.Namespace}
	return out
}

// spell says the same as the policy in words in which cyclonus v0.5.6 and Kubernetes agree:
//
//   - the types that the API server would fill in; cyclonus panics without;
//   - "key notin (a)" matches what has no key in Kubernetes (k8s.io/apimachinery/pkg/labels, Requirement.Matches), not in
//     cyclonus (pkg/kube/labelselector.go): two selectors, "key exists and notin (a)" and "key doesn't exist";
//   - the label "key=" with an empty value matches what has no key in cyclonus (a missing key reads as ""), not in
//     Kubernetes: "key in ()" with the value "".
func spell(p *networkingv1.NetworkPolicy) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, selector := range spellSelector(&p.Spec.PodSelector) {
		one := defaulted(p)
		one.Spec.PodSelector = *selector
		for i := range one.Spec.Ingress {
			one.Spec.Ingress[i].From = spellPeers(one.Spec.Ingress[i].From)
		}
		for i := range one.Spec.Egress {
			one.Spec.Egress[i].To = spellPeers(one.Spec.Egress[i].To)
		}
		out = append(out, one)
	}
	return out
}

// defaulted returns a copy with the types that the API server would fill in.
func defaulted(p *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	out := p.DeepCopy()
	if len(out.Spec.PolicyTypes) == 0 {
		out.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(out.Spec.Egress) > 0 {
			out.Spec.PolicyTypes = append(out.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	return out
}

func spellPeers(peers []networkingv1.NetworkPolicyPeer) []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for _, p := range peers {
		for _, namespaces := range spellSelector(p.NamespaceSelector) {
			for _, pods := range spellSelector(p.PodSelector) {
				out = append(out, networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaces, PodSelector: pods, IPBlock: p.IPBlock})
			}
		}
	}
	return out
}

func spellSelector(s *metav1.LabelSelector) []*metav1.LabelSelector {
	if s == nil {
		return []*metav1.LabelSelector{nil}
	}
	first := &metav1.LabelSelector{}
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		first.MatchExpressions = append(first.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: key, Operator: metav1.LabelSelectorOpIn, Values: []string{s.MatchLabels[key]},
		})
	}
	out := []*metav1.LabelSelector{first}
	for _, e := range s.MatchExpressions {
		var next []*metav1.LabelSelector
		for _, so := range out {
			with := so.DeepCopy()
			with.MatchExpressions = append(with.MatchExpressions, e)
			if e.Operator == metav1.LabelSelectorOpNotIn {
				without := so.DeepCopy()
				without.MatchExpressions = append(without.MatchExpressions, metav1.LabelSelectorRequirement{
					Key: e.Key, Operator: metav1.LabelSelectorOpDoesNotExist,
				})
				next = append(next, without)
			}
			next = append(next, with)
		}
		out = next
	}
	return out
}
