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

package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// Site keeps the probe namespaces such that each probe is refused. It makes none: they are installed with the rights that
// go with them.
type Site struct {
	cache      client.Reader
	writer     client.Writer
	namespaces map[string]ProbeMetadata
}

// NewSite makes a Site for the probes of guard-rails. It fails if these contradict each other.
func NewSite(cache client.Reader, writer client.Writer, rails []Rail) (*Site, error) {
	namespaces, err := ProbeNamespaces(rails)
	if err != nil {
		return nil, err
	}
	return &Site{cache: cache, writer: writer, namespaces: namespaces}, nil
}

// Prepare brings the labels and annotations of the probe namespaces into line. It writes only if something differs. A
// namespace that isn't there, or goes, is left alone: that no probe can be made there is for the prober to say.
func (s *Site) Prepare(ctx context.Context) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.namespaces)) {
		live := &corev1.Namespace{}
		err := s.cache.Get(ctx, client.ObjectKey{Name: name}, live, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) || err == nil && (live.DeletionTimestamp != nil || prepared(live, s.namespaces[name])) {
			continue
		}
		if err == nil {
			err = s.apply(ctx, name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("preparing namespace %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// prepared reports whether a namespace has what it must have, and no other guard-rail data.
func prepared(live *corev1.Namespace, want ProbeMetadata) bool {
	return same(live.Labels, want.Labels) && same(live.Annotations, want.Annotations)
}

func same(have, want map[string]string) bool {
	for key, value := range want {
		if got, there := have[key]; !there || got != value {
			return false
		}
	}
	for key := range have {
		if _, wanted := want[key]; strings.HasPrefix(key, v1alpha1.GuardPrefix) && !wanted {
			return false
		}
	}
	return true
}

func (s *Site) apply(ctx context.Context, name string) error {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	u.SetName(name)
	u.SetLabels(s.namespaces[name].Labels)
	if len(s.namespaces[name].Annotations) > 0 {
		u.SetAnnotations(s.namespaces[name].Annotations)
	}
	return s.writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}
