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
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
)

// world is a cluster at one time, by what the operator reads of it.
type world struct {
	*snapshot.Snapshot
	scheme *runtime.Scheme
}

// readWorld reads the files that a flag names, or the cluster if it names none.
func readWorld(ctx context.Context, c *connection, stdin io.Reader, flag string, files []string) (*world, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	kinds := snapshot.Kinds(features.All())
	if len(files) > 0 {
		held, err := snapshot.Files(scheme, kinds, stdin, files...)
		if err != nil {
			return nil, fmt.Errorf("reading --%s: %w", flag, err)
		}
		return &world{held, scheme}, nil
	}
	cluster, err := c.client()
	if err != nil {
		return nil, err
	}
	held, err := snapshot.Live(ctx, cluster, scheme, kinds)
	if err != nil {
		return nil, err
	}
	return &world{held, scheme}, nil
}

// survey makes a survey of the world, or of another one that was made of it.
func (w *world) survey(of client.Reader, options facts.Options) (*survey.Survey, error) {
	options.APIs = w.Served()
	return survey.New(survey.Options{Reader: of, Scheme: w.scheme, Facts: options, Features: features.All()})
}

// tenantKinds are the kinds that people write.
func tenantKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{v1alpha1.GroupVersion.WithKind("Tenant"), v1alpha1.GroupVersion.WithKind("TenantClass")}
}

// readTenants reads the Tenants and TenantClasses in the files of --filename. It fails if there are none.
func readTenants(stdin io.Reader, files []string) (tenants []*v1alpha1.Tenant, classes []*v1alpha1.TenantClass, err error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, nil, fmt.Errorf("building the scheme: %w", err)
	}
	objects, err := snapshot.Read(scheme, tenantKinds(), stdin, files...)
	if err != nil {
		return nil, nil, fmt.Errorf("reading --filename: %w", err)
	}
	for _, object := range objects {
		switch object := object.(type) {
		case *v1alpha1.Tenant:
			tenants = append(tenants, object)
		case *v1alpha1.TenantClass:
			classes = append(classes, object)
		}
	}
	return tenants, classes, nil
}

// errStdinTwice is for two flags of which each would read all of standard input.
var errStdinTwice = errors.New("standard input (-) can be read only once")

func readsStdin(files []string) bool { return slices.Contains(files, "-") }
