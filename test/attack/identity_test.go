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
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

const (
	// mutating is the kind that identity and defaults need.
	mutating = "MutatingAdmissionPolicy"
	// stampedBy and stampedFrom are the stamp's annotations, and forged one that names another.
	stampedBy   = v1alpha1.AnnotationLastChangedBy
	stampedFrom = v1alpha1.AnnotationLastChangedFrom
	forged      = `{"` + stampedBy + `":"alice","` + stampedFrom + `":"1","mine":"$N"}`
	mutators    = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/"

	identityDev = "/api/v1/namespaces/identity-dev"
	defaultsAt  = identityDev + "/"
)

// installMutating installs the stamp and the defaults where the API server knows their kind.
func installMutating(t *testing.T, root string) {
	t.Helper()
	eventually(t, func(ctx context.Context) (lacking string) {
		able, lacking = abilities(ctx, t)
		return lacking
	})
	if !able[mutating] {
		return
	}
	if out, err := world.Kubectl(t.Context(), "apply", "--server-side", "-k", filepath.Join(root, "config", "admission", "mutating")); err != nil {
		t.Fatalf("Installing config/admission/mutating: %v\n%s", err, out)
	}
}

// identityTenants have all defaults.
func identityTenants() []*v1alpha1.Tenant {
	return []*v1alpha1.Tenant{
		MakeTenant("identity").Policy(Enforce(v1alpha1.PodSecurityBaseline), func(p *v1alpha1.PolicyBlocks) {
			p.Placement = &v1alpha1.Placement{
				NodeSelector: map[string]v1alpha1.NodeLabelValue{"example.com/pool": "$(tenant)"},
				Tolerations:  []v1alpha1.Toleration{{Key: "dedicated", Value: "identity", Effect: corev1.TaintEffectNoSchedule}},
			}
			p.Storage = &v1alpha1.Storage{ClassNames: []v1alpha1.ObjectName{"fast", "slow"}}
			p.Ingress = &v1alpha1.IngressPolicy{ClassNames: []v1alpha1.ObjectName{"own", "other"}, Hostnames: []v1alpha1.Hostname{"identity.example.com"}}
			p.Images = &v1alpha1.Images{PullPolicy: v1alpha1.PullAlways}
		}).Namespace("identity-dev", WithAnnotation("example.com/owner", "identity")).Member("owners", v1alpha1.RoleAdmin, User(alice.user)).Obj(),
	}
}

// identityRules are attempts on the stamp that says who changed an object last, and on what sets it.
func identityRules() table {
	const threat = "another is named for what was done"
	const off = "nobody is named any more"
	const prod = "/api/v1/namespaces/acme-prod"
	all := table{
		"identity: the stamp of a wall": patch(threat, oscar, denial, `{"metadata":{"annotations":`+forged+`}}`, mine+`NetworkPolicy "bulkhead-default-deny"`),
		"identity: the stamp as a label": patch(threat, oscar, prod, `{"metadata":{"labels":{"`+stampedBy+`":"alice"}}}`,
			`rule namespace-metadata: namespace "acme-prod": label `+stampedBy+` must not become "alice"`),
		"identity: the stamp of nobody's namespace": patch(threat, nadia, "/api/v1/namespaces/commons", `{"metadata":{"annotations":`+forged+`}}`,
			`rule namespace-ownership: namespace "commons": annotation `+stampedBy),
		"identity: pods get no nodes any more": patch(off, nadia, identityDev, `{"metadata":{"labels":{"guard.bulkhead.dev/default-nodes":null}}}`,
			`tenant "identity", rule namespace-metadata: namespace "identity-dev": label guard.bulkhead.dev/default-nodes must not become ""`),
		"identity: pods get no pull policy any more": patch(off, nadia, identityDev, `[{"op":"remove","path":"/metadata/labels/guard.bulkhead.dev~1default-pull-policy"}]`,
			`tenant "identity", rule namespace-metadata: namespace "identity-dev": label guard.bulkhead.dev/default-pull-policy must not become ""`),
		"identity: the label is there and says no": patch("no more than a label that is there selects", nadia, identityDev, `{"metadata":{"labels":{"guard.bulkhead.dev/default-nodes":"No"}}}`,
			`label guard.bulkhead.dev/default-nodes must not become "No", it is to stay "Required"`),
		"identity: no annotations are listed any more": patch(off, nadia, identityDev, `{"metadata":{"annotations":{"guard.bulkhead.dev/annotations":null}}}`,
			`namespace "identity-dev": annotation guard.bulkhead.dev/annotations must not become "", it is to stay "example.com/owner"`),
		"identity: another list of annotations": patch(off, oscar, prod, `{"metadata":{"annotations":{"guard.bulkhead.dev/annotations":"none"}}}`,
			`rule namespace-metadata: namespace "acme-prod": annotation guard.bulkhead.dev/annotations must not become "none"`),
		"identity: another key that begins alike": patch("what the operator keeps is forged", oscar, prod, `{"metadata":{"annotations":{"`+stampedBy+`-too":"oscar"}}}`,
			`rule namespace-metadata: namespace "acme-prod": annotation `+stampedBy+`-too must not become "oscar"`),
		"identity: the policy is deleted":    remove(off, alice, mutators+"bulkhead-identity", `cannot delete resource`).needing(mutating),
		"identity: the policy spares me":     patch(off, oscar, mutators+"bulkhead-identity", `{"spec":{"failurePolicy":"Ignore"}}`, `cannot patch resource`).needing(mutating),
		"identity: another policy overrides": create(off, alice, strings.TrimSuffix(mutators, "/"), `{}`, `cannot create resource`).needing(mutating),
	}
	for name, a := range map[string]attempt{
		"a nodeSelector of one's own": create("pods run on nodes of others", alice, defaultsAt+"pods", defaultPod("worse", "nodeSelector: {example.com/pool: other},"), `rule scheduling: Pod "worse" must select its nodes by example.com/pool=identity`),
		"a foreign StorageClass":      create("storage of others", alice, defaultsAt+"persistentvolumeclaims", defaultClaim("worse", "storageClassName: foreign, "), `rule storage`),
		"a foreign IngressClass": create("traffic of others", alice, "/apis/networking.k8s.io/v1/namespaces/identity-dev/ingresses",
			defaultIngress("worse", "ingressClassName: foreign, "), `rule ingress`),
	} {
		all["identity: no default for "+name] = a.needing(mutating)
	}
	return all
}

func defaultPod(name, spec string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: ` + name + `}, spec: {` + spec + ` initContainers: [{name: i, image: x}], containers: [{name: c, image: "x:1"}]}}`
}

func defaultClaim(name, spec string) string {
	return `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: ` + name + `}, spec: {` + spec + `accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`
}

func defaultIngress(name, spec string) string {
	return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ` + name + `}, spec: {` + spec +
		`rules: [{host: identity.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: x, port: {number: 80}}}}]}}]}}`
}

// stampRefused checks that nobody writes a stamp in another's name where the API server doesn't overwrite it.
func (r round) stampRefused(t *testing.T) {
	const prod = "/api/v1/namespaces/acme-prod"
	for name, a := range (table{
		"another's name": patch("another is named for what was done", oscar, prod, `{"metadata":{"annotations":`+forged+`}}`,
			`rule namespace-metadata: namespace "acme-prod": annotation `+stampedBy+` must not become "alice"`),
		"his own": patch("it harms nobody", oscar, prod, `{"metadata":{"annotations":{"`+stampedBy+`":"oscar"}}}`, ""),
	}) {
		t.Run(name, func(t *testing.T) { r.judge(t, a) })
	}
}

// stampTells checks whom the stamp names, whatever a client says.
func (r round) stampTells(t *testing.T) {
	if !able[mutating] {
		r.stampRefused(t)
		return
	}
	const namespace = "/api/v1/namespaces/acme-dev"
	given := r.numbered(forged)
	as := func(by actor, path, kind, body string) attempt {
		return attempt{by: by, method: http.MethodPatch, path: path, kind: kind, body: body}
	}
	applied := func(annotations string) string {
		return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"acme-dev","annotations":` + annotations + `}}`
	}
	puts := func(path string) attempt {
		return attempt{by: oscar, method: http.MethodPut, path: path, kind: "application/json", change: func(u *unstructured.Unstructured) {
			annotated(stampedBy, "alice")(u)
			annotated("puts", r.numbered("$N")+path)(u)
		}}
	}
	// In this order: some begin where the one before ended.
	for _, step := range []struct {
		name string
		attempt
		path, want string
	}{
		{"merge patch", as(oscar, namespace, merge, `{"metadata":{"annotations":`+given+`}}`), namespace, "oscar"},
		{"JSON patch", as(oscar, namespace, jsonPatch, `[{"op":"add","path":"/metadata/annotations/tenancy.bulkhead.dev~1last-changed-by","value":"alice"},{"op":"add","path":"/metadata/annotations/json","value":"`+r.numbered("$N")+`"}]`), namespace, "oscar"},
		{"merge patch of the status", as(oscar, namespace+"/status", merge, `{"metadata":{"annotations":{"`+stampedBy+`":"alice","status":"`+r.numbered("$N")+`"}}}`), namespace, "oscar"},
		{"PUT", puts(namespace), namespace, "oscar"},
		{"PUT of the status", puts(namespace + "/status"), namespace, "oscar"},
		{"PUT of the finalizers", puts(namespace + "/finalize"), namespace, "oscar"},
		{"apply", as(oscar, namespace+"?fieldManager=oscar&force=true", apply, applied(given)), namespace, "oscar"},
		{"another's name only", as(oscar, namespace, merge, `{"metadata":{"annotations":{"`+stampedBy+`":"alice"}}}`), namespace, "oscar"},
		{"taking it off", as(nadia, namespace, merge, `{"metadata":{"annotations":{"`+stampedBy+`":null,"`+stampedFrom+`":null}}}`), namespace, "nadia"},
		{"break-glass at a door", as(brook, bindings+"/bulkhead-viewers", merge, r.numbered(`{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve-$N"}]}`)), bindings + "/bulkhead-viewers", "brook"},
	} {
		t.Run(step.name, func(t *testing.T) {
			before := get(t.Context(), t, step.path)
			// A stamp that was there can't be taken for that of this request.
			got := r.settle(t, step.attempt, answer.succeeded)
			if !got.succeeded() {
				t.Fatalf("refused: %s", got)
			}
			annotations := got.object.GetAnnotations()
			if annotations[stampedBy] != step.want || annotations[stampedFrom] != before.GetResourceVersion() {
				t.Errorf("stamped %q from %q, want %q from %q", annotations[stampedBy], annotations[stampedFrom], step.want, before.GetResourceVersion())
			}
			if got.object.GetResourceVersion() == before.GetResourceVersion() {
				t.Error("nothing was written")
			}
		})
	}
	t.Run("what changes nothing stays so", func(t *testing.T) {
		// After the first, each says again what is there.
		same := r.numbered(`{"same":"$N"}`)
		var version string
		for i, a := range []attempt{
			as(nadia, namespace+"?fieldManager=nadia&force=true", apply, applied(same)),
			as(nadia, namespace+"?fieldManager=nadia&force=true", apply, applied(same)),
			as(oscar, namespace, merge, `{"metadata":{"annotations":`+same+`}}`),
			{by: oscar, method: http.MethodPut, path: namespace, kind: "application/json", change: func(*unstructured.Unstructured) {}},
			{by: brook, method: http.MethodPut, path: denial, kind: "application/json", change: func(*unstructured.Unstructured) {}},
		} {
			if a.path == denial {
				version = get(t.Context(), t, denial).GetResourceVersion()
			}
			got := r.settle(t, a, answer.succeeded)
			if !got.succeeded() {
				t.Fatalf("%d is refused: %s", i, got)
			}
			if i > 0 && got.object.GetResourceVersion() != version {
				t.Errorf("%d wrote: %v", i, got.object.GetAnnotations())
			}
			version = got.object.GetResourceVersion()
		}
	})
	t.Run("what Bulkhead keeps of others' keys", func(t *testing.T) {
		// The Tenant lists the annotation, whoever may own its key.
		got := r.settle(t, as(nadia, identityDev, merge, r.numbered(`{"metadata":{"annotations":{"example.com/owner":"o-$N"}}}`)), answer.succeeded)
		if !got.succeeded() || got.object.GetAnnotations()[stampedBy] != "nadia" {
			t.Errorf("stamped %v: %s", got.object.GetAnnotations(), got)
		}
	})
	t.Run("what Bulkhead doesn't keep", func(t *testing.T) {
		got := r.settle(t, as(paula, identityDev, merge, r.numbered(`{"metadata":{"annotations":{"example.com/note":"n-$N"}}}`)), answer.succeeded)
		if by := got.object.GetAnnotations()[stampedBy]; !got.succeeded() || by == "" || by == "paula" {
			t.Errorf("stamped %q, want who was there before: %s", by, got)
		}
	})
	t.Run("the operator's own writes", func(t *testing.T) {
		for _, path := range []string{denial, owners, limits} {
			if got := get(t.Context(), t, path).GetAnnotations()[stampedBy]; got != env.OperatorUser {
				t.Errorf("%s was last changed by %q", path, got)
			}
		}
	})
}

// defaultsWork checks what the API server fills in for tenants.
func (r round) defaultsWork(t *testing.T) {
	skipWithout(t, mutating)
	name := r.numbered("default-$N")
	for _, c := range []struct {
		path, body string
		want       map[string]any
	}{
		{defaultsAt + "pods/" + name, defaultPod(name, "restartPolicy: Never,"), map[string]any{
			"spec.nodeSelector":                     map[string]any{"example.com/pool": "identity"},
			"spec.containers.0.imagePullPolicy":     "Always",
			"spec.initContainers.0.imagePullPolicy": "Always",
			"spec.tolerations.+":                    map[string]any{"key": "dedicated", "operator": "Equal", "value": "identity", "effect": "NoSchedule"},
			"spec.tolerations.0.key":                "node.kubernetes.io/not-ready",
		}},
		{defaultsAt + "pods/said-" + name, strings.Replace(defaultPod("said-"+name, ""), `"x:1"`, `"x:1", imagePullPolicy: Always`, 1), map[string]any{"spec.containers.0.imagePullPolicy": "Always"}},
		{defaultsAt + "persistentvolumeclaims/" + name, defaultClaim(name, ""), map[string]any{"spec.storageClassName": "fast"}},
		{"/apis/networking.k8s.io/v1/namespaces/identity-dev/ingresses/" + name, defaultIngress(name, ""), map[string]any{"spec.ingressClassName": "own"}},
		{"/apis/apps/v1/namespaces/identity-dev/daemonsets/" + name, `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ` + name + `}, spec: {selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {nodeSelector: {mine: "1"}, containers: [{name: c, image: x}]}}}}`, map[string]any{
			"spec.template.spec.nodeSelector":  map[string]any{"example.com/pool": "identity", "mine": "1"},
			"spec.template.spec.tolerations.+": map[string]any{"key": "dedicated", "operator": "Equal", "value": "identity", "effect": "NoSchedule"},
		}},
		{defaultsAt + "serviceaccounts/" + name, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ` + name + `, labels: {app: d}}}`, map[string]any{"automountServiceAccountToken": false}},
		{defaultsAt + "serviceaccounts/" + name + "-in", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ` + name + `-in}, automountServiceAccountToken: true}`, map[string]any{"automountServiceAccountToken": true}},
	} {
		t.Run(lastOf(strings.TrimSuffix(c.path, "/"+lastOf(c.path)))+" "+lastOf(c.path), func(t *testing.T) {
			// Twice: what was filled in is no reason to write again.
			var version string
			for i := range 2 {
				got := r.settle(t, force("", alice, c.path, c.body, ""), answer.succeeded)
				if !got.succeeded() {
					t.Fatalf("refused: %s", got)
				}
				for path, want := range c.want {
					if found := valueAt(got.object.Object, strings.Split(path, ".")...); fmt.Sprint(found) != fmt.Sprint(want) {
						t.Errorf("%s is %v, want %v", path, found, want)
					}
				}
				// Controllers write these two.
				quiet := got.object.GetKind() != "DaemonSet" && got.object.GetKind() != "PersistentVolumeClaim"
				if i > 0 && quiet && got.object.GetResourceVersion() != version {
					t.Error("saying it again wrote")
				}
				version = got.object.GetResourceVersion()
			}
		})
	}
	t.Run("the account that is there", func(t *testing.T) {
		if got := get(t.Context(), t, defaultsAt+"serviceaccounts/default"); got == nil || fmt.Sprint(valueAt(got.Object, "automountServiceAccountToken")) != "false" {
			t.Errorf("the account default has tokens: %v", got)
		}
	})
}

// valueAt is what is in an object at a path, whose steps may be keys with dots, the position in a list, or "+" for its last
// item.
func valueAt(at any, path ...string) any {
	for _, step := range path {
		switch here := at.(type) {
		case map[string]any:
			at = here[step]
		case []any:
			i := len(here) - 1
			if step != "+" {
				if _, err := fmt.Sscan(step, &i); err != nil || i >= len(here) {
					return nil
				}
			}
			if i < 0 {
				return nil
			}
			at = here[i]
		default:
			return nil
		}
	}
	return at
}
