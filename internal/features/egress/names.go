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
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
)

// opener is what opens destinations by their DNS names.
type opener int

const (
	byNothing opener = iota
	byCilium
	byFirewall
)

// wildcard is before a name that stands for those one level below it.
const wildcard = "*."

// readFQDNs returns the names sorted, each once, and what is wrong with them.
func readFQDNs(names []v1alpha1.FQDN, at *field.Path) ([]string, field.ErrorList) {
	var out []string
	var errs field.ErrorList
	for i, fqdn := range names {
		name := strings.TrimPrefix(string(fqdn), wildcard)
		_, notAddress := netip.ParseAddr(name)
		switch {
		case notAddress == nil:
			errs = append(errs, field.Invalid(at.Index(i), fqdn, "must be a DNS name: addresses belong into cidrs"))
		case len(fqdn) > validation.DNS1123SubdomainMaxLength || !strings.Contains(name, ".") || !validLabels(name):
			errs = append(errs, field.Invalid(at.Index(i), fqdn, `must be a DNS name of at least two parts, or "*." and one, as `+
				`"api.example.com" or "*.example.com": each part between dots is 1 to 63 of a-z, 0-9 and "-", and begins and ends with `+
				`a letter or digit`))
		}
		out = append(out, string(fqdn))
	}
	slices.Sort(out)
	return slices.Compact(out), errs
}

func validLabels(name string) bool {
	return !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool {
		return len(validation.IsDNS1123Label(label)) > 0
	})
}

// names decides what opens names here, marks the destinations whose names it can open, and adds to the result what is in
// the way of the others. By a wish for a provider, that one's is taken; else Cilium's, if it is served, or OVN-Kubernetes'.
func (w *waysOut) names(result *feature.Result) opener {
	var asking []string
	for _, d := range w.destinations {
		if len(d.fqdns) > 0 {
			asking = append(asking, d.name)
		}
	}
	if len(asking) == 0 {
		return byNothing
	}
	who := fmt.Sprintf("egress.destinations[%s].fqdns", strings.Join(asking, ","))
	by, in := w.chooseOpener(who)
	// Where there is no wall, an EgressFirewall would make one.
	if in == nil && by == byFirewall && w.network().Boundary == v1alpha1.BoundaryCluster {
		return byNothing
	}
	if in == nil {
		in = w.dnsInTheWay(who, by)
	}
	if in != nil {
		result.Findings = append(result.Findings, *in)
		return byNothing
	}
	for i, d := range w.destinations {
		if by == byFirewall && len(d.fqdns) > 0 {
			if _, sayable := firewallPorts(d.ports); !sayable {
				result.Findings = append(result.Findings, feature.Finding{Reason: v1alpha1.ReasonInvalidPolicy, Message: fmt.Sprintf(
					"egress.destinations[%s].ports: the EgressFirewall that opens its fqdns says single ports only, at most %d: "+
						"name them, or unset ports to open all", d.name, maxFirewallPorts)})
				continue
			}
		}
		w.destinations[i].openNames = len(d.fqdns) > 0
	}
	return by
}

// chooseOpener returns what opens names, or a finding if nothing does.
func (w *waysOut) chooseOpener(who string) (opener, *feature.Finding) {
	cilium, firewall := w.Cluster.Serves(kindCiliumPolicy), w.Cluster.Serves(kindFirewall)
	switch {
	case w.provider == v1alpha1.EgressAntrea:
		return byNothing, &feature.Finding{Reason: v1alpha1.ReasonInvalidPolicy, Message: who + ": with provider Antrea, names " +
			"aren't supported: name cidrs, or use Cilium or OVN-Kubernetes"}
	case w.provider == v1alpha1.EgressCilium && !cilium:
		return byNothing, missing(who, "install Cilium, or name cidrs", kindCiliumPolicy)
	case w.provider == v1alpha1.EgressOVNKubernetes && !firewall:
		return byNothing, missing(who, "turn on OVN-Kubernetes' egress firewall, or name cidrs", kindFirewall)
	case cilium && w.provider != v1alpha1.EgressOVNKubernetes:
		return byCilium, nil
	case firewall:
		return byFirewall, nil
	default:
		return byNothing, missing(who, "install Cilium or OVN-Kubernetes, or name cidrs", kindCiliumPolicy, kindFirewall)
	}
}

// dnsInTheWay returns a finding if names couldn't be asked for.
func (w *waysOut) dnsInTheWay(who string, by opener) *feature.Finding {
	dns := w.Cluster.DNS
	switch {
	case w.network().DNS == v1alpha1.DNSNone:
		return &feature.Finding{Reason: v1alpha1.ReasonInvalidPolicy, Message: who + ": network.dns is None, so that pods can't " +
			"ask for names: set network.dns to ClusterDNS, or name cidrs"}
	case by == byCilium && (dns.Namespace == "" || len(dns.PodLabels) == 0 || len(dns.Ports) == 0):
		return &feature.Finding{Reason: v1alpha1.ReasonPending, Message: who + ": Cilium learns the addresses of names from the " +
			"cluster's DNS, and the operator doesn't know where that runs: set its flags --dns-namespace, --dns-pod-labels and " +
			"--dns-ports"}
	}
	return nil
}
