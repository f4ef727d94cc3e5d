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

// Package operator puts the operator together: caches, controllers, health and metrics.
package operator

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/bulkhead-dev/bulkhead/controllers"
	"github.com/bulkhead-dev/bulkhead/internal/apis"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
	"github.com/bulkhead-dev/bulkhead/internal/report"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// Options are the operator's settings. Scheme and Facts are required; the zero value of the rest is usable.
type Options struct {
	// Scheme knows every kind that the operator reads or writes.
	Scheme *runtime.Scheme
	// Facts are what is the same for all tenants.
	Facts facts.Options
	// LeaderElect makes several replicas agree on one that works.
	LeaderElect bool
	// MetricsAddress and HealthAddress are host:port; "0" serves nothing.
	MetricsAddress, HealthAddress string
	// MetricsInsecure serves metrics over plain HTTP, to anyone.
	MetricsInsecure bool
	// NamespaceWorkers and TenantWorkers bound how many namespaces and tenants are worked on at a time.
	NamespaceWorkers, TenantWorkers int
	// ReportRetention is how long a DriftReport keeps what no longer differs; zero means report.DefaultRetention.
	ReportRetention time.Duration
	// GuardRails says whether readiness depends on the guard-rails; empty means GuardRailsRequired.
	GuardRails GuardRails
	// GuardProbeInterval is the time between two proofs of the guard-rails while nothing changes; zero means never.
	GuardProbeInterval time.Duration
	// BreakGlassGroups are the groups whose members pass the guard-rails; empty means guard.DefaultBreakGlass.
	BreakGlassGroups []string
	// SkipNameValidation lets several operators run in one process, one after another. For tests.
	SkipNameValidation bool
}

// Default numbers of workers: enough for the API server, and not the operator, to be what provisioning waits for. A
// worker only waits for answers; it costs nothing while there is no work.
const (
	DefaultNamespaceWorkers = 16
	DefaultTenantWorkers    = 32
)

// Bind makes flags of the options.
func (o *Options) Bind(flags *pflag.FlagSet) {
	flags.BoolVar(&o.LeaderElect, "leader-elect", true, "Let several replicas agree on one that works.")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8443", "Address of the metrics endpoint; 0 serves none.")
	flags.BoolVar(&o.MetricsInsecure, "metrics-insecure", false, "Serve metrics over plain HTTP without authentication.")
	flags.StringVar(&o.HealthAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 serves none.")
	flags.IntVar(&o.NamespaceWorkers, "namespace-workers", DefaultNamespaceWorkers, "Namespaces that are worked on at a time.")
	flags.DurationVar(&o.ReportRetention, "drift-report-retention", report.DefaultRetention, "How long a DriftReport keeps what no longer differs.")
	o.bindGuards(flags)
	flags.IntVar(&o.TenantWorkers, "tenant-workers", DefaultTenantWorkers, "Tenants that are worked on at a time.")
}

// Run runs the operator until the context ends.
func Run(ctx context.Context, cfg *rest.Config, o Options) error {
	mgr, err := New(ctx, cfg, o)
	if err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the operator: %w", err)
	}
	return nil
}

// New makes a manager with all controllers, ready to start.
func New(ctx context.Context, cfg *rest.Config, o Options) (ctrl.Manager, error) {
	metrics.Register()
	cfg = rest.CopyConfig(cfg)
	// The API server's Priority and Fairness shares its capacity better than a client that slows itself down.
	cfg.QPS = -1
	grace := 20 * time.Second
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        o.Scheme,
		Cache:                         cacheOptions(),
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              "bulkhead.tenancy.bulkhead.dev",
		LeaderElectionNamespace:       o.Facts.OperatorNamespace,
		LeaderElectionReleaseOnCancel: true,
		HealthProbeBindAddress:        o.HealthAddress,
		Metrics:                       o.metrics(),
		GracefulShutdownTimeout:       &grace,
		Controller:                    controllerConfig(o),
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := controllers.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	rails, err := o.expectedRails()
	if err != nil {
		return nil, err
	}
	board := guard.NewBoard(rails)
	if err := setup(ctx, mgr, cfg, o, &controllers.GuardReconciler{Rails: rails, Board: board}); err != nil {
		return nil, err
	}
	if err := warm(ctx, mgr); err != nil {
		return nil, err
	}
	if err := guardHealth(mgr, o, board); err != nil {
		return nil, err
	}
	return mgr, health(mgr)
}

func (o *Options) metrics() metricsserver.Options {
	m := metricsserver.Options{BindAddress: o.MetricsAddress, SecureServing: !o.MetricsInsecure}
	if m.SecureServing {
		m.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	return m
}

func setup(ctx context.Context, mgr ctrl.Manager, cfg *rest.Config, o Options, guards *controllers.GuardReconciler) error {
	rooms := features.All()
	served := apis.NewSet()
	e, err := newEngine(ctx, mgr, cfg, o, served)
	if err != nil {
		return err
	}
	reader := facts.NewReader(mgr.GetCache(), o.Facts).WithAPIs(served.List)
	ledger := status.NewLedger()
	judge := exposure.NewJudge(mgr.GetCache()).WithAPIs(served.List)
	recorder := controllers.NewEvents(mgr.GetEventRecorder("bulkhead"))
	tenants := &controllers.TenantReconciler{
		Client: mgr.GetClient(), Facts: reader, Engine: e, Ledger: ledger,
		Writer: status.NewWriter(mgr.GetClient()), Events: recorder, Features: rooms, Judge: judge, Rails: guards.Board,
	}
	if err := tenants.SetupWithManager(mgr, max(o.TenantWorkers, 1)); err != nil {
		return fmt.Errorf("setting up the tenant controller: %w", err)
	}
	namespaces := &controllers.NamespaceReconciler{
		Cache: mgr.GetCache(), Facts: reader, Engine: e, Ledger: ledger, Events: recorder, Features: rooms, Judge: judge,
	}
	if err := namespaces.SetupWithManager(mgr, max(o.NamespaceWorkers, 1)); err != nil {
		return fmt.Errorf("setting up the namespace controller: %w", err)
	}
	exposures := &controllers.ExposureReconciler{Cache: mgr.GetCache(), Judge: judge, Ledger: ledger, JudgeAgain: namespaces.JudgeAgain}
	if err := exposures.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the exposure controller: %w", err)
	}
	watchers := []controllers.Watcher{tenants, namespaces}
	if err := setupAPIs(ctx, mgr, cfg, served, append(watchers, exposures)); err != nil {
		return err
	}
	shares := &controllers.ClaimReconciler{Facts: reader, Watchers: watchers}
	if err := shares.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the claim controller: %w", err)
	}
	reports := &controllers.DriftReportReconciler{
		Cache: mgr.GetCache(), Facts: reader, Ledger: ledger, Writer: report.NewWriter(mgr.GetClient(), o.retention()),
	}
	if err := reports.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the drift report controller: %w", err)
	}
	guards.Cache, guards.Ledger, guards.Events = mgr.GetCache(), ledger, recorder
	return setupGuards(mgr, cfg, o, guards, reader)
}

func (o *Options) retention() time.Duration {
	if o.ReportRetention > 0 {
		return o.ReportRetention
	}
	return report.DefaultRetention
}

// health serves /healthz, which says that the process answers, and /readyz, which says that its caches are filled.
func health(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the health check: %w", err)
	}
	synced := func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return fmt.Errorf("caches are not filled yet")
		}
		return nil
	}
	if err := mgr.AddReadyzCheck("caches", synced); err != nil {
		return fmt.Errorf("adding the readiness check: %w", err)
	}
	return nil
}
