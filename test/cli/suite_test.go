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

// Package cli tests the commands on a real control plane, as an admin and as a member of a tenant run them.
package cli

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the operator does by itself after one event, the writing of a DriftReport included.
	soon = 40 * time.Second
	// often is how often Eventually looks.
	often = 100 * time.Millisecond
)

var world *env.Env

func TestCLI(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "CLI")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	EnforceDefaultTimeoutsWhenUsingContexts()
	var err error
	world, err = env.Start(ctx, controlplane.Options{Audit: true, Output: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(world.Stop()).To(Succeed()) })
})
