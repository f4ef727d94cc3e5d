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

package config_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

func shippedRails(t *testing.T) []guard.Rail {
	t.Helper()
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return rails
}

// TestProbeRights checks that the operator may ask for what each probe asks for, and for nothing else in the namespaces
// of the probes.
func TestProbeRights(t *testing.T) {
	all := roles(t)
	everywhere := map[string]bool{}
	for _, rule := range all["ClusterRole//"+operatorRole].Rules {
		for _, right := range rights(rule.APIGroups, rule.Resources, rule.Verbs) {
			everywhere[right] = true
		}
	}
	want, got := map[string][]string{}, map[string][]string{}
	for _, rail := range shippedRails(t) {
		if rail.Probe == nil {
			continue
		}
		resource := rail.Probe.GroupResource()
		for _, right := range rights([]string{resource.Group}, []string{resource.Resource}, []string{string(rail.Probe.Method)}) {
			if in := rail.Probe.In(); !everywhere[right] && !slices.Contains(want[in], right) {
				want[in] = append(want[in], right)
			}
		}
	}
	for _, namespace := range []string{v1alpha1.GuardProbeNamespace, v1alpha1.GuardProbeQuotaNamespace} {
		for _, rule := range all["Role/"+namespace+"/bulkhead-guard-probe"].Rules {
			got[namespace] = append(got[namespace], rights(rule.APIGroups, rule.Resources, rule.Verbs)...)
		}
		slices.Sort(want[namespace])
		slices.Sort(got[namespace])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights in the namespaces of the probes (-needed +granted):\n%s", diff)
	}
}

// rights are "verb resource.group", for each combination.
func rights(groups, resources, verbs []string) []string {
	var all []string
	for _, group := range groups {
		for _, resource := range resources {
			for _, verb := range verbs {
				all = append(all, fmt.Sprintf("%s %s.%s", verb, resource, group))
			}
		}
	}
	return all
}

// TestRestoreRole checks that config/admission/restore names all guard-rails, and nothing else.
func TestRestoreRole(t *testing.T) {
	var want []string
	for _, rail := range shippedRails(t) {
		want = append(want, rail.Name())
	}
	found := false
	for _, rule := range roles(t)["ClusterRole//bulkhead-restore-guard-rails"].Rules {
		if slices.Equal(rule.Verbs, []string{"patch"}) {
			found = true
			if diff := cmp.Diff(want, rule.ResourceNames); diff != "" {
				t.Errorf("names (-shipped +config/admission/restore):\n%s", diff)
			}
		}
	}
	if !found {
		t.Error("config/admission/restore has no right to patch")
	}
}
