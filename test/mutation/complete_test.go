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

package mutation_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/test/mutation"
)

type kinds map[schema.GroupVersionKind]*mutation.Kind

func allKinds(t *testing.T) kinds {
	t.Helper()
	all, err := mutation.Kinds(clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// least is how many mutations of a kind that are drift there must at least be. More objects in the corpus only make it
// more: if it is less, the generator has lost something.
var least = map[string]int{
	"ClusterRole": 400, "ClusterRoleBinding": 320, "LimitRange": 280, "Namespace": 200, "NetworkPolicy": 3000,
	"ResourceQuota": 170, "RoleBinding": 450,
}

// immutable are the fields that say which object it is, and what of a field is in no schema.
var immutable = map[string]bool{
	"apiVersion": true, "kind": true, "metadata.name": true, "metadata.namespace": true, "metadata.managedFields[].fieldsV1[*]": true,
}

// complete fails if there is a field in the API server's schema of a kind that no mutation was about.
func (l *lab) complete(t *testing.T) {
	t.Helper()
	for _, kind := range l.kinds {
		name := kind.GVK.Kind
		for f := range kind.Fields() {
			if !l.tried[name][f] && !immutable[f] {
				t.Errorf("%s: no mutation is about %s", name, f)
			}
		}
		if n := l.tally.Count(name, "drift"); n < least[name] || least[name] == 0 {
			t.Errorf("%s: %d mutations are drift, want at least %d", name, n, least[name])
		}
		if detected, drifted := l.tally.Count(name, "detected"), l.tally.Count(name, "drift"); detected != drifted {
			t.Errorf("%s: %d of %d mutations are detected", name, detected, drifted)
		}
	}
}

// TestOtherObjectsAreNoDrift changes what makes an object that object: no comparison can be made then.
func TestOtherObjectsAreNoDrift(t *testing.T) {
	t.Parallel()
	c := comparer(t)
	for _, tenant := range tenants(t) {
		plans, err := mutation.Plans(tenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, plan := range plans {
			for _, intent := range plan.Objects() {
				for _, set := range []string{"apiVersion", "kind", "name", "namespace"} {
					other := intent.Object.DeepCopy()
					switch set {
					case "apiVersion":
						other.SetAPIVersion("mutant/v1")
					case "kind":
						other.SetKind("Mutant")
					case "name":
						other.SetName("mutant")
					default:
						other.SetNamespace("mutant")
					}
					if difference, err := c.Compare(intent.Object, other); err == nil || !strings.Contains(err.Error(), "not the same object") || !difference.Empty() {
						t.Errorf("%s with another %s: %v, %v", intent, set, difference.Paths(), err)
					}
				}
			}
		}
	}
}
