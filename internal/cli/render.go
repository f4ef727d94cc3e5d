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
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	runtimejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

// outputs are the formats of every command that prints objects.
var outputs = []string{"yaml", "json", "table"}

func newRenderCommand() *cobra.Command {
	var files []string
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
			if !slices.Contains(outputs, output) {
				return fmt.Errorf("--output=%q is not known: allowed are %s", output, strings.Join(outputs, ", "))
			}
			options, err := cluster.options()
			if err != nil {
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
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil, "File with Tenants and TenantClasses; - is standard input. May be given more than once.")
	cmd.Flags().StringVarP(&output, "output", "o", "yaml", "Format: "+strings.Join(outputs, ", ")+".")
	cluster.bind(cmd.Flags())
	if err := cmd.MarkFlagRequired("filename"); err != nil {
		panic(err) // the flag is declared above
	}
	return cmd
}

// input is what the files hold.
type input struct {
	tenants []v1alpha1.Tenant
	classes []v1alpha1.TenantClass
}

func readFiles(stdin io.Reader, files []string) (*input, error) {
	in := &input{}
	for _, name := range files {
		reader := stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return nil, fmt.Errorf("reading --filename: %w", err)
			}
			defer file.Close() //nolint:errcheck // read only
			reader = file
		}
		if err := in.read(reader); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	if len(in.tenants) == 0 {
		return nil, fmt.Errorf("no Tenant (%s) in %s", v1alpha1.GroupVersion, strings.Join(files, ", "))
	}
	return in, nil
}

// read takes the Tenants and TenantClasses of a YAML stream; objects of other kinds are passed over. A field that the
// API doesn't know is an error, as it is for kubectl apply.
func (in *input) read(reader io.Reader) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(reader))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var kind metav1.TypeMeta
		if err := sigsyaml.Unmarshal(document, &kind); err != nil {
			return err
		}
		if kind.GroupVersionKind().GroupVersion() != v1alpha1.GroupVersion {
			continue
		}
		switch kind.Kind {
		case "Tenant":
			var tenant v1alpha1.Tenant
			if err := decode(document, &tenant); err != nil {
				return err
			}
			in.tenants = append(in.tenants, tenant)
		case "TenantClass":
			var class v1alpha1.TenantClass
			if err := decode(document, &class); err != nil {
				return err
			}
			in.classes = append(in.classes, class)
		}
	}
}

// decode reads an object; its errors name a field by its whole path.
func decode(document []byte, into runtime.Object) error {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	strict := runtimejson.SerializerOptions{Yaml: true, Strict: true}
	_, _, err := runtimejson.NewSerializerWithOptions(runtimejson.DefaultMetaFactory, scheme, scheme, strict).Decode(document, nil, into)
	return err
}

// render plans every tenant; what can't be rendered is a problem, and the rest is rendered all the same.
func (in *input) render(options facts.Options, now time.Time) (intents []*engine.Intent, problems []error) {
	for i := range in.tenants {
		plans, errs := in.plan(&in.tenants[i], options, now)
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
	known, _ := facts.TenantFacts(tenant, names, now)
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
