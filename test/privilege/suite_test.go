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

// Package privilege compares what the shipped RBAC lets the operator do with what it does. The operator is the real
// binary with leader election and protected metrics, its own ServiceAccount, and an audit log that sees every request.
package privilege

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane/child"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the operator does by itself after one event, its start included.
	soon = time.Minute
	// often is how often Eventually looks.
	often = 100 * time.Millisecond
	// grace is how long the operator has to end.
	grace = 30 * time.Second
)

var (
	world  *env.Env
	binary string
	// metricsAddress is where the operator serves its metrics.
	metricsAddress string
)

func TestPrivilege(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	RunSpecs(t, "Privilege", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	binary = build(ctx, GinkgoT().TempDir())
	var err error
	world, err = env.Start(ctx, controlplane.Options{Audit: true, Output: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(world.Stop()).To(Succeed()) })
})

func build(ctx context.Context, dir string) string {
	GinkgoHelper()
	root, err := env.Root()
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(dir, "bulkhead")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	cmd.Dir = root
	output, err := cmd.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", output)
	return path
}

// startOperator starts the operator as it is deployed: leader election on, metrics over TLS for those who may.
// Each setting is a variable of its environment.
func startOperator(settings ...string) *child.Process {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	Expect(controlplane.WriteKubeconfigFor(world.Operator, kubeconfig)).To(Succeed())
	ports, err := controlplane.FreePorts(1)
	Expect(err).NotTo(HaveOccurred())
	metricsAddress = "127.0.0.1:" + ports[0]
	process, err := child.Start(child.Spec{
		Name: "the operator", Path: binary, Env: append(os.Environ(), settings...), LogPath: filepath.Join(dir, "operator.log"),
		Args: []string{
			"manager", "--kubeconfig=" + kubeconfig, "--metrics-bind-address=" + metricsAddress, "--health-probe-bind-address=0",
		},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() {
		if CurrentSpecReport().Failed() {
			GinkgoWriter.Println(process.Tail(40))
		}
		Expect(process.Stop(grace)).To(Succeed())
	})
	return process
}
