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

package claims_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-dev/bulkhead/internal/claims"
)

// claimant is a tenant of some age that claims hostnames, and addresses, which begin with a digit or have a colon.
func claimant(name string, age int, claimed ...string) claims.Claimant {
	c := claims.Claimant{Tenant: name, Created: time.Unix(int64(1000-age), 0)}
	for _, one := range claimed {
		if strings.Contains(one, ":") || one[0] >= '0' && one[0] <= '9' {
			c.Addresses = append(c.Addresses, one)
		} else {
			c.Hostnames = append(c.Hostnames, one)
		}
	}
	return c
}

func TestTaken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		claimants []claims.Claimant
		// want is "hostname or address: holder" of tenant "me", sorted.
		want []string
	}{
		"nobody claims":                  {nil, nil},
		"nobody else claims":             {[]claims.Claimant{claimant("me", 1, "a.example.com")}, nil},
		"the older one has it":           {[]claims.Claimant{claimant("me", 1, "a.example.com"), claimant("old", 2, "a.example.com")}, []string{"a.example.com: old"}},
		"the younger one doesn't":        {[]claims.Claimant{claimant("me", 2, "a.example.com"), claimant("new", 1, "a.example.com")}, nil},
		"of the same second, by name":    {[]claims.Claimant{claimant("me", 1, "a.example.com"), claimant("alice", 1, "a.example.com")}, []string{"a.example.com: alice"}},
		"the oldest of several is named": {[]claims.Claimant{claimant("me", 1, "a.x"), claimant("b", 3, "a.x"), claimant("c", 2, "*.x")}, []string{"a.x: b"}},
		"a wildcard covers a name":       {[]claims.Claimant{claimant("me", 1, "a.b.example.com"), claimant("old", 2, "*.example.com")}, []string{"a.b.example.com: old"}},
		"a name is under a wildcard":     {[]claims.Claimant{claimant("me", 1, "*.example.com"), claimant("old", 2, "a.b.example.com")}, []string{"*.example.com: old"}},
		"a wildcard is under another":    {[]claims.Claimant{claimant("me", 1, "*.a.example.com"), claimant("old", 2, "*.example.com")}, []string{"*.a.example.com: old"}},
		"a wildcard is over another":     {[]claims.Claimant{claimant("me", 1, "*.example.com"), claimant("old", 2, "*.a.example.com")}, []string{"*.example.com: old"}},
		"a wildcard isn't its own name":  {[]claims.Claimant{claimant("me", 1, "example.com"), claimant("old", 2, "*.example.com")}, nil},
		"nor the other way round":        {[]claims.Claimant{claimant("me", 1, "*.example.com"), claimant("old", 2, "example.com")}, nil},
		"a suffix is no parent":          {[]claims.Claimant{claimant("me", 1, "badexample.com"), claimant("old", 2, "*.example.com")}, nil},
		"a single label":                 {[]claims.Claimant{claimant("me", 1, "localhost"), claimant("old", 2, "localhost")}, []string{"localhost: old"}},
		"only what overlaps": {
			[]claims.Claimant{claimant("me", 1, "a.x", "b.x", "192.0.2.1"), claimant("old", 2, "b.x", "192.0.2.2")}, []string{"b.x: old"},
		},
		"an address, spelled differently": {
			[]claims.Claimant{claimant("me", 1, "2001:DB8::1", "192.0.2.1"), claimant("old", 2, "2001:db8:0::1", "::ffff:192.0.2.1")},
			[]string{"192.0.2.1: old", "2001:DB8::1: old"},
		},
		"what an older one claims and doesn't have is free": {
			[]claims.Claimant{claimant("me", 1, "b.x"), claimant("middle", 2, "*.x"), claimant("old", 3, "a.x")}, nil,
		},
		"what it has after all isn't": {
			[]claims.Claimant{claimant("me", 1, "b.x"), claimant("middle", 2, "*.x", "b.x"), claimant("old", 3, "a.x")}, []string{"b.x: middle"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 { // in any order
				book := claims.NewBook()
				for _, i := range rand.Perm(len(tc.claimants)) {
					book.Put(tc.claimants[i])
				}
				if diff := cmp.Diff(tc.want, lines(book, "me"), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("taken (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func lines(book *claims.Book, tenant string) []string {
	var out []string
	taken := book.Taken(tenant)
	for claimed, holder := range taken.Hostnames {
		out = append(out, claimed+": "+holder)
	}
	for claimed, holder := range taken.Addresses {
		out = append(out, claimed+": "+holder)
	}
	slices.Sort(out)
	return out
}

// TestRivals says who must be looked at again when claims change.
func TestRivals(t *testing.T) {
	t.Parallel()
	book := claims.NewBook()
	steps := []struct {
		what string
		got  []string
		want []string
	}{
		{"the first", book.Put(claimant("a", 3, "*.example.com", "192.0.2.1")), nil},
		{"below it", book.Put(claimant("b", 2, "x.example.com")), []string{"a"}},
		{"nothing in common", book.Put(claimant("c", 1, "example.org")), nil},
		{"the same address", book.Put(claimant("d", 1, "192.0.2.1")), []string{"a", "b"}},
		{"the first again, with less", book.Put(claimant("a", 3, "192.0.2.1")), []string{"b", "d"}},
		{"without anything", book.Put(claimant("a", 3)), []string{"d"}},
		{"one that is gone", book.Delete("a"), nil},
		{"one that nobody knows", book.Delete("x"), nil},
		{"back", book.Put(claimant("a", 3, "*.com")), []string{"b"}},
		{"gone", book.Delete("b"), []string{"a"}},
	}
	for _, step := range steps {
		if diff := cmp.Diff(step.want, step.got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
}

// TestBookIsLikeOneMadeAnew changes claims at random, and compares with a book that never knew the former ones; and looks
// that whoever's share changed was named.
func TestBookIsLikeOneMadeAnew(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"a.x", "b.x", "*.x", "a.b.x", "*.b.x", "x", "*.a.b.x", "192.0.2.1", "2001:db8::1"}
	current := map[string]claims.Claimant{}
	book := claims.NewBook()
	for range 2000 {
		tenant := fmt.Sprintf("t%d", random.IntN(6))
		before := shares(book, current)
		var told []string
		if random.IntN(4) == 0 {
			delete(current, tenant)
			told = book.Delete(tenant)
		} else {
			c := claimant(tenant, int(tenant[1]), pick(random, names)...)
			current[tenant] = c
			told = book.Put(c)
		}
		anew := claims.NewBook()
		for _, c := range current {
			anew.Put(c)
		}
		after := shares(book, current)
		if diff := cmp.Diff(shares(anew, current), after); diff != "" {
			t.Fatalf("(-made anew +changed):\n%s", diff)
		}
		for other := range current {
			if other != tenant && before[other] != after[other] && !slices.Contains(told, other) {
				t.Fatalf("%s had %s and has %s, and only %v were named", other, before[other], after[other], told)
			}
		}
	}
}

func shares(book *claims.Book, current map[string]claims.Claimant) map[string]string {
	out := map[string]string{}
	for tenant := range current {
		out[tenant] = strings.Join(lines(book, tenant), ", ")
	}
	return out
}

func pick(random *rand.Rand, names []string) []string {
	var out []string
	for _, name := range names {
		if random.IntN(4) == 0 {
			out = append(out, name)
		}
	}
	return out
}
