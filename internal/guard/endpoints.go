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

package guard

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const (
	// UserAgent ends the user agent of all requests of the prober, by which an audit log tells them from others.
	UserAgent = "bulkhead/guard-prober"
	// serverName is a name that the certificate of each API server has.
	serverName = "kubernetes.default.svc"
	// maxEndpoints bounds how many API servers are asked.
	maxEndpoints = 32
	// patienceForAnswer is how long one request may take.
	patienceForAnswer = 5 * time.Second
)

// configured is the name, in memory only, of the address that the operator is configured with.
const configured = ""

// An endpoint is one way to the API server.
type endpoint struct {
	// name is ip:port of one API server, or configured.
	name   string
	config *rest.Config
}

// String is how an endpoint is called in messages.
func (e endpoint) String() string {
	if e.name == configured {
		return e.config.Host
	}
	return e.name
}

// endpoints are the API servers, each by its own address; the configured one if no addresses are known.
func endpoints(base *rest.Config, addresses []netip.AddrPort) []endpoint {
	addresses = slices.Clone(addresses)
	slices.SortFunc(addresses, netip.AddrPort.Compare)
	addresses = slices.Compact(addresses)
	all := make([]endpoint, 0, len(addresses))
	for _, address := range addresses[:min(len(addresses), maxEndpoints)] {
		all = append(all, directly(base, address))
	}
	if len(all) == 0 {
		return []endpoint{asConfigured(base)}
	}
	return all
}

// asConfigured is the way that all other requests of the operator take: there may be several API servers behind it.
func asConfigured(base *rest.Config) endpoint {
	return endpoint{name: configured, config: probing(base)}
}

// directly is the way to one API server by its own address.
func directly(base *rest.Config, address netip.AddrPort) endpoint {
	config := probing(base)
	config.Host, config.APIPath = "https://"+address.String(), ""
	// It is not to be the proxy's choice which API server answers.
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	if !config.Insecure && config.ServerName == "" && hostOf(base.Host) != address.Addr() {
		config.ServerName = serverName
	}
	return endpoint{name: address.String(), config: config}
}

func probing(base *rest.Config) *rest.Config {
	config := rest.CopyConfig(base)
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	config.UserAgent += " " + UserAgent
	config.WarningHandler, config.WarningHandlerWithContext = rest.NoWarnings{}, nil
	config.NegotiatedSerializer = kubernetesscheme.Codecs.WithoutConversion()
	config.QPS, config.RateLimiter = -1, nil
	return config
}

// hostOf is the address of a host that is one; the zero address if it is a name.
func hostOf(host string) netip.Addr {
	parsed, err := url.Parse(host)
	if err != nil || parsed.Hostname() == "" {
		parsed = &url.URL{Host: host}
	}
	address, err := netip.ParseAddr(parsed.Hostname())
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// connect makes a client for an endpoint, and what ends its connections.
func (e endpoint) connect() (rest.Interface, func(), error) {
	if e.name != configured {
		// Files are read now: a transport that reads them again and again would outlive its use.
		if err := rest.LoadTLSFiles(e.config); err != nil {
			return nil, nil, fmt.Errorf("reading the credentials for API server %s: %w", e, err)
		}
	}
	client, err := rest.HTTPClientFor(e.config)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to API server %s: %w", e, err)
	}
	asker, err := rest.UnversionedRESTClientForConfigAndClient(e.config, client)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to API server %s: %w", e, err)
	}
	if e.name == configured {
		return asker, func() {}, nil // its connection is shared with all other requests of the operator
	}
	return asker, func() { closeIdle(client.Transport) }, nil
}

// closeIdle closes the connections of a transport, however it is wrapped.
func closeIdle(transport http.RoundTripper) {
	for transport != nil {
		if idle, ok := transport.(interface{ CloseIdleConnections() }); ok {
			idle.CloseIdleConnections()
			return
		}
		wrapper, ok := transport.(interface{ WrappedRoundTripper() http.RoundTripper })
		if !ok {
			return
		}
		transport = wrapper.WrappedRoundTripper()
	}
}
