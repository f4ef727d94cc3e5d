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
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// wholeVariable says that every test has run, and has written to the directory of env.RightsVariable.
const wholeVariable = "BULKHEAD_RIGHTS_WHOLE"

// refusal is a request, or many, that the API server refuses in a test, and is meant to.
type refusal struct {
	// suite is where; "" is anywhere.
	suite string
	// what was refused ("patch tenants.tenancy.bulkhead.dev"), and name the name of the object; "" is anything.
	what, name string
	// says is a part of the answer.
	says string
	// restarting is whether it happens because the API server is being restarted.
	restarting bool
	// whenever says that it happens then and at other times.
	whenever bool
	// sometimes says that it needn't happen each time.
	sometimes bool
	// why it is meant to happen.
	why string
}

const (
	bindings = "patch rolebindings.rbac.authorization.k8s.io"
	beyond   = "is attempting to grant RBAC permissions not currently held"
)

// parameters is a right of config/admission/restore of which no request tells either: whoever writes a policy must be
// allowed to read what it refers to.
const parameters = "get resourcequotas"

// deliberate are all refusals that are meant to happen.
var deliberate = []refusal{
	{
		suite: "test/privilege", what: bindings, name: "bulkhead-overreaching", says: beyond,
		why: "a Tenant asks for cluster-admin, which config/rbac/bindable_roles.yaml doesn't list",
	},
	{
		suite: "test/lifecycle", what: bindings, name: "bulkhead-unbound-root", says: beyond,
		why: "a Tenant asks for cluster-admin, and its other members must get their access nevertheless",
	},
	{
		suite: "test/lifecycle", what: bindings, name: "bulkhead-lease-refused-root", says: beyond,
		why: "a Tenant asks for cluster-admin, and another member's lease must end on time nevertheless",
	},
	{
		suite: "test/lifecycle", what: bindings, name: "bulkhead-root", says: beyond, sometimes: true,
		why: "the example bad/cluster-admin.yaml, where the shared examples are there",
	},
	{
		suite: "test/gitops", what: bindings, name: "bulkhead-leads", says: beyond,
		why: "a Tenant asks for cluster-admin, so that its health can be seen",
	},
	{
		suite: "test/integration", what: "patch clusterroles.rbac.authorization.k8s.io", name: "bulkhead:tenant:aggregated",
		says: "must have cluster-admin privileges to use the aggregationRule", sometimes: true,
		why: "somebody put an aggregation rule there between judgement and correction: it is then seen, and taken off",
	},
	{
		suite: "test/integration", what: "patch clusterroles.rbac.authorization.k8s.io", name: "bulkhead:tenant:aggregated",
		says: beyond, sometimes: true,
		why: "without the aggregation rule, the role would keep rules that were gathered meanwhile: it is made anew instead",
	},
	{
		suite: "test/integration", what: "patch networkpolicies.networking.k8s.io", name: "bulkhead-default-deny", says: "denied request",
		sometimes: true,
		why:       "an admission policy that quotes what it refuses, so that it can be seen that nobody is told",
	},
	{
		name: v1alpha1.GuardProbeNamespace, says: "ValidatingAdmissionPolicy 'bulkhead-", whenever: true, sometimes: true,
		why: "a probe of a guard-rail, which refuses it as it must",
	},
	{
		name: v1alpha1.GuardProbeNamespace + "-refused", says: "ValidatingAdmissionPolicy 'bulkhead-", whenever: true, sometimes: true,
		why: "the same, where the name is another object's",
	},
	{
		name: v1alpha1.GuardProbeNamespace, says: "exceeded quota: bulkhead-guard-probe", whenever: true, sometimes: true,
		why: "a probe that the guard-rail lets pass, because it isn't in force yet: the belt beside the braces",
	},
	{
		says: " cannot ", restarting: true, sometimes: true,
		why: "an API server that was restarted refuses everybody until it has loaded its roles",
	},
	{
		says: "create not allowed while custom resource definition is terminating", sometimes: true,
		why: "an optional API goes at this moment, with its objects first: nothing can be made anew there, whatever one's rights",
	},
	{
		says: "because it is being terminated", sometimes: true,
		why: "nothing can be made in a namespace that someone deletes at this moment, whatever one's rights",
	},
}

func (r refusal) is(suite string, use env.Use) bool {
	use.Namespace = ""
	return (r.suite == "" || r.suite == suite) && (r.what == "" || r.what == use.Right.String()) &&
		(r.name == "" || r.name == use.Name) && strings.Contains(use.Message, r.says) && (r.whenever || r.restarting == use.Restarting)
}

// everybodys are the paths that everybody may read who has a token (ClusterRole system:discovery). A star stands for
// any rest.
var everybodys = []string{"/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version"}

// TestWholeSuite compares what config/rbac and config/admission grant to the operator with what it did in all tests together. They must
// have run before it: "make test" sees to that.
func TestWholeSuite(t *testing.T) {
	dir := os.Getenv(env.RightsVariable)
	if os.Getenv(wholeVariable) == "" {
		t.Skipf("%s is not set: this compares what all other tests have written, see the target test of the Makefile", wholeVariable)
	}
	all, err := env.ReadUses(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, err := env.Root()
	if err != nil {
		t.Fatal(err)
	}
	var granted []env.Right
	for _, folder := range []string{"rbac", "admission/probe", "admission/restore"} {
		granted = append(granted, elsewhere(shipped(t, filepath.Join(root, "config", filepath.FromSlash(folder))))...)
	}
	if len(granted) == 0 || len(all) == 0 {
		t.Fatalf("there are %d rights granted by config and %d files in %s=%q", len(granted), len(all), env.RightsVariable, dir)
	}
	for _, problem := range problems(granted, suites(t, root), all) {
		t.Error(problem)
	}
	t.Logf("%d rights granted, compared with %d worlds' uses", len(granted), len(all))
}

// problems says in what the rights that are granted and the uses differ, sorted.
func problems(granted []env.Right, suites []string, all []env.Uses) []string {
	var found []string
	wrote := map[string]bool{}
	// asked are those that were used at all: in the namespaces of the probes nothing is to succeed.
	succeeded, asked := map[env.Right]bool{}, map[env.Right]bool{}
	meant := map[refusal]bool{}
	for _, uses := range all {
		wrote[uses.Suite] = true
		for _, use := range uses.Uses {
			switch use.Code {
			case "403":
				i := slices.IndexFunc(deliberate, func(r refusal) bool { return r.is(uses.Suite, use) })
				if i < 0 {
					message, _, _ := strings.Cut(use.Message, "\n")
					found = append(found, fmt.Sprintf("%s: refused: %s %s: %s", uses.Suite, use.Right, use.Name, message))
					continue
				}
				meant[deliberate[i]] = true
				asked[use.Right] = true
			case "2xx":
				succeeded[use.Right] = true
				fallthrough
			default:
				asked[use.Right] = true
				if !allowed(granted, use.Right) {
					found = append(found, fmt.Sprintf("%s: used, but not granted to the operator by name: %s", uses.Suite, use.Right))
				}
			}
		}
	}
	for _, suite := range suites {
		if !wrote[suite] {
			found = append(found, suite+": started a world, but wrote nothing: this isn't the whole suite")
		}
	}
	for _, r := range deliberate {
		if !r.sometimes && !meant[r] {
			found = append(found, fmt.Sprintf("%s: meant to be refused, but wasn't: %s %s: %s", r.suite, r.what, r.name, r.why))
		}
	}
	inVain := func(right env.Right) bool { return right.Namespace == env.Elsewhere }
	rest := unused(slices.DeleteFunc(slices.Clone(granted), inVain), succeeded)
	for _, right := range unused(slices.DeleteFunc(slices.Clone(granted), func(r env.Right) bool { return !inVain(r) }), asked) {
		found = append(found, "granted, but never asked for: "+right)
	}
	unseen := append(slices.Clone(passedOn), parameters)
	for _, right := range rest {
		if !slices.Contains(unseen, right) {
			found = append(found, "granted, but never used with success: "+right)
		}
	}
	for _, right := range unseen {
		if !slices.Contains(rest, right) {
			found = append(found, "said to be granted only in order to be passed on, but used, or not granted: "+right)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func allowed(granted []env.Right, right env.Right) bool {
	if slices.ContainsFunc(granted, func(g env.Right) bool { return g.Allows(right) }) {
		return true
	}
	return right.Verb == "get" && slices.ContainsFunc(everybodys, func(path string) bool {
		prefix, open := strings.CutSuffix(path, "*")
		return right.Resource == path || open && strings.HasPrefix(right.Resource, prefix)
	})
}

// shipped are the rights that the files of a directory give to the operator.
func shipped(t *testing.T, dir string) []env.Right {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := &rbac{}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
			object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			switch o := object.(type) {
			case *rbacv1.ClusterRole:
				found.addRole("ClusterRole", o.ObjectMeta, o.Rules)
			case *rbacv1.Role:
				found.addRole("Role", o.ObjectMeta, o.Rules)
			case *rbacv1.ClusterRoleBinding:
				found.bindings = append(found.bindings, rbacv1.RoleBinding{ObjectMeta: o.ObjectMeta, Subjects: o.Subjects, RoleRef: o.RoleRef})
			case *rbacv1.RoleBinding:
				found.bindings = append(found.bindings, *o)
			}
		}
	}
	granted, err := found.granted()
	if err != nil {
		t.Fatal(err)
	}
	return granted
}

// suites are the directories of this module whose tests start a world.
func suites(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if strings.HasPrefix(entry.Name(), ".") || err == nil && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// Put together, so that this file isn't among them because of this line.
		if bytes.Contains(content, []byte("env."+"Start(")) {
			dir, err := filepath.Rel(root, filepath.Dir(path))
			found = append(found, filepath.ToSlash(dir))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
