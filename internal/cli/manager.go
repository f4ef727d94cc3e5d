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
	"flag"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/bulkhead-dev/bulkhead/internal/operator"
)

func newManagerCommand() *cobra.Command {
	options := operator.Options{}
	var cluster clusterFlags
	logging := zap.Options{}
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the operator",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
			var err error
			if options.Facts, err = cluster.options(); err != nil {
				return err
			}
			if options.Scheme, err = newScheme(); err != nil {
				return fmt.Errorf("building the scheme: %w", err)
			}
			cfg, err := config.GetConfig()
			if err != nil {
				return fmt.Errorf("finding the cluster: set --kubeconfig or KUBECONFIG, or run in a pod: %w", err)
			}
			return operator.Run(cmd.Context(), cfg, options)
		},
	}
	flags := cmd.Flags()
	options.Bind(flags)
	cluster.bind(flags)
	goFlags := flag.NewFlagSet("", flag.ContinueOnError)
	logging.BindFlags(goFlags)
	config.RegisterFlags(goFlags)
	flags.AddGoFlagSet(goFlags)
	return cmd
}
