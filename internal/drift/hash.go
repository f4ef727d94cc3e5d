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

package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// hashVersion is the version of what IntentHash computes. It must change with it: a hash of another version is that of
// another operator, so that an upgrade never reads as drift.
const hashVersion = "v1:"

// hashLength is the length of the hash, in bytes.
const hashLength = 16

// IntentHash returns "v1:" and 32 hexadecimal digits that stand for the intent: for what Compare compares, and for
// name and namespace. The intent's own AnnotationIntent doesn't count, nor do order and the spelling of quantities
// where they mean nothing. The intent isn't changed; its numbers must be int64 or float64, as those of every
// unstructured object.
func IntentHash(intent *unstructured.Unstructured) string {
	kind := intent.GroupVersionKind().GroupKind()
	object := intent.DeepCopy().Object
	metadata := reduce(object, kind)
	metadata["name"], metadata["namespace"] = intent.GetName(), intent.GetNamespace()
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, v1alpha1.AnnotationIntent)
	}
	for _, field := range []string{"labels", "annotations"} {
		if m, ok := metadata[field].(map[string]any); ok && len(m) == 0 {
			delete(metadata, field)
		}
	}
	forms[kind].canonical(object)

	// Maps are written in the order of their keys.
	text, err := json.Marshal(object)
	if err != nil {
		// NaN and functions, which an unstructured object can't hold. A hash that equals no other makes the intent be
		// applied again, which is safe.
		return hashVersion + "unhashable"
	}
	sum := sha256.Sum256(text)
	return hashVersion + hex.EncodeToString(sum[:hashLength])
}

// Sealed reports whether a live object is, field for field, what its intent annotation says it was applied as: then it
// is ours even if nothing in its managed fields says so. Labels and annotations that others added don't count. Whoever
// forges such an object forges one that we would have written.
func (c *Comparer) Sealed(live runtime.Object, gvk schema.GroupVersionKind) bool {
	object, ok := live.(metav1.Object)
	if !ok {
		return false
	}
	hash := object.GetAnnotations()[v1alpha1.AnnotationIntent]
	if hash == "" {
		return false
	}
	content, err := c.content(live, gvk)
	if err != nil {
		return false
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetAnnotations(nil)
	labels := map[string]string{}
	for _, key := range []string{v1alpha1.LabelTenant, v1alpha1.LabelManagedBy, v1alpha1.LabelFeature} {
		if value, set := object.GetLabels()[key]; set {
			labels[key] = value
		}
	}
	u.SetLabels(labels)
	return IntentHash(u) == hash
}
