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
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// attempt is one thing that somebody tries.
type attempt struct {
	// makes is what alice makes.
	makes makes
	// then is what is done with it afterwards, by the user given (alice, if empty).
	then step
	by   string
	// want is what comes of it, by namespace.
	want map[string]outcome
	// breaks says that it brings pods onto the regulated tenant's nodes from where nothing guards against it. It is made there
	// too: an attempt that fails by itself would prove nothing.
	breaks bool
}

// step is done with an object of the attempt.
type step func(context.Context, client.Client, client.Object) error

// trial is an attempt that was made.
type trial struct {
	attempt attempt
	title   string
	in      spot
	// answer is what the API server said to it.
	answer error
}

// do makes the attempt and returns the first refusal.
func (a attempt) do(ctx context.Context, w *world, in spot) error {
	object := a.makes(in)
	if err := w.as[alice].Create(ctx, object); err != nil {
		return err
	}
	if cron, ok := object.(*batchv1.CronJob); ok {
		if err := overdue(ctx, w.Admin, cron); err != nil {
			return err
		}
	}
	if a.then == nil {
		return nil
	}
	by := a.by
	if by == "" {
		by = alice
	}
	return a.then(ctx, w.as[by], object)
}

// overdue makes a CronJob due at once, instead of at the next full minute.
func overdue(ctx context.Context, admin client.Client, cron *batchv1.CronJob) error {
	before := client.MergeFrom(cron.DeepCopy())
	cron.Status.LastScheduleTime = &metav1.Time{Time: time.Now().Add(-2 * time.Minute)}
	return admin.Status().Patch(ctx, cron, before)
}

// merge is a JSON merge patch.
func merge(patch string) step {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		return c.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
}

// update changes the whole pod and sends it back.
func update(change change) step {
	return onFresh(func(ctx context.Context, c client.Client, p *corev1.Pod) error {
		change(&p.Spec)
		return c.Update(ctx, p)
	})
}

// nominate says, as the scheduler does, on which node the pod is going to be.
func nominate(node string) step {
	return onFresh(func(ctx context.Context, c client.Client, p *corev1.Pod) error {
		p.Status.NominatedNodeName = node
		return c.Status().Update(ctx, p)
	})
}

// updateSub does so with a subresource.
func updateSub(name string, change change) step {
	return onFresh(func(ctx context.Context, c client.Client, p *corev1.Pod) error {
		change(&p.Spec)
		return c.SubResource(name).Update(ctx, p)
	})
}

// onFresh reads the pod first: the scheduler writes to it at any time.
func onFresh(do func(context.Context, client.Client, *corev1.Pod) error) step {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		for {
			p := &corev1.Pod{}
			if err := c.Get(ctx, client.ObjectKeyFromObject(object), p); err != nil {
				return err
			}
			if err := do(ctx, c, p); !isConflict(err) {
				return err
			}
		}
	}
}

// isConflict says whether somebody else was faster. A refusal of a guard-rail is something else.
func isConflict(err error) bool {
	return err != nil && strings.Contains(err.Error(), "the object has been modified")
}

// applyMore adds a toleration by server-side apply, to which the list is one whole.
func applyMore(toleration corev1.Toleration) step {
	return onFresh(func(ctx context.Context, c client.Client, p *corev1.Pod) error {
		applied, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": p.Name, "namespace": p.Namespace},
			"spec": map[string]any{"tolerations": append(p.Spec.Tolerations, toleration)},
		})
		if err != nil {
			return err
		}
		return c.Patch(ctx, p, client.RawPatch(types.ApplyPatchType, applied), client.ForceOwnership, client.FieldOwner("mine"))
	})
}

// add adds a toleration by a JSON patch.
func add(toleration corev1.Toleration) step {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		patch, err := json.Marshal([]map[string]any{{"op": "add", "path": "/spec/tolerations/-", "value": toleration}})
		if err != nil {
			return err
		}
		return c.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch))
	}
}

// bind binds the pod by its subresource.
func bind(node string) step {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		return c.SubResource("binding").Create(ctx, object, newBinding(spot{object.GetNamespace(), object.GetName()}, node))
	}
}

// bindByItself binds the pod by an object of its own.
func bindByItself(node string) step {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		return c.Create(ctx, newBinding(spot{object.GetNamespace(), object.GetName()}, node))
	}
}

// changeNamespace patches the namespace itself.
func changeNamespace(patch string) step {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: object.GetNamespace()}}
		return c.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
}

// outcome is what comes of an attempt: what still lacks, "" if it is there; fault is set once it can't come any more.
type outcome func(*found) (lacking, fault string)

// found is what there is of an attempt.
type found struct {
	answer error
	pods   []corev1.Pod
	// failures are what controllers said of pods that they couldn't make.
	failures []string
	daemons  *appsv1.DaemonSet
}

// refused is an answer with a text.
func refused(text string) outcome {
	return func(f *found) (string, string) {
		if f.answer == nil || !strings.Contains(f.answer.Error(), text) {
			return "", fmt.Sprintf("the answer is %v, want one with %q", f.answer, text)
		}
		return "", bound(f.pods)
	}
}

// failing is accepted, and its controller's pods are refused.
func failing(text string) outcome {
	return func(f *found) (string, string) {
		lacking, fault := failingBeside(text)(f)
		return lacking, cmp.Or(fault, bound(f.pods))
	}
}

// failingBeside is the same beside pods that were there before.
func failingBeside(text string) outcome {
	return func(f *found) (string, string) {
		if f.answer != nil {
			return "", fmt.Sprintf("the answer is %v, want none", f.answer)
		}
		if !slices.ContainsFunc(f.failures, func(failure string) bool { return strings.Contains(failure, text) }) {
			return fmt.Sprintf("of %d failures of controllers none has %q: %q", len(f.failures), text, f.failures), ""
		}
		return "", ""
	}
}

// waiting is accepted, and the scheduler has no node for its pods, or doesn't look for one yet.
func waiting(f *found) (lacking, fault string) {
	if f.answer != nil {
		return "", fmt.Sprintf("the answer is %v, want none", f.answer)
	}
	if len(f.pods) == 0 {
		return "there are no pods", ""
	}
	for i := range f.pods {
		judged := false
		for _, c := range f.pods[i].Status.Conditions {
			judged = judged || c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
		}
		if !judged {
			lacking = "the scheduler hasn't looked at " + f.pods[i].Name
		}
	}
	return lacking, bound(f.pods)
}

// nowhere is a DaemonSet that runs on no node, and doesn't try.
func nowhere(f *found) (lacking, fault string) {
	if f.answer != nil {
		return "", fmt.Sprintf("the answer is %v, want none", f.answer)
	}
	if f.daemons == nil || f.daemons.Status.ObservedGeneration != f.daemons.Generation {
		return "its controller hasn't seen it", ""
	}
	if n := f.daemons.Status.DesiredNumberScheduled; n > 0 || len(f.pods) > 0 {
		return "", fmt.Sprintf("%d nodes are wanted, %d pods are there", n, len(f.pods))
	}
	return "", ""
}

// on is n pods, all of them on nodes of a pool ("" is any); none waits.
func on(pool string, n int) outcome {
	return func(f *found) (string, string) {
		if f.answer != nil {
			return "", fmt.Sprintf("the answer is %v, want none", f.answer)
		}
		if len(f.pods) > n {
			return "", fmt.Sprintf("%d pods, want %d", len(f.pods), n)
		}
		there := 0
		for i := range f.pods {
			switch node := f.pods[i].Spec.NodeName; {
			case node == "":
			case pool == "" || poolOf(node) == pool:
				there++
			default:
				return "", fmt.Sprintf("%s is on %s, want a node of %s", f.pods[i].Name, node, pool)
			}
		}
		if there < n {
			return fmt.Sprintf("%d of %d pods are on nodes; failures: %q", there, n, f.failures), ""
		}
		if f.daemons != nil && int(f.daemons.Status.DesiredNumberScheduled) != n {
			return fmt.Sprintf("the DaemonSet wants %d nodes", f.daemons.Status.DesiredNumberScheduled), ""
		}
		return "", ""
	}
}

// through is one pod at least on a node of the regulated tenant.
func through(f *found) (lacking, fault string) {
	if f.answer != nil {
		return "", fmt.Sprintf("the answer is %v: the attempt fails by itself", f.answer)
	}
	for i := range f.pods {
		if poolOf(f.pods[i].Spec.NodeName) == "pci" {
			return "", ""
		}
	}
	return fmt.Sprintf("none of %d pods is on a node of the regulated tenant; failures: %q", len(f.pods), f.failures), ""
}

func bound(pods []corev1.Pod) string {
	for i := range pods {
		if node := pods[i].Spec.NodeName; node != "" {
			return fmt.Sprintf("the pod %s is on %s", pods[i].Name, node)
		}
	}
	return ""
}

// check waits for what must come of an attempt.
func (w *world) check(t *testing.T, try *trial) {
	t.Helper()
	want := try.attempt.want[try.in.namespace]
	if try.in.namespace == free {
		want = through
	}
	if want == nil {
		t.Fatal("nothing is said of what comes of it")
	}
	eventually(t, func(ctx context.Context) string {
		f, err := w.find(ctx, try)
		if err != nil {
			return err.Error()
		}
		lacking, fault := want(f)
		if fault != "" {
			t.Error(fault)
			return ""
		}
		if lacking != "" {
			w.last = nil // there is something new to see
		}
		return lacking
	})
}

// find is what there is of an attempt.
func (w *world) find(ctx context.Context, try *trial) (*found, error) {
	if w.last == nil {
		taken, err := w.look(ctx)
		if err != nil {
			return nil, err
		}
		w.last = taken
	}
	f := &found{answer: try.answer, pods: w.last.pods[try.in], daemons: w.last.daemons[try.in]}
	for i := range w.last.failures {
		// A ReplicaSet is called like its Deployment, and more.
		event := &w.last.failures[i]
		name := event.InvolvedObject.Name
		if event.Namespace == try.in.namespace && (name == try.in.name || strings.HasPrefix(name, try.in.name+"-")) {
			f.failures = append(f.failures, event.Message)
		}
	}
	return f, nil
}

// snapshot is what there is of all attempts: to ask for each by itself would take most of the test's time. It serves until
// an attempt lacks something.
type snapshot struct {
	pods     map[spot][]corev1.Pod
	daemons  map[spot]*appsv1.DaemonSet
	failures []corev1.Event
}

func (w *world) look(ctx context.Context) (*snapshot, error) {
	s := &snapshot{pods: map[spot][]corev1.Pod{}, daemons: map[spot]*appsv1.DaemonSet{}}
	pods, daemons, events := &corev1.PodList{}, &appsv1.DaemonSetList{}, &corev1.EventList{}
	if err := errors.Join(
		w.Admin.List(ctx, pods, client.HasLabels{attemptLabel}),
		w.Admin.List(ctx, daemons, client.HasLabels{attemptLabel}),
		w.Admin.List(ctx, events, client.MatchingFields{"reason": "FailedCreate"}),
	); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		in := spot{pods.Items[i].Namespace, pods.Items[i].Labels[attemptLabel]}
		s.pods[in] = append(s.pods[in], pods.Items[i])
	}
	for i := range daemons.Items {
		s.daemons[spot{daemons.Items[i].Namespace, daemons.Items[i].Name}] = &daemons.Items[i]
	}
	s.failures = events.Items
	return s, nil
}

// slug is a name for what an attempt makes.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(title))
}
