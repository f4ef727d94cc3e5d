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

package storage_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/storage"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

func facts(spec *v1alpha1.Storage) feature.Facts {
	return feature.Facts{Tenant: "acme", Namespace: "acme-prod", Policy: v1alpha1.PolicyBlocks{Storage: spec}}
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]*v1alpha1.Storage{
		"01-nothing": nil,
		"02-classes": {ClassNames: []v1alpha1.ObjectName{"standard", "fast"}},
		"03-twice":   {ClassNames: []v1alpha1.ObjectName{"z.example.com", "a", "z.example.com"}},
		"04-empty":   {},
	}
	for name, spec := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := spec.DeepCopy()
			got, err := storage.Room{}.Render(facts(spec))
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, got.Annotations)
			if diff := cmp.Diff(feature.Result{Annotations: got.Annotations}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("more than annotations:\n%s", diff)
			}
			if diff := cmp.Diff(before, spec); diff != "" {
				t.Errorf("the facts were changed:\n%s", diff)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		classes []v1alpha1.ObjectName
		want    []string
	}{
		"two in one":   {classes: []v1alpha1.ObjectName{"fast", "a,b"}, want: []string{`storage.classNames[1]: Invalid value: "a,b": a lowercase RFC 1123 subdomain`}},
		"no class":     {classes: []v1alpha1.ObjectName{""}, want: []string{`storage.classNames[0]: Invalid value: ""`}},
		"both at once": {classes: []v1alpha1.ObjectName{"A", "$(tenant)"}, want: []string{`storage.classNames[0]: Invalid value: "A"`, `storage.classNames[1]: Invalid value: "$(tenant)"`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := storage.Room{}.Render(facts(&v1alpha1.Storage{ClassNames: tc.classes}))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want %s", err, want)
				}
			}
			if diff := cmp.Diff(feature.Result{}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a result next to an error:\n%s", diff)
			}
		})
	}
}
