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

// Package guard tests that the operator proves the guard-rails: on a real API server, as its own ServiceAccount.
package guard

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/operator"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the operator does by itself after one event.
	soon = 30 * time.Second
	// often is how often Eventually looks.
	often = 50 * time.Millisecond
	// aWhile is how long something must stay true to count as lasting.
	aWhile = 3 * time.Second
)

var (
	world *env.Env
	rails []guard.Rail
	root  string
)

func TestGuard(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	RunSpecs(t, "Guard", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	SetDefaultConsistentlyDuration(aWhile)
	SetDefaultConsistentlyPollingInterval(often)
	var err error
	root, err = env.Root()
	Expect(err).NotTo(HaveOccurred())
	rails, err = guard.Shipped()
	Expect(err).NotTo(HaveOccurred())
	world, err = env.Start(ctx, controlplane.Options{Audit: true, Output: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(world.Stop()).To(Succeed()) })
	install(ctx, "admission")
})

// install applies a folder of config, whoever owns the fields.
func install(ctx context.Context, folder string) {
	GinkgoHelper()
	out, err := world.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root, "config", folder))
	Expect(err).NotTo(HaveOccurred(), out)
}

// running is an operator in this process.
type running struct {
	cancel context.CancelFunc
	done   chan error
	health string
}

// startOperator starts an operator as its ServiceAccount, which ends with the spec.
func startOperator(change func(*operator.Options), wrap ...func(*rest.Config)) *running {
	GinkgoHelper()
	config := rest.CopyConfig(world.Operator)
	config.UserAgent = "" // the operator's own
	for _, w := range wrap {
		w(config)
	}
	ports, err := controlplane.FreePorts(1)
	Expect(err).NotTo(HaveOccurred())
	o := &running{done: make(chan error, 1), health: "http://127.0.0.1:" + ports[0]}
	options := operator.Options{
		Scheme: world.Scheme, Facts: world.Facts, MetricsAddress: "0", HealthAddress: "127.0.0.1:" + ports[0],
		NamespaceWorkers: operator.DefaultNamespaceWorkers, TenantWorkers: operator.DefaultTenantWorkers, SkipNameValidation: true,
	}
	if change != nil {
		change(&options)
	}
	var ctx context.Context
	ctx, o.cancel = context.WithCancel(context.Background())
	manager, err := operator.New(ctx, config, options)
	Expect(err).NotTo(HaveOccurred())
	go func() { o.done <- manager.Start(ctx) }()
	DeferCleanup(o.stop)
	return o
}

// stop stops the operator. It may be called more than once.
func (o *running) stop() {
	GinkgoHelper()
	if o.cancel == nil {
		return
	}
	o.cancel()
	o.cancel = nil
	Eventually(o.done, soon).Should(Receive(Succeed()))
}

// ready is the status of the check of guard-rails.
func (o *running) ready(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.health+"/readyz/guard-rails", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// states are the guard-rails by the one state of which the metric is 1.
func states() (map[string]string, error) {
	found := map[string]string{}
	err := metrics("bulkhead_guard_rail", func(labels map[string]string, value float64) error {
		if value != 1 {
			return nil
		}
		if other, twice := found[labels["policy"]]; twice {
			return fmt.Errorf("%s is %s and %s", labels["policy"], other, labels["state"])
		}
		found[labels["policy"]] = labels["state"]
		return nil
	})
	return found, err
}

// counted are the values of a counter of this result, by guard-rail.
func counted(name, result string) (map[string]float64, error) {
	found := map[string]float64{}
	err := metrics(name, func(labels map[string]string, value float64) error {
		if labels["result"] == result {
			found[labels["policy"]] = value
		}
		return nil
	})
	return found, err
}

// metrics visits each series of a metric.
func metrics(name string, visit func(labels map[string]string, value float64) error) error {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if err := visit(labels, metric.GetGauge().GetValue()+metric.GetCounter().GetValue()); err != nil {
				return err
			}
		}
	}
	return nil
}
