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

package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	gomegatypes "github.com/onsi/gomega/types"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/redact"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// plantedMark is in every value that is planted, and in nothing else.
const plantedMark = "xyzzy-"

// planted is a value that nobody may ever see in what the operator says. It is a valid label value and user name, too.
func planted(where string) string { return plantedMark + where }

// foreignKey is a key of somebody else's, and noteKey one that a Tenant's spec sets.
const (
	foreignKey = "example.com/token"
	noteKey    = "example.com/note"
)

// plantIn puts planted values into annotations and labels of others.
func plantIn(object client.Object, where string) {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[foreignKey], annotations[foreignKey] = planted("label-"+where), planted("annotation-"+where)
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
}

// said is all that the operator says to anybody, by where.
func said(ctx context.Context, log *env.Log) map[string]string {
	GinkgoHelper()
	texts := map[string]string{"log": log.Text(), "metrics": metricsText(ctx)}
	for name, list := range map[string]client.ObjectList{
		"tenants": &v1alpha1.TenantList{}, "reports": &v1alpha1.DriftReportList{}, "events": &eventsv1.EventList{},
	} {
		Expect(world.Admin.List(ctx, list)).To(Succeed())
		text, err := json.Marshal(list)
		Expect(err).NotTo(HaveOccurred())
		texts[name] = string(text)
	}
	return texts
}

// metricsText is what the operator's metrics endpoint answers.
func metricsText(ctx context.Context) string {
	GinkgoHelper()
	answer := httptest.NewRecorder()
	question := httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	promhttp.HandlerFor(ctrlmetrics.Registry, promhttp.HandlerOpts{}).ServeHTTP(answer, question)
	Expect(answer.Code).To(Equal(http.StatusOK))
	return answer.Body.String()
}

// leaks are the planted values in a text, each with what stands around it.
func leaks(text string) []string {
	var found []string
	encoded := base64.StdEncoding.EncodeToString([]byte(plantedMark))
	for _, mark := range []string{plantedMark, encoded} {
		for from := 0; ; {
			at := strings.Index(strings.ToLower(text[from:]), strings.ToLower(mark))
			if at < 0 {
				break
			}
			at += from
			found = append(found, text[max(at-120, 0):min(at+60, len(text))])
			from = at + len(mark)
		}
	}
	return found
}

// saysNothingPlanted looks through all that the operator said.
func saysNothingPlanted(ctx context.Context, log *env.Log) {
	GinkgoHelper()
	for where, text := range said(ctx, log) {
		Expect(leaks(text)).To(BeEmpty(), "in the %s", where)
	}
}

// captureLog keeps the operator's log for the rest of the spec.
func captureLog() *env.Log {
	log := env.CaptureLog()
	DeferCleanup(log.Stop)
	return log
}

// withheld is a change whose values nobody is told.
func withheld(path string, change v1alpha1.FieldChange) v1alpha1.FieldDrift {
	return v1alpha1.FieldDrift{Path: path, Change: change, Redacted: true}
}

var _ = Describe("a secret value", func() {
	BeforeEach(operatorUp)

	It("in Secrets, ConfigMaps, labels and annotations is never told, though what differs is", func(ctx SpecContext) {
		log := captureLog()
		tenant := someTenant("secretive").Obj()
		tenant.Spec.Namespaces[0].Annotations = map[string]v1alpha1.AnnotationValue{noteKey: "from the spec"}
		tenant.Spec.Namespaces[0].Labels = map[string]v1alpha1.LabelValue{"team": "payments"}
		provision(ctx, tenant)
		plantBeside(ctx, "secretive")
		foreign := plantForeign(ctx, "secretive")
		corrected := plantInManaged(ctx, "secretive")

		By("waiting until all of it was found, and corrected or reported")
		items := append([]any{
			detail(foreign[0], v1alpha1.DriftObjectForeign, v1alpha1.DriftReported, nil),
			detail(foreign[1], v1alpha1.DriftObjectForeign, v1alpha1.DriftReported, nil),
		}, corrected...)
		Eventually(reportOf).WithContext(ctx).WithArguments("secretive").WithTimeout(2 * soon).Should(gstruct.PointTo(HaveField("Items", ContainElements(items...))))
		Eventually(conditionsOf).WithContext(ctx).WithArguments("secretive").Should(HaveKeyWithValue(v1alpha1.ConditionIsolated, HavePrefix("False ")))
		Eventually(eventsOf).WithContext(ctx).WithArguments("secretive").Should(And(
			HaveKey(v1alpha1.EventDriftCorrected), HaveKey(v1alpha1.EventForeignObjectDetected), HaveKey(v1alpha1.EventIsolationLost)))

		Eventually(driftOf).WithContext(ctx).WithArguments("secretive").Should(HaveField("Open", BeEquivalentTo(2)))

		By("reading all that the operator said")
		texts := said(ctx, log)
		// Of all that was corrected the status keeps the latest ten.
		Expect(texts["tenants"]).To(ContainSubstring("metadata.labels["))
		Expect(texts["reports"]).To(ContainSubstring("metadata.annotations[" + noteKey + "]"))
		Expect(texts["events"]).To(ContainSubstring("metadata.annotations[" + noteKey + "]"))
		Expect(texts["metrics"]).To(ContainSubstring(`bulkhead_isolation_findings{tenant="secretive",type="NetworkExposure"} 1`))
		saysNothingPlanted(ctx, log)

		By("looking at all of it once more, by a new process, which must say the same")
		operatorDown()
		operatorUp()
		Eventually(log.Text).Should(ContainSubstring("Starting workers"))
		Consistently(driftOf).WithContext(ctx).WithArguments("secretive").Should(HaveField("Open", BeEquivalentTo(2)))
		saysNothingPlanted(ctx, log)
	}, Serial)

	It("of a label that an opening selects by its key alone is not in the finding", func(ctx SpecContext) {
		log := captureLog()
		provision(ctx, MakeTenant("curious").Namespaces("curious").Policy(Allow(v1alpha1.Opening{
			Name: "marked", Direction: v1alpha1.Ingress,
			Peers: []v1alpha1.Peer{{Namespaces: &metav1.LabelSelector{
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: foreignKey, Operator: metav1.LabelSelectorOpExists}},
			}}},
		})).Obj())
		provision(ctx, MakeTenant("marked").Namespaces("marked").Obj())
		awaitIsolated(ctx, "curious")
		marked := namespaceNamed("marked")
		interfere(ctx, world.Admin, "kubectl-label", marked, func(n *corev1.Namespace) { plantIn(n, "selected") })
		Eventually(isolationOf).WithContext(ctx).WithArguments("curious").Should(findings(
			finding(v1alpha1.FindingLabelExposure, marked, v1alpha1.SeverityCritical, "label "+foreignKey+" on namespace marked")))
		saysNothingPlanted(ctx, log)
	})
})

// plantBeside plants values in what the tenant itself keeps in its namespace.
func plantBeside(ctx context.Context, namespace string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "keys"}
	secret := &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"key": planted("secret")}}
	config := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"key": planted("config-map")}}
	account := &corev1.ServiceAccount{ObjectMeta: meta}
	for _, object := range []client.Object{secret, config, account} {
		plantIn(object, "beside")
		Expect(world.Admin.Create(ctx, object)).To(Succeed())
	}
}

// plantForeign makes objects of others that open the namespace, with planted values beside what opens it.
func plantForeign(ctx context.Context, namespace string) []client.Object {
	GinkgoHelper()
	open := policyIn(namespace, "open")
	open.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "friends"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{User("outsider")},
	}
	for _, object := range []client.Object{open, binding} {
		plantIn(object, "foreign")
		Expect(world.Admin.Create(ctx, object)).To(Succeed())
	}
	return []client.Object{open, binding}
}

// plantInManaged plants values in the metadata of all that Bulkhead made for someTenant: in keys of others, which are no
// drift, in keys that the spec sets, and in keys that nobody may add. It returns what the report must say.
func plantInManaged(ctx context.Context, name string) []any {
	GinkgoHelper()
	namespace := namespaceNamed(name)
	interfere(ctx, world.Admin, "kubectl-edit", namespace, func(n *corev1.Namespace) {
		plantIn(n, "namespace")
		n.Annotations[noteKey], n.Labels["team"] = planted("note"), planted("team")
		n.Annotations[v1alpha1.GuardPrefix+"bypass"] = planted("guard")
		n.Annotations["resource.kubernetes.io/admin-access"] = planted("device")
	})
	items := []any{detail(namespace, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, gstruct.Fields{"Fields": ConsistOf(
		withheld("metadata.annotations["+noteKey+"]", v1alpha1.FieldChangeModified),
		withheld("metadata.labels[team]", v1alpha1.FieldChangeModified),
		withheld("metadata.annotations["+v1alpha1.GuardPrefix+"bypass]", v1alpha1.FieldChangeInjected),
		withheld("metadata.annotations[resource.kubernetes.io/admin-access]", v1alpha1.FieldChangeInjected),
	)})}
	// The garbage collector deletes what has an owner that doesn't exist.
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: planted("owner")}}
	Expect(world.Admin.Create(ctx, owner)).To(Succeed())
	for _, object := range managedObjects(name) {
		interfere(ctx, world.Admin, "kubectl-edit", object, func(o client.Object) {
			plantIn(o, "managed")
			o.GetLabels()[v1alpha1.LabelManagedBy] = "somebody"
			if o.GetNamespace() != "" {
				o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}})
			}
		})
		if object.GetNamespace() != "" {
			items = append(items, detail(object, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, gstruct.Fields{"Fields": ContainElements(
				HaveField("Path", pathManagedLabel), withheld("metadata.ownerReferences", v1alpha1.FieldChangeInjected),
			)}))
		}
	}
	return items
}

var _ = Describe("the name of a field manager", func() {
	BeforeEach(operatorUp)

	// declares lets each of the managers change a quota of its own: an object has but a few corrections at full speed.
	declares := func(ctx context.Context, prefix string, managers ...string) {
		GinkgoHelper()
		for i, manager := range managers {
			tenant := fmt.Sprintf("%s-%d", prefix, i)
			provision(ctx, someTenant(tenant).Obj())
			quota := quotaIn(tenant)
			interfere(ctx, world.Admin, manager, quota, func(q *corev1.ResourceQuota) { q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("91") })
			Eventually(recentOf).WithContext(ctx).WithArguments(tenant).Should(ConsistOf(
				item(quota, v1alpha1.DriftFieldModified, v1alpha1.DriftCorrected, gstruct.Fields{"Manager": presentable(manager)})))
			Eventually(reportOf).WithContext(ctx).WithArguments(tenant).Should(gstruct.PointTo(HaveField("Items", ConsistOf(
				HaveField("Attribution.Manager", presentable(manager))))))
			Eventually(notesOf).WithContext(ctx).WithArguments(tenant).Should(ContainElement(ContainSubstring("(client-declared)")))
			Expect(notesOf(ctx, tenant)).To(HaveEach(Satisfy(visible)))
		}
	}

	It("is shown as the client declared it: the API server takes none that is long, or isn't one line", func(ctx SpecContext) {
		provision(ctx, someTenant("hostile").Obj())
		for _, manager := range []string{"a\nb", "\x1b[31mred", "left\u202eright", "\x00", strings.Repeat("m", 129)} {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"hard":{"pods":"90"}}}`))
			Expect(world.Admin.Patch(ctx, quotaIn("hostile"), patch, client.FieldOwner(manager))).To(MatchError(ContainSubstring("fieldManager")), "%q", manager)
		}
		declares(ctx, "declared", strings.Repeat("m", 128), `"><script>alert(1)</script>`, "e\u0301\u0301\u0301", "%s%n %!d(MISSING)")
	})

	It("is shown with something in place of what can't be seen", func(ctx SpecContext) {
		declares(ctx, "unseen", "blank\u2800", "\u3164")
	})
})

// presentable matches a manager's name, or what is left of it when what can't be seen is replaced.
func presentable(manager string) gomegatypes.GomegaMatcher {
	return And(Satisfy(visible), WithTransform(utf8.RuneCountInString, Equal(utf8.RuneCountInString(manager))))
}

// visible reports whether a text is one line of at most 1024 characters, all of which can be seen.
func visible(text string) bool {
	return utf8.RuneCountInString(text) <= 1024 && !strings.ContainsFunc(text, func(r rune) bool { return !redact.Visible(r) })
}

// notesOf are the texts of a tenant's events.
func notesOf(ctx context.Context, tenant string) ([]string, error) {
	list := &eventsv1.EventList{}
	if err := world.Admin.List(ctx, list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
		return nil, err
	}
	var notes []string
	for i := range list.Items {
		if list.Items[i].Regarding.Kind == "Tenant" && list.Items[i].Regarding.Name == tenant {
			notes = append(notes, list.Items[i].Note)
		}
	}
	return notes, nil
}

var _ = Describe("a value that the API server echoes", func() {
	BeforeEach(operatorUp)

	DescribeTable("when it refuses a correction is not told", Serial, func(ctx SpecContext, name string, reason metav1.StatusReason) {
		log := captureLog()
		provision(ctx, someTenant(name).Obj())
		wall := defaultDeny(name)
		interfere(ctx, world.Admin, "kubectl-annotate", wall, func(p *networkingv1.NetworkPolicy) { plantIn(p, "echoed") })
		refuse(ctx, name, reason)
		Eventually(func() error { // once the policy is in force
			return world.Admin.Patch(ctx, policyIn(name, wall.Name), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"probe":"x"}}}`)))
		}).Should(MatchError(ContainSubstring(plantedMark)), "the refusal echoes nothing: there is nothing to be seen here")
		interfere(ctx, world.Admin, "exempt", wall, func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} })

		Eventually(conditionsOf).WithContext(ctx).WithArguments(name).Should(HaveKeyWithValue(v1alpha1.ConditionNetworkReady, HavePrefix("False ")))
		Eventually(driftOf).WithContext(ctx).WithArguments(name).Should(HaveField("Top", ConsistOf(
			item(wall, v1alpha1.DriftFieldInjected, v1alpha1.DriftFailed, nil))))
		Eventually(reportOf).WithContext(ctx).WithArguments(name).Should(gstruct.PointTo(HaveField("Open", BeEquivalentTo(1))))
		Eventually(eventsOf).WithContext(ctx).WithArguments(name).Should(HaveKey(v1alpha1.EventDriftCorrectionFailed))
		saysNothingPlanted(ctx, log)
	},
		Entry("as forbidden", "echo-forbidden", metav1.StatusReasonForbidden),
		Entry("as invalid", "echo-invalid", metav1.StatusReasonInvalid),
		Entry("as too large, which is tried again and logged", "echo-too-large", metav1.StatusReasonRequestEntityTooLarge),
	)
})

// refuse lets nobody but the field manager "exempt" change a NetworkPolicy in a namespace, and says why by quoting it.
func refuse(ctx context.Context, namespace string, reason metav1.StatusReason) {
	GinkgoHelper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "echo." + namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
					Rule: admissionregistrationv1.Rule{
						APIGroups: []string{networkingv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"networkpolicies"},
					},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{
				Expression:        `request.options.?fieldManager.orValue("") == "exempt" || object.metadata.namespace != "` + namespace + `"`,
				MessageExpression: `"frozen: its token is " + object.metadata.annotations["` + foreignKey + `"]`,
				Reason:            &reason,
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "echo." + namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	create(ctx, policy, binding)
}
