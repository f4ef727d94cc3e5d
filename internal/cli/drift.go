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
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// severities are all severities, the gravest first.
var severities = []string{
	string(v1alpha1.SeverityCritical), string(v1alpha1.SeverityHigh), string(v1alpha1.SeverityMedium), string(v1alpha1.SeverityInfo),
}

// driftOptions are the flags of the command drift.
type driftOptions struct {
	connection connection
	namespaces []string
	severities []string
	open       bool
	watch      bool
	output     string
}

func newDriftCommand() *cobra.Command {
	o := &driftOptions{}
	cmd := &cobra.Command{
		Use:   "drift [TENANT]",
		Short: "Print what differs from a Tenant, and lately did, as the operator reported it",
		Long: `Print what differs from what Tenants ask for, and what lately did, as the operator reported it in the status of the
Tenants and in DriftReports. Nothing is compared anew; for that there is diff.

With the name of a Tenant it takes no more than what its members have: to get that Tenant, and to view its namespaces. Without a
name it lists all Tenants.

The exit code is 0 whether something differs or not.`,
		Example: "  bulkhead drift\n  bulkhead drift acme --severity Critical,High\n  bulkhead drift acme --namespace acme-dev --watch\n  bulkhead drift acme -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := o.check(); err != nil {
				return err
			}
			made, err := o.connection.client()
			if err != nil {
				return err
			}
			source := &driftSource{client: made, tenant: strings.Join(names, ""), namespaces: o.namespaces}
			if o.watch {
				return o.follow(cmd, source)
			}
			view, err := source.read(cmd.Context())
			if err != nil {
				return err
			}
			return o.show(cmd, view)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&o.namespaces, "namespace", "n", nil, "Only what differs in these namespaces.")
	flags.StringSliceVar(&o.severities, "severity", nil, "Only differences of these severities: "+strings.Join(severities, ", ")+".")
	flags.BoolVar(&o.open, "open", false, "Only what differs now, and not what lately did.")
	flags.BoolVarP(&o.watch, "watch", "w", false, "Go on printing what changes, until interrupted.")
	outputFlag(cmd, &o.output, asTable, asJSON, asYAML)
	complete(cmd, "severity", cobra.FixedCompletions(severities, cobra.ShellCompDirectiveNoFileComp))
	o.connection.bind(cmd)
	return cmd
}

// check checks the flags. Severities may be written in small letters.
func (o *driftOptions) check() error {
	for i, severity := range o.severities {
		at := slices.IndexFunc(severities, func(s string) bool { return strings.EqualFold(s, severity) })
		if at < 0 {
			return oneOf("severity", severity, severities...)
		}
		o.severities[i] = severities[at]
	}
	return oneOf("output", o.output, asTable, asJSON, asYAML)
}

// wanted leaves out the rows that the flags don't ask for.
func (o *driftOptions) wanted(rows []driftRow) []driftRow {
	return slices.DeleteFunc(slices.Clone(rows), func(row driftRow) bool {
		return o.open && row.closed || len(o.severities) > 0 && !slices.Contains(o.severities, string(row.Severity))
	})
}

// show prints all rows, and the notes beside them.
func (o *driftOptions) show(cmd *cobra.Command, view *driftView) error {
	rows := o.wanted(view.rows)
	note(cmd, view.notes)
	if o.output != asTable {
		if rows == nil {
			rows = []driftRow{}
		}
		return encode(cmd.OutOrStdout(), o.output, items[driftRow]{Items: rows})
	}
	if len(rows) == 0 {
		cmd.PrintErrln("nothing differs, or lately did, as far as was asked for")
		return nil
	}
	users := namesUsers(rows)
	if err := table(cmd.OutOrStdout(), append([][]string{driftTitles(users)}, driftCells(rows, time.Now(), users)...)); err != nil {
		return err
	}
	disclaim(cmd, rows)
	return nil
}

// note prints sentences beside the output.
func note(cmd *cobra.Command, notes []string) {
	for _, sentence := range notes {
		cmd.PrintErrln("note:", sentence)
	}
}

// disclaim says what a manager is, if there is one.
func disclaim(cmd *cobra.Command, rows []driftRow) {
	if slices.ContainsFunc(rows, func(row driftRow) bool { return row.Attribution.Manager != "" }) {
		cmd.PrintErrln("field managers are what clients call themselves, not users")
	}
}

// namesUsers reports whether a user is known of any row: without one, a table has no column of users.
func namesUsers(rows []driftRow) bool {
	return slices.ContainsFunc(rows, func(row driftRow) bool { return row.Attribution.User != "" })
}

// atUser is where the column of users stands.
const atUser = 6

func driftTitles(users bool) []string {
	titles := []string{"TENANT", "NAMESPACE", "SEVERITY", "TYPE", "OBJECT", "FIELDS", "MANAGER", "ACTION", "SINCE", "COUNT"}
	if users {
		return slices.Insert(titles, atUser, "USER")
	}
	return titles
}

// maxFields is how many fields of one difference a table names.
const maxFields = 3

func driftCells(rows []driftRow, now time.Time, users bool) [][]string {
	cells := make([][]string, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		count := ""
		if row.Count > 0 {
			count = strconv.Itoa(int(row.Count))
		}
		line := []string{
			row.Tenant, namespaceOf(row.Object), string(row.Severity), string(row.Type), row.Object.Kind + "/" + row.Object.Name,
			fieldCell(row), row.Attribution.Manager, string(row.Action), duration.HumanDuration(max(now.Sub(row.FirstSeen.Time), 0)), count,
		}
		if users {
			line = slices.Insert(line, atUser, row.Attribution.User)
		}
		cells = append(cells, line)
	}
	return cells
}

// fieldCell names the first fields and counts the rest.
func fieldCell(row *driftRow) string {
	paths := row.fields()
	total := max(len(paths), int(row.FieldCount))
	shown := paths[:min(len(paths), maxFields)]
	cell := strings.Join(shown, ",")
	if more := total - len(shown); more > 0 {
		cell += fmt.Sprintf(" +%d", more)
	}
	return strings.TrimSpace(cell)
}

// follow prints all rows, and then those that change, until the context ends.
func (o *driftOptions) follow(cmd *cobra.Command, source *driftSource) error {
	ctx := cmd.Context()
	var before map[string]string
	titles, users := o.output == asTable, false
	err := source.follow(ctx, func(view *driftView) error {
		now := map[string]string{}
		rows := slices.DeleteFunc(o.wanted(view.rows), func(row driftRow) bool {
			id, said := row.identity(), row.said()
			now[id] = said
			return before[id] == said
		})
		before = now
		if len(rows) == 0 {
			return nil
		}
		if o.output != asTable {
			return stream(cmd, o.output, rows)
		}
		if !users && namesUsers(rows) {
			users, titles = true, true // the first user that becomes known takes a column of its own
		}
		cells := driftCells(rows, time.Now(), users)
		if titles {
			titles = false
			cells = append([][]string{driftTitles(users)}, cells...)
			disclaim(cmd, rows)
		}
		return table(cmd.OutOrStdout(), cells)
	}, func(notes ...string) { note(cmd, notes) })
	if ctx.Err() == nil {
		return err
	}
	return nil // interrupted, which is how a watch ends
}

// stream prints each row as a document of its own.
func stream(cmd *cobra.Command, format string, rows []driftRow) error {
	for i := range rows {
		if format == asYAML {
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), "---"); err != nil {
				return err
			}
		}
		if err := encode(cmd.OutOrStdout(), format, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}
