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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package custom_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/mutation/custom"
)

// reset makes an object anew, so that one that isn't undone doesn't stand in the way of the others.
func (r *rig) reset(t *testing.T, intent *engine.Intent) {
	t.Helper()
	before := stored(t, intent)
	if before == nil {
		t.Fatalf("%s is gone", intent)
	}
	if err := world.Admin.Delete(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	catchUp(t, intent)
	r.Gone(intent.GVK, before)
	r.ahead += day
	r.pass(t)
	catchUp(t, intent)
	r.pass(t)
}

// wholes does what concerns an object as a whole: it is deleted, made again by someone, and its managed fields are
// cleared.
func (r *rig) wholes(t *testing.T, b *book, intent *engine.Intent) {
	t.Helper()
	before := stored(t, intent)
	anything := func(*v1alpha1.DriftReportItem) bool { return true }
	b.add(intent.GVK.Kind, "tried")
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"managedFields":[{}]}}`))
	if err := world.Admin.Patch(t.Context(), before.DeepCopy(), patch, client.FieldOwner(someone)); err != nil {
		t.Fatal(err)
	}
	catchUp(t, intent)
	r.undone(t, b, intent, deed{what: "clear managedFields", placed: func(item *v1alpha1.DriftReportItem) bool {
		return item.Type == v1alpha1.DriftOwnershipLost
	}})

	for _, again := range []bool{false, true} {
		b.add(intent.GVK.Kind, "tried")
		if err := world.Admin.Delete(t.Context(), before.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		catchUp(t, intent)
		r.Gone(intent.GVK, before)
		if again {
			made := custom.Named(intent.GVK, intent.Key)
			made.Object["spec"] = before.DeepCopy().Object["spec"]
			made.SetLabels(before.GetLabels())
			if err := world.Admin.Create(t.Context(), made, client.FieldOwner(someone)); err != nil {
				t.Fatal(err)
			}
			catchUp(t, intent)
		}
		r.undone(t, b, intent, deed{what: fmt.Sprintf("delete the object, and make it again: %v", again), placed: anything})
		before = stored(t, intent)
	}
}
