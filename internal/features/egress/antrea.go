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

package egress

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// antrea renders an Egress.
type antrea struct{}

// What of an Egress is rendered. Its list of addresses is for one address in each subnet of the nodes, in turn, and two
// Egresses for the same pod are one at random, so that there is one address.
// https://github.com/antrea-io/antrea/blob/main/docs/egress.md
type (
	antreaSpec struct {
		AppliedTo antreaAppliedTo `json:"appliedTo"`
		EgressIP  string          `json:"egressIP"`
	}
	antreaAppliedTo struct {
		NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	}
)

func (antrea) name() v1alpha1.EgressProvider { return v1alpha1.EgressAntrea }

func (antrea) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "crd.antrea.io", Version: "v1beta1", Kind: "Egress"}
}

func (antrea) install() string { return "install Antrea, or set another provider" }

func (antrea) validate(g *gateway, at *field.Path) field.ErrorList {
	errs := noNodes(g, at, "add the address to a network interface of a node (no ExternalIPPool is asked), and leave it out")
	if len(g.addresses) > 1 {
		errs = append(errs, field.TooMany(at.Child("addresses"), len(g.addresses), 1))
	}
	return errs
}

func (p antrea) render(g *gateway) []feature.Object {
	return []feature.Object{feature.NewCustom(p.kind(), "", g.objectName(), antreaSpec{
		AppliedTo: antreaAppliedTo{g.selector()}, EgressIP: g.addresses[0].String(),
	})}
}

func (p antrea) observe(live *unstructured.Unstructured) feature.Observation {
	of := func(path ...string) string {
		text, _, err := unstructured.NestedString(live.Object, path...)
		if err != nil {
			return ""
		}
		return text
	}
	wanted, there, node := of("spec", "egressIP"), of("status", "egressIP"), of("status", "egressNode")
	var reasons []string
	status, _ := feature.ReadStatus(live)
	for _, c := range status.Conditions {
		if c.Status == metav1.ConditionFalse {
			reasons = append(reasons, feature.OneLine(strings.Trim(fmt.Sprintf("%s: %s %s", c.Type, c.Reason, c.Message), ": ")))
		}
	}
	// Older releases don't tell the address.
	if node != "" && (there == wanted || there == "") && len(reasons) == 0 {
		return feature.Observation{Report: fmt.Sprintf("%s on node %s (%s %s)", wanted, feature.OneLine(node), p.kind().Kind, live.GetName())}
	}
	if len(reasons) == 0 {
		reasons = []string{"a node must have the address"}
	}
	return notProgrammed("%s: on no node (%s %s): %s", wanted, p.kind().Kind, live.GetName(), strings.Join(reasons, "; "))
}
