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
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// announce emits the events of one pass: what had drifted and was corrected, and whose access ended.
func announce(recorder events.EventRecorder, tenant *v1alpha1.Tenant, outcome *engine.Outcome) {
	for i := range outcome.Corrected {
		item := &outcome.Corrected[i]
		related := reference(item.Object)
		recorder.Eventf(tenant, related, corev1.EventTypeWarning, v1alpha1.EventDriftDetected, "Compare", "%s", sentence(item))
		recorder.Eventf(tenant, related, corev1.EventTypeNormal, v1alpha1.EventDriftCorrected, "Apply",
			"%s was brought back to intent", name(item.Object))
	}
	for i := range outcome.Open {
		if item := &outcome.Open[i]; item.Action == v1alpha1.DriftFailed {
			recorder.Eventf(tenant, reference(item.Object), corev1.EventTypeWarning, v1alpha1.EventDriftCorrectionFailed, "Apply",
				"%s; correcting it failed", sentence(item))
		}
	}
	for _, binding := range outcome.Withdrawn {
		if member := expired(tenant, binding); member != "" {
			// Events of the same related object are counted as one.
			related := reference(v1alpha1.ObjectReference{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding", Namespace: outcome.Namespace, Name: binding})
			recorder.Eventf(tenant, related, corev1.EventTypeNormal, v1alpha1.EventAccessExpired, "Withdraw",
				"access of member %s to namespace %s ended as the spec says (notAfter)", member, outcome.Namespace)
		}
	}
}

// expired is the name of the member whose binding this is and whose access has ended; empty if there is none.
func expired(tenant *v1alpha1.Tenant, binding string) string {
	at := slices.IndexFunc(tenant.Spec.Members, func(m v1alpha1.Member) bool {
		return m.NotAfter != nil && !time.Now().Before(m.NotAfter.Time) && binding == "bulkhead-"+m.Name
	})
	if at < 0 {
		return ""
	}
	return tenant.Spec.Members[at].Name
}

// sentence says in what way an object differs, and who made it so: the user, if that is known, and the field manager that
// last wrote there as far as the object itself tells.
func sentence(item *v1alpha1.DriftItem) string {
	text := fmt.Sprintf("%s: %s", name(item.Object), item.Type)
	if len(item.Paths) > 0 {
		text += " " + strings.Join(item.Paths, ", ")
	}
	by := " by "
	if item.User != "" {
		text += fmt.Sprintf(" by user %q", item.User)
		by = ", "
	}
	if item.Manager != "" {
		text += by + fmt.Sprintf("field manager %q (client-declared)", item.Manager)
	}
	return text
}

func name(ref v1alpha1.ObjectReference) string {
	if ref.Namespace == "" {
		return ref.Kind + " " + ref.Name
	}
	return ref.Kind + " " + ref.Namespace + "/" + ref.Name
}

// reference is the related object of an event.
func reference(ref v1alpha1.ObjectReference) *corev1.ObjectReference {
	version := schema.GroupVersion{Group: ref.Group, Version: "v1"}.String()
	return &corev1.ObjectReference{APIVersion: version, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
}

// policyReason is the condition reason for an error of planning that only the user's input can remove.
func policyReason(err error) (string, bool) {
	var notFound *policy.ClassNotFoundError
	var several *policy.SeveralDefaultsError
	switch {
	case errors.As(err, &notFound), errors.As(err, &several):
		return v1alpha1.ReasonClassNotFound, true
	default:
		return "", false
	}
}

func newObject(scheme *runtime.Scheme, gvk schema.GroupVersionKind) (client.Object, error) {
	made, err := scheme.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("making a %s: %w", gvk.Kind, err)
	}
	object, ok := made.(client.Object)
	if !ok {
		return nil, fmt.Errorf("making a %s: %T has no metadata", gvk.Kind, made)
	}
	return object, nil
}

// redacting keeps the values of objects, which the API server echoes when it refuses one, out of the logs: the errors of
// reconcilers are logged.
type redacting struct{ reconcile.Reconciler }

// Reconcile implements reconcile.Reconciler.
func (r redacting) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	result, err := r.Reconciler.Reconcile(ctx, req)
	return result, redact.Wrap(err)
}
