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
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// pollInterval is short because it is most of what a start waits for after the programs are ready.
const pollInterval = 50 * time.Millisecond

// waitListening waits until the API server accepts connections.
func (cp *ControlPlane) waitListening(ctx context.Context) error {
	dialer := net.Dialer{Timeout: time.Second}
	return cp.poll(ctx, apiServer+" to listen", func(ctx context.Context) error {
		conn, err := dialer.DialContext(ctx, "tcp", cp.address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// waitReadyz waits until the API server says that it is ready.
func (cp *ControlPlane) waitReadyz(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(cp.admin)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return cp.poll(ctx, apiServer+" to be ready", func(ctx context.Context) error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// waitReady waits until the API server is ready and the controllers have done what every test relies on.
func (cp *ControlPlane) waitReady(ctx context.Context) error {
	if err := cp.waitReadyz(ctx); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cp.admin)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	err = cp.poll(ctx, "the namespace default", func(ctx context.Context) error {
		_, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
		return err
	})
	if err != nil || cp.opts.WithoutControllerManager {
		return err
	}
	for _, name := range []string{"admin", "edit", "view"} {
		err := cp.poll(ctx, "the rules of the cluster role "+name, func(ctx context.Context) error {
			role, err := client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
			if err == nil && len(role.Rules) == 0 {
				err = errors.New("they are not aggregated yet")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return cp.poll(ctx, "the service account default", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// poll calls check until it succeeds, a program ends, or the context does. The error says what it waited
// for and why the last check failed.
func (cp *ControlPlane) poll(ctx context.Context, what string, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if err := cp.Err(); err != nil {
			return false, err
		}
		err := check(ctx)
		// A check cut short by the deadline has nothing to say about the control plane.
		if ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		// The caller gave up: that is no fault to look for in the logs.
		return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for %s: %w", what, errors.Join(context.Cause(ctx), last, cp.tails()))
	}
	return fmt.Errorf("waiting for %s: %w", what, err)
}

// Err is an error when one of the programs has ended by itself: how, and the end of its log. Nil is fine.
func (cp *ControlPlane) Err() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var errs []error
	for _, p := range cp.processes {
		errs = append(errs, p.Err())
	}
	return errors.Join(errs...)
}

// tails is what the programs said last, as an error.
func (cp *ControlPlane) tails() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var errs []error
	for name, p := range cp.processes {
		errs = append(errs, fmt.Errorf("the end of the log of %s:\n%s", name, p.Tail(8)))
	}
	return errors.Join(errs...)
}
