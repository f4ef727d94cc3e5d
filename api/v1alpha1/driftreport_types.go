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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Bounds of a DriftReport: it stays under 32 KiB however much differs.
const (
	// MaxReportItems bounds report.items of a DriftReport.
	MaxReportItems = 32
	// MaxReportFields bounds the fields of one item.
	MaxReportFields = 16
	// MaxFieldValue bounds a value, in characters.
	MaxFieldValue = 256
)

// DriftReport says what differs from intent in one namespace, or lately did, field by field. The operator writes it
// and nobody else: deleting it loses nothing that still differs. There is none where nothing does. Its name is the
// tenant's.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=drift,categories=bulkhead
// +kubebuilder:printcolumn:name="Open",type=integer,JSONPath=`.report.open`
// +kubebuilder:printcolumn:name="Critical",type=integer,JSONPath=`.report.critical`
// +kubebuilder:printcolumn:name="Last",type=string,JSONPath=`.report.items[0].type`
// +kubebuilder:printcolumn:name="Object",type=string,JSONPath=`.report.items[0].object.name`
// +kubebuilder:printcolumn:name="Manager",type=string,JSONPath=`.report.items[0].attribution.manager`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type DriftReport struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// report is what differs. It isn't called status because nobody asks for anything here, and its items aren't at
	// the top because clients take an object with items for a list.
	// +optional
	Report DriftReportContent `json:"report,omitempty"`
}

// DriftReportContent is what differs in one namespace.
type DriftReportContent struct {
	// open is the number of differences now that no rule ignores.
	// +optional
	Open int32 `json:"open"`
	// critical is the number of open differences that open a wall or widen access.
	// +optional
	Critical int32 `json:"critical"`
	// items are the open differences, the gravest first, then the closed ones, the latest first. At most 32.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Items []DriftReportItem `json:"items,omitempty"`
	// truncated is the number of open differences that items has no room for.
	// +optional
	Truncated int32 `json:"truncated,omitempty"`
}

// DriftReportItem is one object that differs, or lately differed, from intent.
type DriftReportItem struct {
	// object is what differs.
	// +required
	Object ObjectReference `json:"object"`
	// type says in what way it differs.
	// +required
	Type DriftType `json:"type"`
	// severity says how much the difference opens.
	// +required
	Severity Severity `json:"severity"`
	// fields are what differs, at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Fields []FieldDrift `json:"fields,omitempty"`
	// fieldCount is the number of fields that differ, which may exceed the length of fields.
	// +optional
	FieldCount int32 `json:"fieldCount,omitempty"`
	// attribution says who did it, or claims to have.
	// +optional
	Attribution Attribution `json:"attribution,omitempty"`
	// action is what the operator did about it.
	// +required
	Action DriftAction `json:"action"`
	// firstSeen is when the difference was first seen.
	// +required
	FirstSeen metav1.Time `json:"firstSeen"`
	// lastSeen is when it was seen last; only of a difference that is closed.
	// +optional
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`
	// count is how often the same difference was closed since firstSeen.
	// +optional
	Count int32 `json:"count,omitempty"`
	// hint says how to keep what was changed: by which field of the Tenant.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Hint string `json:"hint,omitempty"`
}

// FieldChange says what became of a field.
// +kubebuilder:validation:Enum=Modified;Removed;Injected
type FieldChange string

const (
	// FieldChangeModified is a field with another value.
	FieldChangeModified FieldChange = "Modified"
	// FieldChangeRemoved is a field that is gone.
	FieldChangeRemoved FieldChange = "Removed"
	// FieldChangeInjected is a field that someone added where only Bulkhead decides.
	FieldChangeInjected FieldChange = "Injected"
)

// FieldDrift is one field that differs.
type FieldDrift struct {
	// path names the field: spec.hard[pods]. At most 256 characters.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path"`
	// change says what became of it.
	// +required
	Change FieldChange `json:"change"`
	// expected is what the field must be, as JSON, cut at 256 characters; empty if it must not be there.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Expected string `json:"expected,omitempty"`
	// actual is what the field was found to be, as JSON, cut at 256 characters; empty if it was gone.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Actual string `json:"actual,omitempty"`
	// redacted says that the values are withheld: only fields that are known to hold nothing secret are shown.
	// +optional
	Redacted bool `json:"redacted,omitempty"`
}

// Confidence says how far an attribution can be trusted.
// +kubebuilder:validation:Enum=Authenticated;Claimed;Unknown
type Confidence string

const (
	// ConfidenceAuthenticated is a user whom the API server authenticated, and whose one request made the difference: it
	// was made to a version of the object that the operator had found as it must be. The field manager beside it is still
	// what the client said of itself.
	ConfidenceAuthenticated Confidence = "Authenticated"
	// ConfidenceClaimed is a name that the client gave itself: a field manager, never a user.
	ConfidenceClaimed Confidence = "Claimed"
	// ConfidenceUnknown is a change that leaves no trace, as a deletion.
	ConfidenceUnknown Confidence = "Unknown"
)

// Attribution says who changed something, or claims to have.
type Attribution struct {
	// user is who made the difference, as the API server authenticated the request. Empty unless confidence is
	// Authenticated: where the API server has no MutatingAdmissionPolicies, or where more than one request may have made
	// the difference, it isn't known.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	User string `json:"user,omitempty"`
	// manager is the field manager, as the client declared it. Empty if nothing tells.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Manager string `json:"manager,omitempty"`
	// operation is Apply or Update.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Operation string `json:"operation,omitempty"`
	// subresource is the subresource through which was written; empty for the object itself.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Subresource string `json:"subresource,omitempty"`
	// time is when the manager last wrote any field of the object, which may be later than the change.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
	// confidence says how far this can be trusted.
	// +optional
	Confidence Confidence `json:"confidence,omitempty"`
}

// DriftReportList is a list of DriftReports.
// +kubebuilder:object:root=true
type DriftReportList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the reports.
	Items []DriftReport `json:"items"`
}
