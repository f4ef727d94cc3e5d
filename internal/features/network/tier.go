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

package network

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// OwnsCluster implements feature.ClusterScoped. Both kinds are optional, and at most one of them is rendered.
func (Room) OwnsCluster() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{clusterNetworkPolicy.gvk, adminNetworkPolicy.gvk}
}

// RenderTenant returns the strict tier: policies of the Admin tier, which nobody's NetworkPolicy can overrule. They say
// again what spec.network, spec.ingress and spec.egress open, leave just that to the NetworkPolicies ("Pass"), and deny the
// rest; they open nothing. Without an API for it nothing is rendered, and nothing is missing: the NetworkPolicies hold by
// themselves.
//
// One policy is for all namespaces whose policies ask for the same, and one for each of the others: the API has no way to
// say "the same namespace as the subject", nor what a NetworkPolicy's namespace is. A namespace without a wall (boundary
// Cluster) has none.
func (Room) RenderTenant(f feature.TenantFacts) (feature.Result, error) {
	kind, ok := tierInForce(f.Cluster)
	if !ok {
		return feature.Result{}, nil
	}
	if f.PolicyError != nil {
		return feature.Result{}, f.PolicyError
	}
	if errs := validateTier(f); len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	namespaces := slices.Compact(slices.Sorted(slices.Values(f.Namespaces)))
	common := tierRules(kind, f, f.Policy, "")
	var own []string
	var result feature.Result
	for _, namespace := range namespaces {
		policy, overrides := f.Overrides[namespace]
		if !overrides {
			policy = f.Policy
		}
		boundary := boundaryOf(policy)
		rules := common
		if overrides || boundary == v1alpha1.BoundaryNamespace {
			rules = tierRules(kind, f, policy, namespace)
		}
		if boundary == boundaryOf(f.Policy) && boundary != v1alpha1.BoundaryNamespace && reflect.DeepEqual(rules, common) {
			continue
		}
		own = append(own, namespace)
		if boundary != v1alpha1.BoundaryCluster {
			result.Walls = append(result.Walls, kind.render(f.Tenant, namespace, subject(f.Tenant, corev1.LabelMetadataName,
				metav1.LabelSelectorOpIn, []string{namespace}), rules)...)
		}
	}
	if boundaryOf(f.Policy) == v1alpha1.BoundaryTenant && len(own) < len(namespaces) {
		result.Walls = slices.Concat(kind.render(f.Tenant, "", subject(f.Tenant, corev1.LabelMetadataName,
			metav1.LabelSelectorOpNotIn, own), common), result.Walls)
	}
	return result, nil
}

// validateTier checks spec.network as Render does. What is wrong for all namespaces is said once.
func validateTier(f feature.TenantFacts) field.ErrorList {
	check := func(policy v1alpha1.PolicyBlocks, at *field.Path) field.ErrorList {
		if policy.Network == nil {
			return nil
		}
		errs := validate(*policy.Network, at)
		_, wrong := renderOpenings(policy.Network.Allow, "", at.Child("allow"))
		return append(errs, wrong...)
	}
	if errs := check(f.Policy, field.NewPath("network")); len(errs) > 0 {
		return errs
	}
	var errs field.ErrorList
	for _, namespace := range sortedKeys(f.Overrides) {
		errs = append(errs, check(f.Overrides[namespace], field.NewPath("namespaces").Key(namespace).Child("policy", "network"))...)
	}
	return errs
}

// boundaryOf is who is inside the wall, with what unset means.
func boundaryOf(policy v1alpha1.PolicyBlocks) v1alpha1.Boundary {
	if policy.Network == nil || policy.Network.Boundary == "" {
		return v1alpha1.BoundaryTenant
	}
	return policy.Network.Boundary
}

// subject selects all namespaces of the tenant, or those of them whose label a requirement speaks of.
func subject(tenant, key string, operator metav1.LabelSelectorOperator, values []string) *metav1.LabelSelector {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: tenant}}
	switch {
	case operator == metav1.LabelSelectorOpIn && len(values) == 1:
		selector.MatchLabels[key] = values[0]
	case len(values) > 0:
		selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}}
	}
	return selector
}
