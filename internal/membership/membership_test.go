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

package membership_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/membership"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// claim is the claim of a tenant that was created so many hours after the epoch.
func claim(tenant string, hours int, adoption ...v1alpha1.Adoption) membership.Claim {
	c := membership.Claim{Tenant: tenant, Created: epoch.Add(time.Duration(hours) * time.Hour)}
	if len(adoption) > 0 {
		c.Adoption = adoption[0]
	}
	return c
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const ifUnclaimed = v1alpha1.AdoptionIfUnclaimed
	held := membership.Namespace{Label: "acme", LabelOurs: true, Ours: true}
	tests := map[string]struct {
		live     *membership.Namespace
		labelled *membership.Tenant
		claims   []membership.Claim
		want     membership.Decision
	}{
		"a namespace that nobody wants and that isn't there": {
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{}},
		},
		"a new namespace is made for the one who wants it": {
			claims: []membership.Claim{claim("acme", 1)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a new namespace goes to the older tenant": {
			claims: []membership.Claim{claim("acme", 2), claim("zeta", 1), claim("beta", 3, ifUnclaimed)},
			want: membership.Decision{Action: membership.Ensure, Holder: "zeta", Conflicts: map[string]string{
				"acme": "is held by tenant zeta", "beta": "is held by tenant zeta",
			}},
		},
		"of tenants of the same age the first by name wins": {
			claims: []membership.Claim{claim("beta", 1), claim("acme", 1)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{"beta": "is held by tenant acme"}},
		},
		"who holds a namespace keeps it, also against an older tenant that would adopt": {
			live: &held, labelled: &membership.Tenant{Name: "acme"},
			claims: []membership.Claim{claim("older", 1, ifUnclaimed), claim("acme", 2)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{"older": "is held by tenant acme"}},
		},
		"a held namespace that is being deleted is waited for": {
			live:     &membership.Namespace{Label: "acme", LabelOurs: true, Ours: true, Terminating: true},
			labelled: &membership.Tenant{Name: "acme"},
			claims:   []membership.Claim{claim("acme", 1)},
			want:     membership.Decision{Action: membership.Wait, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a namespace that left the spec is released": {
			live: &held, labelled: &membership.Tenant{Name: "acme"},
			want: membership.Decision{Action: membership.Release, Holder: "acme", Conflicts: map[string]string{}},
		},
		"Retain says in words what unset means": {
			live: &held, labelled: &membership.Tenant{Name: "acme", DeletionPolicy: v1alpha1.DeletionRetain},
			want: membership.Decision{Action: membership.Release, Holder: "acme", Conflicts: map[string]string{}},
		},
		"with deletionPolicy Delete it is deleted": {
			live: &held, labelled: &membership.Tenant{Name: "acme", DeletionPolicy: v1alpha1.DeletionDelete},
			want: membership.Decision{Action: membership.Delete, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a tenant that waits for a leaving namespace is told so": {
			live: &held, labelled: &membership.Tenant{Name: "acme"},
			claims: []membership.Claim{claim("next", 1, ifUnclaimed)},
			want:   membership.Decision{Action: membership.Release, Holder: "acme", Conflicts: map[string]string{"next": "is about to leave tenant acme"}},
		},
		"nothing is torn down because a Tenant vanished": {
			live: &held,
			want: membership.Decision{Action: membership.None},
		},
		"the namespace of a vanished Tenant is no prey": {
			live:   &held,
			claims: []membership.Claim{claim("next", 1)},
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{
				"next": "exists and is labelled for tenant acme, which does not exist; set adoption: IfUnclaimed to take it over",
			}},
		},
		"the namespace of a vanished Tenant may be adopted": {
			live:   &held,
			claims: []membership.Claim{claim("next", 1, ifUnclaimed)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "next", Conflicts: map[string]string{}},
		},
		"a namespace stripped of everything goes to the tenant whose walls stand in it, not to the older one": {
			live:   &membership.Namespace{Witness: "acme"},
			claims: []membership.Claim{claim("older", 1, ifUnclaimed), claim("acme", 2)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{"older": "is held by tenant acme"}},
		},
		"a namespace stripped of everything is let go of by the tenant whose walls stand in it and that doesn't claim it": {
			live:     &membership.Namespace{Witness: "acme", Label: "forged"},
			labelled: &membership.Tenant{Name: "acme", DeletionPolicy: v1alpha1.DeletionRetain},
			claims:   []membership.Claim{claim("beta", 1, ifUnclaimed)},
			want: membership.Decision{Action: membership.Release, Holder: "acme", Conflicts: map[string]string{
				"beta": "is about to leave tenant acme",
			}},
		},
		"a released namespace isn't released again because its walls stand": {
			live:     &membership.Namespace{ReleasedFrom: "acme", Witness: "acme", Ours: true},
			labelled: &membership.Tenant{Name: "acme"},
			want:     membership.Decision{Action: membership.None},
		},
		"walls of a tenant that doesn't exist prove nothing": {
			live:   &membership.Namespace{Witness: "gone", Ours: true},
			claims: []membership.Claim{claim("acme", 1)},
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{
				"acme": "exists and is not held by the tenant; set adoption: IfUnclaimed to take it over",
			}},
		},
		"a foreign namespace is a conflict": {
			live:   &membership.Namespace{},
			claims: []membership.Claim{claim("acme", 1)},
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{
				"acme": "exists and is not held by the tenant; set adoption: IfUnclaimed to take it over",
			}},
		},
		"a foreign namespace that nobody wants is left alone": {
			live: &membership.Namespace{},
			want: membership.Decision{Action: membership.None},
		},
		"a foreign namespace is adopted if the spec says so": {
			live:   &membership.Namespace{},
			claims: []membership.Claim{claim("acme", 1, ifUnclaimed)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a foreign namespace that is being deleted is waited for": {
			live:   &membership.Namespace{Terminating: true},
			claims: []membership.Claim{claim("acme", 1, ifUnclaimed)},
			want:   membership.Decision{Action: membership.Wait, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a younger tenant doesn't adopt past an older one": {
			live:   &membership.Namespace{},
			claims: []membership.Claim{claim("young", 2, ifUnclaimed), claim("old", 1)},
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{
				"old":   "exists and is not held by the tenant; set adoption: IfUnclaimed to take it over",
				"young": "is claimed by the older tenant old",
			}},
		},
		"a forged label gives nobody a namespace": {
			live: &membership.Namespace{Label: "thief"}, labelled: &membership.Tenant{Name: "thief"},
			claims: []membership.Claim{claim("thief", 1)},
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{
				"thief": "exists and is not held by the tenant; set adoption: IfUnclaimed to take it over",
			}},
		},
		"a forged label of a Tenant that would delete deletes nothing": {
			live: &membership.Namespace{Label: "thief"}, labelled: &membership.Tenant{Name: "thief", DeletionPolicy: v1alpha1.DeletionDelete},
			want: membership.Decision{Action: membership.None},
		},
		"a forged label on a namespace of ours doesn't hand it over": {
			live: &membership.Namespace{Label: "thief", Ours: true}, labelled: &membership.Tenant{Name: "thief", DeletionPolicy: v1alpha1.DeletionDelete},
			claims: []membership.Claim{claim("acme", 1)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a stripped label doesn't free a namespace of ours": {
			live:   &membership.Namespace{Ours: true},
			claims: []membership.Claim{claim("next", 2, ifUnclaimed), claim("acme", 1)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{"next": "is held by tenant acme"}},
		},
		"a namespace of ours without a label, being deleted, is waited for": {
			live:   &membership.Namespace{Ours: true, Terminating: true},
			claims: []membership.Claim{claim("acme", 1)},
			want:   membership.Decision{Action: membership.Wait, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a namespace of ours that nobody wants any more is left alone": {
			live: &membership.Namespace{Ours: true},
			want: membership.Decision{Action: membership.None},
		},
		"a released namespace goes back to its former tenant without adoption": {
			live:   &membership.Namespace{ReleasedFrom: "acme", Ours: true},
			claims: []membership.Claim{claim("older", 1, ifUnclaimed), claim("acme", 2)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "acme", Conflicts: map[string]string{"older": "is held by tenant acme"}},
		},
		"a released namespace that is being deleted is waited for": {
			live:   &membership.Namespace{ReleasedFrom: "acme", Ours: true, Terminating: true},
			claims: []membership.Claim{claim("acme", 2)},
			want:   membership.Decision{Action: membership.Wait, Holder: "acme", Conflicts: map[string]string{}},
		},
		"a released namespace is a conflict for others": {
			live:   &membership.Namespace{ReleasedFrom: "acme", Ours: true},
			claims: []membership.Claim{claim("next", 1)},
			want: membership.Decision{Action: membership.None, Conflicts: map[string]string{
				"next": "exists and was released from tenant acme; set adoption: IfUnclaimed to take it over",
			}},
		},
		"a released namespace may be adopted": {
			live:   &membership.Namespace{ReleasedFrom: "acme", Ours: true},
			claims: []membership.Claim{claim("next", 1, ifUnclaimed)},
			want:   membership.Decision{Action: membership.Ensure, Holder: "next", Conflicts: map[string]string{}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, membership.Decide(tc.live, tc.labelled, tc.claims)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecideLaws looks at a few thousand situations of up to four claimants.
func TestDecideLaws(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		s := situation(random)
		text := fmt.Sprintf("situation %d: %+v", i, s)
		got := membership.Decide(s.live, s.labelled, s.claims)

		shuffled := append([]membership.Claim(nil), s.claims...)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(got, membership.Decide(s.live, s.labelled, shuffled)); diff != "" {
			t.Fatalf("%s: the order of the claims changes the decision:\n%s", text, diff)
		}
		if (got.Action == membership.None) != (got.Holder == "") {
			t.Fatalf("%s: action %s for holder %q", text, got.Action, got.Holder)
		}
		for _, c := range s.claims {
			why, refused := got.Conflicts[c.Tenant]
			if (c.Tenant == got.Holder) == refused {
				t.Fatalf("%s: tenant %s: holder is %q and the conflict is %q", text, c.Tenant, got.Holder, why)
			}
			if refused && (why == "" || strings.HasSuffix(why, " ")) {
				t.Fatalf("%s: tenant %s is told %q", text, c.Tenant, why)
			}
		}
		if len(got.Conflicts) > len(s.claims) {
			t.Fatalf("%s: conflicts %v of tenants that claim nothing", text, got.Conflicts)
		}
		leaving := got.Action == membership.Release || got.Action == membership.Delete
		if leaving && (!s.live.LabelOurs || s.live.Label != got.Holder || s.labelled == nil) {
			t.Fatalf("%s: %s without a genuine label of a membership.Tenant that exists", text, got.Action)
		}
		if got.Action == membership.Wait && !s.live.Terminating || got.Action == membership.Ensure && s.live != nil && s.live.Terminating {
			t.Fatalf("%s: action %s", text, got.Action)
		}
	}
}

type drawn struct {
	live     *membership.Namespace
	labelled *membership.Tenant
	claims   []membership.Claim
}

func (d drawn) String() string {
	return fmt.Sprintf("live %+v labelled %+v claims %+v", d.live, d.labelled, d.claims)
}

// situation draws one: what is live fits together as it does in a cluster.
func situation(random *rand.Rand) drawn {
	names := []string{"a", "b", "c", "d"}
	coin := func() bool { return random.IntN(2) == 0 }
	var s drawn
	for _, name := range names {
		if coin() {
			c := claim(name, random.IntN(3))
			if coin() {
				c.Adoption = v1alpha1.AdoptionIfUnclaimed
			}
			s.claims = append(s.claims, c)
		}
	}
	if random.IntN(5) == 0 {
		return s
	}
	s.live = &membership.Namespace{Ours: coin(), Terminating: random.IntN(4) == 0}
	if coin() {
		s.live.Label = names[random.IntN(len(names))]
		s.live.LabelOurs = s.live.Ours && coin()
		if coin() {
			s.labelled = &membership.Tenant{Name: s.live.Label}
			if coin() {
				s.labelled.DeletionPolicy = v1alpha1.DeletionDelete
			}
		}
	}
	if s.live.Ours && random.IntN(3) == 0 {
		s.live.ReleasedFrom = names[random.IntN(len(names))]
	}
	return s
}
