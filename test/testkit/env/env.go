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

// Package env is a world for integration tests: a real control plane with Bulkhead's CRDs and RBAC installed from
// config/, and the operator run in the test's process as its own ServiceAccount, so that the RBAC that is shipped is
// the RBAC that is used.
package env

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/operator"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

// Env is a control plane with Bulkhead installed.
type Env struct {
	*controlplane.ControlPlane
	// Scheme knows Kubernetes' kinds and Bulkhead's.
	Scheme *runtime.Scheme
	// Admin is a client of the cluster admin, without a cache.
	Admin client.WithWatch
	// Operator is the operator's own configuration: its ServiceAccount's token. Its user agent is SpecAgent, by which
	// the audit log tells those who use it from the operator itself.
	Operator *rest.Config
	// Facts are the operator's settings; change them before StartOperator.
	Facts facts.Options

	rightsDir string
	stop      sync.Once
	stopErr   error

	mu       sync.Mutex
	restarts []span
}

// Start starts a control plane and installs config/run: namespace, CRDs, RBAC and guard-rails, those that fill in and
// stamp included where they are served. With RightsVariable set it has an
// audit log, whatever opts say.
func Start(ctx context.Context, opts controlplane.Options) (*Env, error) {
	quiet.Do(func() { ctrllog.SetLogger(logger(os.Getenv("BULKHEAD_TEST_LOG"))) })
	dir, err := rightsDir()
	if err != nil {
		return nil, err
	}
	opts.Audit = opts.Audit || dir != ""
	cp, err := controlplane.Start(ctx, opts)
	if err != nil {
		return nil, err
	}
	e := &Env{ControlPlane: cp, rightsDir: dir, Facts: facts.Options{
		DNS: feature.DNS{
			Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53},
		},
		OperatorNamespace: v1alpha1.DefaultOperatorNamespace,
		APIServer:         []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6443")},
	}}
	if err := e.install(ctx); err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return e, nil
}

func (e *Env) install(ctx context.Context) error {
	root, err := Root()
	if err != nil {
		return err
	}
	if _, err := e.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "run")); err != nil {
		return fmt.Errorf("installing config/run: %w", err)
	}
	if _, err := e.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		return fmt.Errorf("waiting for the CRDs: %w", err)
	}
	if err := e.installMutating(ctx, root); err != nil {
		return err
	}
	e.Scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(e.Scheme), v1alpha1.AddToScheme(e.Scheme)); err != nil {
		return fmt.Errorf("building the scheme: %w", err)
	}
	if e.Admin, err = client.NewWithWatch(e.Config(), client.Options{Scheme: e.Scheme}); err != nil {
		return fmt.Errorf("making the admin client: %w", err)
	}
	if e.Operator, err = e.ServiceAccountConfig(ctx, v1alpha1.DefaultOperatorNamespace, "bulkhead"); err != nil {
		return fmt.Errorf("making the operator's token: %w", err)
	}
	e.Operator.UserAgent = SpecAgent
	return nil
}

// installMutating installs what fills in and stamps where Kubernetes has the kind for it.
func (e *Env) installMutating(ctx context.Context, root string) error {
	served, err := controlplane.Serves(e.Config(), "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy")
	if err != nil || !served {
		return err
	}
	if _, err := e.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "admission", "mutating")); err != nil {
		return fmt.Errorf("installing config/admission/mutating: %w", err)
	}
	return nil
}

// Client is a client of a user with the given groups, without a cache.
func (e *Env) Client(user string, groups ...string) (client.WithWatch, error) {
	cfg := e.Config()
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return client.NewWithWatch(cfg, client.Options{Scheme: e.Scheme})
}

// RunningOperator is an operator in this process.
type RunningOperator struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	once   sync.Once
}

// StartOperator starts the operator as its ServiceAccount. It runs until Stop. wrap, if given, may change its
// configuration (to count requests, say).
func (e *Env) StartOperator(wrap ...func(*rest.Config)) (*RunningOperator, error) {
	cfg := rest.CopyConfig(e.Operator)
	cfg.UserAgent = "" // the operator's own
	for _, w := range wrap {
		w(cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	mgr, err := operator.New(ctx, cfg, operator.Options{
		Scheme: e.Scheme, Facts: e.Facts, MetricsAddress: "0", HealthAddress: "0",
		NamespaceWorkers: operator.DefaultNamespaceWorkers, TenantWorkers: operator.DefaultTenantWorkers, SkipNameValidation: true,
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("making the operator: %w", err)
	}
	o := &RunningOperator{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.err = mgr.Start(ctx)
	}()
	return o, nil
}

// Stop stops the operator and returns what it ended with. It may be called more than once.
func (o *RunningOperator) Stop() error {
	o.once.Do(o.cancel)
	select {
	case <-o.done:
		return o.err
	case <-time.After(30 * time.Second):
		return errors.New("the operator did not stop within 30 s")
	}
}

// Done is closed when the operator has ended.
func (o *RunningOperator) Done() <-chan struct{} { return o.done }

var quiet sync.Once

// Root is the root of the project: the nearest directory, from the working directory upwards, with a PROJECT file.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the project's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "PROJECT")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the project's root: no directory above holds a PROJECT file")
		}
		dir = parent
	}
}

// Examples is the directory of the shared examples beside the project, or "" where it isn't there.
func Examples() string {
	root, err := Root()
	if err != nil {
		return ""
	}
	dir := filepath.Join(root, "..", "shared", "examples")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}
