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
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// lastRail and lastMutator are put in force after the others. The API server looks at all bindings at once, and hears of
// them in the order in which they were written: once a request shows that the last one is in force, all are.
const (
	lastRail    = "bulkhead-managed-objects"
	lastMutator = "bulkhead-images-pull"
)

// inForce bounds the wait until the API server has seen the bindings. It looks once a second.
const inForce = time.Minute

// guardedWorld is a world with tenants, with guard-rails up to a level or without any.
type guardedWorld struct {
	*world

	rails    []guard.Rail
	mutators []guard.Mutator
	kinds    []kind
	// tenantOf is the tenant of each namespace.
	tenantOf map[string]string
	// places are the namespaces whose pods get defaults (true), and the others.
	places map[bool][]string
	// member is an admin of every tenant, platform a cluster-admin by RBAC, and root one of system:masters.
	member, platform, root *kubernetes.Clientset
	// level is what is in force.
	level level
	// serial is the number of the next request, so that no name is used twice.
	serial int
	// left takes away what requests have left so far.
	left []func(context.Context) error
}

// load reads the guard-rails that there are. Without mutators: the API server doesn't serve them.
func (g *guardedWorld) load() (err error) {
	if g.rails, err = guard.Shipped(); err != nil {
		return err
	}
	if g.rails, err = toEnd(g.rails, lastRail); err != nil {
		return err
	}
	_, err = g.Admin.RESTMapper().RESTMapping(admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy").GroupKind(), admissionregistrationv1.SchemeGroupVersion.Version)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding out whether defaults are served: %w", err)
	}
	if g.mutators, err = guard.ShippedMutators(); err != nil {
		return err
	}
	g.mutators, err = toEnd(g.mutators, lastMutator)
	return err
}

// toEnd moves the one of a name to the end.
func toEnd[T interface{ Name() string }](all []T, name string) ([]T, error) {
	at := slices.IndexFunc(all, func(one T) bool { return one.Name() == name })
	if at < 0 {
		return nil, fmt.Errorf("there is no guard-rail %s", name)
	}
	last := all[at]
	return append(slices.Delete(slices.Clone(all), at, at+1), last), nil
}

// put writes the guard-rails up to a level, deletes the bindings of the others, and waits until the API server does as it
// was told.
func (g *guardedWorld) put(ctx context.Context, to level) error {
	for _, rail := range g.rails {
		if err := g.bind(ctx, rail.Policy.DeepCopy(), rail.Binding.DeepCopy(), to >= withRules); err != nil {
			return err
		}
	}
	for _, mutator := range g.mutators {
		if err := g.bind(ctx, mutator.Policy.DeepCopy(), mutator.Binding.DeepCopy(), to >= withDefaults); err != nil {
			return err
		}
	}
	g.level = to
	return nil
}

func (g *guardedWorld) bind(ctx context.Context, policy, binding client.Object, force bool) error {
	if !force {
		if err := client.IgnoreNotFound(g.Admin.Delete(ctx, binding)); err != nil {
			return fmt.Errorf("deleting binding %s: %w", binding.GetName(), err)
		}
		return nil
	}
	for _, object := range []client.Object{policy, binding} {
		if err := g.Admin.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// await waits until the guard-rails of the level are in force, and no others.
func (g *guardedWorld) await(ctx context.Context) error {
	err := wait.PollUntilContextTimeout(ctx, look, inForce, true, func(ctx context.Context) (bool, error) {
		refused, err := g.refuses(ctx)
		if err != nil || refused != (g.level >= withRules) {
			return false, err
		}
		defaults, err := g.defaults(ctx)
		return defaults == (g.level >= withDefaults), err
	})
	if err != nil {
		return fmt.Errorf("waiting until guard-rails are in force, or aren't: %w", err)
	}
	return nil
}

// refuses says whether the last rule is in force: it refuses to open a wall.
func (g *guardedWorld) refuses(ctx context.Context) (bool, error) {
	at := slices.IndexFunc(g.intents, func(i *engine.Intent) bool { return i.GVK.Kind == "NetworkPolicy" })
	if at < 0 {
		return false, errors.New("no tenant has a NetworkPolicy")
	}
	key := g.intents[at].Key
	_, err := g.member.NetworkingV1().NetworkPolicies(key.Namespace).Patch(ctx, key.Name, types.MergePatchType,
		[]byte(`{"spec":{"ingress":[{}]}}`), metav1.PatchOptions{DryRun: dryRun})
	return isRefusal(err, lastRail)
}

// isRefusal says whether an answer is a refusal by a rule, any if it is "". Other errors are returned.
func isRefusal(err error, rule string) (bool, error) {
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+rule) {
		return true, nil
	}
	return false, err
}

// defaults says whether the last default is in force: it sets a pull policy.
func (g *guardedWorld) defaults(ctx context.Context) (bool, error) {
	namespace, name := g.place(0, true)
	pod := typicalPod(name)
	pod.Spec.Containers[0].ImagePullPolicy = ""
	got, err := g.root.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: dryRun})
	if err != nil {
		return false, err
	}
	return got.Spec.Containers[0].ImagePullPolicy == typicalPod(name).Spec.Containers[1].ImagePullPolicy, nil
}

// spending is what an API server has spent since it started: time in its plugins for policies, and CPU time on everything.
type spending struct {
	policies, cpu time.Duration
}

// spent is what the API server has spent.
func (g *guardedWorld) spent(ctx context.Context) (spending, error) {
	raw, err := g.root.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return spending{}, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return readSpent(string(raw))
}

// readSpent reads the API server's metrics.
func readSpent(metrics string) (spending, error) {
	var spent spending
	for line := range strings.Lines(metrics) {
		to := &spent.cpu
		text, found := strings.CutPrefix(line, "process_cpu_seconds_total ")
		if labels, plugin := strings.CutPrefix(line, "apiserver_admission_controller_admission_duration_seconds_sum{"); plugin {
			found = strings.Contains(labels, `name="ValidatingAdmissionPolicy"`) || strings.Contains(labels, `name="MutatingAdmissionPolicy"`)
			to = &spent.policies
			_, text, _ = strings.Cut(labels, "} ")
		}
		if !found {
			continue
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return spending{}, fmt.Errorf("reading the API server's metric %q: %w", line, err)
		}
		*to += time.Duration(seconds * float64(time.Second))
	}
	return spent, nil
}
