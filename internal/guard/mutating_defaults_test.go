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

package guard_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

func mustQuantity(text string) resource.Quantity { return resource.MustParse(text) }

func classMutations() map[string]mutation {
	claim := func(class *string, annotations ...string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Annotations: annotationPairs(annotations)}, Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: class}}
	}
	way := func(class *string, annotations ...string) *networkingv1.Ingress {
		return &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Annotations: annotationPairs(annotations)}, Spec: networkingv1.IngressSpec{IngressClassName: class}}
	}
	on := func(object, want runtime.Object, guards ...string) mutation {
		m := mutation{policy: "bulkhead-storage-claims", resource: "persistentvolumeclaims", object: object, want: want, guards: annotationPairs(guards)}
		if _, is := object.(*networkingv1.Ingress); is {
			m.policy, m.resource = "bulkhead-ingress-classes", "ingresses"
		}
		m.unmatched = want == nil && len(guards) > 0
		return m
	}
	empty := on(claim(nil), nil)
	empty.guards = map[string]string{v1alpha1.GuardStorageClasses: ""}
	return map[string]mutation{
		"storage: a claim that says nothing":           on(claim(nil), claim(new("fast")), v1alpha1.GuardStorageClasses, "fast,slow"),
		"storage: a claim that names a class":          on(claim(new("foreign")), nil, v1alpha1.GuardStorageClasses, "fast,slow"),
		"storage: a claim that wants none":             on(claim(new("")), nil, v1alpha1.GuardStorageClasses, "fast,slow"),
		"storage: a claim that says it in the old way": on(claim(nil, "volume.beta.kubernetes.io/storage-class", "x"), nil, v1alpha1.GuardStorageClasses, "fast"),
		"storage: no classes":                          on(claim(nil), nil),
		"storage: an empty list":                       empty,
		"ingress: one that says nothing":               on(way(nil), way(new("nginx")), v1alpha1.GuardIngressClasses, "nginx,other"),
		"ingress: one that names a class":              on(way(new("foreign")), nil, v1alpha1.GuardIngressClasses, "nginx"),
		"ingress: one that says it in the old way":     on(way(nil, "kubernetes.io/ingress.class", "x"), nil, v1alpha1.GuardIngressClasses, "nginx"),
		"ingress: no classes":                          on(way(nil), nil),
	}
}

func imageMutations() map[string]mutation {
	const always, cached = corev1.PullAlways, corev1.PullIfNotPresent
	one := func(name string, policy corev1.PullPolicy) corev1.Container {
		return corev1.Container{Name: name, ImagePullPolicy: policy}
	}
	debug := func(name string, policy corev1.PullPolicy) corev1.EphemeralContainer {
		return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, ImagePullPolicy: policy}}
	}
	volume := func(name string, policy corev1.PullPolicy) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "r", PullPolicy: policy}}}
	}
	pod := func(policy corev1.PullPolicy, debuggers ...corev1.EphemeralContainer) *corev1.Pod {
		it := mutablePod(nil)
		it.Spec.Containers = []corev1.Container{one("a", always), one("b", policy)}
		it.Spec.InitContainers = []corev1.Container{one("i", policy)}
		it.Spec.Volumes = []corev1.Volume{{Name: "e", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}, volume("v", policy)}
		it.Spec.EphemeralContainers = debuggers
		return it
	}
	mirror := pod(cached)
	mirror.Annotations = map[string]string{"kubernetes.io/config.mirror": "1"}
	large, largeAlways := mutablePod(nil), mutablePod(nil)
	for i := range big {
		name := fmt.Sprint("c-", i)
		large.Spec.Containers, largeAlways.Spec.Containers = append(large.Spec.Containers, one(name, cached)), append(largeAlways.Spec.Containers, one(name, always))
		large.Spec.Volumes, largeAlways.Spec.Volumes = append(large.Spec.Volumes, volume(name, cached)), append(largeAlways.Spec.Volumes, volume(name, always))
	}
	on := func(object, want *corev1.Pod) mutation {
		m := mutation{policy: "bulkhead-images-pull", resource: "pods", object: object, guards: map[string]string{v1alpha1.GuardPullPolicy: "Always"}}
		if want != nil {
			m.want = want
		}
		return m
	}
	added := on(pod(cached, debug("old", cached), debug("new", cached)), pod(cached, debug("old", cached), debug("new", always)))
	added.sub, added.old = "ephemeralcontainers", pod(cached, debug("old", cached))
	mirrored := on(mirror, nil)
	mirrored.unmatched = true
	free := on(pod(cached), nil)
	free.guards = map[string]string{v1alpha1.GuardRegistries: "r/"}
	return map[string]mutation{
		"images: a pod":                      on(pod(cached), pod(always)),
		"images: a pod that pulls":           on(pod(always), nil),
		"images: a pod that never pulls":     on(pod(corev1.PullNever), pod(always)),
		"images: a volume that says nothing": on(pod(""), pod(always)),
		"images: an ephemeral container":     added,
		"images: a mirror pod":               mirrored,
		"images: no policy":                  free,
		"images: a large pod":                on(large, largeAlways),
	}
}

func tokenMutations() map[string]mutation {
	account := func(mount *bool) *corev1.ServiceAccount {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}, AutomountServiceAccountToken: mount}
	}
	on := func(object, want *corev1.ServiceAccount) mutation {
		m := mutation{policy: "bulkhead-access-tokens", resource: "serviceaccounts", object: object, unmatched: want == nil}
		if want != nil {
			m.want = want
		}
		return m
	}
	return map[string]mutation{
		"tokens: an account that says nothing": on(account(nil), account(new(false))),
		"tokens: one that wants them":          on(account(new(true)), nil),
		"tokens: one that doesn't":             on(account(new(false)), nil),
	}
}

// TestMutatorsAreDefaults checks what keeps a default from being in the way.
func TestMutatorsAreDefaults(t *testing.T) {
	t.Parallel()
	all := mutators(t)
	for name, m := range all {
		spec := m.Policy.Spec
		if spec.ParamKind != nil || m.Binding.Spec.ParamRef != nil {
			t.Errorf("%s: depends on parameters", name)
		}
		if len(spec.Mutations) != 1 || spec.Mutations[0].PatchType != admissionregistrationv1.PatchTypeJSONPatch || spec.Mutations[0].JSONPatch == nil {
			t.Errorf("%s: has not one JSONPatch", name)
		}
		// Only the stamp is proof of anything.
		want := admissionregistrationv1.Ignore
		var selector *metav1.LabelSelector
		if name == identityPolicy {
			want, selector = admissionregistrationv1.Fail, spec.MatchConstraints.ObjectSelector
		} else if match := m.Binding.Spec.MatchResources; match != nil && len(match.ResourceRules) == 0 && spec.MatchConstraints.NamespaceSelector == nil {
			// In the binding, so that the API server reads it only for what the default is about.
			selector = match.NamespaceSelector
		}
		if spec.FailurePolicy == nil || *spec.FailurePolicy != want {
			t.Errorf("%s: failurePolicy isn't %s", name, want)
		}
		// Others only narrow it.
		if selector == nil || len(selector.MatchLabels) > 0 || len(selector.MatchExpressions) < 1 || selector.MatchExpressions[0].Key != v1alpha1.LabelTenant ||
			selector.MatchExpressions[0].Operator != metav1.LabelSelectorOpExists {
			t.Errorf("%s: isn't for tenants alone: %v", name, selector)
		}
		for _, condition := range spec.MatchConditions {
			if strings.Contains(condition.Expression, "namespaceObject") {
				t.Errorf("%s: %s uses namespaceObject, which is null there", name, condition.Name)
			}
		}
		for _, rule := range spec.MatchConstraints.ResourceRules {
			for _, resource := range rule.Resources {
				if resource == "resourcequotas/status" || strings.HasPrefix(resource, "*/") {
					t.Errorf("%s: matches %s, which the API server writes for each pod", name, resource)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{stampedBy, stampedFrom}, []string{"tenancy.bulkhead.dev/last-changed-by", "tenancy.bulkhead.dev/last-changed-from"}); diff != "" ||
		!strings.Contains(all[identityPolicy].Policy.Spec.Mutations[0].JSONPatch.Expression, stampedBy) {
		t.Errorf("the stamp has other keys: %s", diff)
	}
}

// TestStampAndNamespaceMetadata checks that the rule lets pass what the API server itself writes on each change, and nothing
// that a client might write instead where no policy overwrites it.
func TestStampAndNamespaceMetadata(t *testing.T) {
	t.Parallel()
	var rule admissionregistrationv1.ValidatingAdmissionPolicySpec
	for _, rail := range shipped(t) {
		if rail.Name() == "bulkhead-namespace-metadata" {
			rule = rail.Policy.Spec
		}
	}
	tests := map[string]struct {
		before, after map[string]string
		refused       bool
	}{
		"his own name":                    {after: map[string]string{stampedBy: "mallory", stampedFrom: "7"}},
		"his own name in another's place": {before: map[string]string{stampedBy: "alice", stampedFrom: "3"}, after: map[string]string{stampedBy: "mallory", stampedFrom: "7"}},
		"another's name":                  {after: map[string]string{stampedBy: "alice", stampedFrom: "7"}, refused: true},
		"another version":                 {after: map[string]string{stampedBy: "mallory", stampedFrom: "6"}, refused: true},
		"no version":                      {after: map[string]string{stampedBy: "mallory", stampedFrom: ""}, refused: true},
		"taken off":                       {before: map[string]string{stampedBy: "alice", stampedFrom: "3"}, refused: true},
		"left as it is":                   {before: map[string]string{stampedBy: "alice", stampedFrom: "3"}, after: map[string]string{stampedBy: "alice", stampedFrom: "3"}},
		"another key":                     {after: map[string]string{stampedBy + "-too": "mallory"}, refused: true},
		"something else beside it":        {after: map[string]string{stampedBy: "mallory", stampedFrom: "7", v1alpha1.GuardNamespaces: "x"}, refused: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := func(annotations map[string]string) *corev1.Namespace {
				return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
					Name: "acme-prod", ResourceVersion: "7", Labels: map[string]string{v1alpha1.LabelTenant: "acme"}, Annotations: annotations,
				}}
			}
			allowed, _ := evaluate(t, rule, request{
				object: with(tc.after), old: with(tc.before), gvk: corev1.SchemeGroupVersion.WithKind("Namespace"), resource: "namespaces", operation: admission.Update,
			}, &validating.ValidationCondition{Expression: rule.Validations[0].Expression})
			if allowed == tc.refused {
				t.Errorf("allowed is %v", allowed)
			}
		})
	}
}

const (
	mutatorYAML        = "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {name: a}\n"
	mutatorBindingYAML = "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicyBinding\nmetadata: {name: a}\nspec: {policyName: a}\n"
)

func TestParseMutators(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		files map[string]string
		want  []string
		err   string
	}{
		"nothing":        {},
		"a pair":         {files: map[string]string{"a.yaml": mutatorYAML + "---\n" + mutatorBindingYAML}, want: []string{"a"}},
		"in two files":   {files: map[string]string{"a.yaml": mutatorYAML, "b.yaml": "# comment\n---\n" + mutatorBindingYAML}, want: []string{"a"}},
		"kustomization":  {files: map[string]string{"k.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"}},
		"no binding":     {files: map[string]string{"a.yaml": mutatorYAML}, err: `policy "a" has no binding of its name`},
		"no policy":      {files: map[string]string{"a.yaml": mutatorBindingYAML}, err: `there are 1 bindings of 0 policies`},
		"other binding":  {files: map[string]string{"a.yaml": mutatorYAML + "---\n" + strings.Replace(mutatorBindingYAML, "policyName: a", "policyName: b", 1)}, err: `has no binding`},
		"twice":          {files: map[string]string{"a.yaml": mutatorYAML + "---\n" + mutatorYAML}, err: `reading defaults from a.yaml: "a" is there twice`},
		"unknown field":  {files: map[string]string{"a.yaml": mutatorYAML + "spec: {failPolicy: Fail}\n"}, err: `unknown field "failPolicy"`},
		"a guard-rail":   {files: map[string]string{"a.yaml": policy + "---\n" + binding}, err: `ValidatingAdmissionPolicy "a" is no mutating policy`},
		"an old version": {files: map[string]string{"a.yaml": strings.Replace(mutatorYAML, "/v1", "/v1beta1", 1)}, err: `is no mutating policy`},
		"no YAML":        {files: map[string]string{"a.yaml": "{"}, err: `reading defaults from a.yaml`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{}
			for name, content := range tc.files {
				files[name] = &fstest.MapFile{Data: []byte(content)}
			}
			found, err := guard.ParseMutators(files)
			if got := message(err); tc.err == "" && got != "" || !strings.Contains(got, tc.err) {
				t.Errorf("error %q, want %q", got, tc.err)
			}
			var names []string
			for _, m := range found {
				names = append(names, m.Name())
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
