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

package conformance_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/internal/policy"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

// spec is what a fuzzer may choose: the fields are not even what the API server would let pass.
type spec struct {
	Policy  v1alpha1.PolicyBlocks
	Members []v1alpha1.Member
}

// odd are values that no careful code should stumble over.
var odd = []string{"", "x", "UPPER", "a b", "$(tenant)", "../..", "0.0.0.0/0", "::ffff:10.0.0.0/104", "10.0.0.0/33", "é", "\x00", "-", "dns"}

var apiName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// distort changes a few values, in place.
func distort(s *spec, random *rand.Rand) {
	for range random.IntN(4) {
		text, number := odd[random.IntN(len(odd))], int32(random.IntN(70000)-1000)
		if network := s.Policy.Network; network != nil && len(network.Allow) > 0 {
			o := &network.Allow[random.IntN(len(network.Allow))]
			switch random.IntN(6) {
			case 0:
				o.Name = text
			case 1:
				o.Direction = v1alpha1.Direction(text)
			case 2:
				o.Peers = nil
			case 3:
				o.Peers = append(o.Peers, v1alpha1.Peer{CIDR: v1alpha1.CIDR(text)}, v1alpha1.Peer{})
			case 4:
				o.Ports = append(o.Ports, v1alpha1.Port{Port: number, EndPort: -number})
			default:
				network.Allow = append(network.Allow, *o)
			}
		}
		if len(s.Members) > 0 {
			m := &s.Members[random.IntN(len(s.Members))]
			switch random.IntN(4) {
			case 0:
				m.Subjects = nil
			case 1:
				m.Role, m.ClusterRoleName = "", text
			case 2:
				m.Namespaces = append(m.Namespaces, text)
			default:
				for i := range m.Subjects {
					m.Subjects[i].Kind = text
				}
			}
		}
		if s.Policy.PodSecurity != nil {
			s.Policy.PodSecurity.Enforce = v1alpha1.PodSecurityLevel(text)
		}
	}
}

// FuzzRender renders arbitrary policy: a room may refuse it, and then renders nothing, but never panics; and names
// that the API allows never become names that it doesn't.
func FuzzRender(f *testing.F) {
	cases, err := corpus.Cases()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		raw, err := json.Marshal(spec{Policy: c.Tenant.Spec.PolicyBlocks, Members: c.Tenant.Spec.Members})
		if err != nil {
			f.Fatal(err)
		}
		for seed := range uint64(8) {
			f.Add(raw, seed)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		var s spec
		if json.Unmarshal(raw, &s) != nil {
			return
		}
		if seed > 0 {
			distort(&s, rand.New(rand.NewPCG(seed, seed)))
		}
		effective, err := policy.Effective("acme", nil, &s.Policy)
		if err != nil {
			return
		}
		options := corpus.Options()
		r := rendering{
			facts: feature.Facts{
				Tenant: "acme", Namespace: "acme-dev", Policy: effective, Members: s.Members,
				Cluster: feature.ClusterFacts{DNS: options.DNS, APIServer: options.APIServer},
			},
			tenant: feature.TenantFacts{Tenant: "acme", Namespaces: []string{"acme-dev"}, Members: s.Members},
		}
		for _, r.room = range features.All() {
			_, scoped := r.room.(feature.ClusterScoped)
			for _, r.cluster = range []bool{false, scoped} {
				checkRendering(t, r, namesAreValid(&s))
			}
		}
	})
}

func checkRendering(t *testing.T, r rendering, named bool) {
	t.Helper()
	result, err := r.copied().render()
	if err != nil {
		if !reflect.ValueOf(result).IsZero() {
			t.Errorf("%s refuses, and renders %+v", r.room.Name(), result)
		}
		return
	}
	random := rand.New(rand.NewPCG(1, 1))
	shuffled := r.copied()
	corpus.Shuffle(&shuffled.facts, random)
	corpus.Shuffle(&shuffled.tenant, random)
	again, err := shuffled.render()
	if err != nil || named && marshal(t, result) != marshal(t, again) {
		t.Errorf("%s renders another order in another way: %v", r.room.Name(), err)
	}
	for _, object := range slices.Concat(result.Walls, result.Doors) {
		gvk := schema.FromAPIVersionAndKind(*object.GetAPIVersion(), *object.GetKind())
		if problems := nameProblems(gvk, *object.GetName(), r.cluster); named && len(problems) > 0 {
			t.Errorf("%s renders %s %q: %v", r.room.Name(), gvk.Kind, *object.GetName(), problems)
		}
		marshal(t, object)
	}
}

// namesAreValid reports whether all names are ones that the API server would let pass: unique, short, and DNS labels.
func namesAreValid(s *spec) bool {
	seen := map[string]bool{}
	fresh := func(id string) bool {
		before := seen[id]
		seen[id] = true
		return !before
	}
	valid := func(kind, name string, limit int) bool {
		return fresh(kind+name) && len(name) <= limit && apiName.MatchString(name)
	}
	for _, member := range s.Members {
		if !valid("member ", member.Name, 50) {
			return false
		}
	}
	for _, limit := range s.Policy.Limits {
		if !fresh("limit " + string(limit.Type)) {
			return false
		}
	}
	if s.Policy.Network != nil {
		for _, opening := range s.Policy.Network.Allow {
			if !valid("opening ", opening.Name, 48) {
				return false
			}
		}
	}
	return true
}

// FuzzCompare compares arbitrary objects: a comparison may fail, but never panics, and an object never differs from
// itself.
func FuzzCompare(f *testing.F) {
	comparer, err := drift.NewComparer(clientgoscheme.Scheme)
	if err != nil {
		f.Fatal(err)
	}
	cases, err := corpus.Cases()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		facts, err := c.Facts()
		if err != nil {
			f.Fatal(err)
		}
		for _, of := range facts {
			plan, err := engine.NewPlan(features.All(), engine.NamespaceInput(of, nil))
			if err != nil {
				f.Fatal(err)
			}
			previous := []byte("{}")
			for _, intent := range plan.Objects() {
				raw, err := json.Marshal(intent.Object)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(raw, raw)
				f.Add(raw, previous)
				previous = raw
			}
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		intent, live := &unstructured.Unstructured{}, &unstructured.Unstructured{}
		if intent.UnmarshalJSON(a) != nil || live.UnmarshalJSON(b) != nil {
			return
		}
		drift.IntentHash(intent)
		if difference, err := comparer.Compare(intent, intent.DeepCopy()); err == nil && !difference.Empty() {
			t.Errorf("an object differs from itself in %v", difference.Paths())
		}
		live.SetGroupVersionKind(intent.GroupVersionKind())
		live.SetName(intent.GetName())
		live.SetNamespace(intent.GetNamespace())
		difference, err := comparer.Compare(intent, live)
		if err != nil {
			return
		}
		drift.Severity(intent.GroupVersionKind(), difference)
		drift.Attribute(live, difference, v1alpha1.FieldManager)
		difference.InjectedPointers()
	})
}
