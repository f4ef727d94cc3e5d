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
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	manyTenants         = 170
	namespacesPerTenant = 3
)

// Hundreds of namespaces take minutes to delete. They live in a control plane of their own, which goes as a whole.
var _ = Describe("Scenario 5: the operator restarts with 510 namespaces", Serial, func() {
	It("reads everything once, and writes nothing", func(ctx SpecContext) {
		stopOperator() // one operator at a time: metrics are global
		DeferCleanup(func() { startOperator() })
		crowd, err := env.Start(ctx, controlplane.Options{Output: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(crowd.Stop()).To(Succeed()) })

		operator, err := crowd.StartOperator()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(operator.Stop()).To(Succeed()) })
		for i := range manyTenants {
			Expect(crowd.Admin.Create(ctx, crowdedTenant(i))).To(Succeed())
		}
		Eventually(ctx, func(ctx context.Context) ([]string, error) { return waitingTenants(ctx, crowd) }).
			WithTimeout(late).WithPolling(soon/30).Should(BeEmpty(), "all tenants must become Ready")
		Expect(operator.Stop()).To(Succeed())

		namespaces, tenants := reconciled("namespace"), reconciled("tenant")
		requests := &requestLog{}
		operator, err = crowd.StartOperator(requests.attach)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(operator.Stop)
		Eventually(func() float64 { return reconciled("namespace") - namespaces }).
			WithTimeout(late).Should(BeNumerically(">=", manyTenants*namespacesPerTenant), "every namespace must be looked at")
		Eventually(func() float64 { return reconciled("tenant") - tenants }).
			WithTimeout(late).Should(BeNumerically(">=", manyTenants), "every tenant must be looked at")
		Consistently(requests.other).WithTimeout(5*aWhile).Should(BeEmpty(), "requests that are neither discovery, list nor watch")
		Expect(requests.probed()).To(And(BeNumerically(">", 10), BeNumerically("<", 50)), "each guard-rail is proven once, or again if it isn't in force yet")
		Expect(requests.count()).To(BeNumerically("<", 150), "the number of requests doesn't depend on the number of namespaces")
		waiting, err := waitingTenants(ctx, crowd)
		Expect(err).NotTo(HaveOccurred())
		Expect(waiting).To(BeEmpty())
	})
})

func crowdedTenant(i int) *v1alpha1.Tenant {
	name := fmt.Sprintf("crowd-%03d", i)
	tenant := tenantOf(name, name+"-a", name+"-b", name+"-c")
	tenant.Spec.Members = []v1alpha1.Member{member("owner", v1alpha1.RoleAdmin), member("guest", v1alpha1.RoleView, name+"-a")}
	tenant.Spec.Quota = pods("10")
	return tenant
}

// waitingTenants are the tenants that aren't Ready, in sync and guarded.
func waitingTenants(ctx context.Context, where *env.Env) ([]string, error) {
	list := &v1alpha1.TenantList{}
	if err := where.Admin.List(ctx, list); err != nil {
		return nil, err
	}
	var waiting []string
	for i := range list.Items {
		// What is found out about the guard-rails must have been said, too.
		guarded := meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, v1alpha1.ConditionGuarded)
		if ready, err := beReady().Match(&list.Items[i]); err != nil || !ready || !guarded {
			waiting = append(waiting, list.Items[i].Name)
		}
	}
	if len(list.Items) < manyTenants {
		waiting = append(waiting, "and tenants that don't exist")
	}
	return waiting, nil
}

// reconciled is how often operators of this process looked at something.
func reconciled(controller string) float64 {
	return metric("controller_runtime_reconcile_total", controller)
}

// metric is the sum of a metric over everything but the controller.
func metric(name, controller string) float64 {
	GinkgoHelper()
	families, err := crmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == controller {
					sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return sum
}

// requestLog counts the requests of a client.
type requestLog struct {
	mu      sync.Mutex
	total   int
	unusual []string
	// probes are the dry runs by which the operator proves that the guard-rails refuse: one for each.
	probes int
}

func (l *requestLog) attach(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			l.note(r)
			return next.RoundTrip(r)
		})
	})
}

func (l *requestLog) note(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if r.URL.Query().Get("dryRun") == "All" {
		l.probes++
		return
	}
	if r.Method != http.MethodGet || !collection(r.URL.Path) {
		l.unusual = append(l.unusual, r.Method+" "+r.URL.String())
	}
}

func (l *requestLog) other() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.unusual)
}

func (l *requestLog) probed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.probes
}

func (l *requestLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// collection reports whether a path is of discovery or of a collection, and not of one object.
func collection(path string) bool {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	version := 2 // api/v1
	if segments[0] == "apis" {
		version = 3 // apis/group/version
	}
	rest := segments[min(version, len(segments)):]
	if len(rest) > 2 && rest[0] == "namespaces" {
		rest = rest[2:]
	}
	return len(rest) <= 1
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
