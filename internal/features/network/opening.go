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

package network

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// reserved are the names whose policies Bulkhead renders by itself. "ingress" is kept for a later feature.
var reserved = []string{"boundary", "dns", "api-server", "ingress"}

// renderOpenings returns one policy for each opening, sorted by name, and everything that is wrong with them.
func renderOpenings(openings []v1alpha1.Opening, namespace string, at *field.Path) ([]feature.Object, field.ErrorList) {
	var out []feature.Object
	var errs field.ErrorList
	seen := map[string]bool{}
	sorted := slices.SortedStableFunc(slices.Values(openings), func(a, b v1alpha1.Opening) int {
		return cmp.Compare(a.Name, b.Name)
	})
	for _, o := range sorted {
		here := at.Key(o.Name)
		switch {
		case seen[o.Name]:
			errs = append(errs, field.Duplicate(here.Child("name"), o.Name))
			continue
		case slices.Contains(reserved, o.Name):
			errs = append(errs, field.Invalid(here.Child("name"), o.Name,
				"is taken by Bulkhead: an opening must not be named boundary, dns, api-server or ingress"))
			continue
		}
		seen[o.Name] = true
		p, invalid := renderOpening(o, namespace, here)
		errs = append(errs, invalid...)
		out = append(out, p)
	}
	return out, errs
}

func renderOpening(o v1alpha1.Opening, namespace string, at *field.Path) (*policyConfig, field.ErrorList) {
	errs := feature.ValidatePorts(o.Ports, at.Child("ports"))
	peers, invalid := renderPeers(o.Peers, at.Child("peers"))
	errs = append(errs, invalid...)
	ports := feature.NetworkPolicyPorts(o.Ports)
	name := prefixAllow + o.Name
	switch o.Direction {
	case v1alpha1.Ingress:
		p := policy(name, namespace, networkingv1.PolicyTypeIngress)
		p.Spec.WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(peers...).WithPorts(ports...))
		return p, errs
	case v1alpha1.Egress:
		return egress(name, namespace, networkingv1ac.NetworkPolicyEgressRule().WithTo(peers...).WithPorts(ports...)), errs
	default:
		return nil, append(errs, field.NotSupported(at.Child("direction"), o.Direction,
			[]v1alpha1.Direction{v1alpha1.Ingress, v1alpha1.Egress}))
	}
}
