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

package crds_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/test/testkit/controlplane"
	"github.com/bulkhead-dev/bulkhead/test/testkit/crds"
	"github.com/bulkhead-dev/bulkhead/test/testkit/env"
)

// object is an example of a kind.
type object struct {
	// is the whole of it.
	is string
	// unknown is a field that the kind doesn't have; what contains it is there.
	unknown []string
	// defaults are fields that the API server fills in.
	defaults []field
}

type field struct {
	path []string
	want any
}

func at(path string) []string { return strings.Split(path, ".") }

// objects are one of each kind that Bulkhead renders or reads.
var objects = map[string]object{
	"Gateway": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: example, namespace: default}, spec: {
			gatewayClassName: example, listeners: [{name: http, port: 80, protocol: HTTP}]}}`,
		unknown: at("spec.gatewayClass"),
		defaults: []field{{path: at("spec.listeners"), want: []any{map[string]any{
			"name": "http", "port": int64(80), "protocol": "HTTP",
			"allowedRoutes": map[string]any{"namespaces": map[string]any{"from": "Same"}},
		}}}},
	},
	"HTTPRoute": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: example, namespace: default}, spec: {
			parentRefs: [{name: example}], rules: [{backendRefs: [{name: example, port: 80}]}]}}`,
		unknown: at("spec.parentRef"),
	},
	"ListenerSet": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: example, namespace: default}, spec: {
			parentRef: {name: example}, listeners: [{name: http, port: 80, protocol: HTTP}]}}`,
		unknown: at("spec.parentRefs"),
	},
	"TCPRoute": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: TCPRoute, metadata: {name: example, namespace: default}, spec: {
			parentRefs: [{name: example}], rules: [{backendRefs: [{name: example, port: 80}]}]}}`,
		unknown: at("spec.hostnames"),
	},
	"TLSRoute": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, metadata: {name: example, namespace: default}, spec: {
			hostnames: [example.com], parentRefs: [{name: example}], rules: [{backendRefs: [{name: example, port: 443}]}]}}`,
		unknown: at("spec.host"),
	},
	"UDPRoute": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: UDPRoute, metadata: {name: example, namespace: default}, spec: {
			parentRefs: [{name: example}], rules: [{backendRefs: [{name: example, port: 53}]}]}}`,
		unknown: at("spec.hostnames"),
	},
	"CiliumEgressGatewayPolicy": {
		is: `{apiVersion: cilium.io/v2, kind: CiliumEgressGatewayPolicy, metadata: {name: example}, spec: {
			selectors: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: example}}, podSelector: {}}],
			destinationCIDRs: [0.0.0.0/0, "::/0"], excludedCIDRs: [10.0.0.0/8, "fd00::/8"],
			egressGateway: {nodeSelector: {matchLabels: {egress: "true"}}, egressIP: 192.0.2.1}}}`,
		unknown:  at("spec.egressGateway.egressIp"),
		defaults: []field{{path: at("spec.egressGateways"), want: []any{}}},
	},
	"CiliumNetworkPolicy": {
		is: `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: example, namespace: default}, spec: {
			endpointSelector: {}, egress: [{toFQDNs: [{matchName: example.com}], toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]}}`,
		unknown: at("spec.podSelector"),
	},
	"CiliumClusterwideNetworkPolicy": {
		is: `{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: example}, spec: {
			endpointSelector: {}, ingress: [{fromEntities: [cluster]}]}}`,
		unknown: at("spec.podSelector"),
	},
	"ClusterNetworkPolicy of Kubernetes": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: example}, spec: {
			tier: Admin, priority: 100, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: example}}},
			ingress: [{name: tenant, action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}],
			egress: [{name: world, action: Deny, to: [{networks: [0.0.0.0/0, "::/0"]}]}]}}`,
		unknown: at("spec.subject.namespaceSelector"),
	},
	"AdminNetworkPolicy": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: example}, spec: {
			priority: 100, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: example}}},
			ingress: [{name: tenant, action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: 80, protocol: TCP}}]}],
			egress: [{name: all, action: Deny, to: [{namespaces: {}}]}]}}`,
		unknown: at("spec.tier"),
	},
	"BaselineAdminNetworkPolicy": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy, metadata: {name: default}, spec: {
			subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}}`,
		unknown: at("spec.priority"),
	},
	"EgressIP": {
		is: `{apiVersion: k8s.ovn.org/v1, kind: EgressIP, metadata: {name: example}, spec: {
			egressIPs: [192.0.2.1], namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: example}}}}`,
		unknown: at("spec.egressIP"),
		defaults: []field{{path: at("spec.egressNodeSelector"), want: map[string]any{"matchExpressions": []any{
			map[string]any{"key": "k8s.ovn.org/egress-assignable", "operator": "Exists"},
		}}}},
	},
	"EgressFirewall": {
		is: `{apiVersion: k8s.ovn.org/v1, kind: EgressFirewall, metadata: {name: default, namespace: default}, spec: {egress: [
			{type: Allow, to: {dnsName: "*.example.com"}, ports: [{protocol: TCP, port: 443}]},
			{type: Allow, to: {nodeSelector: {}}}, {type: Deny, to: {cidrSelector: 0.0.0.0/0}}]}}`,
		unknown: at("spec.ingress"),
	},
	"Egress": {
		is: `{apiVersion: crd.antrea.io/v1beta1, kind: Egress, metadata: {name: example}, spec: {
			appliedTo: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: example}}}, egressIP: 192.0.2.1,
			externalIPPool: example, bandwidth: {rate: 1M, burst: 2M}}}`,
		unknown: at("spec.egressIp"),
	},
	"ExternalIPPool": {
		is: `{apiVersion: crd.antrea.io/v1beta1, kind: ExternalIPPool, metadata: {name: example}, spec: {
			ipRanges: [{start: 192.0.2.1, end: 192.0.2.9}, {cidr: 198.51.100.0/24}], nodeSelector: {},
			subnetInfo: {gateway: 192.0.2.254, prefixLength: 24}}}`,
		unknown: at("spec.ipRange"),
	},
	"ClusterNetworkPolicy of Antrea": {
		is: `{apiVersion: crd.antrea.io/v1beta1, kind: ClusterNetworkPolicy, metadata: {name: example}, spec: {
			priority: 5, tier: securityops, appliedTo: [{namespaceSelector: {}}], ingress: [{action: Drop, from: [{podSelector: {}}]}]}}`,
		unknown: at("spec.subject"),
	},
	"ClusterNetworkPolicy of AWS": {
		is: `{apiVersion: networking.k8s.aws/v1alpha1, kind: ClusterNetworkPolicy, metadata: {name: example}, spec: {
			tier: Admin, priority: 100, subject: {namespaces: {}},
			egress: [{action: Accept, to: [{domainNames: ["*.example.com"]}], ports: [{portNumber: {port: 443, protocol: TCP}}]}]}}`,
		unknown: at("spec.appliedTo"),
	},
}

// refused are objects that the schema's rules refuse, each with what the answer says.
var refused = map[string]struct{ is, why string }{
	"CiliumEgressGatewayPolicy whose address is none": {
		is: `{apiVersion: cilium.io/v2, kind: CiliumEgressGatewayPolicy, metadata: {name: bad}, spec: {
			selectors: [{podSelector: {}}], destinationCIDRs: [0.0.0.0/0], egressGateway: {nodeSelector: {}, egressIP: nowhere}}}`,
		why: "egressIP must be a valid IP address",
	},
	"CiliumEgressGatewayPolicy with egressGateways only": {
		is: `{apiVersion: cilium.io/v2, kind: CiliumEgressGatewayPolicy, metadata: {name: bad}, spec: {
			selectors: [{podSelector: {}}], destinationCIDRs: [0.0.0.0/0], egressGateways: [{nodeSelector: {}, egressIP: 192.0.2.1}]}}`,
		why: "spec.egressGateway: Required value",
	},
	"EgressIP for all namespaces by leaving them out": {
		is:  `{apiVersion: k8s.ovn.org/v1, kind: EgressIP, metadata: {name: bad}, spec: {egressIPs: [192.0.2.1]}}`,
		why: "spec.namespaceSelector: Required value",
	},
	"EgressFirewall that isn't the default one": {
		is:  `{apiVersion: k8s.ovn.org/v1, kind: EgressFirewall, metadata: {name: bad, namespace: default}, spec: {egress: []}}`,
		why: "metadata.name in body should match '^default$'",
	},
	"EgressFirewall with a rule for two": {
		is: `{apiVersion: k8s.ovn.org/v1, kind: EgressFirewall, metadata: {name: default, namespace: kube-public}, spec: {egress: [
			{type: Deny, to: {cidrSelector: 0.0.0.0/0, dnsName: example.com}}]}}`,
		why: "must have at most 1 item",
	},
	"Egress with one address and several": {
		is: `{apiVersion: crd.antrea.io/v1beta1, kind: Egress, metadata: {name: bad}, spec: {
			appliedTo: {}, egressIP: 192.0.2.1, egressIPs: [192.0.2.2]}}`,
		why: "must validate one and only one schema (oneOf)",
	},
	"ClusterNetworkPolicy for namespaces and pods": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: bad}, spec: {
			tier: Admin, priority: 1, subject: {namespaces: {}, pods: {podSelector: {}}}}}`,
		why: "must have at most 1 item",
	},
	"ClusterNetworkPolicy beyond the last priority": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: bad}, spec: {
			tier: Admin, priority: 1001, subject: {namespaces: {}}}}`,
		why: "should be less than or equal to 1000",
	},
	"AdminNetworkPolicy to networks, in the standard channel": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: bad}, spec: {
			priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}}`,
		why: `unknown field "spec.egress[0].to[0].networks"`,
	},
	"BaselineAdminNetworkPolicy that isn't the default one": {
		is: `{apiVersion: policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy, metadata: {name: bad}, spec: {
			subject: {namespaces: {}}}}`,
		why: "Only one baseline admin network policy with metadata.name=\"default\" can be created",
	},
	"Gateway that names a listener twice": {
		is: `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: bad, namespace: default}, spec: {
			gatewayClassName: example, listeners: [{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}]}}`,
		why: "Duplicate value",
	},
}

// TestServed uses one API server for all, for the sake of time.
func TestServed(t *testing.T) {
	world, err := env.Start(t.Context(), controlplane.Options{WithoutControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := world.InstallCRDs(t.Context(), crds.All()...); err != nil {
		t.Fatal(err)
	}
	for name, o := range objects {
		t.Run(name, func(t *testing.T) { checkObject(t, world.Admin, o) })
	}
	for name, tc := range refused {
		t.Run(name, func(t *testing.T) {
			err := world.Admin.Create(t.Context(), parse(t, tc.is), client.FieldValidation("Strict"))
			if err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("the answer is %v, want one with %q", err, tc.why)
			}
		})
	}
	t.Run("experimental channels take the place of standard ones", func(t *testing.T) { checkChannels(t, world) })
	t.Run("removed", func(t *testing.T) { checkRemoved(t, world) })
}

// checkObject creates an object, and tries to create it with a field that its kind doesn't have.
func checkObject(t *testing.T, c client.Client, o object) {
	wrong := parse(t, o.is)
	if err := unstructured.SetNestedField(wrong.Object, "x", o.unknown...); err != nil {
		t.Fatal(err)
	}
	err := c.Create(t.Context(), wrong, client.FieldValidation("Strict"))
	if want := `unknown field "` + strings.Join(o.unknown, ".") + `"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("creating it with a field that isn't there: %v, want an error with %q", err, want)
	}
	u := parse(t, o.is)
	if err := c.Create(t.Context(), u, client.FieldValidation("Strict")); err != nil {
		t.Fatalf("creating it: %v", err)
	}
	for _, d := range o.defaults {
		got, _, err := unstructured.NestedFieldNoCopy(u.Object, d.path...)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(d.want, got); diff != "" {
			t.Errorf("%s after creating it (-want +got):\n%s", strings.Join(d.path, "."), diff)
		}
	}
}

// checkChannels is whether a field of the experimental channel is there once that is installed, and not before.
func checkChannels(t *testing.T, world *env.Env) {
	const networks = `{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: networks}, spec: {
		priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}}`
	const nodes = `{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: nodes}, spec: {
		tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {}}]}]}}`
	try := func(is string) error {
		return world.Admin.Create(t.Context(), parse(t, is), client.FieldValidation("Strict"))
	}
	for _, is := range []string{networks, nodes} {
		if err := try(is); !apierrors.IsBadRequest(err) && !apierrors.IsInvalid(err) {
			t.Errorf("in the standard channel the answer is %v, want a refusal: %s", err, is)
		}
	}
	err := world.InstallCRDs(t.Context(), crds.AdminNetworkPolicyExperimental, crds.ClusterNetworkPolicyExperimental)
	if err != nil {
		t.Fatal(err)
	}
	for _, is := range []string{networks, nodes} {
		// What is served is served with the old schema for a moment after a change.
		var last error
		err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			last = try(is)
			return last == nil, nil
		})
		if err != nil {
			t.Errorf("in the experimental channel the answer is %v: %s", last, is)
		}
	}
}

func checkRemoved(t *testing.T, world *env.Env) {
	if err := world.RemoveCRDs(t.Context(), crds.OVNKubernetes, crds.NameTraps); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"EgressIP", "ClusterNetworkPolicy of AWS"} {
		err := world.Admin.Get(t.Context(), client.ObjectKey{Name: "example"}, parse(t, objects[name].is))
		if !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			t.Errorf("%s after its CRD was removed: %v", name, err)
		}
	}
	kept := parse(t, objects["ClusterNetworkPolicy of Kubernetes"].is)
	if err := world.Admin.Get(t.Context(), client.ObjectKeyFromObject(kept), kept); err != nil {
		t.Errorf("an object of another group: %v", err)
	}
	// Again: what isn't there is no error, and what was removed can be installed.
	if err := world.RemoveCRDs(t.Context(), crds.OVNKubernetes); err != nil {
		t.Error(err)
	}
	if err := world.InstallCRDs(t.Context(), crds.OVNKubernetes); err != nil {
		t.Error(err)
	}
}
