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

// Hostname is a DNS name, or a wildcard for the names below one: "acme.example.com", "*.acme.example.com". $(tenant)
// stands for the tenant's name.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^(\*\.)?([a-z0-9]|\$\(tenant\))([-a-z0-9]|\$\(tenant\))*(\.([a-z0-9]|\$\(tenant\))([-a-z0-9]|\$\(tenant\))*)*$`
type Hostname string

// ObjectName is the name of a cluster-scoped object, as a class: a DNS subdomain.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type ObjectName string

// ServiceType is a type of Service.
// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer;ExternalName
type ServiceType string

const (
	// ServiceClusterIP is reachable inside the cluster only.
	ServiceClusterIP ServiceType = "ClusterIP"
	// ServiceNodePort opens a port of every node.
	ServiceNodePort ServiceType = "NodePort"
	// ServiceLoadBalancer has an address outside of the cluster.
	ServiceLoadBalancer ServiceType = "LoadBalancer"
	// ServiceExternalName is another name for a host outside of the cluster.
	ServiceExternalName ServiceType = "ExternalName"
)

// IngressPolicy sets the tenant's ways in. Without it nothing leads in: no hostname is the tenant's, and Services are
// of the type ClusterIP.
// +kubebuilder:validation:MinProperties=1
type IngressPolicy struct {
	// classNames are the IngressClasses that Ingresses may name, at most 16. The first is the one of an Ingress that
	// names none, where the API server has MutatingAdmissionPolicies; elsewhere each must name its own. Unset allows none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ClassNames []ObjectName `json:"classNames,omitempty"`
	// gatewayClassNames are the GatewayClasses that Gateways may name, at most 16. Unset allows none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	GatewayClassNames []ObjectName `json:"gatewayClassNames,omitempty"`
	// hostnames are the names that Ingresses, routes and listeners may serve, at most 32. A wildcard allows all names
	// below it, however deep, and not the name itself. Unset allows none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Hostnames []Hostname `json:"hostnames,omitempty"`
	// serviceTypes are the types that Services may have. Unset allows ClusterIP only.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	ServiceTypes []ServiceType `json:"serviceTypes,omitempty"`
	// controllers are the ingress controllers, or gateways, that may connect to the tenant's pods, at most 8. Nothing else
	// from outside of the tenant may, beside the openings of network.allow. NetworkPolicy bulkhead-allow-ingress says so.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Controllers []IngressController `json:"controllers,omitempty"`
	// gateway is a Gateway for this tenant alone. It is read from the Tenant and its TenantClass; in the policy of a single
	// namespace it has no effect.
	// +optional
	Gateway *IngressGateway `json:"gateway,omitempty"`
}

// IngressController says where pods run that carry traffic into the tenant's namespaces.
type IngressController struct {
	// name names the controller.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// namespace is where its pods run.
	// +required
	Namespace NamespaceName `json:"namespace"`
	// pods selects them by their labels. Unset, or an empty selector, is all pods of the namespace.
	// +optional
	Pods *metav1.LabelSelector `json:"pods,omitempty"`
	// ports are the ports of the tenant's pods to which they may connect, at most 16. Unset means all ports.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Ports []Port `json:"ports,omitempty"`
}

// NamespaceName is the name of a namespace: a DNS label.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type NamespaceName string

// IngressGateway is a Gateway (gateway.networking.k8s.io/v1) for one tenant: bulkhead-<tenant>. Only routes in the
// tenant's namespaces can be attached to it.
// +kubebuilder:validation:MinProperties=1
type IngressGateway struct {
	// className is the GatewayClass. Needed, here or in the TenantClass.
	// +optional
	ClassName ObjectName `json:"className,omitempty"`
	// namespace is where the Gateway is. Needed. It must exist, and be the tenant's or nobody's.
	// +optional
	Namespace NamespaceName `json:"namespace,omitempty"`
	// listeners are the ports on which it listens, 1 to 16. Needed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Listeners []GatewayListener `json:"listeners,omitempty"`
}

// ListenerProtocol is what a listener speaks.
// +kubebuilder:validation:Enum=HTTP;HTTPS;TLS;TCP;UDP
type ListenerProtocol string

const (
	// ListenerHTTP is HTTP in clear.
	ListenerHTTP ListenerProtocol = "HTTP"
	// ListenerHTTPS is HTTP over TLS, which ends at the Gateway.
	ListenerHTTPS ListenerProtocol = "HTTPS"
	// ListenerTLS is anything over TLS: it ends at the Gateway if there is a certificate, else it is passed through.
	ListenerTLS ListenerProtocol = "TLS"
	// ListenerTCP is any TCP.
	ListenerTCP ListenerProtocol = "TCP"
	// ListenerUDP is any UDP.
	ListenerUDP ListenerProtocol = "UDP"
)

// GatewayListener is one port of a Gateway.
// +kubebuilder:validation:XValidation:rule="self.protocol in ['HTTP', 'HTTPS', 'TLS'] || !has(self.hostname)",message="must not be set with protocol TCP or UDP, which carry no names",fieldPath=".hostname"
// +kubebuilder:validation:XValidation:rule="self.protocol == 'HTTPS' ? has(self.tlsSecretName) : self.protocol == 'TLS' || !has(self.tlsSecretName)",message="must be set with protocol HTTPS, may be with TLS, and must not be with HTTP, TCP and UDP",fieldPath=".tlsSecretName"
type GatewayListener struct {
	// name names the listener: routes may ask for it by their sectionName.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// port is the port, 1 to 65535.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// protocol is HTTP, HTTPS, TLS, TCP or UDP.
	// +required
	Protocol ListenerProtocol `json:"protocol"`
	// hostname is the name, or wildcard, that the listener serves: one of ingress.hostnames, or covered by one. Unset
	// serves all names that the tenant's routes may have. Not for TCP and UDP.
	// +optional
	Hostname Hostname `json:"hostname,omitempty"`
	// tlsSecretName is the Secret, in the Gateway's namespace, with the certificate. Needed for HTTPS; with TLS, unset
	// passes TLS through.
	// +optional
	TLSSecretName ObjectName `json:"tlsSecretName,omitempty"`
}
