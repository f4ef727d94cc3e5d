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

package mutation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
	. "github.com/bulkhead-dev/bulkhead/test/testkit/builders"
)

// a choice is what a builder may be told about one thing; nil tells it nothing.
type choice func(name string, t *Tenant)

func policies(options ...PolicyOption) choice {
	return func(_ string, t *Tenant) { t.Policy(options...) }
}

func network(change func(*v1alpha1.Network)) choice { return policies(Network(change)) }

func limits(item v1alpha1.LimitItem) choice { return policies(Limit(item)) }

func amounts(texts ...string) map[corev1.ResourceName]resource.Quantity {
	list := map[corev1.ResourceName]resource.Quantity{}
	for i := 0; i < len(texts); i += 2 {
		list[corev1.ResourceName(texts[i])] = resource.MustParse(texts[i+1])
	}
	return list
}

// choices are what a builder may be told, thing by thing.
func choices() [][]choice {
	openings := [][]choice{{nil}, {nil}}
	for i, direction := range []v1alpha1.Direction{v1alpha1.Ingress, v1alpha1.Egress} {
		for _, peers := range peerChoices() {
			openings[i] = append(openings[i], policies(Allow(v1alpha1.Opening{
				Name: "opening-" + fmt.Sprint(i), Direction: direction, Peers: peers, Ports: portChoices()[len(openings[i])%len(portChoices())],
			})))
		}
	}
	return append([][]choice{
		quotaChoices(), limitChoices(), memberChoices(), memberOfOneChoices(), namespaceChoices(),
		{nil, policies(Enforce(v1alpha1.PodSecurityPrivileged)), policies(Enforce(v1alpha1.PodSecurityBaseline)), policies(Enforce(v1alpha1.PodSecurityRestricted))},
		{nil, policies(Boundary(v1alpha1.BoundaryTenant)), policies(Boundary(v1alpha1.BoundaryNamespace)), policies(Boundary(v1alpha1.BoundaryCluster))},
		{nil, network(func(n *v1alpha1.Network) { n.DNS = v1alpha1.DNSNone }), network(func(n *v1alpha1.Network) { n.DNS = v1alpha1.DNSCluster })},
		{nil, network(func(n *v1alpha1.Network) { n.APIServer = v1alpha1.Allow }), network(func(n *v1alpha1.Network) { n.APIServer = v1alpha1.Deny })},
	}, openings...)
}

// The same amounts stand in several spellings, some of which no API server keeps.
func quotaChoices() []choice {
	return []choice{
		nil,
		policies(Quota("cpu", "1"), Quota("memory", "1Gi")),
		policies(Quota("memory", "1024Mi"), Quota("cpu", "1000m")),
		policies(Quota("memory", "1073741824"), Quota("cpu", "1e0")),
		policies(Quota("requests.cpu", "0.5"), Quota("limits.cpu", "500m"), Quota("pods", "1e1")),
		policies(Quota("requests.cpu", "0.0001"), Quota("requests.memory", "100.000001"), Quota("limits.memory", "1.5Gi")),
		policies(Quota("services.loadbalancers", "0"), Quota("count/jobs.batch", "7.0"), Quota("requests.storage", "1Ei")),
	}
}

func limitChoices() []choice {
	return []choice{
		nil,
		policies(ContainerDefault("cpu", "50m", "0.1")),
		limits(v1alpha1.LimitItem{Type: corev1.LimitTypeContainer, Max: amounts("cpu", "2000m", "memory", "1Gi")}),
		limits(v1alpha1.LimitItem{Type: corev1.LimitTypeContainer, Min: amounts("cpu", "0.0101"), Default: amounts("memory", "262144Ki")}),
		limits(v1alpha1.LimitItem{Type: corev1.LimitTypePod, Max: amounts("cpu", "4"), MaxLimitRequestRatio: amounts("cpu", "4.0")}),
		limits(v1alpha1.LimitItem{Type: corev1.LimitTypePersistentVolumeClaim, Min: amounts("storage", "1024Mi"), Max: amounts("storage", "1Ti")}),
		func(name string, t *Tenant) {
			for _, some := range []PolicyOption{ContainerDefault("memory", "64Mi", "1e8"),
				Limit(v1alpha1.LimitItem{Type: corev1.LimitTypePod, Min: amounts("cpu", "10m")})} {
				policies(some)(name, t)
			}
		},
	}
}

func memberChoices() []choice {
	return []choice{
		nil,
		func(_ string, t *Tenant) {
			t.Member("owners", v1alpha1.RoleAdmin, User("zoe"), User("ann"), Group("admins"))
		},
		func(_ string, t *Tenant) { t.Member("owners", v1alpha1.RoleEdit, Group("b"), Group("a"), Group("b")) },
		func(name string, t *Tenant) {
			t.MemberOf("bots", "view", ServiceAccount(name, "bot"), ServiceAccount("default", "bot"))
		},
		func(_ string, t *Tenant) {
			t.MemberUntil("guests", v1alpha1.RoleView, time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC), User("eve"))
		},
	}
}

func memberOfOneChoices() []choice {
	return []choice{
		nil,
		func(name string, t *Tenant) {
			t.MemberIn("developers", v1alpha1.RoleEdit, []string{name}, Group("developers"), User("joe"))
		},
		func(name string, t *Tenant) {
			t.MemberIn("auditors", v1alpha1.RoleView, []string{name + "-b", name}, User("amy"))
		},
	}
}

func namespaceChoices() []choice {
	return []choice{
		func(name string, t *Tenant) { t.Namespaces(name) },
		func(name string, t *Tenant) { t.Namespaces(name+"-b", name) },
		func(name string, t *Tenant) {
			t.Namespace(name, Adopt(), WithLabel("environment", "prod"), WithAnnotation("owner", "<team@example.com>"))
		},
		func(name string, t *Tenant) {
			t.Namespace(name, WithPolicy(Quota("pods", "5"), Enforce(v1alpha1.PodSecurityBaseline), Boundary(v1alpha1.BoundaryNamespace)))
		},
	}
}

func peerChoices() [][]v1alpha1.Peer {
	selector := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "zone", Operator: metav1.LabelSelectorOpIn, Values: []string{"c", "a", "b", "a"}}, {Key: "env", Operator: metav1.LabelSelectorOpExists},
	}, MatchLabels: map[string]string{"app": "web"}}
	return [][]v1alpha1.Peer{
		{{Tenant: "shared"}},
		{{Namespaces: &metav1.LabelSelector{}}},
		{{Namespaces: selector, Pods: selector}, {Tenant: "shared"}, {Tenant: "other"}},
		{{CIDR: "10.20.30.40/16", Except: []v1alpha1.CIDR{"10.20.9.0/24", "10.20.1.1/24"}}, {CIDR: "2001:DB8:0::/32"}, {CIDR: "0.0.0.0/0"}},
	}
}

func portChoices() [][]v1alpha1.Port {
	return [][]v1alpha1.Port{
		nil,
		{{Port: 443}},
		{{Port: 9090, EndPort: 9099}, {Protocol: corev1.ProtocolUDP}, {Protocol: corev1.ProtocolSCTP, Port: 80}},
		{{Protocol: corev1.ProtocolTCP, Port: 443}, {Port: 443}, {Port: 80}},
	}
}

// Built is a Tenant that builders made: of each thing it has the choice with this number, and they were made in a random
// order.
func built(name string, numbers []int, random *rand.Rand) corpus.Case {
	tenant := MakeTenant(name)
	all := choices()
	for _, thing := range random.Perm(len(all)) {
		if choose := all[thing][numbers[thing]]; choose != nil {
			choose(name, tenant)
		}
	}
	return corpus.Case{Name: name, Tenant: tenant.Obj()}
}

// Pairwise are Tenants that builders made such that any two choices of any two things are together in at least one.
func Pairwise(prefix string, random *rand.Rand) []corpus.Case {
	all := choices()
	missing := map[[4]int]bool{}
	for a := range all {
		for b := range a {
			for i := range all[a] {
				for j := range all[b] {
					missing[[4]int{a, i, b, j}] = true
				}
			}
		}
	}
	var cases []corpus.Case
	for len(missing) > 0 {
		var best []int
		most := -1
		for range 30 {
			numbers := randomNumbers(all, random)
			if n := len(covered(numbers, missing)); n > most {
				best, most = numbers, n
			}
		}
		if most == 0 {
			best = forced(all, missing, random)
		}
		for _, pair := range covered(best, missing) {
			delete(missing, pair)
		}
		cases = append(cases, built(fmt.Sprintf("%s-%d", prefix, len(cases)), best, random))
	}
	return cases
}

// Random are n Tenants that builders made at random.
func Random(prefix string, n int, random *rand.Rand) []corpus.Case {
	cases := make([]corpus.Case, 0, n)
	for i := range n {
		cases = append(cases, built(fmt.Sprintf("%s-%d", prefix, i), randomNumbers(choices(), random), random))
	}
	return cases
}

func randomNumbers(all [][]choice, random *rand.Rand) []int {
	numbers := make([]int, len(all))
	for thing := range all {
		numbers[thing] = random.IntN(len(all[thing]))
	}
	return numbers
}

func covered(numbers []int, missing map[[4]int]bool) [][4]int {
	var pairs [][4]int
	for a := range numbers {
		for b := range a {
			if pair := [4]int{a, numbers[a], b, numbers[b]}; missing[pair] {
				pairs = append(pairs, pair)
			}
		}
	}
	return pairs
}

// forced has a pair that is missing: the first, so that the same seed makes the same.
func forced(all [][]choice, missing map[[4]int]bool, random *rand.Rand) []int {
	pairs := make([][4]int, 0, len(missing))
	for pair := range missing {
		pairs = append(pairs, pair)
	}
	first := slices.MinFunc(pairs, func(a, b [4]int) int { return slices.Compare(a[:], b[:]) })
	numbers := randomNumbers(all, random)
	numbers[first[0]], numbers[first[2]] = first[1], first[3]
	return numbers
}
