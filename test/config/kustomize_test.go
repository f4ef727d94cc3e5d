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

package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// ids are kind/namespace/name of objects, sorted.
func ids(manifests []manifest) []string {
	all := make([]string, 0, len(manifests))
	for _, m := range manifests {
		all = append(all, m.Kind+"/"+m.Namespace+"/"+m.Name)
	}
	slices.Sort(all)
	return all
}

// TestKustomizationsAreComplete checks that no file is forgotten in the kustomization beside it. Probes aren't for kubectl:
// the operator reads them.
func TestKustomizationsAreComplete(t *testing.T) {
	found := 0
	for _, file := range yamlFiles(t, root) {
		if filepath.Base(file) != "kustomization.yaml" {
			continue
		}
		found++
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var kustomization struct {
			Resources []string `json:"resources"`
		}
		if err := yaml.Unmarshal(data, &kustomization); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		dir := filepath.Dir(file)
		for _, other := range yamlFiles(t, dir) {
			relative, err := filepath.Rel(dir, other)
			if err != nil {
				t.Fatal(err)
			}
			isProbe := filepath.Base(filepath.Dir(other)) == "requests"
			if other != file && !isProbe && nearest(t, filepath.Dir(other)) == dir && !slices.Contains(kustomization.Resources, relative) {
				t.Errorf("%s doesn't list %s", file, relative)
			}
		}
	}
	if found == 0 {
		t.Errorf("no kustomizations below %s", root)
	}
}

// nearest is the nearest folder, from this one upwards, with a kustomization.
func nearest(t *testing.T, dir string) string {
	t.Helper()
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "kustomization.yaml")); err == nil {
			return dir
		}
		if dir == "." {
			t.Fatal("no folder has a kustomization")
		}
	}
}

func TestDefaultBuilds(t *testing.T) {
	all := built(t, "default")
	for _, m := range all {
		switch m.Kind {
		case "Secret", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
			t.Errorf("%s %s: the operator has no secrets, and is never in the request path", m.Kind, m.Name)
		}
		outside := m.Namespace != "" && m.Namespace != v1alpha1.DefaultOperatorNamespace
		if outside && !v1alpha1.IsGuardProbeNamespace(m.Namespace) && (m.Namespace != "default" || !strings.HasPrefix(m.Kind, "Role")) {
			t.Errorf("%s %s/%s is in another namespace than the operator's", m.Kind, m.Namespace, m.Name)
		}
	}
	for _, want := range []string{
		"Namespace//bulkhead-system",
		"CustomResourceDefinition//tenants.tenancy.bulkhead.dev",
		"CustomResourceDefinition//tenantclasses.tenancy.bulkhead.dev",
		"Deployment/bulkhead-system/bulkhead",
		"PodDisruptionBudget/bulkhead-system/bulkhead",
		"NetworkPolicy/bulkhead-system/bulkhead-default-deny",
	} {
		if !slices.Contains(ids(all), want) {
			t.Errorf("config/default has no %s", want)
		}
	}
}

// TestRunBuilds checks that an operator outside the cluster is given what one inside has.
func TestRunBuilds(t *testing.T) {
	var want []string
	for _, id := range ids(built(t, "default")) {
		switch kind, rest, _ := strings.Cut(id, "/"); {
		case strings.HasPrefix(rest, v1alpha1.DefaultOperatorNamespace+"/") &&
			slices.Contains([]string{"Deployment", "PodDisruptionBudget", "Service", "NetworkPolicy", "ResourceQuota"}, kind):
		default:
			want = append(want, id)
		}
	}
	if diff := cmp.Diff(want, ids(built(t, "run"))); diff != "" {
		t.Errorf("config/run (-config/default without what runs in the cluster, +config/run):\n%s", diff)
	}
}

// TestDeploymentIsRestricted checks what the Pod Security level "restricted" of the namespace asks for, and more.
func TestDeploymentIsRestricted(t *testing.T) {
	found := false
	for _, m := range committed(t) {
		if m.Kind != "Deployment" {
			continue
		}
		found = true
		var deployment appsv1.Deployment
		m.decode(t, &deployment)
		spec := deployment.Spec.Template.Spec
		want := &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(int64(65532)),
			RunAsGroup:     new(int64(65532)),
			FSGroup:        new(int64(65532)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		if diff := cmp.Diff(want, spec.SecurityContext); diff != "" {
			t.Errorf("%s: securityContext of the pod (-want +got):\n%s", m.origin, diff)
		}
		for i := range spec.Containers {
			want := &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				ReadOnlyRootFilesystem:   new(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
			if diff := cmp.Diff(want, spec.Containers[i].SecurityContext); diff != "" {
				t.Errorf("%s: securityContext of %s (-want +got):\n%s", m.origin, spec.Containers[i].Name, diff)
			}
		}
	}
	if !found {
		t.Error("no Deployment found")
	}
}

// TestSamplesDecode checks that samples have no field that the API doesn't have.
func TestSamplesDecode(t *testing.T) {
	tenants, classes := 0, 0
	for _, m := range committed(t) {
		switch m.Kind {
		case "Tenant":
			m.decode(t, &v1alpha1.Tenant{})
			tenants++
		case "TenantClass":
			m.decode(t, &v1alpha1.TenantClass{})
			classes++
		}
	}
	if tenants == 0 || classes == 0 {
		t.Errorf("found %d Tenants and %d TenantClasses, want some of both", tenants, classes)
	}
}
