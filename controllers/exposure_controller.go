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

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/index"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// What the ExposureReconciler works on: the cluster's bindings as a whole, the APIs that the cluster serves, and cluster
// policies, each by itself ("cluster-policy/<kind>/<name>").
const (
	clusterAccess = "cluster-access"
	clusterAPIs   = "cluster-apis"
	clusterPolicy = "cluster-policy/"
)

// ExposureReconciler looks at what reaches into all namespaces at once: ClusterRoleBindings, cluster policies, and APIs that
// isn't known what they do. However many of the first and the last change together, they are weighed once.
type ExposureReconciler struct {
	Cache  client.Reader
	Judge  *exposure.Judge
	Ledger *status.Ledger
	// JudgeAgain is told the namespaces that a cluster policy opens or closes.
	JudgeAgain func(namespaces []string)

	add        atomic.Pointer[func()]
	controller controller.Controller
}

// SetupWithManager registers the controller and what it watches.
func (r *ExposureReconciler) SetupWithManager(mgr ctrl.Manager) error {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(exposure.DefinitionKind)
	starts := source.Func(func(_ context.Context, q queue) error {
		add := func() { q.Add(request(clusterAPIs)) }
		r.add.Store(&add)
		add() // what was served meanwhile
		return nil
	})
	var err error
	r.controller, err = ctrl.NewControllerManagedBy(mgr).
		Named("exposure").
		WatchesRawSource(starts).
		Watches(&rbacv1.ClusterRoleBinding{}, soon(clusterAccess), builder.WithPredicates(bindingChanged())).
		Watches(&rbacv1.ClusterRole{}, soon(clusterAccess), builder.WithPredicates(rulesChanged())).
		Watches(&v1alpha1.Tenant{}, soon(clusterAccess), builder.WithPredicates(specChanged())).
		WatchesMetadata(definition, soon(clusterAPIs)).
		Build(redacting{r})
	return err
}

// WatchOptional implements Watcher, for the cluster policies that the judge weighs, whoever made them.
func (r *ExposureReconciler) WatchOptional(in cache.Cache, gvk schema.GroupVersionKind) error {
	if !slices.Contains(exposure.ClusterPolicyKinds(), gvk) {
		return nil
	}
	return r.controller.Watch(source.Kind[client.Object](in, objectOf(gvk), clusterPolicies(gvk.Kind)))
}

// LookAgain implements Watcher: which APIs are served concerns all tenants or none.
func (r *ExposureReconciler) LookAgain(_ context.Context, tenants ...string) {
	add := r.add.Load()
	if add == nil || len(tenants) > 0 {
		return // a controller that hasn't started will look at everything when it does
	}
	(*add)()
}

// clusterPolicies enqueues a cluster policy by itself, a little later, so that many changes of it make one pass.
func clusterPolicies(kind string) handler.EventHandler {
	add := func(q queue, object client.Object) {
		q.AddAfter(request(clusterPolicy+kind+"/"+object.GetName()), judgeAgainAfter)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { add(q, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
	}
}

// clusterPolicyOf is the cluster policy that a key names; false if it names none.
func clusterPolicyOf(key string) (schema.GroupVersionKind, string, bool) {
	rest, ok := strings.CutPrefix(key, clusterPolicy)
	kind, name, _ := strings.Cut(rest, "/")
	kinds := exposure.ClusterPolicyKinds()
	at := slices.IndexFunc(kinds, func(k schema.GroupVersionKind) bool { return k.Kind == kind })
	if !ok || at < 0 {
		return schema.GroupVersionKind{}, "", false
	}
	return kinds[at], name, true
}

// soon enqueues one key a little later, so that many changes make one pass.
func soon(key string) handler.EventHandler {
	add := func(q queue) { q.AddAfter(request(key), gather) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q queue) { add(q) },
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q queue) { add(q) },
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q queue) { add(q) },
	}
}

// bindingChanged drops updates of a ClusterRoleBinding that change neither its role nor its subjects.
func bindingChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*rbacv1.ClusterRoleBinding)
		after, ok2 := e.ObjectNew.(*rbacv1.ClusterRoleBinding)
		return !ok || !ok2 || before.RoleRef != after.RoleRef || !equality.Semantic.DeepEqual(before.Subjects, after.Subjects)
	}}
}

// rulesChanged drops updates of a ClusterRole that don't change its rules.
func rulesChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*rbacv1.ClusterRole)
		after, ok2 := e.ObjectNew.(*rbacv1.ClusterRole)
		return !ok || !ok2 || !equality.Semantic.DeepEqual(before.Rules, after.Rules)
	}}
}

// others drops the cluster-scoped objects that Bulkhead makes for tenants: what they allow opens nobody's namespaces.
func others() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool { return index.TenantOf(object.GetName()) == "" })
}

// later drops what was there at the start, when everything is looked at anyway.
func later() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList }}
}

// Reconcile weighs the cluster's bindings, its APIs or a cluster policy anew, and tells the tenants, or has their namespaces
// judged again, if something came of it.
func (r *ExposureReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.Judge.Prime(ctx); err != nil {
		return ctrl.Result{}, err
	}
	// Before anything is weighed: what is news once isn't when it is tried again.
	tenants := &v1alpha1.TenantList{}
	if err := r.Cache.List(ctx, tenants, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("reading tenants: %w", err)
	}
	tell := r.Ledger.Tell
	var news bool
	var again []string
	var err error
	kind, name, isPolicy := clusterPolicyOf(req.Name)
	switch {
	case isPolicy:
		news, again, err = r.Judge.ClusterPolicy(ctx, kind, name)
	case req.Name == clusterAPIs:
		news, again, err = r.Judge.APIs(ctx)
	default:
		news, err = r.Judge.Cluster(ctx)
		tell = func(tenant string) { r.Ledger.RecordShared(tenant, r.Judge.Shared(tenant)) }
	}
	if len(again) > 0 {
		r.JudgeAgain(again)
	}
	for i := 0; news && i < len(tenants.Items); i++ {
		tell(tenants.Items[i].Name)
	}
	return ctrl.Result{}, err
}

// judgeAgainAfter is how long to wait before a namespace is judged again because another one's labels changed.
const judgeAgainAfter = 50 * time.Millisecond

// JudgeAgain has namespaces judged again, as far as they are tenants'.
func (r *NamespaceReconciler) JudgeAgain(namespaces []string) {
	add := r.add.Load()
	if add == nil {
		return // the controller hasn't started, and will look at everything when it does
	}
	for _, name := range namespaces {
		(*add)(name)
	}
}
