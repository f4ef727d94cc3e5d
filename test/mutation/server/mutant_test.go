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

package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

// A way is how a mutant writes.
type way string

const (
	// byUpdate replaces the object.
	byUpdate way = "update"
	// byPatch sends a merge patch.
	byPatch way = "patch"
	// byApply applies the whole object by server-side apply, with force. It can't remove anything.
	byApply way = "apply"
	// byRecreation deletes the object and makes it anew: for what an existing object doesn't let change.
	byRecreation way = "recreation"
)

// operation is what the API server calls it in managed fields.
func (w way) operation() string {
	if w == byApply {
		return string(metav1.ManagedFieldsOperationApply)
	}
	return string(metav1.ManagedFieldsOperationUpdate)
}

// mutant sends mutations.
type mutant struct {
	*site
	// name is its field manager.
	name string
	way  way
	// owner is the name and UID of a Namespace, for owner references.
	owner *unstructured.Unstructured
	// keeps says that the object is never made anew, because an operator runs that does so itself.
	keeps bool
}

// verdict is what became of a mutation that was sent.
type verdict struct {
	// refused is the API server's answer if it accepted the mutation in no way.
	refused error
	// void says that the API server accepted it and changed nothing.
	void bool
	// way is how it was done.
	way way
	// after is what is stored.
	after *unstructured.Unstructured
}

// send changes a stored object as a mutation says.
func (m mutant) send(t *testing.T, before *unstructured.Unstructured, what mutation.Mutation) verdict {
	t.Helper()
	content, err := what.Apply(before.Object)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	changed := &unstructured.Unstructured{Object: mutation.WithOwner(content, m.owner.GetName(), string(m.owner.GetUID()))}
	v := verdict{way: m.way}
	// Who applies in the operator's name removes what the operator applied; and who writes another intent annotation in
	// the operator's name is another operator.
	if v.way == byApply && (what.Op == mutation.Remove) != (m.name == v1alpha1.FieldManager) || touchesIntent(what) {
		v.way = byUpdate
	}
	after, err := m.write(t, v.way, before, changed)
	if isRefusal(err) && v.way == byApply { // which also refuses what isn't unique, and fields that no apply may name
		v.way = byUpdate
		after, err = m.write(t, v.way, before, changed)
	}
	if isRefusal(err) && before.GetKind() != "Namespace" && !m.keeps {
		refused := err
		v.way = byRecreation
		if after, err = m.recreate(t, before, changed); isRefusal(err) {
			err = refused
		}
	}
	switch {
	case isRefusal(err), err != nil && what.ServerOwned():
		return verdict{refused: err}
	case apierrors.IsConflict(err):
		return verdict{} // it was changed meanwhile
	case err != nil:
		t.Fatalf("%s %s, by %s: %v", before.GetKind(), what, v.way, err)
	}
	v.after, v.void = after, same(before, after)
	return v
}

// touchesIntent reports whether a mutation changes by what the operator knows its own.
func touchesIntent(m mutation.Mutation) bool {
	return strings.HasPrefix(m.Path.String(), "metadata.annotations") && (len(m.Path) < 3 || m.Path[2].Key == v1alpha1.AnnotationIntent)
}

func (m mutant) write(t *testing.T, how way, before, changed *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	out := changed.DeepCopy()
	switch how {
	case byPatch:
		return out, m.Admin.Patch(t.Context(), out, client.MergeFrom(before), ofManager(m.name))
	case byApply:
		bare(out)
		raw, err := out.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		// Not Admin.Apply: what is stored must be known before the operator undoes it.
		return out, m.Admin.Patch(t.Context(), out, client.RawPatch(types.ApplyPatchType, raw), ofManager(m.name), client.ForceOwnership)
	default:
		return out, m.Admin.Update(t.Context(), out, ofManager(m.name))
	}
}

// recreate deletes an object and makes it anew, if the API server would let that be.
func (m mutant) recreate(t *testing.T, before, changed *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	made := changed.DeepCopy()
	bare(made)
	trial := made.DeepCopy()
	if err := m.Admin.Create(t.Context(), trial, client.DryRunAll); !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	if err := m.Admin.Delete(t.Context(), before.DeepCopy()); err != nil {
		return nil, err
	}
	if err := m.Admin.Create(t.Context(), made, ofManager(m.name)); err != nil {
		return nil, fmt.Errorf("%s is deleted, and can't be made anew: %w", before.GetName(), err)
	}
	return made, nil
}

// bare takes off what the API server alone writes. The identity stamp belongs to it: who applied it in the operator's name
// would own it, which is more than the operator owned, and nothing lost.
func bare(object *unstructured.Unstructured) {
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	object.SetUID("")
	object.SetGeneration(0)
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(object.Object, "status")
	annotations := object.GetAnnotations()
	delete(annotations, v1alpha1.AnnotationLastChangedBy)
	delete(annotations, v1alpha1.AnnotationLastChangedFrom)
	object.SetAnnotations(annotations)
}

// essence is what of an object counts for someone who reads it.
func essence(object *unstructured.Unstructured) map[string]any {
	out := object.DeepCopy()
	bare(out)
	return out.Object
}

func same(a, b *unstructured.Unstructured) bool { return cmp.Equal(essence(a), essence(b)) }

// ownedFields are the fields that the operator owns by apply, as the API server writes them down.
func ownedFields(object *unstructured.Unstructured) string {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == v1alpha1.FieldManager && entry.Operation == "Apply" && entry.Subresource == "" && entry.FieldsV1 != nil {
			return entry.FieldsV1.GetRawString()
		}
	}
	return ""
}

// restore gives an object back the content that it had before somebody changed what isn't the operator's.
func (s *site) restore(t *testing.T, before *unstructured.Unstructured, intent *engine.Intent) {
	t.Helper()
	// What has another order or spelling in the operator's name stays so.
	if err := s.apply(t, intent); err != nil {
		t.Fatal(err)
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live := before.DeepCopy()
		if err := s.Admin.Get(t.Context(), client.ObjectKeyFromObject(before), live); err != nil {
			return err
		}
		for _, field := range []string{"labels", "annotations", "finalizers", "ownerReferences", "generateName"} {
			value, there, err := unstructured.NestedFieldCopy(before.Object, "metadata", field)
			if err != nil {
				return err
			}
			if !there {
				unstructured.RemoveNestedField(live.Object, "metadata", field)
			} else if err := unstructured.SetNestedField(live.Object, value, "metadata", field); err != nil {
				return err
			}
		}
		return s.Admin.Update(t.Context(), live, ofManager("janitor"))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// apply applies an intent as the admin, in the operator's name.
func (s *site) apply(t *testing.T, intent *engine.Intent) error {
	t.Helper()
	return s.Admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(intent.Object.DeepCopy()),
		client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}
