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

package podsecurity

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

const (
	// labelPrefix is spelled out: the constants live in k8s.io/pod-security-admission, a module of its own.
	labelPrefix    = "pod-security.kubernetes.io/"
	versionSuffix  = "-version"
	defaultVersion = "latest"
	defaultEnforce = v1alpha1.PodSecurityRestricted
)

// Room renders Pod Security labels.
type Room struct{}

var _ feature.Feature = Room{}

// Name implements feature.Feature.
func (Room) Name() string { return "podsecurity" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionPodSecurityReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.podSecurity" }

// Owns implements feature.Feature. The room renders labels only.
func (Room) Owns() []schema.GroupVersionKind { return nil }

// Render returns the six labels, all of them always. A level that doesn't exist is an error: the admission
// plugin fails open on an unknown level of audit and warn:
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/pod-security-admission/api/helpers.go
func (Room) Render(f feature.Facts) (feature.Result, error) {
	var spec v1alpha1.PodSecurity
	if f.Policy.PodSecurity != nil {
		spec = *f.Policy.PodSecurity
	}
	enforce := or(spec.Enforce, defaultEnforce)
	version := or(spec.Version, defaultVersion)

	labels := map[string]string{}
	var errs field.ErrorList
	for _, mode := range []struct {
		name  string
		level v1alpha1.PodSecurityLevel
	}{
		{"enforce", enforce},
		{"audit", or(spec.Audit, enforce)},
		{"warn", or(spec.Warn, enforce)},
	} {
		if err := validate(mode.level, field.NewPath("podSecurity", mode.name)); err != nil {
			errs = append(errs, err)
			continue
		}
		labels[labelPrefix+mode.name] = strings.ToLower(string(mode.level))
		labels[labelPrefix+mode.name+versionSuffix] = version
	}
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	result := feature.Result{Labels: labels}
	if enforce == v1alpha1.PodSecurityPrivileged {
		result.OpenBySpec = append(result.OpenBySpec,
			"podSecurity.enforce is Privileged: pods may take over the node that they run on")
	}
	return result, nil
}

func validate(level v1alpha1.PodSecurityLevel, at *field.Path) *field.Error {
	switch level {
	case v1alpha1.PodSecurityPrivileged, v1alpha1.PodSecurityBaseline, v1alpha1.PodSecurityRestricted:
		return nil
	default:
		return field.NotSupported(at, level, []v1alpha1.PodSecurityLevel{
			v1alpha1.PodSecurityPrivileged, v1alpha1.PodSecurityBaseline, v1alpha1.PodSecurityRestricted,
		})
	}
}

func or[T ~string](value, fallback T) T {
	if value == "" {
		return fallback
	}
	return value
}
