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
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
)

// explainOptions are the flags of the command explain.
type explainOptions struct {
	connection connection
	files      []string
	output     string
	now        func() time.Time
}

func newExplainCommand() *cobra.Command { return newExplainCommandAt(time.Now) }

func newExplainCommandAt(now func() time.Time) *cobra.Command {
	o := &explainOptions{now: now}
	cmd := &cobra.Command{
		Use:   "explain TENANT/NAMESPACE | TENANT",
		Short: "Print the policy in force in a namespace, and where each value comes from",
		Long: `Print the policy that is in force in a namespace of a Tenant, as the operator merges it from the TenantClass, the Tenant and what
the Tenant says of that namespace, and of each value where it comes from and what it overrides. Fields that nobody sets are there if that
means something. Beside the policy it prints which TenantClass is in force and why, who has access and until when, what is done about
drift, and the conditions that the operator reported.

With the name of a Tenant alone it prints the policy of all its namespaces, and what single namespaces override.

It takes the right to get the Tenant and to read TenantClasses. With --filename it reads files in place of a cluster.`,
		Example: "  bulkhead explain acme/acme-prod\n  bulkhead explain acme\n  bulkhead explain acme/acme-prod -o yaml\n  bulkhead explain -f tenants/ acme/acme-prod",
		Args:    cobra.ExactArgs(1),
		RunE:    o.run,
	}
	cmd.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "File or directory with Tenants and TenantClasses, in place of a cluster; - is standard input. May be given more than once.")
	outputFlag(cmd, &o.output, asTable, asJSON, asYAML)
	o.connection.bind(cmd)
	cmd.ValidArgsFunction = o.complete
	return cmd
}

func (o *explainOptions) run(cmd *cobra.Command, args []string) error {
	if err := oneOf("output", o.output, asTable, asJSON, asYAML); err != nil {
		return err
	}
	tenant, namespace, err := tenantAndNamespace(args[0])
	if err != nil {
		return err
	}
	source, err := o.source(cmd)
	if err != nil {
		return err
	}
	e, err := source.explain(cmd.Context(), tenant, namespace)
	if err != nil {
		return err
	}
	if o.output != asTable {
		return encode(cmd.OutOrStdout(), o.output, e)
	}
	return printExplanation(cmd.OutOrStdout(), e)
}

// tenantAndNamespace reads TENANT or TENANT/NAMESPACE.
func tenantAndNamespace(text string) (tenant, namespace string, err error) {
	tenant, namespace, both := strings.Cut(text, "/")
	if tenant == "" || both && namespace == "" || strings.Contains(namespace, "/") {
		return "", "", fmt.Errorf("%q is neither TENANT nor TENANT/NAMESPACE, as acme/acme-prod is", text)
	}
	return tenant, namespace, nil
}

// source is where Tenants and TenantClasses are read: files or the cluster.
func (o *explainOptions) source(cmd *cobra.Command) (*explainSource, error) {
	if len(o.files) == 0 {
		made, err := o.connection.client()
		if err != nil {
			return nil, err
		}
		return &explainSource{reader: made, now: o.now}, nil
	}
	tenants, classes, err := readTenants(cmd.InOrStdin(), o.files)
	if err != nil {
		return nil, err
	}
	if len(tenants) == 0 {
		return nil, noTenant(o.files)
	}
	objects := make([]client.Object, 0, len(tenants)+len(classes))
	for _, tenant := range tenants {
		objects = append(objects, tenant)
	}
	for _, class := range classes {
		objects = append(objects, class)
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	held, err := snapshot.New(scheme, tenantKinds(), objects...)
	if err != nil {
		return nil, fmt.Errorf("reading --filename: %w", err)
	}
	return &explainSource{reader: held, files: o.files, now: o.now}, nil
}

// classError says what to do about a TenantClass that can't be told.
func classError(tenant string, files bool, err error) error {
	var missing *policy.ClassNotFoundError
	if files && errors.As(err, &missing) {
		return fmt.Errorf("tenant %s starts from TenantClass %q, which isn't in the files: give its file with --filename, too", tenant, missing.Name)
	}
	return fmt.Errorf("tenant %s: %w", tenant, err)
}

// override is what a Tenant says of one of its namespaces.
type override struct {
	// Name is the namespace.
	Name string `json:"name"`
	// Policy is what is said; nothing if the namespace has the policy of all.
	Policy []policy.Leaf `json:"policy"`
}

// overrides are all namespaces of a tenant, by name, with what each says for itself.
func overrides(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass) ([]override, error) {
	all := make([]override, 0, len(tenant.Spec.Namespaces))
	for i := range tenant.Spec.Namespaces {
		n := &tenant.Spec.Namespaces[i]
		o := override{Name: n.Name, Policy: []policy.Leaf{}}
		if n.Policy != nil {
			leaves, err := policy.Explain(tenant.Name, policy.Layers(tenant, class, n.Name)...)
			if err != nil {
				return nil, err
			}
			o.Policy = slices.DeleteFunc(leaves, func(l policy.Leaf) bool { return l.Origin != policy.NamespaceLayer(tenant.Name, n.Name) })
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b override) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
