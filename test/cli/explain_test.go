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

package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// initech starts from a class that isn't the default one: the other specs have tenants without any.
const initech = `
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: TenantClass
metadata: {name: explained}
spec:
  podSecurity: {enforce: Baseline}
  network:
    allow: [{name: metrics, direction: Ingress, peers: [{tenant: observability}], ports: [{port: 9090}]}]
  ingress: {hostnames: ["*.$(tenant).apps.example.com"]}
  quota: {perNamespace: {requests.cpu: 4000m, pods: "50"}}
---
apiVersion: tenancy.bulkhead.dev/v1alpha1
kind: Tenant
metadata: {name: initech}
spec:
  className: explained
  namespaces:
  - name: initech-prod
    policy:
      podSecurity: {enforce: Restricted}
      network:
        allow: [{name: metrics, direction: Ingress, peers: [{tenant: observability}], ports: [{port: 9443}, {port: 9444}]}]
  - name: initech-dev
  members:
  - name: owners
    role: Admin
    subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: initech-owners}]
  quota: {perNamespace: {pods: "100"}}
`

// leaf is a value as programs read it.
type leaf struct {
	Path, Origin string
	Value, Raw   any
	Unset        bool
	Overrides    []struct {
		Path, Origin string
		Value        any
	}
}

var _ = Describe("explain", Ordered, func() {
	var admin, viewer, member, stranger, manifest string

	BeforeAll(func(ctx SpecContext) {
		admin, viewer = world.Kubeconfig(), kubeconfigOf("vera")
		member, stranger = kubeconfigOf("mo", "initech-owners"), kubeconfigOf("sam")
		manifest = file("initech.yaml", initech)
		for _, object := range []client.Object{
			// What the operator gives members, which doesn't run here.
			&rbacv1.ClusterRole{
				ObjectMeta: metav1.ObjectMeta{Name: "initech-member"},
				Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"tenants"}, ResourceNames: []string{"initech"}, Verbs: []string{"get"}}},
			},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "initech-member"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "initech-member"},
				Subjects: []rbacv1.Subject{group("initech-owners")},
			},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "vera"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bulkhead-tenant-viewer"},
				Subjects: []rbacv1.Subject{builders.User("vera")},
			},
		} {
			Expect(world.Admin.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(world.Admin.Delete(ctx, object)).To(Succeed()) })
		}
		_, err := world.Kubectl(ctx, "apply", "-f", manifest)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			_, err := world.Kubectl(ctx, "delete", "--ignore-not-found", "-f", manifest)
			Expect(err).NotTo(HaveOccurred())
			Eventually(func(ctx context.Context) bool {
				return apierrors.IsNotFound(world.Admin.Get(ctx, client.ObjectKey{Name: "initech"}, &v1alpha1.Tenant{}))
			}).WithContext(ctx).Should(BeTrue())
		})
	})

	explained := func(ctx context.Context, args ...string) map[string]leaf {
		GinkgoHelper()
		got := run(ctx, viewer, append([]string{"explain", "-o", "json"}, args...)...)
		Expect(got).To(And(HaveField("Code", 0), HaveField("Stderr", "")))
		var e struct{ Settings, Policy []leaf }
		Expect(json.Unmarshal([]byte(got.Stdout), &e)).To(Succeed())
		leaves := map[string]leaf{}
		for _, l := range append(e.Settings, e.Policy...) {
			Expect(leaves).NotTo(HaveKey(l.Path))
			leaves[l.Path] = l
		}
		return leaves
	}

	It("says of each value where it comes from", func(ctx SpecContext) {
		leaves := explained(ctx, "initech/initech-prod")
		const here = "Tenant/initech spec.namespaces[initech-prod].policy"
		Expect(leaves["podSecurity.enforce"]).To(And(HaveField("Value", "Restricted"), HaveField("Origin", here),
			HaveField("Overrides", HaveExactElements(And(HaveField("Value", "Baseline"), HaveField("Origin", "TenantClass/explained"))))))
		Expect(leaves["network.allow[metrics].ports[1]"]).To(And(HaveField("Value", map[string]any{"port": 9444.0}), HaveField("Origin", here),
			HaveField("Overrides", HaveExactElements(HaveField("Path", "network.allow[metrics].ports")))))
		Expect(leaves["quota.perNamespace[pods]"]).To(And(HaveField("Value", "100"), HaveField("Origin", "Tenant/initech spec")))
		Expect(leaves["quota.perNamespace[requests.cpu]"]).To(And(HaveField("Value", "4"), HaveField("Origin", "TenantClass/explained")))
		Expect(leaves["ingress.hostnames[*.$(tenant).apps.example.com]"]).To(And(
			HaveField("Value", "*.initech.apps.example.com"), HaveField("Raw", "*.$(tenant).apps.example.com")))
		Expect(leaves["network.boundary"]).To(And(HaveField("Value", "Tenant"), HaveField("Unset", true), HaveField("Origin", "unset (built-in: Tenant)")))
		Expect(leaves["deletionPolicy"]).To(HaveField("Value", "Retain"))

		Expect(explained(ctx, "initech/initech-dev")["podSecurity.enforce"]).To(And(HaveField("Value", "Baseline"), HaveField("Origin", "TenantClass/explained")))
	})

	It("says the same of a cluster and of the files that made it", func(ctx SpecContext) {
		for _, name := range []string{"initech/initech-prod", "initech/initech-dev", "initech"} {
			got := run(ctx, viewer, "explain", name)
			Expect(got.Code).To(BeZero())
			offline := run(ctx, "", "explain", "-f", manifest, name)
			Expect(got.Stdout).To(Equal(offline.Stdout + "\nCONDITIONS: the operator hasn't reported any yet\n"))
			Expect(run(ctx, admin, "explain", name)).To(Equal(got))
			for line := range strings.Lines(got.Stdout) {
				Expect(len([]rune(strings.TrimSuffix(line, "\n")))).To(BeNumerically("<=", 120))
			}
		}
		got := run(ctx, viewer, "explain", "initech")
		Expect(got.Stdout).To(And(MatchRegexp(`(?m)^initech-prod +podSecurity.enforce +Restricted +Baseline \(TenantClass/explained\)$`),
			ContainSubstring("without: namespace initech-dev\n")))
	})

	It("says what the operator reported, and whether that is of the spec as it is", func(ctx SpecContext) {
		tenant := &v1alpha1.Tenant{}
		Expect(world.Admin.Get(ctx, client.ObjectKey{Name: "initech"}, tenant)).To(Succeed())
		tenant.Status.ObservedGeneration = tenant.Generation
		tenant.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReconciled, Message: "all of it",
			ObservedGeneration: tenant.Generation, LastTransitionTime: metav1.Now(),
		}}
		Expect(world.Admin.Status().Update(ctx, tenant)).To(Succeed())
		Expect(run(ctx, viewer, "explain", "initech/initech-prod").rows()).To(ContainElement(HaveExactElements("Ready", "True", "Reconciled", "all", "of", "it")))
		change(ctx, world.Admin, "gitops", tenant, func(t *v1alpha1.Tenant) { t.Spec.DeletionPolicy = v1alpha1.DeletionDelete })
		got := run(ctx, viewer, "explain", "initech/initech-prod")
		Expect(got.rows()).To(ContainElement(HaveExactElements("Ready", "True", "(*)", "Reconciled", "all", "of", "it")))
		Expect(got.Stdout).To(MatchRegexp(`(?m)^deletionPolicy +Delete +Tenant/initech spec`))
		// What kubectl wrote of the cluster tells as much.
		dump, err := world.Kubectl(ctx, "get", "-o", "yaml", "tenants,tenantclasses")
		Expect(err).NotTo(HaveOccurred())
		path := filepath.Join(GinkgoT().TempDir(), "dump.yaml")
		Expect(os.WriteFile(path, []byte(dump), 0o600)).To(Succeed())
		Expect(run(ctx, "", "explain", "-f", path, "initech/initech-prod")).To(Equal(got))
		var list struct{ Settings []leaf }
		Expect(yaml.Unmarshal([]byte(run(ctx, viewer, "explain", "initech/initech-prod", "-o", "yaml").Stdout), &list)).To(Succeed())
		Expect(list.Settings).NotTo(BeEmpty())
	})

	It("says what to do if it can't", func(ctx SpecContext) {
		for _, tc := range []struct {
			who, name string
			says      []string
		}{
			{viewer, "initec", []string{`there is no Tenant "initec"`, "did you mean initech?"}},
			{viewer, "initech/initech-prd", []string{"did you mean initech-prod?"}},
			{viewer, "initech-prod", []string{"bulkhead explain initech/initech-prod"}},
			{member, "initech/initech-prod", []string{"you may not read TenantClasses", "bulkhead-tenant-viewer"}},
			{member, "initech/other", []string{"2 namespaces (initech-dev, initech-prod)"}},
			{stranger, "initech/initech-prod", []string{`you may not read Tenant "initech"`, "bulkhead-tenant-viewer"}},
		} {
			got := run(ctx, tc.who, "explain", tc.name)
			Expect(got).To(And(HaveField("Code", 1), HaveField("Stdout", "")), tc.name)
			for _, says := range tc.says {
				Expect(got.Stderr).To(ContainSubstring(says), tc.name)
			}
		}
	})

	It("completes Tenants and their namespaces, for those who may read them", func(ctx SpecContext) {
		offered := func(kubeconfig, word string) []string {
			GinkgoHelper()
			got := run(ctx, kubeconfig, "__complete", "explain", "--kubeconfig", kubeconfig, word)
			Expect(got.Code).To(BeZero())
			var names []string
			for _, row := range got.rows() {
				if !strings.HasPrefix(row[0], ":") {
					names = append(names, row[0])
				}
			}
			return names
		}
		Expect(offered(viewer, "init")).To(Equal([]string{"initech"}))
		Expect(offered(viewer, "initech")).To(Equal([]string{"initech", "initech/initech-dev", "initech/initech-prod"}))
		Expect(offered(viewer, "initech/initech-p")).To(Equal([]string{"initech/initech-prod"}))
		Expect(offered(member, "initech/")).To(Equal([]string{"initech/initech-dev", "initech/initech-prod"}))
		Expect(offered(member, "")).To(BeEmpty())
		Expect(offered(stranger, "initech/")).To(BeEmpty())
	})
})
