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

// Package lifecycle tests the operator on a real control plane: how tenants and namespaces come, move, are taken over
// and go, and what the operator says meanwhile.
package lifecycle

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the operator does by itself after one event.
	soon = 30 * time.Second
	// late bounds what takes a program's start, or hundreds of namespaces.
	late = 3 * time.Minute
	// often is how often Eventually looks.
	often = 50 * time.Millisecond
	// aWhile is how long something must stay true to count as lasting.
	aWhile = time.Second
)

var (
	world *env.Env
	// running is the operator; nil while a spec keeps it stopped.
	running *env.RunningOperator
)

func TestLifecycle(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "Lifecycle", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	SetDefaultConsistentlyDuration(aWhile)
	SetDefaultConsistentlyPollingInterval(often)
	var err error
	world, err = env.Start(ctx, controlplane.Options{Output: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(world.Stop()).To(Succeed()) })
	startOperator()
	DeferCleanup(stopOperator)
})

// No spec may leave, or meet, a namespace with an owner: the garbage collector would delete it with the Tenant.
var _ = AfterEach(func(ctx context.Context) {
	namespaces := &corev1.NamespaceList{}
	Expect(world.Admin.List(ctx, namespaces)).To(Succeed())
	for i := range namespaces.Items {
		Expect(namespaces.Items[i].OwnerReferences).To(BeEmpty(), "owner references of namespace %s", namespaces.Items[i].Name)
	}
})

// startOperator starts the operator if it isn't running.
func startOperator(wrap ...func(*rest.Config)) {
	GinkgoHelper()
	if running != nil {
		return
	}
	var err error
	running, err = world.StartOperator(wrap...)
	Expect(err).NotTo(HaveOccurred())
}

// stopOperator stops the operator if it runs.
func stopOperator() {
	GinkgoHelper()
	if running == nil {
		return
	}
	err := running.Stop()
	running = nil
	Expect(err).NotTo(HaveOccurred())
}

// withoutOperator stops the operator until startOperator, or the end of the spec.
func withoutOperator() {
	GinkgoHelper()
	stopOperator()
	DeferCleanup(func() { startOperator() })
}
