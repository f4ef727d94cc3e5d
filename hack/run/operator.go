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
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane/child"
)

const (
	// operatorName is the namespace's service account whose rights the operator has.
	operatorName = "bulkhead"
	// operatorReady is how long the operator has to become ready.
	operatorReady = time.Minute
	// operatorGrace is how long it has to end.
	operatorGrace = 20 * time.Second
)

// operator is the running operator.
type operator struct {
	process *child.Process
	log     string
	probes  string // host:port
}

// operatorArgs are the operator's flags; apiServer is "" when it can find the API server's address itself.
func operatorArgs(kubeconfig, probes, apiServer string) []string {
	args := []string{
		"manager",
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--metrics-bind-address=127.0.0.1:0",
		"--health-probe-bind-address=" + probes,
	}
	if apiServer != "" {
		args = append(args, "--api-server-addresses="+apiServer)
	}
	return args
}

// startOperator starts the binary with a kubeconfig and a log in dir.
func startOperator(binary, dir, kubeconfig, apiServer string) (*operator, error) {
	// A name without a slash would be looked for on the PATH.
	path, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("finding the operator's binary: %w", err)
	}
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return nil, err
	}
	o := &operator{log: filepath.Join(dir, "operator.log"), probes: "127.0.0.1:" + ports[0]}
	o.process, err = child.Start(child.Spec{
		Name:    "the operator",
		Path:    path,
		Args:    operatorArgs(kubeconfig, o.probes, apiServer),
		LogPath: o.log,
	})
	return o, err
}

// waitReady waits until the operator says that it is ready. The error holds the end of its log.
func (o *operator) waitReady(ctx context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second}
	var last error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, operatorReady, true,
		func(ctx context.Context) (bool, error) {
			if err := o.process.Err(); err != nil {
				return false, err
			}
			last = o.probe(ctx, client)
			return last == nil, nil
		})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || !o.process.Running() {
		return fmt.Errorf("waiting for the operator: %w", err)
	}
	return fmt.Errorf("waiting for the operator: %w; the end of its log:\n%s", errors.Join(err, last), o.process.Tail(15))
}

func (o *operator) probe(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.probes+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("asking whether the operator is ready: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking whether the operator is ready: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking whether the operator is ready: it says %s", response.Status)
	}
	return nil
}
