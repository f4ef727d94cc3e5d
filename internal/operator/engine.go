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

	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// newEngine makes the engine, and starts to watch what tells it whether the API server's identity stamp may be believed.
func newEngine(ctx context.Context, mgr ctrl.Manager, cfg *rest.Config, o Options, served *apis.Set) (*engine.Engine, error) {
	writer, err := metadata.NewForConfigAndClient(cfg, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making the metadata client: %w", err)
	}
	stamp, err := guard.NewStampWatch(nil)
	if err != nil {
		return nil, fmt.Errorf("reading the identity stamp's policy: %w", err)
	}
	if err := stamp.Watch(ctx, mgr.GetCache(), mgr.GetRESTMapper()); err != nil {
		return nil, err
	}
	return engine.New(engine.Options{
		Reader: mgr.GetCache(), Metadata: writer, Mapper: mgr.GetRESTMapper(), Scheme: mgr.GetScheme(),
		Features: features.All(), Journal: engine.NewJournal(), Serves: served.Serves,
		Stamped: stamp.Stamped, Self: "system:serviceaccount:" + o.Facts.OperatorNamespace + ":bulkhead",
	})
}
