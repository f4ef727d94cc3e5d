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

package redact

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Whatever a value is, and however the error about it travels, nothing of it is told, and the rule is.
func FuzzError(f *testing.F) {
	f.Add("", "", uint8(0), uint8(0))
	f.Add(`a": `, "\": must be \n", uint8(1), uint8(1))
	f.Add("}: ", "{[\"", uint8(2), uint8(2))
	f.Add("Invalid value: ", "expected map, got ", uint8(3), uint8(3))
	f.Add("\\", "`]\xff", uint8(4), uint8(4))
	const rule = "must be as it was"
	f.Fuzz(func(t *testing.T, before, after string, shape, way uint8) {
		value := before + secret + after
		shapes := []any{
			value, map[string]string{value: value}, []string{value, value}, raw{A: value, B: map[string]string{value: value}}, &raw{A: value},
			struct{ A, B any }{value, []any{value, map[string]any{value: nil}}}, []byte(value), fmt.Sprintf("%q", value), field.ErrorType(value),
		}
		bad := field.Invalid(field.NewPath("spec", "x"), shapes[int(shape)%len(shapes)], rule)
		status := apierrors.NewInvalid(quotaKind, "x", field.ErrorList{bad, field.Required(field.NewPath("y"), "z"), field.Duplicate(field.NewPath("z"), value)})
		ways := []error{
			bad, status, fmt.Errorf("applying: %w", status), errors.Join(errors.New("x"), status, bad),
			fmt.Errorf("a %w b %w", bad, fmt.Errorf("c: %w", errors.Join(status))), field.ErrorList{bad, bad}.ToAggregate(),
		}
		got := Error(ways[int(way)%len(ways)])
		checkShown(t, got)
		if strings.Contains(got, secret) {
			t.Errorf("a secret in %s", got)
		}
		if !strings.Contains(got, "spec.x: Invalid value: "+rule) {
			t.Errorf("no rule in %s", got)
		}
		// Printed by someone else it may lose its rule, but tells as little.
		for _, err := range ways {
			if got := Error(errors.New("x: " + err.Error())); strings.Contains(got, secret) {
				t.Errorf("a secret in %s", got)
			}
		}
	})
}

// No text of an error breaks anything, and a message that isn't one the API server would write tells no string in it.
func FuzzErrorOfMessage(f *testing.F) {
	f.Add("Invalid value: ", ": must be")
	f.Add("Invalid value: {", "}: must be")
	f.Add("Unsupported value: [[(", ")")
	f.Add("x: expected map, got ", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		got := Error(errors.New(before + "Invalid value: \"" + secret + "\"" + after))
		checkShown(t, got)
		if !strings.Contains(before, "value: ") && !strings.Contains(before, "Not found: ") && strings.Contains(got, secret) {
			t.Errorf("a secret in %s", got)
		}
		checkShown(t, Error(errors.New(before+after)))
	})
}
