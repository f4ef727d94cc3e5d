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

package report

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// +kubebuilder:rbac:groups=tenancy.bulkhead.dev,resources=driftreports,verbs=list;watch;create;patch;delete

const (
	// interval is the least time between two writes of one report.
	interval = 15 * time.Second
	// perSecond and burst bound how many reports are written at a time over all: details may wait, corrections not.
	perSecond, burst = 20, 40
	// DefaultRetention is how long a closed difference stays in its report.
	DefaultRetention = 24 * time.Hour
)

// Writer writes DriftReports: only those that say something new, and not too often. It is safe for concurrent use, one
// write of a namespace at a time.
type Writer struct {
	client    client.Client
	retention time.Duration
	limit     *rate.Limiter
	now       func() time.Time

	mu    sync.Mutex
	known map[types.NamespacedName]written
}

// written is what the writer remembers of one report: the cache may lag behind.
type written struct {
	version string
	content v1alpha1.DriftReportContent
	last    time.Time
}

// NewWriter makes a writer that keeps a closed difference for so long.
func NewWriter(c client.Client, retention time.Duration) *Writer {
	return &Writer{client: c, retention: retention, limit: rate.NewLimiter(perSecond, burst), now: time.Now,
		known: map[types.NamespacedName]written{}}
}

// Write brings the report of a tenant in a namespace up to date. live is the report in the cache; nil if there is
// none. It returns when to come back (zero for not before something changes), and whether the closed differences are in
// the report now.
func (w *Writer) Write(ctx context.Context, key types.NamespacedName, live *v1alpha1.DriftReport, in Input) (time.Duration, bool, error) {
	past := w.get(key)
	in.Previous, in.Retention = previous(live, &past), w.retention
	content, next := Compute(in)
	switch {
	case Empty(&content) && in.Previous == nil:
		w.forget(key)
		return 0, true, nil
	case in.Previous != nil && equality.Semantic.DeepEqual(*in.Previous, content):
		return next, true, nil
	}
	if wait := w.due(&past, in.Now); wait > 0 {
		return wait, false, nil
	}
	if Empty(&content) {
		return 0, true, w.remove(ctx, key)
	}
	version, err := w.apply(ctx, key, &content)
	if terminating(err) {
		return 0, true, nil // the namespace goes, and what differed in it
	}
	if err != nil {
		return 0, false, err
	}
	w.put(key, written{version: version, content: content, last: in.Now})
	return next, true, nil
}

// due says how long a new report has to wait; zero if it is due, and then it counts as written.
func (w *Writer) due(past *written, now time.Time) time.Duration {
	if wait := past.last.Add(interval).Sub(now); wait > 0 {
		return wait
	}
	slot := w.limit.ReserveN(now, 1)
	if wait := slot.DelayFrom(now); wait > 0 {
		slot.CancelAt(now)
		return wait
	}
	return 0
}

// previous is the report that stands: the one in the cache, unless we wrote a later one.
func previous(live *v1alpha1.DriftReport, past *written) *v1alpha1.DriftReportContent {
	if live == nil {
		if past.version == "" {
			return nil
		}
		return &past.content
	}
	if order, err := resourceversion.CompareResourceVersion(live.ResourceVersion, past.version); err == nil && order < 0 {
		return &past.content
	}
	return live.Report.DeepCopy()
}

func (w *Writer) apply(ctx context.Context, key types.NamespacedName, content *v1alpha1.DriftReportContent) (string, error) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(content)
	if err != nil {
		return "", fmt.Errorf("encoding the drift report of namespace %s: %w", key.Namespace, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"report": raw}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DriftReport"))
	u.SetNamespace(key.Namespace)
	u.SetName(key.Name)
	u.SetLabels(map[string]string{v1alpha1.LabelTenant: key.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedByBulkhead})
	err = w.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
	if err != nil {
		return "", fmt.Errorf("writing the drift report of namespace %s: %w", key.Namespace, err)
	}
	return u.GetResourceVersion(), nil
}

// Remove deletes the report of a tenant that has nothing to do with the namespace any more.
func (w *Writer) Remove(ctx context.Context, live *v1alpha1.DriftReport) error {
	return w.remove(ctx, client.ObjectKeyFromObject(live))
}

func (w *Writer) remove(ctx context.Context, key types.NamespacedName) error {
	w.forget(key)
	report := &v1alpha1.DriftReport{}
	report.Namespace, report.Name = key.Namespace, key.Name
	if err := w.client.Delete(ctx, report); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting the drift report of namespace %s: %w", key.Namespace, err)
	}
	return nil
}

// Gone tells the writer that a watch reported the deletion of a report.
func (w *Writer) Gone(key types.NamespacedName) { w.forget(key) }

func (w *Writer) get(key types.NamespacedName) written {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[key]
}

func (w *Writer) put(key types.NamespacedName, what written) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[key] = what
}

func (w *Writer) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.known, key)
}

func terminating(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, "NamespaceTerminating")
}
