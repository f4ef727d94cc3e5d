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
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := corpus.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var marker = regexp.MustCompile(`(?m)^// \+kubebuilder:rbac:groups=([^,]*),resources=([^,]*),verbs=(.*)$`)

// granted are the verbs that the markers of a room's doc.go grant, by "resource.group".
func granted(t *testing.T, room string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(t), "internal", "features", room, "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string][]string{}
	if all, read := strings.Count(string(raw), "+kubebuilder:rbac"), marker.FindAllStringSubmatch(string(raw), -1); all != len(read) {
		t.Errorf("%d of %d markers can't be read here", all-len(read), all)
	}
	for _, match := range marker.FindAllStringSubmatch(string(raw), -1) {
		for group := range strings.SplitSeq(strings.Trim(match[1], `"`), ";") {
			for resource := range strings.SplitSeq(match[2], ";") {
				id := resource + "." + strings.Trim(group, `"`)
				verbs[id] = append(verbs[id], strings.Split(match[3], ";")...)
			}
		}
	}
	return verbs
}

// TestMarkersGrantWhatRoomsOwn reads the RBAC markers from which the operator's ClusterRole is generated. On what a
// room owns it needs these verbs and no other; on what it doesn't own it may at most read single objects, which is
// there because nobody may grant what they don't hold.
func TestMarkersGrantWhatRoomsOwn(t *testing.T) {
	t.Parallel()
	for _, room := range features.All() {
		t.Run(room.Name(), func(t *testing.T) {
			t.Parallel()
			owns := slices.Clone(room.Owns())
			if scoped, ok := room.(feature.ClusterScoped); ok {
				owns = append(owns, scoped.OwnsCluster()...)
			}
			verbs := granted(t, room.Name())
			for _, gvk := range owns {
				plural, _ := meta.UnsafeGuessKindToResource(gvk)
				if gvk.Kind == "Gateway" { // of which the guess is "gatewaies"
					plural.Resource = "gateways"
				}
				id := plural.Resource + "." + plural.Group
				if diff := cmp.Diff([]string{"create", "delete", "list", "patch", "watch"}, slices.Sorted(slices.Values(verbs[id]))); diff != "" {
					t.Errorf("verbs on %s (-want +got):\n%s", id, diff)
				}
				delete(verbs, id)
			}
			for id, more := range verbs {
				if !slices.Equal(more, []string{"get"}) {
					t.Errorf("grants %v on %s, which the room doesn't own", more, id)
				}
			}
		})
	}
}

// TestRoomsAreDocumented looks for what a user, and a reviewer, needs to know of a room.
func TestRoomsAreDocumented(t *testing.T) {
	t.Parallel()
	declared := constants(t, filepath.Join(root(t), "api", "v1alpha1", "conditions.go"))
	for _, room := range features.All() {
		t.Run(room.Name(), func(t *testing.T) {
			t.Parallel()
			page := filepath.Join(root(t), "docs", "features", room.Name()+".md")
			if raw, err := os.ReadFile(page); err != nil || len(raw) < 200 {
				t.Errorf("docs/features/%s.md: %d bytes, %v", room.Name(), len(raw), err)
			}
			goldens, err := filepath.Glob(filepath.Join(root(t), "internal", "features", room.Name(), "testdata", "*.golden.yaml"))
			if err != nil || len(goldens) == 0 {
				t.Errorf("no golden file: %v", err)
			}
			if problems := nameOfRoom(room.Name()); problems != "" {
				t.Error(problems)
			}
			if !slices.Contains(declared, room.Condition()) || !strings.HasSuffix(room.Condition(), "Ready") {
				t.Errorf("condition %s isn't declared in api/v1alpha1/conditions.go, or doesn't end in Ready", room.Condition())
			}
		})
	}
}

var roomName = regexp.MustCompile(`^[a-z]{2,20}$`)

func nameOfRoom(name string) string {
	if !roomName.MatchString(name) {
		return fmt.Sprintf("%q is no name of a room: it is that of a package, and the value of a label", name)
	}
	return ""
}

// TestDocsNameEveryRoom makes sure that no page is left of a room that is gone.
func TestDocsNameEveryRoom(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"docs/features/*.md", "internal/features/*/doc.go"} {
		files, err := filepath.Glob(filepath.Join(root(t), filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".md")
			if name == "doc.go" {
				name = filepath.Base(filepath.Dir(file))
			}
			if !slices.ContainsFunc(features.All(), func(f feature.Feature) bool { return f.Name() == name }) {
				t.Errorf("%s speaks of a room that isn't in the registry", file)
			}
		}
	}
}

// TestSamplesShowEveryRoom renders the samples: each room must have something to do in at least one of them.
func TestSamplesShowEveryRoom(t *testing.T) {
	t.Parallel()
	cases, err := corpus.Cases()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, c := range cases {
		if !c.Sample {
			continue
		}
		facts, err := c.Facts()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			for _, room := range features.All() {
				result, err := room.Render(f)
				if err != nil {
					t.Errorf("%s: %s: %v", c.Name, room.Name(), err)
				}
				shown[room.Name()] = shown[room.Name()] || len(result.Walls)+len(result.Doors)+len(result.Labels)+len(result.Annotations) > 0
			}
		}
	}
	for _, room := range features.All() {
		if !shown[room.Name()] {
			t.Errorf("no Tenant in config/samples makes room %s render anything", room.Name())
		}
	}
}

// constants are the values of the string constants that a Go file declares.
func constants(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil {
				values = append(values, value)
			}
		}
		return true
	})
	return values
}
