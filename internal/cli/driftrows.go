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

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// readers is how many DriftReports are asked for at a time.
const readers = 16

// driftRow is one difference, as the operator reported it.
type driftRow struct {
	// Tenant is whose.
	Tenant string `json:"tenant"`
	// DriftReportItem is the difference; without fields if only the Tenant's status tells of it.
	v1alpha1.DriftReportItem `json:",inline"`
	// Paths are the fields that differ, if only the Tenant's status tells of it.
	Paths []string `json:"paths,omitempty"`

	closed bool
}

// fields are the paths of what differs.
func (r *driftRow) fields() []string {
	if len(r.Fields) == 0 {
		return r.Paths
	}
	paths := make([]string, 0, len(r.Fields))
	for _, field := range r.Fields {
		paths = append(paths, field.Path)
	}
	return paths
}

// driftKey tells whether two rows are about the same difference.
type driftKey struct {
	tenant string
	object v1alpha1.ObjectReference
	kind   v1alpha1.DriftType
	closed bool
}

func (r *driftRow) key() driftKey { return driftKey{r.Tenant, r.Object, r.Type, r.closed} }

// identity tells rows of one view from each other, and said what may change of them.
func (r *driftRow) identity() string {
	return fmt.Sprintf("%+v %q %q", r.key(), r.Attribution.Manager, r.fields())
}

func (r *driftRow) said() string { return fmt.Sprintf("%s %s %d", r.Severity, r.Action, r.Count) }

// driftView is what was reported at one time.
type driftView struct {
	rows []driftRow
	// notes are sentences about what isn't in the rows.
	notes []string
	// namespaces are those of which reports were asked for.
	namespaces []string
}

// driftSource is where reports are read.
type driftSource struct {
	client client.WithWatch
	// tenant is the only one of interest; empty for all.
	tenant string
	// namespaces are the only ones of interest; empty for all.
	namespaces []string
}

// read reads what was reported.
func (s *driftSource) read(ctx context.Context) (*driftView, error) {
	if s.tenant == "" {
		return s.readAll(ctx)
	}
	tenant := &v1alpha1.Tenant{}
	err := s.client.Get(ctx, client.ObjectKey{Name: s.tenant}, tenant)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no Tenant %q: bulkhead drift without a name lists those that there are, if you may: %w", s.tenant, err)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("you may not read Tenant %q: its members may, and so may whoever has the ClusterRole bulkhead-tenant-viewer: %w", s.tenant, err)
	case err != nil:
		return nil, advise(fmt.Errorf("reading Tenant %s: %w", s.tenant, err))
	}
	view := &driftView{namespaces: s.namespaces}
	if len(s.namespaces) == 0 {
		for i := range tenant.Spec.Namespaces {
			view.namespaces = append(view.namespaces, tenant.Spec.Namespaces[i].Name)
		}
		slices.Sort(view.namespaces)
	}
	reports, err := s.reports(ctx, view)
	if err != nil {
		return nil, advise(err)
	}
	s.add(view, tenant, reports)
	view.sort()
	return view, nil
}

// readAll reads what was reported of all tenants.
func (s *driftSource) readAll(ctx context.Context) (*driftView, error) {
	tenants, err := listAll(ctx, s.client, func() *v1alpha1.TenantList { return &v1alpha1.TenantList{} })
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("you may not list Tenants: name your own (bulkhead drift TENANT), or ask for the ClusterRole bulkhead-tenant-viewer: %w", err)
	}
	if err != nil {
		return nil, advise(fmt.Errorf("listing Tenants: %w", err))
	}
	view := &driftView{}
	lists, err := listAll(ctx, s.client, func() *v1alpha1.DriftReportList { return &v1alpha1.DriftReportList{} })
	switch {
	case apierrors.IsForbidden(err):
		view.notes = append(view.notes, "you may not list DriftReports: only what the status of the Tenants tells is shown, without values")
	case err != nil:
		return nil, advise(fmt.Errorf("listing DriftReports: %w", err))
	}
	byTenant := map[string][]v1alpha1.DriftReport{}
	for _, list := range lists {
		for i := range list.Items {
			byTenant[list.Items[i].Name] = append(byTenant[list.Items[i].Name], list.Items[i])
		}
	}
	for _, list := range tenants {
		for i := range list.Items {
			s.add(view, &list.Items[i], byTenant[list.Items[i].Name])
		}
	}
	view.sort()
	return view, nil
}

// listAll lists all objects of a kind, page by page.
func listAll[L client.ObjectList](ctx context.Context, c client.Reader, newList func() L) ([]L, error) {
	var pages []L
	for next := ""; ; {
		page := newList()
		if err := c.List(ctx, page, client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, err
		}
		pages = append(pages, page)
		if next = page.GetContinue(); next == "" {
			return pages, nil
		}
	}
}

// reports gets a tenant's report in each namespace. There is none where nothing differs; where they may not be read, a
// note says so.
func (s *driftSource) reports(ctx context.Context, view *driftView) ([]v1alpha1.DriftReport, error) {
	found := make([]v1alpha1.DriftReport, len(view.namespaces))
	errs := make([]error, len(view.namespaces))
	slots, done := make(chan struct{}, readers), make(chan struct{})
	for i, namespace := range view.namespaces {
		go func() {
			slots <- struct{}{}
			errs[i] = s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.tenant}, &found[i])
			<-slots
			done <- struct{}{}
		}()
	}
	for range view.namespaces {
		<-done
	}
	var reports []v1alpha1.DriftReport
	var forbidden []string
	for i, namespace := range view.namespaces {
		switch err := errs[i]; {
		case err == nil:
			reports = append(reports, found[i])
		case apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err):
			forbidden = append(forbidden, namespace)
		default:
			return nil, fmt.Errorf("reading DriftReport %s/%s: %w", namespace, s.tenant, err)
		}
	}
	if len(forbidden) > 0 {
		view.notes = append(view.notes, fmt.Sprintf("you may not read DriftReports in %s: what the Tenant's status tells of it is shown, without values", enumerate("namespace", forbidden)))
	}
	return reports, nil
}

// maxNamed is how many names a sentence lists.
const maxNamed = 5

// enumerate is "namespace a", or "3 namespaces (a, b, c)".
func enumerate(noun string, names []string) string {
	if len(names) == 1 {
		return noun + " " + names[0]
	}
	more := ""
	if over := len(names) - maxNamed; over > 0 {
		more = fmt.Sprintf(" and %d more", over)
	}
	return fmt.Sprintf("%d %ss (%s%s)", len(names), noun, strings.Join(names[:min(len(names), maxNamed)], ", "), more)
}

// add takes a tenant's reports, and from its status what they don't have: what is at cluster scope, what was found just
// now, and what may not be read.
func (s *driftSource) add(view *driftView, tenant *v1alpha1.Tenant, reports []v1alpha1.DriftReport) {
	known := map[driftKey]bool{}
	truncated := int32(0)
	take := func(row driftRow) {
		if len(s.namespaces) > 0 && !slices.Contains(s.namespaces, namespaceOf(row.Object)) {
			return
		}
		view.rows = append(view.rows, row)
	}
	for i := range reports {
		truncated += reports[i].Report.Truncated
		for _, item := range reports[i].Report.Items {
			row := driftRow{Tenant: tenant.Name, DriftReportItem: item, closed: item.LastSeen != nil}
			known[row.key()] = true
			take(row)
		}
	}
	status := &tenant.Status.Drift
	for i, item := range slices.Concat(status.Top, status.Recent) {
		row := driftRow{Tenant: tenant.Name, Paths: item.Paths, closed: i >= len(status.Top), DriftReportItem: v1alpha1.DriftReportItem{
			Object: item.Object, Type: item.Type, Severity: item.Severity, FieldCount: item.PathCount, Action: item.Action,
			FirstSeen: item.FirstSeen, Count: item.Count,
			Attribution: v1alpha1.Attribution{User: item.User, Manager: item.Manager, Confidence: confidence(item)},
		}}
		if !known[row.key()] {
			take(row)
		}
	}
	if truncated += status.Truncated; truncated > 0 {
		view.notes = append(view.notes, fmt.Sprintf("tenant %s has more open differences than are reported one by one: %d in all", tenant.Name, status.Open))
	}
}

func confidence(item v1alpha1.DriftItem) v1alpha1.Confidence {
	switch {
	case item.User != "":
		return v1alpha1.ConfidenceAuthenticated
	case item.Manager != "":
		return v1alpha1.ConfidenceClaimed
	default:
		return v1alpha1.ConfidenceUnknown
	}
}

// sort orders rows: by tenant, what is open first, and then the gravest.
func (v *driftView) sort() {
	rank := func(r *driftRow) int {
		switch {
		case r.closed:
			return 2
		case r.Action == v1alpha1.DriftIgnored:
			return 1
		default:
			return 0
		}
	}
	slices.SortStableFunc(v.rows, func(a, b driftRow) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(rank(&a), rank(&b)), a.Severity.Compare(b.Severity),
			cmp.Compare(namespaceOf(a.Object), namespaceOf(b.Object)), cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Type, b.Type), laterFirst(a.LastSeen, b.LastSeen))
	})
}

func laterFirst(a, b *metav1.Time) int {
	switch {
	case a == nil || b == nil:
		return 0
	default:
		return b.Compare(a.Time)
	}
}
