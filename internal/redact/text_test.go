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
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in    string
		limit int
		want  string
	}{
		"empty":                           {in: "", limit: 10, want: ""},
		"plain":                           {in: "a b", limit: 10, want: "a b"},
		"lines and tabs":                  {in: "\n a\r\n\tb\u00a0\u2028 c \n", limit: 20, want: "a b c"},
		"control characters":              {in: "a\x00\x1b[31mb\x7f", limit: 20, want: "a??[31mb?"},
		"bidi":                            {in: "a\u202eb\u2066c\u061c", limit: 20, want: "a?b?c?"},
		"zero width":                      {in: "a\u200bb\u200dc\ufeffd\u2060", limit: 20, want: "a?b?c?d?"},
		"letters and symbols without ink": {in: "a\u3164b\u2800c\ufe0fd\u034fe", limit: 20, want: "a?b?c?d?e"},
		"not UTF-8":                       {in: "a\xffb\xc3", limit: 20, want: "a\ufffdb\ufffd"},
		"private use and unassigned":      {in: "\ue000\U0010ffff\u0378", limit: 20, want: "???"},
		"just fits":                       {in: "abcdef", limit: 6, want: "abcdef"},
		"cut":                             {in: "abcdefg", limit: 6, want: "abc…"},
		"cut between characters":          {in: "ääää", limit: 7, want: "ää…"},
		"cut after a space":               {in: "ab cdefgh", limit: 6, want: "ab…"},
		"space that doesn't fit":          {in: "abc d", limit: 4, want: "a…"},
		"trailing space isn't too long":   {in: "abcd   ", limit: 4, want: "abcd"},
		"no room for the ellipsis":        {in: "abcd", limit: 2, want: "ab"},
		"room for nothing else":           {in: "abcd", limit: 3, want: "…"},
		"no room at all":                  {in: "abcd", limit: 0, want: ""},
		"less than no room":               {in: "abcd", limit: -1, want: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Text(tt.in, tt.limit)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestManager(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want string }{
		"plain":     {"kubectl-edit", "kubectl-edit"},
		"deceitful": {"a\n\u202e\x1b[31m\x00\u200b", "a???[31m??"},
		"spaces":    {"a  b\u00a0", "a  b?"},
		"too long":  {strings.Repeat("ä", 200), strings.Repeat("ä", 128)},
		"not UTF-8": {"\xff", "\ufffd"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Manager(tt.in)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := Name("abc", -1); got != "" {
		t.Errorf("got %q without room", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\nb\u202e", 5)
	f.Add("ääää\xff", 3)
	f.Add("  x  …", 1024)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		got := Text(in, limit)
		checkShown(t, got)
		if len(got) > max(limit, 0) {
			t.Errorf("%d bytes, limit %d: %q", len(got), limit, got)
		}
		if again := Text(got, limit); again != got {
			t.Errorf("%q became %q", got, again)
		}
		name := Name(in, limit)
		checkShown(t, name)
		if utf8.RuneCountInString(name) > max(limit, 0) {
			t.Errorf("%q is longer than %d", name, limit)
		}
	})
}

// checkShown fails if a text isn't fit to be shown.
func checkShown(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	for _, r := range text {
		if !Visible(r) {
			t.Errorf("%U in %q", r, text)
		}
	}
}
