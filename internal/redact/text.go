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

// Package redact is the one sanitizer of what the operator says: in status, events, logs and errors. Whatever clients
// chose, the outcome is printable, on one line, bounded, and has no values of objects in it.
package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// ellipsis stands for what was cut off.
	ellipsis = "…"
	// unprintable stands for a character that can't be seen, or that changes how others are seen.
	unprintable = '?'
	// maxManager bounds the name of a field manager, in characters, as the API does.
	maxManager = 128
	// blank is the one character that is a symbol, and printable, and can't be seen.
	blank = '\u2800'
)

// Text returns a text on one line: white space of any kind becomes one space, a character that can't be seen, or that
// changes the direction of writing, becomes "?", and bytes that aren't UTF-8 become U+FFFD. What is longer than limit
// bytes is cut off between two characters, and "…" put in its place if there is room for it. A limit in bytes fits
// wherever the API counts characters, and in the note of an event, where it counts bytes.
func Text(s string, limit int) string {
	var out strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = out.Len() > 0
			continue
		}
		if !Visible(r) {
			r = unprintable
		}
		size := utf8.RuneLen(r)
		if space {
			size++
		}
		if out.Len()+size > limit {
			return cut(out.String(), limit)
		}
		if space {
			out.WriteByte(' ')
			space = false
		}
		out.WriteRune(r)
	}
	return out.String()
}

// cut makes room for an ellipsis, and appends it. The text has at most limit bytes.
func cut(text string, limit int) string {
	end := limit - len(ellipsis)
	if end < 0 {
		return text
	}
	if end < len(text) {
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.TrimRight(text, " ") + ellipsis
}

// Name makes a name that a client chose fit to be shown: a character that can't be seen, line breaks among them, or that
// changes the direction of writing, becomes "?", bytes that aren't UTF-8 become U+FFFD, and what is longer than limit
// characters is cut off. Spaces stay: two names that differ look different.
func Name(s string, limit int) string {
	var out strings.Builder
	n := 0
	for _, r := range s {
		if n >= limit {
			break
		}
		if !Visible(r) {
			r = unprintable
		}
		out.WriteRune(r)
		n++
	}
	return out.String()
}

// Manager makes the name of a field manager fit to be shown, as Name does, with at most 128 characters. It is still what
// a client said of itself.
func Manager(name string) string { return Name(name, maxManager) }

// Visible reports whether a character can be seen and leaves alone how others are seen. The ASCII space counts, no other
// one does; nor do control characters, those that reverse the direction of writing, and those without width.
func Visible(r rune) bool {
	return unicode.IsPrint(r) && r != blank &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && !unicode.Is(unicode.Variation_Selector, r)
}
