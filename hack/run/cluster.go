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

package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

// cluster is what the operator runs against: a control plane of its own, or a cluster of the caller.
type cluster struct {
	config      *rest.Config
	kubeconfig  string
	kubectlPath string
	// own is nil for a cluster of the caller.
	own *controlplane.ControlPlane
}

// openCluster starts a control plane, or opens the cluster of --kubeconfig.
func openCluster(ctx context.Context, opts options, out io.Writer) (*cluster, error) {
	if opts.kubeconfig == "" {
		cp, err := controlplane.Start(ctx, controlplane.Options{Assets: opts.assets, Scheduler: true, Output: out})
		if err != nil {
			return nil, fmt.Errorf("starting a control plane: %w", err)
		}
		return &cluster{config: cp.Config(), kubeconfig: cp.Kubeconfig(), kubectlPath: cp.KubectlPath(), own: cp}, nil
	}
	path, err := filepath.Abs(opts.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("finding the kubeconfig: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		assets, err := controlplane.FindAssets(ctx, opts.assets, out)
		if err != nil {
			return nil, fmt.Errorf("finding a kubectl: %w", err)
		}
		kubectl = filepath.Join(assets, "kubectl")
	}
	return &cluster{config: config, kubeconfig: path, kubectlPath: kubectl}, nil
}

// kubectl runs kubectl as the one whose kubeconfig it is, and returns its stdout.
func (c *cluster) kubectl(ctx context.Context, args ...string) (string, error) {
	if c.own != nil {
		return c.own.Kubectl(ctx, args...)
	}
	return controlplane.RunKubectl(ctx, c.kubectlPath, c.kubeconfig, args...)
}

// apiServerAddress is host:port of a control plane of its own; "" for a cluster of the caller.
func (c *cluster) apiServerAddress() string {
	if c.own == nil {
		return ""
	}
	return c.own.Address()
}

// err says that the control plane of its own has broken down.
func (c *cluster) err() error {
	if c.own == nil {
		return nil
	}
	return c.own.Err()
}

// close stops the control plane of its own.
func (c *cluster) close() error {
	if c.own == nil {
		return nil
	}
	return c.own.Stop()
}

// typed is how the user calls a kubectl: by its name where there is one on the PATH.
func (c *cluster) typed() string {
	if _, err := exec.LookPath("kubectl"); err == nil {
		return "kubectl"
	}
	return c.kubectlPath
}
