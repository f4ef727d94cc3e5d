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

package integration

import (
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// sightings are the resource versions at which something was first seen from outside, by what it was.
type sightings struct {
	mu    sync.Mutex
	first map[string]string
	errs  []string
}

func (s *sightings) note(what, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, seen := s.first[what]; !seen {
		s.first[what] = version
	}
}

// count is how many things of a kind were seen.
func (s *sightings) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for what := range s.first {
		if strings.HasPrefix(what, kind+" ") {
			n++
		}
	}
	return n
}

// take notes an event: what of it counts as a wall or a door of its namespace.
func (s *sightings) take(event watch.Event) {
	object, ok := event.Object.(client.Object)
	if !ok || event.Type == watch.Deleted {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.errs = append(s.errs, fmt.Sprintf("%s %T", event.Type, event.Object))
		return
	}
	version := object.GetResourceVersion()
	switch o := object.(type) {
	case *corev1.Namespace:
		if o.Labels[labelEnforce] == "restricted" && o.Labels[v1alpha1.LabelTenant] != "" {
			s.note("pod-security "+o.Name, version)
		}
	case *networkingv1.NetworkPolicy:
		s.note(o.Name+" "+o.Namespace, version)
	case *corev1.ResourceQuota:
		s.note("quota "+o.Namespace, version)
	case *corev1.LimitRange:
		s.note("limits "+o.Namespace, version)
	case *rbacv1.RoleBinding:
		if o.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByBulkhead {
			s.note("door "+o.Namespace, version)
		}
	}
}

var _ = Describe("provisioning", func() {
	BeforeEach(operatorUp)

	It("builds walls before doors, as a watcher from outside sees it", func(ctx SpecContext) {
		const tenants, each = 20, 3
		seen := &sightings{first: map[string]string{}}
		var watches []watch.Interface
		var watchers sync.WaitGroup
		DeferCleanup(func() {
			for _, w := range watches {
				w.Stop()
			}
			watchers.Wait()
		})
		for _, list := range []client.ObjectList{
			&corev1.NamespaceList{}, &networkingv1.NetworkPolicyList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{}, &rbacv1.RoleBindingList{},
		} {
			Expect(world.Admin.List(ctx, list)).To(Succeed())
			from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
			w, err := world.Admin.Watch(ctx, list, from)
			Expect(err).NotTo(HaveOccurred())
			watches = append(watches, w)
			watchers.Go(func() {
				for event := range w.ResultChan() {
					if o, ok := event.Object.(client.Object); ok && !strings.HasPrefix(o.GetNamespace()+o.GetName(), "walled-") {
						continue // of another spec
					}
					seen.take(event)
				}
			})
		}

		var namespaces []string
		for t := range tenants {
			name := fmt.Sprintf("walled-%d", t)
			tenant := someTenant(name)
			namespaces = append(namespaces, name)
			for n := 1; n < each; n++ {
				namespace := fmt.Sprintf("%s-%d", name, n)
				tenant.Namespaces(namespace)
				namespaces = append(namespaces, namespace)
			}
			createTenant(ctx, tenant.Obj())
		}
		Eventually(func() int { return seen.count("door") }).WithContext(ctx).Should(Equal(tenants * each))

		walls := []string{"pod-security", "bulkhead-default-deny", "bulkhead-allow-boundary", "bulkhead-allow-dns", "bulkhead-allow-metrics", "quota", "limits"}
		for _, wall := range walls {
			// Each watch is a stream of its own: the news of a wall may come after that of the door.
			Eventually(func() int { return seen.count(wall) }).WithContext(ctx).Should(Equal(tenants * each))
		}
		seen.mu.Lock()
		defer seen.mu.Unlock()
		Expect(seen.errs).To(BeEmpty())
		for _, namespace := range namespaces {
			door := seen.first["door "+namespace]
			for _, wall := range walls {
				order, err := resourceversion.CompareResourceVersion(seen.first[wall+" "+namespace], door)
				Expect(err).NotTo(HaveOccurred())
				Expect(order).To(BeNumerically("<", 0), "%s of namespace %s is of version %s, and its RoleBinding of %s",
					wall, namespace, seen.first[wall+" "+namespace], door)
			}
		}
	})
})
