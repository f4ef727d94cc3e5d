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
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

const (
	// restricted is what GuardPlacement says of every tenant that has a placement.
	restricted = "Restricted"

	// systemPrefix begins the names of PriorityClasses that Kubernetes keeps for itself.
	systemPrefix = "system-"
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

// Owns implements feature.Feature. The room renders labels and annotations only.
func (Room) Owns() []schema.GroupVersionKind { return nil }

// Render returns the annotations that the rule scheduling reads, or nothing without the block. All lists are sorted. What
// no pod could have is an error: the tenant could run nothing, and wouldn't know why.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if f.Policy.Placement == nil {
		return feature.Result{}, nil
	}
	spec, at := *f.Policy.Placement, field.NewPath("placement")
	annotations := map[string]string{v1alpha1.GuardPlacement: restricted}
	var errs field.ErrorList
	set := func(key string, list []string, wrong field.ErrorList) {
		errs = append(errs, wrong...)
		if len(list) > 0 {
			slices.Sort(list)
			annotations[key] = strings.Join(slices.Compact(list), ",")
		}
	}
	list, wrong := nodeSelector(spec.NodeSelector, at.Child("nodeSelector"))
	set(v1alpha1.GuardNodeSelector, list, wrong)
	list, wrong = tolerations(spec.Tolerations, at.Child("tolerations"))
	set(v1alpha1.GuardTolerations, list, wrong)
	list, wrong = priorities(spec.PriorityClassNames, at.Child("priorityClassNames"))
	set(v1alpha1.GuardPriorityClasses, list, wrong)
	list, wrong = names(spec.RuntimeClassNames, at.Child("runtimeClassNames"))
	set(v1alpha1.GuardRuntimeClasses, list, wrong)
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	result := feature.Result{Annotations: annotations}
	if len(spec.NodeSelector)+len(spec.Tolerations) > 0 {
		result.Labels = map[string]string{v1alpha1.GuardDefaultNodes: v1alpha1.GuardRequired}
	}
	return result, nil
}

// nodeSelector returns key=value. The schema has no words for the keys of a map, and $(tenant) may make a value too
// long.
func nodeSelector(labels map[string]v1alpha1.NodeLabelValue, at *field.Path) ([]string, field.ErrorList) {
	var out []string
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := string(labels[key])
		here := at.Key(key)
		errs = append(errs, invalid(here, key, validation.IsQualifiedName(key))...)
		errs = append(errs, invalid(here, value, validation.IsValidLabelValue(value))...)
		out = append(out, key+"="+value)
	}
	return out, errs
}

// tolerations returns key[=value][:effect].
func tolerations(all []v1alpha1.Toleration, at *field.Path) ([]string, field.ErrorList) {
	var out []string
	var errs field.ErrorList
	for i, t := range all {
		here, text := at.Index(i), t.Key
		value := string(t.Value)
		errs = append(errs, invalid(here.Child("key"), t.Key, validation.IsQualifiedName(t.Key))...)
		errs = append(errs, invalid(here.Child("value"), value, validation.IsValidLabelValue(value))...)
		switch t.Operator {
		case "", corev1.TolerationOpEqual:
			text += "=" + value
		case corev1.TolerationOpExists:
			if value != "" {
				errs = append(errs, field.Invalid(here.Child("value"), value, "must not be set beside operator Exists"))
			}
		default:
			errs = append(errs, field.NotSupported(here.Child("operator"), t.Operator,
				[]corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
		}
		switch t.Effect {
		case "":
		case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
			text += ":" + string(t.Effect)
		default:
			errs = append(errs, field.NotSupported(here.Child("effect"), t.Effect,
				[]corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}))
		}
		out = append(out, text)
	}
	return out, errs
}

// priorities are names that aren't Kubernetes' own: with system-node-critical a pod throws out any other, of the
// cluster's own too.
func priorities(classes []v1alpha1.ObjectName, at *field.Path) ([]string, field.ErrorList) {
	out, errs := names(classes, at)
	for i, name := range classes {
		if strings.HasPrefix(string(name), systemPrefix) {
			errs = append(errs, field.Invalid(at.Index(i), name, "must not begin with system-: these classes are for the cluster's own pods"))
		}
	}
	return out, errs
}

// names checks again what the schema says: a comma in one would be a list.
func names(classes []v1alpha1.ObjectName, at *field.Path) ([]string, field.ErrorList) {
	var out []string
	var errs field.ErrorList
	for i, name := range classes {
		errs = append(errs, invalid(at.Index(i), string(name), validation.IsDNS1123Subdomain(string(name)))...)
		out = append(out, string(name))
	}
	return out, errs
}

// invalid is one error for all that is wrong with a value, or none.
func invalid(at *field.Path, value string, wrong []string) field.ErrorList {
	if len(wrong) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(at, value, strings.Join(wrong, "; "))}
}
