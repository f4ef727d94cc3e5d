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

package guard

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/internal/operator"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

var _ = Describe("the operator", func() {
	It("asks the API server by its configured address if it isn't there where it says it is", func(ctx SpecContext) {
		process := startOperator(nil)
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		began := time.Now()
		// An address that nobody has. The control plane of tests has no such slice, and the API server listens on a loopback
		// address only, which no slice can have.
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
			Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(6443))}},
		}
		Expect(world.Admin.Create(ctx, slice)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(world.Admin.Delete(ctx, slice)).To(Succeed()) })
		asked := func() (int, error) {
			found, err := probes(began)
			return len(found), err
		}
		Eventually(asked).Should(BeNumerically(">", 10), "a new address leads to a new proof")
		Consistently(states).Should(Equal(allProven()))
		Expect(process.ready(ctx)).To(Equal(http.StatusOK))
	})

	It("proves nothing while it stands by, and is ready", func(ctx SpecContext) {
		elect := func(o *operator.Options) { o.LeaderElect = true }
		leader := startOperator(elect)
		Eventually(states).Should(Equal(allProven()))
		Eventually(leader.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		standby := startOperator(elect)
		Eventually(standby.ready).WithContext(ctx).Should(Equal(http.StatusOK))

		DeferCleanup(repairIfFailed, networkPolicies)
		remove(ctx, binding(), networkPolicies)
		Eventually(leader.ready).WithContext(ctx).Should(Equal(http.StatusInternalServerError))
		Consistently(standby.ready).WithContext(ctx).Should(Equal(http.StatusOK))

		By("taking over")
		leader.stop()
		Eventually(standby.ready).WithContext(ctx).Should(Equal(http.StatusInternalServerError))
		repair(ctx, networkPolicies)
		Eventually(standby.ready).WithContext(ctx).Should(Equal(http.StatusOK))
	})

	It("says of a tenant that comes later what is known", func(ctx SpecContext) {
		process := startOperator(nil)
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		// The answers are counted.
		Expect(counted("bulkhead_guard_probes_total", "Refused")).To(HaveKeyWithValue(networkPolicies, BeNumerically(">", 0)))
		Expect(counted("bulkhead_guard_probes_total", "NotServed")).To(HaveKeyWithValue("bulkhead-ingress-routes", BeNumerically(">", 0)))
		Eventually(func() ([]env.Request, error) { return probes(time.Now().Add(-aWhile)) }).Should(BeEmpty())
		began := time.Now()
		Expect(world.Admin.Create(ctx, MakeTenant("late").Namespaces("late-prod").Obj())).To(Succeed())
		Eventually(guarded).WithContext(ctx).WithArguments("late").Should(beProven)
		Consistently(probes).WithArguments(began).Should(BeEmpty(), "a tenant costs no proof")
	})
})
