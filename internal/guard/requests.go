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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/bulkhead-dev/bulkhead/api/v1alpha1"
)

// A Method is what a probe asks for.
type Method string

const (
	// Create creates an object that isn't there.
	Create Method = "create"
	// Patch changes an object that is there, by a JSON merge patch.
	Patch Method = "patch"
)

// A Probe is a request that one guard-rail must refuse, and about which no other one has anything to say: of several
// refusals the API server tells only one, by chance. It is asked for as a dry-run, so that nothing is stored whoever
// lets it pass.
//
// Its YAML, beside that of the policy, is a document with these fields.
type Probe struct {
	// Policy is the name of the guard-rail.
	Policy string `json:"policy"`
	// Method is create or patch.
	Method Method `json:"method"`
	// Resource is the plural name of the object's resource.
	Resource string `json:"resource"`
	// Refusal is a part of the refusal, by which it is told from the failure of the policy: both have the code 403.
	Refusal string `json:"refusal"`
	// Namespace is what the guard-rail reads from the namespace in which is asked: guard-rail data, by key. The tenant
	// label is always there, with an empty value, so that no tenant's selector selects the namespace.
	Namespace ProbeMetadata `json:"namespace,omitempty"`
	// Object is what is to be created; or, for a patch, the kind and name of the object and what is to be changed. It is
	// in one of the probe namespaces, or is one.
	Object unstructured.Unstructured `json:"object"`
}

// ProbeMetadata are labels and annotations of a probe namespace.
type ProbeMetadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// In is the probe namespace that the probe is about.
func (p *Probe) In() string {
	if p.Resource == "namespaces" {
		return p.Object.GetName()
	}
	return p.Object.GetNamespace()
}

// GroupResource is the resource that is asked for.
func (p *Probe) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: p.Object.GroupVersionKind().Group, Resource: p.Resource}
}

// Path is the path of the request on the API server, without a query.
func (p *Probe) Path() string {
	gv := p.Object.GroupVersionKind().GroupVersion()
	parts := []string{"/apis", gv.Group, gv.Version}
	if gv.Group == "" {
		parts = []string{"/api", gv.Version}
	}
	if p.Resource != "namespaces" {
		parts = append(parts, "namespaces", p.Object.GetNamespace())
	}
	parts = append(parts, p.Resource)
	if p.Method == Patch {
		parts = append(parts, p.Object.GetName())
	}
	return path.Join(parts...)
}

// body is the body of the request.
func (p *Probe) body() ([]byte, error) { return p.Object.MarshalJSON() }

// check says what is wrong with a probe that was read; nil if nothing.
func (p *Probe) check() error {
	switch {
	case p.Method != Create && p.Method != Patch:
		return fmt.Errorf("method is %q: allowed are create and patch", p.Method)
	case p.Resource == "" || p.Refusal == "":
		return errors.New("resource or refusal is missing")
	case p.Object.GetAPIVersion() == "" || p.Object.GetKind() == "" || p.Object.GetName() == "":
		return errors.New("apiVersion, kind or metadata.name of the object is missing")
	case !v1alpha1.IsGuardProbeNamespace(p.In()):
		return fmt.Errorf("it is about namespace %q: allowed are %s and %s", p.In(), v1alpha1.GuardProbeNamespace, v1alpha1.GuardProbeQuotaNamespace)
	}
	for _, keys := range []map[string]string{p.Namespace.Labels, p.Namespace.Annotations} {
		for key := range keys {
			if !strings.HasPrefix(key, v1alpha1.GuardPrefix) {
				return fmt.Errorf("the namespace can't have %q: allowed are keys with the prefix %s", key, v1alpha1.GuardPrefix)
			}
		}
	}
	return nil
}

// addProbes reads the probes of guard-rails.
func addProbes(rails []Rail, files fs.FS) error {
	names, err := fs.Glob(files, "probe/requests/*.yaml")
	if err != nil {
		return fmt.Errorf("finding probes: %w", err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("reading probes: %w", err)
		}
		documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = addProbe(rails, document)
			}
			if err != nil {
				return fmt.Errorf("reading probes from %s: %w", name, err)
			}
		}
	}
	_, err = ProbeNamespaces(rails)
	return err
}

func addProbe(rails []Rail, document []byte) error {
	// Not straight into a Probe: unstructured objects would swallow unknown fields beside them.
	raw, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	if string(bytes.TrimSpace(raw)) == "null" {
		return nil // only comments
	}
	probe := &Probe{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(probe); err != nil {
		return fmt.Errorf("decoding a probe: %w", err)
	}
	if err := probe.check(); err != nil {
		return fmt.Errorf("the probe of %q: %w", probe.Policy, err)
	}
	at := slices.IndexFunc(rails, func(r Rail) bool { return r.Name() == probe.Policy })
	switch {
	case at < 0:
		return fmt.Errorf("a probe is of %q, which is no guard-rail", probe.Policy)
	case rails[at].Probe != nil:
		return fmt.Errorf("%q has two probes", probe.Policy)
	}
	rails[at].Probe = probe
	return nil
}

// ProbeNamespaces are the namespaces in which probes are made, by name, each with what they need it to have. It fails
// if two probes need different values of one key.
func ProbeNamespaces(rails []Rail) (map[string]ProbeMetadata, error) {
	all := map[string]ProbeMetadata{}
	for _, rail := range rails {
		if rail.Probe == nil {
			continue
		}
		name := rail.Probe.In()
		into, there := all[name]
		if !there {
			into = ProbeMetadata{Labels: map[string]string{v1alpha1.LabelTenant: ""}, Annotations: map[string]string{}}
			all[name] = into
		}
		for key, value := range rail.Probe.Namespace.Labels {
			if other, set := into.Labels[key]; set && other != value {
				return nil, fmt.Errorf("probes need the label %s of namespace %s to be %q and %q", key, name, other, value)
			}
			into.Labels[key] = value
		}
		for key, value := range rail.Probe.Namespace.Annotations {
			if other, set := into.Annotations[key]; set && other != value {
				return nil, fmt.Errorf("probes need the annotation %s of namespace %s to be %q and %q", key, name, other, value)
			}
			into.Annotations[key] = value
		}
	}
	return all, nil
}
