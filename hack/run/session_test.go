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
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

// operatorVariable makes this test binary a stand-in for the operator: "works" or "breaks".
const operatorVariable = "BULKHEAD_TEST_OPERATOR"

func TestMain(m *testing.M) {
	mode := os.Getenv(operatorVariable)
	if mode == "" {
		os.Exit(m.Run())
	}
	if err := standIn(mode).Execute(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// standIn takes the operator's flags and says of every tenant that it is ready.
func standIn(mode string) *cobra.Command {
	var kubeconfig, probes string
	manager := &cobra.Command{
		Use: "manager", SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if mode == "breaks" {
				return errors.New("the operator is out of sorts")
			}
			return work(cmd.Context(), kubeconfig, probes)
		},
	}
	flags := manager.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "")
	flags.StringVar(&probes, "health-probe-bind-address", "", "")
	flags.String("metrics-bind-address", "", "")
	flags.String("api-server-addresses", "", "")
	flags.Bool("leader-elect", true, "")
	root := &cobra.Command{Use: "bulkhead", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(manager)
	return root
}

func work(ctx context.Context, kubeconfig, probes string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	server := &http.Server{Addr: probes, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = server.ListenAndServe() }()
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var list v1alpha1.TenantList
		if err := c.List(ctx, &list); err != nil {
			return false, err
		}
		for i := range list.Items {
			item := &list.Items[i]
			changed := meta.SetStatusCondition(&item.Status.Conditions,
				metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Said"})
			if item.Status.ObservedGeneration = item.Generation; !changed {
				continue
			}
			if err := c.Status().Update(ctx, item); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

// standInRights is what the stand-in needs beside the operator's own rights, which change with the operator.
const standInRights = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: stand-in}
rules:
- {apiGroups: [tenancy.bulkhead.dev], resources: [tenants], verbs: [list]}
- {apiGroups: [tenancy.bulkhead.dev], resources: [tenants/status], verbs: [update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: stand-in}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: stand-in}
subjects: [{kind: ServiceAccount, name: bulkhead, namespace: bulkhead-system}]
`

// configForTest is config/run and the rights of the stand-in.
func configForTest(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	config, err := filepath.Abs(filepath.Join("..", "..", "config", "run"))
	if err != nil {
		t.Fatal(err)
	}
	// kustomize refuses absolute paths.
	config, err = filepath.Rel(dir, config)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"kustomization.yaml": "resources: [rights.yaml, " + config + "]\n", "rights.yaml": standInRights,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func execute(t *testing.T, mode string, args ...string) (string, error) {
	t.Helper()
	config := configForTest(t)
	t.Setenv(operatorVariable, mode)
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	cmd := newCommand()
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{
		"--once", "--operator=" + os.Args[0],
		"--config=" + config, "--samples=" + filepath.Join("..", "..", "config", "samples"),
		"--mutating=" + filepath.Join("..", "..", "config", "admission", "mutating"),
	}, args...))
	err := cmd.ExecuteContext(t.Context())
	entries, readErr := os.ReadDir(os.TempDir())
	if readErr != nil || len(entries) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", entries, readErr)
	}
	t.Log(out.String())
	return out.String(), err
}

func TestRunOnItsOwnControlPlane(t *testing.T) {
	out, err := execute(t, "works")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"installing", "starting the operator", "6 of 6 tenants are ready", "storefront", "stopping"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not say %q", want)
		}
	}
}

func TestRunOnAGivenCluster(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	_, err = execute(t, "breaks", "--kubeconfig="+cp.Kubeconfig())
	if err == nil || !strings.Contains(err.Error(), "out of sorts") {
		t.Errorf("an operator that breaks: %v, want the end of its log", err)
	}
	out, err := execute(t, "works", "--kubeconfig="+cp.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "delete -k") {
		t.Error("the output does not say how to remove what stays")
	}
	if _, err := cp.Kubectl(t.Context(), "get", "tenant", "storefront"); err != nil {
		t.Errorf("the cluster of the caller lost what was applied: %v", err)
	}
}
