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

package facts

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	until := func(minutes int) *metav1.Time {
		return &metav1.Time{Time: now.Add(time.Duration(minutes) * time.Minute)}
	}
	acme := tenant("acme", "a", "b")
	acme.Spec.Members = []v1alpha1.Member{
		{Name: "owners"},
		{Name: "guests", NotAfter: until(60)},
		{Name: "only-b", Namespaces: []string{"b"}, NotAfter: until(5)},
		{Name: "only-a", Namespaces: []string{"c", "a"}},
		{Name: "over", NotAfter: until(-1)},
		{Name: "over-now", NotAfter: until(0)},
		{Name: "elsewhere", Namespaces: []string{"z"}, NotAfter: until(1)},
	}
	tests := map[string]struct {
		namespace string
		at        time.Time
		want      []string
		wantNext  time.Time
	}{
		"in a":                          {"a", now, []string{"guests", "only-a", "owners"}, now.Add(time.Hour)},
		"in b":                          {"b", now, []string{"guests", "only-b", "owners"}, now.Add(5 * time.Minute)},
		"anywhere":                      {"", now, []string{"elsewhere", "guests", "only-a", "only-b", "owners"}, now.Add(time.Minute)},
		"a moment before the end":       {"b", now.Add(5*time.Minute - 1), []string{"guests", "only-b", "owners"}, now.Add(5 * time.Minute)},
		"at the end":                    {"b", now.Add(5 * time.Minute), []string{"guests", "owners"}, now.Add(time.Hour)},
		"when nothing ends any more":    {"b", now.Add(2 * time.Hour), []string{"owners"}, time.Time{}},
		"a namespace that isn't listed": {"y", now, []string{"guests", "owners"}, now.Add(time.Hour)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members, next := Members(&acme, tc.namespace, tc.at)
			var got []string
			for _, m := range members {
				got = append(got, m.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if !next.Equal(tc.wantNext) {
				t.Errorf("the next access ends at %s, want %s", next, tc.wantNext)
			}
		})
	}
}

// quotas is a policy with these budgets, as resource=quantity pairs.
func quotas(pairs ...string) v1alpha1.PolicyBlocks {
	q := &v1alpha1.Quota{PerNamespace: map[corev1.ResourceName]resource.Quantity{}}
	for i := 0; i < len(pairs); i += 2 {
		q.PerNamespace[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return v1alpha1.PolicyBlocks{Quota: q}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	own := quotas("pods", "3")
	acme := tenant("acme", "a", "b")
	acme.Spec.Namespaces[1].Policy = &own
	acme.Spec.PolicyBlocks = quotas("pods", "2", "secrets", "2")
	acme.Spec.Members = []v1alpha1.Member{{Name: "owners", NotAfter: &metav1.Time{Time: now.Add(time.Hour)}}}
	class := &v1alpha1.TenantClass{Spec: quotas("pods", "1", "secrets", "1", "services", "1")}
	o := Options{DNS: feature.DNS{Namespace: "kube-system"}, APIServer: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6443")}}
	tests := map[string]struct {
		class     *v1alpha1.TenantClass
		namespace string
		want      v1alpha1.PolicyBlocks
	}{
		"class, tenant and namespace":   {class, "b", quotas("pods", "3", "secrets", "2", "services", "1")},
		"class and tenant":              {class, "a", quotas("pods", "2", "secrets", "2", "services", "1")},
		"no class":                      {nil, "a", quotas("pods", "2", "secrets", "2")},
		"a namespace that isn't listed": {nil, "z", quotas("pods", "2", "secrets", "2")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := acme.DeepCopy()
			got, expiry, err := o.Build(&acme, tc.class, tc.namespace, now)
			if err != nil {
				t.Fatal(err)
			}
			want := feature.Facts{
				Tenant: "acme", Namespace: tc.namespace, Policy: tc.want, Members: acme.Spec.Members, Siblings: []string{"a", "b"},
				Cluster: feature.ClusterFacts{DNS: o.DNS, APIServer: o.APIServer},
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if !expiry.Equal(now.Add(time.Hour)) {
				t.Errorf("the next access ends at %s", expiry)
			}
			if diff := cmp.Diff(before, &acme); diff != "" {
				t.Errorf("the Tenant was changed:\n%s", diff)
			}
		})
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", "a")
	slice := func(kind discoveryv1.AddressType, port int32, addresses ...string) discoveryv1.EndpointSlice {
		return discoveryv1.EndpointSlice{
			AddressType: kind, Endpoints: []discoveryv1.Endpoint{{Addresses: addresses}}, Ports: []discoveryv1.EndpointPort{{Port: &port}},
		}
	}
	w := &world{endpoints: []discoveryv1.EndpointSlice{
		slice(discoveryv1.AddressTypeIPv6, 6443, "2001:db8::1"),
		slice(discoveryv1.AddressTypeIPv4, 6443, "192.0.2.2", "192.0.2.1"),
		slice(discoveryv1.AddressTypeIPv4, 6443, "192.0.2.1"),
		slice(discoveryv1.AddressTypeFQDN, 6443, "api.example.com"),
	}}
	r := NewReader(w, Options{})
	r.now = func() time.Time { return now }
	got, _, err := r.Of(t.Context(), &acme, "a")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"192.0.2.1:6443", "192.0.2.2:6443", "[2001:db8::1]:6443"}
	if diff := cmp.Diff(want, texts(got.Cluster.APIServer)); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	given := NewReader(w, Options{APIServer: []netip.AddrPort{netip.MustParseAddrPort("198.51.100.1:443")}})
	if got, _, err = given.Of(t.Context(), &acme, "a"); err != nil || len(got.Cluster.APIServer) != 1 {
		t.Errorf("addresses %v, %v; want what the flag says", got.Cluster.APIServer, err)
	}
	acme.Spec.ClassName = "none"
	var notFound *policy.ClassNotFoundError
	if _, _, err = r.Of(t.Context(), &acme, "a"); !errors.As(err, &notFound) {
		t.Errorf("error %v, want that the class doesn't exist", err)
	}
	tf, _, err := r.Tenant(t.Context(), &acme, []string{"a"})
	if err != nil || !errors.As(tf.PolicyError, &notFound) {
		t.Errorf("error %v, and of the policy %v, want that the class doesn't exist", err, tf.PolicyError)
	}
	if tf.PolicyError = nil; tf.Tenant != "acme" || !slices.Equal(tf.Namespaces, []string{"a"}) || tf.Overrides != nil {
		t.Errorf("facts of the tenant %+v", tf)
	}
}

func texts(addresses []netip.AddrPort) []string {
	var all []string
	for _, a := range addresses {
		all = append(all, a.String())
	}
	return all
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	port := func(p int32) discoveryv1.EndpointPort { return discoveryv1.EndpointPort{Port: &p} }
	tests := map[string]struct {
		addresses []string
		ports     []discoveryv1.EndpointPort
		want      []string
	}{
		"IPv4":            {[]string{"192.0.2.1"}, []discoveryv1.EndpointPort{port(6443)}, []string{"192.0.2.1:6443"}},
		"IPv6":            {[]string{"2001:db8::1"}, []discoveryv1.EndpointPort{port(443)}, []string{"[2001:db8::1]:443"}},
		"several ports":   {[]string{"192.0.2.1"}, []discoveryv1.EndpointPort{port(1), port(2)}, []string{"192.0.2.1:1", "192.0.2.1:2"}},
		"a name":          {[]string{"api.example.com"}, []discoveryv1.EndpointPort{port(443)}, nil},
		"all ports":       {[]string{"192.0.2.1"}, []discoveryv1.EndpointPort{{}}, nil},
		"no ports":        {[]string{"192.0.2.1"}, nil, nil},
		"port zero":       {[]string{"192.0.2.1"}, []discoveryv1.EndpointPort{port(0)}, nil},
		"a port too high": {[]string{"192.0.2.1"}, []discoveryv1.EndpointPort{port(65536)}, nil},
		"the last port":   {[]string{"192.0.2.1"}, []discoveryv1.EndpointPort{port(65535)}, []string{"192.0.2.1:65535"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slice := &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{Addresses: tc.addresses}}, Ports: tc.ports}
			if diff := cmp.Diff(tc.want, texts(addresses(slice))); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSiblings pins that a namespace knows its siblings, sorted, and that large tenants don't write all of them into each.
func TestSiblings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		names []string
		want  []string
	}{
		"one":    {names: []string{"a"}, want: []string{"a"}},
		"sorted": {names: []string{"b", "a"}, want: []string{"a", "b"}},
		"many":   {names: make([]string, feature.MaxSiblings+1)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &v1alpha1.Tenant{}
			for _, name := range tc.names {
				tenant.Spec.Namespaces = append(tenant.Spec.Namespaces, v1alpha1.TenantNamespace{Name: name})
			}
			got, _, err := Options{}.Build(tenant, nil, "a", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Siblings); diff != "" {
				t.Errorf("siblings (-want +got):\n%s", diff)
			}
		})
	}
}
