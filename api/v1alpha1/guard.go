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

// Guard-rail data: annotations of a tenant's namespace, from which the policies inside the API server read what the
// tenant may do. Values are lists separated by commas, without spaces. They are written by the operator only, and
// guarded by the policy namespace-metadata. What a key means when it isn't there is said at each.
const (
	// GuardNamespaces are the namespaces of the tenant, whose ServiceAccounts may be bound in each of them. Not there:
	// only those of the namespace itself.
	GuardNamespaces = GuardPrefix + "namespaces"

	// GuardAnnotations are the keys of spec.namespaces[].annotations, sorted: by them the identity stamp knows which of a
	// namespace's annotations are Bulkhead's. Not there: none.
	GuardAnnotations = GuardPrefix + "annotations"

	// GuardQuota is a label, because policies are selected by it: "Required" on a namespace that must have a
	// ResourceQuota in force before anything runs there.
	GuardQuota = GuardPrefix + "quota"

	// GuardBoundary is spec.network.boundary. Not there: Tenant.
	GuardBoundary = GuardPrefix + "network-boundary"
	// GuardIngressCIDRs and GuardEgressCIDRs are the ranges that are open on all ports and without exceptions, at most 64
	// each, none inside another. Not there: none.
	GuardIngressCIDRs = GuardPrefix + "network-ingress-cidrs"
	GuardEgressCIDRs  = GuardPrefix + "network-egress-cidrs"
	// GuardIngressTenants and GuardEgressTenants are other tenants that are open on all ports, at most 64 each. Not there:
	// none.
	GuardIngressTenants = GuardPrefix + "network-ingress-tenants"
	GuardEgressTenants  = GuardPrefix + "network-egress-tenants"
	// GuardDNS is where the cluster's DNS is, if pods may ask it: its namespace, then the labels of its pods as key=value,
	// then its ports with a colon before each ("kube-system,k8s-app=kube-dns,:53"). Not there: they may not.
	GuardDNS = GuardPrefix + "network-dns"

	// GuardIngressClasses and GuardGatewayClasses are the classes that may be named, the default first. Not there: none.
	GuardIngressClasses = GuardPrefix + "ingress-classes"
	GuardGatewayClasses = GuardPrefix + "gateway-classes"
	// GuardHostnames are the names, and wildcards ("*.acme.example.com"), that may be served. Not there: none.
	GuardHostnames = GuardPrefix + "hostnames"
	// GuardGateway is the Gateway that is the tenant's alone, as namespace/name. Routes without hostnames (TCPRoute, UDPRoute)
	// may name it as their parent, and no other. Not there: none.
	GuardGateway = GuardPrefix + "gateway"
	// GuardServiceTypes are the types that Services may have. Not there: ClusterIP.
	GuardServiceTypes = GuardPrefix + "service-types"

	// GuardRegistries are what image references may begin with. Not there: anything.
	GuardRegistries = GuardPrefix + "registries"
	// GuardDigests is "Required" if images must be named by digest.
	GuardDigests = GuardPrefix + "digests"
	// GuardPullPolicy is the policy that every container must have. Not there: any.
	GuardPullPolicy = GuardPrefix + "pull-policy"

	// GuardDefaultPullPolicy and GuardDefaultNodes are labels, because policies are selected by them: "Required" on a
	// namespace whose pods get a pull policy, or node selectors and tolerations, that they don't have. Pods of others aren't
	// looked at for it.
	GuardDefaultPullPolicy = GuardPrefix + "default-pull-policy"
	GuardDefaultNodes      = GuardPrefix + "default-nodes"

	// GuardStorageClasses are the StorageClasses that claims may name, the default first. Not there: any.
	GuardStorageClasses = GuardPrefix + "storage-classes"

	// GuardPlacement is "Restricted" if the tenant has a placement: pods name no node, no other scheduler, and don't
	// tolerate every taint.
	GuardPlacement = GuardPrefix + "placement"
	// GuardNodeSelector are the node labels, as key=value, that every pod must select. Not there: none.
	GuardNodeSelector = GuardPrefix + "node-selector"
	// GuardTolerations are the tolerations that pods may have, as key[=value][:effect]; without "=" whatever the value.
	// Not there: all that name a key.
	GuardTolerations = GuardPrefix + "tolerations"
	// GuardPriorityClasses and GuardRuntimeClasses are the classes that pods may name. Not there: any.
	GuardPriorityClasses = GuardPrefix + "priority-classes"
	GuardRuntimeClasses  = GuardPrefix + "runtime-classes"
)

// GuardKeys are all keys of guard-rail data.
func GuardKeys() []string {
	return []string{
		GuardNamespaces, GuardAnnotations, GuardQuota, GuardDefaultPullPolicy, GuardDefaultNodes,
		GuardBoundary, GuardIngressCIDRs, GuardEgressCIDRs, GuardIngressTenants, GuardEgressTenants, GuardDNS, GuardIngressClasses, GuardGatewayClasses, GuardHostnames, GuardGateway,
		GuardServiceTypes, GuardRegistries, GuardDigests, GuardPullPolicy, GuardStorageClasses, GuardPlacement, GuardNodeSelector,
		GuardTolerations, GuardPriorityClasses, GuardRuntimeClasses,
	}
}
