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

// Package exposure keeps package isolation supplied with what the caches hold, so that one changed object costs the work
// of one namespace: it knows the cluster's namespaces, who belongs to which tenant, which cluster policies there are, and
// which ClusterRoleBindings reach into all namespaces. It decides nothing by itself.
package exposure

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/isolation"
)

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=list;watch

// Judge judges isolation from the caches. It is safe for concurrent use.
type Judge struct {
	cache     client.Reader
	directory *isolation.Directory
	subjects  *isolation.Subjects
	now       func() time.Time

	// telling is held while the directory or the subjects are told of something, so that what was read from the caches
	// before never undoes it.
	telling sync.Mutex
	// primed says that the caches have been read once, so that the first judgement isn't made in an empty world.
	primed bool
	// told are the namespaces that Namespace spoke of before that, and tenants those that the subjects are of.
	told, tenants map[string]bool
	// served are the kinds of optional APIs that the cache holds.
	served func() []schema.GroupVersionKind
	// policies are the cluster policies that the directory knows.
	policies map[schema.GroupVersionKind]*clusterPolicies

	mu sync.RWMutex
	// exposures are the ClusterRoleBindings that reach tenants, by name.
	exposures map[string]isolation.ClusterExposure
	// considered are the APIs whose objects are weighed, notConsidered those that the cluster serves and that aren't.
	considered, notConsidered []string
}

// NewJudge makes a judge of what the cache holds, without optional APIs: see WithAPIs.
func NewJudge(cache client.Reader) *Judge {
	j := &Judge{cache: cache, directory: isolation.NewDirectory(), subjects: isolation.NewSubjects(), now: time.Now,
		told: map[string]bool{}, tenants: map[string]bool{}, exposures: map[string]isolation.ClusterExposure{},
		served: func() []schema.GroupVersionKind { return nil }, policies: map[schema.GroupVersionKind]*clusterPolicies{}}
	for _, api := range isolation.ClusterPolicyAPIs() {
		j.policies[api.GroupVersionKind] = &clusterPolicies{known: map[string]bool{}, unreadable: map[string]bool{}}
	}
	j.considered = j.weighed()
	return j
}

// WithAPIs makes the judge ask which kinds of optional APIs the cache holds, whenever it reads cluster policies: of other
// kinds it asks the cache nothing. It must be called before the judge is used.
func (j *Judge) WithAPIs(served func() []schema.GroupVersionKind) *Judge {
	j.served = served
	return j
}

// Prime reads what is there, the first time that it succeeds; then it does nothing.
func (j *Judge) Prime(ctx context.Context) error {
	j.telling.Lock()
	defer j.telling.Unlock()
	if j.primed {
		return nil
	}
	namespaces := &corev1.NamespaceList{}
	if err := j.cache.List(ctx, namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("reading namespaces: %w", err)
	}
	for i := range namespaces.Items {
		live := &namespaces.Items[i]
		if j.told[live.Name] {
			continue // more is known of it: which labels it is meant to have
		}
		tenant := ""
		if drift.OwnsLabel(live, v1alpha1.FieldManager, v1alpha1.LabelTenant) {
			tenant = live.Labels[v1alpha1.LabelTenant]
		}
		j.directory.Put(isolation.Namespace{Name: live.Name, Tenant: tenant, Labels: labelsOf(live)})
	}
	if err := j.readTenants(ctx); err != nil {
		return err
	}
	if _, err := j.judgeCluster(ctx); err != nil {
		return err
	}
	if _, err := j.readPolicies(ctx); err != nil {
		return err
	}
	// So that status says at once what it said before a restart. If it can't be told now, APIs says why.
	_, _ = j.judgeAPIs(ctx)
	j.primed, j.told = true, nil
	return nil
}

// readTenants tells the subjects of all tenants that there are, and forgets the others.
func (j *Judge) readTenants(ctx context.Context) error {
	list := &v1alpha1.TenantList{}
	if err := j.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("reading tenants: %w", err)
	}
	gone := maps.Clone(j.tenants)
	for i := range list.Items {
		delete(gone, list.Items[i].Name)
		j.putTenant(&list.Items[i])
	}
	for name := range gone {
		j.deleteTenant(name)
	}
	return nil
}

// Namespace tells the judge of a namespace: whose it is, and which labels it is meant to have (nil if nobody says).
// live is nil if it is gone. It returns the namespaces that are to be judged again.
func (j *Judge) Namespace(name string, live *corev1.Namespace, tenant string, intended map[string]string) []string {
	j.telling.Lock()
	defer j.telling.Unlock()
	if !j.primed {
		j.told[name] = true
	}
	if live == nil {
		return j.directory.Delete(name)
	}
	if intended != nil {
		intended = maps.Clone(intended)
		intended[corev1.LabelMetadataName] = name
	}
	again := j.directory.Put(isolation.Namespace{Name: name, Tenant: tenant, Labels: labelsOf(live), Intended: intended})
	if tenant == "" {
		j.directory.Forget(name)
	}
	return slices.DeleteFunc(again, func(n string) bool { return n == name })
}

// labelsOf are the labels of a namespace that count. The empty tenant label of a namespace in which guard-rails are proven
// makes it nobody's: nothing ever runs there that an opening for all tenants could let in.
func labelsOf(live *corev1.Namespace) map[string]string {
	value, labelled := live.Labels[v1alpha1.LabelTenant]
	if !labelled || value != "" || !v1alpha1.IsGuardProbeNamespace(live.Name) {
		return live.Labels
	}
	labels := maps.Clone(live.Labels)
	delete(labels, v1alpha1.LabelTenant)
	return labels
}

// Tenant tells the judge who a tenant's members are. It reports whether that is news, after which Cluster is to be
// asked again.
func (j *Judge) Tenant(tenant *v1alpha1.Tenant) bool {
	j.telling.Lock()
	defer j.telling.Unlock()
	return j.putTenant(tenant)
}

func (j *Judge) putTenant(tenant *v1alpha1.Tenant) bool {
	names := make([]string, 0, len(tenant.Spec.Namespaces))
	for i := range tenant.Spec.Namespaces {
		names = append(names, tenant.Spec.Namespaces[i].Name)
	}
	j.tenants[tenant.Name] = true
	return j.subjects.Put(tenant.Name, tenant.Spec.Members, names)
}

// ForgetTenant tells the judge that a tenant is gone. It reports the same as Tenant.
func (j *Judge) ForgetTenant(name string) bool {
	j.telling.Lock()
	defer j.telling.Unlock()
	return j.deleteTenant(name)
}

func (j *Judge) deleteTenant(name string) bool {
	delete(j.tenants, name)
	return j.subjects.Delete(name)
}

// Cluster judges all ClusterRoleBindings anew and reports whether something came of it. Who the tenants' members are it
// reads itself: what changed them may get here before Tenant does.
func (j *Judge) Cluster(ctx context.Context) (bool, error) {
	j.telling.Lock()
	defer j.telling.Unlock()
	if err := j.readTenants(ctx); err != nil {
		return false, err
	}
	return j.judgeCluster(ctx)
}

func (j *Judge) judgeCluster(ctx context.Context) (bool, error) {
	bindings := &rbacv1.ClusterRoleBindingList{}
	if err := j.cache.List(ctx, bindings, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("reading cluster role bindings: %w", err)
	}
	roles := j.roles(ctx)
	found := map[string]isolation.ClusterExposure{}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if exposure, ok := isolation.ClusterBinding(j.subjects, binding, roles(binding.RoleRef.Name)); ok {
			found[binding.Name] = exposure
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if reflect.DeepEqual(j.exposures, found) {
		return false, nil
	}
	j.exposures = found
	return true, nil
}

// Shared are what opens all namespaces of a tenant.
func (j *Judge) Shared(tenant string) []v1alpha1.IsolationFinding {
	j.mu.RLock()
	defer j.mu.RUnlock()
	findings := []v1alpha1.IsolationFinding{}
	for _, name := range slices.Sorted(maps.Keys(j.exposures)) {
		if finding, ok := j.exposures[name].For(tenant); ok {
			findings = append(findings, finding)
		}
	}
	return j.dated(findings)
}

// Judge is what opens one namespace beyond its plan. It is nil if the spec can't be rendered, and so doesn't say what may
// be open; else never.
func (j *Judge) Judge(ctx context.Context, plan *engine.Plan, live *corev1.Namespace) ([]v1alpha1.IsolationFinding, error) {
	if err := j.Prime(ctx); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(plan.Rooms, unknown) {
		return nil, nil
	}
	network, err := j.network(ctx, plan)
	if err != nil {
		return nil, err
	}
	access, err := j.access(ctx, plan)
	if err != nil {
		return nil, err
	}
	findings := append([]v1alpha1.IsolationFinding{}, network...)
	findings = append(findings, access...)
	if live != nil && plan.Namespace != nil {
		findings = append(findings, isolation.PodSecurity(plan.Tenant, plan.Name, plan.Namespace.Object.GetLabels(), live.Labels)...)
	}
	return j.dated(findings), nil
}

// unknown reports whether a room that has a say in who reaches whom could not be rendered. Without its intents everything
// would count as allowed by the spec, or as forbidden.
func unknown(room engine.Room) bool {
	switch room.Condition {
	case v1alpha1.ConditionNetworkReady, v1alpha1.ConditionIngressReady, v1alpha1.ConditionEgressReady,
		v1alpha1.ConditionAccessReady, v1alpha1.ConditionPodSecurityReady:
		return room.Err != nil
	default:
		return false
	}
}

func (j *Judge) dated(findings []v1alpha1.IsolationFinding) []v1alpha1.IsolationFinding {
	for i := range findings {
		findings[i].Since = metav1.NewTime(j.now().Truncate(time.Second))
	}
	return findings
}

func (j *Judge) network(ctx context.Context, plan *engine.Plan) ([]v1alpha1.IsolationFinding, error) {
	// One that an EgressFirewall narrows waits for it behind the walls.
	spec, err := intents[networkingv1.NetworkPolicy](slices.Concat(plan.Walls, plan.Doors), "NetworkPolicy")
	if err != nil {
		return nil, err
	}
	list := &networkingv1.NetworkPolicyList{}
	if err := j.cache.List(ctx, list, client.InNamespace(plan.Name), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading the network policies of namespace %s: %w", plan.Name, err)
	}
	// ClusterSpec stays empty: what rooms render of cluster policies passes and denies, and accepts nothing that would have
	// to be allowed. What it takes away counts by the live objects, as that of everybody's.
	in := isolation.NetworkInput{Tenant: plan.Tenant, Namespace: plan.Name, Spec: spec}
	for i := range list.Items {
		in.Live = append(in.Live, &list.Items[i])
	}
	slices.SortFunc(in.Live, func(a, b *networkingv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return isolation.Network(j.directory, in), nil
}

func (j *Judge) access(ctx context.Context, plan *engine.Plan) ([]v1alpha1.IsolationFinding, error) {
	spec, err := intents[rbacv1.RoleBinding](plan.Doors, "RoleBinding")
	if err != nil {
		return nil, err
	}
	list := &rbacv1.RoleBindingList{}
	if err := j.cache.List(ctx, list, client.InNamespace(plan.Name), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("reading the role bindings of namespace %s: %w", plan.Name, err)
	}
	in := isolation.AccessInput{Tenant: plan.Tenant, Namespace: plan.Name, Spec: spec, ClusterRole: j.roles(ctx)}
	for i := range list.Items {
		in.Live = append(in.Live, &list.Items[i])
	}
	slices.SortFunc(in.Live, func(a, b *rbacv1.RoleBinding) int { return cmp.Compare(a.Name, b.Name) })
	return isolation.Access(j.subjects, in), nil
}

// roles looks up ClusterRoles in the cache.
func (j *Judge) roles(ctx context.Context) func(string) *rbacv1.ClusterRole {
	return func(name string) *rbacv1.ClusterRole {
		role := &rbacv1.ClusterRole{}
		if err := j.cache.Get(ctx, client.ObjectKey{Name: name}, role, client.UnsafeDisableDeepCopy); err != nil {
			return nil
		}
		return role
	}
}

// intents are the intents of a kind, typed.
func intents[T any](all []*engine.Intent, kind string) ([]*T, error) {
	var typed []*T
	for _, intent := range all {
		if intent.GVK.Kind != kind {
			continue
		}
		object := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(intent.Object.Object, object); err != nil {
			return nil, fmt.Errorf("reading the intent for %s: %w", intent, err)
		}
		typed = append(typed, object)
	}
	return typed, nil
}
