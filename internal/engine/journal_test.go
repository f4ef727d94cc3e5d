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

package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func quotaID(namespace, name string) objectID {
	return objectID{gvk: quotaGVK, key: types.NamespacedName{Namespace: namespace, Name: name}}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"older":                        {"9", "10", true},
		"the same":                     {"10", "10", false},
		"newer":                        {"11", "10", false},
		"longer than 64 bits":          {"99999999999999999998", "99999999999999999999", true},
		"not a number":                 {"x", "10", false},
		"compared with not a number":   {"10", "y", false},
		"none":                         {"", "10", false},
		"compared with none":           {"10", "", false},
		"with a zero before":           {"09", "10", false},
		"zero, which means any, isn't": {"0", "10", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := older(tc.a, tc.b); got != tc.want {
				t.Errorf("older(%q, %q) is %v, want %v", tc.a, tc.b, got, tc.want)
			}
		})
	}
}

func TestJournalGone(t *testing.T) {
	t.Parallel()
	compareEntries := cmp.AllowUnexported(entry{})
	tests := map[string]struct {
		before  entry
		version string
		want    entry
	}{
		"the deletion of what we wrote":      {entry{uid: "1", version: "10", hash: "h", settled: true}, "12", entry{uid: "1", hash: "h"}},
		"the deletion of a predecessor":      {entry{uid: "2", version: "10", hash: "h"}, "9", entry{uid: "2", version: "10", hash: "h"}},
		"our own deletion":                   {entry{uid: "1", deleted: true}, "12", entry{uid: "1"}},
		"an object that couldn't be changed": {entry{uid: "1", version: "10", hash: "h", futile: true}, "12", entry{uid: "1", hash: "h"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := NewJournal()
			id := quotaID("acme-dev", "q")
			j.put(id, tc.before)
			j.gone(id, tc.version)
			if got, _ := j.get(id); !cmp.Equal(tc.want, got, compareEntries) {
				t.Errorf("entry (-want +got):\n%s", cmp.Diff(tc.want, got, compareEntries))
			}
		})
	}
}

// TestJournalGoneWhileWriting is about an object that someone deletes so soon after our write that the watch is quicker
// than the answer to us.
func TestJournalGoneWhileWriting(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		gone string
		want string
	}{
		"what we wrote was deleted meanwhile":        {gone: "12", want: ""},
		"at the same version":                        {gone: "10", want: ""},
		"a predecessor was deleted meanwhile":        {gone: "9", want: "10"},
		"nothing was deleted, or it was not watched": {want: "10"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := NewJournal()
			id := quotaID("acme-dev", "q")
			j.begin(id)
			if tc.gone != "" {
				j.gone(id, tc.gone)
			}
			j.put(id, entry{uid: "1", version: "10", hash: "h"})
			j.end(id)
			if got, ok := j.get(id); !ok || got.version != tc.want {
				t.Errorf("the journal has version %q, want %q", got.version, tc.want)
			}
			if len(j.writing) != 0 {
				t.Errorf("still being written: %v", j.writing)
			}
		})
	}
}

func TestJournalForgets(t *testing.T) {
	t.Parallel()
	j := NewJournal()
	j.gone(quotaID("a", "never seen"), "5")
	for _, id := range []objectID{quotaID("a", "q"), quotaID("a", "r"), quotaID("b", "q"), {gvk: namespaceGVK, key: types.NamespacedName{Name: "a"}}} {
		j.put(id, entry{uid: "1"})
	}
	j.forgetContent("a")
	j.forget(quotaID("b", "none"))
	if _, ok := j.get(quotaID("b", "q")); !ok || len(j.entries) != 2 {
		t.Errorf("left: %v, want what is in b, and Namespace a itself", j.entries)
	}
	j.forget(quotaID("b", "q"))
	if len(j.entries) != 1 {
		t.Errorf("left: %v, want Namespace a", j.entries)
	}
}
