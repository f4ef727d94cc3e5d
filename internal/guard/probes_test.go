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
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// TestProbesHitOne runs the API server's own admission plugin on each probe, with one guard-rail at a time: its own
// refuses it in the words that the prober looks for, and no other one refuses it. Of two refusals the API server would
// tell one by chance.
func TestProbesHitOne(t *testing.T) {
	t.Parallel()
	rails := guard.Expect(shipped(t), guard.Settings{})
	namespaces, err := guard.ProbeNamespaces(rails)
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for name, data := range namespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: data.Labels, Annotations: data.Annotations}})
	}
	for _, rail := range rails {
		t.Run(rail.Name(), func(t *testing.T) {
			if rail.Denies() && rail.Probe == nil {
				t.Errorf("it has no probe: nothing would show whether it is in force")
			}
			plugin := admissionPlugin(t, append([]runtime.Object{rail.Policy, rail.Binding}, objects...)...)
			for _, other := range rails {
				if other.Probe == nil {
					continue
				}
				err := plugin.Validate(t.Context(), attributes(t, other.Probe, objects), admission.NewObjectInterfacesFromScheme(kubernetesscheme.Scheme))
				switch text := fmt.Sprint(err); {
				case rail.Name() != other.Name():
					if err != nil {
						t.Errorf("the probe of %s is refused: %v", other.Name(), err)
					}
				case !strings.Contains(text, "ValidatingAdmissionPolicy '"+rail.Name()+"'") || !strings.Contains(text, other.Probe.Refusal):
					t.Errorf("its probe: %v, want a refusal with %q", err, other.Probe.Refusal)
				}
			}
		})
	}
}

// admissionPlugin is the API server's plugin in a cluster of these objects, ready to be asked.
func admissionPlugin(t testing.TB, objects ...runtime.Object) *validating.Plugin {
	t.Helper()
	plugin, err := validating.NewPlugin(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(factory)
	plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()))
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ResourceQuota"), meta.RESTScopeNamespace)
	plugin.SetRESTMapper(mapper)
	plugin.SetDrainedNotification(t.Context().Done())
	plugin.SetUnconditionalAuthorizer(authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
		return authorizer.DecisionNoOpinion, "", nil
	}))
	if err := plugin.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	if !plugin.WaitForReady() {
		t.Fatal("the plugin isn't ready")
	}
	return plugin
}

// attributes are a probe as the API server sees it, made by the operator.
func attributes(t *testing.T, probe *guard.Probe, objects []runtime.Object) admission.Attributes {
	t.Helper()
	gvk, gr := probe.Object.GroupVersionKind(), probe.GroupResource()
	object, operation := runtime.Object(probe.Object.DeepCopy()), admission.Create
	var old runtime.Object
	if probe.Method == guard.Patch {
		operation = admission.Update
		for _, candidate := range objects {
			if namespace, ok := candidate.(*corev1.Namespace); ok && namespace.Name == probe.Object.GetName() {
				changed := namespace.DeepCopy()
				maps.Copy(changed.Labels, probe.Object.GetLabels())
				old, object = namespace, changed
			}
		}
	}
	operator := &user.DefaultInfo{Name: "system:serviceaccount:" + v1alpha1.DefaultOperatorNamespace + ":bulkhead", Groups: []string{
		"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:" + v1alpha1.DefaultOperatorNamespace,
	}}
	return admission.NewAttributesRecord(object, old, gvk, probe.In(), probe.Object.GetName(),
		schema.GroupVersionResource{Group: gr.Group, Version: gvk.Version, Resource: gr.Resource}, "", operation, &metav1.CreateOptions{}, true, operator)
}
