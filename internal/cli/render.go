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
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

func newRenderCommand() *cobra.Command {
	var files, named []string
	var output string
	var cluster clusterFlags
	cmd := &cobra.Command{
		Use:   "render -f FILE",
		Short: "Print what a Tenant becomes, without a cluster",
		Long: `Print the objects that the operator would apply for the Tenants in the given files, by the same code. TenantClasses in
the files are taken into account. No cluster is asked, so that namespaces which exist already, or which another tenant
holds, can't be known.`,
		Example: "  bulkhead render -f tenant.yaml\n  bulkhead render -f classes.yaml -f tenant.yaml -o table",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, asYAML, asJSON, asTable); err != nil {
				return err
			}
			options, err := cluster.options()
			if err != nil {
				return err
			}
			if options.APIs, err = optionalAPIs(named); err != nil {
				return err
			}
			in, err := readFiles(cmd.InOrStdin(), files)
			if err != nil {
				return err
			}
			intents, problems := in.render(options, time.Now())
			for _, problem := range problems {
				cmd.PrintErrln("warning:", problem)
			}
			return write(cmd.OutOrStdout(), output, intents)
		},
	}
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil, "File or directory with Tenants and TenantClasses; - is standard input. May be given more than once.")
	outputFlag(cmd, &output, asYAML, asJSON, asTable)
	cluster.bind(cmd.Flags())
	cmd.Flags().StringSliceVar(&named, "apis", nil, "Optional APIs that the cluster is taken to serve, as KIND.GROUP, or none. Unset means all that a Tenant can ask for; "+
		"ClusterNetworkPolicy.policy.networking.k8s.io and AdminNetworkPolicy.policy.networking.k8s.io, which are used wherever they are served, must be named.")
	if err := cmd.MarkFlagRequired("filename"); err != nil {
		panic(err) // the flag is declared above
	}
	return cmd
}

// tierGroup is the API group of policies that are rendered wherever they are served, and that no Tenant asks for.
const tierGroup = "policy.networking.k8s.io"

// optionalAPIs are the optional kinds that are named, as "Gateway.gateway.networking.k8s.io"; all that a Tenant can ask for
// if none is, and none if that is named.
func optionalAPIs(named []string) ([]schema.GroupVersionKind, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	rooms := features.All()
	known := append(apis.Optional(scheme, rooms, false), apis.Optional(scheme, rooms, true)...)
	if len(named) == 0 {
		return slices.DeleteFunc(known, func(kind schema.GroupVersionKind) bool { return kind.Group == tierGroup }), nil
	}
	var chosen []schema.GroupVersionKind
	for _, name := range named {
		at := slices.IndexFunc(known, func(kind schema.GroupVersionKind) bool { return kind.GroupKind().String() == name })
		switch {
		case at >= 0:
			chosen = append(chosen, known[at])
		case name != "none" || len(named) > 1:
			var names []string
			for _, kind := range known {
				names = append(names, kind.GroupKind().String())
			}
			slices.Sort(names)
			return nil, fmt.Errorf("--apis=%q is no optional API: allowed are none, or %s", name, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// input is what the files hold.
type input struct {
	tenants []*v1alpha1.Tenant
	classes []v1alpha1.TenantClass
}

// readFiles reads Tenants and TenantClasses; objects of other kinds are passed over.
func readFiles(stdin io.Reader, files []string) (*input, error) {
	tenants, classes, err := readTenants(stdin, files)
	if err != nil {
		return nil, err
	}
	if len(tenants) == 0 {
		return nil, noTenant(files)
	}
	in := &input{tenants: tenants}
	for _, class := range classes {
		in.classes = append(in.classes, *class)
	}
	return in, nil
}

// noTenant says that files have nothing to work with.
func noTenant(files []string) error {
	return fmt.Errorf("no Tenant (%s) in %s", v1alpha1.GroupVersion, strings.Join(files, ", "))
}

// render plans every tenant; what can't be rendered is a problem, and the rest is rendered all the same.
func (in *input) render(options facts.Options, now time.Time) (intents []*engine.Intent, problems []error) {
	for _, tenant := range in.tenants {
		plans, errs := in.plan(tenant, options, now)
		problems = append(problems, errs...)
		for _, plan := range plans {
			for _, room := range plan.Rooms {
				if room.Err != nil {
					problems = append(problems, fmt.Errorf("tenant %s, namespace %s, %s: %w", plan.Tenant, plan.Name, room.Name, room.Err))
				}
				for _, finding := range room.Findings {
					problems = append(problems, fmt.Errorf("tenant %s, namespace %s, %s: %s", plan.Tenant, plan.Name, room.Name, finding.Message))
				}
			}
			intents = append(intents, plan.Objects()...)
		}
	}
	return intents, problems
}

func (in *input) plan(tenant *v1alpha1.Tenant, options facts.Options, now time.Time) (plans []*engine.Plan, problems []error) {
	rooms := features.All()
	class, err := policy.Class(tenant, in.classes)
	if err != nil {
		return nil, []error{fmt.Errorf("tenant %s: %w", tenant.Name, err)}
	}
	var names []string
	for i := range tenant.Spec.Namespaces {
		spec := &tenant.Spec.Namespaces[i]
		names = append(names, spec.Name)
		known, _, err := options.Build(tenant, class, spec.Name, now)
		if err != nil {
			problems = append(problems, fmt.Errorf("tenant %s, namespace %s: %w", tenant.Name, spec.Name, err))
			continue
		}
		plan, err := engine.NewPlan(rooms, engine.NamespaceInput(known, spec))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		plans = append(plans, plan)
	}
	slices.Sort(names)
	known, _ := options.Tenant(tenant, class, names, now)
	plan, err := engine.NewTenantPlan(rooms, known)
	if err != nil {
		return plans, append(problems, err)
	}
	return append([]*engine.Plan{plan}, plans...), problems
}

func write(out io.Writer, format string, intents []*engine.Intent) error {
	switch format {
	case "json":
		items := make([]any, 0, len(intents))
		for _, intent := range intents {
			items = append(items, intent.Object.Object)
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	case "table":
		table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "NAMESPACE\tKIND\tNAME\tFEATURE") //nolint:errcheck // Flush reports it
		for _, intent := range intents {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", intent.Key.Namespace, intent.GVK.Kind, intent.Key.Name, intent.Feature) //nolint:errcheck // Flush reports it
		}
		return table.Flush()
	default:
		for _, intent := range intents {
			raw, err := sigsyaml.Marshal(intent.Object.Object)
			if err != nil {
				return fmt.Errorf("encoding %s: %w", intent, err)
			}
			if _, err := fmt.Fprintf(out, "---\n%s", raw); err != nil {
				return err
			}
		}
		return nil
	}
}
