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

// Package crd holds the tests of the CRDs as they are shipped: what they accept, what they refuse and in which words,
// all on a real API server, and what their rules cost it.
package crd

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// The API server of this package's tests. When it doesn't start, because it refuses the CRDs for instance, the tests
// that need it fail, and TestCost still says what the rules cost.
var (
	world    *env.Env
	api      dynamic.Interface
	startErr error
)

func TestMain(m *testing.M) {
	start(context.Background())
	code := m.Run()
	if world != nil {
		if err := world.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func start(ctx context.Context) {
	world, startErr = env.Start(ctx, controlplane.Options{WithoutControllerManager: true, Output: os.Stderr})
	if startErr != nil {
		return
	}
	cfg := world.Config()
	// TestRatchet writes what earns warnings.
	cfg.WarningHandler = rest.NoWarnings{}
	api, startErr = dynamic.NewForConfig(cfg)
}

// resource is the client of an object's kind.
func resource(t *testing.T, object *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	if startErr != nil {
		t.Fatalf("The control plane didn't start: %v", startErr)
	}
	plural := map[string]string{"Tenant": "tenants", "TenantClass": "tenantclasses", "DriftReport": "driftreports"}[object.GetKind()]
	if plural == "" {
		t.Fatalf("Unknown kind %q", object.GetKind())
	}
	all := api.Resource(v1alpha1.GroupVersion.WithResource(plural))
	if namespace := object.GetNamespace(); namespace != "" {
		return all.Namespace(namespace)
	}
	return all
}

var (
	onlyTry   = []string{metav1.DryRunAll}
	strictly  = metav1.FieldValidationStrict
	createDry = metav1.CreateOptions{DryRun: onlyTry, FieldValidation: strictly}
)

// create creates an object.
func create(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	_, err := resource(t, object).Create(t.Context(), object, metav1.CreateOptions{FieldValidation: strictly})
	return err
}

// dryRun says whether an object could be created.
func dryRun(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	_, err := resource(t, object).Create(t.Context(), object, createDry)
	return err
}

// updateStatus writes the status of a stored object, whatever its version.
func updateStatus(t *testing.T, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	live, err := resource(t, object).Get(t.Context(), object.GetName(), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	live.Object["status"] = object.Object["status"]
	return resource(t, object).UpdateStatus(t.Context(), live, metav1.UpdateOptions{FieldValidation: strictly})
}

// dryRunStatus says whether the status of a stored object could be written.
func dryRunStatus(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	options := metav1.UpdateOptions{DryRun: onlyTry, FieldValidation: strictly}
	_, err := resource(t, object).UpdateStatus(t.Context(), object, options)
	return err
}

// refused checks that an error is the API server's refusal of an object, and that it says all of want.
func refused(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("Accepted; want a refusal that says %q", want)
	}
	if !apierrors.IsInvalid(err) {
		t.Fatalf("Failed in another way than by validation: %v", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("The refusal doesn't say %q: %v", w, err)
		}
	}
}

// object reads one object from YAML.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	content, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("Reading YAML: %v\n%s", err, text)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(content); err != nil {
		t.Fatalf("Reading an object: %v\n%s", err, text)
	}
	return out
}

// everyField is an object of a kind with every field of its schema.
func everyField(t *testing.T, kind string) *unstructured.Unstructured {
	t.Helper()
	if kind == "DriftReport" {
		return object(t, read(t, "driftreport.yaml"))
	}
	head := "apiVersion: " + v1alpha1.GroupVersion.String() + "\nkind: " + kind + "\n"
	policy := object(t, head+read(t, "policy.yaml")).Object
	delete(policy, "apiVersion")
	delete(policy, "kind")
	if kind == "TenantClass" {
		class := object(t, head+"metadata: {name: full}")
		class.Object["spec"] = policy
		return class
	}
	tenant := object(t, read(t, "tenant.yaml"))
	spec, found, err := unstructured.NestedMap(tenant.Object, "spec")
	if !found || err != nil {
		t.Fatalf("Reading the spec: found %v, %v", found, err)
	}
	maps.Copy(spec, policy)
	spec = mapping(set(spec, []any{"namespaces", 0, "policy"}, policy))
	tenant.Object["spec"] = spec
	return tenant.DeepCopy()
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// crds are the CRDs of config/crd/bases.
func crds(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	root, err := env.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("Finding the CRDs: %v files, %v", len(files), err)
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(content, crd); err != nil {
			t.Fatalf("Reading %s: %v", file, err)
		}
		out = append(out, crd)
	}
	return out
}
