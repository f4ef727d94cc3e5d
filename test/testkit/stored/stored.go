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

// Package stored says what an API server would do with an object of a CRD, without one: whether it would accept it, and
// whether it would store it as it is.
package stored

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
)

// As fails the test unless a project of package crds has the object's kind, in the version, and the API server would
// accept the object and store just that: no field is unknown, none is filled in, and nothing is refused.
func As(t *testing.T, project string, object any) {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	read := func() *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(raw, &u.Object); err != nil {
			t.Fatal(err)
		}
		return u
	}
	sent, got := read(), read()
	internal, err := schemaOf(project, sent.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		t.Fatal(err)
	}
	pruning.Prune(got.Object, structural, true)
	if diff := cmp.Diff(sent.Object, got.Object); diff != "" {
		t.Errorf("%s has fields that the CRD doesn't know (-sent +kept):\n%s", sent.GetName(), diff)
	}
	defaulting.Default(got.Object, structural)
	// The status is the API server's, and not applied.
	delete(got.Object, "status")
	if diff := cmp.Diff(sent.Object, got.Object); diff != "" {
		t.Errorf("%s isn't stored as it is sent (-sent +stored):\n%s", sent.GetName(), diff)
	}
	validator, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		t.Fatal(err)
	}
	errs := validation.ValidateCustomResource(nil, got.Object, validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, structural, got.Object)...)
	rules, _ := cel.NewValidator(structural, true, celconfig.PerCallLimit).
		Validate(context.Background(), nil, structural, got.Object, nil, celconfig.RuntimeCELCostBudget)
	if err := append(errs, rules...).ToAggregate(); err != nil {
		t.Errorf("%s is refused: %v", sent.GetName(), err)
	}
}

// schemaOf finds the schema of a kind in a project.
func schemaOf(project string, gvk schema.GroupVersionKind) (*apiextensions.JSONSchemaProps, error) {
	all, err := crds.Load(project)
	if err != nil {
		return nil, err
	}
	for _, crd := range all {
		if crd.Spec.Group != gvk.Group || crd.Spec.Names.Kind != gvk.Kind {
			continue
		}
		for _, version := range crd.Spec.Versions {
			if version.Name != gvk.Version || !version.Served {
				continue
			}
			internal := &apiextensions.JSONSchemaProps{}
			return internal, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
				version.Schema.OpenAPIV3Schema, internal, nil)
		}
	}
	return nil, fmt.Errorf("no CRD of %s serves %s", project, gvk)
}
