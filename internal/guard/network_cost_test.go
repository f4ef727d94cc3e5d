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

package guard_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/guard"
)

const networkRail = "bulkhead-network-policies"

// opened are the annotations of a namespace whose Tenant opens something of everything.
func opened() map[string]string {
	return map[string]string{
		v1alpha1.GuardIngressCIDRs: "10.20.0.0/16,2001:db8::/32", v1alpha1.GuardEgressCIDRs: "192.0.2.0/24",
		v1alpha1.GuardIngressTenants: "observability", v1alpha1.GuardEgressTenants: "shared,vault",
		v1alpha1.GuardDNS: "kube-system,k8s-app=kube-dns,tier=dns,:53,:5353",
	}
}

func guarded(annotations map[string]string, more ...string) *corev1.Namespace {
	all := maps.Clone(annotations)
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-prod", Labels: map[string]string{v1alpha1.LabelTenant: "acme"}, Annotations: all}}
}

func networkRequest(spec, old *networkingv1.NetworkPolicySpec, namespace *corev1.Namespace) request {
	r := request{
		rail: networkRail, gvk: networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), resource: "networkpolicies", operation: admission.Create, namespace: namespace,
		object: &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "own", Namespace: "acme-prod"}, Spec: *spec},
	}
	if old != nil {
		r.old, r.operation = &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "own", Namespace: "acme-prod"}, Spec: *old}, admission.Update
	}
	return r
}

// networkRequests are as large as they are judged, and larger.
func networkRequests() map[string]request {
	const rules, peers, ranges, pairs = 250, 500, 64, 8000
	var cidrs, tenants []string
	for i := range ranges {
		cidrs, tenants = append(cidrs, fmt.Sprintf("2001:db8:%x::/48", i)), append(tenants, fmt.Sprintf("tenant-with-a-name-%d", i))
	}
	long := guarded(opened(), v1alpha1.GuardIngressCIDRs, strings.Join(cidrs, ","), v1alpha1.GuardEgressCIDRs, strings.Join(cidrs, ","),
		v1alpha1.GuardIngressTenants, strings.Join(tenants, ","), v1alpha1.GuardEgressTenants, strings.Join(tenants, ","))
	open := func(n int) *networkingv1.NetworkPolicySpec {
		return &networkingv1.NetworkPolicySpec{Ingress: make([]networkingv1.NetworkPolicyIngressRule, n/2), Egress: make([]networkingv1.NetworkPolicyEgressRule, n/2)}
	}
	// filled has as many peers as are judged, in as many rules.
	filled := func(peer networkingv1.NetworkPolicyPeer, n int) *networkingv1.NetworkPolicySpec {
		spec := open(rules)
		for i := range n {
			rule := &spec.Ingress[i%len(spec.Ingress)]
			rule.From = append(rule.From, peer)
		}
		spec.Egress = nil
		return spec
	}
	selector := func(key string, operator metav1.LabelSelectorOperator, values ...string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{"a": "b"}, MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}},
		}}
	}
	stranger := networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "fd00::/64"}}
	mixed := filled(stranger, pairs/ranges)
	for i := range peers - pairs/ranges {
		rule := &mixed.Ingress[i%len(mixed.Ingress)]
		rule.From = append(rule.From, selector(v1alpha1.LabelTenant, metav1.LabelSelectorOpIn, "stranger"))
	}
	changed := open(rules)
	changed.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	changed.Ingress[0].From = []networkingv1.NetworkPolicyPeer{stranger}
	var dns []networkingv1.NetworkPolicyEgressRule
	for range rules {
		dns = append(dns, networkingv1.NetworkPolicyEgressRule{
			Ports: make([]networkingv1.NetworkPolicyPort, 4), To: []networkingv1.NetworkPolicyPeer{selector(corev1.LabelMetadataName, metav1.LabelSelectorOpIn, "kube-system")},
		})
	}
	return map[string]request{
		"policies open everything":            networkRequest(open(rules), nil, long),
		"policies open more than is judged":   networkRequest(open(rules*10), nil, long),
		"policies have too many peers":        networkRequest(filled(selector("a", metav1.LabelSelectorOpExists), peers+1), nil, long),
		"policies have too many ranges":       networkRequest(filled(stranger, peers), nil, long),
		"policies open many ranges":           networkRequest(filled(stranger, pairs/ranges), nil, long),
		"policies open many single ranges":    networkRequest(filled(stranger, peers), nil, guarded(opened())),
		"policies select namespaces":          networkRequest(filled(selector(v1alpha1.LabelTenant, metav1.LabelSelectorOpNotIn, "acme"), peers), nil, long),
		"policies select foreign tenants":     networkRequest(filled(selector(v1alpha1.LabelTenant, metav1.LabelSelectorOpIn, "stranger"), peers), nil, long),
		"policies have all of that":           networkRequest(mixed, nil, long),
		"policies select DNS of other labels": networkRequest(&networkingv1.NetworkPolicySpec{Egress: dns}, nil, long),
		"policies change and keep what is bad": networkRequest(changed, &networkingv1.NetworkPolicySpec{
			Ingress: open(rules).Ingress, Egress: open(rules).Egress, PolicyTypes: changed.PolicyTypes,
		}, long),
	}
}

// networkPolicy returns what says what the rule finds wrong with a request; nothing if it lets it pass.
func networkPolicy(t *testing.T) func(t *testing.T, r request) string {
	t.Helper()
	rails := shipped(t)
	at := slices.IndexFunc(rails, func(rail guard.Rail) bool { return rail.Name() == networkRail })
	if at < 0 {
		t.Fatalf("there is no %s", networkRail)
	}
	return func(t *testing.T, r request) string {
		t.Helper()
		text, _ := evaluate(t, rails[at].Policy.Spec, r, &validating.MessageExpressionCondition{MessageExpression: "variables.offence"})
		return fmt.Sprint(text)
	}
}

func networkSpec(t *testing.T, text string) *networkingv1.NetworkPolicySpec {
	t.Helper()
	if text == "" {
		return nil
	}
	spec := &networkingv1.NetworkPolicySpec{}
	if err := yaml.UnmarshalStrict([]byte(text), spec); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return spec
}

// networkPeers are peers, and whom the refusal names; empty if they pass, in both directions.
func networkPeers() map[string][2]string {
	return map[string][2]string{
		"own pods":                      {`podSelector: {}`, ""},
		"own pods by label":             {`podSelector: {matchLabels: {app: web}}`, ""},
		"own namespace by name":         {`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: acme-prod}}`, ""},
		"own namespace in a list":       {`namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [acme-prod]}]}`, ""},
		"own namespace and another":     {`namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [acme-prod, beta-prod]}]}`, "namespaces with kubernetes.io/metadata.name In (acme-prod, beta-prod)"},
		"another namespace by name":     {`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: beta-prod}}`, "namespaces with kubernetes.io/metadata.name=beta-prod"},
		"all but one's own namespace":   {`namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [acme-prod]}]}`, "namespaces with kubernetes.io/metadata.name NotIn (acme-prod)"},
		"own tenant":                    {`namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme}}`, ""},
		"own tenant, narrower":          {`namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme, stage: dev}, matchExpressions: [{key: x, operator: Exists}]}, podSelector: {matchLabels: {app: web}}`, ""},
		"own tenant in a list":          {`namespaceSelector: {matchExpressions: [{key: x, operator: DoesNotExist}, {key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme]}]}`, ""},
		"own tenant and another":        {`namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme, beta]}]}`, "namespaces with tenancy.bulkhead.dev/tenant In (acme, beta)"},
		"all but one's own":             {`namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [acme]}]}`, "namespaces with tenancy.bulkhead.dev/tenant NotIn (acme)"},
		"all but another":               {`namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: NotIn, values: [beta]}]}`, "namespaces with tenancy.bulkhead.dev/tenant NotIn (beta)"},
		"any tenant":                    {`namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: Exists}]}`, "namespaces with tenancy.bulkhead.dev/tenant Exists"},
		"no tenant":                     {`namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: DoesNotExist}]}`, "namespaces with tenancy.bulkhead.dev/tenant DoesNotExist"},
		"no value":                      {`namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In}]}`, "namespaces with tenancy.bulkhead.dev/tenant In"},
		"an empty value":                {`namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: ""}}`, "namespaces with tenancy.bulkhead.dev/tenant="},
		"a foreign tenant":              {`namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: beta}}`, "namespaces with tenancy.bulkhead.dev/tenant=beta"},
		"a name that starts alike":      {`namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme-2}}`, "namespaces with tenancy.bulkhead.dev/tenant=acme-2"},
		"the name in another key":       {`namespaceSelector: {matchLabels: {tenant: acme}}`, "namespaces with tenant=acme"},
		"all namespaces":                {`namespaceSelector: {}`, "all namespaces"},
		"pods of all namespaces":        {`namespaceSelector: {}, podSelector: {matchLabels: {app: web}}`, "all namespaces"},
		"namespaces by any label":       {`namespaceSelector: {matchLabels: {a: b, c: d}, matchExpressions: [{key: e, operator: Exists}]}`, "namespaces with "},
		"everything":                    {`ipBlock: {cidr: 0.0.0.0/0}`, "the range 0.0.0.0/0"},
		"everything in IPv6":            {`ipBlock: {cidr: "::/0"}`, "the range ::/0"},
		"one half":                      {`ipBlock: {cidr: 0.0.0.0/1}`, "the range 0.0.0.0/1"},
		"the other half":                {`ipBlock: {cidr: 128.0.0.0/1}`, "the range 128.0.0.0/1"},
		"everything but":                {`ipBlock: {cidr: 0.0.0.0/0, except: [0.0.0.0/1]}`, "the range 0.0.0.0/0"},
		"a foreign address":             {`ipBlock: {cidr: 203.0.113.7/32}`, "the range 203.0.113.7/32"},
		"an opened range in IPv6":       {`ipBlock: {cidr: "::ffff:192.0.2.0/120"}`, "the range ::ffff:192.0.2.0/120"},
		"an opened range in more zeros": {`ipBlock: {cidr: 0192.0.2.0/24}`, "the range 0192.0.2.0/24"},
		"no range":                      {`ipBlock: {cidr: x}`, "the range x"},
		"DNS without ports":             {`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns, tier: dns}}`, "namespaces with kubernetes.io/metadata.name=kube-system"},
		"nobody":                        {``, "nobody that is known"},
	}
}

// TestNetworkPolicyPeers checks each peer in both directions.
func TestNetworkPolicyPeers(t *testing.T) {
	t.Parallel()
	offence := networkPolicy(t)
	for name, tc := range networkPeers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, way := range [][3]string{{"ingress", "from", "let in "}, {"egress", "to", "connect to "}} {
				rule := `{` + way[0] + `: [{` + way[1] + `: [{podSelector: {}}]}, {` + way[1] + `: [{podSelector: {}}, {` + tc[0] + `}]}]}`
				got, want := offence(t, networkRequest(networkSpec(t, rule), nil, guarded(opened()))), ""
				if tc[1] != "" {
					want = "must not " + way[2] + tc[1]
				}
				if !strings.HasPrefix(got, want) || want == "" && got != "" || want != "" && !strings.Contains(got, "(spec."+way[0]+"[1]."+way[1]+"[1])") {
					t.Errorf("%s: %q, want %q", rule, got, want)
				}
			}
		})
	}
}

const (
	bad      = `{from: [{namespaceSelector: {}}]}`
	worse    = `{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}`
	good     = `{from: [{podSelector: {}}]}`
	dnsPeer  = `{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns, tier: dns}}}`
	dnsPorts = `[{protocol: UDP, port: 53}, {port: 5353}]`
)

// toDNS is egress to a peer on ports.
func toDNS(peer, ports string) string {
	return `{egress: [{to: [` + peer + `], ports: ` + ports + `}]}`
}

// TestNetworkPolicies checks what the Tenant opens, rules as a whole, and what an update adds.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec, old   string
		annotations []string
		want        string
	}{
		"nothing":                      {spec: `{policyTypes: [Ingress, Egress]}`},
		"no from":                      {spec: `{ingress: [{}]}`, want: `must not let in everybody (spec.ingress[0] has no "from": name them there): allowed are pods of this namespace (podSelector without namespaceSelector), namespaces with the label tenancy.bulkhead.dev/tenant: acme or observability, ranges in 10.20.0.0/16, 2001:db8::/32; more is opened by spec.network.allow of Tenant "acme"`},
		"no from, but ports":           {spec: `{ingress: [` + good + `, {ports: [{port: 8080}]}]}`, want: `must not let in everybody (spec.ingress[1] has no "from"`},
		"an empty from":                {spec: `{ingress: [{from: []}]}`, want: `must not let in everybody (spec.ingress[0]`},
		"no to":                        {spec: `{egress: [{ports: [{port: 53, protocol: UDP}]}]}`, want: `must not connect to everybody (spec.egress[0] has no "to": name them there): allowed are pods of this namespace (podSelector without namespaceSelector), namespaces with the label tenancy.bulkhead.dev/tenant: acme or shared or vault, ranges in 192.0.2.0/24, the DNS (kubernetes.io/metadata.name: kube-system, its pods and ports: k8s-app=kube-dns tier=dns :53 :5353); more`},
		"a type that isn't named":      {spec: `{policyTypes: [Ingress], egress: [{}]}`, want: `must not connect to everybody`},
		"opened ranges":                {spec: `{ingress: [{from: [{ipBlock: {cidr: 10.20.0.0/16}}, {ipBlock: {cidr: 10.20.30.0/24, except: [10.20.30.1/32]}}, {ipBlock: {cidr: "2001:db8:1::/48"}}]}]}`},
		"a range with bits behind":     {spec: `{ingress: [{from: [{ipBlock: {cidr: 10.20.30.40/16}}]}]}`},
		"larger than what is opened":   {spec: `{ingress: [{from: [{ipBlock: {cidr: 10.20.0.0/15}}]}]}`, want: `the range 10.20.0.0/15`},
		"opened in the other way":      {spec: `{egress: [{to: [{ipBlock: {cidr: 10.20.0.0/16}}]}]}`, want: `the range 10.20.0.0/16 (spec.egress[0].to[0])`},
		"an opened tenant":             {spec: `{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: observability}}}]}]}`},
		"opened tenants in one":        {spec: `{egress: [{to: [{namespaceSelector: {matchExpressions: [{key: tenancy.bulkhead.dev/tenant, operator: In, values: [acme, vault]}]}}]}]}`},
		"a tenant of the other way":    {spec: `{egress: [{to: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: observability}}}]}]}`, want: `tenant=observability`},
		"no wider than the namespace":  {spec: `{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme}}}]}]}`, annotations: []string{v1alpha1.GuardBoundary, "Namespace"}, want: `namespaces with tenancy.bulkhead.dev/tenant=acme (spec.ingress[0].from[0]): allowed are pods of this namespace (podSelector without namespaceSelector), namespaces with the label tenancy.bulkhead.dev/tenant: observability, ranges in 10.20.0.0/16, 2001:db8::/32; more is opened by spec.network.boundary and spec.network.allow of Tenant "acme"`},
		"the namespace itself":         {spec: `{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: acme-prod}}}, {podSelector: {}}]}]}`, annotations: []string{v1alpha1.GuardBoundary, "Namespace"}},
		"a boundary of later versions": {spec: `{ingress: [{from: [{namespaceSelector: {matchLabels: {tenancy.bulkhead.dev/tenant: acme}}}]}]}`, annotations: []string{v1alpha1.GuardBoundary, "Planet"}, want: `tenant=acme`},
		"no wall":                      {spec: `{ingress: [{}, {from: [{ipBlock: {cidr: 0.0.0.0/0}}]}], egress: [{}, {to: [{namespaceSelector: {}}]}]}`, annotations: []string{v1alpha1.GuardBoundary, "Cluster"}},
		"more tenants than are named":  {spec: `{ingress: [{}]}`, annotations: []string{v1alpha1.GuardIngressTenants, "a,b,c,d,e,f,g,h,i,j", v1alpha1.GuardIngressCIDRs, "1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8,5.0.0.0/8,6.0.0.0/8,7.0.0.0/8,8.0.0.0/8,9.0.0.0/8,10.0.0.0/8,11.0.0.0/8"}, want: `tenant: acme or of 10 others …, ranges in 1.0.0.0/8 and 10 others …; more`},
		"a long selector":              {spec: `{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: a, operator: In, values: [` + strings.Repeat("x23456789, ", 200) + `y]}]}}]}]}`, want: `x23456789, x234 … (spec.ingress[0].from[0])`},

		"DNS":                         {spec: toDNS(dnsPeer, dnsPorts)},
		"DNS by expression":           {spec: toDNS(strings.Replace(dnsPeer, "matchLabels: {kubernetes.io/metadata.name: kube-system}", "matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [kube-system]}]", 1), dnsPorts)},
		"DNS and own pods":            {spec: toDNS(dnsPeer+`, {podSelector: {}}`, dnsPorts)},
		"DNS, narrower":               {spec: toDNS(strings.Replace(dnsPeer, "tier: dns", "tier: dns, zone: a", 1), `[{protocol: UDP, port: 53, endPort: 53}]`)},
		"DNS on all ports":            {spec: toDNS(dnsPeer, `[]`), want: `namespaces with kubernetes.io/metadata.name=kube-system (spec.egress[0].to[0])`},
		"DNS on another port":         {spec: toDNS(dnsPeer, `[{port: 53}, {port: 9153}]`), want: `kube-system`},
		"DNS on all ports of UDP":     {spec: toDNS(dnsPeer, `[{protocol: UDP}]`), want: `kube-system`},
		"DNS on a range":              {spec: toDNS(dnsPeer, `[{port: 53, endPort: 9999}]`), want: `kube-system`},
		"DNS on a named port":         {spec: toDNS(dnsPeer, `[{port: metrics}]`), want: `kube-system`},
		"DNS on SCTP":                 {spec: toDNS(dnsPeer, `[{port: 53, protocol: SCTP}]`), want: `kube-system`},
		"all pods beside DNS":         {spec: toDNS(`{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}`, dnsPorts), want: `kube-system`},
		"pods beside DNS":             {spec: toDNS(strings.Replace(dnsPeer, ", tier: dns", "", 1), dnsPorts), want: `kube-system`},
		"DNS in another namespace":    {spec: toDNS(strings.Replace(dnsPeer, "kube-system", "beta-prod", 1), dnsPorts), want: `beta-prod`},
		"DNS in all namespaces":       {spec: toDNS(`{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns, tier: dns}}}`, dnsPorts), want: `all namespaces`},
		"DNS that is closed":          {spec: toDNS(dnsPeer, dnsPorts), annotations: []string{v1alpha1.GuardDNS, ""}, want: `kube-system`},
		"DNS whose pods aren't known": {spec: toDNS(dnsPeer, dnsPorts), annotations: []string{v1alpha1.GuardDNS, "kube-system,:53"}, want: `kube-system`},
		"DNS comes in":                {spec: `{ingress: [{from: [` + dnsPeer + `], ports: [{port: 53}]}]}`, want: `must not let in namespaces with kubernetes.io/metadata.name=kube-system`},

		"an old rule stays":               {spec: `{policyTypes: [Ingress], ingress: [` + good + `, ` + bad + `]}`, old: `{policyTypes: [Ingress], ingress: [` + bad + `]}`},
		"an old rule moves":               {spec: `{ingress: [{}, ` + bad + `]}`, old: `{ingress: [` + bad + `, {}]}`},
		"an old rule is taken away":       {spec: `{ingress: [` + bad + `]}`, old: `{ingress: [` + worse + `, ` + bad + `]}`},
		"another bad one":                 {spec: `{ingress: [` + bad + `, ` + worse + `]}`, old: `{ingress: [` + bad + `]}`, want: `the range 0.0.0.0/0 (spec.ingress[1].from[0])`},
		"a peer more":                     {spec: `{ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 0.0.0.0/0}}]}]}`, old: `{ingress: [` + good + `]}`, want: `the range 0.0.0.0/0 (spec.ingress[0].from[1])`},
		"the last peer goes":              {spec: `{ingress: [{from: []}]}`, old: `{ingress: [` + good + `]}`, want: `everybody`},
		"a bad rule loses a port":         {spec: `{ingress: [{}]}`, old: `{ingress: [{ports: [{port: 80}]}]}`, want: `everybody`},
		"as before":                       {spec: `{ingress: [{}]}`, old: `{ingress: [{}]}`},
		"the other way":                   {spec: `{egress: [{}]}`, old: `{ingress: [{}]}`, want: `must not connect to everybody`},
		"for other pods":                  {spec: `{podSelector: {}, ingress: [` + bad + `]}`, old: `{podSelector: {matchLabels: {a: b}}, ingress: [` + bad + `]}`, want: `must not let in all namespaces`},
		"good ones for other pods":        {spec: `{podSelector: {}, ingress: [` + good + `]}`, old: `{podSelector: {matchLabels: {a: b}}, ingress: [` + bad + `]}`},
		"a type comes to life":            {spec: `{policyTypes: [Ingress, Egress], egress: [{}]}`, old: `{policyTypes: [Ingress], egress: [{}]}`, want: `must not connect to everybody`},
		"a type goes":                     {spec: `{policyTypes: [Ingress], ingress: [{}], egress: [{}]}`, old: `{policyTypes: [Egress, Ingress], ingress: [{}], egress: [{}]}`},
		"more than can be judged":         {spec: `{ingress: [` + strings.Repeat(good+", ", 251) + `]}`, want: `must not have so many rules and peers`},
		"more than can be judged, old":    {spec: `{ingress: [` + strings.Repeat(bad+", ", 251) + `]}`, old: `{ingress: [` + strings.Repeat(bad+", ", 251) + `]}`},
		"as many ranges as can be judged": {spec: `{ingress: [{from: [` + strings.Repeat(`{ipBlock: {cidr: 10.20.1.0/24}}, `, 500) + `]}]}`},
	}
	offence := networkPolicy(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := offence(t, networkRequest(networkSpec(t, tc.spec), networkSpec(t, tc.old), guarded(opened(), tc.annotations...)))
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if len(got) > 2000 {
				t.Errorf("the text has %d bytes", len(got))
			}
		})
	}
}
