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
	"cmp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	// accessMaxMessage and accessMaxName bound, in characters, what the API takes.
	accessMaxMessage = 512
	accessMaxName    = 253
	// accessMaxListed is how many subjects, and how many of their powers, a sentence names.
	accessMaxListed = 3

	accessKindClusterRole        = "ClusterRole"
	accessKindClusterRoleBinding = "ClusterRoleBinding"
	accessKindRoleBinding        = "RoleBinding"
	accessKindNamespace          = "Namespace"
)

// accessFit builds a sentence that isn't longer than the API takes: names are cut as far as it needs.
func accessFit(build func(longest int) string) string {
	var message string
	for _, longest := range []int{accessMaxName, 80, 40, 20} {
		if message = build(longest); utf8.RuneCountInString(message) <= accessMaxMessage {
			return message
		}
	}
	return clip(message, accessMaxMessage)
}

// accessQuote quotes a name, cut to so many characters. Names of users and groups may hold anything; what doesn't
// print, and a quote, would let them say something else in our sentence.
func accessQuote(name string, longest int) string {
	return `"` + strings.Map(func(r rune) rune {
		if r == '"' || r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, clip(name, longest)) + `"`
}

// accessList joins the first of the items, and says with more how many are left out: "a", "a and b", "a, b, c and 2
// more".
func accessList(items []string, more func(rest int) string) string {
	if rest := len(items) - accessMaxListed; rest > 0 {
		items = append(items[:accessMaxListed:accessMaxListed], more(rest))
	}
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

func accessMore(rest int) string { return strconv.Itoa(rest) + " more" }

// accessSubject names a subject as it stands in a binding.
func accessSubject(s rbacv1.Subject, bindingNamespace string, longest int) string {
	name := s.Name
	if s.Kind == rbacv1.ServiceAccountKind {
		name = cmp.Or(s.Namespace, bindingNamespace) + "/" + s.Name
	}
	return s.Kind + " " + accessQuote(name, longest)
}

// accessEverybody says who is behind a subject that stands for everybody.
func accessEverybody(key subjectKey) string {
	switch key.name {
	case subjectAnonymous, subjectUnauthenticated:
		return "anybody without login"
	case subjectAllAccounts:
		return "every ServiceAccount of the cluster"
	default:
		return "everybody who can log in"
	}
}

// accessMay says what a binding to a role gives: "ClusterRole "edit": they may read secrets", or, of a role that isn't
// known, that it is whatever the role allows.
func accessMay(ref rbacv1.RoleRef, reach accessReach, longest int) string {
	role := ref.Kind + " " + accessQuote(ref.Name, longest)
	phrases := accessPhrases(reach)
	if len(phrases) == 0 {
		return "whatever " + role + " allows"
	}
	return role + ": they may " + accessList(phrases, func(int) string { return "more" })
}

// accessObject refers to an object of RBAC. Names of these may be longer than a reference takes.
func accessObject(kind, namespace, name string) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{
		Group: rbacv1.GroupName, Kind: kind, Namespace: namespace, Name: clip(name, accessMaxName),
	}
}
