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
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/cli"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

// result is what a command came to.
type result struct {
	Code           int
	Stdout, Stderr string
}

// rows are the lines of the output, each with its columns.
func (r result) rows() [][]string {
	var rows [][]string
	for line := range strings.Lines(r.Stdout) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// run runs a command in this process with somebody's kubeconfig.
func run(ctx context.Context, kubeconfig string, args ...string) result {
	return runWith(ctx, &bytes.Buffer{}, kubeconfig, args...)
}

// runWith runs a command that prints to an output of the caller's.
func runWith(ctx context.Context, out writer, kubeconfig string, args ...string) result {
	var problems bytes.Buffer
	cmd := cli.NewCommand()
	if kubeconfig != "" && !slices.Contains(args, "--kubeconfig") {
		args = append(args, "--kubeconfig", kubeconfig)
	}
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(&problems)
	err := cmd.ExecuteContext(ctx)
	return result{cli.ExitCode(err), out.String(), problems.String()}
}

// writer is an output that can be looked at.
type writer interface {
	Write(p []byte) (int, error)
	String() string
}

// shared is a buffer that one writes while another reads.
type shared struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer.String()
}

// kubeconfigOf writes the kubeconfig of a user.
func kubeconfigOf(user string, groups ...string) string {
	GinkgoHelper()
	cfg, err := world.ConfigFor(user, groups...)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), user+".kubeconfig")
	Expect(controlplane.WriteKubeconfigFor(cfg, path)).To(Succeed())
	return path
}

// file writes a file and returns its path.
func file(name, content string) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	return path
}

// conditionsOf maps the conditions of a tenant to "status reason". Conditions of an older generation are left out.
func conditionsOf(ctx context.Context, name string) (map[string]string, error) {
	tenant := &v1alpha1.Tenant{}
	if err := world.Admin.Get(ctx, client.ObjectKey{Name: name}, tenant); err != nil {
		return nil, err
	}
	conditions := map[string]string{}
	for _, condition := range tenant.Status.Conditions {
		if condition.ObservedGeneration == tenant.Generation {
			conditions[condition.Type] = string(condition.Status) + " " + condition.Reason
		}
	}
	return conditions, nil
}

// change changes a live object under a field manager's name.
func change[T client.Object](ctx context.Context, as client.Client, manager string, object T, how func(T)) {
	GinkgoHelper()
	Expect(world.Admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	base, ok := object.DeepCopyObject().(client.Object)
	Expect(ok).To(BeTrue())
	how(object)
	Expect(as.Patch(ctx, object, client.MergeFrom(base), client.FieldOwner(manager))).To(Succeed())
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: name}
}
