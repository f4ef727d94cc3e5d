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

// Package egress renders a tenant's ways out: NetworkPolicies for public addresses and for named ranges, what the network
// plugin has for DNS names, and the source addresses of what leaves the cluster.
//
// No range opens a special one inside it, as a private network or the cloud's metadata: that must be named itself. What a
// NetworkPolicy can't say is rendered for the plugin whose API the cluster serves; where none is, a finding names it, and
// everything else is rendered.
//
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=cilium.io,resources=ciliumnetworkpolicies;ciliumegressgatewaypolicies,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=k8s.ovn.org,resources=egressfirewalls;egressips,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=crd.antrea.io,resources=egresses,verbs=list;watch;create;patch;delete
package egress
