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
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/exposure"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/snapshot"
	"github.com/bulkhead-dev/bulkhead/internal/survey"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// recorded is a cluster that was written down: acme has drifted and is open, globex is as it ought to be.
const recorded = "../cli/testdata/world"

// cluster is the recorded cluster, changed.
type cluster struct {
	*snapshot.Snapshot
	scheme *runtime.Scheme
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Files(scheme, snapshot.Kinds(features.All()), nil, recorded)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{s, scheme}
}

func (c *cluster) put(t *testing.T, objects ...client.Object) {
	t.Helper()
	var err error
	if c.Snapshot, err = c.With(objects...); err != nil {
		t.Fatal(err)
	}
}

// change changes an object of the cluster. The key is namespace/name.
func change[T client.Object](t *testing.T, c *cluster, object T, key string, how func(T)) {
	t.Helper()
	namespace, name, _ := strings.Cut(key, "/")
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
	object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	how(object)
	c.put(t, object)
}

func (c *cluster) survey(t *testing.T) *survey.Survey {
	t.Helper()
	s, err := survey.New(survey.Options{Reader: c, Scheme: c.scheme, Features: features.All(), Facts: facts.Options{
		DNS:               feature.DNS{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53}},
		APIServer:         []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6443")},
		OperatorNamespace: v1alpha1.DefaultOperatorNamespace,
		APIs:              c.Served(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines are differences in one line each.
func lines(d *survey.Diff) []string {
	var all []string
	for i := range d.Differences {
		item := &d.Differences[i]
		line := fmt.Sprintf("%s: %s %s", item.Tenant, item.Type, strings.Join([]string{item.Object.Kind, item.Object.Namespace, item.Object.Name}, "/"))
		for _, field := range item.Fields {
			line += fmt.Sprintf(" %s %s", field.Change, field.Path)
		}
		if item.Ignored() {
			line += " (ignored)"
		}
		if item.Whole != nil {
			line += " (whole)"
		}
		all = append(all, line)
	}
	return all
}

const (
	openedBinding = "acme: FieldModified RoleBinding/acme-dev/bulkhead-owners Modified subjects"
	missingQuota  = "acme: ObjectMissing ResourceQuota/acme-dev/bulkhead (whole)"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(t *testing.T, c *cluster)
		tenants []string
		want    []string
		notes   []string
		open    int
	}{
		"what has drifted":      {tenants: []string{"acme"}, want: []string{missingQuota, openedBinding}, open: 2},
		"what hasn't":           {tenants: []string{"globex"}},
		"several":               {tenants: []string{"acme", "globex"}, want: []string{missingQuota, openedBinding}, open: 2},
		"none that is asked of": {tenants: nil},
		"a rule that ignores": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &v1alpha1.Tenant{}, "/acme", func(tenant *v1alpha1.Tenant) {
					tenant.Spec.Drift = &v1alpha1.DriftSpec{Ignore: []v1alpha1.DriftIgnoreRule{{
						Kind: "RoleBinding", Path: "subjects", Reason: "tried out", SecurityPaths: v1alpha1.SecurityPathsIgnore,
						NotAfter: metav1.NewTime(time.Now().Add(time.Hour)),
					}}}
				})
			},
			tenants: []string{"acme"}, want: []string{missingQuota, openedBinding + " (ignored)"}, open: 1,
		},
		"mode Observe, and access that has ended": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &v1alpha1.Tenant{}, "/globex", func(tenant *v1alpha1.Tenant) {
					tenant.Spec.Drift = &v1alpha1.DriftSpec{Mode: v1alpha1.DriftObserve}
					tenant.Spec.Members = nil
				})
			},
			tenants: []string{"globex"}, open: 3,
			want: []string{
				"globex: ObjectForeign ClusterRole//bulkhead:tenant:globex (whole)",
				"globex: ObjectForeign ClusterRoleBinding//bulkhead:tenant:globex (whole)",
				"globex: ObjectForeign RoleBinding/globex-web/bulkhead-team (whole)",
			},
		},
		"a namespace that leaves, retained": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &v1alpha1.Tenant{}, "/globex", func(tenant *v1alpha1.Tenant) { tenant.Spec.Namespaces = nil })
			},
			tenants: []string{"globex"}, open: 3,
			want: []string{
				"globex: FieldModified ClusterRole//bulkhead:tenant:globex Modified rules",
				"globex: ObjectForeign Namespace//globex-web",
				"globex: ObjectForeign RoleBinding/globex-web/bulkhead-team (whole)",
			},
		},
		"a namespace that leaves, deleted": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &v1alpha1.Tenant{}, "/globex", func(tenant *v1alpha1.Tenant) {
					tenant.Spec.Namespaces, tenant.Spec.DeletionPolicy = nil, v1alpha1.DeletionDelete
				})
			},
			tenants: []string{"globex"}, open: 2,
			want: []string{"globex: FieldModified ClusterRole//bulkhead:tenant:globex Modified rules", "globex: ObjectForeign Namespace//globex-web"},
		},
		"a tenant that goes": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &v1alpha1.Tenant{}, "/globex", func(tenant *v1alpha1.Tenant) { tenant.DeletionTimestamp = &metav1.Time{Time: time.Now()} })
			},
			tenants: []string{"globex"}, open: 2,
			want: []string{"globex: ObjectForeign Namespace//globex-web", "globex: ObjectForeign RoleBinding/globex-web/bulkhead-team (whole)"},
		},
		"a namespace that is held by another": {
			change: func(t *testing.T, c *cluster) {
				c.put(t, builders.MakeTenant("late").Namespaces("globex-web").Obj())
			},
			tenants: []string{"late"}, notes: []string{"tenant late, namespace globex-web is held by tenant globex"},
		},
		"a label that nobody claims": {
			change: func(t *testing.T, c *cluster) {
				c.put(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "stray", Labels: map[string]string{v1alpha1.LabelTenant: "globex"}}})
			},
			tenants: []string{"globex"}, open: 1,
			want: []string{"globex: NamespaceUnclaimed Namespace//stray Injected metadata.labels[tenancy.bulkhead.dev/tenant]"},
		},
		"a namespace that is being deleted": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &corev1.Namespace{}, "/globex-web", func(n *corev1.Namespace) { n.DeletionTimestamp = &metav1.Time{Time: time.Now()} })
			},
			tenants: []string{"globex"}, notes: []string{"tenant globex, namespace globex-web is being deleted and would be created anew"},
		},
		"ownership that was lost": {
			change: func(t *testing.T, c *cluster) {
				change(t, c, &networkingv1.NetworkPolicy{}, "globex-web/bulkhead-default-deny", func(p *networkingv1.NetworkPolicy) { p.ManagedFields = nil })
			},
			tenants: []string{"globex"}, open: 1,
			want: []string{"globex: OwnershipLost NetworkPolicy/globex-web/bulkhead-default-deny"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			if tc.change != nil {
				tc.change(t, c)
			}
			diff, err := c.survey(t).Diff(t.Context(), tc.tenants)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, lines(diff)); d != "" {
				t.Errorf("differences (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.notes, diff.Notes); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
			if diff.Open() != tc.open {
				t.Errorf("%d open, want %d", diff.Open(), tc.open)
			}
		})
	}
}

// TestDiffFails pins that what can't be told is an error, and never "no difference", and hides nothing else.
func TestDiffFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(tenant *v1alpha1.Tenant)
		tenants []string
		want    string
		and     string
	}{
		"a tenant that there isn't": {func(*v1alpha1.Tenant) {}, []string{"acme", "none"}, `there is no Tenant "none"`, openedBinding},
		"a class that there isn't":  {func(tenant *v1alpha1.Tenant) { tenant.Spec.ClassName = "gold" }, []string{"acme", "globex"}, `namespace globex-web: TenantClass "gold"`, openedBinding},
		"a policy that can't be rendered": {
			func(tenant *v1alpha1.Tenant) { tenant.Spec.Network = &v1alpha1.Network{Boundary: "Galaxy"} }, []string{"globex"},
			"tenant globex, namespace globex-web: network: network.boundary", "",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			change(t, c, &v1alpha1.Tenant{}, "/globex", tc.change)
			diff, err := c.survey(t).Diff(t.Context(), tc.tenants)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
			if tc.and != "" && !slices.Contains(lines(diff), tc.and) {
				t.Errorf("the rest is hidden: %v", lines(diff))
			}
		})
	}
}

// TestWhole pins what is shown of an object as a whole, and what isn't.
func TestWhole(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(t, builders.MakeTenant("new").Namespace("new-dev", builders.WithLabel("token", "secret-label"), builders.WithAnnotation("token", "secret-annotation")).Obj())
	change(t, c, &rbacv1.RoleBinding{}, "globex-web/bulkhead-team", func(b *rbacv1.RoleBinding) {
		b.Name, b.Annotations = "bulkhead-former", map[string]string{"token": "secret-annotation"}
		b.Subjects[0].Name = "o\u202eps"
	})
	diff, err := c.survey(t).Diff(t.Context(), []string{"globex", "new"})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for i := range diff.Differences {
		d := &diff.Differences[i]
		if d.Whole == nil {
			t.Errorf("%s isn't whole", d.Object.Name)
			continue
		}
		if shown[d.Object.Kind+" "+d.Object.Name], err = d.Whole.YAML(); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range shown {
		if strings.Contains(text, "secret") || strings.Contains(text, "\u202e") {
			t.Errorf("%s shows what it must not:\n%s", name, text)
		}
	}
	for name, wants := range map[string][]string{
		"Namespace new-dev":                   {"token: (withheld)", "pod-security.kubernetes.io/enforce: restricted", "tenancy.bulkhead.dev/tenant: new"},
		"ResourceQuota bulkhead":              {"pods: \"20\"", "namespace: new-dev"},
		"NetworkPolicy bulkhead-default-deny": {"policyTypes:\n  - Ingress"},
		"RoleBinding bulkhead-former":         {"name: o?ps", "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: edit"},
	} {
		for _, want := range wants {
			if !strings.Contains(shown[name], want) {
				t.Errorf("%s doesn't show %q:\n%s", name, want, shown[name])
			}
		}
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.put(t, builders.MakeTenant("lost").Class("gold").Obj())
	s := c.survey(t)
	for name, want := range map[string]string{"acme": "standard", "lost": "", "none": ""} {
		if got, err := s.ClassOf(t.Context(), name); err != nil || got != want {
			t.Errorf("%s has class %q, error %v, want %q", name, got, err, want)
		}
	}
}

func definition(name string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}
	object.SetGroupVersionKind(exposure.DefinitionKind)
	return object
}
