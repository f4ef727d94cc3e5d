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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package crds_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

// TestLoad needs no API server.
func TestLoad(t *testing.T) {
	served := map[string]bool{}
	names := map[string]string{}
	for _, project := range crds.All() {
		all, err := crds.Load(project)
		if err != nil {
			t.Fatal(err)
		}
		for _, crd := range all {
			if other := names[crd.Name]; other != "" {
				t.Errorf("%s is in %s and in %s", crd.Name, other, project)
			}
			names[crd.Name] = project
			for _, v := range crd.Spec.Versions {
				served[crd.Spec.Group+"/"+v.Name] = served[crd.Spec.Group+"/"+v.Name] || v.Served
			}
		}
	}
	for _, version := range []string{
		"gateway.networking.k8s.io/v1", "cilium.io/v2", "policy.networking.k8s.io/v1alpha1", "policy.networking.k8s.io/v1alpha2",
		"k8s.ovn.org/v1", "crd.antrea.io/v1beta1", "networking.k8s.aws/v1alpha1",
	} {
		if !served[version] {
			t.Errorf("%s is not served", version)
		}
	}
	if _, err := crds.Load("nothing"); err == nil {
		t.Error("a project that isn't there was loaded")
	}
	if first, second := load(t), load(t); first == second {
		t.Error("a CRD is handed out twice: what one caller changes, the other sees")
	}
}

// TestHeaders checks that each file says where it is from.
func TestHeaders(t *testing.T) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	copied := regexp.MustCompile(`^# Copied by hack/crds/update.sh; don't edit.\n# Module: \S+\n# Version: v\S+\n# File: \S+\n# Licence: Apache-2.0\n`)
	written := regexp.MustCompile(`^# Written for tests from the documented schema of [^;]+; not the[\s#]+upstream\s`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !copied.Match(content) && !written.Match(content) {
			t.Errorf("%s doesn't say where it is from: %.200s", file, content)
		}
	}
}

func load(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	all, err := crds.Load(crds.Cilium)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %d CRDs, %v", len(all), err)
	}
	return all[0]
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	// YAML has no tabs, and Go's raw strings are indented with them.
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "\t", " ")), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}
