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

package drift

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

var (
	noon      = time.Unix(1700000000, 0)
	policyGVK = schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}
	quotaGVK  = schema.GroupVersionKind{Version: "v1", Kind: "ResourceQuota"}
	nsGVK     = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
)

// rule is an ignore rule that holds for an hour.
func rule(kind, path string, edits ...func(*v1alpha1.DriftIgnoreRule)) v1alpha1.DriftIgnoreRule {
	r := v1alpha1.DriftIgnoreRule{Kind: kind, Path: path, Reason: "why not", NotAfter: metav1.NewTime(noon.Add(time.Hour))}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

func insecure(r *v1alpha1.DriftIgnoreRule) { r.SecurityPaths = v1alpha1.SecurityPathsIgnore }

func within(namespace, name string) func(*v1alpha1.DriftIgnoreRule) {
	return func(r *v1alpha1.DriftIgnoreRule) { r.Namespace, r.Name = namespace, name }
}

func ending(after time.Duration) func(*v1alpha1.DriftIgnoreRule) {
	return func(r *v1alpha1.DriftIgnoreRule) { r.NotAfter = metav1.NewTime(noon.Add(after)) }
}

// changeAt is a change as Compare finds it: path is written for the fields of a struct with dots, for keys in brackets.
func changeAt(path string, field ...any) Change {
	return Change{Path: path, Field: fieldpath.MakePathOrDie(field...), Type: v1alpha1.DriftFieldModified}
}

func TestSecurityPath(t *testing.T) {
	t.Parallel()
	role := schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "Role"}
	policy, quota, ns := policyGVK.GroupKind(), quotaGVK.GroupKind(), nsGVK.GroupKind()
	tests := map[string]struct {
		kind schema.GroupKind
		path []any
		want bool
	}{
		"a policy's rules":            {policy, []any{"spec", "ingress"}, true},
		"a policy's spec":             {policy, []any{"spec"}, true},
		"what a policy may have once": {policy, []any{"other"}, true},
		"a policy of another group":   {schema.GroupKind{Group: "example.com", Kind: "NetworkPolicy"}, []any{"spec"}, false},
		"a role's rules":              {role, []any{"rules"}, true},
		"a role's aggregation":        {schema.GroupKind{Group: role.Group, Kind: "ClusterRole"}, []any{"aggregationRule"}, true},
		"subjects":                    {schema.GroupKind{Group: role.Group, Kind: "RoleBinding"}, []any{"subjects"}, true},
		"a role reference":            {schema.GroupKind{Group: role.Group, Kind: "ClusterRoleBinding"}, []any{"roleRef", "name"}, true},
		"a budget":                    {quota, []any{"spec", "hard", "pods"}, false},
		"limits":                      {schema.GroupKind{Kind: "LimitRange"}, []any{"spec", "limits"}, false},
		"owner references":            {quota, []any{"metadata", "ownerReferences"}, true},
		"one owner reference":         {quota, []any{"metadata", "ownerReferences", fieldpath.KeyByFields("uid", "x"), "name"}, true},
		"our labels":                  {quota, []any{"metadata", "labels", v1alpha1.LabelFeature}, true},
		"managed by":                  {ns, []any{"metadata", "labels", v1alpha1.LabelManagedBy}, true},
		"the intent":                  {quota, []any{"metadata", "annotations", v1alpha1.AnnotationIntent}, true},
		"another label":               {policy, []any{"metadata", "labels", "team"}, false},
		"a key of ours elsewhere":     {quota, []any{"metadata", "annotations", "guard.bulkhead.dev/x"}, false},
		"Pod Security":                {ns, []any{"metadata", "labels", "pod-security.kubernetes.io/enforce"}, true},
		"a guard-rail":                {ns, []any{"metadata", "annotations", "guard.bulkhead.dev/x"}, true},
		"any key of ours":             {ns, []any{"metadata", "annotations", "tenancy.bulkhead.dev/x"}, true},
		"a label of a namespace":      {ns, []any{"metadata", "labels", "team"}, false},
		"all labels":                  {quota, []any{"metadata", "labels"}, true},
		"all metadata":                {quota, []any{"metadata"}, true},
		"finalizers":                  {quota, []any{"metadata", "finalizers"}, false},
		"all there is":                {quota, nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := SecurityPath(tt.kind, fieldpath.MakePathOrDie(tt.path...)); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	pods := changeAt("spec.hard[pods]", "spec", "hard", "pods")
	jobs := changeAt("spec.hard[count/jobs.batch]", "spec", "hard", "count/jobs.batch")
	team := changeAt("metadata.labels[team]", "metadata", "labels", "team")
	tenant := changeAt("metadata.labels[tenancy.bulkhead.dev/tenant]", "metadata", "labels", v1alpha1.LabelTenant)
	ingress := changeAt("spec.ingress", "spec", "ingress")
	quota := types.NamespacedName{Namespace: "acme-prod", Name: "bulkhead"}
	tests := map[string]struct {
		rule   v1alpha1.DriftIgnoreRule
		gvk    schema.GroupVersionKind
		key    types.NamespacedName
		change Change
		want   bool
	}{
		"the very path":                    {rule("ResourceQuota", "spec.hard[pods]"), quotaGVK, quota, pods, true},
		"a path above it":                  {rule("ResourceQuota", "spec.hard"), quotaGVK, quota, pods, true},
		"further above it":                 {rule("ResourceQuota", "spec"), quotaGVK, quota, pods, true},
		"a path below it":                  {rule("ResourceQuota", "spec.hard[pods]"), quotaGVK, quota, changeAt("spec.hard", "spec", "hard"), false},
		"all of the spec, where one key":   {rule("ResourceQuota", "spec.hard"), quotaGVK, quota, changeAt("spec", "spec"), false},
		"another key":                      {rule("ResourceQuota", "spec.hard[pod]"), quotaGVK, quota, pods, false},
		"half a field":                     {rule("ResourceQuota", "spec.har"), quotaGVK, quota, pods, false},
		"half a bracket":                   {rule("ResourceQuota", "spec.hard[pods"), quotaGVK, quota, pods, false},
		"half a key, up to a dot in it":    {rule("ResourceQuota", "spec.hard[count/jobs"), quotaGVK, quota, jobs, false},
		"a key with a dot":                 {rule("ResourceQuota", "spec.hard[count/jobs.batch]"), quotaGVK, quota, jobs, true},
		"a key that reads like another":    {rule("ResourceQuota", "spec.hard[pods]"), quotaGVK, quota, changeAt("spec.hard[pods].x]", "spec", "hard", "pods].x"), false},
		"a trailing dot":                   {rule("ResourceQuota", "spec."), quotaGVK, quota, pods, false},
		"another kind":                     {rule("LimitRange", "spec"), quotaGVK, quota, pods, false},
		"the namespace":                    {rule("ResourceQuota", "spec", within("acme-prod", "")), quotaGVK, quota, pods, true},
		"another namespace":                {rule("ResourceQuota", "spec", within("acme-dev", "")), quotaGVK, quota, pods, false},
		"the name":                         {rule("ResourceQuota", "spec", within("", "bulkhead")), quotaGVK, quota, pods, true},
		"another name":                     {rule("ResourceQuota", "spec", within("", "bulk")), quotaGVK, quota, pods, false},
		"a namespace of the name":          {rule("Namespace", "metadata.labels[team]", within("acme-prod", "")), nsGVK, types.NamespacedName{Name: "acme-prod"}, team, true},
		"a namespace of another name":      {rule("Namespace", "metadata.labels[team]", within("acme-dev", "")), nsGVK, types.NamespacedName{Name: "acme-prod"}, team, false},
		"cluster-scoped, in a namespace":   {rule("ClusterRole", "metadata.labels", within("acme-prod", "")), schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}, types.NamespacedName{Name: "acme-prod"}, team, false},
		"just before the end":              {rule("ResourceQuota", "spec", ending(1)), quotaGVK, quota, pods, true},
		"at the end":                       {rule("ResourceQuota", "spec", ending(0)), quotaGVK, quota, pods, false},
		"without an end":                   {rule("ResourceQuota", "spec", func(r *v1alpha1.DriftIgnoreRule) { r.NotAfter = metav1.Time{} }), quotaGVK, quota, pods, false},
		"security, refused":                {rule("NetworkPolicy", "spec.ingress"), policyGVK, quota, ingress, false},
		"security, refused in so many":     {rule("NetworkPolicy", "spec", func(r *v1alpha1.DriftIgnoreRule) { r.SecurityPaths = v1alpha1.SecurityPathsRefuse }), policyGVK, quota, ingress, false},
		"security, ignored":                {rule("NetworkPolicy", "spec.ingress", insecure), policyGVK, quota, ingress, true},
		"metadata of a policy":             {rule("NetworkPolicy", "metadata"), policyGVK, quota, team, true},
		"our label under an innocent rule": {rule("NetworkPolicy", "metadata"), policyGVK, quota, tenant, false},
		"our label":                        {rule("NetworkPolicy", "metadata.labels", insecure), policyGVK, quota, tenant, true},
		"a position in a list": {
			rule("NetworkPolicy", "spec.ingress[0]", insecure), policyGVK, quota, changeAt("spec.ingress[0]", "spec", "ingress", 0), false,
		},
		"a change of unknown elements": {rule("ResourceQuota", "spec"), quotaGVK, quota, Change{Path: "spec.hard"}, false},
		"an item of a list by its key": {
			rule("NetworkPolicy", `metadata.ownerReferences[uid="a.b"]`, insecure), policyGVK, quota,
			changeAt(`metadata.ownerReferences[uid="a.b"].name`, "metadata", "ownerReferences", fieldpath.KeyByFields("uid", "a.b"), "name"), true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ignore, _ := NewIgnore([]v1alpha1.DriftIgnoreRule{rule("Other", "spec", insecure), tt.rule}, noon)
			if got := ignore.Covers(tt.gvk, tt.key, tt.change); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
			var none *Ignore
			if none.Covers(tt.gvk, tt.key, tt.change) {
				t.Error("covered by nothing")
			}
		})
	}
}

func TestNewIgnore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rules []v1alpha1.DriftIgnoreRule
		want  time.Time
	}{
		"none":         {},
		"all are over": {rules: []v1alpha1.DriftIgnoreRule{rule("X", "spec", ending(-time.Hour)), rule("X", "spec", ending(0))}},
		"the first that ends": {
			rules: []v1alpha1.DriftIgnoreRule{rule("X", "spec", ending(3*time.Hour)), rule("X", "spec", ending(-1)), rule("X", "spec", ending(2*time.Hour))},
			want:  noon.Add(2 * time.Hour),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := slices.Clone(tt.rules)
			ignore, next := NewIgnore(rules, noon)
			if !next.Equal(tt.want) {
				t.Errorf("got %s, want %s", next, tt.want)
			}
			clear(rules)
			change := changeAt("spec", "spec")
			if got := ignore.Covers(schema.GroupVersionKind{Kind: "X"}, types.NamespacedName{}, change); got != !tt.want.IsZero() {
				t.Errorf("covers: %t", got)
			}
			// At the time that it names, there is a rule less.
			if again, later := NewIgnore(tt.rules, next); !next.IsZero() && (len(again.rules) >= len(ignore.rules) || later.Equal(next)) {
				t.Errorf("at %s there are still %d rules, until %s", next, len(again.rules), later)
			}
		})
	}
}

// Split loses nothing, doubles nothing, keeps the order, and agrees with Covers.
func TestSplit(t *testing.T) {
	t.Parallel()
	all := []Change{
		changeAt("metadata.labels[team]", "metadata", "labels", "team"),
		changeAt("metadata.labels[tenancy.bulkhead.dev/tenant]", "metadata", "labels", v1alpha1.LabelTenant),
		changeAt("spec", "spec"), changeAt("spec.hard", "spec", "hard"), changeAt("spec.hard[pods]", "spec", "hard", "pods"),
		changeAt("spec.scopes", "spec", "scopes"),
	}
	paths := []string{"metadata", "metadata.labels", "metadata.labels[team]", "spec", "spec.hard", "spec.hard[pods]", "nothing"}
	comparePaths := cmp.Comparer(func(a, b Change) bool { return a.Path == b.Path })
	key := types.NamespacedName{Namespace: "a", Name: "b"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var d Difference
		for _, change := range all {
			if random.IntN(2) == 0 {
				d.Changes = append(d.Changes, change)
			}
		}
		var rules []v1alpha1.DriftIgnoreRule
		for range random.IntN(4) {
			r := rule("ResourceQuota", paths[random.IntN(len(paths))])
			if random.IntN(2) == 0 {
				insecure(&r)
			}
			rules = append(rules, r)
		}
		ignore, _ := NewIgnore(rules, noon)
		rest, ignored := ignore.Split(quotaGVK, key, d)
		merged := Difference{Changes: slices.Concat(rest.Changes, ignored.Changes)}
		sortChanges(merged.Changes)
		if diff := cmp.Diff(d.Changes, merged.Changes, comparePaths, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("-before +after:\n%s", diff)
		}
		for want, part := range map[bool]Difference{false: rest, true: ignored} {
			if !slices.IsSortedFunc(part.Changes, func(a, b Change) int { return a.Field.Compare(b.Field) }) {
				t.Fatalf("another order: %v", part.Paths())
			}
			for _, change := range part.Changes {
				if got := ignore.Covers(quotaGVK, key, change); got != want {
					t.Fatalf("%s is covered: %t", change.Path, got)
				}
			}
		}
	}
	var none *Ignore
	if rest, ignored := none.Split(quotaGVK, key, Difference{Changes: all}); len(rest.Changes) != len(all) || !ignored.Empty() {
		t.Errorf("no rules ignore %v", ignored.Paths())
	}
}

// The paths by which rules find changes are those that Compare writes.
func TestBeginningsOfComparisons(t *testing.T) {
	t.Parallel()
	comparer := newComparer(t)
	tests := map[string]struct {
		intent string
		live   []string
		want   []string
	}{
		"keys": {
			intent: intentQuota, live: []string{`pods: "50"`, `count/jobs.batch: "1", "a\u202e[b].c": "1"`},
			want: []string{"spec spec.hard spec.hard[a?[b].c]", "spec spec.hard spec.hard[count/jobs.batch]", "spec spec.hard spec.hard[pods]"},
		},
		"items": {
			intent: edit(t, intentDeny, "  name: b", "  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x, uid: b}]\n  name: b"),
			live:   []string{"name: x, uid: b", `name: z, uid: b}, {apiVersion: v1, kind: ConfigMap, name: x, uid: "[a]"`},
			want: []string{
				`metadata metadata.ownerReferences metadata.ownerReferences[uid="[a]"]`,
				`metadata metadata.ownerReferences metadata.ownerReferences[uid="b"]`,
			},
		},
		"labels": {
			intent: intentDeny, live: []string{"tenant: acme", "tenant: other"},
			want: []string{"metadata metadata.labels metadata.labels[tenancy.bulkhead.dev/tenant]"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := comparer.Compare(object(t, tt.intent), live(t, edit(t, tt.intent, tt.live...)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range d.Changes {
				got = append(got, strings.Join(change.beginnings(), " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
