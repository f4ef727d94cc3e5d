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

package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// assetsVariable names the directory of the binaries, as in Kubernetes' own test tools.
const assetsVariable = "KUBEBUILDER_ASSETS"

// FindAssets returns the directory of the binaries: the given one, or $KUBEBUILDER_ASSETS, or else what
// hack/controlplane/build.sh builds, which takes minutes the first time on a machine. Progress goes to out.
// The error names a binary that is missing.
func FindAssets(ctx context.Context, given string, out io.Writer) (string, error) {
	dir := given
	if dir == "" {
		dir = os.Getenv(assetsVariable)
	}
	if dir == "" {
		built, err := build(ctx, out)
		if err != nil {
			return "", err
		}
		dir = built
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the control plane's binaries: %w", err)
	}
	for _, name := range []string{etcd, apiServer, controllerManager, scheduler, "kubectl"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("finding the control plane's binaries (unset %s to have them built): %w",
				assetsVariable, err)
		}
	}
	return dir, nil
}

func build(ctx context.Context, out io.Writer) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	var stdout bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(root, "hack", "controlplane", "build.sh"))
	cmd.Stdout = &stdout
	cmd.Stderr = out
	// SIGTERM lets the script stop the compiler and remove what is half built.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the control plane: %w", err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// moduleRoot is the nearest directory, from the working directory upwards, that holds the build script.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module's root: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "hack", "controlplane", "build.sh"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the module's root: no directory above holds hack/controlplane/build.sh")
		}
		dir = parent
	}
}

// Kubectl runs kubectl as cluster admin and returns its stdout. The error holds its stderr.
func (cp *ControlPlane) Kubectl(ctx context.Context, args ...string) (string, error) {
	// Its cache goes to the control plane's directory, which is its home.
	return runKubectl(ctx, kubectlRun{
		path: cp.KubectlPath(), kubeconfig: cp.Kubeconfig(), env: cp.environment(), args: args,
	})
}

// KubectlPath is the kubectl of the control plane's version.
func (cp *ControlPlane) KubectlPath() string { return filepath.Join(cp.assets, "kubectl") }

// RunKubectl runs any kubectl with any kubeconfig and this process's environment, and returns its stdout.
// The error holds its stderr.
func RunKubectl(ctx context.Context, path, kubeconfig string, args ...string) (string, error) {
	return runKubectl(ctx, kubectlRun{path: path, kubeconfig: kubeconfig, args: args})
}

type kubectlRun struct {
	path       string
	kubeconfig string
	env        []string
	args       []string
}

func runKubectl(ctx context.Context, run kubectlRun) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, run.path, append([]string{"--kubeconfig=" + run.kubeconfig}, run.args...)...)
	cmd.Env = run.env
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("running kubectl %s: %w: %s",
			strings.Join(run.args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
