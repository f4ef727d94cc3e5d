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

package ingress

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	selectors "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// nameAllowIngress is the name of the NetworkPolicy. It is a public contract (docs/features/ingress.md).
const nameAllowIngress = "bulkhead-allow-ingress"

// allowControllers opens the namespace to the ingress controllers, by a rule for each, sorted by name; nil without any. A
// rule without peers would open it to everybody: that is why a namespace is needed.
func allowControllers(namespace string, controllers []v1alpha1.IngressController, at *field.Path) (feature.Object, field.ErrorList) {
	if len(controllers) == 0 {
		return nil, nil
	}
	var errs field.ErrorList
	var rules []*networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration
	seen := map[string]bool{}
	for _, c := range slices.SortedStableFunc(slices.Values(controllers), func(a, b v1alpha1.IngressController) int {
		return cmp.Compare(a.Name, b.Name)
	}) {
		here := at.Key(c.Name)
		if seen[c.Name] {
			errs = append(errs, field.Duplicate(here.Child("name"), c.Name))
			continue
		}
		seen[c.Name] = true
		errs = append(errs, validateController(c, here)...)
		peer := networkingv1ac.NetworkPolicyPeer().
			WithNamespaceSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: string(c.Namespace)}))
		if c.Pods != nil && len(c.Pods.MatchLabels)+len(c.Pods.MatchExpressions) > 0 {
			peer.WithPodSelector(feature.SelectorConfig(c.Pods))
		}
		rules = append(rules, networkingv1ac.NetworkPolicyIngressRule().WithFrom(peer).WithPorts(feature.NetworkPolicyPorts(c.Ports)...))
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return networkingv1ac.NetworkPolicy(nameAllowIngress, namespace).WithSpec(networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector()).
		WithPolicyTypes(networkingv1.PolicyTypeIngress).
		WithIngress(rules...)), nil
}

func validateController(c v1alpha1.IngressController, at *field.Path) field.ErrorList {
	errs := needed(string(c.Namespace), at.Child("namespace"), validation.IsDNS1123Label)
	errs = append(errs, selectors.ValidateLabelSelector(c.Pods, selectors.LabelSelectorValidationOptions{}, at.Child("pods"))...)
	return append(errs, feature.ValidatePorts(c.Ports, at.Child("ports"))...)
}

// needed refuses a value that isn't there, or isn't valid.
func needed(value string, at *field.Path, validate func(string) []string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(at, "must be set here or in the TenantClass")}
	}
	var errs field.ErrorList
	for _, wrong := range validate(value) {
		errs = append(errs, field.Invalid(at, value, wrong))
	}
	return errs
}
