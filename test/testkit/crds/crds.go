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

// Package crds has the CRDs of other projects that Bulkhead works with, for tests: the projects' own files where Go's
// module proxy serves them (hack/crds/update.sh copies them), and otherwise what was written from the documented schema.
// The first lines of each file say which.
package crds

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// The projects, as Load takes them. A project's CRDs are served in the versions that are named here.
const (
	// GatewayAPI is gateway.networking.k8s.io/v1 (and, for some kinds, older versions), the standard channel.
	GatewayAPI = "gateway-api"
	// Cilium is cilium.io/v2: CiliumEgressGatewayPolicy, CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.
	Cilium = "cilium"
	// ClusterNetworkPolicy is policy.networking.k8s.io/v1alpha2, the standard channel.
	ClusterNetworkPolicy = "cluster-network-policy"
	// ClusterNetworkPolicyExperimental is the same CRD in the experimental channel. It isn't in All.
	ClusterNetworkPolicyExperimental = "cluster-network-policy-experimental"
	// AdminNetworkPolicy is policy.networking.k8s.io/v1alpha1, the standard channel: AdminNetworkPolicy and
	// BaselineAdminNetworkPolicy.
	AdminNetworkPolicy = "admin-network-policy"
	// AdminNetworkPolicyExperimental is the same CRDs in the experimental channel. It isn't in All.
	AdminNetworkPolicyExperimental = "admin-network-policy-experimental"
	// OVNKubernetes is k8s.ovn.org/v1: EgressIP and EgressFirewall. Written for tests.
	OVNKubernetes = "ovn-kubernetes"
	// Antrea is crd.antrea.io/v1beta1: Egress and ExternalIPPool. Written for tests.
	Antrea = "antrea"
	// NameTraps are two more kinds that are named ClusterNetworkPolicy, in crd.antrea.io/v1beta1 and
	// networking.k8s.aws/v1alpha1. Written for tests.
	NameTraps = "name-traps"
)

//go:embed */*.yaml
var files embed.FS

// All returns the projects that can be installed side by side, in a fixed order: every project but the experimental
// channels, which take the place of a standard one.
func All() []string {
	return []string{AdminNetworkPolicy, Antrea, Cilium, ClusterNetworkPolicy, GatewayAPI, NameTraps, OVNKubernetes}
}

// Load returns the CRDs of a project, sorted by the name of their file. They are the caller's to change. It is an error
// if there is no such project.
func Load(project string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	names, err := fs.Glob(files, project+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("looking for the CRDs of %q: %w", project, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("looking for the CRDs of %q: there is no such project", project)
	}
	slices.Sort(names)
	var loaded []*apiextensionsv1.CustomResourceDefinition
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading a CRD: %w", err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(content, crd); err != nil {
			return nil, fmt.Errorf("reading the CRD %s: %w", name, err)
		}
		loaded = append(loaded, crd)
	}
	return loaded, nil
}
