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

package network_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/network"
)

// opening is an opening whose only peer is the text.
func opening(peer string) string {
	return `{allow: [{name: x, direction: Egress, peers: [` + peer + `]}]}`
}

// withPort is an opening whose only port is the text.
func withPort(port string) string {
	return `{allow: [{name: x, direction: Egress, peers: [{tenant: a}], ports: [` + port + `]}]}`
}

const allowedCIDR = `must be a range of IPv4 or IPv6 addresses, as "10.20.0.0/16" or "2001:db8::/32"`

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ spec, want string }{
		"not a CIDR": {
			opening(`{tenant: a}, {cidr: 10.20.0.0}`),
			`network.allow[x].peers[1].cidr: Invalid value: "10.20.0.0": ` + allowedCIDR,
		},
		"leading zero": {
			opening(`{cidr: 010.0.0.0/8}`),
			`network.allow[x].peers[0].cidr: Invalid value: "010.0.0.0/8": ` + allowedCIDR,
		},
		"IPv4 as IPv6": {
			opening(`{cidr: "::ffff:10.0.0.0/104"}`),
			`network.allow[x].peers[0].cidr: Invalid value: "::ffff:10.0.0.0/104": ` + allowedCIDR +
				`; an IPv4 range must be written as IPv4`,
		},
		"except outside": {
			opening(`{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 11.0.0.0/16]}`),
			`network.allow[x].peers[0].except[1]: Invalid value: "11.0.0.0/16": must be a range inside cidr 10.0.0.0/8, and smaller than it`,
		},
		"except the whole": {
			opening(`{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}`),
			`network.allow[x].peers[0].except[0]: Invalid value: "10.0.0.0/8": must be a range inside cidr 10.0.0.0/8, and smaller than it`,
		},
		"except of the other family": {
			opening(`{cidr: 0.0.0.0/0, except: ["2001:db8::/32"]}`),
			`network.allow[x].peers[0].except[0]: Invalid value: "2001:db8::/32": must be a range inside cidr 0.0.0.0/0, and smaller than it`,
		},
		"except not a CIDR": {
			opening(`{cidr: 10.0.0.0/8, except: [x]}`),
			`network.allow[x].peers[0].except[0]: Invalid value: "x": ` + allowedCIDR,
		},
		"operator": {
			opening(`{namespaces: {matchExpressions: [{key: a, operator: Equals, values: [b]}]}}`),
			`network.allow[x].peers[0].namespaces.matchExpressions[0].operator: Invalid value: "Equals": not a valid selector operator`,
		},
		"In without values": {
			opening(`{namespaces: {}, pods: {matchExpressions: [{key: a, operator: In}]}}`),
			"network.allow[x].peers[0].pods.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
		},
		"empty peer":            {opening(`{}`), `network.allow[x].peers[0]: Forbidden: must say exactly one of tenant, namespaces, cidr`},
		"two kinds of peer":     {opening(`{tenant: a, cidr: 10.0.0.0/8}`), `network.allow[x].peers[0]: Forbidden: must say exactly one of tenant, namespaces, cidr`},
		"pods of another kind":  {opening(`{tenant: a, pods: {}}`), `network.allow[x].peers[0].pods: Forbidden: goes with namespaces only`},
		"except without cidr":   {opening(`{tenant: a, except: [10.0.0.0/8]}`), `network.allow[x].peers[0].except: Forbidden: goes with cidr only`},
		"no peers":              {`{allow: [{name: x, direction: Egress, peers: []}]}`, `network.allow[x].peers: Required value: must have at least one entry`},
		"no direction":          {`{allow: [{name: x, peers: [{tenant: a}]}]}`, `network.allow[x].direction: Unsupported value: "": supported values: "Ingress", "Egress"`},
		"taken name":            {`{allow: [{name: dns, direction: Egress, peers: [{tenant: a}]}]}`, `network.allow[dns].name: Invalid value: "dns": is taken by Bulkhead: an opening must not be named boundary, dns, api-server or ingress`},
		"same name":             {`{allow: [{name: x, direction: Egress, peers: [{tenant: a}]}, {name: x, direction: Egress, peers: [{tenant: b}]}]}`, `network.allow[x].name: Duplicate value: "x"`},
		"unknown boundary":      {`{boundary: tenant}`, `network.boundary: Unsupported value: "tenant": supported values: "Tenant", "Namespace", "Cluster"`},
		"unknown dns":           {`{dns: "Off"}`, `network.dns: Unsupported value: "Off": supported values: "ClusterDNS", "None"`},
		"unknown apiServer":     {`{apiServer: "Yes"}`, `network.apiServer: Unsupported value: "Yes": supported values: "Allow", "Deny"`},
		"unknown protocol":      {withPort(`{protocol: tcp}`), `network.allow[x].ports[0].protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP"`},
		"port too large":        {withPort(`{port: 65536}`), `network.allow[x].ports[0].port: Invalid value: 65536: must be between 1 and 65535, or unset for all ports`},
		"endPort without port":  {withPort(`{endPort: 80}`), `network.allow[x].ports[0].endPort: Invalid value: 80: must be between port and 65535, and needs port`},
		"endPort less":          {withPort(`{port: 81, endPort: 80}`), `network.allow[x].ports[0].endPort: Invalid value: 80: must be between port and 65535, and needs port`},
		"two errors, all named": {`{dns: "Off", boundary: X}`, `[network.boundary: Unsupported value: "X": supported values: "Tenant", "Namespace", "Cluster", network.dns: Unsupported value: "Off": supported values: "ClusterDNS", "None"]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := network.Room{}.Render(facts(t, "acme", "acme-dev", tc.spec))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(feature.Result{}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}
