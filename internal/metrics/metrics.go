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

// Package metrics holds every metric of the operator. Labels never carry a namespace, an object's name, a path
// or a field manager: tenants choose those, and each value would be a new time series.
package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var (
	tenantCondition = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bulkhead_tenant_condition",
		Help: "1 for the status that a condition of a tenant has, 0 for the others.",
	}, []string{"tenant", "type", "status"})
	tenantNamespaces = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bulkhead_tenant_namespaces",
		Help: "Namespaces of a tenant by state: desired, ready, terminating, conflicting.",
	}, []string{"tenant", "state"})
	driftOpen = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bulkhead_drift_open",
		Help: "Objects of a tenant that differ from intent now, by severity.",
	}, []string{"tenant", "severity"})
	isolationFindings = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bulkhead_isolation_findings",
		Help: "What opens a tenant beyond its spec now, by type.",
	}, []string{"tenant", "type"})
	driftDetected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulkhead_drift_detected_total",
		Help: "Differences from intent that were found, by kind and type.",
	}, []string{"kind", "type"})
	driftCorrections = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulkhead_drift_corrections_total",
		Help: "Corrections of drift that were tried, by kind and result.",
	}, []string{"kind", "result"})
	driftCorrection = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "bulkhead_drift_correction_seconds",
		Help:    "Time from the judgement of a difference to the API server's answer to its correction.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
	})
	applyRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulkhead_apply_requests_total",
		Help: "Write requests for managed objects, by kind and result.",
	}, []string{"kind", "result"})
	compareSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "bulkhead_compare_seconds",
		Help:    "Time to compare one live object with its intent.",
		Buckets: prometheus.ExponentialBuckets(0.00001, 4, 8),
	}, []string{"kind"})
	guardRail = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bulkhead_guard_rail",
		Help: "1 for the state that a guard-rail has, 0 for the others.",
	}, []string{"policy", "state"})
	guardProbes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulkhead_guard_probes_total",
		Help: "Requests that a guard-rail must refuse and that store nothing, by what the answer proves.",
	}, []string{"policy", "result"})
)

// Register adds the metrics to controller-runtime's registry, once.
func Register() { once.Do(register) }

var once sync.Once

func register() {
	ctrlmetrics.Registry.MustRegister(tenantCondition, tenantNamespaces, driftOpen, isolationFindings, driftDetected,
		driftCorrections, driftCorrection, applyRequests, compareSeconds, guardRail, guardProbes)
}

// ApplyRequest counts a write request for a managed object.
func ApplyRequest(kind string, err error) {
	applyRequests.WithLabelValues(kind, result(err)).Inc()
}

// Compared notes how long a comparison took.
func Compared(kind string, took time.Duration) {
	compareSeconds.WithLabelValues(kind).Observe(took.Seconds())
}

// DriftDetected counts a difference that was found for the first time.
func DriftDetected(kind string, driftType v1alpha1.DriftType) {
	driftDetected.WithLabelValues(kind, string(driftType)).Inc()
}

// DriftCorrected counts a correction that was tried, and how long it took.
func DriftCorrected(kind string, err error, took time.Duration) {
	driftCorrections.WithLabelValues(kind, result(err)).Inc()
	if err == nil {
		driftCorrection.Observe(took.Seconds())
	}
}

// GuardRail says whether a guard-rail that is shipped has a state.
func GuardRail(policy, state string, has bool) {
	value := 0.0
	if has {
		value = 1
	}
	guardRail.WithLabelValues(policy, state).Set(value)
}

// GuardProbe counts the answer to a probe of a guard-rail that is shipped.
func GuardProbe(policy, result string) {
	guardProbes.WithLabelValues(policy, result).Inc()
}

// Tenant sets the gauges of a tenant from its status. Open drift is by severity, which status only samples.
func Tenant(name string, status *v1alpha1.TenantStatus, open map[v1alpha1.Severity]int) {
	for _, condition := range status.Conditions {
		for _, value := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown} {
			set := 0.0
			if condition.Status == value {
				set = 1
			}
			tenantCondition.WithLabelValues(name, condition.Type, string(value)).Set(set)
		}
	}
	tenantNamespaces.WithLabelValues(name, "desired").Set(float64(status.Namespaces.Desired))
	tenantNamespaces.WithLabelValues(name, "ready").Set(float64(status.Namespaces.Ready))
	tenantNamespaces.WithLabelValues(name, "terminating").Set(float64(status.Namespaces.Terminating))
	tenantNamespaces.WithLabelValues(name, "conflicting").Set(float64(status.Namespaces.Conflicting))
	for _, severity := range v1alpha1.Severities() {
		driftOpen.WithLabelValues(name, string(severity)).Set(float64(open[severity]))
	}
}

// Isolation sets the gauges of what opens a tenant.
func Isolation(tenant string, byType map[v1alpha1.IsolationFindingType]int) {
	for _, t := range []v1alpha1.IsolationFindingType{v1alpha1.FindingNetworkExposure, v1alpha1.FindingAccessExposure,
		v1alpha1.FindingPodSecurityWeakened, v1alpha1.FindingLabelExposure} {
		isolationFindings.WithLabelValues(tenant, string(t)).Set(float64(byType[t]))
	}
}

// ForgetTenant drops the gauges of a tenant that is gone.
func ForgetTenant(name string) {
	match := prometheus.Labels{"tenant": name}
	tenantCondition.DeletePartialMatch(match)
	tenantNamespaces.DeletePartialMatch(match)
	driftOpen.DeletePartialMatch(match)
	isolationFindings.DeletePartialMatch(match)
}

func result(err error) string {
	switch {
	case err == nil:
		return "success"
	case apierrors.IsConflict(err):
		return "conflict"
	case apierrors.IsForbidden(err):
		return "forbidden"
	case apierrors.IsInvalid(err):
		return "invalid"
	default:
		return "error"
	}
}
