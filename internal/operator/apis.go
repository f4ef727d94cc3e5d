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

package operator

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/bulkhead-dev/bulkhead/controllers"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/features"
)

// setupAPIs finds out which optional APIs the cluster serves, before anything is rendered: after a restart nothing must
// look as if it was missing. From then on a controller follows what appears and disappears.
func setupAPIs(ctx context.Context, mgr ctrl.Manager, cfg *rest.Config, served *apis.Set, watchers []controllers.Watcher) error {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making the discovery client: %w", err)
	}
	rooms := features.All()
	r := &controllers.APIReconciler{
		Cache: mgr.GetCache(), Discovery: client, Served: served, Watchers: watchers,
		InNamespaces: apis.Optional(mgr.GetScheme(), rooms, false), OfTenants: apis.Optional(mgr.GetScheme(), rooms, true),
		Judged: exposure.ClusterPolicyKinds(),
	}
	kinds, err := discover(ctx, client, r.Kinds())
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := r.Begin(ctx, kind); err != nil {
			return err
		}
	}
	if err := r.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the controller of optional APIs: %w", err)
	}
	return nil
}

// How long an API server that doesn't answer, because it restarts at this moment, is asked again.
const (
	discoverAgain  = 500 * time.Millisecond
	discoverWithin = time.Minute
)

// discover finds out which kinds are served. It fails if the API server doesn't answer within a minute.
func discover(ctx context.Context, client discovery.DiscoveryInterface, kinds []schema.GroupVersionKind) ([]schema.GroupVersionKind, error) {
	var served []schema.GroupVersionKind
	var last error
	err := wait.PollUntilContextTimeout(ctx, discoverAgain, discoverWithin, true, func(context.Context) (bool, error) {
		served, last = apis.Served(client, client, kinds)
		return last == nil, nil
	})
	if err != nil && last != nil {
		return nil, last
	}
	return served, err
}
