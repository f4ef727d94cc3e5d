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

package facts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/claims"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

// register keeps the book of what tenants claim. It is read anew from the cache whenever someone asks who claims something,
// and only of Tenants that changed since is anything computed: the rest costs a look at each Tenant's generation.
type register struct {
	mu   sync.Mutex
	book *claims.Book
	// seen is of which version of a Tenant, and of its class, the book knows the claims.
	seen map[string]version
	// affected are the tenants whose share may have changed since someone asked for them.
	affected map[string]bool
}

type version struct {
	uid, class       types.UID
	generation, from int64
}

func newRegister() *register {
	return &register{book: claims.NewBook(), seen: map[string]version{}, affected: map[string]bool{}}
}

// taken is what of a tenant's claims an older tenant has.
func (r *Reader) taken(ctx context.Context, tenant string) (feature.Claims, error) {
	if err := r.refresh(ctx); err != nil {
		return feature.Claims{}, err
	}
	return r.register.book.Taken(tenant), nil
}

// Affected returns the tenants whose share of what only one can have may have changed since this was last asked, sorted:
// what is rendered for them is to be looked at again.
func (r *Reader) Affected(ctx context.Context) ([]string, error) {
	if err := r.refresh(ctx); err != nil {
		return nil, err
	}
	r.register.mu.Lock()
	defer r.register.mu.Unlock()
	names := slices.Sorted(maps.Keys(r.register.affected))
	clear(r.register.affected)
	return names, nil
}

// refresh brings the book up to date with the cache.
func (r *Reader) refresh(ctx context.Context) error {
	tenants := &v1alpha1.TenantList{}
	if err := r.cache.List(ctx, tenants, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("reading tenants: %w", err)
	}
	classes := &v1alpha1.TenantClassList{}
	if err := r.cache.List(ctx, classes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("reading classes: %w", err)
	}
	g := r.register
	g.mu.Lock()
	defer g.mu.Unlock()
	gone := maps.Clone(g.seen)
	for i := range tenants.Items {
		tenant := &tenants.Items[i]
		delete(gone, tenant.Name)
		class, err := policy.Class(tenant, classes.Items)
		if err != nil {
			class = nil // what the tenant itself claims counts all the same
		}
		now := version{uid: tenant.UID, generation: tenant.Generation}
		if class != nil {
			now.class, now.from = class.UID, class.Generation
		}
		if before, known := g.seen[tenant.Name]; known && before == now {
			continue
		}
		g.seen[tenant.Name] = now
		g.affect(g.book.Put(claimed(tenant, class)))
	}
	for name := range gone {
		delete(g.seen, name)
		g.affect(g.book.Delete(name))
	}
	return nil
}

func (g *register) affect(tenants []string) {
	for _, name := range tenants {
		g.affected[name] = true
	}
}

// claimed is what a tenant claims in any of its namespaces.
func claimed(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass) claims.Claimant {
	c := claims.Claimant{Tenant: tenant.Name, Created: tenant.CreationTimestamp.Time}
	if !slices.ContainsFunc(layers(tenant, class), claimsAnything) {
		return c
	}
	add := func(blocks *v1alpha1.PolicyBlocks) {
		if blocks.Ingress != nil {
			for _, hostname := range blocks.Ingress.Hostnames {
				c.Hostnames = append(c.Hostnames, string(hostname))
			}
		}
		if blocks.Egress != nil && blocks.Egress.Gateway != nil {
			for _, address := range blocks.Egress.Gateway.Addresses {
				c.Addresses = append(c.Addresses, string(address))
			}
		}
	}
	shared, overrides, err := policies(tenant, class)
	if err != nil {
		return c // nothing is rendered from a policy that can't be merged
	}
	add(&shared)
	for name := range overrides {
		own := overrides[name]
		add(&own)
	}
	slices.Sort(c.Hostnames)
	slices.Sort(c.Addresses)
	c.Hostnames, c.Addresses = slices.Compact(c.Hostnames), slices.Compact(c.Addresses)
	return c
}

// claimsAnything reports whether a policy claims what only one tenant can have.
func claimsAnything(p *v1alpha1.PolicyBlocks) bool {
	return p != nil && (p.Ingress != nil && len(p.Ingress.Hostnames) > 0 || p.Egress != nil && p.Egress.Gateway != nil)
}
