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

package attack

import (
	"context"
	"os"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// soundPolicies checks that the API server finds nothing wrong with any expression, and has what internal/guard has.
func soundPolicies(t *testing.T) {
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, rail := range rails {
		eventually(t, func(ctx context.Context) string {
			it := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: rail.Name()}}
			if uid, err := exists(ctx, it); err != nil || uid == "" {
				return rail.Name() + " isn't installed"
			}
			if it.Status.ObservedGeneration != it.Generation || it.Status.TypeChecking == nil {
				return rail.Name() + " isn't checked yet"
			}
			for _, warning := range it.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s: %s", rail.Name(), warning.FieldRef, warning.Warning)
			}
			return ""
		})
	}
}

// passesLeaveATrace checks that the audit log says who passed which rule.
func passesLeaveATrace(t *testing.T) {
	log, err := os.ReadFile(world.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"bulkhead-managed-objects/break-glass":"brook passed rule managed-objects: UPDATE NetworkPolicy \"bulkhead-allow-dns\" of tenant acme"`,
		`"bulkhead-namespace-metadata/break-glass":"brook passed rule namespace-metadata in namespace acme-dev of tenant acme: label resource.kubernetes.io/emergency`,
		`"bulkhead-tenant-objects/break-glass":"brook passed rule tenant-objects: UPDATE of tenants beta"`,
		`"bulkhead-access-bindings/break-glass":"brook passed rule access: RoleBinding emergency of tenant acme has the subject system:authenticated"`,
	} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
	// Who doesn't pass, and who does what everybody may do, leaves none.
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "/break-glass") && !strings.Contains(line, `"username":"brook"`) && !strings.Contains(line, `system:masters`) {
			t.Errorf("a pass of somebody else: %s", line)
		}
	}
}
