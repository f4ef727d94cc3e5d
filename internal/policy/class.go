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
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A ClassNotFoundError says that a tenant names a TenantClass that doesn't exist.
type ClassNotFoundError struct {
	// Name is the name that the tenant gives.
	Name string
}

// Error says what is wrong and what to do.
func (e *ClassNotFoundError) Error() string {
	return fmt.Sprintf("TenantClass %q doesn't exist: create it, or set spec.className to one that does", e.Name)
}

// A SeveralDefaultsError says that a tenant names no class and that there is more than one default.
type SeveralDefaultsError struct {
	// Names are the classes that are annotated as the default, sorted; at least two.
	Names []string
}

// Error says what is wrong and what to do.
func (e *SeveralDefaultsError) Error() string {
	return fmt.Sprintf("several TenantClasses are annotated %s=true (%s): keep one, or set spec.className",
		v1alpha1.AnnotationDefaultClass, strings.Join(e.Names, ", "))
}

// Class returns the TenantClass that is in force for a tenant: the one that it names, else the only one that is
// annotated as the default. Nil without an error means that no class is in force. What is returned is an item of
// classes, not a copy. The error is a *ClassNotFoundError or a *SeveralDefaultsError.
func Class(tenant *v1alpha1.Tenant, classes []v1alpha1.TenantClass) (*v1alpha1.TenantClass, error) {
	if name := tenant.Spec.ClassName; name != "" {
		i := slices.IndexFunc(classes, func(c v1alpha1.TenantClass) bool { return c.Name == name })
		if i < 0 {
			return nil, &ClassNotFoundError{Name: name}
		}
		return &classes[i], nil
	}

	var defaults []*v1alpha1.TenantClass
	for i := range classes {
		if classes[i].Annotations[v1alpha1.AnnotationDefaultClass] == "true" {
			defaults = append(defaults, &classes[i])
		}
	}
	switch len(defaults) {
	case 0:
		return nil, nil
	case 1:
		return defaults[0], nil
	default:
		names := make([]string, 0, len(defaults))
		for _, class := range defaults {
			names = append(names, class.Name)
		}
		slices.Sort(names)
		return nil, &SeveralDefaultsError{Names: names}
	}
}
