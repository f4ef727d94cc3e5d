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
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

// login is somebody with credentials of his own, where the table only pretends.
type login struct {
	config *rest.Config
	client *http.Client
}

func logIn(t *testing.T, config *rest.Config) login {
	t.Helper()
	// HTTP/2 has no header Connection.
	config.NextProtos = []string{"http/1.1"}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return login{config: config, client: client}
}

// byCertificate is somebody whose certificate says who he is.
func byCertificate(t *testing.T, user string, groups ...string) login {
	t.Helper()
	config, err := world.ConfigFor(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return logIn(t, config)
}

// byToken is whoever a bearer token says.
func byToken(t *testing.T, token string) login {
	t.Helper()
	config := rest.AnonymousClientConfig(world.Config())
	config.BearerToken = token
	return logIn(t, config)
}

// ask makes a request, "METHOD path", with further headers, each "Key: value".
func (l login) ask(t *testing.T, what, body string, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	request, err := http.NewRequestWithContext(t.Context(), method, l.config.Host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", document)
	for _, header := range headers {
		key, value, _ := strings.Cut(header, ": ")
		request.Header.Add(key, value)
	}
	response, err := l.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{code: response.StatusCode, message: string(bytes.TrimSpace(content))}
}

// may checks that a request succeeds; mayNot that it is refused in these words.

func (l login) may(t *testing.T, what, body string, headers ...string) answer {
	t.Helper()
	got := l.ask(t, what, body, headers...)
	if !got.succeeded() {
		t.Errorf("%s with %q must work: %s", what, headers, got)
	}
	return got
}

func (l login) mayNot(t *testing.T, says, what, body string, headers ...string) {
	t.Helper()
	got := l.ask(t, what, body, headers...)
	if got.code != http.StatusForbidden && got.code != http.StatusUnauthorized || !strings.Contains(got.message, says) {
		t.Errorf("%s with %q must be refused with %q: %s", what, headers, says, got)
	}
}

const (
	whoAmI  = `{apiVersion: authentication.k8s.io/v1, kind: SelfSubjectReview}`
	reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	become  = "Impersonate-User: "
	// wallDown is refused by a rule.
	wallDown = `rule managed-objects: NetworkPolicy \"bulkhead-default-deny\"`
)

// identities checks what somebody reaches who becomes somebody else, with real credentials.
func identities(t *testing.T) {
	t.Run("an editor becomes an account of its namespace", editorBecomes)
	t.Run("tokens", tokens)
	t.Run("the operator becomes nobody", operatorBecomesNobody)
	t.Run("there is no other way to what is guarded", noOtherWays)
	// Those of a proxy. There is none here: clients talk to the API server, which mustn't have these holes either.
	t.Run("CVE-2022-23652: the header Connection hides who one pretends to be", func(t *testing.T) {
		for _, header := range []string{"Connection: Impersonate-User", "Connection: close, Impersonate-User, Impersonate-Group", "Connection: Impersonate-Group"} {
			l := byCertificate(t, alice.user)
			l.mayNot(t, "impersonate", "GET /api/v1/secrets", "", header, become+"root", "Impersonate-Group: system:masters")
			l.mayNot(t, "cannot list resource", "GET /api/v1/secrets", "", header)
		}
	})
	t.Run("CVE-2023-48312: a token that isn't checked", func(t *testing.T) {
		for _, token := range []string{"", " ", "null", "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YnVsa2hlYWQtc3lzdGVtOmJ1bGtoZWFkIn0."} {
			l := byToken(t, "")
			for _, path := range []string{namespaces, core + "secrets", acme} {
				l.mayNot(t, "", "GET "+path, "", "Authorization: Bearer "+token)
			}
		}
	})
}

// editorBecomes checks what Kubernetes' role edit includes: to impersonate the accounts of the namespace. So editors have
// the rights of all of them, and nothing else.
func editorBecomes(t *testing.T) {
	const list = core + "secrets"
	letter := bound("name: general-handed-on", subject("User", "carol"))
	l := byCertificate(t, erin.user)
	// What pipeline may as a member, and erin may not: the price of a member that is an account of the namespace.
	l.mayNot(t, "cannot create resource", "POST "+bindings, letter)
	l.may(t, "POST "+bindings+"?dryRun=All", letter, become+pipeline.user)
	l.may(t, "GET "+list, "", become+pipeline.user)
	// The rules hold for whom one becomes.
	l.mayNot(t, wallDown, "DELETE "+denial, "", become+pipeline.user)
	l.mayNot(t, "rule access", "POST "+bindings, bound("name: general-all", subject("Group", "system:authenticated")), become+pipeline.user)
	for _, other := range []string{
		alice.user, bob.user, masters.user, brook.user, "system:serviceaccount:beta-prod:default", "system:serviceaccount:kube-system:default",
		"system:serviceaccount:bulkhead-system:bulkhead", "system:node:node-1", "system:kube-scheduler", "system:apiserver", "system:anonymous",
	} {
		l.mayNot(t, "impersonate", "GET "+list, "", become+other)
	}
	for _, group := range []string{"system:masters", "bulkhead:break-glass", "system:nodes", "system:serviceaccounts:kube-system", "system:serviceaccounts"} {
		l.mayNot(t, "impersonate", "GET "+list, "", become+pipeline.user, "Impersonate-Group: "+group)
	}
	l.mayNot(t, "impersonate", "GET "+list, "", become+pipeline.user, "Impersonate-Uid: 1")
	l.mayNot(t, "impersonate", "GET "+list, "", become+pipeline.user, "Impersonate-Extra-Tenant: beta")
	byCertificate(t, alice.user).may(t, "POST "+reviews, whoAmI, become+pipeline.user)
	for _, who := range []actor{victor, bob, nadia, oscar, nobody} {
		// The outsider has every right in acme-prod, and none in general-run.
		byCertificate(t, who.user).mayNot(t, "impersonate", "POST "+reviews, whoAmI, become+deployer.user)
	}
}

// tokens checks that what an editor gets for an account is that account's, and no more.
func tokens(t *testing.T) {
	asks := byCertificate(t, erin.user)
	request := `{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {expirationSeconds: 600}}`
	got := send(t.Context(), t, create("x", erin, core+"serviceaccounts/pipeline/token", request, ""))
	if !got.succeeded() {
		t.Fatal(got)
	}
	status, _ := got.object.Object["status"].(map[string]any)
	token, _ := status["token"].(string)
	checkToken(t, token)
	// A token that never ends. kube-controller-manager writes it into the Secret.
	asks.may(t, "POST "+core+"secrets", `{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: general-token, annotations: {kubernetes.io/service-account.name: pipeline}}}`)
	var lasting string
	eventually(t, func(ctx context.Context) string {
		data, _ := get(ctx, t, core+"secrets/general-token").Object["data"].(map[string]any)
		text, _ := data["token"].(string)
		decoded, err := base64.StdEncoding.DecodeString(text)
		if lasting = string(decoded); err != nil || lasting == "" {
			return "the Secret has no token"
		}
		return ""
	})
	checkToken(t, lasting)
	asks.may(t, "DELETE "+core+"secrets/general-token", "")
	eventually(t, func(context.Context) string {
		if got := byToken(t, lasting).ask(t, "POST "+reviews, whoAmI); got.succeeded() {
			return "the token of a Secret that is gone still works"
		}
		return ""
	})
}

func checkToken(t *testing.T, token string) {
	t.Helper()
	l := byToken(t, token)
	if got := l.may(t, "POST "+reviews, whoAmI); !strings.Contains(got.message, pipeline.user) {
		t.Errorf("the token is of somebody else: %s", got)
	}
	l.may(t, "GET "+core+"configmaps", "")
	l.mayNot(t, wallDown, "DELETE "+denial, "")
	l.mayNot(t, "cannot list resource", "GET "+run+"configmaps", "")
	l.mayNot(t, "impersonate", "POST "+reviews, whoAmI, become+alice.user)
}

// operatorBecomesNobody checks that its token can't be made to speak for others.
func operatorBecomesNobody(t *testing.T) {
	config := rest.CopyConfig(world.Operator)
	l := logIn(t, config)
	for _, other := range []string{alice.user, "root", pipeline.user, "system:serviceaccount:kube-system:default"} {
		l.mayNot(t, "impersonate", "POST "+reviews, whoAmI, become+other)
	}
	l.mayNot(t, "cannot create resource", "POST "+core+"pods", pod("general-operator"))
	l.mayNot(t, "cannot create resource", "POST "+core+"pods/x/exec?command=sh", "")
}

// noOtherWays checks that no kind that a rule guards is served by a group that the rule doesn't name: within a group
// all versions are one, but an old group, or an aggregated one, is a way around.
func noOtherWays(t *testing.T) {
	rails, err := guard.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	guarded := map[string]sets.Set[string]{}
	for _, rail := range rails {
		for _, rule := range rail.Policy.Spec.MatchConstraints.ResourceRules {
			for _, resource := range rule.Resources {
				name, _, _ := strings.Cut(resource, "/")
				if guarded[name] == nil {
					guarded[name] = sets.New[string]()
				}
				guarded[name].Insert(rule.APIGroups...)
			}
		}
	}
	seen := 0
	for _, list := range resourceLists(t) {
		group, _, versioned := strings.Cut(list.GroupVersion, "/")
		if !versioned {
			group = ""
		}
		for _, resource := range list.APIResources {
			groups, is := guarded[resource.Name]
			if !is {
				continue
			}
			seen++
			if !groups.Has(group) && !groups.Has("*") {
				t.Errorf("%s are served by group %q too, which no rule names", resource.Name, group)
			}
		}
	}
	if seen == 0 {
		t.Error("the API server serves nothing that is guarded")
	}
}

func resourceLists(t *testing.T) []*metav1.APIResourceList {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(world.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	return lists
}

// served are the names of all resources that the API server has.
func served(t *testing.T) sets.Set[string] {
	t.Helper()
	names := sets.New[string]()
	for _, list := range resourceLists(t) {
		for _, resource := range list.APIResources {
			names.Insert(resource.Name)
		}
	}
	return names
}
