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
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// soon bounds what the operator does by itself after one event.
	soon = 30 * time.Second
	// often is how often is looked.
	often = 50 * time.Millisecond
)

// cluster is a control plane with Bulkhead on it, and the readers of what it serves.
type cluster struct {
	*env.Env
	readers  readers
	operator *env.RunningOperator
}

// TestCluster checks what docs/gitops.md says of a GitOps service and the operator that work on the same Tenants.
func TestCluster(t *testing.T) {
	if testing.Short() || os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a control plane (not -short), and KUBEBUILDER_ASSETS: run make test")
	}
	world, err := env.Start(t.Context(), controlplane.Options{Output: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Env: world, readers: newReaders(t)}
	t.Cleanup(func() {
		if err := world.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.start(t)
	t.Cleanup(func() { c.stop(t) })
	t.Run("server-side apply", c.testServerSideApply)
	t.Run("client-side apply", c.testClientSideApply)
	t.Run("every reader", c.testReaders)
	t.Run("exposure", c.testExposure)
	t.Run("a member that is a GitOps service", c.testMember)
	t.Run("a namespace that the GitOps service has made first", c.testNamespaceFirst)
	t.Run("prune", c.testPrune)
	t.Run("replace", c.testReplace)
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	var err error
	if c.operator, err = c.StartOperator(); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) stop(t *testing.T) {
	t.Helper()
	if err := c.operator.Stop(); err != nil {
		t.Fatal(err)
	}
}

// inGit is a Tenant as it is in Git.
func inGit(name string, change func(*v1alpha1.TenantSpec)) *unstructured.Unstructured {
	spec := v1alpha1.TenantSpec{
		Namespaces: []v1alpha1.TenantNamespace{{Name: name + "-dev"}},
		Members: []v1alpha1.Member{{Name: "leads", Role: v1alpha1.RoleAdmin, Subjects: []rbacv1.Subject{
			{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: name + "-leads"},
		}}},
	}
	if change != nil {
		change(&spec)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		panic(err)
	}
	tenant := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name}}}
	tenant.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Tenant"))
	content := map[string]any{}
	if err := json.Unmarshal(data, &content); err != nil {
		panic(err)
	}
	tenant.Object["spec"] = content
	return tenant
}

// apply applies an object as Flux does, and as Argo CD does with ServerSideApply=true, and returns the answer.
func (c *cluster) apply(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	answer := object.DeepCopy()
	err := c.Admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(answer),
		client.FieldOwner("kustomize-controller"), client.ForceOwnership)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// tenant reads a Tenant; nil if there is none.
func (c *cluster) tenant(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	tenant := &unstructured.Unstructured{}
	tenant.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Tenant"))
	err := c.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return tenant, err
}

// shows waits until a Tenant shows this to all readers.
func (c *cluster) shows(t *testing.T, name string, want verdict) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		tenant, err := c.tenant(t.Context(), name)
		g.Expect(err).NotTo(HaveOccurred())
		got, message := c.readers.read(t, tenant)
		g.Expect(got).To(Equal(want), message)
	}, soon, often).Should(Succeed())
}

// watch yields what each state of a Tenant shows from now on, until the test's deadline.
func (c *cluster) watch(t *testing.T, name string) iter.Seq[verdict] {
	t.Helper()
	tenants := &unstructured.UnstructuredList{}
	tenants.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TenantList"))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	w, err := c.Admin.Watch(ctx, tenants, client.MatchingFields{"metadata.name": name})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(verdict) bool) {
		defer w.Stop()
		for event := range w.ResultChan() {
			tenant, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				t.Errorf("watching: %v", event.Object)
				return
			}
			if got, _ := c.readers.read(t, tenant); !yield(got) {
				return
			}
		}
		t.Error("the watch ended before the Tenant was done")
	}
}

// file writes an object into a file, for kubectl.
func file(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	data, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tenant.yaml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// owned is what the operator's field manager owns of an object, subresources aside.
func owned(t *testing.T, object *unstructured.Unstructured) any {
	t.Helper()
	all := map[string]any{}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager != v1alpha1.FieldManager || entry.Subresource != "" {
			continue
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &all); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// testServerSideApply: a Tenant is in progress from the API server's answer on until it is done, the operator writes
// nothing of it but its finalizer and status, and applying it again changes nothing.
func (c *cluster) testServerSideApply(t *testing.T) {
	git := inGit("ssa", nil)
	states := c.watch(t, "ssa")
	if got, _ := c.readers.read(t, c.apply(t, git)); got != inProgress {
		t.Errorf("a new Tenant, as the API server answers, shows %+v, want %+v", got, inProgress)
	}
	c.shows(t, "ssa", current)
	for got := range states {
		if got == current {
			break
		}
		if got != inProgress {
			t.Errorf("on its way a new Tenant shows %+v, want %+v: a sync wave would fail", got, inProgress)
		}
	}

	live, err := c.tenant(t.Context(), "ssa")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(git.Object["spec"], live.Object["spec"]); diff != "" {
		t.Errorf("the spec (-in Git +live):\n%s", diff)
	}
	if len(live.GetLabels())+len(live.GetAnnotations()) > 0 {
		t.Errorf("labels %v, annotations %v; in Git there are none", live.GetLabels(), live.GetAnnotations())
	}
	finalizer := map[string]any{"f:metadata": map[string]any{"f:finalizers": map[string]any{
		".": map[string]any{}, `v:"` + v1alpha1.Finalizer + `"`: map[string]any{},
	}}}
	if diff := cmp.Diff(any(finalizer), owned(t, live)); diff != "" {
		t.Errorf("what the operator owns of a Tenant (-want +got):\n%s", diff)
	}
	if again := c.apply(t, git); again.GetResourceVersion() != live.GetResourceVersion() {
		t.Errorf("applying the same again wrote: resource version %s, before %s", again.GetResourceVersion(), live.GetResourceVersion())
	}

	edited := inGit("ssa", func(spec *v1alpha1.TenantSpec) { spec.Description = "edited" })
	if got, _ := c.readers.read(t, c.apply(t, edited)); got != inProgress {
		t.Errorf("an edited Tenant, as the API server answers, shows %+v, want %+v", got, inProgress)
	}
	c.shows(t, "ssa", current)
}

// testClientSideApply: as Argo CD does without ServerSideApply=true. What the operator makes of the Tenant isn't taken
// for Argo CD's own: it has neither the marks of the Tenant nor an owner.
func (c *cluster) testClientSideApply(t *testing.T) {
	git := inGit("csa", nil)
	const label, annotation = "app.kubernetes.io/instance", "argocd.argoproj.io/tracking-id"
	git.SetLabels(map[string]string{label: "platform"})
	git.SetAnnotations(map[string]string{annotation: "platform:tenancy.bulkhead.dev/Tenant:/csa"})
	path := file(t, git)
	for i, want := range []string{"created", "unchanged"} {
		out, err := c.Kubectl(t.Context(), "apply", "-f", path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, want) {
			t.Errorf("kubectl apply, time %d: %q, want %s", i+1, out, want)
		}
		c.shows(t, "csa", current)
	}
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("NamespaceList"), networkingv1.SchemeGroupVersion.WithKind("NetworkPolicyList"),
		rbacv1.SchemeGroupVersion.WithKind("RoleBindingList"), rbacv1.SchemeGroupVersion.WithKind("ClusterRoleList"),
	} {
		made := &metav1.PartialObjectMetadataList{}
		made.SetGroupVersionKind(kind)
		if err := c.Admin.List(t.Context(), made, client.MatchingLabels{v1alpha1.LabelTenant: "csa"}); err != nil {
			t.Fatal(err)
		}
		if len(made.Items) == 0 {
			t.Errorf("the operator has made no %s", kind.Kind)
		}
		for _, object := range made.Items {
			if object.Labels[label] != "" || object.Annotations[annotation] != "" || len(object.OwnerReferences) > 0 {
				t.Errorf("%s %s/%s: labels %v, annotations %v, owners %v", kind.Kind, object.Namespace, object.Name,
					object.Labels, object.Annotations, object.OwnerReferences)
			}
		}
	}
}

// testReaders: what the recorded Tenants show, live Tenants show.
func (c *cluster) testReaders(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.TenantSpec)
		want   verdict
	}{
		"classless": {func(spec *v1alpha1.TenantSpec) { spec.ClassName = "nowhere" }, failed},
		"unbindable": {func(spec *v1alpha1.TenantSpec) {
			spec.Members[0].Role, spec.Members[0].ClusterRoleName = "", "cluster-admin"
		}, failed},
		"conflicting": {func(spec *v1alpha1.TenantSpec) {
			spec.Namespaces = append(spec.Namespaces, v1alpha1.TenantNamespace{Name: "ssa-dev"})
		}, failed},
		"observed": {func(spec *v1alpha1.TenantSpec) {
			spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
		}, current},
		"wide-open": {func(spec *v1alpha1.TenantSpec) {
			spec.Network = &v1alpha1.Network{Boundary: v1alpha1.BoundaryCluster}
		}, current},
	} {
		t.Run(name, func(t *testing.T) {
			c.apply(t, inGit(name, tc.change))
			c.shows(t, name, tc.want)
		})
	}
}

// testExposure: a policy of somebody else that opens a tenant is for a human, as long as it is there.
func (c *cluster) testExposure(t *testing.T) {
	c.apply(t, inGit("exposed", nil))
	c.shows(t, "exposed", current)
	everyone := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "exposed-dev", Name: "allow-all"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{}},
		},
	}
	if err := c.Admin.Create(t.Context(), everyone, client.FieldOwner("kubectl-create")); err != nil {
		t.Fatal(err)
	}
	c.shows(t, "exposed", verdicts["network-exposure"])
	if err := c.Admin.Delete(t.Context(), everyone); err != nil {
		t.Fatal(err)
	}
	c.shows(t, "exposed", current)
}

// testMember: a service account that is a member works in the tenant's namespaces, and in no others.
func (c *cluster) testMember(t *testing.T) {
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "member-dev", Name: "gitops"}
	c.apply(t, inGit("member", func(spec *v1alpha1.TenantSpec) { spec.Members[0].Subjects = []rbacv1.Subject{subject} }))
	c.shows(t, "member", current)
	service, err := c.Client("system:serviceaccount:member-dev:gitops",
		"system:serviceaccounts", "system:serviceaccounts:member-dev")
	if err != nil {
		t.Fatal(err)
	}
	settings := func(namespace string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}}
	}
	if err := service.Create(t.Context(), settings("member-dev")); err != nil {
		t.Errorf("in the tenant's own namespace: %v", err)
	}
	if err := service.Create(t.Context(), settings("ssa-dev")); !apierrors.IsForbidden(err) {
		t.Errorf("in the namespace of another tenant: %v, want forbidden", err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "member-more"}}
	if err := service.Create(t.Context(), namespace); !apierrors.IsForbidden(err) {
		t.Errorf("a namespace of its own: %v, want forbidden", err)
	}
}

// testNamespaceFirst: what a GitOps service creates before the Tenant is a conflict, until the Tenant may adopt it.
func (c *cluster) testNamespaceFirst(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "first-dev"}}
	if err := c.Admin.Create(t.Context(), namespace, client.FieldOwner("argocd-controller")); err != nil {
		t.Fatal(err)
	}
	c.apply(t, inGit("first", nil))
	c.shows(t, "first", failed)
	c.apply(t, inGit("first", func(spec *v1alpha1.TenantSpec) { spec.Namespaces[0].Adoption = v1alpha1.AdoptionIfUnclaimed }))
	c.shows(t, "first", current)
}
