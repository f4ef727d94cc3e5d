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

package custom

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// AwaitAdmission waits, for two minutes at most, until an API server can run MutatingAdmissionPolicies on kinds of which
// the CRDs are new: until it has read their schemas, it refuses what the policies match.
func AwaitAdmission(ctx context.Context, c client.Client, namespace string, kinds ...schema.GroupVersionKind) error {
	for _, kind := range kinds {
		var last error
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			probe := Empty(kind)
			probe.SetName("default")
			if mapping, err := c.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version); err == nil && mapping.Scope.Name() == "namespace" {
				probe.SetNamespace(namespace)
			}
			probe.SetLabels(map[string]string{v1alpha1.LabelTenant: "probe", v1alpha1.LabelManagedBy: "bulkhead"})
			last = c.Create(ctx, probe, client.DryRunAll)
			return last == nil || !strings.Contains(last.Error(), "There can be a delay"), nil
		})
		if err != nil {
			return fmt.Errorf("waiting for admission of %s: %w: %w", kind.Kind, err, last)
		}
	}
	return nil
}

// Empty is an object of a kind of which nothing else is said.
func Empty(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

// Named is an object of a kind with a name and nothing else.
func Named(kind schema.GroupVersionKind, key types.NamespacedName) *unstructured.Unstructured {
	u := Empty(kind)
	u.SetNamespace(key.Namespace)
	u.SetName(key.Name)
	return u
}
