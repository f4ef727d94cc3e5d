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

package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/mutation"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

const (
	quotas          = 10
	updatesPerQuota = 1000
)

// TestQuotaStatusUpdatesCostNothing writes the status of ten quotas 10,000 times, as the controllers of Kubernetes do
// with every pod: the operator writes nothing and compares nothing. Then it is made to look at each namespace again,
// which takes one comparison of each quota, because that is another version now.
func TestQuotaStatusUpdatesCostNothing(t *testing.T) {
	s := operatorSite(t)
	operator := s.operate(t)
	var rigs []*rig
	var names []string
	for i := range quotas {
		name := fmt.Sprintf("churn-%d", i)
		names = append(names, name)
		rigs = append(rigs, s.tenant(t, MakeTenant(name).Namespaces(name).Policy(Quota("pods", "1000"), Quota("requests.cpu", "500m")).Obj(), newBook()))
	}
	for _, r := range rigs {
		r.ready()
	}
	comparisons := func() float64 {
		return count(t, "bulkhead_compare_seconds", map[string]string{"kind": "ResourceQuota"})
	}
	var before float64
	eventually(t, "the operator must come to rest", func(context.Context) string {
		last := before
		before = comparisons()
		if before != last || before == 0 {
			return fmt.Sprintf("%v comparisons", before)
		}
		return ""
	})
	lasting(t, "resting", func(context.Context) string {
		before = comparisons()
		return ""
	})
	written := len(operator.managed(names...))

	errs := make(chan error)
	for _, name := range names {
		go func() { errs <- s.churn(t.Context(), name) }()
	}
	for range names {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	undisturbed := func(context.Context) string {
		if n, writes := comparisons()-before, operator.managed(names...)[written:]; n != 0 || len(writes) != 0 {
			return fmt.Sprintf("%v comparisons, and writes %v", n, writes)
		}
		return ""
	}
	lasting(t, fmt.Sprintf("after %d updates", quotas*updatesPerQuota), undisturbed)

	for _, round := range []struct {
		what string
		want float64
	}{{"for the first time", quotas}, {"again", quotas}} {
		for _, r := range rigs {
			r.look()
		}
		eventually(t, "looking "+round.what, func(context.Context) string {
			if n := comparisons() - before; n < round.want {
				return fmt.Sprintf("%v comparisons of quotas, want %v", n, round.want)
			}
			return ""
		})
		lasting(t, "looking "+round.what, func(context.Context) string {
			if n, writes := comparisons()-before, operator.managed(names...)[written:]; n != round.want || len(writes) != 0 {
				return fmt.Sprintf("%v comparisons of quotas, want %v, and writes %v", n, round.want, writes)
			}
			return ""
		})
	}
}

// churn writes the status of a quota as often as it must be.
func (s *site) churn(ctx context.Context, namespace string) error {
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bulkhead"}}
	for i := range updatesPerQuota {
		patch := patchOf(fmt.Sprintf(`{"status":{"used":{"pods":"%d","requests.cpu":"%dm"}}}`, i%1000+1, i%500))
		before := quota.ResourceVersion
		if err := s.Admin.Status().Patch(ctx, quota, patch, ofSubresource("kube-controller-manager")); err != nil {
			return fmt.Errorf("update %d of the quota in %s: %w", i, namespace, err)
		}
		if quota.ResourceVersion == before {
			return fmt.Errorf("update %d of the quota in %s changed nothing", i, namespace)
		}
	}
	return nil
}

func ofSubresource(manager string) client.SubResourcePatchOption { return client.FieldOwner(manager) }

// look makes the operator look at a namespace again, by a label that is nothing to it.
func (r *rig) look() {
	r.t.Helper()
	r.book.serial.Add(1)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.name}}
	patch := patchOf(fmt.Sprintf(`{"metadata":{"labels":{"example.com/look":"%d"}}}`, r.book.serial.Load()))
	if err := r.Admin.Patch(r.t.Context(), namespace, patch, ofManager("somebody")); err != nil {
		r.t.Fatal(err)
	}
}

// TestRestartWritesNothing starts an operator over tenants that another has provisioned. What one object differs in is
// corrected, by which we know that all has been looked at; nothing else is written.
func TestRestartWritesNothing(t *testing.T) {
	s, b := operatorSite(t), newBook()
	first := s.operate(t)
	var rigs []*rig
	var names []string
	for turn := range 3 {
		name := fmt.Sprintf("restarted-%d", turn)
		names = append(names, name)
		rigs = append(rigs, s.tenant(t, mutation.Rich(name, turn), b))
	}
	for _, r := range rigs {
		r.ready()
	}
	first.end(t)
	second := s.operate(t)
	var want []string
	for _, r := range rigs {
		for _, c := range r.probe() {
			r.undone(c)
			want = append(want, c.intent.Key.Name)
		}
	}
	lasting(t, "after the restart", func(context.Context) string {
		var got []string
		for _, write := range second.managed(names...) {
			got = append(got, write[strings.LastIndex(write, "/")+1:])
		}
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			return fmt.Sprintf("wrote %v, want %v", got, want)
		}
		return ""
	})
}

// probe changes one object of each scope of a tenant, by one write each that takes one write to undo.
func (r *rig) probe() []*trial {
	r.t.Helper()
	var done []*trial
	for _, kind := range []string{"LimitRange", "ClusterRole"} {
		i := slices.IndexFunc(r.targets, func(x *target) bool { return x.intent.GVK.Kind == kind })
		x := r.targets[i]
		j := slices.IndexFunc(x.deeds, func(d deed) bool {
			return d.whole == "" && d.Op == mutation.Modify && d.Path.String() == "metadata.labels["+v1alpha1.LabelFeature+"]"
		})
		done = append(done, r.do(x, x.deeds[j]))
	}
	return done
}

// TestAnotherVersionOfTheHashIsNoDrift lets another operator have applied everything before this one starts: one whose
// hash is another and that rendered something else. That is a rollout: each object is applied once, and nothing of it is
// drift.
func TestAnotherVersionOfTheHashIsNoDrift(t *testing.T) {
	s, b := operatorSite(t), newBook()
	random := rand.New(rand.NewPCG(seed(t), 3))
	first := s.operate(t)
	var rigs []*rig
	var names []string
	for turn := range 3 {
		name := fmt.Sprintf("upgraded-%d", turn)
		names = append(names, name)
		rigs = append(rigs, s.tenant(t, mutation.Rich(name, turn), b))
	}
	for _, r := range rigs {
		r.ready()
	}
	first.end(t)
	older := map[string]bool{}
	for _, r := range rigs {
		for _, x := range r.targets {
			older[x.intent.String()] = r.outdate(x, random)
		}
	}
	detected := count(t, "bulkhead_drift_detected_total", nil)
	second := s.operate(t)
	for _, r := range rigs {
		for _, x := range r.targets {
			eventually(t, x.intent.String()+" must be applied", func(context.Context) string {
				live := r.stored(t, x.intent)
				if live == nil || !comparedEqual(x.intent, live) {
					return "it isn't"
				}
				return ""
			})
		}
		r.ready()
	}
	if n := count(t, "bulkhead_drift_detected_total", nil) - detected; n != 0 {
		t.Errorf("%v drift detected", n)
	}
	for _, r := range rigs {
		for _, x := range r.targets {
			r.appliedOnce(x, second.managed(names...), older[x.intent.String()])
		}
		// Whatever is on record would be so by the time this is.
		done := r.probe()
		for _, c := range done {
			r.undone(c)
		}
		r.reported(done)
		r.onlyAbout(done)
	}
}

// outdate applies an object as another operator would have, with one change somewhere, and reports whether it has more
// than the intent asks for: that takes a write of its own.
func (r *rig) outdate(x *target, random *rand.Rand) bool {
	r.t.Helper()
	for _, i := range random.Perm(len(x.deeds)) {
		d := x.deeds[i]
		if d.whole != "" || d.spoof || d.Harmless || d.aggregates() || touchesIntent(d.Mutation) || d.Path.String() == "metadata.ownerReferences" ||
			d.Path.String() == "metadata.labels" || d.Path[len(d.Path)-1].Key == v1alpha1.LabelTenant {
			continue // no operator renders that
		}
		content, err := d.Apply(x.intent.Object.Object)
		if err != nil {
			r.t.Fatal(err)
		}
		other := *x.intent
		other.Object = (&unstructured.Unstructured{Object: content}).DeepCopy()
		annotations := other.Object.GetAnnotations()
		annotations[v1alpha1.AnnotationIntent] = "v0:0123456789abcdef"
		other.Object.SetAnnotations(annotations)
		err = r.apply(r.t, &other)
		if isRefusal(err) {
			continue
		}
		if err != nil {
			r.t.Fatalf("%s, outdated by %s: %v", x.intent, d, err)
		}
		found, err := mutation.Differences(kinds[x.intent.GVK], x.intent.Object.Object, r.stored(r.t, x.intent).Object)
		if err != nil {
			r.t.Fatal(err)
		}
		return slices.ContainsFunc(found, func(f mutation.Finding) bool { return f.Type == v1alpha1.DriftFieldInjected })
	}
	r.t.Fatalf("%s: nothing outdates it", x.intent)
	return false
}

// appliedOnce looks at what the operator wrote of an object.
func (r *rig) appliedOnce(x *target, writes []string, more bool) {
	r.t.Helper()
	plural, _ := meta.UnsafeGuessKindToResource(x.intent.GVK)
	path := "/" + plural.Resource + "/" + x.intent.Key.Name
	if x.intent.Key.Namespace != "" {
		path = "/namespaces/" + x.intent.Key.Namespace + path
	}
	var of []string
	for _, write := range writes {
		if strings.HasSuffix(write, path) {
			of = append(of, strings.Fields(write)[1])
		}
	}
	want := []string{"application/apply-patch+yaml"}
	if more {
		want = []string{"application/json-patch+json", "application/apply-patch+yaml"}
	}
	if !slices.Equal(of, want) {
		r.t.Errorf("%s: written by %v, want %v", x.intent, of, want)
	}
}

// onlyAbout fails if there is an event that says that anything else has drifted.
func (r *rig) onlyAbout(done []*trial) {
	r.t.Helper()
	list := &eventsv1.EventList{}
	if err := r.Admin.List(r.t.Context(), list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
		r.t.Fatal(err)
	}
	for i := range list.Items {
		event := &list.Items[i]
		if event.Regarding.Kind != "Tenant" || event.Regarding.Name != r.name || !strings.HasPrefix(event.Reason, "Drift") {
			continue
		}
		about := event.Related
		if about == nil || !slices.ContainsFunc(done, func(c *trial) bool { return c.intent.GVK.Kind == about.Kind && c.intent.Key.Name == about.Name }) {
			r.t.Errorf("event %s about %+v: %s", event.Reason, about, event.Note)
		}
	}
}
