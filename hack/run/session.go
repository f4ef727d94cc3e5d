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
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

// session is one run, from start to end.
type session struct {
	opts     options
	out      io.Writer
	dir      string
	cluster  *cluster
	tenants  client.Client
	operator *operator
	applied  bool
	// mutating says that the defaults and the stamp were installed.
	mutating bool
}

// run does everything; it returns when the context is done or something broke, with nothing left running.
func (s *session) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	// Looked for first: starting a control plane for want of a build is a long way to that message.
	if _, err := os.Stat(s.opts.operator); err != nil {
		return fmt.Errorf("finding the operator's binary (make build): %w", err)
	}
	if s.dir, err = os.MkdirTemp("", "bulkhead-run-"); err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	if s.cluster, err = openCluster(ctx, s.opts, s.out); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.install, s.startOperator, s.applySamples, s.settle, s.explain} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if s.opts.once {
		return nil
	}
	return s.stay(ctx)
}

// install applies what the operator needs in the cluster.
func (s *session) install(ctx context.Context) error {
	s.say("installing %s", s.opts.config)
	s.applied = true
	if _, err := s.cluster.kubectl(ctx, "apply", "--server-side", "-k", s.opts.config); err != nil {
		return fmt.Errorf("installing %s: %w", s.opts.config, err)
	}
	_, err := s.cluster.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s",
		"crd/tenants."+v1alpha1.GroupVersion.Group, "crd/tenantclasses."+v1alpha1.GroupVersion.Group, "crd/driftreports."+v1alpha1.GroupVersion.Group)
	if err != nil {
		return fmt.Errorf("waiting for the custom resource definitions: %w", err)
	}
	return s.installMutating(ctx)
}

// installMutating applies the defaults and the identity stamp where the cluster knows their kind (Kubernetes 1.36).
func (s *session) installMutating(ctx context.Context) error {
	served, err := controlplane.Serves(s.cluster.config, "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy")
	if err != nil || !served || s.opts.mutating == "" {
		return err
	}
	s.say("installing %s", s.opts.mutating)
	if _, err := s.cluster.kubectl(ctx, "apply", "--server-side", "-k", s.opts.mutating); err != nil {
		return fmt.Errorf("installing %s: %w", s.opts.mutating, err)
	}
	s.mutating = true
	return nil
}

// startOperator starts the operator with the rights of its service account, and no others.
func (s *session) startOperator(ctx context.Context) error {
	config, err := controlplane.ServiceAccountConfig(ctx, s.cluster.config, v1alpha1.DefaultOperatorNamespace, operatorName)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(s.dir, "operator.kubeconfig")
	if err := controlplane.WriteKubeconfigFor(config, kubeconfig); err != nil {
		return err
	}
	s.operator, err = startOperator(s.opts.operator, s.dir, kubeconfig, s.cluster.apiServerAddress())
	if err != nil {
		s.operator = nil
		return err
	}
	s.say("starting the operator; its log is %s", s.operator.log)
	return s.operator.waitReady(ctx)
}

func (s *session) applySamples(ctx context.Context) error {
	if s.opts.samples == "" {
		return nil
	}
	s.say("applying %s", s.opts.samples)
	if _, err := s.cluster.kubectl(ctx, "apply", "--server-side", "-k", s.opts.samples); err != nil {
		return fmt.Errorf("applying %s: %w", s.opts.samples, err)
	}
	return nil
}

// settle waits until every tenant is ready and says how far they are when that changes. Tenants that are not
// ready in time are an error with --once only: the user may want to look at them.
func (s *session) settle(ctx context.Context) error {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("registering the API: %w", err)
	}
	var err error
	if s.tenants, err = client.New(s.cluster.config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	last := ""
	err = wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, s.opts.settle, true,
		func(ctx context.Context) (bool, error) {
			if err := s.broken(); err != nil {
				return false, err
			}
			var list v1alpha1.TenantList
			if err := s.tenants.List(ctx, &list); err != nil {
				return false, fmt.Errorf("listing the tenants: %w", err)
			}
			p := progressOf(list.Items)
			if now := p.String(); now != last {
				s.say("%s", now)
				last = now
			}
			return p.settled(), nil
		})
	if ctx.Err() == nil && wait.Interrupted(err) {
		if s.opts.once {
			return fmt.Errorf("waiting for the tenants: after %s %s", s.opts.settle, last)
		}
		s.say("not all tenants are ready after %s; going on", s.opts.settle)
		return nil
	}
	return err
}

// explain shows the tenants and says what to do next.
func (s *session) explain(ctx context.Context) error {
	table, err := s.cluster.kubectl(ctx, "get", "tenants")
	if err != nil {
		return fmt.Errorf("showing the tenants: %w", err)
	}
	var list v1alpha1.TenantList
	if err := s.tenants.List(ctx, &list); err != nil {
		return fmt.Errorf("listing the tenants: %w", err)
	}
	s.say("\n%s", table)
	if s.opts.once {
		return nil
	}
	s.say("In another terminal:\n  export KUBECONFIG=%s\n  %s\n\nCtrl-C ends it.",
		s.cluster.kubeconfig, strings.Join(hints(s.cluster.typed(), list.Items), "\n  "))
	return nil
}

// stay waits until the context is done, which is how it should end, or something breaks down.
func (s *session) stay(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.operator.process.Done():
		}
		if err := s.broken(); err != nil {
			return err
		}
	}
}

// broken is an error when the operator or the control plane has ended by itself.
func (s *session) broken() error {
	return errors.Join(s.operator.process.Err(), s.cluster.err())
}

// close stops what was started, the operator first, and removes the temporary files.
func (s *session) close() error {
	var errs []error
	if s.operator != nil || (s.cluster != nil && s.cluster.own != nil) {
		s.say("\nstopping")
	}
	if s.operator != nil {
		errs = append(errs, s.operator.process.Stop(operatorGrace))
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.close())
		if s.applied && s.cluster.own == nil {
			opts := s.opts
			if !s.mutating {
				opts.mutating = ""
			}
			s.say("%s", removal(s.cluster.typed(), opts))
		}
	}
	if s.dir != "" {
		if err := os.RemoveAll(s.dir); err != nil {
			errs = append(errs, fmt.Errorf("removing the temporary directory: %w", err))
		}
	}
	return errors.Join(errs...)
}

// say writes a line for the user. Losing one is no reason to fail.
func (s *session) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}
