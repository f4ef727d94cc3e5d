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

// Package facts reads what rooms may know. It is the only reader between the watch cache and the rooms: what it
// returns is a value that never changes.
package facts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

// IndexClaims is the field index by which the Tenants that list a namespace are found.
const IndexClaims = "spec.namespaces.name"

// Options are what is the same for all tenants and comes from the operator's flags.
type Options struct {
	// DNS is where the cluster's DNS runs.
	DNS feature.DNS
	// APIServer are the API server's addresses. Empty means: those of EndpointSlice default/kubernetes.
	APIServer []netip.AddrPort
	// OperatorNamespace is where the operator runs: no tenant may have it.
	OperatorNamespace string
	// APIs are the optional kinds that the cluster serves.
	APIs []schema.GroupVersionKind
}

// reserved says why a namespace can be no tenant's; empty if it can.
func (o Options) reserved(namespace string) string {
	switch {
	case namespace == o.OperatorNamespace:
		return "the operator runs there"
	case v1alpha1.IsGuardProbeNamespace(namespace):
		return "guard-rails are proven there"
	default:
		return ""
	}
}

// Reader reads facts from the cache.
type Reader struct {
	cache    client.Reader
	options  Options
	now      func() time.Time
	register *register
	apis     func() []schema.GroupVersionKind
}

// NewReader makes a reader. The cache must have the index IndexClaims.
func NewReader(cache client.Reader, options Options) *Reader {
	return &Reader{cache: cache, options: options, now: time.Now, register: newRegister(),
		apis: func() []schema.GroupVersionKind { return options.APIs }}
}

// WithAPIs makes the reader ask which optional kinds the cluster serves, whenever it makes facts; Options.APIs don't count
// then. It must be called before the reader is used.
func (r *Reader) WithAPIs(served func() []schema.GroupVersionKind) *Reader {
	r.apis = served
	return r
}

// Namespace is what is known of one namespace name.
type Namespace struct {
	// Live is the live Namespace; nil if it doesn't exist. It is shared with the cache: don't change it.
	Live *corev1.Namespace
	// Decision says whose it is and what is to be done.
	Decision membership.Decision
	// Tenant is the holder, or the tenant that lets the namespace go; nil if there is none. Shared: don't change it.
	Tenant *v1alpha1.Tenant
}

// Namespace decides on one namespace.
func (r *Reader) Namespace(ctx context.Context, name string) (*Namespace, error) {
	view := &Namespace{}
	live := &corev1.Namespace{}
	switch err := r.cache.Get(ctx, client.ObjectKey{Name: name}, live, client.UnsafeDisableDeepCopy); {
	case err == nil:
		view.Live = live
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	tenants, err := r.claimants(ctx, name)
	if err != nil {
		return nil, err
	}
	state, err := r.state(ctx, view.Live)
	if err != nil {
		return nil, err
	}
	former, err := r.tenant(ctx, state.Holder())
	if err != nil {
		return nil, err
	}
	view.Decision = r.decide(name, state, former, tenants)
	view.Tenant = holder(view.Decision.Holder, former, tenants)
	return view, nil
}

// state is what a Namespace, and if need be its walls, tell; nil if there is none.
func (r *Reader) state(ctx context.Context, live *corev1.Namespace) (*membership.Namespace, error) {
	state := stateOf(live)
	if state == nil || state.LabelOurs {
		return state, nil
	}
	var err error
	state.Witness, err = r.witness(ctx, live.Name)
	return state, err
}

// witness is the tenant for which we applied a wall that stands in the namespace; empty if there is none. A tenant's
// own admins may write NetworkPolicies, but not under our field manager without wanting to deceive, and whom they name
// must claim the namespace to get it.
func (r *Reader) witness(ctx context.Context, namespace string) (string, error) {
	walls := &networkingv1.NetworkPolicyList{}
	if err := r.cache.List(ctx, walls, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("reading the walls of namespace %s: %w", namespace, err)
	}
	for i := range walls.Items {
		if drift.OwnsLabel(&walls.Items[i], v1alpha1.FieldManager, v1alpha1.LabelTenant) {
			return walls.Items[i].Labels[v1alpha1.LabelTenant], nil
		}
	}
	return "", nil
}

func (r *Reader) decide(name string, live *membership.Namespace, holding *v1alpha1.Tenant, tenants []v1alpha1.Tenant) membership.Decision {
	claims := make([]membership.Claim, 0, len(tenants))
	for i := range tenants {
		tenant := &tenants[i]
		if tenant.DeletionTimestamp != nil {
			continue
		}
		claim := membership.Claim{Tenant: tenant.Name, Created: tenant.CreationTimestamp.Time}
		if at := slices.IndexFunc(tenant.Spec.Namespaces, func(n v1alpha1.TenantNamespace) bool { return n.Name == name }); at >= 0 {
			claim.Adoption = tenant.Spec.Namespaces[at].Adoption
		}
		claims = append(claims, claim)
	}
	if why := r.options.reserved(name); why != "" {
		d := membership.Decision{Action: membership.None, Conflicts: map[string]string{}}
		for _, claim := range claims {
			d.Conflicts[claim.Tenant] = "is reserved: " + why
		}
		return d
	}
	var former *membership.Tenant
	if holding != nil {
		former = &membership.Tenant{Name: holding.Name, DeletionPolicy: holding.Spec.DeletionPolicy}
	}
	return membership.Decide(live, former, claims)
}

// stateOf is what a Namespace itself tells; nil if there is none.
func stateOf(live *corev1.Namespace) *membership.Namespace {
	if live == nil {
		return nil
	}
	s := &membership.Namespace{
		Label:       live.Labels[v1alpha1.LabelTenant],
		Ours:        drift.AppliedBy(live, v1alpha1.FieldManager),
		Terminating: live.DeletionTimestamp != nil,
	}
	if !s.Ours {
		return s
	}
	s.LabelOurs = drift.OwnsLabel(live, v1alpha1.FieldManager, v1alpha1.LabelTenant)
	if drift.OwnsLabel(live, v1alpha1.FieldManager, v1alpha1.LabelReleasedFrom) {
		s.ReleasedFrom = live.Labels[v1alpha1.LabelReleasedFrom]
	}
	return s
}

func holder(name string, former *v1alpha1.Tenant, tenants []v1alpha1.Tenant) *v1alpha1.Tenant {
	for i := range tenants {
		if tenants[i].Name == name {
			return &tenants[i]
		}
	}
	if former != nil && former.Name == name {
		return former
	}
	return nil
}

func (r *Reader) claimants(ctx context.Context, namespace string) ([]v1alpha1.Tenant, error) {
	list := &v1alpha1.TenantList{}
	if err := r.cache.List(ctx, list, client.MatchingFields{IndexClaims: namespace}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading the tenants that list namespace %s: %w", namespace, err)
	}
	return list.Items, nil
}

// Named is the Tenant of this name; nil if there is none. It is shared with the cache: don't change it.
func (r *Reader) Named(ctx context.Context, name string) (*v1alpha1.Tenant, error) {
	return r.tenant(ctx, name)
}

func (r *Reader) tenant(ctx context.Context, name string) (*v1alpha1.Tenant, error) {
	if name == "" {
		return nil, nil
	}
	tenant := &v1alpha1.Tenant{}
	err := r.cache.Get(ctx, client.ObjectKey{Name: name}, tenant, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading tenant %s: %w", name, err)
	}
	return tenant, nil
}

// Held lists the namespaces of the spec that are the tenant's, sorted, and the conflicts of the others by name.
func (r *Reader) Held(ctx context.Context, tenant *v1alpha1.Tenant) (held []string, conflicts map[string]string, err error) {
	conflicts = map[string]string{}
	for i := range tenant.Spec.Namespaces {
		name := tenant.Spec.Namespaces[i].Name
		view, err := r.Namespace(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if why, conflict := view.Decision.Conflicts[tenant.Name]; conflict {
			conflicts[name] = why
			continue
		}
		held = append(held, name)
	}
	slices.Sort(held)
	return held, conflicts, nil
}

// Leaving lists the namespaces that a tenant which is being deleted has still to let go of, sorted. Those that its spec
// lists are looked at whatever label they have: it may have been stripped.
func (r *Reader) Leaving(ctx context.Context, tenant *v1alpha1.Tenant) ([]string, error) {
	list := &corev1.NamespaceList{}
	if err := r.cache.List(ctx, list, client.MatchingFields{engine.IndexTenant: tenant.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading the namespaces of tenant %s: %w", tenant.Name, err)
	}
	var candidates, names []string
	for i := range list.Items {
		candidates = append(candidates, list.Items[i].Name)
	}
	for i := range tenant.Spec.Namespaces {
		candidates = append(candidates, tenant.Spec.Namespaces[i].Name)
	}
	slices.Sort(candidates)
	for _, name := range slices.Compact(candidates) {
		view, err := r.Namespace(ctx, name)
		if err != nil {
			return nil, err
		}
		if view.Decision.Holder == tenant.Name {
			names = append(names, name)
		}
	}
	return names, nil
}

// Class is the TenantClass in force for a tenant; nil if there is none. Errors are those of policy.Class.
func (r *Reader) Class(ctx context.Context, tenant *v1alpha1.Tenant) (*v1alpha1.TenantClass, error) {
	classes := &v1alpha1.TenantClassList{}
	if err := r.cache.List(ctx, classes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading classes: %w", err)
	}
	return policy.Class(tenant, classes.Items)
}

// Of is what rooms may know of one namespace of a tenant, and when the next member's access to it ends (zero if
// never). It fails if the tenant's class can't be told or its policies can't be merged.
func (r *Reader) Of(ctx context.Context, tenant *v1alpha1.Tenant, namespace string) (feature.Facts, time.Time, error) {
	class, err := r.Class(ctx, tenant)
	if err != nil {
		return feature.Facts{}, time.Time{}, err
	}
	options, err := r.present(ctx)
	if err != nil {
		return feature.Facts{}, time.Time{}, err
	}
	facts, expiry, err := options.Build(tenant, class, namespace, r.now())
	if err == nil && claimsAnything(&facts.Policy) {
		facts.Taken, err = r.taken(ctx, tenant.Name)
	}
	return facts, expiry, err
}

// present are the options with what the cluster itself tells now.
func (r *Reader) present(ctx context.Context) (Options, error) {
	options := r.options
	options.APIs = r.apis()
	if len(options.APIServer) > 0 {
		return options, nil
	}
	var err error
	options.APIServer, err = r.APIServers(ctx)
	return options, err
}

// Build makes the facts of one namespace of a tenant from what was read, and says when the next member's access
// to it ends (zero if never). class may be nil. It is pure, so that it works without a cluster.
func (o Options) Build(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass, namespace string, now time.Time) (feature.Facts, time.Time, error) {
	layers := make([]*v1alpha1.PolicyBlocks, 0, 3)
	if class != nil {
		layers = append(layers, &class.Spec)
	}
	layers = append(layers, &tenant.Spec.PolicyBlocks)
	if spec := Spec(tenant, namespace); spec != nil && spec.Policy != nil {
		layers = append(layers, spec.Policy)
	}
	effective, err := policy.Effective(tenant.Name, layers...)
	if err != nil {
		return feature.Facts{}, time.Time{}, err
	}
	members, expiry := Members(tenant, namespace, now)
	return feature.Facts{
		Tenant: tenant.Name, Namespace: namespace, Policy: effective, Members: members, Siblings: siblings(tenant),
		Cluster: o.cluster(),
	}, expiry, nil
}

func (o Options) cluster() feature.ClusterFacts {
	return feature.ClusterFacts{DNS: o.DNS, APIServer: o.APIServer, APIs: o.APIs}
}

func siblings(tenant *v1alpha1.Tenant) []string {
	if len(tenant.Spec.Namespaces) > feature.MaxSiblings {
		return nil
	}
	names := make([]string, 0, len(tenant.Spec.Namespaces))
	for i := range tenant.Spec.Namespaces {
		names = append(names, tenant.Spec.Namespaces[i].Name)
	}
	slices.Sort(names)
	return names
}

// Spec is what a tenant's spec says of one namespace; nil if it isn't listed.
func Spec(tenant *v1alpha1.Tenant, namespace string) *v1alpha1.TenantNamespace {
	for i := range tenant.Spec.Namespaces {
		if tenant.Spec.Namespaces[i].Name == namespace {
			return &tenant.Spec.Namespaces[i]
		}
	}
	return nil
}

// Members are those that have access at a time, to the namespace or (if it is empty) to anything, sorted by name,
// and when the next of them loses it (zero if never).
func Members(tenant *v1alpha1.Tenant, namespace string, now time.Time) ([]v1alpha1.Member, time.Time) {
	var members []v1alpha1.Member
	var next time.Time
	for _, member := range tenant.Spec.Members {
		if namespace != "" && len(member.Namespaces) > 0 && !slices.Contains(member.Namespaces, namespace) {
			continue
		}
		if member.NotAfter != nil {
			end := member.NotAfter.Time
			if !now.Before(end) {
				continue
			}
			if next.IsZero() || end.Before(next) {
				next = end
			}
		}
		members = append(members, member)
	}
	slices.SortFunc(members, func(a, b v1alpha1.Member) int { return strings.Compare(a.Name, b.Name) })
	return members, next
}
