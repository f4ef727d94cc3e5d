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

package server_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
	"github.com/bulkhead-dev/bulkhead/internal/engine"
	"github.com/bulkhead-dev/bulkhead/internal/feature"
	"github.com/bulkhead-dev/bulkhead/internal/features"
	"github.com/bulkhead-dev/bulkhead/test/conformance/corpus"
)

// TestStoredIsWhatWasRendered applies everything, reads it back, and compares: what the API server makes of an object
// must never look like someone's change. Then it applies the same in other orders and spellings.
func TestStoredIsWhatWasRendered(t *testing.T) {
	t.Parallel()
	comparer, err := drift.NewComparer(world.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, intent *engine.Intent) string {
		t.Helper()
		if err := apply(t, intent); err != nil {
			t.Fatalf("%s: %v", intent, err)
		}
		if optional(intent.GVK) { // a CRD's default of the status is stored by the first write after that which creates
			if err := apply(t, intent); err != nil {
				t.Fatal(err)
			}
		}
		live := alive(t, intent)
		raw := &unstructured.Unstructured{}
		raw.SetGroupVersionKind(intent.GVK)
		if err := world.Admin.Get(t.Context(), intent.Key, raw); err != nil {
			t.Fatal(err)
		}
		for _, object := range []client.Object{live, raw} {
			difference, err := comparer.Compare(intent.Object, object)
			if err != nil || !difference.Empty() {
				t.Errorf("%s, as %T: differs in %v, %v\napplied %s\nstored %s", intent, object, difference.Paths(), err, marshal(t, intent.Object), marshal(t, raw))
			}
		}
		if err := apply(t, intent); err != nil {
			t.Fatal(err)
		}
		if again := stored(t, intent); again.GetResourceVersion() != live.GetResourceVersion() {
			t.Errorf("%s: applying the same again changes it", intent)
		}
		return live.GetResourceVersion()
	}
	eachCase(t, func(t *testing.T, c corpus.Case) {
		random := rand.New(rand.NewPCG(7, 8))
		for _, s := range subjects(t, c, "st") {
			versions := map[string]string{}
			for _, intent := range s.plan(t, features.All()).Objects() {
				versions[intent.String()] = check(t, intent)
			}
			for range 3 {
				shuffled := s
				shuffled.facts = corpus.Copy(s.facts)
				corpus.Shuffle(&shuffled.facts, random)
				for _, intent := range shuffled.plan(t, features.All()).Objects() {
					if check(t, intent) != versions[intent.String()] {
						t.Errorf("%s: applying it in another order changes it", intent)
					}
				}
			}
			for range 3 {
				respelled := s
				respelled.facts = corpus.Copy(s.facts)
				corpus.Respell(&respelled.facts, random)
				for _, intent := range respelled.plan(t, features.All()).Objects() {
					check(t, intent)
				}
			}
		}
	})
}

// alive waits until an object has come to life, after which nobody but us writes it any more, and returns it.
func alive(t *testing.T, intent *engine.Intent) client.Object {
	t.Helper()
	if optional(intent.GVK) { // whose controllers aren't there
		return stored(t, intent)
	}
	var live client.Object
	for _, room := range features.All() {
		observer, ok := room.(feature.Observer)
		if !ok || room.Name() != intent.Feature || !slices.Contains(observer.Observes(), intent.GVK) {
			continue
		}
		var finding *feature.Finding
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, soon, true, func(context.Context) (bool, error) {
			live = stored(t, intent)
			finding = observer.Observe(live).Problem
			return finding == nil, nil
		})
		if err != nil {
			t.Fatalf("%s: %v: %v", intent, err, finding)
		}
		return live
	}
	return stored(t, intent)
}

// apply applies an intent as the admin, in the operator's name.
func apply(t *testing.T, intent *engine.Intent) error {
	t.Helper()
	return world.Admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(intent.Object.DeepCopy()),
		client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}

// TestSecondPassWritesNothing runs a plan again at once, when the cache shows it, and as an operator that starts anew.
func TestSecondPassWritesNothing(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, c corpus.Case) {
		first, second := start(t, features.All()), start(t, features.All())
		for _, s := range subjects(t, c, "pw") {
			plan := s.plan(t, features.All())
			outcome, writes := first.pass(t, plan, false)
			if outcome.Err != nil || outcome.Refused || len(outcome.Corrected) != 0 || writes != int64(len(plan.Objects())) {
				t.Fatalf("%s: %d writes for %d objects, corrected %v, %v, %v", s.name, writes, len(plan.Objects()), outcome.Corrected, outcome.Err, outcome.Conditions)
			}
			first.mustStay(t, s.name+", at once", plan, false)
			catchUp(t, plan.Objects()...)
			first.mustStay(t, s.name+", when the cache has caught up", plan, false)
			first.mustStay(t, s.name+", once more", plan, false)
			second.mustStay(t, s.name+", by another process", plan, true)
		}
	})
}

// TestRemovedBlocksArePruned takes everything out of the spec. What isn't asked for any more goes, and nothing of
// anybody else, whatever labels it carries.
func TestRemovedBlocksArePruned(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, c corpus.Case) {
		p := start(t, features.All())
		for _, s := range subjects(t, c, "pr") {
			full := s.plan(t, features.All())
			p.mustSettle(t, full)
			foreign := foreigners(t, full)
			catchUp(t, foreign...)
			var versions []string
			for _, intent := range foreign {
				versions = append(versions, stored(t, intent).GetResourceVersion())
			}

			none := s
			none.facts.Policy, none.facts.Members = v1alpha1.PolicyBlocks{}, nil
			if s.tenant != nil {
				none.tenant = &feature.TenantFacts{Tenant: s.tenant.Tenant, Namespaces: s.tenant.Namespaces}
			}
			empty := none.plan(t, features.All())
			p.mustSettle(t, empty)
			catchUp(t, full.Objects()...)
			kept := map[string]bool{}
			for _, intent := range empty.Objects() {
				kept[intent.String()] = true
			}
			for _, intent := range full.Objects() {
				if there := stored(t, intent) != nil; there != kept[intent.String()] {
					t.Errorf("%s: is there: %v, want %v", intent, there, kept[intent.String()])
				}
			}
			for i, intent := range foreign {
				if live := stored(t, intent); live == nil || live.GetResourceVersion() != versions[i] {
					t.Errorf("%s is someone else's, and was touched", intent)
				}
			}
			p.mustStay(t, s.name+", after pruning", empty, false)
		}
	})
}

// foreigners puts, beside each kind of object of a plan, one of someone else that is alike but for its name.
func foreigners(t *testing.T, plan *engine.Plan) []*engine.Intent {
	t.Helper()
	var made []*engine.Intent
	seen := map[string]bool{}
	for _, intent := range plan.Objects() {
		if intent == plan.Namespace || seen[intent.GVK.Kind] || intent.GVK.Kind == "EgressFirewall" {
			continue // of an EgressFirewall there is one in a namespace, of one name
		}
		seen[intent.GVK.Kind] = true
		copied := *intent
		copied.Object = intent.Object.DeepCopy()
		copied.Key.Name = foreignName(plan, intent)
		copied.Object.SetName(copied.Key.Name)
		if err := world.Admin.Create(t.Context(), copied.Object, client.FieldOwner("someone")); err != nil {
			t.Fatal(err)
		}
		made = append(made, &copied)
	}
	return made
}

// foreignName is a name of someone else's object that the engine comes across when it looks for those of a plan.
func foreignName(plan *engine.Plan, intent *engine.Intent) string {
	switch {
	case plan.Name != "":
		return "foreign"
	case !optional(intent.GVK):
		return "bulkhead:tenant:" + plan.Tenant + ":foreign"
	case intent.Key.Namespace == "":
		return feature.ClusterName(plan.Tenant, "foreign")
	default:
		return feature.NamespacedName(plan.Tenant) + "-foreign"
	}
}

// edits are changes that someone makes by hand, as merge patches, by kind. Each opens something.
var edits = map[string]string{
	"Namespace":          `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":null}}}`,
	"NetworkPolicy":      `{"spec":{"ingress":[{}],"egress":[{}],"policyTypes":["Egress"]}}`,
	"ResourceQuota":      `{"spec":{"hard":{"pods":"99999"}}}`,
	"LimitRange":         `{"spec":{"limits":[{"type":"Pod","max":{"cpu":"99"}}]}}`,
	"RoleBinding":        `{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}]}`,
	"ClusterRole":        `{"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]}`,
	"ClusterRoleBinding": `{"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}]}`,

	"Gateway":                   `{"spec":{"listeners":[{"name":"web","port":443,"protocol":"TCP"},{"name":"evil","port":8080,"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"All"}}}]}}`,
	"CiliumNetworkPolicy":       `{"spec":{"endpointSelector":{"matchLabels":{"app":"none"}},"ingress":[{"fromEntities":["all"]}],"egress":[{"toEntities":["all"]}]}}`,
	"CiliumEgressGatewayPolicy": `{"spec":{"egressGateway":{"interface":"eth0","egressIP":null},"excludedCIDRs":["198.51.100.0/24"]}}`,
	"EgressIP":                  `{"spec":{"egressIPs":["198.51.100.7"],"podSelector":{"matchLabels":{"app":"none"}}}}`,
	"EgressFirewall":            `{"spec":{"egress":[{"type":"Allow","to":{"cidrSelector":"0.0.0.0/0"}}]}}`,
	"Egress":                    `{"spec":{"egressIP":"198.51.100.7","appliedTo":{"podSelector":{"matchLabels":{"app":"none"}}}}}`,
	"ClusterNetworkPolicy":      `{"spec":{"priority":99,"ingress":[{"action":"Accept","from":[{"namespaces":{}}]}],"egress":null}}`,
	"AdminNetworkPolicy":        `{"spec":{"priority":99,"ingress":[{"action":"Allow","from":[{"namespaces":{}}]}],"egress":null}}`,
}

const day = 24 * time.Hour

// TestForeignEdits changes every kind of object in several ways. Each is undone at once, and counted once.
func TestForeignEdits(t *testing.T) {
	t.Parallel()
	for _, gvk := range kinds() {
		if edits[gvk.Kind] == "" {
			t.Errorf("add to the map edits how someone might change a %s", gvk.Kind)
		}
	}
	patch := func(text string) func(*testing.T, client.Object) error {
		return func(t *testing.T, live client.Object) error {
			t.Helper()
			return world.Admin.Patch(t.Context(), live, client.RawPatch(types.MergePatchType, []byte(text)), client.FieldOwner("someone"))
		}
	}
	changes := map[string]func(*testing.T, client.Object) error{
		"relabelled":   patch(`{"metadata":{"labels":{"` + v1alpha1.LabelTenant + `":"stolen"}}}`),
		"label gone":   patch(`{"metadata":{"labels":{"` + v1alpha1.LabelTenant + `":null}}}`),
		"no intent":    patch(`{"metadata":{"annotations":{"` + v1alpha1.AnnotationIntent + `":null}}}`),
		"wrong intent": patch(`{"metadata":{"annotations":{"` + v1alpha1.AnnotationIntent + `":"v1:0"}}}`),
		"deleted": func(t *testing.T, live client.Object) error {
			t.Helper()
			return world.Admin.Delete(t.Context(), live)
		},
		"replaced": func(t *testing.T, live client.Object) error {
			t.Helper()
			if err := world.Admin.Delete(t.Context(), live); err != nil {
				return err
			}
			return world.Admin.Create(t.Context(), replacement(t, live), client.FieldOwner("someone"))
		},
		"edited": func(t *testing.T, live client.Object) error {
			t.Helper()
			gvk, err := world.Admin.GroupVersionKindFor(live)
			if err != nil {
				return err
			}
			return patch(edits[gvk.Kind])(t, live)
		},
	}
	eachCase(t, func(t *testing.T, c corpus.Case) {
		p := start(t, features.All())
		for _, s := range subjects(t, c, "fe") {
			plan := s.plan(t, features.All())
			p.mustSettle(t, plan)
			seen := map[string]bool{}
			for _, intent := range plan.Objects() {
				if seen[intent.GVK.Kind] {
					continue
				}
				seen[intent.GVK.Kind] = true
				for name, change := range changes {
					gone := name == "deleted" || name == "replaced"
					if intent == plan.Namespace && gone {
						continue // which takes all that is in it along
					}
					before := stored(t, intent)
					p.ahead.Add(int64(day)) // so many edits in a minute would be a fight, which isn't what this is about
					if err := change(t, before); err != nil {
						t.Fatalf("%s, %s: %v", intent, name, err)
					}
					if gone {
						p.hears(t, before)
					}
					catchUp(t, intent)
					p.mustRestore(t, name, plan, intent)
				}
			}
		}
	})
}

// replacement is an object of the same name that someone made from nothing: without labels, and a binding to another
// role, which can't be changed in place.
func replacement(t *testing.T, live client.Object) client.Object {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	made := &unstructured.Unstructured{Object: content}
	gvk, err := world.Admin.GroupVersionKindFor(live)
	if err != nil {
		t.Fatal(err)
	}
	made.SetGroupVersionKind(gvk)
	content["metadata"] = map[string]any{"name": live.GetName(), "namespace": live.GetNamespace()}
	if role, ok := content["roleRef"].(map[string]any); ok {
		role["name"] = "cluster-admin"
	}
	return made
}

// mustRestore runs a plan and fails unless that brings back this object, and counts it once.
func (p *process) mustRestore(t *testing.T, name string, plan *engine.Plan, intent *engine.Intent) {
	t.Helper()
	outcome, writes := p.pass(t, plan, false)
	if outcome.Err != nil || len(outcome.Corrected) != 1 || len(outcome.Open) != 0 || writes < 1 || writes > 2 {
		t.Errorf("%s, %s: %d writes, corrected %+v, open %+v, %v", intent, name, writes, outcome.Corrected, outcome.Open, outcome.Err)
		return
	}
	if item := outcome.Corrected[0]; item.Object.Kind != intent.GVK.Kind || item.Object.Name != intent.Key.Name || item.Action != v1alpha1.DriftCorrected {
		t.Errorf("%s, %s: corrected %+v", intent, name, item)
	}
	p.mustStay(t, intent.String()+", "+name+", at once", plan, false)
	catchUp(t, intent)
	p.mustStay(t, intent.String()+", "+name+", when the cache has caught up", plan, false)
	comparer, err := drift.NewComparer(world.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	if difference, err := comparer.Compare(intent.Object, stored(t, intent)); err != nil || !difference.Empty() {
		t.Errorf("%s, %s: still differs in %v, %v", intent, name, difference.Paths(), err)
	}
}
