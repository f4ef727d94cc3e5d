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

package operator

import (
	"context"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/features"
)

// cacheOptions keep the cache small, and keep anything that isn't meant to be cached out of it: a read of a kind
// without a watch (Pods, Secrets) fails instead of starting one.
func cacheOptions() cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            trim,
		ByObject: map[client.Object]cache.ByObject{
			&discoveryv1.EndpointSlice{}: {Namespaces: map[string]cache.Config{
				corev1.NamespaceDefault: {LabelSelector: labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: "kubernetes"})},
			}},
			&admissionregistrationv1.ValidatingAdmissionPolicy{}:        {Transform: trimPolicy},
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}: {Transform: trimPolicy},
		},
	}
}

// trim drops what nobody here reads: the managed fields of status, and what kubectl apply keeps for itself. The
// managed fields of the object proper stay: they say who changed it.
func trim(object any) (any, error) {
	m, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // a tombstone has no metadata and needs no trimming
	}
	delete(m.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
	entries := m.GetManagedFields()
	kept := make([]metav1.ManagedFieldsEntry, 0, len(entries))
	for _, entry := range entries {
		if entry.Subresource == "" {
			kept = append(kept, entry)
		}
	}
	m.SetManagedFields(kept)
	return object, nil
}

// trimPolicy leaves of policies that aren't Bulkhead's, and of their bindings, the names only: a cluster may have many.
func trimPolicy(object any) (any, error) {
	switch o := object.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		o.Status = admissionregistrationv1.ValidatingAdmissionPolicyStatus{}
		if !strings.HasPrefix(o.Name, ownPolicies) {
			o.Spec, o.ManagedFields, o.Annotations, o.Labels = admissionregistrationv1.ValidatingAdmissionPolicySpec{}, nil, nil, nil
		}
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		if !strings.HasPrefix(o.Name, ownPolicies) {
			o.Spec, o.ManagedFields, o.Annotations, o.Labels = admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{}, nil, nil, nil
		}
	}
	return trim(object)
}

// ownPolicies starts the name of each guard-rail.
const ownPolicies = "bulkhead-"

func controllerConfig(o Options) config.Controller {
	return config.Controller{SkipNameValidation: &o.SkipNameValidation}
}

// warm starts the watches of all kinds with the cache, not with the controllers: a standby replica is then as ready
// as the leader, and readiness means that everything has been read.
func warm(ctx context.Context, mgr ctrl.Manager) error {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(exposure.DefinitionKind)
	objects := []client.Object{
		&v1alpha1.Tenant{}, &v1alpha1.TenantClass{}, &v1alpha1.DriftReport{}, &corev1.Namespace{}, &discoveryv1.EndpointSlice{}, definition,
		&admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
	}
	rooms := features.All()
	for _, gvk := range append(engine.Owned(rooms, false), engine.Owned(rooms, true)...) {
		if engine.Optional(mgr.GetScheme(), gvk) {
			continue // watched only where it is served
		}
		made, err := mgr.GetScheme().New(gvk)
		if err != nil {
			return fmt.Errorf("making a %s: %w", gvk.Kind, err)
		}
		if object, ok := made.(client.Object); ok {
			objects = append(objects, object)
		}
	}
	for _, object := range objects {
		if _, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watching %T: %w", object, err)
		}
	}
	return nil
}
