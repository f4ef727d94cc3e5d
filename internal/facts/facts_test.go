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

package facts

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a cache in memory.
type world struct {
	tenants    []v1alpha1.Tenant
	namespaces []corev1.Namespace
	classes    []v1alpha1.TenantClass
	endpoints  []discoveryv1.EndpointSlice
	walls      []networkingv1.NetworkPolicy
	err        error
}

func (w *world) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch into := into.(type) {
	case *corev1.Namespace:
		for i := range w.namespaces {
			if w.namespaces[i].Name == key.Name {
				w.namespaces[i].DeepCopyInto(into)
				return w.err
			}
		}
	case *v1alpha1.Tenant:
		for i := range w.tenants {
			if w.tenants[i].Name == key.Name {
				w.tenants[i].DeepCopyInto(into)
				return w.err
			}
		}
	}
	if w.err != nil {
		return w.err
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (w *world) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	matches := func(field, value string) bool {
		if o.FieldSelector == nil {
			return true
		}
		want, ok := o.FieldSelector.RequiresExactMatch(field)
		return ok && want == value
	}
	switch into := into.(type) {
	case *v1alpha1.TenantList:
		for _, tenant := range w.tenants {
			for _, ns := range tenant.Spec.Namespaces {
				if matches(IndexClaims, ns.Name) {
					into.Items = append(into.Items, tenant)
				}
			}
		}
	case *corev1.NamespaceList:
		for _, ns := range w.namespaces {
			if matches(engine.IndexTenant, ns.Labels[v1alpha1.LabelTenant]) {
				into.Items = append(into.Items, ns)
			}
		}
	case *v1alpha1.TenantClassList:
		into.Items = w.classes
	case *discoveryv1.EndpointSliceList:
		into.Items = w.endpoints
	case *networkingv1.NetworkPolicyList:
		into.Items = w.walls
	default:
		return fmt.Errorf("no %T here", into)
	}
	return w.err
}

func tenant(name string, namespaces ...string) v1alpha1.Tenant {
	t := v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now)}}
	for _, ns := range namespaces {
		t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: ns})
	}
	return t
}

// namespace is a live one; ours are the paths that our apply owns, "" if we never applied it.
func namespace(name, label, ours string) corev1.Namespace {
	ns := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if label != "" {
		ns.Labels = map[string]string{v1alpha1.LabelTenant: label}
	}
	if ours != "" {
		ns.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply,
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(ours),
		}}
	}
	return ns
}

const (
	ownsLabel    = `{"f:metadata":{"f:labels":{"f:tenancy.bulkhead.dev/tenant":{}}}}`
	ownsReleased = `{"f:metadata":{"f:labels":{"f:tenancy.bulkhead.dev/released-from":{}}}}`
	ownsOther    = `{"f:metadata":{"f:labels":{"f:other":{}}}}`
)

func TestState(t *testing.T) {
	t.Parallel()
	pointer := func(ns corev1.Namespace, changes ...func(*corev1.Namespace)) *corev1.Namespace {
		for _, change := range changes {
			change(&ns)
		}
		return &ns
	}
	released := func(ns *corev1.Namespace) { ns.Labels = map[string]string{v1alpha1.LabelReleasedFrom: "acme"} }
	deleted := func(ns *corev1.Namespace) { ns.DeletionTimestamp = &metav1.Time{Time: now} }
	byUpdate := func(ns *corev1.Namespace) { ns.ManagedFields[0].Operation = metav1.ManagedFieldsOperationUpdate }
	tests := map[string]struct {
		live *corev1.Namespace
		want *membership.Namespace
	}{
		"none":                 {nil, nil},
		"foreign":              {pointer(namespace("a", "", "")), &membership.Namespace{}},
		"foreign and labelled": {pointer(namespace("a", "acme", "")), &membership.Namespace{Label: "acme"}},
		"held":                 {pointer(namespace("a", "acme", ownsLabel)), &membership.Namespace{Label: "acme", LabelOurs: true, Ours: true}},
		"the label was forged": {pointer(namespace("a", "acme", ownsOther)), &membership.Namespace{Label: "acme", Ours: true}},
		"the label was stripped": {
			pointer(namespace("a", "", ownsOther)), &membership.Namespace{Ours: true},
		},
		"released": {pointer(namespace("a", "", ownsReleased), released), &membership.Namespace{ReleasedFrom: "acme", Ours: true}},
		"the mark of release was forged": {
			pointer(namespace("a", "", ownsOther), released), &membership.Namespace{Ours: true},
		},
		"the mark of release on a foreign one": {pointer(namespace("a", "", ""), released), &membership.Namespace{}},
		"being deleted":                        {pointer(namespace("a", "", ""), deleted), &membership.Namespace{Terminating: true}},
		"our manager's name, but not by apply": {
			pointer(namespace("a", "acme", ownsLabel), byUpdate), &membership.Namespace{Label: "acme"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, stateOf(tc.live)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	leaving := tenant("acme", "a")
	leaving.DeletionTimestamp = &metav1.Time{Time: now}
	leaving.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	adopter := tenant("beta", "a")
	adopter.Spec.Namespaces[0].Adoption = v1alpha1.AdoptionIfUnclaimed
	tests := map[string]struct {
		world      world
		namespace  string
		wantAction membership.Action
		wantTenant string
		wantLive   bool
		conflict   string
	}{
		"nobody's":   {namespace: "a", wantAction: membership.None},
		"to be made": {world: world{tenants: []v1alpha1.Tenant{tenant("acme", "a")}}, namespace: "a", wantAction: membership.Ensure, wantTenant: "acme"},
		"held": {
			world:     world{tenants: []v1alpha1.Tenant{tenant("acme", "a"), tenant("beta", "a")}, namespaces: []corev1.Namespace{namespace("a", "acme", ownsLabel)}},
			namespace: "a", wantAction: membership.Ensure, wantTenant: "acme", wantLive: true, conflict: "beta",
		},
		"left the spec": {
			world:     world{tenants: []v1alpha1.Tenant{tenant("acme", "b")}, namespaces: []corev1.Namespace{namespace("a", "acme", ownsLabel)}},
			namespace: "a", wantAction: membership.Release, wantTenant: "acme", wantLive: true,
		},
		"a tenant that is being deleted claims nothing": {
			world:     world{tenants: []v1alpha1.Tenant{leaving}, namespaces: []corev1.Namespace{namespace("a", "acme", ownsLabel)}},
			namespace: "a", wantAction: membership.Delete, wantTenant: "acme", wantLive: true,
		},
		"adopted": {
			world:     world{tenants: []v1alpha1.Tenant{adopter}, namespaces: []corev1.Namespace{namespace("a", "", "")}},
			namespace: "a", wantAction: membership.Ensure, wantTenant: "beta", wantLive: true,
		},
		"the operator's own": {
			world:     world{tenants: []v1alpha1.Tenant{tenant("acme", "bulkhead-system")}, namespaces: []corev1.Namespace{namespace("bulkhead-system", "acme", ownsLabel)}},
			namespace: "bulkhead-system", wantAction: membership.None, wantLive: true, conflict: "acme",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(&tc.world, Options{OperatorNamespace: "bulkhead-system"})
			got, err := r.Namespace(t.Context(), tc.namespace)
			if err != nil {
				t.Fatal(err)
			}
			holder := ""
			if got.Tenant != nil {
				holder = got.Tenant.Name
			}
			if got.Decision.Action != tc.wantAction || holder != tc.wantTenant || holder != got.Decision.Holder || (got.Live != nil) != tc.wantLive {
				t.Errorf("%+v for %q, live: %v", got.Decision, holder, got.Live != nil)
			}
			if _, told := got.Decision.Conflicts[tc.conflict]; tc.conflict != "" && !told {
				t.Errorf("tenant %s isn't told that it doesn't get the namespace", tc.conflict)
			}
		})
	}
}

func TestHeldAndLeaving(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", "c", "b", "a", "bulkhead-system", v1alpha1.GuardProbeNamespace, v1alpha1.GuardProbeQuotaNamespace)
	w := &world{
		tenants: []v1alpha1.Tenant{acme},
		namespaces: []corev1.Namespace{
			namespace("a", "acme", ownsLabel), namespace("b", "acme", ""), namespace("d", "acme", ownsLabel), namespace("e", "acme", ownsOther),
			namespace(v1alpha1.GuardProbeNamespace, "", ownsLabel),
		},
	}
	r := NewReader(w, Options{OperatorNamespace: "bulkhead-system"})
	held, conflicts, err := r.Held(t.Context(), &acme)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "c"}, held); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	want := map[string]string{
		"b":               "exists and is not held by the tenant; set adoption: IfUnclaimed to take it over",
		"bulkhead-system": "is reserved: the operator runs there",
		// It has the label, with an empty value, and it is ours.
		v1alpha1.GuardProbeNamespace:      "is reserved: guard-rails are proven there",
		v1alpha1.GuardProbeQuotaNamespace: "is reserved: guard-rails are proven there",
	}
	if diff := cmp.Diff(want, conflicts); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	now := metav1.Now()
	w.tenants[0].DeletionTimestamp = &now
	leaving, err := r.Leaving(t.Context(), &w.tenants[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "d"}, leaving); diff != "" {
		t.Errorf("leaving (-want +got): a forged label keeps no Tenant\n%s", diff)
	}
}

// TestErrors never takes a cache that fails for one that is empty.
func TestErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("the cache is broken")
	acme := tenant("acme", "a")
	r := NewReader(&world{err: broken}, Options{})
	calls := map[string]func() error{
		"Namespace":  func() error { _, err := r.Namespace(t.Context(), "a"); return err },
		"Held":       func() error { _, _, err := r.Held(t.Context(), &acme); return err },
		"Leaving":    func() error { _, err := r.Leaving(t.Context(), &acme); return err },
		"Class":      func() error { _, err := r.Class(t.Context(), &acme); return err },
		"Of":         func() error { _, _, err := r.Of(t.Context(), &acme, "a"); return err },
		"claimants":  func() error { _, err := r.claimants(t.Context(), "a"); return err },
		"tenant":     func() error { _, err := r.tenant(t.Context(), "acme"); return err },
		"APIServers": func() error { _, err := r.APIServers(t.Context()); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want that the cache is broken", name, err)
		}
	}
}
