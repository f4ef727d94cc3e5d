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
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
	asDot   = "dot"
)

// maxCell bounds what is printed of one thing in a table, in characters.
const maxCell = 253

// outputFlag declares --output; the first of the formats is the default.
func outputFlag(cmd *cobra.Command, output *string, formats ...string) {
	cmd.Flags().StringVarP(output, "output", "o", formats[0], "Format: "+strings.Join(formats, ", ")+".")
	complete(cmd, "output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// oneOf checks the value of a flag that has only some.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("--%s=%q is not known: allowed are %s", flag, value, strings.Join(allowed, ", "))
}

// encode prints a value as JSON or YAML.
func encode(out io.Writer, format string, value any) error {
	if format == asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	raw, err := sigsyaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	_, err = out.Write(raw)
	return err
}

// items is a list as JSON and YAML have it.
type items[T any] struct {
	Items []T `json:"items"`
}

// table prints rows in columns, the first row being the titles. Clients choose much of what is in the cells: what can't
// be seen, or changes how the rest is seen, is shown as "?".
func table(out io.Writer, rows [][]string) error {
	columns := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			if cell == "" {
				cell = "-"
			}
			cells = append(cells, redact.Name(cell, maxCell))
		}
		if _, err := fmt.Fprintln(columns, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return columns.Flush()
}

// printer prints lines and keeps the first error: who reads the output may have gone.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func (p *printer) table(rows [][]string) {
	if p.err == nil {
		p.err = table(p.out, rows)
	}
}

// objectName is "Kind namespace/name" or "Kind name".
func objectName(o v1alpha1.ObjectReference) string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// namespaceOf is the namespace that an object is in, or is; empty for any other object of the cluster scope.
func namespaceOf(o v1alpha1.ObjectReference) string {
	if o.Kind == "Namespace" && o.Group == "" {
		return o.Name
	}
	return o.Namespace
}
