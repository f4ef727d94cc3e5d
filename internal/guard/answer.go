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

package guard

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// A Result is what the answer to a probe proves.
type Result string

const (
	// Refused proves that the guard-rail is in force on the API server that was asked.
	Refused Result = "Refused"
	// Passed proves that it isn't.
	Passed Result = "Passed"
	// NotServed says that the API server doesn't have the resource, so that there is nothing to refuse.
	NotServed Result = "NotServed"
	// Inconclusive proves nothing: something else stood in the way.
	Inconclusive Result = "Inconclusive"
	// Unreachable proves nothing: there was no answer, or one of a server that can't work at this time.
	Unreachable Result = "Unreachable"
)

// An Answer is what an API server said to a probe.
type Answer struct {
	Result Result
	// Why says in a few words what stood in the way; empty if nothing did.
	Why string
}

// beltQuota is the ResourceQuota of the probe namespace, which is asked only when all policies have let pass.
const beltQuota = "exceeded quota: bulkhead-guard-probe"

// read says what the answer to a probe proves. err is that of the request.
//
// Where the real refusal is one of these, and what stands around it, is decided in
// https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go
func read(p *Probe, err error) Answer {
	var answered apierrors.APIStatus
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		// What exists is found out after admission.
		return Answer{Result: Passed}
	case !errors.As(err, &answered):
		return Answer{Result: Unreachable, Why: "no answer"}
	}
	status := answered.Status()
	switch {
	case status.Code == http.StatusForbidden || status.Code == http.StatusUnprocessableEntity:
		return readRefusal(p, err, status.Message)
	case apierrors.IsNotFound(err):
		return readMissing(p, err, &status)
	case status.Code == http.StatusUnauthorized, status.Code == http.StatusTooManyRequests, status.Code >= http.StatusInternalServerError:
		return Answer{Result: Unreachable, Why: fmt.Sprintf("it answers with code %d", status.Code)}
	default:
		return Answer{Result: Inconclusive, Why: redact.Error(err)}
	}
}

func readRefusal(p *Probe, err error, message string) Answer {
	const denied = "ValidatingAdmissionPolicy '"
	_, who, byPolicy := strings.Cut(message, denied)
	who, _, _ = strings.Cut(who, "'")
	switch {
	case strings.Contains(message, beltQuota):
		return Answer{Result: Passed}
	case byPolicy && who == p.Policy && strings.Contains(message, p.Refusal):
		return Answer{Result: Refused}
	case byPolicy && who == p.Policy:
		return Answer{Result: Inconclusive, Why: "it refuses everything, because it fails"}
	case byPolicy:
		// Of several refusals one is told.
		return Answer{Result: Inconclusive, Why: "policy " + redact.Name(who, 64) + " refuses the probe too"}
	default:
		return Answer{Result: Inconclusive, Why: redact.Error(err)}
	}
}

func readMissing(p *Probe, err error, status *metav1.Status) Answer {
	switch {
	case apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse), status.Details == nil, status.Details.Kind == "":
		// No resource of the API answered: that would say what wasn't found.
		return Answer{Result: NotServed}
	case status.Details.Kind == "namespaces":
		return Answer{Result: Inconclusive, Why: "namespace " + p.In() + " is missing"}
	default:
		// What the object refers to is looked for after admission.
		return Answer{Result: Passed}
	}
}
