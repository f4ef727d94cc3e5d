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
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// TestPlain checks the shortcuts of rules: what the variable plain lets pass, the variables behind it find no offence in.
// Requests are made up of the words that the rules know, and of such as are nearly those; enough of them must be plain, and
// enough must offend, or nothing was checked.
func TestPlain(t *testing.T) {
	t.Parallel()
	const tries, fewest = 1500, 50
	rails := shipped(t)
	for name, random := range map[string]func(*rand.Rand) request{
		"bulkhead-images": randomImages, "bulkhead-scheduling-pods": randomPlacement, "bulkhead-network-policies": randomPolicy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			source := rand.New(rand.NewPCG(seed, 0))
			spec := rails[slices.IndexFunc(rails, func(r guard.Rail) bool { return r.Name() == name })].Policy.Spec
			ask := &validating.MessageExpressionCondition{
				MessageExpression: `(variables.plain ? 'plain ' : '') + (variables.offence == '' ? '' : 'offends: ' + variables.offence)`,
			}
			plain, offends := 0, 0
			for range tries {
				r := random(source)
				result, _ := evaluate(t, spec, r, ask)
				text, isText := result.(string)
				if !isText {
					t.Fatalf("the answer is %v", result)
				}
				isPlain, isOffence := strings.HasPrefix(text, "plain "), strings.Contains(text, "offends: ")
				if isPlain && isOffence {
					t.Fatalf("%s, for %+v in %v", text, r.object, r.namespace.Annotations)
				}
				if isPlain {
					plain++
				}
				if isOffence {
					offends++
				}
			}
			if plain < fewest || offends < fewest {
				t.Errorf("of %d requests %d are plain, and %d offend, want %d of each", tries, plain, offends, fewest)
			}
		})
	}
}

// one is any of some.
func one[T any](source *rand.Rand, some ...T) T { return some[source.IntN(len(some))] }

// few are up to most.
func few[T any](source *rand.Rand, most int, next func() T) []T {
	var all []T
	for range source.IntN(most + 1) {
		all = append(all, next())
	}
	return all
}

// limits are annotations, each with one of its values, or left out if that is "-".
func limits(source *rand.Rand, values map[string][]string) *corev1.Namespace {
	annotations := map[string]string{}
	for key, some := range values {
		if value := one(source, some...); value != "-" {
			annotations[key] = value
		}
	}
	return guarded(annotations)
}

func randomPod(source *rand.Rand, namespace *corev1.Namespace, spec func() corev1.PodSpec) request {
	r := request{gvk: corev1.SchemeGroupVersion.WithKind("Pod"), resource: "pods", operation: admission.Create, namespace: namespace}
	r.object = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: namespace.Name}, Spec: spec()}
	if source.IntN(4) == 0 {
		r.operation, r.old = admission.Update, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: namespace.Name}, Spec: spec()}
	}
	return r
}

func randomImages(source *rand.Rand) request {
	namespace := limits(source, map[string][]string{
		v1alpha1.GuardRegistries: {"-", "", "docker.io/", "docker.io/library/", "registry.example.com/acme/", "localhost:5000/", "docker.io/acme/,r.example/"},
		v1alpha1.GuardDigests:    {"-", "-", "Required"}, v1alpha1.GuardPullPolicy: {"-", "-", "Always"},
	})
	image := func() string {
		return one(source, "", "", "", "docker.io/", "index.docker.io/", "Docker.io/", "registry.example.com/", "r.example/", "localhost:5000/", "localhost/", "/") +
			one(source, "", "", "library/", "acme/", "acme/", "acme//", "acme/./", "../", "acme/../evil/") +
			one(source, "app", "app", "app:v1", "", "sha256:"+strings.Repeat("0", 64)) +
			one(source, "", "", "@sha256:"+strings.Repeat("a", 64), "@sha512:"+strings.Repeat("a", 128), "@sha256:a")
	}
	return randomPod(source, namespace, func() corev1.PodSpec {
		container := func() corev1.Container {
			return corev1.Container{Name: one(source, "a", "b"), Image: image(), ImagePullPolicy: one[corev1.PullPolicy](source, "", "Always", "IfNotPresent")}
		}
		spec := corev1.PodSpec{Containers: append(few(source, 1, container), container())}
		if source.IntN(3) == 0 {
			spec.InitContainers = few(source, 1, container)
			spec.EphemeralContainers = few(source, 1, func() corev1.EphemeralContainer {
				return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon(container())}
			})
			spec.Volumes = few(source, 1, func() corev1.Volume {
				return corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: image()}}}
			})
		}
		return spec
	})
}

func randomPlacement(source *rand.Rand) request {
	namespace := limits(source, map[string][]string{
		v1alpha1.GuardPlacement:       {"-", "Restricted", "Restricted", "Restricted", "Later"},
		v1alpha1.GuardNodeSelector:    {"-", "pool=acme", "pool=acme,disk=ssd"},
		v1alpha1.GuardTolerations:     {"-", "", "pool", "pool=acme", "pool=acme:NoSchedule", "pool:NoSchedule,other=:NoExecute"},
		v1alpha1.GuardPriorityClasses: {"-", "", "low,high"}, v1alpha1.GuardRuntimeClasses: {"-", "-", "", "gvisor"},
	})
	return randomPod(source, namespace, func() corev1.PodSpec {
		spec := corev1.PodSpec{
			NodeName: one(source, "", "", "", "n1"), SchedulerName: one(source, "", "", "default-scheduler", "mine"),
			PriorityClassName: one(source, "", "", "low", "high", "system-node-critical", "lo"),
			Tolerations: few(source, 2, func() corev1.Toleration {
				return corev1.Toleration{
					Key:      one(source, "", "pool", "pool", "other", "node.kubernetes.io/not-ready", "node.kubernetes.io"),
					Operator: one[corev1.TolerationOperator](source, "", "Equal", "Exists", "Lt", "Gt"),
					Value:    one(source, "", "acme", "beta", "5"), Effect: one[corev1.TaintEffect](source, "", "NoSchedule", "NoExecute"),
				}
			}),
		}
		if source.IntN(4) > 0 {
			spec.NodeSelector = map[string]string{"pool": one(source, "acme", "acme", "beta"), one(source, "disk", "disk", "other"): "ssd"}
		}
		if source.IntN(6) == 0 {
			spec.RuntimeClassName = new(one(source, "gvisor", "other"))
		}
		return spec
	})
}

func randomPolicy(source *rand.Rand) request {
	namespace := limits(source, map[string][]string{
		v1alpha1.GuardBoundary:     {"-", "-", "-", "Namespace", "Tenant", "Cluster", "Later"},
		v1alpha1.GuardIngressCIDRs: {"-", "10.20.0.0/16", "x,10.0.0.0/8"}, v1alpha1.GuardEgressCIDRs: {"-", "10.20.0.0/16", "2001:db8::/32"},
		v1alpha1.GuardIngressTenants: {"-", "beta"}, v1alpha1.GuardEgressTenants: {"-", "shared"},
		v1alpha1.GuardDNS: {"-", "kube-system,k8s-app=kube-dns,:53"},
	})
	selector := func() *metav1.LabelSelector {
		it := &metav1.LabelSelector{}
		if source.IntN(5) > 0 {
			it.MatchLabels = map[string]string{
				one(source, v1alpha1.LabelTenant, v1alpha1.LabelTenant, corev1.LabelMetadataName, "tenant"): one(source, "acme", "acme", "acme-prod", "beta", ""),
			}
		}
		if source.IntN(4) == 0 {
			it.MatchExpressions = []metav1.LabelSelectorRequirement{{
				Key: one(source, v1alpha1.LabelTenant, "x"), Operator: one(source, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists),
				Values: few(source, 2, func() string { return one(source, "acme", "beta") }),
			}}
		}
		return it
	}
	peer := func() networkingv1.NetworkPolicyPeer {
		switch source.IntN(8) {
		case 0:
			return networkingv1.NetworkPolicyPeer{}
		case 1, 2:
			return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{
				CIDR: one(source, "10.20.1.0/24", "10.20.0.0/16", "10.0.0.0/8", "0.0.0.0/0", "2001:db8:1::/48", "::ffff:10.20.1.0/120", "10.20.1.0", "")}}
		case 3, 4:
			return networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
		default:
			return networkingv1.NetworkPolicyPeer{NamespaceSelector: selector(), PodSelector: one(source, nil, &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}})}
		}
	}
	spec := func() *networkingv1.NetworkPolicySpec {
		it := &networkingv1.NetworkPolicySpec{
			PolicyTypes: one(source, nil, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}),
			Ingress: few(source, 2, func() networkingv1.NetworkPolicyIngressRule {
				return networkingv1.NetworkPolicyIngressRule{From: few(source, 2, peer)}
			}),
		}
		if source.IntN(3) == 0 {
			it.Egress = few(source, 2, func() networkingv1.NetworkPolicyEgressRule {
				return networkingv1.NetworkPolicyEgressRule{To: few(source, 2, peer)}
			})
		}
		return it
	}
	var old *networkingv1.NetworkPolicySpec
	if source.IntN(4) == 0 {
		old = spec()
	}
	return networkRequest(spec(), old, namespace)
}
