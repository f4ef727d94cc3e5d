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

// Labels, annotations, the finalizer and the field manager are a public contract: policies, dashboards and
// other tenants' selectors refer to them.
const (
	// FieldManager is the server-side-apply field manager of everything that Bulkhead writes.
	FieldManager = "bulkhead"

	// LabelTenant names the tenant that an object, or a namespace, belongs to.
	LabelTenant = "tenancy.bulkhead.dev/tenant"
	// LabelFeature names the feature ("room") that rendered a managed object.
	LabelFeature = "tenancy.bulkhead.dev/feature"
	// LabelReleasedFrom marks a namespace that its tenant let go of: its walls are kept, nobody has access
	// through Bulkhead any more, and the value names the former tenant.
	LabelReleasedFrom = "tenancy.bulkhead.dev/released-from"
	// LabelManagedBy is the well-known label whose value is ManagedByBulkhead on every managed object.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedByBulkhead is the value of LabelManagedBy.
	ManagedByBulkhead = "bulkhead"

	// AnnotationIntent holds "<version>:<hash>" of the intent from which an object was last applied. It tells a
	// changed spec (or operator) apart from drift: only an object of the current intent can have drifted.
	AnnotationIntent = "tenancy.bulkhead.dev/intent"
	// AnnotationDefaultClass, with the value "true", makes a TenantClass the one of tenants that name none.
	AnnotationDefaultClass = "tenancy.bulkhead.dev/is-default-class"

	// Finalizer keeps a deleted Tenant until its namespaces are released or gone.
	Finalizer = "tenancy.bulkhead.dev/cleanup"

	// GuardPrefix is the prefix of the annotations from which admission guard-rails read a tenant's limits.
	GuardPrefix = "guard.bulkhead.dev/"
	// GuardRequired is the value of those labels of a namespace by which guard-rails are selected: GuardQuota, GuardDefaultNodes,
	// GuardDefaultPullPolicy.
	GuardRequired = "Required"
	// Prefix is the prefix of Bulkhead's own labels and annotations.
	Prefix = "tenancy.bulkhead.dev/"

	// GuardProbeNamespace is the namespace in which the operator proves, by requests that store nothing, that the
	// guard-rails refuse. It is no tenant's, and nothing ever runs there.
	GuardProbeNamespace = "bulkhead-guard-probe"
	// AnnotationLastChangedBy holds the name of the user whose request last changed a managed object, or a tenant's
	// namespace, as the API server authenticated it. The API server writes it (MutatingAdmissionPolicy
	// bulkhead-identity); what a client sends is overwritten.
	AnnotationLastChangedBy = "tenancy.bulkhead.dev/last-changed-by"
	// AnnotationLastChangedFrom holds the resource version to which that request was made, empty if it created the
	// object. It says whether the user who is named made a difference alone: only then was the version the last one that
	// had none. The API server writes it together with AnnotationLastChangedBy.
	AnnotationLastChangedFrom = "tenancy.bulkhead.dev/last-changed-from"

	// DefaultOperatorNamespace is where the operator is installed unless told otherwise.
	DefaultOperatorNamespace = "bulkhead-system"
)
