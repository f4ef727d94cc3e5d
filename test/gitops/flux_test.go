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

package gitops_test

import (
	"context"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/event"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// fluxHealth is what Flux reads from an object.
type fluxHealth func(context.Context, *unstructured.Unstructured) (*event.ResourceStatus, error)

// fluxWith is Flux with these health checks.
func fluxWith(t *testing.T, checks []kustomize.CustomHealthCheck) fluxHealth {
	t.Helper()
	newReader, err := cel.NewStatusReader(checks)
	if err != nil {
		t.Fatal(err)
	}
	reader := newReader(nil)
	return func(ctx context.Context, object *unstructured.Unstructured) (*event.ResourceStatus, error) {
		return reader.ReadStatusForObject(ctx, nil, object)
	}
}

// fluxExample is the Kustomization in config/gitops/flux.
func fluxExample(t *testing.T) kustomizev1.Kustomization {
	t.Helper()
	var example kustomizev1.Kustomization
	data := read(t, "config", "gitops", "flux", "kustomization-example.yaml")
	if err := yaml.UnmarshalStrict([]byte(data), &example); err != nil {
		t.Fatalf("kustomization-example.yaml has what the API of Flux has not: %v", err)
	}
	return example
}

// TestFluxExample checks that the expressions of the example are about Tenants, and that Flux asks them.
func TestFluxExample(t *testing.T) {
	t.Parallel()
	example := fluxExample(t)
	if example.APIVersion != kustomizev1.GroupVersion.String() || example.Kind != kustomizev1.KustomizationKind {
		t.Errorf("the example is a %s of %s, want %s of %s",
			example.Kind, example.APIVersion, kustomizev1.KustomizationKind, kustomizev1.GroupVersion)
	}
	if !example.Spec.Wait {
		t.Error("the example doesn't wait: its expressions are never evaluated")
	}
	checks := example.Spec.HealthCheckExprs
	if len(checks) != 1 || checks[0].APIVersion != v1alpha1.GroupVersion.String() || checks[0].Kind != "Tenant" {
		t.Errorf("the expressions are %+v, want one set for Tenant of %s", checks, v1alpha1.GroupVersion)
	}
}

// TestFluxWithoutStatus says what Flux makes of what can't be evaluated: CEL can't ask whether there is a status at
// all. Flux reads on until its time-out. No Tenant that the API server serves is like this (TestServedHasStatus).
func TestFluxWithoutStatus(t *testing.T) {
	t.Parallel()
	got, err := fluxWith(t, fluxExample(t).Spec.HealthCheckExprs)(t.Context(), unserved())
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != status.UnknownStatus || got.Error == nil {
		t.Errorf("Flux reads %s (error %v), want %s with the error of the expression", got.Status, got.Error, status.UnknownStatus)
	}
}
