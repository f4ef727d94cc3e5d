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

package cli

import (
	"fmt"
	"net/netip"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// clusterFlags say what is the same for all tenants of a cluster.
type clusterFlags struct {
	dnsNamespace, dnsLabels string
	dnsPorts                []int32
	apiServer               []string
	operatorNamespace       string
}

func (f *clusterFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.dnsNamespace, "dns-namespace", "kube-system", "Namespace of the cluster's DNS pods.")
	flags.StringVar(&f.dnsLabels, "dns-pod-labels", "k8s-app=kube-dns", "Labels of the cluster's DNS pods, as key=value[,key=value].")
	flags.Int32SliceVar(&f.dnsPorts, "dns-ports", []int32{53}, "Ports on which the DNS pods listen, for UDP and TCP (OpenShift: 5353).")
	flags.StringSliceVar(&f.apiServer, "api-server-addresses", nil,
		"Addresses of the API server as ip:port, for network.apiServer: Allow. Unset means those of EndpointSlice default/kubernetes.")
	flags.StringVar(&f.operatorNamespace, "operator-namespace", v1alpha1.DefaultOperatorNamespace, "Namespace in which the operator runs; no tenant may have it.")
}

// options checks the flags and turns them into facts.
func (f *clusterFlags) options() (facts.Options, error) {
	options := facts.Options{OperatorNamespace: f.operatorNamespace}
	podLabels, err := labels.ConvertSelectorToLabelsMap(f.dnsLabels)
	if err != nil {
		return options, fmt.Errorf("--dns-pod-labels=%q is not key=value[,key=value]: %w", f.dnsLabels, err)
	}
	for _, port := range f.dnsPorts {
		if port < 1 || port > 65535 {
			return options, fmt.Errorf("--dns-ports=%d is not a port: allowed are 1 to 65535", port)
		}
	}
	options.DNS = feature.DNS{Namespace: f.dnsNamespace, PodLabels: podLabels, Ports: f.dnsPorts}
	for _, text := range f.apiServer {
		address, err := netip.ParseAddrPort(text)
		if err != nil {
			return options, fmt.Errorf("--api-server-addresses=%q is not ip:port: %w", text, err)
		}
		options.APIServer = append(options.APIServer, address)
	}
	return options, nil
}
