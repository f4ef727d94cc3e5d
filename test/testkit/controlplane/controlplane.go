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

// Package controlplane runs a real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager
// and, when asked, kube-scheduler) as child processes on this machine, for tests, `make run` and
// `make bench`. There is no kubelet: pods are admitted, counted and scheduled, and never run.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane/child"
)

const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"

	// startTimeout bounds Start without the build. An idle machine needs seconds; two cores under the race
	// detector and other tests need many times that.
	startTimeout = 2 * time.Minute
	// stopGrace is how long each program has to end by itself.
	stopGrace = 15 * time.Second
	// portAttempts is how often Start begins anew when another program took one of its ports meanwhile.
	portAttempts = 3
)

// stopOrder is clients first: a program whose server is gone spends its grace period retrying.
var stopOrder = []string{scheduler, controllerManager, apiServer, etcd}

// Options says what to start. The zero value is a control plane with a controller manager.
type Options struct {
	// Assets is the directory of the binaries. "" means $KUBEBUILDER_ASSETS, or else what
	// hack/controlplane/build.sh builds and caches.
	Assets string
	// Dir keeps data, keys and logs; it must be empty or absent, and stays after Stop. "" means a temporary
	// directory that Stop removes.
	Dir string
	// Audit writes an event of level Metadata for every request; see AuditLog.
	Audit bool
	// WithoutControllerManager leaves kube-controller-manager out: no service accounts are made, no quota
	// is counted, and no namespace finishes its deletion.
	WithoutControllerManager bool
	// Scheduler starts kube-scheduler too.
	Scheduler bool
	// Durable has etcd wait for the disk on every write, as everywhere but in tests: for measurements of how long a request
	// takes.
	Durable bool
	// Output receives progress, a line each; nil means none.
	Output io.Writer
	// ExtraAPIServerArgs are appended to the flags of kube-apiserver, so that they win.
	ExtraAPIServerArgs []string
}

// ControlPlane is a running control plane. Its methods may be called from several goroutines.
type ControlPlane struct {
	opts    Options
	assets  string
	dir     string
	pki     *pki
	address string // host:port of the API server
	etcdURL string
	admin   *rest.Config

	mu        sync.Mutex
	processes map[string]*child.Process
	stopped   bool

	stopOnce sync.Once
	stopErr  error
}

// Start starts a control plane and waits until it serves, has bootstrapped its roles and, with a controller
// manager, has filled the aggregated roles and made the first service account. The context bounds the
// start only: the control plane lives until Stop. After an error nothing is left running.
func Start(ctx context.Context, opts Options) (*ControlPlane, error) {
	if opts.Output == nil {
		opts.Output = io.Discard
	}
	assets, err := FindAssets(ctx, opts.Assets, opts.Output)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("the control plane was not ready within %s", startTimeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		cp, err := start(ctx, opts, assets)
		if err == nil {
			return cp, nil
		}
		// Ports are chosen before the programs bind them, so that another program can be quicker. And on a busy machine the
		// API server may take longer than the 10 s for which the others wait: they say so and end.
		taken := strings.Contains(err.Error(), "address already in use")
		if attempt == portAttempts || !taken && !strings.Contains(err.Error(), "failed to wait for apiserver being healthy") {
			return nil, err
		}
		say(opts.Output, "a port was taken meanwhile, or the API server was slow; starting again")
	}
}

func start(ctx context.Context, opts Options, assets string) (*ControlPlane, error) {
	began := time.Now()
	cp := &ControlPlane{opts: opts, assets: assets, processes: map[string]*child.Process{}}
	err := cp.prepare()
	if err == nil {
		err = cp.launch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, cp.Stop(), cp.emptyDir())
	}
	say(opts.Output, "the control plane is ready after %.1f s at https://%s", time.Since(began).Seconds(), cp.address)
	return cp, nil
}

// prepare makes the directory, the ports, the keys and the files that the programs read.
func (cp *ControlPlane) prepare() error {
	if err := cp.makeDir(); err != nil {
		return err
	}
	ports, err := FreePorts(2)
	if err != nil {
		return err
	}
	cp.address = net.JoinHostPort("127.0.0.1", ports[0])
	cp.etcdURL = "https://" + net.JoinHostPort("127.0.0.1", ports[1])
	if cp.pki, err = newPKI(filepath.Join(cp.dir, "pki")); err != nil {
		return err
	}
	if cp.admin, err = cp.ConfigFor("bulkhead-admin", "system:masters"); err != nil {
		return err
	}
	if err := WriteKubeconfigFor(cp.admin, cp.Kubeconfig()); err != nil {
		return err
	}
	for _, name := range []string{controllerManager, scheduler} {
		config, err := cp.ConfigFor("system:" + name)
		if err != nil {
			return err
		}
		if err := WriteKubeconfigFor(config, cp.path(name+".kubeconfig")); err != nil {
			return err
		}
	}
	if err := os.WriteFile(cp.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	return nil
}

func (cp *ControlPlane) makeDir() error {
	if cp.opts.Dir == "" {
		dir, err := os.MkdirTemp("", "bulkhead-controlplane-")
		if err != nil {
			return fmt.Errorf("making a temporary directory: %w", err)
		}
		cp.dir = dir
		return nil
	}
	dir, err := filepath.Abs(cp.opts.Dir)
	if err != nil {
		return fmt.Errorf("finding the directory of the control plane: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of the control plane: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the directory of the control plane: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("using %s for a control plane: it is not empty", dir)
	}
	cp.dir = dir
	return nil
}

// emptyDir clears a directory of the caller after a start that failed; the error of the start holds what
// the logs had to say.
func (cp *ControlPlane) emptyDir() error {
	if cp.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(cp.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clearing the directory of the control plane: %w", err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(cp.path(entry.Name())); err != nil {
			return fmt.Errorf("clearing the directory of the control plane: %w", err)
		}
	}
	return nil
}

// launch starts the programs and waits until they are ready.
func (cp *ControlPlane) launch(ctx context.Context) error {
	say(cp.opts.Output, "starting etcd and kube-apiserver")
	for _, name := range []string{etcd, apiServer} {
		if err := cp.run(name); err != nil {
			return err
		}
	}
	// The clients give up when the API server is not healthy 10 s after they start: they wait until it
	// listens, and do their own long initialisation while it does the rest of its.
	if err := cp.waitListening(ctx); err != nil {
		return err
	}
	if !cp.opts.WithoutControllerManager {
		say(cp.opts.Output, "starting kube-controller-manager")
		if err := cp.run(controllerManager); err != nil {
			return err
		}
	}
	if cp.opts.Scheduler {
		say(cp.opts.Output, "starting kube-scheduler")
		if err := cp.run(scheduler); err != nil {
			return err
		}
	}
	return cp.waitReady(ctx)
}

// run starts one of the programs; it is an error if it runs already or the control plane is stopped.
func (cp *ControlPlane) run(name string) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return fmt.Errorf("starting %s: the control plane is stopped", name)
	}
	if p := cp.processes[name]; p != nil && p.Running() {
		return fmt.Errorf("starting %s: it runs already", name)
	}
	p, err := child.Start(child.Spec{
		Name:    name,
		Path:    filepath.Join(cp.assets, name),
		Args:    cp.args(name),
		Env:     cp.environment(),
		Dir:     cp.dir,
		LogPath: cp.Log(name),
	})
	if err != nil {
		return err
	}
	cp.processes[name] = p
	return nil
}

// environment is all that the programs inherit: etcd and kubectl take settings from variables, and those of
// the caller must not change what is tested.
func (cp *ControlPlane) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cp.dir, "TMPDIR=" + cp.dir, "KUBERC=off"}
}

// end stops one of the programs; one that does not run is fine.
func (cp *ControlPlane) end(name string) error {
	if p := cp.take(name); p != nil {
		return p.Stop(stopGrace)
	}
	return nil
}

// take hands over a program to whoever is about to end it; nil if it doesn't run.
func (cp *ControlPlane) take(name string) *child.Process {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	p := cp.processes[name]
	delete(cp.processes, name)
	return p
}

// Stop stops every program, kills what does not end in time, and removes the temporary directory. Calling it
// again returns the first result. The error names programs that had to be killed and files that stay.
func (cp *ControlPlane) Stop() error {
	cp.stopOnce.Do(func() {
		cp.mu.Lock()
		cp.stopped = true
		cp.mu.Unlock()
		var errs []error
		for _, name := range stopOrder {
			errs = append(errs, cp.end(name))
		}
		if cp.opts.Dir == "" && cp.dir != "" {
			if err := os.RemoveAll(cp.dir); err != nil {
				errs = append(errs, fmt.Errorf("removing the temporary directory: %w", err))
			}
		}
		cp.stopErr = errors.Join(errs...)
	})
	return cp.stopErr
}

// StopControllerManager stops kube-controller-manager alone, to see what happens without it.
func (cp *ControlPlane) StopControllerManager() error { return cp.end(controllerManager) }

// StartControllerManager starts kube-controller-manager after StopControllerManager. It does not wait until
// its controllers have caught up.
func (cp *ControlPlane) StartControllerManager() error { return cp.run(controllerManager) }

// RestartAPIServer kills kube-apiserver, as a crash would, starts it on the same address and waits until it is ready.
// A graceful end would wait for every open watch first.
func (cp *ControlPlane) RestartAPIServer(ctx context.Context) error {
	if p := cp.take(apiServer); p != nil {
		if err := p.Kill(); err != nil {
			return err
		}
	}
	if err := cp.run(apiServer); err != nil {
		return err
	}
	return cp.waitReadyz(ctx)
}

// Dir is where the control plane keeps its files.
func (cp *ControlPlane) Dir() string { return cp.dir }

// Address is host:port of the API server.
func (cp *ControlPlane) Address() string { return cp.address }

// AuditLog is the file of the audit events, one JSON object per line; "" without Options.Audit.
func (cp *ControlPlane) AuditLog() string {
	if !cp.opts.Audit {
		return ""
	}
	return cp.path("audit.log")
}

// Log is the file of the output of a program, such as kube-apiserver.
func (cp *ControlPlane) Log(program string) string { return cp.path(program + ".log") }

func (cp *ControlPlane) path(name string) string { return filepath.Join(cp.dir, name) }

// FreePorts returns different TCP ports of 127.0.0.1 that nothing listens on at this moment.
func FreePorts(n int) ([]string, error) {
	ports := make([]string, 0, n)
	for range n {
		// All are held until the last is found, so that no port is found twice.
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// say writes a line of progress. Losing one is no reason to fail.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
