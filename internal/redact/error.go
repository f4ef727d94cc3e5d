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
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// MaxError bounds what Error returns, in bytes.
	MaxError = 1024
	// maxDepth bounds how deep errors are wrapped in each other.
	maxDepth = 32
	// maxRead bounds how much of one error is read, in bytes.
	maxRead = 1 << 16
)

// Error returns the text of an error, without the values of objects that the API server echoes: of a field that it
// refuses, the path and the rule are kept, and the values that the rule allows. The words of those who wrapped the error
// are kept, too. The text is as Text makes it, and has at most MaxError bytes. It is empty if err is nil.
//
// What an error says in its own words, and not in those of the API server, stays as it is: a text with a value in it
// doesn't say so. Nor are two quantities left out that a rule compares (min value 2 is greater than max value 1).
func Error(err error) string {
	return Text(clean(err, 0), MaxError)
}

// Wrap returns an error with the text that Error returns, for those who log errors and would log everything in them.
// errors.Is and errors.As see the error that it wraps, which still has the values in its text. It returns nil if err is
// nil.
func Wrap(err error) error {
	if err == nil {
		return nil
	}
	return &wrapped{err: err, text: Error(err)}
}

// wrapped is an error whose text is clean.
type wrapped struct {
	err  error
	text string
}

func (w *wrapped) Error() string { return w.text }

func (w *wrapped) Unwrap() error { return w.err }

// clean returns the text of an error without values.
func clean(err error, depth int) string {
	if isNil(err) {
		return ""
	}
	if depth > maxDepth {
		return ellipsis
	}
	switch e := err.(type) { //nolint:errorlint // the chain is walked by hand, to keep the words of each link
	case *wrapped:
		return e.text
	case apierrors.APIStatus:
		return statusText(e.Status())
	case *field.Error:
		return fieldText(e)
	case *apierrors.UnexpectedObjectError:
		return "unexpected object" // its text is the object
	}
	inner := unwrap(err)
	switch {
	case len(inner) == 0:
		return scrub(err.Error())
	case isJoin(err):
		return joined(inner, depth)
	default:
		return splice(err.Error(), inner, depth)
	}
}

// joinType is the type of what errors.Join returns.
var joinType = reflect.TypeOf(errors.Join(errors.ErrUnsupported))

// isJoin reports whether the text of an error is that of several errors, and no more.
func isJoin(err error) bool {
	_, isAggregate := err.(kerrors.Aggregate) //nolint:errorlint // one link of the chain, not what it wraps
	return isAggregate || reflect.TypeOf(err) == joinType
}

// isNil reports whether there is no error, or a nil pointer in its place, whose text can't be asked for.
func isNil(err error) bool {
	v := reflect.ValueOf(err)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// unwrap returns the errors in an error, without nil, and instead of joined errors those in them, however deep.
func unwrap(err error) []error {
	var all []error
	switch e := err.(type) { //nolint:errorlint // one link of the chain, not what it wraps
	case kerrors.Aggregate:
		all = e.Errors()
	case interface{ Unwrap() []error }:
		all = e.Unwrap()
	case interface{ Unwrap() error }:
		return slices.DeleteFunc([]error{e.Unwrap()}, isNil)
	}
	var inner []error
	for _, err := range all {
		switch {
		case isNil(err):
		case isJoin(err):
			inner = append(inner, unwrap(err)...)
		default:
			inner = append(inner, err)
		}
	}
	return inner
}

// joined returns the texts of several errors, each once, and no more of them than could be shown.
func joined(inner []error, depth int) string {
	var texts []string
	seen := map[string]bool{}
	for length := 0; len(inner) > 0 && length < maxRead; inner = inner[1:] {
		if text := clean(inner[0], depth+1); text != "" && !seen[text] {
			seen[text] = true
			texts = append(texts, text)
			length += len(text)
		}
	}
	return strings.Join(texts, "; ")
}

// splice replaces in the text of an error the texts of those that it wraps, and cleans its own words around them. If
// it doesn't repeat one of them word by word, nothing tells what is whose: then only they are kept.
func splice(text string, inner []error, depth int) string {
	const mark = "\x00"
	plain := func(text string) string { return strings.ReplaceAll(text, mark, string(unprintable)) }
	text = plain(text)
	type part struct{ dirty, clean string }
	parts := make([]part, 0, len(inner))
	for _, err := range inner {
		if p := (part{plain(err.Error()), clean(err, depth+1)}); p.dirty != p.clean && p.dirty != "" {
			parts = append(parts, p)
		}
	}
	// Of two that begin at one place, the first wins: the longer one, because the text of one may be part of another's.
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(len(b.dirty), len(a.dirty)), cmp.Compare(a.dirty, b.dirty))
	})
	parts = slices.CompactFunc(parts, func(a, b part) bool { return a.dirty == b.dirty })
	oldNew := make([]string, 0, 2*len(parts))
	missing := map[int]bool{}
	for i, p := range parts {
		oldNew = append(oldNew, p.dirty, mark+strconv.Itoa(i)+mark)
		missing[i] = true
	}

	// Between two marks stands, by turns, what the error says itself and the number of a part.
	var out strings.Builder
	for i, piece := range strings.Split(strings.NewReplacer(oldNew...).Replace(text), mark) {
		if i%2 == 0 {
			out.WriteString(scrub(piece))
		} else if n, err := strconv.Atoi(piece); err == nil {
			out.WriteString(parts[n].clean)
			delete(missing, n)
		}
	}
	if len(missing) > 0 {
		return joined(inner, depth)
	}
	return out.String()
}
