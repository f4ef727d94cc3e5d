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

// Package install_test installs Bulkhead into a real control plane, as a user does, and looks at what it got.
package install_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
)

const (
	config   = "../../config/"
	operator = "system:serviceaccount:" + v1alpha1.DefaultOperatorNamespace + ":bulkhead"
)

// TestInstall uses one control plane for all, for the sake of time.
func TestInstall(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	apply := func(folder string) {
		kubectl(t, cp, "apply", "--server-side", "--validate=strict", "-k", config+folder)
	}

	apply("default")
	timeout := "--timeout=" + time.Minute.String()
	kubectl(t, cp, "wait", "--for=condition=Established", timeout, "crd",
		"tenants.tenancy.bulkhead.dev", "tenantclasses.tenancy.bulkhead.dev")
	apply("samples")
	// Again, as an upgrade does, over what stands there already.
	apply("default")

	t.Run("operator", func(t *testing.T) { checkOperator(t, cp) })
	t.Run("bindable roles", func(t *testing.T) { checkBindableRoles(t, cp) })
	t.Run("deployment", func(t *testing.T) { checkDeployment(t, cp) })
}

// checkOperator asks the API server what the operator may do, which is more than one file says: roles add up.
func checkOperator(t *testing.T, cp *controlplane.ControlPlane) {
	cases := map[string]struct {
		question []string
		want     string
	}{
		"API server's addresses":  {[]string{"list", "endpointslices.discovery.k8s.io", "-n", "default"}, "yes"},
		"other addresses":         {[]string{"list", "endpointslices.discovery.k8s.io", "-n", "kube-system"}, "no"},
		"its lease":               {[]string{"update", "leases.coordination.k8s.io", "-n", v1alpha1.DefaultOperatorNamespace}, "yes"},
		"another's lease":         {[]string{"update", "leases.coordination.k8s.io", "-n", "kube-system"}, "no"},
		"secrets":                 {[]string{"list", "secrets", "-A"}, "no"},
		"its own secrets":         {[]string{"get", "secrets", "-n", v1alpha1.DefaultOperatorNamespace}, "no"},
		"pods":                    {[]string{"list", "pods", "-A"}, "no"},
		"shells":                  {[]string{"create", "pods", "--subresource=exec", "-A"}, "no"},
		"tokens":                  {[]string{"create", "serviceaccounts", "--subresource=token", "-A"}, "no"},
		"escalate":                {[]string{"escalate", "clusterroles.rbac.authorization.k8s.io"}, "no"},
		"impersonate":             {[]string{"impersonate", "users"}, "no"},
		"bind edit":               {[]string{"bind", "clusterroles.rbac.authorization.k8s.io/edit"}, "yes"},
		"bind cluster-admin":      {[]string{"bind", "clusterroles.rbac.authorization.k8s.io/cluster-admin"}, "no"},
		"everything":              {[]string{"*", "*", "-A"}, "no"},
		"admission configuration": {[]string{"create", "mutatingwebhookconfigurations.admissionregistration.k8s.io"}, "no"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			// The exit code of can-i is the answer, too: "no" is no failure of the question.
			args := append([]string{"auth", "can-i", "--as=" + operator}, tc.question...)
			out, err := cp.Kubectl(t.Context(), args...)
			if got := strings.TrimSpace(out); got != tc.want {
				t.Errorf("kubectl %s: %q (%v), want %q", strings.Join(args, " "), got, err, tc.want)
			}
		})
	}
}

// checkBindableRoles checks that the list takes effect when the platform team shortens and extends it, as its
// comment says.
func checkBindableRoles(t *testing.T, cp *controlplane.ControlPlane) {
	bind := func(role string, extra ...string) error {
		args := []string{
			"create", "rolebinding", "try", "-n", "default", "--clusterrole=" + role, "--user=somebody",
			"--dry-run=server", "--as=" + operator,
		}
		_, err := cp.Kubectl(t.Context(), append(args, extra...)...)
		return err
	}
	patch := func(operation string) {
		kubectl(t, cp, "patch", "clusterrole", "bulkhead-bindable-roles", "--type=json", "-p", operation)
	}
	kubectl(t, cp, "create", "clusterrole", "release-manager", "--verb=get,list", "--resource=pods")

	if err := bind("view"); err != nil {
		t.Errorf("binding view: %v", err)
	}
	if err := bind("release-manager"); err == nil {
		t.Error("binding release-manager succeeded before it was listed")
	}
	patch(`[{"op": "add", "path": "/rules/0/resourceNames/-", "value": "release-manager"}]`)
	eventually(t, "release-manager to be bindable", func() bool { return bind("release-manager") == nil })
	// The list says edit at its second place.
	patch(`[{"op": "remove", "path": "/rules/0/resourceNames/1"}]`)
	eventually(t, "edit not to be bindable any more", func() bool { return bind("edit") != nil })
}

// checkDeployment starts the operator's pod as a dry run: the namespace enforces Pod Security "restricted".
func checkDeployment(t *testing.T, cp *controlplane.ControlPlane) {
	out := kubectl(t, cp, "get", "deployment", "bulkhead", "-n", v1alpha1.DefaultOperatorNamespace,
		"-o", "jsonpath={.spec.template.spec.priorityClassName}")
	if out != "system-cluster-critical" {
		t.Errorf("priority class %q, want system-cluster-critical", out)
	}
	eventually(t, "two pods to be admitted", func() bool {
		pods := kubectl(t, cp, "get", "pods", "-n", v1alpha1.DefaultOperatorNamespace, "-o", "name")
		return len(strings.Fields(pods)) == 2
	})
}

func kubectl(t *testing.T, cp *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	out, err := cp.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
