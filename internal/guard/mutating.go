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
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/config/admission"
)

// Mutator is what the API server changes in requests: a policy, and the binding that puts it in force. Both have the
// same name. API servers before Kubernetes 1.36 don't serve their kinds.
type Mutator struct {
	Policy  *admissionregistrationv1.MutatingAdmissionPolicy
	Binding *admissionregistrationv1.MutatingAdmissionPolicyBinding
}

// Name is the name of the policy, and of its binding.
func (m Mutator) Name() string { return m.Policy.Name }

// ShippedMutators returns the defaults and the identity stamp of this version of Bulkhead, sorted by name. They are the
// caller's own. It fails only if the YAML that was built in is broken, which the tests rule out.
func ShippedMutators() ([]Mutator, error) {
	files, err := fs.Sub(admission.Mutating, "mutating")
	if err != nil {
		return nil, fmt.Errorf("finding defaults: %w", err)
	}
	return ParseMutators(files)
}

// ParseMutators reads mutating policies from the YAML files in the root of a file system, and sorts them by name.
// Kustomizations are skipped. It fails on fields that the API doesn't have, on other kinds, and on a policy or a binding
// that lacks the other half.
func ParseMutators(files fs.FS) ([]Mutator, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("finding defaults: %w", err)
	}
	found := parsedMutators{policies: map[string]*admissionregistrationv1.MutatingAdmissionPolicy{}, bindings: map[string]*admissionregistrationv1.MutatingAdmissionPolicyBinding{}}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading defaults: %w", err)
		}
		if err := found.file(content); err != nil {
			return nil, fmt.Errorf("reading defaults from %s: %w", name, err)
		}
	}
	return found.pair()
}

// parsedMutators is what was read so far, by name.
type parsedMutators struct {
	policies map[string]*admissionregistrationv1.MutatingAdmissionPolicy
	bindings map[string]*admissionregistrationv1.MutatingAdmissionPolicyBinding
}

func (p parsedMutators) file(content []byte) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = p.document(document)
		}
		if err != nil {
			return err
		}
	}
}

func (p parsedMutators) document(document []byte) error {
	var is metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &is); err != nil {
		return err
	}
	switch {
	case is.Kind == "Kustomization" || is.Kind == "" && is.Name == "":
		return nil
	case is.GroupVersionKind() == admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy"):
		return add(p.policies, is.Name, document)
	case is.GroupVersionKind() == admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicyBinding"):
		return add(p.bindings, is.Name, document)
	default:
		return fmt.Errorf("%s %s %q is no mutating policy", is.APIVersion, is.Kind, is.Name)
	}
}

// pair puts policies and bindings together.
func (p parsedMutators) pair() ([]Mutator, error) {
	mutators := make([]Mutator, 0, len(p.policies))
	for name, policy := range p.policies {
		binding := p.bindings[name]
		if binding == nil || binding.Spec.PolicyName != name {
			return nil, fmt.Errorf("policy %q has no binding of its name", name)
		}
		mutators = append(mutators, Mutator{Policy: policy, Binding: binding})
	}
	if len(p.bindings) != len(mutators) {
		return nil, fmt.Errorf("there are %d bindings of %d policies", len(p.bindings), len(mutators))
	}
	slices.SortFunc(mutators, func(a, b Mutator) int { return cmp.Compare(a.Name(), b.Name()) })
	return mutators, nil
}
