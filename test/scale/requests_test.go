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
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const apply = "application/apply-patch+yaml"
	for _, tt := range []struct {
		method, url, contentType string
		want                     target
	}{
		{"GET", "/api/v1/namespaces", "", target{Verb: "list", Resource: "namespaces"}},
		{"GET", "/api/v1/namespaces/a", "", target{Verb: "get", Resource: "namespaces", Name: "a"}},
		{"PATCH", "/api/v1/namespaces/a?force=true", apply, target{Verb: verbApply, Resource: "namespaces", Name: "a"}},
		{"PATCH", "/api/v1/namespaces/a/status", apply, target{Verb: verbApply, Resource: "namespaces/status", Name: "a"}},
		{"PUT", "/api/v1/namespaces/a/finalize", "", target{Verb: "update", Resource: "namespaces/finalize", Name: "a"}},
		{"GET", "/api/v1/namespaces/a/pods", "", target{Verb: "list", Resource: "pods", Namespace: "a"}},
		{"GET", "/api/v1/pods", "", target{Verb: "list", Resource: "pods"}},
		{"GET", "/api/v1/pods?watch=true", "", target{Verb: "watch", Resource: "pods"}},
		{"GET", "/api/v1/pods?watch=1&resourceVersion=7", "", target{Verb: "watch", Resource: "pods"}},
		{"GET", "/api/v1/pods?watch=true&sendInitialEvents=true", "", target{Verb: verbStream, Resource: "pods"}},
		{"POST", "/api/v1/namespaces/a/pods/b/eviction", "",
			target{Verb: "create", Resource: "pods/eviction", Namespace: "a", Name: "b"}},
		{"DELETE", "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/b", "",
			target{Verb: "delete", Resource: "networkpolicies.networking.k8s.io", Namespace: "a", Name: "b"}},
		{"DELETE", "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies", "",
			target{Verb: "deletecollection", Resource: "networkpolicies.networking.k8s.io", Namespace: "a"}},
		{"PATCH", "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/b", "application/json-patch+json",
			target{Verb: "patch", Resource: "networkpolicies.networking.k8s.io", Namespace: "a", Name: "b"}},
		{"PATCH", "/apis/tenancy.bulkhead.dev/v1alpha1/tenants/a/status", "application/merge-patch+json",
			target{Verb: "patch", Resource: "tenants.tenancy.bulkhead.dev/status", Name: "a"}},
		{"POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "",
			target{Verb: "create", Resource: "subjectaccessreviews.authorization.k8s.io"}},
		{"POST", "/api/v1/namespaces/p/pods?dryRun=All", "", target{Verb: verbProbe, Resource: "pods", Namespace: "p"}},
		{"GET", "/api", "", target{Verb: verbDiscovery, Resource: "/api"}},
		{"GET", "/api/v1", "", target{Verb: verbDiscovery, Resource: "/api/v1"}},
		{"GET", "/apis/networking.k8s.io/v1", "", target{Verb: verbDiscovery, Resource: "/apis/networking.k8s.io/v1"}},
		{"GET", "/openapi/v3", "", target{Verb: verbDiscovery, Resource: "/openapi/v3"}},
		{"GET", "/", "", target{Verb: verbDiscovery, Resource: "/"}},
	} {
		t.Run(tt.method+" "+tt.url, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(newRequest(t, tt.method, tt.url, tt.contentType))); diff != "" {
				t.Errorf("parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKindOfRequest(t *testing.T) {
	for _, tt := range []struct {
		target                    target
		write, read, list, review bool
	}{
		{target{Verb: "create", Resource: "events.events.k8s.io"}, true, false, false, false},
		{target{Verb: verbApply, Resource: "namespaces"}, true, false, false, false},
		{target{Verb: "create", Resource: "subjectaccessreviews.authorization.k8s.io"}, false, false, false, true},
		{target{Verb: "list", Resource: "roles.rbac.authorization.k8s.io"}, false, true, true, false},
		{target{Verb: verbApply, Resource: "roles.rbac.authorization.k8s.io"}, true, false, false, false},
		{target{Verb: verbStream, Resource: "pods"}, false, true, true, false},
		{target{Verb: "watch", Resource: "pods"}, false, true, false, false},
		{target{Verb: verbDiscovery, Resource: "/apis"}, false, false, false, false},
		{target{Verb: verbProbe, Resource: "pods"}, false, false, false, false},
	} {
		t.Run(tt.target.Verb+" "+tt.target.Resource, func(t *testing.T) {
			got := fmt.Sprint(tt.target.write(), tt.target.read(), tt.target.list(), tt.target.review())
			if want := fmt.Sprint(tt.write, tt.read, tt.list, tt.review); got != want {
				t.Errorf("write, read, list, review = %s, want %s", got, want)
			}
		})
	}
}

func TestSum(t *testing.T) {
	apply := target{Verb: verbApply, Resource: "limitranges", Namespace: "a", Name: "b"}
	review := target{Verb: "create", Resource: "subjectaccessreviews.authorization.k8s.io"}
	event := target{Verb: "create", Resource: "events.events.k8s.io", Namespace: "default"}
	got := sum([]request{
		{target: apply, Code: 409}, {target: apply, Code: 201}, {target: apply, Code: 200}, {target: apply, Code: 429},
		{target: review, Code: 201}, {target: review, Code: 201},
		{target: event, Code: 201}, {target: event, Code: 201},
		{target: target{Verb: verbStream, Resource: "limitranges"}, Code: 200},
		{target: target{Verb: verbDiscovery, Resource: "/apis"}},
		{target: target{Verb: "update", Resource: "leases.coordination.k8s.io", Name: "bulkhead"}, Code: 200},
	})
	want := tally{Writes: 6, Reviews: 2, Reads: 1, Discovery: 1, Failed: 3, Throttled: 1, Rewritten: 1, Counts: []count{
		{Verb: verbApply, Resource: "limitranges", Requests: 4, Failed: 2},
		{Verb: "create", Resource: "events.events.k8s.io", Requests: 2},
		{Verb: "create", Resource: "subjectaccessreviews.authorization.k8s.io", Requests: 2},
		{Verb: verbDiscovery, Resource: "/apis", Requests: 1, Failed: 1},
		{Verb: verbStream, Resource: "limitranges", Requests: 1},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sum (-want +got):\n%s", diff)
	}
	if n := got.managed(); n != 4 {
		t.Errorf("managed() = %d, want 4: events and reviews are no managed objects", n)
	}
	if diff := cmp.Diff(map[string]int{"limitranges": 1}, got.lists()); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}

func newRequest(t *testing.T, method, url, contentType string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://example.test"+url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	return r
}
