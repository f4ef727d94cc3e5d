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
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/isolation"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
)

// Verification is what opens tenants, and who has access to them.
type Verification struct {
	// Tenants are the verdicts, in the order in which they were asked for.
	Tenants []Verdict `json:"tenants"`
	// Reachability says whose pods reach whose, as far as one of the tenants is concerned.
	Reachability isolation.Matrix `json:"reachability"`
	// Access is who has access to the tenants' namespaces, by tenant, namespace and subject, and last who has access to all
	// namespaces of the cluster.
	Access []Access `json:"access"`
	// Considered are the APIs whose objects were weighed; NotConsidered are those that the cluster serves, that can change
	// who reaches whom, and that were not weighed.
	Considered    []string `json:"considered"`
	NotConsidered []string `json:"notConsidered"`
	// NotKnown says why NotConsidered can't be told; empty if it can.
	NotKnown string `json:"notKnown,omitempty"`
	// NotUnderstood are sentences about parts of cluster policies that aren't understood, by kind and name. They count as
	// open.
	NotUnderstood []string `json:"notUnderstood,omitempty"`
}

// Verdict says whether a tenant is isolated as its spec says.
type Verdict struct {
	// Tenant is the tenant's name.
	Tenant string `json:"tenant"`
	// Isolated says that nothing opens the tenant beyond its spec.
	Isolated bool `json:"isolated"`
	// Findings are what does, the gravest first. Their since is the time of the survey.
	Findings []v1alpha1.IsolationFinding `json:"findings"`
	// OpenBySpec are sentences that say which walls the spec itself turns off.
	OpenBySpec []string `json:"openBySpec,omitempty"`
	// Notes are sentences about namespaces that were not looked at.
	Notes []string `json:"notes,omitempty"`
}

// room is one namespace of a tenant, ready to be judged.
type room struct {
	tenant, name string
	live         *corev1.Namespace
	plan         *engine.Plan
}

// house is what is known of all tenants before any is judged: whether one is isolated depends on whose the namespaces of
// the others are, and on the labels that these are meant to have.
type house struct {
	// rooms are the namespaces that exist, by tenant; verdicts are those to be given.
	rooms    map[string][]room
	verdicts map[string]*Verdict
	// holders are the tenants by namespace.
	holders map[string]string
	// problems are namespaces of the tenants that are asked for that can't be judged.
	problems []error
}

// Verify judges the isolation of these tenants, by what all tenants of the cluster are meant to be. The error joins what
// could not be judged; what could is in the Verification all the same, which is nil if nothing could.
func (s *Survey) Verify(ctx context.Context, tenants []string) (*Verification, error) {
	judge := exposure.NewJudge(s.reader).WithAPIs(func() []schema.GroupVersionKind { return s.served })
	if err := judge.Prime(ctx); err != nil {
		return nil, err
	}
	h, err := s.house(ctx, judge, tenants)
	if err != nil {
		return nil, err
	}
	v := &Verification{Tenants: []Verdict{}, Access: []Access{}, NotConsidered: []string{}}
	if _, _, err := judge.APIs(ctx); err != nil {
		v.NotKnown = cause(err).Error()
	}
	v.Considered, v.NotConsidered = judge.Considered(), append(v.NotConsidered, judge.NotConsidered()...)
	for _, name := range tenants {
		verdict := h.verdicts[name]
		verdict.Findings = append(verdict.Findings, judge.Shared(name)...)
		for _, r := range h.rooms[name] {
			if err := s.enter(ctx, judge, v, verdict, r); err != nil {
				h.problems = append(h.problems, fmt.Errorf("%s: %w", place(name, r.name), err))
			}
		}
		slices.SortStableFunc(verdict.Findings, compareFindings)
		verdict.Isolated = len(verdict.Findings) == 0
		v.Tenants = append(v.Tenants, *verdict)
	}
	policies, err := s.clusterPolicies(ctx)
	if err != nil {
		return nil, err
	}
	if v.NotUnderstood, err = notUnderstood(policies); err != nil {
		return nil, err
	}
	if v.Reachability, err = s.reachability(ctx, h, policies, tenants); err != nil {
		return nil, err
	}
	everywhere, err := s.everywhere(ctx)
	if err != nil {
		return nil, err
	}
	v.Access = append(v.Access, everywhere...)
	return v, errors.Join(h.problems...)
}

// cause is what the reader said, without what was asked of it.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// enter judges one namespace.
func (s *Survey) enter(ctx context.Context, judge *exposure.Judge, v *Verification, verdict *Verdict, r room) error {
	findings, err := judge.Judge(ctx, r.plan, r.live)
	if err != nil {
		return err
	}
	if findings == nil {
		return errors.New("isolation can't be judged while a policy block can't be rendered")
	}
	verdict.Findings = append(verdict.Findings, findings...)
	for _, sentence := range r.plan.OpenBySpec {
		verdict.OpenBySpec = append(verdict.OpenBySpec, r.name+": "+sentence)
	}
	access, err := s.access(ctx, r)
	v.Access = append(v.Access, access...)
	return err
}

// house finds the namespaces of all tenants and tells the judge of them.
func (s *Survey) house(ctx context.Context, judge *exposure.Judge, wanted []string) (*house, error) {
	h := &house{rooms: map[string][]room{}, verdicts: map[string]*Verdict{}, holders: map[string]string{}}
	for _, name := range wanted {
		h.verdicts[name] = &Verdict{Tenant: name, Findings: []v1alpha1.IsolationFinding{}}
	}
	all, err := s.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range append(all, wanted...) {
		if _, known := h.rooms[name]; known {
			continue
		}
		tenant, err := s.named(ctx, name)
		if err != nil {
			return nil, err
		}
		names, err := s.around(ctx, tenant)
		if err != nil {
			return nil, err
		}
		h.rooms[name] = []room{}
		for _, namespace := range names {
			if err := s.furnish(ctx, judge, h, tenant, namespace); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

// furnish looks whether a namespace is a tenant's, and if so, takes it in.
func (s *Survey) furnish(ctx context.Context, judge *exposure.Judge, h *house, tenant *v1alpha1.Tenant, name string) error {
	view, err := s.facts.Namespace(ctx, name)
	if err != nil {
		return err
	}
	verdict := h.verdicts[tenant.Name]
	if verdict == nil {
		verdict = &Verdict{} // nobody asks
	}
	if why, conflict := view.Decision.Conflicts[tenant.Name]; conflict {
		verdict.Notes = append(verdict.Notes, "namespace "+name+" "+why)
	}
	if view.Decision.Holder != tenant.Name {
		return nil
	}
	if view.Live == nil {
		verdict.Notes = append(verdict.Notes, "namespace "+name+" doesn't exist yet")
		return nil
	}
	h.holders[name] = tenant.Name
	if view.Decision.Action != membership.Ensure && view.Decision.Action != membership.Wait {
		verdict.Notes = append(verdict.Notes, "namespace "+name+" is about to leave the tenant")
		return nil
	}
	plan, err := s.plan(ctx, tenant, name)
	if err != nil && h.verdicts[tenant.Name] != nil {
		h.problems = append(h.problems, fmt.Errorf("%s: %w", place(tenant.Name, name), err))
	}
	if plan == nil {
		judge.Namespace(name, view.Live, tenant.Name, nil)
		return nil
	}
	judge.Namespace(name, view.Live, tenant.Name, plan.Namespace.Object.GetLabels())
	verdict.Notes = append(verdict.Notes, notes(plan)...)
	h.rooms[tenant.Name] = append(h.rooms[tenant.Name], room{tenant: tenant.Name, name: name, live: view.Live, plan: plan})
	return nil
}

// reachability says which tenants' pods reach which, by what is live.
func (s *Survey) reachability(
	ctx context.Context, h *house, tiers []unstructured.Unstructured, tenants []string,
) (isolation.Matrix, error) {
	namespaces := &corev1.NamespaceList{}
	if err := s.reader.List(ctx, namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return isolation.Matrix{}, fmt.Errorf("reading namespaces: %w", err)
	}
	directory := isolation.NewDirectory()
	for i := range namespaces.Items {
		live := &namespaces.Items[i]
		directory.Put(isolation.Namespace{Name: live.Name, Tenant: h.holders[live.Name], Labels: live.Labels})
	}
	for i := range tiers {
		if _, err := directory.PutClusterPolicy(&tiers[i]); err != nil {
			return isolation.Matrix{}, fmt.Errorf("weighing %s %s: %w", tiers[i].GetKind(), tiers[i].GetName(), err)
		}
	}
	policies := &networkingv1.NetworkPolicyList{}
	if err := s.reader.List(ctx, policies, client.UnsafeDisableDeepCopy); err != nil {
		return isolation.Matrix{}, fmt.Errorf("reading network policies: %w", err)
	}
	byNamespace := map[string][]*networkingv1.NetworkPolicy{}
	for i := range policies.Items {
		policy := &policies.Items[i]
		byNamespace[policy.Namespace] = append(byNamespace[policy.Namespace], policy)
	}
	if len(tenants) == 0 {
		return isolation.Matrix{Rows: []isolation.Reach{}}, nil // to ask for none of them would mean all
	}
	return isolation.Reachability(directory, byNamespace, tenants), nil
}

// clusterPolicies are all cluster policies that there are, by kind and name.
func (s *Survey) clusterPolicies(ctx context.Context) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	for _, kind := range exposure.ClusterPolicyKinds() {
		if !slices.Contains(s.served, kind) {
			continue
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := s.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("reading the objects of kind %s: %w", kind.Kind, err)
		}
		all = append(all, list.Items...)
	}
	return all, nil
}

// notUnderstood says what of cluster policies isn't understood.
func notUnderstood(policies []unstructured.Unstructured) ([]string, error) {
	var all []string
	for i := range policies {
		place := policies[i].GetKind() + " " + policies[i].GetName()
		doubts, err := isolation.ClusterPolicyDoubts(&policies[i])
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", place, err)
		}
		for _, doubt := range doubts {
			all = append(all, place+": "+doubt)
		}
	}
	return all, nil
}

func compareFindings(a, b v1alpha1.IsolationFinding) int {
	return cmp.Or(a.Severity.Compare(b.Severity), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Type, b.Type),
		cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Message, b.Message))
}
