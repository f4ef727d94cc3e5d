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
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/index"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// What the ExposureReconciler works on: the cluster's bindings as a whole, and the APIs that the cluster serves.
const (
	clusterAccess = "cluster-access"
	clusterAPIs   = "cluster-apis"
)

// ExposureReconciler looks at what reaches into all namespaces at once: ClusterRoleBindings, and APIs that isn't known
// what they do. However many of these change together, they are weighed once.
type ExposureReconciler struct {
	Cache  client.Reader
	Judge  *exposure.Judge
	Ledger *status.Ledger
}

// SetupWithManager registers the controller and what it watches.
func (r *ExposureReconciler) SetupWithManager(mgr ctrl.Manager) error {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(exposure.DefinitionKind)
	return ctrl.NewControllerManagedBy(mgr).
		Named("exposure").
		Watches(&rbacv1.ClusterRoleBinding{}, soon(clusterAccess), builder.WithPredicates(bindingChanged())).
		Watches(&rbacv1.ClusterRole{}, soon(clusterAccess), builder.WithPredicates(rulesChanged())).
		Watches(&v1alpha1.Tenant{}, soon(clusterAccess), builder.WithPredicates(specChanged())).
		WatchesMetadata(definition, soon(clusterAPIs)).
		Complete(redacting{r})
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

// Reconcile weighs the cluster's bindings, or its APIs, anew, and tells all tenants if something came of it.
func (r *ExposureReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.Judge.Prime(ctx); err != nil {
		return ctrl.Result{}, err
	}
	tenants := &v1alpha1.TenantList{}
	if err := r.Cache.List(ctx, tenants, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("reading tenants: %w", err)
	}
	weigh := r.Judge.Cluster
	if req.Name == clusterAPIs {
		weigh = r.Judge.APIs
	}
	news, err := weigh(ctx)
	if err != nil || !news {
		return ctrl.Result{}, err
	}
	for i := range tenants.Items {
		name := tenants.Items[i].Name
		if req.Name == clusterAPIs {
			r.Ledger.Tell(name)
			continue
		}
		r.Ledger.RecordShared(name, r.Judge.Shared(name))
	}
	return ctrl.Result{}, nil
}

// judgeAgainAfter is how long to wait before a namespace is judged again because another one's labels changed.
const judgeAgainAfter = 50 * time.Millisecond
