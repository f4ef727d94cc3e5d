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

package guard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
	"github.com/bulkhead-dev/bulkhead/internal/operator"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	networkPolicies = "bulkhead-network-policies"
	images          = "bulkhead-images"
)

// allProven are the states when nothing is wrong: some guard-rails are about APIs that this control plane doesn't serve.
func allProven() map[string]string {
	want := map[string]string{}
	for _, rail := range rails {
		want[rail.Name()] = string(guard.Proven)
	}
	for _, name := range []string{
		"bulkhead-ingress-routes", "bulkhead-ingress-gateways", "bulkhead-ingress-grants", "bulkhead-scheduling-groups",
	} {
		want[name] = string(guard.NotApplicable)
	}
	return want
}

// guarded is the condition of a tenant.
func guarded(ctx context.Context, tenant string) (*metav1.Condition, error) {
	object := &v1alpha1.Tenant{}
	if err := world.Admin.Get(ctx, client.ObjectKey{Name: tenant}, object); err != nil {
		return nil, err
	}
	return meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionGuarded), nil
}

// beProven is a condition that says that all is well.
var beProven = And(HaveField("Status", metav1.ConditionTrue), HaveField("Reason", v1alpha1.ReasonProven), HaveField("Message", ""))

// notes are the notes of the events of a reason about an object, and the kinds of what they are related to.
func notes(ctx context.Context, object, reason string) ([]string, error) {
	list := &eventsv1.EventList{}
	if err := world.Admin.List(ctx, list); err != nil {
		return nil, err
	}
	var found []string
	for i := range list.Items {
		if e := &list.Items[i]; e.Regarding.Name == object && e.Reason == reason {
			text := e.Note
			if e.Related != nil {
				text += " [" + e.Related.Kind + " " + e.Related.Name + "]"
			}
			found = append(found, text)
		}
	}
	return found, nil
}

// probes are the dry-runs of the operator from some time on, by what the audit log says of them.
func probes(since time.Time) ([]env.Request, error) {
	var found []env.Request
	err := world.Requests(func(r *env.Request) {
		if strings.HasSuffix(r.UserAgent, guard.UserAgent) && r.RequestReceivedTimestamp.After(since) {
			found = append(found, *r)
		}
	})
	return found, err
}

func edit(ctx context.Context, object client.Object, name string, kind types.PatchType, body string) {
	GinkgoHelper()
	object.SetName(name)
	Expect(world.Admin.Patch(ctx, object, client.RawPatch(kind, []byte(body)), client.FieldOwner("sneaky"))).To(Succeed())
}

func policy() client.Object  { return &admissionregistrationv1.ValidatingAdmissionPolicy{} }
func binding() client.Object { return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{} }

func remove(ctx context.Context, object client.Object, name string) {
	GinkgoHelper()
	object.SetName(name)
	Expect(world.Admin.Delete(ctx, object)).To(Succeed())
}

// repair installs a guard-rail anew: server-side apply would leave what others have added.
func repair(ctx context.Context, name string) {
	GinkgoHelper()
	for _, object := range []client.Object{policy(), binding()} {
		object.SetName(name)
		Expect(client.IgnoreNotFound(world.Admin.Delete(ctx, object))).To(Succeed())
	}
	install(ctx, "admission")
}

// repairIfFailed leaves nothing behind for other specs, even if it is too late for this one.
func repairIfFailed(ctx context.Context, name string) {
	if CurrentSpecReport().Failed() {
		repair(ctx, name)
	}
}

var _ = Describe("guard-rails that are installed", Ordered, ContinueOnFailure, func() {
	var process *running

	BeforeAll(func(ctx SpecContext) {
		began := time.Now()
		process = startOperator(nil)
		Expect(world.Admin.Create(ctx, MakeTenant("acme").Namespaces("acme-prod").Obj())).To(Succeed())
		Eventually(states).Should(Equal(allProven()))
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		Eventually(guarded).WithContext(ctx).WithArguments("acme").Should(beProven)
		asked, err := probes(began)
		Expect(err).NotTo(HaveOccurred())
		GinkgoWriter.Printf("%d probes until all was proven\n", len(asked))
	})

	It("are asked about by dry-runs that store nothing", func(ctx SpecContext) {
		asked, err := probes(time.Time{})
		Expect(err).NotTo(HaveOccurred())
		Expect(asked).NotTo(BeEmpty())
		for _, r := range asked {
			Expect(r.RequestURI).To(ContainSubstring("dryRun=All"))
		}
		for _, namespace := range []string{v1alpha1.GuardProbeNamespace, v1alpha1.GuardProbeQuotaNamespace} {
			out, err := world.Kubectl(ctx, "get", "-n", namespace, "-o", "name", "pods,services,endpointslices,ingresses,networkpolicies,"+
				"persistentvolumeclaims,limitranges,driftreports,roles,rolebindings,resourcequotas")
			Expect(err).NotTo(HaveOccurred())
			Expect(strings.Fields(out)).To(ConsistOf("role.rbac.authorization.k8s.io/bulkhead-guard-probe",
				"rolebinding.rbac.authorization.k8s.io/bulkhead-guard-probe", "resourcequota/bulkhead-guard-probe"))
		}
		live := &corev1.Namespace{}
		Expect(world.Admin.Get(ctx, client.ObjectKey{Name: v1alpha1.GuardProbeNamespace}, live)).To(Succeed())
		Expect(live.Labels).To(HaveKeyWithValue(v1alpha1.LabelTenant, ""))
		Expect(live.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
	})

	It("cost nothing while nothing changes", func() {
		// What the operator wrote into the namespaces is a change, too.
		Eventually(func() ([]env.Request, error) { return probes(time.Now().Add(-aWhile)) }).Should(BeEmpty())
		began := time.Now()
		Consistently(probes).WithArguments(began).Should(BeEmpty())
	})

	It("are proven again after a change that changes nothing", func(ctx SpecContext) {
		before, err := guarded(ctx, "acme")
		Expect(err).NotTo(HaveOccurred())
		edit(ctx, policy(), networkPolicies, types.MergePatchType, `{"metadata":{"labels":{"team":"platform"},"annotations":{"note":"mine"}}}`)
		second := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		second.Name, second.Spec.PolicyName = "of-the-platform", networkPolicies
		second.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
		Expect(world.Admin.Create(ctx, second)).To(Succeed())
		Consistently(states).Should(Equal(allProven()))
		Expect(world.Admin.Delete(ctx, second)).To(Succeed())
		Expect(guarded(ctx, "acme")).To(Equal(before))
	})

	DescribeTable("are lost, and come back",
		func(ctx SpecContext, state guard.State, name, says string, lose func(context.Context)) {
			DeferCleanup(repairIfFailed, name)
			lose(ctx)
			want := allProven()
			want[name] = string(state)
			Eventually(states).WithTimeout(5 * time.Second).Should(Equal(want))
			Eventually(guarded).WithContext(ctx).WithArguments("acme").WithTimeout(5 * time.Second).Should(And(
				HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonNotInstalled),
				HaveField("Message", "guard-rail "+name+": "+says)))
			Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusInternalServerError))
			Eventually(notes).WithContext(ctx).WithArguments("acme", v1alpha1.EventGuardLost).Should(
				ContainElement(HaveSuffix(" [ValidatingAdmissionPolicy "+name+"]")), "one event for all that are about the same object")
			ready := &v1alpha1.Tenant{}
			Expect(world.Admin.Get(ctx, client.ObjectKey{Name: "acme"}, ready)).To(Succeed())
			Expect(meta.IsStatusConditionTrue(ready.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "it is no wall of the tenant's own")

			repair(ctx, name)
			Eventually(states).Should(Equal(allProven()))
			Eventually(guarded).WithContext(ctx).WithArguments("acme").Should(beProven)
			Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
			Eventually(notes).WithContext(ctx).WithArguments("acme", v1alpha1.EventGuardRestored).ShouldNot(BeEmpty())
		},
		Entry("with the policy", guard.NotInstalled, networkPolicies, "its policy is not installed",
			func(ctx context.Context) { remove(ctx, policy(), networkPolicies) }),
		Entry("with the binding", guard.NotInstalled, networkPolicies, "its binding is not installed",
			func(ctx context.Context) { remove(ctx, binding(), networkPolicies) }),
		Entry("if the binding only audits", guard.Edited, networkPolicies,
			`its binding is not what this version of Bulkhead ships: spec.validationActions[="Audit"], spec.validationActions[="Deny"] `+
				`(last written by field manager "sneaky", client-declared)`,
			func(ctx context.Context) {
				edit(ctx, binding(), networkPolicies, types.MergePatchType, `{"spec":{"validationActions":["Audit"]}}`)
			}),
		Entry("if the binding selects", guard.Edited, networkPolicies,
			`its binding is not what this version of Bulkhead ships: spec.matchResources (last written by field manager "sneaky", client-declared)`,
			func(ctx context.Context) {
				edit(ctx, binding(), networkPolicies, types.MergePatchType, `{"spec":{"matchResources":{"namespaceSelector":{"matchLabels":{"x":"y"}}}}}`)
			}),
		Entry("if a condition lets nobody be judged", guard.Edited, networkPolicies,
			`its policy is not what this version of Bulkhead ships: spec.matchConditions[name="never"] (last written by field manager "sneaky", client-declared)`,
			func(ctx context.Context) {
				edit(ctx, policy(), networkPolicies, types.JSONPatchType, `[{"op":"add","path":"/spec/matchConditions/-","value":{"name":"never","expression":"false"}}]`)
			}),
		Entry("if fewer namespaces are selected", guard.Edited, networkPolicies,
			`its policy is not what this version of Bulkhead ships: spec.matchConstraints (last written by field manager "sneaky", client-declared)`,
			func(ctx context.Context) {
				edit(ctx, policy(), networkPolicies, types.MergePatchType, `{"spec":{"matchConstraints":{"namespaceSelector":{"matchLabels":{"x":"y"}}}}}`)
			}),
		Entry("if it fails open", guard.Edited, networkPolicies,
			`its policy is not what this version of Bulkhead ships: spec.failurePolicy (last written by field manager "sneaky", client-declared)`,
			func(ctx context.Context) {
				edit(ctx, policy(), networkPolicies, types.MergePatchType, `{"spec":{"failurePolicy":"Ignore"}}`)
			}),
	)

	It("count for those who rely on them", func(ctx SpecContext) {
		tenant := MakeTenant("photo").Namespaces("photo-prod").Spec(func(s *v1alpha1.TenantSpec) {
			s.Images = &v1alpha1.Images{Registries: []v1alpha1.Registry{"registry.photo.example/"}}
		}).Obj()
		Expect(world.Admin.Create(ctx, tenant)).To(Succeed())
		Eventually(guarded).WithContext(ctx).WithArguments("photo").Should(beProven)
		DeferCleanup(repairIfFailed, images)
		remove(ctx, binding(), images)
		Eventually(guarded).WithContext(ctx).WithArguments("photo").Should(HaveField("Reason", v1alpha1.ReasonNotInstalled))
		Consistently(guarded).WithContext(ctx).WithArguments("acme").Should(beProven)
		repair(ctx, images)
		Eventually(guarded).WithContext(ctx).WithArguments("photo").Should(beProven)
	})

	It("are proven where no tenant can be", func(ctx SpecContext) {
		Expect(world.Admin.Create(ctx, MakeTenant("greedy").Namespace(v1alpha1.GuardProbeNamespace, Adopt()).Obj())).To(Succeed())
		open := v1alpha1.Opening{Name: "tenants", Direction: v1alpha1.Ingress, Peers: []v1alpha1.Peer{{Namespaces: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.LabelTenant, Operator: metav1.LabelSelectorOpExists}},
		}}}}
		Expect(world.Admin.Create(ctx, MakeTenant("hub").Namespaces("hub-prod").Policy(Allow(open)).Obj())).To(Succeed())
		condition := func(ctx context.Context, tenant, of string) (string, error) {
			object := &v1alpha1.Tenant{}
			err := world.Admin.Get(ctx, client.ObjectKey{Name: tenant}, object)
			c := meta.FindStatusCondition(object.Status.Conditions, of)
			if err != nil || c == nil {
				return "", err
			}
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message), nil
		}
		Eventually(condition).WithContext(ctx).WithArguments("greedy", v1alpha1.ConditionReady).Should(
			Equal("False NamespaceConflict: NamespacesReady: namespace bulkhead-guard-probe is reserved: guard-rails are proven there"))
		Eventually(condition).WithContext(ctx).WithArguments("hub", v1alpha1.ConditionIsolated).Should(HavePrefix("True NoExposure"))
		Consistently(condition).WithContext(ctx).WithArguments("hub", v1alpha1.ConditionIsolated).Should(HavePrefix("True NoExposure"))
		Expect(states()).To(Equal(allProven()))
	})

	It("are proven by the namespaces' data, which is put back", func(ctx SpecContext) {
		edit(ctx, &corev1.Namespace{}, v1alpha1.GuardProbeNamespace, types.MergePatchType,
			`{"metadata":{"labels":{"`+v1alpha1.LabelTenant+`":null},"annotations":{"`+v1alpha1.GuardRegistries+`":null}}}`)
		Eventually(func(ctx context.Context) (map[string]string, error) {
			live := &corev1.Namespace{}
			err := world.Admin.Get(ctx, client.ObjectKey{Name: v1alpha1.GuardProbeNamespace}, live)
			return live.Annotations, err
		}).WithContext(ctx).Should(HaveKeyWithValue(v1alpha1.GuardRegistries, "registry.bulkhead.invalid/"))
		Consistently(states).Should(Equal(allProven()))
	})

	It("stay said to be proven when the operator starts again, which writes nothing", func(ctx SpecContext) {
		process.stop()
		began := time.Now()
		process = startOperator(nil)
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		writes := func() ([]string, error) {
			var found []string
			err := world.Requests(func(r *env.Request) {
				if r.RequestReceivedTimestamp.After(began) && !strings.Contains(r.RequestURI, "dryRun=All") && r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" {
					found = append(found, r.String())
				}
			})
			return found, err
		}
		Consistently(writes).Should(BeEmpty())
		asked, err := probes(began)
		Expect(err).NotTo(HaveOccurred())
		var got, want []string
		for _, r := range asked {
			got = append(got, r.Verb+" "+r.ObjectRef.Resource)
		}
		for _, rail := range rails {
			if rail.Probe != nil {
				want = append(want, string(rail.Probe.Method)+" "+rail.Probe.Resource)
			}
		}
		Expect(got).To(ConsistOf(want), "each is asked about once")
	})

	It("survive a restart of the API server", func(ctx SpecContext) {
		process.stop()
		process = startOperator(func(o *operator.Options) { o.GuardProbeInterval = time.Second })
		Eventually(process.ready).WithContext(ctx).Should(Equal(http.StatusOK))
		before, err := guarded(ctx, "acme")
		Expect(err).NotTo(HaveOccurred())
		Expect(world.RestartAPIServer(ctx)).To(Succeed())
		restarted := time.Now()
		Eventually(func() (int, error) {
			asked, err := probes(restarted)
			return len(asked), err
		}).Should(BeNumerically(">", 2*len(rails)))
		Consistently(states).Should(Equal(allProven()))
		Expect(guarded(ctx, "acme")).To(Equal(before))
	})
})
