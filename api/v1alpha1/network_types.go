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

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Boundary says who is inside the wall.
// +kubebuilder:validation:Enum=Tenant;Namespace;Cluster
type Boundary string

// DNSAccess says whether pods may ask the cluster's DNS.
// +kubebuilder:validation:Enum=ClusterDNS;None
type DNSAccess string

// Access allows or denies.
// +kubebuilder:validation:Enum=Allow;Deny
type Access string

// Direction is the direction of an opening, seen from the tenant's pods.
// +kubebuilder:validation:Enum=Ingress;Egress
type Direction string

// CIDR is a range of addresses, IPv4 or IPv6, as "10.20.0.0/16" or "2001:db8::/32". Leading zeros are refused: some
// programs read 010.0.0.0 as 8.0.0.0.
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:Format=cidr
// +kubebuilder:validation:Pattern=`^(((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})|[0-9A-Fa-f:]+)/(0|[1-9][0-9]{0,2})$`
type CIDR string

const (
	// BoundaryTenant lets all namespaces of the tenant talk to each other.
	BoundaryTenant Boundary = "Tenant"
	// BoundaryNamespace lets only the pods of one namespace talk to each other.
	BoundaryNamespace Boundary = "Namespace"
	// BoundaryCluster is no wall.
	BoundaryCluster Boundary = "Cluster"

	// DNSCluster lets pods ask the cluster's DNS.
	DNSCluster DNSAccess = "ClusterDNS"
	// DNSNone doesn't.
	DNSNone DNSAccess = "None"

	// Allow allows.
	Allow Access = "Allow"
	// Deny denies.
	Deny Access = "Deny"

	// Ingress is traffic to the tenant's pods.
	Ingress Direction = "Ingress"
	// Egress is traffic from the tenant's pods.
	Egress Direction = "Egress"
)

// Network sets who may talk to whom.
type Network struct {
	// boundary says who is inside the wall: all namespaces of the tenant (Tenant, the meaning of unset), only
	// the namespace itself (Namespace), or everybody (Cluster: no wall at all).
	// +optional
	Boundary Boundary `json:"boundary,omitempty"`
	// dns lets pods ask the cluster's DNS: ClusterDNS (the meaning of unset) or None.
	// +optional
	DNS DNSAccess `json:"dns,omitempty"`
	// apiServer lets pods connect to the API server's own addresses: Allow, or Deny (the meaning of unset).
	// +optional
	APIServer Access `json:"apiServer,omitempty"`
	// allow are named openings. At most 24.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Allow []Opening `json:"allow,omitempty"`
}

// Opening is a named opening in the wall.
type Opening struct {
	// name names the opening; its NetworkPolicy is named bulkhead-allow-<name>. The names boundary, dns,
	// api-server and ingress are taken.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="!(self in ['boundary', 'dns', 'api-server', 'ingress'])",message="is taken: an opening must not be named boundary, dns, api-server or ingress"
	Name string `json:"name"`
	// direction is Ingress (to the tenant's pods) or Egress (from them).
	// +required
	Direction Direction `json:"direction"`
	// peers are the other side: 1 to 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Peers []Peer `json:"peers"`
	// ports are the ports that are opened, at most 16. Unset means all ports.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Ports []Port `json:"ports,omitempty"`
}

// Peer is one other side of an opening: exactly one of tenant, namespaces and cidr.
// +kubebuilder:validation:XValidation:rule="(has(self.tenant) ? 1 : 0) + (has(self.namespaces) ? 1 : 0) + (has(self.cidr) ? 1 : 0) == 1",message="must say exactly one of tenant, namespaces and cidr"
// +kubebuilder:validation:XValidation:rule="!has(self.pods) || has(self.namespaces)",message="must be set beside namespaces only",fieldPath=".pods"
// +kubebuilder:validation:XValidation:rule="!has(self.except) || has(self.cidr)",message="must be set beside cidr only",fieldPath=".except"
type Peer struct {
	// tenant is another tenant: all pods in all its namespaces.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Tenant string `json:"tenant,omitempty"`
	// namespaces selects namespaces by their labels; an empty selector selects all of them.
	// +optional
	Namespaces *metav1.LabelSelector `json:"namespaces,omitempty"`
	// pods narrows namespaces to the pods with these labels.
	// +optional
	Pods *metav1.LabelSelector `json:"pods,omitempty"`
	// cidr is a range of addresses.
	// +optional
	CIDR CIDR `json:"cidr,omitempty"`
	// except are ranges inside cidr that stay closed, at most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Except []CIDR `json:"except,omitempty"`
}

// Port is a port, or a range of ports.
// +kubebuilder:validation:XValidation:rule="!has(self.endPort) || (has(self.port) && self.endPort >= self.port)",message="must not be less than port, and needs port",fieldPath=".endPort"
type Port struct {
	// protocol is TCP (the meaning of unset), UDP or SCTP.
	// +optional
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	Protocol corev1.Protocol `json:"protocol,omitempty"`
	// port is the port, 1 to 65535. Unset means all ports of the protocol.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// endPort is the last port of a range that starts with port.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	EndPort int32 `json:"endPort,omitempty"`
}
