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

package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

// guardKey finds keys of guard-rail data in YAML.
var guardKey = regexp.MustCompile(`guard\.bulkhead\.dev/[a-z-]+`)

// aboutPolicies are the keys that policies carry themselves: no data of a namespace.
var aboutPolicies = []string{v1alpha1.GuardPrefix + "when"}

// TestGuardKeys checks that the keys of guard-rail data are listed, written by a room, and read by a rule or a default
// of that room.
func TestGuardKeys(t *testing.T) {
	t.Parallel()
	root, err := corpus.Root()
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, literal := range constants(t, filepath.Join(root, "api", "v1alpha1", "guard.go")) {
		declared = append(declared, v1alpha1.GuardPrefix+literal)
	}
	keys := v1alpha1.GuardKeys()
	slices.Sort(declared)
	slices.Sort(keys)
	if diff := cmp.Diff(declared, keys); diff != "" {
		t.Errorf("GuardKeys (-declared +listed):\n%s", diff)
	}

	written := map[string]string{}
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			for _, room := range features.All() {
				result, err := room.Render(f)
				if err != nil {
					continue // other laws speak of that
				}
				for _, data := range []map[string]string{result.Annotations, result.Labels} {
					for key := range data {
						if strings.HasPrefix(key, v1alpha1.GuardPrefix) {
							written[key] = room.Name()
						}
					}
				}
			}
		}
	}
	for key, room := range written {
		if !slices.Contains(keys, key) {
			t.Errorf("room %s writes %s, which isn't among GuardKeys", room, key)
		}
	}
	for _, key := range keys {
		// The list of what spec.namespaces[].annotations asks for is the plan's, and the stamp's to read.
		readers := []string{filepath.Join(root, "config", "admission", "mutating", "identity.yaml")}
		if key != v1alpha1.GuardAnnotations {
			room, found := written[key]
			if !found {
				t.Errorf("no room writes %s for any Tenant in config/samples or test/conformance/corpus/tenants", key)
				continue
			}
			readers, err = filepath.Glob(filepath.Join(root, "internal", "features", room, "*.yaml"))
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.ContainsFunc(readers, func(file string) bool { return reads(t, file, key) }) {
			t.Errorf("none of %v reads %s", readers, key)
		}
	}
}

// reads says whether a rule or a default of a file speaks of a key.
func reads(t *testing.T, file, key string) bool {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(file) != "probes.yaml" && slices.Contains(guardKey.FindAllString(string(content), -1), key)
}

// TestRulesReadKnownKeys checks that no rule reads a key that nobody writes.
func TestRulesReadKnownKeys(t *testing.T) {
	t.Parallel()
	root, err := corpus.Root()
	if err != nil {
		t.Fatal(err)
	}
	known := append(v1alpha1.GuardKeys(), aboutPolicies...)
	for _, pattern := range []string{"config/admission/*.yaml", "config/admission/*/*.yaml", "internal/features/*/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range guardKey.FindAllString(string(content), -1) {
				if !slices.Contains(known, key) {
					t.Errorf("%s speaks of %s, which nobody writes", file, key)
				}
			}
		}
	}
}
