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

package integration

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// rival is a controller that wants an object its own way: it writes it again as soon as anybody else has.
type rival struct {
	cancel context.CancelFunc
	done   chan struct{}
	writes atomic.Int64
}

func (r *rival) stop() {
	r.cancel()
	<-r.done
}

// fight starts a rival that sets the pods of a ResourceQuota to 99 whenever they are something else.
func fight(ctx context.Context, quota *corev1.ResourceQuota) *rival {
	GinkgoHelper()
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	events, err := world.Admin.Watch(own, &corev1.ResourceQuotaList{}, client.InNamespace(quota.Namespace))
	Expect(err).NotTo(HaveOccurred())
	r := &rival{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer events.Stop()
		for event := range events.ResultChan() {
			live, ok := event.Object.(*corev1.ResourceQuota)
			if !ok || event.Type == watch.Deleted || live.Spec.Hard.Pods().Value() == 99 {
				continue
			}
			patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"hard":{"pods":"99"}}}`))
			if world.Admin.Patch(own, live, patch, client.FieldOwner("rival")) == nil {
				r.writes.Add(1)
			}
		}
	}()
	DeferCleanup(r.stop)
	return r
}

var _ = Describe("a rival controller", func() {
	BeforeEach(operatorUp)

	It("that rewrites our object at full speed is named, costs few writes, and is forgotten when it stops", func(ctx SpecContext) {
		provision(ctx, someTenant("contested").Obj())
		quota := quotaIn("contested")
		before := intact(ctx, quota)
		corrections := func() float64 {
			return counter("bulkhead_drift_corrections_total", map[string]string{"kind": "ResourceQuota", "result": "success"})
		}
		first := corrections()
		opponent := fight(ctx, quota)

		Eventually(conditionsOf).WithContext(ctx).WithArguments("contested").Should(And(
			HaveKeyWithValue(v1alpha1.ConditionReady, "False DriftContested"),
			HaveKeyWithValue(v1alpha1.ConditionInSync, "False DriftContested"),
			HaveKeyWithValue(v1alpha1.ConditionQuotaReady, "False DriftContested"),
			Not(HaveKey(v1alpha1.ConditionStalled)),
		))
		Eventually(driftOf).WithContext(ctx).WithArguments("contested").Should(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
			"Open": BeEquivalentTo(1), "Contested": BeEquivalentTo(1),
			"Top": ConsistOf(item(quota, v1alpha1.DriftContested, v1alpha1.DriftBackoff, gstruct.Fields{
				"Manager": Equal("rival"), "Paths": Equal([]string{"spec.hard[pods]"}),
			})),
		}))
		Eventually(eventsOf).WithContext(ctx).WithArguments("contested").Should(HaveKeyWithValue(v1alpha1.EventDriftContested, ConsistOf("ResourceQuota contested/bulkhead")))
		// At full speed it would be hundreds in a second.
		Consistently(func() float64 { return corrections() - first }).WithTimeout(5 * time.Second).Should(BeNumerically("<=", 8))
		// One for each correction, and one more of its own to begin with; it may have been told of a version that was old.
		Expect(opponent.writes.Load()).To(BeNumerically("<=", 16))

		opponent.stop()
		Eventually(content).WithContext(ctx).WithArguments(quota).WithTimeout(2 * time.Minute).Should(Equal(before))
		awaitReady(ctx, "contested")
	})
})
