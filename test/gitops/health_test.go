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

// Package gitops_test runs what is shipped for Argo CD and Flux over the Tenants of every state.
package gitops_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

// verdict is what the three readers make of a Tenant.
type verdict struct {
	// Argo is the health that Argo CD shows.
	Argo string
	// Flux is the status that Flux reads with the expressions, KStatus the one without.
	Flux, KStatus status.Status
}

var (
	current    = verdict{"Healthy", status.CurrentStatus, status.CurrentStatus}
	inProgress = verdict{"Progressing", status.InProgressStatus, status.InProgressStatus}
	failed     = verdict{"Degraded", status.FailedStatus, status.FailedStatus}
)

// verdicts are what each recorded Tenant must show.
var verdicts = map[string]verdict{
	// Never served: the CRD gives every Tenant a status. kstatus would take it for done.
	"no-status":             {"Progressing", status.UnknownStatus, status.CurrentStatus},
	"default-status":        inProgress,
	"old-generation":        inProgress,
	"progressing":           inProgress,
	"access-pending":        inProgress,
	"apply-failed":          inProgress,
	"namespace-terminating": inProgress,
	"contested":             inProgress,
	"terminating":           {"Progressing", status.InProgressStatus, status.TerminatingStatus},

	"namespace-conflict": failed,
	"class-not-found":    failed,
	"invalid-policy":     failed,
	"bind-forbidden":     failed,

	"ready":             current,
	"ready-drift":       current,
	"observe":           current,
	"observe-until":     current,
	"observe-drift":     current,
	"check-failed":      current,
	"open-by-spec":      current,
	"isolation-unknown": current,

	// kstatus doesn't know Isolated.
	"network-exposure":             {"Degraded", status.FailedStatus, status.CurrentStatus},
	"network-exposure-progressing": {"Degraded", status.FailedStatus, status.InProgressStatus},
}

// readers are what reads a Tenant.
type readers struct {
	script string
	flux   fluxHealth
}

func newReaders(t *testing.T) readers {
	t.Helper()
	return readers{
		script: read(t, "config", "gitops", "argocd", "health.lua"),
		flux:   fluxWith(t, fluxExample(t).Spec.HealthCheckExprs),
	}
}

// read is what all readers make of a Tenant, and the message that goes with the health.
func (r readers) read(t *testing.T, tenant *unstructured.Unstructured) (verdict, string) {
	t.Helper()
	argo, err := argoHealth(t.Context(), r.script, tenant.Object)
	if err != nil {
		t.Fatalf("Argo CD: %v", err)
	}
	flux, err := r.flux(t.Context(), tenant)
	if err != nil {
		t.Fatalf("Flux: %v", err)
	}
	plain, err := status.Compute(tenant)
	if err != nil {
		t.Fatalf("kstatus: %v", err)
	}
	return verdict{argo.Status, flux.Status, plain.Status}, argo.Message
}

// TestHealth checks what every recorded Tenant shows. What Argo CD says of it is in testdata/messages.golden.yaml.
func TestHealth(t *testing.T) {
	t.Parallel()
	got, messages := map[string]verdict{}, map[string]string{}
	readers := newReaders(t)
	for name, tenant := range records(t) {
		var message string
		got[name], message = readers.read(t, tenant)
		messages[name] = got[name].Argo + ", " + message
	}
	if diff := cmp.Diff(verdicts, got); diff != "" {
		t.Errorf("what the recorded Tenants show (-want +got):\n%s", diff)
	}
	golden.YAML(t, "messages", messages)
}

// spoken are the conditions whose message goes with a health.
var spoken = map[string][]string{
	"Degraded": {v1alpha1.ConditionStalled, v1alpha1.ConditionIsolated},
	"Healthy":  {v1alpha1.ConditionReady, v1alpha1.ConditionInSync, v1alpha1.ConditionIsolated},
}

// TestHealthSpeaks checks that who must act is told on what: the health carries the messages of the conditions.
func TestHealthSpeaks(t *testing.T) {
	t.Parallel()
	readers := newReaders(t)
	for name, tenant := range records(t) {
		var typed v1alpha1.Tenant
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(tenant.Object, &typed); err != nil {
			t.Fatal(err)
		}
		verdict, message := readers.read(t, tenant)
		if message == "" {
			t.Errorf("%s: a health without a message", name)
		}
		for _, condition := range typed.Status.Conditions {
			if verdict.Argo == "Degraded" && condition.Status == metav1.ConditionUnknown {
				continue // that isn't what it is degraded for
			}
			if slices.Contains(spoken[verdict.Argo], condition.Type) && !strings.Contains(message, condition.Message) {
				t.Errorf("%s: the health says %q, not %q", name, message, condition.Message)
			}
		}
	}
}

// TestServedHasStatus checks that a Tenant that comes from Git is in progress from the first moment, for all readers:
// without the default of the CRD, Flux would wait in vain and kstatus would call it done.
func TestServedHasStatus(t *testing.T) {
	t.Parallel()
	tenant := served(t, unserved())
	if got, ok, err := unstructured.NestedInt64(tenant.Object, "status", "observedGeneration"); got != -1 || !ok || err != nil {
		t.Errorf("status.observedGeneration of a new Tenant is %d (%v, %v), want -1", got, ok, err)
	}
	if got, _ := newReaders(t).read(t, tenant); got != inProgress {
		t.Errorf("a new Tenant shows %+v, want %+v", got, inProgress)
	}
}

// combination is a Tenant made of any values of what health depends on.
type combination struct {
	deleted                               bool
	observed                              int64 // of generation 2; 0 is none
	ready, reconciling, stalled, isolated string
}

func (c combination) tenant() *unstructured.Unstructured {
	var conditions []any
	add := func(conditionType, value string) {
		if value == "" {
			return
		}
		state, reason, _ := strings.Cut(value, " ")
		conditions = append(conditions, map[string]any{"type": conditionType, "status": state, "reason": reason, "message": "why"})
	}
	add("Ready", c.ready)
	add("Isolated", c.isolated)
	add("Reconciling", c.reconciling)
	add("Stalled", c.stalled)
	tenant := unserved()
	tenant.SetGeneration(2)
	if c.deleted {
		tenant.SetDeletionTimestamp(&metav1.Time{Time: now})
	}
	state := map[string]any{"conditions": conditions}
	if c.observed != 0 {
		state["observedGeneration"] = c.observed
	}
	tenant.Object["status"] = state
	return tenant
}

// combinations are all of them but those in which work is under way and at a standstill: the operator never says both.
func combinations() []combination {
	var all []combination
	for _, deleted := range []bool{false, true} {
		for _, observed := range []int64{0, -1, 1, 2} {
			for _, ready := range []string{"", "True Reconciled", "False Progressing", "Unknown Progressing"} {
				for _, work := range [][2]string{{}, {"True Progressing", ""}, {"", "True NamespaceConflict"}} {
					for _, isolated := range []string{"", "True NoExposure", "Unknown Progressing", "False OpenBySpec", "False NetworkExposure"} {
						all = append(all, combination{deleted, observed, ready, work[0], work[1], isolated})
					}
				}
			}
		}
	}
	return all
}

// want is what all readers must make of a combination, kstatus aside.
func (c combination) want() verdict {
	switch {
	case c.deleted || c.observed != 2:
		return inProgress
	case c.stalled != "" || c.isolated == "False NetworkExposure":
		return failed
	case c.reconciling == "" && c.ready == "True Reconciled":
		return current
	default:
		return inProgress
	}
}

// TestReadersAgree checks that Argo CD and Flux read the same from every combination of conditions, and the same as
// kstatus but for what the expressions are there for: Isolated, and a status without what the operator always writes.
func TestReadersAgree(t *testing.T) {
	t.Parallel()
	readers := newReaders(t)
	for _, c := range combinations() {
		want := c.want()
		got, _ := readers.read(t, c.tenant())
		switch {
		case got.KStatus == status.TerminatingStatus && c.deleted:
			want.KStatus = status.TerminatingStatus
		case c.observed == 0 || c.ready == "":
			want.KStatus = got.KStatus
		case want == failed && c.stalled == "":
			want.KStatus = got.KStatus
			if got.KStatus == status.FailedStatus {
				t.Errorf("%+v: kstatus reads %s: it knows Isolated now", c, got.KStatus)
			}
		}
		if got != want {
			t.Errorf("%+v: read as %+v, want %+v", c, got, want)
		}
	}
}

// row is a line of the table of states in the documentation: name, what is the case, Argo CD, Flux.
var row = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| .+ \\| (\\w+) \\| (\\w+) \\|$")

// TestDocumentation checks that the table of states says of each recorded Tenant what it shows.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{}, map[string]string{}
	for name, verdict := range verdicts {
		want[name] = fmt.Sprintf("%s, %s", verdict.Argo, verdict.Flux)
	}
	for _, match := range row.FindAllStringSubmatch(read(t, "docs", "gitops.md"), -1) {
		got[match[1]] = match[2] + ", " + match[3]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table of states in docs/gitops.md (-want +got):\n%s", diff)
	}
}

// block is a YAML example in the documentation.
var block = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestDocumentedExamples checks that the examples have no field that their API doesn't have.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	kinds := map[string]any{"Tenant": &v1alpha1.Tenant{}, "Kustomization": &kustomizev1.Kustomization{}}
	for _, match := range block.FindAllStringSubmatch(read(t, "docs", "gitops.md"), -1) {
		var object metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(match[1]), &object); err != nil {
			t.Fatal(err)
		}
		if kinds[object.Kind] == nil {
			t.Errorf("an example of another kind, or a second one of the same: %q", object.Kind)
			continue
		}
		if err := yaml.UnmarshalStrict([]byte(match[1]), kinds[object.Kind]); err != nil {
			t.Errorf("the example of a %s: %v", object.Kind, err)
		}
		delete(kinds, object.Kind)
	}
	for kind := range kinds {
		t.Errorf("docs/gitops.md has no example of a %s", kind)
	}
}
