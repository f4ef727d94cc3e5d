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
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// connection says which cluster, and as whom, as kubectl does.
type connection struct{ kubeconfig, context string }

func (c *connection) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.kubeconfig, "kubeconfig", "", "Path of a kubeconfig. Unset means what KUBECONFIG names, or ~/.kube/config, or the pod's own account.")
	cmd.Flags().StringVar(&c.context, "context", "", "Context of the kubeconfig. Unset means its current one.")
	cmd.ValidArgsFunction = c.completeTenants
	complete(cmd, "context", c.completeContexts)
}

func (c *connection) load() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
}

func (c *connection) config() (*rest.Config, error) {
	cfg, err := c.load().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: set --kubeconfig or KUBECONFIG, and --context if the kubeconfig has several: %w", err)
	}
	// The API server's Priority and Fairness shares its capacity better than a client that slows itself down.
	cfg.QPS = -1
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	return cfg, nil
}

// client makes a client that reads from the cluster, without a cache.
func (c *connection) client() (client.WithWatch, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	made, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return made, nil
}

// advise says what to do about an error of the API server that isn't about one object.
func advise(err error) error {
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("this cluster has no Bulkhead installed (config/crd), or isn't the one that you mean (see --context): %w", err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster doesn't know you: log in again, or choose another --context: %w", err)
	default:
		return err
	}
}

// patience is how long a completion may take: someone waits with a finger on the key.
const patience = 2 * time.Second

// completeTenants offers the names of Tenants; nothing, and no error, where that isn't possible.
func (c *connection) completeTenants(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return c.tenantNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

func (c *connection) tenantNames(ctx context.Context) []string {
	cfg, err := c.config()
	if err != nil || ctx == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// No RESTMapper: it would ask for all that the API server has first.
	names, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil
	}
	list, err := names.Resource(v1alpha1.GroupVersion.WithResource("tenants")).List(ctx, metav1.ListOptions{Limit: pageSize})
	if err != nil {
		return nil
	}
	found := make([]string, 0, len(list.Items))
	for i := range list.Items {
		found = append(found, list.Items[i].Name)
	}
	return found
}

func (c *connection) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	raw, err := c.load().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), cobra.ShellCompDirectiveNoFileComp
}

// complete sets the completion of a flag, which must have been declared.
func complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is declared by the caller
	}
}

// pageSize is how many objects one list asks for.
const pageSize = 500
