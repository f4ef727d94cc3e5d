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
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenSeconds is the life of a service account token: a day, longer than any run.
const tokenSeconds = int64(24 * 60 * 60)

// Config returns a new configuration of a client that may do everything (group system:masters), without a
// limit of its own on requests per second.
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.admin) }

// ConfigFor returns a configuration of a client that is the given user in the given groups, by a certificate
// of the control plane's authority.
func (cp *ControlPlane) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	issued, err := cp.pki.ca.client(user, groups...)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: "https://" + cp.address,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   cp.pki.ca.cert,
			CertData: issued.cert,
			KeyData:  issued.key,
		},
		QPS: -1,
	}, nil
}

// ServiceAccountConfig returns a configuration of a client that is a service account, by a token of 24
// hours. The service account must exist.
func (cp *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	return ServiceAccountConfig(ctx, cp.admin, namespace, name)
}

// ServiceAccountConfig returns a configuration of a client that is a service account of the cluster that
// admin reaches. It asks for a token of 24 hours; a cluster may give a shorter one.
func ServiceAccountConfig(ctx context.Context, admin *rest.Config, namespace, name string) (*rest.Config, error) {
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	seconds := tokenSeconds
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token of service account %s/%s: %w", namespace, name, err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.BearerToken = answer.Status.Token
	config.QPS = -1
	return config, nil
}

// Kubeconfig is the file of the kubeconfig that may do everything.
func (cp *ControlPlane) Kubeconfig() string { return cp.path("admin.kubeconfig") }

// WriteKubeconfig writes the kubeconfig that may do everything to a file of the caller.
func (cp *ControlPlane) WriteKubeconfig(path string) error { return WriteKubeconfigFor(cp.admin, path) }

// WriteKubeconfigFor writes a kubeconfig with one context for a client configuration, readable by its owner
// only. Certificates, keys and tokens are embedded or named by file as in the configuration.
func WriteKubeconfigFor(config *rest.Config, path string) error {
	const name = "bulkhead"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{
		Server:                   config.Host,
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
		CertificateAuthority:     config.CAFile,
		CertificateAuthorityData: config.CAData,
	}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificate:     config.CertFile,
		ClientCertificateData: config.CertData,
		ClientKey:             config.KeyFile,
		ClientKeyData:         config.KeyData,
		Token:                 config.BearerToken,
		TokenFile:             config.BearerTokenFile,
	}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}
