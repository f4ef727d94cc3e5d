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

package drift

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// podSecurityPrefix is the prefix of the labels that Pod Security admission obeys.
const podSecurityPrefix = "pod-security.kubernetes.io/"

// Severity says how much a difference opens: that of its gravest change. No difference is SeverityInfo.
func Severity(gvk schema.GroupVersionKind, d Difference) v1alpha1.Severity {
	worst := v1alpha1.SeverityInfo
	for _, change := range d.Changes {
		if change.Type == v1alpha1.DriftOwnershipLost {
			continue // no value differs
		}
		if s := changeSeverity(gvk.GroupKind(), change.Field); s.Compare(worst) < 0 {
			worst = s
		}
	}
	return worst
}

// MissingSeverity says how much it opens that an object of this kind is gone.
func MissingSeverity(gvk schema.GroupVersionKind) v1alpha1.Severity {
	switch gvk.GroupKind() {
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"},
		schema.GroupKind{Group: "policy.networking.k8s.io", Kind: "ClusterNetworkPolicy"},
		schema.GroupKind{Group: "policy.networking.k8s.io", Kind: "AdminNetworkPolicy"},
		schema.GroupKind{Group: "k8s.ovn.org", Kind: "EgressFirewall"}:
		return v1alpha1.SeverityCritical
	case schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"},
		schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}:
		// Someone lost access; nothing got opened.
		return v1alpha1.SeverityMedium
	default:
		return v1alpha1.SeverityHigh
	}
}

func changeSeverity(kind schema.GroupKind, path fieldpath.Path) v1alpha1.Severity {
	switch {
	case name(path, 0) == "metadata":
		return metadataSeverity(kind, path)
	case kind.Group == "networking.k8s.io", kind.Group == "rbac.authorization.k8s.io",
		kind.Group == "policy.networking.k8s.io", kind.Kind == "CiliumNetworkPolicy", kind.Kind == "EgressFirewall":
		return v1alpha1.SeverityCritical
	default:
		return v1alpha1.SeverityHigh
	}
}

func metadataSeverity(kind schema.GroupKind, path fieldpath.Path) v1alpha1.Severity {
	isMap := name(path, 1) == "labels" || name(path, 1) == "annotations"
	if isMap && kind == (schema.GroupKind{Kind: "Namespace"}) && strings.HasPrefix(name(path, 2), v1alpha1.GuardPrefix) {
		return v1alpha1.SeverityHigh // from there the guard-rails read what the tenant may do
	}
	switch name(path, 1) {
	case "labels":
		key := name(path, 2)
		if kind == (schema.GroupKind{Kind: "Namespace"}) &&
			(key == v1alpha1.LabelTenant || strings.HasPrefix(key, podSecurityPrefix)) {
			return v1alpha1.SeverityCritical
		}
		return v1alpha1.SeverityMedium
	case "annotations":
		return v1alpha1.SeverityMedium
	default:
		// An injected owner reference hands the object to the garbage collector.
		return v1alpha1.SeverityHigh
	}
}

// name returns the i-th element of a path if it is a field name, else "".
func name(path fieldpath.Path, i int) string {
	if i >= len(path) || path[i].FieldName == nil {
		return ""
	}
	return *path[i].FieldName
}
