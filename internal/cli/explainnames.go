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

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/facts"
)

// tenant reads a Tenant, and says what to do if it can't be.
func (s *explainSource) tenant(ctx context.Context, name string) (*v1alpha1.Tenant, error) {
	tenant := &v1alpha1.Tenant{}
	err := s.reader.Get(ctx, client.ObjectKey{Name: name}, tenant)
	switch {
	case err == nil:
		return tenant, nil
	case apierrors.IsNotFound(err):
		return nil, s.noTenant(ctx, name)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("you may not read Tenant %q: its members may, and so may whoever has the ClusterRole bulkhead-tenant-viewer: %w", name, err)
	default:
		return nil, advise(fmt.Errorf("reading Tenant %s: %w", name, err))
	}
}

// noTenant says that there is no Tenant of this name, and which may be meant. Who may not list Tenants isn't told.
func (s *explainSource) noTenant(ctx context.Context, name string) error {
	where, how := "", ": kubectl get tenants lists those that there are"
	if len(s.files) > 0 {
		where, how = " in "+strings.Join(s.files, ", "), ""
	}
	tenants, err := s.tenants(ctx)
	if err != nil {
		return fmt.Errorf("there is no Tenant %q%s%s", name, where, how)
	}
	names := make([]string, 0, len(tenants))
	for i := range tenants {
		if facts.Spec(&tenants[i], name) != nil {
			return fmt.Errorf("there is no Tenant %q%s, but it is a namespace of one: bulkhead explain %s/%s", name, where, tenants[i].Name, name)
		}
		names = append(names, tenants[i].Name)
	}
	return fmt.Errorf("there is no Tenant %q%s: %s", name, where, suggest("Tenant", name, names))
}

// noNamespace says that a tenant has no namespace of this name, and what may be meant.
func (s *explainSource) noNamespace(ctx context.Context, tenant *v1alpha1.Tenant, namespace string) error {
	tenants, err := s.tenants(ctx)
	if err != nil {
		tenants = nil // who may not list Tenants is told of the one that they may get
	}
	for i := range tenants {
		if facts.Spec(&tenants[i], namespace) != nil {
			return fmt.Errorf("namespace %q isn't one of Tenant %q, but one of Tenant %q: bulkhead explain %s/%s",
				namespace, tenant.Name, tenants[i].Name, tenants[i].Name, namespace)
		}
	}
	names := make([]string, 0, len(tenant.Spec.Namespaces))
	for i := range tenant.Spec.Namespaces {
		names = append(names, tenant.Spec.Namespaces[i].Name)
	}
	return fmt.Errorf("namespace %q isn't one of Tenant %q: %s", namespace, tenant.Name, suggest("namespace", namespace, names))
}

// suggest names what is near a name or, if nothing is, what there is.
func suggest(noun, name string, names []string) string {
	if len(names) == 0 {
		return "there is no " + noun + " at all"
	}
	if near := nearest(name, names); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	slices.Sort(names)
	return "there is " + enumerate(noun, names)
}

// maxNear is how many names are suggested.
const maxNear = 3

// nearest are the names that are like another one, the nearest first.
func nearest(name string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	var found []near
	for _, other := range names {
		d := distance(name, other)
		// One may be a part of the other; names that differ in few characters are near, and all short ones do.
		if strings.Contains(other, name) || strings.Contains(name, other) || d <= max(1, min(len(name), len(other))/3) {
			found = append(found, near{other, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	out := make([]string, 0, maxNear)
	for _, n := range found[:min(len(found), maxNear)] {
		if n.distance <= found[0].distance+1 { // names of one tenant are all alike
			out = append(out, n.name)
		}
	}
	return out
}

// maxCompared bounds how much of a name is compared, in bytes: none is longer than a DNS name.
const maxCompared = 253

// distance is how many bytes have to be added, taken out or changed to make one name the other.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// complete offers Tenants, and once one is named, its namespaces.
func (o *explainOptions) complete(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	tenant, _, both := strings.Cut(word, "/")
	var offered []cobra.Completion
	if !both {
		for _, name := range o.tenantNames(cmd) {
			if strings.HasPrefix(name, word) {
				offered = append(offered, name)
			}
		}
	}
	if both || slices.Contains(offered, tenant) {
		for _, name := range o.namespaceNames(cmd, tenant) {
			if name = tenant + "/" + name; strings.HasPrefix(name, word) {
				offered = append(offered, name)
			}
		}
	}
	slices.Sort(offered)
	return slices.Compact(offered), directive // flags are read more than once for a completion
}

// held are the Tenants in the files; none, and no error, if they can't be read.
func (o *explainOptions) held(cmd *cobra.Command) []*v1alpha1.Tenant {
	if readsStdin(o.files) {
		return nil
	}
	tenants, _, err := readTenants(cmd.InOrStdin(), o.files)
	if err != nil {
		return nil
	}
	return tenants
}

func (o *explainOptions) tenantNames(cmd *cobra.Command) []string {
	if len(o.files) == 0 {
		return o.connection.tenantNames(cmd.Context())
	}
	var names []string
	for _, tenant := range o.held(cmd) {
		names = append(names, tenant.Name)
	}
	return names
}

func (o *explainOptions) namespaceNames(cmd *cobra.Command, tenant string) []string {
	if len(o.files) == 0 {
		return o.connection.namespaceNames(cmd.Context(), tenant)
	}
	var names []string
	for _, held := range o.held(cmd) {
		for i := range held.Spec.Namespaces {
			if held.Name == tenant {
				names = append(names, held.Spec.Namespaces[i].Name)
			}
		}
	}
	return names
}

// namespaceNames are the namespaces of a Tenant; nothing, and no error, where they can't be read.
func (c *connection) namespaceNames(ctx context.Context, tenant string) []string {
	cfg, err := c.config()
	if err != nil || ctx == nil || tenant == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// No typed client: it would ask for what the API server has first.
	made, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil
	}
	object, err := made.Resource(v1alpha1.GroupVersion.WithResource("tenants")).Get(ctx, tenant, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	list, _, err := unstructured.NestedSlice(object.Object, "spec", "namespaces")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(list))
	for _, item := range list {
		if fields, ok := item.(map[string]any); ok {
			if name, ok := fields["name"].(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}
