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

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

// writer is the only place from which managed objects are written. It asks the API server to answer with the
// metadata alone: the rest of the reply would be what we sent.
type writer struct {
	client metadata.Interface
	mapper meta.RESTMapper
}

func (w *writer) resource(id objectID) (metadata.ResourceInterface, error) {
	mapping, err := w.mapper.RESTMapping(id.gvk.GroupKind(), id.gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("finding the resource of %s: %w", id.gvk.Kind, err)
	}
	getter := w.client.Resource(mapping.Resource)
	if id.key.Namespace == "" {
		return getter, nil
	}
	return getter.Namespace(id.key.Namespace), nil
}

// apply server-side applies an intent with force: what we render is ours to decide.
func (w *writer) apply(ctx context.Context, intent *Intent) (*metav1.PartialObjectMetadata, error) {
	resource, err := w.resource(intent.id())
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(intent.Object)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", intent, err)
	}
	force := true
	applied, err := resource.Patch(ctx, intent.Key.Name, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: v1alpha1.FieldManager, Force: &force})
	metrics.ApplyRequest(intent.GVK.Kind, err)
	if err != nil {
		return nil, fmt.Errorf("applying %s: %w", intent, err)
	}
	return applied, nil
}

// removePaths removes fields that server-side apply can't: those that nobody but a stranger owns. The test on
// the resource version makes sure that what is removed is what was judged.
func (w *writer) removePaths(ctx context.Context, id objectID, version string, pointers []string) (*metav1.PartialObjectMetadata, error) {
	resource, err := w.resource(id)
	if err != nil {
		return nil, err
	}
	var operations []map[string]any
	for _, pointer := range pointers {
		operations = append(operations, map[string]any{"op": "remove", "path": pointer})
	}
	return w.patch(ctx, resource, id, version, operations)
}

// replaceSpec makes the spec of the object that was judged what the intent says, whoever owns what of it.
func (w *writer) replaceSpec(ctx context.Context, intent *Intent, version string) (*metav1.PartialObjectMetadata, error) {
	resource, err := w.resource(intent.id())
	if err != nil {
		return nil, err
	}
	return w.patch(ctx, resource, intent.id(), version, []map[string]any{{"op": "replace", "path": "/spec", "value": intent.Object.Object["spec"]}})
}

// patch sends a JSON patch that fails if the object is no longer of this version.
func (w *writer) patch(
	ctx context.Context, resource metadata.ResourceInterface, id objectID, version string, operations []map[string]any,
) (*metav1.PartialObjectMetadata, error) {
	body, err := json.Marshal(append([]map[string]any{{"op": "test", "path": "/metadata/resourceVersion", "value": version}}, operations...))
	if err != nil {
		return nil, fmt.Errorf("encoding the patch of %s: %w", id, err)
	}
	patched, err := resource.Patch(ctx, id.key.Name, types.JSONPatchType, body,
		metav1.PatchOptions{FieldManager: v1alpha1.FieldManager})
	metrics.ApplyRequest(id.gvk.Kind, err)
	if apierrors.IsConflict(err) || isFailedTest(err) {
		return nil, errChangedMeanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("removing what was added to %s: %w", id, err)
	}
	return patched, nil
}

// errChangedMeanwhile says that an object is no longer the one that was judged.
var errChangedMeanwhile = errors.New("the object changed since it was judged")

// isFailedTest reports whether the test of a JSON patch failed. The API server answers it with 422, as it does a
// patch that makes an object invalid, but without saying which field is at fault.
func isFailedTest(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code != http.StatusUnprocessableEntity {
		return false
	}
	details := status.Status().Details
	return details == nil || len(details.Causes) == 0
}

// delete deletes the very object that was judged: another one of the same name is left alone.
func (w *writer) delete(ctx context.Context, id objectID, uid types.UID) error {
	resource, err := w.resource(id)
	if err != nil {
		return err
	}
	err = resource.Delete(ctx, id.key.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	metrics.ApplyRequest(id.gvk.Kind, err)
	if err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	return nil
}

// listKind is the kind of the list of a kind.
func listKind(gvk schema.GroupVersionKind) schema.GroupVersionKind {
	gvk.Kind += "List"
	return gvk
}
