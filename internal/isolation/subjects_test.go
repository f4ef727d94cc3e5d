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
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// subjectPlaces returns a subject's tenants as "tenant:power".
func subjectPlaces(t *testing.T, s *Subjects, who string) string {
	t.Helper()
	key, ok := keyOf(rbacSubject(t, who), "acme-prod")
	if !ok {
		return "nobody"
	}
	var out []string
	for _, m := range s.memberships(key) {
		out = append(out, m.tenant+":"+m.power.String())
	}
	return strings.Join(out, " ")
}

func TestSubjectsMemberships(t *testing.T) {
	t.Parallel()
	s := rbacTenants(t)
	s.Put("third", []v1alpha1.Member{
		rbacMember(t, "all", "view", "Group system:authenticated", "ServiceAccount noname-spare"),
		rbacMember(t, "acme", "edit", "Group system:serviceaccounts:acme-dev", "Group acme-devs"),
		rbacMember(t, "again", "view", "Group acme-devs"),
	}, []string{"shared-home"})
	for who, want := range map[string]string{
		"Group acme-admins":                       "acme:admin",
		"Group acme-devs":                         "acme:admin third:admin",
		"User acme-devs":                          "",
		"User vera":                               "acme:read",
		"User rick":                               "acme:none",
		"User ada":                                "acme:admin",
		"User shared":                             "acme:admin globex:admin",
		"ServiceAccount ci/acme":                  "acme:admin",
		"User system:serviceaccount:ci:acme":      "acme:admin",
		"ServiceAccount ci/other":                 "",
		"ServiceAccount vendor/any":               "acme:read",
		"Group system:serviceaccounts:vendor":     "acme:read",
		"ServiceAccount acme-dev/any":             "acme:admin third:admin",
		"ServiceAccount acme-dev/robot":           "acme:admin third:admin",
		"ServiceAccount own":                      "acme:admin",
		"User system:serviceaccount:acme-dev:x":   "acme:admin third:admin",
		"Group system:serviceaccounts:acme-dev":   "acme:admin third:admin",
		"Group system:serviceaccounts:":           "",
		"User system:serviceaccount:acme-dev":     "",
		"Group system:authenticated":              "third:read",
		"User eve":                                "",
		"Group system:serviceaccounts":            "",
		"Robot r2d2":                              "nobody",
		"ServiceAccount shared-home/x":            "third:admin",
		"User system:serviceaccount:globex-prod:": "globex:admin",
	} {
		if got := subjectPlaces(t, s, who); got != want {
			t.Errorf("%s: %q, want %q", who, got, want)
		}
	}
	if !s.holds("acme", "acme-dev") || s.holds("globex", "acme-dev") || s.holds("nobody", "acme-dev") {
		t.Error("the holder of acme-dev is acme alone")
	}
}

func TestSubjectsPutAndDelete(t *testing.T) {
	t.Parallel()
	var s Subjects
	devs := func(clusterRole string, who ...string) []v1alpha1.Member {
		return []v1alpha1.Member{rbacMember(t, "devs", clusterRole, who...)}
	}
	steps := []struct {
		name string
		do   func() bool
		// changed is what the step says, want are the tenants of Group devs and of ServiceAccount home/x after it.
		changed             bool
		wantGroup, wantHome string
	}{
		{"an unknown tenant is deleted", func() bool { return s.Delete("acme") }, false, "", ""},
		{"a tenant comes", func() bool { return s.Put("acme", devs("view", "Group devs"), []string{"home"}) }, true, "acme:read", "acme:admin"},
		{"nothing changes", func() bool { return s.Put("acme", devs("view", "Group devs", "Group devs"), []string{"home", "home"}) }, false, "acme:read", "acme:admin"},
		{"a role changes", func() bool { return s.Put("acme", devs("edit", "Group devs"), []string{"home"}) }, true, "acme:admin", "acme:admin"},
		{"another role of the same power", func() bool { return s.Put("acme", devs("admin", "Group devs"), []string{"home"}) }, false, "acme:admin", "acme:admin"},
		{"another tenant comes", func() bool { return s.Put("zeta", devs("view", "Group devs"), nil) }, true, "acme:admin zeta:read", "acme:admin"},
		{"and takes the namespace, too", func() bool { return s.Put("zeta", devs("view", "Group devs"), []string{"home"}) }, true, "acme:admin zeta:read", "acme:admin zeta:admin"},
		{"the first one loses it", func() bool { return s.Put("acme", devs("admin", "Group devs"), nil) }, true, "acme:admin zeta:read", "zeta:admin"},
		{"and its member", func() bool { return s.Put("acme", nil, nil) }, true, "zeta:read", "zeta:admin"},
		{"which is not the same as going", func() bool { return s.Delete("acme") }, true, "zeta:read", "zeta:admin"},
		{"the last one goes", func() bool { return s.Delete("zeta") }, true, "", ""},
		{"once", func() bool { return s.Delete("zeta") }, false, "", ""},
	}
	for _, step := range steps {
		if got := step.do(); got != step.changed {
			t.Errorf("%s: changed is %v", step.name, got)
		}
		if got := subjectPlaces(t, &s, "Group devs"); got != step.wantGroup {
			t.Errorf("%s: Group devs is of %q, want %q", step.name, got, step.wantGroup)
		}
		if got := subjectPlaces(t, &s, "ServiceAccount home/x"); got != step.wantHome {
			t.Errorf("%s: ServiceAccount home/x is of %q, want %q", step.name, got, step.wantHome)
		}
	}
	if n := len(s.tenants) + len(s.members) + len(s.holders); n != 0 {
		t.Errorf("%d entries are left behind", n)
	}
}

// However it was reached, the index is what the last Put of each tenant makes it.
func TestSubjectsForgetHowTheyCameAbout(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	final := map[string]func(*Subjects){}
	var walked Subjects
	opts := cmp.AllowUnexported(subjectEntry{}, subjectMembership{}, subjectKey{})
	for step := range 3000 {
		tenant := fmt.Sprintf("t%d", rng.IntN(6))
		var members []v1alpha1.Member
		for range rng.IntN(5) {
			members = append(members, rbacMember(t, "m", []string{"view", "edit", "x"}[rng.IntN(3)],
				fmt.Sprintf("Group g%d", rng.IntN(5)), fmt.Sprintf("ServiceAccount n%d/s", rng.IntN(4))))
		}
		var namespaces []string
		for range rng.IntN(4) {
			namespaces = append(namespaces, fmt.Sprintf("n%d", rng.IntN(6)))
		}
		put := func(s *Subjects) { s.Put(tenant, members, namespaces) }
		if rng.IntN(5) > 0 {
			put(&walked)
			final[tenant] = put
		} else {
			walked.Delete(tenant)
			delete(final, tenant)
		}
		if step%50 > 0 {
			continue
		}
		var direct Subjects
		for _, tenant := range slices.Sorted(maps.Keys(final)) {
			final[tenant](&direct)
		}
		if diff := cmp.Diff([]any{direct.members, direct.holders, direct.tenants},
			[]any{walked.members, walked.holders, walked.tenants}, opts, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("step %d (-direct +walked):\n%s", step, diff)
		}
	}
}

func TestSubjectsAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := rbacTenants(t)
	bindings := []*rbacv1.ClusterRoleBinding{
		rbacClusterBinding(t, "a", "ClusterRole edit", "Group acme-devs", "ServiceAccount globex-prod/x", "Group system:authenticated"),
	}
	acme, roles := rbacAcmeMembers(t), rbacClusterRoles(t)
	in := AccessInput{Tenant: "acme", Namespace: "acme-prod", Spec: rbacAcmeProd(t), Live: rbacAcmeProd(t), ClusterRole: roles}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				switch i % 4 {
				case 0:
					s.Put("acme", acme[:j%len(acme)], []string{"acme-dev", "acme-prod"}[:1+j%2])
				case 1:
					s.Put("globex", nil, []string{"globex-prod"})
					s.Delete("globex")
				case 2:
					if got := ClusterAccess(s, bindings, roles); len(got) != 1 || !got[0].Everybody {
						t.Errorf("%d exposures", len(got))
					}
				default:
					if got := Access(s, in); len(got) != 0 {
						t.Errorf("what the spec gives is found: %v", findingLines(got))
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestSubjectKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trusted, everybody bool
		wider              []string
	}{
		"User eve":                                      {wider: []string{"system:authenticated"}},
		"Group devs":                                    {wider: []string{"system:authenticated"}},
		"User system:anonymous":                         {everybody: true, wider: []string{"system:unauthenticated"}},
		"Group system:unauthenticated":                  {everybody: true},
		"Group system:authenticated":                    {everybody: true},
		"Group system:authenticated:oauth":              {everybody: true, wider: []string{"system:authenticated"}},
		"Group system:serviceaccounts":                  {everybody: true, wider: []string{"system:authenticated"}},
		"User system:serviceaccounts":                   {wider: []string{"system:authenticated"}},
		"User system:authenticated":                     {wider: []string{"system:authenticated"}},
		"Group system:anonymous":                        {wider: []string{"system:authenticated"}},
		"ServiceAccount a/b":                            {wider: []string{"system:serviceaccounts:a", "system:serviceaccounts", "system:authenticated"}},
		"Group system:serviceaccounts:a":                {wider: []string{"system:serviceaccounts", "system:authenticated"}},
		"ServiceAccount kube-system/a":                  {trusted: true, wider: []string{"system:serviceaccounts:kube-system", "system:serviceaccounts", "system:authenticated"}},
		"ServiceAccount kube-system-2/a":                {wider: []string{"system:serviceaccounts:kube-system-2", "system:serviceaccounts", "system:authenticated"}},
		"Group system:serviceaccounts:kube-system":      {trusted: true, wider: []string{"system:serviceaccounts", "system:authenticated"}},
		"User system:serviceaccount:kube-system:a":      {trusted: true, wider: []string{"system:serviceaccounts:kube-system", "system:serviceaccounts", "system:authenticated"}},
		"User system:kube-controller-manager":           {trusted: true, wider: []string{"system:authenticated"}},
		"Group system:kube-controller-manager":          {wider: []string{"system:authenticated"}},
		"User system:node:worker":                       {trusted: true, wider: []string{"system:authenticated"}},
		"Group system:nodes":                            {trusted: true, wider: []string{"system:authenticated"}},
		"Group system:masters":                          {trusted: true, wider: []string{"system:authenticated"}},
		"User system:masters":                           {wider: []string{"system:authenticated"}},
		"Group system:bootstrappers:kubeadm:default-no": {wider: []string{"system:authenticated"}},
	}
	for who, tc := range tests {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			key, ok := keyOf(rbacSubject(t, who), "")
			if !ok {
				t.Fatal("nobody")
			}
			var wider []string
			for _, group := range key.wider() {
				if group.kind != rbacv1.GroupKind {
					t.Errorf("%v is no group", group)
				}
				wider = append(wider, group.name)
			}
			if key.trusted() != tc.trusted || key.everybody() != tc.everybody || !slices.Equal(wider, tc.wider) {
				t.Errorf("trusted %v, everybody %v, wider %v", key.trusted(), key.everybody(), wider)
			}
		})
	}
}
