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

package ingress

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// maxHostname is how long a DNS name may be, in characters.
const maxHostname = validation.DNS1123SubdomainMaxLength

// Room renders what spec.ingress opens, the tenant's Gateway, and guard-rail data.
type Room struct{}

var (
	_ feature.Feature       = Room{}
	_ feature.ClusterScoped = Room{}
	_ feature.Observer      = Room{}
)

// Name implements feature.Feature.
func (Room) Name() string { return "ingress" }

// Condition implements feature.Feature.
func (Room) Condition() string { return v1alpha1.ConditionIngressReady }

// Field implements feature.Explained.
func (Room) Field() string { return "spec.ingress" }

// Owns implements feature.Feature.
func (Room) Owns() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")}
}

// Render returns the NetworkPolicy that lets in the tenant's ingress controllers, if there are any, and the annotations
// that the rule ingress reads, or nothing without the block. Classes keep the order of the spec, where the first is the
// default; hostnames and types of Services are sorted. What isn't a class, a hostname (once the tenant's name is filled in)
// or a type is an error: it could become two entries of a list, or one that means nothing. A hostname that an older tenant
// has is left out, which is a finding.
func (Room) Render(f feature.Facts) (feature.Result, error) {
	if f.Policy.Ingress == nil {
		return feature.Result{}, nil
	}
	spec, at := *f.Policy.Ingress, field.NewPath("ingress")
	ingressClasses, errs := check(spec.ClassNames, at.Child("classNames"), validateName)
	gatewayClasses, wrong := check(spec.GatewayClassNames, at.Child("gatewayClassNames"), validateName)
	errs = append(errs, wrong...)
	hostnames, wrong := check(spec.Hostnames, at.Child("hostnames"), validateHostname)
	errs = append(errs, wrong...)
	types, wrong := check(spec.ServiceTypes, at.Child("serviceTypes"), validateType)
	errs = append(errs, wrong...)
	wall, wrong := allowControllers(f.Namespace, spec.Controllers, at.Child("controllers"))
	errs = append(errs, wrong...)
	if len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	slices.Sort(hostnames)
	slices.Sort(types)

	var result feature.Result
	if wall != nil {
		result.Walls = append(result.Walls, wall)
	}
	hostnames, result.Findings = untaken(hostnames, f.Taken, at.Child("hostnames"))
	result.Annotations = map[string]string{}
	for key, entries := range map[string][]string{
		v1alpha1.GuardIngressClasses: ingressClasses, v1alpha1.GuardGatewayClasses: gatewayClasses,
		v1alpha1.GuardHostnames: hostnames, v1alpha1.GuardServiceTypes: types,
		v1alpha1.GuardGateway: ownGateway(f.Tenant, spec.Gateway),
	} {
		if len(entries) > 0 {
			result.Annotations[key] = strings.Join(entries, ",")
		}
	}
	return result, nil
}

// ownGateway is where the tenant's Gateway is, in the form of v1alpha1.GuardGateway; nothing if it has none. What is wrong
// with it RenderTenant says.
func ownGateway(tenant string, gateway *v1alpha1.IngressGateway) []string {
	if gateway == nil || len(validation.IsDNS1123Label(string(gateway.Namespace))) > 0 {
		return nil
	}
	return []string{string(gateway.Namespace) + "/" + feature.NamespacedName(tenant)}
}

// untaken returns the hostnames that no older tenant has, and a finding for each of the others.
func untaken(hostnames []string, taken feature.Claims, at *field.Path) ([]string, []feature.Finding) {
	var free []string
	var findings []feature.Finding
	for _, hostname := range hostnames {
		holder, ok := taken.Hostnames[hostname]
		if !ok {
			free = append(free, hostname)
			continue
		}
		findings = append(findings, feature.Finding{
			Reason: v1alpha1.ReasonHostnameConflict,
			Message: fmt.Sprintf("%s: %q is left out, because the older tenant %q has %s: remove it here, or what claims it in "+
				"ingress.hostnames of Tenant %q or its class", at, hostname, holder, claim(hostname), holder),
		})
	}
	return free, findings
}

// claim says in words by what another tenant can have a hostname.
func claim(hostname string) string {
	if strings.HasPrefix(hostname, "*.") {
		return "the same wildcard, one that covers it, or a name below it"
	}
	return "the same name, or a wildcard that covers it"
}

// check returns the entries of a list, each once, and what is wrong with them.
func check[T ~string](list []T, at *field.Path, validate func(T, *field.Path) field.ErrorList) ([]string, field.ErrorList) {
	var entries []string
	var errs field.ErrorList
	for i, entry := range list {
		errs = append(errs, validate(entry, at.Index(i))...)
		if !slices.Contains(entries, string(entry)) {
			entries = append(entries, string(entry))
		}
	}
	return entries, errs
}

func validateName(name v1alpha1.ObjectName, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, wrong := range validation.IsDNS1123Subdomain(string(name)) {
		errs = append(errs, field.Invalid(at, name, wrong))
	}
	return errs
}

// validateHostname refuses what no name in DNS is, or no host of an Ingress may be.
func validateHostname(hostname v1alpha1.Hostname, at *field.Path) field.ErrorList {
	if len(hostname) > maxHostname {
		return field.ErrorList{field.TooLong(at, hostname, maxHostname)}
	}
	name := strings.TrimPrefix(string(hostname), "*.")
	if _, err := netip.ParseAddr(name); err == nil {
		return field.ErrorList{field.Invalid(at, hostname, "must be a DNS name, not an IP address")}
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(validation.IsDNS1123Label(label)) > 0 {
			return field.ErrorList{field.Invalid(at, hostname, `must be a DNS name, or "*." and one, as "acme.example.com" or `+
				`"*.acme.example.com": each part between dots is 1 to 63 of a-z, 0-9 and "-", and begins and ends with a letter or digit`)}
		}
	}
	return nil
}

func validateType(serviceType v1alpha1.ServiceType, at *field.Path) field.ErrorList {
	types := []v1alpha1.ServiceType{
		v1alpha1.ServiceClusterIP, v1alpha1.ServiceNodePort, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceExternalName,
	}
	if slices.Contains(types, serviceType) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, serviceType, types)}
}
