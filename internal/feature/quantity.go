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

package feature

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Canonical returns a copy of the quantities as the API server stores them: rounded to milli, away from zero. Rooms
// render quantities in this form, or else what they rendered would differ from what is stored. The result is never
// nil. The input isn't changed: rounding, and even printing, writes into a quantity, and facts are shared.
//
// The API server does it in SetDefaults_ResourceList:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/apis/core/v1/defaults.go#L39-L48
func Canonical(in map[corev1.ResourceName]resource.Quantity) corev1.ResourceList {
	out := make(corev1.ResourceList, len(in))
	for key, value := range in {
		value = value.DeepCopy()
		value.RoundUp(resource.Milli)
		out[key] = value
	}
	return out
}
