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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// TestDriftWatch runs in a bubble, in which time passes at once when all wait for it.
func TestDriftWatch(t *testing.T) {
	t.Parallel()
	const polled = "you may not watch all of it: it is looked at every 5s"
	for name, tc := range map[string]struct {
		allowed func(string) bool
		tenant  string
		output  string
		notes   bool
	}{
		"an admin":               {everything, "", asTable, false},
		"an admin of one tenant": {everything, "acme", asTable, false},
		"a member":               {member, "acme", asTable, true},
		"who may only read":      {only("get tenants", "get driftreports acme-dev", "get driftreports acme-new"), "acme", asTable, true},
		"as JSON":                {everything, "acme", asJSON, false},
		"as YAML":                {everything, "acme", asYAML, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cluster := recordedReports(t, func(what string) bool { return tc.allowed(what) || what == "get driftreports" })
				var out, problems bytes.Buffer
				cmd := &cobra.Command{}
				cmd.SetContext(ctx)
				cmd.SetOut(&out)
				cmd.SetErr(&problems)
				ended := make(chan error, 1)
				options := &driftOptions{output: tc.output, open: true}
				go func() { ended <- options.follow(cmd, &driftSource{client: cluster, tenant: tc.tenant}) }()
				synctest.Wait()
				if first := out.String(); !strings.Contains(first, "bulkhead:tenant:acme") || !strings.Contains(first, "bulkhead-owners") {
					t.Errorf("printed at first: %q", first)
				}
				out.Reset()
				report := &v1alpha1.DriftReport{}
				if err := cluster.Get(ctx, client.ObjectKey{Namespace: "acme-dev", Name: "acme"}, report); err != nil {
					t.Fatal(err)
				}
				report.Report.Items[1].Severity = v1alpha1.SeverityInfo
				if err := cluster.Update(ctx, report); err != nil {
					t.Fatal(err)
				}
				<-time.After(2 * lookAgain)
				synctest.Wait()
				if news := out.String(); strings.Count(news, "Info") != 1 || strings.Contains(news, "bulkhead-owners") {
					t.Errorf("printed for a change: %q", news)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("ended with %v", err)
				}
				if strings.Contains(problems.String(), polled) != tc.notes {
					t.Errorf("said %q", problems.String())
				}
			})
		})
	}
}

// TestDriftWatchEnds pins that a watch of a tenant that is gone ends with an error.
func TestDriftWatchEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := recordedReports(t, everything)
		ended := make(chan error, 1)
		source := &driftSource{client: cluster, tenant: "globex"}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			ended <- source.follow(ctx, func(*driftView) error { return nil }, func(...string) {})
		}()
		synctest.Wait()
		if err := cluster.Delete(ctx, &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "globex"}}); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !apierrors.IsNotFound(err) {
			t.Errorf("ended with %v", err)
		}
		cancel()
		synctest.Wait()
	})
}
