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

package privilege

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// right is one verb on one resource, in one namespace or (if it is empty) in all of them.
type right struct{ verb, group, resource, namespace string }

func (r right) String() string {
	text := r.verb + " " + r.resource
	if r.group != "" {
		text += "." + r.group
	}
	if r.namespace != "" {
		text += " in " + r.namespace
	}
	return text
}

// granted are the rights that the cluster's roles give to the operator's ServiceAccount by name, each once.
func granted(ctx context.Context) []right {
	GinkgoHelper()
	var rights []right
	clusterBindings := &rbacv1.ClusterRoleBindingList{}
	Expect(world.Admin.List(ctx, clusterBindings)).To(Succeed())
	for _, binding := range clusterBindings.Items {
		if bindsOperator(binding.Subjects) {
			rights = append(rights, expand(rulesOf(ctx, binding.RoleRef, ""), "")...)
		}
	}
	bindings := &rbacv1.RoleBindingList{}
	Expect(world.Admin.List(ctx, bindings)).To(Succeed())
	for _, binding := range bindings.Items {
		if bindsOperator(binding.Subjects) {
			rights = append(rights, expand(rulesOf(ctx, binding.RoleRef, binding.Namespace), binding.Namespace)...)
		}
	}
	slices.SortFunc(rights, func(a, b right) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(rights)
}

func bindsOperator(subjects []rbacv1.Subject) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == v1alpha1.DefaultOperatorNamespace && s.Name == "bulkhead"
	})
}

func rulesOf(ctx context.Context, ref rbacv1.RoleRef, namespace string) []rbacv1.PolicyRule {
	GinkgoHelper()
	if ref.Kind == "Role" {
		role := &rbacv1.Role{}
		Expect(world.Admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, role)).To(Succeed())
		return role.Rules
	}
	role := &rbacv1.ClusterRole{}
	Expect(world.Admin.Get(ctx, client.ObjectKey{Name: ref.Name}, role)).To(Succeed())
	return role.Rules
}

func expand(rules []rbacv1.PolicyRule, namespace string) []right {
	var rights []right
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					rights = append(rights, right{verb, group, resource, namespace})
				}
			}
			for _, url := range rule.NonResourceURLs {
				rights = append(rights, right{verb, "", url, namespace})
			}
		}
	}
	return rights
}

// request is what the audit log says of a request.
type request struct {
	Verb      string
	UserAgent string
	User      struct{ Username string }
	ObjectRef struct{ APIGroup, Resource, Subresource, Namespace, Name string }

	ResponseStatus struct{ Code int }
}

func (r request) String() string {
	return fmt.Sprintf("%s %s/%s/%s %s/%s: %d", r.Verb, r.ObjectRef.APIGroup, r.ObjectRef.Resource, r.ObjectRef.Subresource,
		r.ObjectRef.Namespace, r.ObjectRef.Name, r.ResponseStatus.Code)
}

// requests are the operator's requests so far, without those that specs make in its name.
func requests() []request {
	GinkgoHelper()
	file, err := os.Open(world.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	var found []request
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return found // the last line may be half written
		}
		var r request
		Expect(json.Unmarshal(line, &r)).To(Succeed())
		if r.User.Username == operatorUser && r.UserAgent != pretender {
			found = append(found, r)
		}
	}
}

// used are the rights that requests made use of. Server-side apply that creates an object needs, and is, both
// "patch" and "create": https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go
func used(requests []request) map[right]bool {
	rights := map[right]bool{}
	for _, r := range requests {
		if r.ResponseStatus.Code == http.StatusForbidden {
			continue
		}
		resource := r.ObjectRef.Resource
		if r.ObjectRef.Subresource != "" {
			resource += "/" + r.ObjectRef.Subresource
		}
		verbs := []string{r.Verb}
		if r.Verb == "patch" && r.ResponseStatus.Code == http.StatusCreated {
			verbs = append(verbs, "create")
		}
		for _, verb := range verbs {
			rights[right{verb, r.ObjectRef.APIGroup, resource, ""}] = true
			rights[right{verb, r.ObjectRef.APIGroup, resource, r.ObjectRef.Namespace}] = true
		}
	}
	return rights
}

// unused are the rights that are granted and that no request made use of.
func unused(ctx context.Context, requests []request) []string {
	GinkgoHelper()
	uses := used(requests)
	var rest []string
	for _, right := range granted(ctx) {
		if !uses[right] {
			rest = append(rest, right.String())
		}
	}
	return rest
}
