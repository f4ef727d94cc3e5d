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

package storm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// sizeVariable says how many namespaces the tenant has, from 1 to 1000, and usual is how many without it.
	sizeVariable = "BULKHEAD_STORM_NAMESPACES"
	usual        = 100
	// writers is how many interfere at a time, and edited how many objects are changed in each namespace.
	writers, edited = 16, 4
	// look is how often the world is looked at.
	look = 500 * time.Millisecond

	tenantName   = "storm"
	labelEnforce = "pod-security.kubernetes.io/enforce"
)

// storm is a world with one tenant and an operator.
type storm struct {
	*env.Env
	names []string
	// patience bounds each wait.
	patience time.Duration
	seen     *sightings
}

func start(t *testing.T) *storm {
	t.Helper()
	world, err := env.Start(t.Context(), controlplane.Options{Audit: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Stop(); err != nil {
			t.Error(err)
		}
	})
	operator, err := world.StartOperator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	n := size(t)
	s := &storm{Env: world, patience: 2*time.Minute + time.Duration(n)*time.Second, seen: watchStatus(t, world)}
	for i := range n {
		// As long as names may be: what is said of them is bounded all the same.
		s.names = append(s.names, fmt.Sprintf("%s-%04d", strings.Repeat("s", 58), i))
	}
	return s
}

func size(t *testing.T) int {
	t.Helper()
	text := os.Getenv(sizeVariable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		t.Fatalf("%s is %q, want a number from 1 to 1000", sizeVariable, text)
	}
	return n
}

// provision makes the tenant and waits until all of it is in place.
func (s *storm) provision(t *testing.T) {
	t.Helper()
	tenant := builders.MakeTenant(tenantName).Namespaces(s.names...).Member("owners", v1alpha1.RoleAdmin, builders.Group("owners")).
		Policy(builders.Quota(corev1.ResourcePods, "10")).Obj()
	if err := s.Admin.Create(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	s.until(t, v1alpha1.ConditionInSync, v1alpha1.ReasonNoDrift)
	s.until(t, v1alpha1.ConditionIsolated, v1alpha1.ReasonNoExposure)
}

// setMode sets the drift mode.
func (s *storm) setMode(t *testing.T, mode v1alpha1.DriftMode) {
	t.Helper()
	tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: tenantName}}
	if err := s.Admin.Patch(t.Context(), tenant, merge(fmt.Sprintf(`{"spec":{"drift":{"mode":%q}}}`, mode))); err != nil {
		t.Fatal(err)
	}
}

// until waits until the tenant has a condition with a reason, for its present generation.
func (s *storm) until(t *testing.T, condition, reason string) {
	t.Helper()
	s.eventually(t, func() string {
		tenant := &v1alpha1.Tenant{}
		if err := s.Admin.Get(t.Context(), client.ObjectKey{Name: tenantName}, tenant); err != nil {
			return err.Error()
		}
		got := meta.FindStatusCondition(tenant.Status.Conditions, condition)
		if got == nil || got.Reason != reason || got.ObservedGeneration != tenant.Generation {
			return fmt.Sprintf("%s is %+v, want reason %s", condition, got, reason)
		}
		return ""
	})
}

// eventually looks again and again until the condition says nothing any more; what it says last is the failure.
func (s *storm) eventually(t *testing.T, condition func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.patience)
	defer cancel()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		why := condition()
		if why == "" {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("still so after %s: %s", s.patience, why)
		}
	}
}

// blow changes objects in all namespaces at once: a policy is opened, a budget is raised, a binding gets a subject and
// Pod Security is lowered. It returns when it began.
func (s *storm) blow(t *testing.T) time.Time {
	t.Helper()
	began := time.Now()
	work := make(chan string)
	failures := make(chan error, len(s.names))
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for name := range work {
				failures <- s.interfere(t.Context(), name)
			}
		})
	}
	for _, name := range s.names {
		work <- name
	}
	close(work)
	group.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d objects were changed within %s", edited*len(s.names), time.Since(began).Round(time.Millisecond))
	return began
}

func (s *storm) interfere(ctx context.Context, namespace string) error {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	eve := `[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"}}]`
	manager := client.FieldOwner(strings.Repeat("m", 128))
	return errors.Join(
		s.Admin.Patch(ctx, &networkingv1.NetworkPolicy{ObjectMeta: named("bulkhead-default-deny")}, merge(`{"spec":{"ingress":[{}]}}`), manager),
		s.Admin.Patch(ctx, &corev1.ResourceQuota{ObjectMeta: named("bulkhead")}, merge(`{"spec":{"hard":{"pods":"99"}}}`), manager),
		s.Admin.Patch(ctx, &rbacv1.RoleBinding{ObjectMeta: named("bulkhead-owners")}, client.RawPatch(types.JSONPatchType, []byte(eve)), manager),
		s.Admin.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
			merge(`{"metadata":{"labels":{"`+labelEnforce+`":"privileged"}}}`), manager),
	)
}

func merge(text string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(text))
}

// differing counts the objects that were changed and are not what they must be.
func (s *storm) differing(ctx context.Context) (int, error) {
	policies, quotas := &networkingv1.NetworkPolicyList{}, &corev1.ResourceQuotaList{}
	bindings, namespaces := &rbacv1.RoleBindingList{}, &corev1.NamespaceList{}
	for _, list := range []client.ObjectList{policies, quotas, bindings, namespaces} {
		if err := s.Admin.List(ctx, list, client.MatchingLabels{v1alpha1.LabelTenant: tenantName}); err != nil {
			return 0, err
		}
	}
	if len(quotas.Items) != len(s.names) || len(bindings.Items) != len(s.names) || len(namespaces.Items) != len(s.names) {
		return 0, errors.New("something is missing")
	}
	n := 0
	count := func(differs bool) {
		if differs {
			n++
		}
	}
	for i := range policies.Items {
		count(policies.Items[i].Name == "bulkhead-default-deny" && len(policies.Items[i].Spec.Ingress) > 0)
	}
	for i := range quotas.Items {
		count(quotas.Items[i].Spec.Hard.Pods().Value() != 10)
	}
	for i := range bindings.Items {
		count(len(bindings.Items[i].Subjects) != 1)
	}
	for i := range namespaces.Items {
		count(namespaces.Items[i].Labels[labelEnforce] != "restricted")
	}
	return n, nil
}

// mended waits until nothing differs any more.
func (s *storm) mended(t *testing.T) {
	t.Helper()
	s.eventually(t, func() string {
		n, err := s.differing(t.Context())
		switch {
		case err != nil:
			return err.Error()
		case n > 0:
			return fmt.Sprintf("%d objects still differ", n)
		default:
			return ""
		}
	})
}
