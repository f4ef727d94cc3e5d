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
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// The tenants: acme has drifted and is open, globex is as it ought to be.
func acme() *v1alpha1.Tenant {
	return builders.MakeTenant("acme").Namespaces("acme-dev", "acme-prod").Policy(builders.Quota(corev1.ResourcePods, "20")).
		Member("owners", v1alpha1.RoleAdmin, group("acme-owners")).
		MemberIn("developers", v1alpha1.RoleView, []string{"acme-dev"}, group("acme-developers")).
		Mode(v1alpha1.DriftObserve).Obj()
}

func globex() *v1alpha1.Tenant {
	return builders.MakeTenant("globex").Namespaces("globex-web").Member("team", v1alpha1.RoleEdit, group("globex-team")).Obj()
}

// auditorRole is the ClusterRole that the documentation shows.
func auditorRole() *rbacv1.ClusterRole {
	GinkgoHelper()
	root, err := env.Root()
	Expect(err).NotTo(HaveOccurred())
	raw, err := os.ReadFile(filepath.Join(root, "docs", "cli.md"))
	Expect(err).NotTo(HaveOccurred())
	_, rest, found := strings.Cut(string(raw), "```yaml\n")
	Expect(found).To(BeTrue())
	text, _, _ := strings.Cut(rest, "```")
	role := &rbacv1.ClusterRole{}
	Expect(yaml.UnmarshalStrict([]byte(text), role)).To(Succeed())
	return role
}

var _ = Describe("the commands", Ordered, func() {
	var admin, auditor, owner, developer string

	BeforeAll(func(ctx SpecContext) {
		admin, owner = world.Kubeconfig(), kubeconfigOf("olivia", "acme-owners")
		auditor, developer = kubeconfigOf("audrey"), kubeconfigOf("dev", "acme-developers")
		role := auditorRole()
		Expect(world.Admin.Create(ctx, role)).To(Succeed())
		Expect(world.Admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "audrey"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{builders.User("audrey")},
		})).To(Succeed())

		operator, err := world.StartOperator()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(operator.Stop()).To(Succeed()) })
		for _, tenant := range []*v1alpha1.Tenant{acme(), globex()} {
			tenant.Spec.Drift = nil
			Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
			Eventually(conditionsOf).WithContext(ctx).WithArguments(tenant.Name).Should(And(
				HaveKeyWithValue(v1alpha1.ConditionReady, "True Reconciled"), HaveKeyWithValue(v1alpha1.ConditionInSync, "True NoDrift"),
				HaveKeyWithValue(v1alpha1.ConditionIsolated, "True NoExposure"),
			))
		}
		tenant := acme()
		change(ctx, world.Admin, "gitops", tenant, func(t *v1alpha1.Tenant) { t.Spec.Drift = acme().Spec.Drift })
		Eventually(conditionsOf).WithContext(ctx).WithArguments("acme").Should(HaveKeyWithValue(v1alpha1.ConditionReady, "True Observed"))
	})

	It("say that nothing differs before anybody interferes", func(ctx SpecContext) {
		Expect(run(ctx, auditor, "diff")).To(Equal(result{}))
		Expect(run(ctx, auditor, "verify").Code).To(BeZero())
		Expect(run(ctx, admin, "drift", "globex")).To(Equal(result{Stderr: "nothing differs, or lately did, as far as was asked for\n"}))
	})

	Context("once somebody interfered", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "acme-dev", Name: "bulkhead"}}
			change(ctx, world.Admin, "kubectl-edit", quota, func(q *corev1.ResourceQuota) { q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("99") })
			Expect(world.Admin.Create(ctx, &networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: "acme-prod", Name: "allow-all"},
				Spec:       networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}},
			})).To(Succeed())
			Expect(world.Admin.Delete(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead:tenant:acme:developers"}})).To(Succeed())
			developers := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "acme-prod", Name: "bulkhead-owners"}}
			change(ctx, world.Admin, "sneaky", developers, func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, builders.User("mallory")) })
			Eventually(func(ctx context.Context) [][]string { return run(ctx, admin, "drift", "acme", "--open").rows() }).WithContext(ctx).
				Should(HaveLen(1 + 4))
			// The developers need it to ask for their Tenant; nobody but the operator, which only observes, would make it.
			Expect(world.Admin.Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "stand-in"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bulkhead:tenant:acme:developers"},
				Subjects: []rbacv1.Subject{group("acme-developers")},
			})).To(Succeed())
		})

		It("drift tells an admin, and an owner of the tenant, field by field", func(ctx SpecContext) {
			want := ConsistOf(
				// There is a column of users if the operator has believed the stamp for long enough, which depends on the order of specs.
				Or(HaveExactElements("TENANT", "NAMESPACE", "SEVERITY", "TYPE", "OBJECT", "FIELDS", "MANAGER", "ACTION", "SINCE", "COUNT"),
					HaveExactElements("TENANT", "NAMESPACE", "SEVERITY", "TYPE", "OBJECT", "FIELDS", "USER", "MANAGER", "ACTION", "SINCE", "COUNT")),
				ContainElements("acme", "-", "ClusterRoleBinding/bulkhead:tenant:acme:developers", "ObjectMissing", "Reported"),
				ContainElements("acme", "acme-dev", "High", "ResourceQuota/bulkhead", "spec.hard[pods]", "kubectl-edit"),
				ContainElements("acme", "acme-prod", "Critical", "RoleBinding/bulkhead-owners", "subjects", "sneaky"),
				ContainElements("acme", "acme-prod", "Critical", "NetworkPolicy/allow-all", "ObjectForeign"),
			)
			for _, who := range []string{admin, owner} {
				got := run(ctx, who, "drift", "acme", "--open")
				Expect(got.Code).To(BeZero())
				Expect(got.rows()).To(want)
				Expect(got.Stderr).To(ContainSubstring("field managers are what clients call themselves, not users"))
			}
			Expect(run(ctx, admin, "drift", "--open").rows()).To(want)
			Expect(run(ctx, owner, "drift", "acme", "--open", "--severity=high", "-n", "acme-dev").rows()).To(HaveLen(2))

			var list struct {
				Items []struct {
					Tenant string
					v1alpha1.DriftReportItem
				}
			}
			Eventually(func(g Gomega) {
				got := run(ctx, owner, "drift", "acme", "-o", "json", "--open", "-n", "acme-dev")
				g.Expect(json.Unmarshal([]byte(got.Stdout), &list)).To(Succeed())
				g.Expect(list.Items).To(HaveLen(1))
				g.Expect(list.Items[0].Fields).To(ConsistOf(v1alpha1.FieldDrift{Path: "spec.hard[pods]", Change: v1alpha1.FieldChangeModified, Expected: `"20"`, Actual: `"99"`}))
			}).WithContext(ctx).Should(Succeed())
		})

		It("drift tells a member what it may see, and says what it may not", func(ctx SpecContext) {
			Eventually(run).WithContext(ctx).WithArguments(developer, "drift", "acme").Should(And(
				HaveField("Code", BeZero()), HaveField("Stderr", ContainSubstring("you may not read DriftReports in namespace acme-prod")),
			))
			got := run(ctx, owner, "drift")
			Expect(got.Code).To(Equal(1))
			Expect(got.Stderr).To(ContainSubstring("name your own (bulkhead drift TENANT)"))
			Expect(run(ctx, owner, "drift", "globex")).To(And(HaveField("Code", 1), HaveField("Stderr", ContainSubstring(`you may not read Tenant "globex"`))))
			Expect(run(ctx, admin, "drift", "none")).To(And(HaveField("Code", 1), HaveField("Stderr", ContainSubstring(`there is no Tenant "none"`))))
		})

		It("drift --watch prints what changes, until it is interrupted", func(ctx SpecContext) {
			for who, says := range map[string]types.GomegaMatcher{admin: BeEmpty(), owner: ContainSubstring("you may not watch all of it")} {
				watching, interrupt := context.WithCancel(ctx)
				out := &shared{}
				ended := make(chan result, 1)
				go func() {
					defer GinkgoRecover()
					ended <- runWith(watching, out, who, "drift", "acme", "--watch", "--open", "-n", "acme-dev")
				}()
				Eventually(out.String).Should(ContainSubstring("ResourceQuota/bulkhead"))
				Expect(out.String()).NotTo(ContainSubstring("LimitRange"))
				stray := &rbacv1.RoleBinding{
					ObjectMeta: metav1.ObjectMeta{Namespace: "acme-dev", Name: "stray"},
					RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}, Subjects: []rbacv1.Subject{builders.User("eve")},
				}
				Expect(world.Admin.Create(ctx, stray)).To(Succeed())
				Eventually(out.String).Should(ContainSubstring("RoleBinding/stray"))
				Expect(world.Admin.Delete(ctx, stray)).To(Succeed())
				interrupt()
				var got result
				Eventually(ended).Should(Receive(&got))
				Expect(got.Code).To(BeZero())
				Expect(strings.Count(got.Stdout, "ResourceQuota/bulkhead")).To(Equal(1), "what didn't change is printed once: %s", got.Stdout)
				Expect(strings.ReplaceAll(got.Stderr, "field managers are what clients call themselves, not users\n", "")).To(says)
				Eventually(func(ctx context.Context) string { return run(ctx, admin, "drift", "acme", "--open").Stdout }).WithContext(ctx).
					ShouldNot(ContainSubstring("RoleBinding/stray"))
			}
		})

		It("diff tells what the operator would change, and changes nothing", func(ctx SpecContext) {
			got := run(ctx, auditor, "diff")
			Expect(got.Code).To(Equal(1))
			Expect(strings.Split(got.Stdout, "diff ")).To(HaveExactElements(
				BeEmpty(),
				And(HavePrefix("ClusterRoleBinding bulkhead:tenant:acme:developers\n"), ContainSubstring("\n+   name: acme-developers\n")),
				And(HavePrefix("ResourceQuota acme-dev/bulkhead\n"), ContainSubstring(`field manager "kubectl-edit"`), HaveSuffix("\n- spec.hard[pods]: \"99\"\n+ spec.hard[pods]: \"20\"\n")),
				And(HavePrefix("RoleBinding acme-prod/bulkhead-owners\n"), ContainSubstring("\n- subjects: "), ContainSubstring("mallory")),
			))
			Expect(run(ctx, auditor, "diff", "globex")).To(Equal(result{}))
			Expect(run(ctx, owner, "diff", "acme")).To(And(HaveField("Code", 2), HaveField("Stdout", ""), HaveField("Stderr", And(
				ContainSubstring("ask for the right to list them"), ContainSubstring("docs/cli.md"),
			))))
			Expect(run(ctx, auditor, "diff", "none").Code).To(Equal(2))
		})

		It("diff -f tells what applying would change", func(ctx SpecContext) {
			next := globex()
			next.Spec.PolicyBlocks = builders.MakeTenant("").Policy(builders.Quota(corev1.ResourcePods, "5")).Obj().Spec.PolicyBlocks
			raw, err := yaml.Marshal(next)
			Expect(err).NotTo(HaveOccurred())
			got := run(ctx, auditor, "diff", "-f", file("tenant.yaml", string(raw)))
			Expect(got.Code).To(Equal(1))
			// The namespace waits for the quota that it is to have, see docs/guardrails.md.
			Expect(got.Stdout).To(And(HavePrefix("diff Namespace globex-web\n"), ContainSubstring("\ndiff ResourceQuota globex-web/bulkhead\n"),
				ContainSubstring("\n+ metadata.labels[guard.bulkhead.dev/quota]: \"Required\"\n"), ContainSubstring("\n+     pods: \"5\"\n")))
			Expect(strings.Count(got.Stdout, "diff ")).To(Equal(2))
			before := &v1alpha1.Tenant{}
			Expect(world.Admin.Get(ctx, client.ObjectKey{Name: "globex"}, before)).To(Succeed())
			Expect(before.Generation).To(BeEquivalentTo(1))
		})

		It("verify tells what is open, from the cluster and from files alike", func(ctx SpecContext) {
			got := run(ctx, auditor, "verify", "acme", "globex")
			Expect(got.Code).To(Equal(1))
			Expect(got.Stdout).To(And(
				MatchRegexp(`(?m)^acme +no +`), MatchRegexp(`(?m)^globex +as its spec says +0`),
				ContainSubstring("acme, Critical: NetworkExposure by NetworkPolicy acme-prod/allow-all"),
				ContainSubstring("acme, Critical: AccessExposure by RoleBinding acme-prod/bulkhead-owners"),
				MatchRegexp(`(?m)^other namespaces +tenant acme `),
				MatchRegexp(`(?m)^acme +acme-prod +User mallory +ClusterRole admin +admin +RoleBinding bulkhead-owners +no`),
				Not(ContainSubstring("not known whether")),
			))
			Expect(run(ctx, auditor, "verify", "globex").Code).To(BeZero())
			Expect(run(ctx, owner, "verify", "acme").Code).To(Equal(2))

			dir := GinkgoT().TempDir()
			for name, args := range map[string]string{
				"cluster.yaml":     "tenants,tenantclasses,namespaces,clusterroles,clusterrolebindings",
				"objects.yaml":     "-A networkpolicies,rolebindings,resourcequotas,limitranges",
				"definitions.yaml": "customresourcedefinitions",
			} {
				dump, err := world.Kubectl(ctx, append([]string{"get", "--show-managed-fields", "-o", "yaml"}, strings.Fields(args)...)...)
				Expect(err).NotTo(HaveOccurred())
				Expect(os.WriteFile(filepath.Join(dir, name), []byte(dump), 0o600)).To(Succeed())
			}
			Expect(run(ctx, "", "verify", "-f", dir)).To(Equal(got))
			Expect(run(ctx, "", "diff", "--live-from", dir)).To(Equal(run(ctx, auditor, "diff")))
		})

		It("complete the names of Tenants, for those who may list them", func(ctx SpecContext) {
			Expect(completions(ctx, auditor)).To(Equal([]string{"acme", "globex"}))
			Expect(completions(ctx, owner)).To(BeEmpty())
		})

		It("only read", func() {
			verbs := map[string]bool{}
			raw, err := os.ReadFile(world.AuditLog())
			Expect(err).NotTo(HaveOccurred())
			for line := range strings.Lines(string(raw)) {
				var request struct {
					Verb, RequestURI string
					User             struct{ Username string }
				}
				if json.Unmarshal([]byte(line), &request) == nil && (request.User.Username == "audrey" || request.User.Username == "olivia") {
					verbs[request.Verb] = true
				}
			}
			Expect(verbs).To(And(HaveKey("list"), HaveKey("get")))
			for _, writes := range []string{"create", "update", "patch", "delete", "deletecollection"} {
				Expect(verbs).NotTo(HaveKey(writes))
			}
		})
	})
})

func completions(ctx context.Context, kubeconfig string) []string {
	GinkgoHelper()
	start := time.Now()
	// The last word is the one to be completed.
	got := run(ctx, kubeconfig, "__complete", "diff", "--kubeconfig", kubeconfig, "")
	Expect(time.Since(start)).To(BeNumerically("<", 5*time.Second))
	Expect(got.Code).To(BeZero())
	var names []string
	for line := range strings.Lines(got.Stdout) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, ":") {
			names = append(names, line)
		}
	}
	return names
}
