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

package ingress

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Types of the conditions of Gateways and their listeners:
// https://github.com/kubernetes-sigs/gateway-api/blob/v1.7.0/apis/v1/gateway_types.go
const (
	accepted     = "Accepted"
	programmed   = "Programmed"
	resolvedRefs = "ResolvedRefs"
	conflicted   = "Conflicted"
)

// namedListeners is how many listeners a message names.
const namedListeners = 3

// Observes implements feature.Observer.
func (r Room) Observes() []schema.GroupVersionKind { return r.OwnsCluster() }

// Observe implements feature.Observer: a Gateway is in force once the controller of its class says so, of it and of each of
// its listeners. The report says by which addresses it is reached.
func (Room) Observe(live runtime.Object) feature.Observation {
	seen, ok := feature.ReadStatus(live)
	if !ok || seen.Kind != gatewayKind.Kind {
		return feature.Observation{}
	}
	name := fmt.Sprintf("Gateway %s/%s", seen.Namespace, seen.Name)
	class, _, _ := unstructured.NestedString(seen.Object, "spec", "gatewayClassName")
	problem := func(reason, format string, values ...any) feature.Observation {
		return feature.Observation{Problem: &feature.Finding{Reason: reason, Message: name + " " + fmt.Sprintf(format, values...)}}
	}
	for _, c := range seen.Conditions {
		if (c.Type == accepted || c.Type == programmed) && outdated(c, seen.Generation) {
			return problem(v1alpha1.ReasonPending, "waits for the controller of GatewayClass %q to take over the last change", class)
		}
	}
	if faults := faultsOf(seen.Conditions, seen.Generation, accepted, programmed); len(faults) > 0 {
		return problem(v1alpha1.ReasonNotProgrammed, "isn't in force: %s", strings.Join(faults, "; "))
	}
	if faults := listenerFaults(seen); len(faults) > 0 {
		return problem(v1alpha1.ReasonNotProgrammed, "isn't in force as a whole: %s", strings.Join(faults, "; "))
	}
	for _, c := range seen.Conditions {
		if c.Type == programmed && c.Status == metav1.ConditionTrue {
			return feature.Observation{Report: name + ": " + addresses(seen)}
		}
	}
	return problem(v1alpha1.ReasonNotProgrammed, "waits for the controller of GatewayClass %q: the class must exist, and its controller run", class)
}

// outdated reports whether a condition speaks of an earlier spec. Not every controller says of which it speaks.
func outdated(c metav1.Condition, generation int64) bool {
	return c.ObservedGeneration != 0 && c.ObservedGeneration < generation && c.Status != metav1.ConditionUnknown
}

// faultsOf says which of the conditions that should be True are False, and whether there is a conflict. What speaks of an
// earlier spec doesn't count.
func faultsOf(conditions []metav1.Condition, generation int64, shouldBeTrue ...string) []string {
	var faults []string
	for _, c := range conditions {
		bad := c.Type == conflicted && c.Status == metav1.ConditionTrue
		for _, good := range shouldBeTrue {
			bad = bad || c.Type == good && c.Status == metav1.ConditionFalse
		}
		if bad && !outdated(c, generation) {
			faults = append(faults, fmt.Sprintf("%s is %s (%s): %s", c.Type, c.Status, feature.OneLine(c.Reason), feature.OneLine(c.Message)))
		}
	}
	return faults
}

// listenerFaults says what is wrong with listeners, of each the first.
func listenerFaults(seen feature.Status) []string {
	list, _, _ := unstructured.NestedFieldNoCopy(seen.Object, "status", "listeners")
	items, _ := list.([]any)
	var faults []string
	for _, item := range items {
		listener, _ := item.(map[string]any)
		name, _ := listener["name"].(string)
		if wrong := faultsOf(feature.ReadConditions(listener["conditions"]), seen.Generation, accepted, programmed, resolvedRefs); len(wrong) > 0 {
			faults = append(faults, fmt.Sprintf("listener %s: %s", feature.OneLine(name), wrong[0]))
		}
	}
	if more := len(faults) - namedListeners; more > 0 {
		faults = append(faults[:namedListeners], fmt.Sprintf("and %d more", more))
	}
	return faults
}

// addresses says where the Gateway is reached.
func addresses(seen feature.Status) string {
	list, _, _ := unstructured.NestedFieldNoCopy(seen.Object, "status", "addresses")
	items, _ := list.([]any)
	var all []string
	for _, item := range items {
		address, _ := item.(map[string]any)
		if value, _ := address["value"].(string); value != "" {
			all = append(all, value)
		}
	}
	if len(all) == 0 {
		return "programmed, without an address"
	}
	return feature.OneLine(strings.Join(all, ", "))
}
