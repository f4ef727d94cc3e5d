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

// Package survey looks at all tenants of a cluster at one time, by the operator's own code and without writing anything:
// what differs from intent (Diff), and who reaches what (Verify).
package survey

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Options are what a Survey needs; all fields are required.
type Options struct {
	// Reader is what is looked at. It must have the indexes of package index, and hold still: a snapshot.
	Reader client.Reader
	// Scheme knows all kinds that the features own.
	Scheme *runtime.Scheme
	// Facts are the operator's own settings: with others it would want something else.
	Facts facts.Options
	// Features are the rooms.
	Features []feature.Feature
}

// Survey looks at tenants. It never writes. It is not safe for concurrent use.
type Survey struct {
	reader   client.Reader
	scheme   *runtime.Scheme
	features []feature.Feature
	facts    *facts.Reader
	engine   *engine.Engine
	comparer *drift.Comparer
	served   []schema.GroupVersionKind
	now      time.Time
}

// New makes a survey of what the reader holds, as of now.
func New(o Options) (*Survey, error) {
	// A mapper that knows no kind keeps the engine from writing whatever happens: it finds no resource to write to.
	e, err := engine.New(engine.Options{
		Reader: o.Reader, Mapper: meta.NewDefaultRESTMapper(nil), Scheme: o.Scheme, Features: o.Features, Journal: engine.NewJournal(),
		Serves: func(kind schema.GroupVersionKind) bool { return slices.Contains(o.Facts.APIs, kind) },
	})
	if err != nil {
		return nil, err
	}
	comparer, err := drift.NewComparer(o.Scheme)
	if err != nil {
		return nil, fmt.Errorf("building the comparer: %w", err)
	}
	return &Survey{
		reader: o.Reader, scheme: o.Scheme, features: o.Features, facts: facts.NewReader(o.Reader, o.Facts),
		engine: e, comparer: comparer, served: o.Facts.APIs, now: time.Now(),
	}, nil
}

// Tenants are the names of all tenants, sorted.
func (s *Survey) Tenants(ctx context.Context) ([]string, error) {
	list := &v1alpha1.TenantList{}
	if err := s.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading tenants: %w", err)
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	slices.Sort(names)
	return names, nil
}

// ClassOf is the name of the TenantClass in force for a tenant; empty if there is none, or if it can't be told.
func (s *Survey) ClassOf(ctx context.Context, name string) (string, error) {
	tenant, err := s.facts.Named(ctx, name)
	if err != nil || tenant == nil {
		return "", err
	}
	class, err := s.facts.Class(ctx, tenant)
	if err != nil || class == nil {
		return "", nil //nolint:nilerr // a class that can't be told is told of where the tenant is planned
	}
	return class.Name, nil
}

// named reads a Tenant that must be there.
func (s *Survey) named(ctx context.Context, name string) (*v1alpha1.Tenant, error) {
	tenant, err := s.facts.Named(ctx, name)
	if err == nil && tenant == nil {
		err = fmt.Errorf("there is no Tenant %q: kubectl get tenants lists those that there are", name)
	}
	return tenant, err
}

// around are the names of the namespaces that have to do with a tenant: those that it lists, and those that are labelled
// as its. Sorted.
func (s *Survey) around(ctx context.Context, tenant *v1alpha1.Tenant) ([]string, error) {
	list := &corev1.NamespaceList{}
	if err := s.reader.List(ctx, list, client.MatchingFields{engine.IndexTenant: tenant.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading the namespaces of tenant %s: %w", tenant.Name, err)
	}
	names := map[string]bool{}
	for i := range list.Items {
		names[list.Items[i].Name] = true
	}
	for i := range tenant.Spec.Namespaces {
		names[tenant.Spec.Namespaces[i].Name] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// plan is what a tenant's namespace must have. What of it the spec can't get is an error beside the plan, and the plan
// then has the rest; it is nil if nothing can be told.
func (s *Survey) plan(ctx context.Context, tenant *v1alpha1.Tenant, namespace string) (*engine.Plan, error) {
	known, _, err := s.facts.Of(ctx, tenant, namespace)
	if err != nil {
		return nil, err
	}
	plan, err := s.engine.PlanNamespace(engine.NamespaceInput(known, facts.Spec(tenant, namespace)))
	if err != nil {
		return nil, err
	}
	return plan, problems(plan)
}

// planTenant is what a tenant must have at cluster scope, with the same errors as plan.
func (s *Survey) planTenant(ctx context.Context, tenant *v1alpha1.Tenant, held []string) (*engine.Plan, error) {
	known, _, err := s.facts.Tenant(ctx, tenant, held)
	if err != nil {
		return nil, err
	}
	plan, err := s.engine.PlanTenant(known)
	if err != nil {
		return nil, err
	}
	return plan, problems(plan)
}

// problems are what the rooms could not render.
func problems(plan *engine.Plan) error {
	var all []error
	for _, room := range plan.Rooms {
		if room.Err != nil {
			all = append(all, fmt.Errorf("%s: %w", room.Name, room.Err))
		}
	}
	return errors.Join(all...)
}

// notes are what of the spec can't be satisfied while the rest can.
func notes(plan *engine.Plan) []string {
	var all []string
	for _, room := range plan.Rooms {
		for _, finding := range room.Findings {
			all = append(all, place(plan.Tenant, plan.Name)+", "+room.Name+": "+finding.Message)
		}
	}
	return all
}

// place names a tenant and, unless it is empty, a namespace.
func place(tenant, namespace string) string {
	if namespace == "" {
		return "tenant " + tenant
	}
	return "tenant " + tenant + ", namespace " + namespace
}
