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

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/report"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// linger is how long differences of a namespace are collected before they are written down: the correction of one
// edit must not make two reports.
const linger = 2 * time.Second

// DriftReportReconciler writes down, namespace by namespace, what differs and lately did.
type DriftReportReconciler struct {
	Cache  client.Reader
	Facts  *facts.Reader
	Ledger *status.Ledger
	Writer *report.Writer
}

// SetupWithManager registers the controller and what it watches.
func (r *DriftReportReconciler) SetupWithManager(mgr ctrl.Manager) error {
	news := source.Func(func(_ context.Context, q queue) error {
		r.Ledger.NotifyDifferences(func(namespace string) { q.AddAfter(request(namespace), linger) })
		return nil
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("driftreport").
		WatchesRawSource(news).
		Watches(&v1alpha1.DriftReport{}, r.reports()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(redacting{r})
}

// reports enqueues the namespace of a report that appears, which includes every report after a restart, or goes. Our
// own updates tell nothing new.
func (r *DriftReportReconciler) reports() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			q.AddAfter(request(e.Object.GetNamespace()), linger)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				q.AddAfter(request(e.ObjectNew.GetNamespace()), linger)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			r.Writer.Gone(client.ObjectKeyFromObject(e.Object))
			q.AddAfter(request(e.Object.GetNamespace()), linger)
		},
	}
}

// Reconcile brings the reports in one namespace up to date.
func (r *DriftReportReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	reports := &v1alpha1.DriftReportList{}
	if err := r.Cache.List(ctx, reports, client.InNamespace(req.Name), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the drift reports of namespace %s: %w", req.Name, err)
	}
	view, err := r.Facts.Namespace(ctx, req.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	holder := view.Decision.Holder
	var live *v1alpha1.DriftReport
	for i := range reports.Items {
		if reports.Items[i].Name == holder {
			live = &reports.Items[i]
			continue
		}
		if err := r.Writer.Remove(ctx, &reports.Items[i]); err != nil {
			return ctrl.Result{}, err
		}
	}
	if holder == "" || view.Live == nil {
		return ctrl.Result{}, nil
	}
	open, closed, seen := r.Ledger.Differences(holder, req.Name)
	if !seen {
		return ctrl.Result{}, nil // not looked at since the start: what the report says stands
	}
	key := types.NamespacedName{Namespace: req.Name, Name: holder}
	next, done, err := r.Writer.Write(ctx, key, live, report.Input{Open: open, Closed: closed, Now: time.Now()})
	if done {
		r.Ledger.Reported(holder, req.Name, len(closed))
	}
	return ctrl.Result{RequeueAfter: next}, err
}
