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

package placement

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// spot is where an attempt is made: its objects are called so, and their pods are labelled with it.
type spot struct{ namespace, name string }

// attemptLabel is on every pod of an attempt.
const attemptLabel = "attempt"

// meta is of an object of the attempt.
func (s spot) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.namespace, Name: s.name, Labels: s.labels()}
}

func (s spot) labels() map[string]string {
	return map[string]string{attemptLabel: s.name, "app": s.namespace}
}

// change is what the spec of a pod has beside a container.
type change func(*corev1.PodSpec)

// makes are the objects of an attempt.
type makes func(spot) client.Object

var (
	exact    = corev1.Toleration{Key: taintKey, Operator: corev1.TolerationOpEqual, Value: "pci", Effect: corev1.TaintEffectNoSchedule}
	anyValue = corev1.Toleration{Key: taintKey, Operator: corev1.TolerationOpExists}
	every    = corev1.Toleration{Operator: corev1.TolerationOpExists}
)

func tolerates(tolerations ...corev1.Toleration) change {
	return func(s *corev1.PodSpec) { s.Tolerations = append(s.Tolerations, tolerations...) }
}

func selects(key, value string) change {
	return func(s *corev1.PodSpec) {
		s.NodeSelector = maps.Clone(s.NodeSelector)
		if s.NodeSelector == nil {
			s.NodeSelector = map[string]string{}
		}
		s.NodeSelector[key] = value
	}
}

func named(node string) change { return func(s *corev1.PodSpec) { s.NodeName = node } }

func scheduledBy(scheduler string) change {
	return func(s *corev1.PodSpec) { s.SchedulerName = scheduler }
}

func gated(s *corev1.PodSpec) {
	s.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
}

func priority(class string) change { return func(s *corev1.PodSpec) { s.PriorityClassName = class } }

func runtimeOf(class string) change {
	return func(s *corev1.PodSpec) { s.RuntimeClassName = &class }
}

// in is what node affinity demands: one of the pools.
func in(pools ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
		{Key: poolKey, Operator: corev1.NodeSelectorOpIn, Values: pools},
	}}
}

// near demands nodes; of several terms one is enough.
func near(terms ...corev1.NodeSelectorTerm) change {
	return func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
}

// rather prefers nodes.
func rather(term corev1.NodeSelectorTerm) change {
	return func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 100, Preference: term}},
		}}
	}
}

// nearNode demands one node by its name, as the pods of DaemonSets do.
func nearNode(name string) change {
	return near(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{
		{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{name}},
	}})
}

// besidePods demands a node on which pods of another namespace run.
func besidePods(namespace string) change {
	return func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": namespace}},
				Namespaces:    []string{namespace}, TopologyKey: corev1.LabelHostname,
			}},
		}}
	}
}

func podSpec(changes []change) corev1.PodSpec {
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app:1"}}}
	for _, c := range changes {
		c(&spec)
	}
	return spec
}

func template(s spot, changes []change) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: s.labels()}, Spec: podSpec(changes)}
}

func newPod(s spot, changes ...change) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: s.meta(), Spec: podSpec(changes)}
}

func newBinding(s spot, node string) *corev1.Binding {
	return &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
	}
}

func newDaemonSet(s spot, changes ...change) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: s.meta(), Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: s.labels()}, Template: template(s, changes),
	}}
}

func pod(changes ...change) makes {
	return func(s spot) client.Object { return newPod(s, changes...) }
}

// mirrorPod says of itself that a node runs it already.
func mirrorPod(changes ...change) makes {
	return func(s spot) client.Object {
		p := newPod(s, changes...)
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "1"}
		return p
	}
}

func daemonSet(changes ...change) makes {
	return func(s spot) client.Object { return newDaemonSet(s, changes...) }
}

// two is how many replicas everything has that has replicas.
var two = int32(2)

func deployment(changes ...change) makes {
	return func(s spot) client.Object {
		return &appsv1.Deployment{ObjectMeta: s.meta(), Spec: appsv1.DeploymentSpec{
			Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: s.labels()}, Template: template(s, changes),
		}}
	}
}

func replicaSet(changes ...change) makes {
	return func(s spot) client.Object {
		return &appsv1.ReplicaSet{ObjectMeta: s.meta(), Spec: appsv1.ReplicaSetSpec{
			Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: s.labels()}, Template: template(s, changes),
		}}
	}
}

func replicationController(changes ...change) makes {
	return func(s spot) client.Object {
		pods := template(s, changes)
		return &corev1.ReplicationController{ObjectMeta: s.meta(), Spec: corev1.ReplicationControllerSpec{
			Replicas: &two, Selector: s.labels(), Template: &pods,
		}}
	}
}

func statefulSet(changes ...change) makes {
	return func(s spot) client.Object {
		return &appsv1.StatefulSet{ObjectMeta: s.meta(), Spec: appsv1.StatefulSetSpec{
			// Nobody says of these pods that they are ready, and one would wait for the other.
			PodManagementPolicy: appsv1.ParallelPodManagement,
			Replicas:            &two, Selector: &metav1.LabelSelector{MatchLabels: s.labels()}, Template: template(s, changes),
		}}
	}
}

func jobSpec(s spot, changes []change) batchv1.JobSpec {
	once := slices.Concat(changes, []change{func(p *corev1.PodSpec) { p.RestartPolicy = corev1.RestartPolicyNever }})
	return batchv1.JobSpec{Parallelism: &two, Completions: &two, Template: template(s, once)}
}

func job(changes ...change) makes {
	return func(s spot) client.Object { return &batchv1.Job{ObjectMeta: s.meta(), Spec: jobSpec(s, changes)} }
}

// cronJob is due every minute; overdue makes it due at once.
func cronJob(changes ...change) makes {
	return func(s spot) client.Object {
		return &batchv1.CronJob{ObjectMeta: s.meta(), Spec: batchv1.CronJobSpec{
			Schedule: "* * * * *", ConcurrencyPolicy: batchv1.ForbidConcurrent,
			JobTemplate: batchv1.JobTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: s.labels()}, Spec: jobSpec(s, changes)},
		}}
	}
}

func untyped(object map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object}
}
