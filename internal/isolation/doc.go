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

// Package isolation says by effect, not by text, whether a tenant is isolated: who can reach the pods of a namespace and
// be reached by them (Network), who has access to it, and what its pods may do on their nodes. It is pure: objects come
// in, findings go out; no clock, no I/O. A finding's Since is zero, and the caller's business.
//
// # Network
//
// What is live is compared with what the spec asks for. Both are unions of boxes: products of the labels of the
// namespace's own pods, the peer (a set of namespaces and the labels of its pods, or ranges of addresses), protocols,
// port numbers and port names. Labels are sets too, of values and of "absent", so that every selector and its contrary
// can be written exactly, and no pod has to be known: the operator never reads pods. Exposure is what remains of the
// live boxes when the spec's are subtracted.
//
// The live policies are judged by the labels that namespaces have, the spec's by the labels that they are meant to have
// (Directory): whoever puts a label on a namespace that an opening selects, opens the tenant as much as whoever writes a
// policy.
//
// A namespace that doesn't exist yet counts as one of nobody, without labels: a selector that would match it opens the
// tenant to whatever is created next, and is "every pod in the cluster".
//
// # Cluster policies
//
// Tiered policies (ClusterPolicyAPIs) come before NetworkPolicies or after them. What their Accept rules let pass is a
// union of boxes too, attributed to the policy; what the Admin tier decides is subtracted from what NetworkPolicies open,
// and what either tier decides from what is open because nothing selects the pods. Where the outcome isn't certain, the
// verdict is that it is open:
//
//   - Of policies with the same priority, and of different kinds, either may come first: an Accept counts as if it were
//     before a Deny, and a Deny as if it were behind every Pass.
//   - A range in a rule is for pods that have such an address too, unlike an ipBlock in a NetworkPolicy. Pods' addresses
//     aren't known: an Accept or Pass may match every pod, a Deny none unless it is for all addresses of both families.
//     What the spec opens of a range is opened to pods in it. No pod has a loopback, link-local or multicast address.
//   - Nodes' addresses aren't known: an Accept or Pass may match any that a node can have, a Deny none.
//   - Domain names may resolve to any address or pod.
//   - What isn't understood (a field, an action, a tier, a priority, a subject) may match everything in an Accept or Pass,
//     and closes nothing in a Deny. The finding says what it was. Only a peer without any field is read as the API says:
//     such an Accept matches nothing, such a Deny or Pass denies everybody on its ports.
//   - What takes too long to subtract isn't subtracted.
//
// That the plugin enforces an API that the cluster serves is taken for granted, as it is of NetworkPolicies.
//
// # Limits
//
// What the model doesn't know: pods by their addresses where NetworkPolicies name them (a range is a range of addresses
// there, whether there are pods behind it or not, since plugins differ here), the node of a pod (which always may connect
// to it), pods on the host's network (they are addresses, and neither subjects nor peers of cluster policies), protocols
// other than TCP, UDP and SCTP, and every other policy API.
package isolation
