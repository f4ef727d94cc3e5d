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

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// unguarded takes the guard-rails out of force, and waits until the API server has seen it. The yardstick is what the API
// server can do by itself: whoever passes the guard-rails as the bare client does is judged by them, is warned of each
// object, and is stamped, which the operator is spared, but for the stamp.
func (w *world) unguarded(ctx context.Context) error {
	for _, binding := range []client.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{},
	} {
		err := w.Admin.DeleteAllOf(ctx, binding, client.MatchingLabels{"app.kubernetes.io/part-of": "bulkhead"})
		if err != nil && !meta.IsNoMatchError(err) {
			return fmt.Errorf("taking the guard-rails out of force: %w", err)
		}
	}
	heard := &warnings{}
	config := rest.CopyConfig(w.Config())
	config.WarningHandler = heard
	root, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the client that asks for the guard-rails: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, look, inForce, true, func(ctx context.Context) (bool, error) {
		heard.count = 0
		got, err := root.NetworkingV1().NetworkPolicies(metav1.NamespaceDefault).Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
			Name: "unguarded", Labels: map[string]string{v1alpha1.LabelTenant: "none", v1alpha1.LabelManagedBy: v1alpha1.ManagedByBulkhead},
		}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return false, err
		}
		_, stamped := got.Annotations[v1alpha1.AnnotationLastChangedBy]
		return heard.count == 0 && !stamped, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until the guard-rails are out of force: %w", err)
	}
	return nil
}

// warnings counts what the API server warns of.
type warnings struct{ count int }

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(int, string, string) { w.count++ }
