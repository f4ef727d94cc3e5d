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
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// maxGuarded is how many entries a list of the guard-rail has at most: each policy of the tenant's own is compared with
// all of them. What comes behind is left out, so that the tenant's own policies can't name it. Bulkhead's still open it.
const maxGuarded = 64

// guardData returns what the guard-rail network-policies reads from the namespace: to what the tenant's own policies may
// open. Openings that have ports or exceptions aren't in it, because a policy of the tenant's own could leave these out;
// Bulkhead's policy opens them anyway.
func guardData(f feature.Facts, spec v1alpha1.Network, at *field.Path) (map[string]string, field.ErrorList) {
	ranges, tenants := map[v1alpha1.Direction][]netip.Prefix{}, map[v1alpha1.Direction][]string{}
	var errs field.ErrorList
	for _, o := range spec.Allow {
		if len(o.Ports) > 0 {
			continue
		}
		for i, p := range o.Peers {
			here := at.Child("allow").Key(o.Name).Child("peers").Index(i)
			switch {
			case p.Tenant != "":
				// It becomes an entry of a list, and an invalid one could become two.
				for _, wrong := range validation.IsDNS1123Label(p.Tenant) {
					errs = append(errs, field.Invalid(here.Child("tenant"), p.Tenant, wrong))
				}
				tenants[o.Direction] = append(tenants[o.Direction], p.Tenant)
			case p.CIDR != "" && len(p.Except) == 0:
				prefix, err := feature.ParseCIDR(p.CIDR, here.Child("cidr"))
				if err != nil {
					errs = append(errs, err)
				}
				ranges[o.Direction] = append(ranges[o.Direction], prefix)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	data := map[string]string{}
	if spec.Boundary != "" && spec.Boundary != v1alpha1.BoundaryTenant {
		data[v1alpha1.GuardBoundary] = string(spec.Boundary)
	}
	list(data, v1alpha1.GuardIngressCIDRs, feature.OutermostPrefixes(ranges[v1alpha1.Ingress]))
	list(data, v1alpha1.GuardEgressCIDRs, feature.OutermostPrefixes(ranges[v1alpha1.Egress]))
	list(data, v1alpha1.GuardIngressTenants, slices.Compact(slices.Sorted(slices.Values(tenants[v1alpha1.Ingress]))))
	list(data, v1alpha1.GuardEgressTenants, slices.Compact(slices.Sorted(slices.Values(tenants[v1alpha1.Egress]))))
	if spec.DNS != v1alpha1.DNSNone {
		list(data, v1alpha1.GuardDNS, guardDNS(f.Cluster.DNS))
	}
	return data, nil
}

// list writes a list as the policies inside the API server read it. An empty one isn't written.
func list[T any](data map[string]string, key string, entries []T) {
	var texts []string
	for _, entry := range entries[:min(len(entries), maxGuarded)] {
		texts = append(texts, fmt.Sprint(entry))
	}
	if len(texts) > 0 {
		data[key] = strings.Join(texts, ",")
	}
}

// guardDNS returns where the cluster's DNS is, in the form of v1alpha1.GuardDNS, or nothing if that isn't fully known, or
// not valid: allowDNS then opens nothing either, or the API server refuses what it renders.
func guardDNS(dns feature.DNS) []string {
	if len(validation.IsDNS1123Label(dns.Namespace)) > 0 || len(dns.PodLabels) == 0 || len(dns.Ports) == 0 {
		return nil
	}
	out := []string{dns.Namespace}
	for _, key := range sortedKeys(dns.PodLabels) {
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(dns.PodLabels[key])) > 0 {
			return nil
		}
		out = append(out, key+"="+dns.PodLabels[key])
	}
	for _, port := range slices.Compact(slices.Sorted(slices.Values(dns.Ports))) {
		out = append(out, fmt.Sprintf(":%d", port))
	}
	// Half a list would say that fewer labels are enough.
	if len(out) > maxGuarded {
		return nil
	}
	return out
}
