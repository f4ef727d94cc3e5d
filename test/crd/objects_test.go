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

package crd

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds how long the API server takes to follow a changed CRD.
	soon = 30 * time.Second
	// often is how often a test looks.
	often = 50 * time.Millisecond
)

// TestSamples checks that the samples that are shipped are accepted.
func TestSamples(t *testing.T) {
	t.Parallel()
	root, err := env.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range documents(t, filepath.Join(root, "config", "samples", "tenant*.yaml")) {
		if sample.GroupVersionKind().Group != v1alpha1.GroupVersion.Group {
			continue
		}
		t.Run(sample.GetKind()+" "+sample.GetName(), func(t *testing.T) {
			t.Parallel()
			if err := dryRun(t, sample); err != nil {
				t.Errorf("Refused: %v", err)
			}
		})
	}
}

// TestBadExamples checks that what the shared examples hold up as refused is refused.
func TestBadExamples(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"bad-cidr":     `spec.egress.destinations[0].cidrs[0]: Invalid value: "10.0.0.0/33"`,
		"bad-label":    "spec.namespaces[0].labels: Invalid value: must not have the guarded key pod-security.kubernetes.io/enforce",
		"bad-peer":     "spec.network.allow[0].peers[0]: Invalid value: must say exactly one of tenant, namespaces and cidr",
		"bad-reserved": `spec.namespaces[0].name: Invalid value: "kube-system": is reserved`,
		"bad-roles":    "spec.members[0]: Invalid value: must set exactly one of role (Admin, Edit, View) and clusterRoleName",
	}
	dir := env.Examples()
	if dir == "" {
		t.Skip("The shared examples aren't here.")
	}
	for _, example := range documents(t, filepath.Join(dir, "bad", "*.yaml")) {
		t.Run(example.GetName(), func(t *testing.T) {
			t.Parallel()
			err := dryRun(t, example)
			w, ok := want[example.GetName()]
			switch {
			case ok:
				refused(t, err, w)
			case err != nil && !strings.Contains(err.Error(), "unknown field"):
				t.Errorf("Refused, and no case says why: %v", err)
			}
		})
	}
}

// documents are the objects of the YAML files that a pattern matches.
func documents(t *testing.T, pattern string) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("Finding %s: %d files, %v", pattern, len(files), err)
	}
	var out []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(content), "\n---\n") {
			out = append(out, object(t, document))
		}
	}
	return out
}

// TestNoDefaults checks that a spec comes back as it was sent, and that a new Tenant says that no status is there yet.
func TestNoDefaults(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]*unstructured.Unstructured{
		"tenant of nothing": build("Tenant", "defaults-nothing", map[string]any{}),
		"tenant of little": build("Tenant", "defaults-little", values(t, `
namespaces: [{name: b, policy: {network: {}, quota: {}}}, {name: a}]
members: [{name: z, role: View, subjects: [{kind: User, name: jane}]}]
drift: {}
network: {allow: [{name: a, direction: Ingress, peers: [{tenant: b}], ports: [{port: 80}]}]}
quota: {perNamespace: {requests.cpu: 1000m, pods: 5, limits.cpu: "2.0"}}
limits: [{type: Container}]`)),
		"class of nothing": build("TenantClass", "defaults-nothing", map[string]any{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := create(t, sent); err != nil {
				t.Fatal(err)
			}
			got, err := resource(t, sent).Get(t.Context(), sent.GetName(), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sent.Object["spec"], got.Object["spec"]); diff != "" {
				t.Errorf("The spec changed (-sent +got):\n%s", diff)
			}
			var want any
			if sent.GetKind() == "Tenant" {
				want = map[string]any{"observedGeneration": int64(-1)}
			}
			if diff := cmp.Diff(want, got.Object["status"]); diff != "" {
				t.Errorf("Status of a new object (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyDefault checks that no schema has a default beside the one of the Tenant's status.
func TestOnlyDefault(t *testing.T) {
	t.Parallel()
	var got []string
	for _, crd := range crds(t) {
		walkSchema(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, "", func(s *apiextensionsv1.JSONSchemaProps, path string) {
			if s.Default != nil {
				got = append(got, crd.Spec.Names.Plural+path+"="+string(s.Default.Raw))
			}
		})
	}
	if diff := cmp.Diff([]string{`tenants.status={"observedGeneration":-1}`}, got); diff != "" {
		t.Errorf("Defaults (-want +got):\n%s", diff)
	}
}

// TestRatchet checks that an object that was stored before a rule stays updatable: what is wrong in it is refused only
// when it changes. The rules are of a CRD of the test's own, which is the Tenant's in another group.
func TestRatchet(t *testing.T) {
	t.Parallel()
	crd := ratchetCRD(t)
	strict := crd.DeepCopy()
	loosen(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	applyCRD(t, crd)
	tenants := api.Resource(schema.GroupVersionResource{Group: crd.Spec.Group, Version: "v1alpha1", Resource: "tenants"})

	stored := build("Tenant", "old.tenant", values(t, `
description: as it was
className: Not a class
namespaces:
- {name: kube-old, labels: {tenancy.bulkhead.dev/tenant: other}}
- {name: fine}
members:
- name: m
  role: View
  clusterRoleName: view
  subjects: [{kind: Robot, name: r2}]
network:
  allow:
  - {name: dns, direction: Ingress, peers: [{tenant: a, cidr: 010.0.0.0/8}], ports: [{endPort: 5}]}
quota: {perNamespace: {pods: "-1"}}
limits: [{type: PersistentVolumeClaim, default: {storage: -1Gi}}]`))
	stored.SetAPIVersion(crd.Spec.Group + "/v1alpha1")
	live, err := tenants.Create(t.Context(), stored, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("Storing what the rules will refuse: %v", err)
	}
	applyCRD(t, strict)
	err = wait.PollUntilContextTimeout(t.Context(), often, soon, true, func(ctx context.Context) (bool, error) {
		another := stored.DeepCopy()
		another.SetName("new.tenant")
		_, err := tenants.Create(ctx, another, createDry)
		return apierrors.IsInvalid(err), nil
	})
	if err != nil {
		t.Fatalf("Waiting for the rules to be in force: %v", err)
	}

	// Labels and finalizers are what the operator itself and GitOps tools write most.
	live.SetLabels(map[string]string{"touched": "yes"})
	live.SetFinalizers([]string{v1alpha1.Finalizer})
	live = edit(live, []any{"spec", "description"}, "changed")
	live = edit(live, []any{"spec", "namespaces", 1, "adoption"}, "Never")
	live, err = tenants.Update(t.Context(), live, metav1.UpdateOptions{})
	if err != nil {
		t.Fatalf("Updating beside what the rules refuse: %v", err)
	}
	live.Object["status"] = map[string]any{"observedGeneration": int64(2)}
	if live, err = tenants.UpdateStatus(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("Updating the status beside what the rules refuse: %v", err)
	}
	// What is gone is no longer wrong, and the last finalizer can go: nothing is stuck.
	live.SetFinalizers(nil)
	if live, err = tenants.Update(t.Context(), edit(live, []any{"spec", "limits"}, []any{}), metav1.UpdateOptions{}); err != nil {
		t.Fatalf("Taking away a part of what the rules refuse: %v", err)
	}
	for name, c := range map[string]struct {
		at    []any
		value any
		want  string
	}{
		"namespace":  {[]any{"spec", "namespaces", 0, "name"}, "kube-new", "spec.namespaces[0].name"},
		"label":      {[]any{"spec", "namespaces", 0, "labels", "guard.bulkhead.dev/x"}, "x", "spec.namespaces[0].labels"},
		"quota":      {[]any{"spec", "quota", "perNamespace", "pods"}, "-2", "spec.quota.perNamespace"},
		"class name": {[]any{"spec", "className"}, "Another", "spec.className"},
	} {
		_, err := tenants.Update(t.Context(), edit(live, c.at, c.value), metav1.UpdateOptions{DryRun: onlyTry})
		if err == nil || !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Changing %s to something refused: got %v, want a refusal that names %s", name, err, c.want)
		}
	}
}

func ratchetCRD(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	for _, crd := range crds(t) {
		if crd.Spec.Names.Kind == "Tenant" {
			crd.Spec.Group = "ratchet.example.com"
			crd.Name = crd.Spec.Names.Plural + "." + crd.Spec.Group
			crd.Spec.Names.ShortNames, crd.Spec.Names.Categories = nil, nil
			return crd
		}
	}
	t.Fatal("No CRD of Tenant")
	return nil
}

// loosen takes the rules, patterns and formats out of a schema.
func loosen(s *apiextensionsv1.JSONSchemaProps) {
	s.XValidations, s.Pattern, s.Format = nil, "", ""
	for name, child := range s.Properties {
		loosen(&child)
		s.Properties[name] = child
	}
	if s.AdditionalProperties != nil {
		loosen(s.AdditionalProperties.Schema)
	}
	if s.Items != nil {
		loosen(s.Items.Schema)
	}
}

// applyCRD creates or updates a CRD and waits until it is established.
func applyCRD(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if startErr != nil {
		t.Fatalf("The control plane didn't start: %v", startErr)
	}
	crds := api.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(crd)
	if err != nil {
		t.Fatal(err)
	}
	desired := &unstructured.Unstructured{Object: content}
	desired.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	unstructured.RemoveNestedField(desired.Object, "status")
	_, err = crds.Apply(t.Context(), crd.Name, desired, metav1.ApplyOptions{FieldManager: "test", Force: true})
	if err != nil {
		t.Fatalf("Applying the CRD: %v", err)
	}
	watcher, err := crds.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + crd.Name})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if event.Type != watch.Added && event.Type != watch.Modified {
			continue
		}
		live, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		conditions, _, err := unstructured.NestedSlice(live.Object, "status", "conditions")
		if err == nil && slices.ContainsFunc(conditions, func(c any) bool {
			return mapping(c)["type"] == "Established" && mapping(c)["status"] == "True"
		}) {
			return
		}
	}
	t.Fatal("The CRD was not established")
}
