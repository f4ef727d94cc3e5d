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

package network

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Names of the policies. They are a public contract (docs/features/network.md).
const (
	nameDefaultDeny    = "bulkhead-default-deny"
	nameAllowBoundary  = "bulkhead-allow-boundary"
	nameAllowDNS       = "bulkhead-allow-dns"
	nameAllowAPIServer = "bulkhead-allow-api-server"
	// prefixAllow is before the name of an opening.
	prefixAllow = "bulkhead-allow-"
)

type (
	policyConfig = networkingv1ac.NetworkPolicyApplyConfiguration
	peerConfig   = networkingv1ac.NetworkPolicyPeerApplyConfiguration
	egressConfig = networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration
)

// Room renders NetworkPolicies and, where the cluster has an API for it, the strict tier above them.
type Room struct{}

var (
	_ feature.Feature       = Room{}
	_ feature.ClusterScoped = Room{}
	_ feature.Observer      = Room{}
)

// Name implements feature.Feature.
func (Room) Name() string { return "network" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionNetworkReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.network" }

// Owns implements feature.Feature.
func (Room) Owns() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")}
}

// Render returns the policies (default-deny, boundary, DNS, API server, then the openings by name), and as annotations
// what the guard-rail network-policies lets the tenant's own policies open. It fails, with all that is wrong at once,
// when an opening can't be rendered exactly as it is written. What only the operator's own configuration lacks is a
// finding, and the rest is rendered.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	var spec v1alpha1.Network
	if f.Policy.Network != nil {
		spec = *f.Policy.Network
	}
	at := field.NewPath("network")
	if errs := validate(spec, at); len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	openings, errs := renderOpenings(spec.Allow, f.Namespace, at.Child("allow"))
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	guarded, errs := guardData(f, spec, at)
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}

	result := feature.Result{Annotations: guarded, Walls: []feature.Object{
		policy(nameDefaultDeny, f.Namespace, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress),
		allowBoundary(f, spec.Boundary),
	}}
	if spec.Boundary == v1alpha1.BoundaryCluster {
		result.OpenBySpec = append(result.OpenBySpec,
			"network.boundary is Cluster: everybody may connect to the pods, and the pods to everybody")
	}
	if spec.DNS != v1alpha1.DNSNone {
		add(&result, allowDNS(f), "network.dns is ClusterDNS, but the operator doesn't know where the cluster's DNS "+
			"runs: set its flags --dns-namespace, --dns-pod-labels and --dns-ports, or network.dns: None")
	}
	if spec.APIServer == v1alpha1.Allow {
		add(&result, allowAPIServer(f), "network.apiServer is Allow, but the operator knows no address of the API "+
			"server: set the operator's flag --api-server-addresses")
	}
	result.Walls = append(result.Walls, openings...)
	return result, nil
}

// add adds the policy to the walls, or, if there is none, a finding that says what is missing.
func add(to *feature.Result, p *policyConfig, missing string) {
	if p == nil {
		to.Findings = append(to.Findings, feature.Finding{Reason: v1alpha1.ReasonPending, Message: missing})
		return
	}
	to.Walls = append(to.Walls, p)
}

// validate refuses words that the API server would have refused: an unknown one must not fall through to a
// default that opens something.
func validate(spec v1alpha1.Network, at *field.Path) field.ErrorList {
	return slices.Concat(
		oneOf(at.Child("boundary"), spec.Boundary, v1alpha1.BoundaryTenant, v1alpha1.BoundaryNamespace, v1alpha1.BoundaryCluster),
		oneOf(at.Child("dns"), spec.DNS, v1alpha1.DNSCluster, v1alpha1.DNSNone),
		oneOf(at.Child("apiServer"), spec.APIServer, v1alpha1.Allow, v1alpha1.Deny),
	)
}

// oneOf refuses a value that is set and not among the allowed ones.
func oneOf[T ~string](at *field.Path, value T, allowed ...T) field.ErrorList {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, value, allowed)}
}

// policy returns a policy for all pods of the namespace. The types are always said, because the server derives
// them from the rules otherwise:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/networking/v1/defaults.go
func policy(name, namespace string, types ...networkingv1.PolicyType) *policyConfig {
	return networkingv1ac.NetworkPolicy(name, namespace).WithSpec(networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector()).
		WithPolicyTypes(types...))
}

// allowBoundary opens the namespace, both ways, to who is inside the wall.
func allowBoundary(f feature.Facts, boundary v1alpha1.Boundary) *policyConfig {
	p := policy(nameAllowBoundary, f.Namespace, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
	in, out := networkingv1ac.NetworkPolicyIngressRule(), networkingv1ac.NetworkPolicyEgressRule()
	switch boundary {
	case v1alpha1.BoundaryCluster:
		// A rule without peers is every peer, also outside the cluster. An empty peer would be refused, and an
		// empty namespace selector would leave out nodes and all that isn't a pod.
	case v1alpha1.BoundaryNamespace:
		in.WithFrom(networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector()))
		out.WithTo(networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector()))
	default:
		tenant := map[string]string{v1alpha1.LabelTenant: f.Tenant}
		in.WithFrom(networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(matchLabels(tenant)))
		out.WithTo(networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(matchLabels(tenant)))
	}
	p.Spec.WithIngress(in).WithEgress(out)
	return p
}

// allowDNS opens egress to the cluster's DNS, or returns nil if it isn't fully known: a peer without labels, or
// a rule without ports, would open more than DNS.
func allowDNS(f feature.Facts) *policyConfig {
	dns := f.Cluster.DNS
	if dns.Namespace == "" || len(dns.PodLabels) == 0 || len(dns.Ports) == 0 {
		return nil
	}
	rule := networkingv1ac.NetworkPolicyEgressRule().
		// Both selectors in one peer are "and"; in two peers they would be "or".
		WithTo(networkingv1ac.NetworkPolicyPeer().
			WithNamespaceSelector(matchLabels(map[string]string{corev1.LabelMetadataName: dns.Namespace})).
			WithPodSelector(matchLabels(dns.PodLabels)))
	return egress(nameAllowDNS, f.Namespace, rule.WithPorts(feature.NetworkPolicyPorts(dnsPorts(dns))...))
}

// dnsPorts are the ports of the cluster's DNS, for TCP and UDP.
func dnsPorts(dns feature.DNS) []v1alpha1.Port {
	var ports []v1alpha1.Port
	for _, port := range dns.Ports {
		ports = append(ports, v1alpha1.Port{Protocol: corev1.ProtocolTCP, Port: port},
			v1alpha1.Port{Protocol: corev1.ProtocolUDP, Port: port})
	}
	return ports
}

// apiServerRanges are the API server's addresses, each as a range, by port.
func apiServerRanges(cluster feature.ClusterFacts) map[uint16][]netip.Prefix {
	byPort := map[uint16][]netip.Prefix{}
	for _, a := range cluster.APIServer {
		if !a.IsValid() || a.Port() == 0 {
			continue
		}
		// The zone of a link-local address can't be part of a range.
		ip := a.Addr().Unmap().WithZone("")
		byPort[a.Port()] = append(byPort[a.Port()], netip.PrefixFrom(ip, ip.BitLen()))
	}
	return byPort
}

// allowAPIServer opens egress to the API server's own addresses, one rule for each port, or returns nil if no
// address is known. The address of the Service "kubernetes" wouldn't do: most network plugins judge a packet by
// the address it is translated to.
func allowAPIServer(f feature.Facts) *policyConfig {
	byPort := apiServerRanges(f.Cluster)
	var rules []*egressConfig
	for _, port := range sortedKeys(byPort) {
		rule := networkingv1ac.NetworkPolicyEgressRule().
			WithPorts(feature.NetworkPolicyPorts([]v1alpha1.Port{{Protocol: corev1.ProtocolTCP, Port: int32(port)}})...)
		for _, prefix := range uniquePrefixes(byPort[port]) {
			rule.WithTo(networkingv1ac.NetworkPolicyPeer().WithIPBlock(networkingv1ac.IPBlock().WithCIDR(prefix.String())))
		}
		rules = append(rules, rule)
	}
	if len(rules) == 0 {
		return nil
	}
	return egress(nameAllowAPIServer, f.Namespace, rules...)
}

func egress(name, namespace string, rules ...*egressConfig) *policyConfig {
	p := policy(name, namespace, networkingv1.PolicyTypeEgress)
	p.Spec.WithEgress(rules...)
	return p
}

func matchLabels(labels map[string]string) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(labels)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func uniquePrefixes(in []netip.Prefix) []netip.Prefix {
	return slices.Compact(slices.SortedFunc(slices.Values(in), netip.Prefix.Compare))
}
