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

package policy

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func TestClass(t *testing.T) {
	t.Parallel()
	class := func(name, isDefault string) v1alpha1.TenantClass {
		out := v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if isDefault != "" {
			out.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: isDefault}
		}
		return out
	}
	tests := map[string]struct {
		className string
		classes   []v1alpha1.TenantClass
		want      string
		wantErr   error
	}{
		"no classes at all":              {},
		"no default":                     {classes: []v1alpha1.TenantClass{class("a", ""), class("b", "false"), class("c", "True")}},
		"the default":                    {classes: []v1alpha1.TenantClass{class("a", ""), class("b", "true")}, want: "b"},
		"named beats default":            {className: "a", classes: []v1alpha1.TenantClass{class("a", ""), class("b", "true")}, want: "a"},
		"named among several defaults":   {className: "b", classes: []v1alpha1.TenantClass{class("a", "true"), class("b", "true")}, want: "b"},
		"named but missing":              {className: "x", classes: []v1alpha1.TenantClass{class("b", "true")}, wantErr: &ClassNotFoundError{Name: "x"}},
		"several defaults, in any order": {classes: []v1alpha1.TenantClass{class("c", "true"), class("a", "true"), class("b", "")}, wantErr: &SeveralDefaultsError{Names: []string{"a", "c"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Class(&v1alpha1.Tenant{Spec: v1alpha1.TenantSpec{ClassName: tt.className}}, tt.classes)
			if diff := cmp.Diff(tt.wantErr, err); diff != "" {
				t.Errorf("error: -want +got:\n%s", diff)
			}
			gotName := ""
			if got != nil {
				gotName = got.Name
			}
			if gotName != tt.want {
				t.Errorf("got class %q, want %q", gotName, tt.want)
			}
		})
	}
}

func TestClassErrorsAreTypedAndHelpful(t *testing.T) {
	t.Parallel()
	var err error = &SeveralDefaultsError{Names: []string{"a", "b"}}
	if _, ok := errors.AsType[*SeveralDefaultsError](err); !ok {
		t.Error("not a SeveralDefaultsError")
	}
	if want := "several TenantClasses are annotated tenancy.bulkhead.dev/is-default-class=true (a, b): keep one, or set spec.className"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	err = &ClassNotFoundError{Name: "x"}
	if want := `TenantClass "x" doesn't exist: create it, or set spec.className to one that does`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
