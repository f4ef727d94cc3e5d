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

package exposure

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// told is what a finding says, but for its sentence.
type told struct {
	Type     v1alpha1.IsolationFindingType
	Severity v1alpha1.Severity
	Object   string
}

// brief leaves the sentences out, and checks that they and their date are there.
func brief(t *testing.T, findings []v1alpha1.IsolationFinding) []told {
	t.Helper()
	all := []told{}
	for _, finding := range findings {
		if finding.Message == "" || !finding.Since.Time.Equal(now) {
			t.Errorf("%+v: want a message, and since %s", finding, now)
		}
		all = append(all, told{finding.Type, finding.Severity, finding.Object.Kind + " " + finding.Object.Name})
	}
	return all
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const network, access, weakened = v1alpha1.FindingNetworkExposure, v1alpha1.FindingAccessExposure, v1alpha1.FindingPodSecurityWeakened
	tests := map[string]struct {
		change func(*world)
		live   func(*corev1.Namespace) *corev1.Namespace
		want   []told
	}{
		"as the spec says": {want: []told{}},
		"no policy at all": {
			change: func(w *world) { w.policies = nil },
			want:   []told{{network, v1alpha1.SeverityCritical, "Namespace acme-dev"}, {network, v1alpha1.SeverityCritical, "Namespace acme-dev"}},
		},
		"a policy of somebody else": {
			change: func(w *world) { w.policies = append(w.policies, openPolicy()) },
			want:   []told{{network, v1alpha1.SeverityCritical, "NetworkPolicy open"}},
		},
		"a policy elsewhere": {
			change: func(w *world) {
				open := openPolicy()
				open.Namespace = "umbrella-dev"
				w.policies = append(w.policies, open)
			},
			want: []told{},
		},
		"a stranger with a role that is known": {
			change: func(w *world) { w.bindings = append(w.bindings, bind("b", "view", builders.User("guest"))) },
			want:   []told{{access, v1alpha1.SeverityHigh, "RoleBinding b"}},
		},
		"two, in the order of their names": {
			change: func(w *world) {
				w.bindings = append(w.bindings, bind("b", "admin", builders.User("eve")), bind("a", "admin", builders.User("guest")))
			},
			want: []told{{access, v1alpha1.SeverityCritical, "RoleBinding a"}, {access, v1alpha1.SeverityCritical, "RoleBinding b"}},
		},
		"a role that isn't there": {
			change: func(w *world) { w.bindings = append(w.bindings, bind("b", "nothing", builders.User("guest"))) },
			want:   []told{{access, v1alpha1.SeverityHigh, "RoleBinding b"}},
		},
		"a member with as much as the spec gives": {
			change: func(w *world) { w.bindings = append(w.bindings, bind("b", "view", builders.User("ann"))) },
			want:   []told{},
		},
		"pods may do more": {
			live: func(n *corev1.Namespace) *corev1.Namespace {
				n.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
				return n
			},
			want: []told{{weakened, v1alpha1.SeverityCritical, "Namespace acme-dev"}},
		},
		"a namespace that isn't there": {live: func(*corev1.Namespace) *corev1.Namespace { return nil }, want: []told{}},
		"all at once": {
			change: func(w *world) {
				w.policies = append(w.policies, openPolicy())
				w.bindings = append(w.bindings, bind("b", "view", builders.User("guest")))
			},
			live: func(n *corev1.Namespace) *corev1.Namespace { n.Labels = nil; return n },
			want: []told{
				{network, v1alpha1.SeverityCritical, "NetworkPolicy open"}, {access, v1alpha1.SeverityHigh, "RoleBinding b"},
				{weakened, v1alpha1.SeverityCritical, "Namespace acme-dev"},
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := builtBy(t, acme(), umbrella())
			if tc.change != nil {
				tc.change(w)
			}
			plan := planOf(t, acme())
			live := liveOf(plan)
			live.Labels = maps.Clone(live.Labels)
			if tc.live != nil {
				live = tc.live(live)
			}
			got, err := judgeOf(w).Judge(t.Context(), plan, live)
			if err != nil {
				t.Fatal(err)
			}
			if got == nil {
				t.Error("nil says that nothing was judged")
			}
			if diff := cmp.Diff(tc.want, brief(t, got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJudgeWithoutPlan: where the spec doesn't say what may be open, nobody is told that nothing is.
func TestJudgeWithoutPlan(t *testing.T) {
	t.Parallel()
	judged := map[string]bool{
		v1alpha1.ConditionNetworkReady: false, v1alpha1.ConditionAccessReady: false, v1alpha1.ConditionPodSecurityReady: false,
		v1alpha1.ConditionQuotaReady: true, v1alpha1.ConditionLimitsReady: true,
	}
	for condition, want := range judged {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			w := builtBy(t, acme())
			w.policies = append(w.policies, openPolicy())
			plan := planOf(t, acme())
			at := slices.IndexFunc(plan.Rooms, func(r engine.Room) bool { return r.Condition == condition })
			if at < 0 {
				t.Fatal("there is no such room")
			}
			plan.Rooms[at].Err = errors.New("can't be rendered")
			got, err := judgeOf(w).Judge(t.Context(), plan, liveOf(plan))
			if err != nil || (got != nil) != want || (want && len(got) != 1) {
				t.Errorf("%v, %v; want it judged: %v", got, err, want)
			}
		})
	}
}

func TestJudgeFails(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"*v1.NamespaceList", "*v1alpha1.TenantList", "*v1.ClusterRoleBindingList", "*v1.NetworkPolicyList", "*v1.RoleBindingList"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := builtBy(t, acme())
			w.broken[kind] = true
			j, plan := judgeOf(w), planOf(t, acme())
			if got, err := j.Judge(t.Context(), plan, liveOf(plan)); !errors.Is(err, errBroken) || got != nil {
				t.Errorf("%v, %v; want no findings, and %v", got, err, errBroken)
			}
			w.with(func() { clear(w.broken) })
			if got, err := j.Judge(t.Context(), plan, liveOf(plan)); err != nil || got == nil || len(got) > 0 {
				t.Errorf("once it can be read: %v, %v; want none, and no error", got, err)
			}
		})
	}
}

func TestPrime(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme(), umbrella())
	w.everywhere = append(w.everywhere, bindEverywhere("ops", "admin", builders.User("eve")))
	j := judgeOf(w)
	w.broken["*v1.ClusterRoleBindingList"] = true
	if err := j.Prime(t.Context()); !errors.Is(err, errBroken) {
		t.Fatalf("%v, want %v", err, errBroken)
	}
	w.with(func() { clear(w.broken) })
	if err := j.Prime(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := brief(t, j.Shared("acme")); len(got) != 1 {
		t.Errorf("once the world was read: %v, want what user eve may do", got)
	}
	before := w.lists
	if err := j.Prime(t.Context()); err != nil || w.lists != before {
		t.Errorf("it read again: %d lists, %v", w.lists-before, err)
	}
}

// TestPrimeUndoesNothing: what a namespace is meant to be was told before the world was read, which can't say it.
func TestPrimeUndoesNothing(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme(), umbrella())
	j := judgeOf(w)
	other := planOf(t, umbrella())
	live := liveOf(other)
	live.Labels = maps.Clone(live.Labels)
	live.Labels[scrape] = "acme"
	w.namespaces = []corev1.Namespace{w.namespaces[0], *live}
	j.Namespace(other.Name, live, other.Tenant, other.Namespace.Object.GetLabels())
	plan := planOf(t, acme())
	got, err := j.Judge(t.Context(), plan, liveOf(plan))
	if err != nil {
		t.Fatal(err)
	}
	want := []told{{v1alpha1.FindingLabelExposure, v1alpha1.SeverityCritical, "Namespace umbrella-dev"}}
	if diff := cmp.Diff(want, brief(t, got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestNamespace: whoever was judged by a namespace's labels is judged again when they change.
func TestNamespace(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme(), umbrella())
	j := judgeOf(w)
	plan, other := planOf(t, acme()), planOf(t, umbrella())
	if _, err := j.Judge(t.Context(), plan, liveOf(plan)); err != nil {
		t.Fatal(err)
	}
	labelled := liveOf(other)
	labelled.Labels = maps.Clone(labelled.Labels)
	labelled.Labels[scrape] = "acme"
	intended := other.Namespace.Object.GetLabels()
	steps := []struct {
		name   string
		live   *corev1.Namespace
		tenant string
		want   []string
	}{
		{"nothing new", liveOf(other), "umbrella", nil},
		{"a label that an opening selects", labelled, "umbrella", []string{"acme-dev"}},
		{"the same again", labelled, "umbrella", nil},
		{"gone", nil, "", []string{"acme-dev"}},
		{"still gone", nil, "", nil},
		{"nobody's, whose labels are trusted", labelled, "", nil},
		{"the other tenant's, who didn't mean it", labelled, "umbrella", []string{"acme-dev"}},
	}
	for _, step := range steps {
		meant := intended
		if step.tenant == "" {
			meant = nil
		}
		if got := j.Namespace(other.Name, step.live, step.tenant, meant); !slices.Equal(got, step.want) {
			t.Errorf("%s: judge again %v, want %v", step.name, got, step.want)
		}
		if _, err := j.Judge(t.Context(), plan, liveOf(plan)); err != nil {
			t.Fatal(err)
		}
	}
	if _, set := intended[corev1.LabelMetadataName]; set {
		t.Error("the intended labels were changed")
	}
	if got := j.Namespace(plan.Name, liveOf(plan), "", nil); slices.Contains(got, plan.Name) {
		t.Errorf("judge again %v: not the namespace itself, which is judged anyhow", got)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	w := builtBy(t, acme(), umbrella())
	j := judgeOf(w)
	if err := j.Prime(t.Context()); err != nil {
		t.Fatal(err)
	}
	ops := told{v1alpha1.FindingAccessExposure, v1alpha1.SeverityCritical, "ClusterRoleBinding ops"}
	all := told{v1alpha1.FindingAccessExposure, v1alpha1.SeverityCritical, "ClusterRoleBinding all"}
	everybody := rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:authenticated"}
	steps := []struct {
		name       string
		change     func()
		news       bool
		acme, them []told
	}{
		{"nothing", func() {}, false, []told{}, []told{}},
		{"a binding of the platform", func() { w.everywhere = append(w.everywhere, bindEverywhere("sre", "admin", builders.User("sre"))) }, false, []told{}, []told{}},
		{"a member of another tenant", func() { w.everywhere = append(w.everywhere, bindEverywhere("ops", "admin", builders.User("eve"))) }, true, []told{ops}, []told{}},
		{"the same", func() {}, false, []told{ops}, []told{}},
		{"everybody, too", func() { w.everywhere = append(w.everywhere, bindEverywhere("all", "view", everybody)) }, true, []told{all, ops}, []told{all}},
		{"nobody any more", func() { w.everywhere = w.everywhere[:2] }, true, []told{ops}, []told{}},
		{"the other tenant is gone", func() { w.tenants = w.tenants[:1] }, true, []told{}, []told{}},
		{"its member becomes one of ours, with as much in the spec", func() { w.tenants[0].Spec.Members[0].Subjects[0].Name = "eve" }, true, []told{}, nil},
		{"another tenant comes", func() {
			w.tenants = append(w.tenants, *builders.MakeTenant("umbrella").Namespaces("x").Member("sre", v1alpha1.RoleView, builders.User("sre")).Obj())
		}, true, []told{{v1alpha1.FindingAccessExposure, v1alpha1.SeverityCritical, "ClusterRoleBinding sre"}}, nil},
	}
	for _, step := range steps {
		w.with(step.change)
		news, err := j.Cluster(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if news != step.news {
			t.Errorf("%s: news %v, want %v", step.name, news, step.news)
		}
		if diff := cmp.Diff(step.acme, brief(t, j.Shared("acme"))); diff != "" {
			t.Errorf("%s: tenant acme (-want +got):\n%s", step.name, diff)
		}
		if got := brief(t, j.Shared("umbrella")); step.them != nil && !slices.Equal(got, step.them) {
			t.Errorf("%s: the other tenant: %v, want %v", step.name, got, step.them)
		}
	}
	w.broken["*v1.ClusterRoleBindingList"] = true
	before := j.Shared("acme")
	if _, err := j.Cluster(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("%v, want %v", err, errBroken)
	}
	if diff := cmp.Diff(before, j.Shared("acme")); diff != "" {
		t.Errorf("what stood before an error (-before +after):\n%s", diff)
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	j := judgeOf(builtBy(t))
	steps := []struct {
		name string
		tell func() bool
		news bool
	}{
		{"a tenant", func() bool { return j.Tenant(acme()) }, true},
		{"again", func() bool { return j.Tenant(acme()) }, false},
		{"forgotten", func() bool { return j.ForgetTenant("acme") }, true},
		{"forgotten again", func() bool { return j.ForgetTenant("acme") }, false},
	}
	for _, step := range steps {
		if got := step.tell(); got != step.news {
			t.Errorf("%s: news %v, want %v", step.name, got, step.news)
		}
	}
}

func TestAPIs(t *testing.T) {
	t.Parallel()
	w := builtBy(t)
	j := judgeOf(w)
	const cilium, calico = "ciliumnetworkpolicies.cilium.io", "globalnetworkpolicies.crd.projectcalico.org"
	steps := []struct {
		name   string
		change func()
		news   bool
		want   []string
	}{
		{"none", func() {}, false, nil},
		{"one that isn't weighed", func() { w.definitions[calico] = true }, true, []string{calico}},
		{"one that changes nothing", func() { w.definitions["certificates.cert-manager.io"] = true }, false, []string{calico}},
		{"two, sorted", func() { w.definitions[cilium] = true }, true, []string{cilium, calico}},
		{"gone", func() { clear(w.definitions) }, true, nil},
	}
	for _, step := range steps {
		w.with(step.change)
		news, _, err := j.APIs(t.Context())
		if err != nil || news != step.news || !slices.Equal(j.NotConsidered(), step.want) {
			t.Errorf("%s: %v, news %v, %v; want %v, news %v", step.name, j.NotConsidered(), news, err, step.want, step.news)
		}
	}
	w.definitions[cilium] = true
	if _, _, err := j.APIs(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.broken["*v1.PartialObjectMetadata"] = true
	if news, _, err := j.APIs(t.Context()); !errors.Is(err, errBroken) || news || len(j.NotConsidered()) != 1 {
		t.Errorf("%v, %v, %v; want an error, and what was known", news, err, j.NotConsidered())
	}
	j.NotConsidered()[0] = "x"
	if got := j.NotConsidered()[0]; got != cilium {
		t.Errorf("a caller changed it to %s", got)
	}
	if !slices.IsSorted(j.Considered()) || len(j.Considered()) != 5 {
		t.Errorf("%v, want five, sorted", j.Considered())
	}
}
