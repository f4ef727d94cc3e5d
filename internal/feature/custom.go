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
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Custom is an object of an optional API: a kind without an apply-configuration.
type Custom struct {
	kind            schema.GroupVersionKind
	namespace, name string
	spec            any
}

var _ Object = Custom{}

// NewCustom makes an object. The namespace is empty if the kind is cluster-scoped; spec must encode to a JSON object that
// is what the API server stores, with all defaults.
func NewCustom(kind schema.GroupVersionKind, namespace, name string, spec any) Custom {
	return Custom{kind: kind, namespace: namespace, name: name, spec: spec}
}

// IsApplyConfiguration implements runtime.ApplyConfiguration.
func (Custom) IsApplyConfiguration() {}

// GetAPIVersion implements Object.
func (c Custom) GetAPIVersion() *string {
	version := c.kind.GroupVersion().String()
	return &version
}

// GetKind implements Object.
func (c Custom) GetKind() *string { return &c.kind.Kind }

// GetName implements Object.
func (c Custom) GetName() *string { return &c.name }

// GetNamespace implements Object.
func (c Custom) GetNamespace() *string {
	if c.namespace == "" {
		return nil
	}
	return &c.namespace
}

// MarshalJSON encodes the object as the API server takes it.
func (c Custom) MarshalJSON() ([]byte, error) {
	metadata := map[string]string{"name": c.name}
	if c.namespace != "" {
		metadata["namespace"] = c.namespace
	}
	return json.Marshal(map[string]any{
		"apiVersion": c.kind.GroupVersion().String(), "kind": c.kind.Kind, "metadata": metadata, "spec": c.spec,
	})
}

// Prefixes of the names of what a tenant has once: customPrefix where the kind is cluster-scoped and takes DNS names
// only, namespacedPrefix where it is namespaced. Those are shown to other programs, which often make names of Services,
// without dots, of them.
const (
	customPrefix     = "bulkhead."
	namespacedPrefix = "bulkhead-"
)

// ClusterName is the name of a cluster-scoped object that a tenant has once, or once for one of its namespaces if that
// isn't empty: "bulkhead.<tenant>", "bulkhead.<tenant>.<namespace>". Names of tenants and namespaces have no dot, so that
// no two are the same.
func ClusterName(tenant, namespace string) string {
	if namespace == "" {
		return customPrefix + tenant
	}
	return customPrefix + tenant + "." + namespace
}

// NamespacedName is the name of a namespaced object that a tenant has once: "bulkhead-<tenant>".
func NamespacedName(tenant string) string { return namespacedPrefix + tenant }

// TenantOf is the tenant that has an object of an optional API once, by the object's namespace and name; empty if it is
// nobody's.
func TenantOf(namespace, name string) string {
	if namespace != "" {
		tenant, _ := strings.CutPrefix(name, namespacedPrefix)
		if tenant == name {
			return ""
		}
		return tenant
	}
	rest, ok := strings.CutPrefix(name, customPrefix)
	if !ok {
		return ""
	}
	tenant, _, _ := strings.Cut(rest, ".")
	return tenant
}
