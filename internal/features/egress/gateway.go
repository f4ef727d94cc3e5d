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
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// A provider gives traffic its source addresses.
type provider interface {
	name() v1alpha1.EgressProvider
	kind() schema.GroupVersionKind
	// install says what to do where the kind isn't served.
	install() string
	// validate refuses what the provider can't do.
	validate(g *gateway, at *field.Path) field.ErrorList
	// render returns the objects of a gateway that has at least one address.
	render(g *gateway) []feature.Object
	// observe tells which addresses are on which nodes.
	observe(live *unstructured.Unstructured) feature.Observation
}

var providers = []provider{cilium{}, ovnKubernetes{}, antrea{}}

func providerNames() []v1alpha1.EgressProvider {
	var names []v1alpha1.EgressProvider
	for _, p := range providers {
		names = append(names, p.name())
	}
	return names
}

// maxAddresses is how many addresses a gateway has at most, whatever the provider.
const maxAddresses = 8

// A gateway is egress.gateway of a tenant or, if namespace is set, of one of its namespaces, in canonical form.
type gateway struct {
	tenant, namespace string
	// without are the namespaces of the tenant that have gateways of their own, sorted.
	without   []string
	provider  provider
	addresses []netip.Addr
	nodes     *metav1.LabelSelector
}

// same reports whether two gateways, or nil for none, say the same.
func (g *gateway) same(other *gateway) bool {
	if g == nil || other == nil {
		return g == other
	}
	return g.provider == other.provider && slices.Equal(g.addresses, other.addresses) && reflect.DeepEqual(g.nodes, other.nodes)
}

// objectName is the name of the gateway's object.
func (g *gateway) objectName() string { return feature.ClusterName(g.tenant, g.namespace) }

// selector selects the namespaces. It always has matchLabels: some releases of OVN-Kubernetes want them.
func (g *gateway) selector() metav1.LabelSelector {
	out := metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: g.tenant}}
	switch {
	case g.namespace != "":
		out.MatchLabels[corev1.LabelMetadataName] = g.namespace
	case len(g.without) > 0:
		out.MatchExpressions = []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: g.without},
		}
	}
	return out
}

// OwnsCluster implements feature.ClusterScoped.
func (Room) OwnsCluster() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, p := range providers {
		kinds = append(kinds, p.kind())
	}
	return kinds
}

// RenderTenant returns what gives the tenant's traffic its source addresses. An address that an older tenant has, or
// another namespace, is a finding and isn't rendered.
func (Room) RenderTenant(f feature.TenantFacts) (feature.Result, error) {
	if f.PolicyError != nil {
		return feature.Result{}, f.PolicyError
	}
	gateways, errs := readGateways(f)
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	var result feature.Result
	takenBy := map[netip.Addr]string{}
	for address, tenant := range f.Taken.Addresses {
		if a, err := netip.ParseAddr(address); err == nil {
			takenBy[a] = fmt.Sprintf("is tenant %q's, which is older", tenant)
		}
	}
	for _, g := range gateways {
		at := pathOf(g.namespace)
		g.addresses = slices.DeleteFunc(slices.Clone(g.addresses), func(a netip.Addr) bool {
			whose := takenBy[a]
			if whose == "" {
				takenBy[a] = fmt.Sprintf("is namespace %q's", g.namespace)
				return false
			}
			result.Findings = append(result.Findings, feature.Finding{Reason: v1alpha1.ReasonAddressConflict, Message: fmt.Sprintf(
				"%s: %s %s: list an address that nobody else has, or remove it there", at.Child("addresses"), a, whose)})
			return true
		})
		if len(g.addresses) == 0 {
			continue
		}
		if !f.Cluster.Serves(g.provider.kind()) {
			result.Findings = append(result.Findings, *missing(at.String(), g.provider.install(), g.provider.kind()))
			continue
		}
		result.Walls = append(result.Walls, g.provider.render(g)...)
	}
	return result, nil
}

// pathOf is where the gateway of the tenant, or of a namespace, is in the spec.
func pathOf(namespace string) *field.Path {
	if namespace == "" {
		return field.NewPath("egress", "gateway")
	}
	return field.NewPath("namespaces").Key(namespace).Child("policy", "egress", "gateway")
}

// readGateways returns the tenant's gateway, unless each of its namespaces has one of its own, and those, by name.
func readGateways(f feature.TenantFacts) ([]*gateway, field.ErrorList) {
	shared, sharedErrs := readGateway(f.Policy, f.Tenant, "")
	var out []*gateway
	var without []string
	var errs field.ErrorList
	for _, namespace := range slices.Sorted(maps.Keys(f.Overrides)) {
		own, wrong := readGateway(f.Overrides[namespace], f.Tenant, namespace)
		if len(wrong) > 0 {
			// What is wrong with the tenant's is wrong here, too, and said once.
			if len(sharedErrs) == 0 {
				errs = append(errs, wrong...)
			}
			continue
		}
		if own.same(shared) && len(sharedErrs) == 0 {
			continue
		}
		without = append(without, namespace)
		if own == nil {
			continue
		}
		errs = append(errs, own.validateBeside(shared)...)
		out = append(out, own)
	}
	covered := func(namespace string) bool { return !slices.Contains(without, namespace) }
	if len(without) > 0 && !slices.ContainsFunc(f.Namespaces, covered) {
		return out, errs
	}
	if shared == nil {
		return out, append(sharedErrs, errs...)
	}
	shared.without = without
	errs = append(shared.provider.validate(shared, pathOf("")), errs...)
	return append([]*gateway{shared}, out...), errs
}

// validateBeside takes from a namespace's gateway the addresses of the tenant's, because lists of addresses add up and an
// address has one gateway, and tells what is wrong with the rest.
func (g *gateway) validateBeside(shared *gateway) field.ErrorList {
	if shared != nil {
		g.addresses = slices.DeleteFunc(g.addresses, func(a netip.Addr) bool { return slices.Contains(shared.addresses, a) })
	}
	at := pathOf(g.namespace)
	if len(g.addresses) == 0 {
		return field.ErrorList{field.Required(at.Child("addresses"),
			"must list an address that the tenant's gateway doesn't have: this one isn't the same")}
	}
	return g.provider.validate(g, at)
}

// readGateway returns the gateway of a policy, nil if it has none or a wrong one, and what is wrong with it.
func readGateway(policy v1alpha1.PolicyBlocks, tenant, namespace string) (*gateway, field.ErrorList) {
	if policy.Egress == nil || policy.Egress.Gateway == nil {
		return nil, nil
	}
	spec, at := *policy.Egress.Gateway, pathOf(namespace)
	g := &gateway{tenant: tenant, namespace: namespace}
	var errs field.ErrorList
	for _, p := range providers {
		if p.name() == spec.Provider {
			g.provider = p
		}
	}
	switch {
	case spec.Provider == "":
		errs = append(errs, field.Required(at.Child("provider"), "must be set here or in the TenantClass: Cilium, OVNKubernetes or Antrea"))
	case g.provider == nil:
		errs = append(errs, field.NotSupported(at.Child("provider"), spec.Provider, providerNames()))
	}
	addresses, wrong := readAddresses(spec.Addresses, at.Child("addresses"))
	g.addresses, errs = addresses, append(errs, wrong...)
	if spec.Nodes != nil {
		errs = append(errs, validation.ValidateLabelSelector(spec.Nodes, validation.LabelSelectorValidationOptions{}, at.Child("nodes"))...)
		g.nodes = feature.CanonicalSelector(spec.Nodes)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return g, nil
}

// readAddresses returns the addresses sorted, each once, and what is wrong with them.
func readAddresses(texts []v1alpha1.IPAddress, at *field.Path) ([]netip.Addr, field.ErrorList) {
	var errs field.ErrorList
	switch {
	case len(texts) == 0:
		errs = append(errs, field.Required(at, "must have at least one entry"))
	case len(texts) > maxAddresses: // Lists of addresses add up.
		errs = append(errs, field.TooMany(at, len(texts), maxAddresses))
	}
	var out []netip.Addr
	for i, text := range texts {
		a, err := netip.ParseAddr(string(text))
		switch {
		case err != nil || a.Is4In6() || a.Zone() != "":
			errs = append(errs, field.Invalid(at.Index(i), text, `must be an IPv4 or IPv6 address, as "198.51.100.10" or "2001:db8::1"`))
		case !a.IsGlobalUnicast():
			errs = append(errs, field.Invalid(at.Index(i), text,
				"must be an address that traffic can come from: not a loopback, link-local, multicast or unspecified one"))
		}
		out = append(out, a)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), errs
}

// onePerFamily refuses several addresses of one family.
func onePerFamily(g *gateway, at *field.Path) field.ErrorList {
	four := 0
	for _, a := range g.addresses {
		if a.Is4() {
			four++
		}
	}
	if four > 1 || len(g.addresses)-four > 1 {
		return field.ErrorList{field.Invalid(at.Child("addresses"), fmt.Sprint(g.addresses),
			fmt.Sprintf("must have at most one IPv4 and one IPv6 address with provider %s", g.provider.name()))}
	}
	return nil
}

// noNodes refuses nodes where the provider has another way to name them.
func noNodes(g *gateway, at *field.Path, instead string) field.ErrorList {
	if g.nodes == nil {
		return nil
	}
	return field.ErrorList{field.Forbidden(at.Child("nodes"), fmt.Sprintf("is not for provider %s: %s", g.provider.name(), instead))}
}
