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

// Package guard holds the guard-rails that run inside the API server: ValidatingAdmissionPolicies, one static set for
// the whole cluster. Their source is the YAML of config/admission, which can be installed without the operator.
//
// Nothing in Kubernetes says that a policy is in force. So the operator compares what is installed with what it ships
// (Comparer), asks each API server for what must be refused, by requests that store nothing (Prober), and says what came
// of it (Board). Where its rights allow it, it puts a guard-rail back (Restorer).
package guard

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
	"github.com/bulkhead-dev/bulkhead/config/admission"
)

// AnnotationWhen is an annotation of a policy that lists guard-rail data (keys of labels and annotations, separated by
// commas): only tenants with a namespace that has one of them rely on the guard-rail. Without it, all tenants do.
const AnnotationWhen = v1alpha1.GuardPrefix + "when"

// Rail is one guard-rail: a policy, and the binding that puts it in force. Both have the same name.
type Rail struct {
	Policy  *admissionregistrationv1.ValidatingAdmissionPolicy
	Binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding
	// Probe is a request that it must refuse; nil if it refuses nothing.
	Probe *Probe
}

// Name is the name of the policy, and of its binding.
func (r Rail) Name() string { return r.Policy.Name }

// When are the keys of AnnotationWhen, sorted; nil if all tenants rely on the guard-rail.
func (r Rail) When() []string {
	keys := slices.DeleteFunc(strings.Split(r.Policy.Annotations[AnnotationWhen], ","), func(key string) bool { return key == "" })
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Denies reports whether the guard-rail refuses anything. One that doesn't only warns.
func (r Rail) Denies() bool {
	return slices.Contains(r.Binding.Spec.ValidationActions, admissionregistrationv1.Deny)
}

// Shipped returns the guard-rails of this version of Bulkhead, sorted by name. They are the caller's own. It fails only
// if the YAML that was built in is broken, which the tests rule out.
func Shipped() ([]Rail, error) { return Parse(admission.Files) }

// Parse reads guard-rails from the YAML files in the root of a file system, and their probes from those in its folder
// probe/requests, and sorts them by name. Kustomizations are skipped. It fails on fields that the API doesn't have, on
// other kinds, on a policy or a binding that lacks the other half (without its binding a policy does nothing, and nothing
// in Kubernetes says so), and on a probe that is none or that is nobody's.
func Parse(files fs.FS) ([]Rail, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("finding guard-rails: %w", err)
	}
	found := parsed{policies: map[string]*admissionregistrationv1.ValidatingAdmissionPolicy{}, bindings: map[string]*admissionregistrationv1.ValidatingAdmissionPolicyBinding{}}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading guard-rails: %w", err)
		}
		if err := found.file(content); err != nil {
			return nil, fmt.Errorf("reading guard-rails from %s: %w", name, err)
		}
	}
	rails, err := found.pair()
	if err != nil {
		return nil, err
	}
	return rails, addProbes(rails, files)
}

// parsed is what was read so far, by name.
type parsed struct {
	policies map[string]*admissionregistrationv1.ValidatingAdmissionPolicy
	bindings map[string]*admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

func (p parsed) file(content []byte) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.document(document); err != nil {
			return err
		}
	}
}

func (p parsed) document(document []byte) error {
	var is metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &is); err != nil {
		return err
	}
	switch {
	case is.Kind == "Kustomization" || is.Kind == "" && is.Name == "":
		return nil
	case is.APIVersion != admissionregistrationv1.SchemeGroupVersion.String():
	case is.Kind == "ValidatingAdmissionPolicy":
		return add(p.policies, is.Name, document)
	case is.Kind == "ValidatingAdmissionPolicyBinding":
		return add(p.bindings, is.Name, document)
	}
	return fmt.Errorf("%s %s %q is no guard-rail", is.APIVersion, is.Kind, is.Name)
}

func add[T any](to map[string]*T, name string, document []byte) error {
	if _, twice := to[name]; twice {
		return fmt.Errorf("%q is there twice", name)
	}
	object := new(T)
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return fmt.Errorf("decoding %q: %w", name, err)
	}
	to[name] = object
	return nil
}

// pair puts policies and bindings together.
func (p parsed) pair() ([]Rail, error) {
	rails := make([]Rail, 0, len(p.policies))
	for name, policy := range p.policies {
		binding := p.bindings[name]
		if binding == nil || binding.Spec.PolicyName != name {
			return nil, fmt.Errorf("policy %q has no binding of its name", name)
		}
		rails = append(rails, Rail{Policy: policy, Binding: binding})
	}
	if len(p.bindings) != len(rails) {
		return nil, fmt.Errorf("there are %d bindings of %d policies", len(p.bindings), len(rails))
	}
	slices.SortFunc(rails, func(a, b Rail) int { return cmp.Compare(a.Name(), b.Name()) })
	return rails, nil
}
