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

package v1alpha1

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Role is one of the user-facing ClusterRoles that Kubernetes ships.
// +kubebuilder:validation:Enum=Admin;Edit;View
type Role string

const (
	// RoleAdmin is the ClusterRole admin.
	RoleAdmin Role = "Admin"
	// RoleEdit is the ClusterRole edit.
	RoleEdit Role = "Edit"
	// RoleView is the ClusterRole view.
	RoleView Role = "View"
)

// Member is a group of subjects with one role.
// +kubebuilder:validation:XValidation:rule="has(self.role) != has(self.clusterRoleName)",message="must set exactly one of role (Admin, Edit, View) and clusterRoleName"
type Member struct {
	// name names the member inside the tenant; the RoleBindings are named bulkhead-<name>.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// role is one of the ClusterRoles that Kubernetes ships: Admin, Edit or View.
	// +optional
	Role Role `json:"role,omitempty"`

	// clusterRoleName is any other ClusterRole that the operator may bind.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^/%]+$`
	ClusterRoleName string `json:"clusterRoleName,omitempty"`

	// subjects are who gets the role: 1 to 100 Users, Groups or ServiceAccounts.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:XValidation:rule="self.kind in ['User', 'Group', 'ServiceAccount']",message="must be User, Group or ServiceAccount",messageExpression="'must be User, Group or ServiceAccount, not ' + self.kind",fieldPath=".kind"
	// +kubebuilder:validation:items:XValidation:rule="self.kind == 'ServiceAccount' ? (has(self.__namespace__) && self.__namespace__ != '') : !has(self.__namespace__)",message="must be set for a ServiceAccount, and only for one",fieldPath=".namespace"
	// +kubebuilder:validation:items:XValidation:rule="!has(self.apiGroup) || self.apiGroup == (self.kind == 'ServiceAccount' ? '' : 'rbac.authorization.k8s.io')",message="must be rbac.authorization.k8s.io for a User or Group, and unset for a ServiceAccount",messageExpression="'must be rbac.authorization.k8s.io for a User or Group, and unset for a ServiceAccount, not ' + self.apiGroup",fieldPath=".apiGroup"
	// +kubebuilder:validation:items:XValidation:rule="self.name != ''",message="must not be empty",fieldPath=".name"
	Subjects []rbacv1.Subject `json:"subjects"`

	// namespaces restricts the member to these of the tenant's namespaces. Unset means all of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces,omitempty"`

	// notAfter ends the access at that time, without any other event.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// IsUserFacingRole reports whether a ClusterRole is one of those that Kubernetes ships for users: admin, edit, view.
func IsUserFacingRole(name string) bool {
	for _, role := range []Role{RoleAdmin, RoleEdit, RoleView} {
		if name == (&Member{Role: role}).ClusterRole() {
			return true
		}
	}
	return false
}

// ClusterRole is the name of the ClusterRole that the member is bound to.
func (m *Member) ClusterRole() string {
	switch m.Role {
	case RoleAdmin:
		return "admin"
	case RoleEdit:
		return "edit"
	case RoleView:
		return "view"
	default:
		return m.ClusterRoleName
	}
}
