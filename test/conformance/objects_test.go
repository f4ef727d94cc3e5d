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

package conformance_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r rendering) {
		result := mustRender(t, r)
		seen := map[string]bool{}
		for _, object := range slices.Concat(result.Walls, result.Doors) {
			gvk := schema.FromAPIVersionAndKind(*object.GetAPIVersion(), *object.GetKind())
			id := gvk.Kind + " " + *object.GetName()
			if !slices.Contains(r.owns, gvk) {
				t.Errorf("%s is of a kind that the room doesn't own: %v", id, r.owns)
			}
			_, custom := object.(feature.Custom) // of which a tenant may have one in a namespace that isn't its own
			if namespace := object.GetNamespace(); r.cluster && namespace != nil && !custom || !r.cluster && (namespace == nil || *namespace != r.facts.Namespace) {
				t.Errorf("%s is in namespace %v", id, namespace)
			}
			if seen[id] {
				t.Errorf("%s is rendered twice", id)
			}
			seen[id] = true
			for _, problem := range nameProblems(gvk, *object.GetName(), r.cluster) {
				t.Errorf("%s: %s", id, problem)
			}
			checkFields(t, id, object)
		}
		for key, value := range result.Labels {
			if problems := slices.Concat(utilvalidation.IsQualifiedName(key), utilvalidation.IsValidLabelValue(value)); len(problems) > 0 {
				t.Errorf("label %s=%s: %v", key, value, problems)
			}
		}
		for key := range result.Annotations {
			if problems := utilvalidation.IsQualifiedName(strings.ToLower(key)); len(problems) > 0 {
				t.Errorf("annotation %s: %v", key, problems)
			}
		}
		for _, finding := range result.Findings {
			if finding.Reason == "" || len(finding.Message) < 10 || len(finding.Message) > v1alpha1.MaxMessageLength {
				t.Errorf("finding %+v: a reason and a sentence, please", finding)
			}
		}
	})
}

// nameProblems says what is wrong with a name. RBAC allows more than the other kinds do, and needs it: a ":" can be
// in no name of a user.
func nameProblems(gvk schema.GroupVersionKind, name string, cluster bool) []string {
	limit := 63
	if cluster {
		limit = 253
	}
	var problems []string
	if len(name) > limit {
		problems = append(problems, fmt.Sprintf("%d characters, of at most %d", len(name), limit))
	}
	if gvk.Group == "rbac.authorization.k8s.io" {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/%") {
			problems = append(problems, "is no segment of a path")
		}
		return problems
	}
	return append(problems, validation.NameIsDNSSubdomain(name, false)...)
}

// checkFields refuses what a room must leave to the engine and the API server, and what says nothing.
func checkFields(t *testing.T, id string, object feature.Object) {
	t.Helper()
	var content map[string]any
	if err := json.Unmarshal([]byte(marshal(t, object)), &content); err != nil {
		t.Fatal(err)
	}
	if _, ok := content["status"]; ok {
		t.Errorf("%s has a status", id)
	}
	metadata, _ := content["metadata"].(map[string]any)
	for key := range metadata {
		if key != "name" && key != "namespace" {
			t.Errorf("%s sets metadata.%s, which is the engine's or the API server's", id, key)
		}
	}
	checkNoise(t, id, "", content)
}

// meaningful are the fields in which an empty map has a meaning of its own: an empty selector selects everything.
var meaningful = []string{"podSelector", "namespaceSelector", "endpointSelector", "namespaces"}

// defaulted are lists that the API server fills in where they aren't: the intent has them, too.
var defaulted = []string{"egressGateways"}

func checkNoise(t *testing.T, id, at string, value any) {
	t.Helper()
	switch value := value.(type) {
	case nil:
		t.Errorf("%s: %s is null", id, at)
	case []any:
		if len(value) == 0 && !slices.Contains(defaulted, at[strings.LastIndex(at, ".")+1:]) {
			t.Errorf("%s: %s is an empty list", id, at)
		}
		for i, item := range value {
			// An empty rule is every peer; an empty item isn't noise.
			if m, ok := item.(map[string]any); ok && len(m) == 0 {
				continue
			}
			checkNoise(t, id, fmt.Sprintf("%s[%d]", at, i), item)
		}
	case map[string]any:
		if name := at[strings.LastIndex(at, ".")+1:]; len(value) == 0 && !slices.Contains(meaningful, name) {
			t.Errorf("%s: %s is an empty map", id, at)
		}
		for key, field := range value {
			checkNoise(t, id, at+"."+key, field)
		}
	}
}

// TestNamesDontDependOnOthers adds an object and looks whether the names of the others stay.
func TestNamesDontDependOnOthers(t *testing.T) {
	t.Parallel()
	names := func(t *testing.T, r rendering) []string {
		t.Helper()
		result := mustRender(t, r)
		var all []string
		for _, object := range slices.Concat(result.Walls, result.Doors) {
			all = append(all, *object.GetKind()+" "+*object.GetName())
		}
		return all
	}
	each(t, func(t *testing.T, r rendering) {
		before := names(t, r)
		if len(r.facts.Policy.Limits)+len(r.facts.Members)+len(r.tenant.Members) == 0 && r.facts.Policy.Network == nil {
			return
		}
		fewer := r.copied()
		fewer.facts.Members = dropFirst(fewer.facts.Members)
		fewer.tenant.Members = dropFirst(fewer.tenant.Members)
		if network := fewer.facts.Policy.Network; network != nil {
			network.Allow = dropFirst(network.Allow)
		}
		for _, name := range names(t, fewer) {
			if !slices.Contains(before, name) {
				t.Errorf("%s appears because something else is gone", name)
			}
		}
	})
}

func dropFirst[T any](list []T) []T { return list[min(1, len(list)):] }
