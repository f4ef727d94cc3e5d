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

package placement

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Room renders guard-rail data of spec.placement.
type Room struct{}

var _ feature.Feature = Room{}

// Name implements feature.Feature.
func (Room) Name() string { return "placement" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionPlacementReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.placement" }

// Owns implements feature.Feature. The room renders annotations only.
func (Room) Owns() []schema.GroupVersionKind { return nil }

// Render returns the annotations.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	return feature.Result{}, nil
}
