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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// edit replaces pieces of an object's text: old, new, old, new, and so on.
func edit(t *testing.T, text string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("no %q in %s", oldNew[i], text)
		}
		text = strings.Replace(text, oldNew[i], oldNew[i+1], 1)
	}
	return text
}

func TestCompare(t *testing.T) {
	t.Parallel()
	const modified, removed, injected = v1alpha1.DriftFieldModified, v1alpha1.DriftFieldRemoved, v1alpha1.DriftFieldInjected
	type changes map[string]v1alpha1.DriftType
	tests := map[string]struct {
		intent string
		// live is edited from the intent: old, new, old, new, …
		live     []string
		want     changes
		pointers []string
		severity v1alpha1.Severity
	}{
		// Network policies.
		"an open rule on an empty default-deny": {
			intent: intentDeny, live: []string{"policyTypes:", "ingress: [{}]\n  policyTypes:"},
			want: changes{"spec.ingress": injected}, pointers: []string{"/spec/ingress"}, severity: v1alpha1.SeverityCritical,
		},
		"empty lists are unset lists": {
			intent: intentDeny, live: []string{"policyTypes:", "ingress: []\n  egress: null\n  policyTypes:", "podSelector: {}", "podSelector: {matchLabels: {}, matchExpressions: []}"},
		},
		"egress beside our ingress": {
			intent: intentAllow, live: []string{"policyTypes: [Ingress]", "egress: [{}]\n  policyTypes: [Ingress, Egress]"},
			want: changes{"spec.egress": injected, "spec.policyTypes": modified}, pointers: []string{"/spec/egress"}, severity: v1alpha1.SeverityCritical,
		},
		"an empty rule among our rules": {
			intent: intentAllow, live: []string{"  - from: [{podSelector: {}}]", "  - from: [{podSelector: {}}]\n  - {}"},
			want: changes{"spec.ingress": modified}, severity: v1alpha1.SeverityCritical,
		},
		"an empty peer list opens to all": {
			intent: intentAllow, live: []string{"from: [{podSelector: {}}]", "from: []"},
			want: changes{"spec.ingress": modified}, severity: v1alpha1.SeverityCritical,
		},
		"a rule without peers is a rule with an empty list of them": {
			intent: edit(t, intentAllow, "from: [{podSelector: {}}]", "ports: [{protocol: TCP, port: 1}]"),
			live:   []string{"ports: [{protocol: TCP, port: 1}]", "{from: [], ports: [{protocol: TCP, port: 1}]}"},
		},
		"an empty namespace selector selects all": {
			intent: intentAllow, live: []string{"[{podSelector: {}}]", "[{podSelector: {}, namespaceSelector: {}}]"},
			want: changes{"spec.ingress": modified}, severity: v1alpha1.SeverityCritical,
		},
		"a selector that lost its labels": {
			intent: intentAllow, live: []string{"namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: shared}}", "namespaceSelector: {}"},
			want: changes{"spec.ingress": modified}, severity: v1alpha1.SeverityCritical,
		},
		"a pod selector that is narrower": {
			intent: intentDeny, live: []string{"podSelector: {}", "podSelector: {matchLabels: {a: b}}"},
			want: changes{"spec.podSelector": modified}, severity: v1alpha1.SeverityCritical,
		},
		"no ingress any more": {
			intent: intentAllow, live: []string{intentAllow[strings.Index(intentAllow, "  ingress:"):], ""},
			want: changes{"spec.ingress": removed}, severity: v1alpha1.SeverityCritical,
		},
		"a port as text": {intent: intentAllow, live: []string{"port: 443", `port: "443"`}},
		"another port": {
			intent: intentAllow, live: []string{"port: 443", "port: 444"},
			want: changes{"spec.ingress": modified}, severity: v1alpha1.SeverityCritical,
		},
		"an exception dropped": {
			intent: intentAllow, live: []string{"except: [10.1.0.0/16, 10.2.0.0/16]", "except: [10.1.0.0/16]"},
			want: changes{"spec.ingress": modified}, severity: v1alpha1.SeverityCritical,
		},

		// Metadata.
		"a changed managed label": {
			intent: intentDeny, live: []string{"tenant: acme", "tenant: other"},
			want: changes{"metadata.labels[tenancy.bulkhead.dev/tenant]": modified}, severity: v1alpha1.SeverityMedium,
		},
		"a stripped label": {
			intent: intentDeny, live: []string{"tenancy.bulkhead.dev/tenant: acme, ", ""},
			want: changes{"metadata.labels[tenancy.bulkhead.dev/tenant]": removed}, severity: v1alpha1.SeverityMedium,
		},
		"all labels stripped": {
			intent: intentDeny, live: []string{"  labels: {tenancy.bulkhead.dev/tenant: acme, app.kubernetes.io/managed-by: bulkhead}\n", ""},
			want:     changes{"metadata.labels[tenancy.bulkhead.dev/tenant]": removed, "metadata.labels[app.kubernetes.io/managed-by]": removed},
			severity: v1alpha1.SeverityMedium,
		},
		"a changed annotation": {
			intent: intentDeny, live: []string{"v1:abc", "v1:def"},
			want: changes{"metadata.annotations[tenancy.bulkhead.dev/intent]": modified}, severity: v1alpha1.SeverityMedium,
		},
		"foreign labels and annotations": {
			intent: intentDeny, live: []string{"labels: {", "labels: {foreign: x, ", "annotations: {", "annotations: {foreign: w, "},
		},
		"an owner reference": {
			intent: intentDeny, live: []string{"  name: b", "  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x, uid: a}, {apiVersion: v1, kind: ConfigMap, name: x, uid: b}]\n  name: b"},
			want: changes{"metadata.ownerReferences": injected}, pointers: []string{"/metadata/ownerReferences"}, severity: v1alpha1.SeverityHigh,
		},
		"owner references beside ours": {
			intent:   edit(t, intentDeny, "  name: b", "  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x, uid: b}]\n  name: b"),
			live:     []string{"[{apiVersion: v1, kind: ConfigMap, name: x, uid: b}]", "[{apiVersion: v1, kind: ConfigMap, name: x, uid: c}, {apiVersion: v1, kind: ConfigMap, name: x, uid: b}, {apiVersion: v1, kind: ConfigMap, name: x, uid: a}]"},
			want:     changes{`metadata.ownerReferences[uid="a"]`: injected, `metadata.ownerReferences[uid="c"]`: injected},
			pointers: []string{"/metadata/ownerReferences/2", "/metadata/ownerReferences/0"}, severity: v1alpha1.SeverityHigh,
		},

		// Namespaces: our keys, and nothing else.
		"a namespace with much of others": {
			intent: intentNamespace, live: []string{"labels: {", "labels: {kubernetes.io/metadata.name: acme-prod, x: w, ", "  name:", "  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x, uid: a}]\n  name:", "metadata:", "spec: {finalizers: [kubernetes]}\nstatus: {phase: Active}\nmetadata:"},
		},
		"a stripped Pod Security label": {
			intent: intentNamespace, live: []string{", pod-security.kubernetes.io/enforce: restricted", ""},
			want: changes{"metadata.labels[pod-security.kubernetes.io/enforce]": removed}, severity: v1alpha1.SeverityCritical,
		},
		"a namespace of another tenant": {
			intent: intentNamespace, live: []string{"tenant: acme", "tenant: other"},
			want: changes{"metadata.labels[tenancy.bulkhead.dev/tenant]": modified}, severity: v1alpha1.SeverityCritical,
		},
		"a changed annotation of a namespace": {
			intent: intentNamespace, live: []string{"x: w", "x: z"},
			want: changes{"metadata.annotations[guard.bulkhead.dev/x]": modified}, severity: v1alpha1.SeverityHigh,
		},

		"keys that Bulkhead or Pod Security obey": {
			intent: intentNamespace, live: []string{
				"labels: {", "labels: {pod-security.kubernetes.io/enforce-version: v1.20, resource.kubernetes.io/admin-access: 'true', y: z, ",
				"annotations: {", "annotations: {tenancy.bulkhead.dev/y: z, other: o, ",
			},
			want: changes{
				"metadata.labels[pod-security.kubernetes.io/enforce-version]": injected,
				"metadata.labels[resource.kubernetes.io/admin-access]":        injected,
				"metadata.annotations[tenancy.bulkhead.dev/y]":                injected,
			},
			pointers: []string{
				"/metadata/annotations/tenancy.bulkhead.dev~1y",
				"/metadata/labels/pod-security.kubernetes.io~1enforce-version", "/metadata/labels/resource.kubernetes.io~1admin-access",
			}, severity: v1alpha1.SeverityCritical,
		},
		"a guarded annotation beside none of ours": {
			intent: strings.Replace(intentNamespace, "  annotations: {guard.bulkhead.dev/x: w}\n", "", 1),
			live:   []string{"  name:", "  annotations: {guard.bulkhead.dev/z: w, other: o}\n  name:"},
			want:   changes{"metadata.annotations[guard.bulkhead.dev/z]": injected},
			// Never the map as a whole: others have keys in it.
			pointers: []string{"/metadata/annotations/guard.bulkhead.dev~1z"}, severity: v1alpha1.SeverityHigh,
		},

		// RBAC.
		"an appended subject": {
			intent: intentBinding, live: []string{"subjects:\n", "subjects:\n- {apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}\n"},
			want: changes{"subjects": modified}, severity: v1alpha1.SeverityCritical,
		},
		"a subject twice": {
			intent: intentBinding, live: []string{"subjects:\n", "subjects:\n- {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}\n"},
			want: changes{"subjects": modified}, severity: v1alpha1.SeverityCritical,
		},
		"subjects where the intent has none": {
			intent: intentBinding[:strings.Index(intentBinding, "subjects:")], live: []string{"roleRef:", "subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: eve}]\nroleRef:"},
			want: changes{"subjects": injected}, pointers: []string{"/subjects"}, severity: v1alpha1.SeverityCritical,
		},
		"no subjects any more": {
			intent: intentBinding, live: []string{intentBinding[strings.Index(intentBinding, "subjects:"):], ""},
			want: changes{"subjects": removed}, severity: v1alpha1.SeverityCritical,
		},
		"another role": {
			intent: intentBinding, live: []string{"name: admin", "name: cluster-admin"},
			want: changes{"roleRef": modified}, severity: v1alpha1.SeverityCritical,
		},
		"reordered rules": {intent: intentRole, live: []string{"[get, list, watch]", "[watch, get, list]", "[namespaces, events]", "[events, namespaces]", "[a, b]", "[b, a]", `[apps, ""]`, `["", apps]`}},
		"one more verb": {
			intent: intentRole, live: []string{"[get, list, watch]", `[get, list, watch, "*"]`},
			want: changes{"rules": modified}, severity: v1alpha1.SeverityCritical,
		},
		"no resource names opens all": {
			intent: intentRole, live: []string{"resourceNames: [a, b]", "resourceNames: []"},
			want: changes{"rules": modified}, severity: v1alpha1.SeverityCritical,
		},
		"an injected aggregation": {
			intent: intentRole, live: []string{"rules:", "aggregationRule: {clusterRoleSelectors: [{}]}\nrules:"},
			want: changes{"aggregationRule": injected}, pointers: []string{"/aggregationRule"}, severity: v1alpha1.SeverityCritical,
		},
		"an empty aggregation": {
			intent: intentRole, live: []string{"rules:", "aggregationRule: {}\nrules:"},
			want: changes{"aggregationRule": injected}, pointers: []string{"/aggregationRule"}, severity: v1alpha1.SeverityCritical,
		},

		// Quantities.
		"quantities in other spellings": {
			intent: intentQuota, live: []string{`"4"`, "4000m", "8Gi", `"8589934592"`, `pods: "50"`, "pods: 50"},
		},
		"the intent in another spelling": {
			intent: edit(t, intentQuota, "8Gi", "8192Mi", `"4"`, "4.0", `"50"`, "5e1"), live: []string{"8192Mi", "8Gi", "4.0", `"4"`, "5e1", `"50"`},
		},
		"a raised quota": {
			intent: intentQuota, live: []string{`"50"`, `"51"`},
			want: changes{"spec.hard[pods]": modified}, severity: v1alpha1.SeverityHigh,
		},
		"one resource less, one more": {
			intent: intentQuota, live: []string{`pods: "50"`, `count/jobs.batch: "1", a~b: "1"`},
			want:     changes{"spec.hard[pods]": removed, "spec.hard[count/jobs.batch]": injected, "spec.hard[a~b]": injected},
			pointers: []string{"/spec/hard/a~0b", "/spec/hard/count~1jobs.batch"}, severity: v1alpha1.SeverityHigh,
		},
		"injected scopes": {
			intent: intentQuota, live: []string{"spec:", "spec:\n  scopes: [BestEffort]\n  scopeSelector: {matchExpressions: [{scopeName: Terminating, operator: Exists}]}"},
			want:     changes{"spec.scopes": injected, "spec.scopeSelector": injected},
			pointers: []string{"/spec/scopeSelector", "/spec/scopes"}, severity: v1alpha1.SeverityHigh,
		},
		"the status of a quota": {
			intent: intentQuota, live: []string{"spec:", "status: {hard: {pods: \"50\"}, used: {pods: \"3\"}}\nspec:"},
		},
		"reordered limits in other spellings": {
			intent: intentLimits, live: []string{"  - {type: Pod, max: {cpu: \"4\"}}\n", "", "limits:\n", "limits:\n  - {type: Pod, max: {cpu: \"4000m\"}}\n", "memory: 1Gi", "memory: 1024Mi", "cpu: 50m", "cpu: 0.05"},
		},
		"a raised limit": {
			intent: intentLimits, live: []string{"memory: 1Gi", "memory: 2Gi"},
			want: changes{"spec.limits": modified}, severity: v1alpha1.SeverityHigh,
		},
	}
	comparer := newComparer(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intent, have := object(t, tt.intent), live(t, edit(t, tt.intent, tt.live...))
			intentBefore, haveBefore := intent.DeepCopy(), have.DeepCopyObject()
			got, err := comparer.Compare(intent, have)
			if err != nil {
				t.Fatal(err)
			}
			gotChanges := changes{}
			for _, change := range got.Changes {
				gotChanges[change.Path] = change.Type
			}
			if diff := cmp.Diff(tt.want, gotChanges, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.pointers, got.InjectedPointers()); diff != "" {
				t.Errorf("pointers: -want +got:\n%s", diff)
			}
			want := tt.severity
			if got.Empty() {
				want = v1alpha1.SeverityInfo
			}
			if severity := Severity(intent.GroupVersionKind(), got); severity != want {
				t.Errorf("got severity %s, want %s", severity, want)
			}
			if diff := cmp.Diff(intentBefore, intent); diff != "" {
				t.Errorf("the intent changed: -before +after:\n%s", diff)
			}
			if diff := cmp.Diff(haveBefore, have); diff != "" {
				t.Errorf("the live object changed: -before +after:\n%s", diff)
			}
			// An unstructured live object is judged alike.
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(have)
			if err != nil {
				t.Fatal(err)
			}
			again, err := comparer.Compare(intent, &unstructured.Unstructured{Object: content})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got.Paths(), again.Paths()); diff != "" {
				t.Errorf("unstructured: -typed +unstructured:\n%s", diff)
			}
		})
	}
}

func TestCompareErrors(t *testing.T) {
	t.Parallel()
	comparer := newComparer(t)
	tests := map[string]struct {
		intent *unstructured.Unstructured
		live   runtime.Object
	}{
		"another kind":                       {object(t, intentQuota), live(t, intentLimits)},
		"another name":                       {object(t, intentDeny), live(t, intentAllow)},
		"another namespace":                  {object(t, intentQuota), live(t, edit(t, intentQuota, "namespace: acme-prod", "namespace: acme-test"))},
		"a field that the kind doesn't have": {object(t, edit(t, intentQuota, "hard:", "heart:")), live(t, intentQuota)},
		"no name at all":                     {object(t, intentQuota), &corev1.ResourceQuota{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := comparer.Compare(tt.intent, tt.live); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
	if _, err := NewComparer(nil); err == nil {
		t.Error("no error without a scheme")
	}
}

func TestDifferenceTypes(t *testing.T) {
	t.Parallel()
	d := Difference{Changes: []Change{
		{Type: v1alpha1.DriftFieldRemoved}, {Type: v1alpha1.DriftFieldInjected}, {Type: v1alpha1.DriftFieldRemoved},
	}}
	want := []v1alpha1.DriftType{v1alpha1.DriftFieldInjected, v1alpha1.DriftFieldRemoved}
	if diff := cmp.Diff(want, d.Types()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if d.Empty() || !(Difference{}).Empty() {
		t.Error("Empty is wrong")
	}
}

func TestMissingSeverity(t *testing.T) {
	t.Parallel()
	tests := map[schema.GroupVersionKind]v1alpha1.Severity{
		{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}:              v1alpha1.SeverityCritical,
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"}:        v1alpha1.SeverityMedium,
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"}: v1alpha1.SeverityMedium,
		{Version: "v1", Kind: "ResourceQuota"}:                                          v1alpha1.SeverityHigh,
		{Version: "v1", Kind: "Namespace"}:                                              v1alpha1.SeverityHigh,
	}
	for gvk, want := range tests {
		if got := MissingSeverity(gvk); got != want {
			t.Errorf("%s: got %s, want %s", gvk.Kind, got, want)
		}
	}
}
