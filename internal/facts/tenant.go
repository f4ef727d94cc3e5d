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
	"slices"
	"time"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

// Tenant is what rooms may know of a tenant as a whole at the present time, and when the next member's access ends (zero
// if never). held are the namespaces that are the tenant's, sorted.
func (r *Reader) Tenant(ctx context.Context, tenant *v1alpha1.Tenant, held []string) (feature.TenantFacts, time.Time, error) {
	options, err := r.present(ctx)
	if err != nil {
		return feature.TenantFacts{}, time.Time{}, err
	}
	class, classErr := r.Class(ctx, tenant)
	facts, expiry := options.Tenant(tenant, class, held, r.now())
	if classErr != nil {
		facts.PolicyError, facts.Policy, facts.Overrides = classErr, v1alpha1.PolicyBlocks{}, nil
	}
	if slices.ContainsFunc(layers(tenant, class), claimsAnything) {
		if facts.Taken, err = r.taken(ctx, tenant.Name); err != nil {
			return feature.TenantFacts{}, time.Time{}, err
		}
	}
	facts.Foreign, err = r.foreign(ctx, tenant.Name, &facts.Policy)
	return facts, expiry, err
}

// foreign are the namespaces that a policy names as places of objects and that another tenant holds, with its name.
func (r *Reader) foreign(ctx context.Context, tenant string, p *v1alpha1.PolicyBlocks) (map[string]string, error) {
	if p.Ingress == nil || p.Ingress.Gateway == nil || p.Ingress.Gateway.Namespace == "" {
		return nil, nil
	}
	name := string(p.Ingress.Gateway.Namespace)
	view, err := r.Namespace(ctx, name)
	if err != nil {
		return nil, err
	}
	if holder := view.Decision.Holder; holder != "" && holder != tenant {
		return map[string]string{name: holder}, nil
	}
	return nil, nil
}

// Tenant makes the facts of a tenant as a whole from what was read, and says when the next member's access ends (zero if
// never). class may be nil. It is pure, so that it works without a cluster; then nothing is taken or foreign.
func (o Options) Tenant(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass, held []string, now time.Time) (feature.TenantFacts, time.Time) {
	members, expiry := Members(tenant, "", now)
	facts := feature.TenantFacts{Tenant: tenant.Name, Namespaces: held, Members: members, Cluster: o.cluster()}
	shared, overrides, err := policies(tenant, class)
	if err != nil {
		facts.PolicyError = err
		return facts, expiry
	}
	for name := range overrides {
		if !slices.Contains(held, name) {
			delete(overrides, name)
		}
	}
	facts.Policy, facts.Overrides = shared, overrides
	return facts, expiry
}

// layers are all parts of a tenant's policy, the general ones first.
func layers(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass) []*v1alpha1.PolicyBlocks {
	var all []*v1alpha1.PolicyBlocks
	if class != nil {
		all = append(all, &class.Spec)
	}
	all = append(all, &tenant.Spec.PolicyBlocks)
	for i := range tenant.Spec.Namespaces {
		all = append(all, tenant.Spec.Namespaces[i].Policy)
	}
	return all
}

// policies are the policy of namespaces that override nothing, and those of the namespaces that do, by name.
func policies(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass) (v1alpha1.PolicyBlocks, map[string]v1alpha1.PolicyBlocks, error) {
	general := []*v1alpha1.PolicyBlocks{&tenant.Spec.PolicyBlocks}
	if class != nil {
		general = []*v1alpha1.PolicyBlocks{&class.Spec, &tenant.Spec.PolicyBlocks}
	}
	shared, err := policy.Effective(tenant.Name, general...)
	if err != nil {
		return v1alpha1.PolicyBlocks{}, nil, err
	}
	overrides := map[string]v1alpha1.PolicyBlocks{}
	for i := range tenant.Spec.Namespaces {
		spec := &tenant.Spec.Namespaces[i]
		if spec.Policy == nil {
			continue
		}
		if overrides[spec.Name], err = policy.Effective(tenant.Name, append(slices.Clip(general), spec.Policy)...); err != nil {
			return v1alpha1.PolicyBlocks{}, nil, fmt.Errorf("namespace %s: %w", spec.Name, err)
		}
	}
	return shared, overrides, nil
}
