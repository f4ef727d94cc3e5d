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

// Condition types of a Tenant.
const (
	// ConditionReady is True when the spec is fully realised in every namespace.
	ConditionReady = "Ready"
	// ConditionInSync is True when nothing differs from intent.
	ConditionInSync = "InSync"
	// ConditionIsolated is True when nothing opens the tenant beyond its spec.
	ConditionIsolated = "Isolated"
	// ConditionNamespacesReady is True when every listed namespace is held, labelled and live.
	ConditionNamespacesReady = "NamespacesReady"
	// ConditionGuarded is True when the guard-rails that the tenant relies on are installed, unchanged and proven live.
	ConditionGuarded = "Guarded"
	// ConditionReconciling is present, and True, only while work is under way (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present, and True, only when a human must act (kstatus).
	ConditionStalled = "Stalled"
)

// Condition types of the features, one for each room.
const (
	ConditionAccessReady      = "AccessReady"
	ConditionNetworkReady     = "NetworkReady"
	ConditionQuotaReady       = "QuotaReady"
	ConditionLimitsReady      = "LimitsReady"
	ConditionPodSecurityReady = "PodSecurityReady"
	ConditionIngressReady     = "IngressReady"
	ConditionEgressReady      = "EgressReady"
	ConditionImagesReady      = "ImagesReady"
	ConditionStorageReady     = "StorageReady"
	ConditionPlacementReady   = "PlacementReady"
)

// Condition reasons.
const (
	// ReasonReconciled says that everything is as the spec wants it.
	ReasonReconciled = "Reconciled"
	// ReasonProgressing says that work is under way.
	ReasonProgressing = "Progressing"
	// ReasonNamespaceConflict says that a listed namespace is not this tenant's to take.
	ReasonNamespaceConflict = "NamespaceConflict"
	// ReasonApplyFailed says that the API server refused an object.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonInvalidPolicy says that a policy block can't be rendered as it stands.
	ReasonInvalidPolicy = "InvalidPolicy"
	// ReasonTerminating says that a namespace, or the tenant, is being deleted.
	ReasonTerminating = "Terminating"
	// ReasonApplied says that a feature is applied in every namespace.
	ReasonApplied = "Applied"
	// ReasonPending says that a feature waits for something that is named in the message.
	ReasonPending = "Pending"
	// ReasonObserved says that a feature is only looked at, because the drift mode is Observe.
	ReasonObserved = "Observed"
	// ReasonBindForbidden says that the operator may not bind a role that a member asks for.
	ReasonBindForbidden = "BindForbidden"
	// ReasonRoleNotFound says that a member asks for a ClusterRole that doesn't exist.
	ReasonRoleNotFound = "RoleNotFound"
	// ReasonClassNotFound says that the TenantClass doesn't exist, or that no single one is the default.
	ReasonClassNotFound = "ClassNotFound"
	// ReasonNoDrift says that nothing differs from intent.
	ReasonNoDrift = "NoDrift"
	// ReasonDriftDetected says that something differs from intent and isn't corrected (mode Observe, or a
	// correction that failed).
	ReasonDriftDetected = "DriftDetected"
	// ReasonCheckFailed says that the comparison with intent could not be made.
	ReasonCheckFailed = "CheckFailed"
	// ReasonOpenBySpec says that the spec itself turns a wall off.
	ReasonOpenBySpec = "OpenBySpec"
	// ReasonDriftContested says that someone changes an object again each time the operator corrects it.
	ReasonDriftContested = "DriftContested"
	// ReasonNoExposure says that nothing opens the tenant beyond its spec.
	ReasonNoExposure = "NoExposure"
	// ReasonNetworkExposure says that something can reach the tenant, or be reached from it, that the spec doesn't name.
	ReasonNetworkExposure = "NetworkExposure"
	// ReasonAccessExposure says that someone has access whom the spec doesn't name.
	ReasonAccessExposure = "AccessExposure"
	// ReasonPodSecurityWeakened says that a Pod Security level is below the spec's.
	ReasonPodSecurityWeakened = "PodSecurityWeakened"
	// ReasonProven says that every guard-rail is installed, unchanged, and refuses what it must.
	ReasonProven = "Proven"
	// ReasonNotInstalled says that a guard-rail is missing, or isn't what this version of Bulkhead ships.
	ReasonNotInstalled = "NotInstalled"
	// ReasonNotEffective says that a guard-rail is installed and let pass what it must refuse.
	ReasonNotEffective = "NotEffective"
	// ReasonMissingAPI says that the cluster doesn't serve an API that the spec needs.
	ReasonMissingAPI = "MissingAPI"
	// ReasonNotProgrammed says that what was applied isn't in force, as the network plugin or the gateway reports.
	ReasonNotProgrammed = "NotProgrammed"
	// ReasonHostnameConflict says that an older tenant has a hostname that the spec claims.
	ReasonHostnameConflict = "HostnameConflict"
	// ReasonAddressConflict says that an older tenant has a source address that the spec claims.
	ReasonAddressConflict = "AddressConflict"
	// ReasonNotEvaluated says that this version of the operator doesn't judge the condition.
	ReasonNotEvaluated = "NotEvaluated"
)

// Reasons of events.
const (
	EventNamespaceCreated      = "NamespaceCreated"
	EventNamespaceConflict     = "NamespaceConflict"
	EventNamespaceReleased     = "NamespaceReleased"
	EventDriftDetected         = "DriftDetected"
	EventDriftCorrected        = "DriftCorrected"
	EventDriftCorrectionFailed = "DriftCorrectionFailed"
	EventDriftContested        = "DriftContested"
	EventForeignObjectDetected = "ForeignObjectDetected"
	EventIsolationLost         = "IsolationLost"
	EventIsolationRestored     = "IsolationRestored"
	EventAccessExpired         = "AccessExpired"
	EventGuardLost             = "GuardLost"
	EventGuardRestored         = "GuardRestored"
)
