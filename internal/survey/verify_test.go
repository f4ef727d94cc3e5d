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

package survey_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// findings are verdicts in one line for each finding.
func findings(v *survey.Verification) []string {
	var all []string
	for _, verdict := range v.Tenants {
		for _, f := range verdict.Findings {
			all = append(all, fmt.Sprintf("%s: %s %s %s/%s", verdict.Tenant, f.Severity, f.Type, f.Object.Kind, f.Object.Name))
		}
	}
	return all
}

func reaches(v *survey.Verification) []string {
	var all []string
	for _, r := range v.Reachability.Rows {
		all = append(all, fmt.Sprintf("%s%s -> %s%s: %s on %s", r.From.Kind, r.From.Tenant, r.To.Kind, r.To.Tenant, r.Pods, r.Ports))
	}
	return all
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const (
		binding = "acme: Critical AccessExposure RoleBinding/bulkhead-owners"
		policy  = "acme: Critical NetworkExposure NetworkPolicy/allow-all"
		dns     = "Tenantglobex -> Unowned: Some on TCP/UDP 53"
	)
	tests := map[string]struct {
		change  func(t *testing.T, c *cluster)
		tenants []string
		want    []string
		reaches []string
	}{
		"what is open":          {tenants: []string{"acme"}, want: []string{binding, policy}, reaches: []string{"Tenantacme -> Unowned: Some on TCP/UDP 53", "Unowned -> Tenantacme: Some on all ports", "Addresses -> Tenantacme: Some on all ports"}},
		"what isn't":            {tenants: []string{"globex"}, reaches: []string{dns}},
		"none that is asked of": {tenants: []string{}},
		"a label that another tenant's namespace isn't meant to have": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &corev1.Namespace{}, "/acme-dev", func(n *corev1.Namespace) {
					n.Labels[v1alpha1.LabelTenant], n.ManagedFields = "globex", nil
				})
			},
			tenants: []string{"globex"}, want: []string{"globex: Critical LabelExposure Namespace/acme-dev"},
			reaches: []string{"Tenantglobex -> Tenantacme: Some on all ports", dns},
		},
		"a wall with a hole": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &networkingv1.NetworkPolicy{}, "globex-web/bulkhead-default-deny", func(p *networkingv1.NetworkPolicy) {
					p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
				})
			},
			tenants: []string{"globex"}, want: []string{"globex: Critical NetworkExposure NetworkPolicy/bulkhead-default-deny"},
			reaches: []string{
				"Tenantglobex -> Tenantacme: Some on all ports", "Tenantglobex -> Unowned: All on all ports", "Tenantglobex -> Addresses: All on all ports",
			},
		},
		"a binding for all namespaces": {
			change: func(t *testing.T, c *cluster) {
				c.put(t, &rbacv1.ClusterRoleBinding{
					ObjectMeta: metav1.ObjectMeta{Name: "everybody"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
					Subjects: []rbacv1.Subject{builders.Group("system:authenticated")},
				})
			},
			tenants: []string{"globex"}, want: []string{"globex: Critical AccessExposure ClusterRoleBinding/everybody"}, reaches: []string{dns},
		},
		"Pod Security that was lowered": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &corev1.Namespace{}, "/globex-web", func(n *corev1.Namespace) { delete(n.Labels, "pod-security.kubernetes.io/enforce") })
			},
			tenants: []string{"globex"}, want: []string{"globex: Critical PodSecurityWeakened Namespace/globex-web"}, reaches: []string{dns},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			if tc.change != nil {
				tc.change(t, c)
			}
			v, err := c.survey(t).Verify(t.Context(), tc.tenants)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, findings(v)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.reaches, reaches(v)); d != "" {
				t.Errorf("reachability (-want +got):\n%s", d)
			}
			for _, verdict := range v.Tenants {
				if verdict.Isolated != (len(verdict.Findings) == 0) {
					t.Errorf("%s has %d findings and isolated is %v", verdict.Tenant, len(verdict.Findings), verdict.Isolated)
				}
			}
		})
	}
}

func TestVerifyAccess(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(t,
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "globex-web", Name: "ci"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "ci"},
			Subjects: []rbacv1.Subject{builders.ServiceAccount("globex-web", "ci"), builders.User("audit")},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "globex-web", Name: "again"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects: []rbacv1.Subject{builders.Group("globex-team")},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "parts"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []rbacv1.Subject{
				builders.ServiceAccount("kube-system", "x"), builders.User("system:kube-scheduler"), builders.User("system:node:a"),
				builders.Group("system:nodes"), builders.User("root"),
			},
		},
	)
	v, err := c.survey(t).Verify(t.Context(), []string{"globex"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range v.Access {
		got = append(got, fmt.Sprintf("%s %s/%s %s/%s %s by %s/%s %v", a.Namespace, a.Subject.Kind, a.Subject.Name, a.Role.Kind, a.Role.Name, a.Power, a.Binding.Kind, a.Binding.Name, a.BySpec))
	}
	want := []string{
		"globex-web Group/globex-team ClusterRole/edit admin by RoleBinding/again true",
		"globex-web Group/globex-team ClusterRole/edit admin by RoleBinding/bulkhead-team true",
		"globex-web ServiceAccount/ci Role/ci unknown by RoleBinding/ci false",
		"globex-web User/audit Role/ci unknown by RoleBinding/ci false",
		" Group/system:masters ClusterRole/cluster-admin escalate by ClusterRoleBinding/cluster-admin false",
		" User/root ClusterRole/cluster-admin escalate by ClusterRoleBinding/parts false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("access (-want +got):\n%s", d)
	}
}

// TestVerifySays pins what is said of what could not be looked at.
func TestVerifySays(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(t, builders.MakeTenant("new").Namespaces("new-dev", "globex-web").Obj())
	change(t, c, &v1alpha1.Tenant{}, "/acme", func(tenant *v1alpha1.Tenant) { tenant.Spec.Namespaces = tenant.Spec.Namespaces[:1] })
	change(t, c, &v1alpha1.Tenant{}, "/globex", func(tenant *v1alpha1.Tenant) {
		tenant.Spec.Network = &v1alpha1.Network{Boundary: v1alpha1.BoundaryCluster}
	})
	v, err := c.survey(t).Verify(t.Context(), []string{"acme", "globex", "new"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"acme":   {"namespace acme-prod is about to leave the tenant"},
		"globex": nil,
		"new":    {"namespace globex-web is held by tenant globex", "namespace new-dev doesn't exist yet"},
	}
	for _, verdict := range v.Tenants {
		if d := cmp.Diff(want[verdict.Tenant], verdict.Notes); d != "" {
			t.Errorf("notes of %s (-want +got):\n%s", verdict.Tenant, d)
		}
		if open := strings.Join(verdict.OpenBySpec, ";"); strings.Contains(open, "globex-web: ") != (verdict.Tenant == "globex") {
			t.Errorf("%s is open by spec: %q", verdict.Tenant, open)
		}
	}
	if !strings.Contains(v.NotKnown, "CustomResourceDefinitions") || len(v.NotConsidered) > 0 {
		t.Errorf("not considered %v, not known %q", v.NotConsidered, v.NotKnown)
	}
	c.put(t, definition("ciliumnetworkpolicies.cilium.io"), definition("widgets.example.com"))
	if v, err = c.survey(t).Verify(t.Context(), []string{"globex"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"ciliumnetworkpolicies.cilium.io"}, v.NotConsidered); d != "" || v.NotKnown != "" {
		t.Errorf("not known %q, not considered (-want +got):\n%s", v.NotKnown, d)
	}
}

// TestVerifyClusterPolicies: cluster policies count for the findings and for who can reach whom, and what of them isn't
// understood is said.
func TestVerifyClusterPolicies(t *testing.T) {
	t.Parallel()
	const (
		considered = "clusternetworkpolicies.policy.networking.k8s.io"
		dns        = "Tenantglobex -> Unowned: Some on TCP/UDP 53"
	)
	tests := map[string]struct {
		action, tier string
		want         []string
		reaches      []string
		doubts       []string
	}{
		"one that lets everybody in": {
			action: "Accept", tier: "Admin", want: []string{"globex: Critical NetworkExposure ClusterNetworkPolicy/platform"},
			reaches: []string{dns, "Unowned -> Tenantglobex: All on all ports"},
		},
		"one that denies":                   {action: "Deny", tier: "Admin", reaches: []string{dns}},
		"one that is for what nobody walls": {action: "Accept", tier: "Baseline", reaches: []string{dns}},
		"one that isn't understood": {
			action: "Deny", tier: "Middle", reaches: []string{dns}, doubts: []string{"ClusterNetworkPolicy platform: spec.tier is unknown"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
				"tier": tc.tier, "priority": int64(10), "subject": map[string]any{"namespaces": map[string]any{"matchLabels": map[string]any{v1alpha1.LabelTenant: "globex"}}},
				"ingress": []any{map[string]any{"action": tc.action, "from": []any{map[string]any{"namespaces": map[string]any{}}}}},
			}}}
			u.SetGroupVersionKind(schema.GroupVersionKind{Group: "policy.networking.k8s.io", Version: "v1alpha2", Kind: "ClusterNetworkPolicy"})
			u.SetName("platform")
			c.put(t, u)
			v, err := c.survey(t).Verify(t.Context(), []string{"globex"})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, findings(v)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.reaches, reaches(v)); d != "" {
				t.Errorf("reachability (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.doubts, v.NotUnderstood); d != "" {
				t.Errorf("not understood (-want +got):\n%s", d)
			}
			if !slices.Contains(v.Considered, considered) {
				t.Errorf("considered %v", v.Considered)
			}
		})
	}
}

func TestVerifyFails(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if v, err := c.survey(t).Verify(t.Context(), []string{"none"}); err == nil || v != nil || !strings.Contains(err.Error(), `there is no Tenant "none"`) {
		t.Errorf("error %v", err)
	}
	change(t, c, &v1alpha1.Tenant{}, "/globex", func(tenant *v1alpha1.Tenant) { tenant.Spec.ClassName = "gold" })
	v, err := c.survey(t).Verify(t.Context(), []string{"acme", "globex"})
	if err == nil || !strings.Contains(err.Error(), "tenant globex, namespace globex-web") {
		t.Errorf("error %v, want that it names what could not be judged", err)
	}
	if v == nil || len(findings(v)) != 2 {
		t.Error("what could be judged is hidden")
	}
	if _, err := c.survey(t).Verify(t.Context(), []string{"acme"}); err != nil {
		t.Errorf("error %v of a tenant that nobody asked for", err)
	}
}
