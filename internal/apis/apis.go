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

// Package apis knows which optional APIs the cluster serves: those of which a room renders objects only where they exist.
package apis

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// Set is the optional kinds that the cluster serves and that are watched. The zero value is empty. It is safe for
// concurrent use.
type Set struct {
	mu sync.RWMutex
	// kinds is sorted, and replaced when it changes.
	kinds []schema.GroupVersionKind
}

// NewSet makes a set of kinds.
func NewSet(kinds ...schema.GroupVersionKind) *Set {
	s := &Set{}
	for _, kind := range kinds {
		s.Put(kind, true)
	}
	return s
}

// Serves reports whether a kind is in the set.
func (s *Set) Serves(kind schema.GroupVersionKind) bool { return slices.Contains(s.List(), kind) }

// List is the set, sorted. It is shared: don't change it.
func (s *Set) List() []schema.GroupVersionKind {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.kinds
}

// Put adds a kind to the set, or takes it out, and reports whether that changed it.
func (s *Set) Put(kind schema.GroupVersionKind, served bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := slices.BinarySearchFunc(s.kinds, kind, compare)
	if found == served {
		return false
	}
	next := slices.Clone(s.kinds)
	if served {
		next = slices.Insert(next, at, kind)
	} else {
		next = slices.Delete(next, at, at+1)
	}
	s.kinds = next
	return true
}

func compare(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) }

// Optional lists the optional kinds that features own, in a namespace or, if cluster is true, once for a tenant.
func Optional(scheme *runtime.Scheme, features []feature.Feature, cluster bool) []schema.GroupVersionKind {
	return slices.DeleteFunc(engine.Owned(features, cluster), func(kind schema.GroupVersionKind) bool {
		return !engine.Optional(scheme, kind)
	})
}

// Served returns which of the kinds the cluster serves now, in their order. It costs one request, and one more for each
// version of their groups that the cluster serves. An error means that it isn't known.
func Served(client discovery.ServerResourcesInterface, groups discovery.ServerGroupsInterface, kinds []schema.GroupVersionKind) ([]schema.GroupVersionKind, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	list, err := groups.ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("asking which API groups are served: %w", err)
	}
	known := map[schema.GroupVersion]bool{}
	for _, group := range list.Groups {
		for _, version := range group.Versions {
			known[schema.GroupVersion{Group: group.Name, Version: version.Version}] = true
		}
	}
	return ServedOf(client, slices.DeleteFunc(slices.Clone(kinds), func(kind schema.GroupVersionKind) bool { return !known[kind.GroupVersion()] }))
}

// ServedOf is as Served for kinds of few groups: one request for each version of a group.
func ServedOf(client discovery.ServerResourcesInterface, kinds []schema.GroupVersionKind) ([]schema.GroupVersionKind, error) {
	resources := map[schema.GroupVersion][]metav1.APIResource{}
	var served []schema.GroupVersionKind
	for _, kind := range kinds {
		version := kind.GroupVersion()
		if _, asked := resources[version]; !asked {
			list, err := client.ServerResourcesForGroupVersion(version.String())
			if err != nil && !apierrors.IsNotFound(err) {
				return nil, fmt.Errorf("asking what is served of %s: %w", version, err)
			}
			resources[version] = []metav1.APIResource{}
			if err == nil {
				resources[version] = list.APIResources
			}
		}
		if slices.ContainsFunc(resources[version], func(r metav1.APIResource) bool {
			return r.Kind == kind.Kind && !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "watch")
		}) {
			served = append(served, kind)
		}
	}
	return served, nil
}
