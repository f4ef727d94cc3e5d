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
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// fieldTypePrefix begins the type of every cause that is about the value of a field.
const fieldTypePrefix = "FieldValue"

// valueless are the types of causes whose message has no value: a label and a rule.
var valueless = map[field.ErrorType]bool{
	field.ErrorTypeRequired: true, field.ErrorTypeForbidden: true, field.ErrorTypeTooLong: true,
	field.ErrorTypeTooShort: true, field.ErrorTypeInternal: true,
}

// statusText returns what an answer of the API server says, without values. If it says which fields are at fault, its
// message only repeats them, with their values, and is made anew.
func statusText(status metav1.Status) string {
	var details metav1.StatusDetails
	if status.Details != nil {
		details = *status.Details
	}
	if !slices.ContainsFunc(details.Causes, isFieldCause) {
		return messageText(status.Message, details.Causes)
	}

	var causes []string
	for _, cause := range details.Causes {
		if text := causeText(cause); !slices.Contains(causes, text) {
			causes = append(causes, text)
		}
	}
	kind := schema.GroupKind{Group: details.Group, Kind: details.Kind}.String()
	head := fmt.Sprintf("%s %q is invalid", kind, details.Name)
	if status.Reason != metav1.StatusReasonInvalid {
		head = fmt.Sprintf("%s %q: %s", kind, details.Name, status.Reason)
	}
	if len(causes) == 1 {
		return head + ": " + causes[0]
	}
	return head + ": [" + strings.Join(causes, ", ") + "]"
}

// messageText returns a message that is not about fields. What isn't an answer of the API server at all, but of
// something between it and us, is left out; so is what an admission policy or a webhook says in its own words.
func messageText(message string, causes []metav1.StatusCause) string {
	for _, cause := range causes {
		if cause.Type != metav1.CauseTypeUnexpectedServerResponse || cause.Message == "" {
			continue
		}
		message = strings.ReplaceAll(message, strconv.Quote(cause.Message), ellipsis)
		if rest, found := strings.CutPrefix(message, cause.Message); found {
			message = ellipsis + rest
		}
	}
	if at := ownWords.FindStringIndex(message); at != nil {
		message = message[:at[1]] + ellipsis
	}
	return scrub(message)
}

// ownWords are what the words of an admission policy, or of a webhook, follow. Whoever wrote these may quote anything
// of the object; which policy it was, whose words can be read where it is, stands before.
var ownWords = regexp.MustCompile(`denied (?:the )?request: `)

func isFieldCause(cause metav1.StatusCause) bool {
	return strings.HasPrefix(string(cause.Type), fieldTypePrefix) || valueless[field.ErrorType(cause.Type)]
}

func causeText(cause metav1.StatusCause) string {
	message := scrub(cause.Message)
	if isFieldCause(cause) && !valueless[field.ErrorType(cause.Type)] {
		message = withoutValue(field.ErrorType(cause.Type), cause.Message)
	}
	if cause.Field == "" {
		return message
	}
	return cause.Field + ": " + message
}

// withoutValue returns "Invalid value: <value>: <rule>", where value and rule may be missing, without the value, and
// without the rule if it is uncertain where that begins.
func withoutValue(kind field.ErrorType, message string) string {
	label, rest, found := strings.Cut(message, ": ")
	if !found {
		return label
	}
	value, rule, ok := cutValue(rest)
	if !ok || !atEnd(rule, causeEnds) {
		return label
	}
	return label + withoutEcho(kind, rule, value)
}

// ValueOf returns the value that a cause of the API server's refusal echoes; it isn't ok if there is none, or if its end
// is uncertain. The caller must know that the value may be shown.
func ValueOf(cause metav1.StatusCause) (value string, ok bool) {
	if !isFieldCause(cause) || valueless[field.ErrorType(cause.Type)] {
		return "", false
	}
	_, rest, found := strings.Cut(cause.Message, ": ")
	if !found {
		return "", false
	}
	value, rule, ok := cutValue(rest)
	return value, ok && atEnd(rule, causeEnds)
}

// fieldText returns what is wrong with a field, without its value.
func fieldText(err *field.Error) string {
	text := err.Field + ": " + err.Type.String()
	if err.Detail == "" {
		return text
	}
	rule := ": " + err.Detail
	if valueless[err.Type] {
		return text + scrub(rule)
	}
	return text + withoutEcho(err.Type, rule, fmt.Sprint(err.BadValue))
}

// minEcho is the length of the shortest value, in bytes, that is looked for in a rule: a shorter one may well be a word,
// or a bound, of the rule itself (0: must be greater than 0).
const minEcho = 4

// withoutEcho returns a rule without the value that breaks it, which some rules repeat.
func withoutEcho(kind field.ErrorType, rule, value string) string {
	if kind == field.ErrorTypeNotSupported || len(value) < minEcho {
		return rule
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(rule, value)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		written := out.String()
		if endsInside(written) || beginsInside(after) {
			out.WriteString(value)
		} else {
			out.WriteString(ellipsis)
		}
		rule = after
	}
}

func endsInside(text string) bool { return text != "" && isWordByte(text[len(text)-1]) }

func beginsInside(text string) bool { return text != "" && isWordByte(text[0]) }

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
