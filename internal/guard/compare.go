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

package guard

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/internal/drift"
)

// Kinds of the two halves of a guard-rail.
var (
	policyKind  = admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy")
	bindingKind = admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicyBinding")
)

// A Half is one of the two objects of a guard-rail, as it is found.
type Half struct {
	// Kind and Name say which.
	Kind schema.GroupVersionKind
	Name string
	// Want is the object as it must be: its kind, name and spec.
	Want *unstructured.Unstructured
	// Live is what is installed; nil if nothing is. It is shared with the cache.
	Live metav1.Object
	// Difference is in what the spec differs; empty if it doesn't, or if nothing is installed.
	Difference drift.Difference
	// Writer says who wrote what differs, as far as managed fields tell.
	Writer drift.Attribution
}

// Sound reports whether the object is installed and unedited.
func (h *Half) Sound() bool { return h.Live != nil && h.Difference.Empty() }

// Object is the live object or, if there is none, one of its name.
func (h *Half) Object() client.Object {
	if live, ok := h.Live.(client.Object); ok {
		return live
	}
	if h.Kind == bindingKind {
		return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: h.Name}}
	}
	return &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: h.Name}}
}

// noun is how people call the kind.
func (h *Half) noun() string {
	if h.Kind == bindingKind {
		return "binding"
	}
	return "policy"
}

// maxPaths is how many differing fields are named.
const maxPaths = 3

// Fault says in a sentence, without a subject's name, what is wrong; empty if nothing is.
func (h *Half) Fault() string {
	switch {
	case h.Live == nil:
		return "its " + h.noun() + " is not installed"
	case h.Difference.Empty():
		return ""
	}
	paths := h.Difference.Paths()
	more := ""
	if rest := len(paths) - maxPaths; rest > 0 {
		paths, more = paths[:maxPaths], fmt.Sprintf(" and %d more", rest)
	}
	text := "its " + h.noun() + " is not what this version of Bulkhead ships: " + strings.Join(paths, ", ") + more
	if h.Writer.Manager != "" {
		text += fmt.Sprintf(" (last written by field manager %q, client-declared)", h.Writer.Manager)
	}
	if !slices.ContainsFunc(paths, func(path string) bool { return path != trustedPath && path != trustedConditionPath }) {
		text += "; --break-glass-groups must name the groups that it names"
	}
	return text
}

// What differs if an overlay and the operator's flag name different groups.
const (
	trustedPath          = `spec.variables[name="` + trustedVariable + `"]`
	trustedConditionPath = `spec.matchConditions[name="` + trustedCondition + `"].expression`
)

// A Finding is what is installed of a guard-rail.
type Finding struct {
	// Rail is the guard-rail as it must be.
	Rail Rail
	// Policy and Binding are its halves.
	Policy, Binding Half
}

// State is NotInstalled, Edited, or empty if both halves are as they must be.
func (f *Finding) State() State {
	switch {
	case f.Policy.Live == nil, f.Binding.Live == nil:
		return NotInstalled
	case !f.Policy.Sound(), !f.Binding.Sound():
		return Edited
	default:
		return ""
	}
}

// Fault says in a sentence what is wrong, and by whom; empty if nothing is.
func (f *Finding) Fault() string {
	var faults []string
	for _, half := range []*Half{&f.Policy, &f.Binding} {
		if fault := half.Fault(); fault != "" {
			faults = append(faults, fault)
		}
	}
	return strings.Join(faults, "; ")
}

// WrittenAfter reports whether a half that is there was last written after a time, by the clock of the API server and to
// the second.
func (f *Finding) WrittenAfter(when time.Time) bool {
	for _, half := range []*Half{&f.Policy, &f.Binding} {
		if half.Live == nil {
			continue
		}
		if half.Live.GetCreationTimestamp().After(when) {
			return true
		}
		for _, entry := range half.Live.GetManagedFields() {
			if entry.Time != nil && entry.Time.After(when) {
				return true
			}
		}
	}
	return false
}

// Comparer compares installed guard-rails with those that must be there. It is safe for concurrent use.
type Comparer struct{ drift *drift.Comparer }

// NewComparer makes a Comparer. The scheme must know the kinds of guard-rails.
func NewComparer(scheme *runtime.Scheme) (*Comparer, error) {
	comparer, err := drift.NewComparer(scheme)
	if err != nil {
		return nil, fmt.Errorf("making a comparer of guard-rails: %w", err)
	}
	return &Comparer{drift: comparer}, nil
}

// Compare says what is installed of a guard-rail. The rail is one that Expect returned; policy and binding are the live
// ones of its name, nil if there are none. Only what they do counts: their specs, all of it, and none of their metadata.
// It fails if no comparison could be made, which says nothing about the guard-rail.
func (c *Comparer) Compare(
	rail Rail, policy *admissionregistrationv1.ValidatingAdmissionPolicy, binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding,
) (Finding, error) {
	finding := Finding{Rail: rail}
	var err error
	if finding.Policy, err = wanted(policyKind, rail.Name(), &rail.Policy.Spec); err != nil {
		return finding, err
	}
	if finding.Binding, err = wanted(bindingKind, rail.Name(), &rail.Binding.Spec); err != nil {
		return finding, err
	}
	if policy != nil {
		spec := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy.Name}, Spec: policy.Spec}
		if err := c.half(&finding.Policy, policy, spec); err != nil {
			return finding, err
		}
		finding.Policy.reordered(rail.Policy.Spec, policy.Spec)
	}
	if binding != nil {
		spec := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: binding.Name}, Spec: binding.Spec}
		if err := c.half(&finding.Binding, binding, spec); err != nil {
			return finding, err
		}
	}
	return finding, nil
}

func wanted(kind schema.GroupVersionKind, name string, spec any) (Half, error) {
	half := Half{Kind: kind, Name: name}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		return half, fmt.Errorf("encoding the %s %s: %w", half.noun(), name, err)
	}
	half.Want = &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	half.Want.SetGroupVersionKind(kind)
	half.Want.SetName(name)
	return half, nil
}

// half compares one half. spec is the live object with nothing but what counts.
func (c *Comparer) half(half *Half, live metav1.Object, spec runtime.Object) error {
	half.Live = live
	var err error
	if half.Difference, err = c.drift.Compare(half.Want, spec); err != nil {
		return fmt.Errorf("comparing the %s %s: %w", half.noun(), half.Name, err)
	}
	half.attribute()
	return nil
}

// attribute notes who wrote what differs. Who removed a field leaves no trace, and nobody is blamed for it.
func (h *Half) attribute() {
	if !h.Difference.Empty() {
		h.Writer = drift.Attribute(h.Live, h.Difference, v1alpha1.FieldManager)
	}
}

// variablesPath is the path of a policy's variables.
var variablesPath = fieldpath.MakePathOrDie("spec", "variables")

// reordered notes that the variables stand in another order. By the API's schema that is no difference, but one that uses
// a later one doesn't compile, and then the policy refuses everybody.
func (h *Half) reordered(want, have admissionregistrationv1.ValidatingAdmissionPolicySpec) {
	if h.Difference.Empty() && !reflect.DeepEqual(want.Variables, have.Variables) {
		h.Difference = drift.Difference{Changes: []drift.Change{{Path: "spec.variables", Field: variablesPath, Type: v1alpha1.DriftFieldModified}}}
		h.attribute()
	}
}
