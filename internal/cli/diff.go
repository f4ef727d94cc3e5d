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
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
)

// diffOptions are the flags of the command diff.
type diffOptions struct {
	connection connection
	cluster    clusterFlags
	files      []string
	live       []string
	output     string
}

// asDiff is the format for people.
const asDiff = "diff"

func newDiffCommand() *cobra.Command {
	o := &diffOptions{}
	cmd := &cobra.Command{
		Use:   "diff [TENANT...]",
		Short: "Compare what Tenants ask for with what is there",
		Long: `Compute what Tenants ask for by the operator's own code, compare it with what is in the cluster, and print what the operator
would change: "-" is what is there, "+" is what the Tenant asks for. Nothing is written, whatever the drift mode is.

With --filename, the Tenants and TenantClasses in the files count as applied: this is what applying them would change. The files are
read as kubectl apply reads them, but the API server's validation isn't asked.

It reads the whole cluster. The flags about the cluster must be those of the operator: with others it would want something else.

The exit code is 0 if nothing differs, 1 if something does, and more than 1 for an error, as that of kubectl diff.`,
		Example: "  bulkhead diff\n  bulkhead diff acme\n  bulkhead diff -f tenants/\n  bulkhead diff -f tenant.yaml --live-from dump.yaml -o json",
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,
	}
	cmd.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "File or directory with Tenants and TenantClasses as they are to be; - is standard input.")
	cmd.Flags().StringSliceVar(&o.live, "live-from", nil, "File or directory with what is there, in place of a cluster (kubectl get --show-managed-fields -o yaml); - is standard input.")
	outputFlag(cmd, &o.output, asDiff, asJSON, asYAML)
	o.connection.bind(cmd)
	o.cluster.bind(cmd.Flags())
	return compares(cmd)
}

func (o *diffOptions) run(cmd *cobra.Command, names []string) error {
	options, err := o.cluster.options()
	if err != nil {
		return err
	}
	if err := oneOf("output", o.output, asDiff, asJSON, asYAML); err != nil {
		return err
	}
	if readsStdin(o.files) && readsStdin(o.live) {
		return errStdinTwice
	}
	w, err := readWorld(cmd.Context(), &o.connection, cmd.InOrStdin(), "live-from", o.live)
	if err != nil {
		return err
	}
	wanted, s, err := o.intend(cmd, w, options)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = wanted
	}
	slices.Sort(names)
	diff, failed := s.Diff(cmd.Context(), slices.Compact(names))
	note(cmd, diff.Notes)
	if err := o.show(cmd, diff); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return failed
	case diff.Open() > 0:
		return found(cmd)
	default:
		return nil
	}
}

func (o *diffOptions) show(cmd *cobra.Command, diff *survey.Diff) error {
	if o.output != asDiff {
		list := items[survey.Difference]{Items: diff.Differences}
		if list.Items == nil {
			list.Items = []survey.Difference{}
		}
		return encode(cmd.OutOrStdout(), o.output, list)
	}
	return printDiff(cmd, diff)
}

// intend makes a survey of the world as the files would make it, and says which tenants they are about: those in the
// files, and those whose class is. Without files it is the world as it is, and all tenants.
func (o *diffOptions) intend(cmd *cobra.Command, w *world, options facts.Options) ([]string, *survey.Survey, error) {
	ctx := cmd.Context()
	now, err := w.survey(w, options)
	if err != nil {
		return nil, nil, err
	}
	if len(o.files) == 0 {
		names, err := now.Tenants(ctx)
		return names, now, err
	}
	tenants, classes, err := readTenants(cmd.InOrStdin(), o.files)
	if err != nil {
		return nil, nil, err
	}
	if len(tenants)+len(classes) == 0 {
		return nil, nil, noTenant(o.files)
	}
	var objects []client.Object
	about, classNames := map[string]bool{}, map[string]bool{}
	for _, class := range classes {
		objects = append(objects, class)
		classNames[class.Name] = true
	}
	for _, tenant := range tenants {
		objects = append(objects, tenant)
		about[tenant.Name] = true
	}
	applied, err := w.Applied(ctx, time.Now(), objects...)
	if err != nil {
		return nil, nil, err
	}
	then, err := w.survey(applied, options)
	if err != nil {
		return nil, nil, err
	}
	if len(classes) > 0 {
		if err := classed(ctx, about, classNames, now, then); err != nil {
			return nil, nil, err
		}
	}
	return slices.Sorted(maps.Keys(about)), then, nil
}

// classed adds the tenants whose class is, or will be, one of these.
func classed(ctx context.Context, about, classes map[string]bool, now, then *survey.Survey) error {
	names, err := then.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, s := range []*survey.Survey{now, then} {
			class, err := s.ClassOf(ctx, name)
			if err != nil {
				return err
			}
			about[name] = about[name] || classes[class]
		}
		if !about[name] {
			delete(about, name)
		}
	}
	return nil
}
