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
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

func TestFields(t *testing.T) {
	t.Parallel()
	const modified, removed, injected = v1alpha1.FieldChangeModified, v1alpha1.FieldChangeRemoved, v1alpha1.FieldChangeInjected
	long := strings.Repeat("x", 300)
	tests := map[string]struct {
		intent string
		// live is edited from the intent: old, new, old, new, …
		live []string
		want []v1alpha1.FieldDrift
	}{
		"no difference": {intent: intentQuota},
		"an injected rule": {
			intent: intentDeny, live: []string{"policyTypes:", "ingress: [{}]\n  policyTypes:"},
			want: []v1alpha1.FieldDrift{{Path: "spec.ingress", Change: injected, Actual: `[{}]`}},
		},
		"another list of types": {
			intent: intentDeny, live: []string{"policyTypes: [Ingress, Egress]", "policyTypes: [Egress]"},
			want: []v1alpha1.FieldDrift{{Path: "spec.policyTypes", Change: modified, Expected: `["Egress","Ingress"]`, Actual: `["Egress"]`}},
		},
		"a removed rule": {
			intent: intentAllow, live: []string{intentAllow[strings.Index(intentAllow, "  ingress:"):], ""},
			want: []v1alpha1.FieldDrift{{Path: "spec.ingress", Change: removed,
				Expected: `[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","10.2.0.0/16"]}},{"namespaceSelector":{"matchLabels":{"tenancy.bulkhead.dev/tenant":"shared"}},"podSelector":{"matchExpressions":[{"key":"c","operator":"NotIn","values":["u","v"]}]}}],"port…`}},
		},
		"subjects": {
			intent: edit(t, intentBinding, "- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: owners}\n", "", "- {kind: ServiceAccount, name: ci, namespace: acme-prod}\n", ""),
			live:   []string{"name: ann", "name: <eve> & co"},
			want: []v1alpha1.FieldDrift{{Path: "subjects", Change: modified, Expected: `[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"ann"}]`,
				Actual: `[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"<eve> & co"}]`}},
		},
		"a role": {
			intent: intentBinding, live: []string{"name: admin", "name: cluster-admin"},
			want: []v1alpha1.FieldDrift{{Path: "roleRef", Change: modified, Expected: `{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"admin"}`,
				Actual: `{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}`}},
		},
		"what isn't printable": {
			intent: intentRole[:strings.Index(intentRole, "- {apiGroups: [apps")], live: []string{"resourceNames: [a, b]", `resourceNames: ["\u202e\u200b\U000e0001\x7f\n"]`},
			want: []v1alpha1.FieldDrift{{Path: "rules", Change: modified, Expected: `[{"apiGroups":[""],"resourceNames":["a","b"],"resources":["events","namespaces"],"verbs":["get","list","watch"]}]`,
				Actual: `[{"apiGroups":[""],"resourceNames":["\u202e\u200b\udb40\udc01\u007f\n"],"resources":["events","namespaces"],"verbs":["get","list","watch"]}]`}},
		},
		"an aggregation isn't on the list": {
			intent: intentRole, live: []string{"rules:", "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules:"},
			want: []v1alpha1.FieldDrift{{Path: "aggregationRule", Change: injected, Redacted: true}},
		},
		"a budget, and bookkeeping last": {
			intent: edit(t, intentQuota, "  labels:", "  annotations: {tenancy.bulkhead.dev/intent: 'v1:abc', other: secret}\n  labels:", "acme}", "acme, other: secret}"),
			live:   []string{`pods: "50"`, `secrets: "7"`, "8Gi", "16Gi", "v1:abc", "v1:def", "other: secret", "other: stolen", "tenancy.bulkhead.dev/tenant: acme, other: secret", "other: stolen"},
			want: []v1alpha1.FieldDrift{
				{Path: "spec.hard[pods]", Change: removed, Expected: `"50"`},
				{Path: "spec.hard[requests.memory]", Change: modified, Expected: `"8589934592"`, Actual: `"17179869184"`},
				{Path: "spec.hard[secrets]", Change: injected, Actual: `"7"`},
				{Path: "metadata.annotations[other]", Change: modified, Redacted: true},
				{Path: "metadata.annotations[tenancy.bulkhead.dev/intent]", Change: modified, Expected: `"v1:abc"`, Actual: `"v1:def"`},
				{Path: "metadata.labels[other]", Change: modified, Redacted: true},
				{Path: "metadata.labels[tenancy.bulkhead.dev/tenant]", Change: removed, Expected: `"acme"`},
			},
		},
		"a limit": {
			intent: intentLimits, live: []string{"limits:\n", "limits:\n  - {type: " + long + "}\n"},
			want: []v1alpha1.FieldDrift{{Path: "spec.limits", Change: modified,
				Expected: `[{"default":{"cpu":"2","memory":"1073741824"},"defaultRequest":{"cpu":"50m","memory":"1073741824"},"max":{"cpu":"2","memory":"1073741824"},"type":"Container"},{"max":{"cpu":"4"},"type":"Pod"}]`,
				Actual:   (`[{"default":{"cpu":"2","memory":"1073741824"},"defaultRequest":{"cpu":"50m","memory":"1073741824"},"max":{"cpu":"2","memory":"1073741824"},"type":"Container"},{"max":{"cpu":"4"},"type":"Pod"},{"type":"` + long)[:255] + "…"}},
		},
		"a namespace": {
			intent: edit(t, intentNamespace, "acme, ", "acme, app.kubernetes.io/managed-by: bulkhead, color: red, "),
			live: []string{"tenant: acme", "tenant: other", "managed-by: bulkhead", "managed-by: helm", "color: red", "color: blue",
				", pod-security.kubernetes.io/enforce: restricted", "", "x: w", "x: z"},
			want: []v1alpha1.FieldDrift{
				{Path: "metadata.labels[pod-security.kubernetes.io/enforce]", Change: removed, Expected: `"restricted"`},
				{Path: "metadata.labels[tenancy.bulkhead.dev/tenant]", Change: modified, Expected: `"acme"`, Actual: `"other"`},
				{Path: "metadata.annotations[guard.bulkhead.dev/x]", Change: modified, Redacted: true},
				{Path: "metadata.labels[app.kubernetes.io/managed-by]", Change: modified, Expected: `"bulkhead"`, Actual: `"helm"`},
				{Path: "metadata.labels[color]", Change: modified, Redacted: true},
			},
		},
		"owner references before labels": {
			intent: intentDeny, live: []string{"  name: b", "  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: secret, uid: a}]\n  name: b", "tenant: acme", "tenant: other"},
			want: []v1alpha1.FieldDrift{
				{Path: "metadata.ownerReferences", Change: injected, Redacted: true},
				{Path: "metadata.labels[tenancy.bulkhead.dev/tenant]", Change: modified, Expected: `"acme"`, Actual: `"other"`},
			},
		},
	}
	comparer := newComparer(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intent := object(t, tt.intent)
			d, err := comparer.Compare(intent, live(t, edit(t, tt.intent, tt.live...)))
			if err != nil {
				t.Fatal(err)
			}
			got := d.Fields(intent.GroupVersionKind().GroupKind())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, field := range got {
				if n := utf8.RuneCountInString(field.Actual); n > v1alpha1.MaxFieldValue {
					t.Errorf("%d characters", n)
				}
			}
		})
	}
}

// However much differs, a report has the gravest fields, in one order, and no more than it may.
func TestFieldsAreBounded(t *testing.T) {
	t.Parallel()
	intent, have := object(t, intentQuota), object(t, intentQuota)
	hard := map[string]any{}
	for i := range 1000 {
		hard[fmt.Sprintf("count/%d.%s", i, strings.Repeat("x", 300))] = "1"
	}
	have.Object["spec"] = map[string]any{"hard": hard}
	have.SetLabels(nil)
	comparer := newComparer(t)
	var first []v1alpha1.FieldDrift
	for range 3 {
		d, err := comparer.Compare(intent, have)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Fields(intent.GroupVersionKind().GroupKind())
		if len(got) != v1alpha1.MaxReportFields {
			t.Fatalf("got %d fields", len(got))
		}
		if first == nil {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("the order changed: -first +next:\n%s", diff)
		}
		for _, field := range got {
			if n := utf8.RuneCountInString(field.Path); n > maxPathLength || !strings.HasPrefix(field.Path, "spec.hard[count/") {
				t.Errorf("%d characters: %s", n, field.Path)
			}
		}
	}
}

// What is withheld is withheld altogether, and what nobody compared has nothing to show.
func TestFieldsOfChangesWithoutValues(t *testing.T) {
	t.Parallel()
	d := Difference{Changes: []Change{
		{Path: "spec.hard", Field: fieldpath.MakePathOrDie("spec", "hard"), Type: v1alpha1.DriftOwnershipLost},
		{Path: "a\u202e" + strings.Repeat("b", 300), Field: fieldpath.MakePathOrDie("a"), Type: v1alpha1.DriftFieldRemoved},
	}}
	want := []v1alpha1.FieldDrift{{Path: "a?" + strings.Repeat("b", 254), Change: v1alpha1.FieldChangeRemoved, Redacted: true}}
	if diff := cmp.Diff(want, d.Fields(schema.GroupKind{Kind: "ResourceQuota"})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := (Difference{}).Fields(schema.GroupKind{}); got != nil {
		t.Errorf("got %v of no difference", got)
	}
}

func TestShowsValue(t *testing.T) {
	t.Parallel()
	rbac := rbacv1.GroupName
	tests := map[string]struct {
		kind schema.GroupKind
		path []any
		want bool
	}{
		"a policy's spec":           {schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"}, []any{"spec", "ingress"}, true},
		"another spec":              {schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}, []any{"spec"}, false},
		"the group counts":          {schema.GroupKind{Group: "example.com", Kind: "ResourceQuota"}, []any{"spec"}, false},
		"data":                      {schema.GroupKind{Kind: "Secret"}, []any{"data", "a"}, false},
		"data beside a spec":        {schema.GroupKind{Kind: "ResourceQuota"}, []any{"data"}, false},
		"rules":                     {schema.GroupKind{Group: rbac, Kind: "Role"}, []any{"rules"}, true},
		"subjects of a role":        {schema.GroupKind{Group: rbac, Kind: "Role"}, []any{"subjects"}, false},
		"subjects":                  {schema.GroupKind{Group: rbac, Kind: "ClusterRoleBinding"}, []any{"subjects"}, true},
		"our label, anywhere":       {schema.GroupKind{Kind: "Secret"}, []any{"metadata", "labels", "tenancy.bulkhead.dev/x"}, true},
		"our prefix as a key":       {schema.GroupKind{Kind: "Secret"}, []any{"metadata", "labels", "tenancy.bulkhead.dev"}, false},
		"all labels":                {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "labels"}, false},
		"all metadata":              {schema.GroupKind{Kind: "Namespace"}, []any{"metadata"}, false},
		"Pod Security":              {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "labels", "pod-security.kubernetes.io/enforce"}, true},
		"Pod Security elsewhere":    {schema.GroupKind{Kind: "Secret"}, []any{"metadata", "labels", "pod-security.kubernetes.io/enforce"}, false},
		"our annotation":            {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "annotations", v1alpha1.AnnotationIntent}, true},
		"another of our prefix":     {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "annotations", "tenancy.bulkhead.dev/x"}, false},
		"a label as annotation":     {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "annotations", v1alpha1.LabelManagedBy}, false},
		"something below a label":   {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "labels", v1alpha1.LabelManagedBy, "x"}, false},
		"finalizers with such name": {schema.GroupKind{Kind: "Namespace"}, []any{"metadata", "finalizers", v1alpha1.LabelManagedBy}, false},
		"nothing":                   {schema.GroupKind{Kind: "Namespace"}, nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := showsValue(tt.kind, fieldpath.MakePathOrDie(tt.path...)); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

// A difference keeps nothing of the live object: what is changed in it later is not seen.
func TestValuesAreCopies(t *testing.T) {
	t.Parallel()
	have, ok := live(t, edit(t, intentBinding, "name: ann", "name: eve")).(*rbacv1.RoleBinding)
	if !ok {
		t.Fatal("no binding")
	}
	d, err := newComparer(t).Compare(object(t, intentBinding), have)
	if err != nil {
		t.Fatal(err)
	}
	before := d.Fields(rbacv1.SchemeGroupVersion.WithKind("RoleBinding").GroupKind())
	have.Subjects[1].Name = "mallory"
	after := d.Fields(rbacv1.SchemeGroupVersion.WithKind("RoleBinding").GroupKind())
	if diff := cmp.Diff(before, after); diff != "" || len(after) != 1 || !strings.Contains(after[0].Actual, "eve") {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func FuzzShortened(f *testing.F) {
	f.Add(strings.Repeat("ä", 256))
	f.Add(strings.Repeat("\u202e", 257))
	f.Add("\xff\x00")
	f.Fuzz(func(t *testing.T, value string) {
		d, err := newComparer(t).Compare(object(t, intentNamespace), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "acme-prod", Labels: map[string]string{v1alpha1.LabelTenant: value},
		}})
		if err != nil {
			t.Skip(err)
		}
		for _, field := range d.Fields(schema.GroupKind{Kind: "Namespace"}) {
			if n := utf8.RuneCountInString(field.Actual); n > v1alpha1.MaxFieldValue {
				t.Errorf("%d characters", n)
			}
			for _, r := range field.Actual {
				if !redact.Visible(r) {
					t.Errorf("%U in %s", r, field.Actual)
				}
			}
		}
	})
}
