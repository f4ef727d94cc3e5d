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

import "strings"

const (
	serviceRange = "10.0.0.0/24"
	// serviceIP is the first address of serviceRange, which Kubernetes gives to the service "kubernetes".
	serviceIP = "10.0.0.1"

	// auditPolicy writes one event per answered request (a watch: one when it opens and one when it ends).
	auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`
)

// args are the flags of a program.
func (cp *ControlPlane) args(name string) []string {
	switch name {
	case etcd:
		return cp.etcdArgs()
	case apiServer:
		return cp.apiServerArgs()
	case controllerManager:
		return cp.controllerManagerArgs()
	default:
		return []string{
			"--kubeconfig=" + cp.path(scheduler+".kubeconfig"),
			"--leader-elect=false",
			"--secure-port=0",
		}
	}
}

func (cp *ControlPlane) etcdArgs() []string {
	args := []string{
		"--data-dir=" + cp.path("etcd"),
		"--listen-client-urls=" + cp.etcdURL,
		"--advertise-client-urls=" + cp.etcdURL,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--client-cert-auth",
		"--trusted-ca-file=" + cp.pki.cert("etcd-ca"),
		"--cert-file=" + cp.pki.cert("etcd"),
		"--key-file=" + cp.pki.key("etcd"),
		// As kubeadm sets it: consistent reads from the API server's cache wait for these notices.
		"--watch-progress-notify-interval=5s",
		"--log-level=warn",
	}
	if !cp.opts.Durable {
		// The data is thrown away with the control plane. Waiting for the disk on every write makes the
		// start and the tests several times slower, and protects only against a crash of the machine.
		args = append(args, "--unsafe-no-fsync")
	}
	return args
}

func (cp *ControlPlane) apiServerArgs() []string {
	host, port, _ := strings.Cut(cp.address, ":")
	args := []string{
		"--bind-address=" + host,
		// Without it the server looks for an address of a default route, which a sandbox may not have.
		"--advertise-address=" + host,
		"--secure-port=" + port,
		"--endpoint-reconciler-type=none",
		"--etcd-servers=" + cp.etcdURL,
		"--etcd-cafile=" + cp.pki.cert("etcd-ca"),
		"--etcd-certfile=" + cp.pki.cert("etcd-client"),
		"--etcd-keyfile=" + cp.pki.key("etcd-client"),
		"--client-ca-file=" + cp.pki.cert("ca"),
		"--tls-cert-file=" + cp.pki.cert("apiserver"),
		"--tls-private-key-file=" + cp.pki.key("apiserver"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + cp.pki.cert("service-accounts"),
		"--service-account-signing-key-file=" + cp.pki.key("service-accounts"),
	}
	if cp.opts.Audit {
		args = append(args,
			"--audit-policy-file="+cp.path("audit-policy.yaml"),
			"--audit-log-path="+cp.AuditLog(),
			// Blocking: the event of a request is in the file before its answer is with the caller.
			"--audit-log-mode=blocking",
			"--audit-log-maxsize=0")
	}
	return append(args, cp.opts.ExtraAPIServerArgs...)
}

// The controllers are the default ones: none of them talks to a cloud any more.
func (cp *ControlPlane) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + cp.path(controllerManager+".kubeconfig"),
		"--leader-elect=false",
		"--secure-port=0",
		"--use-service-account-credentials=true",
		"--root-ca-file=" + cp.pki.cert("ca"),
		"--service-account-private-key-file=" + cp.pki.key("service-accounts"),
		"--cluster-signing-cert-file=" + cp.pki.cert("ca"),
		"--cluster-signing-key-file=" + cp.pki.key("ca"),
		// At the default of 20 requests per second its own status writes of many quotas would be the
		// bottleneck that a test or a benchmark measures.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}
