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
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A belonging says whose a namespace is, seen from a tenant.
type belonging int

const (
	// ours is the tenant's own.
	ours belonging = iota
	// nobodys is a namespace of no tenant, such as kube-system.
	nobodys
	// theirs is another tenant's.
	theirs
)

func (v *view) whose(id int32) belonging {
	if id == v.self {
		return ours
	}
	var tenant string
	if id >= 0 && int(id) < len(v.dir.entries) && v.dir.entries[id] != nil {
		tenant = v.dir.entries[id].tenant
	}
	switch tenant {
	case "":
		return nobodys
	case v.tenant:
		return ours
	default:
		return theirs
	}
}

// severity says how much a part of an exposure opens:
//
//   - Critical: pods of another tenant, or of every namespace that may ever be created, whoever connects to whom;
//     public addresses that can connect to the pods; the cloud's metadata address, if the pods can connect to it.
//   - High: pods of namespaces of no tenant; private addresses that can connect to the pods; any address to which the
//     pods can connect.
//   - Medium: the tenant's own pods.
//
// Pods that may have one of the addresses that a cluster policy names are High, as the addresses are, unless these are
// all of a private block: then every pod may be among them.
//
// Where the spec lets the same pods talk to the same peer, only on other ports, it is one step less, but for the
// metadata address. What is too complex to be compared is Critical.
func (a *analysis) severity(p *part) v1alpha1.Severity {
	worst := v1alpha1.SeverityMedium
	for _, b := range p.rest {
		s := a.boxSeverity(p.direction, &b)
		if p.opening.among != nil && !likelyPods(p.opening.among) {
			s = v1alpha1.SeverityHigh
		}
		if (s == v1alpha1.SeverityCritical && reachesMetadata(p.direction, &b)) || !a.onlyPorts(p.direction, b) {
			worst = worse(worst, s)
			continue
		}
		worst = worse(worst, oneLess(s))
	}
	return worst
}

func (v *view) boxSeverity(d networkingv1.PolicyType, b *box) v1alpha1.Severity {
	switch {
	case reachesMetadata(d, b):
		return v1alpha1.SeverityCritical
	case b.outside != nil && d == networkingv1.PolicyTypeIngress && len(b.outside.minus(private())) > 0:
		return v1alpha1.SeverityCritical
	case b.outside != nil:
		return v1alpha1.SeverityHigh
	case b.namespaces.except:
		return v1alpha1.SeverityCritical
	}
	worst := ours
	for _, id := range b.namespaces.items {
		worst = max(worst, v.whose(id))
	}
	return [...]v1alpha1.Severity{
		ours: v1alpha1.SeverityMedium, nobodys: v1alpha1.SeverityHigh, theirs: v1alpha1.SeverityCritical,
	}[worst]
}

// likelyPods says whether the addresses are all of a block that pods often have theirs from.
func likelyPods(a addresses) bool {
	return slices.ContainsFunc(podBlocks(), func(block addresses) bool { return len(block.minus(a)) == 0 })
}

func reachesMetadata(d networkingv1.PolicyType, b *box) bool {
	return d == networkingv1.PolicyTypeEgress && b.outside.overlaps(metadata())
}

func oneLess(s v1alpha1.Severity) v1alpha1.Severity {
	if s == v1alpha1.SeverityCritical {
		return v1alpha1.SeverityHigh
	}
	return v1alpha1.SeverityMedium
}

func worse(a, b v1alpha1.Severity) v1alpha1.Severity {
	if b.Compare(a) < 0 {
		return b
	}
	return a
}
