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

package isolation

import (
	"fmt"
	"math"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxDoubts bounds what is said of one object that can't be read.
const maxDoubts = 8

// A tierReader reads a cluster policy. It never fails: what it doesn't understand is noted, may match everything and
// must match nothing. So an Accept that isn't understood counts as open, a Deny as if it weren't there, and a Pass as if
// it took all traffic past the rest of its tier.
type tierReader struct {
	dialect
	doubts []string
}

// ClusterPolicyDoubts says what of a cluster policy isn't understood, each by its path and at most 8; none if everything
// is. What isn't understood counts as open. An object of another kind is an error.
func ClusterPolicyDoubts(u *unstructured.Unstructured) ([]string, error) {
	p, err := readClusterPolicy(u)
	if err != nil {
		return nil, err
	}
	return p.doubts, nil
}

// readClusterPolicy returns what the object says. An object of another kind, or without a name, is an error.
//
//   - Where the subject can't be told, it is everybody; where the tier, it is both; where the priority, it is the first
//     and the last. Such a policy may open everywhere, and closes nothing.
//   - So does a BaselineAdminNetworkPolicy that isn't named "default": the API allows one only.
//   - A field of the spec that isn't known may limit what the policy is for: it closes nothing then.
func readClusterPolicy(u *unstructured.Unstructured) (*clusterPolicy, error) {
	if u == nil || u.Object == nil || u.GetName() == "" {
		return nil, fmt.Errorf("a cluster policy has no name")
	}
	d, err := dialectOf(u.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	r := &tierReader{dialect: d}
	p := &clusterPolicy{kind: d.kind, name: u.GetName()}
	spec, ok := u.Object["spec"].(map[string]any)
	if !ok {
		// There are no rules, which is how a policy does nothing.
		r.doubt("spec", "isn't there")
		p.nobody, p.doubts = true, r.doubts
		return p, nil
	}
	keys := []string{"subject", "ingress", "egress"}
	if d.priority {
		keys = append(keys, "priority")
	}
	if d.tier == 0 {
		keys = append(keys, "tier")
	}
	exact := r.onlyKeys(spec, "spec", keys...)
	exact = r.subject(p, spec["subject"]) && exact
	exact = r.order(p, spec) && exact
	p.ingress = r.rules(spec["ingress"], "spec.ingress", "from")
	p.egress = r.rules(spec["egress"], "spec.egress", "to")
	if !exact {
		p.priority = unordered
		for _, rules := range [][]tierRule{p.ingress, p.egress} {
			for i := range rules {
				rules[i].must = nil
			}
		}
	}
	p.doubts = r.doubts
	return p, nil
}

func (r *tierReader) doubt(path, what string) {
	if len(r.doubts) < maxDoubts {
		r.doubts = append(r.doubts, path+" "+what)
	}
}

// onlyKeys says whether the object has no keys but these; null is as good as missing.
func (r *tierReader) onlyKeys(m map[string]any, path string, keys ...string) bool {
	var unknown []string
	for key, value := range m {
		if value != nil && !slices.Contains(keys, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		r.doubt(path, fmt.Sprintf("has the unknown field %q", clip(key, maxName)))
	}
	return len(unknown) == 0
}

// order reads the tier and the priority.
func (r *tierReader) order(p *clusterPolicy, spec map[string]any) bool {
	exact := true
	p.tier = r.tier
	if p.tier == 0 {
		switch spec["tier"] {
		case "Admin":
			p.tier = tierAdmin
		case "Baseline":
			p.tier = tierBaseline
		default:
			p.tier, exact = tierAdmin|tierBaseline, false
			r.doubt("spec.tier", "is unknown")
		}
	}
	if !r.priority {
		if p.name != "default" {
			exact = false
			r.doubt("metadata.name", `isn't "default"`)
		}
		return exact
	}
	number, ok := wholeNumber(spec["priority"])
	if !ok || number < 0 || number > 1000 {
		r.doubt("spec.priority", "is unknown")
		return false
	}
	p.priority = number
	return exact
}

// wholeNumber reads a number as JSON and YAML decoders return it.
func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int32:
		return int64(n), true
	case int:
		return int64(n), true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	default:
		return 0, false
	}
}

// subject reads the pods that the policy is for: all pods of namespaces, or pods. Pods on the host's network are never
// among them.
func (r *tierReader) subject(p *clusterPolicy, v any) bool {
	const path = "spec.subject"
	m, _ := v.(map[string]any)
	exact := r.onlyKeys(m, path, "namespaces", "pods")
	switch {
	case !exact || (m["namespaces"] == nil) == (m["pods"] == nil):
		r.doubt(path, "isn't one of namespaces and pods")
		return false
	case m["namespaces"] != nil:
		box, some, ok := r.selector(m["namespaces"], path+".namespaces")
		p.namespaces, p.nobody = box, !some
		return ok
	default:
		namespaces, pods, some, ok := r.podSelectors(m["pods"], path+".pods")
		p.namespaces, p.pods, p.nobody = namespaces, pods, !some
		return ok
	}
}

// podSelectors reads a namespaceSelector, which may be missing, and a podSelector.
//
//nolint:revive // Four results: two selectors, and what is to be known of both at once.
func (r *tierReader) podSelectors(v any, path string) (namespaces, pods labelBox, some, ok bool) {
	m, isMap := v.(map[string]any)
	if !isMap || !r.onlyKeys(m, path, "namespaceSelector", "podSelector") || m["podSelector"] == nil {
		r.doubt(path, "selects no pods")
		return nil, nil, true, false
	}
	some, ok = true, true
	if m["namespaceSelector"] != nil {
		namespaces, some, ok = r.selector(m["namespaceSelector"], path+".namespaceSelector")
	}
	pods, somePods, okPods := r.selector(m["podSelector"], path+".podSelector")
	if !ok || !okPods {
		return nil, nil, true, false
	}
	return namespaces, pods, some && somePods, true
}

// selector reads a label selector. Some is false if it contradicts itself, and so matches nothing. What can't be read is
// not ok, and may match everything.
func (r *tierReader) selector(v any, path string) (box labelBox, some, ok bool) {
	s, ok := readSelector(v)
	if ok {
		_, err := metav1.LabelSelectorAsSelector(s)
		ok = err == nil
	}
	if !ok {
		r.doubt(path, "is no label selector")
		return nil, true, false
	}
	box, some = parseSelector(s)
	return box, some, true
}

func readSelector(v any) (*metav1.LabelSelector, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	out := &metav1.LabelSelector{}
	for key, value := range m {
		switch {
		case value == nil:
		case key == "matchLabels":
			if out.MatchLabels, ok = stringMap(value); !ok {
				return nil, false
			}
		case key == "matchExpressions":
			if out.MatchExpressions, ok = requirements(value); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return out, true
}

func stringMap(v any) (map[string]string, bool) {
	m, ok := v.(map[string]any)
	out := make(map[string]string, len(m))
	for key, value := range m {
		text, isText := value.(string)
		out[key], ok = text, ok && isText
	}
	return out, ok
}

func requirements(v any) ([]metav1.LabelSelectorRequirement, bool) {
	list, ok := v.([]any)
	var out []metav1.LabelSelectorRequirement
	for _, item := range list {
		m, isMap := item.(map[string]any)
		key, hasKey := m["key"].(string)
		operator, hasOperator := m["operator"].(string)
		values, areTexts := texts(m["values"])
		if !isMap || !hasKey || !hasOperator || !areTexts {
			return nil, false
		}
		out = append(out, metav1.LabelSelectorRequirement{
			Key: key, Operator: metav1.LabelSelectorOperator(operator), Values: values,
		})
	}
	return out, ok
}

// texts reads a list of strings; null is an empty one.
func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	var out []string
	for _, item := range list {
		text, isText := item.(string)
		out, ok = append(out, text), ok && isText
	}
	return out, ok || v == nil
}
