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

package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=selfsubjectaccessreviews,verbs=create

// stale is how long to wait for the watch if something is no longer what was looked at.
const stale = time.Second

// askAgain is how long the API server's word on what the operator may do is believed.
const askAgain = time.Minute

// Restorer puts back what is missing or edited of guard-rails, if the operator's rights allow it: by default they don't
// (config/admission/restore). It is safe for concurrent use.
type Restorer struct {
	client client.Client
	fights *drift.Fights
	now    func() time.Time

	mu      sync.Mutex
	allowed bool
	asked   time.Time
}

// NewRestorer makes a Restorer.
func NewRestorer(c client.Client) *Restorer {
	return &Restorer{client: c, fights: drift.NewFights(0, nil, rand.Float64), now: time.Now}
}

// Allowed asks the API server whether the operator may put guard-rails back. The right to create them is asked about,
// which goes with the right to change them. An answer holds for a minute.
func (r *Restorer) Allowed(ctx context.Context) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && r.now().Sub(r.asked) < askAgain {
		return r.allowed, nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "create", Group: policyKind.Group, Version: policyKind.Version, Resource: "validatingadmissionpolicies",
		},
	}}
	if err := r.client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking whether guard-rails may be restored: %w", err)
	}
	r.allowed, r.asked = review.Status.Allowed, r.now()
	return r.allowed, nil
}

// Restore makes one half of a guard-rail what it must be. It returns whether it did, or how long to wait: because someone
// changes it again and again, or because it is no longer what was looked at.
func (r *Restorer) Restore(ctx context.Context, rail Rail, half *Half) (bool, time.Duration, error) {
	object := drift.FightObject{GVK: half.Kind, Key: types.NamespacedName{Name: half.Name}}
	key := drift.NewFightKey(object, half.Difference, half.Writer.Manager)
	if wait, _ := r.fights.Wait(key, v1alpha1.SeverityCritical); wait > 0 {
		return false, wait, nil
	}
	began := r.now()
	metrics.DriftDetected(half.Kind.Kind, half.DriftType())
	err := r.write(ctx, rail, half)
	metrics.ApplyRequest(half.Kind.Kind, err)
	metrics.DriftCorrected(half.Kind.Kind, err, r.now().Sub(began))
	switch {
	case apierrors.IsConflict(err), half.Live != nil && (apierrors.IsNotFound(err) || isFailedTest(err)):
		return false, stale, nil
	case err != nil:
		return false, 0, fmt.Errorf("restoring the %s %s: %w", half.noun(), half.Name, err)
	}
	r.fights.Corrected(key)
	return true, 0, nil
}

// isFailedTest reports whether the test of a JSON patch failed, because the object isn't the one that was looked at. The API
// server answers it with 422, as it does a patch that makes an object invalid, but without saying which field is at fault.
func isFailedTest(err error) bool {
	var answered apierrors.APIStatus
	if !errors.As(err, &answered) || answered.Status().Code != http.StatusUnprocessableEntity {
		return false
	}
	details := answered.Status().Details
	return details == nil || len(details.Causes) == 0
}

// DriftType says in what way a half isn't what it must be.
func (h *Half) DriftType() v1alpha1.DriftType {
	if h.Live == nil {
		return v1alpha1.DriftObjectMissing
	}
	return h.Difference.Type()
}

// write creates what is missing, and replaces the spec of what is there: server-side apply would leave what others have
// added.
func (r *Restorer) write(ctx context.Context, rail Rail, half *Half) error {
	if half.Live == nil {
		object := half.Want.DeepCopy()
		labels, annotations := rail.Policy.Labels, rail.Policy.Annotations
		if half.Kind == bindingKind {
			labels, annotations = rail.Binding.Labels, rail.Binding.Annotations
		}
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
		return r.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
	}
	body, err := json.Marshal([]map[string]any{
		// Not the resource version, which changes with the status of a policy.
		{"op": "test", "path": "/metadata/uid", "value": half.Live.GetUID()},
		{"op": "test", "path": "/metadata/generation", "value": half.Live.GetGeneration()},
		{"op": "replace", "path": "/spec", "value": half.Want.Object["spec"]},
	})
	if err != nil {
		return fmt.Errorf("encoding the patch: %w", err)
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(half.Kind)
	live.SetName(half.Name)
	return r.client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
}
