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

package attack

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
)

// complete is the minor version from which on no attempt may be skipped: one that lacks what an attempt needs has lost it
// (a feature gate is gone some versions after it can't be turned off any more), and nobody would notice.
const complete = 37

// able is what the API server can do: the kinds that it serves ("MutatingAdmissionPolicy"), its subresources
// ("pods/resize"), and its feature gates that are on ("ImageVolume"). Nil until it is asked for; minor is its version.
var (
	able  map[string]bool
	minor int
)

// enabled is how the API server's metrics name a feature gate that is on.
var enabled = regexp.MustCompile(`(?m)^kubernetes_feature_enabled\{name="([A-Za-z0-9]+)",[^}]*\} 1$`)

// skipWithout skips an attempt on what this version of Kubernetes doesn't have.
func skipWithout(t *testing.T, needs ...string) {
	t.Helper()
	if len(needs) == 0 {
		return
	}
	if able == nil {
		eventually(t, func(ctx context.Context) (lacking string) {
			able, lacking = abilities(ctx, t)
			return lacking
		})
	}
	for _, need := range needs {
		switch {
		case able[need]:
		case minor >= complete:
			t.Fatalf("Kubernetes 1.%d has no %s, or it is off: is this attempt of any use?", minor, need)
		default:
			t.Skipf("%s: Kubernetes 1.%d has no %s, or it is off", t.Name(), minor, need)
		}
	}
}

// abilities asks the API server what it can do. What it lacks is why it couldn't say.
func abilities(ctx context.Context, t *testing.T) (found map[string]bool, lacking string) {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(world.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return nil, err.Error()
	}
	found = map[string]bool{}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			if strings.Contains(resource.Name, "/") {
				found[resource.Name] = true // its kind may be the one of what it is a part of
			} else {
				found[resource.Kind] = true
			}
		}
	}
	version, err := client.ServerVersion()
	if err != nil {
		return nil, err.Error()
	}
	if minor, err = strconv.Atoi(strings.TrimSuffix(version.Minor, "+")); err != nil {
		t.Fatal(err)
	}
	metrics := send(ctx, t, attempt{by: masters, method: http.MethodGet, path: "/metrics"})
	gates := enabled.FindAllStringSubmatch(metrics.message, -1)
	if len(gates) == 0 {
		return nil, "the API server's metrics name no feature gate: " + metrics.message[:min(len(metrics.message), 200)]
	}
	for _, gate := range gates {
		found[gate[1]] = true
	}
	return found, ""
}
