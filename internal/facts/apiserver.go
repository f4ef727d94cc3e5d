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

package facts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// APIServers are the API servers' own addresses, sorted: what EndpointSlice default/kubernetes says.
func (r *Reader) APIServers(ctx context.Context) ([]netip.AddrPort, error) {
	slicesOfKubernetes := &discoveryv1.EndpointSliceList{}
	if err := r.cache.List(ctx, slicesOfKubernetes, client.InNamespace("default"),
		client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"}); err != nil {
		return nil, fmt.Errorf("reading the API server's addresses: %w", err)
	}
	var found []netip.AddrPort
	for i := range slicesOfKubernetes.Items {
		found = append(found, addresses(&slicesOfKubernetes.Items[i])...)
	}
	slices.SortFunc(found, netip.AddrPort.Compare)
	return slices.Compact(found), nil
}

func addresses(slice *discoveryv1.EndpointSlice) []netip.AddrPort {
	var found []netip.AddrPort
	for _, endpoint := range slice.Endpoints {
		for _, text := range endpoint.Addresses {
			address, err := netip.ParseAddr(text)
			if err != nil {
				continue // an FQDN slice, which no NetworkPolicy can express
			}
			for _, port := range slice.Ports {
				if port.Port != nil && *port.Port > 0 && *port.Port <= 65535 {
					found = append(found, netip.AddrPortFrom(address, uint16(*port.Port)))
				}
			}
		}
	}
	return found
}
