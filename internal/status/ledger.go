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

// Package status turns outcomes into the status of a Tenant: a pure function of what happened, compared before it
// is written.
package status

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
)

// State is how far a namespace of a tenant has come.
type State string

const (
	// Applied says that a pass was made; its outcome says the rest.
	Applied State = "Applied"
	// Conflicting says that the tenant may not have the namespace.
	Conflicting State = "Conflicting"
	// Terminating says that the namespace is being deleted.
	Terminating State = "Terminating"
	// Leaving says that the namespace left the spec, and stays as it is because nothing may be written (Observe).
	Leaving State = "Leaving"
	// Unclaimed says that the namespace has the tenant's label, and that the tenant's spec doesn't list it.
	Unclaimed State = "Unclaimed"
	// Unplanned says that the policy of the namespace can't be told, so nothing was done.
	Unplanned State = "Unplanned"
)

// Report is what is to be said of one namespace of a tenant.
type Report struct {
	// Generation is the generation of the Tenant that the report speaks of.
	Generation int64
	// State is how far the namespace has come.
	State State
	// Reason and Message explain any state but Applied; Message starts with what is in the way.
	Reason, Message string
	// Outcome is what became of the last pass; nil unless a pass was made, or something was found without one.
	Outcome *engine.Outcome
	// Findings are what opens the namespace beyond the spec, in a stable order; nil if there was nothing to judge.
	Findings []v1alpha1.IsolationFinding
}

// Ledger holds the latest report of every namespace, by tenant. It is memory only: all of it is rebuilt after a
// restart by one pass over each namespace.
type Ledger struct {
	mu      sync.Mutex
	tenants map[string]*page
	// concerned are the tenants with a report, by namespace.
	concerned map[string]map[string]bool
	notify    func(tenant string)
	differs   func(namespace string)
}

// page is what the ledger holds of one tenant.
type page struct {
	reports map[string]Report
	cluster *engine.Outcome
	// shared are what opens all of the tenant's namespaces.
	shared    []v1alpha1.IsolationFinding
	corrected []v1alpha1.DriftItem
	// closed are the corrections, field by field and by namespace, that no DriftReport has yet.
	closed  map[string][]v1alpha1.DriftReportItem
	created []string
	grant   *engine.Grant
}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{tenants: map[string]*page{}, concerned: map[string]map[string]bool{}}
}

// Notify sets what is called when there is something new to say of a tenant. Set it before the first report; it
// must not block and must not call the ledger.
func (l *Ledger) Notify(notify func(tenant string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notify = notify
}

// NotifyDifferences sets what is called when something differs in a namespace, or no longer does. The same holds for it.
func (l *Ledger) NotifyDifferences(differs func(namespace string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.differs = differs
}

func (l *Ledger) page(tenant string) *page {
	p, ok := l.tenants[tenant]
	if !ok {
		p = &page{reports: map[string]Report{}, closed: map[string][]v1alpha1.DriftReportItem{}}
		l.tenants[tenant] = p
	}
	return p
}

// Record takes a report of one namespace. A report that says nothing new is silent.
func (l *Ledger) Record(tenant, namespace string, report Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.page(tenant)
	before, known := p.reports[namespace]
	if report.Outcome != nil {
		countNew(before.Outcome, report.Outcome)
	}
	if report.Findings == nil && report.State == Applied {
		report.Findings = before.Findings // it wasn't judged this time; snapshots share them, so that nothing may write there
	} else {
		keepSince(before.Findings, report.Findings)
	}
	p.reports[namespace] = report
	if l.concerned[namespace] == nil {
		l.concerned[namespace] = map[string]bool{}
	}
	l.concerned[namespace][tenant] = true
	news := !known || !same(before, report)
	if o := report.Outcome; o != nil {
		p.close(namespace, o.Details)
		p.corrected = append(p.corrected, o.Corrected...)
		if o.Created {
			p.created = append(p.created, namespace)
		}
		p.grant = engine.Latest(p.grant, o.Grant)
		news = news || len(o.Corrected) > 0 || o.Created || o.Grant != nil
	}
	if news {
		l.tell(tenant)
	}
	if l.differs != nil && (detailsOf(&before) > 0 || detailsOf(&report) > 0) {
		l.differs(namespace)
	}
}

// RecordCluster takes the outcome of a tenant's cluster-scoped objects. It doesn't notify: the caller is the one who
// would be told.
func (l *Ledger) RecordCluster(tenant string, outcome *engine.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.page(tenant)
	countNew(p.cluster, outcome)
	p.cluster = outcome
	p.corrected = append(p.corrected, outcome.Corrected...)
}

// Retain drops the reports of a namespace by all tenants but these.
func (l *Ledger) Retain(namespace string, tenants ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.concerned[namespace] {
		if !slices.Contains(tenants, name) {
			l.drop(namespace, name)
			l.tell(name)
			if l.differs != nil {
				l.differs(namespace) // a report that was there goes
			}
		}
	}
}

func (l *Ledger) drop(namespace, tenant string) {
	if p, ok := l.tenants[tenant]; ok {
		delete(p.reports, namespace)
		delete(p.closed, namespace)
	}
	delete(l.concerned[namespace], tenant)
	if len(l.concerned[namespace]) == 0 {
		delete(l.concerned, namespace)
	}
}

// Seen reports whether there is a report of the namespace by the tenant.
func (l *Ledger) Seen(tenant, namespace string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.tenants[tenant]
	if !ok {
		return false
	}
	_, ok = p.reports[namespace]
	return ok
}

// Snapshot is what the ledger holds of a tenant at one moment.
type Snapshot struct {
	Reports   map[string]Report
	Cluster   *engine.Outcome
	Corrected []v1alpha1.DriftItem
	Created   []string
	Grant     *engine.Grant
	// Shared are what opens all of the tenant's namespaces, nil before that was judged; Reports have what opens one.
	Shared []v1alpha1.IsolationFinding
}

// Snapshot copies what the ledger holds of a tenant.
func (l *Ledger) Snapshot(tenant string) Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.page(tenant)
	return Snapshot{
		Reports:   maps.Clone(p.reports),
		Cluster:   p.cluster,
		Corrected: slices.Clone(p.corrected),
		Created:   slices.Clone(p.created),
		Grant:     p.grant,
		Shared:    slices.Clone(p.shared),
	}
}

// Published drops what a written status, or an emitted event, has said: the first corrections and creations of
// the snapshot.
func (l *Ledger) Published(tenant string, corrected, created int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.page(tenant)
	p.corrected = slices.Delete(p.corrected, 0, min(corrected, len(p.corrected)))
	p.created = slices.Delete(p.created, 0, min(created, len(p.created)))
}

// GrantVerified drops the grant that was waiting for proof, unless a newer one was written meanwhile.
func (l *Ledger) GrantVerified(tenant string, grant *engine.Grant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.page(tenant); p.grant == grant {
		p.grant = nil
	}
}

// Forget drops all that is held of a tenant.
func (l *Ledger) Forget(tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.tenants[tenant]; ok {
		for namespace := range maps.Clone(p.reports) {
			l.drop(namespace, tenant)
		}
	}
	delete(l.tenants, tenant)
}

// Tell says that there may be something new to say of a tenant.
func (l *Ledger) Tell(tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(tenant)
}

func (l *Ledger) tell(tenant string) {
	if l.notify != nil {
		l.notify(tenant)
	}
}

// same reports whether two reports say the same, apart from what is said only once.
func same(a, b Report) bool {
	if a.Generation != b.Generation || a.State != b.State || a.Reason != b.Reason || a.Message != b.Message {
		return false
	}
	if (a.Outcome == nil) != (b.Outcome == nil) {
		return false
	}
	// Nil is not judged, empty is closed: the comparison below takes the two for the same.
	if (a.Findings == nil) != (b.Findings == nil) || !equality.Semantic.DeepEqual(a.Findings, b.Findings) {
		return false
	}
	return a.Outcome == nil || (a.Outcome.Ignored == b.Outcome.Ignored && slices.Equal(a.Outcome.Conditions, b.Outcome.Conditions) &&
		slices.Equal(a.Outcome.OpenBySpec, b.Outcome.OpenBySpec) && slices.Equal(a.Outcome.GuardKeys, b.Outcome.GuardKeys) &&
		equality.Semantic.DeepEqual(a.Outcome.Open, b.Outcome.Open))
}
