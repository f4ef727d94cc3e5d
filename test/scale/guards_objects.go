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

package main

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// typicalPod has what an average pod of an application has, and meets all rules of measuredTenants.
func typicalPod(name string) *corev1.Pod {
	no, yes := false, true
	container := func(name string, port int32) corev1.Container {
		return corev1.Container{
			Name:            name,
			Image:           "registry.example.com/shared/" + name + "@sha256:3b5b0e4e6d8b1c5cf23c1d2ad3e0e8c7b7c3f0d1a4b9e2f8d6c5a7b8e9f0a1b2",
			ImagePullPolicy: corev1.PullAlways,
			Args:            []string{"--log-format=json"},
			Env: []corev1.EnvVar{
				{Name: "LOG_LEVEL", Value: "info"}, {Name: "REGION", Value: "somewhere"},
				{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "database"}, Key: "password"}}},
			},
			Ports: []corev1.ContainerPort{{Name: name, ContainerPort: port}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: amount("10m"), corev1.ResourceMemory: amount("16Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: amount("32Mi")},
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "settings", MountPath: "/etc/app", ReadOnly: true}, {Name: "cache", MountPath: "/var/cache"}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": "app", "app.kubernetes.io/version": "1"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{container("migrate", 8079)},
			Containers:     []corev1.Container{container("app", 8080), container("proxy", 8081)},
			NodeSelector:   map[string]string{"example.com/pool": "tenants"},
			Tolerations: []corev1.Toleration{{
				Key: "example.com/pool", Operator: corev1.TolerationOpEqual, Value: "tenants", Effect: corev1.TaintEffectNoSchedule}},
			PriorityClassName: priority,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Volumes: []corev1.Volume{
				{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}},
				{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
	}
}

// typicalPolicy lets the tenant's front end in, and its application out to the office.
func typicalPolicy(name, tenant string) *networkingv1.NetworkPolicy {
	selected := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": app}}
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *selected("app"),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
				{PodSelector: selected("front")},
				{PodSelector: selected("front"), NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: tenant}}},
			}}},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: []networkingv1.NetworkPolicyPeer{{PodSelector: selected("database")}}},
				{To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "198.51.100.64/26"}}}},
			},
		},
	}
}

// typicalSettings are those of an application.
func typicalSettings(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": "app"}},
		Data:       map[string]string{"app.yaml": "listen: :8080\nlog: {level: info, format: json}\n", "features": "search,export"},
	}
}
