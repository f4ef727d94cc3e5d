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

package storage

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Room renders guard-rail data of spec.storage.
type Room struct{}

var _ feature.Feature = Room{}

// Name implements feature.Feature.
func (Room) Name() string { return "storage" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionStorageReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.storage" }

// Owns implements feature.Feature. The room renders annotations only.
func (Room) Owns() []schema.GroupVersionKind { return nil }

// Render returns the annotation that the rule storage reads, or nothing without classes. Their order is the spec's: the
// first is the default. What isn't the name of a class is an error, because it could become two entries of the list.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if f.Policy.Storage == nil || len(f.Policy.Storage.ClassNames) == 0 {
		return feature.Result{}, nil
	}
	at := field.NewPath("storage", "classNames")
	var classes []string
	var errs field.ErrorList
	for i, class := range f.Policy.Storage.ClassNames {
		for _, wrong := range validation.IsDNS1123Subdomain(string(class)) {
			errs = append(errs, field.Invalid(at.Index(i), class, wrong))
		}
		if !slices.Contains(classes, string(class)) {
			classes = append(classes, string(class))
		}
	}
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	return feature.Result{Annotations: map[string]string{v1alpha1.GuardStorageClasses: strings.Join(classes, ",")}}, nil
}
