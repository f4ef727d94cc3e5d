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
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/internal/status"
)

// explanation is the policy of a tenant, or in one of its namespaces, and what there is to say beside it.
type explanation struct {
	// Tenant is the tenant.
	Tenant string `json:"tenant"`
	// Namespace is the namespace; empty if it is about the tenant as a whole.
	Namespace string `json:"namespace,omitempty"`
	// Deleting says that the Tenant is being deleted.
	Deleting bool `json:"deleting,omitempty"`
	// Class is the TenantClass in force.
	Class explainedClass `json:"class"`
	// Settings are fields of the Tenant beside policy.
	Settings []policy.Leaf `json:"settings"`
	// Policy is the policy in force.
	Policy []policy.Leaf `json:"policy"`
	// Namespaces are what single namespaces override; only if it is about the tenant as a whole.
	Namespaces []override `json:"namespaces,omitempty"`
	// Members are who has access now.
	Members []explainedMember `json:"members"`
	// Drift says what is done about drift.
	Drift explainedDrift `json:"drift"`
	// Conditions are those of the Tenant, as the operator reported them; none if it hasn't yet, or isn't there to do so.
	Conditions []explainedCondition `json:"conditions,omitempty"`

	live bool
}

// explainedClass is the TenantClass in force.
type explainedClass struct {
	// Name is its name; empty if none is in force.
	Name string `json:"name,omitempty"`
	// Reason is Named, Default or None.
	Reason string `json:"reason"`
	// Message says it in words.
	Message string `json:"message"`
}

// explainedMember is a member that has access. Of its subjects there is nothing but the names.
type explainedMember struct {
	// Name is the member's name in the Tenant.
	Name string `json:"name"`
	// ClusterRole is the role that it has in its namespaces.
	ClusterRole string `json:"clusterRole"`
	// Subjects are the names; that of a ServiceAccount is the one of its user.
	Subjects []string `json:"subjects"`
	// Namespaces are the only ones; none are all of the tenant.
	Namespaces []string `json:"namespaces,omitempty"`
	// NotAfter is when the access ends; nil is never.
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// explainedDrift says what is done about drift.
type explainedDrift struct {
	// Mode is the mode in force now.
	Mode v1alpha1.DriftMode `json:"mode"`
	// ObserveUntil is when a pause of corrections ends; nil if none is under way.
	ObserveUntil *metav1.Time `json:"observeUntil,omitempty"`
	// Ignore are the rules about differences that are left as they are.
	Ignore []ignoreRule `json:"ignore,omitempty"`
}

// ignoreRule is a rule, and whether its time is over.
type ignoreRule struct {
	v1alpha1.DriftIgnoreRule `json:",inline"`
	// Ended says that the rule doesn't hold any more.
	Ended bool `json:"ended,omitempty"`
}

// explainedCondition is a condition, and whether it speaks of the spec as it is.
type explainedCondition struct {
	metav1.Condition `json:",inline"`
	// Outdated says that the spec has changed since.
	Outdated bool `json:"outdated,omitempty"`
}

// explainSource is where Tenants and TenantClasses are read.
type explainSource struct {
	reader client.Reader
	// files are the files that are read; none for a cluster.
	files []string
	now   func() time.Time
}

// explain explains a tenant, and the policy in a namespace unless that is empty.
func (s *explainSource) explain(ctx context.Context, name, namespace string) (*explanation, error) {
	tenant, err := s.tenant(ctx, name)
	if err != nil {
		return nil, err
	}
	if namespace != "" && facts.Spec(tenant, namespace) == nil {
		return nil, s.noNamespace(ctx, tenant, namespace)
	}
	class, err := s.class(ctx, tenant)
	if err != nil {
		return nil, err
	}
	e := &explanation{Tenant: tenant.Name, Namespace: namespace, Deleting: tenant.DeletionTimestamp != nil, live: len(s.files) == 0}
	e.Class = s.why(tenant, class)
	if e.Settings, err = policy.Settings(tenant, namespace); err != nil {
		return nil, err
	}
	if e.Policy, err = policy.Explain(tenant.Name, policy.Layers(tenant, class, namespace)...); err != nil {
		return nil, err
	}
	if namespace == "" {
		if e.Namespaces, err = overrides(tenant, class); err != nil {
			return nil, err
		}
	}
	now := s.now()
	e.Members = explainMembers(tenant, namespace, now)
	e.Drift = explainDrift(tenant, namespace, now)
	for _, condition := range tenant.Status.Conditions {
		e.Conditions = append(e.Conditions, explainedCondition{condition, condition.ObservedGeneration < tenant.Generation})
	}
	return e, nil
}

// why says why a class is in force, or none.
func (s *explainSource) why(tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass) explainedClass {
	switch {
	case class == nil:
		where := ""
		if len(s.files) > 0 {
			where = " in the files"
		}
		return explainedClass{"", "None", "the Tenant names none, and no TenantClass" + where + " is annotated as the default"}
	case tenant.Spec.ClassName != "":
		return explainedClass{class.Name, "Named", "spec.className names it"}
	default:
		return explainedClass{class.Name, "Default", "the Tenant names none, and this one is annotated as the default"}
	}
}

// explainMembers are the members that have access at a time, to a namespace or, if it is empty, to any.
func explainMembers(tenant *v1alpha1.Tenant, namespace string, now time.Time) []explainedMember {
	members, _ := facts.Members(tenant, namespace, now)
	explained := make([]explainedMember, 0, len(members))
	for i := range members {
		m := explainedMember{Name: members[i].Name, ClusterRole: members[i].ClusterRole(), Subjects: []string{}, NotAfter: members[i].NotAfter}
		if namespace == "" {
			m.Namespaces = slices.Sorted(slices.Values(members[i].Namespaces))
		}
		for _, subject := range members[i].Subjects {
			name := subject.Name
			if subject.Namespace != "" {
				name = "system:serviceaccount:" + subject.Namespace + ":" + name
			}
			m.Subjects = append(m.Subjects, name)
		}
		explained = append(explained, m)
	}
	return explained
}

// explainDrift says what is done about drift at a time, in a namespace or, if it is empty, anywhere.
func explainDrift(tenant *v1alpha1.Tenant, namespace string, now time.Time) explainedDrift {
	mode, until := status.Mode(tenant, now)
	explained := explainedDrift{Mode: mode}
	if !until.IsZero() {
		explained.ObserveUntil = &metav1.Time{Time: until.UTC()}
	}
	if tenant.Spec.Drift == nil {
		return explained
	}
	for _, rule := range tenant.Spec.Drift.Ignore {
		if namespace == "" || concerns(&rule, namespace) {
			explained.Ignore = append(explained.Ignore, ignoreRule{rule, !now.Before(rule.NotAfter.Time)})
		}
	}
	return explained
}

// concerns reports whether a rule can be about an object in a namespace, or about the Namespace itself.
func concerns(rule *v1alpha1.DriftIgnoreRule, namespace string) bool {
	switch {
	case rule.Namespace != "":
		return rule.Namespace == namespace
	case rule.Kind == "Namespace":
		return rule.Name == "" || rule.Name == namespace
	default:
		return !strings.HasPrefix(rule.Kind, "Cluster")
	}
}

// class is the TenantClass in force; nil if there is none.
func (s *explainSource) class(ctx context.Context, tenant *v1alpha1.Tenant) (*v1alpha1.TenantClass, error) {
	var classes []v1alpha1.TenantClass
	var err error
	if name := tenant.Spec.ClassName; name != "" {
		class := v1alpha1.TenantClass{}
		if err = client.IgnoreNotFound(s.reader.Get(ctx, client.ObjectKey{Name: name}, &class)); err == nil && class.Name != "" {
			classes = append(classes, class)
		}
	} else {
		classes, err = s.classes(ctx)
	}
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("you may not read TenantClasses, from which Tenant %s may start: ask for the ClusterRole bulkhead-tenant-viewer: %w", tenant.Name, err)
	case err != nil:
		return nil, advise(fmt.Errorf("reading TenantClasses: %w", err))
	}
	class, err := policy.Class(tenant, classes)
	if err != nil {
		return nil, classError(tenant.Name, len(s.files) > 0, err)
	}
	return class, nil
}

func (s *explainSource) classes(ctx context.Context) ([]v1alpha1.TenantClass, error) {
	var classes []v1alpha1.TenantClass
	pages, err := s.pages(ctx, func() client.ObjectList { return &v1alpha1.TenantClassList{} })
	for _, page := range pages {
		if list, ok := page.(*v1alpha1.TenantClassList); ok {
			classes = append(classes, list.Items...)
		}
	}
	return classes, err
}

func (s *explainSource) tenants(ctx context.Context) ([]v1alpha1.Tenant, error) {
	var tenants []v1alpha1.Tenant
	pages, err := s.pages(ctx, func() client.ObjectList { return &v1alpha1.TenantList{} })
	for _, page := range pages {
		if list, ok := page.(*v1alpha1.TenantList); ok {
			tenants = append(tenants, list.Items...)
		}
	}
	return tenants, err
}

// pages lists all objects of a kind. Files have no pages.
func (s *explainSource) pages(ctx context.Context, newList func() client.ObjectList) ([]client.ObjectList, error) {
	if len(s.files) == 0 {
		return listAll(ctx, s.reader, newList)
	}
	list := newList()
	return []client.ObjectList{list}, s.reader.List(ctx, list)
}
