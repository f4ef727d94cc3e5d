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

package attack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// TestAround is what the table has no words for: what clients are told besides the answer, real credentials, and what
// becomes of a rule when kube-controller-manager, the operator or the API server goes.
func TestAround(t *testing.T) {
	start(t)
	operator := startOperator(t)
	awaitTenants(t)
	letIn(t)
	awaitGuards(t)

	t.Run("break-glass is warned", breakGlassIsWarned)
	t.Run("nobody else is warned", nobodyElseIsWarned)
	t.Run("every pass leaves a trace", everyPassLeavesATrace)
	t.Run("who one is", identities)
	t.Run("every kind of workload runs", workloadsRun)
	t.Run("the quota", func(t *testing.T) { quotaLives(t, operator) })
}

const (
	coldQuota = uncounted + "resourcequotas/bulkhead"
	coldPods  = uncounted + "pods"
)

// quotaLives follows a namespace from before its quota is counted to after its quota is gone.
func quotaLives(t *testing.T, operator *env.RunningOperator) {
	if err := world.StopControllerManager(); err != nil {
		t.Fatal(err)
	}
	coldTenant(t)
	all := uncountedRules()
	refused, works := split(all)
	t.Logf("%d more attempts must be refused, %d must work", len(refused), len(works))
	t.Run("with the operator", func(t *testing.T) { round{number: 1}.run(t, all) })
	if err := operator.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("without the operator", func(t *testing.T) { round{number: 2}.run(t, all) })
	t.Run("after a restart of the API server", func(t *testing.T) {
		restartUnder(t, create("x", alice, coldPods, podNamed("generateName: early-"), ""))
		began := time.Now()
		round{number: 3, starting: true}.run(t, refused)
		t.Logf("%d refusals within %s", len(refused), time.Since(began).Round(time.Millisecond))
		round{number: 3, starting: true}.run(t, works)
	})
	if !traces(t).Has("bulkhead-quota-ready") {
		t.Error("break-glass ran a pod before the quota was counted, and the audit log doesn't say so")
	}
	t.Run("it is counted", quotaIsCounted)
	t.Run("it is forged", quotaIsForged)
	t.Run("it is changed while nobody counts", quotaIsChanged)
	t.Run("it is gone", quotaIsGone)
	t.Run("the binding comes back", bindingComesBack)
}

// coldTenant is a tenant whose quota nobody counts: it is made while kube-controller-manager is away.
func coldTenant(t *testing.T) {
	t.Helper()
	it := MakeTenant("quota-cold").Namespaces("quota-cold").
		Policy(Quota(corev1.ResourcePods, "50"), Quota(corev1.ResourceServices, "9"), Quota(corev1.ResourcePersistentVolumeClaims, "9")).
		Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Member("editors", v1alpha1.RoleEdit, User(erin.user)).Obj()
	if err := world.Admin.Create(t.Context(), it); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) string {
		if get(ctx, t, coldQuota) == nil {
			return "there is no quota"
		}
		if get(ctx, t, "/apis/rbac.authorization.k8s.io/v1/namespaces/quota-cold/rolebindings/bulkhead-editors") == nil {
			return "nobody has access"
		}
		return ""
	})
	// What kube-controller-manager would make. Without it every pod is refused for another reason.
	mustApply(t, uncounted+"serviceaccounts/default", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}`)
	// The server's roles have been read when the first request is refused by the rule.
	eventually(t, func(ctx context.Context) string {
		if got := send(ctx, t, create("x", erin, coldPods+"?dryRun=All", pod("early"), "")); !strings.Contains(got.message, "rule quota-ready") {
			return got.String()
		}
		return ""
	})
}

// restartUnder restarts the API server while somebody attacks.
func restartUnder(t *testing.T, attack attempt) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan answer, 1)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if got := send(ctx, t, attack); got.succeeded() {
				done <- got
				return
			}
		}
	}()
	restart(t)
	cancel()
	if got, passed := <-done; passed {
		t.Errorf("while the API server started, %s %s passed: %s", attack.method, attack.path, got)
	}
}

// podRuns waits until alice can make a pod, and says how long it took.
func podRuns(t *testing.T, name string) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, func(ctx context.Context) string {
		if got := send(ctx, t, create("x", alice, coldPods, pod(name), "")); !got.succeeded() {
			return got.String()
		}
		return ""
	})
	return time.Since(began)
}

func quotaIsCounted(t *testing.T) {
	if err := world.StartControllerManager(); err != nil {
		t.Fatal(err)
	}
	t.Logf("kube-controller-manager has counted after %s", podRuns(t, "counted").Round(time.Millisecond))
	// The Deployment that was made before gets its pod without anybody's help, but not at once: its controller waits
	// longer after each refusal, up to 16 minutes.
	works := round{}
	works.judge(t, create("tenants can't work", alice, uncounted+"services", service("name: counted"), ""))
	works.judge(t, create("tenants can't work", alice, uncounted+"persistentvolumeclaims", claim("name: counted", "1Gi"), ""))
	var last answer
	for n := range 10 {
		last = send(t.Context(), t, create("x", alice, uncounted+"services", service(fmt.Sprintf("name: more-%d", n)), ""))
	}
	if !strings.Contains(last.message, "exceeded quota: bulkhead") {
		t.Errorf("the quota is in force and limits nothing: %s", last)
	}
}

// quotaIsForged checks that whoever may write the status of quotas raises none with it: more than the spec says isn't in
// force, for nobody.
func quotaIsForged(t *testing.T) {
	const path = coldQuota + "/status?fieldManager=forger"
	r := round{}
	r.judge(t, patch("x", paula, path, `{"status":{"hard":{"pods":"1000"}}}`, ""))
	early := create("whoever writes a status raises a quota", alice, coldPods, pod("forged"), `for pods: spec.hard says 50, status.hard 1k;`)
	// The API server's cache is a moment behind.
	eventually(t, func(ctx context.Context) string {
		dry := early
		dry.path += "?dryRun=All"
		if got := send(ctx, t, dry); !strings.Contains(got.message, early.refused) {
			return got.String()
		}
		return ""
	})
	r.judge(t, early)
	r.judge(t, patch("x", paula, path, `{"status":{"hard":{"pods":"50"}}}`, ""))
	podRuns(t, "honest")
}

// quotaIsChanged checks what a tenant that runs can do when its budget changes while nobody counts.
func quotaIsChanged(t *testing.T) {
	if err := world.StopControllerManager(); err != nil {
		t.Fatal(err)
	}
	startOperator(t)
	podRuns(t, "kept")
	change := func(budget map[string]any) {
		t.Helper()
		tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "quota-cold"}}
		var says []string
		for key, amount := range budget {
			says = append(says, fmt.Sprintf("%q:%q", key, amount))
		}
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"quota":{"perNamespace":{`+strings.Join(says, ",")+`}}}}`))
		if err := world.Admin.Patch(t.Context(), tenant, patch); err != nil {
			t.Fatal(err)
		}
		eventually(t, func(ctx context.Context) string {
			it := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "quota-cold", Name: "bulkhead"}}
			if _, err := exists(ctx, it); err != nil {
				return err.Error()
			}
			for key, amount := range budget {
				if now := it.Spec.Hard[corev1.ResourceName(key)]; now.String() != amount {
					return fmt.Sprintf("%s is %s, not yet %s", key, now.String(), amount)
				}
			}
			return ""
		})
	}
	// waits is asked again while the API server's cache is older than what the operator wrote.
	waits := func(refused string) {
		t.Helper()
		eventually(t, func(ctx context.Context) string {
			if got := send(ctx, t, create("x", alice, coldPods+"?dryRun=All", pod("later"), "")); !strings.Contains(got.message, refused) {
				return got.String()
			}
			return ""
		})
	}
	change(map[string]any{"pods": "55"})
	round{}.judge(t, create("a larger budget stops the tenant", alice, coldPods, pod("raised"), ""))
	change(map[string]any{"pods": "40"})
	waits(`for pods: spec.hard says 40, status.hard 50;`)
	change(map[string]any{"pods": "50"})
	podRuns(t, "restored")
	change(map[string]any{"services.loadbalancers": "0"})
	waits(`for services.loadbalancers: spec.hard says 0, status.hard nothing;`)
	if err := world.StartControllerManager(); err != nil {
		t.Fatal(err)
	}
	podRuns(t, "counted-again")
}

// quotaIsGone checks that nothing starts without the quota, and that what must work does.
func quotaIsGone(t *testing.T) {
	operator := startOperator(t)
	awaitTenants(t)
	if err := operator.Stop(); err != nil {
		t.Fatal(err)
	}
	r := round{}
	r.judge(t, create("x", alice, coldPods, pod("last"), ""))
	r.judge(t, remove("nobody could help in an emergency", brook, coldQuota, ""))
	missing := func(by actor, path, body string) {
		t.Helper()
		eventually(t, func(ctx context.Context) string {
			got := send(ctx, t, create("x", by, path+"?dryRun=All", body, ""))
			if got.code == http.StatusUnprocessableEntity && strings.Contains(got.message, notFound) {
				return ""
			}
			return got.String()
		})
	}
	missing(alice, coldPods, pod("later"))
	missing(brook, coldPods, pod("later"))
	missing(alice, uncounted+"services", service("name: later"))
	r.judge(t, create("nodes can't be drained", paula, coldPods+"/last/eviction", `{apiVersion: policy/v1, kind: Eviction, metadata: {name: last, namespace: quota-cold}}`, ""))
	r.judge(t, force("tenants can't work", alice, uncounted+"configmaps/later", `{apiVersion: v1, kind: ConfigMap, metadata: {name: later}}`, ""))
	// Break-glass has a way out: without the label nothing waits.
	r.judge(t, patch("nobody could help in an emergency", brook, namespaces+"/quota-cold", `{"metadata":{"labels":{"guard.bulkhead.dev/quota":null}}}`, ""))
	podRuns(t, "unguarded")
	startOperator(t)
	awaitTenants(t)
	podRuns(t, "mended")
}

// bindingComesBack checks that the API server still follows ResourceQuotas after the one policy that has them for a
// parameter was without a binding: it stops what it started for parameters, and must not stop what its own quota
// admission lives on.
func bindingComesBack(t *testing.T) {
	startOperator(t)
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "bulkhead-quota-ready"}}
	if _, err := exists(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	if err := world.Admin.Delete(t.Context(), binding.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	// In the namespace without a quota nothing but the rule is in the way.
	free := create("x", masters, countless+"services?dryRun=All", service("name: free"), "").unquoted()
	for _, object := range free.given {
		mustApply(t, object[0], object[1])
	}
	eventually(t, func(ctx context.Context) string {
		if got := send(ctx, t, free); !got.succeeded() {
			return "the rule is still in force: " + got.String()
		}
		return ""
	})
	binding.ResourceVersion, binding.UID = "", ""
	if err := world.Admin.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) string {
		if got := send(ctx, t, free); got.succeeded() {
			return "the rule isn't in force again"
		}
		return ""
	})
	// A tenant from now on: its quota is seen, and limits.
	late := MakeTenant("quota-late").Namespaces("quota-late").Policy(Quota(corev1.ResourceServices, "1")).Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj()
	if err := world.Admin.Create(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) string {
		if got := send(ctx, t, create("x", alice, namespaces+"/quota-late/services", service("name: first"), "")); !got.succeeded() {
			return got.String()
		}
		return ""
	})
	round{}.judge(t, create("a quota that is in force limits nothing", alice, namespaces+"/quota-late/services", service("name: second"), "exceeded quota: bulkhead"))
}

// workloadsRun checks that kube-controller-manager makes the pods of every kind of workload, and claims with them, in a
// namespace with all walls.
func workloadsRun(t *testing.T) {
	mustApply(t, "/api/v1/nodes/node-1", `{apiVersion: v1, kind: Node, metadata: {name: node-1}}`)
	for kind, object := range workloads("living") {
		if kind == "cronjobs" {
			continue // It would be a year.
		}
		t.Run(kind, func(t *testing.T) {
			name := "living-" + kind
			body := strings.ReplaceAll(object[1], "living", name)
			if kind == "statefulsets" {
				body = strings.Replace(body, "replicas: 1", "volumeClaimTemplates: ["+claim("name: data", "1Gi")+"], replicas: 1", 1)
			}
			round{}.judge(t, create("tenants can't work", erin, object[0], body, ""))
			eventually(t, func(ctx context.Context) string {
				list := get(ctx, t, run+"pods?labelSelector=app%3D"+name)
				if items, _ := list.Object["items"].([]any); len(items) == 0 {
					return name + " has no pod"
				}
				return ""
			})
			if kind == "statefulsets" && get(t.Context(), t, run+"persistentvolumeclaims/data-"+name+"-0") == nil {
				t.Error("there is no claim")
			}
			round{}.judge(t, remove("tenants can't work", erin, object[0]+"/"+name+"?propagationPolicy=Foreground", ""))
			eventually(t, func(ctx context.Context) string {
				if get(ctx, t, object[0]+"/"+name) != nil {
					return name + " isn't collected"
				}
				return ""
			})
		})
	}
}
