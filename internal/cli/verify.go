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
	"slices"

	"github.com/spf13/cobra"

	"github.com/bulkhead-dev/bulkhead/internal/survey"
)

// verifyOptions are the flags of the command verify.
type verifyOptions struct {
	connection connection
	cluster    clusterFlags
	files      []string
	output     string
}

func newVerifyCommand() *cobra.Command {
	o := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify [TENANT...]",
		Short: "Say whether Tenants are isolated as they ask for, who can reach whom, and who has access",
		Long: `Judge by the operator's own code, and by effect, whether Tenants are isolated as their specs say: what lets in or out more than
the spec does, who has access whom the spec doesn't name, and where Pod Security is weaker. Beside that it prints which tenants' pods can
reach which by what is live, and who has access to which namespace. Nothing is written.

With --filename it judges files in place of a cluster: what kubectl get --show-managed-fields -o yaml wrote of Tenants, TenantClasses,
Namespaces, NetworkPolicies, RoleBindings, ClusterRoles and ClusterRoleBindings.

Only NetworkPolicies and RBAC are weighed. If the cluster serves other APIs that change who reaches whom, they are named.

The exit code is 0 if every tenant is isolated as its spec says, 1 if one is not, and more than 1 for an error.`,
		Example: "  bulkhead verify\n  bulkhead verify acme -o json\n  bulkhead verify -f dump/\n  bulkhead verify -o dot | dot -Tsvg > reachability.svg",
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,
	}
	cmd.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "File or directory with what is there, in place of a cluster; - is standard input.")
	outputFlag(cmd, &o.output, asTable, asJSON, asYAML, asDot)
	o.connection.bind(cmd)
	o.cluster.bind(cmd.Flags())
	return compares(cmd)
}

func (o *verifyOptions) run(cmd *cobra.Command, names []string) error {
	ctx := cmd.Context()
	options, err := o.cluster.options()
	if err != nil {
		return err
	}
	if err := oneOf("output", o.output, asTable, asJSON, asYAML, asDot); err != nil {
		return err
	}
	w, err := readWorld(ctx, &o.connection, cmd.InOrStdin(), "filename", o.files)
	if err != nil {
		return err
	}
	s, err := w.survey(w, options)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if names, err = s.Tenants(ctx); err != nil {
			return err
		}
	}
	slices.Sort(names)
	verification, failed := s.Verify(ctx, slices.Compact(names))
	if verification == nil {
		return failed
	}
	if err := o.show(cmd, verification); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return failed
	case slices.ContainsFunc(verification.Tenants, func(v survey.Verdict) bool { return !v.Isolated }):
		return found(cmd)
	default:
		return nil
	}
}

func (o *verifyOptions) show(cmd *cobra.Command, v *survey.Verification) error {
	switch o.output {
	case asTable:
		return printVerification(cmd.OutOrStdout(), v)
	case asDot:
		return printDot(cmd.OutOrStdout(), v)
	default:
		return encode(cmd.OutOrStdout(), o.output, v)
	}
}
