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
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	merge     = "application/merge-patch+json"
	jsonPatch = "application/json-patch+json"
	apply     = "application/apply-patch+yaml"
	document  = "application/yaml"

	// patience is how long an attempt is made again while its answer says nothing yet (a conflict, a server that starts).
	patience = 15 * time.Second
	// often is how long to wait between two of them.
	often = 50 * time.Millisecond
)

// actor is who makes an attempt, by impersonation.
type actor struct {
	user   string
	groups []string
}

// serviceAccount is a ServiceAccount as an actor, with the groups that its token would give it.
func serviceAccount(namespace, name string) actor {
	return actor{
		user:   "system:serviceaccount:" + namespace + ":" + name,
		groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace},
	}
}

// attempt is one request and what must come of it. "$N" in path and body is the number of the round, so that what works
// works again in the next one.
type attempt struct {
	// threat is what would be lost, or what would stop working.
	threat string
	by     actor
	method string
	path   string
	// kind is the content type of body.
	kind string
	body string
	// change makes the body of a PUT from the object that is at path, without its subresource.
	change func(*unstructured.Unstructured)
	// given are objects that a cluster admin makes first: the first is their path, the second their YAML.
	given [][2]string
	// refused is a part of the message of the refusal; empty if the attempt must succeed.
	refused string
	// code is that of the refusal; 0 for 403.
	code int
	// invalid says that the API itself refuses it: the code is 400 or 422.
	invalid bool
	// needs is what not every version of Kubernetes has and the attempt is about: a kind ("MutatingAdmissionPolicy"), a
	// subresource ("pods/resize") or a feature gate ("ImageVolume"). Without it the attempt is skipped.
	needs []string
}

// table is attempts by their names.
type table map[string]attempt

func (t table) add(others ...table) table {
	for _, other := range others {
		for name, a := range other {
			if _, twice := t[name]; twice {
				panic("there are two attempts named " + name)
			}
			t[name] = a
		}
	}
	return t
}

// answer is what the API server said.
type answer struct {
	code    int
	message string
	object  *unstructured.Unstructured
}

func (a answer) String() string { return fmt.Sprintf("%d: %s", a.code, a.message) }

func (a answer) succeeded() bool { return a.code >= 200 && a.code < 300 }

func (a answer) isInvalid() bool {
	return a.code == http.StatusUnprocessableEntity || a.code == http.StatusBadRequest
}

// round is one run of the table.
type round struct {
	number int
	// starting says that the API server was started a moment ago: what it refuses for other reasons is asked again.
	starting bool
}

func (r round) run(t *testing.T, all table) {
	for name, a := range all {
		t.Run(name, func(t *testing.T) { r.judge(t, a) })
	}
}

// judge makes an attempt until its answer says something. What must be refused and passes fails at once.
func (r round) judge(t *testing.T, a attempt) {
	t.Helper()
	if a.threat == "" {
		t.Error("no threat is named")
	}
	skipWithout(t, a.needs...)
	a.path, a.body = r.numbered(a.path), r.numbered(a.body)
	for _, object := range a.given {
		put := attempt{by: masters, method: http.MethodPatch, path: r.numbered(object[0]) + "?fieldManager=given&force=true", kind: apply, body: r.numbered(object[1])}
		if got := r.settle(t, put, answer.succeeded); !got.succeeded() {
			t.Fatalf("Making what is given: %s", got)
		}
	}
	if a.invalid {
		if got := r.settle(t, a, answer.isInvalid); !got.isInvalid() {
			t.Errorf("%s %s by %s must be invalid: %s", a.method, a.path, a.by.user, got)
		}
		return
	}
	if a.refused == "" {
		if got := r.settle(t, a, answer.succeeded); !got.succeeded() {
			t.Errorf("%s %s by %s must work: %s", a.method, a.path, a.by.user, got)
		}
		return
	}
	var passed bool
	code := cmp.Or(a.code, http.StatusForbidden)
	got := r.settle(t, a, func(got answer) bool {
		passed = passed || got.succeeded()
		return passed || got.code == code && strings.Contains(got.message, a.refused)
	})
	switch {
	case passed:
		t.Errorf("%s %s by %s passed, want a refusal that says %q", a.method, a.path, a.by.user, a.refused)
	case got.code != code || !strings.Contains(got.message, a.refused):
		t.Errorf("%s %s by %s: want %d and %q, got %s", a.method, a.path, a.by.user, code, a.refused, got)
	}
}

// settle makes an attempt until its answer is what is looked for, or can't change any more.
func (r round) settle(t *testing.T, a attempt, done func(answer) bool) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got := send(ctx, t, a)
		if done(got) || !r.transient(got) {
			return got
		}
		select {
		case <-ctx.Done():
			return got
		case <-time.After(often):
		}
	}
}

func (r round) transient(got answer) bool {
	switch got.code {
	case http.StatusConflict, http.StatusTooManyRequests:
		return true
	case http.StatusOK, http.StatusCreated:
		return false
	default:
		return r.starting || got.code == http.StatusServiceUnavailable
	}
}

func (r round) numbered(text string) string {
	return strings.ReplaceAll(text, "$N", fmt.Sprint(r.number))
}

// send makes one request.
func send(ctx context.Context, t *testing.T, a attempt) answer {
	t.Helper()
	body := []byte(a.body)
	if a.change != nil {
		body = changed(ctx, t, a)
	}
	request, err := http.NewRequestWithContext(ctx, a.method, world.Config().Host+a.path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Impersonate-User", a.by.user)
	for _, group := range append([]string{"system:authenticated"}, a.by.groups...) {
		request.Header.Add("Impersonate-Group", group)
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", a.kind)
	}
	response, err := caller.Do(request)
	if err != nil {
		return answer{code: http.StatusServiceUnavailable, message: err.Error()}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{code: http.StatusServiceUnavailable, message: err.Error()}
	}
	got := answer{code: response.StatusCode, message: string(content), object: &unstructured.Unstructured{}}
	if err := json.Unmarshal(content, &got.object.Object); err == nil && got.object.GetKind() == "Status" {
		got.message, _, _ = unstructured.NestedString(got.object.Object, "message")
	}
	return got
}

// changed is the body of a PUT.
func changed(ctx context.Context, t *testing.T, a attempt) []byte {
	t.Helper()
	path, _, _ := strings.Cut(a.path, "?")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/status"), "/finalize")
	got := send(ctx, t, attempt{by: masters, method: http.MethodGet, path: path})
	if !got.succeeded() {
		return nil // the server isn't there yet; the request fails too
	}
	a.change(got.object)
	body, err := json.Marshal(got.object.Object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// get is an object as a cluster admin sees it, or nil if there is none.
func get(ctx context.Context, t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	got := round{starting: true}.settle(t, attempt{by: masters, method: http.MethodGet, path: path}, func(got answer) bool {
		return got.succeeded() || got.code == http.StatusNotFound || ctx.Err() != nil
	})
	if !got.succeeded() {
		return nil
	}
	return got.object
}

// mustApply creates objects as a cluster admin, by server-side apply.
func mustApply(t *testing.T, path, text string) {
	t.Helper()
	got := round{}.settle(t, attempt{by: masters, method: http.MethodPatch, path: path + "?fieldManager=given&force=true", kind: apply, body: text}, answer.succeeded)
	if !got.succeeded() {
		t.Fatalf("Applying %s: %s", path, got)
	}
}

// The requests, in short.

func remove(threat string, by actor, path, refused string) attempt {
	return attempt{threat: threat, by: by, method: http.MethodDelete, path: path, refused: refused}
}

func patch(threat string, by actor, path, body, refused string) attempt {
	kind := merge
	if strings.HasPrefix(body, "[") {
		kind = jsonPatch
	}
	return attempt{threat: threat, by: by, method: http.MethodPatch, path: path, kind: kind, body: body, refused: refused}
}

// force is server-side apply that takes fields from others.
func force(threat string, by actor, path, body, refused string) attempt {
	return attempt{threat: threat, by: by, method: http.MethodPatch, path: path + "?fieldManager=attempt&force=true", kind: apply, body: body, refused: refused}
}

func create(threat string, by actor, path, body, refused string) attempt {
	return attempt{threat: threat, by: by, method: http.MethodPost, path: path, kind: document, body: body, refused: refused}
}

func read(threat string, by actor, path string) attempt {
	return attempt{threat: threat, by: by, method: http.MethodGet, path: path}
}

func replace(threat string, by actor, path string, change func(*unstructured.Unstructured), refused string) attempt {
	return attempt{threat: threat, by: by, method: http.MethodPut, path: path, kind: "application/json", change: change, refused: refused}
}

func (a attempt) with(path, body string) attempt {
	a.given = append(a.given, [2]string{path, body})
	return a
}

// needing skips the attempt where the API server doesn't have a kind, a subresource or a feature gate.
func (a attempt) needing(features ...string) attempt {
	a.needs = append(a.needs, features...)
	return a
}

// answering is for a refusal with another code than 403.
func (a attempt) answering(code int) attempt {
	a.code = code
	return a
}

// refusedAsInvalid is for what the schema of Tenants already leaves no words for.
func (a attempt) refusedAsInvalid() attempt {
	a.invalid = true
	return a
}

// without and having change the labels of an object.

func without(keys ...string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		labels := u.GetLabels()
		for _, key := range keys {
			delete(labels, key)
		}
		u.SetLabels(labels)
	}
}

func having(key, value string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		labels := u.GetLabels()
		labels[key] = value
		u.SetLabels(labels)
	}
}

func annotated(key, value string) func(*unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		annotations := u.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[key] = value
		u.SetAnnotations(annotations)
	}
}

func owned(u *unstructured.Unstructured) {
	u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "none", UID: "00000000-0000-0000-0000-000000000001"}})
}

func unfinalized(u *unstructured.Unstructured) {
	unstructured.RemoveNestedField(u.Object, "spec", "finalizers")
}
