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

package isolation

import (
	"regexp"
	"strconv"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	// podSecurityEnforce is spelled out: the constants live in k8s.io/pod-security-admission, a module of its own.
	podSecurityEnforce        = "pod-security.kubernetes.io/enforce"
	podSecurityEnforceVersion = podSecurityEnforce + "-version"

	podSecurityLatest = "latest"
)

// podSecurityLevel is a level of the Pod Security Standards; a greater one is stricter.
type podSecurityLevel int

const (
	podSecurityPrivileged podSecurityLevel = iota
	podSecurityBaseline
	podSecurityRestricted
)

// String returns the level as it stands in a label.
func (l podSecurityLevel) String() string {
	return [...]string{"privileged", "baseline", "restricted"}[l]
}

// podSecurityMinor matches the versions that admission takes.
var podSecurityMinor = regexp.MustCompile(`^v1\.([0-9]|[1-9][0-9]*)$`)

// PodSecurity compares the Pod Security labels of a live namespace with those that the spec asks for, and returns a
// finding if less is enforced: at most one for the level and one for the version. The labels are read as admission
// reads them. A missing level is privileged and a missing version latest, which is what Kubernetes does unless its
// admission configuration says otherwise; that one can't be seen from here. What isn't a level is restricted, and what
// isn't a version is latest: admission fails closed.
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/pod-security-admission/api/helpers.go#L181-L235
//
// audit and warn aren't compared: they stop nothing.
//
// Severities: Critical for privileged where the spec has another level, High for baseline where it has restricted, Medium
// for an older version, whose level lacks the checks that were added since.
func PodSecurity(tenant, namespace string, spec, live map[string]string) []v1alpha1.IsolationFinding {
	want, got := podSecurityLevelOf(spec), podSecurityLevelOf(live)
	var findings []v1alpha1.IsolationFinding
	report := func(severity v1alpha1.Severity, consequence string) {
		findings = append(findings, v1alpha1.IsolationFinding{
			Type:      v1alpha1.FindingPodSecurityWeakened,
			Severity:  severity,
			Object:    v1alpha1.ObjectReference{Kind: accessKindNamespace, Name: namespace},
			Namespace: namespace,
			Message: clip("Namespace "+namespace+" of tenant "+tenant+" enforces "+consequence,
				accessMaxMessage),
		})
	}
	levels := "Pod Security level " + got.String() + ", the spec says " + want.String() + ": pods may "
	switch {
	case got >= want:
	case got == podSecurityPrivileged:
		report(v1alpha1.SeverityCritical, levels+"take over the node that they run on")
	default:
		report(v1alpha1.SeverityHigh, levels+"run as root and with more privileges than hardened pods need")
	}
	wantMinor, gotMinor := podSecurityMinorOf(spec), podSecurityMinorOf(live)
	if got > podSecurityPrivileged && want > podSecurityPrivileged && gotMinor.older(wantMinor) {
		report(v1alpha1.SeverityMedium, "Pod Security level "+got.String()+" as of Kubernetes "+gotMinor.String()+
			", the spec says "+wantMinor.String()+": pods may do what later versions of the level forbid")
	}
	return findings
}

func podSecurityLevelOf(labels map[string]string) podSecurityLevel {
	value, ok := labels[podSecurityEnforce]
	switch {
	case !ok, value == podSecurityPrivileged.String():
		return podSecurityPrivileged
	case value == podSecurityBaseline.String():
		return podSecurityBaseline
	default:
		return podSecurityRestricted
	}
}

// podSecurityVersion is a minor version of Kubernetes 1; negative means latest.
type podSecurityVersion int

func podSecurityMinorOf(labels map[string]string) podSecurityVersion {
	match := podSecurityMinor.FindStringSubmatch(labels[podSecurityEnforceVersion])
	if match == nil {
		return -1
	}
	minor, err := strconv.Atoi(match[1])
	if err != nil {
		return -1
	}
	return podSecurityVersion(minor)
}

// older says whether a version is older than another. The latest is newer than all, also than those to come.
func (v podSecurityVersion) older(than podSecurityVersion) bool {
	return v >= 0 && (than < 0 || v < than)
}

// String returns the version as it stands in a label.
func (v podSecurityVersion) String() string {
	if v < 0 {
		return podSecurityLatest
	}
	return "v1." + strconv.Itoa(int(v))
}
