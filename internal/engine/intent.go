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
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// namespaceGVK is the kind that the engine itself renders: rooms only contribute labels and annotations to it.
var namespaceGVK = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}

// Intent is one object as it must be: what a room rendered, with Bulkhead's labels and the intent annotation.
// It is immutable; apply a copy.
type Intent struct {
	// Feature is the room that rendered it; empty for the Namespace.
	Feature string
	// GVK is the object's kind.
	GVK schema.GroupVersionKind
	// Key is its namespace (empty if cluster-scoped) and name.
	Key types.NamespacedName
	// Object is the object.
	Object *unstructured.Unstructured
	// Field is the field of the Tenant that decides on the content; empty if it isn't known.
	Field string
	// Hash identifies the content, see drift.IntentHash.
	Hash string
}

// newIntent turns what a room rendered into an intent of a tenant. The detour through JSON keeps exactly the
// fields that the room set: a converted API object would carry zero values.
func newIntent(tenant, room string, object feature.Object) (*Intent, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encoding what room %s rendered: %w", room, err)
	}
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(raw, &u.Object); err != nil { // whole numbers stay whole, as in every API object
		return nil, fmt.Errorf("decoding what room %s rendered: %w", room, err)
	}
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelTenant] = tenant
	labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByBulkhead
	labels[v1alpha1.LabelFeature] = room
	u.SetLabels(labels)
	return seal(room, u), nil
}

// newNamespaceIntent makes the intent of a Namespace: only our keys, because others own theirs.
func newNamespaceIntent(name string, labels, annotations map[string]string) *Intent {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(namespaceGVK)
	u.SetName(name)
	u.SetLabels(labels)
	if len(annotations) > 0 {
		u.SetAnnotations(annotations)
	}
	intent := seal("", u)
	intent.Field = "spec.namespaces"
	return intent
}

func seal(room string, u *unstructured.Unstructured) *Intent {
	hash := drift.IntentHash(u)
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationIntent] = hash
	u.SetAnnotations(annotations)
	return &Intent{
		Feature: room,
		GVK:     u.GroupVersionKind(),
		Key:     types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()},
		Object:  u,
		Hash:    hash,
	}
}

// shows reports whether a value is one that everybody may see: a key of a label or an annotation, or a scalar of what
// isn't metadata. All of these are written in the Tenant, or by the rooms themselves.
func (i *Intent) shows(value string) bool {
	_, isLabel := i.Object.GetLabels()[value]
	_, isAnnotation := i.Object.GetAnnotations()[value]
	if isLabel || isAnnotation {
		return true
	}
	for field, content := range i.Object.Object {
		if field != "metadata" && holds(content, value) {
			return true
		}
	}
	return false
}

// holds reports whether a scalar with this text is anywhere in a value.
func holds(in any, value string) bool {
	switch in := in.(type) {
	case map[string]any:
		for _, child := range in {
			if holds(child, value) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(in, func(child any) bool { return holds(child, value) })
	default:
		return fmt.Sprint(in) == value
	}
}

// leaving is the intent without the fields of a difference: applying it leaves them as they are.
func (i *Intent) leaving(ignored drift.Difference) *Intent {
	if ignored.Empty() {
		return i
	}
	left := *i
	left.Object = drift.Without(i.Object, ignored)
	return &left
}

// at is the intent for one object, and one version of it unless that is empty: applying it fails with a conflict if there
// is a newer one, or if the object is gone or replaced.
func (i *Intent) at(judged identity) *Intent {
	at := *i
	at.Object = i.Object.DeepCopy()
	at.Object.SetUID(judged.uid)
	at.Object.SetResourceVersion(judged.version)
	return &at
}

// identity is which object was judged, and which version of it; the zero value is none.
type identity struct {
	uid     types.UID
	version string
}

func identityOf(live client.Object) identity {
	if live == nil {
		return identity{}
	}
	return identity{uid: live.GetUID(), version: live.GetResourceVersion()}
}

func (i *Intent) id() objectID { return objectID{gvk: i.GVK, key: i.Key} }

// reference names the object in status and events.
func (i *Intent) reference() v1alpha1.ObjectReference { return reference(i.GVK, i.Key) }

func reference(gvk schema.GroupVersionKind, key types.NamespacedName) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{Group: gvk.Group, Kind: gvk.Kind, Namespace: key.Namespace, Name: key.Name}
}

// String is "Kind namespace/name", or "Kind name" if cluster-scoped.
func (i *Intent) String() string { return i.id().String() }

// objectID identifies an object in the cluster by kind and name, whatever its UID.
type objectID struct {
	gvk schema.GroupVersionKind
	key types.NamespacedName
}

func (o objectID) String() string {
	if o.key.Namespace == "" {
		return o.gvk.Kind + " " + o.key.Name
	}
	return o.gvk.Kind + " " + o.key.Namespace + "/" + o.key.Name
}
