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

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
)

// shares is the one key of the ClaimReconciler.
const shares = "shares"

// ClaimReconciler looks at what only one tenant can have: hostnames and source addresses. When one tenant claims more or
// less than before, those with whom it has to share are looked at again.
type ClaimReconciler struct {
	Facts *facts.Reader
	// Watchers are the controllers that render what is shared.
	Watchers []Watcher
}

// SetupWithManager registers the controller and what it watches.
func (r *ClaimReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("claim").
		Watches(&v1alpha1.Tenant{}, soon(shares), builder.WithPredicates(specChanged())).
		Watches(&v1alpha1.TenantClass{}, soon(shares), builder.WithPredicates(specChanged())).
		Complete(redacting{r})
}

// Reconcile tells the controllers whose share may have changed.
func (r *ClaimReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	affected, err := r.Facts.Affected(ctx)
	if err != nil || len(affected) == 0 {
		return ctrl.Result{}, err
	}
	for _, watcher := range r.Watchers {
		watcher.LookAgain(ctx, affected...)
	}
	return ctrl.Result{}, nil
}
