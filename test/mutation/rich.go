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

package mutation

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// Kinds are all kinds with a Go type that the operator manages: the Namespace, and what rooms own. For those of optional
// APIs see package custom.
func Kinds(scheme *runtime.Scheme) (map[schema.GroupVersionKind]*Kind, error) {
	all := []schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("Namespace")}
	all = append(all, engine.Owned(features.All(), false)...)
	all = append(all, engine.Owned(features.All(), true)...)
	all = slices.DeleteFunc(all, func(gvk schema.GroupVersionKind) bool { return engine.Optional(scheme, gvk) })
	kinds := map[schema.GroupVersionKind]*Kind{}
	for _, gvk := range all {
		kind, err := NewKind(scheme, gvk)
		if err != nil {
			return nil, err
		}
		kinds[gvk] = kind
	}
	return kinds, nil
}

// Plans are the plans of a case: of each namespace, in the order of the spec, and of the tenant's cluster scope, where the
// cluster has no optional API.
func Plans(c corpus.Case) ([]*engine.Plan, error) { return PlansWith(c, nil) }

// PlansWith is as Plans where the cluster has these kinds of optional APIs.
func PlansWith(c corpus.Case, served []schema.GroupVersionKind) ([]*engine.Plan, error) {
	facts, err := c.Facts()
	if err != nil {
		return nil, err
	}
	var plans []*engine.Plan
	for i, f := range facts {
		f.Cluster.APIs = served
		plan, err := engine.NewPlan(features.All(), engine.NamespaceInput(f, &c.Tenant.Spec.Namespaces[i]))
		if err != nil {
			return nil, fmt.Errorf("planning namespace %s: %w", f.Namespace, err)
		}
		plans = append(plans, plan)
	}
	tenant := c.TenantFacts()
	tenant.Cluster.APIs = served
	plan, err := engine.NewTenantPlan(features.All(), tenant)
	if err != nil {
		return nil, fmt.Errorf("planning the cluster scope of %s: %w", c.Name, err)
	}
	return append(plans, plan), nil
}

// Rich is a Tenant that uses every room, with a namespace of its name: openings with every kind of peer and port,
// members of every kind, amounts with every kind of unit. Odd and even turns differ where the API server allows some
// changes only beside the one and some only beside the other: no type of limit may be there twice, and a quota of
// anything but pods can't be narrowed to a scope.
func Rich(name string, turn int) *v1alpha1.Tenant {
	return MakeTenant(name).
		Namespace(name, WithLabel("environment", "production"), WithAnnotation("example.com/owner", "team@example.com")).
		Member("owners", v1alpha1.RoleAdmin, User(name+"-zoe"), Group(name+"-admins")).
		Member("readers", v1alpha1.RoleView, Group(name+"-readers"), ServiceAccount(name, "reader"), ServiceAccount("kube-system", "scraper")).
		MemberIn("developers", v1alpha1.RoleEdit, []string{name}, Group(name+"-developers"), User(name+"-joe"), User(name+"-ann")).
		Policy(
			Quota(corev1.ResourcePods, "20"), Quota(corev1.ResourceRequestsCPU, "4500m"), Quota(corev1.ResourceRequestsMemory, "8Gi"),
			Enforce(v1alpha1.PodSecurityBaseline),
			Network(func(n *v1alpha1.Network) { n.APIServer = v1alpha1.Allow }),
			Allow(v1alpha1.Opening{Name: "ranges", Direction: v1alpha1.Egress, Peers: []v1alpha1.Peer{
				{CIDR: "10.20.0.0/16", Except: []v1alpha1.CIDR{"10.20.1.0/24", "10.20.9.0/24"}}, {CIDR: "2001:db8::/32"},
			}, Ports: []v1alpha1.Port{{Port: 443}, {Protocol: corev1.ProtocolSCTP, Port: 80, EndPort: 90}, {Protocol: corev1.ProtocolUDP}}}),
			Allow(v1alpha1.Opening{Name: "mixed", Direction: v1alpha1.Ingress, Peers: mixedPeers()}),
			Allow(v1alpha1.Opening{Name: "tenants", Direction: v1alpha1.Ingress, Ports: []v1alpha1.Port{{Port: 9090}},
				Peers: []v1alpha1.Peer{{Tenant: "shared"}, {Tenant: "observability"}}}),
			richLimits(turn), richQuota(turn),
		).Obj()
}

func richQuota(turn int) PolicyOption {
	return func(p *v1alpha1.PolicyBlocks) {
		if turn%2 == 1 {
			Quota("count/jobs.batch", "7")(p)
			Quota("requests.storage", "1e12")(p)
		}
	}
}

func mixedPeers() []v1alpha1.Peer {
	return []v1alpha1.Peer{
		{Tenant: "shared"},
		{Namespaces: &metav1.LabelSelector{}, Pods: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web", "tier": "front"}}},
		{Namespaces: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "zone", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}}, {Key: "env", Operator: metav1.LabelSelectorOpDoesNotExist},
		}}, Pods: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "track", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"beta", "canary"}},
		}}},
		{CIDR: "0.0.0.0/0", Except: []v1alpha1.CIDR{"10.0.0.0/8"}},
	}
}

func richLimits(turn int) PolicyOption {
	claims := v1alpha1.LimitItem{Type: corev1.LimitTypePersistentVolumeClaim, Min: amounts("storage", "1Gi"), Max: amounts("storage", "1Ti")}
	pods := v1alpha1.LimitItem{Type: corev1.LimitTypePod, Min: amounts("cpu", "0.01"), Max: amounts("cpu", "4", "memory", "8Gi"),
		MaxLimitRequestRatio: amounts("cpu", "100")}
	containers := v1alpha1.LimitItem{Type: corev1.LimitTypeContainer, Min: amounts("cpu", "10m", "memory", "16Mi"),
		Max: amounts("cpu", "2", "memory", "4Gi"), Default: amounts("cpu", "1", "memory", "512Mi"),
		DefaultRequest: amounts("cpu", "500m", "memory", "256Mi"), MaxLimitRequestRatio: amounts("cpu", "20")}
	items := []v1alpha1.LimitItem{claims, containers}
	if turn%2 == 0 {
		items = []v1alpha1.LimitItem{claims, pods}
	}
	return func(p *v1alpha1.PolicyBlocks) { p.Limits = append(p.Limits, items...) }
}
