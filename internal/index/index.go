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

// Package index has the field indexes that facts and the engine read by: the watch cache and a snapshot of a cluster
// build them by the same functions, so that both give the same answers.
package index

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// An Index finds objects of one kind by a value that isn't a label.
type Index struct {
	// Object is an empty object of the kind.
	Object client.Object
	// Field is the name of the index, as client.MatchingFields takes it.
	Field string
	// Values returns by which values an object is found; nil for an object of another kind.
	Values client.IndexerFunc
}

// All are the indexes that facts and the engine need. The slice is the caller's own.
func All() []Index {
	return []Index{
		{&v1alpha1.Tenant{}, facts.IndexClaims, Claims},
		{&corev1.Namespace{}, engine.IndexTenant, labelledTenant},
		{&rbacv1.ClusterRole{}, engine.IndexTenant, namedTenant},
		{&rbacv1.ClusterRoleBinding{}, engine.IndexTenant, namedTenant},
	}
}

// Register registers all indexes with a cache. It fails if the cache has started, or has one of them already.
func Register(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range All() {
		if err := indexer.IndexField(ctx, index.Object, index.Field, index.Values); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", index.Object, index.Field, err)
		}
	}
	return nil
}

// Claims are the namespaces that a Tenant lists; nil for an object of another kind.
func Claims(object client.Object) []string {
	tenant, ok := object.(*v1alpha1.Tenant)
	if !ok {
		return nil
	}
	names := make([]string, 0, len(tenant.Spec.Namespaces))
	for i := range tenant.Spec.Namespaces {
		names = append(names, tenant.Spec.Namespaces[i].Name)
	}
	return names
}

// labelledTenant is the tenant that a namespace's label names, whoever wrote the label.
func labelledTenant(object client.Object) []string {
	if tenant := object.GetLabels()[v1alpha1.LabelTenant]; tenant != "" {
		return []string{tenant}
	}
	return nil
}

// namedTenant is the tenant that the name of a cluster-scoped object says.
func namedTenant(object client.Object) []string {
	if tenant := TenantOf(object.GetName()); tenant != "" {
		return []string{tenant}
	}
	return nil
}

// Custom is the index of a kind of an optional API of which a tenant has objects once.
func Custom(kind schema.GroupVersionKind) Index {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return Index{object, engine.IndexTenant, func(object client.Object) []string {
		if tenant := feature.TenantOf(object.GetNamespace(), object.GetName()); tenant != "" {
			return []string{tenant}
		}
		return nil
	}}
}

// tenantPrefix starts the name of every cluster-scoped object of a tenant: "bulkhead:tenant:<tenant>[:<member>]".
// The index goes by the name because, unlike a label, a name can't be changed.
const tenantPrefix = "bulkhead:tenant:"

// TenantOf is the tenant whose cluster-scoped object has this name; empty if it is nobody's.
func TenantOf(name string) string {
	rest, ok := strings.CutPrefix(name, tenantPrefix)
	if !ok {
		return ""
	}
	tenant, _, _ := strings.Cut(rest, ":")
	return tenant
}
