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
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// warnings keeps what the API server warns a client of.
type warnings []string

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { *w = append(*w, text) }

// warned makes an attempt as kubectl would, and returns what the rule break-glass warns of.
func warned(t *testing.T, a attempt) (spoken []string) {
	t.Helper()
	var all warnings
	config := world.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: a.by.user, Groups: append([]string{"system:authenticated"}, a.by.groups...)}
	config.WarningHandler = &all
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(a.body)
	if a.change != nil {
		body = changed(t.Context(), t, a)
	}
	request := clients.RESTClient().Verb(a.method).RequestURI(asDryRun(a.path))
	if len(body) > 0 {
		request = request.SetHeader("Content-Type", a.kind).Body(body)
	}
	if err := request.Do(t.Context()).Error(); err != nil && a.refused == "" {
		t.Errorf("%s %s by %s must work: %v", a.method, a.path, a.by.user, err)
	} else if a.refused != "" && (err == nil || !strings.Contains(err.Error(), a.refused)) {
		t.Errorf("%s %s by %s must be refused with %q: %v", a.method, a.path, a.by.user, a.refused, err)
	}
	for _, text := range all {
		if strings.Contains(text, "bulkhead-break-glass") {
			spoken = append(spoken, text)
		}
	}
	return spoken
}

func asDryRun(path string) string {
	switch {
	case strings.Contains(path, "dryRun=All"):
		return path
	case strings.Contains(path, "?"):
		return path + "&dryRun=All"
	default:
		return path + "?dryRun=All"
	}
}

const (
	cluster = "/apis/rbac.authorization.k8s.io/v1/clusterroles/bulkhead:tenant:acme"
	undone  = ", which Bulkhead manages: it is drift and will be undone; change "
)

// breakGlassIsWarned checks what break-glass is told, and that it is true.
func breakGlassIsWarned(t *testing.T) {
	weaken := `{"metadata":{"labels":{"` + psa + `":"privileged"}}}`
	addition := `[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}}]`
	for name, tc := range map[string]struct {
		path, body string
		want       string
	}{
		"a wall is opened":       {denial, `{"spec":{"ingress":[{}]}}`, `you changed NetworkPolicy "bulkhead-default-deny"` + undone + `spec.network`},
		"a wall is nobody's":     {denial, unlabelled, `you changed NetworkPolicy "bulkhead-default-deny"` + undone + `spec.network`},
		"a wall is deleted":      {denial, "", `you deleted NetworkPolicy "bulkhead-default-deny"` + undone + `spec.network`},
		"the quota is raised":    {quota, `{"spec":{"hard":{"pods":"1000"}}}`, `you changed ResourceQuota "bulkhead"` + undone + `spec.quota`},
		"the limits are deleted": {limits, "", `you deleted LimitRange "bulkhead"` + undone + `spec.limits`},
		"somebody is let in":     {owners, addition, `you changed RoleBinding "bulkhead-owners"` + undone + `spec.members`},
		"a role is widened":      {cluster, `[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}}]`, `you changed ClusterRole "bulkhead:tenant:acme"` + undone + `spec.members`},
		"Pod Security":           {prod, weaken, `you changed ` + psa + ` of namespace "acme-prod"` + undone + `spec.podSecurity`},
		"at the back":            {prod + "/status", weaken, `you changed ` + psa + ` of namespace "acme-prod"` + undone + `spec.podSecurity`},
		"the tenant is stripped": {prod, `{"metadata":{"labels":{"tenancy.bulkhead.dev/tenant":null}}}`, `you changed tenancy.bulkhead.dev/tenant of namespace "acme-prod"` + undone + `spec.namespaces`},
		"a namespace is deleted": {dev, "", `you deleted namespace "acme-dev": Bulkhead creates it again, empty, while the Tenant lists it; change spec.namespaces`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, who := range []actor{brook, masters} {
				a := patch("x", who, tc.path, tc.body, "")
				if tc.body == "" {
					a = remove("x", who, tc.path, "")
				}
				want := []string{`Validation failed for ValidatingAdmissionPolicy 'bulkhead-break-glass' with binding 'bulkhead-break-glass': tenant "acme", rule break-glass: ` +
					tc.want + ` of Tenant "acme" instead, or set its spec.drift.mode to Observe, which undoes nothing`}
				if diff := cmp.Diff(want, warned(t, a)); diff != "" {
					t.Errorf("warnings of %s (-want +got):\n%s", who.user, diff)
				}
			}
		})
	}
	t.Run("it is undone", func(t *testing.T) {
		round{}.judge(t, patch("nobody could help in an emergency", brook, denial, `{"spec":{"ingress":[{}]}}`, ""))
		eventually(t, func(ctx context.Context) string {
			spec, _ := get(ctx, t, denial).Object["spec"].(map[string]any)
			if _, open := spec["ingress"]; open {
				return "the wall is still open"
			}
			return ""
		})
	})
}

// nobodyElseIsWarned checks that others aren't bothered, nor break-glass with what changes nothing of Bulkhead's.
func nobodyElseIsWarned(t *testing.T) {
	operator := serviceAccount("bulkhead-system", "bulkhead")
	own := `{"metadata":{"labels":{"mine":"1"},"annotations":{"mine":"1"}}}`
	open := `{"spec":{"ingress":[{}]}}`
	for name, a := range map[string]attempt{
		"a label on a wall":           patch("x", brook, denial, own, ""),
		"a label on a namespace":      patch("x", brook, prod, own, ""),
		"nothing changes":             patch("x", masters, denial, `{}`, ""),
		"nothing changes by PUT":      replace("x", masters, owners, annotated("mine", "1"), ""),
		"nothing of a namespace":      patch("x", masters, prod, `{}`, ""),
		"an object of nobody's":       force("x", brook, core+"configmaps/own", `{apiVersion: v1, kind: ConfigMap, metadata: {name: own}}`, ""),
		"a namespace of nobody's":     patch("x", brook, namespaces+"/commons", own, ""),
		"admin is refused":            patch("x", alice, denial, open, "rule managed-objects"),
		"cluster admin is refused":    patch("x", paula, denial, open, "rule managed-objects"),
		"the operator":                patch("x", operator, denial, open, ""),
		"the operator's namespaces":   patch("x", operator, prod, `{"metadata":{"labels":{"`+psa+`":"baseline"}}}`, ""),
		"the garbage collector":       remove("x", serviceAccount("kube-system", "generic-garbage-collector"), denial, ""),
		"the namespace controller":    remove("x", serviceAccount("kube-system", "namespace-controller"), denial, ""),
		"the quota is counted":        replace("x", serviceAccount("kube-system", "resourcequota-controller"), quota+"/status", annotated("mine", "1"), ""),
		"break-glass counts, if ever": patch("x", brook, quota+"/status", `{"status":{"used":{"pods":"1"}}}`, ""),
	} {
		t.Run(name, func(t *testing.T) {
			if spoken := warned(t, a); len(spoken) > 0 {
				t.Errorf("warned of %q", spoken)
			}
		})
	}
}

// everyPassLeavesATrace makes everything that must be refused as break-glass, as a dry run: no rule is in its way, and the
// audit log says which it has passed. None is left out.
func everyPassLeavesATrace(t *testing.T) {
	r, tried := round{number: 1}, 0
	for name, a := range attempts() {
		// Without a quota a rule asks nobody who he is.
		if a.refused == "" || a.invalid {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			skipWithout(t, a.needs...)
			for _, object := range a.given {
				mustApply(t, r.numbered(object[0]), r.numbered(object[1]))
			}
			a.by, a.path, a.body = brook, asDryRun(r.numbered(a.path)), r.numbered(a.body)
			// What comes of it besides is no matter: the object may be there already, or not.
			got := send(t.Context(), t, a)
			if strings.Contains(got.message, "ValidatingAdmissionPolicy 'bulkhead-") || strings.Contains(got.message, "is forbidden: User") {
				t.Errorf("%s %s by break-glass must pass: %s", a.method, a.path, got)
			}
		})
	}
	t.Logf("%d attempts that must be refused pass by break-glass", tried)
	traced := traces(t)
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	resources := served(t)
	for _, rail := range rails {
		// That quotas count is beyond the table; see quotaLives.
		if len(rail.Policy.Spec.AuditAnnotations) == 0 || rail.Name() == "bulkhead-quota-ready" || traced.Has(rail.Name()) {
			continue
		}
		for _, rule := range rail.Policy.Spec.MatchConstraints.ResourceRules {
			if resources.HasAny(rule.Resources...) {
				t.Errorf("no pass of %s is in the audit log", rail.Name())
				break
			}
		}
	}
}

// traces are the rules that brook has passed by what the audit log says.
func traces(t *testing.T) sets.Set[string] {
	t.Helper()
	log, err := os.ReadFile(world.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	found := sets.New[string]()
	lines := bufio.NewScanner(bytes.NewReader(log))
	lines.Buffer(nil, len(log)+1)
	for lines.Scan() {
		var event struct {
			Annotations      map[string]string
			ImpersonatedUser struct{ Username string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if event.ImpersonatedUser.Username != brook.user {
			continue
		}
		for key := range event.Annotations {
			if rule, trace := strings.CutSuffix(key, "/break-glass"); trace {
				found.Insert(rule)
			}
		}
	}
	return found
}
