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

package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/metrics"
)

const (
	// settle is how long a tenant may be under way before its status says so: most are done by then, and one
	// write is enough.
	settle = 5 * time.Second
	// interval is the least time between two writes of one tenant's status.
	interval = 2 * time.Second
	// patience is how long after a restart a status that was complete is left as it is while namespaces are
	// still being looked at.
	patience = 30 * time.Second
)

// Writer writes the status of Tenants: only if it changed, and not too often. It is safe for concurrent use, one
// write of a tenant at a time.
type Writer struct {
	client client.Client
	now    func() time.Time

	mu    sync.Mutex
	known map[string]*written
}

// written is what the writer remembers of one tenant.
type written struct {
	uid types.UID
	// version and status are those of the last write: the cache may lag behind it.
	version string
	status  v1alpha1.TenantStatus
	last    time.Time
	// since is when the tenant was first seen under way.
	since time.Time
}

// NewWriter makes a writer.
func NewWriter(c client.Client) *Writer {
	return &Writer{client: c, now: time.Now, known: map[string]*written{}}
}

func (w *Writer) entry(tenant *v1alpha1.Tenant) *written {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.known[tenant.Name]
	if !ok || e.uid != tenant.UID {
		e = &written{uid: tenant.UID}
		w.known[tenant.Name] = e
	}
	return e
}

// Forget drops what is remembered of a tenant.
func (w *Writer) Forget(tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.known, tenant)
}

// Previous is the last status of a tenant that was written, by this process or an earlier one.
func (w *Writer) Previous(tenant *v1alpha1.Tenant) v1alpha1.TenantStatus {
	e := w.entry(tenant)
	if order, err := resourceversion.CompareResourceVersion(tenant.ResourceVersion, e.version); err == nil && order < 0 {
		return *e.status.DeepCopy()
	}
	return *tenant.Status.DeepCopy()
}

// Write writes the status that the rollup makes, if it is new and due. It returns when to come back if it isn't
// due yet, and whether what the rollup's snapshot holds has been published.
func (w *Writer) Write(ctx context.Context, rollup Rollup) (wait time.Duration, done bool, err error) {
	e := w.entry(rollup.Tenant)
	next := Compute(rollup)
	metrics.Tenant(rollup.Tenant.Name, &next, rollup.OpenBySeverity())
	metrics.Isolation(rollup.Tenant.Name, rollup.FindingsByType())
	if equality.Semantic.DeepEqual(next, rollup.Previous) {
		e.since = time.Time{}
		return 0, true, nil
	}
	if wait := w.due(e, &rollup, &next); wait > 0 && !urgent(&rollup.Previous, &next) {
		return wait, false, nil
	}
	patch, err := mergePatch(&rollup.Previous, &next)
	if err != nil {
		return 0, false, err
	}
	changed := rollup.Tenant.DeepCopy()
	if err := w.client.Status().Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		return 0, false, client.IgnoreNotFound(fmt.Errorf("writing status: %w", err))
	}
	e.version, e.status, e.last, e.since = changed.ResourceVersion, next, w.now(), time.Time{}
	return 0, true, nil
}

// underWay reports whether a status says that time alone will change it.
func underWay(s *v1alpha1.TenantStatus) bool {
	isolated := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionIsolated)
	unjudged := isolated != nil && isolated.Status == metav1.ConditionUnknown
	return meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling) ||
		(unjudged && meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady))
}

// urgent reports whether a status may not wait: people wait for the one kind of news, and the others are alarms.
func urgent(before, after *v1alpha1.TenantStatus) bool {
	return (becomesReady(before, after) && !underWay(after)) || IsolationLost(before, after) || guardLost(before, after)
}

// becomesReady reports whether a status says for the first time that the tenant is Ready. People and pipelines wait
// for that, and it can't come more often than the write before, which had to wait, said that it is not.
func becomesReady(before, after *v1alpha1.TenantStatus) bool {
	return !meta.IsStatusConditionTrue(before.Conditions, v1alpha1.ConditionReady) &&
		meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionReady)
}

// mergePatch makes a JSON merge patch that turns one status into another. It carries the whole new status and not
// only what changed: a count that was never written is absent, not 0, and `kubectl get` shows it as nothing.
func mergePatch(before, after *v1alpha1.TenantStatus) (client.Patch, error) {
	from, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return nil, fmt.Errorf("encoding the previous status: %w", err)
	}
	to, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	if err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	removeMissing(from, to)
	raw, err := json.Marshal(map[string]any{"status": to})
	if err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	return client.RawPatch(types.MergePatchType, raw), nil
}

// removeMissing sets what is in from and not in to, at any depth of maps, to null: that is how a merge patch removes.
func removeMissing(from, to map[string]any) {
	for key, value := range from {
		next, ok := to[key]
		if !ok {
			to[key] = nil
			continue
		}
		before, isMap := value.(map[string]any)
		after, stays := next.(map[string]any)
		if isMap && stays {
			removeMissing(before, after)
		}
	}
}

// due says how long a new status has to wait; zero if it is due.
func (w *Writer) due(e *written, rollup *Rollup, next *v1alpha1.TenantStatus) time.Duration {
	now := w.now()
	if e.since.IsZero() {
		e.since = now
	}
	if underWay(next) && rollup.Tenant.DeletionTimestamp == nil {
		grace := settle
		if rollup.Previous.ObservedGeneration == rollup.Tenant.Generation && e.last.IsZero() {
			grace = patience // restarted: what the status says was true, and most likely still is
		}
		if wait := e.since.Add(grace).Sub(now); wait > 0 {
			return wait
		}
	}
	return e.last.Add(interval).Sub(now)
}

// NewConflicts are the conflicting namespaces of a rollup, sorted, if the status said of none before.
func NewConflicts(r Rollup) []string {
	if r.Previous.Namespaces.Conflicting >= count(len(r.Conflicts)) {
		return nil
	}
	return sortedKeys(r.Conflicts)
}

// NewlyOpen are the open differences of a rollup that the status didn't name before, or not as a fight, and that nobody
// corrects.
func NewlyOpen(r Rollup) []v1alpha1.DriftItem {
	var news []v1alpha1.DriftItem
	for _, item := range r.drift().Top {
		known := slices.ContainsFunc(r.Previous.Drift.Top, func(p v1alpha1.DriftItem) bool {
			return sameDrift(&p, &item) && (item.Type != v1alpha1.DriftContested || p.Type == v1alpha1.DriftContested)
		})
		if (item.Action == v1alpha1.DriftReported || item.Action == v1alpha1.DriftBackoff) && !known {
			news = append(news, item)
		}
	}
	return news
}

// Enumerate names the first few of many: "namespaces a, b, c and 4 more".
func Enumerate(what string, names []string) string {
	if len(names) > 1 {
		what += "s"
	}
	text := what + " " + strings.Join(names[:min(len(names), 10)], ", ")
	if rest := len(names) - 10; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}
