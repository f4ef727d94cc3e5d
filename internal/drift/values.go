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

package drift

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

// values are the two sides of a change. They are copied out of the objects as text, so that a difference keeps nothing
// of the objects alive. The zero value withholds them.
type values struct {
	// shown says that the values may be shown.
	shown bool
	// expected and actual are compact JSON of the field in the intent and in the live object, or empty where it isn't.
	expected, actual string
}

// showable names the fields of a kind whose values hold nothing secret.
type showable struct {
	// fields are fields of the object itself, with all that is in them.
	fields []string
	// labels and annotations are keys, or with a slash at the end, prefixes of keys.
	labels, annotations []string
}

// shown is what is told of the values in each kind. It is a list of what is known to be harmless, and not of what is
// known to be secret: whatever isn't here, and whatever the API grows one day, is withheld.
// It is never changed.
var shown = map[schema.GroupKind]showable{
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}: {fields: []string{"spec"}},

	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        {fields: []string{"roleRef", "subjects"}},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: {fields: []string{"roleRef", "subjects"}},
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:               {fields: []string{"rules"}},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:        {fields: []string{"rules"}},

	// Addresses, names and selectors; of certificates only the names of their Secrets.
	{Group: "gateway.networking.k8s.io", Kind: "Gateway"}:             {fields: []string{"spec"}},
	{Group: "policy.networking.k8s.io", Kind: "ClusterNetworkPolicy"}: {fields: []string{"spec"}},
	{Group: "policy.networking.k8s.io", Kind: "AdminNetworkPolicy"}:   {fields: []string{"spec"}},
	{Group: "cilium.io", Kind: "CiliumNetworkPolicy"}:                 {fields: []string{"spec"}},
	{Group: "cilium.io", Kind: "CiliumEgressGatewayPolicy"}:           {fields: []string{"spec"}},
	{Group: "k8s.ovn.org", Kind: "EgressIP"}:                          {fields: []string{"spec"}},
	{Group: "k8s.ovn.org", Kind: "EgressFirewall"}:                    {fields: []string{"spec"}},
	{Group: "crd.antrea.io", Kind: "Egress"}:                          {fields: []string{"spec"}},

	{Kind: "ResourceQuota"}: {fields: []string{"spec"}},
	{Kind: "LimitRange"}:    {fields: []string{"spec"}},
	{Kind: "Namespace"}:     {labels: append(v1alpha1.GuardKeys(), podSecurityPrefix), annotations: v1alpha1.GuardKeys()},
}

// shownEverywhere is what is told of the values in every kind: Bulkhead's own bookkeeping.
var shownEverywhere = showable{
	labels:      []string{v1alpha1.Prefix, v1alpha1.LabelManagedBy},
	annotations: []string{v1alpha1.AnnotationIntent},
}

// showsValue reports whether the values of a field may be shown.
func showsValue(kind schema.GroupKind, path fieldpath.Path) bool {
	if name(path, 0) != "metadata" {
		return slices.Contains(shown[kind].fields, name(path, 0))
	}
	if len(path) != 3 { // metadata, labels, key
		return false
	}
	key := name(path, 2)
	switch name(path, 1) {
	case "labels":
		return hasKey(shown[kind].labels, key) || hasKey(shownEverywhere.labels, key)
	case "annotations":
		return hasKey(shown[kind].annotations, key) || hasKey(shownEverywhere.annotations, key)
	default:
		return false
	}
}

// hasKey reports whether a key is in a list of keys and of prefixes, which end with a slash.
func hasKey(list []string, key string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return entry == key || strings.HasSuffix(entry, "/") && strings.HasPrefix(key, entry)
	})
}

// valuesAt reads both sides of a change.
func valuesAt(kind schema.GroupKind, path fieldpath.Path, want, have map[string]any) values {
	if !showsValue(kind, path) {
		return values{}
	}
	expected, okExpected := rendered(want, path)
	actual, okActual := rendered(have, path)
	if !okExpected || !okActual {
		return values{}
	}
	return values{shown: true, expected: expected, actual: actual}
}

// rendered returns the value at a path as compact JSON, empty if there is none. It isn't ok if there is a value and it
// is no JSON.
func rendered(object map[string]any, path fieldpath.Path) (text string, ok bool) {
	var at any = object
	for _, element := range path {
		var found bool
		if at, _, found = step(at, element); !found {
			return "", true
		}
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(at); err != nil {
		return "", false
	}
	return shortened(strings.TrimSuffix(out.String(), "\n")), true
}

// shortened writes JSON for people: what can't be seen, or changes how the rest is seen, as JSON escapes it, and what
// is longer than MaxFieldValue characters cut off, with "…" as the last of them.
func shortened(text string) string {
	var out strings.Builder
	end, n := 0, 0
	for _, r := range text {
		char := string(r)
		if !redact.Visible(r) {
			char = escaped(r)
		}
		if n += utf8.RuneCountInString(char); n > v1alpha1.MaxFieldValue {
			return out.String()[:end] + "…"
		}
		out.WriteString(char)
		if n < v1alpha1.MaxFieldValue {
			end = out.Len()
		}
	}
	return out.String()
}

// escaped is a character as JSON escapes it within a string, which is the only place where it may be.
func escaped(r rune) string {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// kindOf reads the kind of an object's content.
func kindOf(content map[string]any) schema.GroupKind {
	apiVersion, _ := content["apiVersion"].(string)
	kind, _ := content["kind"].(string)
	return schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind()
}
