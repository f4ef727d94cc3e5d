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

// Package ingress renders the ways into a tenant's namespaces:
//
//   - NetworkPolicy bulkhead-allow-ingress, which lets in the tenant's ingress controllers, and nobody else;
//   - a Gateway for the tenant alone, where the cluster serves the Gateway API (gateway.go);
//   - what guard-rails must know of spec.ingress: annotations of the namespace, from which the rule ingress inside the API
//     server reads which classes, hostnames and types of Services the tenant may have, and which Gateway is its own.
//
// What isn't there is allowed to nobody, so that a tenant without the block has no way in but what NetworkPolicies open
// between pods: no hostname is its own, and Services are of the type ClusterIP. A hostname is one tenant's only: the older
// one keeps it.
//
// admission.yaml is the rule. It is copied to config/admission by hack/generate.sh.
//
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways,verbs=list;watch;create;patch;delete
package ingress
