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

package crd

// Cases of ingress controllers, Gateways and of the block egress, as those of policyRefusals, patternRefusals and
// policiesAccepted.
var (
	waysRefusals = map[string]refusal{
		"a port of a controller that ends before it starts": {
			spec: `ingress: {controllers: [{name: a, namespace: b, ports: [{port: 80, endPort: 79}]}]}`,
			rule: ".ingress.controllers[].ports[]: must not be less than port, and needs port", at: "ingress.controllers[0].ports[0].endPort",
		},
		"a port of a destination that only ends": {
			spec: `egress: {destinations: [{name: a, cidrs: [192.0.2.0/24], ports: [{endPort: 79}]}]}`,
			rule: ".egress.destinations[].ports[]: must not be less than port, and needs port", at: "egress.destinations[0].ports[0].endPort",
		},
		"a destination of nothing": {
			spec: `egress: {destinations: [{name: a}]}`,
			rule: ".egress.destinations[]: must say cidrs, fqdns, or both", at: "egress.destinations[0]",
		},
		"a destination named internet": {
			spec: `egress: {destinations: [{name: internet, cidrs: [192.0.2.0/24]}]}`,
			rule: ".egress.destinations[].name: is taken: a destination must not be named internet", at: "egress.destinations[0].name",
			want: `Invalid value: "internet": is taken`,
		},
		"a listener of TCP with a name": {
			spec: `ingress: {gateway: {listeners: [{name: a, port: 1, protocol: TCP, hostname: a.example.com}]}}`,
			rule: ".ingress.gateway.listeners[]: must not be set with protocol TCP or UDP, which carry no names", at: "ingress.gateway.listeners[0].hostname",
		},
		"a listener of HTTPS without a certificate": {
			spec: `ingress: {gateway: {listeners: [{name: a, port: 1, protocol: HTTPS}]}}`,
			rule: ".ingress.gateway.listeners[]: must be set with protocol HTTPS, may be with TLS, and must not be with HTTP, TCP and UDP", at: "ingress.gateway.listeners[0].tlsSecretName",
		},
		"a listener of HTTP with one": {
			spec: `ingress: {gateway: {listeners: [{name: a, port: 1, protocol: HTTP, tlsSecretName: x}]}}`,
			rule: ".ingress.gateway.listeners[]: must be set with protocol HTTPS, may be with TLS, and must not be with HTTP, TCP and UDP", at: "ingress.gateway.listeners[0].tlsSecretName",
		},
	}

	waysPatternRefusals = map[string]refusal{
		"range, leading zero":        {spec: `egress: {destinations: [{name: a, cidrs: [010.0.0.0/8]}]}`, at: "egress.destinations[0].cidrs[0]", want: `Invalid value: "010.0.0.0/8"`},
		"range, too long a prefix":   {spec: `egress: {destinations: [{name: a, cidrs: [10.0.0.0/33]}]}`, at: "egress.destinations[0].cidrs[0]", want: `Invalid value: "10.0.0.0/33"`},
		"name, one label":            {spec: `egress: {destinations: [{name: a, fqdns: [localhost]}]}`, at: "egress.destinations[0].fqdns[0]", want: `Invalid value: "localhost"`},
		"name, every":                {spec: `egress: {destinations: [{name: a, fqdns: ["*"]}]}`, at: "egress.destinations[0].fqdns[0]", want: `Invalid value: "*"`},
		"name, wildcard inside":      {spec: `egress: {destinations: [{name: a, fqdns: ["a.*.example.com"]}]}`, at: "egress.destinations[0].fqdns[0]", want: `Invalid value: "a.*.example.com"`},
		"name, upper case":           {spec: `egress: {destinations: [{name: a, fqdns: [API.example.com]}]}`, at: "egress.destinations[0].fqdns[0]", want: `Invalid value: "API.example.com"`},
		"name twice":                 {spec: `egress: {destinations: [{name: a, fqdns: [a.example.com, a.example.com]}]}`, at: "egress.destinations[0].fqdns[1]", want: `Duplicate value: "a.example.com"`},
		"address, a range":           {spec: `egress: {gateway: {addresses: [192.0.2.0/24]}}`, at: "egress.gateway.addresses[0]", want: `Invalid value: "192.0.2.0/24"`},
		"address, leading zero":      {spec: `egress: {gateway: {addresses: [192.0.02.1]}}`, at: "egress.gateway.addresses[0]", want: `Invalid value: "192.0.02.1"`},
		"address, a name":            {spec: `egress: {gateway: {addresses: [gateway]}}`, at: "egress.gateway.addresses[0]", want: `Invalid value: "gateway"`},
		"provider, lower case":       {spec: `egress: {gateway: {provider: cilium}}`, at: "egress.gateway.provider", want: `Unsupported value: "cilium": supported values: "Cilium", "OVNKubernetes", "Antrea"`},
		"internet, Yes":              {spec: `egress: {internet: "Yes"}`, at: "egress.internet", want: `Unsupported value: "Yes": supported values: "Allow", "Deny"`},
		"empty egress":               {spec: `egress: {}`, at: "egress", want: `Invalid value: 0: `},
		"empty egress gateway":       {spec: `egress: {gateway: {}}`, at: "egress.gateway", want: `Invalid value: 0: `},
		"empty ingress gateway":      {spec: `ingress: {gateway: {}}`, at: "ingress.gateway", want: `Invalid value: 0: `},
		"controller, no namespace":   {spec: `ingress: {controllers: [{name: a}]}`, at: "ingress.controllers[0].namespace", want: `Required value`},
		"controller, two namespaces": {spec: `ingress: {controllers: [{name: a, namespace: "b,c"}]}`, at: "ingress.controllers[0].namespace", want: `Invalid value: "b,c"`},
		"listener, unknown protocol": {spec: `ingress: {gateway: {listeners: [{name: a, port: 1, protocol: SCTP}]}}`, at: "ingress.gateway.listeners[0].protocol", want: `Unsupported value: "SCTP"`},
		"listener, port 0":           {spec: `ingress: {gateway: {listeners: [{name: a, port: 0, protocol: HTTP}]}}`, at: "ingress.gateway.listeners[0].port", want: `Invalid value: 0`},
	}

	waysAccepted = map[string]string{
		"controllers":              `ingress: {controllers: [{name: a, namespace: b}, {name: b, namespace: b, pods: {}, ports: [{port: 80, endPort: 80}, {protocol: UDP}]}]}`,
		"a Gateway":                `ingress: {gateway: {className: a.b, namespace: c, listeners: [{name: a, port: 443, protocol: TLS}, {name: b, port: 444, protocol: TLS, tlsSecretName: a.b}, {name: c, port: 5, protocol: UDP}]}}`,
		"a part of a Gateway":      `ingress: {gateway: {className: a}}`,
		"the internet":             `egress: {internet: Allow}`,
		"destinations":             `egress: {destinations: [{name: a, cidrs: [0.0.0.0/0, "::/0", "2001:DB8::/32"]}, {name: b, fqdns: ["*.example.com", a-b.example.com]}]}`,
		"source addresses":         `egress: {gateway: {provider: OVNKubernetes, addresses: [192.0.2.1, "2001:db8::1", "::1"]}}`,
		"a part of the addresses'": `egress: {gateway: {addresses: [192.0.2.1]}}`,
	}
)
