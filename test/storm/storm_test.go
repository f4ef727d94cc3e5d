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

package storm

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// TestStorm changes several objects in every namespace of a tenant at once, first while drift is corrected, then while it
// is only observed, and ends the pause.
func TestStorm(t *testing.T) {
	s := start(t)
	s.provision(t)
	s.quiet(t, time.Now())

	began := s.blow(t)
	s.mended(t)
	c := s.quiet(t, began)
	c.check(t, "enforced")
	s.checkCorrections(t, c)
	s.checkReports(t, v1alpha1.DriftCorrected)
	s.until(t, v1alpha1.ConditionInSync, v1alpha1.ReasonNoDrift)
	s.until(t, v1alpha1.ConditionIsolated, v1alpha1.ReasonNoExposure)

	s.setMode(t, v1alpha1.DriftObserve)
	s.until(t, v1alpha1.ConditionReady, v1alpha1.ReasonObserved)
	s.quiet(t, time.Now())
	began = s.blow(t)
	s.allOpen(t)
	c = s.quiet(t, began)
	c.check(t, "observed")
	if n := c.corrections(); n > 0 {
		t.Errorf("%d writes of managed objects though nothing may be written: %v", n, c.managed)
	}
	s.checkReports(t, v1alpha1.DriftReported)

	began = time.Now()
	s.setMode(t, v1alpha1.DriftEnforce)
	s.mended(t)
	c = s.quiet(t, began)
	c.check(t, "enforced again")
	s.checkCorrections(t, c)
	s.until(t, v1alpha1.ConditionInSync, v1alpha1.ReasonNoDrift)
	s.until(t, v1alpha1.ConditionIsolated, v1alpha1.ReasonNoExposure)
	s.seen.check(t)
}

// checkCorrections checks that each changed object was written once, but for a few that changed once more while they
// were.
func (s *storm) checkCorrections(t *testing.T, c *tally) {
	t.Helper()
	changed := edited * len(s.names)
	if n := c.corrections(); n < changed || n > changed+changed/10 {
		t.Errorf("%d writes of managed objects for %d that were changed", n, changed)
	}
}

// allOpen waits until status counts all that differs, and says so within its bounds.
func (s *storm) allOpen(t *testing.T) {
	t.Helper()
	want := int32(edited * len(s.names))
	s.eventually(t, func() string {
		tenant := &v1alpha1.Tenant{}
		if err := s.Admin.Get(t.Context(), client.ObjectKey{Name: tenantName}, tenant); err != nil {
			return err.Error()
		}
		drift, isolation := tenant.Status.Drift, tenant.Status.Isolation
		named, found := int32(len(drift.Top))+drift.Truncated, int32(len(isolation.Findings))+isolation.Truncated
		if drift.Open != want || named != want || found != want-int32(len(s.names)) {
			return fmt.Sprintf("open %d, named or counted %d, want %d; findings %d", drift.Open, named, want, found)
		}
		return ""
	})
}

// checkReports checks that there is one report in each namespace, within its bound, and that it names all that was
// changed there.
func (s *storm) checkReports(t *testing.T, action v1alpha1.DriftAction) {
	t.Helper()
	list := &v1alpha1.DriftReportList{}
	if err := s.Admin.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != len(s.names) {
		t.Errorf("%d reports for %d namespaces", len(list.Items), len(s.names))
	}
	largest := 0
	for i := range list.Items {
		report := &list.Items[i]
		raw, err := json.Marshal(report.Report)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(raw))
		seen := map[v1alpha1.ObjectReference]bool{}
		for _, item := range report.Report.Items {
			if item.Action == action {
				seen[item.Object] = true
			}
		}
		if len(raw) > maxBytes || len(seen) != edited {
			t.Errorf("the report of %s has %d bytes and names %d objects, want %d", report.Namespace, len(raw), len(seen), edited)
		}
	}
	t.Logf("the largest of %d reports has %d bytes", len(list.Items), largest)
}
