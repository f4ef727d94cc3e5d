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

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// LimitItem is an item of a LimitRange, with the fields and the meaning of core/v1 LimitRangeItem.
// +kubebuilder:validation:XValidation:rule="self.type == 'Container' || !has(self.default)",message="must be set for type Container only",fieldPath=".default"
// +kubebuilder:validation:XValidation:rule="self.type == 'Container' || !has(self.defaultRequest)",message="must be set for type Container only",fieldPath=".defaultRequest"
// +kubebuilder:validation:XValidation:rule="self.type != 'PersistentVolumeClaim' || (has(self.min) && 'storage' in self.min) || (has(self.max) && 'storage' in self.max)",message="min or max must set storage for type PersistentVolumeClaim"
type LimitItem struct {
	// type is what the limits apply to: Container, Pod or PersistentVolumeClaim.
	// +required
	// +kubebuilder:validation:Enum=Container;Pod;PersistentVolumeClaim
	Type corev1.LimitType `json:"type"`
	// max is the most that may be asked for, by resource.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, type(self[k]) == int ? self[k] >= 0 : !self[k].startsWith('-'))",message="must not be negative",messageExpression="'the quantity of ' + self.filter(k, type(self[k]) == int ? self[k] < 0 : self[k].startsWith('-'))[0] + ' must not be negative'"
	Max map[corev1.ResourceName]resource.Quantity `json:"max,omitempty"`
	// min is the least that may be asked for, by resource.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, type(self[k]) == int ? self[k] >= 0 : !self[k].startsWith('-'))",message="must not be negative",messageExpression="'the quantity of ' + self.filter(k, type(self[k]) == int ? self[k] < 0 : self[k].startsWith('-'))[0] + ' must not be negative'"
	Min map[corev1.ResourceName]resource.Quantity `json:"min,omitempty"`
	// default is the limit of a container that sets none, by resource. Only for type Container.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, type(self[k]) == int ? self[k] >= 0 : !self[k].startsWith('-'))",message="must not be negative",messageExpression="'the quantity of ' + self.filter(k, type(self[k]) == int ? self[k] < 0 : self[k].startsWith('-'))[0] + ' must not be negative'"
	Default map[corev1.ResourceName]resource.Quantity `json:"default,omitempty"`
	// defaultRequest is the request of a container that sets none, by resource. Only for type Container.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, type(self[k]) == int ? self[k] >= 0 : !self[k].startsWith('-'))",message="must not be negative",messageExpression="'the quantity of ' + self.filter(k, type(self[k]) == int ? self[k] < 0 : self[k].startsWith('-'))[0] + ' must not be negative'"
	DefaultRequest map[corev1.ResourceName]resource.Quantity `json:"defaultRequest,omitempty"`
	// maxLimitRequestRatio bounds limit ÷ request, by resource.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, type(self[k]) == int ? self[k] >= 0 : !self[k].startsWith('-'))",message="must not be negative",messageExpression="'the quantity of ' + self.filter(k, type(self[k]) == int ? self[k] < 0 : self[k].startsWith('-'))[0] + ' must not be negative'"
	MaxLimitRequestRatio map[corev1.ResourceName]resource.Quantity `json:"maxLimitRequestRatio,omitempty"`
}
