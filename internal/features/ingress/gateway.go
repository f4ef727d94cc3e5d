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
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// gatewayKind is the kind of the tenant's Gateway.
var gatewayKind = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}

// maxListeners is how many listeners a Gateway has at most.
const maxListeners = 64

// What the API server stores, with its defaults.
type (
	gatewaySpec struct {
		GatewayClassName string            `json:"gatewayClassName"`
		Listeners        []gatewayListener `json:"listeners"`
	}
	gatewayListener struct {
		Name          string        `json:"name"`
		Port          int32         `json:"port"`
		Protocol      string        `json:"protocol"`
		Hostname      string        `json:"hostname,omitempty"`
		TLS           *gatewayTLS   `json:"tls,omitempty"`
		AllowedRoutes allowedRoutes `json:"allowedRoutes"`
	}
	gatewayTLS struct {
		Mode            string           `json:"mode"`
		CertificateRefs []certificateRef `json:"certificateRefs,omitempty"`
	}
	certificateRef struct {
		Group string `json:"group"`
		Kind  string `json:"kind"`
		Name  string `json:"name"`
	}
	allowedRoutes struct {
		Namespaces routeNamespaces `json:"namespaces"`
	}
	routeNamespaces struct {
		From     string                `json:"from"`
		Selector *metav1.LabelSelector `json:"selector"`
	}
)

// OwnsCluster implements feature.ClusterScoped. The Gateway is namespaced, and in a namespace that may be nobody's.
func (Room) OwnsCluster() []schema.GroupVersionKind { return []schema.GroupVersionKind{gatewayKind} }

// RenderTenant returns the tenant's Gateway, or nothing if it asks for none. It fails if the block isn't complete, or
// contradicts itself or the rest of spec.ingress. Where the Gateway API isn't served, or another tenant holds the Gateway's
// namespace, or (for single listeners) an older tenant has the hostname, that is a finding, and it is left out.
func (Room) RenderTenant(f feature.TenantFacts) (feature.Result, error) {
	if f.PolicyError != nil {
		return feature.Result{}, f.PolicyError
	}
	var spec v1alpha1.IngressPolicy
	if f.Policy.Ingress != nil {
		spec = *f.Policy.Ingress
	}
	result := feature.Result{Findings: ineffective(f, spec.Gateway)}
	if spec.Gateway == nil {
		return result, nil
	}
	at := field.NewPath("ingress", "gateway")
	if errs := validateGateway(spec, at); len(errs) > 0 {
		return feature.Result{}, errs.ToAggregate()
	}
	add := func(reason, format string, values ...any) {
		result.Findings = append(result.Findings, feature.Finding{Reason: reason, Message: at.String() + fmt.Sprintf(format, values...)})
	}
	namespace := string(spec.Gateway.Namespace)
	if holder, foreign := f.Foreign[namespace]; foreign {
		add(v1alpha1.ReasonNamespaceConflict, ".namespace: namespace %q is tenant %q's, so that there is no Gateway: "+
			"name one of this tenant, or one that is nobody's", namespace, holder)
		return result, nil
	}
	if !f.Cluster.Serves(gatewayKind) {
		add(v1alpha1.ReasonMissingAPI, " needs the kind %s of %s, which the cluster doesn't serve, so that there is no Gateway: "+
			"install the Gateway API, or remove the field", gatewayKind.Kind, gatewayKind.GroupVersion())
		return result, nil
	}
	var listeners []gatewayListener
	for _, l := range sortedListeners(spec.Gateway.Listeners) {
		if holder := holderOf(string(l.Hostname), spec.Hostnames, f.Taken); holder != "" {
			add(v1alpha1.ReasonHostnameConflict, ".listeners[%s].hostname: %q is left out, because the older tenant %q has %s: "+
				"choose another one", l.Name, l.Hostname, holder, claim(string(l.Hostname)))
			continue
		}
		listeners = append(listeners, renderListener(l, f.Tenant))
	}
	if len(listeners) > 0 {
		result.Walls = append(result.Walls, feature.NewCustom(gatewayKind, namespace, feature.NamespacedName(f.Tenant),
			gatewaySpec{GatewayClassName: string(spec.Gateway.ClassName), Listeners: listeners}))
	}
	return result, nil
}

// ineffective says which namespaces ask for a Gateway of their own.
func ineffective(f feature.TenantFacts, gateway *v1alpha1.IngressGateway) []feature.Finding {
	var findings []feature.Finding
	for _, namespace := range slices.Sorted(maps.Keys(f.Overrides)) {
		override := f.Overrides[namespace].Ingress
		if override == nil || reflect.DeepEqual(inOrder(override.Gateway), inOrder(gateway)) {
			continue
		}
		findings = append(findings, feature.Finding{
			Reason: v1alpha1.ReasonInvalidPolicy,
			Message: fmt.Sprintf("namespaces[%s].policy.ingress.gateway has no effect, because the Gateway is the whole tenant's: "+
				"remove it, or move it to ingress.gateway of the Tenant", namespace),
		})
	}
	return findings
}

// inOrder is a copy of a Gateway with its listeners sorted.
func inOrder(gateway *v1alpha1.IngressGateway) *v1alpha1.IngressGateway {
	if gateway == nil {
		return nil
	}
	return &v1alpha1.IngressGateway{ClassName: gateway.ClassName, Namespace: gateway.Namespace, Listeners: sortedListeners(gateway.Listeners)}
}

func sortedListeners(listeners []v1alpha1.GatewayListener) []v1alpha1.GatewayListener {
	return slices.SortedStableFunc(slices.Values(listeners), func(a, b v1alpha1.GatewayListener) int {
		return cmp.Compare(a.Name, b.Name)
	})
}

// renderListener renders a listener to which only routes of the tenant's namespaces can be attached.
func renderListener(l v1alpha1.GatewayListener, tenant string) gatewayListener {
	out := gatewayListener{
		Name: l.Name, Port: l.Port, Protocol: string(l.Protocol), Hostname: string(l.Hostname),
		AllowedRoutes: allowedRoutes{Namespaces: routeNamespaces{
			From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: tenant}},
		}},
	}
	switch {
	case l.TLSSecretName != "":
		out.TLS = &gatewayTLS{Mode: "Terminate", CertificateRefs: []certificateRef{{Kind: "Secret", Name: string(l.TLSSecretName)}}}
	case l.Protocol == v1alpha1.ListenerTLS:
		out.TLS = &gatewayTLS{Mode: "Passthrough"}
	}
	return out
}

// holderOf is the older tenant that has a listener's hostname; empty if none has. What is left of the tenant's own claims
// decides: one of them that nobody has is enough.
func holderOf(hostname string, claims []v1alpha1.Hostname, taken feature.Claims) string {
	if holder, ok := taken.Hostnames[hostname]; hostname == "" || ok {
		return holder
	}
	var holders []string
	for _, claim := range claims {
		if !covers(string(claim), hostname) {
			continue
		}
		holder, ok := taken.Hostnames[string(claim)]
		if !ok {
			return ""
		}
		holders = append(holders, holder)
	}
	if len(holders) == 0 {
		return ""
	}
	return slices.Min(holders)
}

// covers reports whether a claim is the hostname, or a wildcard above it.
func covers(claim, hostname string) bool {
	below, wildcard := strings.CutPrefix(claim, "*")
	return claim == hostname || wildcard && strings.HasSuffix(hostname, below)
}

func validateGateway(spec v1alpha1.IngressPolicy, at *field.Path) field.ErrorList {
	gateway := spec.Gateway
	errs := needed(string(gateway.ClassName), at.Child("className"), validation.IsDNS1123Subdomain)
	if len(errs) == 0 && len(spec.GatewayClassNames) > 0 && !slices.Contains(spec.GatewayClassNames, gateway.ClassName) {
		errs = append(errs, field.NotSupported(at.Child("className"), gateway.ClassName, spec.GatewayClassNames))
	}
	errs = append(errs, needed(string(gateway.Namespace), at.Child("namespace"), validation.IsDNS1123Label)...)
	all := at.Child("listeners")
	switch count := len(gateway.Listeners); {
	case count == 0:
		errs = append(errs, field.Required(all, "must have at least one entry, here or in the TenantClass"))
	case count > maxListeners:
		errs = append(errs, field.TooMany(all, count, maxListeners))
	}
	names, sockets := map[string]bool{}, map[string]string{}
	for _, l := range sortedListeners(gateway.Listeners) {
		here := all.Key(l.Name)
		if names[l.Name] {
			errs = append(errs, field.Duplicate(here.Child("name"), l.Name))
			continue
		}
		names[l.Name] = true
		socket := fmt.Sprintf("%d %s %s", l.Port, l.Protocol, l.Hostname)
		if other, taken := sockets[socket]; taken {
			errs = append(errs, field.Invalid(here, socket, fmt.Sprintf("must differ from listener %q in port, protocol or hostname", other)))
		}
		sockets[socket] = l.Name
		errs = append(errs, validateListener(l, spec.Hostnames, here)...)
	}
	return errs
}

func validateListener(l v1alpha1.GatewayListener, claims []v1alpha1.Hostname, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, wrong := range validation.IsDNS1123Label(l.Name) {
		errs = append(errs, field.Invalid(at.Child("name"), l.Name, wrong))
	}
	if l.Port < 1 || l.Port > 65535 {
		errs = append(errs, field.Invalid(at.Child("port"), l.Port, "must be between 1 and 65535"))
	}
	known := []v1alpha1.ListenerProtocol{
		v1alpha1.ListenerHTTP, v1alpha1.ListenerHTTPS, v1alpha1.ListenerTLS, v1alpha1.ListenerTCP, v1alpha1.ListenerUDP,
	}
	if !slices.Contains(known, l.Protocol) {
		return append(errs, field.NotSupported(at.Child("protocol"), l.Protocol, known))
	}
	secret := at.Child("tlsSecretName")
	switch {
	case l.TLSSecretName != "" && l.Protocol != v1alpha1.ListenerHTTPS && l.Protocol != v1alpha1.ListenerTLS:
		errs = append(errs, field.Forbidden(secret, "goes with protocol HTTPS or TLS only"))
	case l.TLSSecretName != "":
		errs = append(errs, validateName(l.TLSSecretName, secret)...)
	case l.Protocol == v1alpha1.ListenerHTTPS:
		errs = append(errs, field.Required(secret, "must be set with protocol HTTPS"))
	}
	return append(errs, validateListenerHostname(l, claims, at.Child("hostname"))...)
}

func validateListenerHostname(l v1alpha1.GatewayListener, claims []v1alpha1.Hostname, at *field.Path) field.ErrorList {
	if l.Hostname == "" {
		return nil
	}
	if l.Protocol == v1alpha1.ListenerTCP || l.Protocol == v1alpha1.ListenerUDP {
		return field.ErrorList{field.Forbidden(at, "goes with protocols that carry names only: HTTP, HTTPS, TLS")}
	}
	if errs := validateHostname(l.Hostname, at); len(errs) > 0 {
		return errs
	}
	if !slices.ContainsFunc(claims, func(claim v1alpha1.Hostname) bool { return covers(string(claim), string(l.Hostname)) }) {
		return field.ErrorList{field.Invalid(at, l.Hostname, "must be one of ingress.hostnames, or covered by a wildcard there: add it there")}
	}
	return nil
}
