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

// Package network renders the NetworkPolicies of a tenant's namespace: default-deny both ways, and by name
// everything that is open in spite of it.
//
// NetworkPolicies only add up, so every opening is a policy of its own with a fixed name, and closing it is
// deleting that policy. All of them are walls: each exists only inside the default-deny, and a namespace without
// them is cut off rather than open.
//
// What is rendered equals what the API server stores, and doesn't depend on the order of the user's lists.
// Where an empty list would mean "everything" (peers, ports), the room refuses it instead of rendering it.
//
// NetworkPolicies add up whoever wrote them. Where the cluster serves ClusterNetworkPolicies or AdminNetworkPolicies, the
// strict tier says the same again above them (tier.go), so that nobody's NetworkPolicy opens what the spec doesn't.
//
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy.networking.k8s.io,resources=clusternetworkpolicies;adminnetworkpolicies,verbs=list;watch;create;patch;delete
package network
