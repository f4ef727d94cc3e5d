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

// Package config_test holds what is installed to what the project promises of it.
package config_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// root is the folder of the manifests, seen from this package.
const root = "../../config"

// A manifest is one object of a YAML file.
type manifest struct {
	metav1.PartialObjectMetadata
	// origin is the file that the object was read from.
	origin string
	raw    []byte
}

// decode fills out with the object, and fails on a field that out doesn't have.
func (m manifest) decode(t *testing.T, out any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(m.raw, out); err != nil {
		t.Fatalf("%s: %s %s: %v", m.origin, m.Kind, m.Name, err)
	}
}

// committed returns every object of every file below config.
func committed(t *testing.T) []manifest {
	t.Helper()
	var all []manifest
	for _, file := range yamlFiles(t, root) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, file, data)...)
	}
	if len(all) == 0 {
		t.Fatalf("no objects below %s", root)
	}
	return all
}

// built returns what kustomize makes of a folder of config. Without the control plane's kubectl the test is skipped.
func built(t *testing.T, folder string) []manifest {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: run make test")
	}
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), "kustomize", filepath.Join(root, folder))
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize config/%s: %v\n%s", folder, err, stderr.String())
	}
	return parse(t, "config/"+folder, out)
}

func parse(t *testing.T, origin string, data []byte) []manifest {
	t.Helper()
	var all []manifest
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		raw, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", origin, err)
		}
		m := manifest{origin: origin, raw: raw}
		if err := yaml.Unmarshal(raw, &m.PartialObjectMetadata); err != nil {
			t.Fatalf("%s: %v", origin, err)
		}
		if m.Kind != "" && m.Kind != "Kustomization" {
			all = append(all, m)
		}
	}
}

func yamlFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".yaml") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
