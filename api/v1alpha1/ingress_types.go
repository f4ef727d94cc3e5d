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
}
