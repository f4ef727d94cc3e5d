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

package feature

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// ValidatePorts refuses what would open more ports than are written. None are all ports.
func ValidatePorts(ports []v1alpha1.Port, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range ports {
		here := at.Index(i)
		switch p.Protocol {
		case "", corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
		default:
			errs = append(errs, field.NotSupported(here.Child("protocol"), p.Protocol,
				[]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}))
		}
		if p.Port < 0 || p.Port > 65535 {
			errs = append(errs, field.Invalid(here.Child("port"), p.Port, "must be between 1 and 65535, or unset for all ports"))
		}
		if p.EndPort != 0 && (p.Port == 0 || p.EndPort < p.Port || p.EndPort > 65535) {
			errs = append(errs, field.Invalid(here.Child("endPort"), p.EndPort,
				"must be between port and 65535, and needs port"))
		}
	}
	return errs
}

// CanonicalPorts returns the ports sorted, each once, and each with its protocol. The input isn't changed.
func CanonicalPorts(ports []v1alpha1.Port) []v1alpha1.Port {
	all := slices.Clone(ports)
	for i := range all {
		all[i].Protocol = cmp.Or(all[i].Protocol, corev1.ProtocolTCP)
	}
	slices.SortFunc(all, func(a, b v1alpha1.Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.EndPort, b.EndPort), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(all)
}

// NetworkPolicyPorts returns the ports in canonical form, with the protocol that the server would fill in. No ports mean
// all ports.
func NetworkPolicyPorts(ports []v1alpha1.Port) []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	var out []*networkingv1ac.NetworkPolicyPortApplyConfiguration
	for _, port := range CanonicalPorts(ports) {
		p := networkingv1ac.NetworkPolicyPort().WithProtocol(port.Protocol)
		if port.Port != 0 {
			p.WithPort(intstr.FromInt32(port.Port))
		}
		if port.EndPort != 0 {
			p.WithEndPort(port.EndPort)
		}
		out = append(out, p)
	}
	return out
}
