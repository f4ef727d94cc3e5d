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
	"context"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// askEndpoint makes probes, one after the other, and returns the answers by policy. If there is no answer to one, none of
// the others is made: what can't be reached isn't waited for more than once.
func askEndpoint(ctx context.Context, way endpoint, probes []*Probe) map[string]Answer {
	answers := map[string]Answer{}
	unreachable := func(why string) map[string]Answer {
		for _, probe := range probes {
			if _, asked := answers[probe.Policy]; !asked {
				answers[probe.Policy] = Answer{Result: Unreachable, Why: why}
			}
		}
		return answers
	}
	client, done, err := way.connect()
	if err != nil {
		return unreachable(redact.Error(err))
	}
	defer done()
	for _, probe := range probes {
		answer := askOne(ctx, client, probe)
		answers[probe.Policy] = answer
		if answer.Result == Unreachable {
			return unreachable(answer.Why)
		}
	}
	return answers
}

func askOne(ctx context.Context, client rest.Interface, probe *Probe) Answer {
	ctx, cancel := context.WithTimeout(ctx, patienceForAnswer)
	defer cancel()
	body, err := probe.body()
	if err != nil {
		return Answer{Result: Inconclusive, Why: redact.Error(err)}
	}
	method, kind := http.MethodPost, "application/json"
	if probe.Method == Patch {
		method, kind = http.MethodPatch, string(types.MergePatchType)
	}
	return read(probe, client.Verb(method).AbsPath(probe.Path()).
		Param("dryRun", metav1.DryRunAll).Param("fieldManager", fieldManager).
		SetHeader("Content-Type", kind).MaxRetries(0).Body(body).Do(ctx).Error())
}

// fieldManager is who would have written, had anything been.
const fieldManager = "bulkhead-guard-prober"
