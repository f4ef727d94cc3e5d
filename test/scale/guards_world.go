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

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

const (
	// measuredMember is an admin of every tenant, measuredPlatform is cluster-admin: guard-rails exempt neither. Both have
	// a certificate, because impersonation would add to what each request takes.
	measuredMember   = "measured-member"
	measuredPlatform = "measured-platform"
	// priority is the PriorityClass of the pods.
	priority = "measured"
)

// amount is a quantity that is known to be one.
var amount = resource.MustParse

// guarded fills a world with tenants, as the operator does but by the bare client, and puts guard-rails in force. Then it
// stops the controllers: what they do about the pods would be noise.
func (w *world) guarded(ctx context.Context, to level) (*guardedWorld, error) {
	w.tenants = measuredTenants(w.size)
	var err error
	if w.intents, err = intents(w.tenants, w.Facts); err != nil {
		return nil, err
	}
	g := &guardedWorld{world: w, tenantOf: map[string]string{}, places: map[bool][]string{}}
	for _, tenant := range w.tenants {
		namespace, filled := tenant.Spec.Namespaces[0].Name, tenant.Spec.Placement.NodeSelector != nil
		g.tenantOf[namespace] = tenant.Name
		g.places[filled] = append(g.places[filled], namespace)
	}
	if err := g.load(); err != nil {
		return nil, err
	}
	if to == withDefaults && len(g.mutators) == 0 {
		return g, nil
	}
	if err := g.people(ctx); err != nil {
		return nil, err
	}
	if err := g.put(ctx, without); err != nil {
		return nil, err
	}
	if _, err := w.raw(ctx, rawCreate); err != nil {
		return nil, err
	}
	if err := g.controlled(ctx); err != nil {
		return nil, err
	}
	if err := w.StopControllerManager(); err != nil {
		return nil, err
	}
	g.kinds = g.kindsOf()
	if err := g.put(ctx, to); err != nil {
		return nil, err
	}
	return g, g.await(ctx)
}

// people are those who make requests.
func (g *guardedWorld) people(ctx context.Context) error {
	for _, object := range []client.Object{
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: measuredPlatform},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: measuredPlatform}}},
		&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: priority}, Value: 1000},
	} {
		if err := g.Admin.Create(ctx, object); err != nil {
			return fmt.Errorf("creating %s: %w", object.GetName(), err)
		}
	}
	member, err := g.ConfigFor(measuredMember)
	if err != nil {
		return err
	}
	platform, err := g.ConfigFor(measuredPlatform)
	if err != nil {
		return err
	}
	for _, who := range []struct {
		client **kubernetes.Clientset
		config *rest.Config
	}{{&g.member, member}, {&g.platform, platform}, {&g.root, g.Config()}} {
		who.config.ContentType = runtime.ContentTypeProtobuf
		who.config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
		if *who.client, err = kubernetes.NewForConfig(who.config); err != nil {
			return fmt.Errorf("making a client: %w", err)
		}
	}
	return nil
}

// controlled waits until the controllers have done their part: every namespace has the ServiceAccount without which it can
// have no pod, and its quota is in force.
func (g *guardedWorld) controlled(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		accounts, err := g.root.CoreV1().ServiceAccounts("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=default"})
		if err != nil {
			return false, fmt.Errorf("listing ServiceAccounts: %w", err)
		}
		quotas, err := g.root.CoreV1().ResourceQuotas("").List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, fmt.Errorf("listing ResourceQuotas: %w", err)
		}
		accounted, counted := sets.New[string](), sets.New[string]()
		for i := range accounts.Items {
			accounted.Insert(accounts.Items[i].Namespace)
		}
		for i := range quotas.Items {
			if quota := &quotas.Items[i]; equality.Semantic.DeepEqual(quota.Spec.Hard, quota.Status.Hard) {
				counted.Insert(quota.Namespace)
			}
		}
		namespaces := sets.KeySet(g.tenantOf)
		return accounted.IsSuperset(namespaces) && counted.IsSuperset(namespaces), nil
	})
}

// filledEvery is how many tenants there are for one whose pods get defaults.
const filledEvery = 5

// measuredTenants use every block that a guard-rail reads, so that each has something to compare with; of those by which
// pods get defaults, which only MutatingAdmissionPolicies are about, one in filledEvery. Their quotas are never used up.
func measuredTenants(s size) []*v1alpha1.Tenant {
	list := tenants("team", s)
	for i, tenant := range list {
		spec := &tenant.Spec
		spec.Members = append(spec.Members, v1alpha1.Member{Name: "measured", Role: v1alpha1.RoleAdmin,
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: measuredMember}}})
		spec.Quota.PerNamespace = map[corev1.ResourceName]resource.Quantity{
			"requests.cpu": amount("1M"), "requests.memory": amount("1Pi"), "limits.memory": amount("1Pi"), "pods": amount("1M"),
		}
		spec.Network = &v1alpha1.Network{Allow: []v1alpha1.Opening{
			{Name: "office", Direction: v1alpha1.Egress, Peers: []v1alpha1.Peer{{CIDR: "198.51.100.0/24"}, {CIDR: "203.0.113.0/24"}}},
			{Name: "mesh", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{{CIDR: "192.0.2.128/25"}, {Tenant: "shared"}}},
		}}
		spec.Ingress = &v1alpha1.IngressPolicy{
			ClassNames: []v1alpha1.ObjectName{"internal", "public"}, GatewayClassNames: []v1alpha1.ObjectName{"internal"},
			Hostnames:    []v1alpha1.Hostname{v1alpha1.Hostname(tenant.Name + ".example.com"), v1alpha1.Hostname("*." + tenant.Name + ".example.com")},
			ServiceTypes: []v1alpha1.ServiceType{"ClusterIP", "LoadBalancer"},
		}
		spec.Images = &v1alpha1.Images{
			Registries: []v1alpha1.Registry{"registry.example.com/$(tenant)/", "mirror.example.com/", "registry.example.com/base/", "registry.example.com/shared/"},
			Digests:    v1alpha1.DigestsRequired,
		}
		spec.Storage = &v1alpha1.Storage{ClassNames: []v1alpha1.ObjectName{"standard", "fast"}}
		spec.Placement = &v1alpha1.Placement{
			PriorityClassNames: []v1alpha1.ObjectName{"low", priority},
			RuntimeClassNames:  []v1alpha1.ObjectName{"sandboxed"},
		}
		if i%filledEvery == filledEvery-1 {
			spec.Images.PullPolicy = v1alpha1.PullAlways
			spec.Placement.NodeSelector = map[string]v1alpha1.NodeLabelValue{"example.com/pool": "tenants"}
			spec.Placement.Tolerations = []v1alpha1.Toleration{{Key: "example.com/pool", Value: "tenants", Effect: corev1.TaintEffectNoSchedule}}
		}
	}
	return list
}
