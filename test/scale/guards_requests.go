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
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// dryRun is for requests whose answer alone is of interest.
var dryRun = []string{metav1.DryRunAll}

// kind is one kind of request, made in a tenant's namespace with a name that was never used before.
type kind struct {
	name string
	// filled says that it is made where pods get defaults.
	filled bool
	reach
	make func(ctx context.Context, namespace, name string) error
	// undo takes away what it left, while no clock runs; nil if nothing.
	undo func(ctx context.Context, namespace, name string) error
	// twin is the same request, by the same person, but one that a rule must refuse, as a dry run; nil if there is none.
	twin func(ctx context.Context, namespace, name string) error
}

// kindsOf are the requests that are measured: real ones, which are stored, as a dry run isn't.
func (g *guardedWorld) kindsOf() []kind {
	return []kind{g.creatingPods(false), g.creatingPolicies(), g.annotating(), g.creatingOthers(), g.creatingPods(true)}
}

// creatingPods are pods that lack nothing: where there are defaults, these are looked for all the same.
func (g *guardedWorld) creatingPods(filled bool) kind {
	now := int64(0)
	return kind{
		name:   map[bool]string{false: "create a pod", true: "create a pod, for a tenant with defaults"}[filled],
		filled: filled,
		reach:  reach{group: "", resource: "pods", operation: admissionregistrationv1.Create, namespace: g.labels(filled)},
		make: func(ctx context.Context, namespace, name string) error {
			_, err := g.member.CoreV1().Pods(namespace).Create(ctx, typicalPod(name), metav1.CreateOptions{})
			return err
		},
		undo: func(ctx context.Context, namespace, name string) error {
			return g.root.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		},
		twin: func(ctx context.Context, namespace, name string) error {
			pod := typicalPod(name)
			pod.Spec.Containers[0].Image = "registry.example.net/other/app:latest"
			_, err := g.member.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: dryRun})
			return err
		},
	}
}

func (g *guardedWorld) creatingPolicies() kind {
	return kind{
		name:  "create a NetworkPolicy",
		reach: reach{group: networkingv1.GroupName, resource: "networkpolicies", operation: admissionregistrationv1.Create, namespace: g.labels(false)},
		make: func(ctx context.Context, namespace, name string) error {
			_, err := g.member.NetworkingV1().NetworkPolicies(namespace).Create(ctx, typicalPolicy(name, g.tenantOf[namespace]), metav1.CreateOptions{})
			return err
		},
		undo: func(ctx context.Context, namespace, name string) error {
			return g.root.NetworkingV1().NetworkPolicies(namespace).Delete(ctx, name, metav1.DeleteOptions{})
		},
		twin: func(ctx context.Context, namespace, name string) error {
			policy := typicalPolicy(name, g.tenantOf[namespace])
			policy.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
			_, err := g.member.NetworkingV1().NetworkPolicies(namespace).Create(ctx, policy, metav1.CreateOptions{DryRun: dryRun})
			return err
		},
	}
}

func (g *guardedWorld) annotating() kind {
	patch := func(ctx context.Context, namespace, body string, options metav1.PatchOptions) error {
		_, err := g.platform.CoreV1().Namespaces().Patch(ctx, namespace, types.MergePatchType, []byte(body), options)
		return err
	}
	return kind{
		name:  "annotate a namespace",
		reach: reach{group: "", resource: "namespaces", operation: admissionregistrationv1.Update, object: g.labels(false), namespace: g.labels(false)},
		make: func(ctx context.Context, namespace, name string) error {
			return patch(ctx, namespace, fmt.Sprintf(`{"metadata":{"annotations":{"example.com/touched":%q}}}`, name), metav1.PatchOptions{})
		},
		twin: func(ctx context.Context, namespace, _ string) error {
			return patch(ctx, namespace, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`, metav1.PatchOptions{DryRun: dryRun})
		},
	}
}

// creatingOthers is what most requests are: no rule is about them, which the API server must find out of each rule.
func (g *guardedWorld) creatingOthers() kind {
	return kind{
		name:  "create a ConfigMap",
		reach: reach{group: "", resource: "configmaps", operation: admissionregistrationv1.Create, namespace: g.labels(false)},
		make: func(ctx context.Context, namespace, name string) error {
			_, err := g.member.CoreV1().ConfigMaps(namespace).Create(ctx, typicalSettings(name), metav1.CreateOptions{})
			return err
		},
		undo: func(ctx context.Context, namespace, name string) error {
			return g.root.CoreV1().ConfigMaps(namespace).Delete(ctx, name, metav1.DeleteOptions{})
		},
	}
}

// labels are those of a tenant's namespace.
func (g *guardedWorld) labels(filled bool) labels.Set {
	for _, intent := range g.intents {
		if intent.GVK.Kind == "Namespace" && slices.Contains(g.places[filled], intent.Key.Name) {
			return intent.Object.GetLabels()
		}
	}
	return nil
}

// request makes a request, and returns how long it took.
func (g *guardedWorld) request(ctx context.Context, kind int) (time.Duration, error) {
	namespace, name := g.place(g.serial, g.kinds[kind].filled)
	g.serial++
	start := time.Now()
	err := g.kinds[kind].make(ctx, namespace, name)
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("in namespace %s, guard-rails: %s: %w", namespace, g.level, err)
	}
	if undo := g.kinds[kind].undo; undo != nil {
		g.left = append(g.left, func(ctx context.Context) error { return undo(ctx, namespace, name) })
	}
	return took, nil
}

// clean takes away what requests left.
func (g *guardedWorld) clean(ctx context.Context) error {
	for _, undo := range g.left {
		if err := undo(ctx); err != nil {
			return fmt.Errorf("cleaning up: %w", err)
		}
	}
	g.left = nil
	return nil
}

// sure fails unless such a request is judged if, and only if, the rules are in force.
func (g *guardedWorld) sure(ctx context.Context, kind int) error {
	k := g.kinds[kind]
	if k.twin == nil {
		return nil
	}
	namespace, name := g.place(g.serial, k.filled)
	g.serial++
	refused, err := isRefusal(k.twin(ctx, namespace, name), "")
	if err != nil {
		return fmt.Errorf("finding out whether such requests are judged: %w", err)
	}
	if refused != (g.level >= withRules) {
		return fmt.Errorf("such requests are judged: %t, although the guard-rails are: %s", refused, g.level)
	}
	return nil
}

// place is where a request goes, tenant by tenant, and the name that it uses.
func (g *guardedWorld) place(serial int, filled bool) (namespace, name string) {
	return g.places[filled][serial%len(g.places[filled])], fmt.Sprintf("measured-%06d", serial)
}
