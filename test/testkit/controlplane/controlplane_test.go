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

package controlplane

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// lineWriter gives a line of progress to the test's log.
type lineWriter struct{ t *testing.T }

func (w lineWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

func startForTest(t *testing.T, opts Options) *ControlPlane {
	t.Helper()
	opts.Output = lineWriter{t}
	cp, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("starting: %v", err)
	}
	t.Cleanup(func() {
		began := time.Now()
		if err := cp.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		t.Logf("stopped after %.1f s", time.Since(began).Seconds())
	})
	return cp
}

func clientFor(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	return client
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			last = check(ctx)
			return last == nil, nil
		})
	if err != nil {
		t.Fatalf("waiting for %s: %v: %v", what, err, last)
	}
}

func createNamespace(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	eventually(t, "the default service account of "+name, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// TestControllersWork checks what the operator's tests rely on, on one control plane for the sake of time.
func TestControllersWork(t *testing.T) {
	cp := startForTest(t, Options{Audit: true})
	client := clientFor(t, cp.Config())
	createNamespace(t, client, "blue")

	t.Run("quota is counted", func(t *testing.T) { checkQuota(t, client) })
	t.Run("users and groups", func(t *testing.T) { checkUsers(t, cp, client) })
	t.Run("service account", func(t *testing.T) { checkServiceAccount(t, cp) })
	t.Run("kubectl", func(t *testing.T) { checkKubectl(t, cp) })
	t.Run("audit log", func(t *testing.T) { checkAudit(t, cp, client) })
	t.Run("a namespace is deleted", func(t *testing.T) {
		if err := client.CoreV1().Namespaces().Delete(t.Context(), "blue", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the namespace to be gone", func(ctx context.Context) error {
			_, err := client.CoreV1().Namespaces().Get(ctx, "blue", metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(errors.New("it is there"), err)
		})
	})
}

func checkQuota(t *testing.T, client kubernetes.Interface) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "room"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			corev1.ResourcePods: resource.MustParse("3"), "count/configmaps": resource.MustParse("5"),
		}},
	}
	_, err := client.CoreV1().ResourceQuotas("blue").Create(t.Context(), quota, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the quota's status", func(ctx context.Context) error {
		got, err := client.CoreV1().ResourceQuotas("blue").Get(ctx, "room", metav1.GetOptions{})
		if err != nil {
			return err
		}
		// One: kube-root-ca.crt.
		if used := got.Status.Used["count/configmaps"]; used.Value() != 1 {
			return fmt.Errorf("status is %+v, want one config map in use", got.Status)
		}
		return nil
	})
}

func checkUsers(t *testing.T, cp *ControlPlane, client kubernetes.Interface) {
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "painters"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "painters"}},
	}
	if _, err := client.RbacV1().RoleBindings("blue").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := cp.ConfigFor("ana", "painters")
	if err != nil {
		t.Fatal(err)
	}
	ana := clientFor(t, config)
	eventually(t, "ana to list the config maps of blue", func(ctx context.Context) error {
		_, err := ana.CoreV1().ConfigMaps("blue").List(ctx, metav1.ListOptions{})
		return err
	})
	_, err = ana.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("listing the config maps of another namespace: %v, want forbidden", err)
	}
}

func checkServiceAccount(t *testing.T, cp *ControlPlane) {
	config, err := cp.ServiceAccountConfig(t.Context(), "blue", "default")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := WriteKubeconfigFor(config, path); err != nil {
		t.Fatal(err)
	}
	out, err := RunKubectl(t.Context(), cp.KubectlPath(), path, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if err != nil || out != "system:serviceaccount:blue:default" {
		t.Errorf("kubectl says %q, %v", out, err)
	}
	if _, err := cp.ServiceAccountConfig(t.Context(), "blue", "nobody"); !apierrors.IsNotFound(err) {
		t.Errorf("a token of a service account that does not exist: %v, want not found", err)
	}
}

func checkKubectl(t *testing.T, cp *ControlPlane) {
	out, err := cp.Kubectl(t.Context(), "version", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	type version struct{ Major, Minor, GitVersion, BuildDate string }
	var got struct{ ClientVersion, ServerVersion version }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.ClientVersion != got.ServerVersion || got.ServerVersion.Major != "1" || got.ServerVersion.Minor == "" {
		t.Errorf("kubectl version says %+v", got)
	}
	_, err = cp.Kubectl(t.Context(), "get", "namespace", "nowhere")
	if err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("getting what is not there: %v, want an error that says so", err)
	}
}

func checkAudit(t *testing.T, cp *ControlPlane, client kubernetes.Interface) {
	if _, err := client.CoreV1().Secrets("blue").Get(t.Context(), "needle", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("getting a secret: %v, want not found", err)
	}
	f, err := os.Open(cp.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Level, Verb string
			ObjectRef   struct{ Resource, Name string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("reading an audit event: %v", err)
		}
		if event.ObjectRef.Name == "needle" && event.Level == "Metadata" && event.Verb == "get" {
			return
		}
	}
	t.Errorf("no audit event of the request (read error: %v)", lines.Err())
}

func TestTwoAtOnceAndStop(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own")
	results := make(chan error)
	var kept, temporary *ControlPlane
	go func() {
		var err error
		kept, err = Start(t.Context(), Options{Dir: own, Scheduler: true})
		results <- err
	}()
	go func() {
		var err error
		temporary, err = Start(t.Context(), Options{})
		results <- err
	}()
	err := errors.Join(<-results, <-results)
	both := slices.DeleteFunc([]*ControlPlane{kept, temporary}, func(cp *ControlPlane) bool { return cp == nil })
	t.Cleanup(func() {
		for _, cp := range both {
			_ = cp.Stop()
		}
	})
	if err != nil {
		t.Fatalf("starting two at once: %v", err)
	}
	createNamespace(t, clientFor(t, kept.Config()), "one")
	createNamespace(t, clientFor(t, temporary.Config()), "two")
	if _, err := clientFor(t, kept.Config()).CoreV1().Namespaces().Get(t.Context(), "two", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the namespace of the other control plane: %v, want not found", err)
	}
	for _, cp := range both {
		checkStop(t, cp)
	}
	if _, err := os.Stat(kept.Log(apiServer)); err != nil {
		t.Errorf("the caller's directory lost its logs: %v", err)
	}
	if _, err := os.Stat(temporary.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory: %v, want that it is gone", err)
	}
}

func checkStop(t *testing.T, cp *ControlPlane) {
	t.Helper()
	pids := map[string]int{}
	for name, process := range cp.processes {
		pids[name] = process.PID()
	}
	if len(pids) < 3 {
		t.Errorf("only %v run", pids)
	}
	if err := errors.Join(cp.Stop(), cp.Stop()); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	for name, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s (%d) is still there: %v", name, pid, err)
		}
	}
	if err := cp.StartControllerManager(); err == nil {
		t.Error("a stopped control plane started its controller manager")
	}
}

func TestRestarts(t *testing.T) {
	cp := startForTest(t, Options{})
	client := clientFor(t, cp.Config())
	createNamespace(t, client, "before")
	if err := cp.StopControllerManager(); err != nil {
		t.Fatal(err)
	}
	if err := cp.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "before", metav1.GetOptions{}); err != nil {
		t.Errorf("what was there before the restart: %v", err)
	}
	if err := cp.StartControllerManager(); err != nil {
		t.Fatal(err)
	}
	if err := cp.StartControllerManager(); err == nil {
		t.Error("the controller manager was started twice")
	}
	createNamespace(t, client, "after")
}

func TestFailedStartSaysWhyAndLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Start(t.Context(), Options{ExtraAPIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("the error is %v, want the end of the server's log", err)
	}
	entries, err := os.ReadDir(os.TempDir())
	if err != nil || len(entries) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", entries, err)
	}
}

func TestDirMustBeEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("starting in a directory with a file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mine")); err != nil {
		t.Errorf("the caller's file is gone: %v", err)
	}
}
