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
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestIntentHash(t *testing.T) {
	t.Parallel()
	base := IntentHash(object(t, intentQuota))
	if !regexp.MustCompile(`^v1:[0-9a-f]{32}$`).MatchString(base) {
		t.Errorf("got %q", base)
	}
	same := map[string][]string{
		"other spellings":       {"8Gi", "8192Mi", `"4"`, "4000m"},
		"the annotation itself": {"metadata:", "metadata:\n  annotations: {tenancy.bulkhead.dev/intent: x}"},
		"empty annotations":     {"metadata:", "metadata:\n  annotations: {}"},
		"an empty list":         {"spec:", "spec:\n  scopes: []"},
		"null":                  {"spec:", "spec:\n  scopes: null"},
		"a status":              {"spec:", "status: {used: {pods: 3}}\nspec:"},
		"server metadata":       {"metadata:", "metadata:\n  uid: x\n  resourceVersion: \"3\""},
	}
	for name, oldNew := range same {
		intent := object(t, edit(t, intentQuota, oldNew...))
		before := intent.DeepCopy()
		if got := IntentHash(intent); got != base {
			t.Errorf("%s: another hash", name)
		}
		if diff := cmp.Diff(before, intent); diff != "" {
			t.Errorf("%s: the intent changed: -before +after:\n%s", name, diff)
		}
	}
	other := map[string][]string{
		"a value":              {"8Gi", "9Gi"},
		"a label":              {"acme}", "other}"},
		"an annotation":        {"metadata:", "metadata:\n  annotations: {a: b}"},
		"the name":             {"name: bulkhead\n", "name: other\n"},
		"the namespace":        {"acme-prod", "acme-test"},
		"an additional field":  {"spec:", "spec:\n  scopes: [BestEffort]"},
		"another API version":  {"apiVersion: v1", "apiVersion: v2"},
		"another kind":         {"kind: ResourceQuota", "kind: ResourceQuote"},
		"one resource is gone": {`pods: "50", `, ""},
	}
	for name, oldNew := range other {
		if IntentHash(object(t, edit(t, intentQuota, oldNew...))) == base {
			t.Errorf("%s: same hash", name)
		}
	}
}

// The hash is stored in the cluster. If this test fails, the version must go up: else every object of every cluster
// looks tampered with after an upgrade.
func TestIntentHashIsStable(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"quota": "v1:8646c04e5b4d90a3a7294cde0c0ed593",
		"allow": "v1:97d1208178093068007c6544a19fadc6",
	}
	for name, hash := range want {
		if got := IntentHash(object(t, intents[name])); got != hash {
			t.Errorf("%s: got %s, want %s", name, got, hash)
		}
	}
}

func TestIntentHashWithoutMetadata(t *testing.T) {
	t.Parallel()
	if got := IntentHash(&unstructured.Unstructured{Object: map[string]any{"kind": "X"}}); got == "" {
		t.Error("no hash")
	}
}

func BenchmarkCompare(b *testing.B) {
	comparer := newComparer(b)
	for name, text := range intents {
		b.Run(name, func(b *testing.B) {
			intent, have := object(b, text), live(b, text)
			b.ReportAllocs()
			for b.Loop() {
				if d, err := comparer.Compare(intent, have); err != nil || !d.Empty() {
					b.Fatal(d, err)
				}
			}
		})
	}
}

func BenchmarkCompareDrifted(b *testing.B) {
	comparer := newComparer(b)
	intent, have := object(b, intentAllow), live(b, strings.Replace(intentAllow, "port: 443", "port: 444", 1))
	b.ReportAllocs()
	for b.Loop() {
		if d, err := comparer.Compare(intent, have); err != nil || d.Empty() {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkIntentHash(b *testing.B) {
	for name, text := range intents {
		b.Run(name, func(b *testing.B) {
			intent := object(b, text)
			b.ReportAllocs()
			for b.Loop() {
				IntentHash(intent)
			}
		})
	}
}
