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
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// maxLies bounds the findings about labels of other namespaces, for one namespace.
const maxLies = 32

// NetworkInput is what is known of the NetworkPolicies in one namespace of a tenant.
type NetworkInput struct {
	// Tenant is whose the namespace is.
	Tenant string
	// Namespace is the namespace's name. The directory should know it.
	Namespace string
	// Spec are the policies that the tenant's spec renders there. None of them allow everything, as they would if they
	// were applied: there is nothing to be asked while they can't be rendered.
	Spec []*networkingv1.NetworkPolicy
	// Live are all policies that are there, whoever made them. They are read only.
	Live []*networkingv1.NetworkPolicy
	// ClusterSpec are the cluster policies that the tenant's spec renders, if any: what they accept is allowed. Those that
	// are live are the directory's (PutClusterPolicy), whoever made them. They are read only.
	ClusterSpec []*unstructured.Unstructured
}

// Network returns what opens the namespace's pods beyond the spec, the gravest first; Since is zero. There is at most
// one finding for each live policy and direction, about the policy, a cluster policy among them; one for each direction in which no policy selects
// some pods, about the Namespace; and one for each namespace, 32 at most, whose labels let it pass through an opening
// that isn't meant for it, about that Namespace. It takes time for this namespace's policies, and for the
// namespaces that they select by something else than "all".
//
// The directory remembers what was looked at: its Put and Delete say when to ask again.
func Network(dir *Directory, in NetworkInput) []v1alpha1.IsolationFinding {
	dir.mu.RLock()
	defer dir.mu.RUnlock()
	a := analyse(dir, in)
	findings := a.findings()
	dir.watchers.watch(in.Namespace, a.clean, a.looked)
	return findings
}

func (a *analysis) findings() []v1alpha1.IsolationFinding {
	var out []v1alpha1.IsolationFinding
	for i := range a.exposures {
		e := &a.exposures[i]
		object := v1alpha1.ObjectReference{Kind: "Namespace", Name: a.namespace}
		switch {
		case e.cluster != nil:
			object = v1alpha1.ObjectReference{Group: tierGroup, Kind: e.cluster.kind, Name: e.cluster.name}
		case e.policy != nil:
			object = v1alpha1.ObjectReference{
				Group: networkingv1.GroupName, Kind: "NetworkPolicy", Namespace: a.namespace, Name: e.policy.Name,
			}
		}
		out = append(out, v1alpha1.IsolationFinding{
			Type:      v1alpha1.FindingNetworkExposure,
			Severity:  a.worst(e.parts, e.tooComplex),
			Object:    object,
			Namespace: a.namespace,
			Message:   a.sentence(e),
		})
	}
	out = append(out, a.labelFindings()...)
	slices.SortStableFunc(out, func(x, y v1alpha1.IsolationFinding) int {
		return cmp.Or(x.Severity.Compare(y.Severity), cmp.Compare(x.Type, y.Type),
			cmp.Compare(x.Object.Kind, y.Object.Kind), cmp.Compare(x.Object.Name, y.Object.Name), cmp.Compare(x.Message, y.Message))
	})
	return out
}

func (a *analysis) worst(parts []part, tooComplex bool) v1alpha1.Severity {
	if tooComplex {
		return v1alpha1.SeverityCritical
	}
	worst := v1alpha1.SeverityMedium
	for i := range parts {
		worst = worse(worst, a.severity(&parts[i]))
	}
	return worst
}

// labelFindings says whose labels lie, by name of the namespaces. What a forged tenant label opens is Critical.
func (a *analysis) labelFindings() []v1alpha1.IsolationFinding {
	var out []v1alpha1.IsolationFinding
	for _, e := range a.dir.sorted(slices.Collect(maps.Keys(a.lies))) {
		if len(out) == maxLies {
			break
		}
		l := a.lies[a.dir.byName[e.name]]
		severity := a.worst(l.parts, false)
		if a.lyingLabel(l).key == v1alpha1.LabelTenant {
			severity = v1alpha1.SeverityCritical
		}
		out = append(out, v1alpha1.IsolationFinding{
			Type:      v1alpha1.FindingLabelExposure,
			Severity:  severity,
			Object:    v1alpha1.ObjectReference{Kind: "Namespace", Name: e.name},
			Namespace: a.namespace,
			Message:   a.lieSentence(l),
		})
	}
	return out
}
