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

package index_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/index"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

func TestIndexes(t *testing.T) {
	t.Parallel()
	role := func(name string) client.Object { return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	namespace := func(labels map[string]string) client.Object {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: labels}}
	}
	tests := map[string]struct {
		object client.Object
		field  string
		want   []string
	}{
		"a tenant's claims":    {builders.MakeTenant("acme").Namespaces("a", "b").Obj(), facts.IndexClaims, []string{"a", "b"}},
		"no claims":            {builders.MakeTenant("acme").Obj(), facts.IndexClaims, nil},
		"a label":              {namespace(map[string]string{v1alpha1.LabelTenant: "acme"}), engine.IndexTenant, []string{"acme"}},
		"an empty label":       {namespace(map[string]string{v1alpha1.LabelTenant: ""}), engine.IndexTenant, nil},
		"no label":             {namespace(nil), engine.IndexTenant, nil},
		"a tenant's role":      {role("bulkhead:tenant:acme"), engine.IndexTenant, []string{"acme"}},
		"a member's role":      {role("bulkhead:tenant:acme:owners:x"), engine.IndexTenant, []string{"acme"}},
		"a role of nobody":     {role("bulkhead:tenant:"), engine.IndexTenant, nil},
		"a role that looks so": {role("x:bulkhead:tenant:acme"), engine.IndexTenant, nil},
		"a binding":            {&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:acme"}}, engine.IndexTenant, []string{"acme"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, x := range index.All() {
				if x.Field == tc.field && reflect.TypeOf(x.Object) == reflect.TypeOf(tc.object) {
					got = append(got, x.Values(tc.object)...)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("found by (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClaimsOfOthers pins that an object of another kind claims nothing: a watch hands out what it got.
func TestClaimsOfOthers(t *testing.T) {
	t.Parallel()
	if got := index.Claims(&corev1.Namespace{}); got != nil {
		t.Errorf("a Namespace claims %v", got)
	}
}
