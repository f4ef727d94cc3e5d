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

package lifecycle

import (
	"context"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// What Flux, Argo CD and kubectl wait read from a Tenant.
var _ = Describe("kstatus reads a Tenant", func() {
	It("as in progress when it is new, current when it is Ready, and terminating when it goes", func(ctx SpecContext) {
		tenant := tenantOf("kstatus", "kstatus-a")
		tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		tenant.Spec.Quota = pods("2")
		create(ctx, tenant)
		fresh := tenant.DeepCopy()
		Expect(computed(fresh)).To(Equal(status.InProgressStatus), "as the API server answered its creation")
		Eventually(ctx, statusOf("kstatus")).Should(Equal(status.CurrentStatus))
		Expect(isReady(must(tenantNamed("kstatus")(ctx)))).To(BeTrue())

		held := holding(ctx, "kstatus-a")
		remove(ctx, namespaceOf("kstatus-a"))
		Eventually(ctx, statusOf("kstatus")).Should(Equal(status.InProgressStatus))
		letGo(ctx, held)
		Eventually(ctx, statusOf("kstatus")).Should(Equal(status.CurrentStatus))

		holding(ctx, "kstatus-a")
		remove(ctx, tenant)
		Eventually(ctx, statusOf("kstatus")).Should(Equal(status.TerminatingStatus))
	})

	It("as in progress as soon as its spec changes", func(ctx SpecContext) {
		create(ctx, tenantOf("kstatus-edit", "kstatus-edit-a"))
		Eventually(ctx, statusOf("kstatus-edit")).Should(Equal(status.CurrentStatus))
		edited := must(tenantNamed("kstatus-edit")(ctx))
		Eventually(ctx, func(ctx context.Context) error {
			edited = must(tenantNamed("kstatus-edit")(ctx))
			edited.Spec.Quota = pods("2")
			return world.Admin.Update(ctx, edited)
		}).Should(Succeed())
		Expect(computed(edited)).To(Equal(status.InProgressStatus), "as the API server answered the change")
		Eventually(ctx, statusOf("kstatus-edit")).Should(Equal(status.CurrentStatus))
	})

	It("as failed when a human must act", func(ctx SpecContext) {
		tenant := tenantOf("kstatus-stalled", "kstatus-stalled-a")
		tenant.Spec.ClassName = "kstatus-nowhere"
		create(ctx, tenant)
		Eventually(ctx, statusOf("kstatus-stalled")).Should(Equal(status.FailedStatus))
	})

	It("as current in Observe, however much differs", func(ctx SpecContext) {
		tenant := tenantOf("kstatus-observe", "kstatus-observe-a")
		tenant.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
		create(ctx, tenant)
		Eventually(ctx, statusOf("kstatus-observe")).Should(Equal(status.CurrentStatus))
		Expect(must(tenantNamed("kstatus-observe")(ctx)).Status.Drift.Open).To(BeNumerically(">", 0))
		Expect(namespaceNamed("kstatus-observe-a")(ctx)).To(BeNil())
	})
})

// statusOf is what kstatus makes of a Tenant as the API server shows it.
func statusOf(name string) func(context.Context) (status.Status, error) {
	return func(ctx context.Context) (status.Status, error) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Tenant"))
		if err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
			return "", err
		}
		result, err := status.Compute(object)
		if err != nil {
			return "", err
		}
		return result.Status, nil
	}
}

// computed is what kstatus makes of a Tenant as it is.
func computed(tenant *v1alpha1.Tenant) status.Status {
	GinkgoHelper()
	content := must(runtime.DefaultUnstructuredConverter.ToUnstructured(tenant))
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Tenant"))
	return must(status.Compute(object)).Status
}

var _ = Describe("kubectl get tenants", func() {
	It("shows at a glance how a tenant is", func(ctx SpecContext) {
		class := classOf("columns", "2")
		create(ctx, class)
		tenant := tenantOf("columns", "columns-a", "columns-b")
		tenant.Spec.ClassName = "columns"
		create(ctx, tenant)
		Eventually(ctx, tenantNamed("columns")).Should(beReady())

		table := rows(must(world.Kubectl(ctx, "get", "tenants")))
		Expect(table[0]).To(Equal(strings.Fields("NAME READY INSYNC ISOLATED NAMESPACES DRIFT MODE AGE")))
		wide := rows(must(world.Kubectl(ctx, "get", "tnt", "columns", "-o", "wide")))
		Expect(wide).To(HaveLen(2))
		Expect(wide[0]).To(Equal(strings.Fields("NAME READY INSYNC ISOLATED NAMESPACES DRIFT MODE AGE CLASS REASON")))
		Expect(append(wide[1][:7:7], wide[1][8:]...)).To(Equal(strings.Fields("columns True True True 2 0 Enforce columns Reconciled")))
	})
})

// rows are the cells of what kubectl printed, line by line.
func rows(table string) [][]string {
	var cells [][]string
	for line := range strings.Lines(table) {
		cells = append(cells, strings.Fields(line))
	}
	return cells
}
