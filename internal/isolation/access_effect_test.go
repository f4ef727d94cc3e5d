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
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

func TestAccessGoesByEffect(t *testing.T) {
	t.Parallel()
	type bindings = []*rbacv1.RoleBinding
	tests := map[string]struct {
		spec, live bindings
		want       []string
	}{
		"nothing": {},
		"the union of several roles counts": {
			spec: bindings{rbacBinding(t, "a", "ClusterRole pod-reader", "User vera"), rbacBinding(t, "b", "ClusterRole secret-reader", "User vera")},
			live: bindings{rbacBinding(t, "c", "ClusterRole one-secret", "User vera"), rbacBinding(t, "d", "ClusterRole pod-killer", "User vera")},
			want: []string{`Medium RoleBinding "d" gives User "vera" (a member with less in the spec) ClusterRole "pod-killer": ` +
				`they may change objects in namespace acme-prod, beyond the spec`},
		},
		"the same access under another binding's name": {
			spec: bindings{rbacBinding(t, "a", "ClusterRole edit", "User eve")},
			live: bindings{rbacBinding(t, "b", "ClusterRole edit", "User eve")},
		},
		"a subject injected into a binding of ours": {
			spec: bindings{rbacBinding(t, "a", "ClusterRole edit", "User vera")},
			live: bindings{rbacBinding(t, "a", "ClusterRole edit", "User vera", "User eve")},
			want: []string{`Critical RoleBinding "a" gives User "eve" (not in the spec) ClusterRole "edit": ` +
				`they may open the network walls, read secrets, run commands in pods and more in namespace acme-prod, beyond the spec`},
		},
		"the spec may give everybody something": {
			spec: bindings{rbacBinding(t, "a", "ClusterRole view", "Group system:authenticated")},
			live: bindings{
				rbacBinding(t, "a", "ClusterRole view", "Group system:authenticated"),
				rbacBinding(t, "b", "ClusterRole pod-reader", "User eve", "Group globex-devs", "ServiceAccount globex-prod/x", "Group system:serviceaccounts"),
				rbacBinding(t, "c", "ClusterRole exec", "Group system:authenticated"),
				rbacBinding(t, "d", "ClusterRole pod-reader", "User system:anonymous"),
			},
			want: []string{
				`Critical RoleBinding "c" gives Group "system:authenticated" (everybody who can log in) ClusterRole "exec": ` +
					`they may run commands in pods in namespace acme-prod, beyond the spec`,
				`Critical RoleBinding "d" gives User "system:anonymous" (anybody without login) ClusterRole "pod-reader": ` +
					`they may read objects in namespace acme-prod, beyond the spec`,
			},
		},
		"the spec names an outsider": {
			spec: bindings{rbacBinding(t, "a", "ClusterRole view", "User eve")},
			live: bindings{rbacBinding(t, "a", "ClusterRole view", "User eve"), rbacBinding(t, "b", "ClusterRole pod-killer", "User eve")},
			want: []string{`Medium RoleBinding "b" gives User "eve" (a member with less in the spec) ClusterRole "pod-killer": ` +
				`they may change objects in namespace acme-prod, beyond the spec`},
		},
		"a member whose role in the spec isn't known": {
			spec: bindings{rbacBinding(t, "a", "ClusterRole gone", "User eve")},
			live: bindings{rbacBinding(t, "a", "ClusterRole gone", "User eve"), rbacBinding(t, "b", "Role x", "User eve")},
			want: []string{`Medium RoleBinding "b" gives User "eve" (a member with less in the spec) whatever Role "x" allows ` +
				`in namespace acme-prod, beyond the spec`},
		},
		"an API group that is left out is the same": {
			spec: bindings{{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "gone"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "eve"}}}},
			live: bindings{rbacBinding(t, "a", "ClusterRole gone", "User eve")},
		},
		"gravest first, then by name": {
			live: bindings{
				rbacBinding(t, "z", "ClusterRole pod-reader", "User a"), rbacBinding(t, "b", "ClusterRole namespace-sight", "User a"),
				rbacBinding(t, "y", "ClusterRole exec", "User a"), rbacBinding(t, "a", "ClusterRole pod-reader", "User a"),
			},
			want: []string{
				`Critical RoleBinding "y" gives User "a" (not in the spec) ClusterRole "exec": they may run commands in pods in namespace acme-prod, beyond the spec`,
				`High RoleBinding "a" gives User "a" (not in the spec) ClusterRole "pod-reader": they may read objects in namespace acme-prod, beyond the spec`,
				`High RoleBinding "z" gives User "a" (not in the spec) ClusterRole "pod-reader": they may read objects in namespace acme-prod, beyond the spec`,
				`Medium RoleBinding "b" gives User "a" (not in the spec) ClusterRole "namespace-sight": ` +
					`they may see the names and labels of namespaces in namespace acme-prod, beyond the spec`,
			},
		},
		"holes in the lists": {
			spec: bindings{nil}, live: bindings{nil, {}, {RoleRef: rbacRole(t, "ClusterRole admin"), Subjects: []rbacv1.Subject{{}, {Kind: "User"}}}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := findingLines(Access(rbacTenants(t), AccessInput{
				Tenant: "acme", Namespace: "acme-prod", Spec: tc.spec, Live: tc.live, ClusterRole: rbacClusterRoles(t),
			}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAccessWithoutRoles(t *testing.T) {
	t.Parallel()
	edit := rbacClusterRoles(t)("edit")
	live := []*rbacv1.RoleBinding{
		rbacBinding(t, "own", "ClusterRole edit", "ServiceAccount app"), rbacBinding(t, "spec", "ClusterRole view", "User vera"),
		rbacBinding(t, "foreign", "ClusterRole edit", "User eve"),
	}
	in := AccessInput{Tenant: "acme", Namespace: "acme-prod", Spec: live[1:2], Live: live}
	tests := map[string]struct {
		subjects *Subjects
		roles    func(string) *rbacv1.ClusterRole
		want     []string
	}{
		// The namespace itself is the tenant's whatever the index knows.
		"neither roles nor an index": {want: []string{`RoleBinding "foreign" gives User "eve" (not in the spec) whatever ClusterRole "edit" allows in namespace acme-prod, beyond the spec`}},
		// The role admin isn't there to compare with.
		"one role": {
			subjects: rbacTenants(t),
			roles: func(name string) *rbacv1.ClusterRole {
				if name == "edit" {
					return edit
				}
				return nil
			},
			want: []string{`RoleBinding "foreign" gives User "eve" (not in the spec) ClusterRole "edit": they may open the network walls, read secrets, run commands in pods and more in namespace acme-prod, beyond the spec`},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := in
			in.ClusterRole = tc.roles
			var got []string
			for _, f := range Access(tc.subjects, in) {
				got = append(got, f.Message)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Names of RoleBindings have no bound of their own, nor have names of users, which may hold anything.
func TestAccessFitsIntoTheStatus(t *testing.T) {
	t.Parallel()
	names := map[string]string{
		"long":              strings.Repeat("n", 600),
		"long and wide":     strings.Repeat("💥", 300),
		"control":           "eve\n\x1b[31mall is well\r\x00",
		"quotes":            `eve" (a part of Kubernetes)`,
		"right to left":     "eve\u202ednim reven",
		"not UTF-8":         "eve\xff\xfe",
		"nearly the bound":  strings.Repeat("x", 253),
		"beyond by a bit":   strings.Repeat("x", 254),
		"zero-width joints": strings.Repeat("\u200b", 600),
	}
	for label, odd := range names {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			b := rbacBinding(t, odd, "ClusterRole edit", "User "+odd, "User 2"+odd, "Group 3"+odd, "ServiceAccount 4"+odd, "User 5")
			got := Access(rbacTenants(t), AccessInput{Tenant: "acme", Namespace: "acme-prod", Live: []*rbacv1.RoleBinding{b}, ClusterRole: rbacClusterRoles(t)})
			exposure, ok := ClusterBinding(rbacTenants(t), rbacClusterBinding(t, odd, "ClusterRole "+odd, "Group system:authenticated:"+odd), nil)
			if !ok {
				t.Fatal("no exposure")
			}
			finding, ok := exposure.For("acme")
			if !ok || len(got) != 1 {
				t.Fatalf("no finding for acme, or not one in it: %v", got)
			}
			for _, f := range append(got, finding) {
				if n := utf8.RuneCountInString(f.Message); n > 512 || utf8.RuneCountInString(f.Object.Name) > 253 {
					t.Errorf("%d characters, name %q", n, f.Object.Name)
				}
				if strings.ContainsFunc(f.Message, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
					t.Errorf("doesn't print: %q", f.Message)
				}
				// A binding, a role, and three subjects or one: a name can't close its own quotes.
				if n := strings.Count(f.Message, `"`); n != 10 && n != 6 {
					t.Errorf("%d quotes: %s", n, f.Message)
				}
				if !strings.Contains(f.Message, "beyond the spec") || !strings.Contains(f.Message, "gives") {
					t.Errorf("the sentence is cut off: %s", f.Message)
				}
			}
		})
	}
}

// Whatever is added to a live binding, what was found stays found, and as grave; and the order in which things come
// doesn't matter. What is shared with caches isn't changed.
func TestAccessIsMonotoneAndDeterministic(t *testing.T) {
	t.Parallel()
	everyone := []string{
		"Group acme-admins", "Group acme-devs", "User vera", "User rick", "User ada", "User shared", "User eve", "Group globex-devs",
		"ServiceAccount app", "ServiceAccount acme-dev/robot", "ServiceAccount ci/acme", "ServiceAccount ci/globex", "ServiceAccount x/y",
		"Group system:serviceaccounts:acme-dev", "Group system:serviceaccounts:vendor", "Group system:authenticated",
		"User system:anonymous", "User system:kube-scheduler", "User system:serviceaccount:globex-prod:z",
	}
	refs := []string{
		"ClusterRole admin", "ClusterRole edit", "ClusterRole view", "ClusterRole cluster-admin", "ClusterRole gone", "Role own",
		"ClusterRole pod-killer", "ClusterRole secret-reader", "ClusterRole relabel", "ClusterRole node-reader", "ClusterRole namespace-sight",
	}
	subjects, roles := rbacTenants(t), rbacClusterRoles(t)
	found := 0
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		pick := func(from []string, most int) (out []string) {
			for range 1 + rng.IntN(most) {
				out = append(out, from[rng.IntN(len(from))])
			}
			return out
		}
		in := AccessInput{Tenant: "acme", Namespace: "acme-prod", ClusterRole: roles}
		for _, name := range []string{"a", "b", "c"} {
			in.Spec = append(in.Spec, rbacBinding(t, name, pick(refs, 1)[0], pick(everyone, 3)...))
			in.Live = append(in.Live, rbacBinding(t, name, pick(refs, 1)[0], pick(everyone, 5)...))
		}
		before := rbacCopies(in.Spec, in.Live)
		first := Access(subjects, in)
		found += len(first)
		if diff := cmp.Diff(before, rbacCopies(in.Spec, in.Live)); diff != "" {
			t.Fatalf("seed %d: the input was changed:\n%s", seed, diff)
		}
		shuffled := in
		shuffled.Spec, shuffled.Live = before[0], before[1]
		for _, list := range before {
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for _, b := range list {
				rng.Shuffle(len(b.Subjects), func(i, j int) { b.Subjects[i], b.Subjects[j] = b.Subjects[j], b.Subjects[i] })
			}
		}
		if diff := cmp.Diff(first, Access(subjects, shuffled)); diff != "" {
			t.Fatalf("seed %d: another order, another answer:\n%s", seed, diff)
		}
		grown := rbacCopies(in.Live)[0]
		i := rng.IntN(len(grown))
		grown[i].Subjects = append(grown[i].Subjects, rbacSubjects(t, pick(everyone, 2)...)...)
		in.Live = grown
		second := Access(subjects, in)
		for _, f := range first {
			if !slices.ContainsFunc(second, func(g v1alpha1.IsolationFinding) bool {
				return g.Object == f.Object && g.Severity.Compare(f.Severity) <= 0
			}) {
				t.Fatalf("seed %d: lost %s", seed, f.Message)
			}
		}
		in.Live = in.Spec
		if got := Access(subjects, in); len(got) > 0 {
			t.Fatalf("seed %d: what the spec gives is found: %v", seed, findingLines(got))
		}
	}
	if found < 2000 {
		t.Errorf("%d findings in all: the law was hardly tried", found)
	}
}

func rbacCopies(lists ...[]*rbacv1.RoleBinding) [][]*rbacv1.RoleBinding {
	var out [][]*rbacv1.RoleBinding
	for _, list := range lists {
		var c []*rbacv1.RoleBinding
		for _, b := range list {
			c = append(c, b.DeepCopy())
		}
		out = append(out, c)
	}
	return out
}
