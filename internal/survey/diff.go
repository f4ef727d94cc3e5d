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

package survey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
)

// Difference is one object that isn't what a tenant's spec says.
type Difference struct {
	// Tenant is whose spec.
	Tenant string `json:"tenant"`
	// DriftReportItem is what differs, as a DriftReport says it. Its firstSeen is the time of the survey.
	v1alpha1.DriftReportItem `json:",inline"`

	// Whole is what an object would have that is missing, or has that is surplus; nil for all others. Values are in it
	// only as far as they may be shown.
	Whole *Whole `json:"-"`
}

// Ignored reports whether a rule of the Tenant covers the difference.
func (d *Difference) Ignored() bool { return d.Action == v1alpha1.DriftIgnored }

// Diff is what the operator would change.
type Diff struct {
	// Differences are sorted by tenant, namespace, kind and name, what is at cluster scope first and a Namespace before
	// what is in it.
	Differences []Difference
	// Notes are sentences about what isn't a difference and ought to be known: conflicts, and what waits.
	Notes []string
}

// Open is the number of differences that no rule ignores.
func (d *Diff) Open() int {
	open := 0
	for i := range d.Differences {
		if !d.Differences[i].Ignored() {
			open++
		}
	}
	return open
}

// Diff computes anew what the specs of these tenants ask for, and compares it with what is there. The error joins what
// could not be computed or compared; what could is in the Diff all the same.
func (s *Survey) Diff(ctx context.Context, tenants []string) (*Diff, error) {
	d := &Diff{}
	var problems []error
	for _, name := range tenants {
		if err := s.diffTenant(ctx, d, name); err != nil {
			problems = append(problems, err)
		}
	}
	slices.SortStableFunc(d.Differences, compareDifferences)
	return d, errors.Join(problems...)
}

func compareDifferences(a, b Difference) int {
	inside := func(o *v1alpha1.ObjectReference) (namespace string, rank int) {
		if o.Kind == "Namespace" && o.Group == "" {
			return o.Name, 0
		}
		return o.Namespace, 1
	}
	aNamespace, aRank := inside(&a.Object)
	bNamespace, bRank := inside(&b.Object)
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(aNamespace, bNamespace), cmp.Compare(aRank, bRank),
		cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Type, b.Type))
}

func (s *Survey) diffTenant(ctx context.Context, d *Diff, name string) error {
	tenant, err := s.named(ctx, name)
	if err != nil {
		return err
	}
	names, err := s.around(ctx, tenant)
	if err != nil {
		return err
	}
	var held []string
	var problems []error
	for _, namespace := range names {
		view, err := s.facts.Namespace(ctx, namespace)
		if err != nil {
			return err
		}
		mine, err := s.diffNamespace(ctx, d, tenant, view, namespace)
		if mine {
			held = append(held, namespace)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", place(name, namespace), err))
		}
	}
	if tenant.DeletionTimestamp != nil {
		return errors.Join(problems...) // what is at cluster scope goes last, and by itself
	}
	plan, err := s.planTenant(ctx, tenant, held)
	if err != nil {
		problems = append(problems, fmt.Errorf("tenant %s: %w", name, err))
	}
	if plan != nil {
		problems = append(problems, s.compare(ctx, d, tenant, plan, nil))
	}
	return errors.Join(problems...)
}

// diffNamespace compares one namespace that has to do with a tenant, and reports whether it is the tenant's and stays
// so.
func (s *Survey) diffNamespace(ctx context.Context, d *Diff, tenant *v1alpha1.Tenant, view *facts.Namespace, name string) (bool, error) {
	if why, conflict := view.Decision.Conflicts[tenant.Name]; conflict {
		d.Notes = append(d.Notes, fmt.Sprintf("%s %s", place(tenant.Name, name), why))
		return false, nil
	}
	mine := view.Decision.Holder == tenant.Name
	switch view.Decision.Action {
	case membership.Ensure:
		if !mine {
			return false, nil
		}
		plan, err := s.plan(ctx, tenant, name)
		if plan == nil {
			return true, err
		}
		return true, errors.Join(err, s.compare(ctx, d, tenant, plan, view.Live))
	case membership.Wait:
		if mine {
			d.Notes = append(d.Notes, place(tenant.Name, name)+" is being deleted and would be created anew")
		}
		return mine, nil
	case membership.Release, membership.Delete:
		if mine {
			return false, s.leave(ctx, d, tenant, view)
		}
	case membership.None:
		if live := view.Live; live != nil && live.Labels[v1alpha1.LabelTenant] == tenant.Name {
			d.add(tenant.Name, engine.Unclaimed(live), nil)
		}
	}
	return false, nil
}

func (d *Diff) add(tenant string, item v1alpha1.DriftReportItem, whole *Whole) {
	d.Differences = append(d.Differences, Difference{Tenant: tenant, DriftReportItem: item, Whole: whole})
}

// compare runs a plan dry and takes what it would do. live is nil if there is no Namespace.
func (s *Survey) compare(ctx context.Context, d *Diff, tenant *v1alpha1.Tenant, plan *engine.Plan, live *corev1.Namespace) error {
	pass := engine.Pass{Mode: v1alpha1.DriftEnforce, DryRun: true}
	if tenant.Spec.Drift != nil {
		pass.Ignore, _ = drift.NewIgnore(tenant.Spec.Drift.Ignore, s.now)
	}
	if live != nil {
		pass.Live = live
	}
	outcome := s.engine.Run(ctx, plan, pass)
	d.Notes = append(d.Notes, notes(plan)...)
	for _, item := range outcome.Details {
		whole, err := s.whole(ctx, plan, &item)
		if err != nil {
			return err
		}
		d.add(tenant.Name, item, whole)
	}
	if outcome.CheckFailed != "" && outcome.Err == nil {
		return errors.New(outcome.CheckFailed)
	}
	return outcome.Err
}

// leave tells what would become of a namespace that leaves a tenant.
func (s *Survey) leave(ctx context.Context, d *Diff, tenant *v1alpha1.Tenant, view *facts.Namespace) error {
	if view.Live == nil || view.Live.DeletionTimestamp != nil {
		return nil
	}
	item := v1alpha1.DriftReportItem{
		Object: v1alpha1.ObjectReference{Kind: "Namespace", Name: view.Live.Name}, Type: v1alpha1.DriftObjectForeign,
		Severity: v1alpha1.SeverityHigh, Action: v1alpha1.DriftReported, FirstSeen: seen(s.now),
		Attribution: v1alpha1.Attribution{Confidence: v1alpha1.ConfidenceUnknown},
	}
	if view.Decision.Action == membership.Delete {
		item.Severity = v1alpha1.SeverityCritical
		item.Hint = "leaves the tenant: with deletionPolicy Delete it is deleted with everything in it"
		d.add(tenant.Name, item, nil)
		return nil
	}
	item.Hint = "leaves the tenant: its walls stay, its tenant label and its members' access go"
	d.add(tenant.Name, item, nil)
	// A plan that asks for nothing: all that we applied is surplus, of which Retain removes the doors.
	empty := &engine.Plan{Tenant: tenant.Name, Name: view.Live.Name}
	outcome := s.engine.Run(ctx, empty, engine.Pass{Mode: v1alpha1.DriftEnforce, DryRun: true})
	for _, item := range outcome.Details {
		if item.Object.Kind != "RoleBinding" {
			continue
		}
		whole, err := s.whole(ctx, empty, &item)
		if err != nil {
			return err
		}
		d.add(tenant.Name, item, whole)
	}
	return outcome.Err
}

// whole is all of an object that is missing or surplus; nil for one that only differs.
func (s *Survey) whole(ctx context.Context, plan *engine.Plan, item *v1alpha1.DriftReportItem) (*Whole, error) {
	switch item.Type {
	case v1alpha1.DriftObjectMissing:
		for _, intent := range plan.Objects() {
			if intent.GVK.Kind == item.Object.Kind && intent.Key.Name == item.Object.Name && intent.Key.Namespace == item.Object.Namespace {
				return s.intended(intent.Object)
			}
		}
	case v1alpha1.DriftObjectForeign:
		live, err := s.live(ctx, item.Object)
		if live == nil || err != nil {
			return nil, err
		}
		return s.surplus(live)
	}
	return nil, nil
}

// live reads an object of an owned kind; nil if there is none.
func (s *Survey) live(ctx context.Context, ref v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	gvk, known := s.kind(ref)
	if !known {
		return nil, nil
	}
	made, err := s.scheme.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("making a %s: %w", gvk.Kind, err)
	}
	object, ok := made.(client.Object)
	if !ok {
		return nil, nil
	}
	if err := s.reader.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	return u, nil
}

// kind finds the version of an owned kind, which a reference leaves out.
func (s *Survey) kind(ref v1alpha1.ObjectReference) (schema.GroupVersionKind, bool) {
	for _, gvk := range append(engine.Owned(s.features, false), engine.Owned(s.features, true)...) {
		if gvk.Group == ref.Group && gvk.Kind == ref.Kind {
			return gvk, true
		}
	}
	return schema.GroupVersionKind{}, false
}
