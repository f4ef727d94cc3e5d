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

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// maxNamespaces is how many namespaces a Tenant may list.
const maxNamespaces = 1000

// size is how many tenants there are and how many namespaces each of them has.
type size struct {
	Tenants    int `json:"tenants"`
	Namespaces int `json:"namespacesEach"`
}

func (s size) String() string { return fmt.Sprintf("%d×%d", s.Tenants, s.Namespaces) }

// world is a fresh control plane with Bulkhead installed, and what is to be there.
type world struct {
	*env.Env

	size    size
	writers int
	// tenants are the Tenants to create; intents are the objects that they become, by the code that the operator runs.
	tenants []*v1alpha1.Tenant
	intents []*engine.Intent
	// first is one more tenant, which is made before the clock starts, in the way that is measured: what the API server
	// does only once (making schemas, say) is in no time.
	first *world
}

// in runs a measurement in a world of its own, so that each finds the same.
func (b *bench) in(ctx context.Context, s size, what string, measure func(context.Context, *world) error) error {
	return b.on(ctx, controlplane.Options{}, s, what, measure)
}

// on does that on a control plane with options.
func (b *bench) on(ctx context.Context, options controlplane.Options, s size, what string, measure func(context.Context, *world) error) error {
	b.say("%s: %s", s, what)
	e, err := env.Start(ctx, options)
	if err != nil {
		return err
	}
	w := &world{Env: e, size: s, writers: b.writers}
	if err = w.plan(); err == nil {
		ctx, cancel := context.WithTimeoutCause(ctx, b.deadline(s), fmt.Errorf("%s: %s took too long", s, what))
		err = measure(ctx, w)
		if err != nil && ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
		cancel()
	}
	return errors.Join(err, e.Stop())
}

// plan says what is to be there.
func (w *world) plan() error {
	w.first = &world{Env: w.Env, size: size{1, 1}, writers: w.writers, tenants: tenants("first", size{1, 1})}
	w.tenants = tenants("team", w.size)
	var err error
	if w.first.intents, err = intents(w.first.tenants, w.Facts); err != nil {
		return err
	}
	w.intents, err = intents(w.tenants, w.Facts)
	return err
}

// deadline bounds one measurement: far more than it should take, so that a run that got stuck ends.
func (b *bench) deadline(s size) time.Duration {
	return 5*time.Minute + time.Duration(s.Tenants*s.Namespaces)*200*time.Millisecond + b.steady + b.patience +
		time.Duration(b.guardSamples)*150*time.Millisecond
}

// tenants are like the starter example: Pod Security, three network policies, a quota, limits and two members.
func tenants(prefix string, s size) []*v1alpha1.Tenant {
	list := make([]*v1alpha1.Tenant, 0, s.Tenants)
	for i := range s.Tenants {
		tenant := &v1alpha1.Tenant{}
		tenant.Name = fmt.Sprintf("%s-%04d", prefix, i)
		for j := range s.Namespaces {
			tenant.Spec.Namespaces = append(tenant.Spec.Namespaces, v1alpha1.TenantNamespace{Name: fmt.Sprintf("%s-%04d", tenant.Name, j)})
		}
		tenant.Spec.Members = []v1alpha1.Member{
			{Name: "owners", Role: v1alpha1.RoleAdmin, Subjects: group(tenant.Name + "-admins")},
			{Name: "developers", Role: v1alpha1.RoleEdit, Subjects: group(tenant.Name + "-developers")},
		}
		tenant.Spec.Quota = &v1alpha1.Quota{PerNamespace: map[corev1.ResourceName]resource.Quantity{
			"requests.cpu": resource.MustParse("8"), "requests.memory": resource.MustParse("16Gi"), "pods": resource.MustParse("100"),
		}}
		tenant.Spec.Limits = []v1alpha1.LimitItem{{
			Type:           corev1.LimitTypeContainer,
			Default:        corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
			DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m")},
		}}
		list = append(list, tenant)
	}
	return list
}

func group(name string) []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}}
}

// intents are what `bulkhead render` prints for the tenants.
func intents(tenants []*v1alpha1.Tenant, options facts.Options) ([]*engine.Intent, error) {
	rooms := features.All()
	var all []*engine.Intent
	for _, tenant := range tenants {
		var names []string
		for i := range tenant.Spec.Namespaces {
			spec := &tenant.Spec.Namespaces[i]
			names = append(names, spec.Name)
			known, _, err := options.Build(tenant, nil, spec.Name, time.Now())
			if err != nil {
				return nil, fmt.Errorf("planning namespace %s: %w", spec.Name, err)
			}
			plan, err := engine.NewPlan(rooms, engine.NamespaceInput(known, spec))
			if err != nil {
				return nil, fmt.Errorf("planning namespace %s: %w", spec.Name, err)
			}
			all = append(all, plan.Objects()...)
		}
		known, _ := (facts.Options{}).Tenant(tenant, nil, names, time.Now())
		plan, err := engine.NewTenantPlan(rooms, known)
		if err != nil {
			return nil, fmt.Errorf("planning tenant %s: %w", tenant.Name, err)
		}
		all = append(all, plan.Objects()...)
	}
	return all, nil
}

// createTenants creates all Tenants, as the cluster admin.
func (w *world) createTenants(ctx context.Context) error {
	return each(ctx, w.writers, w.tenants, func(ctx context.Context, tenant *v1alpha1.Tenant) error {
		return w.Admin.Create(ctx, &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: tenant.Name}, Spec: *tenant.Spec.DeepCopy()})
	})
}

// each does something with every item, so many at a time, and returns the first error.
func each[T any](ctx context.Context, workers int, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan T)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for item := range work {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	group.Wait()
	return context.Cause(ctx)
}
