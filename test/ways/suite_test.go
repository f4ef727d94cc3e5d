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

// Package ways tests the ways in and out of a tenant on a real control plane, with the network plugins' own CRDs: what is
// rendered where an API is served, what is said where it isn't, and what happens when it comes and goes. No network plugin
// runs: what one would report is written by the tests.
package ways

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the operator does by itself after one event.
	soon = 30 * time.Second
	// often is how often Eventually looks.
	often = 50 * time.Millisecond
	// aWhile is how long something must stay true to count as lasting.
	aWhile = 2 * time.Second
)

var (
	world *env.Env
	// running is the operator.
	running *env.RunningOperator
)

func TestWays(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "Ways", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	SetDefaultConsistentlyDuration(aWhile)
	SetDefaultConsistentlyPollingInterval(often)
	var err error
	world, err = env.Start(ctx, controlplane.Options{Audit: true, Output: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(world.Stop()).To(Succeed()) })
	running, err = world.StartOperator()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
})

// restart stops the operator and starts it again.
func restart() {
	GinkgoHelper()
	Expect(running.Stop()).To(Succeed())
	var err error
	running, err = world.StartOperator()
	Expect(err).NotTo(HaveOccurred())
}
