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

func (l *lab) complete(t *testing.T) {
	t.Helper()
	for _, kind := range l.kinds {
		for f := range kind.Fields() {
			if !l.tried[kind.GVK.Kind][f] {
				t.Errorf("%s: no mutation is about %s", kind.GVK.Kind, f)
			}
		}
	}
}
