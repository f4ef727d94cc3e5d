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

// Package faults kills the operator, its leader and the API server at random points, and looks whether the world
// converges with nothing lost, nothing left over and nothing done twice.
package faults

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane/child"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// converge bounds how long the operator may need to finish.
	converge = 2 * time.Minute
	// look is how often the world is looked at.
	look = 100 * time.Millisecond
)

// binary is the operator, built once: what is killed must be a process.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bulkhead-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := env.Root()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "bulkhead")
	var output bytes.Buffer
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &output, &output
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the operator:", err, output.String())
		return 1
	}
	return m.Run()
}

// start starts a control plane that ends with the test.
func start(t *testing.T, opts controlplane.Options) *env.Env {
	t.Helper()
	world, err := env.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Stop(); err != nil {
			t.Error(err)
		}
	})
	return world
}

// operator is a running operator process.
type operator struct{ *child.Process }

// launch starts an operator process, logging to a file of its own. Whatever is left of it is killed after the test.
func launch(t *testing.T, world *env.Env, name string, flags ...string) operator {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := controlplane.WriteKubeconfigFor(world.Operator, kubeconfig); err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"manager", "--kubeconfig=" + kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0",
	}, flags...)
	process, err := child.Start(child.Spec{
		Name: name, Path: binary, Args: args, LogPath: filepath.Join(t.TempDir(), name+".log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(t, operator{process}) })
	return operator{process}
}

// kill ends a process by SIGKILL, as the kernel's OOM killer or a node's death would, and waits until it is gone.
func kill(t *testing.T, o operator) {
	t.Helper()
	if err := o.Kill(); err != nil {
		t.Error(err)
	}
}

// eventually looks again and again until the condition says nothing any more; what it says last is the failure.
func eventually(ctx context.Context, t *testing.T, limit time.Duration, condition func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		why := condition()
		if why == "" {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("still so after %s: %s", limit, why)
		}
	}
}

func names(prefix string, n int) []string {
	list := make([]string, 0, n)
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%02d", prefix, i))
	}
	return list
}

func short(list []string) string {
	const shown = 5
	text := strings.Join(list[:min(len(list), shown)], ", ")
	if len(list) > shown {
		text += fmt.Sprintf(" and %d more", len(list)-shown)
	}
	return text
}
