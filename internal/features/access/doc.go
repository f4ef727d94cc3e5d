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

// Package access renders who may do what in a tenant: a RoleBinding for each member in each namespace that the
// member has access to, and for each tenant the right of its members to get their Tenant and their namespaces.
//
// All bindings are doors: they are applied only when the walls stand, and deleted first.
//
// The names of the cluster-scoped objects are joined with ":", which can occur neither in a tenant's nor in a
// member's name: no two tenants or members can ever mean the same object.
//
// Verbs: an apply that creates is authorised as create and patch. "get" on Tenants and namespaces is there because
// nobody may grant what they don't hold themselves; "bind" on the ClusterRoles that members get is not, but in the
// ClusterRole bulkhead-bindable-roles, whose list the platform team keeps:
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
//
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings;clusterroles;clusterrolebindings,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=tenancy.bulkhead.dev,resources=tenants,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
package access
