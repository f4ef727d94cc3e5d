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

package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rows  [][]string
		width int
		want  []string
	}{
		"nothing":        {width: 40},
		"what fits":      {[][]string{{"A", "B"}, {"x", ""}}, 40, []string{"A  B", "x  -"}},
		"words":          {[][]string{{"path", "one two three four five"}}, 24, []string{"path  one two three four", "      five"}},
		"a long word":    {[][]string{{"path", "registry.example.com/payments"}}, 24, []string{"path  registry.example.", "      com/payments"}},
		"no word at all": {[][]string{{"path", strings.Repeat("x", 20)}}, 24, []string{"path  " + strings.Repeat("x", 18), "      xx"}},
		"columns, where it costs least": {
			[][]string{{"a", strings.Repeat("b", 30), strings.Repeat("c", 20)}, {"a", "b", strings.Repeat("c", 20)}}, 46,
			[]string{"a  " + strings.Repeat("b", 21) + "  " + strings.Repeat("c", 20), "   " + strings.Repeat("b", 9), "a  b" + strings.Repeat(" ", 22) + strings.Repeat("c", 20)},
		},
		"what can't be seen": {[][]string{{"a\nb", "c\u202ed\te"}}, 40, []string{"a?b  c?d?e"}},
		"letters of several bytes": {
			[][]string{{"ä", "öööööööööö üüüüüüüüüü"}}, 20, []string{"ä  öööööööööö", "   üüüüüüüüüü"},
		},
		"narrower than columns may be": {
			[][]string{{strings.Repeat("a", 20), strings.Repeat("b", 20)}}, 10,
			[]string{strings.Repeat("a", 16) + "  " + strings.Repeat("b", 16), "aaaa" + strings.Repeat(" ", 14) + "bbbb"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, wrap(tc.rows, tc.width)); diff != "" {
				t.Errorf("wrapped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrapBounds(t *testing.T) {
	t.Parallel()
	lines := wrap([][]string{{strings.Repeat("p", 300), strings.Repeat("v w.", 10000), "x"}}, explainWidth)
	text := 0
	for _, line := range lines {
		if utf8.RuneCountInString(line) > explainWidth {
			t.Errorf("too wide: %q", line)
		}
		text += utf8.RuneCountInString(line)
	}
	if !strings.Contains(strings.Join(lines, ""), "…") || text > 10*maxWrapped {
		t.Errorf("%d characters are printed, or nothing shows that some aren't", text)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"acme", "acme-dev", "globex", "payments", "payments-vault", "web"}
	for name, want := range map[string][]string{
		"acne": {"acme"}, "acm": {"acme"}, "acme-prod-eu": {"acme"}, "payment": {"payments"}, "paymnets": {"payments"},
		"wob": {"web"}, "umbrella": {}, "globexx": {"globex"},
	} {
		if diff := cmp.Diff(want, nearest(name, names)); diff != "" {
			t.Errorf("near %q (-want +got):\n%s", name, diff)
		}
	}
	long := strings.Repeat("x", 1<<20)
	if got := distance(long, long); got != 0 {
		t.Errorf("distance %d of a name from itself", got)
	}
}

// TestExplainCompletes pins what is offered: Tenants, and once one is named, its namespaces.
func TestExplainCompletes(t *testing.T) {
	t.Parallel()
	files := []string{"-f", toExplain}
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"nothing yet":           {append(files, ""), []string{"acme", "globex"}},
		"a part":                {append(files, "gl"), []string{"globex"}},
		"a tenant":              {append(files, "acme"), []string{"acme", "acme/acme-dev", "acme/acme-prod", "acme/acme-test"}},
		"a tenant and a slash":  {append(files, "globex/"), []string{"globex/globex-web"}},
		"a part of a namespace": {append(files, "acme/acme-p"), []string{"acme/acme-prod"}},
		"an unknown tenant":     {append(files, "none/"), nil},
		"a second name":         {append(files, "acme", ""), nil},
		"standard input":        {[]string{"-f", "-", ""}, nil},
		"a file that is none":   {[]string{"-f", "testdata/none", ""}, nil},
		"no cluster":            {[]string{"--kubeconfig", "testdata/none", ""}, nil},
		"no cluster, a slash":   {[]string{"--kubeconfig", "testdata/none", "acme/"}, nil},
		"formats":               {append(slices.Clone(files), "-o", ""), []string{"table", "json", "yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			root := &cobra.Command{Use: program}
			root.AddCommand(newExplainCommand())
			root.SetArgs(append([]string{"__complete", "explain"}, tc.args...))
			root.SetOut(&out)
			root.SetErr(&bytes.Buffer{})
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(out.String()) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, ":") {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("offered (-want +got):\n%s", diff)
			}
		})
	}
}
