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

// Package golden compares what code renders with files that people read and review. Run the tests with -update
// to rewrite the files.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files with what the tests render")

// YAML fails the test unless the objects, as YAML documents in the order given, are the content of the file
// testdata/<name>.golden.yaml. No objects are an empty file.
func YAML[T any](t *testing.T, name string, objects ...T) {
	t.Helper()
	var got bytes.Buffer
	for i, o := range objects {
		doc, err := yaml.Marshal(o)
		if err != nil {
			t.Fatalf("object %d as YAML: %v", i, err)
		}
		if i > 0 {
			got.WriteString("---\n")
		}
		got.Write(doc)
	}
	path := filepath.Join("testdata", name+".golden.yaml")
	if *update {
		write(t, path, got.Bytes())
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write the file)", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s differs (-want +got; run the test with -update to accept):\n%s", path, diff)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
