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

package feature

import (
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Status is what most optional APIs tell of an object.
type Status struct {
	// Kind, Namespace and Name are the object's.
	Kind, Namespace, Name string
	// Generation is how often its spec was changed.
	Generation int64
	// Conditions are those of its status, in their order.
	Conditions []metav1.Condition
	// Object is the object itself.
	Object map[string]any
}

// ReadStatus reads the status of an object of an optional API; false if it is none. What isn't a condition is left out.
func ReadStatus(live runtime.Object) (Status, bool) {
	object, ok := live.(*unstructured.Unstructured)
	if !ok || object == nil {
		return Status{}, false
	}
	all, _, _ := unstructured.NestedFieldNoCopy(object.Object, "status", "conditions")
	return Status{
		Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(), Generation: object.GetGeneration(),
		Conditions: ReadConditions(all), Object: object.Object,
	}, true
}

// ReadConditions reads a list of conditions as it is in JSON, without their times. What isn't a condition is left out.
func ReadConditions(list any) []metav1.Condition {
	items, _ := list.([]any)
	var out []metav1.Condition
	for _, item := range items {
		fields, _ := item.(map[string]any)
		conditionType, _ := fields["type"].(string)
		if conditionType == "" {
			continue
		}
		status, _ := fields["status"].(string)
		reason, _ := fields["reason"].(string)
		message, _ := fields["message"].(string)
		generation, _ := fields["observedGeneration"].(int64)
		out = append(out, metav1.Condition{
			Type: conditionType, Status: metav1.ConditionStatus(status), Reason: reason, Message: message, ObservedGeneration: generation,
		})
	}
	return out
}

// maxForeign is how much of a text of somebody else's is passed on, in characters.
const maxForeign = 200

// OneLine returns what somebody else wrote as one line of at most 200 characters that can be shown.
func OneLine(text string) string {
	line := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\ufffd"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if runes := []rune(line); len(runes) > maxForeign {
		return string(runes[:maxForeign-1]) + "…"
	}
	return line
}
