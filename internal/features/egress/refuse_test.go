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

package egress_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/egress"
)

const (
	notAName = `: must be a DNS name of at least two parts, or "*." and one, as "api.example.com" or "*.example.com": each part ` +
		`between dots is 1 to 63 of a-z, 0-9 and "-", and begins and ends with a letter or digit`
	long = "a23456789a23456789a23456789a23456789a23456789a23456789a23456789a"
)

func destination(text string) string {
	return `{egress: {destinations: [{name: x, ` + text + `}]}}`
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ spec, want string }{
		"unknown internet": {`{egress: {internet: "Yes"}}`, `egress.internet: Unsupported value: "Yes": supported values: "Allow", "Deny"`},
		"unknown provider": {`{egress: {gateway: {provider: Calico}}}`,
			`egress.gateway.provider: Unsupported value: "Calico": supported values: "Cilium", "OVNKubernetes", "Antrea"`},
		"not a CIDR": {destination(`cidrs: [8.8.8.8/32, 8.8.8.8]`),
			`egress.destinations[x].cidrs[1]: Invalid value: "8.8.8.8": must be a range of IPv4 or IPv6 addresses, as "10.20.0.0/16" or "2001:db8::/32"`},
		"nothing":         {destination(`ports: [{port: 80}]`), `egress.destinations[x]: Required value: must say cidrs, fqdns, or both`},
		"port":            {destination(`cidrs: [8.8.8.8/32], ports: [{endPort: 80}]`), `egress.destinations[x].ports[0].endPort: Invalid value: 80: must be between port and 65535, and needs port`},
		"taken name":      {`{egress: {destinations: [{name: internet, cidrs: [8.8.8.8/32]}]}}`, `egress.destinations[internet].name: Invalid value: "internet": is taken: a destination must not be named internet`},
		"same name":       {`{egress: {destinations: [{name: x, cidrs: [8.8.8.8/32]}, {name: x, cidrs: [8.8.8.8/32]}]}}`, `egress.destinations[x].name: Duplicate value: "x"`},
		"address as name": {destination(`fqdns: [8.8.8.8]`), `egress.destinations[x].fqdns[0]: Invalid value: "8.8.8.8": must be a DNS name: addresses belong into cidrs`},
		"one part":        {destination(`fqdns: ["*.com"]`), `egress.destinations[x].fqdns[0]: Invalid value: "*.com"` + notAName},
		"all names":       {destination(`fqdns: ["*"]`), `egress.destinations[x].fqdns[0]: Invalid value: "*"` + notAName},
		"wildcard inside": {destination(`fqdns: [a.*.example.com]`), `egress.destinations[x].fqdns[0]: Invalid value: "a.*.example.com"` + notAName},
		"upper case":      {destination(`fqdns: [Example.com]`), `egress.destinations[x].fqdns[0]: Invalid value: "Example.com"` + notAName},
		"too long a part": {destination(`fqdns: [` + long + `.com]`), `egress.destinations[x].fqdns[0]: Invalid value: "` + long + `.com"` + notAName},
		"too long a name": {destination(`fqdns: [` + tooLong() + `]`), `egress.destinations[x].fqdns[0]: Invalid value: "` + tooLong() + `"` + notAName},
		"two, both named": {`{egress: {internet: X, destinations: [{name: x}]}}`, `[egress.internet: Unsupported value: "X": supported values: "Allow", "Deny", egress.destinations[x]: Required value: must say cidrs, fqdns, or both]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := egress.Room{}.Render(facts(t, tc.spec))
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

// tooLong has parts that are valid, and 256 characters.
func tooLong() string {
	name := "example.com"
	for len(name) < 254 {
		name = "abcdefghijklmnopqrstuvwxyz012345678." + name
	}
	return name
}
