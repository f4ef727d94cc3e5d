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
package gitops_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// testPrune: a Tenant that leaves Git goes, its namespaces stay, and nobody has access to them any more.
func (c *cluster) testPrune(t *testing.T) {
	tenant := inGit("pruned", nil)
	c.apply(t, tenant)
	c.shows(t, "pruned", current)
	if err := c.Admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(c.tenant, soon, often).WithArguments(t.Context(), "pruned").Should(BeNil())
	namespace := &corev1.Namespace{}
	if err := c.Admin.Get(t.Context(), client.ObjectKey{Name: "pruned-dev"}, namespace); err != nil {
		t.Fatal(err)
	}
	if namespace.DeletionTimestamp != nil {
		t.Error("the namespace is being deleted")
	}
	if err := c.Admin.Get(t.Context(), leads("pruned"), &rbacv1.RoleBinding{}); !apierrors.IsNotFound(err) {
		t.Errorf("the RoleBinding of the members: %v, want none", err)
	}
}

// leads is the RoleBinding of the members.
func leads(tenant string) client.ObjectKey {
	return client.ObjectKey{Namespace: tenant + "-dev", Name: "bulkhead-leads"}
}

// testReplace: replacing takes the operator's finalizer off. A Tenant that is deleted before the operator has put it
// back goes at once, and its members keep their access.
func (c *cluster) testReplace(t *testing.T) {
	tenant := inGit("replaced", nil)
	replace := func() {
		t.Helper()
		if out, err := c.Kubectl(t.Context(), "replace", "-f", file(t, tenant)); err != nil {
			t.Fatal(err, out)
		}
	}
	finalizers := func() []string {
		t.Helper()
		live, err := c.tenant(t.Context(), "replaced")
		if err != nil {
			t.Fatal(err)
		}
		return live.GetFinalizers()
	}
	c.apply(t, tenant)
	c.shows(t, "replaced", current)
	replace()
	NewWithT(t).Eventually(finalizers, soon, often).Should(ContainElement(v1alpha1.Finalizer))
	c.shows(t, "replaced", current)

	c.stop(t)
	replace()
	if left := finalizers(); len(left) > 0 {
		t.Errorf("after replacing, with the operator down, there are the finalizers %v; want none", left)
	}
	if err := c.Admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if live, err := c.tenant(t.Context(), "replaced"); live != nil || err != nil {
		t.Errorf("the Tenant is still there (%v)", err)
	}
	c.start(t)
	c.apply(t, inGit("afterwards", nil))
	c.shows(t, "afterwards", current)
	if err := c.Admin.Get(t.Context(), leads("replaced"), &rbacv1.RoleBinding{}); err != nil {
		t.Errorf("the RoleBinding of the members: %v", err)
	}
}
