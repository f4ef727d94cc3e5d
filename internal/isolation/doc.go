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
// What the model doesn't know: pods by their addresses (a range is a range of addresses, whether there are pods behind
// it or not, since plugins differ here), the node of a pod (which always may connect to it), pods on the host's network
// (they are addresses), protocols other than TCP, UDP and SCTP, and every other policy API.
package isolation
