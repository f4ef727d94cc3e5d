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

package isolation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// tierGroup is the API group of tiered policies. AWS and Antrea have kinds of the same name in groups of their own,
// which are other APIs.
const tierGroup = "policy.networking.k8s.io"

// A ClusterPolicyAPI is a kind of tiered cluster policy that is modelled.
type ClusterPolicyAPI struct {
	// GroupVersionKind is the kind, in the one version that is understood.
	GroupVersionKind schema.GroupVersionKind
	// Resource is "<resource>.<group>": the name of its CustomResourceDefinition, and how status names it.
	Resource string
}

// ClusterPolicyAPIs are the kinds of cluster policies that are modelled, sorted by resource. All are optional: a cluster
// serves some of them or none.
func ClusterPolicyAPIs() []ClusterPolicyAPI {
	var out []ClusterPolicyAPI
	for _, d := range dialects() {
		out = append(out, ClusterPolicyAPI{
			GroupVersionKind: schema.GroupVersionKind{Group: tierGroup, Version: d.version, Kind: d.kind},
			Resource:         d.resource + "." + tierGroup,
		})
	}
	return out
}

// A dialect is how a kind says what all of them say.
type dialect struct {
	kind, version, resource string
	// accept is the word for letting in, ports the field with the ports of a rule.
	accept, ports string
	// tier is the tier of all policies of the kind; none if spec.tier says it.
	tier tier
	// priority says that spec.priority orders them. Of the kind without, one named "default" is all that there may be.
	priority bool
}

func dialects() []dialect {
	return []dialect{
		{kind: "AdminNetworkPolicy", version: "v1alpha1", resource: "adminnetworkpolicies",
			accept: "Allow", ports: "ports", tier: tierAdmin, priority: true},
		{kind: "BaselineAdminNetworkPolicy", version: "v1alpha1", resource: "baselineadminnetworkpolicies",
			accept: "Allow", ports: "ports", tier: tierBaseline},
		{kind: "ClusterNetworkPolicy", version: "v1alpha2", resource: "clusternetworkpolicies",
			accept: "Accept", ports: "protocols", priority: true},
	}
}

func dialectOf(gvk schema.GroupVersionKind) (dialect, error) {
	all := dialects()
	i := slices.IndexFunc(all, func(d dialect) bool {
		return gvk == schema.GroupVersionKind{Group: tierGroup, Version: d.version, Kind: d.kind}
	})
	if i < 0 {
		return dialect{}, fmt.Errorf("%s is no kind of cluster policy that is modelled", gvk)
	}
	return all[i], nil
}

// tier is a set of tiers. Connections are judged by the Admin tier, then by NetworkPolicies, which have the last word on
// the pods that they select, then by the Baseline tier, and what none of them decides is open.
type tier uint8

const (
	tierAdmin tier = 1 << iota
	tierBaseline
)

// An action is what a rule does with the traffic that it matches.
type action uint8

const (
	accept action = iota
	deny
	pass
)

// A clusterPolicy is a tiered policy of any kind. It is never changed.
//
// What is known of it is kept twice: what a rule may match, and what it must match. Where the object is clear, the two
// are the same. Only what may be accepted opens, only what must be denied closes: so the verdict may call something
// reachable that isn't, and never the other way.
type clusterPolicy struct {
	kind, name string
	// tier is both where it can't be told.
	tier tier
	// priority is 0 to 1000, the lower the earlier; unordered where it can't be told.
	priority int64
	// nobody says that it selects no pods; else they are those with these labels in namespaces with these.
	nobody           bool
	namespaces, pods labelBox
	ingress, egress  []tierRule
	// doubts say what of the object wasn't understood.
	doubts []string
}

// unordered is the priority of what may come before everything. As its rules must not match anything, nothing is closed
// by it.
const unordered int64 = -1

// A tierRule is a rule of a clusterPolicy. The order of rules counts.
type tierRule struct {
	action action
	// must is in may.
	may, must []opening
}

func (p *clusterPolicy) compare(o *clusterPolicy) int {
	return cmp.Or(cmp.Compare(p.priority, o.priority), cmp.Compare(p.kind, o.kind), cmp.Compare(p.name, o.name))
}

// accepts says whether a rule lets anything in or out.
func (p *clusterPolicy) accepts() bool {
	isAccept := func(r tierRule) bool { return r.action == accept }
	return slices.ContainsFunc(p.ingress, isAccept) || slices.ContainsFunc(p.egress, isAccept)
}

// doubtWords says what wasn't understood; empty if everything was.
func (p *clusterPolicy) doubtWords() string {
	if len(p.doubts) == 0 {
		return ""
	}
	return " (taken as open, since it can't be read: " + clip(strings.Join(p.doubts, ", "), maxLabels) + ")"
}

// hostless is where neither pods nor nodes have addresses: "this network", loopback, link-local and multicast.
func hostless() addresses {
	return prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
}

// podBlocks are the ranges that clusters mostly take the addresses of their pods from.
func podBlocks() []addresses {
	var out []addresses
	for _, block := range []string{"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"} {
		out = append(out, prefixes(block))
	}
	return out
}

// hitsPods says whether pods may have such addresses.
func hitsPods(a addresses) bool { return len(a.minus(hostless())) > 0 }
