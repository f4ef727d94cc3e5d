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

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FQDN is a DNS name, or "*." and one, which stands for the names one level below it: "api.example.com",
// "*.example.com".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`
type FQDN string

// IPAddress is an IPv4 or IPv6 address: "198.51.100.10", "2001:db8::1". Leading zeros are refused.
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=39
// +kubebuilder:validation:Pattern=`^(((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*)$`
type IPAddress string

// EgressProvider is the network plugin that gives the tenant's traffic its source addresses.
// +kubebuilder:validation:Enum=Cilium;OVNKubernetes;Antrea
type EgressProvider string

const (
	// EgressCilium renders a CiliumEgressGatewayPolicy (cilium.io/v2) for each address.
	EgressCilium EgressProvider = "Cilium"
	// EgressOVNKubernetes renders an EgressIP (k8s.ovn.org/v1).
	EgressOVNKubernetes EgressProvider = "OVNKubernetes"
	// EgressAntrea renders an Egress (crd.antrea.io/v1beta1).
	EgressAntrea EgressProvider = "Antrea"
)

// EgressPolicy sets the tenant's ways out. Without it nothing outside of the wall can be reached but DNS and what
// network.allow opens.
// +kubebuilder:validation:MinProperties=1
type EgressPolicy struct {
	// internet opens all public addresses: Allow, or Deny (the meaning of unset). It never opens private, link-local and
	// other special ranges, the cloud's metadata addresses, or the API server.
	// +optional
	Internet Access `json:"internet,omitempty"`
	// destinations are named places outside of the cluster that may be reached, at most 24.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Destinations []EgressDestination `json:"destinations,omitempty"`
	// gateway gives the traffic that leaves the cluster source addresses that no other tenant has.
	// +optional
	Gateway *EgressGateway `json:"gateway,omitempty"`
}

// EgressDestination is a named place outside of the cluster: cidrs, fqdns, or both.
// +kubebuilder:validation:XValidation:rule="has(self.cidrs) || has(self.fqdns)",message="must say cidrs, fqdns, or both"
type EgressDestination struct {
	// name names the destination; its NetworkPolicy is named bulkhead-egress-<name>. The name internet is taken.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self != 'internet'",message="is taken: a destination must not be named internet"
	Name string `json:"name"`
	// cidrs are ranges of addresses, at most 16. Special ranges inside a larger one (private, link-local, metadata) stay
	// closed, unless a range names them itself.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	CIDRs []CIDR `json:"cidrs,omitempty"`
	// fqdns are DNS names, at most 16. They need a network plugin that knows them: Cilium or OVN-Kubernetes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	FQDNs []FQDN `json:"fqdns,omitempty"`
	// ports are the ports that may be reached there, at most 16. Unset means all ports.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Ports []Port `json:"ports,omitempty"`
}

// EgressGateway gives a tenant's traffic stable source addresses, in all its namespaces or, in the policy of a single
// namespace, in that one. No two tenants get the same one: who had it first, by
// the creation of the Tenant, keeps it.
// +kubebuilder:validation:MinProperties=1
type EgressGateway struct {
	// provider is the network plugin: Cilium, OVNKubernetes or Antrea. Needed, here or in the TenantClass.
	// +optional
	Provider EgressProvider `json:"provider,omitempty"`
	// addresses are the source addresses, 1 to 8; at most one of each address family with Cilium, and one with Antrea. Needed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Addresses []IPAddress `json:"addresses,omitempty"`
	// nodes selects the nodes through which the traffic leaves. Cilium needs it; Antrea and OVN-Kubernetes choose among
	// the nodes that their own configuration names, and refuse it.
	// +optional
	Nodes *metav1.LabelSelector `json:"nodes,omitempty"`
}
