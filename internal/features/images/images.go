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

package images

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

const (
	// maxRegistry is the bound of the schema, which a long name of a tenant may still break.
	maxRegistry = 253

	// hub is Docker Hub, and legacyHub its old name, which nodes take for the same.
	hub, legacyHub = "docker.io/", "index.docker.io/"
)

// registry is the pattern of v1alpha1.Registry with the tenant's name filled in.
var registry = regexp.MustCompile(`^[a-z0-9][-a-z0-9.]*(:[0-9]{1,5})?/([a-z0-9][-a-z0-9._]*/)*$`)

// Room renders guard-rail data of spec.images.
type Room struct{}

var _ feature.Feature = Room{}

// Name implements feature.Feature.
func (Room) Name() string { return "images" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionImagesReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.images" }

// Owns implements feature.Feature. The room renders annotations only.
func (Room) Owns() []schema.GroupVersionKind { return nil }

// Render returns the annotations that the rule images reads, or nothing without the block. Registries are sorted. A
// registry that no image could come from is an error: the tenant could run nothing, and wouldn't know why.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if f.Policy.Images == nil {
		return feature.Result{}, nil
	}
	spec, at := *f.Policy.Images, field.NewPath("images")
	annotations, labels := map[string]string{}, map[string]string{}

	registries, errs := render(spec.Registries, at.Child("registries"))
	if len(registries) > 0 {
		annotations[v1alpha1.GuardRegistries] = strings.Join(registries, ",")
	}
	switch spec.Digests {
	case "", v1alpha1.DigestsOptional:
	case v1alpha1.DigestsRequired:
		annotations[v1alpha1.GuardDigests] = string(spec.Digests)
	default:
		errs = append(errs, field.NotSupported(at.Child("digests"), spec.Digests,
			[]v1alpha1.Digests{v1alpha1.DigestsRequired, v1alpha1.DigestsOptional}))
	}
	switch spec.PullPolicy {
	case "":
	case v1alpha1.PullAlways:
		annotations[v1alpha1.GuardPullPolicy] = string(spec.PullPolicy)
		labels[v1alpha1.GuardDefaultPullPolicy] = v1alpha1.GuardRequired
	default:
		errs = append(errs, field.NotSupported(at.Child("pullPolicy"), spec.PullPolicy, []v1alpha1.PullPolicy{v1alpha1.PullAlways}))
	}
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	return feature.Result{Annotations: annotations, Labels: labels}, nil
}

// render returns the registries as the rule compares them with images: sorted, each once, Docker Hub by its one name.
func render(registries []v1alpha1.Registry, at *field.Path) ([]string, field.ErrorList) {
	var out []string
	var errs field.ErrorList
	for i, r := range registries {
		text := string(r)
		if err := validate(text, at.Index(i)); err != nil {
			errs = append(errs, err)
			continue
		}
		if rest, legacy := strings.CutPrefix(text, legacyHub); legacy {
			text = hub + rest
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return slices.Compact(out), errs
}

// validate refuses what isn't the beginning of a full image reference. What stands before the first slash is a host
// only if it has a dot or a port, or is localhost; else nodes take it for a folder of Docker Hub:
// https://github.com/distribution/reference/blob/v0.6.0/normalize.go#L143-L191
func validate(text string, at *field.Path) *field.Error {
	if len(text) > maxRegistry {
		return field.TooLong(at, text, maxRegistry)
	}
	if !registry.MatchString(text) {
		return field.Invalid(at, text, `must be the beginning of image references, in lower case, and end in "/", as "registry.example.com/acme/"`)
	}
	if host, _, _ := strings.Cut(text, "/"); host != "localhost" && !strings.ContainsAny(host, ".:") {
		return field.Invalid(at, text, fmt.Sprintf(
			`must begin with the registry's host, which has a dot or a port, or is localhost: %q is a folder of Docker Hub, %q`, host, hub+text))
	}
	return nil
}
