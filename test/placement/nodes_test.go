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
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// heartbeat is how often nodes say that they are there: four times within what the node controller waits for.
const heartbeat = 10 * time.Second

// nodes are those of the cluster. The name says the pool.
var nodes = []string{"pci-1", "pci-2", "shared-1", "shared-2", "gpu-1"}

// poolOf is the pool of a node, by its name.
func poolOf(node string) string {
	pool, _, _ := strings.Cut(node, "-")
	return pool
}

// startNodes makes the nodes, and lets them say that they are ready until the test ends.
func (w *world) startNodes(t *testing.T) {
	t.Helper()
	for _, name := range nodes {
		if err := w.makeNode(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(heartbeat):
			}
			for _, name := range nodes {
				if err := w.beat(ctx, name); err != nil && ctx.Err() == nil {
					t.Errorf("the heartbeat of node %s: %v", name, err)
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	// Kubernetes taints nodes that it hasn't seen ready yet.
	eventually(t, func(ctx context.Context) string {
		for _, name := range nodes {
			n := &corev1.Node{}
			if err := w.Admin.Get(ctx, client.ObjectKey{Name: name}, n); err != nil {
				return err.Error()
			}
			if slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return strings.HasPrefix(t.Key, "node.kubernetes.io/") }) {
				return fmt.Sprintf("node %s has the taints %v", name, n.Spec.Taints)
			}
		}
		return ""
	})
}

func (w *world) makeNode(ctx context.Context, name string) error {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{poolKey: poolOf(name), corev1.LabelHostname: name},
	}}
	switch poolOf(name) {
	case "pci":
		n.Spec.Taints = []corev1.Taint{{Key: taintKey, Value: "pci", Effect: corev1.TaintEffectNoSchedule}}
	case "gpu":
		n.Spec.Taints = []corev1.Taint{{Key: "gpu", Value: "a100", Effect: corev1.TaintEffectNoSchedule}}
	}
	if err := w.Admin.Create(ctx, n); err != nil {
		return err
	}
	// A patch: the node controller changes taints and annotations meanwhile.
	before := client.MergeFrom(n.DeepCopy())
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	n.Status.Capacity, n.Status.Allocatable = room, room
	now := metav1.Now()
	for condition, status := range map[corev1.NodeConditionType]corev1.ConditionStatus{
		corev1.NodeReady: corev1.ConditionTrue, corev1.NodeMemoryPressure: corev1.ConditionFalse,
		corev1.NodeDiskPressure: corev1.ConditionFalse, corev1.NodePIDPressure: corev1.ConditionFalse,
	} {
		n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
			Type: condition, Status: status, Reason: "Simulated", LastHeartbeatTime: now, LastTransitionTime: now,
		})
	}
	if err := w.Admin.Status().Patch(ctx, n, before); err != nil {
		return err
	}
	return w.Admin.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: name},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &name, RenewTime: &metav1.MicroTime{Time: now.Time}},
	})
}

// beat renews a node's lease.
func (w *world) beat(ctx context.Context, name string) error {
	lease := &coordinationv1.Lease{}
	if err := w.Admin.Get(ctx, client.ObjectKey{Namespace: corev1.NamespaceNodeLease, Name: name}, lease); err != nil {
		return err
	}
	lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
	return w.Admin.Update(ctx, lease)
}

// judge looks at every pod that is bound to a node, at any time.
type judge struct {
	mu    sync.Mutex
	bound map[string]bool
	found map[string]bool
}

// verdict says what is wrong with a pod of a namespace on a node; "" if nothing.
func verdict(namespace, node string) string {
	switch pool := poolOf(node); {
	case namespace == payments && pool != "pci":
		return "a pod of the regulated tenant is on a foreign node"
	case namespace != payments && namespace != free && namespace != bare && pool == "pci":
		return "a foreign pod is on a node of the regulated tenant"
	case namespace == shop && pool != "shared":
		return "a pod is outside of what its tenant selects"
	}
	return ""
}

func (j *judge) look(p *corev1.Pod) {
	if p.Spec.NodeName == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	name := p.Namespace + "/" + p.Name
	j.bound[name] = true
	if wrong := verdict(p.Namespace, p.Spec.NodeName); wrong != "" {
		j.found[wrong+": "+name+" on "+p.Spec.NodeName] = true
	}
}

// saw says whether a pod was seen on a node.
func (j *judge) saw(p *corev1.Pod) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bound[p.Namespace+"/"+p.Name]
}

func (j *judge) faults() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sortedKeys(j.found)
}

// startJudge watches all pods until the test ends. A watch that ends early is a failure: what happened then nobody saw.
func (w *world) startJudge(t *testing.T) {
	t.Helper()
	w.judge = &judge{bound: map[string]bool{}, found: map[string]bool{}}
	pods, err := w.Admin.Watch(t.Context(), &corev1.PodList{})
	if err != nil {
		t.Fatal(err)
	}
	stopping, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for event := range pods.ResultChan() {
			if p, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Bookmark {
				w.judge.look(p)
			}
		}
		select {
		case <-stopping:
		case <-t.Context().Done():
		default:
			t.Error("the watch on pods ended before the test did")
		}
	}()
	t.Cleanup(func() {
		close(stopping)
		pods.Stop()
		<-done
	})
}

func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		namespace, node string
		wrong           bool
	}{
		{payments, "pci-1", false}, {payments, "shared-1", true}, {payments, "gpu-1", true},
		{shop, "shared-1", false}, {shop, "pci-1", true}, {shop, "gpu-1", true},
		{lab, "shared-1", false}, {lab, "gpu-1", false}, {lab, "pci-2", true},
		{"elsewhere", "pci-1", true}, {free, "pci-1", false}, {bare, "pci-1", false},
	} {
		if got := verdict(tc.namespace, tc.node); (got != "") != tc.wrong {
			t.Errorf("a pod of %s on %s: %q", tc.namespace, tc.node, got)
		}
	}
}
