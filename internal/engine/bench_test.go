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

package engine_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// BenchmarkPlan renders one namespace of eight objects: it is what every pass over a namespace starts with.
func BenchmarkPlan(b *testing.B) {
	tenant := builders.MakeTenant("acme").Namespaces("acme-prod").
		Member("owners", v1alpha1.RoleAdmin, builders.Group("acme-admins")).
		Member("deployer", v1alpha1.RoleEdit, builders.ServiceAccount("acme-prod", "deployer")).
		Policy(builders.Quota(corev1.ResourcePods, "10"), builders.ContainerDefault(corev1.ResourceMemory, "64Mi", "128Mi")).Obj()
	in := engine.Input{Facts: feature.Facts{
		Tenant: "acme", Namespace: "acme-prod", Policy: tenant.Spec.PolicyBlocks, Members: tenant.Spec.Members,
		Cluster: feature.ClusterFacts{DNS: feature.DNS{
			Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: []int32{53},
		}},
	}}
	rooms := features.All()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engine.NewPlan(rooms, in); err != nil {
			b.Fatal(err)
		}
	}
}
