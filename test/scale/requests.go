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
	"net/http"
	"slices"
	"strings"
)

// Verbs that Kubernetes' own names don't tell apart.
const (
	verbApply     = "apply"     // a PATCH of server-side apply
	verbStream    = "watchlist" // a watch that begins with all that there is, which is a list
	verbDiscovery = "discovery" // anything that is not about objects
	verbProbe     = "probe"     // a dry run by which the operator proves that a guard-rail refuses; it changes nothing
)

// target is what a request is about.
type target struct {
	// Verb is Kubernetes' name of the verb, or one of those above.
	Verb string `json:"verb"`
	// Resource is "plural.group", with "/subresource"; or the path if the verb is discovery.
	Resource string `json:"resource"`
	// Namespace and Name are empty where there is none.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// write says whether the request changes something. A review is a question, whatever its verb.
func (t target) write() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection", verbApply}, t.Verb) && !t.review()
}

// read says whether the request reads objects.
func (t target) read() bool {
	return !t.write() && !t.review() && t.Verb != verbDiscovery && t.Verb != verbProbe
}

// list says whether the request reads all objects of a resource.
func (t target) list() bool { return t.Verb == "list" || t.Verb == verbStream }

// review says whether the request asks what someone may do.
func (t target) review() bool {
	group := t.Resource[strings.Index(t.Resource, ".")+1:]
	return group == "authorization.k8s.io" || group == "authentication.k8s.io"
}

// parse reads from a request what it is about, as the API server does.
func parse(r *http.Request) target {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return target{Verb: verbDiscovery, Resource: r.URL.Path}
	}
	t := target{}
	// "namespaces/x/pods" is about pods; "namespaces/x" and its own subresources are about the namespace.
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
		t.Namespace, parts = parts[1], parts[2:]
	}
	t.Resource = parts[0]
	if group != "" {
		t.Resource += "." + group
	}
	if len(parts) > 1 {
		t.Name = parts[1]
	}
	if len(parts) > 2 {
		t.Resource += "/" + strings.Join(parts[2:], "/")
	}
	t.Verb = verb(r, t.Name)
	return t
}

func verb(r *http.Request, name string) string {
	query := r.URL.Query()
	if query.Get("dryRun") != "" {
		return verbProbe // nothing else of the operator runs dry
	}
	switch r.Method {
	case http.MethodGet:
		switch {
		case query.Get("sendInitialEvents") == "true":
			return verbStream
		case query.Get("watch") == "true" || query.Get("watch") == "1":
			return "watch"
		case name == "":
			return "list"
		}
		return "get"
	case http.MethodPatch:
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch") {
			return verbApply
		}
		return "patch"
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodDelete:
		if name == "" {
			return "deletecollection"
		}
		return "delete"
	default:
		return strings.ToLower(r.Method)
	}
}
