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
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
)

// printDiff prints differences for people.
func printDiff(cmd *cobra.Command, diff *survey.Diff) error {
	p := &printer{out: cmd.OutOrStdout()}
	for i := range diff.Differences {
		if err := printDifference(p, &diff.Differences[i]); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(diff.Differences, func(d survey.Difference) bool { return d.Attribution.Manager != "" }) {
		cmd.PrintErrln("field managers are what clients call themselves, not users")
	}
	return p.err
}

func printDifference(p *printer, d *survey.Difference) error {
	p.line("diff %s", visible(objectName(d.Object)))
	p.line("# tenant %s: %s", d.Tenant, visible(headline(d)))
	if d.Hint != "" {
		p.line("# %s", visible(d.Hint))
	}
	if d.Whole != nil {
		text, err := d.Whole.YAML()
		if err != nil {
			return fmt.Errorf("printing %s: %w", objectName(d.Object), err)
		}
		sign := "-"
		if d.Type == v1alpha1.DriftObjectMissing {
			sign = "+"
		}
		for line := range strings.Lines(text) {
			p.line("%s %s", sign, strings.TrimSuffix(line, "\n"))
		}
		return p.err
	}
	for i := range d.Fields {
		printField(p, &d.Fields[i])
	}
	if more := int(d.FieldCount) - len(d.Fields); more > 0 && len(d.Fields) > 0 {
		p.line("# and %d more fields", more)
	}
	return p.err
}

// headline says in what way an object differs.
func headline(d *survey.Difference) string {
	text := fmt.Sprintf("%s, %s", d.Type, d.Severity)
	if d.Ignored() {
		text += ", left as it is by a rule of spec.drift.ignore"
	}
	if d.Type == v1alpha1.DriftOwnershipLost {
		text += ", its values are as intended, but Bulkhead no longer owns all of them"
	}
	if manager := d.Attribution.Manager; manager != "" {
		text += fmt.Sprintf("; last written by field manager %q", manager)
	}
	return text
}

func printField(p *printer, field *v1alpha1.FieldDrift) {
	value := func(v string) string {
		if field.Redacted {
			return "(withheld)"
		}
		return v
	}
	if field.Change != v1alpha1.FieldChangeRemoved {
		p.line("- %s: %s", visible(field.Path), value(field.Actual))
	}
	if field.Change != v1alpha1.FieldChangeInjected {
		p.line("+ %s: %s", visible(field.Path), value(field.Expected))
	}
}

// maxLine bounds a line that names something, in characters.
const maxLine = 1024

// visible makes a line of what clients chose fit to be printed.
func visible(text string) string { return redact.Name(text, maxLine) }
