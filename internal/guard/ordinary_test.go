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
	"context"
	"regexp"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// nobody may do anything.
var nobody = authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionNoOpinion, "", nil
})

// ordinaryRequest is one that guard-rails look at and allow.
type ordinaryRequest struct {
	object, old runtime.Object
	gvk         schema.GroupVersionKind
	resource    string
	operation   admission.Operation
	// rails are those about it, without their common prefix.
	rails []string
}

func ordinaryUser() user.Info {
	return &user.DefaultInfo{Name: "alice", UID: "7f1c", Groups: []string{"acme-admins", "oidc:everybody", "system:authenticated"}}
}

// ordinaryNamespace is one of a tenant that uses every block of its spec that a guard-rail reads.
func ordinaryNamespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-prod", ResourceVersion: "4711",
		Labels: map[string]string{
			corev1.LabelMetadataName: "acme-prod", v1alpha1.LabelTenant: "acme", v1alpha1.GuardQuota: "Required",
			"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
			"pod-security.kubernetes.io/audit": "restricted", "pod-security.kubernetes.io/warn": "restricted",
		},
		Annotations: map[string]string{
			v1alpha1.GuardNamespaces:     "acme-dev,acme-prod",
			v1alpha1.GuardIngressCIDRs:   "192.0.2.128/25",
			v1alpha1.GuardIngressTenants: "shared",
			v1alpha1.GuardEgressCIDRs:    "198.51.100.0/24,203.0.113.0/24",
			v1alpha1.GuardDNS:            "kube-system,k8s-app=kube-dns,:53",
			v1alpha1.GuardIngressClasses: "internal,public", v1alpha1.GuardGatewayClasses: "internal",
			v1alpha1.GuardHostnames: "acme.example.com,*.acme.example.com", v1alpha1.GuardServiceTypes: "ClusterIP,LoadBalancer",
			v1alpha1.GuardRegistries: "mirror.example.com/,registry.example.com/acme/,registry.example.com/base/,registry.example.com/shared/",
			v1alpha1.GuardDigests:    "Required", v1alpha1.GuardPullPolicy: "Always",
			v1alpha1.GuardStorageClasses: "standard,fast",
			v1alpha1.GuardPlacement:      "Restricted", v1alpha1.GuardNodeSelector: "example.com/pool=tenants",
			v1alpha1.GuardTolerations:     "example.com/pool=tenants:NoSchedule",
			v1alpha1.GuardPriorityClasses: "low,measured", v1alpha1.GuardRuntimeClasses: "sandboxed",
		},
	}}
}

func ordinaryQuota() *corev1.ResourceQuota {
	hard := corev1.ResourceList{
		"requests.cpu": resource.MustParse("100"), "requests.memory": resource.MustParse("1Ti"),
		"limits.memory": resource.MustParse("1Ti"), "pods": resource.MustParse("1000"),
	}
	it := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead", Namespace: "acme-prod"}}
	it.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ResourceQuota"))
	it.Spec.Hard, it.Status.Hard = hard, hard.DeepCopy()
	return it
}

// ordinaryRequests are made by people; each is allowed.
func ordinaryRequests() map[string]ordinaryRequest {
	labelled := ordinaryPod()
	labelled.Labels["example.com/new"] = "yes"
	annotated := ordinaryNamespace()
	annotated.Annotations["example.com/touched"] = "yes"
	meta := metav1.ObjectMeta{Name: "ordinary", Namespace: "acme-prod", Labels: map[string]string{"app.kubernetes.io/name": "app"}}
	pods := []string{"images", "scheduling-pods", "storage-pods", "quota-ready"}
	all := map[string]ordinaryRequest{
		"create Pod":           {object: ordinaryPod(), resource: "pods", operation: admission.Create, rails: pods},
		"update Pod":           {object: labelled, old: ordinaryPod(), resource: "pods", operation: admission.Update, rails: pods[:2]},
		"create NetworkPolicy": {object: ordinaryPolicy(meta), resource: "networkpolicies", operation: admission.Create, rails: []string{"network-policies"}},
		"update Namespace": {object: annotated, old: ordinaryNamespace(), resource: "namespaces", operation: admission.Update,
			rails: []string{"break-glass", "namespace-metadata"}},
		"create RoleBinding": {resource: "rolebindings", operation: admission.Create, rails: []string{"access-bindings"}, object: &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}, Subjects: []rbacv1.Subject{
				{Kind: "User", APIGroup: rbacv1.GroupName, Name: "bob"}, {Kind: "ServiceAccount", Name: "pipeline", Namespace: "acme-dev"}}}},
		"create Role": {resource: "roles", operation: admission.Create, rails: []string{"access-roles"}, object: &rbacv1.Role{
			ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets"}, Verbs: []string{"get", "list", "watch"}},
				{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "patch"}}}}},
		"create Service": {resource: "services", operation: admission.Create, rails: []string{"ingress-services", "quota-ready"}, object: &corev1.Service{
			ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: meta.Labels, Ports: []corev1.ServicePort{{Port: 80}}}}},
		"create Ingress": {object: ordinaryIngress(meta), resource: "ingresses", operation: admission.Create, rails: []string{"ingress"}},
		"create PersistentVolumeClaim": {resource: "persistentvolumeclaims", operation: admission.Create, rails: []string{"storage", "storage-volumes", "quota-ready"},
			object: &corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: new("standard")}}},
		"create Deployment": {resource: "deployments", operation: admission.Create, object: &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: meta.Labels}, Template: corev1.PodTemplateSpec{ObjectMeta: meta, Spec: ordinaryPod().Spec}}}},
	}
	for name, r := range all {
		kinds, _, err := kubernetesscheme.Scheme.ObjectKinds(r.object)
		if err == nil {
			r.gvk = kinds[0]
			r.object.GetObjectKind().SetGroupVersionKind(r.gvk)
		}
		if r.old != nil {
			r.old.GetObjectKind().SetGroupVersionKind(r.gvk)
		}
		all[name] = r
	}
	return all
}

// ordinaryPod has what an average pod of an application has.
func ordinaryPod() *corev1.Pod {
	container := func(name string) corev1.Container {
		return corev1.Container{
			Name: name, Image: "registry.example.com/shared/" + name + "@sha256:3b5b0e4e6d8b1c5cf23c1d2ad3e0e8c7b7c3f0d1a4b9e2f8d6c5a7b8e9f0a1b2",
			ImagePullPolicy: corev1.PullAlways, Env: []corev1.EnvVar{{Name: "LOG_LEVEL", Value: "info"}},
			VolumeMounts: []corev1.VolumeMount{{Name: "settings", MountPath: "/etc/app", ReadOnly: true}, {Name: "cache", MountPath: "/var/cache"}},
		}
	}
	toleration := func(key string) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "ordinary", Namespace: "acme-prod", Labels: map[string]string{"app.kubernetes.io/name": "app"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{container("migrate")}, Containers: []corev1.Container{container("app"), container("proxy")},
			NodeSelector: map[string]string{"example.com/pool": "tenants"}, PriorityClassName: "measured", SchedulerName: corev1.DefaultSchedulerName,
			Tolerations: []corev1.Toleration{{Key: "example.com/pool", Operator: corev1.TolerationOpEqual, Value: "tenants", Effect: corev1.TaintEffectNoSchedule},
				toleration(corev1.TaintNodeNotReady), toleration(corev1.TaintNodeUnreachable)},
			Volumes: []corev1.Volume{
				{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}},
				{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "kube-api-access-x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}},
			},
		},
	}
}

// ordinaryPolicy lets the tenant's front end in, and its application out to the office.
func ordinaryPolicy(meta metav1.ObjectMeta) *networkingv1.NetworkPolicy {
	selected := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": app}}
	}
	return &networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{
		PodSelector: *selected("app"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			{PodSelector: selected("front")},
			{PodSelector: selected("front"), NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: "acme"}}},
		}}},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingv1.NetworkPolicyPeer{{PodSelector: selected("database")}}},
			{To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "198.51.100.64/26"}}}},
		},
	}}
}

func ordinaryIngress(meta metav1.ObjectMeta) *networkingv1.Ingress {
	rule := func(host string) networkingv1.IngressRule {
		return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{}}}
	}
	return &networkingv1.Ingress{ObjectMeta: meta, Spec: networkingv1.IngressSpec{
		IngressClassName: new("internal"), Rules: []networkingv1.IngressRule{rule("acme.example.com"), rule("shop.acme.example.com")},
		TLS: []networkingv1.IngressTLS{{Hosts: []string{"acme.example.com", "shop.acme.example.com"}, SecretName: "tls"}},
	}}
}

// TestOrdinary checks that ordinary requests are allowed, and cheaply: of each guard-rail about them either a matchCondition
// says that there is nothing to judge, or the text of a refusal isn't even begun.
func TestOrdinary(t *testing.T) {
	t.Parallel()
	objects := []runtime.Object{ordinaryNamespace(), ordinaryQuota()}
	rails := map[string]guard.Rail{}
	for _, rail := range guard.Expect(shipped(t), guard.Settings{}) {
		objects, rails[rail.Name()] = append(objects, rail.Policy, rail.Binding), rail
	}
	plugin := admissionPlugin(t, objects...)
	interfaces := admission.NewObjectInterfacesFromScheme(kubernetesscheme.Scheme)
	for name, r := range ordinaryRequests() {
		t.Run(name, func(t *testing.T) {
			if err := plugin.Validate(t.Context(), r.attributes(), interfaces); err != nil {
				t.Error(err)
			}
			for _, about := range r.rails {
				rail, there := rails["bulkhead-"+about]
				if !there {
					t.Fatalf("there is no guard-rail %s", about)
				}
				early, text := r.early(t, rail.Policy.Spec)
				if !early && text != "" {
					t.Errorf("%s writes what would be the refusal: %q", about, text)
				}
			}
		})
	}
}

// TestOrdinaryVariables checks that guard-rails about what clusters do all day have few variables. The API server puts all of
// them into a new map for each of up to four passes; from nine on, Go's map is twice as large.
func TestOrdinaryVariables(t *testing.T) {
	t.Parallel()
	rails, ordinary := shipped(t), ordinaryRequests()
	for _, name := range []string{"create Pod", "create NetworkPolicy", "update Namespace"} {
		for _, about := range ordinary[name].rails {
			at := slices.IndexFunc(rails, func(r guard.Rail) bool { return r.Name() == "bulkhead-"+about })
			if n := len(rails[at].Policy.Spec.Variables); n > 8 {
				t.Errorf("%s has %d variables", about, n)
			}
		}
	}
}

// early says whether a matchCondition ends it, and what the messageExpression is otherwise.
func (r ordinaryRequest) early(t *testing.T, spec admissionregistrationv1.ValidatingAdmissionPolicySpec) (early bool, text any) {
	t.Helper()
	asked := request{object: r.object, old: r.old, gvk: r.gvk, resource: r.resource, operation: r.operation, namespace: ordinaryNamespace(), params: ordinaryQuota()}
	for i := range spec.MatchConditions {
		result, _ := evaluate(t, spec, asked, (*matchconditions.MatchCondition)(&spec.MatchConditions[i]))
		if holds, isBool := result.(bool); isBool && !holds {
			return true, nil
		}
	}
	text, _ = evaluate(t, spec, asked, &validating.MessageExpressionCondition{MessageExpression: spec.Validations[0].MessageExpression})
	return false, text
}

// TestGuardedPrefixes checks that the matchConditions of namespace-metadata and of the identity stamp, which have to say it in
// their own words, know of all prefixes that the rule guards, and of every way in which a key of it changes.
func TestGuardedPrefixes(t *testing.T) {
	t.Parallel()
	rails := shipped(t)
	spec := rails[slices.IndexFunc(rails, func(r guard.Rail) bool { return r.Name() == "bulkhead-namespace-metadata" })].Policy.Spec
	stamp := mutators(t)[identityPolicy].Policy.Spec.MatchConditions
	at := slices.IndexFunc(spec.Variables, func(v admissionregistrationv1.Variable) bool { return v.Name == "prefixes" })
	prefixes := regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(spec.Variables[at].Expression, -1)
	if len(prefixes) < 5 {
		t.Fatalf("the prefixes are %q", prefixes)
	}
	for _, prefix := range prefixes {
		for what, r := range changesOf(prefix[1] + "new") {
			t.Run(prefix[1]+what, func(t *testing.T) {
				t.Parallel()
				r.rail = "bulkhead-namespace-metadata"
				judge(t, spec, r)
				if !r.holds(t, stamp) {
					t.Error("isn't stamped")
				}
			})
		}
	}
	for what, r := range changesOf("example.com/new") {
		t.Run("others/"+what, func(t *testing.T) {
			t.Parallel()
			if r.holds(t, spec.MatchConditions) {
				t.Error("is looked at by the rule")
			}
			if r.holds(t, stamp) {
				t.Error("is stamped")
			}
		})
	}
}

// changesOf are the ways in which an annotation of a namespace changes, alone and together with others that nobody guards.
func changesOf(key string) map[string]request {
	namespace := func(annotations ...string) *corev1.Namespace {
		it := ordinaryNamespace()
		for i := 0; i < len(annotations); i += 2 {
			it.Annotations[annotations[i]] = annotations[i+1]
		}
		return it
	}
	const other, another = "example.com/a", "example.com/b"
	changes := map[string]request{
		"added":                             {old: namespace(), object: namespace(key, "x")},
		"removed":                           {old: namespace(key, "x"), object: namespace()},
		"changed":                           {old: namespace(key, "x"), object: namespace(key, "y")},
		"emptied":                           {old: namespace(key, "x"), object: namespace(key, "")},
		"added for another":                 {old: namespace(other, "x"), object: namespace(key, "x")},
		"removed for another":               {old: namespace(key, "x"), object: namespace(other, "x")},
		"removed, another changed":          {old: namespace(key, "x", other, "x"), object: namespace(other, "y")},
		"removed, others changed and added": {old: namespace(key, "x", other, "x"), object: namespace(other, "y", another, "x")},
	}
	for what, r := range changes {
		r.gvk, r.resource, r.operation = corev1.SchemeGroupVersion.WithKind("Namespace"), "namespaces", admission.Update
		changes[what] = r
	}
	return changes
}

// holds says whether all of these matchConditions do.
func (r request) holds(t *testing.T, conditions []admissionregistrationv1.MatchCondition) bool {
	t.Helper()
	for i := range conditions {
		result, _ := evaluate(t, admissionregistrationv1.ValidatingAdmissionPolicySpec{}, r, (*matchconditions.MatchCondition)(&conditions[i]))
		if holds, isBool := result.(bool); !isBool || !holds {
			return false
		}
	}
	return true
}
