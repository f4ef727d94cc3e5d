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

package egress

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Names of the policies. They are a public contract (docs/features/egress.md).
const (
	// prefixEgress is before the name of a destination.
	prefixEgress = "bulkhead-egress-"
	// internet is no name of a destination.
	internet = "internet"
)

// Room renders the ways out.
type Room struct{}

var (
	_ feature.Feature       = Room{}
	_ feature.ClusterScoped = Room{}
	_ feature.Observer      = Room{}
)

// Name implements feature.Feature.
func (Room) Name() string { return "egress" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionEgressReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.egress" }

// Owns implements feature.Feature.
func (Room) Owns() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), kindCiliumPolicy, kindFirewall,
	}
}

// Observes implements feature.Observer.
func (Room) Observes() []schema.GroupVersionKind {
	return append((Room{}).OwnsCluster(), kindCiliumPolicy, kindFirewall)
}

// Observe implements feature.Observer.
func (Room) Observe(live runtime.Object) feature.Observation {
	u, ok := live.(*unstructured.Unstructured)
	if !ok {
		return feature.Observation{}
	}
	switch kind := u.GroupVersionKind(); kind {
	case kindCiliumPolicy:
		return observeCiliumPolicy(u)
	case kindFirewall:
		return observeFirewall(u)
	default:
		for _, p := range providers {
			if p.kind() == kind {
				return p.observe(u)
			}
		}
		return feature.Observation{}
	}
}

// Render returns the policies of internet and of the destinations by name, or nothing without the block. It fails, with
// all that is wrong at once, when a destination can't be rendered exactly as it is written. Names that nothing served can
// open are a finding, and the rest is rendered.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if f.Policy.Egress == nil {
		return feature.Result{}, nil
	}
	w, errs := read(f, *f.Policy.Egress, field.NewPath("egress"))
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	var result feature.Result
	byName := w.names(&result)
	if firewall := w.firewall(&result, byName); firewall != nil {
		result.Walls = append(result.Walls, firewall)
	}
	if w.internet {
		result.Walls = append(result.Walls, policy(internet, f.Namespace, w.public, nil))
	}
	var denied []ciliumBlock
	if byName == byCilium {
		denied = w.denied()
	}
	for _, d := range w.destinations {
		switch {
		case byName == byFirewall && d.openNames:
			// A door: it opens all public addresses, and waits until the EgressFirewall that narrows it stands.
			result.Doors = append(result.Doors, policy(d.name, f.Namespace, append(slices.Clone(d.blocks), w.public...), d.ports))
		case len(d.blocks) > 0:
			result.Walls = append(result.Walls, policy(d.name, f.Namespace, d.blocks, d.ports))
		}
		if byName == byCilium && d.openNames {
			result.Walls = append(result.Walls, w.ciliumPolicy(d, denied))
		}
	}
	return result, nil
}

// waysOut is what the spec says, in canonical form.
type waysOut struct {
	feature.Facts
	// closed are the ranges that a larger one doesn't open.
	closed []netip.Prefix
	// public are the blocks that internet opens, or would.
	public       []block
	internet     bool
	provider     v1alpha1.EgressProvider
	destinations []destination
}

// A destination is one of egress.destinations.
type destination struct {
	name   string
	blocks []block
	fqdns  []string
	ports  []v1alpha1.Port
	// openNames says that the names can be opened.
	openNames bool
}

// read reads the spec, and tells all that is wrong with it.
func read(f feature.Facts, spec v1alpha1.EgressPolicy, at *field.Path) (*waysOut, field.ErrorList) {
	w := &waysOut{Facts: f, internet: spec.Internet == v1alpha1.Allow}
	errs := oneOf(at.Child("internet"), spec.Internet, v1alpha1.Allow, v1alpha1.Deny)
	if spec.Gateway != nil {
		w.provider = spec.Gateway.Provider
		errs = append(errs, oneOf(at.Child("gateway", "provider"), w.provider, providerNames()...)...)
	}
	w.closed = prefixes(func(special) bool { return true }, w.apiServer()...)
	w.public = open(publicRanges, w.closed)
	seen := map[string]bool{}
	for _, d := range slices.SortedStableFunc(slices.Values(spec.Destinations), func(a, b v1alpha1.EgressDestination) int {
		return cmp.Compare(a.Name, b.Name)
	}) {
		here := at.Child("destinations").Key(d.Name)
		switch {
		case seen[d.Name]:
			errs = append(errs, field.Duplicate(here.Child("name"), d.Name))
		case d.Name == internet:
			errs = append(errs, field.Invalid(here.Child("name"), d.Name, "is taken: a destination must not be named internet"))
		}
		seen[d.Name] = true
		read, wrong := w.readDestination(d, here)
		w.destinations, errs = append(w.destinations, read), append(errs, wrong...)
	}
	return w, errs
}

func (w *waysOut) readDestination(d v1alpha1.EgressDestination, at *field.Path) (destination, field.ErrorList) {
	errs := feature.ValidatePorts(d.Ports, at.Child("ports"))
	if len(d.CIDRs) == 0 && len(d.FQDNs) == 0 {
		errs = append(errs, field.Required(at, "must say cidrs, fqdns, or both"))
	}
	var ranges []netip.Prefix
	for i, c := range d.CIDRs {
		prefix, err := feature.ParseCIDR(c, at.Child("cidrs").Index(i))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ranges = append(ranges, prefix)
	}
	fqdns, wrong := readFQDNs(d.FQDNs, at.Child("fqdns"))
	return destination{
		name: d.Name, blocks: open(ranges, w.closed), fqdns: fqdns, ports: feature.CanonicalPorts(d.Ports),
	}, append(errs, wrong...)
}

// network is spec.network, which is nil if it isn't set.
func (w *waysOut) network() v1alpha1.Network {
	if w.Policy.Network == nil {
		return v1alpha1.Network{}
	}
	return *w.Policy.Network
}

// apiServer returns the API server's own addresses, unless spec.network opens them.
func (w *waysOut) apiServer() []netip.Prefix {
	if w.network().APIServer == v1alpha1.Allow {
		return nil
	}
	var out []netip.Prefix
	for _, a := range w.Cluster.APIServer {
		if a.IsValid() {
			out = append(out, single(a.Addr()))
		}
	}
	return out
}

// single returns the range of one address. The zone of a link-local address can't be part of one.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

// openings returns all that the spec opens outwards by addresses, in this block and in network. What isn't valid there
// is that room's business: it is left out.
func (w *waysOut) openings() []opening {
	var out []opening
	for _, d := range w.destinations {
		for _, b := range d.blocks {
			out = append(out, opening{b, d.ports})
		}
	}
	if w.internet {
		for _, b := range w.public {
			out = append(out, opening{block: b})
		}
	}
	for _, o := range w.network().Allow {
		if o.Direction != v1alpha1.Egress {
			continue
		}
		for _, p := range o.Peers {
			if b, ok := peerBlock(p); ok {
				out = append(out, opening{b, feature.CanonicalPorts(o.Ports)})
			}
		}
	}
	if w.network().APIServer == v1alpha1.Allow {
		for _, a := range w.Cluster.APIServer {
			if a.IsValid() && a.Port() != 0 {
				port := v1alpha1.Port{Protocol: corev1.ProtocolTCP, Port: int32(a.Port())}
				out = append(out, opening{block{cidr: single(a.Addr())}, []v1alpha1.Port{port}})
			}
		}
	}
	return out
}

// peerBlock returns the block of a peer of network.allow, if it has a valid one.
func peerBlock(p v1alpha1.Peer) (block, bool) {
	cidr, err := feature.ParseCIDR(p.CIDR, nil)
	if err != nil {
		return block{}, false
	}
	b := block{cidr: cidr}
	for _, e := range p.Except {
		if inner, err := feature.ParseCIDR(e, nil); err == nil {
			b.except = append(b.except, inner)
		}
	}
	return b, true
}

// policy returns the NetworkPolicy of a destination.
func policy(name, namespace string, blocks []block, ports []v1alpha1.Port) feature.Object {
	rule := networkingv1ac.NetworkPolicyEgressRule().WithPorts(feature.NetworkPolicyPorts(ports)...)
	for _, b := range blocks {
		ipBlock := networkingv1ac.IPBlock().WithCIDR(b.cidr.String()).WithExcept(texts(b.except)...)
		rule.WithTo(networkingv1ac.NetworkPolicyPeer().WithIPBlock(ipBlock))
	}
	return networkingv1ac.NetworkPolicy(prefixEgress+name, namespace).WithSpec(networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector()).
		WithPolicyTypes(networkingv1.PolicyTypeEgress).
		WithEgress(rule))
}

func texts(ranges []netip.Prefix) []string {
	var out []string
	for _, r := range ranges {
		out = append(out, r.String())
	}
	return out
}

// oneOf refuses a value that is set and not among the allowed ones.
func oneOf[T ~string](at *field.Path, value T, allowed ...T) field.ErrorList {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, value, allowed)}
}
