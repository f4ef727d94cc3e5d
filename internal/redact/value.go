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
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	// labels are the words that a value follows: those of the API server about a field, those of structured-merge-diff,
	// which prints it as Go does, and those of encoding/json.
	labels = regexp.MustCompile(`(?:Invalid value|Unsupported value|Duplicate value|Not found): |` +
		`expected (?:map|list|string|boolean|any scalar), got |cannot unmarshal number `)
	// goType begins a value as Go prints it.
	goType = regexp.MustCompile(`^[\w.*&\[\]]+[({]`)
)

var (
	// causeEnds are what may follow a value in the message of a cause.
	causeEnds = []string{": "}
	// textEnds are what may follow a value where several messages are joined.
	textEnds = []string{": ", ", ", "; ", "]", ")", "\n"}
)

// scrub leaves out of a text the values that are known as such by the words before them. From a value whose end is
// uncertain, nothing more is kept.
func scrub(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxRead)], string(utf8.RuneError))
	var out strings.Builder
	for {
		at := labels.FindStringIndex(text)
		if at == nil {
			out.WriteString(text)
			return out.String()
		}
		label, rest := text[:at[1]], text[at[1]:]
		isField := strings.HasSuffix(label, ": ")
		switch _, after, ok := cutValue(rest); {
		case isField && ok && atEnd(after, textEnds):
			out.WriteString(strings.TrimSuffix(label, ": "))
			text = after
		case isField && !looksLikeValue(rest):
			out.WriteString(label) // a rule, whose value was left out before
			text = rest
		case strings.HasSuffix(label, "number "):
			out.WriteString(label + ellipsis)
			text = strings.TrimLeft(rest, "+-.0123456789eE")
		default:
			out.WriteString(label + ellipsis)
			return out.String()
		}
	}
}

// looksLikeValue reports whether a text begins as values do, and rules don't.
func looksLikeValue(text string) bool {
	return text != "" && (strings.IndexByte("\"`'\\{[&<(*-+", text[0]) >= 0 || text[0] >= '0' && text[0] <= '9' ||
		goType.MatchString(text))
}

func atEnd(text string, ends []string) bool {
	if text == "" {
		return true
	}
	for _, end := range ends {
		if strings.HasPrefix(text, end) {
			return true
		}
	}
	return false
}

// cutValue cuts a text after the value with which it begins, as field.Error prints it: a quoted string, JSON, a number,
// or Go syntax. A string is returned without its quotes. It isn't ok if the end of the value is uncertain.
func cutValue(text string) (value, rest string, ok bool) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil && !strings.HasPrefix(text, "'") {
		// JSON and Go quote alike, but for what doesn't matter here.
		value, err = strconv.Unquote(quoted)
		return value, text[len(quoted):], err == nil
	}
	if n := jsonLength(text); n > 0 && atEnd(text[n:], textEnds) {
		return text[:n], text[n:], true
	}
	if n := goLength(text); n > 0 {
		return text[:n], text[n:], true
	}
	return "", "", false
}

// jsonLength returns the length of the JSON with which a text begins, or 0.
func jsonLength(text string) int {
	if text == "" || strings.IndexByte("{[-0123456789tfn", text[0]) < 0 {
		return 0
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return 0
	}
	return int(decoder.InputOffset())
}

// goLength returns the length of the Go value with which a text begins, as %v or %#v print it: a number, or brackets and
// what stands before them. It is 0 if the text doesn't begin so, or if a bracket or a quote stays open.
func goLength(text string) int {
	depth, brackets := 0, false
	for i := 0; i < len(text); {
		if depth == 0 && atEnd(text[i:], textEnds) {
			return numberOrBrackets(text[:i], brackets)
		}
		switch text[i] {
		case '"', '`':
			quoted, err := strconv.QuotedPrefix(text[i:])
			if err != nil {
				return 0
			}
			i += len(quoted)
			continue
		case '{', '[', '(':
			depth, brackets = depth+1, true
		case '}', ']', ')':
			depth--
		case ' ', '\n':
			if depth == 0 {
				return 0
			}
		}
		if depth < 0 {
			return 0
		}
		i++
	}
	if depth > 0 {
		return 0
	}
	return numberOrBrackets(text, brackets)
}

func numberOrBrackets(value string, brackets bool) int {
	if _, err := strconv.ParseFloat(value, 64); err != nil && !brackets {
		return 0
	}
	return len(value)
}
