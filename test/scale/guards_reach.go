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

package main

import (
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// reach is what decides which guard-rails look at a request.
type reach struct {
	group, resource string
	operation       admissionregistrationv1.OperationType
	// object and namespace are the labels of the object and of its namespace; of a namespace both are its own.
	object, namespace labels.Set
}

// about are the guard-rails that look at a request.
func (g *guardedWorld) about(r reach) (rules, defaults []string, err error) {
	for _, rail := range g.rails {
		matches, err := r.matched(rail.Policy.Spec.MatchConstraints, rail.Binding.Spec.MatchResources)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the selectors of %s: %w", rail.Name(), err)
		}
		if matches {
			rules = append(rules, rail.Name())
		}
	}
	for _, mutator := range g.mutators {
		matches, err := r.matched(mutator.Policy.Spec.MatchConstraints, mutator.Binding.Spec.MatchResources)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the selectors of %s: %w", mutator.Name(), err)
		}
		if matches {
			defaults = append(defaults, mutator.Name())
		}
	}
	slices.Sort(rules)
	slices.Sort(defaults)
	return rules, defaults, nil
}

// matched says whether both a policy and its binding, which may have no resources of its own, take a request in.
func (r reach) matched(policy, binding *admissionregistrationv1.MatchResources) (bool, error) {
	matches, err := r.selected(policy.NamespaceSelector, policy.ObjectSelector)
	if err != nil || !matches || !r.ruled(policy.ResourceRules) || r.ruled(policy.ExcludeResourceRules) {
		return false, err
	}
	if binding == nil {
		return true, nil
	}
	matches, err = r.selected(binding.NamespaceSelector, binding.ObjectSelector)
	return matches && (len(binding.ResourceRules) == 0 || r.ruled(binding.ResourceRules)) && !r.ruled(binding.ExcludeResourceRules), err
}

// selected says whether both selectors match. Nil matches everything.
func (r reach) selected(namespace, object *metav1.LabelSelector) (bool, error) {
	for _, one := range []struct {
		selector *metav1.LabelSelector
		labels   labels.Set
	}{{namespace, r.namespace}, {object, r.object}} {
		if one.selector == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(one.selector)
		if err != nil || !selector.Matches(one.labels) {
			return false, err
		}
	}
	return true, nil
}

// ruled says whether one of the rules is about the request.
func (r reach) ruled(rules []admissionregistrationv1.NamedRuleWithOperations) bool {
	return slices.ContainsFunc(rules, func(rule admissionregistrationv1.NamedRuleWithOperations) bool {
		return includes(rule.APIGroups, r.group) && includes(rule.Resources, r.resource) && includes(rule.Operations, r.operation)
	})
}

func includes[T ~string](some []T, one T) bool {
	return slices.Contains(some, one) || slices.Contains(some, "*")
}
