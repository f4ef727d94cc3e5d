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

package access_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features/access"
	"github.com/bulkhead-dev/bulkhead/test/testkit/golden"
)

const starter = `
- name: owners
  role: Admin
  subjects:
  - {kind: Group, apiGroup: rbac.authorization.k8s.io, name: acme-admins}
- name: developers
  role: Edit
  namespaces: [acme-dev]
  subjects:
  - {kind: Group, apiGroup: rbac.authorization.k8s.io, name: acme-developers}
- name: deployer
  role: Edit
  subjects:
  - {kind: ServiceAccount, name: deployer, namespace: acme-prod}`

const overlapping = `
- name: owners
  role: Admin
  subjects:
  - {kind: User, name: zoe}
  - {kind: User, name: alice}
  - {kind: Group, name: admins}
  - {kind: User, apiGroup: rbac.authorization.k8s.io, name: alice}
- name: auditors
  clusterRoleName: acme-audit
  subjects:
  - {kind: ServiceAccount, name: bot, namespace: b}
  - {kind: ServiceAccount, name: bot, namespace: a}
  - {kind: User, name: alice}
- name: guests
  role: View
  namespaces: [acme-prod, elsewhere, acme-dev, acme-prod]
  subjects:
  - {kind: User, name: eve}`

func TestRender(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ members string }{
		"nobody":      {`[]`},
		"01-starter":  {starter},
		"overlapping": {overlapping},
		"03-observability": {`
- name: sre
  role: Admin
  subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: sre}]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := feature.Facts{Tenant: "acme", Namespace: "acme-dev", Members: parse(t, tc.members)}
			for range 2 { // Rendering again renders the same.
				got, err := access.Room{}.Render(facts)
				if err != nil {
					t.Fatal(err)
				}
				golden.YAML(t, name, got.Doors...)
				if len(got.Walls) != 0 {
					t.Errorf("%d walls, want none", len(got.Walls))
				}
			}
			if want := parse(t, tc.members); !reflect.DeepEqual(want, facts.Members) {
				t.Errorf("the facts were changed (-want +got):\n%s", cmp.Diff(want, facts.Members))
			}
		})
	}
}

func TestRenderTenant(t *testing.T) {
	t.Parallel()
	both := []string{"acme-dev", "acme-prod"}
	tests := map[string]struct {
		members      string
		namespaces   []string
		wantFindings []feature.Finding
	}{
		"tenant-nobody":        {members: `[]`, namespaces: both},
		"tenant-01-starter":    {members: starter, namespaces: both},
		"tenant-no-namespaces": {members: starter, wantFindings: []feature.Finding{notHeld("developers", "acme-dev")}},
		"tenant-overlapping": {
			members: overlapping, namespaces: both,
			wantFindings: []feature.Finding{notHeld("guests", "elsewhere")},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := feature.TenantFacts{Tenant: "acme", Namespaces: slices.Clone(tc.namespaces), Members: parse(t, tc.members)}
			got, err := access.Room{}.RenderTenant(facts)
			if err != nil {
				t.Fatal(err)
			}
			golden.YAML(t, name, append(slices.Clone(got.Walls), got.Doors...)...)
			if diff := cmp.Diff(tc.wantFindings, got.Findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			want := feature.TenantFacts{Tenant: "acme", Namespaces: slices.Clone(tc.namespaces), Members: parse(t, tc.members)}
			if !reflect.DeepEqual(want, facts) {
				t.Errorf("the facts were changed (-want +got):\n%s", cmp.Diff(want, facts))
			}
			neverAllNamespaces(t, got)
		})
	}
}

// neverAllNamespaces fails the test if a rule has no names, which would mean every object of the cluster.
func neverAllNamespaces(t *testing.T, r feature.Result) {
	t.Helper()
	for _, o := range r.Walls {
		var role rbacv1.ClusterRole
		if err := json.Unmarshal([]byte(marshal(t, o)), &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			if len(rule.ResourceNames) == 0 || !slices.Equal(rule.Verbs, []string{"get"}) {
				t.Errorf("%s: rule %v grants more than get by name", role.Name, rule)
			}
		}
	}
}

func TestRenderIgnoresOrder(t *testing.T) {
	t.Parallel()
	render := func(members []v1alpha1.Member, namespaces []string) string {
		one, err := access.Room{}.Render(feature.Facts{Tenant: "acme", Namespace: "acme-dev", Members: members})
		if err != nil {
			t.Fatal(err)
		}
		all, err := access.Room{}.RenderTenant(feature.TenantFacts{Tenant: "acme", Namespaces: namespaces, Members: members})
		if err != nil {
			t.Fatal(err)
		}
		return marshal(t, []feature.Result{one, all})
	}
	want := render(parse(t, overlapping), []string{"acme-dev", "acme-prod"})
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		members, namespaces := parse(t, overlapping), []string{"acme-dev", "acme-prod"}
		shuffle(rng, members)
		shuffle(rng, namespaces)
		for i := range members {
			shuffle(rng, members[i].Subjects)
			shuffle(rng, members[i].Namespaces)
		}
		if diff := cmp.Diff(want, render(members, namespaces)); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func TestUnknownSubjectKind(t *testing.T) {
	t.Parallel()
	members := parse(t, `[{name: owners, role: Admin, subjects: [{kind: User, name: a}, {kind: Node, name: b}]}]`)
	const want = `members[owners].subjects[1].kind: Unsupported value: "Node"`
	if _, err := (access.Room{}).Render(feature.Facts{Members: members}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Render: err = %v, want %s", err, want)
	}
	if _, err := (access.Room{}).RenderTenant(feature.TenantFacts{Members: members}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("RenderTenant: err = %v, want %s", err, want)
	}
}

func notHeld(member, namespace string) feature.Finding {
	return feature.Finding{
		Reason: v1alpha1.ReasonInvalidPolicy,
		Message: `members[` + member + `].namespaces names "` + namespace + `", which tenant "acme" doesn't hold: ` +
			`add it to spec.namespaces, or remove it from the member`,
	}
}

func shuffle[T any](rng *rand.Rand, list []T) {
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func parse(t *testing.T, members string) []v1alpha1.Member {
	t.Helper()
	var out []v1alpha1.Member
	if err := yaml.UnmarshalStrict([]byte(members), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
